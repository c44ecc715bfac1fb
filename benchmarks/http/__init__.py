"""HTTP under load: hypercorn serves a small ASGI application, wrk asks for it.

``python -m benchmarks.http --ours PYTHON --genuine PYTHON`` (``python -m tools
bench-http`` makes the environments) starts one hypercorn per side: its trio worker
on ours and on genuine Trio, and its asyncio and uvloop workers.  All of them run
throughout; in every round each has its turn under ``wrk``, for a few seconds,
so a slow moment of the machine hits all sides alike.  Figures are medians of the
rounds, memory is read at the end.

What a request costs here is for the most part hypercorn and h11, in Python, and the
same on every side; what is left is the event loop's.  ``benchmarks.sampling`` tells
which is which.

``python -m benchmarks.http.program`` (``python -m tools profile-example``) does likewise with a
whole program, ``examples/http_server.py``, and notes its memory as connections come and go.

* ``application``: the ASGI application;
* ``serving``: a server process, its readiness, its memory;
* ``load``: wrk and what it reports;
* ``report``: text and JSON;
* ``versions``: what the environments have;
* ``program``: the profile of the example.
"""
