"""Sphinx makes the site of these pages: ``sphinx-build -W docs docs/_build``."""

import sys
from pathlib import Path

HERE = Path(__file__).parent
sys.path[:0] = [str(HERE), str(HERE.parent)]

import pages  # noqa: E402
from docutils import nodes  # noqa: E402
from docutils.utils.math.latex2mathml import tex2mathml  # noqa: E402

import fastnn  # noqa: E402

project = "fastnn"
author = "the authors of fastnn"
version = release = fastnn.__version__

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.napoleon",
    "sphinx.ext.viewcode",
]
exclude_patterns = ["_build", "bench"]
source_suffix = {".md": "markdown"}

# As a code host reads them: links to headings, and pages that are also read there.
myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence", "attrs_inline"]
myst_fence_as_directive = ["math"]

# Docstrings: numpydoc, names in single backticks.
default_role = "py:obj"
napoleon_google_docstring = False
napoleon_use_param = napoleon_use_rtype = False  # types are words, not names of classes
napoleon_custom_sections = [("Attributes", "params_style"), ("Targets", "notes_style")]
autodoc_typehints = "none"  # the docstrings have them
autodoc_preserve_defaults = True
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True, "show-inheritance": True}

html_theme = "furo"
html_title = f"fastnn {version}"
html_static_path = ["theme"]
html_extra_path = ["bench"] if (HERE / "bench").exists() else []
html_favicon = "theme/favicon.svg"
html_css_files = ["fastnn.css"]
html_copy_source = False
html_show_sphinx = False
html_show_copyright = False
html_math_renderer = "mathml"  # what browsers draw by themselves


def formula(translator, node):
    """Write a formula as MathML."""
    translator.body.append(tex2mathml(node.astext(), isinstance(node, nodes.math_block)))
    raise nodes.SkipNode


def setup(app):
    """What the pages get from the library's tables, and links to its sources."""
    app.add_html_math_renderer("mathml", (formula, None), (formula, None))
    app.connect("source-read", pages.fill)
    app.connect("autodoc-process-docstring", pages.docstring, priority=600)
    app.add_transform(pages.SourceLinks)
    app.connect("html-collect-pages", pages.sources)
