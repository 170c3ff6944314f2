"""What each service must offer, one protocol a service, and `RunServices`: what a plugin sees as `run`.

Modules of this package import each other, never the package.
"""

from __future__ import annotations

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks.protocols.command_line import *
    from pamola_tasks.protocols.config import *
    from pamola_tasks.protocols.contributions import *
    from pamola_tasks.protocols.data import *
    from pamola_tasks.protocols.files import *
    from pamola_tasks.protocols.observability import *
    from pamola_tasks.protocols.places import *
    from pamola_tasks.protocols.plugins_view import *
    from pamola_tasks.protocols.project import *
    from pamola_tasks.protocols.redaction import *
    from pamola_tasks.protocols.run import *
    from pamola_tasks.protocols.services import *
    from pamola_tasks.protocols.steps import *
    from pamola_tasks.protocols.task import *
    from pamola_tasks.protocols.tasks import *
else:  # type checkers know the names in these modules, and that there are no others
    __getattr__, __dir__, __all__ = lazily(
        __name__,
        {
            "command_line": "Command CommandLine Output",
            "config": "Config ConfigLayer Origin RawValue RetrySettings",
            "contributions": "Contribution",
            "data": "DataSource DataWriter DatasetFormat",
            "files": "ContainerFormat ContentHash FileEncryption Files PublishedFile Encryption PathGuard Role Stat",
            "observability": "Diagnosing Diagnosis History Logging Progress ReportSection ReportWriter Reporter",
            "places": "Directories Lock LockHolder Places TaskPlace",
            "redaction": "Disclosure Redactor",
            "plugins_view": "PluginsView",
            "project": "Project RunOptions",
            "run": "KernelView RunServices",
            "services": "SERVICES Service",
            "steps": "Checkpoints Dependencies Executor Session StagedFile StagedStep StepDriver",
            "task": "Task",
            "tasks": "PlannedTask Scheduler TaskNode TaskOutcome",
        },
    )
