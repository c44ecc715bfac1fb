"""What is run: one entry per suite, and the counts that it has with genuine Trio 0.35.0.

The counts are of Linux. Expected failures count as skipped. A suite is run on the Pythons that it lists: the oldest
and the newest that both it and this project support, and 3.12.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

PYTEST = ("pytest", "pytest-timeout", "iniconfig", "packaging", "pluggy", "pygments")
BACKPORTS = ("exceptiongroup", "tomli", "typing-extensions")
TRIO = ("attrs", "idna", "outcome", "sniffio", "sortedcontainers")
PLUGIN = (*PYTEST, "pytest-trio")
TLS = ("cffi", "cryptography", "pycparser", "trustme")

PLAIN_SETTINGS = "[pytest]\n"
TRIO_SETTINGS = "[pytest]\ntrio_mode = true\n"


class Expected(NamedTuple):
    """How many tests end how."""

    passed: int
    failed: int = 0
    skipped: int = 0


class Suite(NamedTuple):
    """A package's tests, and what they need."""

    name: str
    requires: tuple[str, ...]
    arguments: tuple[str, ...]
    expected: Mapping[str, Expected] = MappingProxyType({})
    package: str = ""
    """Whose source archive has the tests; by default they are installed with the package."""
    sha256: str = ""
    files: tuple[str, ...] = ()
    """Those of the archive that are needed."""
    settings: str = PLAIN_SETTINGS
    left_out: Mapping[str, str] = MappingProxyType({})
    """Test ids and files, each with the reason."""
    known: Mapping[str, str] = MappingProxyType({})
    """Tests that end otherwise on ours, as results name them, each with the reason."""
    about: str = ""
    """What the package is, for tables."""
    within: tuple[str, ...] = ()
    """A command that runs the tests, and provides what they talk to."""
    limit: int = 900
    """Seconds for all tests."""

    @property
    def archive(self) -> str:
        """The name of the source archive."""
        return self.package.replace("-", "_").replace("==", "-") + ".tar.gz"

    @property
    def old_archive(self) -> str:
        """The name that older tools gave it."""
        return self.package.replace("==", "-") + ".tar.gz"


ANYIO = Suite(
    name="anyio",
    package="anyio==4.16.0",
    sha256="59bb03251907983d1603d27c3087ddb1e93299ea2163adcdba37899a4fb12ffb",
    requires=(
        *("anyio", "blockbuster", "forbiddenfruit", "hypothesis", "psutil", "pytest-mock", "truststore", "uvloop"),
        *(*PYTEST, *BACKPORTS, *TRIO, *TLS),
    ),
    files=("tests", "pyproject.toml"),
    settings="",  # its own
    arguments=("-p", "no:trio", "-p", "no:asyncio", "-k", "trio", "tests"),
    left_out={
        "tests/test_sockets.py::test_getaddrinfo[trio]": "asks a name server on the internet",
        "tests/test_pytest_plugin.py::test_keyboardinterrupt_during_test[trio]": (
            "gives a whole pytest three seconds to start, run and stop, which is too little on a busy machine"
        ),
    },
    expected={"3.10": Expected(1115, skipped=36), "3.12": Expected(1135, skipped=26), "3.13": Expected(1149, skipped=12)},
)

TRIO_WEBSOCKET = Suite(
    name="trio-websocket",
    package="trio-websocket==0.12.2",
    sha256="22c72c436f3d1e264d0910a3951934798dcc5b00ae56fc4ee079d46c7cf20fae",
    requires=("trio-websocket", "h11", "wsproto", *PLUGIN, *BACKPORTS, *TRIO, *TLS),
    files=("tests",),
    settings=TRIO_SETTINGS,
    arguments=("-p", "no:anyio", "-p", "no:asyncio", "tests"),
    expected={version: Expected(64) for version in ("3.9", "3.12", "3.13")},
)

TRIO_UTIL = Suite(
    name="trio-util",
    package="trio-util==0.8.0",
    sha256="b95030a9976a7a8ed8f61c24cafbc682ecdde76d1bca1b8b42c74df074adc16d",
    requires=("trio-util", "async-generator", *PLUGIN, *BACKPORTS, *TRIO),
    files=("tests",),
    settings=TRIO_SETTINGS,
    arguments=("-p", "no:anyio", "-p", "no:asyncio", "tests"),
    left_out={"tests/test_exceptions.py": "imports trio.MultiError, which Trio gave up in 0.25"},
    expected={version: Expected(61) for version in ("3.9", "3.12", "3.13")},
)

PYTEST_TRIO = Suite(
    name="pytest-trio",
    requires=("hypothesis", *PLUGIN, *BACKPORTS, *TRIO),
    arguments=("-p", "no:anyio", "-p", "no:asyncio", "--pyargs", "pytest_trio"),
    left_out={"test_hypothesis_interaction.py": "imports trio.tests, which Trio gave up in 0.22"},
    expected={version: Expected(52, skipped=2) for version in ("3.9", "3.12", "3.13")},
)

SUITES = (ANYIO, TRIO_WEBSOCKET, TRIO_UTIL, PYTEST_TRIO)
