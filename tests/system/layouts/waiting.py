"""An operation that ends when there is a file `go` in the project."""

import time
from pathlib import Path

from pamola_tasks import Operation, OperationResult, hookimpl, reads, writes


class Wait(Operation):
    """Copy a table, then wait to be told to go on."""

    input_dataset: str = reads()
    output_dataset: str = writes("copy")

    def execute(self, ctx):
        ctx.data.write(self.output_dataset, ctx.data.frame(self.input_dataset))
        (ctx.directories.get_directory("temp") / "scratch").write_text("x")
        root = Path(ctx.run.files.root)
        (root / "begun").touch()
        while not (root / "go").exists():
            time.sleep(0.02)
        return OperationResult.success()


@hookimpl
def pamola_add_operations():
    return {"Wait": Wait}
