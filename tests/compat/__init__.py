"""Upstream's own test suite, run against the ``trio`` that is installed.

``python -m tests.compat --python PYTHON`` is the compatibility gate: this
project claims to be a drop-in for one upstream release, and the release's own
tests are the judge.  The steps, one module each:

* ``fetch``: the genuine wheel, from the package registry, by hash;
* ``overlay``: a copy of the installed package with the wheel's tests put in
  (``backport`` spells those tests for Python 3.9 where necessary);
* ``exclusions``: what is left out, and why, one reason per entry;
* ``runner``: pytest processes which report each step through a pipe
  (``plugin`` is the other end of that pipe);
* ``tally``: results by test id, booked against the list of ids that the
  genuine wheel collects under the same interpreter.

Invariant: every id on that list ends up in exactly one column of the last
line.  A test that was not collected, not run, or that took the interpreter
down with it is an error there, never an absence.
"""
