"""The answer of a language model: text that is read as data, and is data of the form that was asked for, or refused."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

import attrs

from .errors import AnswerRefused

_FENCED = re.compile(r"\s*```[a-z]*\s*\n(.*)\n\s*```\s*", re.DOTALL)


@attrs.frozen(kw_only=True)
class Answer:
    """What a language model answered.

    Attributes:
        text: The answer as it came.
        data: The same as JSON values, of the form that the schema states.
        model: The model, as the endpoint calls it.
        tokens: Those of prompt and answer, all tries together; None if the endpoint does not count them.
        seconds: How long it took, all tries together.
        sha256: Of what was sent (hex), with `salt` before it.
        salt: Random hex digits, where the prompt holds cells, so that these cannot be guessed from the hash; else
            empty.
    """

    text: str
    data: Any
    model: str
    tokens: int | None
    seconds: float
    sha256: str
    salt: str = ""


def _no_number(text: str) -> NoReturn:
    raise ValueError(text)


def parsed(text: str, schema: Mapping[str, Any]) -> Any:
    """The text of an answer as JSON values; the fence that some models put round it does not count.

    Raises:
        AnswerRefused: It is not JSON, or not of the form that the schema states. The message quotes nothing of it.
    """
    fenced = _FENCED.fullmatch(text)
    try:
        data = json.loads(fenced[1] if fenced else text, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise AnswerRefused("the language model's answer is not JSON") from None
    import jsonschema
    from referencing.jsonschema import EMPTY_REGISTRY  # so that no `$ref` is looked up elsewhere

    validator = jsonschema.Draft202012Validator(schema, registry=EMPTY_REGISTRY)
    try:
        error = next(validator.iter_errors(data), None)
    except RecursionError:
        raise AnswerRefused("the language model's answer is nested too deeply") from None
    if error is not None:
        where = "/".join("…" if isinstance(part, str) else str(part) for part in error.absolute_path)
        at = f" at {where}" if where else ""
        raise AnswerRefused(f"the language model's answer is not of the form asked for: `{error.validator}`{at}")
    return data
