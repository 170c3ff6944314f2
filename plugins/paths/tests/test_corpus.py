"""The corpus of hostile and harmless names, over every operation, with and without the guard."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.errors import PathSecurityError
from pamola_tasks_paths.opening import FinalPath, Walk, best_opener
from pamola_tasks_paths.saferoot import SafeRoot

CORPUS = Path(__file__).parents[4] / "shared" / "corpus" / "paths.json"
pytestmark = [
    pytest.mark.skipif(not CORPUS.exists(), reason="the shared corpus of paths is not beside the project"),
    pytest.mark.skipif(os.name != "posix", reason="the corpus is laid out with symbolic links"),
]
OPENERS: dict[str, Any] = {"best": best_opener, "walk": Walk, "final path": FinalPath}
CASES: dict[str, list[dict[str, Any]]] = json.loads(CORPUS.read_text()) if CORPUS.exists() else {}


def lay_out(case: dict[str, Any], base: Path) -> tuple[Path, Path, object]:
    """The case's root and outside folder, and the name to try."""
    root, out = base / case.get("root_name", "ROOT"), base / "OUT"
    root.mkdir()
    out.mkdir()
    (out / "secret.txt").write_text("secret")
    (base / f"{root.name}-evil").mkdir()
    (base / f"{root.name}-evil" / "secret.txt").write_text("secret")

    def text(raw: str) -> str:
        return raw.replace("$ROOT", str(root)).replace("$OUT", str(out))

    def place(raw: str) -> Path:
        path = root / text(raw)
        path.parent.mkdir(parents=True, exist_ok=True)
        return path

    for line in case["setup"]:
        if line == "@rootlink":
            (base / "LINK").symlink_to(root)
            root = base / "LINK"
        elif line == "@pathmax":
            pathmax(root)
        elif line.startswith("@race"):
            pytest.skip("races are tried in test_saferoot")
        elif " => " in line:
            name, _, target = line.partition(" => ")
            place(name).symlink_to(text(target))
        elif " == " in line:
            name, _, target = line.partition(" == ")
            os.link(text(target), place(name))
        elif line.endswith(" |"):
            os.mkfifo(place(line[:-2]))
        elif line.endswith("/"):
            place(line).mkdir(parents=True, exist_ok=True)
        else:
            place(line).write_text("inside")
    name = case["input"]
    if name == "@pathmax":
        name = "escape/secret.txt"
    return root, out, text(name) if isinstance(name, str) else name


def pathmax(root: Path) -> None:
    """CVE-2025-4517: links whose resolution is longer than PATH_MAX, where realpath gives up."""
    here, steps = root, "abcdefghijklmnop"
    for step in steps:
        (here / ("d" * 247)).mkdir()
        (here / step).symlink_to("d" * 247)
        here = here / step
    (here / ("l" * 200)).symlink_to("../" * len(steps))
    (root / "escape").symlink_to("/".join(steps) + "/" + "l" * 200 + "/../OUT")


def operations(case: dict[str, Any]) -> list[str]:
    reading, writing = ["read"], ["create", "replace", "mkdir", "rename", "delete"]
    return {"read": reading, "write": ["create", "replace"], "any": reading + writing}[case["op"]]


def perform(safe: SafeRoot, operation: str, name: Any) -> None:
    if operation == "read":
        with safe.open(name) as file:
            file.read(10)
    elif operation == "create":
        with safe.create(name) as file:
            file.write(b"written")
    elif operation == "replace":
        with safe.create("own.txt") as file:
            file.write(b"own")
        safe.replace("own.txt", name)
    elif operation == "mkdir":
        safe.mkdirs(name)
    elif operation == "rename":
        safe.replace(name, "elsewhere")
    else:
        safe.unlink(name)


def accepted(case: dict[str, Any], base: Path, how: Callable[[str], Any]) -> list[str]:
    """The operations that were not refused, or that reached outside."""
    found = []
    for number, operation in enumerate(operations(case)):
        place = base / str(number)
        place.mkdir()
        root, out, name = lay_out(case, place)
        before = sorted(out.rglob("*"))
        try:
            with SafeRoot(root, opener=how) as safe:
                perform(safe, operation, name)
            found.append(operation)
        except PathSecurityError:
            pass
        except OSError as error:
            found.append(f"{operation}: {type(error).__name__}")
        if sorted(out.rglob("*")) != before or (out / "secret.txt").read_text() != "secret":
            found.append(f"{operation} reached outside")
    return found


def cases(kind: str, **wanted: str) -> list[Any]:
    chosen = [case for case in CASES.get(kind, []) if all(case[key] == value for key, value in wanted.items())]
    return [pytest.param(case, id=case["id"]) for case in chosen]


@pytest.mark.parametrize("how", list(OPENERS))
@pytest.mark.parametrize("case", cases("hostile", tier="must"))
def test_what_must_be_refused_is_refused_in_every_operation(case: dict[str, Any], how: str, tmp_path: Path) -> None:
    assert accepted(case, tmp_path, OPENERS[how]) == []


@pytest.mark.parametrize("how", list(OPENERS))
def test_nearly_all_that_strictness_refuses_is_refused(how: str, tmp_path: Path) -> None:
    missed = {}
    strict = [case for case in CASES["hostile"] if case["tier"] == "strict"]
    if how == "final path":  # meant for systems where the others do not apply
        strict = [case for case in strict if case["platform"] != "posix"]
    for case in strict:
        place = tmp_path / case["id"]
        place.mkdir()
        let_through = accepted(case, place, OPENERS[how])
        if let_through:
            missed[case["id"]] = (case["input"], let_through)
    assert len(missed) <= 0.03 * len(strict), missed


@pytest.mark.parametrize("how", list(OPENERS))
def test_harmless_names_are_accepted(how: str, tmp_path: Path) -> None:
    refused = {}
    for case in CASES["benign"]:
        place = tmp_path / case["id"]
        place.mkdir()
        root, _, name = lay_out(case, place)
        assert isinstance(name, str)
        try:
            with SafeRoot(root, opener=OPENERS[how]) as safe:
                if name.endswith("/"):
                    safe.mkdirs(name)
                    assert list(safe.iter(name)) == []
                    continue
                with safe.create(name) as file:
                    file.write(b"written")
                with safe.open(name) as file:
                    assert file.read() == b"written"
                safe.replace(name, "moved/elsewhere.csv")
                if not case["setup"]:
                    safe.replace("moved/elsewhere.csv", name)
                    safe.unlink(name)
        except (PathSecurityError, OSError) as error:
            refused[case["id"]] = (name, str(error))
    assert refused == {}


@pytest.mark.parametrize("case", cases("hostile", tier="must", platform="posix"))
def test_without_the_guard_the_same_name_reaches_what_it_must_not(
    case: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root, out, name = lay_out(case, tmp_path)
    assert isinstance(name, str)
    for folder in ("c", "OUT", "d"):  # what the longer ways lead to
        (out / folder).mkdir(exist_ok=True)
        (out / folder / "secret.txt").write_text("secret")
    monkeypatch.chdir(root)
    flags = os.O_WRONLY | os.O_CREAT if case["op"] == "write" else os.O_RDONLY | os.O_NONBLOCK
    os.close(os.open(os.path.join(root, name), flags))
