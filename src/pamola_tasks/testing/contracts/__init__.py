"""Contracts: classes of tests that a provider of a service passes. Inherit one and name the plugin under test.

from pamola_tasks.testing.contracts import HistoryContract


class TestMyHistory(HistoryContract):
    plugin = "my-history"

They need pytest; `pamola_tasks.testing` does not.
"""

# ruff: noqa: E402
import pytest

# before they are imported, so that what is wrong is shown with its values
_MODULES = "base checkpoints configuring data encryption history layout observing operations path_guard plugins running"
pytest.register_assert_rewrite(*(f"{__name__}.{name}" for name in _MODULES.split()))

from pamola_tasks.testing.contracts.base import Contract, ServiceContract
from pamola_tasks.testing.contracts.checkpoints import CheckpointsContract
from pamola_tasks.testing.contracts.configuring import ConfigContract
from pamola_tasks.testing.contracts.data import DataSourceContract, DataWriterContract
from pamola_tasks.testing.contracts.encryption import EncryptionContract
from pamola_tasks.testing.contracts.faults import Events, Faults
from pamola_tasks.testing.contracts.history import HistoryContract
from pamola_tasks.testing.contracts.layout import DirectoriesContract, LockContract, PlacesContract, ProjectContract
from pamola_tasks.testing.contracts.observing import (
    LoggingContract,
    ProgressContract,
    RedactorContract,
    ReporterContract,
)
from pamola_tasks.testing.contracts.operations import OperationContract
from pamola_tasks.testing.contracts.path_guard import PathGuardContract
from pamola_tasks.testing.contracts.plugins import PluginContract
from pamola_tasks.testing.contracts.running import DependenciesContract, ExecutorContract, SchedulerContract
from pamola_tasks.testing.contracts.steps import MARKER, Break, ContractTask, Copy

KIT_API = 1  #: goes up when a provider that passed may fail: with a new promise, or a stricter one

__all__ = [
    "KIT_API",
    "MARKER",
    "Break",
    "CheckpointsContract",
    "ConfigContract",
    "Contract",
    "ContractTask",
    "Copy",
    "DataSourceContract",
    "DataWriterContract",
    "DependenciesContract",
    "DirectoriesContract",
    "EncryptionContract",
    "Events",
    "ExecutorContract",
    "Faults",
    "HistoryContract",
    "LockContract",
    "LoggingContract",
    "OperationContract",
    "PathGuardContract",
    "PlacesContract",
    "PluginContract",
    "ProgressContract",
    "ProjectContract",
    "RedactorContract",
    "ReporterContract",
    "SchedulerContract",
    "ServiceContract",
]
