"""What programs can do, a module per topic; importing this fills the table."""

from . import channels, flow, look, primitives, scopes, tasks, time, waiting

__all__ = ["channels", "flow", "look", "primitives", "scopes", "tasks", "time", "waiting"]
