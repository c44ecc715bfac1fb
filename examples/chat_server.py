"""A chat room over TCP: each line goes to everyone else.

    python examples/chat_server.py [PORT]        (then, twice: nc localhost PORT)

The room gives every member a memory channel of its own.  A line is put into
the channels without waiting; a member whose channel is full does not read fast
enough and is thrown out, so one slow member cannot hold up the room.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncGenerator
from functools import partial

import trio

BACKLOG = 50  # lines that a member may be behind


class Member:
    """A name, and the channel through which the room talks to it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.to, self.inbox = trio.open_memory_channel[str](BACKLOG)


class Room:
    """Who is here, by name."""

    def __init__(self) -> None:
        self.members: dict[str, Member] = {}

    def enter(self, member: Member) -> None:
        self.members[member.name] = member
        self.say(f"* {member.name} has come")

    def leave(self, member: Member) -> None:
        if self.members.get(member.name) is member:
            del self.members[member.name]
            member.to.close()
            self.say(f"* {member.name} has gone")

    def say(self, line: str, author: Member | None = None) -> None:
        slow = []
        for member in self.members.values():
            if member is not author:
                try:
                    member.to.send_nowait(line)
                except trio.WouldBlock:
                    slow.append(member)
        for member in slow:
            self.leave(member)


@trio.as_safe_channel
async def lines(stream: trio.SocketStream) -> AsyncGenerator[str, None]:
    """The lines that arrive on a stream, without their ends, until it breaks or closes."""
    buffered = b""
    try:
        async for data in stream:
            *complete, buffered = (buffered + data).split(b"\n")
            for line in complete:
                yield line.decode(errors="replace").strip()
    except trio.BrokenResourceError:
        pass


async def tell(stream: trio.SocketStream, line: str) -> None:
    """Write a line; a peer that has gone will be noticed by whoever reads."""
    try:
        await stream.send_all(f"{line}\n".encode())
    except trio.BrokenResourceError:
        pass


async def deliver(stream: trio.SocketStream, inbox: trio.MemoryReceiveChannel[str], cancel_scope: trio.CancelScope) -> None:
    """Write what the room says, and end the connection when the room is done with it."""
    async for line in inbox:
        await tell(stream, line)
    cancel_scope.cancel()


async def serve(room: Room, stream: trio.SocketStream) -> None:
    await tell(stream, "your name?")
    me = None
    async with lines(stream) as incoming, trio.open_nursery() as nursery:
        try:
            async for line in incoming:
                if me is not None:
                    room.say(f"{me.name}: {line}", author=me)
                elif line and line not in room.members:
                    me = Member(line)
                    room.enter(me)
                    nursery.start_soon(deliver, stream, me.inbox, nursery.cancel_scope)
                else:
                    await tell(stream, "not that one")
        finally:
            if me is not None:
                room.leave(me)
            nursery.cancel_scope.cancel()


async def main(port: int) -> None:
    handler = partial(serve, Room())
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, handler, port)
        print("listening on port", listeners[0].socket.getsockname()[1], flush=True)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 0)
