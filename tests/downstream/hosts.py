"""An IPv6 name for ``localhost``, which many tests of servers rely on and some machines do not have.

Where it is missing, a command can be run in a mount namespace of its own, in which ``/etc/hosts`` has one more line.
Nothing outside of it notices. This takes root's rights.
"""

from __future__ import annotations

import os
import shutil
import socket
from pathlib import Path

HOSTS = Path("/etc/hosts")
SCRIPT = 'mount --bind "$0" /etc/hosts && exec "$@"'


def localhost_has_ipv6() -> bool:
    """Whether this machine knows the name."""
    try:
        return bool(socket.getaddrinfo("localhost", 80, family=socket.AF_INET6))
    except OSError:
        return False


def with_ipv6_name(command: list[str], folder: Path) -> list[str]:
    """The command, wrapped if that is needed and possible; ``folder`` takes the list of hosts."""
    if localhost_has_ipv6() or not socket.has_ipv6 or os.geteuid() != 0 or shutil.which("unshare") is None:
        return command
    hosts = folder / "hosts"
    hosts.write_text(HOSTS.read_text(encoding="utf-8") + "\n::1 localhost\n", encoding="utf-8")
    return ["unshare", "--mount", "sh", "-c", SCRIPT, str(hosts), *command]
