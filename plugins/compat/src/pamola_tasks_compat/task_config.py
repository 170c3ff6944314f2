"""What scripts ask a task's configuration for beside its keys: the scope, and whether a run with it could work."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks_compat.owners import owned


def get_scope_fields(config: Any) -> list[str]:
    """Columns that the task is about: from its `scope`, else from a parameter `fields`."""
    return config.scope.fields or _listed(config.parameters.get("fields"))


def get_scope_datasets(config: Any) -> list[str]:
    """Datasets that the task is about: from its `scope`, else from a parameter `datasets`."""
    return config.scope.datasets or _listed(config.parameters.get("datasets"))


def get_scope_field_groups(config: Any) -> dict[str, list[str]]:
    """Columns by the name of their group: from its `scope`, else from a parameter `field_groups`."""
    groups = config.scope.field_groups or config.parameters.get("field_groups")
    return {name: _listed(fields) for name, fields in groups.items()} if isinstance(groups, Mapping) else {}


def _listed(value: Any) -> list[str]:
    return [str(item) for item in value] if isinstance(value, list) else []


def validate_task_config(config: Any) -> tuple[bool, list[str]]:
    """Whether a run with a configuration could work, and every reason why not. Changes nothing.

    Args:
        config: A `TaskConfig`.
    """
    errors = [f"{key}: is not set" for key in ("task_id", "task_type") if not getattr(config, key)]
    errors += owned("config", "pamola_tasks_config.task_config", "contradictions")(config)
    if config.use_encryption and not _has_key_source(config):
        errors.append(
            "use_encryption: is on, and there is no key: set PAMOLA_KEY_FILE, PAMOLA_KEY or encryption_key_path,"
            " or make one with `pamola-task keys init`"
        )
    return not errors, errors


def _has_key_source(config: Any) -> bool:
    """Whether a key is named anywhere that can be seen without opening it, or the encryption service finds one."""
    if config.encryption_key_path or any(os.environ.get(f"PAMOLA_{n}") for n in ("KEY", "KEY_FILE", "PASSPHRASE")):
        return True
    try:
        return bool(config.service("encryption", encryption_mode=config.encryption_mode).enabled)
    except PamolaTaskError:
        return False
