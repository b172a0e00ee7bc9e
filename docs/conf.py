"""Sphinx: `sphinx-build -W --keep-going -b html docs build/docs`."""

from importlib.metadata import version as version_of

project = "tocsin"
author = "The tocsin developers"
copyright = author
version = release = version_of("tocsin")

extensions = ["myst_parser", "sphinx.ext.autodoc"]
nitpicky = True  # a reference that leads nowhere is a warning, and so an error
myst_heading_anchors = 3

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # the docstrings say it in words; the stubs say it to type checkers
autodoc_preserve_defaults = True

html_theme = "furo"
html_title = f"tocsin {version}"
html_copy_source = False
html_show_sphinx = False
