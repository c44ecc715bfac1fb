"""What the runtime survives, found out from outside.

A *study* is a module here with a function ``study(book)``: it does something hard to the installed package, checks
that nothing broke, and writes checks and figures into its `book.Book`.  Each study has a process of its own, so that
a crash is a result like any other.  Studies need nothing of the package but what users have, so most of them can run on
genuine Trio as well; those that compare the two do.

    python -m tools reliability           the quick set: every study, small numbers
    python -m tools reliability --long    the long set; writes docs/reliability.md

* ``book``: what a study writes down, and the frame in which it runs;
* ``__main__``: runs the studies one after the other and sums up; ``report`` makes the page;
* ``outside``, ``outside.c``: a library that makes system calls fail and sends signals at exact instants;
* the studies: see ``catalogue``.
"""
