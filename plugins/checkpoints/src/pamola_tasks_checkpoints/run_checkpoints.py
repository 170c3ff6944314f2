"""What all checkpoints of a run have in common, wherever they keep their records."""

from __future__ import annotations

from functools import cached_property
from typing import TYPE_CHECKING

import attrs

from pamola_tasks.errors import EncryptionError
from pamola_tasks.operation import operation_seed
from pamola_tasks.record import SavedOutput, SavedStep, now, rfc3339
from pamola_tasks.storage.staging import StepStaging, offer
from pamola_tasks_checkpoints.earlier import EarlierTables
from pamola_tasks_checkpoints.entries import DROPPED, METRICS, keep_metrics, kept_metrics, locked, saved_artifact
from pamola_tasks_checkpoints.fingerprint import ENCRYPTION_KEY, changes, concealed, mark_of, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices, StagedStep
    from pamola_tasks.record import Artifact, DatasetRecord, StepRecord

_DATASETS = ("output", "intermediate", DROPPED)
_SHAPE = ("rows", "columns")
_COPIED = (*_SHAPE, "path", "format", "sha256", "version", "step")


class RunCheckpoints:
    """Stages, publishes and skips the steps of a run. A subclass says where records of finished steps are kept."""

    enabled = True  # whether steps are remembered at all

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._claims: dict[str, str] = {}
        self._intact: set[str] = set()  # steps of which the outputs are as they were
        self._parts: dict[str, dict[str, str]] = {}  # the fingerprint of each step that was looked at

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

    def doubted(self) -> Mapping[str, str]:
        """The steps with a record that `load` did not believe, and why."""
        return {}

    # ------------------------------------------------------------ what follows from that

    @cached_property
    def _loaded(self) -> dict[str, SavedStep]:
        loaded = self.load()
        for step_id, reason in self.doubted().items():
            if step_id not in loaded:
                self._run.warn(f"step {step_id} runs again; {reason}")
        return loaded

    @cached_property
    def _usable(self) -> dict[str, SavedStep]:
        """The records that steps may be skipped to: with `restart`, only those of steps that are left out."""
        options, plan = self._run.options, self._run.plan
        left_out = options.selection.left_out(plan)
        return {id_: saved for id_, saved in self._loaded.items() if not options.restart or id_ in left_out}

    def seed(self) -> int | None:
        """The seed of the run that this one continues, or None."""
        used = [saved.run_seed for saved in self._loaded.values() if saved.run_seed is not None]
        return used[-1] if used else None

    def stands(self, step: Step) -> SavedStep | str:
        """The saved step that this one may be skipped to, its datasets offered to later steps; or why it must run."""
        run = self._run
        parts = self._parts[step.id] = self._fingerprint(step)
        saved = self._usable.get(step.id)
        if saved is None:
            return "" if step.id in self._loaded else self.doubted().get(step.id, "")
        if reasons := self._reasons(step, saved, parts):
            return "; ".join(reasons)
        if step.id in self._needed:
            dropped = ", ".join(output.name for output in saved.outputs if output.kind == DROPPED)
            advice = ": run all steps, or keep it with `checkpoints.keep_intermediate: true`"
            why = f"{dropped} was deleted after the last run, and step {self._needed[step.id]} has to run"
            return why + (advice if self._run.options.selection else "")
        for output in saved.outputs:
            if output.kind != METRICS:
                self._claims[str(run.files.root / output.path)] = step.id
        self._offer(saved)
        return attrs.evolve(saved, metrics=kept_metrics(run.files, saved))

    def _reasons(self, step: Step, saved: SavedStep, parts: dict[str, str]) -> list[str]:
        """Why a step cannot be skipped to its record, in words; empty where it can."""
        if ENCRYPTION_KEY in saved.fingerprint:
            parts[ENCRYPTION_KEY] = self._key_at_hand()
        if reasons := changes(saved.fingerprint, parts):
            return reasons
        if saved.step_id not in self._intact:  # hashed once, until a step has run
            if reasons := self.verify(saved) or self._locked(saved):
                return reasons
            known = attrs.evolve(saved, metrics=kept_metrics(self._run.files, saved))
            plugins = self._run.kernel.plugins
            if reasons := plugins.objections("pamola_check_skip", run=self._run, step=step, saved=known):
                return reasons
            self._intact.add(saved.step_id)
        return []

    @cached_property
    def _needed(self) -> dict[str, str]:
        """Steps of which a deleted dataset is read by a step that may run, and the first step that changed.

        Also what is behind a step that runs may run: what it reads may be another then.
        """
        plan, left_out = self._run.plan, self._run.options.selection.left_out(self._run.plan)
        usable = {step.id: saved for step in plan if (saved := self._usable.get(step.id))}
        dropped = {o.name: id_ for id_, saved in usable.items() for o in saved.outputs if o.kind == DROPPED}
        running: list[str] = []
        for step in plan if dropped else ():
            saved, needs = usable.get(step.id), plan.needs(step)
            known = all(name in usable and name not in running for name in needs)
            if saved and (step.id in left_out or (known and not self._reasons(step, saved, self._fingerprint(step)))):
                self._offer(saved)
            elif step.id not in left_out:
                running.append(step.id)
        needed: dict[str, str] = {}
        before = -1
        while before != (before := len(needed) + len(running)):
            for step in plan:
                if step.id not in {*left_out, *running} and not set(plan.needs(step)).isdisjoint(running):
                    running.append(step.id)
                if step.id in running:
                    writers = {dropped[name] for name in step.reads if name in dropped}
                    needed |= dict.fromkeys(writers, running[0])
                    running += writers - {*left_out, *running}
        return needed

    def _offer(self, saved: SavedStep) -> None:
        for output in saved.outputs:
            if output.kind in _DATASETS:
                offer(self._run, output)

    def drop_intermediate(self) -> None:
        """Delete what steps left for later steps only, and remember what it was."""
        for saved in self.load().values():
            dropped = tuple(attrs.evolve(o, kind=DROPPED) if o.kind == "intermediate" else o for o in saved.outputs)
            if dropped != saved.outputs:
                self.save(attrs.evolve(saved, outputs=dropped))  # first: else a kill would make its step run again
            for output in dropped:
                if output.kind == DROPPED:
                    self._run.files.unlink(output.path, missing_ok=True)
        self._run.record.intermediates.clear()

    def _fingerprint(self, step: Step) -> dict[str, str]:
        """What the step would be made of now."""
        run = self._run
        record = run.record
        left = (output for id_ in run.plan.step_ids if id_ in self._usable for output in self._usable[id_].outputs)
        known = {output.name: output.sha256 for output in left if output.kind in _DATASETS}
        known = {name: sha256 for name, sha256 in known.items() if run.plan.writer_of(name) is not None}
        known |= {dataset.name: dataset.sha256 for dataset in (*record.inputs, *record.intermediates, *record.outputs)}
        inputs = {name: known[name] if name in known else run.data_source.describe(name).sha256 for name in step.reads}
        seed = operation_seed(record.seed, step.id)
        parts = parts_of(step.operation, distribution=step.distribution, inputs=inputs, seed=seed)
        if run.config.use_encryption:
            parts["encryption"] = run.encryption.mode  # which key is at hand, the files are asked
        final = {name for name in step.writes if run.plan.is_final(name, run.config.outputs)}
        kinds = {
            name: f"output {run.config.output_format}" if name in final else "intermediate" for name in step.writes
        }
        parts["outputs"] = " ".join(f"{name}:{kind}" for name, kind in kinds.items())
        for plugin, more in run.kernel.plugins.each("pamola_add_fingerprint_parts", run=run, step=step):
            for key, value in (more or {}).items():
                parts[key if key.startswith("version ") else f"{plugin.name} {key}"] = str(value)
        for key, text in parts.items():
            secret = key.startswith("parameter ") and run.redactor.hides(key.removeprefix("parameter "))
            if (secret and text not in ("null", '""')) or run.redactor(text) != text:
                parts[key] = concealed(text)
        return parts

    def _locked(self, saved: SavedStep) -> list[str]:
        """Why outputs that are there cannot be used: the first that was encrypted with a key that is not at hand."""
        encrypted = (output for output in saved.outputs if output.encrypted and output.kind != DROPPED)
        return [reason for output in encrypted if (reason := locked(self._run.files, output))][:1]

    def _key_at_hand(self) -> str:
        try:
            return mark_of(self._run.encryption.derive_key("fingerprint"))
        except EncryptionError:  # the step itself says better what is wrong with the key
            return "none"

    def stage(self, step: Step) -> StepStaging:
        """Beside the places of the step's outputs; intermediate datasets outlive the run when steps are remembered."""
        return StepStaging(self._run, step, keeps=self.enabled, claims=self._claims)

    def publish(
        self, step: Step, staged: StagedStep | None, record: StepRecord
    ) -> tuple[list[DatasetRecord], list[Artifact]]:
        """Rename what was staged into place, and keep a record of the step."""
        settings = self._run.config.plugin("checkpoints")  # where that plugin is not loaded, nothing is kept
        earlier = EarlierTables(self._run, getattr(settings, "keep_releases", 0))
        with earlier.kept(staged, self._loaded) as forget_oldest:
            return self._publish(step, staged, record, forget_oldest)

    def _publish(
        self, step: Step, staged: StagedStep | None, record: StepRecord, forget_oldest: Callable[[], None]
    ) -> tuple[list[DatasetRecord], list[Artifact]]:
        run, parts = self._run, self._parts[step.id]
        self._intact.clear()
        datasets, artifacts = staged.publish() if staged is not None else ([], [])
        if staged is not None:
            for name in step.reads:
                if not parts[f"input {name}"]:  # it was hashed while the step read it
                    parts[f"input {name}"] = (staged.read.get(name) or run.data_source.describe(name)).sha256
            parts.pop(ENCRYPTION_KEY, None)
            if staged.derives:  # the step is made of the key too: its attempt derived something from it
                parts[ENCRYPTION_KEY] = self._key_at_hand()
        outputs = [SavedOutput(**attrs.asdict(dataset, recurse=False)) for dataset in datasets if dataset.path]
        outputs += [saved_artifact(artifact, run.redactor) for artifact in artifacts]
        metrics = record.metrics
        if metrics and self.enabled and run.files.encrypts("state"):
            outputs, metrics = [*outputs, keep_metrics(run, step, metrics)], {}
        read = staged.read.values() if staged is not None else ()
        saved = SavedStep(
            step_id=step.id,
            run_id=run.id,
            time=rfc3339(now()),
            fingerprint=parts,
            outputs=tuple(outputs),
            inputs={
                dataset.name: {key: getattr(dataset, key) for key in (_COPIED if dataset.step else _SHAPE)}
                for dataset in read
                if dataset.step or (dataset.rows is not None and run.plan.writer_of(dataset.name) is None)
            },
            metrics=metrics,
            warnings=tuple(map(run.redactor, record.warnings)),
            status=record.status,
            seconds=record.seconds,
            index=run.plan.step_ids.index(step.id),
            run_seed=run.record.seed,
        )
        try:
            forget_oldest()
            self.save(saved)
        except Exception:  # a step that failed leaves nothing
            for output in outputs:
                run.files.unlink(output.path, missing_ok=True)
            raise
        return datasets, artifacts
