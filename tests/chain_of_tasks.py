"""A project whose tasks need each other, of `chain_plugin`, and the command line with that plugin."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from slow_task import begin_slow

TESTS = Path(__file__).resolve().parent

# chain: a → b (reads a's output) → c (names b); alone needs nobody. They are of `chain_plugin`, which starts fast.
A = """\
task_id: a
input_datasets: {numbers: DATA/raw/numbers.json}
operations:
  - Mix: {inputs: [numbers], output_dataset: safe, more: 3}
"""
B = """\
task_id: b
input_datasets: {safe: DATA/processed/a/output/safe.json}
operations:
  - Describe: {input_dataset: safe}
"""
C = """\
task_id: c
dependencies: [b]
input_datasets: {numbers: DATA/raw/numbers.json}
operations:
  - Describe: {input_dataset: numbers}
"""
ALONE = C.replace("task_id: c", "task_id: alone").replace("dependencies: [b]\n", "")


@pytest.fixture(name="cli")
def command_line_of_the_chain(cli: Any, tmp_path: Path) -> Any:
    """The command line with the plugin of the chain."""
    environment = {"PYTHONPATH": str(TESTS), "CHAIN_LOG": str(tmp_path / "steps-run")}

    def run(*arguments: object, env: dict[str, str] | None = None, **more: Any) -> Any:
        return cli("--plugin", TESTS / "chain_plugin.py", *arguments, env={**environment, **(env or {})}, **more)

    return run


def make(folder: Path, *tasks: str) -> Path:
    """A project with tasks and a table."""
    (folder / "configs").mkdir(parents=True)
    (folder / "DATA/raw").mkdir(parents=True)
    (folder / ".pamola.toml").touch()
    (folder / "DATA/raw/numbers.json").write_text(json.dumps(list(range(10, 30))))
    (folder / "DATA/raw/torn.json").write_text("[10, 11")
    for text in tasks:
        write(folder, text)
    return folder


@pytest.fixture(name="chain")
def project_of_the_chain(tmp_path: Path) -> Path:
    return make(tmp_path / "project", A, B, C, ALONE)


def write(project: Path, text: str) -> None:
    name = text.partition("\n")[0].removeprefix("task_id: ")
    (project / f"configs/{name}.yaml").write_text(text)


@pytest.fixture(name="slow")
def slow_task_of_the_chain(chain: Path, start: Any):
    """A task that is in its second step."""
    (chain / "configs/slow.yaml").write_text("task_id: slow\ntask_class: slow.py:SlowTask\n")
    process = begin_slow(chain, start, "slow")
    yield process
    process.kill()
    process.communicate()
