"""Values as text of a configuration file: whole files for people, and single values to insert into one."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from pamola_tasks.errors import ConfigurationError

_PLAIN_YAML = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.\- ]*[A-Za-z0-9_/.\-]|[A-Za-z]")
_YAML_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


def whole(values: Mapping[str, Any], format: str) -> str:
    """A whole file.

    Args:
        values: What the file says.
        format: `yaml`, `json` or `toml`.

    Raises:
        ConfigurationError: The format has no way to write a value (TOML has no null).
    """
    if format == "json":
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if format == "yaml":
        return _yaml(values, flow=False) if values else ""
    import tomlkit

    try:
        return tomlkit.dumps(values)
    except TypeError:
        raise ConfigurationError("TOML has no null: omit keys without a value") from None


def inline(value: Any, format: str) -> str:
    """A key or value in one line of YAML or JSON."""
    if format == "json":
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _yaml(value, flow=True).removesuffix("...\n").rstrip("\n")


def _yaml(value: Any, *, flow: bool) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes every text that another reader, of YAML 1.1 or 1.2, could take for something else."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_str(self, data: str) -> yaml.ScalarNode:
            plain = _PLAIN_YAML.fullmatch(data) and data.lower() not in _YAML_WORDS
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else '"')

        def represent_list(self, data: Any) -> yaml.SequenceNode:
            nested = any(isinstance(item, list | dict) for item in data)
            return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow or not nested)

    Dumper.add_representer(str, Dumper.represent_str)
    Dumper.add_representer(list, Dumper.represent_list)
    text: str = yaml.dump(
        value, Dumper=Dumper, default_flow_style=flow, sort_keys=False, allow_unicode=True, width=float("inf")
    )
    return text
