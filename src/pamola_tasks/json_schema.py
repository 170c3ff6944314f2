"""JSON Schemas (draft 2020-12) of parameters and settings, which commands show to people and editors."""

from __future__ import annotations

import enum
import typing
from pathlib import Path
from typing import Any

import attrs

from pamola_tasks.parameters import LISTS, MAPPINGS, UNIONS, annotations_of, converter
from pamola_tasks.secret import Secret

_TYPES: dict[Any, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    Path: "string",
    Secret: "string",
    type(None): "null",
}


def json_schema(cls: type) -> dict[str, Any]:
    """The JSON Schema of an attrs class's parameters."""
    hints = annotations_of(cls)
    properties: dict[str, Any] = {}
    required: list[str] = []
    for field in attrs.fields(cls):
        if not field.init:
            continue
        schema = properties[field.alias] = schema_of(hints.get(field.name, Any))
        if field.default is attrs.NOTHING:
            required.append(field.alias)
        elif not isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
            schema["default"] = converter().unstructure(field.default)
        elif "template" in field.metadata:
            schema["default"] = field.metadata["template"]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


def schema_of(kind: Any) -> dict[str, Any]:
    """The JSON Schema of a type."""
    origin, arguments = typing.get_origin(kind) or kind, typing.get_args(kind)
    if kind in _TYPES:
        return {"type": _TYPES[kind]}
    if origin is typing.Literal:
        return {"enum": list(arguments)}
    if origin in UNIONS:
        return {"anyOf": [schema_of(argument) for argument in arguments]}
    if origin in LISTS:
        items = [a for a in arguments if a is not Ellipsis]
        return {"type": "array", **({"items": schema_of(items[0])} if len(items) == 1 else {})}
    if origin in MAPPINGS:
        return {"type": "object", **({"additionalProperties": schema_of(arguments[1])} if len(arguments) == 2 else {})}
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return {"enum": [member.value for member in kind]}
    return json_schema(kind) if isinstance(kind, type) and attrs.has(kind) else {}
