"""`pamola-task status --watch`: what runs, from the live files of tasks, until it has ended."""

from __future__ import annotations

import contextlib
import json
import signal
import sys
import time
from datetime import UTC, datetime
from shutil import get_terminal_size
from typing import TYPE_CHECKING, Any

import attrs
import click

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks_cli.charset import is_unicode
from pamola_tasks_cli.output import print_text, visible

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pamola_tasks.protocols import Files, RunServices

_LOOK = 0.5  # seconds between two looks at live files
_ASK = 2.0  # seconds between two looks at locks and history
_BAR = 20  # columns
_FACTS = ("stage", "done", "total", "unit", "eta", "stage_eta")  # of a step, as the live file has them


@attrs.define
class _Live:
    """The live file of a task, read as it grows."""

    path: str
    run: str = ""
    steps: dict[str, dict[str, Any]] = attrs.Factory(dict)  # those at work: what the file said last of each
    run_eta: str | None = None
    ended: bool = False
    _first: bytes = b""
    _read: int = 0

    def look(self, files: Files) -> None:
        """Take in what is new; a file that was made anew is read from its beginning."""
        with contextlib.suppress(OSError, PamolaTaskError), files.open_raw(self.path) as file:
            first = file.readline()
            if first != self._first:
                self._first, self._read, self.run, self.steps, self.run_eta, self.ended = first, 0, "", {}, None, False
            file.seek(self._read)
            for line in file:
                if not line.endswith(b"\n"):
                    break  # the rest of it comes
                self._read += len(line)
                with contextlib.suppress(ValueError):
                    self._take(json.loads(line))

    def _take(self, event: Mapping[str, Any]) -> None:
        kind, step = event.get("event"), str(event.get("step", ""))
        self.run, self.run_eta = str(event.get("run", "")), event.get("run_eta", self.run_eta)
        if kind in ("step_started", "step_retried"):
            self.steps[step] = {"step": step, "since": event.get("at"), **dict.fromkeys(_FACTS)}
        if kind == "step_stage" and step in self.steps:
            self.steps[step].update(dict.fromkeys(_FACTS))
        self.ended = kind == "run_finished"
        if kind == "step_finished":
            self.steps.pop(step, None)
        elif step in self.steps:
            self.steps[step].update({key: event[key] for key in _FACTS if key in event})


def follow(
    run: RunServices, found: list[dict[str, Any]], rows: Callable[[], list[dict[str, Any]]], *, as_json: bool
) -> list[dict[str, Any]]:
    """Show what runs until nothing does, or Ctrl-C; the status of each task then.

    Args:
        run: Knows where live files are.
        found: The status of tasks, as `status` shows it.
        rows: Gives it again.
        as_json: Print a JSON line for each change of a task, the last one too.
    """
    followed: dict[str, _Live] = {}
    shown = _Shown(as_json=as_json)
    asked = time.monotonic()
    stopped: list[int] = []  # by Ctrl-C, which must not come in the middle of a drawing
    before = signal.signal(signal.SIGINT, lambda number, _: stopped.append(number))
    try:
        while True:
            for row in found:
                if row["state"] == "running":
                    live = followed.setdefault(row["task"], _Live(run.places.of(row["task"]).live))
                    live.look(run.files)
                    at_work = list(live.steps.values()) if live.run == row["run"] else []
                    row.update(running=at_work, run_eta=live.run_eta if live.run == row["run"] else None)
            shown.show(found)
            if not any(row["state"] == "running" for row in found):
                return found
            time.sleep(_LOOK)
            if stopped:
                return found
            if time.monotonic() - asked > _ASK or any(live.ended for live in followed.values()):
                found, asked = rows(), time.monotonic()
    finally:
        signal.signal(signal.SIGINT, before)
        shown.clear()


class _Shown:
    """What was printed last: on a terminal in its place, else a line for each change."""

    def __init__(self, *, as_json: bool) -> None:
        self._as_json = as_json
        self._drawn = 0  # lines
        self._said: dict[str, str] = {}
        self._terminal = not as_json and sys.stdout.isatty()

    def show(self, rows: list[dict[str, Any]]) -> None:
        running = [row for row in rows if row["state"] == "running"]
        if self._as_json:
            for row in rows:
                self._say(row["task"], json.dumps(row, default=str))
        elif self._terminal:
            self.clear()
            lines = [line for row in running for line in _lines(row, get_terminal_size((80, 24)).columns)]
            click.echo("".join(f"{line}\n" for line in lines), nl=False)
            self._drawn = len(lines)
        else:
            for row in running:
                steps = ", ".join(" ".join(filter(None, (s["step"], s["stage"]))) for s in row["running"])
                self._say(row["task"], visible(f"{row['task']} running: {steps or 'between steps'}"))

    def clear(self) -> None:
        """Take what is drawn off the screen."""
        if self._drawn:
            click.echo(f"\x1b[{self._drawn}A\x1b[J", nl=False)
            self._drawn = 0

    def _say(self, task: str, text: str) -> None:
        if self._said.get(task) != text:
            self._said[task] = text
            print_text(f"{text}\n")


def _lines(row: Mapping[str, Any], columns: int) -> list[str]:
    """A task that runs, and its steps, as the run itself shows them on a terminal."""
    lines = [_line(f"{row['task']}, process {row['pid']}", row["since"], row["run_eta"], None, "ETA", columns)]
    for step in row["running"]:
        label = ": ".join(filter(None, (f"  {step['step']}", step["stage"])))
        share = step["done"] / step["total"] if step["total"] else None
        ends, word = (step["eta"], "ETA") if step["eta"] or not step["stage_eta"] else (step["stage_eta"], "stage")
        lines.append(_line(label, step["since"], ends, share, word, columns))
    return lines


def _line(label: str, since: Any, ends: Any, share: float | None, word: str, columns: int) -> str:
    """Label, bar, share, clock, and when the end is expected."""
    elapsed, left = -_seconds_to(since), None if not ends else max(_seconds_to(ends), 0.0)
    if left is not None and word == "ETA":
        share = elapsed / max(elapsed + left, 1e-9)
    filled = round(_BAR * min(share or 0.0, 1.0))
    bar = ("█" if is_unicode(sys.stdout.encoding) else "#") * filled + " " * (_BAR - filled)
    percent = "-- %" if share is None else f"{min(int(100 * share), 99)} %"
    facts = f"|{bar}| {percent:>5} {_clock(elapsed):>7} {word} {'--:--' if left is None else _clock(left)}"
    room = max(columns - 1 - len(facts) - 1, 8)
    label = visible(label)
    cut = label if len(label) <= room else f"{label[: room // 3]}…{label[len(label) - (room - room // 3 - 1) :]}"
    return f"{cut:<{min(room, 36)}} {facts}"[: columns - 1]


def _seconds_to(moment: Any) -> float:
    try:
        return (datetime.fromisoformat(str(moment)) - datetime.now(UTC)).total_seconds()
    except ValueError:
        return 0.0


def _clock(seconds: float) -> str:
    minutes, rest = divmod(max(round(seconds), 0), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
