"""Whether a finished step may stand for one that would be run: what it was made of, compared with what is there now."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING

from pamola_tasks.errors import EncryptionError, PlanError
from pamola_tasks.operation import operation_seed
from pamola_tasks_checkpoints.fingerprint import (
    ENCRYPTION_KEY,
    SavedOutput,
    SavedStep,
    changes,
    concealed,
    mark_of,
    parts_of,
)

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices


class Verdicts:
    """Decides for each step of a run, in the order of the plan.

    Args:
        run: The run, its plan configured. Its seed is settled here.

    Attributes:
        final: Datasets that are published as the task's outputs.
        left_out: Steps that were not asked for, with the reason.
        parts: What each step that was asked about is made of.
    """

    def __init__(self, run: RunServices) -> None:
        self.run = run
        self.plan = run.plan
        self.final = self.plan.final_datasets(run.config.outputs)
        self.left_out = run.options.selection.left_out(self.plan)
        self.parts: dict[str, dict[str, str]] = {}
        self._inputs_recorded: set[str] = set()
        self._saved = run.checkpoints.load()
        self._settle_seed()
        if run.options.restart:
            self._saved = {step_id: saved for step_id, saved in self._saved.items() if step_id in self.left_out}

    def _settle_seed(self) -> None:
        """The seed that was configured; else that of the run being continued; else a fresh one."""
        seed = self.run.config.seed
        if seed is None:
            used = [saved.run_seed for saved in self._saved.values() if saved.run_seed is not None]
            seed = used[-1] if used else secrets.randbits(32)
        self.run.record.seed = seed

    def of(self, step: Step) -> SavedStep | str:
        """The saved step that may stand for this one, or why it has to be run, in words."""
        run = self.run
        inputs = {}
        for name in step.reads:
            inputs[name] = run.data_source.fingerprint(name)
            self._record_input(name)
        parts = parts_of(
            step.operation,
            distribution=step.distribution,
            inputs=inputs,
            seed=operation_seed(run.record.seed, step.id),
        )
        if run.config.use_encryption:
            parts["encryption"] = run.encryption.mode  # which key is at hand, the files are asked
        parts["outputs"] = " ".join(f"{name}:{self._kind(name)}" for name in step.writes)
        for record, more in run.kernel.plugins.each("pamola_add_fingerprint_parts", run=run, step=step):
            parts.update({f"{record.name} {key}": str(value) for key, value in (more or {}).items()})
        for key, text in parts.items():
            secret = key.startswith("parameter ") and run.redact.hides(key.removeprefix("parameter "))
            if (secret and text not in ("null", '""')) or run.redact(text) != text:
                parts[key] = concealed(text)
        self.parts[step.id] = parts
        saved = self._saved.get(step.id)
        if saved is None:
            return ""
        if ENCRYPTION_KEY in saved.fingerprint:
            parts[ENCRYPTION_KEY] = self._key_at_hand()
        reasons = changes(saved.fingerprint, parts) or run.checkpoints.verify(saved) or self._locked(saved)
        return "; ".join(reasons) if reasons else saved

    def _locked(self, saved: SavedStep) -> list[str]:
        """Why outputs that are there cannot be used: the first that was encrypted with a key that is not at hand."""
        for output in saved.outputs:
            if output.encrypted and (refusal := self.run.files.refusal(output.path)):
                return [f"{output.kind} {output.name} ({output.path}) cannot be decrypted: {refusal}"]
        return []

    def note_key(self, step: Step, derives: bool) -> None:
        """Have a step be made of the key too, if that is what its attempt derived something from."""
        self.parts[step.id].pop(ENCRYPTION_KEY, None)
        if derives:
            self.parts[step.id][ENCRYPTION_KEY] = self._key_at_hand()

    def _key_at_hand(self) -> str:
        try:
            return mark_of(self.run.encryption.derive_key("fingerprint"))
        except EncryptionError:  # the step itself says better what is wrong with the key
            return "none"

    def _kind(self, dataset: str) -> str:
        return f"output {self.run.config.output_format}" if dataset in self.final else "intermediate"

    def _record_input(self, name: str) -> None:
        if self.plan.writer_of(name) is None and name not in self._inputs_recorded:
            self._inputs_recorded.add(name)
            self.run.record.inputs.append(self.run.data_source.describe(name))

    def offer(self, output: SavedOutput) -> None:
        """Let later steps read a dataset of an earlier run."""
        path = str(self.run.files.root / output.path)
        role = "data" if output.kind == "output" else "state"
        self.run.data_source.add_file_path(output.name, path, format=output.format, role=role, sha256=output.sha256)

    # ------------------------------------------------------------ selection

    def check_selection(self) -> None:
        """Refuse to begin where a step that was left out is needed and cannot be taken from an earlier run.

        What a step gives that is left out behind one that is run is known only when that one has ended; it is then
        found by `prepare`.

        Raises:
            PlanError: With every reason.
        """
        if not self.left_out:
            return
        self.run.record.overrides.append(f"only some steps were asked for; left out: {', '.join(self.left_out)}")
        problems = []
        running: set[str] = set()
        missing: dict[str, str] = {}
        for step in self.plan:
            needs = self.plan.needs(step)
            if step.id not in self.left_out:
                running.add(step.id)
                problems += [
                    f"step {step.id} needs what step {name} gives, which was left out and cannot be taken from an"
                    f" earlier run: {missing[name]}"
                    for name in needs
                    if name in missing
                ]
                continue
            behind = [name for name in needs if name in missing]
            if not behind and running & set(needs):
                running.add(step.id)
                continue
            verdict = f"step {behind[0]} would have to run first" if behind else self.of(step)
            if not isinstance(verdict, SavedStep):
                missing[step.id] = verdict or "it was never finished"
                continue
            for output in verdict.outputs:
                if output.kind in ("output", "intermediate"):
                    self.offer(output)
        if problems:
            raise PlanError(problems=tuple(problems))
