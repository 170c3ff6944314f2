"""How a run ended: what `Kernel.run` returns, with the datasets that the run left."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import EXIT_OK, exit_code_of

if TYPE_CHECKING:
    from pathlib import Path

    from pamola_tasks.lifecycle import RunSession
    from pamola_tasks.record import DatasetRecord, OperationResult, RunRecord


class OutcomeDatasets(Mapping[str, Any]):
    """The datasets that a run left, read when they are asked for: `outcome.datasets["safe"]`."""

    def __init__(self, session: RunSession) -> None:
        self._session = session
        record, checkpoints = session.run.record, vars(session.run).get("checkpoints")
        keeps = checkpoints is not None and checkpoints.enabled  # else what only later steps read is gone
        kept = [dataset for dataset in record.intermediates if keeps or not dataset.path]
        self._records: dict[str, DatasetRecord] = {dataset.name: dataset for dataset in (*kept, *record.outputs)}

    def __getitem__(self, name: str) -> Any:
        found, session = self._records[name], self._session
        if not found.path:
            return session.run.data_source.frame(name)
        run = session.kernel.services(session.task, upto="data_writer")
        role = "data" if found.kind == "output" else "state"
        run.data_source.add_file_path(name, str(run.files.root / found.path), format=found.format, role=role)
        return run.data_source.frame(name)

    def __iter__(self) -> Iterator[str]:
        return iter(self._records)

    def __len__(self) -> int:
        return len(self._records)


@attrs.frozen(kw_only=True)
class Outcome:
    """How a run ended."""

    task_id: str
    run_id: str
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
