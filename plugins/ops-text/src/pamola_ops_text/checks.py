"""Parameters, checked when the operation is made, before anything runs."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from pamola_tasks.errors import ParameterError
from pamola_tasks.parameters import unknown_name

from .agreement import ALL
from .entities import DEFAULT, OF_MODELS


def wrong(text: str) -> ParameterError:
    """What is wrong with a parameter, behind the operation's name."""
    return ParameterError(f"RedactTextOperation: {text}")


def some_names(operation: Any, attribute: attrs.Attribute[Any], value: list[str]) -> None:
    """A validator: a list of at least one name, none of them twice."""
    if not value or len(set(value)) < len(value):
        raise wrong(f"`{attribute.name}` has to name at least one, each once")


def share(operation: Any, attribute: attrs.Attribute[Any], value: float) -> None:
    """A validator: a number from 0 to 1."""
    if not 0 <= value <= 1:
        raise wrong(f"`{attribute.name}` has to be a number from 0 to 1, not {value!r}")


def one_character(operation: Any, attribute: attrs.Attribute[Any], value: str | None) -> None:
    """A validator: one character, or nothing."""
    if value is not None and len(value) != 1:
        raise wrong(f"`{attribute.name}` has to be one character, not {value!r}")


def expressions(operation: Any, attribute: attrs.Attribute[Any], value: Mapping[str, Any]) -> None:
    """A validator: for each entity regular expressions, none of which matches nothing."""
    import regex

    for entity, each in value.items():
        for expression in [each] if isinstance(each, str) else each:
            try:
                compiled = regex.compile(expression)
            except regex.error as problem:
                raise wrong(f"`patterns` of {entity}: not a regular expression: {problem}") from None
            if compiled.search("") is not None:
                raise wrong(f"`patterns` of {entity}: {expression!r} also matches the empty text")


def words(operation: Any, attribute: attrs.Attribute[Any], value: Mapping[str, list[str]]) -> None:
    """A validator: for each entity at least one word, none of them blank."""
    for entity, listed in value.items():
        if not listed or not all(each.strip() for each in listed):
            raise wrong(f"`{attribute.name}` of {entity} has to list words, none of them blank")


def regions(operation: Any, attribute: attrs.Attribute[Any], value: list[str] | None) -> None:
    """A validator: countries whose rules for telephone numbers are known, each once; or nothing."""
    if value is None:
        return
    from phonenumbers import SUPPORTED_REGIONS

    some_names(operation, attribute, value)
    if unknown := [name for name in value if name not in SUPPORTED_REGIONS]:
        raise wrong(f"`{attribute.name}` names {unknown[0]!r}: name countries by the two capital letters of ISO 3166-1")


def check(operation: Any) -> None:
    """Refuse parameters that do not fit each other, and entities, languages and models that are not there.

    Raises:
        ParameterError: With what is wrong.
    """
    own = {*operation.patterns, *operation.deny_list, *operation.deny_datasets, *operation.known.values()}
    if odd := sorted(name for name in own if name == ALL or not re.fullmatch(r"[A-Za-z]\w*", name)):
        raise wrong(
            f"{odd[0]!r} cannot be the name of an entity: it is written in texts, so take letters, digits and"
            f" underscores"
        )
    for parameter in ("entities", "context"):
        _known_entities(parameter, getattr(operation, parameter) or (), own)
    wanted = operation.wanted()
    for parameter in ("action", "context"):
        stated = getattr(operation, parameter)
        strange = [name for name in stated if name not in wanted] if isinstance(stated, dict) else []
        if strange:
            raise wrong(f"`{parameter}` names {strange[0]}, which is not looked for: see `entities`")
    if operation.phone_regions is not None and "PHONE_NUMBER" not in operation.searched():
        raise wrong("`phone_regions` does nothing: PHONE_NUMBER is not among `entities`")
    if both := sorted(set(operation.columns) & set(operation.known)):
        raise wrong(f"{both[0]} is both in `columns` and in `known_columns`")
    actions = set(map(operation.action_of, wanted))
    if operation.purpose is not None and "pseudonymize" not in actions:
        raise wrong("`purpose` is for pseudonyms: set `action: pseudonymize`")
    if operation.mask_character is not None and "mask" not in actions:
        raise wrong("`mask_character` does nothing: no entity has `action: mask`")
    if isinstance(operation.model, str) and len(operation.languages) > 1:
        raise wrong("`model` of several languages has to name one for each: {en: …}")
    for language, model in operation.models.items():
        if language not in operation.languages:
            raise wrong(f"`model` names the language {language}, which is not in `languages`")
        if not model.isidentifier() or importlib.util.find_spec(model) is None:
            raise wrong(f"the spaCy model {model} is not installed; nothing is downloaded: install its package first")
    for language in operation.languages:
        if language != "en" and not _is_language(language):
            raise wrong(f"spaCy has no language {language!r}: name it by two letters, such as de")
    needing = [name for name in operation.entities or () if name in OF_MODELS and name not in own]
    if needing and not operation.models:
        raise wrong(
            f"{needing[0]} in `entities` needs a `model`; without one, persons are found by `known_columns`,"
            f" `deny_datasets` and `deny_list`"
        )


def _known_entities(parameter: str, named: Iterable[str], own: set[str]) -> None:
    """Refuse entities that neither Presidio nor the task can find. Presidio is imported only for uncommon ones."""
    others = [name for name in named if name not in {*DEFAULT, *OF_MODELS, *own}]
    if not others:
        return
    from .recognizers import entities_of_patterns

    known = {*OF_MODELS, *entities_of_patterns()}
    for name in others:
        if name not in known:
            raise wrong(f"`{parameter}`: {unknown_name(name, sorted(known | own), 'entity')}")


def _is_language(language: str) -> bool:
    if not (language.isascii() and language.isalpha() and language.islower()):
        return False
    return importlib.util.find_spec(f"spacy.lang.{language}") is not None
