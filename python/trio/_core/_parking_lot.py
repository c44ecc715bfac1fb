"""Parking lots: queues of sleeping tasks, and the tasks whose end breaks them.

The lots are native, and so are the lists of what each task breaks. This module adds the mapping in which all these lists can
be seen.
"""

from __future__ import annotations

from collections.abc import Mapping

from .._native import (
    ParkingLot as ParkingLot,
    add_parking_lot_breaker as add_parking_lot_breaker,
    parking_lot_breakers,
    remove_parking_lot_breaker as remove_parking_lot_breaker,
)
from .._record import Record

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from .._native import Task

    Breakers = Mapping[Task, list[ParkingLot]]
else:
    Breakers = Mapping


def _init(self: ParkingLot) -> None:
    """Make a lot where nobody sleeps."""


# A native constructor does not say in which module its class is documented; one written in Python does.
ParkingLot.__init__ = _init  # type: ignore[assignment,method-assign]


class ParkingLotStatistics(Record):
    """The state of a `ParkingLot` or a `trio.Semaphore`.

    Attributes:
      tasks_waiting: how many tasks sleep there.
    """

    __module__ = "trio.lowlevel"
    tasks_waiting: int


class _BreakersView(Breakers):
    """For every task that breaks parking lots when it ends, the list of these lots.

    Covers all runs of the process, and the locks that tasks hold. Nothing is stored here: each look collects from the tasks.
    """

    __slots__ = ()

    def __getitem__(self, task: Task) -> list[ParkingLot]:
        return parking_lot_breakers()[task]

    def __iter__(self) -> Iterator[Task]:
        return iter(parking_lot_breakers())

    def __len__(self) -> int:
        return len(parking_lot_breakers())

    def __repr__(self) -> str:
        return repr(parking_lot_breakers())


GLOBAL_PARKING_LOT_BREAKER = _BreakersView()
