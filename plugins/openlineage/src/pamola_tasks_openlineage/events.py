"""Events as OpenLineage 2-0-2 has them, made from the record of a run.

They hold names of tasks, steps, datasets and columns, hashes, counts, and what was claimed and measured. They hold no
cell, no parameter of a step, no message of an error, no user or host, and no path outside of the project.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from pathlib import PurePath
from typing import TYPE_CHECKING, Any

from openlineage.client import event_v2 as ol
from openlineage.client import facet_v2 as facets
from openlineage.client.serde import Serde

from pamola_tasks import __version__
from pamola_tasks.record import now, rfc3339
from pamola_tasks_openlineage.claims import tests_of
from pamola_tasks_openlineage.columns import ColumnEdges

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import DatasetRecord, StepRecord

PRODUCER = f"urn:pamola-tasks:openlineage:{__version__}"
_ENGINE = "pamola-tasks"


class Events:
    """Makes the events of a run.

    Args:
        run: The run.
    """

    def __init__(self, run: RunServices) -> None:
        self._run, self._task = run, run.record.task_id
        stated = run.config.plugin("openlineage").namespace
        self._namespace = stated or f"{_ENGINE}://{run.project.id}".removesuffix("://")
        self._columns = ColumnEdges(run)
        self.ids = {run.id}  #: of runs, of this one and its steps

    def run_event(self, kind: str) -> ol.RunEvent:
        """An event of the task's run; the last one has its datasets, and the tests of all steps."""
        record, ended = self._run.record, kind != "START"
        said: dict[str, Any] = {
            "processing_engine": facets.processing_engine_run.ProcessingEngineRunFacet(
                version=__version__, name=_ENGINE, openlineageAdapterVersion=__version__, producer=PRODUCER
            )
        }
        if ended:
            said |= self._tests(test for step in record.steps for test in tests_of(step))
            said |= self._tagged(resumed_from=record.resumed_from)
            said |= self._failure(kind, record.error and record.error.get("exception_type"), "the run")
        return self._event(
            kind,
            ol.Run(runId=self._run.id, facets=said),
            self._job(self._task, "TASK"),
            record.inputs if ended else (),
            [each.name for each in record.outputs] if ended else [],
            {},
        )

    def step_event(self, kind: str, step: Step, record: StepRecord | None = None) -> ol.RunEvent:
        """An event of a step's run; with what became of it, its datasets, columns and tests."""
        run_id = str(uuid.uuid5(uuid.UUID(self._run.id), step.id))
        self.ids.add(run_id)
        said: dict[str, Any] = {"parent": self._parent()}
        lineage: Mapping[str, Any] = {}
        known = self._known()
        copied = [each for each in self._run.record.inputs if each.step == step.id]
        if record is not None:
            said |= self._tagged(skipped=record.made_by)
        if record is not None and kind != "START":
            said |= self._tests(tests_of(record))
            said |= self._failure(kind, record.error and record.error["type"], f"step {step.id}")
            lineage = self._columns.of(step, known, self._identity) if kind == "COMPLETE" else {}
            lineage = {**lineage, **{each.name: self._columns.copied(each, self._place(each)) for each in copied}}
        return self._event(
            kind,
            ol.Run(runId=run_id, facets=said),
            self._job(f"{self._task}.{step.id}", "STEP"),
            [*copied, *(known[name] for name in step.reads if name in known)] if kind != "START" or record else (),
            step.writes if kind == "COMPLETE" or (record and kind == "START") else (),
            lineage,
        )

    def dataset_event(self, name: str) -> ol.DatasetEvent | None:
        """What is known of a dataset, for its own sake; None while nothing is."""
        record = self._known().get(name)
        if record is None:
            return None
        dataset = ol.StaticDataset(*self._identity(name), facets=self._of_dataset(record))
        return ol.DatasetEvent(eventTime=rfc3339(now()), producer=PRODUCER, dataset=dataset)

    def abort_event(self, run: Mapping[str, Any], job: Mapping[str, Any]) -> ol.RunEvent:
        """The end of a run whose process is gone, as its START has it."""
        ended = ol.Run(runId=str(run["runId"]), facets={})
        return self._event("ABORT", ended, ol.Job(str(job["namespace"]), str(job["name"]), facets={}), (), (), {})

    @staticmethod
    def as_dict(event: Any) -> dict[str, Any]:
        """An event as JSON values."""
        return Serde.to_dict(event)

    def _event(self, kind: str, run: Any, job: Any, reads: Any, writes: Any, lineage: Mapping[str, Any]) -> ol.RunEvent:
        known = self._known()
        return ol.RunEvent(
            eventTime=rfc3339(now()),
            producer=PRODUCER,
            eventType=ol.RunState[kind],
            run=run,
            job=job,
            inputs=[self._input(each) for each in reads],
            outputs=[self._output(known[name], lineage.get(name)) for name in writes if name in known],
        )

    def _job(self, name: str, kind: str) -> ol.Job:
        facet = facets.job_type_job.JobTypeJobFacet(
            processingType="BATCH", integration="PAMOLA-TASKS", jobType=kind, producer=PRODUCER
        )
        return ol.Job(self._namespace, name, facets={"jobType": facet})

    def _parent(self) -> Any:
        parent = facets.parent_run
        return parent.ParentRunFacet(
            run=parent.Run(runId=self._run.id),
            job=parent.Job(self._namespace, self._task),
            root=parent.Root(parent.RootRun(runId=self._run.id), parent.RootJob(self._namespace, self._task)),
            producer=PRODUCER,
        )

    def _tests(self, tests: Any) -> dict[str, Any]:
        executions = [facets.test_run.TestExecution(**test) for test in tests]
        return {"test": facets.test_run.TestRunFacet(executions, producer=PRODUCER)} if executions else {}

    def _tagged(self, **said: str | None) -> dict[str, Any]:
        tag = facets.tags_run.TagsRunFacetFields
        tags = [tag(key=key, value=value, source=_ENGINE) for key, value in said.items() if value]
        return {"tags": facets.tags_run.TagsRunFacet(tags, producer=PRODUCER)} if tags else {}

    def _failure(self, kind: str, error: Any, what: str) -> dict[str, Any]:
        """That something failed, and by which class of error; its message may quote a cell, and is in the report."""
        if kind == "COMPLETE":
            return {}
        why = f"{what} failed with {error}" if isinstance(error, str) else f"{what} did not succeed"
        text = f"{why}: the report of run {self._run.id} has the message"
        return {"errorMessage": facets.error_message_run.ErrorMessageRunFacet(text, "PYTHON", producer=PRODUCER)}

    def _known(self) -> dict[str, DatasetRecord]:
        record = self._run.record
        return {each.name: each for each in (*record.inputs, *record.intermediates, *record.outputs)}

    def _identity(self, name: str) -> tuple[str, str]:
        """Namespace and name of a dataset: its path where it lasts and is in the project, so that tasks share it."""
        record = self._known().get(name)
        return (self._namespace, f"{self._task}:{name}") if record is None else self._place(record)

    def _place(self, record: DatasetRecord) -> tuple[str, str]:
        path = "" if record.kind == "intermediate" else record.path
        if record.is_elsewhere:  # an address that does not show a query is not a name of its rows
            return self._namespace, path if not path.endswith("…") else f"{self._task}:{record.name}:{path}"
        inside = path and not PurePath(path).is_absolute() and ".." not in PurePath(path).parts
        return self._namespace, path if inside else f"{self._task}:{record.name}"

    def _of_dataset(self, record: DatasetRecord) -> dict[str, Any]:
        said: dict[str, Any] = {}
        if columns := self._columns.names(record):
            field, types = facets.schema_dataset.SchemaDatasetFacetFields, self._columns.types(record)
            fields = [field(name=column, type=types.get(column), fields=None) for column in columns]
            said["schema"] = facets.schema_dataset.SchemaDatasetFacet(fields, producer=PRODUCER)
        if stated := record.version or (record.sha256 and f"sha256:{record.sha256}"):
            version = facets.dataset_version_dataset.DatasetVersionDatasetFacet
            said["version"] = version(stated, producer=PRODUCER)
        return said

    def _input(self, record: DatasetRecord) -> ol.InputDataset:
        read = facets.input_statistics_input_dataset.InputStatisticsInputDatasetFacet
        told: dict[str, Any] = {"inputStatistics": read(rowCount=record.rows, size=record.bytes, producer=PRODUCER)}
        return ol.InputDataset(*self._place(record), facets=self._of_dataset(record), inputFacets=told)

    def _output(self, record: DatasetRecord, lineage: Any) -> ol.OutputDataset:
        wrote = facets.output_statistics_output_dataset.OutputStatisticsOutputDatasetFacet
        told: dict[str, Any] = {"outputStatistics": wrote(rowCount=record.rows, size=record.bytes, producer=PRODUCER)}
        said = self._of_dataset(record) | ({"columnLineage": lineage(PRODUCER)} if lineage is not None else {})
        return ol.OutputDataset(*self._identity(record.name), facets=said, outputFacets=told)
