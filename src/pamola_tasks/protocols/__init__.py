"""What each service must offer, one protocol a service, and `RunServices`: what a plugin sees as `run`.

Modules of this package import each other, never the package.
"""

from __future__ import annotations

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks.protocols.command_line import *
    from pamola_tasks.protocols.data import *
    from pamola_tasks.protocols.files import *
    from pamola_tasks.protocols.observability import *
    from pamola_tasks.protocols.project import *
    from pamola_tasks.protocols.run import *
    from pamola_tasks.protocols.services import *
    from pamola_tasks.protocols.tasks import *
else:  # type checkers know the names in these modules, and that there are no others
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "command_line": "Command CommandLine Output",
            "data": "DataSource DataWriter DatasetFormat ReleaseTable",
            "files": "ContainerFormat ContentHash FileEncryption Files PublishedFile Encryption PathGuard Role Stat",
            "observability": "Diagnosis Disclosure History Logging Progress Redactor ReportSection"
            " ReportWriter Reporter",
            "project": "Config ConfigLayer Directories Lock LockHolder Origin Places Project RawValue RetrySettings"
            " RunOptions TaskPlace",
            "run": "KernelView PluginsView RunServices",
            "services": "Contribution SERVICES Service",
            "tasks": "Checkpoints Dependencies Executor PlannedStep PlannedTask Scheduler Session StagedFile StagedStep"
            " StepDriver Task TaskNode TaskOutcome",
        },
    )
