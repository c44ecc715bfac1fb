"""Ten thousand cycles of each kind of object die.

The makers are those of the tests of cycles, which make some; here they make many.
"""

from __future__ import annotations

import gc
import warnings
import weakref
from typing import Callable

from tests.core.test_cycles import MAKERS
from tests.sync.test_cycles import HOLDERS

from .book import Book, collect, run


class Canary:
    """Dies with the cycle that it is part of."""

    holder: object


def held(make_holder: Callable[[], Callable[[object], object]]) -> Callable[[object], None]:
    """A maker out of something that can hold a value."""

    def make(canary: object) -> None:
        assert isinstance(canary, Canary)
        canary.holder = make_holder()(canary)

    return make


def survivors(make: Callable[[object], None], count: int) -> int:
    """Make cycles; how many are alive after a collection?"""
    canaries = []
    gc.disable()
    try:
        for _ in range(count):
            canary = Canary()
            make(canary)
            canaries.append(weakref.ref(canary))
            del canary
    finally:
        gc.enable()
    collect()
    return sum(canary() is not None for canary in canaries)


def study(book: Book) -> None:
    """All kinds."""
    warnings.simplefilter("ignore")
    makers = {make.__name__: make for make in MAKERS}
    makers.update({f"held by {name}": held(make_holder) for name, make_holder in HOLDERS.items()})
    count = book.amount(300, 10_000)
    for name, make in makers.items():
        collect()
        alive = survivors(make, count)
        book.check(name.replace("_", " "), alive == 0, f"{alive} of {count} are alive", cases=count)


if __name__ == "__main__":
    run(study)
