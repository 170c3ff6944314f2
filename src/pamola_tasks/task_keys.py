"""Keys that belong to a task, not to one of its operations: which of them an operation gets, and which it does not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks.parameters import annotations_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.operation import Operation

# A caller of `add_operation` does not pass these on to an operation; it gets some from the task's configuration.
SERVICE_KEYS = frozenset({"data_source", "task_dir", "reporter", "progress_tracker"})
INFRASTRUCTURE_KEYS = ("use_vectorization", "parallel_processes", "use_dask", "npartitions", "chunk_size")
INJECTED_KEYS = ("use_encryption", "encryption_mode", *INFRASTRUCTURE_KEYS)
# These only where the operation has no such parameter.
SWITCH_KEYS = frozenset({"dataset_name", "force_recalculation", "save_output"})


def parameters_for(cls: type[Operation], given: Mapping[str, Any], run: Any) -> dict[str, Any]:
    """What an operation is built with, from what the caller of `add_operation` gave and the configuration of `run`."""
    own = annotations_of(cls)
    parameters: dict[str, Any] = {}
    for key, value in given.items():
        framework = key in SERVICE_KEYS or key in INFRASTRUCTURE_KEYS
        if framework or (key in SWITCH_KEYS and key not in own):
            run.warn(f"{cls.__name__}: {key!r} belongs to the task, not to one of its operations; it was not passed on")
        else:
            parameters[key] = value
    for key in INJECTED_KEYS:
        if key in own and key not in parameters:
            parameters[key] = getattr(run.config, key)
    if "use_cache" in own:
        parameters.setdefault("use_cache", False)
    return parameters
