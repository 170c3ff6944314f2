"""Whether a finished step may be skipped to: what it was made of, compared with what is there now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks.errors import EncryptionError
from pamola_tasks.operation import operation_seed
from pamola_tasks_checkpoints.entries import locked
from pamola_tasks_checkpoints.fingerprint import ENCRYPTION_KEY, changes, concealed, mark_of, parts_of

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices, StagedStep
    from pamola_tasks.record import SavedStep


class StalenessCheck:
    """Decides for each step of a run.

    Args:
        run: The run, its plan configured.
        saved: The finished steps, by id.
        verify: Says why the outputs of a saved step cannot be used.

    Attributes:
        parts: The fingerprint of each step that was checked.
    """

    def __init__(
        self, run: RunServices, saved: Mapping[str, SavedStep], verify: Callable[[SavedStep], list[str]]
    ) -> None:
        self.run = run
        self.parts: dict[str, dict[str, str]] = {}
        self._verify = verify
        self._final = run.plan.final_datasets(run.config.outputs)
        left_out = run.options.selection.left_out(run.plan)
        self._saved = {
            step_id: step for step_id, step in saved.items() if not run.options.restart or step_id in left_out
        }

    def check(self, step: Step) -> SavedStep | str:
        """The saved step that this one may be skipped to, or why it has to be run, in words."""
        run = self.run
        record = run.record
        known = {dataset.name: dataset.sha256 for dataset in (*record.inputs, *record.intermediates, *record.outputs)}
        inputs = {name: known[name] if name in known else run.data_source.describe(name).sha256 for name in step.reads}
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
            for key, value in (more or {}).items():
                parts[key if key.startswith("version ") else f"{record.name} {key}"] = str(value)
        for key, text in parts.items():
            secret = key.startswith("parameter ") and run.redactor.hides(key.removeprefix("parameter "))
            if (secret and text not in ("null", '""')) or run.redactor(text) != text:
                parts[key] = concealed(text)
        self.parts[step.id] = parts
        saved = self._saved.get(step.id)
        if saved is None:
            return ""
        if ENCRYPTION_KEY in saved.fingerprint:
            parts[ENCRYPTION_KEY] = self._key_at_hand()
        reasons = changes(saved.fingerprint, parts) or self._verify(saved) or self._locked(saved)
        return "; ".join(reasons) if reasons else saved

    def _locked(self, saved: SavedStep) -> list[str]:
        """Why outputs that are there cannot be used: the first that was encrypted with a key that is not at hand."""
        encrypted = (output for output in saved.outputs if output.encrypted)
        return [reason for output in encrypted if (reason := locked(self.run.files, output))][:1]

    def note_attempt(self, step: Step, staged: StagedStep) -> None:
        """Have a step be made of inputs that were hashed while it read them, and of a key that it derived others of."""
        parts = self.parts[step.id]
        for name in step.reads:
            if not parts[f"input {name}"]:
                read = staged.read.get(name) or self.run.data_source.describe(name)
                parts[f"input {name}"] = read.sha256
        parts.pop(ENCRYPTION_KEY, None)
        if staged.derives:
            parts[ENCRYPTION_KEY] = self._key_at_hand()

    def _key_at_hand(self) -> str:
        try:
            return mark_of(self.run.encryption.derive_key("fingerprint"))
        except EncryptionError:  # the step itself says better what is wrong with the key
            return "none"

    def _kind(self, dataset: str) -> str:
        return f"output {self.run.config.output_format}" if dataset in self._final else "intermediate"
