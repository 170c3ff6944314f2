"""What differs between two runs of a task, fact by fact, from their reports.

Steps are matched by id, datasets by name, columns by name. Whether a change is for the better is said only of figures
of which the field says so, and only where they are about the same in both runs (see `judging`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from pamola_tasks_reports.formatting import is_number
from pamola_tasks_reports.judging import alike, asked_otherwise, direction, group_of, judged, subjects
from pamola_tasks_reports.reading import mapping, rows_by, rows_of, texts, union

SCHEMA = 1
GROUPS = {
    "verdict": "Verdict",
    "claims": "Claims",
    "risk": "Risk",
    "loss": "Loss",
    "rows": "Rows",
    "roles": "Roles of columns",
    "data": "Inputs and outputs",
    "steps": "Steps",
    "settings": "Settings",
    "figures": "Other figures of steps",
    "warnings": "Warnings",
    "versions": "Versions",
}
HIDDEN = "***"  # what a report shows of a secret
_IGNORED = frozenset(("verdict", "roles"))  # of metrics: compared by themselves


@attrs.frozen(kw_only=True)
class Fact:
    """One fact of two runs, by its keys in the report.

    `change` is `same`, `changed`, `new`, `gone`, or `hidden` where both reports hide the value.
    """

    group: str
    path: tuple[str, ...]
    old: Any
    new: Any
    change: str
    step: str = ""
    absolute: float | None = None  #: new less old, of numbers
    relative: float | None = None  #: the same as a share of old, where that is a positive amount
    direction: str = ""  #: `better` or `worse`, where that is known
    where: tuple[str, str] = ("", "")  #: who set it, in each run: layer, file and line


def compare(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    """The comparison of two JSON reports (schema 1) as one document: see `docs/reference/files.md`."""
    facts = [*_verdict(old, new), *_steps(old, new), *_data(old, new), *_settings(old, new), *_versions(old, new)]
    facts += _texts("warnings", "", *(texts(report, "warnings") for report in (old, new)))
    facts += _texts("warnings", "overridden", *(texts(report, "overrides") for report in (old, new)))
    groups = []
    for key, title in GROUPS.items():
        of_group = [fact for fact in facts if fact.group == key]
        if of_group:
            same = sum(fact.change == "same" for fact in of_group)
            shown = [attrs.asdict(fact, filter=attrs.filters.exclude("group")) for fact in of_group]
            groups.append({"key": key, "title": title, "same": same, "facts": shown})
    return {
        "schema": SCHEMA,
        "task": dict(mapping(new, "task")),
        "old": _run(old),
        "new": _run(new),
        "differences": sum(fact.change in ("changed", "new", "gone") for fact in facts),
        "same": sum(fact.change == "same" for fact in facts),
        "hidden": sum(fact.change == "hidden" for fact in facts),
        "subjects": list(subjects(old, new)),
        "groups": groups,
    }


def _run(report: Mapping[str, Any]) -> dict[str, Any]:
    run = mapping(report, "run")
    shown = {key: run.get(key) for key in ("id", "started", "finished", "seconds", "peak_memory_bytes", "host", "user")}
    error = report.get("error") or {}
    kept = {str(output.get("name")): output["kept"] for output in rows_of(report, "outputs") if output.get("kept")}
    return {**shown, "kept": kept, "status": report.get("status"), "error": error.get("message")}


# ---------------------------------------------------------------- kinds of facts


def _verdict(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Fact]:
    told = [mapping(report, "verdict") for report in (old, new)]
    for key in ("verdict", "sentence"):
        judges = key == "verdict" and not any(asked_otherwise(old, new))
        yield from _facts("verdict", *({key: each[key]} if each.get(key) else {} for each in told), judges=judges)
    for key, name in (("reasons", "reason"), ("open_questions", "open question")):
        yield from _texts("verdict", name, *(texts(each, key) for each in told))
    by_dataset = [mapping(each, "datasets") for each in told]
    if max(map(len, by_dataset)) > 1:
        words = [{name: mapping(each, name).get("verdict") for name in each} for each in by_dataset]
        yield from _facts("verdict", *words)


def _steps(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Fact]:
    before, after = (rows_by(rows_of(report, "operations"), "step") for report in (old, new))
    reordered = [step for step in before if step in after] != [step for step in after if step in before]
    if reordered:
        yield from _facts("steps", {"order": [*before]}, {"order": [*after]})
    for step in union(before, after):
        one, other = before.get(step, {}), after.get(step, {})
        both = bool(one and other)
        if not both:
            named_as = [{"operation": each["name"]} if each else {} for each in (one, other)]
            yield from _facts("steps", *named_as, step=step)
        else:
            yield from _facts("steps", *(_of_step(each) for each in (one, other)), step=step)
            places = [_stated(report, step) for report in (old, new)]
            settings = (mapping(each, "settings") for each in (one, other))
            yield from _facts("settings", *settings, step=step, places=places)
        yield from _metrics(step, one, other)
        yield from _roles(step, one, other)
    steps = {*before, *after}
    own = ({k: item for k, item in mapping(report, "metrics").items() if k not in steps} for report in (old, new))
    yield from _facts("figures", *own)


def _of_step(step: Mapping[str, Any]) -> dict[str, Any]:
    """What counts of how a step ended: one that was skipped because nothing changed is the same as when it ran."""
    status = "success" if step.get("status") == "skipped" and step.get("made_by") else step.get("status")
    left_out = {"reason": step["reason"]} if status == "skipped" else {}
    return {"operation": step.get("name"), "version": step.get("version"), "status": status, **left_out}


def _metrics(step: str, one: Mapping[str, Any], other: Mapping[str, Any]) -> Iterator[Fact]:
    """The figures of a step; of a step that only one run has the main ones."""
    old, new = mapping(one, "metrics"), mapping(other, "metrics")
    for key in union(old, new):
        group = group_of(key, {**old, **new})
        if key not in _IGNORED and ((one and other) or group in ("claims", "rows", "loss")):
            facts = ({key: metrics[key]} if key in metrics else {} for metrics in (old, new))
            yield from _facts(group, *facts, step=step, judges=bool(one and other) and judged(key, one, other))


def _roles(step: str, old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Fact]:
    """What each column of a release was taken for, and what was done with it."""
    before, after = (rows_by(rows_of(mapping(each, "metrics"), "roles"), "column") for each in (old, new))
    for column in union(before, after):
        told = [before.get(column, {}), after.get(column, {})]
        roles = (
            {column: f"{each.get('role')} ({each.get('said')}): {each.get('done')}"} if each else {} for each in told
        )
        yield from _facts("roles", *roles, step=step)


def _data(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Fact]:
    for kind in ("input", "output"):
        before, after = (rows_by(rows_of(report, f"{kind}s"), "name") for report in (old, new))
        for name in union(before, after):
            told = [each.get(name, {}) for each in (before, after)]
            locked = any(each.get("encrypted") for each in told)
            hashed = "SHA-256 of the encrypted file" if locked else "SHA-256"
            keys = {
                "path": "file",
                "version": "version",
                "sha256": hashed,
                "rows": "rows",
                "columns": "columns",
                "encryption_mode": "encryption",
            }
            shown = ({f"{kind} {name}": {keys[key]: each[key] for key in keys if each.get(key)}} for each in told)
            yield from _facts("data", *shown)


def _settings(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Fact]:
    """The configuration but for the steps, whose settings are compared step by step, and the seed that was drawn."""
    told = [{key: entry for key, entry in mapping(report, "configuration").items() if isinstance(entry, Mapping)}
            for report in (old, new)]  # fmt: skip
    for key in union(*told):
        if key not in ("operations", "seed"):
            entries = [each.get(key) for each in told]
            values = ({key: entry.get("value")} if entry is not None else {} for entry in entries)
            yield from _facts("settings", *values, places=[{key: _place(entry)} for entry in entries], nested=False)
    yield from _facts("settings", *({"seed": str(mapping(report, "run").get("seed"))} for report in (old, new)),
                      places=[{"seed": _place(each.get("seed"))} for each in told])  # fmt: skip


def _versions(old: Mapping[str, Any], new: Mapping[str, Any]) -> Iterator[Fact]:
    told: list[dict[str, Any]] = []
    for report in (old, new):
        environment = mapping(report, "environment")
        system = {"Python": environment.get("python"), "platform": environment.get("platform")}
        plugins = {f"plugin {plugin.get('name')}": _version(plugin) for plugin in rows_of(report, "plugins")}
        told.append({**system, **mapping(environment, "packages"), **plugins})
    yield from _facts("versions", *told, nested=False)


def _version(plugin: Mapping[str, Any]) -> str:
    status = "" if plugin.get("status") == "loaded" else plugin.get("status")
    return " ".join(str(part) for part in (plugin.get("distribution"), plugin.get("version"), status) if part)


def _texts(group: str, name: str, old: Sequence[Any], new: Sequence[Any]) -> Iterator[Fact]:
    """Sentences, each of which is there or not."""
    for text in union(old, new):
        change = "same" if text in old and text in new else "new" if text in new else "gone"
        there = [text if text in each else None for each in (old, new)]
        yield Fact(group=group, path=(name,), old=there[0], new=there[1], change=change)


# ---------------------------------------------------------------- one fact


def _facts(
    group: str,
    old: Mapping[str, Any],
    new: Mapping[str, Any],
    *,
    step: str = "",
    places: Sequence[Mapping[str, str]] = ({}, {}),
    judges: bool = False,
    nested: bool = True,
) -> Iterator[Fact]:
    """Facts by name. `judges` says that figures are about the same, so that a direction can be told."""
    for key in union(old, new):
        leaves = [dict(_leaves(each[key], (key,), nested)) if key in each else {} for each in (old, new)]
        for path in union(*leaves):
            one, other = leaves[0].get(path), leaves[1].get(path)
            there = [path in each for each in leaves]
            change = "changed" if all(there) else "new" if there[1] else "gone"
            if all(there) and (one == other or (group != "settings" and alike(one, other))):
                change = "hidden" if one == HIDDEN else "same"
            amounts = _amounts(one, other) if change == "changed" else None
            yield Fact(
                group=group,
                path=path,
                step=step,
                old=one,
                new=other,
                change=change,
                absolute=amounts and amounts[1] - amounts[0],
                relative=_relative(*amounts) if amounts and group != "settings" else None,
                direction=direction(group, path, one, other) if judges else "",
                where=(places[0].get(key, ""), places[1].get(key, "")),
            )


def _amounts(old: Any, new: Any) -> tuple[float, float] | None:
    return (old, new) if is_number(old) and is_number(new) else None


def _relative(old: float, new: float) -> float | None:
    return (new - old) / old if old > 0 and new >= 0 else None


def _leaves(item: Any, path: tuple[str, ...], nested: bool) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Nested facts as pairs of path and value; rows of a list that have a name are named by it."""
    if nested and isinstance(item, list) and item and all(isinstance(row, Mapping) for row in item):
        key = next((k for k in ("column", "name", "id") if all(isinstance(r.get(k), str) for r in item)), "")
        rows = {row[key]: {k: v for k, v in row.items() if k != key} for row in item} if key else {}
        item = rows if len(rows) == len(item) else item
    if nested and isinstance(item, Mapping):
        for key, inner in item.items():
            yield from _leaves(inner, (*path, str(key)), nested)
    else:
        yield path, item


# ---------------------------------------------------------------- who set what


def _stated(report: Mapping[str, Any], step: str) -> dict[str, str]:
    """Who set each setting of a step that the configuration states; those of a task class are in its code."""
    entry = mapping(mapping(report, "configuration"), "operations")
    numbers: dict[str, int] = {}
    for stated in rows_of(entry, "value"):
        name = next((str(key) for key, inner in stated.items() if isinstance(inner, Mapping) and key != "retry"), "")
        numbers[name] = number = numbers.get(name, 0) + 1
        if step == (stated.get("id") or (name if number == 1 else f"{name}-{number}")):
            return dict.fromkeys(map(str, mapping(stated, name)), _place(entry))
    return {}


def _place(entry: Mapping[str, Any] | None) -> str:
    """`task file, configs/t_1.yaml:3:4`."""
    if not entry:
        return ""
    layer, place = str(entry.get("layer") or ""), str(entry.get("place") or "")
    return layer if layer == "default" else ", ".join(filter(None, (layer, place)))
