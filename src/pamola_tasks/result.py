"""What an operation says when it ends, and the artifacts it leaves."""

from __future__ import annotations

import enum
import sys
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.record import Artifact

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping


class OperationStatus(enum.Enum):
    """How an operation ended."""

    SUCCESS = "success"
    WARNING = "warning"
    ERROR = "error"
    SKIPPED = "skipped"
    PARTIAL_SUCCESS = "partial_success"
    PENDING = "pending"


OperationArtifact = Artifact


def _note_what_is_repeated(result: OperationResult, _: Any, message: str | None) -> str | None:
    """Look, while it is known, whether a message repeats the exception that is being handled."""
    error = sys.exception()
    if message and isinstance(error, Exception):
        said = str(error)
        if said and said in message:
            result._repeated = error
    return message


@attrs.define
class OperationResult:
    """What an operation says of itself when it ends."""

    status: OperationStatus = OperationStatus.SUCCESS
    artifacts: list[Artifact] = attrs.Factory(list)
    metrics: dict[str, Any] = attrs.Factory(dict)
    error_message: str | None = attrs.field(default=None, on_setattr=_note_what_is_repeated)
    execution_time: float | None = None
    error_trace: str | None = None
    exception: BaseException | None = attrs.field(default=None, eq=False)
    attempts: int = 1
    reason: str = ""
    warnings: list[str] = attrs.Factory(list)
    _repeated: Exception | None = attrs.field(default=None, init=False, eq=False, repr=False)

    def __attrs_post_init__(self) -> None:
        _note_what_is_repeated(self, None, self.error_message)

    def said(self, message_of: Callable[[BaseException], str]) -> str:
        """The message, once; of an exception that it repeats (`error_message=str(error)`) only what may be said.

        Args:
            message_of: Gives that.
        """
        message, error = self.error_message or "", self._repeated
        self._repeated = None
        return message if error is None else message.replace(str(error), message_of(error))

    @classmethod
    def success(cls, metrics: Mapping[str, Any] | None = None, artifacts: Iterable[Artifact] = ()) -> OperationResult:
        """The operation did what it was asked to."""
        return cls(metrics=dict(metrics or {}), artifacts=list(artifacts))

    @classmethod
    def warning(cls, message: str, metrics: Mapping[str, Any] | None = None) -> OperationResult:
        """It succeeded, with warnings."""
        return cls(status=OperationStatus.WARNING, error_message=message, metrics=dict(metrics or {}))

    @classmethod
    def failure(cls, error: BaseException | str, trace: str | None = None) -> OperationResult:
        """It did not."""
        if isinstance(error, str):
            return cls(status=OperationStatus.ERROR, error_message=error, error_trace=trace)
        message = str(error) or type(error).__name__
        return cls(status=OperationStatus.ERROR, error_message=message, error_trace=trace, exception=error)

    @property
    def failed(self) -> bool:
        """Whether the operation did not do its work."""
        return self.status in (OperationStatus.ERROR, OperationStatus.PENDING)
