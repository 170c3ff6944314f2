"""One hierarchy of errors; each has a code for machines and an exit code for the command line."""

from __future__ import annotations

import pickle
from typing import Any

import pytest

from pamola_tasks import errors
from pamola_tasks.errors import ConfigurationError, PamolaTaskError, ServiceNotReady
from pamola_tasks.record import new_run_id
from pamola_tasks.storage.system import peak_memory

ALL = [cls for cls in vars(errors).values() if isinstance(cls, type) and issubclass(cls, PamolaTaskError)]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("UsageError", 2),
        ("ConfigurationError", 2),
        ("ParameterError", 2),
        ("UnknownTaskError", 2),
        ("PluginError", 2),
        ("ProviderConflict", 2),
        ("ServiceMissing", 2),
        ("DependencyMissingError", 3),
        ("DependencyFailedError", 3),
        ("PathSecurityError", 4),
        ("EncryptionError", 4),
        ("DataRefused", 4),
        ("AlreadyRunning", 75),
        ("OperationError", 1),
        ("DataError", 1),
        ("StepTimeout", 1),
    ],
)
def test_exit_codes_tell_what_kind_of_thing_went_wrong(name: str, code: int) -> None:
    assert getattr(errors, name).exit_code == code


def test_every_error_has_a_code_of_its_own() -> None:
    codes = [cls.code for cls in dict.fromkeys(ALL)]
    assert len(codes) == len(set(codes))


@pytest.mark.parametrize("cls", dict.fromkeys(ALL))
def test_errors_travel_between_processes_with_their_details(cls: type[PamolaTaskError]) -> None:
    error: Any = cls("history", "me") if cls is ServiceNotReady else cls("what happened", row=3)
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is cls
    assert str(copy) == str(error)
    assert copy.details == error.details
    assert vars(copy) == vars(error)


def test_a_configuration_error_lists_every_problem() -> None:
    error = ConfigurationError(problems=("one", "two"))
    assert str(error) == "one\ntwo"
    assert ConfigurationError("one").problems == ("one",)


def test_run_ids_are_uuids_that_sort_by_time() -> None:
    import time
    import uuid

    ids = []
    for _ in range(3):
        ids.append(new_run_id())
        time.sleep(0.002)
    assert ids == sorted(ids)
    assert {uuid.UUID(text).version for text in ids} == {7}
    assert {uuid.UUID(text).variant for text in ids} == {uuid.RFC_4122}


def test_the_memory_of_the_process_is_told_in_bytes() -> None:
    peak = peak_memory()
    assert peak is None or 1_000_000 < peak < 10**12
