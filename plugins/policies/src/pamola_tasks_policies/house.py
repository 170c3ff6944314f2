"""The house rules of a run: read once, held against its plan and its releases, and shown in the report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import ConfigurationError
from pamola_tasks.protocols import ReportSection

from .judging import Finding, forbidden, of_operations, of_table
from .planned import planned_columns
from .rules import READY, Rules, read

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import ReleaseTable, RunServices

_NAMED = ("quasi_identifiers", "sensitive_attributes", "insensitive_attributes")


class House:
    """The service `policies`.

    Args:
        run: The run.

    Raises:
        ConfigurationError: A file of rules is not there, or is none.
    """

    def __init__(self, run: RunServices) -> None:
        self._run = run
        settings = run.config.plugin("policies")
        self.rules = [_read(run, name) for name in dict.fromkeys([*settings.rules, *settings.further])]
        self.findings: list[Finding] = []

    @property
    def measures(self) -> Any:
        """The service that counts privacy models on tables, of another plugin; None where there is none."""
        return getattr(self._run, "privacy_measures", None)

    def problems_of_plan(self, plan: Plan) -> list[str]:
        """What of a plan is against the rules, before anything runs."""
        final = plan.final_datasets(self._run.config.outputs)
        releases = [step for step in plan if set(step.writes) & final - set(step.operation.internal_datasets())]
        if not releases:
            return []
        columns = planned_columns(self._run, plan) if any(rules.forbidden_columns for rules in self.rules) else {}
        found = []
        for rules in self.rules:
            found += [str(each) for each in of_operations({step.name for step in plan}, rules) if not each.met]
            for step in releases:
                named = [name for key in _NAMED for name in getattr(step.operation, key, None) or ()]
                written = [column for name in step.writes if name in final for column in columns.get(name, ())]
                if held := forbidden(dict.fromkeys([*named, *written]), rules):
                    found.append(f"step {step.id} releases {', '.join(held)}, which {rules.source} forbids")
                for model in rules.models:
                    asked = getattr(step.operation, {"k-anonymity": "k", "l-diversity": "l"}.get(model.name, ""), None)
                    least = next(iter(model.parameters.values()), None)
                    if isinstance(asked, int | float) and isinstance(least, int | float) and asked < least:
                        letter = model.name[0]
                        found.append(f"step {step.id} asks for {letter} = {asked}, and {rules.source} for {least}")
        return found

    def problems_of_release(self, tables: Iterable[ReleaseTable]) -> list[str]:
        """What of released tables is against the rules, counted in them."""
        found = [each for table in tables for rules in self.rules for each in of_table(table, rules, self.measures)]
        self.findings += found
        return [str(each) for each in found if each.met is False]

    def fingerprint(self, step: Step) -> dict[str, str]:
        """With rules: what a step that releases a table was held to, so that it runs again when they change."""
        final = any(self._run.plan.is_final(name, self._run.config.outputs) for name in step.writes)
        if not self.rules or not final:
            return {}
        text = json.dumps([attrs.asdict(rules) for rules in self.rules], sort_keys=True, default=sorted)
        return {"house rules": hashlib.sha256(text.encode()).hexdigest()}

    def sections(self) -> list[ReportSection]:
        """The section of the report, where rules hold."""
        if not self.rules:
            return []
        rows = [{**attrs.asdict(each), "met": {True: "met", False: "not met", None: "unknown"}[each.met]}
                for each in self.findings]  # fmt: skip
        facts = {"rules": [rules.source for rules in self.rules], "checked": rows}
        return [ReportSection(key="policies", title="House rules", facts=facts)]


def _read(run: RunServices, name: str) -> Rules:
    if name in READY:
        return READY[name]
    try:
        text = run.files.read(name, "config")
    except FileNotFoundError:
        raise ConfigurationError(
            f"policies.rules: there is no file {name}, and no rule set of that name: there is {', '.join(READY)}"
        ) from None
    return read(text, name)
