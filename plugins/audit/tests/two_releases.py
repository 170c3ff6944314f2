"""A project with two releases of a task, and ways to verify them: the command, and the one file of a recipient."""

from __future__ import annotations

import contextlib
import io
import json
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path
from unittest import mock

import pytest

from pamola_tasks_audit import verify_release
from pamola_tasks_cli.app import Invocation
from pamola_tasks_cli.app import cli as commands

HERE = Path(__file__).resolve().parent
VERIFIER = HERE.parent / "src/pamola_tasks_audit/verify_release.py"
PLUGIN = str(HERE / "claims_plugin.py")
KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
MANIFEST, ATTESTATION, TABLE = "manifest.json", "attestation.json", "data/safe.csv"


class Lab:
    """A project with two releases of a task, both approved by a second person."""

    def __init__(self, folder: Path) -> None:
        self.home, self.project, self.second = folder / "home", folder / "project", folder / "second"
        self.old, self.new, self.log = folder / "old", folder / "new", self.project / "configs/execution_log.jsonl"
        self.home.mkdir()
        for root in (self.project, self.second):
            (root / "configs").mkdir(parents=True)
            (root / "DATA/raw").mkdir(parents=True)
            (root / ".pamola.toml").touch()
            (root / ".pamola").mkdir()
            (root / ".pamola/id").write_text(f"{uuid.uuid4()}\n")
        (self.project / "configs/t.yaml").write_text(
            "task_id: t\ninput_datasets: {people: DATA/raw/people.csv}\noperations:\n"
            "  - Claim: {input_dataset: people, output_dataset: safe, verdict: met, k: 2}\n"
        )
        self.key, self.approver = (self.public_key(root) for root in (self.project, self.second))
        for count, target in ((54, self.old), (60, self.new)):
            people = "".join(f"{n},{20 + n % 9},{'ab'[n % 2]}\n" for n in range(count))
            (self.project / "DATA/raw/people.csv").write_text("person,age,city\n" + people)
            assert self.run("run", "t") == 0
            if target == self.new:
                self.earlier_log = self.log.read_bytes()
            words = ("--format", "folder", "--to", str(target), "--approver", f"B. Reviewer={self.approver}")
            assert self.run("release", "t", *words) == 0
            assert self.run("approve", str(target), "--public-key", self.key, at=self.second) == 0
        self.run_id = json.loads((self.new / MANIFEST).read_text())["run"]

    def public_key(self, root: Path) -> str:
        assert self.run("keys", "init", "--signing", at=root) == 0
        return (root / ".pamola/signing.pub").read_text().strip()

    def run(self, *arguments: str, at: Path | None = None) -> int:
        """The exit code of a command, without a process of its own."""
        os.chdir(at or self.project)
        given = ["--plugin", PLUGIN, "--no-plugin", "logs", *arguments]
        try:
            return commands.main(given, standalone_mode=False, obj=Invocation(None, ["logs"], [PLUGIN])) or 0
        except Exception as error:
            return getattr(error, "exit_code", None) or 1

    def alone(self, bundle: Path) -> subprocess.CompletedProcess[str]:
        """What a recipient runs who knows both keys and the run."""
        command = [sys.executable, "-I", "-S", str(VERIFIER), *self._words(bundle)]
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def within(self, bundle: Path) -> tuple[int, str]:
        """The same without a process of its own: its exit code, and what it prints."""
        said = io.StringIO()
        with (
            mock.patch.object(sys, "argv", [str(VERIFIER), *self._words(bundle)]),
            contextlib.redirect_stdout(said),
            contextlib.redirect_stderr(said),
        ):
            return verify_release.main(), said.getvalue()

    def _words(self, bundle: Path) -> list[str]:
        known = ["--public-key", self.key, "--approved-by", self.approver, "--run", self.run_id]
        return [str(bundle), *known, "--recount"]


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    folder = tmp_path_factory.mktemp("lab")
    with pytest.MonkeyPatch.context() as patch:
        for name, place in (("HOME", "home"), ("XDG_DATA_HOME", "home/data"), ("XDG_STATE_HOME", "home/state")):
            patch.setenv(name, str(folder / place))
        patch.setenv("PAMOLA_KEY", KEY)
        patch.chdir(folder)
        yield Lab(folder)
