"""The command line as people and scripts use it: what it prints, what it ends with, with bad input too."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess

import pytest
from command_line import SCRIPT
from installed import clean_environment
from slow_task import be_quick, begin_slow

FAILING = """\
task_id: failing
input_datasets: {people: DATA/raw/example.csv}
operations:
  - ProfileOperation: {dataset_name: people, output_prefix: before}
  - AnonymizeOperation: {input_dataset: people, k: 3, quasi_identifiers: [age], hierarchies: {age: people}}
  - ProfileOperation: {dataset_name: people, output_prefix: after}
"""


def test_help_names_every_command_and_each_has_help_of_its_own(cli):
    listed = cli("--help", code=0).stdout.partition("Commands:")[2]
    names = [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]
    promised = (
        "budget dashboard policy releases data demo init new list show graph run status history report compare reports "
        "verify check-plugin approve upload "
        "assess explore release checkpoints config plugins hooks ops clean doctor completion keys encrypt decrypt"
    ).split()
    assert sorted(names) == sorted(promised)
    for name in names:
        assert "Usage: pamola-task " + name in cli(name, "--help", code=0).stdout


def test_no_arguments_give_help_and_version_gives_the_version(cli):
    assert "Usage:" in cli(code=0).stdout
    assert cli("--version", code=0).stdout == "pamola-task 0.1.0\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["rum"], "did you mean 'run'?"),
        (["run"], "TASK"),
        (["run", "nothing"], "there is no task 'nothing'"),
        (["run", "exampel"], "did you mean 'example'?"),
        (["run", "example", "--set", "k"], "KEY=VALUE"),
        (["run", "missing.yaml"], "there is no task file"),
        (["run", "missing.py"], "there is no Python file"),
        (["run", "no.such.module:Task"], "cannot be imported"),
        (["ops", "AnonymizeOperatio"], "did you mean 'AnonymizeOperation'?"),
        (["hooks", "pamola_provide_confg"], "did you mean 'pamola_provide_config'?"),
        (["--project", "nowhere", "list"], "there is no folder"),
        (["completion", "tcsh"], "bash"),
        (["run", "example", "--set", "contine_on_error=true"], "continue_on_error"),
        (["run", "example", "--set", "seed=many"], "seed"),
    ],
)
def test_wrong_usage_ends_with_2_and_says_what_to_do(cli, project, arguments, said):
    done = cli(*arguments, cwd=project, code=2)
    assert said in done.stderr
    assert "Traceback" not in done.stderr


WRONG_OPERATIONS = """\
task_id: wrong
input_datasets: {people: DATA/raw/example.csv}
operations:
  - operation: ProfileOperation
    parameters: {dataset: people, bins: many}
  - AnonymiseOperation: {}
  - AnonymizeOperation:
      input_dataset: people
      k: 0.5
  - 17
  - {operation: ProfileOperation, paramters: {}}
"""


def test_all_that_is_wrong_with_operations_is_told_at_once_each_with_its_place(cli, project):
    (project / "configs/wrong.yaml").write_text(WRONG_OPERATIONS)
    told = [
        "configs/wrong.yaml:5:18: operations[0].parameters.dataset: ",
        "configs/wrong.yaml:5:41: operations[0].parameters.bins: ",
        "configs/wrong.yaml:6:5: operations[1].AnonymiseOperation: ",
        "configs/wrong.yaml:7:5: operations[2].AnonymizeOperation: ",
        "configs/wrong.yaml:9:10: operations[2].AnonymizeOperation.k: ",
        "configs/wrong.yaml:10:5: operations[3]: ",
        "configs/wrong.yaml:11:35: operations[4].paramters: ",
    ]
    checked = json.loads(cli("config", "check", "wrong", "--json", cwd=project, code=2).stdout)["problems"]
    assert [place for place, problem in zip(told, checked, strict=True) if not problem.startswith(place)] == []
    ran = json.loads(cli("run", "wrong", "--json", cwd=project, code=2).stdout)["error"]["message"]
    assert [problem for problem in checked if problem not in ran] == []


def test_a_failed_run_ends_with_1_names_step_error_and_the_command_that_goes_on(cli, project):
    (project / "configs/failing.yaml").write_text(FAILING)
    done = cli("run", "failing", cwd=project, code=1)
    assert "failing failed" in done.stdout
    assert "the hierarchy of age" in done.stdout
    assert "step AnonymizeOperation" in done.stdout
    assert "go on     pamola-task run failing" in done.stdout
    assert "Traceback" not in done.stdout + done.stderr
    report = json.loads((project / "DATA/reports/failing_report.json").read_text())
    assert report["run"]["status"] == "operation_error"
    assert "the hierarchy of age" in report["errors"][0]["message"]
    manifest = json.loads((project / "DATA/processed/failing/manifest.json").read_text())
    assert (manifest["status"], manifest["verdict"]) == ("failed", "not met")
    steps = {step["step"]: step["status"] for step in report["operations"]}
    assert steps == {"ProfileOperation": "success", "AnonymizeOperation": "error", "ProfileOperation-2": "not run"}
    assert not (project / "DATA/processed/failing/internal/after_profile.json").exists()
    other = cli("run", "failing", "--set", "chunk_size=7", cwd=project, code=1)
    assert "pamola-task run failing  (with the same options)" in other.stdout


def test_with_continue_on_error_later_steps_run_and_the_run_has_failed_all_the_same(cli, project):
    (project / "configs/failing.yaml").write_text(FAILING)
    done = cli("run", "failing", "--continue-on-error", "--json", cwd=project, code=1)
    outcome = json.loads(done.stdout)
    assert [s["status"] for s in outcome["steps"]] == ["success", "error", "success"]
    assert outcome["success"] is False
    assert (project / "DATA/processed/failing/internal/after_profile.json").exists()


def test_a_repaired_task_goes_on_where_it_failed(cli, project):
    (project / "configs/failing.yaml").write_text(FAILING)
    cli("run", "failing", cwd=project, code=1)
    (project / "configs/failing.yaml").write_text(FAILING.replace(", hierarchies: {age: people}", ""))
    outcome = json.loads(cli("run", "failing", "--json", cwd=project, code=0).stdout)
    assert [s["status"] for s in outcome["steps"]] == ["skipped", "success", "success"]


def test_an_unchanged_run_is_not_repeated_and_its_report_keeps_the_values(cli, project):
    first = json.loads(cli("run", "example", "--json", cwd=project, code=0).stdout)
    again = json.loads(cli("run", "example", "--json", cwd=project, code=0).stdout)
    assert {s["status"] for s in again["steps"]} == {"skipped"}
    assert [s["metrics"] for s in again["steps"]] == [s["metrics"] for s in first["steps"]]
    assert again["outputs"] == first["outputs"]
    assert again["resumed_from"] == first["run"]
    history = json.loads(cli("history", "example", "--json", cwd=project, code=0).stdout)
    assert len(history) == 2


@pytest.mark.parametrize(
    ("change", "steps", "why"),
    [
        ("parameter", ["skipped", "success", "success"], "`k` changed from 3 to 4"),
        ("input", ["success", "success", "success"], "input people changed"),
        ("output", ["skipped", "success", "skipped"], "safe.csv"),
    ],
)
def test_what_changed_is_run_again_and_says_why(cli, project, change, steps, why):
    cli("run", "example", cwd=project, code=0)
    if change == "parameter":
        config = project / "configs/example.yaml"
        config.write_text(config.read_text().replace("k: 3", "k: 4"))
    elif change == "input":
        table = project / "DATA/raw/example.csv"
        times = table.stat()
        table.write_text(re.sub(r"\d00,", "777,", table.read_text(), count=1))
        os.utime(table, ns=(times.st_atime_ns, times.st_mtime_ns))
    else:
        (project / "DATA/processed/example/output/safe.csv").write_text("edited\n")
    shown = json.loads(cli("show", "example", "--json", cwd=project, code=0).stdout)
    outcome = json.loads(cli("run", "example", "--json", cwd=project, code=0).stdout)
    assert [s["status"] for s in outcome["steps"]] == steps
    assert any(why in s["reason"] for s in outcome["steps"])
    assert any(why in s["reason"] for s in shown["steps"])


def test_restart_runs_everything_again(cli, project):
    cli("run", "example", cwd=project, code=0)
    outcome = json.loads(cli("run", "example", "--restart", "--json", cwd=project, code=0).stdout)
    assert {s["status"] for s in outcome["steps"]} == {"success"}


def test_dry_run_and_show_write_nothing(cli, project):
    before = sorted(path for path in project.rglob("*"))
    assert "AnonymizeOperation" in cli("run", "example", "--dry-run", cwd=project, code=0).stdout
    cli("show", "example", cwd=project, code=0)
    assert sorted(path for path in project.rglob("*")) == before


@pytest.mark.parametrize(
    "arguments",
    [
        ["list"],
        ["show", "example"],
        ["history"],
        ["plugins"],
        ["hooks"],
        ["hooks", "pamola_run_step"],
        ["ops"],
        ["ops", "AnonymizeOperation"],
        ["doctor"],
        ["doctor", "--data"],
        ["graph"],
        ["graph", "example"],
        ["status"],
        ["status", "example"],
        ["verify", "example"],
        ["checkpoints", "example"],
        ["clean"],
        ["config", "show", "example"],
    ],
)
def test_json_is_one_document_on_stdout_and_nothing_else(cli, project, arguments):
    cli("run", "example", cwd=project, code=0)
    done = cli(*arguments, "--json", cwd=project, code=0)
    json.loads(done.stdout)


def test_the_same_seed_gives_the_same_seed_to_each_step(cli, project):
    first = json.loads(cli("run", "example", "--seed", "7", "--json", cwd=project, code=0).stdout)
    other = json.loads(cli("run", "example", "--seed", "7", "--restart", "--json", cwd=project, code=0).stdout)
    assert first["seed"] == other["seed"] == 7
    assert [o["sha256"] for o in first["outputs"]] == [o["sha256"] for o in other["outputs"]]


def test_clean_removes_what_a_killed_run_left_and_no_output(cli, project):
    cli("run", "example", cwd=project, code=0)
    home = project / "DATA/processed/example"
    outputs = {path.name: path.read_bytes() for path in (home / "output").iterdir()}
    (home / "temp/left.bin").write_bytes(b"x")
    (home / "output/.safe.csv.tmp-pamola-0123456789ab").write_bytes(b"x")
    (home / ".state/steps/AnonymizeOperation.new").mkdir(parents=True)
    done = json.loads(cli("clean", "--json", cwd=project, code=0).stdout)
    assert len(done["removed"]) == 3
    assert {path.name: path.read_bytes() for path in (home / "output").iterdir()} == outputs
    assert not list((home / "temp").iterdir())


def test_clean_removes_what_a_killed_change_of_keys_left(cli, project):
    """It puts a new file beside each encrypted one, which can be an input, or what a finished step left."""
    cli("run", "example", cwd=project, code=0)
    step = project / "DATA/processed/example/.state/steps/finished"
    step.mkdir()
    folders = [step, project / "DATA/raw", project / ".pamola", project / "DATA/reports/example"]
    left = [folder / ".x.csv.tmp-pamola-0123456789ab" for folder in folders]
    for path in left:
        path.touch()
    told = cli("doctor", "--data", cwd=project).stdout
    assert all(str(path.relative_to(project)) in told for path in left), told
    done = json.loads(cli("clean", "--json", cwd=project, code=0).stdout)
    assert sorted(done["removed"]) == sorted(str(path.relative_to(project)) for path in left)
    assert not any(path.exists() for path in left)


def test_status_of_a_task_gives_each_line_a_label(cli, project):
    cli("run", "example", cwd=project, code=0)
    for name in ("a.csv", "b.csv"):
        (project / "DATA/processed/example/output" / name).touch()
    lines = cli("status", "example", cwd=project, code=0).stdout.splitlines()[1:]
    at = lines[0].index("done")
    assert [line[:at].strip() for line in lines] == ["state", "since", "run", "took", "made by no run", ""]
    assert all(line[at - 1] == " " and line[at] != " " for line in lines)
    assert "2 files that no run made" in cli("status", cwd=project, code=0).stdout
    assert "of 1 task: all sound" in cli("doctor", "--data", cwd=project, code=0).stdout


def test_on_a_narrow_terminal_the_table_of_hooks_stays_on_its_lines(cli):
    for columns in (80, 200):
        lines = cli("hooks", env={"COLUMNS": str(columns)}, code=0).stdout.splitlines()
        assert max(map(len, lines)) <= columns
        assert lines[0].split() == ["hook", "kind", "implemented", "by", "contract"]


def test_completion_completes_commands(cli, home, tmp_path):
    for shell in ("bash", "zsh", "fish"):
        assert "_PAMOLA_TASK_COMPLETE" in cli("completion", shell, code=0).stdout
    env = {"_PAMOLA_TASK_COMPLETE": "bash_complete", "COMP_WORDS": "pamola-task do", "COMP_CWORD": "1"}
    assert "doctor" in cli(env=env).stdout


@pytest.mark.parametrize(
    ("words", "completed"),
    [
        ("run exam", "example"),
        ("run ", "example other"),
        ("run example o", "other"),
        ("show oth", "other"),
        ("config show exa", "example"),
        ("history o", "other"),
        ("run other --from ", "before safe"),
        ("run other --only sa", "safe"),
        ("run --skip ", ""),
        ("run --project", ""),
        ("--project {project} run oth", "other"),
        ("report", "report reports"),
    ],
)
def test_completion_completes_tasks_and_steps(cli, project, words, completed):
    (project / "configs/other.yaml").write_text(
        "input_datasets: {people: DATA/raw/example.csv}\noperations:\n"
        "  - id: before\n    ProfileOperation: {dataset_name: people}\n"
        "  - id: safe\n    AnonymizeOperation: {input_dataset: people, k: 3, quasi_identifiers: [age]}\n"
    )
    words = words.format(project=project)
    env = {
        "_PAMOLA_TASK_COMPLETE": "bash_complete",
        "COMP_WORDS": f"pamola-task {words}",
        "COMP_CWORD": str(len(words.split(" "))),
    }
    done = cli(env=env, cwd="/" if str(project) in words else project)
    assert [line.partition(",")[2] for line in done.stdout.split()] == completed.split()
    assert done.stderr == ""


def test_a_real_bash_completes_commands_tasks_steps_and_runs(cli, project, home):
    """By the script that `completion` prints, as a line is typed: the last word is the one to complete."""
    run_id = json.loads(cli("run", "example", "--json", cwd=project, code=0).stdout)["run"]
    lines = {
        "do": "doctor",
        "run example --only Anon": "AnonymizeOperation",
        'report example --run ""': run_id,
        f"compare example {run_id[:4]}": run_id,
    }
    complete = "COMPREPLY=(); _pamola_task_completion pamola-task; echo ${COMPREPLY[*]}"
    last = "COMP_CWORD=$((${#COMP_WORDS[@]} - 1))"
    typed = "".join(f"COMP_WORDS=(pamola-task {line}); {last}; {complete}\n" for line in lines)
    script = f'eval "$(pamola-task completion bash)"\n{typed}'
    environment = {**clean_environment(home), "PATH": f"{SCRIPT.parent}:/usr/bin:/bin"}
    done = subprocess.run(
        ["bash", "--norc", "-c", script], cwd=project, env=environment, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\n")[:-1] == list(lines.values())


def test_json_log_lines_carry_the_run_and_stand_on_stderr(cli, project):
    done = cli("run", "example", "--log-format", "json", "--json", cwd=project, code=0)
    outcome = json.loads(done.stdout)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert lines
    assert {line.get("run_id") or line["run"] for line in lines} == {outcome["run"]}  # of the log, of events


@pytest.mark.parametrize(("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_an_interrupt_is_recorded_and_the_run_can_be_continued(cli, project, start, sent, code):
    process = begin_slow(project, start)
    process.send_signal(sent)
    out, _ = process.communicate(timeout=120)
    assert process.returncode == code, out
    assert "interrupted" in out
    report = json.loads((project / "DATA/reports/slow_report.json").read_text())
    assert report["run"]["status"] == "interrupted"
    history = json.loads(cli("history", "slow", "--json", cwd=project, code=0).stdout)
    assert history[0]["status"] == "interrupted"
    be_quick(project)


def test_a_second_run_of_a_running_task_ends_with_75_and_names_the_first(cli, project, start):
    process = begin_slow(project, start)
    try:
        refused = cli("run", "slow.py", cwd=project, code=75)
        assert f"process {process.pid}" in refused.stderr
    finally:
        process.kill()
        process.communicate()
    be_quick(project)
    outcome = json.loads(cli("run", "slow.py", "--json", cwd=project, code=0).stdout)
    assert outcome["success"] is True
