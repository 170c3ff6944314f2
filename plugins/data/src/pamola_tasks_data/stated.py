"""What is wrong with the configuration of data, each with the place where it was written."""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from pamola_tasks.parameters import closest
from pamola_tasks_data.directives import format_problem, mark_problem, marks_problem

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import Config, RunServices


def config_problems(config: Config) -> Iterator[str]:
    """Types, formats, marks and encodings that cannot be as they are stated."""
    if config.data_types:
        from pamola_tasks_data.column_types import type_problems

        for misfit in type_problems(config.data_types):
            yield config.problem_at(("data_types", *misfit.path), misfit.message, at_key=misfit.at_key)
    common, settings = ("default_delimiter", "default_quotechar", "default_encoding"), config.plugin("data")
    plain = {key.removeprefix("default_"): config.get(key) for key in common}
    for key, message in _wrong(plain):
        yield config.problem_at((f"default_{key}",), message)
    for key, message in _wrong(_values(settings)):
        yield config.problem_at(("data", key), message)
    inputs = (*config.input_datasets, *config.get("auxiliary_datasets", {}))
    for name, own in settings.datasets.items():
        path = ("data", "datasets", name)
        for key, message in _wrong(_values(own), _values(settings)):
            yield config.problem_at((*path, key), message)
        for key in _unused(own, {**config.get("auxiliary_datasets", {}), **config.input_datasets}.get(name)):
            yield config.problem_at((*path, key), "it has no effect on a file of this format")
        origin = config.origins().get(f"data.datasets.{name}")
        meant = closest(name, inputs) if name not in inputs else None
        if (
            meant and _letters(meant) != _letters(name) and not (origin and origin.layer == "project file")
        ):  # which is for all tasks
            yield config.problem_at(path, f"there is no such dataset: did you mean {meant!r}?", at_key=True)


def unknown_datasets(run: RunServices, plan: Plan) -> Iterator[str]:
    """Datasets that `data_types` names, and neither the task nor a step of it has."""
    config = run.config
    if not config.data_types or plan.deselected:  # a part of a plan has not all datasets
        return
    from pamola_tasks_data.column_types import datasets_named

    of_steps = (name for step in plan for name in (*step.reads, *step.writes))
    known = {*plan.inputs, *config.input_datasets, *config.get("auxiliary_datasets", {}), *of_steps}
    for name in datasets_named(config.data_types):
        keys = (key for key in config.origins() if f"{key}.".startswith(f"data_types.{name}."))
        origin = config.origins().get(next(keys, "data_types"))
        meant = closest(name, known) if name not in known else None
        for_all = origin is not None and origin.layer == "project file"  # for all tasks
        if for_all and meant and _letters(meant) != _letters(name):
            run.warn(f"data_types names {name!r}, a dataset that this task does not have: did you mean {meant!r}?")
        if name not in known and not for_all:
            hint = f"did you mean {meant!r}?" if meant else f"there are {', '.join(sorted(known))}"
            yield config.problem_at(("data_types", name), f"there is no such dataset: {hint}", at_key=True)


def _unused(own: Any, file: Any) -> Iterator[str]:
    """Keys that are stated for a file whose format, by its name, has no use for them; marks are also for its types."""
    from pamola_tasks_data.formats import OWN, UNUSED, Formats

    format = Formats(OWN).told_by(str(file), None) if isinstance(file, str) else ""
    keys = ("sheet",) if format == "csv" else UNUSED.get(format, ())
    yield from (key for key in ("sheet", "delimiter", "quotechar", "encoding") if key in keys and getattr(own, key))


def _letters(name: str) -> str:
    """A name without digits: `people2` may be meant beside `people`."""
    return "".join(character for character in name if not character.isdigit())


def _values(settings: Any) -> dict[str, Any]:
    return {key: getattr(settings, key, None) for key in _KEYS}


_KEYS = ("delimiter", "quotechar", "encoding", "decimal", "thousands", "date_format", "datetime_format")


def _wrong(stated: dict[str, Any], common: dict[str, Any] | None = None) -> Iterator[tuple[str, str]]:
    """What is wrong with values that are stated, some of them for all datasets, by key."""
    for key in ("delimiter", "quotechar"):
        if len(stated.get(key) or ",") != 1:
            yield key, f"expected one character, got {len(stated[key])}"
    if stated.get("delimiter") and stated["delimiter"] == stated.get("quotechar"):
        yield "delimiter", "it is the quote character, too"
    if said := _encoding_problem(stated.get("encoding") or "utf-8"):
        yield "encoding", said
    marks = [stated.get(key) or (common or {}).get(key) or "" for key in ("decimal", "thousands")]
    for key in ("decimal", "thousands"):
        if said := mark_problem(stated.get(key) or ""):
            yield key, said
    if (stated.get("thousands") or stated.get("decimal")) and (said := marks_problem(*marks)):
        yield "thousands" if stated.get("thousands") else "decimal", said
    for key, time in (("date_format", False), ("datetime_format", True)):
        if stated.get(key) and (said := format_problem(stated[key], time=time)):
            yield key, said


def _encoding_problem(name: str) -> str:
    try:
        if codecs.lookup(name)._is_text_encoding:
            return ""
    except (LookupError, ValueError):
        pass
    import difflib
    from encodings import aliases

    spelled = name.lower().replace("-", "_")
    near = difflib.get_close_matches(spelled, {*aliases.aliases, *aliases.aliases.values()}, 1)
    hint = f"did you mean {near[0]!r}?" if near else "use a name like utf-8, cp1252 or iso8859-2"
    return f"there is no encoding {name!r}: {hint}"
