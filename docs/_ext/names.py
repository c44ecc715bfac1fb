"""The role of single backticks in docstrings: a link if there is something to link to.

Docstrings name functions and classes of Trio and of the standard library, but
also arguments and attributes, which have no place of their own.  What cannot be
found is set as code, without a warning; the explicit roles stay strict.
"""

from __future__ import annotations

import sys
from typing import Any, Optional

from docutils import nodes
from sphinx.addnodes import pending_xref
from sphinx.application import Sphinx
from sphinx.domains.python import PyXRefRole

AFTER_INTERSPHINX = 900


class NameRole(PyXRefRole):
    """Looks everywhere for the name, and does not insist."""

    def process_link(self, env: Any, refnode: Any, has_explicit_title: bool, title: str, target: str) -> tuple[str, str]:
        title, target = super().process_link(env, refnode, has_explicit_title, title, target)
        refnode["refdomain"] = "py"
        refnode["reftype"] = "obj"
        refnode["may-be-missing"] = True
        first, dot, _ = target.partition(".")
        if not dot:
            refnode["refspecific"] = True
        elif first in sys.stdlib_module_names:
            # `socket.socket` is the standard library's, also in the texts of `trio` and `trio.socket`.
            refnode["py:module"] = refnode["py:class"] = None
        return title, target.removesuffix("()")


def set_as_code(app: Sphinx, env: Any, node: pending_xref, content: nodes.Element) -> Optional[nodes.Element]:
    """What nobody has found is plain code."""
    return content if node.get("may-be-missing") else None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register the role and the last resort."""
    app.add_role("name", NameRole())
    app.connect("missing-reference", set_as_code, priority=AFTER_INTERSPHINX)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
