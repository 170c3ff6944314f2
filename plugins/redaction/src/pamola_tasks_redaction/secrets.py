"""Secrets and their redaction, active from the first log line.

`Secret` holds a value that must not be shown. `Redactor` replaces every registered secret, in the forms it is
likely to be written in, by `***`, and masks what key names and well-known token shapes give away.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from pamola_tasks.secret import MASK, Secret, variables
from pamola_tasks_redaction.known import Known
from pamola_tasks_redaction.secret_shapes import NO_SECRETS, TELLING, URL_CREDENTIALS, is_secret_name, mask_shapes

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import DatasetRecord
    from pamola_tasks_redaction.disclosure import Disclosure

_FOLDERS_OF_SHELLS = ("PWD", "OLDPWD")  # which would be passwords by their names


@lru_cache(maxsize=1)
def own_words() -> frozenset[str]:
    """Words that files of a run are read by: the names of their keys, and how something ended."""
    import attrs

    from pamola_tasks.record import Artifact, DatasetRecord, RunRecord, SavedOutput, SavedStep, StepRecord

    kinds = (Artifact, DatasetRecord, RunRecord, SavedOutput, SavedStep, StepRecord)
    return frozenset(field.name for kind in kinds for field in attrs.fields(kind)) | frozenset(_OWN_WORDS.split())


_OWN_WORDS = (
    "run_started run_finished run_failed run_aborted run_updated step_finished process_started updates event schema"
    " success partial_success warning skipped pending running failed aborted error unknown output intermediate"
    " artifact input metrics state data json parquet"
)


def in_the_environment(environ: Mapping[str, str] | None = None) -> list[Secret]:
    """The values of the variables whose names say that they are secret."""
    return [
        Secret(value, name)
        for name, value in (variables() if environ is None else environ).items()
        if _is_hidden(value) and name not in _FOLDERS_OF_SHELLS and is_secret_name(name)
    ]


def not_hidden(environ: Mapping[str, str]) -> list[str]:
    """Names of the variables that hold a secret which cannot be hidden: too short, or a word of a run's files."""
    short = {name for name, value in environ.items() if 1 < len(value) < 4 and value.lower() not in NO_SECRETS}
    named = short | {name for name, value in environ.items() if value in own_words()}
    return sorted(name for name in named if is_secret_name(name))


def _is_hidden(value: str) -> bool:
    """Whether a text under a secret name can be one; a word that stands for secrets, or for none, is not."""
    return len(value) >= 4 and value.lower() not in TELLING | NO_SECRETS


class Redactor:
    """Replaces what must not be read by `***`. Called on every text that a run writes.

    A redaction that raises replaces the whole text, so that nothing is shown by accident.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._known = Known()
        self._patterns: list[re.Pattern[str]] = []
        self._predicates: list[Callable[[str], bool]] = []
        self._secret_names: set[str] = set()
        self._harmless: set[str] = set()  # names in which there is nothing to replace: most texts are keys of mappings

    def register(self, secret: Secret | str) -> None:
        """Hide this secret from now on, in all its usual encodings.

        Values under four characters are not masked, nor are words that the files of a run are read by. Those under
        eight are masked where they are whole words.
        """
        value = secret.reveal() if isinstance(secret, Secret) else secret
        # Of an address with a password the password alone is a secret too.
        inside = {part for found in URL_CREDENTIALS.finditer(value) for part in (found[2], unquote(found[2]))}
        with self._lock:
            for text in {value, *inside} - own_words():
                if len(text) >= 4:
                    self._known.add(text)
            self._harmless = set()

    def learn_environment(self, environ: Mapping[str, str] | None = None) -> None:
        """Register the values of the variables whose names say that they are secret."""
        for secret in in_the_environment(environ):
            self.register(secret)

    def learn(self, value: Any, key: str = "") -> None:
        """Register what is secret in a nested value: each `Secret`, passwords in addresses, texts under secret names.

        `key` is the name of its key, if any. `key` alone is not a secret name here: columns are called so.
        """
        if isinstance(value, Secret):
            self.register(value)
        elif isinstance(value, Mapping):
            for name, item in value.items():
                self.learn(item, str(name))
        elif isinstance(value, (list, tuple, set, frozenset)):
            for item in value:
                self.learn(item, key)
        elif isinstance(value, str):
            for found in URL_CREDENTIALS.finditer(value):
                self.register(found[2])
            if key.lower() != "key" and key not in _FOLDERS_OF_SHELLS and _is_hidden(value) and key and self.hides(key):
                self.register(value)

    def add_pattern(self, pattern: str | re.Pattern[str]) -> None:
        """Mask whatever this regular expression matches."""
        self._patterns.append(re.compile(pattern))
        self._harmless = set()

    def add_predicate(self, is_secret_key: Callable[[str], bool]) -> None:
        """Mask the values of keys for which this function says yes."""
        self._predicates.append(is_secret_key)

    def add_names(self, names: Iterable[str]) -> None:
        """Mask the values of exactly these keys, whatever their case."""
        self._secret_names.update(name.lower() for name in names)

    def hides(self, key: str) -> bool:
        """Whether the value of a key of this name is masked; yes when a predicate fails."""
        if key.lower() in self._secret_names or is_secret_name(key):
            return True
        try:
            return any(says(key) for says in self._predicates)
        except Exception:
            return True

    def disclosure(self, run: RunServices | None = None, datasets: Iterable[DatasetRecord] = ()) -> Disclosure:
        """What may be said of errors, at this moment."""
        from pamola_tasks_redaction.disclosure import Disclosure

        return Disclosure() if run is None else Disclosure.of(run, datasets)

    def __call__(self, text: str) -> str:
        """The text with everything secret replaced."""
        harmless = self._harmless  # another as soon as there is more to replace
        if text in harmless:
            return text
        try:
            masked = self._masked(text)
        except Exception:
            return MASK
        if masked == text and len(text) < 40 and text.isidentifier() and len(harmless) < 10_000:
            harmless.add(text)
        return masked

    def _without_known(self, text: str) -> str:
        for start, end in reversed(self._known.spans(text)):
            text = f"{text[:start]}{MASK}{text[end:]}"
        return text

    def _masked(self, text: str) -> str:
        text = self._without_known(text)
        text = mask_shapes(text, self.hides)
        for pattern in self._patterns:
            text = pattern.sub(MASK, text)
        return text

    def value(self, value: Any, key: str = "") -> Any:
        """A copy of a nested value (dict, list, text, bytes, Secret …), which has this key, that is safe to write."""
        if isinstance(value, Mapping):
            return {self(str(name)): self.value(item, str(name)) for name, item in value.items()}
        if isinstance(value, Secret) or (key and value is not None and not isinstance(value, bool) and self.hides(key)):
            return MASK
        if isinstance(value, str):
            return self(value)
        if isinstance(value, (list, tuple, set, frozenset)):
            return [self.value(item) for item in value]
        if isinstance(value, (bytes, bytearray)):
            return self(bytes(value).decode("utf-8", "replace"))
        if value is None or isinstance(value, bool):
            return value
        if isinstance(value, (int, float)):  # a secret made of digits may have become a number
            return value if self._without_known(text := str(value)) == text else MASK
        plain = getattr(value, "tolist", None)  # numbers and arrays of numpy
        if plain is not None and not isinstance(value, type):
            return self.value(plain(), key)
        return self(str(value))
