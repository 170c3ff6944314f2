"""Values as text of a configuration file: whole files for people, and single values to put into one."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from typing import Any

from pamola_tasks.errors import ConfigurationError

_PLAIN_YAML = re.compile(r"[A-Za-z_/.][A-Za-z0-9_/.\- ]*[A-Za-z0-9_/.\-]|[A-Za-z]")
_YAML_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))
_BARE_TOML = re.compile(r"[A-Za-z0-9_-]+")


def whole(values: Mapping[str, Any], format: str) -> str:
    """A whole file.

    Args:
        values: What the file says.
        format: `yaml`, `json` or `toml`.
    """
    if format == "json":
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if format == "toml":
        return "".join(f"{key_text(key, 'toml')} = {inline(value, 'toml')}\n" for key, value in values.items())
    return "".join(_yaml_block(values, 0))


def key_text(key: str, format: str) -> str:
    """A key as it is written."""
    if format == "json":
        return json.dumps(key, ensure_ascii=False)
    if format == "toml":
        return key if _BARE_TOML.fullmatch(key) else _quoted(key)
    return _yaml_text(key)


def inline(value: Any, format: str) -> str:
    """A value in one line.

    Raises:
        ConfigurationError: The format has no way to write it (TOML has no null).
    """
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        if format == "toml":
            raise ConfigurationError("TOML has no null: a key without a value is left out of the file")
        return "null"
    if isinstance(value, int):
        return str(value)
    if isinstance(value, float):
        if not math.isfinite(value):
            raise ConfigurationError("a configuration file holds finite numbers only")
        return _float(value)
    if isinstance(value, Mapping):
        if format == "toml":
            items = ", ".join(f"{key_text(k, format)} = {inline(v, format)}" for k, v in value.items())
            return f"{{ {items} }}" if items else "{}"
        separator = ": "
        return "{" + ", ".join(f"{key_text(k, format)}{separator}{inline(v, format)}" for k, v in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(inline(item, format) for item in value) + "]"
    if not isinstance(value, str):
        raise ConfigurationError(f"a {type(value).__name__} cannot be written to a configuration file")
    return _yaml_text(value) if format == "yaml" else _quoted(value)


def _float(value: float) -> str:
    """Digits that every one of the formats reads as a decimal number again."""
    text = repr(value)
    mantissa, exponent, power = text.partition("e")
    return f"{mantissa if '.' in mantissa else mantissa + '.0'}{exponent}{power}"


def _quoted(text: str) -> str:
    """Text in double quotes, with the escapes that JSON, YAML and TOML share."""
    quoted = json.dumps(text, ensure_ascii=False)
    # DEL, C1 controls and line separators are allowed in JSON text, but not in the others.
    return re.sub(r"[\x7f-\x9f\u2028\u2029\ufeff]", lambda match: f"\\u{ord(match[0]):04x}", quoted)


def _yaml_text(text: str) -> str:
    if _PLAIN_YAML.fullmatch(text) and text.lower() not in _YAML_WORDS and not text.startswith((".", "---")):
        return text
    return _quoted(text)


def _yaml_block(values: Mapping[str, Any], indent: int) -> list[str]:
    lines: list[str] = []
    blank = " " * indent
    for key, value in values.items():
        name = f"{blank}{key_text(key, 'yaml')}:"
        if isinstance(value, Mapping) and value:
            lines += [f"{name}\n", *_yaml_block(value, indent + 2)]
        elif isinstance(value, list) and any(isinstance(item, Mapping | list) for item in value):
            lines.append(f"{name}\n")
            for item in value:
                lines += _yaml_item(item, indent + 2)
        else:
            lines.append(f"{name} {inline(value, 'yaml')}\n")
    return lines


def _yaml_item(item: Any, indent: int) -> list[str]:
    blank = " " * indent
    if isinstance(item, Mapping) and item:
        first, *rest = _yaml_block(item, indent + 2)
        return [f"{blank}- {first[indent + 2 :]}", *rest]
    return [f"{blank}- {inline(item, 'yaml')}\n"]
