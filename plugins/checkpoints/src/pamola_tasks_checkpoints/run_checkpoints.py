"""What all checkpoints of a run have in common, wherever they keep their records."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from pamola_tasks.record import SavedStep, now, rfc3339
from pamola_tasks.storage.staging import StepStaging, offer
from pamola_tasks_checkpoints.entries import METRICS, keep_metrics, kept_metrics, saved_artifact, saved_dataset
from pamola_tasks_checkpoints.staleness import StalenessCheck

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices, StagedStep
    from pamola_tasks.record import Artifact, DatasetRecord, StepRecord


class RunCheckpoints:
    """Stages, publishes and skips steps. A subclass says where records of finished steps are kept.

    Args:
        run: The run.

    Attributes:
        enabled: Whether steps are remembered at all.
    """

    enabled = True

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._claims: dict[str, str] = {}

    # ------------------------------------------------------------ what a subclass writes

    def load(self) -> dict[str, SavedStep]:
        """The newest record of every finished step, by step id, in the order in which they were last finished."""
        raise NotImplementedError

    def save(self, saved: SavedStep) -> None:
        """Keep the record of a finished step; its outputs are in their places already."""
        raise NotImplementedError

    def verify(self, saved: SavedStep) -> list[str]:
        """Why the outputs of a saved step cannot be used, in words; empty when all are there, unchanged."""
        raise NotImplementedError

    def clear(self) -> None:
        """Forget all steps of the task, with the intermediate datasets they left."""
        raise NotImplementedError

    # ------------------------------------------------------------ what follows from that

    @cached_property
    def _loaded(self) -> dict[str, SavedStep]:
        return self.load()

    @cached_property
    def _staleness(self) -> StalenessCheck:
        return StalenessCheck(self._run, self._loaded, self.verify)

    def seed(self) -> int | None:
        """The seed of the run that this one continues, or None."""
        used = [saved.run_seed for saved in self._loaded.values() if saved.run_seed is not None]
        return used[-1] if used else None

    def stands(self, step: Step) -> SavedStep | str:
        """The saved step that this one may be skipped to, its datasets offered to later steps; or why it must run."""
        run = self._run
        saved = self._staleness.check(step)
        if isinstance(saved, SavedStep):
            for output in saved.outputs:
                if output.kind != METRICS:
                    self._claims[str(run.files.root / output.path)] = step.id
                if output.kind in ("output", "intermediate"):
                    offer(run, output)
            saved = attrs.evolve(saved, metrics=kept_metrics(run.files, saved))
        return saved

    def stage(self, step: Step) -> StepStaging:
        """Beside the places of the step's outputs; intermediate datasets outlive the run when steps are remembered."""
        return StepStaging(self._run, step, keeps=self.enabled, claims=self._claims)

    def publish(
        self, step: Step, staged: StagedStep | None, record: StepRecord
    ) -> tuple[list[DatasetRecord], list[Artifact]]:
        """Rename what was staged into place, and keep a record of the step."""
        run = self._run
        datasets, artifacts = staged.publish() if staged is not None else ([], [])
        if staged is not None:
            self._staleness.note_attempt(step, staged)
        outputs = [saved_dataset(dataset) for dataset in datasets if dataset.path]
        outputs += [saved_artifact(artifact) for artifact in artifacts]
        metrics = record.metrics
        if metrics and self.enabled and run.files.encrypts("state"):
            outputs, metrics = [*outputs, keep_metrics(run, step, metrics)], {}
        read = staged.read.values() if staged is not None else ()
        self.save(
            SavedStep(
                step_id=step.id,
                run_id=run.id,
                time=rfc3339(now()),
                fingerprint=self._staleness.parts[step.id],
                outputs=tuple(outputs),
                inputs={
                    dataset.name: {"rows": dataset.rows, "columns": dataset.columns}
                    for dataset in read
                    if dataset.rows is not None and run.plan.writer_of(dataset.name) is None
                },
                metrics=metrics,
                warnings=tuple(record.warnings),
                status=record.status,
                seconds=record.seconds,
                index=run.plan.step_ids.index(step.id),
                run_seed=run.record.seed,
            )
        )
        return datasets, artifacts
