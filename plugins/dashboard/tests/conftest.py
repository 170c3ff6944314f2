"""A project with two runs, and its dashboard, in a process of its own."""

from __future__ import annotations

import http.client
import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs
import command_line
import pytest
from installed import clean_environment

TASK = """\
description: <b>people</b>
input_datasets: {people: DATA/raw/people.csv}
operations:
  - ProfileOperation: {dataset_name: people}
    id: look
  - AnonymizeOperation: {input_dataset: people, output_dataset: safe, k: 3, quasi_identifiers: [age, city]}
    id: release
"""


@attrs.define
class Dashboard:
    """A dashboard that runs, and what was printed."""

    process: subprocess.Popen[str]
    address: str
    warnings: list[str]

    @property
    def port(self) -> int:
        return int(re.findall(r":(\d+)/", self.address)[0])

    @property
    def token(self) -> str:
        return self.address.partition("#token=")[2]

    def ask(self, path: str, method: str = "GET", body: Any = None, **headers: str) -> tuple[int, str, dict[str, str]]:
        """Status, text and headers of an answer; names of headers are written with `_`."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.request(method, path, None if body is None else json.dumps(body), sent)
        answer = connection.getresponse()
        told = answer.status, answer.read().decode(), {name.lower(): value for name, value in answer.getheaders()}
        connection.close()
        return told

    def cookie(self) -> str:
        """What a browser gets for the token."""
        return self.ask("/api/session", "POST", {"token": self.token})[2]["set-cookie"].partition(";")[0]

    def end(self) -> int:
        """End it as Ctrl-C does; its exit code."""
        self.process.send_signal(signal.SIGINT)
        self.process.communicate(timeout=20)
        return self.process.returncode


@attrs.define
class Lab:
    """A project and a home."""

    root: Path
    home: Path
    running: list[Dashboard] = attrs.Factory(list)

    def environment(self) -> dict[str, str]:
        return clean_environment(self.home)

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        done = command_line.run(list(words), self.root, self.environment())
        assert done.returncode == code, done.stdout + done.stderr
        return done

    def begin(self, *words: str, **more: str) -> subprocess.Popen[str]:
        """Start a command in the background."""
        return subprocess.Popen(
            [str(command_line.SCRIPT), *words],
            cwd=self.root,
            env={**self.environment(), "PYTHONUNBUFFERED": "1", **more},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            preexec_fn=None if os.name == "nt" else lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
        )

    def serve(self, *words: str) -> Dashboard:
        """Start the dashboard, and wait for its address."""
        process, said = self.begin("dashboard", "--no-open", *words), []
        assert process.stdout is not None
        for line in process.stdout:
            if "#token=" in line:
                self.running.append(Dashboard(process, line.strip(), said))
                return self.running[-1]
            said.append(line.strip())
        raise AssertionError(f"it did not start: {said}")


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    """A project in which a task ran twice."""
    folder = tmp_path_factory.mktemp("lab")
    made = Lab(folder / "place", folder / "home")
    made.home.mkdir()
    (made.root / "configs").mkdir(parents=True)
    (made.root / "DATA/raw").mkdir(parents=True)
    (made.root / ".pamola.toml").touch()
    people = "".join(f"{n},{20 + n % 9},{'uptown' if n % 2 else 'seaside'}\n" for n in range(60))
    (made.root / "DATA/raw/people.csv").write_text("person,age,city\n" + people)
    (made.root / "configs/census.yaml").write_text(TASK)
    made.run("run", "census")
    made.run("run", "census", "--restart", "--set", "seed=3")
    yield made
    for each in made.running:
        if each.process.poll() is None:
            each.process.kill()
            each.process.communicate()


@pytest.fixture(scope="session")
def dashboard(lab: Lab) -> Dashboard:
    """The dashboard of that project."""
    return lab.serve()
