"""Whole runs on real files: encryption in the files' way, locks that wait, services that cannot be closed."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import pytest
from disk_kit import disk_kernel
from kernel_kit import Add, Count, Nothing, Steps, Xor, dataset, files_below, kernel_of, statuses

from pamola_tasks import Operation, OperationResult, Secret, hookimpl, protocols
from pamola_tasks.errors import DependencyMissingError, EncryptionError, Terminated
from pamola_tasks.protocols import RunOptions, RunServices


class Encrypts:
    """Provides the encryption that a test can see through."""

    PAMOLA_PLUGIN_NAME = "xor"

    def __init__(self, key_id: str = "k1") -> None:
        self.key_id = key_id
        self.forgotten = 0

    @hookimpl
    def pamola_provide_encryption(self, run: RunServices) -> Any:
        """One for the run."""
        plugin = self

        class Service(Xor):
            key_id = plugin.key_id
            enabled = run.config.use_encryption

            def get_encryption_info(self) -> dict[str, Any]:
                return {"enabled": self.enabled, "mode": self.mode, "key_id": self.key_id}

            def derive_key(self, purpose: str) -> bytes:
                return purpose.encode().ljust(32, b"\0")

            def refusal(self, head: bytes) -> str:
                return "" if self.key_id == "k1" else f"it needs the key k1, and {self.key_id} is at hand"

            def cleanup(self) -> None:
                plugin.forgotten += 1

        return Service()


def encrypted_task(numbers: str) -> Steps:
    return Steps(
        (Add, {"input_dataset": "numbers", "output_dataset": "middle"}),
        (Add, {"input_dataset": "middle", "output_dataset": "safe"}),
        (Count, {"input_dataset": "safe"}),
        input_datasets={"numbers": numbers},
        use_encryption=True,
    )


def test_everything_that_holds_data_is_encrypted_and_can_be_read_again(tmp_path: Path) -> None:
    numbers = dataset(tmp_path, "numbers", [1, 2])
    encryption = Encrypts()
    task = encrypted_task(numbers)
    outcome = disk_kernel(tmp_path, encryption).run(task)
    assert outcome.success, outcome.record.error
    written = files_below(tmp_path / "DATA" / "processed" / "t_1")
    for name in (".state/steps/Add/middle.json", "output/safe.json", "output/count_safe.json"):
        assert written[name].startswith(b"ptask/1 "), name
    assert all(record.encrypted for record in (*outcome.record.outputs, *outcome.record.intermediates))
    assert all(artifact.encrypted for artifact in outcome.record.artifacts)
    assert outcome.datasets["safe"] == [3, 4]
    assert outcome.datasets["middle"] == [2, 3]
    assert task.encryption_manager.get_encryption_info() == {"enabled": True, "mode": "simple", "key_id": "k1"}
    assert encryption.forgotten == 1


def test_another_key_makes_everything_again_and_the_same_key_nothing(tmp_path: Path) -> None:
    numbers = dataset(tmp_path, "numbers", [1, 2])
    disk_kernel(tmp_path, Encrypts(), seed=1).run(encrypted_task(numbers))
    same = disk_kernel(tmp_path, Encrypts(), seed=1).run(encrypted_task(numbers))
    assert set(statuses(same.results).values()) == {"skipped"}
    other = disk_kernel(tmp_path, Encrypts("k2"), seed=1).run(encrypted_task(numbers))
    assert set(statuses(other.results).values()) == {"success"}
    assert other.record.steps[0].reason == (
        "intermediate middle (DATA/processed/t_1/.state/steps/Add/middle.json) cannot be decrypted:"
        " it needs the key k1, and k2 is at hand"
    )


def test_what_was_encrypted_is_not_read_as_data_when_nobody_decrypts(tmp_path: Path) -> None:
    disk_kernel(tmp_path, Encrypts()).run(encrypted_task(dataset(tmp_path, "numbers", [1])))
    task = Steps(
        (Count, {"input_dataset": "stolen"}),
        task_id="t_2",
        input_datasets={"stolen": "DATA/processed/t_1/output/safe.json"},
    )
    outcome = disk_kernel(tmp_path).run(task)
    assert isinstance(outcome.error, EncryptionError)
    assert outcome.exit_code == 4


def test_a_task_reads_what_another_task_encrypted(tmp_path: Path) -> None:
    disk_kernel(tmp_path, Encrypts()).run(encrypted_task(dataset(tmp_path, "numbers", [1, 2])))
    task = Steps(
        (Count, {"input_dataset": "safe"}),
        task_id="t_2",
        input_datasets={"safe": "DATA/processed/t_1/output/safe.json"},
    )
    outcome = disk_kernel(tmp_path, Encrypts()).run(task)
    assert outcome.results["Count"].metrics == {"count": 2}
    written = tmp_path / "DATA" / "processed" / "t_2" / "output" / "count_safe.json"
    assert json.loads(written.read_text()) == 2, "this task does not encrypt"


def test_keys_that_operations_derive_come_from_the_service(tmp_path: Path) -> None:
    class Pseudonyms(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            return OperationResult.success({"bytes": len(ctx.derive_key("pseudonyms"))})

    outcome = disk_kernel(tmp_path, Encrypts()).run(Steps(Pseudonyms, use_encryption=True))
    assert outcome.results["Pseudonyms"].metrics == {"bytes": 32}


# ---------------------------------------------------------------- waiting and ending


def test_a_run_that_is_told_to_wait_begins_when_the_other_has_ended(tmp_path: Path) -> None:
    inside, go_on = threading.Event(), threading.Event()
    order: list[str] = []

    class Slow(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            inside.set()
            assert go_on.wait(120)
            order.append("first")
            return OperationResult.success()

    class Quick(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            order.append("second")
            return OperationResult.success()

    first = threading.Thread(target=lambda: disk_kernel(tmp_path).run(Steps(Slow)))
    first.start()
    assert inside.wait(120)
    second = threading.Thread(
        target=lambda: disk_kernel(tmp_path).run(Steps(Quick), options=RunOptions(wait=True, console=False))
    )
    second.start()
    second.join(0.2)
    assert second.is_alive()
    assert order == []
    go_on.set()
    first.join(120)
    second.join(120)
    assert order == ["first", "second"]


def test_services_that_cannot_be_closed_do_not_keep_the_others_from_being_closed(tmp_path: Path) -> None:
    from pamola_tasks.nulls import NoProgress

    class Stuck(NoProgress):
        def close(self) -> None:
            raise OSError("no terminal")

    class Progress:
        @hookimpl
        def pamola_provide_progress(self, run: RunServices) -> Any:
            return Stuck()

    outcome = disk_kernel(tmp_path, Progress()).run(Steps(Nothing))
    assert outcome.success
    assert disk_kernel(tmp_path).run(Steps(Nothing)).success, "the lock was let go"


def test_a_run_that_was_terminated_ends_with_the_code_of_the_signal() -> None:
    class Killed(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            raise Terminated

    outcome = kernel_of().run(Steps(Killed))
    assert (outcome.status, outcome.exit_code) == ("interrupted", 143)


def test_the_temporary_directory_is_empty_and_there_when_a_run_has_ended(tmp_path: Path) -> None:
    class Litters(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            (ctx.directories.get_directory("temp") / "litter").touch()
            raise ValueError("and fails")

    disk_kernel(tmp_path).run(Steps(Litters))
    temp = tmp_path / "DATA" / "processed" / "t_1" / "temp"
    assert temp.is_dir()
    assert list(temp.iterdir()) == []


def test_looking_at_services_makes_no_folder(tmp_path: Path) -> None:
    disk_kernel(tmp_path).services(Steps(Nothing), upto="executor")
    assert list(tmp_path.iterdir()) == []


def test_a_dependency_service_that_objects_ends_the_run_as_a_dependency_error() -> None:
    class Dependencies:
        @hookimpl
        def pamola_provide_dependencies(self, run: RunServices) -> Any:
            class Service(protocols.Dependencies):
                def assert_dependencies_completed(self) -> bool:
                    raise DependencyMissingError("t_0 has left no report", dependency="t_0")

            return Service()

    task = Steps(Nothing)
    outcome = kernel_of(Dependencies()).run(task)
    assert (outcome.status, task.status, outcome.exit_code) == ("dependency_error", "dependency_error", 3)


# ---------------------------------------------------------------- secrets that cannot be had


class Unavailable(Secret):
    """A secret whose vault is closed."""

    def reveal(self) -> str:
        """Not to be had."""
        from pamola_tasks.errors import ConfigurationError

        raise ConfigurationError("the secret 'db' is not to be had")


def test_a_run_needs_its_secrets_and_looking_at_a_project_does_not() -> None:
    from pamola_tasks.errors import ConfigurationError

    kernel = kernel_of(db=Unavailable("", "db"))
    with pytest.raises(ConfigurationError, match="not to be had"):
        kernel.run(Steps(Nothing))
    run = kernel.services(None, upto="history")
    assert run.record.warnings == ["the secret 'db' is not to be had"]


def test_a_task_begun_by_hand_takes_its_options_from_initialize(tmp_path: Path) -> None:
    task = Steps(Nothing)
    task.kernel = disk_kernel(tmp_path)
    assert task.run()
    with task:
        assert task.initialize({"seed": 4}, force_restart=True, enable_checkpoints=True)
        assert task.config.seed == 4
        task.configure_operations()
        assert task.execute()
    assert statuses(task.results) == {"Nothing": "success"}
