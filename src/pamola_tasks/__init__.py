"""pamola-tasks: privacy-enhancing data tasks that keep what they promise.

Names are resolved when they are used, so that importing this package costs nothing.
"""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

__version__ = "0.1.0"

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeVar

    from pamola_tasks.events import RunEvent as RunEvent
    from pamola_tasks.functions import Findings as Findings
    from pamola_tasks.handle import RunHandle as RunHandle
    from pamola_tasks.hookspecs import hookimpl as hookimpl
    from pamola_tasks.hookspecs import hookspec as hookspec
    from pamola_tasks.kernel import BaseTask as BaseTask
    from pamola_tasks.kernel import Kernel as Kernel
    from pamola_tasks.operation import Effect as Effect
    from pamola_tasks.operation import Effects as Effects
    from pamola_tasks.operation import Operation as Operation
    from pamola_tasks.operation import OperationContext as OperationContext
    from pamola_tasks.operation import reads as reads
    from pamola_tasks.operation import writes as writes
    from pamola_tasks.outcome import Outcome as Outcome
    from pamola_tasks.protocols import Command as Command
    from pamola_tasks.protocols import Contribution as Contribution
    from pamola_tasks.protocols import Service as Service
    from pamola_tasks.record import Artifact as Artifact
    from pamola_tasks.record import DatasetRecord as DatasetRecord
    from pamola_tasks.record import OperationResult as OperationResult
    from pamola_tasks.record import OperationStatus as OperationStatus
    from pamola_tasks.secret import Secret as Secret

    # What the packs of this project add by `pamola_add_functions`. Of other packs import functions from their packages.
    _Frame = TypeVar("_Frame")

    def anonymize(
        frame: _Frame, *, k: int, quasi_identifiers: Iterable[str], **parameters: Any
    ) -> tuple[_Frame, Findings]: ...
    def assess(frame: Any, **parameters: Any) -> Findings: ...
    def profile(frame: Any, **parameters: Any) -> Findings: ...
    def risk(frame: Any, *, quasi_identifiers: Iterable[str], **parameters: Any) -> Findings: ...
else:
    _of_kernel, __dir__, __all__ = lazily(
        __name__,
        {
            "events": "RunEvent",
            "functions": "Findings",
            "handle": "RunHandle",
            "hookspecs": "hookimpl hookspec",
            "kernel": "BaseTask Kernel",
            "operation": "Effect Effects Operation OperationContext reads writes",
            "outcome": "Outcome",
            "protocols": "Command Contribution Service",
            "record": "Artifact DatasetRecord OperationResult OperationStatus",
            "secret": "Secret",
        },
    )
    __all__ += ["__version__"]

    def _is_module(name):
        import os  # `from pamola_tasks import kernel` asks for an attribute first

        return any(os.path.exists(os.path.join(__path__[0], name + end)) for end in ("", ".py"))

    def __getattr__(name):
        if name in __all__ or name.startswith("_") or _is_module(name):
            return _of_kernel(name)
        from pamola_tasks.functions import function

        return function(name)
