"""The service `llm`: `run.llm.ask(prompt, schema)`, which refuses what may not be sent before anything is sent."""

from __future__ import annotations

import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import RunServices

    from .answers import Answer
    from .endpoint import Endpoint
    from .prompts import Prompt
    from .settings import LlmSettings


class LanguageModel(Protocol):
    """The service `llm`: asks a language model, and says what was sent.

    It may have `close()`, called when the run ends, and `settings`, an `LlmSettings`.
    """

    def ask(self, prompt: Prompt | str, schema: Mapping[str, Any]) -> Answer:
        """Ask.

        Args:
            prompt: What to ask. Of a text nothing is known, so that it counts as one that holds records.
            schema: JSON Schema (2020-12) of the answer.

        Raises:
            NoModel: None is configured.
            PromptRefused: The prompt holds more than may be sent there. Nothing was sent.
            ModelFailed: The endpoint does not answer.
            AnswerRefused: The answer does not fit the schema.
        """


class ConfiguredModel:
    """The service by the section `llm` of the configuration. Nothing is imported or reached before the first prompt.

    Args:
        run: The run.
    """

    def __init__(self, run: RunServices) -> None:
        self._run = run
        self._endpoint: Endpoint | None = None
        self._one = threading.Lock()

    @cached_property
    def settings(self) -> LlmSettings:
        """The section `llm`."""
        section: LlmSettings = self._run.config.plugin("llm")
        return section

    def ask(self, prompt: Prompt | str, schema: Mapping[str, Any]) -> Answer:
        """See `LanguageModel`."""
        from .answers import Answer, parsed
        from .errors import AnswerRefused
        from .prompts import Prompt, hashed

        asked = Prompt(instruction=prompt, level="rows") if isinstance(prompt, str) else prompt
        self.check(asked)
        messages = asked.messages(schema)
        digest, salt = hashed(messages, secret=asked.level != "schema")
        began = time.perf_counter()
        tokens: int | None = None
        for tries_left in range(self.settings.retries, -1, -1):
            reply = self._reach().ask(messages, schema)
            if reply.tokens is not None:
                tokens = (tokens or 0) + reply.tokens
            try:
                data = parsed(reply.text, schema)
                break
            except AnswerRefused:
                if not tries_left:
                    raise
        seconds = round(time.perf_counter() - began, 3)
        return Answer(
            text=reply.text, data=data, model=reply.model, tokens=tokens, seconds=seconds, sha256=digest, salt=salt
        )

    def check(self, prompt: Prompt) -> None:
        """Refuse what may not be sent; see `LanguageModel.ask`."""
        from .addresses import host_of, is_local, problem_of
        from .errors import NoModel, PromptRefused
        from .settings import LEVELS

        settings = self.settings
        if settings.endpoint is None or settings.model is None:
            raise NoModel(
                "no language model is configured: set llm.endpoint and llm.model in the project file, such as"
                " http://localhost:11434/v1 and the name of a model there"
            )
        if problem := problem_of(settings.endpoint, remote=settings.remote):
            raise PromptRefused(f"llm.endpoint: {problem}")
        host = host_of(settings.endpoint)
        if prompt.level == "rows" and not is_local(settings.endpoint):
            raise PromptRefused(f"records are never sent to {host}, which is not on this machine; nothing was sent")
        if LEVELS.index(prompt.level) > LEVELS.index(settings.level):
            held = {"levels": "values of columns", "rows": "records"}[prompt.level]
            raise PromptRefused(
                f"this prompt holds {held}, and llm.level is {settings.level}: set llm.level: {prompt.level} in the"
                f" project file if {host} may get them; nothing was sent"
            )
        if prompt.level == "levels" and not prompt.columns:
            raise PromptRefused("this prompt holds values, and does not say of which columns; nothing was sent")
        unnamed = sorted(set(prompt.columns).difference(settings.levels))
        if prompt.level != "schema" and unnamed:
            raise PromptRefused(
                f"this prompt holds values of {', '.join(unnamed)}; list these in llm.levels if {host} may get them;"
                f" nothing was sent"
            )

    def _reach(self) -> Endpoint:
        from .endpoint import Endpoint
        from .settings import key_of

        with self._one:
            if self._endpoint is None:
                self._endpoint = Endpoint(self.settings, key_of(self._run, self.settings))
            return self._endpoint

    def close(self) -> None:
        """Close the connections, if there are any."""
        if self._endpoint is not None:
            self._endpoint.close()
