"""The test suites of packages that are written for Trio, run against ours.

Such a package does not know which ``trio`` it imports. Its own tests are therefore the judge of whether a program
notices: they have to give the same counts as with genuine Trio, which `suites` keeps for each suite and Python.

``python -m tests.downstream --python PYTHON --trio WHEEL`` does, for each suite:

* a fresh virtual environment, in which the wheel is installed first and then what the suite needs, pinned in
  ``pins.txt``, without dependencies: pip has no reason to bring another trio (`environment`);
* the tests, which are not part of this project: `sources` gets the package's source archive from the registry, by hash;
* pytest, in a folder with nothing but these tests, with the few that say nothing left out, each for a reason
  (`suites`), on a machine whose ``localhost`` has an IPv6 name (`hosts`);
* a line with its counts (`results`).

``--against PACKAGE``, such as ``trio==0.35.0``, runs everything a second time with that, and names the tests whose
outcome differs. This is how the counts are found in the first place.

A second tier, `compare`, runs the tests of `packages` on both sides and looks for differences only.
"""
