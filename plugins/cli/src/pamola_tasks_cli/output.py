"""How commands print: tables for people, one JSON document for machines. Facts on stdout, all else on stderr."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import unicodedata
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, TextIO

import click

from pamola_tasks_cli.charset import is_unicode


def print_json(document: Any) -> None:
    """Print one JSON document, in ASCII where the stream is not UTF-8."""
    ascii_only = not is_unicode(getattr(_kept or sys.stdout, "encoding", None))
    print_text(json.dumps(document, indent=2, ensure_ascii=ascii_only, default=str) + "\n")


_kept: TextIO | None = None  # what stdout was before everything else that is printed was sent to stderr


def print_text(text: str) -> None:
    """Print a text as it is, to where the document goes."""
    click.echo(text, file=_kept, nl=False)


@contextlib.contextmanager
def stdout_for_the_document() -> Iterator[None]:
    """Keep stdout for `print_json` and `print_text`; what plugins and child processes print goes to stderr."""
    global _kept
    if _kept is not None:
        yield
        return
    before = sys.stdout
    try:
        before.flush()
        through_descriptor = before.fileno() == 1
    except (AttributeError, OSError, ValueError):  # a stream in memory, or none
        through_descriptor = False
    with contextlib.ExitStack() as undo:
        undo.callback(_keep, None)
        if not through_descriptor:
            _kept = before
            undo.enter_context(contextlib.redirect_stdout(sys.stderr))
        else:
            _kept = undo.enter_context(open(os.dup(1), "w", encoding=before.encoding, errors=before.errors))
            undo.callback(os.dup2, _kept.fileno(), 1)
            undo.callback(before.flush)  # what was printed and not flushed belongs to stderr too
            os.dup2(2, 1)
        yield


def _keep(stream: TextIO | None) -> None:
    global _kept
    _kept = stream


_STYLED = re.compile(r"((?:\x1b\[\d{1,3}m)+)(.*)(\x1b\[0m)", re.DOTALL)


def visible(text: str) -> str:
    """The text with characters that are not printed (control, bidi) as escapes; its own line ends and style stay.

    Names come from data and files: on a terminal they could delete lines, or turn the direction of reading.
    """
    styled = _STYLED.fullmatch(text)
    if styled is not None:
        return f"{styled[1]}{visible(styled[2])}{styled[3]}"
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() or c == "\n" else c.encode("unicode_escape").decode("ascii") for c in text)


def heading(text: str) -> None:
    """Print a heading."""
    click.secho(visible(text), bold=True)


def note(text: str) -> None:
    """Print a remark that is not a fact, on stderr."""
    click.secho(visible(text), dim=True, err=True)


def warn(text: str) -> None:
    """Print a warning, on stderr."""
    click.secho(f"warning: {visible(text)}", fg="yellow", err=True)


def facts(rows: Sequence[tuple[str, str]], indent: int = 2) -> None:
    """Print names and values, one a line, values under each other."""
    width = max((len(name) for name, _ in rows), default=0)
    for name, value in rows:
        first, *more = visible(str(value)).split("\n")
        click.echo(f"{' ' * indent}{name.ljust(width)}  {first}".rstrip())
        for line in more:
            click.echo(f"{' ' * (indent + width + 2)}{line}")


def listed(name: str, values: Iterable[str]) -> list[tuple[str, str]]:
    """Rows for `facts`: values under one name, shown before the first."""
    return [("" if index else name, value) for index, value in enumerate(values)]


_LITTLE = 16  # columns that the last one gets in any case


def print_table(rows: Sequence[Sequence[str]], headers: Sequence[str], *, narrow: str = "") -> None:
    """Print a table; the last column is cut where the terminal ends, and `narrow` too where little is left of it."""
    from shutil import get_terminal_size

    texts = [[visible(str(cell)).replace("\n", "\\n") for cell in row] for row in rows]
    widths = [max([_width(header), *(_width(row[i]) for row in texts)]) for i, header in enumerate(headers)]
    room = get_terminal_size((100, 24)).columns - sum(widths[:-1]) - 2 * (len(widths) - 1)
    if narrow and room < _LITTLE:
        place = headers.index(narrow)
        kept = max(widths[place] - (_LITTLE - room), _width(narrow))
        room += widths[place] - kept
        widths[place] = kept
    widths[-1] = max(min(widths[-1], room), _width(headers[-1]), min(widths[-1], _LITTLE))
    click.secho("  ".join(_padded(h, w) for h, w in zip(headers, widths, strict=True)).rstrip(), bold=True)
    for row in texts:
        cells = [_padded(_cut(cell, width), width) for cell, width in zip(row, widths, strict=True)]
        click.echo("  ".join(cells).rstrip())


def _width(text: str) -> int:
    """Columns that a text takes on a terminal."""
    return sum(0 if unicodedata.combining(c) else 2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def _padded(text: str, width: int) -> str:
    return text + " " * (width - _width(text))


def _cut(text: str, width: int) -> str:
    if _width(text) <= width:
        return text
    while text and _width(text) > width - 1:
        text = text[:-1]
    return text + "…"


def duration(seconds: float) -> str:
    """A duration for people: `0.3 s`, `2 min 5 s`, `1 h 3 min`."""
    if seconds < 59.95:
        return f"{seconds:.1f} s"
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes} min {rest} s" if minutes < 60 else f"{minutes // 60} h {minutes % 60} min"


def size(count: int | None) -> str:
    """A number of bytes for people: `812 B`, `1.4 MB`."""
    if count is None or count < 1000:
        return "" if count is None else f"{count} B"
    value, power = count / 1000, 0
    while value >= 1000 and power < 2:
        value, power = value / 1000, power + 1
    return f"{value:.1f} {('kB', 'MB', 'GB')[power]}"


def program(folder: Path | None = None) -> str:
    """What is typed to call this program again, in this folder or another: its name where the shell finds it, else the
    path that it was called by."""
    import shlex
    import shutil

    called, name = Path(sys.argv[0]), "pamola-task"
    found = shutil.which(name)
    if called.stem != name or not called.exists() or (found is not None and called.samefile(found)):
        return name
    return shlex.quote(str(called if folder is None else called.absolute()))


def from_here(path: Path) -> str:
    """A path as it is typed from the current folder: relative where it is below, else absolute."""
    here = Path.cwd()
    return str(path.relative_to(here) if path.is_relative_to(here) else path)
