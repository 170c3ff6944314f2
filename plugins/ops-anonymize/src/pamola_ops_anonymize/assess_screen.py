"""An assessment on one screen, the most important first."""

from __future__ import annotations

import shutil
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import click

from .assess_words import (
    by_role,
    costs,
    lost_where,
    not_measured,
    proposal,
    questions,
    risks,
    sentence_of,
    share,
    short_reason,
)

if TYPE_CHECKING:
    from pamola_tasks.protocols import CommandLine

_MOST_ROWS = 30
_WIDEST = 100


def show(
    cli: CommandLine,
    assessed: Mapping[str, Any],
    left: Mapping[str, Any],
    file: str,
    *,
    alone: bool = False,
    why_not: str = "",
) -> None:
    """Print an assessment.

    Args:
        cli: Where to.
        assessed: The metrics of AssessOperation.
        left: The report and the draft, where there are any.
        file: The name of the table's file.
        alone: Whether there is no project.
        why_not: Why no configuration was drafted.
    """
    out = cli.out
    columns: Sequence[Mapping[str, Any]] = assessed["columns"]
    out.heading(f"{file}: {_many(assessed['rows'], 'record')}, {_many(len(columns), 'column')}")
    _paragraph(cli, sentence_of(assessed))
    click.echo()
    _columns(cli, columns)
    for title, rows in (("Risk of re-identification", risks(assessed)), ("Open questions", questions(assessed))):
        if rows:
            click.echo()
            out.heading(title)
            for each in rows:
                _paragraph(cli, each, "  ", "    ")
    _costs(cli, assessed)
    click.echo()
    facts = [("draft", left["draft"] or why_not)] if left["draft"] or why_not else []
    if left["draft"]:
        task_id = left["draft"].rpartition("/")[2].removesuffix(".yaml")
        facts.append(("run it", f"{out.program()} run {task_id}"))
    if left["report"]:
        facts.append(("page", left["report"]))
    if alone:
        facts.append(
            ("written", f"nothing, outside of a project; `{out.program()} init` makes one, for page and draft")
        )
    out.facts(facts)


def show_suggested(cli: CommandLine, assessed: Mapping[str, Any], suggested: Mapping[str, Any]) -> None:
    """Print what a language model suggests, and what it would cost, beside what the rule proposes.

    Args:
        cli: Where to.
        assessed: The metrics of AssessOperation with the roles of the rule.
        suggested: What the command found: `model, roles, not_taken, assessment, draft, no_draft, report`.
    """
    out = cli.out
    click.echo()
    out.heading(f"Suggested by the language model {suggested['model']}: a draft, for a person to judge")
    rows = [
        (each["column"], each["before"], each["suggested"], each["taken"], each["reason"])
        for each in suggested["roles"]
    ]
    if rows:
        out.print_table(rows[:_MOST_ROWS], ("column", "before", "suggested", "taken", "why"), narrow="column")
        _paragraph(cli, "Taken is what protects a column no less than before.", "  ", "  ")
    else:
        _paragraph(cli, "It suggests the same roles.", "  ", "  ")
    for each in suggested["not_taken"][:_MOST_ROWS]:
        _paragraph(cli, f"{each['column']}: {each['what']} not taken: {each['why']}", "  ", "    ")
    both = (("without it", assessed), ("with it", suggested["assessment"]))
    out.print_table([(said, *_measured(told)) for said, told in both], ("", "quasi-identifiers", "at risk", "loss"))
    facts = (
        [("draft", suggested["draft"] or suggested["no_draft"])] if suggested["draft"] or suggested["no_draft"] else []
    )
    out.facts([*facts, *([("page", suggested["report"])] if suggested["report"] else [])])


def _measured(told: Mapping[str, Any]) -> tuple[str, str, str]:
    quasi = ", ".join(told.get("quasi_identifiers") or ()) or "none"
    at_risk = share(told["prosecutor"]["share_at_risk"]) if "prosecutor" in told else "–"
    choice = told.get("choice")
    return quasi, at_risk, f"{share(choice['loss'])} at k = {choice['settings']['k']}" if choice else "–"


def _many(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'' if count == 1 else 's'}"


def _columns(cli: CommandLine, columns: Sequence[Mapping[str, Any]]) -> None:
    ordered = by_role(columns)
    rows = [
        (
            each["column"],
            each["taken_for"],
            "" if each["distinct"] is None else f"{each['distinct']:,}",
            each["role"],
            short_reason(each),
        )
        for each in ordered[:_MOST_ROWS]
    ]
    cli.out.print_table(rows, ("column", "read as", "values", "role", "why"), narrow="column")
    if len(ordered) > _MOST_ROWS:
        click.echo(f"… and {len(ordered) - _MOST_ROWS:,} more: the page and --json have all")


def _costs(cli: CommandLine, told: Mapping[str, Any]) -> None:
    headers, rows = costs(told)
    if rows:
        click.echo()
        cli.out.heading("What k costs")
        _paragraph(cli, lost_where(told), "  ", "  ")
        cli.out.print_table(rows, headers)
    for each in not_measured(told):
        _paragraph(cli, each, "  ", "    ")
    if told.get("choice"):
        click.echo()
        cli.out.heading(proposal(told["choice"]))
        for why in told["choice"]["why"]:
            _paragraph(cli, why, "  ", "    ")


def _paragraph(cli: CommandLine, text: str, first: str = "", other: str = "") -> None:
    for line in _wrapped(cli.out.visible(text), first, other):
        click.echo(line)


def _wrapped(text: str, first: str, other: str) -> Iterator[str]:
    width = min(shutil.get_terminal_size((_WIDEST, 24)).columns, _WIDEST)
    yield from textwrap.wrap(
        text, width, initial_indent=first, subsequent_indent=other, break_long_words=False, break_on_hyphens=False
    )
