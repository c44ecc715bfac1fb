"""Async generators that are finished, closed or left lying about.

Not those behind `trio.as_safe_channel`: the order in which its task and its user take turns is not promised, and differs.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator

from ..machine import Place
from ..program import BLOCK, FLAG, Block, choice, statement

MOST = choice(1, 0, 2, 9)


async def produce(place: Place, block: Block, cleanup: Block) -> AsyncGenerator[int, None]:
    """Two values, some statements before each of them, and some at the end."""
    try:
        for number in range(2):
            await place.block(block)
            yield number
    finally:
        place.log("generator ends")
        await place.block(cleanup)


@statement("generators", BLOCK, BLOCK, MOST, FLAG)
async def iterate(place: Place, block: Block, cleanup: Block, most: int, close: bool) -> None:
    generator = produce(place, block, cleanup)
    async for value in generator:
        place.log("produced", value)
        most -= 1
        if most < 0:
            break
    if close:
        await generator.aclose()
