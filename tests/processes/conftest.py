"""What the tests of processes share."""

from __future__ import annotations

import gc
import os
from collections.abc import Callable

import pytest


@pytest.fixture
def descriptors() -> Callable[[], list[str]]:
    """Lists the open descriptors; what earlier tests left for the garbage collector is gone before the first look."""
    gc.collect()
    return lambda: os.listdir("/proc/self/fd")
