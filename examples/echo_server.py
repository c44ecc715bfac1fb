"""A TCP server that sends back what it receives, one task per connection.

    python examples/echo_server.py [PORT]

A handler that fails would end the server, as any error does that nobody
handles.  So it handles the one that belongs to the business, a peer that
vanishes, and lets every other come out.
"""

import sys
from itertools import count

import trio

connection_numbers = count(1)


async def handle(stream: trio.SocketStream) -> None:
    number = next(connection_numbers)
    total = 0
    try:
        async for data in stream:
            total += len(data)
            await stream.send_all(data)
        print(f"connection {number}: {total} bytes echoed", flush=True)
    except trio.BrokenResourceError:
        print(f"connection {number}: the peer has vanished", flush=True)


async def main(port: int) -> None:
    async with trio.open_nursery() as nursery:
        # start() returns when the sockets are listening, with what serve_tcp reports.
        listeners = await nursery.start(trio.serve_tcp, handle, port)
        print("listening on port", listeners[0].socket.getsockname()[1], flush=True)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]) if len(sys.argv) > 1 else 0)
