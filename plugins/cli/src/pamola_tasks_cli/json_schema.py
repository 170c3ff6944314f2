"""JSON Schemas (draft 2020-12) of operations' parameters and plugins' settings, for people and editors."""

from __future__ import annotations

import enum
import typing
from pathlib import Path
from typing import Any

import attrs
import cattrs

from pamola_tasks.parameters import LISTS, MAPPINGS, UNIONS, annotations_of
from pamola_tasks.secret import Secret

_TYPES: dict[Any, str] = {bool: "boolean", int: "integer", float: "number", type(None): "null"}
_TYPES |= dict.fromkeys((str, Path, Secret), "string")
_DEFAULTS = cattrs.Converter(unstruct_collection_overrides={set: list, frozenset: list})
for _kind in (Path, Secret):
    _DEFAULTS.register_unstructure_hook(_kind, str)


def json_schema(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type; of an attrs class, that of its parameters."""
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if kind in _TYPES:
        return {"type": _TYPES[kind]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in UNIONS:
        return {"anyOf": [json_schema(argument) for argument in arguments]}
    if origin in LISTS:
        items = [a for a in arguments if a is not Ellipsis]
        return {"type": "array", **({"items": json_schema(items[0])} if len(items) == 1 else {})}
    if origin in MAPPINGS:
        return {"type": "object", **({"additionalProperties": json_schema(arguments[1])} if arguments else {})}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    return _of_fields(kind) if isinstance(kind, type) and attrs.has(kind) else {}


def _of_fields(cls: type) -> dict[str, Any]:
    hints = annotations_of(cls)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for field in attrs.fields(cls):
        if not field.init:
            continue
        schema = properties[field.alias] = json_schema(hints.get(field.name, Any))
        if field.default is attrs.NOTHING:
            required.append(field.alias)
        elif not isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
            schema["default"] = _DEFAULTS.unstructure(field.default)
        elif "template" in field.metadata:
            schema["default"] = field.metadata["template"]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}
