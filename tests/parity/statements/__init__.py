"""What programs can do, a module per topic; importing this fills the table."""

from . import channels, flow, generators, look, outside, primitives, scopes, sockets, tasks, threads, time, waiting

ALL = (channels, flow, generators, look, outside, primitives, scopes, sockets, tasks, threads, time, waiting)
