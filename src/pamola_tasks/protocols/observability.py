"""Observability of a run: log, history, progress, report, findings of `doctor`; and what may be shown in them."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    import logging
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pamola_tasks.record import DatasetRecord
    from pamola_tasks.secret import Secret


class Redactor(Protocol):
    """Hides secrets. Called on every text that a run writes, from its first log line, and from several threads.

    It must never raise: a text that cannot be redacted is withheld whole.
    """

    def __call__(self, text: str) -> str:
        """The text with everything secret replaced."""

    def value(self, value: Any, key: str = "") -> Any:
        """A copy of a nested value that is safe to write as JSON: of dicts, lists, texts, numbers and None only.

        `key` is the one that the value is found under, if any.
        """

    def hides(self, key: str) -> bool:
        """Whether the value of a key of this name is hidden."""

    def register(self, secret: Secret | str) -> None:
        """Hide this secret from now on."""

    def learn(self, value: Any, key: str = "") -> None:
        """Register what is secret in a nested value: each `Secret`, passwords in URLs, texts under secret names."""

    def add_pattern(self, pattern: str | re.Pattern[str]) -> None:
        """Hide whatever this regular expression matches; `re.error` where it is none."""

    def add_predicate(self, is_secret_key: Callable[[str], bool]) -> None:
        """Hide the values of keys for which this function returns true."""

    def disclosure(self, run: Any = None, datasets: Iterable[DatasetRecord] = ()) -> Disclosure:
        """What may be said of errors, at this moment.

        Args:
            run: The run (`RunServices`) that they happen in: names of its columns, datasets and steps may be repeated,
                and everything where its options say `show_data`. None outside of runs.
            datasets: Datasets that are known beside those in the run's record.
        """


class Disclosure(Protocol):
    """Says of an error what holds no value out of the data."""

    def message(self, error: BaseException) -> str:
        """The message of an error, on one or more lines; its class where nothing else may be said."""

    def trace(self, error: BaseException) -> str:
        """The traceback of an error and of those that caused it; messages as above."""

    def remember(self, error: BaseException) -> None:
        """Keep with an error what may be said of it, for another process, where its traceback is not known."""


class Logging(Protocol):
    """Where log lines go."""

    @property
    def handlers(self) -> Sequence[logging.Handler]:
        """The handlers, formatters set. Records carry `run_id`, `task_id` and `step_id`; messages are redacted."""

    def close(self) -> None:
        """Flush and close all of them."""


class History(Protocol):
    """The execution history (`ExecutionLog`).

    The record of a run is a dict with `task_id`, `task_run_id`, `timestamp` (RFC 3339), `success` and `status`
    (`running` until it has ended); of a run that has ended also `execution_time` in seconds, `error` (with `message`)
    or None, and `input_files` and `output_files`, each a list of dicts with `path`, `sha256` and `bytes`. `status`,
    `list`, `verify` and other tasks read them.

    A history may have a method `records()`, the records of all runs, newest first: `pamola-task history` lists them.
    """

    def run_started(self, run: Any) -> None:
        """Append `run_started`."""

    def step_finished(self, run: Any, step: str, status: str, seconds: float) -> None:
        """Append `step_finished`."""

    def run_finished(self, run: Any) -> None:
        """Append `run_finished` or `run_failed`, from `run.record`, and refresh the file for other tools."""

    def find_latest_execution(self, task_id: str, success_only: bool = True) -> dict[str, Any] | None:
        """The newest record of a task, or None."""


class Progress(Protocol):
    """Shows progress (`TaskProgressManager`)."""

    def set_total_operations(self, total: int) -> None:
        """How many steps the plan has."""

    def start_operation(
        self, name: str, total: int = 0, description: str | None = None, unit: str = "items", leave: bool = False
    ) -> Any:
        """A step begins; `total` 0 means unknown."""

    def update_operation(self, name: str, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None:
        """A step made this much progress."""

    def set_operation_total(self, name: str, total: float, unit: str = "items") -> None:
        """A step found out how much there is to do."""

    def complete_operation(self, name: str, success: bool = True, metrics: Mapping[str, Any] | None = None) -> None:
        """A step ended."""

    def close(self) -> None:
        """Leave the terminal as it was."""


@contextlib.contextmanager
def shown(progress: Progress | None, name: str) -> Iterator[None]:
    """Show what the block does under this name; nothing is shown without `progress`."""
    if progress is None:
        yield
        return
    progress.start_operation(name)
    try:
        yield
    except BaseException:
        progress.complete_operation(name, success=False)
        raise
    progress.complete_operation(name)


class Reporter(Protocol):
    """Collects and writes the report (`TaskReporter`). Facts of the run come from `run.record`."""

    def add_operation(self, name: str, status: str = "success", details: Mapping[str, Any] | None = None) -> None:
        """A task's own entry beside those of the steps."""

    def add_artifact(
        self,
        artifact_type: str,
        path: str | Path,
        description: str = "",
        category: str = "output",
        tags: Sequence[str] | None = None,
        group_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None:
        """A file that the task itself made."""

    def add_metric(self, name: str, value: Any) -> None:
        """A number of the whole task."""

    def add_task_summary(
        self,
        success: bool,
        execution_time: float | None = None,
        metrics: Mapping[str, Any] | None = None,
        error_info: Mapping[str, Any] | None = None,
        encryption: Mapping[str, Any] | None = None,
    ) -> None:
        """How the task ended."""

    def generate_report(self) -> dict[str, Any]:
        """The report so far."""

    def save_report(self) -> Path:
        """Write all formats and the manifest, where `run.places` says; the path of the JSON report.

        There is one report for each run, and a copy of the newest: `place.report(run.id)` and `place.report()`.
        """


@attrs.frozen(kw_only=True)
class ReportSection:
    """A section of the report that a plugin adds.

    Attributes:
        title: For people.
        key: For machines: the section is `sections.<key>` of the JSON report. Two plugins with one key are an error,
            and so is the name of a part of every report, such as `inputs`.
        facts: JSON values: numbers and names, tables (rows of like facts), and charts under `charts`.
        text: Markdown (CommonMark with tables): rendered whole in HTML, as written in the Markdown report. HTML in it
            is shown as text, and links lead to the web and to mail only.
    """

    title: str
    key: str
    facts: Mapping[str, Any] = attrs.Factory(dict)
    text: str = ""


class ReportWriter(Protocol):
    """Writes a report in one format."""

    def __call__(self, report: Mapping[str, Any]) -> bytes:
        """The report's bytes, from the JSON report."""


class Diagnosing(Protocol):
    """What a service offers as well when it keeps something on the disk: `pamola-task doctor --data` asks for it."""

    def diagnose(self) -> Iterable[Diagnosis]:
        """What is damaged, missing or swapped; nothing where all is well. No subject has to be named."""


@attrs.frozen
class Diagnosis:
    """One finding of `pamola-task doctor`: level `ok`, `note`, `warning` or `error`."""

    level: str
    subject: str
    finding: str
    advice: str = ""
