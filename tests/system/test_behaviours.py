"""The behaviours to keep, numbered as in their list (B1 … B40), with the plugins that are installed.

Here stand those that no other test drives from outside. The others: B2, B3, B7, B9, B10 in `tests/test_lifecycle.py`;
B11, B38 in `test_cli.py`; B18 in `plugins/config`; B19 in `plugins/config`; B21, B22 in `plugins/reports`; B23, B39 in
`test_privacy.py`; B24 … B27 in `plugins/history`; B30 … B32 in `plugins/directories`; B33, B34 in `plugins/paths`;
B35 … B37 in `plugins/executor`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks import Kernel, Operation, OperationResult, hookimpl
from pamola_tasks.errors import ConfigurationError
from pamola_tasks_compat.base_task import BaseTask
from pamola_tasks_compat.dependencies import TaskDependencyManager
from pamola_tasks_compat.task_config import (
    get_scope_datasets,
    get_scope_field_groups,
    get_scope_fields,
    validate_task_config,
)

pytestmark = pytest.mark.usefixtures("nothing_around")


class Good(Operation):
    """Succeeds."""

    def execute(self, ctx: Any) -> OperationResult:
        return OperationResult.success({"seed": ctx.seed})


class Bad(Operation):
    """Fails."""

    def execute(self, ctx: Any) -> OperationResult:
        raise ValueError("the table has no rows")


class Listed(BaseTask):
    """A task of the operations that it is given."""

    def __init__(self, *operations: Any, task_id: str = "t_1", **more: Any) -> None:
        super().__init__(task_id, "analysis", "A task.", {"people": "DATA/raw/people.csv"}, **more)
        self.given = operations

    def configure_operations(self) -> None:
        for operation in self.given:
            name, parameters = operation if isinstance(operation, tuple) else (operation, {})
            self.add_operation(name, **parameters)


def report_of(place: Path, task_id: str = "t_1") -> dict[str, Any]:
    return json.loads((place / f"DATA/reports/{task_id}_report.json").read_text())


def verdict_of(place: Path, task_id: str = "t_1") -> str:
    return json.loads((place / f"DATA/processed/{task_id}/manifest.json").read_text())["verdict"]


def run(place: Path, task: BaseTask, *plugins: Any, **options: Any) -> bool:
    task.kernel = Kernel(place, plugins=plugins)
    return task.run(**options)


# ---------------------------------------------------------------- lifecycle


def test_two_operations_that_succeed_make_a_success_in_the_order_added(place):
    """B1, B20: identity, times, duration, status, steps, artifacts with size, metrics, system, peak memory."""
    task = Listed(Good, ("ProfileOperation", {"dataset_name": "people", "output_prefix": "p"}))
    assert run(place, task) is True
    assert task.get_execution_status() == ("success", None)
    report = report_of(place)
    assert report["task"] == {"id": "t_1", "type": "analysis", "description": "A task.", "version": "1.0.0"}
    assert [(s["step"], s["status"], s["attempts"]) for s in report["operations"]] == [
        ("Good", "success", 1),
        ("ProfileOperation", "success", 1),
    ]
    assert set(report["operations"][0]) >= set("step name status seconds attempts metrics artifacts error".split())
    facts = report["run"]
    assert facts.keys() >= set("id status started finished seconds peak_memory_bytes host user resumed_from".split())
    assert facts["status"] == "success"
    assert facts["started"] <= facts["finished"]
    assert facts["started"].endswith("Z")
    assert facts["seconds"] > 0
    assert facts["peak_memory_bytes"] > 10_000_000
    assert report["environment"].keys() >= {"python", "platform", "cpu_count", "packages"}
    (profile,) = report["artifacts"]
    assert profile["bytes"] == (place / profile["path"]).stat().st_size
    assert profile.keys() >= set("type path description group tags sha256 bytes".split())
    assert report["metrics"]["ProfileOperation"]["rows"] == 60
    (people,) = report["inputs"]
    assert people.keys() >= set("name path sha256 rows columns bytes".split())
    assert (people["path"], people["rows"]) == ("DATA/raw/people.csv", 60)
    assert verdict_of(place) == "none claimed"


def test_a_task_that_does_not_say_what_to_do_is_a_configuration_error_with_a_report(place):
    """B2, B3, B6: no configure_operations, no operation, an exception in it."""

    class Silent(Listed):
        def configure_operations(self) -> None:
            BaseTask.configure_operations(self)

    class Broken(Listed):
        def configure_operations(self) -> None:
            raise RuntimeError("no such table")

    for task, words in ((Silent(), "configure_operations"), (Listed(), "no operations"), (Broken(), "no such table")):
        assert run(place, task) is False
        status, error = task.get_execution_status()
        assert status == "configuration_error"
        assert words in error["message"]
        report = report_of(place)
        assert report["run"]["status"] == "configuration_error"
        assert words in report["error"]["message"]
        assert verdict_of(place) == "not met"


def test_execute_alone_without_operations_is_false(place):
    """B3, by the methods themselves."""
    task = Listed()
    task.kernel = Kernel(place)
    assert task.initialize()
    task.configure_operations()
    assert task.execute() is False
    assert task.status == "configuration_error"
    assert task.finalize(False) is False


@pytest.mark.parametrize(("go_on", "ran"), [(False, ["Bad"]), (True, ["Bad", "Good"])])
def test_a_failed_operation_fails_the_run_whether_later_ones_run_or_not(place, go_on, ran):
    """B4, B5: A1 in the list of defects, where a failure was a success."""
    task = Listed(Bad, Good)
    assert run(place, task, args={"continue_on_error": go_on}) is False
    report = report_of(place)
    assert [s["step"] for s in report["operations"] if s["status"] != "not run"] == ran
    assert (report["status"], report["success"], report["run"]["status"]) == ("failed", False, "operation_error")
    assert [(e["operation"], e["message"]) for e in report["errors"]] == [("Bad", "the table has no rows")]
    assert verdict_of(place) == "not met"
    history = json.loads((place / "configs/execution_log.json").read_text())["executions"]
    assert history[-1]["success"] is False


def test_a_with_block_that_raises_ends_the_run_and_the_exception_goes_on(place):
    """B7: report and history are written, and the lock is free again."""

    def half_done(task: BaseTask) -> None:
        assert task.initialize()
        raise LookupError("mine")

    task = Listed(Good)
    task.kernel = Kernel(place)
    with pytest.raises(LookupError, match="mine"), task:
        half_done(task)
    assert report_of(place)["run"]["status"] == "context_exception"
    assert run(place, Listed(Good)) is True


@pytest.mark.parametrize(
    ("operation", "words"),
    [
        ("AnonymizeOperatio: {input_dataset: people, k: 3, quasi_identifiers: [age]}", "mean 'AnonymizeOperation'"),
        ("AnonymizeOperation: {input_dataset: people, k: 3, quasi_identifier: [age]}", "mean 'quasi_identifiers'"),
        ("AnonymizeOperation: {input_dataset: people, k: three, quasi_identifiers: [age]}", "k: expected a whole"),
        ("AnonymizeOperation: {input_dataset: people, quasi_identifiers: [age]}", "'k' (a whole number) is missing"),
        ("AnonymizeOperation: {input_dataset: poeple, k: 3, quasi_identifiers: [age]}", "poeple"),
        ("AnonymizeOperation: {input_dataset: people, k: 3, quasi_identifiers: [age], method: magic}", "k-anonymity"),
    ],
)
def test_a_privacy_step_that_cannot_be_had_never_vanishes_silently(place, operation, words):
    """B8: an unknown name, a bad parameter, a missing one, an unknown dataset; no other step runs."""
    (place / "configs/t_1.yaml").write_text(
        "task_id: t_1\ninput_datasets: {people: DATA/raw/people.csv}\noperations:\n"
        f"  - {operation}\n  - ProfileOperation: {{dataset_name: people, output_prefix: after}}\n"
    )
    outcome = Kernel(place).run("t_1")
    assert not outcome.success
    assert outcome.exit_code == 2
    assert words in "\n".join(error["message"] for error in outcome.record.errors)
    assert list((place / "DATA/processed/t_1/output").iterdir()) == []
    assert report_of(place)["status"] == "failed"


# ---------------------------------------------------------------- configuration and roots


class Stating(Listed):
    """Everything that a class can state."""

    def __init__(self) -> None:
        super().__init__(Good)

    def get_default_config(self) -> dict[str, Any]:
        return dict(KINDS["class"])


KINDS: dict[str, dict[str, Any]] = {
    "command line": {"continue_on_error": True, "chunk_size": 5, "log_level": "DEBUG", "outputs": ["e"], "own": "e"},
    "task file": {"continue_on_error": False, "chunk_size": 4, "log_level": "ERROR", "outputs": ["d"], "own": "d"},
    "project file": {"continue_on_error": True, "chunk_size": 3, "log_level": "INFO", "outputs": ["c"], "own": "c"},
    "class": {"continue_on_error": False, "chunk_size": 2, "log_level": "WARNING", "outputs": ["b"], "own": "b"},
    "environment": {"continue_on_error": True, "chunk_size": 1, "log_level": "ERROR", "outputs": ["a"]},
}


def test_precedence_is_the_same_for_keys_of_every_kind(place, monkeypatch):
    """B12, B14: layer after layer is taken away; what is left answers, for bool, number, text, list and own key."""
    monkeypatch.setenv("PAMOLA_CONTINUE_ON_ERROR", "yes")
    monkeypatch.setenv("PAMOLA_CHUNK_SIZE", "77")
    monkeypatch.setenv("PAMOLA_TASK_T_1_CHUNK_SIZE", "1")
    monkeypatch.setenv("PAMOLA_LOG_LEVEL", "ERROR")
    monkeypatch.setenv("PAMOLA_OUTPUTS", "a")
    (place / "configs/t_1.json").write_text(json.dumps({"task_id": "t_1", **KINDS["task file"]}))
    (place / "configs/prj_config.json").write_text(json.dumps({"tasks": {"t_1": KINDS["project file"]}}))
    gone: set[str] = set()

    def values() -> dict[str, Any]:
        task = Listed() if "class" in gone else Stating()
        kernel = Kernel(place)
        task.kernel = kernel
        assert task.initialize({} if "command line" in gone else KINDS["command line"]), task.error_info
        found = {key: getattr(task.config, key, None) for key in KINDS["command line"]}
        task.finalize(False)
        return found

    for layer, wanted in KINDS.items():
        assert values() == {"own": None, **wanted}, layer
        gone.add(layer)
        if layer == "task file":
            (place / "configs/t_1.json").unlink()
        if layer == "project file":
            (place / "configs/prj_config.json").unlink()


def test_a_first_run_freezes_nothing_and_config_save_writes_what_holds(place, cli):
    """B13, and B2 of the defects: a changed class default and a changed project file are seen by the next run."""
    (place / "task.py").write_text(
        "from pamola_tasks import BaseTask, Operation, OperationResult\n"
        "class Good(Operation):\n    def execute(self, ctx): return OperationResult.success()\n"
        "class T(BaseTask):\n"
        "    def __init__(self): super().__init__('t_1', 'analysis', 'Freezes nothing')\n"
        "    def get_default_config(self): return {'chunk_size': 10}\n"
        "    def configure_operations(self): self.add_operation(Good)\n"
    )
    (place / "configs/prj_config.yaml").write_text("tasks: {t_1: {log_level: DEBUG}}\n")
    assert Kernel(place).run(str(place / "task.py")).success
    assert sorted(p.name for p in (place / "configs").iterdir() if not p.name.startswith("execution_log")) == [
        "prj_config.yaml"
    ]
    configuration = report_of(place)["configuration"]
    assert (configuration["chunk_size"]["value"], configuration["log_level"]["value"]) == (10, "DEBUG")
    assert "prj_config.yaml" in configuration["log_level"]["place"]
    (place / "task.py").write_text((place / "task.py").read_text().replace("10", "20"))
    (place / "configs/prj_config.yaml").write_text("tasks: {t_1: {log_level: ERROR}}\n")
    assert Kernel(place).run(str(place / "task.py")).success
    configuration = report_of(place)["configuration"]
    assert (configuration["chunk_size"]["value"], configuration["log_level"]["value"]) == (20, "ERROR")
    cli("config", "save", "task.py", cwd=place, code=0)
    saved = (place / "configs/t_1.yaml").read_text()
    assert "chunk_size: 20" in saved
    assert str(place) not in saved


@pytest.mark.parametrize(
    ("key", "text", "value"),
    [
        ("USE_DASK", "true", True),
        ("USE_DASK", "OFF", False),
        ("CHUNK_SIZE", "17", 17),
        ("SEED", "none", None),
        ("TIMEOUT", "2.5", 2.5),
        ("OUTPUTS", "a, b", ["a", "b"]),
    ],
)
def test_values_of_the_environment_take_the_type_of_their_key(place, monkeypatch, key, text, value):
    """B14."""
    monkeypatch.setenv(f"PAMOLA_{key}", text)
    config = Kernel(place).services(Listed(), upto="config").config
    assert getattr(config, key.lower()) == value
    assert type(getattr(config, key.lower())) is type(value)


def test_the_project_is_found_from_below_and_a_named_root_wins(place, cli, tmp_path):
    """B15."""
    below = place / "DATA/raw/deep/er"
    below.mkdir(parents=True)
    (place / "configs/mine.yaml").write_text("task_id: mine\n")
    assert [t["task"] for t in json.loads(cli("list", "--json", cwd=below, code=0).stdout)] == ["mine"]
    other = tmp_path / "other"
    (other / "configs").mkdir(parents=True)
    (other / "configs/theirs.json").write_text('{"task_id": "theirs"}')
    named = cli("list", "--json", cwd=below, env={"PAMOLA_PROJECT_ROOT": str(other)}, code=0)
    assert [t["task"] for t in json.loads(named.stdout)] == ["theirs"]


def test_of_two_project_files_yaml_counts_and_a_broken_one_is_named_with_its_line(place, cli):
    """B16."""
    (place / "configs/prj_config.yaml").write_text("chunk_size: 7\n")
    (place / "configs/prj_config.json").write_text('{"chunk_size": 8}')
    (place / "configs/t_1.yaml").write_text("task_id: t_1\noperations: []\n")
    shown = cli("config", "show", "t_1", cwd=place, code=0)
    assert ["chunk_size", "7"] in [line.split() for line in shown.stdout.splitlines()]
    assert "prj_config.yaml" in shown.stderr
    assert "prj_config.json" in shown.stderr
    (place / "configs/prj_config.yaml").write_text("chunk_size: 7\nlog_level: [INFO\n")
    for arguments in (["run", "t_1"], ["config", "check"]):
        broken = cli(*arguments, cwd=place, code=2)
        assert "configs/prj_config.yaml:" in broken.stdout + broken.stderr
        assert "Traceback" not in broken.stderr


def test_encryption_without_a_key_is_a_problem_of_the_configuration(place):
    """B17: `validate` tells it, and the run stops with exit code 4 before anything is written."""
    (place / "configs/t_1.yaml").write_text(
        "task_id: t_1\nuse_encryption: true\ninput_datasets: {people: DATA/raw/people.csv}\n"
        "operations: [ProfileOperation: {dataset_name: people, output_prefix: p}]\n"
    )
    kernel = Kernel(place)
    good, problems = validate_task_config(kernel.services("t_1", upto="config").config)
    assert not good
    assert any("no key" in problem for problem in problems)
    outcome = kernel.run("t_1")
    assert outcome.exit_code == 4
    assert "***" not in str(outcome.error), "what is said of a missing key holds no secret and is not masked"
    assert "there is no key" in outcome.record.error["message"]
    assert "***" not in outcome.record.error["message"]


def test_a_secret_of_the_configuration_is_in_no_file_and_on_no_stream(place, cli):
    """B18: run at debug level, shown, saved; in the environment, in a reference and in an address."""
    (place / "fails.py").write_text(
        "from pamola_tasks import BaseTask, Operation\n"
        "class Fails(Operation):\n"
        "    address: str\n"
        "    def execute(self, ctx):\n"
        "        ctx.logger.debug('going to %s', self.address)\n"
        "        raise ConnectionError(f'no answer from {self.address}, {ctx.config.api_token}')\n"
        "class T(BaseTask):\n"
        "    def __init__(self): super().__init__('t_1')\n"
        "    def configure_operations(self): self.add_operation(Fails, address=self.config.custom_address)\n"
    )
    (place / "configs/t_1.yaml").write_text(
        "task_id: t_1\napi_token: plantedAlpha11\nlog_level: DEBUG\nretry: {max_retries: 0}\n"
        "custom_address: 'https://user:plantedBeta22@example.org/x'\ndb_password: '${secret:DB}'\n"
    )
    plugin = place / "vault.py"
    plugin.write_text(
        "from pamola_tasks import hookimpl\nPAMOLA_HOOK_API = 1\n"
        "@hookimpl\ndef pamola_find_secret(name, project): return 'plantedGamma33'\n"
    )
    streams = ""
    for arguments in (
        ["-v", "--plugin", "vault.py", "run", "fails.py"],
        ["--plugin", "vault.py", "config", "show", "fails.py", "--json"],
        ["--plugin", "vault.py", "report", "t_1"],
        ["--plugin", "vault.py", "history", "--json"],
    ):
        done = cli(*arguments, cwd=place)
        assert done.returncode in (0, 1), done.stderr
        streams += done.stdout + done.stderr
    assert "no answer from" in streams
    written = {
        str(path.relative_to(place)): path.read_bytes()
        for path in place.rglob("*")
        if path.is_file() and path.suffix not in (".py", ".pyc") and path.name != "t_1.yaml"
    }
    for secret in ("plantedAlpha11", "plantedBeta22", "plantedGamma33"):
        assert secret not in streams
        assert [name for name, content in written.items() if secret.encode() in content] == []


def test_the_scope_is_given_by_its_getters(place):
    """B19: as a section, and as keys of their own."""
    config = Kernel(place).services(Listed(), upto="config").config
    assert (get_scope_fields(config), get_scope_datasets(config), get_scope_field_groups(config)) == ([], [], {})
    (place / "configs/t_1.yaml").write_text(
        "task_id: t_1\nscope: {fields: [age], datasets: [people], field_groups: {who: [age, city]}}\n"
    )
    config = Kernel(place).services(Listed(), upto="config").config
    assert get_scope_fields(config) == ["age"]
    assert get_scope_datasets(config) == ["people"]
    assert get_scope_field_groups(config) == {"who": ["age", "city"]}


# ---------------------------------------------------------------- reports, log, dependencies


@pytest.mark.parametrize("name", ["../escaped", "a/b", "/tmp/x", "", "a\nb", "CON"])
def test_an_artifact_of_an_unsafe_name_is_refused_and_leaves_nothing(place, name):
    """B22, through an operation; C4 of the defects made the directory first and raised then."""

    class Escapes(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            with ctx.artifact(name, "json") as file:
                file.write(b"{}")
            return OperationResult.success()

    before = {path for path in place.parent.rglob("*") if place not in path.parents}
    task = Listed(Escapes)
    assert run(place, task) is False
    assert "artifact" in task.error_info["message"]
    assert list((place / "DATA/processed/t_1/output").iterdir()) == []
    assert {path for path in place.parent.rglob("*") if place not in path.parents} == before


def test_a_dependency_that_succeeded_lets_the_task_go_on_and_gives_its_files_and_metrics(place):
    """B28, B29; A2 of the defects: the real report of a real success was never recognized."""
    run(place, Listed(("ProfileOperation", {"dataset_name": "people", "output_prefix": "p"}), task_id="t_first"))
    task = Listed(Good)
    kernel = Kernel(place)
    task.kernel = kernel
    assert task.run({"dependencies": ["t_first"]}), task.error_info
    services = kernel.services(Listed(), upto="dependencies")
    found = services.dependencies
    assert [path.name for path in found.get_dependency_output("t_first", "*.json")] == ["p_profile.json"]
    assert found.get_dependency_output("t_first") == place / "DATA/processed/t_first/output"
    assert TaskDependencyManager.of(services).get_dependency_metrics("t_first", "ProfileOperation.rows") == {"rows": 60}


@pytest.mark.parametrize("wrong", ["missing", "failed"])
def test_a_dependency_that_is_missing_or_failed_stops_the_task_or_is_a_warning(place, wrong):
    """B28."""
    if wrong == "failed":
        run(place, Listed(Bad, task_id="t_first"))
    outcome = Kernel(place).run(Listed(Good), overrides={"dependencies": ["t_first"]})
    assert (outcome.status, outcome.exit_code) == ("dependency_error", 3)
    assert "t_first" in outcome.record.error["message"]
    assert list(outcome.results) == []
    outcome = Kernel(place).run(Listed(Good), overrides={"dependencies": ["t_first"], "continue_on_error": True})
    assert outcome.success
    assert any("t_first" in warning for warning in report_of(place)["warnings"])


def test_the_history_answers_by_task_success_limit_and_output(place, monkeypatch):
    """B24, B25, by the functions that scripts import."""
    from pamola_tasks_compat import tasks

    run(place, Listed(Bad))
    run(place, Listed(("ProfileOperation", {"dataset_name": "people", "output_prefix": "p"})))
    run(place, Listed(Good, task_id="t_2"))
    monkeypatch.chdir(place)
    assert [r["task_id"] for r in tasks.get_task_execution_history()] == ["t_2", "t_1", "t_1"]
    assert [r["success"] for r in tasks.get_task_execution_history("t_1")] == [True, False]
    assert len(tasks.get_task_execution_history("t_1", success_only=True)) == 1
    assert len(tasks.get_task_execution_history(limit=2)) == 2
    wrote = tasks.find_task_by_output("DATA/processed/t_1/internal/p_profile.json")
    assert wrote["task_id"] == "t_1"
    assert tasks.find_task_by_output(place / "DATA/processed/t_1/internal/p_profile.json") == wrote
    assert tasks.find_task_by_output("DATA/processed/t_1/output/other.json") is None


# ---------------------------------------------------------------- directories


def test_a_task_has_its_directories_and_an_empty_temporary_one_afterwards(place):
    """B30, B31, B32, as an operation meets them."""
    from pamola_tasks.errors import DirectoryManagerError

    class Looks(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            for name in ("input", "output", "dictionaries", "temp", "logs"):
                assert ctx.directories.get_directory(name).is_dir(), name
            with pytest.raises(DirectoryManagerError, match="nonsense"):
                ctx.directories.get_directory("nonsense")
            (ctx.directories.get_directory("temp") / "left.bin").write_bytes(b"x")
            plain = ctx.directories.get_artifact_path("table", "csv", "dictionaries", include_timestamp=False)
            stamped = ctx.directories.get_artifact_path("table", "csv")
            return OperationResult.success({"plain": str(plain), "stamped": str(stamped)})

    task = Listed(Looks)
    assert run(place, task), task.error_info
    home = place / "DATA/processed/t_1"
    assert list((home / "temp").iterdir()) == []
    metrics = task.get_metrics()["Looks"]
    assert metrics["plain"] == str(home / "dictionaries/table.csv")
    stamped = Path(metrics["stamped"])
    assert stamped.parent == home / "output"
    assert stamped.name.startswith("table_")
    assert stamped.suffix == ".csv"


# ---------------------------------------------------------------- execution, checkpoints, command line


class Flaky(Operation):
    """Fails as often as it is told, by a class of error that is told."""

    times: int
    kind: str = "ConnectionError"

    def execute(self, ctx: Any) -> OperationResult:
        counter = ctx.run.project.root / "attempts"
        number = int(counter.read_text()) if counter.exists() else 0
        counter.write_text(str(number + 1))
        if number < self.times:
            raise {
                "ConnectionError": ConnectionError,
                "ValueError": ValueError,
                "FileNotFoundError": FileNotFoundError,
            }[self.kind]("not now")
        return OperationResult.success()


class Heard:
    """Hears of retries."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    @hookimpl
    def pamola_on_step_retried(self, run: Any, step: Any, attempt: int, error: Any, wait: float) -> None:
        self.waits.append(wait)


@pytest.mark.parametrize(
    ("kind", "times", "attempts", "success"),
    [
        ("ConnectionError", 2, 3, True),
        ("ConnectionError", 99, 4, False),
        ("ValueError", 1, 1, False),
        ("FileNotFoundError", 1, 1, False),
    ],
)
def test_only_what_may_pass_is_tried_again_with_growing_waits(place, kind, times, attempts, success):
    """B35, B36; A13 of the defects: a missing file cost four attempts."""
    heard = Heard()
    task = Listed((Flaky, {"times": times, "kind": kind}))
    retry = {"max_retries": 3, "backoff": 2.0, "max_wait": 0.02, "jitter": False}
    assert run(place, task, heard, args={"retry": retry}) is success
    assert int((place / "attempts").read_text()) == attempts
    assert len(heard.waits) == attempts - 1
    assert heard.waits == sorted(heard.waits)
    (step,) = report_of(place)["operations"]
    assert step["attempts"] == attempts
    assert success or "not now" in report_of(place)["errors"][0]["message"]


KILLED = """\
import os
from pamola_tasks import BaseTask, Operation, OperationResult

class Step(Operation):
    number: int
    def execute(self, ctx):
        marks = ctx.run.project.root / "marks"
        with open(marks, "a") as file:
            file.write(f"{self.number}\\n")
        if self.number == 2 and not (ctx.run.project.root / "calm").exists():
            os._exit(9)
        return OperationResult.success({"number": self.number})

class T(BaseTask):
    def __init__(self):
        super().__init__("t_1")
    def configure_operations(self):
        for number in range(4):
            self.add_operation(Step, number=number)
"""


def test_a_killed_run_is_continued_where_it_was_and_keeps_what_it_had(place, cli):
    """B38: the step that was running and those behind it run, and no finished one."""
    (place / "task.py").write_text(KILLED)
    assert cli("run", "task.py", cwd=place).returncode == 9
    (place / "calm").touch()
    outcome = json.loads(cli("run", "task.py", "--json", cwd=place, code=0).stdout)
    assert (place / "marks").read_text().split() == ["0", "1", "2", "2", "3"]
    assert [s["status"] for s in outcome["steps"]] == ["skipped", "skipped", "success", "success"]
    assert [s["metrics"]["number"] for s in outcome["steps"]] == [0, 1, 2, 3]
    assert outcome["resumed_from"]
    runs = Kernel(place).services(None, upto="history").history.get_task_execution_history("t_1")
    assert [r["status"] for r in runs] == ["success", "aborted"]
    assert Kernel(place).run(str(place / "task.py"), restart=True).success
    assert (place / "marks").read_text().split()[5:] == ["0", "1", "2", "3"]


def test_the_same_seed_gives_each_step_the_same_seed_and_no_two_steps_one(place):
    """B40; A16 of the defects: two noise steps of one class drew the same numbers."""
    kernel = Kernel(place)

    def seeds(seed: int) -> list[int]:
        outcome = kernel.run(Listed(Good, Good, task_id=f"t_{seed}"), overrides={"seed": seed}, restart=True)
        return [result.metrics["seed"] for result in outcome.results.values()]

    first, again, other = seeds(7), seeds(7), seeds(8)
    assert first == again
    assert len({*first, *other}) == 4


def test_the_command_line_answers_in_json_and_with_its_exit_codes(place, cli):
    """B40."""
    operations = json.loads(cli("ops", "--json", cwd=place, code=0).stdout)
    assert "AnonymizeOperation" in json.dumps(operations)
    one = json.loads(cli("ops", "AnonymizeOperation", "--json", cwd=place, code=0).stdout)
    assert "quasi_identifiers" in json.dumps(one)
    good, bad = place / "configs/good.yaml", place / "configs/bad.yaml"
    good.write_text("task_id: good\noperations: []\n")
    bad.write_text("task_id: bad\nchunk_size: many\nlog_level: LOUD\n")
    assert json.loads(cli("config", "check", "good", "--json", cwd=place, code=0).stdout) is not None
    problems = cli("config", "check", "configs/bad.yaml", "--json", cwd=place, code=2).stdout
    json.loads(problems)
    assert "bad.yaml:2" in problems
    assert "bad.yaml:3" in problems


# ---------------------------------------------------------------- the facade


def test_a_task_has_the_settings_of_its_configuration_as_attributes(place):
    """The attributes and services that the class promises, before and after a run."""
    task = Listed(Good)
    assert (task.chunk_size, task.parallel_processes, task.use_vectorization, task.use_dask) == (
        100_000,
        1,
        False,
        False,
    )
    assert (task.enable_checkpoints, task.encryption_mode, task.status) == (True, "none", "pending")
    services = (
        "config logger reporter directory_manager context_manager encryption_manager dependency_manager"
        " operation_executor progress_manager data_source data_writer project_root"
    ).split()
    assert [name for name in services if getattr(task, name) is not None] == []
    assert run(place, task, args={"chunk_size": 12, "npartitions": 2}, enable_checkpoints=False)
    assert [name for name in services if getattr(task, name) is None] == []
    assert (task.chunk_size, task.npartitions, task.enable_checkpoints) == (12, 2, False)
    assert task.project_root == place
    assert not (place / "DATA/processed/t_1/.state/journal.jsonl").exists()


def test_a_folder_given_to_a_task_takes_the_place_of_the_repository_whatever_files_say(place, tmp_path):
    """`task_dir`, inside the project, and outside of it as a project of its own."""
    (place / "configs/prj_config.yaml").write_text("data_repository: DATA\n")
    task = Listed(Good, task_dir="own")
    assert run(place, task), task.error_info
    assert (place / "own/reports/t_1_report.json").exists()
    assert not (place / "DATA/reports").exists()
    assert task.run({"data_repository": "third"}), "the caller of a run has the last word"
    assert (place / "third/reports/t_1_report.json").exists()
    alone = BaseTask.run(Listed(Good, task_dir=tmp_path / "alone"))
    assert alone is True
    assert (tmp_path / "alone/reports/t_1_report.json").exists()


def test_arguments_of_a_script_may_come_from_argparse(place):
    from argparse import Namespace

    task = Listed(Good)
    assert run(place, task, args=Namespace(seed=3, log_level=None)), task.error_info
    assert report_of(place)["run"]["seed"] == 3


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda kernel: kernel.run(5), "5 is not a task"),
        (lambda kernel: kernel.run(Good), "is not a task"),
        (lambda kernel: kernel.run(Listed(Good), overrides=[1]), "expected configuration by key, got list"),
        (lambda kernel: Listed(Good).run(5), "expected configuration by key, got int"),
        (lambda kernel: BaseTask("t", "", "", ["people.csv"]), "input_datasets maps names"),
        (lambda kernel: kernel.run("exampel"), "there is no task 'exampel'"),
    ],
)
def test_calls_that_make_no_sense_are_refused_in_words(place, call: Callable[[Kernel], Any], words):
    from pamola_tasks.errors import UsageError

    with pytest.raises((UsageError, ConfigurationError), match=words):
        call(Kernel(place))


def test_every_name_that_scripts_import_is_there():
    """The module functions and classes of the components, through `pamola_tasks_compat.tasks`."""
    from pamola_tasks_compat import tasks

    names = """
        BaseTask TaskRunner TaskContext TaskConfig load_task_config find_project_root load_project_config
        save_project_config get_project_paths is_valid_project_root create_default_project_structure
        TaskReporter ArtifactGroup TaskDirectoryManager DirectoryManager create_directory_manager
        TaskOperationExecutor create_operation_executor TaskProgressManager ProgressTracker NoOpProgressTracker
        create_task_progress_manager TaskContextManager ContextManager create_task_context_manager
        TaskDependencyManager ExecutionLog initialize_execution_log record_task_execution get_task_execution_history
        find_latest_execution find_task_by_output track_input_files track_output_files update_execution_record
        remove_execution_record cleanup_old_executions validate_execution_log export_execution_log
        import_execution_log TaskEncryptionManager EncryptionManager EncryptionMode EncryptionContext
        MemoryProtectedKey register_task_class get_task_class list_registered_tasks create_task_instance
        get_task_metadata discover_task_classes register_discovered_tasks
        check_task_dependencies validate_path_security is_within_allowed_paths
        get_system_specific_dangerous_paths validate_paths is_potentially_dangerous_path normalize_and_validate_path
        create_task_directories prepare_data_source_from_paths format_execution_time get_artifact_path
        find_previous_output find_task_report get_temp_dir clean_temp_dir format_error_for_report
        ensure_secure_directory is_master_key_exposed extract_previous_output_info DataSource DataReader DataWriter
    """.split()
    assert [name for name in names if not hasattr(tasks, name)] == []
    assert set(tasks._OF_PLUGIN) <= set(dir(tasks))


def test_components_can_be_made_for_a_project_without_a_run(place, monkeypatch):
    """As scripts of the forerunner do: a configuration, and managers made from it."""
    import logging

    from pamola_tasks_compat import tasks

    run(place, Listed(Good))
    monkeypatch.chdir(place)
    config = tasks.load_task_config("t_1", "analysis")
    logger = logging.getLogger("a script")
    assert tasks.create_directory_manager(config).get_directory("output") == place / "DATA/processed/t_1/output"
    assert tasks.TaskDependencyManager(config, logger).get_dependency_status("t_1")["success"] is True
    assert tasks.create_operation_executor(config, logger).get_execution_stats()["total_operations"] == 0
    assert tasks.create_task_context_manager("t_1", "DATA/processed/t_1").can_resume_execution()[0] is True
    assert tasks.TaskEncryptionManager(config).initialize() is True
    assert tasks.create_task_progress_manager("t_1", "analysis", logger).get_metrics()["operations_total"] == 0
    assert tasks.TaskReporter("t_1", "analysis", "x", "DATA/reports/x.json").generate_report()["task"]["id"] == "t_1"


class Forgiving(Listed):
    """Depends on a task that never ran, and has a dependency manager that does not mind."""

    dependencies = ("t_never",)

    def create_dependency_manager(self):
        standard = super().create_dependency_manager()
        said = (type(standard).__name__, self.config.task_id, self.logger.name)

        class Manager:
            def assert_dependencies_completed(self):
                return True

            def get_dependency_output(self, dependency_id, file_pattern=None):
                return standard.get_dependency_output(dependency_id, file_pattern)

        self.said = said
        return Manager()


def test_a_task_may_bring_a_dependency_manager_of_its_own(place):
    task = Forgiving(Good)
    assert run(place, task)
    assert task.said[:2] == ("TaskDependencyManager", "t_1")
    assert type(task.dependency_manager).__name__ == "Manager"


def test_times_are_shown_in_utc_and_say_so(cli, project):
    env = {"TZ": "America/New_York"}
    cli("run", "example", cwd=project, env=env, code=0)
    report = json.loads((project / "DATA/reports/example_report.json").read_text())
    day_and_hour = report["run"]["started"][:13].replace("T", " ")
    for command in ("history", "status", "checkpoints example"):
        shown = cli(*command.split(), cwd=project, env=env, code=0).stdout
        assert "(UTC)" in shown.splitlines()[0], command
        assert day_and_hour in shown, command
