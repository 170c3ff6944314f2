"""A step that releases a table, and claims of it what it is told to."""

from __future__ import annotations

from typing import Any

from pamola_tasks import Operation, OperationResult, hookimpl, reads, writes

PAMOLA_HOOK_API = 1


class Claim(Operation):
    """Release a table without its first column, with a verdict on it."""

    input_dataset: str = reads()
    output_dataset: str = writes()
    verdict: str = ""
    k: int = 2
    form: str | None = None
    odd: bool = False  # whether what it says of columns has another shape

    def execute(self, ctx: Any) -> OperationResult:
        """Release."""
        frame = ctx.data.frame(self.input_dataset)
        ctx.data.write(self.output_dataset, frame.iloc[:, 1:], format=self.form)
        first, *columns = map(str, frame.columns)
        says = {
            "dataset": self.output_dataset,
            "verdict": self.verdict,
            "sentence": f"k = {self.k} on {columns[0]}",
            "reasons": ["too few share"] if self.verdict == "not met" else [],
            "open_questions": ["May this be?", "And that?"] if "questions" in self.verdict else [],
        }
        role = {"said": "stated", "reason": "it says Zarathustra", "done": "unchanged", "loss": None}
        roles = [
            {**role, "column": first, "role": "direct identifier", "done": "dropped"},
            {**role, "column": columns[0], "role": "quasi-identifier", "loss": 0.0},
            *({**role, "column": name, "role": "sensitive", "done": "like Zarathustra"} for name in columns[1:]),
        ]
        claimed = {"k_claimed": self.k, "k_measured": self.k, "counted": "records"}
        if self.odd:
            roles, columns = 5, 7  # type: ignore[assignment]
        more = {"verdict": says, "roles": roles, "knowable": {"columns": columns, "k": 1}} if self.verdict else {}
        return OperationResult.success({**claimed, **more, "seen": ["Zarathustra"]})


class Keep(Operation):
    """Keep a table for who may see the original."""

    input_dataset: str = reads()
    output_dataset: str = writes(internal=True)

    def execute(self, ctx: Any) -> OperationResult:
        """Keep."""
        ctx.data.write(self.output_dataset, ctx.data.frame(self.input_dataset))
        return OperationResult.success({})


@hookimpl
def pamola_add_operations() -> dict[str, Any]:
    """The two."""
    return {"Claim": Claim, "Keep": Keep}
