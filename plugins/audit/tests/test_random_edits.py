"""Random edits of what runs of a project with a key left: each is named by `verify`, and none reaches a release.

`PAMOLA_FUZZ=N` (`nox -s fuzz`) makes at least N edits instead of 60.
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import shutil
import zlib
from pathlib import Path
from typing import Any

import pytest
from chain_of_tasks import TESTS, A, B, command_line_of_the_chain, make, write  # noqa: F401

from pamola_tasks.errors import EncryptionError
from pamola_tasks.storage import journal
from pamola_tasks_cli.app import Invocation
from pamola_tasks_cli.app import cli as commands

KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
PLUGIN = str(TESTS / "chain_plugin.py")
GROUPS = 4
EDITS = int(os.environ.get("PAMOLA_FUZZ", "60")) // GROUPS
TWO_STEPS = A.replace("inputs: [numbers]", "inputs: [between]").replace(
    "operations:\n", "operations:\n  - Mix: {inputs: [numbers], output_dataset: between}\n"
)
READER = B.replace("  - Describe", "  - Mix: {inputs: [safe], output_dataset: next}\n  - Describe")
RELEASES = ("DATA/processed/a/output/safe.json", "DATA/processed/b/output/next.json")
UNPROVEN = ("logs/", "older/", "DATA/raw/", ".pamola.toml")  # logs are for people, and nothing reads them


def in_process(project: Path, *arguments: str) -> int:
    """The exit code of a command, without a process of its own."""
    os.chdir(project)
    given = ["--plugin", PLUGIN, "--no-plugin", "logs", *arguments]
    try:
        return commands.main(given, standalone_mode=False, obj=Invocation(None, ["logs"], [PLUGIN])) or 0
    except Exception as error:
        return getattr(error, "exit_code", None) or 1


def content(project: Path, path: str) -> bytes:
    """What a file says to who has the key, encrypted or not."""
    task = [*path.split("/"), "", ""][2]
    run = Invocation(str(project), ["logs"], [PLUGIN]).kernel.services(
        task if task in ("a", "b") else "a", upto="encryption"
    )
    for role in ("data", "artifact", "state"):
        with contextlib.suppress(EncryptionError):
            return run.files.read(path, role)
    return b"what only the program reads"


def files_of(project: Path) -> list[str]:
    """What runs left, with what proves it; without locks, which are empty of meaning, and what is shown meanwhile."""
    found = (path.relative_to(project).as_posix() for path in project.rglob("*") if path.is_file())
    return sorted(
        name
        for name in found
        if not name.startswith(UNPROVEN) and "lock" not in name and not name.endswith((".yaml", ".pub", "live.jsonl"))
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """A project in which both tasks ran twice, with other settings; `older` is what the first runs left."""
    settings = "seed: 3\n" + ("use_encryption: true\n" if request.param == "encrypted" else "")
    project = make(tmp_path_factory.mktemp("made") / "project", TWO_STEPS + settings, READER + settings)
    with pytest.MonkeyPatch.context() as patch:
        set_up(patch, project.parent / "home")
        assert in_process(project, "keys", "init", "--signing") == 0
        for more in ("3", "4"):
            write(project, TWO_STEPS.replace("more: 3", f"more: {more}") + settings)
            assert in_process(project, "run", "a", "b") == 0
            if more == "3":
                shutil.copytree(project, project.parent / "older")
    (project.parent / "older").rename(project / "older")
    return project


def set_up(patch: pytest.MonkeyPatch, home: Path) -> None:
    home.mkdir(exist_ok=True)
    patch.setenv("PAMOLA_KEY", KEY)
    patch.setenv("CHAIN_LOG", str(home / "steps"))
    patch.setenv("HOME", str(home))
    patch.setenv("XDG_DATA_HOME", str(home / "data"))
    patch.syspath_prepend(str(TESTS))
    patch.chdir(home)


def crc(line: bytes) -> bytes:
    return b"%08x %s\n" % (zlib.crc32(line), line)


def ended(entry: dict[str, Any]) -> bool:
    """Whether a line says how something ended; that a run began, or was found to be gone, is said without proof."""
    return entry.get("event") not in ("run_started", "run_aborted")


def edit_of_journal(draw: random.Random, data: bytes) -> tuple[str, bytes]:
    """A journal with one thing changed by somebody who can compute checksums."""
    lines = data.splitlines(keepends=True)
    number = draw.randrange(len(lines))
    entry = json.loads(lines[number][9:])
    match draw.choice(("value", "mac", "cut out", "twice", "exchanged", "planted", "cut off")):
        case "value":
            key = draw.choice([key for key in entry if key not in ("prev", "mac")])
            old = entry[key]
            entry[key] = old + 1 if isinstance(old, int) else f"{old}x"
            lines[number] = crc(json.dumps(entry, separators=(",", ":")).encode())
            return f"{key} of line {number}", b"".join(lines)
        case "mac":
            entry.pop("mac", None)
            lines[number] = crc(json.dumps(entry, separators=(",", ":")).encode())
            return f"mac of line {number}", b"".join(lines)
        case "cut out":
            return f"line {number} cut out", b"".join(lines[:number] + lines[number + 1 :])
        case "twice":
            return f"line {number} twice", b"".join([*lines, lines[number]])
        case "exchanged":
            other = draw.randrange(len(lines))
            lines[number], lines[other] = lines[other], lines[number]
            return f"lines {number} and {other} exchanged", b"".join(lines)
        case "planted":
            entry = next(filter(ended, [json.loads(line[9:]) for line in lines[number:] + lines])) | {"run_id": "0"}
            del entry["mac"], entry["prev"]
            return "a line planted", b"".join([*lines, journal.encode(entry, lines[-1][:-1])])
    return f"cut off behind line {number}", b"".join(lines[:number])


def edit(draw: random.Random, project: Path, path: str) -> str:
    """Change one file in one way; what was done, empty where that changed nothing."""
    file, names = project / path, files_of(project)
    data = file.read_bytes()
    kinds = ["bit", "byte", "cut", "more", "gone", "empty", "other file", "digit", "zeros"]
    if path.endswith(".jsonl"):
        kinds += ["journal"] * 9
    if (project / "older" / path).exists():
        kinds += ["older"] * 3
    if data[:6] == b"ptask/":
        kinds += ["plain"] * 3
    if path.endswith((".json", ".md", ".html")) and data[:6] != b"ptask/":
        kinds += ["word", "signature", "digit", "digit"]
    twin = path.replace("/a/", "/b/").replace("a_report", "b_report")
    if twin != path and (project / twin).exists():
        kinds += ["twin"] * 3
    place, kind = draw.randrange(max(1, draw.choice((len(data), min(len(data), 600))))), draw.choice(kinds)
    new, done = data, kind
    match kind:
        case "bit":
            new = data[:place] + bytes([data[place] ^ 1 << draw.randrange(8)]) + data[place + 1 :]
        case "byte":
            new = data[:place] + bytes([draw.randrange(256)]) + data[place + 1 :]
        case "cut":
            new = data[:place]
        case "more":
            new = data + draw.choice([b"\n", b" ", b"0", b"{}", data[place:]])
        case "gone":
            file.unlink()
            return f"{path}: gone"
        case "empty":
            new = b""
        case "zeros":
            new = bytes(len(data))
        case "digit" | "word":
            signs = b"0123456789" if kind == "digit" else b"abcdefghijklmnopqrstuvwxyz"
            places = [n for n, sign in enumerate(data) if sign in signs]
            place = draw.choice(places) if places else place
            new = data[:place] + bytes([draw.choice(signs)]) + data[place + 1 :]
        case "other file":
            done = draw.choice(names)
            new = (project / done).read_bytes()
        case "twin":
            done, new = twin, (project / twin).read_bytes()
        case "older":
            new = (project / "older" / path).read_bytes()
        case "plain":
            new = content(project, path)
        case "signature":
            new = data.rpartition(b"<!-- signature")[0] or data.rpartition(b',\n  "signature"')[0] + b"\n}\n"
        case "journal":
            done, new = edit_of_journal(draw, data)
    file.write_bytes(new)
    return f"{path}: {done} (at {place} of {len(data)})" if new != data else ""


@pytest.mark.parametrize(
    ("made", "group"), [("encrypted", 0), ("encrypted", 1), ("encrypted", 2), ("plain", 3)], indirect=["made"]
)
def test_every_edit_is_named_and_reaches_no_release(made, group, cli, monkeypatch, tmp_path, capsys):
    home, project = tmp_path / "home", tmp_path / "project"
    shutil.copytree(made.parent / "home", home)
    set_up(monkeypatch, home)
    draw = random.Random(group if "PAMOLA_FUZZ" not in os.environ else None)
    shutil.copytree(made, project)
    truth = {path: content(project, path) for path in RELEASES}
    assert in_process(project, "verify", "a") == in_process(project, "verify", "b") == 0
    unnamed, reached, count = [], [], 0
    while count < EDITS:
        shutil.rmtree(project)
        shutil.copytree(made, project)
        done = edit(draw, project, draw.choice(files_of(project)))
        if not done:
            continue
        count += 1
        codes = {in_process(project, "verify", task) for task in "ab"}
        if count % 3 == 0:  # the same in processes of their own
            installed = [cli("verify", task, cwd=project, env={"PAMOLA_KEY": KEY}) for task in "ab"]
            assert {one.returncode for one in installed} == codes, done
            assert not any("Traceback" in one.stderr for one in installed), done
        if codes == {0}:
            unnamed.append(done)
        (project / draw.choice(RELEASES)).unlink(missing_ok=True)
        for task, release in zip("ab", RELEASES, strict=True):
            if in_process(project, "run", task) == 0 and content(project, release) != truth[release]:
                reached.append(f"{done}: {release}")
    print(capsys.readouterr().out[-2000:])
    assert not reached
    assert not unnamed, "\n".join(unnamed)
