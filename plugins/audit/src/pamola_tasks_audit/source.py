"""What a run released: its report and its tables as the history recorded them, and what can be counted in a table."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import EncryptionError, PamolaTaskError, PluginError
from pamola_tasks.protocols import ReleaseTable
from pamola_tasks_audit.public_facts import table_of
from pamola_tasks_audit.verify_release import Claim, csv_rows, recount

if TYPE_CHECKING:
    from typing import IO

    from pamola_tasks.protocols import KernelView, RunServices


class ReleaseRefused(PamolaTaskError, code="release_refused", exit_code=5):
    """A bundle is not made: questions are open, a claim is not met, or a file is not as the run left it."""


@attrs.frozen(kw_only=True)
class Source:
    """The run that a bundle is made of: its report, as the history recorded it, and the tables that it released."""

    run: RunServices
    report: Mapping[str, Any]
    outputs: Sequence[Mapping[str, Any]]  #: entries of the report, each with `sha256` as the history has it
    decrypts: bool  #: whether what is encrypted is handed over in clear

    @property
    def open_questions(self) -> list[str]:
        """The open questions of the verdict."""
        return [str(text) for text in self.report["verdict"].get("open_questions") or ()]


def report_of(run: RunServices, run_id: str, record: Mapping[str, Any]) -> Mapping[str, Any]:
    """The run's report as the history recorded it; of a run that encrypted the whole one, where the key is available.

    Raises:
        ReleaseRefused: There is none, or it has no verdict.
    """
    place = run.places.of(run.record.task_id)
    known = {str(entry.get("path")): entry.get("sha256") for entry in record.get("report_files") or ()}
    for ending, role in (("whole", "artifact"), ("json", "report")):
        path = place.report(run_id, ending)
        if path not in known or run.files.recognise(path).sha256 != known[path]:
            continue
        try:
            report = json.loads(run.files.read(path, role))  # type: ignore[arg-type]
        except EncryptionError:
            continue
        if isinstance(report, dict) and report.get("run", {}).get("id") == run_id:
            if not isinstance(report.get("verdict"), dict):
                raise ReleaseRefused(f"the report of run {run_id} has no verdict: run the task again")
            return report
    raise ReleaseRefused(f"run {run_id} has no report that the history recorded: run the task again")


def outputs_of(run: RunServices, report: Mapping[str, Any], record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The tables of a run that may be released, as its report has them, with the hashes of the history."""
    folder = f"{run.places.of(run.record.task_id).directories['output']}/"
    hashes = {str(entry.get("path")): entry.get("sha256") for entry in record.get("output_files") or ()}
    return [
        {**entry, "sha256": hashes[path], "path": _where(run, path, hashes[path])}
        for entry in report["outputs"]
        if (path := str(entry.get("path"))).startswith(folder) and path in hashes
    ]


def release_tables(source: Source) -> list[ReleaseTable]:
    """The tables of a bundle, as checks of releases see them."""
    steps = {name: step for step in source.report["operations"] for name in step.get("writes") or ()}
    found = []
    for entry in source.outputs:
        name, data = str(entry["name"]), source.run.data_source
        data.add_file_path(name, str(source.run.files.root / entry["path"]), format=entry["format"])
        step = steps.get(name, {})
        found.append(
            ReleaseTable(
                name=name,
                operation=str(step.get("name", "")),
                settings=step.get("settings") or {},
                metrics=step.get("metrics") or {},
                columns=tuple(map(str, entry.get("columns") or data.columns(name))),
                frame=partial(data.frame, name),
            )
        )
    return found


def _where(run: RunServices, path: str, sha256: Any) -> str:
    """Where a published table is: in its place or, since a newer one took that, where it is kept."""
    ask: Any = getattr(run.places, "kept", lambda path: [])
    there = (name for name in (path, *ask(path)) if run.files.exists(name))
    return next((name for name in there if run.files.recognise(name).sha256 == sha256), path)


def dialect_of(report: Mapping[str, Any]) -> dict[str, str]:
    """How the run wrote CSV files."""
    found = {"delimiter": ",", "quotechar": '"', "encoding": "utf-8"}
    for key in found:
        found[key] = report.get("configuration", {}).get(f"default_{key}", {}).get("value") or found[key]
    return found


def counted(kernel: KernelView, file: IO[bytes], table: Mapping[str, Any]) -> list[Claim]:
    """What is claimed of a table beside what is counted in it.

    Args:
        kernel: Knows the formats of datasets.
        file: The table, in clear.
        table: Its entry in the manifest.
    """
    rows = csv_rows(file, table) if table["format"] == "csv" else _rows(kernel, file, table)
    return recount(rows, table)


def _rows(kernel: KernelView, file: IO[bytes], table: Mapping[str, Any]) -> Iterator[Sequence[str]]:
    formats = kernel.dataset_formats()
    if table["format"] not in formats:
        raise PluginError(f"no installed plugin reads tables of the format {table['format']!r}")
    frame = formats[table["format"]].read(file, None, {})
    yield [str(column) for column in frame.columns]
    cells = [
        ["" if missing else str(cell) for cell, missing in zip(frame[column], frame[column].isna(), strict=True)]
        for column in frame.columns
    ]
    yield from zip(*cells, strict=True)


def claims_of(run: RunServices, run_id: str, record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """What a run claims of its tables beside what is counted in them."""
    report, found = report_of(run, run_id, record), []
    for output in outputs_of(run, report, record):
        table = {**table_of(report, output, {}), "format": output["format"], **dialect_of(report)}
        try:
            with run.files.open(output["path"], "data") as file:
                claims = counted(run.kernel, file, table)
        except (PamolaTaskError, OSError) as problem:
            claims = [Claim("k", None, None, None, str(problem))]
        found += [{"table": table["name"], **claim._asdict()} for claim in claims]
    return found
