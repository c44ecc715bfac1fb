"""Send lines to an echo server and check what comes back.

    python examples/echo_client.py PORT [LINES]

A sender and a receiver run side by side on one stream.  The sender says that
it is done with `send_eof`; the receiver then sees the end of the server's
answers.  The whole conversation has ten seconds.
"""

import sys

import trio


async def send(stream: trio.SocketStream, count: int) -> None:
    for number in range(count):
        await stream.send_all(f"line {number}\n".encode())
    await stream.send_eof()


async def receive(stream: trio.SocketStream, count: int) -> None:
    received = b"".join([data async for data in stream])
    expected = b"".join(f"line {number}\n".encode() for number in range(count))
    print(f"{len(received)} bytes came back,", "as sent" if received == expected else "WRONG")


async def main(port: int, count: int) -> None:
    with trio.fail_after(10):
        async with await trio.open_tcp_stream("127.0.0.1", port) as stream:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(send, stream, count)
                nursery.start_soon(receive, stream, count)


if __name__ == "__main__":
    trio.run(main, int(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 1000)
