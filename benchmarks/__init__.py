"""Benchmarks: the same small jobs on ours, genuine Trio, asyncio and uvloop.

``python -m benchmarks --ours PYTHON --genuine PYTHON`` compares two environments
of one CPython (``python -m tools bench`` makes them and calls this).  Each job
under ``cases`` is written once for Trio and once for asyncio; ours and genuine
Trio run the same lines, asyncio and uvloop run the same lines.

How it is measured: every side is a worker process of its own, and a round asks
each of them in turn for one short run, so that a slow moment of the machine
hits all sides alike.  The figure of a side is the median of its rounds, a ratio
is the quotient of two medians.  Compare figures of one report with each other;
a single figure says more about the machine than about the program.

* ``case``: what a case is, and the list of all;
* ``worker``: the process that runs cases on one side;
* ``rounds``: starts workers, finds a good length for each case, takes turns;
* ``report``: text, JSON, and the table in README.md.
"""
