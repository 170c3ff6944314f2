"""The operation that has a language model say a report in plain words, and refuses numbers that are not in it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks import Effects, Operation, OperationContext, OperationResult
from pamola_tasks.errors import DependencyMissingError, ParameterError, ReportingError

from .addresses import one_line
from .errors import AnswerRefused
from .exchanges import Exchanges
from .figures import Figures, figures_of
from .numerals import languages, unfounded
from .prompts import Prompt

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices

MOST_SENTENCES = 20
MOST_CHARACTERS = 600  # of a sentence
_MOST_BYTES = 64 << 20  # of a report
_INSTRUCTION = (
    "The data are figures of a report on a table about persons, and `language`, a language code. Explain in that"
    " language, to readers who know neither statistics nor privacy models, what was done and what the figures mean, in"
    " at most {most} short sentences. Write every number with digits, and only numbers that are among the figures:"
    " compute none, count nothing, number no sentences. A share such as 0.2 may be written as 20 %. `refused` lists"
    " what an earlier answer stated without it being in the report."
)
_SCHEMA = {
    "type": "object",
    "properties": {
        "sentences": {
            "type": "array",
            "minItems": 1,
            "maxItems": MOST_SENTENCES,
            "items": {"type": "string", "minLength": 1, "maxLength": MOST_CHARACTERS},
        }
    },
    "required": ["sentences"],
    "additionalProperties": False,
}


def _a_language(operation: Any, attribute: attrs.Attribute[Any], value: str) -> None:
    if value not in languages():
        raise ParameterError(
            f"DescribeOperation: `language: {value}` is not known: numbers can be checked in {', '.join(languages())}"
        )


class DescribeOperation(Operation):
    """Have a language model say in plain words what the report of a task says.

    Sent are counts and measures by name, names of steps and of quasi-identifiers; no cell, no minimum, no message.
    Every number of the answer, in digits or in words, has to be in the report, else the answer is refused and asked for
    again; after `llm.retries` the step fails. What words claim without a number is not checked. The text is the
    artifact `<output_prefix>_description` in `internal/`, and a section of this task's report.

    Args:
        task: The task whose newest report is described.
        language: Of the text: `en`, `de`, `fr` … as num2words names it.
        output_prefix: What artifacts are named by; `task` unless given.
    """

    task: str
    language: str = attrs.field(default="en", validator=_a_language)
    output_prefix: str | None = None

    version = "1.0"
    category = "metrics"

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """A report holds measures; no dataset is read."""
        prefix = self.output_prefix or self.task
        return {f"{prefix}_description": Effects(), f"{prefix}_prompts": Effects()}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Ask, check the numbers, write the text."""
        ctx.stage("reading")
        content = report_of(ctx.run, self.task)
        report = _parsed(content, self.task)
        figures = figures_of(report)
        ctx.stage("asking")
        exchanges = Exchanges(ctx)
        sentences, refused = self._described(exchanges, figures)
        prefix = self.output_prefix or self.task
        told = exchanges.keep(prefix)
        run_id = str((report.get("run") or {}).get("id") or "")
        written = f"Written by the language model {told['model']} from the report of run {run_id} of {self.task}."
        checked = "Every number in it is in that report; what it says in words was not checked."
        with ctx.artifact(
            f"{prefix}_description", "txt", f"The report of {self.task} in plain words", category="internal"
        ) as file:
            file.write("\n".join([*sentences, "", written, checked, ""]).encode())
        return OperationResult.success(
            {
                "task": self.task,
                "run_id": run_id,
                "report_sha256": hashlib.sha256(content).hexdigest(),
                "description": sentences,
                "numbers_refused": refused,
                "language_model": told,
            }
        )

    def _described(self, exchanges: Exchanges, figures: Figures) -> tuple[list[str], list[str]]:
        refused: list[str] = []
        for _ in range(1 + getattr(exchanges.settings, "retries", 0)):
            data = {"language": self.language, **figures.sent, "refused": refused}
            prompt = Prompt(instruction=_INSTRUCTION.format(most=MOST_SENTENCES), data=data)
            answer = exchanges.ask(prompt, _SCHEMA)
            sentences = [one_line(each, MOST_CHARACTERS) for each in answer.data["sentences"]]
            wrong = [
                number for each in sentences for number in unfounded(each, figures.values, figures.names, self.language)
            ]
            if not wrong:
                return sentences, refused
            refused = list(dict.fromkeys([*refused, *wrong]))
        raise AnswerRefused(
            f"the language model states {len(refused)} numbers that are not in the report of {self.task}, also when"
            f" asked again: nothing was written",
            refused=len(refused),
        )


def report_of(run: RunServices, task: str) -> bytes:
    """The newest report of a task, as it is on the disk.

    Raises:
        DependencyMissingError: There is none.
        ReportingError: It is larger than 64 MiB.
    """
    name = run.places.of(task).report()
    try:
        with run.files.open(name, "report") as file:
            content: bytes = file.read(_MOST_BYTES + 1)
    except FileNotFoundError:
        raise DependencyMissingError(f"task {task} has no report yet: run it with `pamola-task run {task}`") from None
    if len(content) > _MOST_BYTES:
        raise ReportingError(f"{name} is larger than {_MOST_BYTES >> 20} MiB")
    return content


def _parsed(content: bytes, task: str) -> Mapping[str, Any]:
    try:
        found = json.loads(content)
        if isinstance(found, dict) and isinstance(found.get("operations"), list):
            return found
    except (ValueError, RecursionError):
        pass
    raise ReportingError(f"the report of {task} is not one that can be read: run the task again")
