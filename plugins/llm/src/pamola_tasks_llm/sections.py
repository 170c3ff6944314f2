"""What reports, fingerprints and `doctor` say of language models."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError
from pamola_tasks.protocols import Diagnosis, ReportSection

if TYPE_CHECKING:
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import KernelView, Project, RunServices
    from pamola_tasks.record import RunRecord

_OURS = "pamola-tasks-llm "
_MARKS = re.compile(r"([\\`*_\[\]<>|#~&])")
_KEPT = ("model", "endpoint", "level", "prompts", "usage", "seconds", "sha256")


def fingerprint(run: RunServices, step: Step) -> dict[str, str]:
    """What else a step's result follows from: the model, what it may be sent, and the report that is described."""
    if not step.distribution.startswith(_OURS):
        return {}
    settings: Any = run.config.plugin("llm")
    names = ("endpoint", "model", "level", "levels", "least_records", "max_answer", "temperature")
    parts = {name: str(getattr(settings, name)) for name in names}
    if step.name == "DescribeOperation":
        from .describe import report_of

        try:
            content = report_of(run, step.operation.parameters()["task"])
        except PamolaTaskError:  # the step says so itself
            content = b""
        parts["report"] = hashlib.sha256(content).hexdigest()
    return parts


def sections(record: RunRecord) -> list[ReportSection]:
    """What language models were asked in a run, and descriptions that they wrote; none where there were none."""
    steps = [step for step in record.steps if step.distribution.startswith(_OURS) and step.metrics]
    asked = [
        {"step": step.step, **{name: told.get(name) for name in _KEPT}}
        for step in steps
        if isinstance(told := step.metrics.get("language_model"), dict)
    ]
    found = []
    if asked:
        found.append(ReportSection(key="language_models", title="Language models", facts={"asked": asked}))
    texts = []
    for step in steps:
        if step.operation == "DescribeOperation" and isinstance(step.metrics.get("description"), list):
            texts += [" ".join(_plain(str(each)) for each in step.metrics["description"]), ""]
            texts += [
                "Written by a language model. Every number in it is in the report of run"
                f" {_plain(str(step.metrics.get('run_id')))}; what it says in words was not checked.",
                "",
            ]
    if texts:
        found.append(ReportSection(key="in_plain_words", title="In plain words", text="\n".join(texts)))
    return found


def _plain(text: str) -> str:
    """Literal text in Markdown, on one line."""
    return _MARKS.sub(r"\\\1", " ".join(text.split()))


def diagnose(project: Project | None, kernel: KernelView) -> Iterable[Diagnosis]:
    """Which language model is configured, and what it may be sent; nothing where none is. Nothing is reached."""
    if project is None:
        return
    try:
        settings: Any = kernel.services(upto="config").config.plugin("llm")
    except PamolaTaskError:  # which doctor reports anyway
        return
    if settings.endpoint is None or settings.model is None:
        return
    from .addresses import host_of, is_local

    host, local = host_of(settings.endpoint), is_local(settings.endpoint)
    where = "on this machine" if local else "not on this machine"
    sent = {"schema": "names, types and figures", "levels": f"values of {', '.join(settings.levels) or 'no column'}"}
    said = f"{settings.model} at {host}, {where}, may be sent {sent.get(settings.level, 'records')}"
    yield Diagnosis("ok" if local else "note", "language model", said)
