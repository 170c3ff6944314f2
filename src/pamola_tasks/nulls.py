"""What answers for a service that nobody provides, where doing without it is harmless."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, NoReturn

from pamola_tasks.errors import EncryptionError, PathSecurityError
from pamola_tasks.protocols.services import KERNEL_SERVICES

if TYPE_CHECKING:
    import logging
    import re
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from pamola_tasks.protocols import PluginsView, RunServices
    from pamola_tasks.record import DatasetRecord
    from pamola_tasks.secret import Secret


def _install(service: str) -> str:
    return f"install {KERNEL_SERVICES[service].default}"


class DenyingGuard:
    """The path guard where there is none: every access is denied."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def extended(self, roots: Iterable[Path]) -> DenyingGuard:
        """No root is allowed."""
        return self

    def _deny(self, *names: Any, **options: Any) -> NoReturn:
        raise PathSecurityError(
            f"{names[0]!r} is refused: no plugin guards paths, so no file is opened; {_install('path_guard')}"
        )

    open = create = mkdirs = replace = unlink = remove_tree = iter = stat = exists = _deny


class NoRedactor:
    """Withholds everything: without a redactor every text is replaced by the reason.

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

    def register(self, secret: Secret | str) -> None:
        """Everything is hidden already."""

    def learn(self, value: Any, key: str = "") -> None:
        """Everything is hidden already."""

    def add_pattern(self, pattern: str | re.Pattern[str]) -> None:
        """Everything is hidden already."""

    def add_predicate(self, is_secret_key: Callable[[str], bool]) -> None:
        """Everything is hidden already."""

    def add_names(self, names: Iterable[str]) -> None:
        """Everything is hidden already."""

    def disclosure(self, run: RunServices | None = None, datasets: Iterable[DatasetRecord] = ()) -> NoRedactor:
        """Only the class of an error may be shown."""
        return self

    def message(self, error: BaseException) -> str:
        """The class."""
        return type(error).__name__

    def trace(self, error: BaseException) -> str:
        """The class."""
        return type(error).__name__

    def remember(self, error: BaseException) -> None:
        """There is nothing to keep."""


class NoLogging:
    """Lines go nowhere."""

    handlers: Sequence[logging.Handler] = ()

    def close(self) -> None:
        """Nothing is open."""


class NoHistory:
    """Nothing is remembered."""

    def run_started(self, run: RunServices) -> None:
        """Not recorded."""

    def step_finished(self, run: RunServices, step: str, status: str, seconds: float) -> None:
        """Not recorded."""

    def run_finished(self, run: RunServices) -> None:
        """Not recorded."""

    def find_latest_execution(self, task_id: str, success_only: bool = True) -> dict[str, Any] | None:
        """There is none."""
        return None


class NoLock:
    """Where tasks leave no files, nothing has to be locked."""

    held = False
    after_a_crash = False

    def take(self, *, wait: bool = False) -> None:
        """There is nothing to take."""

    def tell(self, steps: Iterable[str]) -> None:
        """Nobody looks."""

    def release(self) -> None:
        """Nothing is held."""

    def holder(self, task_id: str) -> None:
        """There is none."""

    def is_running(self, task_id: str) -> bool:
        """Not known."""
        return False

    @contextlib.contextmanager
    def keeping_out(self, task_id: str) -> Iterator[None]:
        """Nobody is kept out."""
        yield


class NoEncryption:
    """For runs that do not ask for encryption."""

    enabled = False
    mode = "none"
    key_id = ""

    def writer(self, raw: IO[bytes], *, role: str, task_id: str) -> IO[bytes]:
        """Nothing can be encrypted."""
        raise EncryptionError(f"no plugin encrypts: {_install('encryption')}")

    def reader(self, raw: IO[bytes], *, role: str, task_id: str) -> IO[bytes]:
        """Nothing can be decrypted."""
        raise EncryptionError(f"a file is encrypted and no plugin decrypts: {_install('encryption')}")

    def is_encrypted(self, head: bytes) -> bool:
        """Not by this service."""
        return False

    def file_key_id(self, head: bytes) -> str:
        """Not known."""
        return ""

    def refusal(self, head: bytes) -> str:
        """Nothing is its own."""
        return ""

    def derive_key(self, purpose: str) -> bytes:
        """There is no key."""
        raise EncryptionError(f"{purpose} needs a key, and no plugin has keys: {_install('encryption')}")

    def get_encryption_context(self) -> None:
        """There is none."""

    def get_encryption_info(self) -> dict[str, Any]:
        """Not enabled."""
        return {"enabled": False, "mode": "none", "key_available": False}

    def cleanup(self) -> None:
        """There is no key to forget."""


class NoDependencies:
    """For tasks that depend on nothing."""

    def __init__(self, run: RunServices, plugins: PluginsView) -> None:
        self._run = run
        self._plugins = plugins

    def assert_dependencies_completed(self) -> bool:
        """True for a task without dependencies; others are refused."""
        if self._run.config.dependencies:
            raise self._plugins.missing("dependencies")
        return True

    def get_dependency_output(self, dependency_id: str, file_pattern: str | None = None) -> Path | list[Path]:
        """Nobody can tell."""
        raise self._plugins.missing("dependencies")


class NoProgress:
    """Nothing is shown."""

    def set_total_operations(self, total: int) -> None:
        """Not shown."""

    def start_operation(
        self, name: str, total: int = 0, description: str | None = None, unit: str = "items", leave: bool = False
    ) -> None:
        """Not shown."""

    def update_operation(self, name: str, steps: float = 1, postfix: Mapping[str, Any] | None = None) -> None:
        """Not shown."""

    def set_operation_total(self, name: str, total: float, unit: str = "items") -> None:
        """Not shown."""

    def complete_operation(self, name: str, success: bool = True, metrics: Mapping[str, Any] | None = None) -> None:
        """Not shown."""

    def close(self) -> None:
        """Nothing is open."""


class NoReporter:
    """No report is written; what a task adds is kept nowhere."""

    def add_operation(self, name: str, status: str = "success", details: Mapping[str, Any] | None = None) -> None:
        """Not kept."""

    def add_artifact(self, artifact_type: str, path: str | Path, description: str = "", **more: Any) -> None:
        """Not kept."""

    def add_metric(self, name: str, value: Any) -> None:
        """Not kept."""

    def add_task_summary(self, success: bool, execution_time: float | None = None, **more: Any) -> None:
        """Not kept."""

    def generate_report(self) -> dict[str, Any]:
        """Empty."""
        return {}

    def save_report(self) -> Path:
        """No file; the empty path."""
        return Path()
