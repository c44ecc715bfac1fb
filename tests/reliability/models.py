"""The pure data structures against models, with more sequences than the unit tests try.

Runs ``cargo test --test models`` (see ``kernel_models/main.rs``), which the checks of the sources run, too, with few sequences.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

from .book import Book, run

PROJECT = Path(__file__).resolve().parents[2]


def study(book: Book) -> None:
    """Have proptest make up sequences."""
    if shutil.which("cargo") is None:
        book.skip("there is no Rust toolchain")
        return
    cases = book.amount(200, 5_000)
    search = [sysconfig.get_config_var("LIBDIR"), os.environ.get("LD_LIBRARY_PATH")]
    env = {
        **os.environ,
        "PROPTEST_CASES": str(cases),
        "PROPTEST_RNG_SEED": str(book.seed),
        "PYO3_PYTHON": os.path.realpath(sys.executable),
        "LD_LIBRARY_PATH": os.pathsep.join(filter(None, search)),
    }
    command = ["cargo", "test", "--locked", "--no-default-features", "--test", "models"]
    done = subprocess.run(command, cwd=PROJECT, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    found = re.findall(r"^test (\S+) \.\.\. (ok|FAILED)$", done.stdout, re.MULTILINE)
    for name, result in found:
        title = name.rpartition("::")[2].replace("_", " ")
        book.check(title, result == "ok", done.stdout[-2000:], cases=cases)
    book.check("all models were tried", done.returncode == 0 and len(found) >= 7, done.stdout[-2000:])


if __name__ == "__main__":
    run(study)
