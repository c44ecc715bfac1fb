"""Wheels that install anywhere: build them, prove them, show what a user sees first.

* ``targets`` has the names of what a wheel can be for;
* ``build`` fills ``dist/``, with ``standard_library`` for targets whose Rust library
  the toolchain lacks;
* ``audit`` says what is wrong with a wheel, ``extension`` looks into its binary;
* ``matrix`` installs each wheel in a fresh environment, next to genuine Trio, and
  ``table`` writes the figures into docs/packaging.md;
* ``musl`` has CPythons that are linked with musl, ``newer`` those that are not yet
  in the release, ``debian`` the packages both come from;
* ``commands`` puts these together.
"""
