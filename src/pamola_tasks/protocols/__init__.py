"""What each service must offer, one protocol a service, and `RunServices`: what a plugin sees as `run`.

Modules of this package import each other, never the package.
"""

from __future__ import annotations

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks.protocols.command_line import Command as Command
    from pamola_tasks.protocols.command_line import CommandLine as CommandLine
    from pamola_tasks.protocols.command_line import Output as Output
    from pamola_tasks.protocols.config import Config as Config
    from pamola_tasks.protocols.config import ConfigLayer as ConfigLayer
    from pamola_tasks.protocols.config import Origin as Origin
    from pamola_tasks.protocols.config import RawValue as RawValue
    from pamola_tasks.protocols.config import RetrySettings as RetrySettings
    from pamola_tasks.protocols.contributions import Contribution as Contribution
    from pamola_tasks.protocols.data import DatasetFormat as DatasetFormat
    from pamola_tasks.protocols.data import DataSource as DataSource
    from pamola_tasks.protocols.data import DataWriter as DataWriter
    from pamola_tasks.protocols.files import ContainerFormat as ContainerFormat
    from pamola_tasks.protocols.files import ContentHash as ContentHash
    from pamola_tasks.protocols.files import Encryption as Encryption
    from pamola_tasks.protocols.files import FileEncryption as FileEncryption
    from pamola_tasks.protocols.files import Files as Files
    from pamola_tasks.protocols.files import PathGuard as PathGuard
    from pamola_tasks.protocols.files import PublishedFile as PublishedFile
    from pamola_tasks.protocols.files import Role as Role
    from pamola_tasks.protocols.files import Stat as Stat
    from pamola_tasks.protocols.observability import Diagnosing as Diagnosing
    from pamola_tasks.protocols.observability import Diagnosis as Diagnosis
    from pamola_tasks.protocols.observability import History as History
    from pamola_tasks.protocols.observability import Logging as Logging
    from pamola_tasks.protocols.observability import Progress as Progress
    from pamola_tasks.protocols.observability import Reporter as Reporter
    from pamola_tasks.protocols.observability import ReportSection as ReportSection
    from pamola_tasks.protocols.observability import ReportWriter as ReportWriter
    from pamola_tasks.protocols.places import Directories as Directories
    from pamola_tasks.protocols.places import Lock as Lock
    from pamola_tasks.protocols.places import LockHolder as LockHolder
    from pamola_tasks.protocols.places import Places as Places
    from pamola_tasks.protocols.places import TaskPlace as TaskPlace
    from pamola_tasks.protocols.plugins_view import PluginsView as PluginsView
    from pamola_tasks.protocols.project import Project as Project
    from pamola_tasks.protocols.project import RunOptions as RunOptions
    from pamola_tasks.protocols.redaction import Disclosure as Disclosure
    from pamola_tasks.protocols.redaction import Redactor as Redactor
    from pamola_tasks.protocols.run import KernelView as KernelView
    from pamola_tasks.protocols.run import RunServices as RunServices
    from pamola_tasks.protocols.services import SERVICES as SERVICES
    from pamola_tasks.protocols.services import Service as Service
    from pamola_tasks.protocols.steps import Checkpoints as Checkpoints
    from pamola_tasks.protocols.steps import Dependencies as Dependencies
    from pamola_tasks.protocols.steps import Executor as Executor
    from pamola_tasks.protocols.steps import Session as Session
    from pamola_tasks.protocols.steps import StagedFile as StagedFile
    from pamola_tasks.protocols.steps import StagedStep as StagedStep
    from pamola_tasks.protocols.steps import StepDriver as StepDriver
    from pamola_tasks.protocols.task import Task as Task
    from pamola_tasks.protocols.tasks import PlannedTask as PlannedTask
    from pamola_tasks.protocols.tasks import Scheduler as Scheduler
    from pamola_tasks.protocols.tasks import TaskNode as TaskNode
    from pamola_tasks.protocols.tasks import TaskOutcome as TaskOutcome
else:  # type checkers know the names above, and that there are no others
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
