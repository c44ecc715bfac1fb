"""The task runner: what a person types and what CI runs are the same commands.

``python -m tools COMMAND`` needs a Python 3.9 or later, a Rust toolchain, and
access to the package registries; nothing has to be installed first.  It keeps
everything it makes below ``.cache`` and ``target``:

* ``pythons`` finds the interpreters of this machine;
* ``environments`` makes virtual environments and builds wheels, once for each
  state of the sources;
* ``unwinder`` has what wheels for glibc are linked to;
* ``steps`` runs commands and counts what they report;
* ``downstream`` runs other packages' tests;
* ``site`` builds the documentation and tests it;
* ``__main__`` puts these together: ``setup``, ``test``, ``compat``, ``bench``,
  ``docs``, ``lint``, ``ci``, and those of ``wheels``.
"""

from pathlib import Path

PROJECT = Path(__file__).resolve().parents[1]
CACHE = PROJECT / ".cache"
