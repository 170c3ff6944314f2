"""Replacements for services without a provider, where doing without it is harmless; what is not harmless refuses."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pamola_tasks.errors import EncryptionError, PathSecurityError
from pamola_tasks.protocols.services import KERNEL_SERVICES

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import DatasetRecord


def _without(name: str, doc: str, methods: str, **answers: Any) -> type[Any]:
    """A class whose methods accept everything and do nothing; attributes and answers that differ are given."""

    def nothing(self: Any, *positional: Any, **named: Any) -> None:
        """Does nothing."""

    members = {**dict.fromkeys(methods.split(), nothing), **answers, "__doc__": doc, "__module__": __name__}
    return type(name, (), members)


def _refuse(kind: type[Exception], problem: str, service: str) -> Callable[..., NoReturn]:
    """A method that refuses; `{}` in the problem is its first argument."""

    def refuse(self: Any, *positional: Any, **named: Any) -> NoReturn:
        raise kind(f"{problem.format(*positional)}: install {KERNEL_SERVICES[service].default}")

    return refuse


NoLogging = _without("NoLogging", "Lines go nowhere.", "close", handlers=())
NoHistory = _without(
    "NoHistory", "Runs are not recorded.", "run_started step_finished run_finished find_latest_execution"
)
NoProgress = _without(
    "NoProgress",
    "Progress is not shown.",
    "set_total_operations start_operation update_operation set_operation_total complete_operation close",
)
NoReporter = _without(
    "NoReporter",
    "No report is written; what a task adds is not kept.",
    "add_operation add_artifact add_metric add_task_summary",
    generate_report=lambda self: {},
    save_report=lambda self: Path(),
)
NoEncryption = _without(
    "NoEncryption",
    "For runs that do not ask for encryption. A file of an encrypted format that a plugin names is refused by `Files`.",
    "cleanup",
    enabled=False,
    mode="none",
    key_id="",
    writer=_refuse(EncryptionError, "no plugin encrypts", "encryption"),
    reader=_refuse(EncryptionError, "a file is encrypted and no plugin decrypts", "encryption"),
    record_key=lambda self, purpose: None,
    derive_key=_refuse(EncryptionError, "{} needs a key, and no plugin has keys", "encryption"),
    is_encrypted=lambda self, head: False,
    file_key_id=lambda self, head: "",
    refusal=lambda self, head: "",
    get_encryption_info=lambda self: {"enabled": False, "mode": "none", "key_available": False},
)


class DenyingGuard:
    """The path guard where there is none: every access is denied."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def extended(self, roots: Iterable[Path]) -> DenyingGuard:
        """No root is allowed."""
        return self

    open = create = mkdirs = replace = unlink = remove_tree = iter = stat = exists = _refuse(
        PathSecurityError, "{!r} is refused: no plugin guards paths, so no file is opened", "path_guard"
    )


class NoRedactor:
    """Without a redactor nothing is shown: every text is replaced by the reason, every error by its class.

    Args:
        reason: Why there is no redactor.
    """

    def __init__(self, reason: str) -> None:
        self._instead = f"*** (not shown: {reason})" if reason else "***"

    def __call__(self, text: str) -> str:
        """The reason."""
        return self._instead

    def value(self, value: Any, key: str = "") -> Any:
        """The reason."""
        return self._instead

    def hides(self, key: str) -> bool:
        """Always."""
        return True

    def disclosure(self, run: Any = None, datasets: Iterable[DatasetRecord] = ()) -> NoRedactor:
        """Only the class of an error may be shown."""
        return self

    def message(self, error: BaseException) -> str:
        """The class."""
        return type(error).__name__

    trace = message

    def register(self, *positional: Any, **named: Any) -> None:
        """Everything is hidden already."""

    learn = add_pattern = add_predicate = add_names = remember = register


class NoDependencies:
    """For tasks that depend on nothing; those of others cannot be known."""

    def __init__(self, run: RunServices) -> None:
        self._run = run

    def assert_dependencies_completed(self) -> bool:
        """True for a task without dependencies; others are refused."""
        if self._run.config.dependencies:
            self.get_dependency_output()
        return True

    def get_dependency_output(self, *asked: Any, **more: Any) -> NoReturn:
        """Refused."""
        raise self._run.kernel.plugins.missing("dependencies")
