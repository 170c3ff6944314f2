"""What authors of operations write and get: `Operation`, its context, its result, and the artifacts it leaves."""

from __future__ import annotations

import contextlib
import enum
import hashlib
import logging
import re
import string
import sys
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, dataclass_transform

import attrs

from pamola_tasks.errors import DataWriteError, ParameterError
from pamola_tasks.record import now, rfc3339

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    import numpy

    from pamola_tasks.outputs import StepData, StepOutputs
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import Config, Directories, Reporter, RunServices

_DATASET = "pamola_dataset"


def reads(default: Any = attrs.NOTHING) -> Any:
    """A parameter that names the dataset (or the list of datasets) which the operation reads.

    The plan's order follows from these. Without a default the parameter has to be given; None means no dataset.
    """
    return attrs.field(default=default, metadata={_DATASET: "reads"})


def writes(default: Any = attrs.NOTHING) -> Any:
    """A parameter that names the dataset (or the list of datasets) which the operation writes.

    Args:
        default: A name in which `{input}` stands for the first dataset read, and `{parameter}` for the value of any
            parameter declared before; without one the parameter has to be given.
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


class OperationStatus(enum.Enum):
    """How an operation ended."""

    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"
    PARTIAL_SUCCESS = "partial_success"
    PENDING = "pending"


@attrs.define
class Artifact:
    """A file that a step or task left, beside its datasets.

    Attributes:
        artifact_type: Its kind, normally the extension: `json`, `csv`, `png` …
        path: Where it lies.
        description: What it is, for people.
        category: `output`, `metrics`, `dictionary`, `visualization` …
        group: Name of a group of artifacts that belong together.
        sha256: Hash of the bytes on the disk (hex).
        bytes: Their number.
        root: The folder that a relative path begins at; the current one where it is empty.
    """

    artifact_type: str
    path: str
    description: str = ""
    category: str = "output"
    tags: list[str] = attrs.Factory(list)
    group: str = ""
    name: str = ""
    sha256: str = ""
    bytes: int | None = None
    encrypted: bool = False
    step: str = ""
    creation_time: str = attrs.Factory(lambda: rfc3339(now()))
    root: str = attrs.field(default="", repr=False, eq=False)

    @property
    def size(self) -> int | None:
        """Number of bytes, as recorded."""
        return self.bytes

    @property
    def checksum(self) -> str:
        """The recorded SHA-256 (hex)."""
        return self.sha256

    def exists(self) -> bool:
        """Whether the file is there now."""
        return Path(self.root, self.path).is_file()

    def validate(self) -> bool:
        """Whether the file is there, not empty, and has the extension of its type."""
        path = Path(self.root, self.path)
        return self.exists() and path.stat().st_size > 0 and path.suffix.lstrip(".") == self.artifact_type

    def add_tag(self, tag: str) -> None:
        """Add a tag, once."""
        if tag not in self.tags:
            self.tags.append(tag)

    def to_dict(self) -> dict[str, Any]:
        """As it stands in reports."""
        return {
            "type": self.artifact_type,
            "name": self.name,
            "path": self.path,
            "description": self.description,
            "category": self.category,
            "group": self.group,
            "tags": list(self.tags),
            "sha256": self.sha256,
            "bytes": self.bytes,
            "encrypted": self.encrypted,
            "step": self.step,
            "created": self.creation_time,
        }


OperationArtifact = Artifact


def _note_what_is_repeated(result: OperationResult, _: Any, message: str | None) -> str | None:
    """Look, while it is known, whether a message repeats the exception that is being handled."""
    error = sys.exception()
    if message and isinstance(error, Exception):
        said = str(error)
        if said and said in message:
            from pamola_tasks.disclosure import Disclosure

            result._repeated = (said, Disclosure().message(error))
    return message


@attrs.define
class OperationResult:
    """What an operation says of itself when it ends."""

    status: OperationStatus = OperationStatus.SUCCESS
    artifacts: list[Artifact] = attrs.Factory(list)
    metrics: dict[str, Any] = attrs.Factory(dict)
    error_message: str | None = attrs.field(default=None, on_setattr=_note_what_is_repeated)
    execution_time: float | None = None
    error_trace: str | None = None
    exception: BaseException | None = attrs.field(default=None, eq=False)
    attempts: int = 1
    reason: str = ""
    warnings: list[str] = attrs.Factory(list)
    _repeated: tuple[str, str] | None = attrs.field(default=None, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _note_what_is_repeated(self, None, self.error_message)

    def said(self, *, show_data: bool = False) -> str:
        """The message; an exception that it repeats (`error_message=str(error)`) is told without data."""
        message = self.error_message or ""
        return message if show_data or self._repeated is None else message.replace(*self._repeated)

    @classmethod
    def success(cls, metrics: Mapping[str, Any] | None = None, artifacts: Iterable[Artifact] = ()) -> OperationResult:
        """The operation did what it was asked to."""
        return cls(metrics=dict(metrics or {}), artifacts=list(artifacts))

    @classmethod
    def warning(cls, message: str, metrics: Mapping[str, Any] | None = None) -> OperationResult:
        """It did, but somebody should look at it."""
        return cls(status=OperationStatus.WARNING, error_message=message, metrics=dict(metrics or {}))

    @classmethod
    def failure(cls, error: BaseException | str, trace: str | None = None) -> OperationResult:
        """It did not."""
        if isinstance(error, str):
            return cls(status=OperationStatus.ERROR, error_message=error, error_trace=trace)
        message = str(error) or type(error).__name__
        return cls(status=OperationStatus.ERROR, error_message=message, error_trace=trace, exception=error)

    @property
    def failed(self) -> bool:
        """Whether the operation did not do its work."""
        return self.status in (OperationStatus.ERROR, OperationStatus.PENDING)

    def add_artifact(
        self,
        artifact_type: str,
        path: str | Path,
        description: str = "",
        category: str = "output",
        tags: Sequence[str] | None = None,
        group: str | None = None,
    ) -> Artifact:
        """Tell of a file that the operation wrote without `ctx.artifact`."""
        artifact = Artifact(artifact_type, str(path), description, category, list(tags or ()), group or "")
        self.artifacts.append(artifact)
        return artifact

    def register_artifact_via_writer(
        self,
        writer: Any,
        obj: Any,
        subdir: str,
        name: str,
        artifact_type: str | None = None,
        description: str = "",
        category: str = "output",
        tags: Sequence[str] | None = None,
        group: str | None = None,
    ) -> Artifact:
        """Write a table or a JSON value with the run's data writer, and tell of the file.

        Args:
            writer: `run.data_writer`, or another `DataWriter`.
            obj: A DataFrame, or what JSON can hold.
            subdir: The folder below the task's directory.
            name: File name without extension.
            artifact_type: For a table its format (`csv` unless given); a JSON value is written as `json`.

        Raises:
            DataWriteError: It cannot be written in this format.
        """
        if hasattr(obj, "columns") and hasattr(obj, "dtypes"):
            written = writer.write_dataframe(obj, name, artifact_type or "csv", subdir)
        elif artifact_type in (None, "json"):
            written = writer.write_json(obj, name, subdir)
        else:
            raise DataWriteError(f"artifact {name!r}: only a table can be written as {artifact_type}, not a JSON value")
        return self.add_artifact(written.format, written.path, description, category, tags, group)

    def add_metric(self, name: str, value: Any) -> None:
        """Add a number."""
        self.metrics[name] = value

    def add_nested_metric(self, category: str, name: str, value: Any) -> None:
        """Add a number under a heading."""
        self.metrics.setdefault(category, {})[name] = value

    def get_artifacts_by_type(self, artifact_type: str) -> list[Artifact]:
        """Artifacts of one type."""
        return [a for a in self.artifacts if a.artifact_type == artifact_type]

    def get_artifacts_by_tag(self, tag: str) -> list[Artifact]:
        """Artifacts with a tag."""
        return [a for a in self.artifacts if tag in a.tags]

    def get_artifacts_by_category(self, category: str) -> list[Artifact]:
        """Artifacts of one category."""
        return [a for a in self.artifacts if a.category == category]

    def get_artifact_group(self, group: str) -> list[Artifact]:
        """Artifacts that belong together."""
        return [a for a in self.artifacts if a.group == group]

    def validate_artifacts(self) -> dict[str, Any]:
        """Which artifacts are there and look right, by path, with `all_valid` and `invalid_count`."""
        found = {a.path: a.validate() for a in self.artifacts}
        invalid = [path for path, valid in found.items() if not valid]
        return {**found, "all_valid": not invalid, "invalid_count": len(invalid), "invalid_artifacts": invalid}

    def to_reporter_details(self) -> dict[str, Any]:
        """As it stands in reports."""
        details: dict[str, Any] = {"status": self.status.value, "metrics": self.metrics}
        if self.execution_time is not None:
            details["execution_time"] = self.execution_time
        if self.error_message:
            details["error_message"] = self.error_message
        if self.warnings:
            details["warnings"] = list(self.warnings)
        if self.artifacts:
            details["artifacts"] = [a.to_dict() for a in self.artifacts]
        return details


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
                raise TypeError(
                    f"{cls.__name__}.{field.name} is named after {{{name}}}, so {needed} has to stand before it"
                )
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
            reporter: Told of the operation's beginning and end, when given.
            progress_tracker: Has `update(n)`; told of progress, when given.
            **params: Values for the operation's parameters, for this call only.

        Returns:
            The result; a failure is a result with status ERROR.
        """
        from pamola_tasks.alone import run_alone

        return run_alone(self, data_source, Path(task_dir), reporter, progress_tracker, params)


class OperationContext:
    """What a step may use while it runs: `ctx`.

    Attributes:
        step: The step: id, options.
        data: Datasets by name: `frame`, `chunks`, `schema`, `write`, `has_dataset`, `names`.
        config: The task's configuration.
        seed: This step's own seed, None where the task has none.
    """

    def __init__(self, run: RunServices, step: Step, outputs: StepOutputs, data: StepData) -> None:
        self.run = run
        self.step = step
        self.data = data
        self._outputs = outputs
        self._rng: numpy.random.Generator | None = None
        self.seed = operation_seed(run.record.seed, step.id)

    @property
    def config(self) -> Config:
        """The task's configuration."""
        return self.run.config

    @property
    def directories(self) -> Directories:
        """The task's directories."""
        return self.run.directories

    @property
    def reporter(self) -> Reporter:
        """The task's reporter."""
        return self.run.reporter

    @property
    def logger(self) -> logging.LoggerAdapter[logging.Logger]:
        """A logger whose lines carry the step's id."""
        return logging.LoggerAdapter(self.run.logger, {"step_id": self.step.id})

    @property
    def rng(self) -> numpy.random.Generator:
        """Random numbers from the step's own seed: two steps of one task are independent of each other."""
        if self._rng is None:
            import numpy as np

            self._rng = np.random.default_rng(self.seed)
        return self._rng

    def progress(self, done: float, total: float | None = None, unit: str = "items") -> None:
        """Tell how much is done. May be called as often as one likes; shown at most ten times a second."""
        self._outputs.progress(done, total, unit)

    def warn(self, message: str) -> None:
        """Warn the user, in log, summary and report."""
        self._outputs.warnings.append(message)

    def derive_key(self, purpose: str) -> bytes:
        """32 secret bytes for this purpose, from the project's key: the same in every run of the project."""
        return self.run.encryption.derive_key(purpose)

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
        """
        with self._outputs.artifact(name, kind, description, category=category, tags=tags, group=group) as file:
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


def with_parameters(operation: Operation, params: Mapping[str, Any]) -> Operation:
    """A copy of an operation with some parameters changed.

    Raises:
        ParameterError: It has no such parameter, or the value does not fit.
    """
    from pamola_tasks.parameters import build

    if not params:
        return operation
    known = {f.alias: getattr(operation, f.name) for f in attrs.fields(type(operation)) if f.init}
    unknown = sorted(set(params) - set(known))
    if unknown:
        raise ParameterError(f"{operation.name} has no parameter {unknown[0]!r}: it has {', '.join(known)}")
    return build(type(operation), {**known, **params})


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
