"""Signatures of classes whose objects are only handed out: there is none that users could call."""

from __future__ import annotations

from typing import Any, Optional

from sphinx.application import Sphinx

NO_CONSTRUCTOR = ("(*_args", "(*args, **kwargs)")


def hide_constructor(
    app: Sphinx, kind: str, name: str, thing: Any, options: Any, signature: Optional[str], returns: Optional[str]
) -> Optional[tuple[str, Optional[str]]]:
    """Leave the arguments out where a class takes none of its users'."""
    if kind == "class" and signature is not None and signature.startswith(NO_CONSTRUCTOR):
        return "", returns
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register it."""
    app.connect("autodoc-process-signature", hide_constructor)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
