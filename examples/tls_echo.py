"""Echo over TLS, with a server and two clients in one program.

    python examples/tls_echo.py        (needs trustme, which makes certificates)

One client trusts the server's authority and gets its answer; the other trusts
only the authorities of the system, and is refused by its own check.
"""

import ssl
from functools import partial

import trustme

import trio

NAME = "localhost"


async def serve(stream: trio.SSLStream[trio.SocketStream]) -> None:
    try:
        async for data in stream:
            await stream.send_all(data)
    except trio.BrokenResourceError:
        print("server: a client broke off")


async def ask(client: str, context: ssl.SSLContext, port: int, message: bytes) -> None:
    try:
        async with await trio.open_ssl_over_tcp_stream(NAME, port, ssl_context=context) as stream:
            await stream.send_all(message)
            answer = await stream.receive_some()
            print(f"{client}: {answer.decode()!r} over {stream.version()}")
    except trio.BrokenResourceError as error:
        print(f"{client}: {type(error.__cause__).__name__}")


async def main() -> None:
    authority = trustme.CA()
    server_context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert(NAME).configure_cert(server_context)
    trusting_context = ssl.create_default_context()
    authority.configure_trust(trusting_context)

    listeners = await trio.open_ssl_over_tcp_listeners(0, server_context, host="127.0.0.1")
    listener = listeners[0].transport_listener
    assert isinstance(listener, trio.SocketListener)
    port = listener.socket.getsockname()[1]
    # Connections live in a nursery outside of what accepts them, so they may end by themselves.
    async with trio.open_nursery() as connections, trio.open_nursery() as accepting:
        accepting.start_soon(partial(trio.serve_listeners, serve, listeners, handler_nursery=connections))
        await ask("trusting client", trusting_context, port, b"hello")
        await ask("suspicious client", ssl.create_default_context(), port, b"hello?")
        accepting.cancel_scope.cancel()


trio.run(main)
