"""What a language model suggests of a table's columns, beside what their names and values look like.

The model is asked by the operation `SuggestOperation`, of whichever plugin adds one. Its metrics are `columns`, a list
of `column`, `role`, `reason`, `ranges` and `groups` (by label its values); `not_taken`, a list of `column`, `what` and
`why`; and `language_model` with `model`.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs
import pandas as pd

from pamola_tasks import BaseTask
from pamola_tasks.errors import UsageError

from .assess_task import Table
from .drafting import hierarchy_dataset
from .identifiers import DIRECT, INSENSITIVE, PERSON, QUASI, SENSITIVE

if TYPE_CHECKING:
    from pamola_tasks.protocols import KernelView

_OPERATION = "SuggestOperation"
_PARAMETERS = {
    QUASI: "quasi_identifiers",
    SENSITIVE: "sensitive_attributes",
    DIRECT: "direct_identifiers",
    INSENSITIVE: "insensitive_attributes",
    PERSON: "person",
}
Groups = Mapping[str, Mapping[str, Sequence[str]]]


class SuggestTask(BaseTask):
    """The task that asks the language model.

    Args:
        table: What is asked about.
        codebook: The file that describes its columns, absolute.
    """

    def __init__(self, table: Table, codebook: str | None) -> None:
        inputs = {table.dataset: table.path, **({"codebook": codebook} if codebook else {})}
        types = {table.dataset: dict(table.types)} if table.types else {}
        about = f"Suggest roles of the columns of {table.dataset}"
        super().__init__(f"suggest-{table.dataset}", "assessment", about, input_datasets=inputs, data_types=types)
        self._table, self._codebook = table, "codebook" if codebook else None

    def get_default_config(self) -> dict[str, Any]:
        """How the file is written."""
        reading = dict(self._table.reading)
        return {"data": {"datasets": {self._table.dataset: reading}}} if reading else {}

    def configure_operations(self) -> None:
        """The one step."""
        self.add_operation(
            _OPERATION,
            step={"id": "suggest"},
            input_dataset=self._table.dataset,
            codebook_dataset=self._codebook,
        )


def refuse_without_model(kernel: KernelView, *, alone: bool) -> None:
    """Refuse where no language model can be asked: without a project, which configures it, or without a plugin.

    Raises:
        UsageError: One of these is missing.
    """
    if alone:
        raise UsageError("--llm needs a project, whose configuration names the model: make one with `pamola-task init`")
    if _OPERATION not in set(kernel.operations):
        raise UsageError(f"--llm needs a plugin that adds {_OPERATION}: install pamola-tasks-llm")


@attrs.frozen(kw_only=True)
class Merged:
    """Roles, as a rule proposes or a person states them, with what a language model suggests.

    Attributes:
        model: Its name.
        roles: By column its role.
        reasons: By column why; not of those that a person stated.
        differences: Columns of which rule and model say different things: `column, before, suggested, taken, reason`.
        ranges: By quasi-identifier suggested widths of ranges.
        groups: By quasi-identifier suggested groups of values, by label.
    """

    model: str
    roles: Mapping[str, str]
    reasons: Mapping[str, str]
    differences: list[dict[str, str]]
    ranges: Mapping[str, Sequence[float]]
    groups: Groups

    def parameters(self) -> dict[str, Any]:
        """Parameters of AssessOperation; hierarchies are datasets, as `frames_of` names them."""
        found: dict[str, Any] = {"suggested": dict(self.reasons)}
        for column, role in self.roles.items():
            found.setdefault(_PARAMETERS[role], []).append(column)
        named = {column: hierarchy_dataset(number) for number, column in enumerate(self.groups, start=1)}
        return {**found, "ranges": {name: list(widths) for name, widths in self.ranges.items()}, "hierarchies": named}


def merged(columns: Sequence[Mapping[str, Any]], suggestion: Mapping[str, Any]) -> Merged:
    """Take what is suggested where it protects a column at least as well as before; else keep what there is.

    A role that a person stated stays. So does one that is proposed, unless it is `insensitive`, or the column is
    suggested to be a direct identifier, which is dropped: whatever a model says, no column is protected less.

    Args:
        columns: Those of an assessment, with `column, role, said, reason`.
        suggestion: The metrics of the operation that asked.
    """
    model = str(suggestion["language_model"]["model"])
    said = {each["column"]: each for each in suggestion["columns"]}
    roles: dict[str, str] = {}
    reasons: dict[str, str] = {}
    differences: list[dict[str, str]] = []
    for each in columns:
        name, before = each["column"], each["role"]
        other = said.get(name, {})
        role = other.get("role", before)
        taken = (
            role
            if each["said"] != "stated" and before != PERSON and (before == INSENSITIVE or role == DIRECT)
            else before
        )
        roles[name] = taken
        if each["said"] != "stated":
            reasons[name] = each["reason"] if taken == before else f"suggested by {model}: {other['reason']}"
        if role != before and not (before == PERSON and role == DIRECT):
            difference = {"column": name, "before": before, "suggested": role, "taken": taken}
            differences.append({**difference, "reason": other["reason"]})
    quasi = [name for name, role in roles.items() if role == QUASI and name in said]
    return Merged(
        model=model,
        roles=roles,
        reasons=reasons,
        differences=differences,
        ranges={name: said[name]["ranges"] for name in quasi if said[name].get("ranges")},
        groups={name: said[name]["groups"] for name in quasi if said[name].get("groups")},
    )


def frames_of(groups: Groups) -> dict[str, pd.DataFrame]:
    """Hierarchies as tables in memory: a value, and the label of its group."""
    return {
        hierarchy_dataset(number): pd.DataFrame(_lines(found), columns=["value", "group"], dtype=str)
        for number, found in enumerate(groups.values(), start=1)
    }


def hierarchy_files(groups: Groups, prefix: str) -> dict[str, tuple[str, bytes]]:
    """By column the name and the content of the file of its hierarchy."""
    found = {}
    for number, (column, labels) in enumerate(groups.items(), start=1):
        text = io.StringIO()
        csv.writer(text, delimiter=";", quoting=csv.QUOTE_ALL, lineterminator="\n").writerows(_lines(labels))
        found[column] = (f"{prefix}_{hierarchy_dataset(number)}.csv", text.getvalue().encode())
    return found


def _lines(labels: Mapping[str, Sequence[str]]) -> list[tuple[str, str]]:
    return [(value, label) for label, values in labels.items() for value in values]
