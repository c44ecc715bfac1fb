"""Parity with genuine Trio by random programs.

A *program* is data: a tree of statements that JSON can hold (``program.py``).
One interpreter (``machine.py``, and a module per topic below ``statements``)
runs a program on whatever ``trio`` it can import and writes a *trace*: every
step of every task in order, with values, errors and the time.  Two workers
(``worker.py``), one with this project's wheel and one with genuine Trio, run
the same programs under the seeded scheduler; their traces have to be equal.

``generate.py`` has Hypothesis draw programs, and shrink those that differ.
``python -m tools parity`` starts it; ``regressions`` keeps shrunk programs with
the trace that genuine Trio gave, which the ordinary tests replay without it.
"""
