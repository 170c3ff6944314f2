"""What a plan or a released table is held to: one finding for each rule and table."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    from pamola_tasks.protocols import ReleaseTable

    from .rules import Model, Rules


@attrs.frozen(kw_only=True)
class Finding:
    """Whether a table, or a plan, meets a rule.

    Attributes:
        source: The file of rules.
        rule: The rule, in words.
        dataset: The table; empty for a rule on the plan.
        met: Whether it is met; None where that cannot be said.
        found: What was found, in words.
    """

    source: str
    rule: str
    dataset: str
    met: bool | None
    found: str

    def __str__(self) -> str:
        where = f"{self.dataset}: " if self.dataset else ""
        return f"{where}{self.found} (house rule {self.rule} of {self.source})"


def forbidden(names: Collection[str], rules: Rules) -> list[str]:
    """Those of some columns that no release may have."""
    patterns = [pattern.casefold() for pattern in rules.forbidden_columns]
    return [name for name in names if any(fnmatchcase(name.casefold(), pattern) for pattern in patterns)]


def of_operations(operations: Collection[str], rules: Rules) -> Iterator[Finding]:
    """Whether a plan that releases tables has the operations that it has to have."""
    for name in rules.required_operations:
        met = name in operations
        found = f"the plan has {'a' if met else 'no'} step of {name}"
        yield Finding(source=rules.source, rule="required_operations", dataset="", met=met, found=found)


def of_table(table: ReleaseTable, rules: Rules, measures: Any, *, there: bool = True) -> Iterator[Finding]:
    """Whether a released table meets the rules.

    Args:
        table: The table.
        rules: The rules.
        measures: The service `privacy_measures`, or None.
        there: Whether the table can be read: without it, privacy models cannot be counted.
    """
    about: dict[str, Any] = {"source": rules.source, "dataset": table.name}
    if rules.forbidden_columns:
        held = forbidden(table.columns, rules)
        found = f"has {', '.join(held)}" if held else "has no forbidden column"
        yield Finding(**about, rule="forbidden_columns", met=not held, found=found)
    if rules.suppression is not None:
        yield _of_suppression(table, rules.suppression, about)
    for model in rules.models:
        if there:
            yield from _of_model(table, model, measures, about)
        else:
            yield Finding(**about, rule=model.name, met=None, found="the table is no longer as the run left it")
    if rules.safe_harbor is not None:
        from .safe_harbor import breaches

        if not there:
            yield Finding(**about, rule="safe_harbor", met=None, found="the table is no longer as the run left it")
            return
        held = list(breaches(table.frame(None), rules.safe_harbor))
        yield Finding(**about, rule="safe_harbor", met=not held, found="; ".join(held) or "nothing is against it")


def _of_suppression(table: ReleaseTable, most: float, about: Mapping[str, Any]) -> Finding:
    rows, gone = table.metrics.get("rows_in"), table.metrics.get("rows_suppressed")
    if not isinstance(rows, int) or not isinstance(gone, int):
        found = "the step does not say how many records it suppressed"
        return Finding(**about, rule=f"suppression at most {most:g}", met=None, found=found)
    share = gone / max(1, rows)
    found = f"{share:.1%} of the records are suppressed"
    return Finding(**about, rule=f"suppression at most {most:g}", met=share <= most, found=found)


def _of_model(table: ReleaseTable, model: Model, measures: Any, about: Mapping[str, Any]) -> Iterator[Finding]:
    stated = model.on or _listed(table.settings.get("quasi_identifiers"))
    sensitive = model.of or _listed(table.settings.get("sensitive_attributes"))
    asked = f"{model.name} {' '.join(f'{name}={value}' for name, value in model.parameters.items())}".strip()
    if not stated:
        found = "no quasi-identifiers are known: list them in the rule, as `on`"
        yield Finding(**about, rule=asked, met=False, found=found)
        return
    if measures is None:
        found = "no plugin measures privacy models: install pamola-ops-anonymize"
        yield Finding(**about, rule=asked, met=False, found=found)
        return
    grouped = [name for name in stated if name in table.columns]
    asked_of = [name for name in sensitive if name in table.columns]
    frame = table.frame(list(dict.fromkeys([*grouped, *asked_of])) or None)
    for each in measures.measure(frame, grouped, {model.name: model.parameters}, asked_of):
        worst, held = each.worst, each.holds
        if model.name == "k-anonymity" and table.metrics.get("counted") == "persons":
            counted = table.metrics.get("k_measured")  # of persons, whom the table does not show
            worst = min(worst, counted) if worst is not None and isinstance(counted, int) else worst
            held = worst is None or worst >= model.parameters["k"]
        of = f" of {each.column}" if each.column else ""
        said = "no record is released" if worst is None else f"measured {worst:g} on {', '.join(grouped) or 'nothing'}"
        yield Finding(**about, rule=f"{each.words}{of}", met=held, found=said)


def _listed(names: Any) -> Sequence[str]:
    return [str(name) for name in names] if isinstance(names, list | tuple) else []
