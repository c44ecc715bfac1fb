"""On SIGTERM stop accepting, let what is running finish, and then leave.

    python examples/graceful_shutdown.py        (then: kill PID)

Two cancel scopes make the two stages.  The one around the listeners ends when
the signal comes; the one around the connections has a deadline from then on,
and whoever is not done by then is cancelled.
"""

import os
import signal

import trio

GRACE = 5.0  # seconds for connections to finish
ORDER_TIME = 0.3  # seconds that an order takes


async def serve(stream: trio.SocketStream) -> None:
    """Each connection is one order, confirmed and, after a while, delivered."""
    async with stream:
        try:
            await stream.send_all(b"confirmed\n")
            await trio.sleep(ORDER_TIME)
            await stream.send_all(b"delivered\n")
        except trio.BrokenResourceError:
            pass


async def wait_for_signal(accepting: trio.CancelScope, connections: trio.CancelScope) -> None:
    with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
        async for number in signals:
            print(f"{signal.Signals(number).name}: no new orders", flush=True)
            accepting.cancel()
            connections.deadline = trio.current_time() + GRACE
            return


async def main() -> None:
    listeners = await trio.open_tcp_listeners(0, host="127.0.0.1")
    port = listeners[0].socket.getsockname()[1]
    async with trio.open_nursery() as connections:
        with trio.CancelScope() as accepting:
            connections.start_soon(wait_for_signal, accepting, connections.cancel_scope)
            print(f"listening on port {port}, process {os.getpid()}", flush=True)
            await trio.serve_listeners(serve, listeners, handler_nursery=connections)
        print(f"waiting for {len(connections.child_tasks)} orders", flush=True)
    late = connections.cancel_scope.cancelled_caught
    print("some orders were cancelled" if late else "every order was delivered", flush=True)


trio.run(main)
