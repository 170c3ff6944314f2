"""Tasks for a cluster, which a project has a copy of."""

import os
import signal
import time

from pamola_tasks import BaseTask, Operation, OperationResult, reads, writes


class Work(Operation):
    """Copies a table, and tells of it in every way that there is."""

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_more")

    def execute(self, ctx):
        frame = ctx.data.frame(self.input_dataset)
        ctx.stage("counting")
        ctx.progress(1, 1)
        ctx.logger.info("rows: %d", len(frame))
        ctx.warn(f"look at the rows of {ctx.step.id}")
        ctx.data.write(self.output_dataset, frame)
        with ctx.artifact(f"rows_{ctx.step.id}", "json") as file:
            file.write(str(len(frame)).encode())
        return OperationResult.success({"pid": os.getpid(), "noise": float(ctx.rng.random())})


class Slow(Operation):
    """Copies a table once `go` is there, or after a while."""

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_slow")
    seconds: float = 0.3
    waits: bool = False

    def execute(self, ctx):
        frame = ctx.data.frame(self.input_dataset)
        with open(f"began.{os.getpid()}", "a"):
            pass
        end = time.monotonic() + self.seconds
        while time.monotonic() < end or (self.waits and not os.path.exists("go")):
            time.sleep(0.02)
        ctx.data.write(self.output_dataset, frame.assign(noise=ctx.rng.random(len(frame))))
        return OperationResult.success()


class Misbehave(Operation):
    """Takes too long, takes too much memory, or crashes."""

    how: str = ""

    def execute(self, ctx):
        if self.how == "crash":
            os.kill(os.getpid(), signal.SIGSEGV)
        while self.how == "beside":
            if os.path.exists("fail"):
                raise ValueError("it fails")
            time.sleep(0.02)
        taken = []
        while True:
            time.sleep(0.01)
            if self.how == "memory":
                taken.append(b"x" * 10_000_000)


class Tell(Operation):
    """Tells of cells and of a secret parameter in every way that there is, as no operation should."""

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_told")
    token: str = ""

    def execute(self, ctx):
        frame = ctx.data.frame(self.input_dataset)
        ctx.logger.info("%s", frame["name"].iloc[0])
        ctx.warn(f"{self.token}: {frame['name'].iloc[1]}")
        ctx.data.write(self.output_dataset, frame)
        return OperationResult.success({"first": str(frame["name"].iloc[2])})


class Tells(BaseTask):
    def __init__(self):
        super().__init__("tells", input_datasets={"names": "DATA/raw/names.csv"})

    def configure_operations(self):
        self.add_operation(
            Tell, input_dataset="names", output_dataset="told", token="canary-token-77", step={"id": "t"}
        )


class Three(BaseTask):
    def __init__(self):
        super().__init__("three", input_datasets={"people": "DATA/raw/example.csv"})

    def configure_operations(self):
        self.add_operation(Work, input_dataset="people", output_dataset="a", step={"id": "a"})
        self.add_operation(Work, input_dataset="people", output_dataset="b", step={"id": "b"})
        self.add_operation(Work, input_dataset="a", output_dataset="c", step={"id": "c"})


class Misbehaves(BaseTask):
    def __init__(self):
        super().__init__("misbehaves")

    def configure_operations(self):
        self.add_operation(Misbehave, how="crash", step={"id": "crashes"})
        self.add_operation(Misbehave, how="memory", step={"id": "grows", "step_memory_limit_mb": 400})
        self.add_operation(Misbehave, how="time", step={"id": "hangs", "timeout": 1})


class Waits(BaseTask):
    """One step, which goes on when it is let."""

    def __init__(self):
        super().__init__("waits", input_datasets={"people": "DATA/raw/example.csv"})

    def configure_operations(self):
        self.add_operation(Slow, input_dataset="people", output_dataset="slow", waits=True, step={"id": "slow"})


class Fails(BaseTask):
    """A step that fails while another one waits."""

    def __init__(self):
        super().__init__("fails", input_datasets={"people": "DATA/raw/example.csv"})

    def configure_operations(self):
        self.add_operation(Slow, input_dataset="people", output_dataset="slow", waits=True, step={"id": "slow"})
        self.add_operation(Misbehave, how="beside", step={"id": "fails"})


class Diamond(BaseTask):
    """Five steps, of which three can run at the same time."""

    def __init__(self):
        super().__init__("diamond", input_datasets={"people": "DATA/raw/example.csv"})

    def configure_operations(self):
        for name, of in (("a", "people"), ("b", "a"), ("c", "a"), ("d", "a"), ("e", "d")):
            self.add_operation(Slow, input_dataset=of, output_dataset=name, step={"id": name})
