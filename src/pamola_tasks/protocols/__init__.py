"""What each service must offer, one protocol a service, and `RunServices`: what a plugin sees as `run`."""

from __future__ import annotations

from pamola_tasks.protocols.config import Config, ConfigLayer, Origin, RetrySettings
from pamola_tasks.protocols.data import DatasetFormat, DataSource, DataWriter
from pamola_tasks.protocols.files_and_places import ContainerFormat, Directories, Encryption, PathGuard, Role, Stat
from pamola_tasks.protocols.observability import (
    Diagnosing,
    Diagnosis,
    History,
    Logging,
    Progress,
    Reporter,
    ReportSection,
    ReportWriter,
)
from pamola_tasks.protocols.run import SERVICES, Project, RunOptions, RunServices
from pamola_tasks.protocols.steps import Checkpoints, Dependencies, Executor, Lock, StepDriver

__all__ = [
    "SERVICES",
    "Checkpoints",
    "Config",
    "ConfigLayer",
    "ContainerFormat",
    "DataSource",
    "DataWriter",
    "DatasetFormat",
    "Dependencies",
    "Diagnosing",
    "Diagnosis",
    "Directories",
    "Encryption",
    "Executor",
    "History",
    "Lock",
    "Logging",
    "Origin",
    "PathGuard",
    "Progress",
    "Project",
    "ReportSection",
    "ReportWriter",
    "Reporter",
    "RetrySettings",
    "Role",
    "RunOptions",
    "RunServices",
    "Stat",
    "StepDriver",
]
