"""Finished steps: what the kernel asks of the checkpoint service."""

from __future__ import annotations

import logging
import os
import random
from collections.abc import Callable
from pathlib import Path

import attrs
import pytest

from pamola_tasks.errors import CheckpointError
from pamola_tasks.record import SavedStep
from pamola_tasks.storage import journal
from pamola_tasks.storage.files import Files
from pamola_tasks_checkpoints import TaskContextManager

Manage = Callable[..., TaskContextManager]
Finish = Callable[..., SavedStep]
JOURNAL = "DATA/processed/t_1/.state/journal.jsonl"


def test_a_finished_step_is_remembered_by_the_next_process_with_all_it_left(manage: Manage, finish: Finish) -> None:
    saved = [finish("profile", 0), finish("mask", 1, warnings=("odd",), status="warning", run_seed=7)]
    first = manage()
    for step in saved:
        first.save(step)
    again = manage()
    assert list(again.load().values()) == saved
    assert [again.verify(step) for step in saved] == [[], []]


def test_the_newest_record_of_a_step_counts(manage: Manage, finish: Finish) -> None:
    manager = manage()
    manager.save(finish("mask", fingerprint={"parameter k": "5"}))
    manager.save(finish("mask", fingerprint={"parameter k": "10"}))
    assert manage().load()["mask"].fingerprint == {"parameter k": "10"}


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda path: path.unlink(), "is gone"),
        (lambda path: path.write_bytes(b"short"), "was changed: it has 5 bytes"),
        (lambda path: path.write_bytes(path.read_bytes()[::-1]), "was changed: its content differs"),
        (lambda path: (path.unlink(), path.mkdir()), "is no longer a file"),
        (lambda path: (path.unlink(), path.symlink_to("/etc/passwd")), "cannot be read"),
    ],
    ids=["deleted", "shorter", "same size and other bytes", "a folder", "a link out of the project"],
)
def test_an_output_that_is_not_what_the_step_left_is_named_with_the_reason(
    manage: Manage, finish: Finish, files: Files, damage: Callable[[Path], object], reason: str
) -> None:
    manager = manage()
    saved = finish("mask")
    damage(files.root / saved.outputs[0].path)
    (said,) = manager.verify(saved)
    assert reason in said
    assert saved.outputs[0].path in said
    assert "intermediate data.parquet" in said


def test_an_output_changed_with_size_and_time_kept_is_noticed(manage: Manage, finish: Finish, files: Files) -> None:
    saved = finish("mask")
    path = files.root / saved.outputs[0].path
    before = path.stat()
    path.write_bytes(b"X" + path.read_bytes()[1:])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert len(manage().verify(saved)) == 1


@pytest.mark.parametrize("status", ["error", "pending"])
def test_a_failed_step_is_never_recorded_as_done(manage: Manage, finish: Finish, files: Files, status: str) -> None:
    with pytest.raises(CheckpointError, match="not finished"):
        manage().save(finish("mask", status=status))
    assert not files.exists(JOURNAL)


def test_clearing_forgets_steps_states_and_intermediate_datasets_and_keeps_the_rest(
    manage: Manage, finish: Finish, files: Files
) -> None:
    manager = manage()
    manager.save(finish("mask"))
    manager.save_execution_state({}, "mine")
    files.write("DATA/processed/t_1/.state/lock", b"", "log")
    files.write("DATA/processed/t_1/output/safe.csv", b"x", "data")
    manager.clear()
    assert [name for name, _ in files.iter("DATA/processed/t_1/.state")] == ["lock"]
    assert files.exists("DATA/processed/t_1/output/safe.csv")
    assert manage().load() == {}
    assert manager.get_checkpoints() == []
    manager.clear()


def test_checkpoints_that_are_off_neither_read_nor_write_nor_delete(
    manage: Manage, finish: Finish, files: Files
) -> None:
    on, off = manage(), manage(enabled=False)
    on.save(finish("mask"))
    on.save_execution_state({}, "mine")
    before = files.read(JOURNAL, "log")
    off.save(finish("later"))
    off.clear()
    assert files.read(JOURNAL, "log") == before
    assert (off.load(), off.get_checkpoints(), off.can_resume_execution()) == ({}, [], (False, None))
    with pytest.raises(CheckpointError, match="are off"):
        off.save_execution_state({})
    assert list(on.load()) == ["mask"]


def test_a_journal_cut_off_anywhere_gives_the_steps_before_the_cut_and_takes_new_ones(
    manage: Manage, finish: Finish, files: Files
) -> None:
    manager = manage()
    for number in range(4):
        manager.save(finish(f"step-{number}", number))
    path = files.root / JOURNAL
    whole = path.read_bytes()
    extra = finish("extra")
    for cut in random.Random(3).sample(range(len(whole)), 40):
        path.write_bytes(whole[:cut])
        complete = [f"step-{n}" for n in range(whole[:cut].count(b"\n"))]
        assert list(manage().load()) == complete
        manage().save(extra)
        assert list(manage().load()) == [*complete, "extra"]


def test_a_damaged_line_costs_that_step_only_and_is_logged(
    manage: Manage, finish: Finish, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    for number in range(3):
        manage().save(finish(f"step-{number}", number))
    path = files.root / JOURNAL
    lines = path.read_bytes().split(b"\n")
    lines[1] = lines[1][:40] + b"!" + lines[1][41:]
    path.write_bytes(b"\n".join(lines))
    with caplog.at_level(logging.WARNING):
        assert list(manage().load()) == ["step-0", "step-2"]
    assert "damaged in line 2" in caplog.text


def test_random_damage_never_gives_a_step_that_was_not_saved(manage: Manage, finish: Finish, files: Files) -> None:
    saved = {f"step-{n}": finish(f"step-{n}", n) for n in range(4)}
    for step in saved.values():
        manage().save(step)
    path = files.root / JOURNAL
    whole = path.read_bytes()
    rng = random.Random(5)
    for _ in range(200):
        data = bytearray(whole)
        for _ in range(rng.randint(1, 3)):
            position = rng.randrange(len(data))
            match rng.randrange(3):
                case 0:
                    data[position] ^= 1 << rng.randrange(8)
                case 1:
                    del data[position : position + rng.randint(1, 300)]
                case _:
                    data[position:position] = rng.randbytes(rng.randint(1, 20))
        path.write_bytes(bytes(data))
        for step_id, step in manage().load().items():
            assert step == saved[step_id]


def test_a_step_recorded_by_a_newer_release_is_done_again(
    manage: Manage, finish: Finish, files: Files, caplog: pytest.LogCaptureFixture
) -> None:
    manage().save(finish("old"))
    journal.append(files, JOURNAL, [{"schema": 2, "event": "step", "step_id": "new"}], flush=False)
    journal.append(files, JOURNAL, [{"schema": 1, "event": "step", "step_id": "odd"}], flush=False)
    with caplog.at_level(logging.WARNING):
        assert list(manage().load()) == ["old"]
    assert caplog.text.count("runs again") == 2


def test_a_journal_that_grew_far_beyond_what_is_live_is_compacted(manage: Manage, finish: Finish, files: Files) -> None:
    steps = [finish(f"step-{n}", n) for n in range(3)]
    manager = manage()
    manager.save_execution_state({"cursor": 1}, "mine")
    for _ in range(100):
        for step in steps:
            manager.save(step)
    again = manage()
    again.load()
    again.save(steps[0])
    read = journal.read(files, JOURNAL)
    assert len(read.entries) < 250
    assert manage().load() == {step.step_id: step for step in steps}
    assert manage().restore_execution_state("mine")["cursor"] == 1
    assert {name for name, _ in files.iter("DATA/processed/t_1/.state")} == {"checkpoints", "journal.jsonl", "steps"}


def test_a_crash_while_compacting_leaves_the_old_journal(
    manage: Manage, finish: Finish, files: Files, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = finish("mask")
    manager = manage()
    for _ in range(150):
        manager.save(step)
    journal.append(files, JOURNAL, [journal.decode(files.read(JOURNAL, "log").split(b"\n")[0])] * 100, flush=False)
    before = files.read(JOURNAL, "log")

    def crash(*_: object) -> None:
        raise OSError(5, "Input/output error")

    again = manage()
    again.load()
    with monkeypatch.context() as patch:
        patch.setattr(Files, "replace", crash)
        with pytest.raises(CheckpointError):
            again.save(step)
    assert files.read(JOURNAL, "log") == before
    assert [name for name, _ in files.iter("DATA/processed/t_1/.state")] == ["journal.jsonl", "steps"]
    again.save(step)
    assert len(journal.read(files, JOURNAL).entries) == 2


def test_saving_does_not_wait_for_the_disk(manage: Manage, finish: Finish, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[int] = []
    monkeypatch.setattr("pamola_tasks.storage.system.flush_data", flushed.append)
    manage().save(finish("mask"))
    assert flushed == []


def test_numbers_that_json_does_not_have_do_not_stop_a_step_from_being_recorded(manage: Manage, finish: Finish) -> None:
    step = finish("mask", metrics={"mean": float("nan"), "by": {"a": [1.5, float("inf")]}})
    manage().save(step)
    expected = attrs.evolve(step, metrics={"mean": None, "by": {"a": [1.5, None]}})
    assert manage().load()["mask"] == expected


def test_a_journal_that_cannot_be_written_raises_and_names_it(
    manage: Manage, finish: Finish, monkeypatch: pytest.MonkeyPatch
) -> None:
    step = finish("mask")

    def full(_fd: int, _data: bytes) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(CheckpointError, match=r"\.state/journal\.jsonl could not be written.*No space left"):
        manage().save(step)
