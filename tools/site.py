"""The documentation site: build it strictly, then test what was built.

``python -m tools docs`` makes an environment from ``docs/requirements.txt`` with
the project's wheel in it, has Sphinx build the site below ``.cache`` (a warning
or a reference to nowhere is a failure), and runs those tests under ``tests/docs``
that look at the result.
"""

from __future__ import annotations

import shutil

from . import CACHE, environments
from .pythons import Python
from .steps import Count, Report

SITE = CACHE / "docs" / "html"
DOCTREES = CACHE / "docs" / "doctrees"
OLDEST = (3, 12)  # that Sphinx supports


def build(report: Report, python: Python, profile: str) -> None:
    """Build the site on an interpreter, and check it."""
    if tuple(map(int, python.version.split("."))) < OLDEST:
        report.add("documentation: needs a newer Python", Count(skipped=1))
        return

    def prepare() -> str:
        inner = environments.environment(python, "docs", "docs/requirements.txt")
        environments.install(inner, environments.wheel(python, profile))
        return inner

    inner = report.attempt("documentation: environment", prepare)
    if inner is None:
        return
    for folder in (SITE, DOCTREES):
        shutil.rmtree(folder, ignore_errors=True)
    command = [inner, "-m", "sphinx", "-b", "html", "-W", "-n", "--keep-going", "-d", str(DOCTREES), "docs", str(SITE)]
    report.step("documentation: build", command)
    report.pytest("documentation: tests", inner, [f"--site={SITE}", "tests/docs/test_site.py"])
