"""The prompts of a step: each is kept, redacted, in an artifact of the step, and hashed into the report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import UsageError

from .addresses import host_of
from .answers import Answer
from .prompts import Prompt
from .settings import LEVELS

if TYPE_CHECKING:
    from pamola_tasks import OperationContext

    from .service import LanguageModel

_MOST_KEPT = 10_000  # answers and data of further prompts are left out of the artifact, their hashes are not


class Exchanges:
    """What a step asks a language model, and what became of it.

    Args:
        ctx: Of the step.
    """

    def __init__(self, ctx: OperationContext) -> None:
        found = getattr(ctx.run, "llm", None)
        if found is None:
            raise UsageError("there is no service `llm` in this run: pamola-tasks-llm is not registered as a plugin")
        self._ctx, self._model = ctx, found
        self._lines: list[dict[str, Any]] = []
        self._together = hashlib.sha256()
        self.tokens: int | None = None
        self.seconds = 0.0
        self.levels: set[str] = set()
        self.models: dict[str, None] = {}

    @property
    def model(self) -> LanguageModel:
        """The service."""
        found: LanguageModel = self._model
        return found

    @property
    def settings(self) -> Any:
        """The plugin's settings."""
        return self._ctx.config.plugin("llm")

    def ask(self, prompt: Prompt, schema: Mapping[str, Any]) -> Answer:
        """Ask, and keep what was asked: see `LanguageModel.ask`."""
        answer = self.model.ask(prompt, schema)
        self._together.update(bytes.fromhex(answer.sha256))
        self.tokens = self.tokens if answer.tokens is None else (self.tokens or 0) + answer.tokens
        self.seconds += answer.seconds
        self.levels.add(prompt.level)
        self.models[answer.model] = None
        line: dict[str, Any] = {"sha256": answer.sha256, "salt": answer.salt, "level": prompt.level}
        line |= {"model": answer.model, "usage": answer.tokens, "seconds": answer.seconds}
        if len(self._lines) < _MOST_KEPT:
            line["instruction"] = self._ctx.run.redact(prompt.instruction)
            if prompt.level == "schema":
                line["data"] = self._ctx.run.redactor.value(prompt.data)
                line["answer"] = self._ctx.run.redactor.value(answer.data)
            else:
                line["withheld"] = f"data and answer hold values of {', '.join(prompt.columns) or 'records'}"
        self._lines.append(line)
        return answer

    def keep(self, name: str) -> dict[str, Any]:
        """Write the artifact `<name>_prompts`, JSON lines, to `internal/`; the facts for the report."""
        about = "Prompts of a language model, redacted: not to be released"
        with self._ctx.artifact(f"{name}_prompts", "jsonl", about, category="internal") as file:
            for line in self._lines:
                file.write(json.dumps(line, ensure_ascii=False, allow_nan=False).encode() + b"\n")
        endpoint = getattr(self.settings, "endpoint", None)
        return {
            "model": ", ".join(self.models),
            "endpoint": host_of(endpoint) if endpoint else None,
            "level": max(self.levels, key=LEVELS.index, default=None),
            "prompts": len(self._lines),
            "usage": self.tokens,  # redactors hide what is called tokens
            "seconds": round(self.seconds, 3),
            "sha256": self._together.hexdigest(),
        }
