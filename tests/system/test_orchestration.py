"""Several tasks through the installed command line: their order, what is skipped or not run and why, how they stand."""

from __future__ import annotations

import json
import shutil
import signal
import stat
from pathlib import Path

import pytest
from chain_of_tasks import (  # noqa: F401
    A,
    B,
    C,
    command_line_of_the_chain,
    make,
    project_of_the_chain,
    slow_task_of_the_chain,
    write,
)


def ends(shown: str) -> dict[str, str]:
    """Task and status, in the order in which they ended."""
    return {entry["task"]: entry["status"] for entry in json.loads(shown)}


def reasons(shown: str) -> dict[str, str]:
    return {entry["task"]: entry["reason"] for entry in json.loads(shown) if "reason" in entry}


# ---------------------------------------------------------------- order, and what is up to date


def test_all_runs_each_task_behind_what_it_needs_and_then_only_what_changed(cli, chain):
    first = cli("run", "--all", "--json", cwd=chain, code=0)
    assert list(ends(first.stdout)) == ["a", "alone", "b", "c"]
    assert set(ends(first.stdout).values()) == {"success"}
    again = cli("run", "--all", cwd=chain, code=0).stdout
    assert again.count("skipped: nothing changed since 20") == 4
    assert again.endswith("4 tasks: 4 skipped\n")
    write(chain, A.replace("more: 3", "more: 4"))
    changed = cli("run", "--all", "--json", cwd=chain, code=0)
    assert ends(changed.stdout) == {"a": "success", "alone": "skipped", "b": "success", "c": "skipped"}
    b = json.loads(changed.stdout)[2]
    assert [step["reason"] for step in b["steps"]] == ["input safe changed"]


def test_with_dependencies_runs_first_what_a_task_needs_and_nothing_else(cli, chain):
    assert "which this one depends on" in cli("run", "c", cwd=chain, code=3).stdout
    done = cli("run", "c", "--with-dependencies", "--json", cwd=chain, code=0)
    assert ends(done.stdout) == {"a": "success", "b": "success", "c": "success"}
    assert list(ends(done.stdout)) == ["a", "b", "c"]
    assert not (chain / "DATA/processed/alone").exists()


def test_several_tasks_run_in_the_order_of_their_needs_whatever_the_order_given(cli, chain):
    done = cli("run", "c", "b", "a", "a", "--json", cwd=chain, code=0)
    assert list(ends(done.stdout)) == ["a", "b", "c"]
    again = cli("run", "b", "a", "--json", cwd=chain, code=0)
    assert ends(again.stdout) == {"a": "success", "b": "success"}, "what is named is run; its steps are skipped"


def test_what_failed_last_is_run_although_its_steps_are_done(cli, chain):
    cli("run", "a", cwd=chain, code=0)
    report = chain / "DATA/reports/a_report.json"
    report.unlink()
    report.mkdir()
    cli("run", "a", cwd=chain, code=1)
    report.rmdir()
    done = json.loads(cli("run", "--with-dependencies", "a", "--json", cwd=chain, code=0).stdout)
    assert done[0]["status"] == "success"
    assert [step["status"] for step in done[0]["steps"]] == ["skipped"]


def test_a_task_whose_class_does_more_than_its_steps_is_always_run(cli, chain):
    (chain / "more.py").write_text(
        "from pamola_tasks import BaseTask\n"
        "class More(BaseTask):\n"
        "    def __init__(self):\n"
        "        super().__init__('more', input_datasets={'numbers': 'DATA/raw/numbers.json'})\n"
        "    def configure_operations(self):\n"
        "        self.add_operation('Describe', input_dataset='numbers')\n"
        "    def finalize(self, success):\n"
        "        with open('ran', 'a') as file: file.write('x')\n"
        "        return super().finalize(success)\n"
    )
    for _ in range(2):
        cli("run", "more.py", "--with-dependencies", cwd=chain, code=0)
    assert (chain / "ran").read_text() == "xx"


# ---------------------------------------------------------------- what cannot be ordered


def test_a_circle_is_refused_before_anything_runs_and_shows_its_path(cli, chain):
    write(chain, A.replace("operations:", "dependencies: [c]\noperations:"))
    for arguments in (["--all"], ["a", "--with-dependencies"], ["a", "b", "c"]):
        done = cli("run", *arguments, cwd=chain, code=2)
        assert "a → c → b → a" in done.stderr
        assert "b reads safe of a" in done.stderr
    assert not (chain / "DATA/processed").exists() or not list((chain / "DATA/processed").iterdir())


def test_a_task_that_is_missing_is_named_with_the_path_that_leads_to_it(cli, chain):
    write(chain, B.replace("processed/a/", "processed/gone/"))
    done = cli("run", "c", "--with-dependencies", cwd=chain, code=2)
    assert "c → b → gone: there is no task 'gone', which should write safe for b" in done.stderr
    write(chain, B.replace("operations:", "dependencies: [lost]\noperations:"))
    assert "b → lost: there is no task 'lost', which b depends on" in cli("run", "--all", cwd=chain, code=2).stderr


def test_what_a_task_left_that_is_gone_is_used_as_it_is(cli, chain):
    cli("run", "--all", cwd=chain, code=0)
    (chain / "configs/b.yaml").unlink()
    (chain / "configs/a.yaml").unlink()
    done = json.loads(cli("run", "c", "--with-dependencies", "--json", cwd=chain, code=0).stdout)
    assert [entry["task"] for entry in done] == ["b", "c"]
    assert "not a task of this project" in done[0]["reason"]
    write(chain, B)
    assert ends(cli("run", "b", "--with-dependencies", "--json", cwd=chain, code=0).stdout) == {"b": "skipped"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([], "name a TASK"),
        (["--all", "a"], "name none beside it"),
        (["a", "b", "--only", "Mix"], "choose steps of one task"),
        (["--all", "--from", "Mix"], "choose steps of one task"),
        (["a", "nothing"], "there is no task 'nothing'"),
    ],
)
def test_what_makes_no_sense_together_is_refused_in_words(cli, chain, arguments, said):
    assert said in cli("run", *arguments, cwd=chain, code=2).stderr


def test_a_step_that_is_not_there_is_refused_before_what_its_task_needs_is_run(cli, chain):
    for more in ([], ["--jobs", "2"], ["--dry-run"]):
        refused = cli("run", "c", "--with-dependencies", "--only", "Mixx", *more, cwd=chain, code=2)
        assert "unknown step 'Mixx'" in refused.stderr
    assert not (chain / "DATA/processed").exists()
    assert not (chain / "configs/execution_log.jsonl").exists()


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--executor", "proceses"], "--executor: unknown executor 'proceses': did you mean 'processes'?"),
        (["--executor", "demo"], "--executor: unknown executor 'demo': there are threads, processes"),
        (["--set", "seed=many"], "seed"),
        (["--set", "chunksize=5"], "did you mean 'chunk_size'?"),
        (["--set", "executor.kind=fibres"], "executor.kind"),
        (["--set", "data_types.age=number_of_years"], "use one of text"),
        (["--jobs", "0"], "--jobs"),
        (["--seed", "x"], "--seed"),
        (["--timeout", "0"], "--timeout"),
    ],
)
def test_wrong_usage_of_run_leaves_no_failed_run_behind(cli, chain, arguments, said):
    for tasks in (["a"], ["--all"]):
        assert said in cli("run", *tasks, *arguments, cwd=chain, code=2).stderr
    assert not (chain / "DATA/processed").exists()
    assert not (chain / "configs/execution_log.jsonl").exists()


# ---------------------------------------------------------------- failure


BROKEN = A.replace("raw/numbers.json", "raw/torn.json")  # which `make` leaves without its end


@pytest.fixture
def broken(chain: Path) -> Path:
    write(chain, BROKEN)
    return chain


def test_after_a_failure_nothing_more_is_run_and_what_was_not_run_is_named(cli, broken):
    done = cli("run", "--all", "--json", cwd=broken, code=1)
    assert ends(done.stdout) == {"a": "operation_error", "alone": "not_run", "b": "not_run", "c": "not_run"}
    assert reasons(done.stdout)["alone"] == "a failed; --continue-on-error runs independent tasks"
    assert reasons(done.stdout)["b"] == "it needs a, which failed"


def test_continue_on_error_runs_what_does_not_need_what_failed_and_says_why_the_rest_is_not_run(cli, broken):
    done = cli("run", "--all", "--continue-on-error", cwd=broken, code=1)
    lines = [line for line in done.stdout.splitlines() if line and line[0] != " "]
    assert lines[0].startswith("a failed in")
    assert lines[1].startswith("alone succeeded in")
    assert lines[2:] == [
        "b not run: it needs a, which failed",
        "c not run: it needs b, which was not run",
        "4 tasks: 1 failed, 1 succeeded, 2 not run",
    ]


def test_a_task_that_cannot_be_configured_stops_all_or_only_what_needs_it(cli, chain):
    write(chain, A.replace("input_datasets", "input_dataset"))
    refused = cli("run", "--all", cwd=chain, code=2)
    assert "configs/a.yaml" in refused.stderr
    assert not (chain / "DATA/processed/alone").exists()
    done = cli("run", "--all", "--continue-on-error", "--json", cwd=chain, code=2)
    assert ends(done.stdout) == {"a": "refused", "alone": "success", "b": "not_run", "c": "not_run"}
    assert "configs/a.yaml" in json.loads(done.stdout)[0]["error"]["message"]


# ---------------------------------------------------------------- looking ahead


def test_a_dry_run_of_all_says_what_each_would_do_and_does_nothing(cli, chain):
    cli("run", "--all", cwd=chain, code=0)
    write(chain, A.replace("more: 3", "more: 4"))
    before = {path: path.stat().st_mtime_ns for path in chain.rglob("*")}
    shown = json.loads(cli("run", "--all", "--dry-run", "--json", cwd=chain, code=0).stdout)
    assert {task["task"]: task["would"] for task in shown} == {"a": "run", "alone": "skip", "b": "run", "c": "skip"}
    assert shown[0]["steps"][0]["reason"] == "`more` changed from 3 to 4"
    assert shown[2]["steps"][0]["reason"] == "it reads safe, which task a writes again"
    assert shown[3]["reason"].startswith("nothing changed since 20")
    made_by = shown[3]["steps"][0]["made_by"]
    assert made_by == json.loads(cli("history", "c", "--json", cwd=chain, code=0).stdout)[0]["task_run_id"]
    assert {path: path.stat().st_mtime_ns for path in chain.rglob("*")} == before


def test_the_graph_of_tasks_and_of_steps_in_each_form(cli, chain, tmp_path):
    tasks = cli("graph", cwd=chain, code=0).stdout.split("\n")
    assert tasks[:5] == ["flowchart LR", '    n0["a"]', '    n1["alone"]', '    n2["b"]', '    n3["c"]']
    assert tasks[5:7] == ['    n0 -->|"safe"| n2', "    n2 --> n3"]
    steps = json.loads(cli("graph", "a", "--json", cwd=chain, code=0).stdout)
    kinds = {node["label"]: node["kind"] for node in steps["nodes"]}
    assert kinds == {"numbers": "input", "Mix": "step", "safe": "output"}
    dot = cli("graph", "--format", "dot", cwd=chain, code=0).stdout
    assert dot.startswith('digraph "tasks" {')
    empty = tmp_path / "empty"
    empty.mkdir()
    refused = cli("graph", "--format", "svg", cwd=chain, env={"PATH": str(empty)}, code=2)
    assert "--format mermaid" in refused.stderr
    if shutil.which("dot"):
        assert "<svg" in cli("graph", "--format", "svg", cwd=chain, code=0).stdout


def test_a_graph_with_a_circle_is_drawn_with_a_warning(cli, chain):
    write(chain, A.replace("operations:", "dependencies: [c]\noperations:"))
    done = cli("graph", cwd=chain, code=0)
    assert "    n3 --> n0" in done.stdout.split("\n")
    assert "a → c → b → a" in done.stderr


# ---------------------------------------------------------------- how tasks stand


def test_status_names_process_and_step_of_what_runs_and_how_everything_else_ended(cli, chain, slow):
    write(chain, BROKEN)
    cli("run", "a", cwd=chain, code=1)
    cli("run", "alone", cwd=chain, code=0)
    rows = {row["task"]: row for row in json.loads(cli("status", "--json", cwd=chain, code=0).stdout)}
    assert {task: row["state"] for task, row in rows.items()} == {
        "a": "failed",
        "alone": "done",
        "b": "never run",
        "c": "never run",
        "slow": "running",
    }
    assert rows["slow"]["pid"] == slow.pid
    assert rows["slow"]["steps"] == ["Slow"]
    assert rows["slow"]["since"].endswith("Z")
    text = cli("status", cwd=chain, code=0).stdout
    assert f"process {slow.pid} on" in text
    assert "JSONDecodeError" in text
    assert "step     Slow" in cli("status", "slow", cwd=chain, code=0).stdout
    slow.kill()
    slow.wait()
    killed = cli("status", "slow", cwd=chain, code=0).stdout
    assert "aborted" in killed
    assert "in Slow" in killed
    assert "pamola-task run slow" in killed


def test_status_tells_an_interrupt_from_a_kill(cli, chain, slow):
    slow.send_signal(signal.SIGINT)
    slow.communicate(timeout=120)
    assert json.loads(cli("status", "slow", "--json", cwd=chain, code=0).stdout)["state"] == "interrupted"


def test_checkpoints_are_shown_and_forgotten_but_not_under_a_run(cli, chain, slow):
    shown = json.loads(cli("checkpoints", "slow", "--json", cwd=chain, code=0).stdout)["checkpoints"]
    assert [(row["name"], row["bytes"], row["files"]) for row in shown] == [
        ("Quick", 4, ["DATA/processed/slow/output/quick.txt"])
    ]
    status = json.loads(cli("status", "slow", "--json", cwd=chain, code=0).stdout)
    assert shown[0]["run"] == status["run"]
    refused = cli("checkpoints", "slow", "--clear", cwd=chain, code=75)
    assert f"process {slow.pid}" in refused.stderr
    slow.kill()
    slow.wait()
    assert "1 checkpoints" in cli("checkpoints", "slow", "--clear", cwd=chain, code=0).stdout
    assert json.loads(cli("checkpoints", "slow", "--json", cwd=chain, code=0).stdout)["checkpoints"] == []
    assert (chain / "DATA/processed/slow/output/quick.txt").exists(), "what was published stays"
    plan = json.loads(cli("show", "slow", "--json", cwd=chain, code=0).stdout)
    assert [step["reason"] for step in plan["steps"]] == ["never finished"] * 2


def test_what_others_look_at_is_never_written(cli, chain):
    cli("run", "a", cwd=chain, code=0)
    for path in chain.rglob("*"):
        path.chmod(path.stat().st_mode & ~(stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH))
    for arguments in (["status"], ["verify", "a"], ["graph"], ["doctor", "--data"], ["checkpoints", "a"]):
        cli(*arguments, cwd=chain, code=0, obeys=True)
