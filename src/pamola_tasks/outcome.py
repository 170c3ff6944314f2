"""How a run ended: what `Kernel.run` returns, with the datasets that the run left."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.display import first_page, shortened, table
from pamola_tasks.errors import EXIT_OK, OperationError, exit_code_of

if TYPE_CHECKING:
    from pathlib import Path

    from pamola_tasks.lifecycle import RunSession
    from pamola_tasks.record import DatasetRecord, OperationResult, RunRecord


class OutcomeDatasets(Mapping[str, Any]):
    """The datasets that a run left, read when they are asked for: `outcome.datasets["safe"]`.

    In another process it has those that are files of the project.
    """

    def __init__(self, session: RunSession) -> None:
        self._session: RunSession | None = session
        self._of = session.kernel.project.root, session.run.record.task_id
        record, checkpoints = session.run.record, vars(session.run).get("checkpoints")
        keeps = checkpoints is not None and checkpoints.enabled  # else what only later steps read is gone
        kept = [dataset for dataset in record.intermediates if keeps or not dataset.path]
        self._records: dict[str, DatasetRecord] = {dataset.name: dataset for dataset in (*kept, *record.outputs)}

    def __getitem__(self, name: str) -> Any:
        found, session = self._records[name], self._session
        if session is not None and not found.path:
            return session.run.data_source.frame(name)
        run = self.kernel.services(session.task, upto="data_writer") if session is not None else self._inspect()
        role = "data" if found.kind == "output" else "state"
        run.data_source.add_file_path(name, str(run.files.root / found.path), format=found.format, role=role)
        return run.data_source.frame(name)

    @property
    def kernel(self) -> Any:
        """The kernel of the run; in another process, one of its project."""
        if self._session is not None:
            return self._session.kernel
        package: Any = sys.modules["pamola_tasks"]  # the front door, which is above this module
        return package.Kernel(self._of[0])

    def _inspect(self) -> Any:
        return self.kernel.inspect(self._of[1], upto="data_writer")

    def __getstate__(self) -> dict[str, Any]:
        files = {name: record for name, record in self._records.items() if record.path}
        return {"_session": None, "_of": self._of, "_records": files}

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


_STEP = ("step", "operation", "status", "seconds", "reason", "made_by", "metrics")
_OUTPUT = ("name", "path", "rows", "sha256", "bytes", "encrypted")


@attrs.frozen(kw_only=True, repr=False)
class Outcome:
    """How a run ended. It can be pickled: an error that another process may not know is an `OperationError` there."""

    task_id: str  #: the task's id
    run_id: str  #: the run's id
    project_root: Path  #: where the project is; paths in `record` are relative to it
    status: str  #: `success`, or what went wrong, as `BaseTask.status`
    results: Mapping[str, OperationResult]  #: by step id
    report: Path | None  #: the JSON report; None where none was written
    error: BaseException | None  #: the exception that made the run fail, or None
    datasets: Mapping[str, Any]  #: what the run left, by name, read when asked for
    record: RunRecord  #: everything else there is to know
    internal: str = ""  #: the folder of what the run made that must not be released, like the paths in `record`

    @property
    def success(self) -> bool:
        """Whether everything went well."""
        return self.status == "success"

    @property
    def exit_code(self) -> int:
        """What the command line ends with."""
        return EXIT_OK if self.success else exit_code_of(self.error)

    def to_dict(self) -> dict[str, Any]:
        """JSON values, redacted: what `pamola-task run --json` prints."""
        record = self.record
        return {
            "task": self.task_id,
            "run": self.run_id,
            "status": self.status,
            "success": self.success,
            "verdict": {key: said for key, said in record.verdict.items() if key != "datasets"},
            "seconds": round(record.seconds, 3),
            "seed": record.seed,
            "resumed_from": record.resumed_from,
            "steps": [
                {name: getattr(step, name) for name in _STEP} | {"seconds": round(step.seconds, 6)}
                for step in record.steps
            ],
            "outputs": [{name: getattr(output, name) for name in _OUTPUT} for output in record.outputs],
            "warnings": record.warnings,
            "error": record.error,
            "report": str(self.report) if self.report else None,
        }

    def __repr__(self) -> str:
        record = self.record
        said = [f"<Outcome of task {self.task_id}: {self.status}, {len(record.steps)} steps in {record.seconds:.1f} s>"]
        if record.error:
            said.append(f"error: {shortened(record.error['message'])}")
        return "\n".join(said + [f"warning: {shortened(text)}" for text in record.warnings[:10]])

    def _repr_html_(self) -> str:
        import json

        if self.report is not None and isinstance(self.datasets, OutcomeDatasets):
            with contextlib.suppress(OSError, ValueError):  # it has been moved, or is encrypted
                if page := first_page(self.datasets.kernel, json.loads(self.report.read_bytes())):
                    return page
        steps = [(step.step, step.operation, step.status, f"{step.seconds:.3f} s") for step in self.record.steps]
        return table(("step", "operation", "status", "time"), steps)

    def __reduce__(self) -> tuple[Any, ...]:
        values = {field.name: getattr(self, field.name) for field in attrs.fields(Outcome)}
        values["error"] = _portable(self.error, (self.record.error or {}).get("message"))
        values["results"] = {
            step: attrs.evolve(
                result,
                metrics=dict(self.record.metrics.get(step, {})),
                exception=_portable(result.exception, result.error_message),
            )
            for step, result in self.results.items()
        }
        return _restored, (values,)


def _restored(values: dict[str, Any]) -> Outcome:
    return Outcome(**values)


def _portable(error: BaseException | None, message: str | None) -> BaseException | None:
    """An error that any process with the same distributions can read."""
    import pickle

    home = type(error).__module__.partition(".")[0]
    if error is None or home == "builtins" or home.startswith(("pamola_tasks", "pamola_ops")):
        with contextlib.suppress(Exception):
            pickle.dumps(error)
            return error
    return OperationError(message or type(error).__name__)
