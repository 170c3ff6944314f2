"""Sphinx: `sphinx-build -W docs docs/_build`. The generated parts are made by `generate.py`, which tests compare."""

from __future__ import annotations

import tomllib
from pathlib import Path

project = "pamola-tasks"
author = "The pamola-tasks authors"
project_copyright = author
_kernel = tomllib.loads((Path(__file__).parents[1] / "pyproject.toml").read_text(encoding="utf-8"))
release = version = _kernel["project"]["version"]

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
