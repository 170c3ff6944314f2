"""Entry point of the pack: operations, the hook for privacy models and the models, services, `budget`."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from pamola_tasks import Command, Service, hookimpl

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan, Step
    from pamola_tasks.protocols import Config, Diagnosis, KernelView, Project, ReportSection, RunServices
    from pamola_tasks.record import OperationResult

    from .identifiers import Identifiers
    from .privacy_measures import PrivacyMeasures
    from .privacy_records import PrivacyRecords

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_hooks(add: Callable[[Any], None]) -> None:
    from . import hookspecs

    add(hookspecs)


@hookimpl
def pamola_add_services() -> dict[str, Service]:
    pack, default = "pamola_ops_anonymize", "pamola-ops-anonymize"
    return {
        "identifiers": Service(f"{pack}.identifiers:Identifiers", after="config", default=default),
        "privacy_measures": Service(f"{pack}.privacy_measures:PrivacyMeasures", after="config", default=default),
        "privacy_records": Service(f"{pack}.privacy_records:PrivacyRecords", after="encryption", default=default),
    }


@hookimpl(trylast=True)
def pamola_provide_identifiers(run: RunServices) -> Identifiers:
    from .identifiers import ByNamesAndValues

    return ByNamesAndValues()


@hookimpl(trylast=True)
def pamola_provide_privacy_records(run: RunServices) -> PrivacyRecords:
    from .privacy_records import PrivacyRecords

    return PrivacyRecords(run)


@hookimpl(trylast=True)
def pamola_provide_privacy_measures(run: RunServices) -> PrivacyMeasures:
    from .privacy_measures import PrivacyMeasures

    return PrivacyMeasures(run)


@hookimpl
def pamola_add_settings() -> str:
    return "pamola_ops_anonymize.settings:AnonymizeSettings"


@hookimpl
def pamola_check_config(config: Config) -> list[str]:
    """Privacy budgets and populations that are not stated by the project file."""
    origins = config.origins() if hasattr(config, "origins") else {}
    return [
        config.problem_at(key.split("."), f"only the project file states it, not the {origin.layer}", at_key=True)
        for key, origin in origins.items()
        if key.startswith(("ops-anonymize.budgets.", "ops-anonymize.populations."))
        and origin.layer not in ("project file", "default")
    ]


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    assess = "Assess a table: who is unique in it, what k-anonymity would cost; and draft a configuration."
    explore = "Measure a grid of settings of a task by risk and loss, and take one."
    budget = "Show the privacy budgets of the project and what is left of them."
    releases = "List the project's releases, or withdraw one that was never handed out."
    return {
        "assess": Command("pamola_ops_anonymize.assess_command:command", help=assess),
        "explore": Command("pamola_ops_anonymize.explore_command:command", help=explore),
        "budget": Command("pamola_ops_anonymize.budget_command:command", help=budget, writes=False),
        "releases": Command("pamola_ops_anonymize.releases_command:command", help=releases),
    }


@hookimpl
def pamola_add_functions() -> dict[str, str]:
    return {name: f"pamola_ops_anonymize.functions:{name}" for name in ("anonymize", "assess", "risk")}


@hookimpl
def pamola_add_diagnoses(project: Project | None, kernel: KernelView, data: bool) -> Iterator[Diagnosis]:
    """A ledger of privacy budgets, or a register of releases, that is missing, damaged or an older one."""
    if project is not None:
        from .privacy_records import diagnoses

        yield from diagnoses(kernel)


@hookimpl
def pamola_add_report_sections(run: RunServices) -> list[ReportSection]:
    """What assessments found, and what the terms in reports of the pack's steps mean."""
    if not any(step.distribution.startswith("pamola-ops-anonymize ") for step in run.record.steps):
        return []
    from pamola_tasks.protocols import ReportSection

    from .assess_section import sections  # of pandas, which no other run has to import
    from .glossary import TERMS

    return [*sections(run.record), ReportSection(key="privacy_terms", title="Terms", facts={"glossary": TERMS})]


@hookimpl
def pamola_add_privacy_models() -> dict[str, str]:
    return {
        "k-anonymity": "pamola_ops_anonymize.privacy_models:KAnonymity",
        "k-map": "pamola_ops_anonymize.privacy_models:KMap",
        "delta-presence": "pamola_ops_anonymize.privacy_models:DeltaPresence",
        "l-diversity": "pamola_ops_anonymize.privacy_models:LDiversity",
        "t-closeness": "pamola_ops_anonymize.privacy_models:TCloseness",
        "delta-disclosure": "pamola_ops_anonymize.privacy_models:DeltaDisclosure",
        "alpha-k-anonymity": "pamola_ops_anonymize.frequency_models:AlphaKAnonymity",
        "beta-likeness": "pamola_ops_anonymize.frequency_models:BetaLikeness",
    }


@hookimpl(trylast=True)
def pamola_modify_plan(run: RunServices, plan: Plan) -> None:
    from .cells_as_text import read_as_text
    from .purposes import warn_of_other_purposes
    from .unlisted import pass_on_roles

    pass_on_roles(plan)
    read_as_text(run, plan)
    warn_of_other_purposes(run, plan)


@hookimpl
def pamola_add_fingerprint_parts(run: RunServices, step: Step) -> dict[str, str]:
    treated = getattr(step.operation, "treated_before", ())
    parts = {"columns that earlier steps treat": ", ".join(sorted(treated))} if treated else {}
    libraries = getattr(step.operation, "libraries", None)  # whose versions change what the step writes
    return parts | (libraries() if libraries is not None else {})


@hookimpl
def pamola_on_step_finished(run: RunServices, step: Step, result: OperationResult) -> None:
    """Enter into the register of releases whether a release was published."""
    if step.name == "AnonymizeOperation" and getattr(step.operation, "register", False) is not False:
        from .register import register_of

        register_of(run).finish(run.record.run_id, step.id, published=not result.failed)


@hookimpl
def pamola_check_plan(run: RunServices, plan: Plan) -> Iterator[str]:
    for step in plan:
        if step.name == "AnonymizeOperation" and getattr(step.operation, "models", None):
            from .asked_models import problems_of_models

            yield from problems_of_models(run, step)
        if getattr(step.operation, "hierarchies", None) and step.distribution.startswith("pamola-ops-anonymize "):
            from .hierarchy_checks import problems_of_hierarchies

            yield from problems_of_hierarchies(run, step)


@hookimpl
def pamola_add_operations() -> dict[str, str]:
    return {
        "AnonymizeOperation": "pamola_ops_anonymize.anonymize:AnonymizeOperation",
        "AssessOperation": "pamola_ops_anonymize.assess:AssessOperation",
        "AttackOperation": "pamola_ops_anonymize.attack:AttackOperation",
        "DropOperation": "pamola_ops_anonymize.dropping:DropOperation",
        "GeneralizeOperation": "pamola_ops_anonymize.generalizing:GeneralizeOperation",
        "HoldOutOperation": "pamola_ops_anonymize.holding_out:HoldOutOperation",
        "MaskOperation": "pamola_ops_anonymize.masking:MaskOperation",
        "NoiseOperation": "pamola_ops_anonymize.noise:NoiseOperation",
        "PrivateStatisticsOperation": "pamola_ops_anonymize.private_statistics:PrivateStatisticsOperation",
        "PseudonymizeOperation": "pamola_ops_anonymize.pseudonymizing:PseudonymizeOperation",
        "ReidentifyOperation": "pamola_ops_anonymize.reidentifying:ReidentifyOperation",
        "RiskOperation": "pamola_ops_anonymize.risk:RiskOperation",
        "SuppressOperation": "pamola_ops_anonymize.suppressing:SuppressOperation",
        "TopBottomCodeOperation": "pamola_ops_anonymize.coding:TopBottomCodeOperation",
        "UtilityOperation": "pamola_ops_anonymize.utility:UtilityOperation",
    }
