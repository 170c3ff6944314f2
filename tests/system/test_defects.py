"""What the forerunner got wrong, by the ids of the list of defects: A the lifecycle, B configuration, C paths, G.

The others of these sections: A1, A5, A10 and A13 in `test_behaviours.py` (B4, B5, B35); A2 there too (B28); A6 there
(B8); A16 there (B40); A7 in `test_cli.py`; A14 in `tests/test_lifecycle.py`; A15 in `plugins/reports` (manifest) and
`plugins/directories`; A17, A18 in `tests/test_registries.py`; A19 in `tests/test_alone_and_functions.py`; B1 and B2 in
`test_behaviours.py` (B12, B13); B6, B8, B10 in `plugins/config`; F1, F2, F3 in `plugins/executor`; G1 in
`test_weight.py`; G6 in `test_foreign_plugin.py`. C1 to C9 have their numbers in the names of tests in `plugins/paths`
(validation) and `plugins/directories`.
"""

from __future__ import annotations

import ast
import json
import os
import re
import sys
import tomllib
from itertools import chain
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks import BaseTask, Kernel, Operation, OperationResult
from pamola_tasks.errors import ConfigurationError, PamolaTaskError
from pamola_tasks_compat.task_config import validate_task_config

ROOT = Path(__file__).resolve().parents[2]
pytestmark = pytest.mark.usefixtures("nothing_around")

TASK = """\
task_id: t_1
input_datasets: {people: DATA/raw/people.csv}
operations:
  - ProfileOperation: {dataset_name: people, output_prefix: before}
  - AnonymizeOperation: {input_dataset: people, output_dataset: safe, k: 3, quasi_identifiers: [age]}
  - ProfileOperation: {dataset_name: safe, output_prefix: after}
"""


@pytest.fixture
def place(place: Path) -> Path:
    """The project, with one task in a file."""
    (place / "configs/t_1.yaml").write_text(TASK)
    return place


class Good(Operation):
    def execute(self, ctx: Any) -> OperationResult:
        return OperationResult.success({"chunk_size": ctx.config.chunk_size})


class Leaving(Operation):
    def execute(self, ctx: Any) -> OperationResult:
        raise SystemExit(3)


class Listed(BaseTask):
    def __init__(self, *operations: Any, **more: Any) -> None:
        super().__init__("t_1", "analysis", "A task.", {"people": "DATA/raw/people.csv"}, **more)
        self.given = operations

    def configure_operations(self) -> None:
        for operation in self.given:
            self.add_operation(operation)


def report_of(place: Path) -> dict[str, Any]:
    return json.loads((place / "DATA/reports/t_1_report.json").read_text())


def configured(place: Path, task: BaseTask | str = "t_1") -> Any:
    return Kernel(place).services(task, upto="config").config


# ---------------------------------------------------------------- A: the lifecycle


def test_a_run_again_after_a_success_keeps_results_metrics_and_report(place):
    """A3: every step was skipped, and the good report overwritten by an empty one."""
    first = Kernel(place).run("t_1")
    before = report_of(place)
    again = Kernel(place).run("t_1")
    after = report_of(place)
    assert again.success
    assert {result.status.value for result in again.results.values()} == {"skipped"}
    assert {k: r.metrics for k, r in again.results.items()} == {k: r.metrics for k, r in first.results.items()}
    for key in ("metrics", "artifacts", "outputs", "inputs"):
        without_times = [
            [{name: value for name, value in item.items() if name != "created"} for item in report[key]]
            if isinstance(report[key], list)
            else report[key]
            for report in (before, after)
        ]
        assert without_times[0] == without_times[1], key
    assert len(again.datasets["safe"]) == 60


def test_a_pipeline_that_changed_is_continued_by_what_is_in_it_now(place):
    """A4: two steps of a checkpoint and one of the pipeline were an IndexError."""
    kernel = Kernel(place)
    assert kernel.run("t_1").success
    lines = TASK.splitlines(keepends=True)
    (place / "configs/t_1.yaml").write_text("".join([*lines[:3], lines[4]]))
    fewer = Kernel(place).run("t_1")
    assert {k: r.status.value for k, r in fewer.results.items()} == {"AnonymizeOperation": "skipped"}
    assert set(report_of(place)["metrics"]) == {"AnonymizeOperation"}
    (place / "configs/t_1.yaml").write_text("".join([*lines[:3], lines[4].replace("k: 3", "k: 9"), lines[5]]))
    other = Kernel(place).run("t_1")
    assert [r.status.value for r in other.results.values()] == ["success", "success"]
    assert other.results["AnonymizeOperation"].metrics["k_measured"] >= 9


def test_a_step_that_failed_and_was_let_pass_is_tried_by_the_next_run(place):
    """A5: it counted as done."""
    failing = TASK.replace("[age]", "[age], hierarchies: {age: people}")
    (place / "configs/t_1.yaml").write_text(f"{failing}continue_on_error: true\n")
    assert not Kernel(place).run("t_1").success
    assert report_of(place)["status"] == "failed"
    (place / "configs/t_1.yaml").write_text(TASK)
    assert [r.status.value for r in Kernel(place).run("t_1").results.values()] == ["skipped", "success", "success"]


def test_sys_exit_in_an_operation_leaves_a_report_a_record_and_no_open_lock(place):
    """A7."""
    outcome = Kernel(place).run(Listed(Leaving))
    assert not outcome.success
    assert "sys.exit(3)" in report_of(place)["errors"][0]["message"]
    log = json.loads((place / "configs/execution_log.json").read_text())
    assert [record["success"] for record in log["executions"]] == [False]
    assert Kernel(place).run(Listed(Good)).success


def test_a_task_runs_where_there_is_no_configuration_at_all(tmp_path, python):
    """A8: without a project file no task could run."""
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare/script.py").write_text(
        "import logging\n"
        "from pamola_tasks import BaseTask, Operation, OperationResult\n"
        "logging.basicConfig()\n"
        "class Good(Operation):\n    def execute(self, ctx): return OperationResult.success()\n"
        "class T(BaseTask):\n"
        "    def __init__(self): super().__init__('t_1', 'analysis', 'Bare')\n"
        "    def configure_operations(self): self.add_operation(Good)\n"
        "print('ran', T().run())\n"
    )
    done = python("script.py", cwd=tmp_path / "bare")
    assert done.stdout == "ran True\n", done.stderr
    assert "no project was found" in done.stderr
    assert report_of(tmp_path / "bare")["success"] is True


def test_an_early_failure_keeps_its_own_reason(place):
    """A9: it was replaced by an error of finalize about None."""
    (place / "configs/t_1.yaml").write_text("task_id: t_1\nchunk_size: many\n")
    task = Listed(Good)
    task.kernel = Kernel(place)
    assert task.run() is False
    assert task.status == "configuration_error"
    assert "configs/t_1.yaml:2:13: chunk_size: expected a whole number" in task.error_info["message"]
    assert task.finalize(False) is False
    assert "chunk_size" in task.error_info["message"]

    class NoDisk(Listed):
        def initialize(self, args: Any = None) -> bool:
            raise OSError("no space left on device")

    task = NoDisk(Good)
    task.kernel = Kernel(place)
    assert task.run() is False
    assert task.error_info["message"] == "no space left on device"


def test_each_artifact_is_listed_once_and_each_step_has_its_own_results(place):
    """A11, A12: artifacts stood twice in the report; a second step of one operation took the place of the first."""
    outcome = Kernel(place).run("t_1")
    report = report_of(place)
    paths = [artifact["path"] for artifact in report["artifacts"]]
    assert len(paths) == len(set(paths)) == 3
    assert list(outcome.results) == ["ProfileOperation", "AnonymizeOperation", "ProfileOperation-2"]
    before, after = report["metrics"]["ProfileOperation"], report["metrics"]["ProfileOperation-2"]
    assert (before["rows"], after["exposure"]["smallest_class"] >= 3) == (60, True)
    assert [s["step"] for s in report["operations"]] == list(outcome.results)


def test_a_missing_input_fails_at_once_by_name(place):
    """A13: it cost four attempts and more than eight seconds of waiting."""
    (place / "DATA/raw/people.csv").unlink()
    outcome = Kernel(place).run("t_1")
    assert not outcome.success
    assert outcome.record.seconds < 1
    step, *behind = report_of(place)["operations"]
    assert step["attempts"] <= 1
    assert {entry["status"] for entry in behind} <= {"not run"}
    assert "DATA/raw/people.csv" in report_of(place)["errors"][0]["message"]


def test_the_registry_of_operations_stays_what_it_was(place):
    """A17: asking for the operations again emptied the registry."""
    kernel = Kernel(place)
    before = list(kernel.operations)
    assert "AnonymizeOperation" in before
    kernel.operations.get("AnonymizeOperation")
    with pytest.raises(PamolaTaskError):
        kernel.operations.get("Nothing")
    assert list(kernel.operations) == list(Kernel(place).operations) == before


def test_a_plugin_that_is_required_and_missing_is_seen_by_doctor(place, cli):
    """What keeps data from being touched is found before a run is tried."""
    (place / ".pamola.toml").write_text('[plugins]\nrequire = ["guardian"]\n')
    found = json.loads(cli("doctor", "--json", cwd=place, code=1).stdout)
    assert [f["subject"] for f in found if f["level"] == "error"] == ["plugin guardian"]


# ---------------------------------------------------------------- B: configuration


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("t_1.json", '{"task_id": "t_1", "chunk_size": '),
        ("t_1.yaml", "task_id: t_1\nchunk_size: [\n"),
        ("t_1.toml", "="),
    ],
)
def test_a_task_file_that_is_damaged_is_an_error_and_stays_as_it_is(place, name, content):
    """B2: a damaged file was overwritten with defaults."""
    (place / "configs/t_1.yaml").unlink()
    (place / "configs" / name).write_text(content)
    with pytest.raises(ConfigurationError, match=f"configs/{name}"):
        Kernel(place).run(Listed(Good))
    assert (place / "configs" / name).read_text() == content
    assert [path.name for path in (place / "configs").iterdir()] == [name]


def test_a_yaml_file_of_a_task_counts_as_much_as_a_json_file(place):
    """B2: it was ignored."""
    (place / "configs/t_1.yaml").write_text("task_id: t_1\nchunk_size: 3\n")
    assert configured(place, Listed(Good)).chunk_size == 3
    (place / "configs/t_1.yaml").unlink()
    (place / "configs/t_1.json").write_text('{"task_id": "t_1", "chunk_size": 4}')
    assert configured(place, Listed(Good)).chunk_size == 4


def test_a_variable_changes_the_paths_too_and_never_a_method(place, monkeypatch):
    """B3: the attribute changed and the paths did not; PAMOLA_VALIDATE took the place of a method."""
    monkeypatch.setenv("PAMOLA_DATA_REPOSITORY", "ELSEWHERE")
    monkeypatch.setenv("PAMOLA_VALIDATE", "x")
    monkeypatch.setenv("PAMOLA_TASK_DIR", "y")
    monkeypatch.setenv("PAMOLA_LOGS_DIR", "z")
    config = configured(place, Listed(Good))
    assert config.get_task_output_dir() == place / "ELSEWHERE/processed/t_1/output"
    assert validate_task_config(config) == (True, [])
    assert Kernel(place).run(Listed(Good)).report == place / "ELSEWHERE/reports/t_1_report.json"
    assert not (place / "DATA/processed").exists()
    assert not (place / "y").exists()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CHUNK_SIZE", "nan"),
        ("CHUNK_SIZE", "inf"),
        ("CHUNK_SIZE", "many"),
        ("ENCRYPTION_MODE", "rot13"),
        ("USE_ENCRYPTION", "perhaps"),
        ("LOG_LEVEL", "LOUD"),
    ],
)
def test_a_variable_that_does_not_fit_stops_the_run_and_names_itself(place, monkeypatch, name, value):
    """B3, B8: `nan` became a chunk size, `rot13` the mode `simple`."""
    monkeypatch.setenv(f"PAMOLA_{name}", value)
    with pytest.raises(ConfigurationError, match=f"PAMOLA_{name}"):
        Kernel(place).run("t_1")
    assert not (place / "DATA/processed").exists()


def test_every_wrong_key_of_a_file_is_told_and_nothing_runs(place, cli):
    """B8: unknown modes and misspelt keys were accepted."""
    (place / "configs/t_1.yaml").write_text(TASK + "encryption_mode: rot13\ncontine_on_error: true\nseed: [1]\n")
    refused = cli("run", "t_1", cwd=place, code=2)
    for words in ("t_1.yaml:7:", "t_1.yaml:8:", "did you mean 'continue_on_error'", "t_1.yaml:9:", "rot13"):
        assert (words in refused.stderr) is (words != "rot13"), refused.stderr
    assert not (place / "DATA/processed").exists()


@pytest.mark.parametrize("key", ["encryption_mode", "mode"])
def test_the_mode_of_the_projects_encryption_section_is_read(place, key):
    """B4."""
    (place / "configs/prj_config.yaml").write_text(f"encryption:\n  use_encryption: true\n  {key}: age\n")
    config = configured(place)
    assert (config.use_encryption, config.encryption_mode) == (True, "age")


def test_project_and_task_have_a_log_each_and_both_are_kept(place):
    """B5: one log for both, written anew by each run, in `logs/logs`."""
    for _ in range(2):
        Kernel(place).run("t_1", restart=True)
    for name in ("project.log", "t_1.log"):
        lines = (place / "logs" / name).read_text().splitlines()
        assert sum("step AnonymizeOperation starts" in line for line in lines) == 2, name
    assert [p.name for p in place.rglob("logs") if p.parent.name == "logs"] == []


def test_a_template_in_the_configuration_stays_text(place, tmp_path):
    """B6: it was rendered, and could run commands."""
    mark = tmp_path / "mark"
    text = "{{ cycler.__init__.__globals__.os.popen('touch " + str(mark) + "').read() }}"
    (place / "configs/prj_config.yaml").write_text(f'description: "{text}"\n')
    assert Kernel(place).run("t_1").success
    assert not mark.exists()
    assert report_of(place)["task"]["description"] == text


def test_a_change_of_a_file_is_seen_by_the_next_run_in_the_same_process(place):
    """B7: a cache of the process gave the old values; an empty section was a TypeError."""
    kernel = Kernel(place)
    (place / "configs/prj_config.yaml").write_text("chunk_size: 1\nlogging:\ntask_defaults:\n")
    assert kernel.run(Listed(Good)).results["Good"].metrics == {"chunk_size": 1}
    (place / "configs/prj_config.yaml").write_text("chunk_size: 2\n")
    config = kernel.services("t_1", upto="config").config
    assert config.chunk_size == 2
    config.to_dict()["input_datasets"]["people"] = "elsewhere.csv"
    assert kernel.services("t_1", upto="config").config.input_datasets == {"people": "DATA/raw/people.csv"}


def test_what_is_saved_has_no_secret_and_no_path_of_this_machine(place, cli):
    """B9."""
    (place / "configs/prj_config.json").write_text(
        json.dumps({"tasks": {"t_1": {"api_token": "plantedDelta44", "db_password": "plantedEpsilon55", "seed": 3}}})
    )
    cli("config", "save", "t_1", "--set", "chunk_size=9", cwd=place, code=0)
    (place / "configs/t_2.json").write_text('{"task_id": "t_2", "api_token": "plantedZeta66"}')
    saved = configured(place).save(place / "configs/copy.json", format="json").read_text()
    for text in (saved, (place / "configs/t_1.yaml").read_text()):
        assert "chunk_size" in text
        assert "planted" not in text
        assert str(place) not in text


def test_a_key_file_is_read_or_refused_and_never_written(place):
    """B10: where the key store lay, its bytes were the key; where nothing lay, a key was written."""
    database = place / "keys.db"
    database.write_bytes(b"SQLite format 3\0" + bytes(100))
    database.chmod(0o600)
    for name in ("keys.db", "absent.key"):
        outcome = Kernel(place).run("t_1", overrides={"use_encryption": True, "encryption_key_path": name})
        assert (outcome.success, outcome.exit_code) == (False, 4)
        assert list((place / "DATA/processed/t_1/output").iterdir()) == []
    assert database.read_bytes() == b"SQLite format 3\0" + bytes(100)
    assert not (place / "absent.key").exists()


@pytest.mark.skipif(os.name == "nt", reason="Windows has no modes to judge by")
def test_a_key_that_others_can_read_is_said_to_be_exposed(place, monkeypatch):
    """D11, of the task utilities: the answer was always no."""
    from pamola_tasks_compat.tasks import is_master_key_exposed

    monkeypatch.chdir(place)
    assert is_master_key_exposed() is False, "there is none"
    path = place / "own.key"
    path.write_text("A" * 43 + "=")
    monkeypatch.setenv("PAMOLA_KEY_FILE", str(path))
    path.chmod(0o644)
    assert is_master_key_exposed() is True
    path.chmod(0o600)
    assert is_master_key_exposed() is False


# ---------------------------------------------------------------- records that make no sense


@pytest.mark.parametrize(
    "call",
    [
        lambda tasks: tasks.record_task_execution("../x", "a", True, 1.0, None),
        lambda tasks: tasks.record_task_execution("t_1", "a", True, -1.0, None),
        lambda tasks: tasks.record_task_execution("t_1", "a", True, "long", None),
        lambda tasks: tasks.record_task_execution("t_1", "a", True, 1.0, "/etc/passwd"),
        lambda tasks: tasks.cleanup_old_executions(max_age_days=-1),
        lambda tasks: tasks.format_execution_time(float("nan")),
        lambda tasks: tasks.find_previous_output("t_1", file_pattern="../*"),
        lambda tasks: tasks.find_task_report("../x"),
    ],
)
def test_functions_refuse_what_makes_no_sense_and_record_nothing(place, monkeypatch, call):
    """C7, E6: None was given back, and the run was not recorded."""
    from pamola_tasks_compat import tasks

    monkeypatch.chdir(place)
    with pytest.raises(PamolaTaskError):
        call(tasks)
    assert tasks.get_task_execution_history() == []


# ---------------------------------------------------------------- F: several operations


def test_eight_steps_of_one_operation_all_run_and_all_have_results(place):
    """F1: seven of them vanished."""
    outcome = Kernel(place).run(Listed(*[Good] * 8))
    assert len(outcome.results) == 8
    assert {result.status.value for result in outcome.results.values()} == {"success"}
    assert len(report_of(place)["operations"]) == 8


# ---------------------------------------------------------------- C: paths


def test_a_run_with_an_odd_path_is_recorded_or_refused_in_words_and_never_lost_in_silence(place, monkeypatch):
    """C7: one path that the guard refused, and nothing was recorded and nobody told."""
    from pamola_tasks.errors import ExecutionLogError
    from pamola_tasks_compat import tasks

    monkeypatch.chdir(place)
    with pytest.raises(ExecutionLogError, match="cannot be recorded"):
        tasks.record_task_execution("t_1", "analysis", True, 1.0, None, input_datasets={"a": "x\n.csv"})
    run_id = tasks.record_task_execution(
        "t_1", "analysis", True, 1.0, None, input_datasets={"a": "DATA/R&D/v1..2~.csv"}
    )
    assert [found["task_run_id"] for found in tasks.get_task_execution_history("t_1")] == [run_id]


# ---------------------------------------------------------------- G: weight and side effects

OFFLINE = """\
import socket, sys
def refused(*arguments, **options):
    raise AssertionError(f"the network was asked for: {arguments}")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refused
from pamola_tasks_cli import main
for name in {packages}:
    module = __import__(name)
    for public in getattr(module, "__all__", ()):
        getattr(module, public)
sys.argv[1:] = ["--project", "{project}", "run", "t_1"]
main()
"""


def test_no_network_is_asked_for_and_nothing_is_left_where_one_stands(place, tmp_path, python):
    """G2, G4: word lists were fetched at import; logs and folders appeared in the current folder."""
    here = tmp_path / "here"
    here.mkdir()
    packages = [folder.name for folder in sorted(ROOT.glob("plugins/*/src/*")) if (folder / "__init__.py").exists()]
    script = tmp_path / "offline.py"
    script.write_text(OFFLINE.replace("{packages}", repr(packages)).replace("{project}", str(place)))
    done = python(script, cwd=here)
    assert done.returncode == 0, done.stdout + done.stderr
    assert list(here.iterdir()) == []
    assert sorted(path.name for path in place.iterdir()) == [
        ".pamola", ".pamola.toml", "DATA", "configs", "logs", "releases"]  # fmt: skip


def imports_of(folder: Path) -> set[str]:
    found: set[str] = set()
    for path in folder.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {name.name.partition(".")[0] for name in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                found.add(node.module.partition(".")[0])
    return found - sys.stdlib_module_names - {path.name for path in folder.iterdir()}


@pytest.mark.parametrize(
    "folder",
    [ROOT, *sorted(path.parent for path in ROOT.glob("plugins/*/pyproject.toml"))],
    ids=lambda folder: folder.name,
)
def test_whatever_a_distribution_imports_it_declares_and_the_kernel_needs_three(folder):
    """G3: 44 pinned requirements, and four that were imported and not declared. And no plugin imports another."""
    project = tomllib.loads((folder / "pyproject.toml").read_text())["project"]
    stated = [*project["dependencies"], *chain(*project.get("optional-dependencies", {}).values())]
    named = {text.split("[")[0].split(">")[0].split("<")[0].split("=")[0].strip().lower() for text in stated}
    distributions = {"yaml": "pyyaml", "attr": "attrs", "ruamel": "ruamel.yaml", "markdown_it": "markdown-it-py"}
    distributions["openlineage"] = "openlineage-python"
    wanted = {distributions.get(name, name.replace("_", "-")) for name in imports_of(folder / "src")}
    if folder == ROOT:
        assert wanted == {"pluggy", "attrs", "cattrs", "pytest"}
        using = {path.parent.name for path in folder.glob("src/**/*.py") if "import pytest" in path.read_text()}
        assert using == {"contracts"}, "only who inherits these needs it"
        assert len(project["dependencies"]) == 3
    else:
        assert wanted <= named
        assert {name for name in wanted if name.startswith(("pamola-tasks-", "pamola-ops-"))} == set()


def test_no_pattern_gives_a_group_a_possessive_repetition():
    """Python before 3.11.5 matches `(…)*+` wrongly, so that damaged tables passed there: `(?>(…)*)` instead."""
    found = []
    for path in [*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes):
                text = node.value if isinstance(node.value, str) else node.value.decode("latin-1")
                if re.search(r"(?<!\\)\)(?:[*+?]|\{[\d,]+\})\+", text):
                    found.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    assert found == []


def test_no_exception_of_whatever_kind_is_swallowed():
    """G7: 173 handlers did so. A handler for everything raises, records, or gives the error on."""
    silent = []
    for path in [*ROOT.glob("src/**/*.py"), *ROOT.glob("plugins/*/src/**/*.py")]:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.ExceptHandler):
                continue
            caught = {n.id for n in ast.walk(node.type) if isinstance(n, ast.Name)} if node.type else {"Exception"}
            nothing = all(
                isinstance(line, (ast.Pass, ast.Continue, ast.Break))
                or (
                    isinstance(line, ast.Return)
                    and isinstance(line.value, (ast.Constant, ast.List, ast.Dict, type(None)))
                )
                for line in node.body
            )
            if nothing and caught & {"Exception", "BaseException"}:
                silent.append(f"{path.relative_to(ROOT)}:{node.lineno}")
    # A predicate that cannot tell whether a key is secret: the value is hidden. A task that cannot be looked at before
    # it runs: it runs, and fails then with its own words. An
    # error whose own text cannot be had: it is told without.
    allowed = ("secrets.py", "run_queue.py", "disclosure.py")
    assert [place for place in silent if not place.rpartition(":")[0].endswith(allowed)] == []
    assert len(silent) <= 4
