"""The texts of the files that `init` and `new` write, from `templates/`."""

from __future__ import annotations

from pathlib import Path
from string import Template
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pamola_tasks.protocols import Places

_TEMPLATES = Path(__file__).with_name("templates")


def example_in(places: Places) -> str:
    """Where the example table goes."""
    return f"{places.folders['raw']}/example.csv"


def text_of(template: str, /, **values: str) -> str:
    """The text of a template, with `${key}` replaced by the value of each key."""
    text = (_TEMPLATES / f"{template}.txt").read_text(encoding="utf-8")
    return Template(text).substitute(values) if values else text
