"""What authors of operations write and get: `Operation` with its parameters, and the context of a step."""

from __future__ import annotations

import contextlib
import hashlib
import logging
import re
import string
import sys
import time
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, dataclass_transform

import attrs

from pamola_tasks.record import Artifact, now
from pamola_tasks.result import OperationArtifact, OperationResult, OperationStatus

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

_DATASET = "pamola_dataset"
PROGRESS_INTERVAL = 0.1  # seconds: observers are called for progress at most ten times in one of them


def reads(default: Any = attrs.NOTHING) -> Any:
    """A parameter that names the dataset (or the list of datasets) which the operation reads.

    The plan's order follows from these. Without a default the parameter has to be given; None means no dataset.
    """
    return attrs.field(default=default, metadata={_DATASET: "reads"})


def writes(default: Any = attrs.NOTHING) -> Any:
    """A parameter that names the dataset (or the list of datasets) which the operation writes.

    Args:
        default: A name in which `{input}` means the first dataset read, and `{parameter}` the value of any
            parameter declared before; without one the parameter has to be given. Type checkers know that there is a
            default where it is given by keyword.
    """
    if isinstance(default, str) and "{" in default:
        template = default

        def resolve(operation: Operation) -> str:
            known = {name: value for name, value in vars(operation).items() if not name.startswith("_")}
            inputs = operation.input_datasets()
            return template.format_map({"input": inputs[0] if inputs else "", **known})

        default = attrs.Factory(resolve, takes_self=True)
        return attrs.field(default=default, metadata={_DATASET: "writes", "template": template})
    return attrs.field(default=default, metadata={_DATASET: "writes"})


@dataclass_transform(eq_default=False, kw_only_default=True, field_specifiers=(attrs.field, reads, writes))
class Operation:
    """A step's work. Subclass it, annotate the parameters, write `execute`.

    A subclass becomes an attrs class with keyword-only parameters; values from configuration files are checked
    against the annotations when the step is added. Parameters made with `reads()` and `writes()` name datasets.

        class Upper(Operation):
            input_dataset: str = reads()
            output_dataset: str = writes("{input}_upper")
            fields: list[str]

            def execute(self, ctx):
                frame = ctx.data.frame(self.input_dataset)
                for field in self.fields:
                    frame[field] = frame[field].str.upper()
                ctx.data.write(self.output_dataset, frame)
                return OperationResult.success()
    """

    version: ClassVar[str] = "1.0"
    category: ClassVar[str] = "general"
    if TYPE_CHECKING:
        __attrs_attrs__: ClassVar[tuple[attrs.Attribute[Any], ...]]

    def __init_subclass__(cls, **options: Any) -> None:
        super().__init_subclass__(**options)
        attrs.define(cls, slots=False, kw_only=True, auto_attribs=True, eq=False)
        before: set[str] = set()
        for field in attrs.fields(cls):
            if field.name in vars(Operation):
                raise TypeError(
                    f"{cls.__name__}.{field.name}: every operation has {field.name!r} already; give the parameter"
                    f" another name, or write a class attribute without annotation"
                )
            for name in _names_in(field.metadata.get("template", "")) - before:
                needed = "a parameter made with reads()" if name == "input" else f"the parameter {name!r}"
                raise TypeError(f"{cls.__name__}.{field.name} is named after {{{name}}}, so {needed} must precede it")
            before |= {field.name, "input"} if field.metadata.get(_DATASET) == "reads" else {field.name}

    @property
    def name(self) -> str:
        """The operation's name."""
        return type(self).__name__

    @property
    def description(self) -> str:
        """The first line of the class's docstring."""
        return (type(self).__doc__ or "").strip().partition("\n")[0]

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Do the work. An exception fails the step.

        Args:
            ctx: Data, files, log, progress and random numbers of this step.
        """
        raise NotImplementedError(f"{self.name} has no execute(self, ctx)")

    def parameters(self) -> dict[str, Any]:
        """The parameters with their values."""
        return {f.name: getattr(self, f.name) for f in attrs.fields(type(self))} if attrs.has(type(self)) else {}

    def input_datasets(self) -> tuple[str, ...]:
        """Names of the datasets that it reads."""
        return self._datasets("reads")

    def output_datasets(self) -> tuple[str, ...]:
        """Names of the datasets that it writes."""
        return self._datasets("writes")

    def _datasets(self, kind: str) -> tuple[str, ...]:
        names: list[str] = []
        for field in attrs.fields(type(self)) if attrs.has(type(self)) else ():
            if field.metadata.get(_DATASET) == kind:
                value = getattr(self, field.name, None)
                if isinstance(value, str):
                    names.append(value)
                elif value is not None:
                    names.extend(value.values() if isinstance(value, dict) else value)
        return tuple(dict.fromkeys(names))

    def run(
        self,
        *,
        data_source: Any,
        task_dir: str | Path,
        reporter: Any = None,
        progress_tracker: Any = None,
        **params: Any,
    ) -> OperationResult:
        """Run this operation alone, without a task.

        Args:
            data_source: A data source, or a dict of frames.
            task_dir: A folder that becomes the task's directory: outputs go to `output/` in it.
            reporter: Receives the operation's beginning and end, when given.
            progress_tracker: Has `update(n)`; called on progress, if given.
            **params: Values for the operation's parameters, for this call only.

        Returns:
            The result; a failure is a result with status ERROR.
        """
        package: Any = sys.modules["pamola_tasks"]  # the kernel's front door, which is above this module
        folder = Path(task_dir).absolute()
        folder.mkdir(parents=True, exist_ok=True)
        of_source = getattr(data_source, "run", None)
        kernel = package.Kernel(folder, loaded=of_source and of_source.kernel.plugins)
        result: OperationResult | None = kernel.plugins.first(
            "pamola_run_operation",
            kernel=kernel,
            operation=self,
            arguments={
                "data_source": data_source,
                "task_dir": folder,
                "reporter": reporter,
                "progress_tracker": progress_tracker,
                "params": params,
            },
        )
        if result is None:
            raise kernel.plugins.missing("executor")
        return result


class OperationContext:
    """What an operation may use while it runs: `ctx`.

    Args:
        run: The run.
        step: The step.
        data: Its datasets.
        staged: Where the attempt writes, and what is known of what it read.
        progress: Called with (done, total, unit), at most ten times a second.

    Attributes:
        run: The run, with all its services.
        step: The step: id, options.
        data: Datasets by name: `frame`, `chunks`, `schema`, `write`, `has_dataset`, `names`.
        seed: This step's own seed, None where the task has none.
    """

    def __init__(
        self, run: Any, step: Any, data: Any, staged: Any, progress: Callable[[float, float | None, str], None]
    ) -> None:
        self.run = run
        self.step = step
        self.data = data
        self.seed = operation_seed(run.record.seed, step.id)
        self._staged = staged
        self._progress = progress
        self._shown = 0.0
        self._rng: Any = None

    @property
    def config(self) -> Any:
        """The task's configuration."""
        return self.run.config

    @property
    def directories(self) -> Any:
        """The task's directories."""
        return self.run.directories

    @property
    def reporter(self) -> Any:
        """The task's reporter."""
        return self.run.reporter

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines carry the step's id."""
        return logging.LoggerAdapter(self.run.logger, {"step_id": self.step.id})

    @property
    def rng(self) -> Any:
        """Random numbers from the step's own seed: two steps of one task are independent of each other.

        A generator of the data source's library, else a `random.Random`.
        """
        if self._rng is None:
            generator = getattr(self.run.data_source, "generator", None)
            if generator is None:
                import random

                generator = random.Random
            self._rng = generator(self.seed)
        return self._rng

    def progress(self, done: float, total: float | None = None, unit: str = "items") -> None:
        """Report how much is done. May be called as often as one likes; shown at most ten times a second."""
        moment = time.monotonic()
        if moment - self._shown >= PROGRESS_INTERVAL or (total is not None and done >= total):
            self._shown = moment
            self._progress(done, total, unit)

    def warn(self, message: str) -> None:
        """Warn the user, in log, summary and report."""
        self._staged.warnings.append(message)

    def derive_key(self, purpose: str) -> bytes:
        """32 secret bytes for this purpose, from the project's key: the same in every run until that key is changed.

        A step that asks for them is run again when there is another key.
        """
        self._staged.derives = True
        key: bytes = self.run.encryption.derive_key(purpose)
        return key

    @contextlib.contextmanager
    def artifact(
        self,
        name: str,
        kind: str,
        description: str = "",
        *,
        category: str = "output",
        tags: Sequence[str] = (),
        group: str = "",
    ) -> Iterator[IO[bytes]]:
        """Write a file beside the datasets; it appears when the step has succeeded.

        Args:
            name: Its name without extension.
            kind: Its extension: `json`, `csv`, `png` …
            description: What it is, for people.
            category: `output` or `dictionary` (the directory it goes to), or another word for reports.
            tags: To find it by; a JSON file with the tag `charts` has charts for the report under that key.
            group: Name of a group of artifacts that belong together.
        """
        with self._staged.artifact(name, kind, description, category=category, tags=tags, group=group) as file:
            yield file


def _names_in(template: str) -> set[str]:
    """The names in braces: `{input}_{field}` gives `input` and `field`."""
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(template) if name is not None}


def operation_seed(seed: int | None, step_id: str) -> int | None:
    """A step's own seed: the first four bytes, big endian, of SHA-256 of `seed:step_id`."""
    if seed is None:
        return None
    return int.from_bytes(hashlib.sha256(f"{seed}:{step_id}".encode()).digest()[:4], "big")


def timestamp() -> str:
    """Local-free time stamp for file names: `20260301_093000`, in UTC."""
    return now().strftime("%Y%m%d_%H%M%S")


__all__ = [
    "Artifact",
    "Operation",
    "OperationArtifact",
    "OperationContext",
    "OperationResult",
    "OperationStatus",
    "operation_seed",
    "reads",
    "writes",
]
