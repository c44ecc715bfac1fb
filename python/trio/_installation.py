"""Why ``import trio`` fails, and what to do about it.

Imported by `trio` itself, when its native part cannot be loaded or when it finds parts of another Trio in the process.
Invariant: looks only at names and files, so that it works whatever is broken.
"""

from __future__ import annotations

import os
import sys
import sysconfig

HERE = os.path.dirname(os.path.abspath(__file__))
REINSTALL = f"'{sys.executable} -m pip install --force-reinstall' with the wheel of this Trio that fits brings it back"


def explain_missing(error: ImportError) -> str:
    """What is wrong if the extension module cannot be imported."""
    python = "CPython {}.{}".format(*sys.version_info[:2])
    if sys.implementation.name != "cpython":
        return f"this Trio needs CPython, not {sys.implementation.name}; the original Trio works there"
    if not sys.platform.startswith("linux"):
        return f"this Trio runs on Linux only, not on {sys.platform}; the original Trio works there"
    if sysconfig.get_config_var("Py_GIL_DISABLED"):
        return "this Trio does not support free-threaded builds of CPython; use an ordinary one, or the original Trio"
    built = sorted(name for name in os.listdir(HERE) if name.startswith("_native.") and name.endswith(".so"))
    if not built:
        return (
            f"the native part of this Trio is not in {HERE}: either this is its source tree, which has to be built "
            f"('python -m tools setup'), or files of the installed package are missing; {REINSTALL}"
        )
    if not any(name.endswith(sysconfig.get_config_var("EXT_SUFFIX") or "") for name in built):
        return f"this Trio was installed for another Python ({', '.join(built)}), this is {python}; {REINSTALL}"
    return f"the native part of this Trio cannot be loaded by {python} here ({error}); {REINSTALL}"


MIXED = (
    "another Trio has been imported by this process before this one was installed in its place, and the two cannot be mixed; "
    "start Python anew"
)
