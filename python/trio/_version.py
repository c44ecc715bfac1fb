"""The version, alone in a module so that build tools can read it without importing the package.

The part before the plus sign is the Trio release whose behaviour this package reproduces; the local part (PEP 440) counts
the releases of this implementation.  Everything else takes it from here: nothing may assign it.
"""

__version__ = "0.35.0+rust.1"
