"""What the pages of a report are put together from; `html` and `markdown` write each piece in their own markup."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from pamola_tasks_reports.charts.form import Chart


class Pieces(Protocol):
    """Pieces of a page in one markup.

    A cell is text as it is, which is escaped, or what `badge`, `code` and `share` make of it.
    """

    def badge(self, text: str, tone: str) -> str:
        """A word that has a colour: `tone` is `good`, `odd`, `bad` or `quiet`."""

    def code(self, text: str, full: str = "") -> str:
        """A path, hash or name, in fixed width; `full` is what `text` means where it was cut."""

    def share(self, text: str, share: float) -> str:
        """A number with its share (0 to 1) of a whole."""

    def facts(self, pairs: Iterable[tuple[str, str]]) -> str:
        """Names and values."""

    def table(
        self, headers: Sequence[str], rows: Sequence[Sequence[str]], right: Iterable[int] = (), caption: str = ""
    ) -> str:
        """Rows under headers; the columns in `right` are aligned to the right."""

    def bullets(self, items: Iterable[str], tone: str = "quiet") -> str:
        """Short texts."""

    def paragraph(self, text: str) -> str:
        """A sentence or two, without markup."""

    def prose(self, markdown: str) -> str:
        """Paragraphs, lists and tables in Markdown."""

    def callout(self, title: str, text: str) -> str:
        """What must be seen first: why the run failed."""

    def verbatim(self, text: str) -> str:
        """Lines as they are: a traceback."""

    def charts(self, charts: Sequence[Chart]) -> str:
        """Charts that belong together."""

    def section(self, title: str, pieces: Iterable[str], level: int = 2, minor: bool = False) -> str:
        """A part of the report. `minor` parts are for looking things up."""
