"""Sphinx: `sphinx-build -W docs docs/_build`. The generated parts are made by `generate.py`, which tests compare."""

from __future__ import annotations

project = "pamola-tasks"
author = "The pamola-tasks authors"
project_copyright = author
release = version = "0.1.0"

extensions = ["myst_parser"]
source_suffix = {".md": "markdown"}
exclude_patterns = ["_build"]
myst_enable_extensions = ["deflist", "colon_fence"]
myst_heading_anchors = 3
nitpicky = True

html_theme = "furo"
html_title = "pamola-tasks"
html_theme_options = {"navigation_with_keys": True}
highlight_language = "none"
pygments_style = "friendly"
pygments_dark_style = "monokai"
