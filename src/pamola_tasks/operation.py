"""What authors of operations write and get: `Operation` with its parameters, and the context of a step."""

from __future__ import annotations

import hashlib
import itertools
import logging
import re
import string
import sys
import time
from functools import cached_property
from operator import attrgetter
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, ClassVar, Literal, dataclass_transform

import attrs

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.parameters import annotations_of
from pamola_tasks.record import OperationResult

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping, Sequence
    from contextlib import AbstractContextManager


# Keys of a task. `add_operation` does not pass these on to an operation …
SERVICE_KEYS = frozenset({"data_source", "task_dir", "reporter", "progress_tracker"})
INFRASTRUCTURE_KEYS = ("use_vectorization", "parallel_processes", "use_dask", "npartitions", "chunk_size")
# … nor these where the operation has no such parameter; one that has these gets the task's value.
SWITCH_KEYS = frozenset({"dataset_name", "force_recalculation", "save_output"})
INJECTED_KEYS = ("use_encryption", "encryption_mode", *INFRASTRUCTURE_KEYS)
_DATASET = "pamola_dataset"
Scope = Literal["row", "aggregate", "table"]
Direct = Literal["IDENTITY", "TRANSFORMATION", "AGGREGATION"]
Indirect = Literal["JOIN", "GROUP_BY", "FILTER", "SORT", "WINDOW", "CONDITIONAL"]
PROGRESS_INTERVAL = 0.1  # seconds: observers are called for progress at most ten times in one of them


def reads(default: Any = attrs.NOTHING) -> Any:
    """A parameter that names the dataset (or the list of datasets) which the operation reads; None means none.

    The plan's order follows from these. Without a default the parameter has to be given.
    """
    return attrs.field(default=default, metadata={_DATASET: "reads"})


def writes(default: Any = attrs.NOTHING, *, internal: bool = False) -> Any:
    """A parameter that names the dataset (or the list of datasets) which the operation writes.

    Args:
        default: A name in which `{input}` means the first dataset read, and `{parameter}` the value of any
            parameter declared before. Type checkers know of it where it is given by keyword.
        internal: The dataset must not be released: it goes to `internal/`, not to `output/`.
    """
    metadata = {_DATASET: "internal" if internal else "writes"}
    if isinstance(default, str) and "{" in default:
        metadata["template"] = template = default

        def resolve(operation: Operation) -> str:
            inputs = operation.input_datasets()
            return template.format_map({"input": inputs[0] if inputs else "", **vars(operation)})

        default = attrs.Factory(resolve, takes_self=True)
    return attrs.field(default=default, metadata=metadata)


@attrs.frozen
class Effect:
    """A column that is read and what follows from it, in the words of OpenLineage's facet `columnLineage` (1.2)."""

    dataset: str  #: the dataset that has the column
    column: str  #: its name
    #: direct: `IDENTITY`, `TRANSFORMATION`, `AGGREGATION` make values of its values; the others decide on values
    kind: Direct | Indirect = "IDENTITY"
    masking: bool = False  #: whether its values are hidden by that: masked, replaced, counted together


@attrs.frozen
class Effects:
    """All that something written follows from: of a dataset each column, and the rows; of an artifact the whole."""

    columns: Mapping[str, Collection[Effect]] = attrs.Factory(dict)  #: by column, in the order of the dataset
    whole: Collection[Effect] = ()  #: decides which rows there are and their order; what an artifact is made of
    optional: Collection[str] = ()  #: columns that may be left out, depending on what their values look like
    needs: Collection[tuple[str, str]] = ()  #: dataset and name of other columns that it needs, or leaves out


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

    version: ClassVar[str] = "1.0"  #: change it when results change: finished steps are run again
    category: ClassVar[str] = "general"  #: the kind of work, to group operations by in lists
    __attrs_attrs__: ClassVar[tuple[Any, ...]] = ()

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
    def scope(self) -> Scope:
        """What a row that it writes follows from, besides the parameters; a class or a property may narrow it.

        `row`: from one row of the first dataset that it reads, and the others whole: reading it in pieces, of whatever
        size, writes the same rows. `aggregate`: also from results of pieces that can be merged, in a pass before.
        `table`: from the whole table.
        """
        return "table"

    @property
    def description(self) -> str:
        """The first line of the class's docstring."""
        return (type(self).__doc__ or "").strip().partition("\n")[0]

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Do the work, with the data, files, log, progress and random numbers of `ctx`. An exception fails the step."""
        raise NotImplementedError(f"{self.name} has no execute(self, ctx)")

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """What each dataset and artifact that it writes follows from, by name; what is not named is unknown.

        Asked before anything runs: from it follow lineage, and checks that the columns which a plan names exist.

        Args:
            columns: Names of the columns of every dataset that it reads. Effects name a column that is missing, too.
        """
        return {}

    def parameters(self) -> dict[str, Any]:
        """The parameters with their values."""
        return {field.name: getattr(self, field.name) for field in attrs.fields(type(self))}

    def input_datasets(self) -> tuple[str, ...]:
        """Names of the datasets that it reads."""
        return self._datasets("reads")

    def output_datasets(self) -> tuple[str, ...]:
        """Names of the datasets that it writes."""
        return self._datasets("writes", "internal")

    def internal_datasets(self) -> tuple[str, ...]:
        """Names of those that it writes and that must not be released."""
        return self._datasets("internal")

    def _datasets(self, *kinds: str) -> tuple[str, ...]:
        fields = [field.name for field in attrs.fields(type(self)) if field.metadata.get(_DATASET) in kinds]
        values = [getattr(self, name, None) for name in fields]
        names = [[v] if isinstance(v, str) else v.values() if isinstance(v, dict) else v or () for v in values]
        return tuple(dict.fromkeys(itertools.chain.from_iterable(names)))

    def run(
        self,
        *,
        data_source: Any,
        task_dir: str | Path,
        reporter: Any = None,
        progress_tracker: Any = None,
        **params: Any,
    ) -> OperationResult:
        """Run this operation alone, without a task; a failure is a result with status ERROR.

        Args:
            data_source: A data source, or a dict of frames.
            task_dir: A folder that becomes the task's directory: what may be released goes to `output/` in it.
            reporter: Receives the operation's beginning and end.
            progress_tracker: Its `update(n)` is called on progress.
            **params: Values for the operation's parameters, for this call only.
        """
        package: Any = sys.modules["pamola_tasks"]  # the kernel's front door, which is above this module
        folder = Path(task_dir).absolute()
        folder.mkdir(0o700, parents=True, exist_ok=True)
        of_source = getattr(data_source, "run", None)
        kernel = package.Kernel(folder, loaded=of_source and of_source.kernel.plugins)
        given = {"data_source": data_source, "task_dir": folder, "reporter": reporter, "params": params}
        result: OperationResult | None = kernel.plugins.first(
            "pamola_run_operation",
            kernel=kernel,
            operation=self,
            arguments={**given, "progress_tracker": progress_tracker},
        )
        if result is None:
            raise kernel.plugins.missing("executor")
        return result


def _names_in(template: str) -> set[str]:
    """The names in braces: `{input}_{field}` gives `input` and `field`."""
    return {re.split(r"[.\[]", name)[0] for _, name, _, _ in string.Formatter().parse(template) if name is not None}


class OperationContext:
    """What an operation may use while it runs: `ctx`. Of the run's services, `run` has those that are not here."""

    config = property(attrgetter("run.config"), doc="The task's configuration.")
    directories = property(attrgetter("run.directories"), doc="The task's directories.")
    reporter = property(attrgetter("run.reporter"), doc="The task's reporter.")

    def __init__(self, run: Any, step: Any, data: Any, staged: Any, report: Callable[..., None]) -> None:
        self.run = run
        self.step = step
        self.data = data
        self.seed = operation_seed(run.record.seed, step.id)  #: this step's own, None where the task has none
        self.logger: logging.LoggerAdapter[logging.Logger] = logging.LoggerAdapter(run.logger, {"step_id": step.id})
        self._staged = staged
        self._report = report
        self._shown = 0.0

    @cached_property
    def rng(self) -> Any:
        """Random numbers from the step's seed: a generator of the data source's library, else a `random.Random`."""
        import random

        generator = getattr(self.run.data_source, "generator", None) or random.Random
        return generator(self.seed)

    @property
    def scratch(self) -> str:
        """A folder of `run.files` for what must wait on the disk while the step runs; removed with the attempt."""
        folder: str = self._staged.expect()
        return folder

    def progress(self, done: float, total: float | None = None, unit: str = "items") -> None:
        """Report how much is done, as often as one likes; shown at most ten times a second."""
        moment = time.monotonic()
        if moment - self._shown >= PROGRESS_INTERVAL or (total is not None and done >= total):
            self._shown = moment
            self._report("progress", done, total, unit)

    def stage(self, name: str) -> None:
        """Begin a stage of the step, which ends the one before: a present participle such as `measuring`."""
        self._shown = 0.0  # what the stage reports first is shown at once
        self._report("stage", str(name))

    def warn(self, message: str) -> None:
        """Warn the user, in log, summary and report."""
        self._staged.warnings.append(str(message))

    def derive_key(self, purpose: str) -> bytes:
        """32 secret bytes for this purpose, from the project's key. When that changes, the step is run again."""
        self._staged.derives = True
        key: bytes = self.run.encryption.derive_key(purpose)
        return key

    def artifact(
        self,
        name: str,
        kind: str,
        description: str = "",
        *,
        category: str = "output",
        tags: Sequence[str] = (),
        group: str = "",
    ) -> AbstractContextManager[IO[bytes]]:
        """Write a file beside the datasets (`with ctx.artifact(…) as file`); it appears when the step has succeeded.

        Args:
            name: Its name without extension.
            kind: Its extension: `json`, `csv`, `png` …
            description: What it is, for people.
            category: `output` for what may be released; `metrics` (what was measured) and `internal` for what must not,
                which go to `internal/`; `dictionary`, to `dictionaries/`; another word, to `output/`.
            tags: To find it by; a JSON file with the tag `charts` has charts for the report under that key.
            group: Name of a group of artifacts that belong together.
        """
        more = {"category": category, "tags": tags, "group": group}
        made: AbstractContextManager[IO[bytes]] = self._staged.artifact(name, kind, description, **more)
        return made


def operation_seed(seed: int | None, step_id: str) -> int | None:
    """A step's own seed: the first four bytes, big endian, of SHA-256 of `seed:step_id`."""
    return None if seed is None else int.from_bytes(hashlib.sha256(f"{seed}:{step_id}".encode()).digest()[:4], "big")


def parameters_for(cls: type[Operation], given: Mapping[str, Any], run: Any) -> dict[str, Any]:
    """What an operation is built with: what `add_operation` was given, and the keys of the task that it has too."""
    own = annotations_of(cls)
    parameters: dict[str, Any] = {}
    for key, value in given.items():
        if key == "use_encryption" and value and not run.config.use_encryption:
            raise ConfigurationError(f"{cls.__name__}: use_encryption belongs to the task, which does not encrypt")
        if key in SERVICE_KEYS or key in INFRASTRUCTURE_KEYS or (key in SWITCH_KEYS and key not in own):
            run.warn(f"{cls.__name__}: {key!r} belongs to the task, not to one of its operations; it was not passed on")
        else:
            parameters[key] = value
    of_task = {key: getattr(run.config, key) for key in INJECTED_KEYS if key in own}
    return of_task | ({"use_cache": False} if "use_cache" in own else {}) | parameters
