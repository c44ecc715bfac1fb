"""Memory channels and their clones."""

from __future__ import annotations

from typing import Any

from ..machine import Place, pick
from ..program import INDEX, VALUE, choice, statement

FIRST = choice(0, 1, 2, 3, 4, 5)
END = choice("senders", "receivers")


def end(place: Place, which: str, index: int) -> Any:
    """One end of a channel."""
    ends: list[Any] = getattr(place.stock, which)
    return pick(ends, index)


@statement("channels", FIRST, VALUE)
async def send(place: Place, index: int, value: int) -> None:
    await end(place, "senders", index).send(value)


@statement("channels", FIRST, VALUE)
async def send_nowait(place: Place, index: int, value: int) -> None:
    end(place, "senders", index).send_nowait(value)


@statement("channels", FIRST)
async def receive(place: Place, index: int) -> object:
    result: object = await end(place, "receivers", index).receive()
    return result


@statement("channels", FIRST)
async def receive_nowait(place: Place, index: int) -> object:
    result: object = end(place, "receivers", index).receive_nowait()
    return result


@statement("channels", FIRST, choice(1, 2, 5))
async def receive_all(place: Place, index: int, most: int) -> str:
    async for value in end(place, "receivers", index):
        place.log("received", value)
        most -= 1
        if not most:
            return "enough"
    return "at the end"


@statement("channels", END, FIRST)
async def clone(place: Place, which: str, index: int) -> None:
    getattr(place.stock, which).append(end(place, which, index).clone())


@statement("channels", END, FIRST, choice("close", "aclose", "with", "async with"))
async def close_channel(place: Place, which: str, index: int, how: str) -> None:
    chosen = end(place, which, index)
    if how == "close":
        chosen.close()
    elif how == "aclose":
        await chosen.aclose()
    elif how == "with":
        with chosen:
            pass
    else:
        async with chosen:
            pass


@statement("channels", END, FIRST)
async def look_at_channel(place: Place, which: str, index: int) -> str:
    return repr(end(place, which, index).statistics())


@statement("channels", INDEX)
async def send_number(place: Place, index: int) -> None:
    await end(place, "senders", index).send(place.label)
