"""The operation that has a language model suggest roles and hierarchies of columns: a draft, which nothing acts on."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping, Sequence
from typing import Any

import attrs
import pandas as pd

from pamola_tasks import Effect, Effects, Operation, OperationContext, OperationResult, reads
from pamola_tasks.errors import DataError

from .addresses import one_line
from .columns_sent import Described, codebook, entries, frequent, is_number, sendable
from .errors import AnswerRefused
from .exchanges import Exchanges
from .prompts import Prompt

ROLES = ("direct identifier", "quasi-identifier", "sensitive", "insensitive")
MOST_COLUMNS = 40  # of one prompt
MOST_LABEL = 60  # characters
_INSTRUCTION = (
    "Each entry of `columns` describes a column of a table about persons. Give for each id its role for anonymization:"
    " `direct identifier` (identifies a person alone), `quasi-identifier` (others can know it, and it identifies"
    " together with more), `sensitive` (worth protecting, unknown to others), or `insensitive`; and the reason in a few"
    " words. For a quasi-identifier of numbers you may give `ranges`: widths of intervals, each a multiple of the one"
    " before. For a quasi-identifier with `codes` or `categories` you may give `groups`: labels of broader groups, each"
    " with the codes or categories in it; every one of them in exactly one group."
)


@attrs.frozen(kw_only=True)
class Suggestion:
    """What is suggested for a column.

    Attributes:
        column: Its name.
        role: One of `ROLES`.
        reason: In the model's words, on one line.
        ranges: Widths of ranges for a hierarchy of numbers.
        groups: By label of a broader group its values.
    """

    column: str
    role: str
    reason: str
    ranges: Sequence[float] = ()
    groups: Mapping[str, Sequence[str]] = attrs.Factory(dict)


class SuggestOperation(Operation):
    """Have a language model suggest the role of each column, and hierarchies: a draft that no run takes by itself.

    Sent are names, types and codebook, and with `llm.level: levels` the frequent categories of the columns in
    `llm.levels`. A name that does not read as one (long, many words, punctuation) is left out. The draft is the
    artifact `<output_prefix>_suggestion` in `internal/`; prompts are kept beside it.

    Args:
        input_dataset: The table.
        codebook_dataset: A table that describes its columns: `column`, and `description`, `value`, `meaning`.
        output_prefix: What artifacts are named by; the table's name unless given.
    """

    input_dataset: str = reads()
    codebook_dataset: str | None = reads(None)
    output_prefix: str | None = None

    version = "1.0"
    category = "metrics"

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Draft and prompts are about all columns; of a codebook its text is sent."""
        whole = [Effect(self.input_dataset, name, "AGGREGATION", masking=True) for name in columns[self.input_dataset]]
        if self.codebook_dataset is not None:
            whole += [Effect(self.codebook_dataset, name) for name in columns[self.codebook_dataset]]
        prefix = self.output_prefix or self.input_dataset
        return {f"{prefix}_suggestion": Effects(whole=whole), f"{prefix}_prompts": Effects(whole=whole)}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Ask, forty columns at a time; check what is said; write the draft."""
        ctx.stage("asking")
        exchanges = Exchanges(ctx)
        schema = ctx.data.schema(self.input_dataset)
        if not schema:
            raise DataError(f"{self.input_dataset} has no columns")
        book = codebook(ctx, self.codebook_dataset) if self.codebook_dataset is not None else {}
        settings = exchanges.settings
        asked = [name for name in schema if settings.level != "schema" and name in settings.levels]
        categories = {
            name: frequent(ctx.data.frame(self.input_dataset, columns=[name]), name, settings.least_records)
            for name in asked
        }
        sent, names = entries(schema, book, categories)
        suggested: list[Suggestion] = []
        not_taken: list[dict[str, str]] = []
        for start in range(0, len(sent), MOST_COLUMNS):
            batch = sent[start : start + MOST_COLUMNS]
            valued = [names[each["id"]] for each in batch if "categories" in each]
            prompt = Prompt(
                instruction=_INSTRUCTION,
                data={"columns": batch},
                level="levels" if valued else "schema",
                columns=valued,
            )
            answer = exchanges.ask(prompt, _schema([each["id"] for each in batch]))
            for each in _once(answer.data["columns"]):
                suggestion, refused = self._checked(ctx, each, names[each["id"]], schema, book, categories)
                suggested.append(suggestion)
                not_taken += [{"column": suggestion.column, "what": what, "why": why} for what, why in refused]
            ctx.progress(min(start + MOST_COLUMNS, len(sent)), len(sent), "columns")
        prefix = self.output_prefix or self.input_dataset
        said = {each.column for each in suggested}
        found: dict[str, Any] = {
            "dataset": self.input_dataset,
            "columns": [attrs.asdict(each) for each in suggested],
            "without_suggestion": [name for name in schema if name not in said],
            "not_taken": not_taken,
            "names_not_sent": sum(not sendable(name) for name in schema),
        }
        with ctx.artifact(
            f"{prefix}_suggestion", "json", "Roles that a language model suggests: a draft", category="internal"
        ) as file:
            file.write(json.dumps({"schema": 1, **found}, indent=2, ensure_ascii=False, allow_nan=False).encode())
        return OperationResult.success({**found, "language_model": exchanges.keep(prefix)})

    def _checked(
        self,
        ctx: OperationContext,
        said: Mapping[str, Any],
        column: str,
        schema: Mapping[str, str],
        book: Mapping[str, Described],
        categories: Mapping[str, Sequence[str]],
    ) -> tuple[Suggestion, list[tuple[str, str]]]:
        """What is said of a column as far as it can be, and the rest with reasons."""
        ranges, groups = said.get("ranges") or (), said.get("groups") or {}
        refused: list[tuple[str, str]] = []
        if (ranges or groups) and said["role"] != "quasi-identifier":
            refused.append(("hierarchy", "only quasi-identifiers are generalized"))
            ranges, groups = (), {}
        if ranges and (why := _wrong_ranges(ranges, schema[column])):
            refused.append(("ranges", why))
            ranges = ()
        if groups:
            known = {*book.get(column, Described()).meanings, *categories.get(column, ())}
            present = ctx.data.frame(self.input_dataset, columns=[column])[column]
            if why := _wrong_groups(groups, known, present):
                refused.append(("groups", why))
                groups = {}
        reason = one_line(said.get("reason", ""), 200)
        return Suggestion(column=column, role=said["role"], reason=reason, ranges=ranges, groups=groups), refused


def _schema(ids: Sequence[str]) -> dict[str, Any]:
    """The form of an answer: nothing but ids that were sent, roles that exist, and drafts of hierarchies."""
    values = {"type": "array", "minItems": 1, "maxItems": 500, "items": {"type": "string", "maxLength": 200}}
    column = {
        "id": {"enum": list(ids)},
        "role": {"enum": list(ROLES)},
        "reason": {"type": "string", "maxLength": 400},
        "ranges": {"type": "array", "maxItems": 8, "items": {"type": "number", "exclusiveMinimum": 0}},
        "groups": {"type": "object", "maxProperties": 100, "additionalProperties": values},
    }
    entry = {"type": "object", "properties": column, "required": ["id", "role"], "additionalProperties": False}
    columns = {"type": "array", "minItems": 1, "maxItems": len(ids), "items": entry}
    return {
        "type": "object",
        "properties": {"columns": columns},
        "required": ["columns"],
        "additionalProperties": False,
    }


def _once(said: Sequence[Mapping[str, Any]]) -> Sequence[Mapping[str, Any]]:
    if len({each["id"] for each in said}) < len(said):
        raise AnswerRefused("the language model's answer gives a column two roles")
    return said


def _wrong_ranges(ranges: Sequence[float], dtype: str) -> str:
    if not is_number(dtype):
        return "the column has no numbers"
    for narrow, wide in itertools.pairwise(ranges):
        if not (wide > narrow and float(wide / narrow).is_integer()):
            return "each width has to be a multiple of the one before"
    return ""


def _wrong_groups(groups: Mapping[str, Sequence[str]], known: set[str], present: pd.Series[Any]) -> str:
    """Why groups are no hierarchy of a column. What it says holds no value."""
    if len(groups) < 2:
        return "a hierarchy needs two groups or more"
    if any(label != one_line(label, MOST_LABEL) or label in ("", "*") for label in groups):
        return "a label is empty, too long or not printable"
    values = [value for each in groups.values() for value in each]
    if len(set(values)) < len(values):
        return "a value is in two groups"
    if strange := len(set(values) - known):
        return f"{strange} of its values are in no codebook and in no list that was sent"
    there = set(present.dropna().astype(str))
    if missing := len(there.difference(values)):
        return f"{missing} of {len(there)} different values of the column are in no group"
    return ""
