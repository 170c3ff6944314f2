"""Mistakes that a type checker has to find: each `type: ignore` names the error, and one that is not needed fails."""

import pamola_tasks
from pamola_tasks import Command, Kernel, Operation, OperationContext, OperationResult, Secret, reads
from pamola_tasks.protocols import RunOptions
from pamola_tasks.testing import memory_plugins


class Mask(Operation):
    input_dataset: str = reads()
    keep: int = 2

    def execute(self, ctx: OperationContext) -> OperationResult:
        self.keep = "two"  # type: ignore[assignment]
        print(ctx.rows)  # type: ignore[attr-defined]
        return {"masked": 1}  # type: ignore[return-value]


class Wrong(Operation):
    def execute(self, ctx: str) -> OperationResult:  # type: ignore[override]
        return OperationResult.success(3)  # type: ignore[arg-type]


Mask()  # type: ignore[call-arg]
Mask("customers")  # type: ignore[call-arg]
Mask(input_dataset=1)  # type: ignore[arg-type]
Mask(input_dataset="customers", kept=2)  # type: ignore[call-arg]

Kernel(plugins=3)  # type: ignore[arg-type]
Kernel(autoload="no")  # type: ignore[arg-type]
Kernel(unknown=True)  # type: ignore[call-arg]
kernel = Kernel(plugins=memory_plugins())
kernel.run(7)  # type: ignore[arg-type]
kernel.run("t_1", overrides=["seed"])  # type: ignore[arg-type]
outcome = kernel.run("t_1", options=RunOptions())
outcome.status = "success"  # type: ignore[misc]
print(outcome.successful)  # type: ignore[attr-defined]

Command()  # type: ignore[call-arg]
Command("a:b", writes="no")  # type: ignore[arg-type]
text: str = Secret("hunter2")  # type: ignore[assignment]

pamola_tasks.anonymise([], k=5, quasi_identifiers=["age"])  # type: ignore[attr-defined]
pamola_tasks.anonymize([], k="5", quasi_identifiers=["age"])  # type: ignore[arg-type]
pamola_tasks.anonymize([], k=5)  # type: ignore[call-arg]
pamola_tasks.risk([])  # type: ignore[call-arg]
pamola_tasks.Kernal()  # type: ignore[attr-defined]
