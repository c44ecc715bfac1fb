"""A user's first minutes with an installed wheel: import, a connection, threads there and back.

Run by the install matrix with the interpreter of a fresh environment, which has the
wheel and its dependencies and nothing else.
"""

import importlib.metadata
import threading

import trio
import trio._native

assert trio.__version__ == importlib.metadata.version("trio"), trio.__version__
assert "+rust" in trio.__version__, f"not ours: {trio.__version__}"


async def shout(stream: trio.SocketStream) -> None:
    """Send back everything in capitals."""
    async for data in stream:
        await stream.send_all(data.upper())


async def connection() -> None:
    """A message over TCP and back."""
    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, shout, 0)
        port = listeners[0].socket.getsockname()[1]
        async with await trio.open_tcp_stream("localhost", port) as stream:
            await stream.send_all(b"hello")
            answer = b""
            while len(answer) < 5:
                answer += await stream.receive_some()
        assert answer == b"HELLO", answer
        nursery.cancel_scope.cancel()


def in_a_thread(word: str) -> tuple:
    """Where this runs, and what an async function that it calls in the loop's thread says."""
    return threading.get_ident(), trio.from_thread.run(in_the_loop, word)


async def in_the_loop(word: str) -> tuple:
    """Where this runs, and the word."""
    await trio.lowlevel.checkpoint()
    return threading.get_ident(), word


async def main() -> None:
    """All of it, with a deadline."""
    with trio.fail_after(30):
        await connection()
        thread, (loop, word) = await trio.to_thread.run_sync(in_a_thread, "back")
        assert thread != threading.get_ident() == loop
        assert word == "back"


trio.run(main)
print("journey done with", trio.__version__)
