"""Rotation writes key slots only; whenever it is cut short nothing is lost, and doing it again finishes it."""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections.abc import Iterable
from pathlib import Path

import pytest
from encryption_samples import BINDING, KEY, OTHER_KEY, decrypted, encrypted

from pamola_tasks import Kernel
from pamola_tasks.errors import AlreadyRunning, EncryptionError
from pamola_tasks.storage import journal, system
from pamola_tasks.storage.files import Files
from pamola_tasks_encryption import Binding, rotation
from pamola_tasks_encryption.errors import Tampered, WrongKey, WrongPlace
from pamola_tasks_encryption.header import HEADER_SIZE, SLOT_OFFSETS, SLOT_SIZE, Header, key_id, wrap
from pamola_tasks_encryption.place import not_in_use
from pamola_tasks_encryption.renewal import LOG, Renewal, renew, renew_files
from pamola_tasks_encryption.rotation import Found, Tally

paths = pytest.importorskip("pamola_tasks_paths.guard", reason="the path guard (pamola-tasks-paths) is not installed")

OLD = {key_id(KEY): KEY}
KEYS = OLD | {key_id(OTHER_KEY): OTHER_KEY}
THIRD = bytes(range(5, 37))
# What takes minutes is for `nox -s durability`.
LONG = bool(os.environ.get("PAMOLA_DURABILITY"))
KILLS = 50 if LONG else 5
LINUX = pytest.mark.skipif(sys.platform != "linux", reason="write calls are counted in /proc/self/io")
POSIX = pytest.mark.skipif(os.name == "nt", reason="SIGKILL is of Unix")


@pytest.fixture
def files(tmp_path: Path) -> Files:
    root = tmp_path / "project"
    root.mkdir()
    return Files(paths.ProjectGuard(root))


def fill(files: Files, count: int, size: int) -> dict[str, bytes]:
    """A project of encrypted files in several folders, and one that is not encrypted."""
    content = {f"DATA/{n % 7}/file {n}.csv": os.urandom(size) for n in range(count)}
    for name, plain in content.items():
        (files.root / name).parent.mkdir(parents=True, exist_ok=True)
        (files.root / name).write_bytes(encrypted(plain))
    (files.root / "plain.csv").write_bytes(b"a,b\n" * 2000)
    return content


def one(files: Files, data: bytes) -> str:
    (files.root / "one").write_bytes(data)
    return "one"


def with_slots(file: bytes, a: bytes, b: bytes) -> bytes:
    return file[: SLOT_OFFSETS[0]] + a + b + file[HEADER_SIZE:]


def test_all_files_open_with_the_new_key_alone_and_nothing_else_changed(files: Files) -> None:
    content = fill(files, 20, 5000)
    payloads = {name: (files.root / name).read_bytes()[HEADER_SIZE:] for name in content}
    steps: list[str] = []
    names = (steps.append(name) or name for name in rotation.encrypted_files(files))
    tally = rotation.exchange_files(files, OLD, OTHER_KEY, names)
    assert tally.counts[Found.CHANGED] == len(steps) == 20
    for name, plain in content.items():
        data = (files.root / name).read_bytes()
        assert decrypted(data, OTHER_KEY) == plain
        assert data[HEADER_SIZE:] == payloads[name]
        assert KEYS.keys() & {slot.key_id for slot in Header.parse(data[:HEADER_SIZE]).slots if slot} == {
            key_id(OTHER_KEY)
        }
        with pytest.raises(WrongKey):
            decrypted(data, KEY)
    assert rotation.exchange_files(files, OLD, OTHER_KEY).counts[Found.PRESENT] == 20


def test_keys_can_be_changed_any_number_of_times(files: Files) -> None:
    name = one(files, encrypted(b"x"))
    for number in range(9):
        old, new = (KEY, OTHER_KEY) if number % 2 == 0 else (OTHER_KEY, KEY)
        assert rotation.exchange_slot(files, name, old, new) is Found.CHANGED
        data = (files.root / name).read_bytes()
        assert decrypted(data, new) == b"x"
        newest = Header.parse(data[:HEADER_SIZE]).newest
        assert newest is not None
        assert newest.generation == number + 2


def renewed(files: Files, location: str = "") -> Tally:
    return renew_files(Renewal.begin(files, OTHER_KEY, location), KEYS, OTHER_KEY, location)


def slots_of(file: bytes) -> tuple[bytes, bytes]:
    new = wrap(Header.parse(file[:HEADER_SIZE]).unlock(KEY, BINDING), OTHER_KEY, file[82:98], 2).pack()
    return file[SLOT_OFFSETS[0] : SLOT_OFFSETS[0] + SLOT_SIZE], new


def test_every_moment_at_which_it_can_be_cut_short_is_mended_by_doing_it_again(files: Files) -> None:
    file = encrypted(b"content")
    old, new = slots_of(file)
    empty = bytes(SLOT_SIZE)
    for cut in (
        0,
        1,
        4,
        90,
        511,
        512,
    ):  # a write of the new slot, and one that empties the old, torn by a power failure
        for a, b in ((old, new[:cut] + empty[cut:]), (empty[:cut] + old[cut:], new)):
            name = one(files, with_slots(file, a, b))
            assert rotation.exchange_slot(files, name, KEY, OTHER_KEY) in (Found.CHANGED, Found.PRESENT)
            assert decrypted((files.root / name).read_bytes(), OTHER_KEY) == b"content"
            with pytest.raises(WrongKey):
                decrypted((files.root / name).read_bytes(), KEY)


def test_an_altered_file_is_reported_and_left_as_it_is(files: Files) -> None:
    file = encrypted(b"content")
    old, new = slots_of(file)
    for altered in (
        file[:20] + b"x" + file[21:],
        with_slots(file, old[:60] + bytes(4) + old[64:], bytes(SLOT_SIZE)),
        file[:2000],
    ):
        name = one(files, altered)
        tally = rotation.exchange_files(files, OLD, OTHER_KEY)
        assert tally.counts[Found.DAMAGED] == 1
        assert list(tally.damaged) == [name]
        assert (files.root / name).read_bytes() == altered
    forged = wrap(bytes(32), OTHER_KEY, file[82:98], 9).pack()  # made by somebody who has the new key
    one(files, with_slots(file, old, forged))
    assert rotation.exchange_files(files, OLD, OTHER_KEY).counts[Found.DAMAGED] == 1
    assert new != forged
    assert decrypted(with_slots((files.root / "one").read_bytes(), old, bytes(SLOT_SIZE)), KEY) == b"content"


def test_files_of_other_keys_and_age_files_are_counted_and_left(files: Files) -> None:
    (files.root / "theirs").write_bytes(encrypted(b"x", THIRD))
    (files.root / "age").write_bytes(b"age-encryption.org/v1\n" + bytes(5000))
    tally = rotation.exchange_files(files, OLD, OTHER_KEY)
    assert tally.counts == {**dict.fromkeys(Found, 0), Found.OTHER: 1, Found.AGE: 1}
    assert tally.others == {"theirs": key_id(THIRD).hex()}
    assert decrypted((files.root / "theirs").read_bytes(), THIRD) == b"x"
    assert rotation.exchange_files(files, {key_id(THIRD): THIRD}, KEY).counts[Found.CHANGED] == 1
    assert decrypted((files.root / "theirs").read_bytes(), KEY) == b"x"


def test_where_files_cannot_be_written_into_they_are_replaced(files: Files, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rotation, "_can_write_in_place", lambda: False)
    content = fill(files, 3, 100_000)
    assert rotation.exchange_files(files, OLD, OTHER_KEY).counts[Found.CHANGED] == 3
    for name, plain in content.items():
        assert decrypted((files.root / name).read_bytes(), OTHER_KEY) == plain


def test_a_file_behind_a_link_is_not_touched(files: Files, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(encrypted(b"x"))
    (files.root / "link").symlink_to(outside)
    rotation.exchange_files(files, OLD, OTHER_KEY)
    assert decrypted(outside.read_bytes(), KEY) == b"x"


# ---------------------------------------------------------------- encrypting anew


def test_encrypting_anew_gives_fresh_data_keys_and_keeps_what_files_belong_to(files: Files) -> None:
    name = one(files, encrypted(b"content" * 50_000))
    before = Header.parse((files.root / name).read_bytes()[:HEADER_SIZE])
    tally = renewed(files, "/here")
    data = (files.root / name).read_bytes()
    after = Header.parse(data[:HEADER_SIZE])
    assert tally.counts[Found.CHANGED] == 1
    assert decrypted(data, OTHER_KEY, Binding(BINDING.project, BINDING.task, BINDING.role, "/here"))
    assert decrypted(data, OTHER_KEY) == b"content" * 50_000
    assert after.file_id != before.file_id
    assert after.unlock(OTHER_KEY, BINDING) != before.unlock(KEY, BINDING)
    with pytest.raises(WrongPlace, match="location"):
        decrypted(data, OTHER_KEY, Binding(BINDING.project, BINDING.task, BINDING.role, "/there"))


def test_what_is_altered_is_not_encrypted_anew(files: Files) -> None:
    altered = bytearray(encrypted(b"content" * 50_000))
    altered[-1] ^= 1
    one(files, bytes(altered))
    assert renewed(files).counts[Found.DAMAGED] == 1
    assert (files.root / "one").read_bytes() == altered
    assert [path.name for path in files.root.iterdir() if path.name != ".pamola"] == ["one"]


def test_a_survey_of_headers_and_one_of_all_content(files: Files) -> None:
    altered = bytearray(encrypted(bytes(100_000)))
    altered[-1] ^= 1
    one(files, bytes(altered))
    fill(files, 3, 10)
    assert rotation.survey(files, KEYS).counts[Found.PRESENT] == 4
    tally = rotation.survey(files, KEYS, content=True)
    assert (tally.counts[Found.PRESENT], list(tally.damaged)) == (3, ["one"])


def test_while_a_task_runs_keys_stay_as_they_are(files: Files) -> None:
    kernel = Kernel.discover(files.root)
    lock = files.root / "DATA/processed/t_1/.state/lock"
    lock.parent.mkdir(parents=True)
    with lock.open("wb") as running:
        assert system.lock(running.fileno())
        with pytest.raises(AlreadyRunning, match="t_1 is running"), not_in_use(kernel, files):
            pytest.fail("it has to be refused")
    with not_in_use(kernel, files), lock.open("ab") as other:
        assert not system.lock(other.fileno(), wait=False)


# ---------------------------------------------------------------- processes of their own


def rotating(files: Files, *how: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(Path(__file__).with_name("rotate_side.py")), str(files.root), *how]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True)


def kill(process: subprocess.Popen[str], files: Files, names: Iterable[str], after: int) -> None:
    """Kill a process once so many files have the other key; in the middle of the next one, most likely."""
    waiting = set(names)
    while process.poll() is None:
        waiting -= {name for name in waiting if has_other_key(files.root / name)}
        if len(list(names)) - len(waiting) >= after:
            process.kill()
            break
    process.communicate()


def has_other_key(path: Path) -> bool:
    with path.open("rb") as file:
        return key_id(OTHER_KEY) in [slot.key_id for slot in Header.parse(file.read(HEADER_SIZE)).slots if slot]


def finish(process: subprocess.Popen[str]) -> list[str]:
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0
    return output.split()


@LINUX
def test_at_most_two_thousandths_of_the_data_are_written(files: Files) -> None:
    count, size = (1000, 1 << 20) if LONG else (25, 1 << 20)
    fill(files, count, size)
    _, written, changed = finish(rotating(files))
    assert int(changed) == count
    assert 0 < int(written) <= 0.002 * count * size


@POSIX
def test_killed_at_any_moment_and_run_again_all_files_need_the_new_key_only(files: Files) -> None:
    count = 1000 if LONG else 150
    content = fill(files, count, 200)
    choose = random.Random()
    halfway = 0
    for _ in range(KILLS):
        kill(rotating(files), files, content, choose.randrange(count // 2))
        states = [Header.parse((files.root / name).read_bytes()[:HEADER_SIZE]) for name in content]
        done = sum(key_id(OTHER_KEY) in [slot.key_id for slot in header.slots if slot] for header in states)
        halfway += 0 < done < count
        for header in states:  # at every moment each file opens with one of both keys
            ids = [slot.key_id for slot in header.slots if slot]
            header.unlock(KEY if key_id(KEY) in ids else OTHER_KEY, BINDING)
        finish(rotating(files))
        for name, plain in content.items():
            data = (files.root / name).read_bytes()
            assert decrypted(data, OTHER_KEY) == plain
            with pytest.raises(EncryptionError):
                decrypted(data, KEY)
            (files.root / name).write_bytes(encrypted(plain))
    assert halfway > 0, "no kill hit the rotation: the test shows nothing"


@POSIX
def test_encrypting_anew_goes_on_where_it_was_killed_and_writes_each_file_once(files: Files) -> None:
    count = 1000 if LONG else 60
    content = fill(files, count, 70_000)

    def events() -> list[str]:
        return [entry["event"] for entry in journal.read(files, LOG).entries]

    choose = random.Random()
    hits = 0
    for number in range(KILLS):
        if "finished" in events():  # the last kill came too late
            break
        kill(rotating(files, "anew"), files, content, count * number // KILLS + choose.randrange(count // KILLS))
        done = 0
        for name, plain in content.items():  # at every moment each file opens with one of both keys
            data = (files.root / name).read_bytes()
            ids = [slot.key_id for slot in Header.parse(data[:HEADER_SIZE]).slots if slot]
            assert ids in ([key_id(KEY)], [key_id(OTHER_KEY)])
            done += ids == [key_id(OTHER_KEY)]
            assert decrypted(data, KEYS[ids[0]]) == plain
        hits += 0 < done < count
    if "finished" not in events():
        finish(rotating(files, "anew"))
    assert hits > 0, "no kill hit it: the test shows nothing"
    for name, plain in content.items():
        assert decrypted((files.root / name).read_bytes(), OTHER_KEY) == plain
    assert count <= events().count("file") <= count + KILLS
    assert (events().count("begun"), events().count("finished")) == (1, 1)
    finish(rotating(files, "anew"))
    assert events().count("file") >= 2 * count


def test_one_for_another_key_or_place_or_from_the_beginning_does_not_go_on(files: Files) -> None:
    fill(files, 3, 10)
    first = Renewal.begin(files, OTHER_KEY, "/here")
    renew(first, "DATA/0/file 0.csv", KEYS, OTHER_KEY, "/here")
    assert len(Renewal.begin(files, OTHER_KEY, "/here").done) == 1
    assert Renewal.begin(files, OTHER_KEY, "/there").done == set()
    assert Renewal.begin(files, OTHER_KEY, "/there", restart=True).id != first.id
    again = Renewal.begin(files, THIRD, "/there")
    assert (again.done, again.id == first.id) == (set(), False)


def test_a_torn_slot_is_refused_by_readers_until_it_is_mended(files: Files) -> None:
    file = encrypted(b"content")
    old, new = slots_of(file)
    torn = with_slots(file, old, new[:100] + bytes(SLOT_SIZE - 100))
    with pytest.raises(Tampered):
        decrypted(torn)
    one(files, torn)
    rotation.exchange_files(files, OLD, OTHER_KEY)
    assert decrypted((files.root / "one").read_bytes(), OTHER_KEY) == b"content"
