"""The keys of a task's configuration: names, types, fallbacks. The page to read for what may be written.

A fallback acts where no layer says anything. `doc` is shown by `config schema` and in editors.
"""

# ruff: noqa: RUF009  (`_key` gives fields of attrs, made anew for every instance)
from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, Literal, get_args, get_origin

import attrs

from pamola_tasks.parameters import MAPPINGS, annotations_of
from pamola_tasks.protocols import RetrySettings
from pamola_tasks_config.document import KeyPath

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

EncryptionMode = Literal["none", "simple", "age"]
FileAccess = Literal["owner", "group"]
LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def _key(doc: str, fallback: Any, *, minimum: float | None = None, above: float | None = None, kind: Any = None) -> Any:
    metadata = {"doc": doc, "minimum": minimum, "above": above, "kind": kind}
    if isinstance(fallback, type):
        return attrs.field(factory=fallback, metadata=metadata)
    return attrs.field(default=fallback, metadata=metadata)


@attrs.frozen(kw_only=True)
class Scope:
    """What of the data a task is about; operations may ask for it."""

    fields: list[str] = attrs.Factory(list)  #: names of columns
    datasets: list[str] = attrs.Factory(list)  #: names of datasets
    field_groups: dict[str, list[str]] = attrs.Factory(dict)  #: names of columns, by the name of their group


@attrs.define(kw_only=True, slots=False, eq=False)
class TaskKeys:
    """Every key that a task's configuration knows, beside one section per plugin and the task's own parameters."""

    task_id: str = _key("The task's id.", "")
    task_type: str = _key("Kind of task: analysis, profiling, anonymization …", "")
    description: str = _key("Purpose of the task.", "")
    version: str = _key("The task's version.", "1.0.0")
    task_class: str = _key("The class of a task written in Python: module:Class or file.py:Class.", "")
    dependencies: list[str] = _key("Ids of tasks that must have succeeded before.", list)
    input_datasets: dict[str, str] = _key("Files to read, by the name of the dataset.", dict)
    auxiliary_datasets: dict[str, str] = _key("Further files to read, by the name of the dataset.", dict)
    data_types: dict[str, Any] = _key("Types of columns, by dataset: words, or mappings (`type`, `format` …).", dict)
    operations: list[Any] = _key("The steps of a task without a class: operation names with their parameters.", list)
    outputs: list[str] = _key("Further datasets to publish; those that no step reads always are.", list)
    output_format: str = _key("The format of published datasets: csv, parquet.", "csv")
    continue_on_error: bool = _key("Run the other steps when one fails.", False)
    use_encryption: bool = _key("Encrypt everything the run writes that holds data.", False)
    encryption_mode: str = _key("Encryption format; default simple if encryption is on.", "none", kind=EncryptionMode)
    encryption_key_path: str | None = _key("A file that holds the key.", None)
    use_vectorization: bool = _key(
        "Take tables whole that memory_limit_mb has room for, instead of chunk_size rows at a time.", False
    )
    parallel_processes: int = _key("Number of steps that run in parallel.", 1, minimum=1)
    use_dask: bool = _key("Run steps on Dask workers, as --executor dask does (pamola-tasks-dask).", False)
    npartitions: int = _key("Parts that operations with such a parameter divide their work into.", 4, minimum=1)
    chunk_size: int = _key("Rows processed at a time.", 100_000, minimum=1)
    memory_limit_mb: int | None = _key(
        "What a whole table may take in memory (a quarter of the machine's if unset), in MiB.", None, minimum=1
    )
    seed: int | None = _key("Random seed; drawn and recorded if unset.", None)
    log_level: str = _key("Least severe level that is logged.", "INFO", kind=LogLevel)
    scope: Scope = _key("What of the data the task is about.", Scope)
    retry: RetrySettings = _key("How a failing step is retried.", RetrySettings)
    timeout: float | None = _key("Time limit of a step in seconds.", None, above=0)
    lock_timeout: float = _key(
        "Seconds to wait for a history or journal that another program has locked.", 30.0, above=0
    )
    allow_external: bool = _key("Read from the folders in allowed_external_paths.", False)
    allowed_external_paths: list[str] = _key("Folders outside the project that may be read from.", list)
    data_repository: str = _key("The folder of the data, within the project.", "DATA")
    file_access: str = _key(
        "Who may read results and reports; never more than may read the inputs.", "owner", kind=FileAccess
    )
    enable_checkpoints: bool = _key("Record finished steps, and skip them in the next run.", True)
    clean_temp_on_exit: bool = _key("Empty the temp folder when the run ends.", True)
    check_free_space: bool = _key("Refuse to run without enough disk space for the datasets.", True)
    default_encoding: str = _key("The encoding of text files.", "utf-8")
    default_delimiter: str = _key("Column separator of CSV files.", ",")
    default_quotechar: str = _key("Quote character of CSV files.", '"')
    sensitive_patterns: list[str] = _key("Regular expressions of texts to hide in all output.", list)
    locked: list[str] = _key("Keys that only the project file may set. Project file only.", list)
    env_override: bool = _key("Let environment variables override the files. Project file only.", False)
    env_file: str | None = _key("A file of variables in the project, such as .env; none is read unless named.", None)
    strict_config: bool = _key("Refuse parameters that are not keys of the schema.", False)


# Keys that name files, tasks, columns or a choice: what `${env:…}` gives them is shown, as a report is read by it.
SHOWN = frozenset(field.name for field in attrs.fields(TaskKeys)) - frozenset(
    ("description", "task_type", "version", "operations", "sensitive_patterns")
)
# Keys of a project file beside those of a task.
PROJECT_KEYS = ("tasks", "task_defaults", "directory_structure", "task_dir_suffixes")
PROJECT_ONLY = (*PROJECT_KEYS, "locked", "env_override")  # what a task file cannot say
# Keys that sections of a task's own may have too. Any other with a `_`, found within one, was meant for us.
COMMON = frozenset(
    "task_id task_type task_class input_datasets auxiliary_datasets data_types output_format chunk_size log_level"
    " data_repository default_encoding default_delimiter default_quotechar".split()
)
# The folders of every project and of every task: what these sections of the origin may say.
FOLDERS: dict[str, Any] = {
    "directory_structure": {name: name for name in ("raw", "processed", "reports", "logs", "configs")},
    "task_dir_suffixes": ["input", "output", "temp", "logs", "dictionaries"],
}
# Keys of the forerunner that have no effect, and what holds instead.
WITHOUT_EFFECT = {
    "legacy_path_support": "relative paths are always taken from the project's root",
    "mask_sensitive_data": "secrets are always hidden",
    "store_traceback": "tracebacks are kept, with secrets and data hidden",
    "config_save_dir": "configuration is saved in configs/, and only by `config save`",
}
_PERFORMANCE = (
    "chunk_size default_encoding default_delimiter default_quotechar memory_limit_mb use_dask npartitions"
    " parallel_processes use_vectorization"
).split()
# Sections of the forerunner with keys of a task under other names: the names there, and the keys that they mean.
SYNONYMS: dict[str, dict[str, str]] = {
    "performance": {name: name for name in _PERFORMANCE},
    "encryption": {
        "use_encryption": "use_encryption",
        "encryption_mode": "encryption_mode",
        "mode": "encryption_mode",
        "key_path": "encryption_key_path",
        "encryption_key_path": "encryption_key_path",
    },
    "logging": {"level": "log_level", "log_level": "log_level"},
}


@cache
def kinds() -> dict[str, Any]:
    """The type of every key."""
    hints = annotations_of(TaskKeys)
    return {field.name: field.metadata["kind"] or hints[field.name] for field in attrs.fields(TaskKeys)}


@cache
def limits() -> dict[str, tuple[float | None, float | None]]:
    """For keys with one, the least value allowed and the value that must be exceeded."""
    found = {f.name: (f.metadata.get("minimum"), f.metadata.get("above")) for f in attrs.fields(TaskKeys)}
    found |= {"retry.max_retries": (0, None), "retry.backoff": (1, None)}
    found |= {"retry.initial_wait": (0, None), "retry.max_wait": (0, None)}
    return {name: limit for name, limit in found.items() if limit != (None, None)}


def is_section(kind: Any) -> bool:
    """Whether a key holds keys, so that no value (`retry:`) means an empty section."""
    return (isinstance(kind, type) and attrs.has(kind)) or (get_origin(kind) or kind) in MAPPINGS


def kind_at(path: KeyPath, settings: Mapping[str, type]) -> Any:
    """The type of a key, given by its path; `Any` for a task's own parameters."""
    kind: Any = kinds().get(path[0], settings.get(path[0], Any))
    for part in path[1:]:
        if isinstance(kind, type) and attrs.has(kind):
            kind = annotations_of(kind).get(part, Any)
        elif (get_origin(kind) or kind) in MAPPINGS:
            kind = (get_args(kind) or (Any, Any))[1]
        else:
            return Any
    return kind


def json_schema(settings: Mapping[str, type], schema_of: Callable[[Any], dict[str, Any]]) -> dict[str, Any]:
    """The JSON Schema (draft 2020-12) of a task file with the sections of plugins, for editors."""
    schema = schema_of(TaskKeys)
    for field in attrs.fields(TaskKeys):
        own = schema["properties"][field.name]
        own |= schema_of(field.metadata["kind"]) if field.metadata["kind"] else {}
        own["description"] = field.metadata["doc"]
    for name, (minimum, above) in limits().items():
        section, _, key = name.partition(".")
        own = schema["properties"][section]
        own = own["properties"][key] if key else own
        own |= {"minimum": minimum} if minimum is not None else {"exclusiveMinimum": above}
    for name, cls in sorted(settings.items()):
        schema["properties"][name] = {"description": f"Settings of the plugin {name}."} | schema_of(cls)
    _admit_references(schema)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "A task of pamola-tasks"}
    return head | schema | {"additionalProperties": True}


def _admit_references(schema: dict[str, Any]) -> None:
    """Where a number or a switch is wanted, `${env:NAME}` is allowed too."""
    reference = {"type": "string", "pattern": r"^\$\{env:[A-Za-z_][A-Za-z0-9_.-]*\}$"}
    for found in schema.get("properties", {}).values():
        if found.get("type") in ("integer", "number", "boolean"):
            found |= reference | {"type": [found["type"], "string"]}
        elif not any(member.get("type") in (None, "string") for member in found.get("anyOf", [{}])):
            found["anyOf"].append(reference)
        _admit_references(found)
