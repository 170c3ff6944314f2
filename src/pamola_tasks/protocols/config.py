"""The configuration of a task, what it is merged from, and where each value came from."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

import attrs

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


class Config(Protocol):
    """The merged, typed configuration of one task (`TaskConfig` of the config plugin).

    Every key of the schema is an attribute of that name; a task's own parameters are attributes too. A key that no
    layer states has the default of the reference; `encryption_mode` is `none`, but `simple` where `use_encryption` is
    on. A `RawValue` in a layer is text that is still to be read.
    """

    task_id: str
    task_type: str
    description: str
    version: str
    dependencies: list[str]
    input_datasets: dict[str, str]
    auxiliary_datasets: dict[str, str]
    data_types: dict[str, Any]
    operations: list[Any]
    outputs: list[str]
    output_format: str
    continue_on_error: bool
    use_encryption: bool
    encryption_mode: str
    encryption_key_path: str | None
    parallel_processes: int
    chunk_size: int
    seed: int | None
    log_level: str
    timeout: float | None
    allow_external: bool
    allowed_external_paths: list[str]
    data_repository: str
    enable_checkpoints: bool
    check_free_space: bool

    @property
    def retry(self) -> RetrySettings:
        """How steps are retried."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a dotted key, or the default."""

    def plugin(self, name: str) -> Any:
        """A plugin's own section, as an instance of the class that it gave with `pamola_add_settings`."""

    def problem_at(self, path: Sequence[str | int], message: str, *, at_key: bool = False) -> str:
        """A message about a value, or about its key, with the place where that was written.

        `path` has keys, and numbers of list items from 0: `("operations", 0, "parameters", "k")`.
        """

    def origins(self) -> Mapping[str, Origin]:
        """For every dotted key, who won and who was overridden; secrets as `Secret`."""

    def to_dict(self) -> dict[str, Any]:
        """All values, nested, with secrets as `***`."""


class RawValue(str):
    """A value as it was typed on the command line. The configuration reads it, as YAML 1.2."""

    __slots__ = ()


@attrs.frozen(kw_only=True)
class RetrySettings:
    """How a failing step is retried.

    Attributes:
        max_retries: Attempts after the first.
        backoff: Factor by which each wait is longer than the one before.
        initial_wait: Seconds before the first retry.
        max_wait: The longest wait, in seconds.
        jitter: Whether waits are multiplied by a random factor in [0.75, 1.25].
        on: Names of exception classes that are retried beside the transient ones.
    """

    max_retries: int = 3
    backoff: float = 2.0
    initial_wait: float = 1.0
    max_wait: float = 60.0
    jitter: bool = True
    on: list[str] = attrs.Factory(list)


@attrs.frozen(kw_only=True)
class ConfigLayer:
    """One layer of configuration values."""

    name: str  #: what people call it: `command line`, `task file`, `project file`, `task class`, `environment`
    rank: int  #: 100 to 500; the higher overrides the lower
    origin: str  #: where it comes from: a file name relative to the project, a class, `--set`
    values: Mapping[str, Any]  #: nested values, by key
    #: for dotted keys, the place within the origin, such as `configs/t_1.yaml:12:8`
    places: Mapping[str, str] = attrs.Factory(dict)


@attrs.frozen(kw_only=True)
class Origin:
    """Where the value of a key came from, and which layers it overrides."""

    value: Any
    layer: str
    place: str
    overridden: tuple[Origin, ...] = ()
