"""Two pairs of connected sockets, used directly and through streams."""

from __future__ import annotations

import socket
from typing import Any

import trio

from ..machine import Place, pick
from ..program import INDEX, choice, statement


def ends(place: Place) -> list[Any]:
    """The four sockets, made when they are first asked for."""
    stock = place.stock.more("sockets")
    if not stock:
        for _ in range(2):
            stock.extend(trio.socket.socketpair())
    return stock


@statement("sockets", INDEX, choice(1, 3, 100_000))
async def send_bytes(place: Place, index: int, size: int) -> object:
    sent = await pick(ends(place), index).send(b"x" * size)
    return sent if sent < 10 else "many"


@statement("sockets", INDEX, choice(1, 2, 100_000))
async def receive_bytes(place: Place, index: int, size: int) -> object:
    data = await pick(ends(place), index).recv(size)
    return len(data) if len(data) < 10 else "many"


@statement("sockets", INDEX, choice("close", "read", "write", "both"))
async def end_socket(place: Place, index: int, how: str) -> None:
    chosen = pick(ends(place), index)
    if how == "close":
        chosen.close()
    else:
        chosen.shutdown({"read": socket.SHUT_RD, "write": socket.SHUT_WR, "both": socket.SHUT_RDWR}[how])


@statement("sockets", INDEX, choice("readable", "writable", "closing"))
async def wait_descriptor(place: Place, index: int, how: str) -> None:
    chosen = pick(ends(place), index)
    if how == "readable":
        await trio.lowlevel.wait_readable(chosen)
    elif how == "writable":
        await trio.lowlevel.wait_writable(chosen)
    else:
        trio.lowlevel.notify_closing(chosen)


@statement("sockets", INDEX, choice("send", "receive", "eof", "wait", "close"))
async def stream(place: Place, index: int, how: str) -> object:
    sockets = ends(place)
    streams = place.stock.more("streams")
    if not streams:
        streams.extend(trio.SocketStream(end) for end in sockets)
    chosen = pick(streams, index)
    if how == "send":
        return await chosen.send_all(b"abc")
    if how == "receive":
        return len(await chosen.receive_some(2))
    if how == "eof":
        return await chosen.send_eof()
    if how == "wait":
        return await chosen.wait_send_all_might_not_block()
    return await chosen.aclose()
