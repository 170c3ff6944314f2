"""Running some steps only: what they leave out has to be there, and it is refused with a reason when it is not."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

CHAIN = """\
task_id: chain
input_datasets: {people: DATA/raw/example.csv}
outputs: [loud, louder]
operations:
  - Upper: {input_dataset: people, output_dataset: loud}
    id: first
  - Upper: {input_dataset: loud, output_dataset: louder}
    id: second
  - ProfileOperation: {dataset_name: louder, output_prefix: after}
    id: third
"""

OPERATIONS = '''\
"""An operation of this project."""

from pamola_tasks import Operation, OperationResult, hookimpl, reads, writes


class Upper(Operation):
    """Make the diagnosis louder."""

    input_dataset: str = reads()
    output_dataset: str = writes()
    mark: str = "!"

    def execute(self, ctx):
        frame = ctx.data.frame(self.input_dataset)
        frame["diagnosis"] = frame["diagnosis"] + self.mark
        ctx.data.write(self.output_dataset, frame)
        return OperationResult.success({"rows": len(frame)})


@hookimpl
def pamola_add_operations():
    return {"Upper": Upper}
'''


@pytest.fixture
def run(cli, project: Path):
    (project / "configs/chain.yaml").write_text(CHAIN)
    (project / "upper.py").write_text(OPERATIONS)

    def run(*arguments: str, code: int = 0) -> dict:
        done = cli("--plugin", "upper.py", "run", "chain", "--json", *arguments, cwd=project, code=code)
        return json.loads(done.stdout) if done.stdout.strip() else {"error": {"message": done.stderr}, "steps": []}

    return run


def statuses(outcome: dict) -> dict[str, str]:
    return {step["step"]: step["status"] for step in outcome["steps"]}


def test_to_stops_behind_a_step_and_from_goes_on_with_what_it_left(run, project):
    first = run("--to", "first")
    assert statuses(first) == {"first": "success", "second": "skipped", "third": "skipped"}
    assert "left out: after --to first" in first["steps"][1]["reason"]
    assert not (project / "DATA/processed/chain/output/louder.csv").exists()
    rest = run("--from", "second")
    assert statuses(rest) == {"first": "skipped", "second": "success", "third": "success"}
    assert "healthy!!" in (project / "DATA/processed/chain/output/louder.csv").read_text()


@pytest.mark.parametrize("arguments", [["--from", "second"], ["--only", "third"], ["--skip", "first"]])
def test_what_is_needed_and_was_never_made_is_named_and_nothing_runs(run, project, arguments):
    refused = run(*arguments, code=2)
    assert "was left out and cannot be taken from an earlier run: " in refused["error"]["message"]
    assert not (project / "DATA/processed/chain/output/loud.csv").exists()


def test_what_is_needed_and_has_changed_since_is_refused_with_what_changed(run, project):
    run()
    config = project / "configs/chain.yaml"
    config.write_text(CHAIN.replace("output_dataset: loud}", "output_dataset: loud, mark: '?'}"))
    refused = run("--only", "second", code=2)
    assert "`mark` changed" in refused["error"]["message"]


def test_only_with_restart_runs_a_step_again_that_has_not_changed(run):
    run()
    assert statuses(run("--only", "second")) == {"first": "skipped", "second": "skipped", "third": "skipped"}
    again = run("--only", "second", "--restart")
    assert statuses(again) == {"first": "skipped", "second": "success", "third": "skipped"}
    assert set(statuses(run()).values()) == {"skipped"}


def test_the_report_says_that_only_some_steps_were_asked_for(run, project):
    run("--to", "first")
    report = json.loads((project / "DATA/reports/chain_report.json").read_text())
    assert any("left out: second, third" in text for text in report["overrides"])


def kept(project: Path) -> dict[str, bytes]:
    """What is recorded of the task: history, report, manifest, checkpoints and outputs."""
    places = (project / "configs", project / "DATA/reports", project / "DATA/processed/chain")
    files = [path for place in places for path in place.rglob("*") if path.is_file()]
    return {str(path): path.read_bytes() for path in files if path.name != "lock" and path.suffix != ".log"}


def test_a_selection_that_does_not_fit_is_refused_before_anything_is_recorded(run, cli, project):
    run()
    before = kept(project)
    for arguments, said in (
        (["--only", "secnd"], "unknown step 'secnd': did you mean 'second'?"),
        (["--from", "nothing"], "unknown step 'nothing': there are first, second, third"),
        (["--to", "nothing"], "there are first, second, third"),
        (["--skip", "nothing", "--restart"], "there are first, second, third"),
        (["--only", "first", "--skip", "first"], "leaves no step"),
    ):
        assert said in run(*arguments, code=2)["error"]["message"]
        assert kept(project) == before
    status = cli("--plugin", "upper.py", "status", "chain", "--json", cwd=project, code=0)
    assert json.loads(status.stdout)["state"] == "done"
    assert set(statuses(run()).values()) == {"skipped"}


def test_a_selection_that_needs_what_was_never_made_leaves_no_failed_run(run, cli, project):
    before = kept(project)
    assert "was left out and cannot be taken" in run("--only", "third", code=2)["error"]["message"]
    assert kept(project) == before
    status = cli("--plugin", "upper.py", "status", "chain", "--json", cwd=project, code=0)
    assert json.loads(status.stdout)["state"] == "never run"


def test_a_failure_of_a_run_of_some_steps_is_recorded_with_its_beginning_and_end(run, project):
    (project / "DATA/raw/example.csv").write_text("")
    failed = run("--to", "second", code=1)
    assert "is empty" in failed["error"]["message"]
    lines = (project / "configs/execution_log.jsonl").read_text().splitlines()
    events = [json.loads(line.partition(" ")[2])["event"] for line in lines]
    assert (events[0], events[-1], events.count("run_started")) == ("run_started", "run_failed", 1)


def test_a_dry_run_shows_what_is_left_out(cli, run, project):
    run()
    done = cli("--plugin", "upper.py", "run", "chain", "--skip", "third", "--dry-run", "--json", cwd=project, code=0)
    assert [step["would"] for step in json.loads(done.stdout)["steps"]] == ["skip", "skip", "skip"]
    shown = cli("--plugin", "upper.py", "run", "chain", "--to", "first", "--dry-run", "--set", "seed=5", cwd=project)
    assert "leave out" in shown.stdout
