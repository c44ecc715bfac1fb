"""Checkpoints and sleeps."""

from __future__ import annotations

import trio
import trio.testing

from ..machine import Place
from ..program import SECONDS, choice, statement


@statement("time", SECONDS)
async def sleep(place: Place, seconds: float) -> float:
    await trio.sleep(float(seconds))
    return trio.current_time()


@statement("time")
async def checkpoint(place: Place) -> None:
    await trio.lowlevel.checkpoint()


@statement("time")
async def checkpoint_if_cancelled(place: Place) -> None:
    await trio.lowlevel.checkpoint_if_cancelled()


@statement("time")
async def cancel_shielded_checkpoint(place: Place) -> None:
    await trio.lowlevel.cancel_shielded_checkpoint()


@statement("time", SECONDS)
async def sleep_until(place: Place, seconds: float) -> float:
    await trio.sleep_until(seconds)
    return trio.current_time()


@statement("time")
async def sleep_forever(place: Place) -> None:
    await trio.sleep_forever()


@statement("time", choice(-1, "nan", "inf"))
async def sleep_oddly(place: Place, seconds: str) -> None:
    await trio.sleep(float(seconds))


@statement("quiet", choice(0.0, 0.001))
async def wait_all_tasks_blocked(place: Place, cushion: float) -> None:
    await trio.testing.wait_all_tasks_blocked(cushion)
