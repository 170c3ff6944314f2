"""The texts of the files that `init` and `new` write; they lie in `templates/`."""

from __future__ import annotations

from pathlib import Path
from string import Template

EXAMPLE = "DATA/raw/example.csv"  # in a project
_TEMPLATES = Path(__file__).with_name("templates")


def text_of(template: str, /, **values: str) -> str:
    """The text of a template, with `${key}` replaced by the value of each key."""
    text = (_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(values) if values else text
