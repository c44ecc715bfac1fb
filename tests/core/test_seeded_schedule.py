"""The schedule that test frameworks ask for: seeded, and the same as upstream's."""

from __future__ import annotations

import warnings

import pytest

import trio
import trio._core._run as scheduler
import trio.testing


# What genuine Trio 0.35.0 gives.
@pytest.mark.parametrize(
    ("seed", "order"),
    [(0, "dabcedcbea"), (1, "eabdcdebca"), (2, "aebdccedab"), (3, "ebdcaeacdb"), (4, "caebddbace")],
)
def test_order_of_a_seed(seed: int, order: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scheduler, "_ALLOW_DETERMINISTIC_SCHEDULING", True)
    scheduler._r.seed(seed)
    assert trio.run(order_of_steps, clock=trio.testing.MockClock()) == order


async def order_of_steps() -> str:
    """The letters of five tasks in the order in which they run, twice."""
    steps: list[str] = []

    async def child(name: str) -> None:
        steps.append(name)
        await trio.lowlevel.checkpoint()
        steps.append(name)

    async with trio.open_nursery() as nursery:
        for name in "abcde":
            nursery.start_soon(child, name)
    return "".join(steps)


def test_warnings_of_loose_groups_name_the_caller() -> None:
    async def main() -> None:
        trio.open_nursery(strict_exception_groups=False)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        trio.run(main, strict_exception_groups=False)
    assert [str(warning.message).split("=")[0] for warning in caught] == [
        "trio.run(..., strict_exception_groups",
        "open_nursery(strict_exception_groups",
    ]
    assert {warning.filename for warning in caught} == {__file__}
