"""What a report is made of for people: sections of facts, tables, charts and text, without any markup yet."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import attrs

if TYPE_CHECKING:
    from pamola_tasks_reports.charts.form import Chart


@attrs.frozen
class Badge:
    """A word that has a colour: `tone` is `good`, `odd`, `bad` or `quiet`."""

    text: str
    tone: str


@attrs.frozen
class Code:
    """A path, hash or name, in fixed width; `full` is what `text` stands for where it was cut."""

    text: str
    full: str = ""


@attrs.frozen
class Share:
    """A number with its share (0 to 1) of a whole."""

    text: str
    share: float


Cell = str | Badge | Code | Share


@attrs.frozen
class Facts:
    """Names and values."""

    pairs: Sequence[tuple[str, Cell]]


@attrs.frozen
class Table:
    """Rows under headers; columns whose numbers are in `right` are aligned to the right."""

    headers: Sequence[str]
    rows: Sequence[Sequence[Cell]]
    right: frozenset[int] = frozenset()
    caption: str = ""


@attrs.frozen
class Bullets:
    """Short texts."""

    items: Sequence[str]
    tone: str = "quiet"


@attrs.frozen
class Text:
    """Paragraphs and lists in simple Markdown."""

    markdown: str


@attrs.frozen
class Paragraph:
    """A sentence or two, without markup."""

    text: str


@attrs.frozen
class Verbatim:
    """Lines as they are: a traceback."""

    text: str


@attrs.frozen
class Callout:
    """What must be seen first: why the run failed."""

    title: str
    text: str
    tone: str = "bad"


@attrs.frozen
class Charts:
    """Charts that stand together."""

    charts: Sequence[Chart]


Block = Facts | Table | Bullets | Paragraph | Text | Verbatim | Callout | Charts


@attrs.frozen
class Section:
    """A part of the report. `minor` parts are for those who look things up."""

    title: str
    blocks: Sequence[Block]
    level: int = 2
    minor: bool = False


@attrs.frozen
class Document:
    """A whole report.

    Attributes:
        figures: The few numbers that matter, for the top.
    """

    title: str
    subtitle: str
    status: Badge
    sentence: str
    figures: Sequence[tuple[str, str]]
    sections: Sequence[Section]
    footer: str
