"""One topic per module: each has an ``ORDER`` in the report and a list of ``CASES``."""
