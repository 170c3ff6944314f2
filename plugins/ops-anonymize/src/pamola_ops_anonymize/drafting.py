"""A task file drafted from an assessment: every column with a role, and the settings to take, each with the reason."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pamola_tasks.errors import UsageError

from .assess_words import short_reason
from .identifiers import DIRECT, INSENSITIVE, PERSON, QUASI, SENSITIVE

_PARAMETERS = {
    QUASI: ("quasi_identifiers", "together could identify a person: generalized"),
    SENSITIVE: ("sensitive_attributes", "worth protecting: kept as they are"),
    DIRECT: ("direct_identifiers", "identify a person: dropped"),
    PERSON: ("person", "identify the person of a record: k counts persons; dropped"),
    INSENSITIVE: ("insensitive_attributes", "kept as they are"),
}
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(-[A-Za-z0-9_]+)*")
_WORDS_OF_YAML = frozenset("true false null yes no on off y n".split())
_REFERENCE = re.compile(r"\$\{(env|secret):")
_WIDTH = 110


def draft(
    task_id: str,
    assessed: Mapping[str, Any],
    path: str,
    types: Mapping[str, Any],
    reading: Mapping[str, Any],
    heading: Sequence[str],
    hierarchies: Mapping[str, str],
    ranges: Mapping[str, Sequence[float]],
) -> str:
    """The text of a task file that anonymizes the table with the settings of the assessment.

    Args:
        task_id: What the task is called.
        assessed: The metrics of AssessOperation; there is a choice.
        path: The table, as `input_datasets` has it.
        types: The types of columns that are stated.
        reading: How the file is written, as `data.datasets` states it.
        heading: Sentences for the head of the file.
        hierarchies: By quasi-identifier the file of its hierarchy.
        ranges: By quasi-identifier the widths of ranges.

    Raises:
        UsageError: A column's name cannot be written in a configuration.
    """
    referring = [each["column"] for each in assessed["columns"] if _REFERENCE.search(each["column"])]
    if referring:
        raise UsageError(
            f"no task file can name the column {referring[0]!r}, which would refer to something else there: rename it"
        )
    return "\n".join(_lines(task_id, assessed, path, types, reading, heading, hierarchies, ranges)) + "\n"


def _lines(
    task_id: str,
    assessed: Mapping[str, Any],
    path: str,
    types: Mapping[str, Any],
    reading: Mapping[str, Any],
    heading: Sequence[str],
    hierarchies: Mapping[str, str],
    ranges: Mapping[str, Sequence[float]],
) -> Iterator[str]:
    dataset, choice = scalar(assessed["dataset"]), assessed["choice"]
    if choice["settings"]["strategy"] == "suppression":  # which has no use for them
        hierarchies, ranges = {}, {}
    named = {column: hierarchy_dataset(number) for number, column in enumerate(hierarchies, start=1)}
    for said in heading:
        yield from _comment(said, "")
    yield f"task_id: {scalar(task_id)}"
    yield "task_type: anonymization"
    yield f"description: {scalar('Anonymize ' + assessed['dataset'])}"
    yield "input_datasets:"
    yield f"  {dataset}: {scalar(path)}"
    yield from (f"  {named[column]}: {scalar(file)}" for column, file in hierarchies.items())
    if types:
        yield from ("data_types:", f"  {dataset}:")
        yield from (f"    {scalar(name)}: {flow(type_)}" for name, type_ in types.items())
    if reading:
        yield from ("data:", "  datasets:", f"    {dataset}: {flow(reading)}")
    yield from ("", "operations:", "  - AnonymizeOperation:", f"      input_dataset: {dataset}")
    for why in choice["why"]:
        yield from _comment(why, "      ")
    yield from (f"      {name}: {value}" for name, value in choice["settings"].items())
    yield from (f"      {key}: {flow(value)}" for key, value in (("hierarchies", named), ("ranges", ranges)) if value)
    for role, (parameter, meaning) in _PARAMETERS.items():
        columns = [each for each in assessed["columns"] if each["role"] == role]
        if columns:
            protected = (
                ", and no class has a single value of them" if role == SENSITIVE and "l" in choice["settings"] else ""
            )
            yield from _comment(f"{meaning}{protected}", "      ")
            yield f"      {parameter}:"
        for each in columns:
            reason = _printable(short_reason(each))
            why = f"  # proposed: {reason}" if each["said"] == "proposed" else ""
            yield f"        - {scalar(each['column'])}{why}"
    if proposed := [each["column"] for each in assessed["columns"] if each["said"] == "proposed"]:
        yield from _comment(
            "take out what you have confirmed: until then, the verdict asks whether it is right", "      "
        )
        yield f"      unconfirmed: {flow(proposed)}"
    yield from _comment("a column that comes later and looks as if others know it stops the run", "      ")
    yield "      on_unlisted: fail"


def hierarchy_dataset(number: int) -> str:
    """What the dataset of a drafted hierarchy is called."""
    return f"hierarchy_{number}"


def _comment(text: str, indent: str) -> list[str]:
    begin = f"{indent}# "
    return textwrap.wrap(
        _printable(text), _WIDTH, initial_indent=begin, subsequent_indent=begin, break_long_words=False
    )


def _printable(text: str) -> str:
    return "".join(character if character.isprintable() else " " for character in text)


def scalar(text: str) -> str:
    """A text as a YAML scalar: plain where that is safe, else in double quotes."""
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS_OF_YAML:
        return text
    return '"' + "".join(_escaped(character) for character in text) + '"'


def _escaped(character: str) -> str:
    if character in '"\\':
        return f"\\{character}"
    if character.isprintable():
        return character
    return f"\\u{ord(character):04x}" if ord(character) < 0x10000 else f"\\U{ord(character):08x}"


def flow(value: Any) -> str:
    """A value as YAML writes it on one line."""
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{scalar(key)}: {flow(each)}" for key, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(flow, value)) + "]"
    if isinstance(value, bool):
        return "true" if value else "false"
    return scalar(value) if isinstance(value, str) else str(value)
