"""What the signatures of native functions and classes cannot say by themselves.

Native async functions are marked as ``async``, as they are to callers; which ones these are says
the list in ARCHITECTURE.md, of which a test knows that it is complete.  Classes whose
objects are only handed out have no signature.
"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Optional

from sphinx import addnodes
from sphinx.application import Sphinx

ARCHITECTURE = Path(__file__).resolve().parents[2] / "ARCHITECTURE.md"
LIST = re.compile(r"<!-- native async callables: begin -->(.*)<!-- native async callables: end -->", re.DOTALL)
NO_CONSTRUCTOR = ("(*_args", "(*args, **kwargs)")


def native_async_callables() -> set[str]:
    """The names in the list."""
    found = LIST.search(ARCHITECTURE.read_text(encoding="utf-8"))
    assert found is not None
    return set(re.findall(r"trio\.[\w.]+", found[1]))


NATIVE = native_async_callables()


def mark_async(app: Sphinx, domain: str, kind: str, content: addnodes.desc_content) -> None:
    """Put ``async`` before the name of a native async function or method."""
    if domain != "py" or kind not in ("function", "method"):
        return
    for signature in content.parent.findall(addnodes.desc_signature):
        if signature.parent is content.parent and f"{signature.get('module')}.{signature.get('fullname')}" in NATIVE:
            keyword = addnodes.desc_sig_keyword("", "async")
            signature.insert(0, addnodes.desc_annotation("", "", keyword, addnodes.desc_sig_space()))


def hide_constructor(
    app: Sphinx, kind: str, name: str, thing: Any, options: Any, signature: Optional[str], returns: Optional[str]
) -> Optional[tuple[str, Optional[str]]]:
    """Leave the arguments out where a class takes none of its users'."""
    if kind == "class" and signature is not None and signature.startswith(NO_CONSTRUCTOR):
        return "", returns
    return None


def setup(app: Sphinx) -> dict[str, bool]:
    """Register both."""
    app.connect("object-description-transform", mark_async)
    app.connect("autodoc-process-signature", hide_constructor)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
