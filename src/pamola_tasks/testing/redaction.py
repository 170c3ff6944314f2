"""A redactor for tests: it hides the secrets that are registered with it."""

from __future__ import annotations

import re
import traceback
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from pamola_tasks.hookspecs import hookimpl
from pamola_tasks.secret import MASK, Secret

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import DatasetRecord

_SECRET_WORDS = ("password", "secret", "token")


class PlainRedactor:
    """Hides registered secrets where they appear exactly as registered, and the values of keys with a sensitive name.

    It does not look for secrets in the environment, for other encodings of a secret or for tokens of known shapes, and
    messages of errors are shown whole. Use it with data that is public.
    """

    def __init__(self) -> None:
        self._patterns: list[re.Pattern[str]] = []
        self._predicates: list[Callable[[str], bool]] = []

    def __call__(self, text: str) -> str:
        for pattern in list(self._patterns):  # threads add to them
            text = pattern.sub(MASK, text)
        return text

    def value(self, value: Any, key: str = "") -> Any:
        if isinstance(value, Mapping):
            return {str(name): self.value(item, str(name)) for name, item in value.items()}
        if isinstance(value, Secret) or (isinstance(value, str) and key and self.hides(key)):
            return MASK
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(item) for item in value]
        return value if value is None or isinstance(value, (bool, int, float)) else self(str(value))

    def hides(self, key: str) -> bool:
        """Whether the name holds one of three words, or a predicate says so."""
        name = key.lower()
        return any(word in name for word in _SECRET_WORDS) or any(is_secret(key) for is_secret in self._predicates)

    def register(self, secret: Secret | str) -> None:
        text = secret.reveal() if isinstance(secret, Secret) else secret
        if text:
            self.add_pattern(re.escape(text))

    def learn(self, value: Any, key: str = "") -> None:
        if isinstance(value, Secret):
            self.register(value)
        elif isinstance(value, Mapping):
            for name, item in value.items():
                self.learn(item, str(name))
        elif isinstance(value, (list, tuple, set, frozenset)):
            for item in value:
                self.learn(item, key)

    def add_pattern(self, pattern: str | re.Pattern[str]) -> None:
        self._patterns.append(re.compile(pattern))

    def add_predicate(self, is_secret_key: Callable[[str], bool]) -> None:
        self._predicates.append(is_secret_key)

    def disclosure(self, run: RunServices | None = None, datasets: Iterable[DatasetRecord] = ()) -> PlainDisclosure:
        return PlainDisclosure()


class PlainDisclosure:
    """Shows errors whole."""

    def message(self, error: BaseException) -> str:
        return str(error) or type(error).__name__

    def trace(self, error: BaseException) -> str:
        return "".join(traceback.format_exception(error))

    def remember(self, error: BaseException) -> None: ...


class PlainRedactionPlugin:
    """The plain redactor."""

    PAMOLA_PLUGIN_NAME = "memory-redaction"

    @hookimpl(trylast=True)
    def pamola_provide_redactor(self, run: RunServices | None) -> PlainRedactor:
        return PlainRedactor()
