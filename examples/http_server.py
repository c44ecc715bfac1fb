"""A small HTTP/1.1 server; h11 speaks the protocol, Trio does the rest.

    python examples/http_server.py [PORT]        (needs h11)

``GET /`` answers with the time, ``POST /echo`` with what was sent.  A
connection is kept as long as client and protocol allow, but a client gets only
`PATIENCE` seconds for its next request.
"""

from __future__ import annotations

import datetime
import json
import sys
from email.utils import formatdate

import h11

import trio

PATIENCE = 10


class Connection:
    """One client: h11's state machine between two ends of a stream."""

    def __init__(self, stream: trio.SocketStream) -> None:
        self.stream = stream
        self.protocol = h11.Connection(h11.SERVER)

    async def next_event(self) -> object:
        while True:
            event = self.protocol.next_event()
            if event is not h11.NEED_DATA:
                return event
            if self.protocol.they_are_waiting_for_100_continue:
                await self.send(h11.InformationalResponse(status_code=100, headers=[]))
            self.protocol.receive_data(await self.stream.receive_some())

    async def send(self, *events: h11.Event) -> None:
        """Send what belongs together in one piece."""
        await self.stream.send_all(b"".join(self.protocol.send(event) or b"" for event in events))

    async def body(self) -> bytes:
        parts: list[bytes] = []
        while True:
            event = await self.next_event()
            if not isinstance(event, h11.Data):
                return b"".join(parts)
            parts.append(bytes(event.data))

    async def respond(self, status: int, kind: str, body: bytes) -> None:
        headers = [
            ("Date", formatdate(usegmt=True)),
            ("Content-Type", kind),
            ("Content-Length", str(len(body))),
        ]
        head = h11.Response(status_code=status, headers=headers)
        await self.send(head, h11.Data(data=body), h11.EndOfMessage())


async def answer(connection: Connection, request: h11.Request) -> None:
    body = await connection.body()
    route = (request.method, request.target)
    if route == (b"GET", b"/"):
        now = datetime.datetime.now().isoformat(timespec="seconds")
        await connection.respond(200, "application/json", json.dumps({"now": now}).encode())
    elif route == (b"POST", b"/echo"):
        await connection.respond(200, "application/octet-stream", body)
    else:
        await connection.respond(404, "text/plain", b"there is nothing here\n")


async def serve(stream: trio.SocketStream) -> None:
    connection = Connection(stream)
    try:
        while True:
            with trio.fail_after(PATIENCE):
                request = await connection.next_event()
                if not isinstance(request, h11.Request):
                    return
                await answer(connection, request)
            print(request.method.decode(), request.target.decode(), flush=True)
            if connection.protocol.our_state is not h11.DONE:
                return
            if connection.protocol.their_state is not h11.DONE:
                return
            connection.protocol.start_next_cycle()
    except h11.RemoteProtocolError as error:
        if connection.protocol.our_state in (h11.IDLE, h11.SEND_RESPONSE):
            text = f"{error}\n".encode()
            await connection.respond(error.error_status_hint, "text/plain", text)
    except (trio.BrokenResourceError, trio.TooSlowError):
        pass  # gone, or about to be sent away


async def main(port: int) -> None:
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, port)
        print("listening on port", listeners[0].socket.getsockname()[1], flush=True)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 0)
