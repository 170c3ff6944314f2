"""Where a language model answers: is it on this machine, and one exchange with it, within limits of time and size."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping, Sequence
from typing import Any

import attrs

from .addresses import host_of, is_local, one_line
from .errors import AnswerRefused, ModelFailed
from .settings import LlmSettings

MOST_BYTES = 1 << 20  # of an answer as it is sent
_NO_KEY = "none"  # the client demands one; endpoints on this machine ignore it


@attrs.frozen(kw_only=True)
class Reply:
    """What an endpoint answered, not yet looked at.

    Attributes:
        text: The text of the answer.
        model: The model that answered, as the endpoint calls it.
        tokens: Those of prompt and answer together; None if the endpoint does not count them.
    """

    text: str
    model: str
    tokens: int | None


class Endpoint:
    """A client for one endpoint. It follows no redirect, and what goes to this machine goes through no proxy.

    Args:
        settings: Of the plugin, complete.
        key: The API key; empty for none.
    """

    def __init__(self, settings: LlmSettings, key: str) -> None:
        import openai

        assert settings.endpoint is not None
        self._settings = settings
        web = openai.DefaultHttpxClient(follow_redirects=False, trust_env=not is_local(settings.endpoint))
        self._client = openai.OpenAI(
            api_key=key or _NO_KEY,
            base_url=settings.endpoint,
            organization="",  # else read from the environment
            project="",
            timeout=settings.timeout,
            max_retries=settings.retries,
            http_client=web,
        )
        self._structured = True  # until the endpoint refuses it

    def close(self) -> None:
        """Close its connections."""
        self._client.close()

    def ask(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> Reply:
        """Send messages, and give what comes back.

        Raises:
            ModelFailed: It cannot be reached, refuses, or takes longer than the limit.
            AnswerRefused: What comes back is not a chat completion, or is larger than 1 MiB.
        """
        import openai

        try:
            return self._ask(messages, schema)
        except openai.BadRequestError:
            if not self._structured:
                raise self._failed("refused the request (400)") from None
            self._structured = False  # some know no `response_format`
            return self.ask(messages, schema)
        except openai.APITimeoutError:
            raise self._failed(f"did not answer within {self._settings.timeout:g} s") from None
        except openai.APIConnectionError:
            raise self._failed("cannot be reached") from None
        except openai.APIStatusError as error:
            raise self._failed(f"refused: {_status(error.status_code)}") from None
        except openai.OpenAIError as error:
            raise self._failed(f"could not be asked ({type(error).__name__})") from None

    def _ask(self, messages: Sequence[Mapping[str, str]], schema: Mapping[str, Any]) -> Reply:
        settings = self._settings
        more: dict[str, Any] = {} if settings.temperature is None else {"temperature": settings.temperature}
        if self._structured:
            more["response_format"] = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema}}
        began = time.monotonic()
        create: Any = self._client.chat.completions.with_streaming_response.create
        asked = {"model": settings.model, "messages": list(messages), "max_tokens": settings.max_answer, **more}
        with create(**asked) as response:
            return self._reply(self._body(response, began + settings.timeout * (1 + settings.retries)))

    def _body(self, response: Any, end: float) -> bytes:
        body = bytearray()
        parts = response.iter_bytes()
        while True:
            try:
                part = next(parts, None)
            except Exception as error:  # of the HTTP library that the client brings, which is not always the same
                late = "Timeout" in type(error).__name__
                raise self._failed("stopped in the middle of its answer" if late else "broke off its answer") from None
            if part is None:
                return bytes(body)
            body += part
            if len(body) > MOST_BYTES:
                raise AnswerRefused(f"{self._name()} answered with more than 1 MiB")
            if time.monotonic() > end:
                raise self._failed(f"sent its answer too slowly: {self._settings.timeout:g} s are the limit")

    def _reply(self, body: bytes) -> Reply:
        try:
            document = json.loads(body)
            text = document["choices"][0]["message"]["content"]
            used = (document.get("usage") or {}).get("total_tokens")
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            text = None
        if not isinstance(text, str):
            raise AnswerRefused(f"{self._name()} answered with what is not a chat completion")
        tokens = used if isinstance(used, int) and not isinstance(used, bool) and 0 <= used < 1 << 40 else None
        return Reply(text=text, model=one_line(document.get("model") or self._settings.model), tokens=tokens)

    def _name(self) -> str:
        return f"the language model at {host_of(self._settings.endpoint or '')}"

    def _failed(self, what: str) -> ModelFailed:
        return ModelFailed(f"{self._name()} {what}")


def _status(code: int) -> str:
    words = {401: "the key is missing or wrong", 403: "the key may not do this", 404: "it has no such model or path"}
    words |= {429: "too many requests, also after the retries"}
    return f"{words[code]} ({code})" if code in words else f"status {code}"
