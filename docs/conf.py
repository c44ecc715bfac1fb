"""How Sphinx builds the site; ``python -m tools docs`` is the command.

Prose is Markdown, the reference is reStructuredText because docstrings are.
Small extensions of our own are in ``_ext``: ``names`` resolves what docstrings
put between single backticks, ``signatures`` leaves out those that nobody can use,
``figures`` draws charts from what was measured.

The build needs no network: the names of the standard library and of a few
packages that the pages refer to are in ``external``, and inventories are made
from there.
"""

from __future__ import annotations

import sys
from importlib.metadata import version as version_of
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE / "_ext"))

from inventory import mapping_from  # noqa: E402  (found through the line above)

project = "Trio on Rust"
author = "the project's contributors"
copyright = author
release = version_of("trio")
version = release.partition("+")[0]

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.intersphinx",
    "sphinx.ext.napoleon",
    "myst_parser",
    "sphinx_copybutton",
    "figures",
    "names",
    "signatures",
]

nitpicky = True
default_role = "name"
nitpick_ignore = [
    # Private names in the annotations of fields; the texts beside them say what they are.
    ("py:class", "Count"),
    ("py:class", "EpollStatistics"),
]
exclude_patterns = ["requirements.txt", "external", "figures", "_ext"]
source_suffix = {".rst": "restructuredtext", ".md": "markdown"}

myst_enable_extensions = ["attrs_inline", "colon_fence", "deflist"]
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"
add_module_names = True
toc_object_entries_show_parents = "hide"

intersphinx_mapping = mapping_from(HERE / "external", HERE.parent / ".cache" / "docs" / "external")

html_theme = "furo"
html_title = f"Trio on Rust {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_copy_source = False
html_show_sourcelink = False
copybutton_exclude = ".linenos, .gp, .go"
