"""Tests of the documentation: its programs run everywhere, the built site is looked at where one was built."""

from __future__ import annotations

from pathlib import Path

import pytest


@pytest.fixture(scope="session")
def site(pytestconfig: pytest.Config) -> Path:
    """The folder of the built site."""
    folder = pytestconfig.getoption("--site")
    if folder is None:
        pytest.skip("looks at the built site: python -m tools docs")
    return Path(folder)
