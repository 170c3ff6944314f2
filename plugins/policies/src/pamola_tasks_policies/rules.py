"""Rules as data: their form, and how a file of them is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import attrs

from pamola_tasks.errors import ConfigurationError

LARGEST = 1 << 20


@attrs.frozen(kw_only=True)
class Model:
    """A privacy model that releases have to meet.

    Attributes:
        name: Its name in the registry, such as `k-anonymity`.
        parameters: Its parameters.
        on: The columns that records are grouped by; the quasi-identifiers that the step states where empty.
        of: The sensitive attributes that it is asked about; those that the step states where empty.
    """

    name: str
    parameters: Mapping[str, Any]
    on: tuple[str, ...] = ()
    of: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class SafeHarbor:
    """What the rule of Safe Harbor needs to know of tables (45 CFR 164.514(b)(2)).

    Attributes:
        zips: Columns of postal codes, beside those whose name says it.
        small_zips: The first three digits of areas with 20,000 or fewer people, by the current census; None if unsaid.
        dates: Columns of dates, beside those that hold some.
        ages: Columns of ages, beside those whose name says it.
        harmless: Columns whose name looks like one of the eighteen categories, and that hold none of them.
    """

    zips: tuple[str, ...] = ()
    small_zips: frozenset[str] | None = None
    dates: tuple[str, ...] = ()
    ages: tuple[str, ...] = ()
    harmless: tuple[str, ...] = ()


@attrs.frozen(kw_only=True)
class Rules:
    """One file of rules.

    Attributes:
        source: The file, or the name of the rule set.
        models: Privacy models that every release meets.
        suppression: Which part of the records may be suppressed at most.
        forbidden_columns: Columns that no release has; `*` is any text, and case does not matter.
        required_operations: Operations that every plan has that releases a table.
        safe_harbor: The rule of Safe Harbor.
    """

    source: str
    models: tuple[Model, ...] = ()
    suppression: float | None = None
    forbidden_columns: tuple[str, ...] = ()
    required_operations: tuple[str, ...] = ()
    safe_harbor: SafeHarbor | None = None


READY = {"hipaa-safe-harbor": Rules(source="hipaa-safe-harbor", safe_harbor=SafeHarbor())}


def read(text: bytes, source: str) -> Rules:
    """The rules of a file: YAML or JSON, of which every scalar is read as text, so that `036` stays a postal code.

    Raises:
        ConfigurationError: It cannot be read, or has an unknown or wrong rule.
    """
    tree = _tree(text, source)
    known: dict[str, Callable[[Any, str], dict[str, Any]]] = {
        "k": lambda node, at: {"models": [_k(node, at)]},
        "l": lambda node, at: {"models": [_l(node, at)]},
        "t": lambda node, at: {"models": [_t(node, at)]},
        "models": lambda node, at: {"models": [_model(each, node[each], f"{at}.{each}") for each in _keys(node, at)]},
        "suppression": lambda node, at: {"suppression": _number(_one(node, at, "max"), f"{at}.max", 0, 1)},
        "forbidden_columns": lambda node, at: {"forbidden_columns": _texts(node, at)},
        "required_operations": lambda node, at: {"required_operations": _texts(node, at)},
        "safe_harbor": lambda node, at: {"safe_harbor": _safe_harbor(node, at)},
    }
    found: dict[str, Any] = {"models": []}
    for key in _keys(tree, source):
        if key not in known:
            raise ConfigurationError(f"{source}: there is no rule {key!r}: there are {', '.join(known)}")
        stated = known[key](tree[key], f"{source}: {key}")
        found["models"] = [*found["models"], *stated.pop("models", ())]
        found |= stated
    return Rules(**{**found, "models": tuple(found["models"])}, source=source)


def _tree(text: bytes, source: str) -> Any:
    import yaml

    if len(text) > LARGEST:
        raise ConfigurationError(f"{source}: a file of rules has at most 1 MiB")
    try:
        decoded = text.decode()
        if any(isinstance(token, yaml.AnchorToken | yaml.AliasToken) for token in yaml.scan(decoded)):
            raise ConfigurationError(f"{source}; anchors and aliases are not used in rules")
        return yaml.load(decoded, Loader=yaml.BaseLoader)  # texts, lists and mappings only
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        place = getattr(error, "problem_mark", None)
        where = f":{place.line + 1}:{place.column + 1}" if place is not None else ""
        raise ConfigurationError(f"{source}{where}: this is neither YAML nor JSON in UTF-8") from None


def _k(node: Any, at: str) -> Model:
    _known(node, at, "min", "on")
    return Model(name="k-anonymity", parameters={"k": _whole(node, at, "min", 2)}, on=_columns(node, at, "on"))


def _l(node: Any, at: str) -> Model:
    _known(node, at, "min", "for", "on")
    wanted = {"l": _whole(node, at, "min", 2)}
    return Model(name="l-diversity", parameters=wanted, on=_columns(node, at, "on"), of=_columns(node, at, "for"))


def _t(node: Any, at: str) -> Model:
    _known(node, at, "max", "for", "on")
    wanted = {"t": _number(_one(node, at, "max", more=("for", "on")), f"{at}.max", 0, 1)}
    return Model(name="t-closeness", parameters=wanted, on=_columns(node, at, "on"), of=_columns(node, at, "for"))


def _model(name: str, node: Any, at: str) -> Model:
    """Any model of the registry; its parameters are numbers or words."""
    _keys(node, at)
    parameters = {key: _guess(value) for key, value in node.items() if key not in ("on", "for")}
    return Model(name=name, parameters=parameters, on=_columns(node, at, "on"), of=_columns(node, at, "for"))


def _safe_harbor(node: Any, at: str) -> SafeHarbor:
    if node in ("", {}):
        return SafeHarbor()
    names = [field.name for field in attrs.fields(SafeHarbor)]
    _known(node, at, *names)
    given: dict[str, Any] = {key: _texts(value, f"{at}.{key}") for key, value in node.items()}
    if "small_zips" in given:
        if wrong := [zip_ for zip_ in given["small_zips"] if not (len(zip_) == 3 and zip_.isdigit())]:
            raise ConfigurationError(f"{at}.small_zips: {wrong[0]!r} is not three digits")
        given["small_zips"] = frozenset(given["small_zips"])
    return SafeHarbor(**given)


# ---------------------------------------------------------------- parts of the tree


def _keys(node: Any, at: str) -> list[str]:
    if not isinstance(node, dict) or not all(isinstance(key, str) for key in node):
        raise ConfigurationError(f"{at}: this has to be a mapping of names")
    return list(node)


def _known(node: Any, at: str, *names: str) -> None:
    if unknown := [key for key in _keys(node, at) if key not in names]:
        raise ConfigurationError(f"{at}: {unknown[0]!r} is unknown; it has {', '.join(names)}")


def _one(node: Any, at: str, key: str, more: tuple[str, ...] = ()) -> Any:
    _known(node, at, key, *more)
    if key not in node:
        raise ConfigurationError(f"{at}: `{key}` is missing")
    return node[key]


def _whole(node: Any, at: str, key: str, least: int) -> int:
    value = _number(_one(node, at, key, more=("for", "on")), f"{at}.{key}", least)
    if value != int(value):
        raise ConfigurationError(f"{at}.{key}: this has to be a whole number")
    return int(value)


def _number(value: Any, at: str, least: float, most: float = float("inf")) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = float("nan")
    if not least <= number <= most or number == float("inf"):
        ends = f"from {least:g} to {most:g}" if most < float("inf") else f"of {least:g} or more"
        raise ConfigurationError(f"{at}: this has to be a number {ends}")
    return number


def _texts(value: Any, at: str) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(each, str) and each for each in value):
        raise ConfigurationError(f"{at}: this has to be a list of names")
    return tuple(value)


def _columns(node: Mapping[str, Any], at: str, key: str) -> tuple[str, ...]:
    return _texts(node[key], f"{at}.{key}") if key in node else ()


def _guess(value: Any) -> Any:
    for kind in (int, float):
        try:
            return kind(value)
        except (TypeError, ValueError):
            continue
    return value
