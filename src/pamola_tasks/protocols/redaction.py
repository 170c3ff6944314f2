"""What may be shown: which texts hold secrets, and what may be said of an error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import re
    from collections.abc import Callable, Iterable

    from pamola_tasks.record import DatasetRecord
    from pamola_tasks.secret import Secret


class Redactor(Protocol):
    """Hides secrets. Called on every text that a run writes, from its first log line, and from several threads.

    It must never raise: a text that cannot be redacted is withheld whole.
    """

    def __call__(self, text: str) -> str:
        """The text with everything secret replaced."""

    def value(self, value: Any, key: str = "") -> Any:
        """A copy of a nested value that is safe to write as JSON: of dicts, lists, texts, numbers and None only.

        `key` is the one that the value is found under, if any.
        """

    def hides(self, key: str) -> bool:
        """Whether the value of a key of this name is hidden."""

    def register(self, secret: Secret | str) -> None:
        """Hide this secret from now on."""

    def learn(self, value: Any, key: str = "") -> None:
        """Register what is secret in a nested value: each `Secret`, passwords in URLs, texts under secret names."""

    def add_pattern(self, pattern: str | re.Pattern[str]) -> None:
        """Hide whatever this regular expression matches; `re.error` where it is none."""

    def add_predicate(self, is_secret_key: Callable[[str], bool]) -> None:
        """Hide the values of keys for which this function returns true."""

    def disclosure(self, run: Any = None, datasets: Iterable[DatasetRecord] = ()) -> Disclosure:
        """What may be said of errors, at this moment.

        Args:
            run: The run (`RunServices`) that they happen in: names of its columns, datasets and steps may be repeated,
                and everything where its options say `show_data`. None outside of runs.
            datasets: Datasets that are known beside those in the run's record.
        """


class Disclosure(Protocol):
    """Says of an error what holds no value out of the data."""

    def message(self, error: BaseException) -> str:
        """The message of an error, on one or more lines; its class where nothing else may be said."""

    def trace(self, error: BaseException) -> str:
        """The traceback of an error and of those that caused it; messages as above."""

    def remember(self, error: BaseException) -> None:
        """Keep with an error what may be said of it, for another process, where its traceback is not known."""
