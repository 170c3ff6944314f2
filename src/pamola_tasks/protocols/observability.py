"""Observability of a run: log, history, progress, report, findings of `doctor`; and what may be shown in them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    import logging
    import re
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from pamola_tasks.record import DatasetRecord
    from pamola_tasks.secret import Secret


class Redactor(Protocol):
    """Hides secrets: those that are registered, and what patterns match or predicates on key names say.

    Called on every text that a run writes, from its first log line, and from several threads. It must never raise: a
    text that cannot be redacted is withheld whole.
    """

    def __call__(self, text: str) -> str: ...  #: the text without secrets
    def hides(self, key: str) -> bool: ...  #: whether what has this key is a secret
    def register(self, secret: Secret | str) -> None: ...  #: hide a text from now on
    def add_pattern(self, pattern: str | re.Pattern[str]) -> None: ...  #: hide what it matches
    def add_predicate(self, is_secret_key: Callable[[str], bool]) -> None: ...  #: hide what has such a key

    def value(self, value: Any, key: str = "") -> Any:
        """A copy of a nested value that is safe to write as JSON: of dicts, lists, texts, numbers and None only."""

    def learn(self, value: Any, key: str = "") -> None:
        """Register what is secret in a nested value: each `Secret`, passwords in URLs, texts under secret names."""

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
    """Where log lines go: handlers with formatters; `close` flushes and closes them.

    Records carry `run_id`, `task_id` and `step_id`; messages are redacted.
    """

    @property
    def handlers(self) -> Sequence[logging.Handler]: ...
    def close(self) -> None: ...


class History(Protocol):
    """The execution history (`ExecutionLog`): the kernel reports the run's start, each step that ended, and its end.

    The record of a run is a dict with `task_id`, `task_run_id`, `timestamp` (RFC 3339), `success` and `status`
    (`running` until it has ended); of a run that has ended also `execution_time` in seconds, `error` (with `message`)
    or None, and `input_files` and `output_files`, each a list of dicts with `path`, `sha256` and `bytes`. `status`,
    `list`, `verify` and other tasks read them.

    It may have `records()`, of all runs, newest first; and `notes(key, proven=…)`, given by `note(run, key, facts)`.
    """

    def run_started(self, run: Any) -> None: ...  #: record that it runs, before its first step
    def step_finished(self, run: Any, step: str, status: str, seconds: float) -> None: ...  #: record how a step ended
    def run_finished(self, run: Any) -> None: ...  #: record how it ended

    def find_latest_execution(self, task_id: str, success_only: bool = True) -> dict[str, Any] | None:
        """The newest record of a task, or None."""


class Progress(Protocol):
    """Shows progress (`TaskProgressManager`): of the plan by the number of steps, of a step by its id.

    `total` 0 means unknown, until `set_operation_total`; `steps` is how far a step came since it was updated last.
    `close` leaves the terminal as it was.
    """

    def set_total_operations(self, total: int) -> None: ...  #: how many steps the plan has
    def start_operation(
        self, name: str, total: int = 0, description: str | None = None, unit: str = "items", leave: bool = False
    ) -> Any: ...  #: a step begins; `name` is its id
    #: a step came further
    def update_operation(self, name: str, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None: ...
    def set_operation_total(self, name: str, total: float, unit: str = "items") -> None: ...
    #: a step has ended
    def complete_operation(self, name: str, success: bool = True, metrics: Mapping[str, Any] | None = None) -> None: ...
    def close(self) -> None: ...


class Reporter(Protocol):
    """Collects and writes the report (`TaskReporter`). Facts of the run come from `run.record`.

    A task adds operations of its own beside its steps, files that it made itself, and metrics of the whole task.
    """

    #: what a task did beside its steps
    def add_operation(self, name: str, status: str = "success", details: Mapping[str, Any] | None = None) -> None: ...
    def add_artifact(
        self,
        artifact_type: str,
        path: str | Path,
        description: str = "",
        category: str = "output",
        tags: Sequence[str] | None = None,
        group_name: str | None = None,
        metadata: Mapping[str, Any] | None = None,
    ) -> None: ...  #: a file that a task made itself, by its path relative to the project or absolute
    def add_metric(self, name: str, value: Any) -> None: ...  #: a metric of the whole task

    def add_task_summary(
        self,
        success: bool,
        execution_time: float | None = None,
        metrics: Mapping[str, Any] | None = None,
        error_info: Mapping[str, Any] | None = None,
        encryption: Mapping[str, Any] | None = None,
    ) -> None:
        """How the task ended, with its execution time in seconds."""

    def generate_report(self) -> dict[str, Any]:
        """The report so far."""

    def save_report(self) -> Path:
        """Write all formats and the manifest, where `run.places` says; the path of the JSON report.

        There is one report for each run, and a copy of the newest: `place.report(run.id)` and `place.report()`.
        """


@attrs.frozen(kw_only=True)
class ReportSection:
    """A section of the report that a plugin adds."""

    title: str  #: for people
    #: for machines: the section is `sections.<key>` of the JSON report. A key that two plugins have is an error, as is
    #: the name of a part of every report, such as `inputs`
    key: str
    #: JSON values: numbers and names, tables (rows of like facts), charts under `charts`, terms under `glossary`
    facts: Mapping[str, Any] = attrs.Factory(dict)
    #: Markdown (CommonMark with tables): rendered whole in HTML, as written in the Markdown report. HTML in it is shown
    #: as text, and links lead to the web and to mail only
    text: str = ""


class ReportWriter(Protocol):
    """Writes a report in one format: the bytes, from the JSON report."""

    def __call__(self, report: Mapping[str, Any]) -> bytes: ...


@attrs.frozen
class Diagnosis:
    """One finding of `pamola-task doctor`, of a plugin or of the method `diagnose()` of a service."""

    level: str  #: `ok`, `note`, `warning` or `error`
    subject: str  #: what was looked at; services may leave it empty
    finding: str  #: what is found, in words
    advice: str = ""  #: what to do
