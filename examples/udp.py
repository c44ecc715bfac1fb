"""Questions over UDP, which may lose them: ask again until there is an answer.

    python examples/udp.py

The server loses every third datagram on purpose.  A client gives each attempt
a little time; `move_on_after` ends the wait and the loop asks again.
"""

import trio

QUESTIONS = ("one", "two", "three", "four")
PATIENCE = 0.2  # seconds per attempt


async def serve(sock: trio.socket.SocketType) -> None:
    received = 0
    while True:
        question, client = await sock.recvfrom(2048)
        received += 1
        if received % 3:
            await sock.sendto(question.upper(), client)


async def ask(sock: trio.socket.SocketType, question: str) -> None:
    attempts = 0
    while True:
        attempts += 1
        await sock.send(question.encode())
        with trio.move_on_after(PATIENCE):
            answer = await sock.recv(2048)
            print(f"{question} -> {answer.decode()} (attempt {attempts})")
            return


async def main() -> None:
    with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as server_sock:
        await server_sock.bind(("127.0.0.1", 0))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(serve, server_sock)
            with trio.socket.socket(type=trio.socket.SOCK_DGRAM) as client_sock:
                await client_sock.connect(server_sock.getsockname())
                for question in QUESTIONS:
                    await ask(client_sock, question)
            nursery.cancel_scope.cancel()


trio.run(main)
