"""Sections of plugins, tasks from files, what other tasks left, the functions that stand alone, the commands."""

from __future__ import annotations

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import attrs
import pytest
from click.testing import CliRunner

from pamola_tasks import Kernel, hookimpl
from pamola_tasks.errors import ConfigurationError, DependencyFailedError, DependencyMissingError, PathSecurityError
from pamola_tasks.protocols import Places


def installed() -> bool:
    from importlib.metadata import entry_points

    return {"config", "paths"} <= {entry.name for entry in entry_points(group="pamola_tasks")}


needs_installation = pytest.mark.skipif(
    not installed(), reason="the config and paths plugins are not installed, only importable"
)


# ---------------------------------------------------------------- sections of plugins


def test_a_plugins_section_is_an_instance_of_its_class_with_defaults(home: Any) -> None:
    home.owns_section("cohort")
    assert home.config().plugin("cohort").share == 0.5
    home.write("configs/prj_config.yaml", "cohort: {formats: [csv]}\n")
    home.write("configs/t_1.yaml", "cohort: {seed: 4}\n")
    section = home.config().plugin("cohort")
    assert (section.seed, section.formats) == (4, ["csv"])
    assert home.config().get("cohort.seed") == 4
    assert home.config().origins()["cohort.seed"].place == "configs/t_1.yaml:1:16"


def test_mistakes_in_a_plugins_section_have_their_places(home: Any) -> None:
    home.owns_section("cohort")
    home.write("configs/t_1.yaml", "cohort:\n  sead: 4\n  formats: csv\n  share: 2\n")
    assert home.problems() == [
        "configs/t_1.yaml:2:3: cohort.sead: unknown key (did you mean 'seed'?)",
        "configs/t_1.yaml:3:12: cohort.formats: expected a list of text, got text",
    ]
    home.write("configs/t_1.yaml", "cohort:\n  share: 2\n")
    (problem,) = home.problems()
    assert problem.startswith("configs/t_1.yaml:2:10: cohort.share: 'share' must be <= 1")
    assert problem.endswith("<= 1")


@attrs.frozen
class Window:
    """A section within a section."""

    days: int
    label: str = ""


@attrs.frozen
class ReleaseSettings:
    """A section with keys that have no default, and with sections in it."""

    recipient: str
    copies: int = 1
    window: Window | None = None
    others: dict[str, Window] = attrs.Factory(dict)
    steps: list[Window] = attrs.Factory(list)


def test_layers_may_each_set_a_part_of_a_section(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    home.owns_section("release", ReleaseSettings)
    monkeypatch.setenv("PAMOLA_RELEASE__COPIES", "3")
    monkeypatch.setenv("DAYS", "7")
    home.write("configs/prj_config.yaml", "release: {window: {days: 30}, others: {a: {days: 1}}, steps: [{days: 5}]}\n")
    home.write("configs/t_1.yaml", 'release: {window: {label: x}, others: {a: {days: "${env:DAYS}"}}}\n')
    assert home.problems() == ["configs/t_1.yaml:1:10: release: the key 'recipient' (text) is missing"]
    monkeypatch.setenv("PAMOLA_RELEASE__RECIPIENT", "registry")
    assert home.config().plugin("release") == ReleaseSettings(
        "registry", 3, Window(30, "x"), {"a": Window(7)}, [Window(5)]
    )
    home.write("configs/t_1.yaml", "release: {others: {b: {label: y}}, steps: [{label: z}], window: {dais: 1}}\n")
    assert home.problems() == [
        "configs/t_1.yaml:1:44: release.steps[0]: the key 'days' (a whole number) is missing",
        "configs/t_1.yaml:1:66: release.window.dais: unknown key (did you mean 'days'?)",
    ]


# ---------------------------------------------------------------- tasks from files


def test_tasks_are_found_in_configs(home: Any) -> None:
    home.write("configs/prj_config.yaml", "seed: 1\n")
    home.write("configs/execution_log.json", "{}")
    home.write("configs/t_1.yaml", "task_type: analysis\ndescription: one\noperations: []\n")
    home.write("configs/t_1.json", '{"task_id": "t_1"}')
    home.write("configs/other.toml", 'task_id = "t_2"\ntask_class = "tasks.py:Second"\n')
    home.write("configs/broken.yaml", "a: [\n")
    home.write("configs/notes.yaml", "something: else\n")
    tasks = home.kernel.tasks.known()
    assert sorted(tasks) == ["broken", "t_1", "t_2"]
    assert (tasks["t_1"].path, tasks["t_1"].description, tasks["t_1"].task_type) == (
        "configs/t_1.yaml",
        "one",
        "analysis",
    )
    assert tasks["t_2"].task_class == "tasks.py:Second"


def test_the_file_of_a_task_is_found_by_the_id_in_it(home: Any) -> None:
    home.write("configs/other.toml", 'task_id = "t_2"\nseed = 5\n')
    assert home.config("t_2").seed == 5


def test_a_task_file_that_says_another_id_than_its_name_is_refused_for_that_task(home: Any) -> None:
    home.write("configs/t_1.yaml", "task_id: t_2\n")
    assert home.problems() == [
        "configs/t_1.yaml:1:10: task_id: expected 't_1', the id of the task that this belongs to"
    ]


def test_a_task_id_that_is_no_name_is_refused_before_any_file_is_looked_for(home: Any) -> None:
    with pytest.raises(PathSecurityError):
        home.config("../../t_1")


# ---------------------------------------------------------------- what other tasks left


def report(home: Any, task_id: str, **content: Any) -> None:
    home.write(f"DATA/reports/{task_id}_report.json", json.dumps(content))


def test_dependencies_that_succeeded_let_the_task_proceed(home: Any) -> None:
    home.write("configs/t_1.yaml", "dependencies: [t_0, t_old]\n")
    report(home, "t_0", run={"status": "success"})
    report(home, "t_old", status="completed")
    assert home.config().assert_dependencies_completed() is True


def test_a_dependency_that_is_missing_or_failed_stops_or_warns(home: Any) -> None:
    home.write("configs/t_1.yaml", "dependencies: [t_0]\n")
    with pytest.raises(DependencyMissingError, match=r"'t_0'.* has left no report"):
        home.config().assert_dependencies_completed()
    report(home, "t_0", run={"status": "operation_error"})
    with pytest.raises(DependencyFailedError, match="operation_error"):
        home.config().assert_dependencies_completed()
    assert home.config(continue_on_error=True).assert_dependencies_completed() is False


def test_outputs_of_a_dependency_by_id_or_path_with_a_pattern(home: Any) -> None:
    for name in ("b.csv", "a.csv", "c.json"):
        home.write(f"DATA/processed/t_0/output/{name}", "x")
    config = home.config()
    folder = home.root / "DATA/processed/t_0/output"
    assert config.get_dependency_output("t_0") == folder
    assert config.get_dependency_output("t_0", "*.csv") == [folder / "a.csv", folder / "b.csv"]
    assert config.get_dependency_output("DATA/processed/t_0/output", "*.json") == [folder / "c.json"]
    with pytest.raises(DependencyMissingError):
        config.get_dependency_output("t_9")
    with pytest.raises(DependencyMissingError):
        config.get_dependency_output("../elsewhere")


def test_paths_of_a_task(home: Any) -> None:
    config = home.config()
    task = home.root / "DATA/processed/t_1"
    assert (config.get_project_root(), config.get_data_repository()) == (home.root, home.root / "DATA")
    made = [config.get_task_dir(), config.get_task_input_dir(), config.get_task_output_dir()]
    assert made == [task, task / "input", task / "output"]
    assert config.get_task_dir("t_2") == home.root / "DATA/processed/t_2"
    with pytest.raises(PathSecurityError):
        config.get_task_dir("../t_2")
    assert not (home.root / "DATA").exists()


def test_paths_are_those_of_the_service(home: Any) -> None:
    """The configuration wrote the layout down a second time."""

    class Elsewhere:
        @hookimpl
        def pamola_provide_places(self, project: Any, config: Any) -> Any:
            class Work(Places):
                def of(self, task_id: str) -> Any:
                    return SimpleNamespace(directories={"task": "work/" + task_id})

            return Work()

    home.plugins.append(Elsewhere())
    assert home.config().get_task_dir() == home.root / "work/t_1"


STEP = """
from pamola_tasks import Operation, OperationResult, hookimpl

class Nothing(Operation):
    def execute(self, ctx):
        with ctx.artifact("found", "json", "What was found") as file:
            file.write(b"{}")
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"Nothing": Nothing}
"""


@needs_installation
def test_the_configuration_knows_of_dependencies_what_the_service_knows(home: Any) -> None:
    """It looked for reports alone, so a task with a history and no report had not run; and it knew no `**`."""
    home.write("step.py", STEP)
    home.write("configs/t_0.yaml", "task_type: analysis\noperations: [Nothing]\n")
    home.write("configs/t_1.yaml", "task_type: analysis\ndependencies: [t_0]\noperations: [Nothing]\n")
    kernel = Kernel(home.root, modules=[str(home.root / "step.py")])
    outcome = kernel.run("t_0")
    assert outcome.success
    for found in home.root.rglob("*_report.*"):
        found.unlink()
    run = kernel.services("t_1", upto="dependencies")
    assert run.dependencies.assert_dependencies_completed()
    assert run.config.assert_dependencies_completed()
    (found,) = run.config.get_dependency_output("t_0", "**/*.json")
    assert [found] == run.dependencies.get_dependency_output("t_0", "**/*.json")


# ---------------------------------------------------------------- functions that stand alone


@needs_installation
def test_load_task_config_merges_and_writes_only_when_asked(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    from pamola_tasks_config import load_task_config

    monkeypatch.chdir(home.root)
    home.write("configs/prj_config.yaml", "tasks: {t_1: {seed: 2}}\n")
    config = load_task_config(
        "t_1", "analysis", args={"timeout": 3, "seed": None}, default_config={"seed": 1, "own": 4}
    )
    assert (config.task_type, config.seed, config.timeout, config.own) == ("analysis", 2, 3.0, 4)
    assert not (home.root / "configs/t_1.yaml").exists()
    load_task_config("t_1", "analysis", default_config={"own": 4}, force_recreate_config_file=True)
    assert (home.root / "configs/t_1.yaml").exists()
    (home.root / "configs/t_1.yaml").unlink()
    alone = load_task_config("t_1", "analysis", default_config={"chunk_size": 5})
    assert (alone.chunk_size, alone.seed) == (5, 2)


@needs_installation
def test_a_project_is_made_and_its_file_read_and_written(tmp_path: Path) -> None:
    from pamola_tasks_compat.tasks import (
        create_default_project_structure,
        get_project_paths,
        is_valid_project_root,
        load_project_config,
        save_project_config,
    )

    root = tmp_path / "new"
    paths = create_default_project_structure(root)
    assert is_valid_project_root(root)
    assert paths["raw_dir"].is_dir()
    assert load_project_config(root) == {"data_repository": "DATA"}
    first = load_project_config(root)
    first["data_repository"] = "changed"
    assert load_project_config(root) == {"data_repository": "DATA"}
    save_project_config({"seed": 4, "api_token": "hidden-1"}, root)
    assert load_project_config(root) == {"data_repository": "DATA", "seed": 4}
    assert get_project_paths({"data_repository": "D"}, root)["reports_dir"] == root / "D/reports"
    with pytest.raises(FileNotFoundError):
        load_project_config(root, "absent.yaml")


# ---------------------------------------------------------------- commands


def command(home: Any, *arguments: str) -> Any:
    from pamola_tasks_cli.app import Invocation
    from pamola_tasks_config.commands import command as group

    state = Invocation(str(home.root))
    state.kernel = home.kernel
    return CliRunner().invoke(group, list(arguments), obj=state)


def test_show_tells_values_and_origins_without_secrets(home: Any) -> None:
    home.write("configs/t_1.yaml", "operations: []\nchunk_size: 5\napi_token: hunter2-x\n")
    home.write("configs/prj_config.yaml", "chunk_size: 6\n")
    shown = command(home, "show", "t_1", "--origin").stdout
    assert "chunk_size = 5\n    task file  configs/t_1.yaml:2:13\n    overrides 6  project file  " in shown
    document = json.loads(command(home, "show", "t_1", "--json").stdout)
    assert document["chunk_size"]["overridden"][0]["value"] == 6
    assert document["api_token"]["value"] == "***"
    assert "hunter2" not in shown + json.dumps(document) + command(home, "show", "t_1").stdout


def test_check_lists_the_problems_of_the_project_and_all_its_tasks(home: Any) -> None:
    assert json.loads(command(home, "check", "--json").stdout) == {"valid": True, "problems": [], "warnings": []}
    home.write("configs/prj_config.yaml", "timeout: -1\n")
    home.write("configs/t_1.yaml", "operations: x\n")
    home.write("configs/t_2.json", '{"operations": [}')
    result = command(home, "check", "--json")
    assert result.exit_code == 2
    assert [line.split(" ")[0] for line in json.loads(result.stdout)["problems"]] == [
        "configs/prj_config.yaml:1:10:",
        "configs/t_1.yaml:1:13:",
        "configs/t_2.json:1:17:",
    ]
    assert command(home, "check").exit_code != 0


def test_check_takes_the_path_of_a_task_file(home: Any) -> None:
    path = home.write("other/mine.yaml", "operations: []\nseed: x\n")
    result = command(home, "check", str(path), "--json")
    assert (result.exit_code, json.loads(result.stdout)["valid"]) == (2, False)
    assert "other/mine.yaml:2:7" in result.stdout


def test_save_sets_keys_in_the_tasks_file(home: Any) -> None:
    path = home.write("configs/t_1.yaml", "# mine\noperations: []\n")
    assert command(home, "save", "t_1", "--set", "retry.max_retries=5", "--set", "own=NO").exit_code == 0
    assert path.read_text() == '# mine\noperations: []\ntask_id: t_1\nretry: {max_retries: 5}\nown: "NO"\n'


@pytest.mark.parametrize(
    ("setting", "said"),
    [
        ("seed", "has no value"),
        ("=1", "has no value"),
        ("seed=x", "seed: expected a whole number"),
        ("seed=!!python/object:os.system x", "--set seed: a tag that is not allowed"),
        ("share=.nan", "--set share: not a finite number"),
        ("own={a: 1, a: 2}", "--set own: a: the key is defined twice"),
        ("a..b=1", "names joined by single dots"),
        ("contine_on_error=true", "did you mean 'continue_on_error'"),
        ("task_id=t_2", "cannot be overridden"),
    ],
)
def test_what_cannot_be_set_is_refused_and_the_file_stays(home: Any, setting: str, said: str) -> None:
    path = home.write("configs/t_1.yaml", "operations: []\nseed: 1 # kept\n")
    result = command(home, "save", "t_1", "--set", setting)
    assert said in str(result.exception)
    assert path.read_text() == "operations: []\nseed: 1 # kept\n"


def test_the_schema_describes_every_key(home: Any) -> None:
    home.owns_section("cohort")
    document = json.loads(command(home, "schema", "--json").stdout)
    assert document["properties"]["encryption_mode"]["enum"] == ["none", "simple", "age"]
    assert document["properties"]["parallel_processes"]["minimum"] == 1
    assert document["properties"]["cohort"]["properties"]["seed"]["type"] == ["integer", "string"]
    assert all(found.get("description") for found in document["properties"].values())


GOOD = {
    "task_id": "t_1",
    "operations": [{"ProfileOperation": {"dataset_name": "x"}}, "Other"],
    "seed": None,
    "retry": {"max_retries": 0, "on": ["ConnectionError"]},
    "scope": {"field_groups": {"a": ["b"]}},
    "timeout": 1.5,
    "chunk_size": "${env:ROWS}",
    "use_encryption": True,
    "encryption_mode": "age",
    "input_datasets": {"a": "b.csv"},
    "own": {"x": [1]},
    "cohort": {"seed": 5},
}
WRONG = [
    {"seed": "x"},
    {"seed": 1.5},
    {"chunk_size": 0},
    {"chunk_size": "${env:}"},
    {"timeout": 0},
    {"retry": {"max_retries": -1}},
    {"retry": {"backoff": 0.5}},
    {"retry": {"max_retris": 1}},
    {"retry": 5},
    {"encryption_mode": "rot13"},
    {"log_level": "LOUD"},
    {"scope": {"fields": "a"}},
    {"operations": "x"},
    {"input_datasets": ["a"]},
    {"input_datasets": {"a": 1}},
    {"continue_on_error": "yes"},
    {"dependencies": "t_0"},
    {"cohort": {"seed": "x"}},
    {"cohort": {"sed": 1}},
]


def test_a_validator_of_schemas_agrees_with_the_loader(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    jsonschema = pytest.importorskip("jsonschema")
    monkeypatch.setenv("ROWS", "5")
    home.owns_section("cohort")
    document = json.loads(command(home, "schema", "--json").stdout)
    jsonschema.Draft202012Validator.check_schema(document)
    validator = jsonschema.Draft202012Validator(document)

    def loads(values: dict[str, Any]) -> bool:
        home.write("configs/t_1.json", json.dumps(values))
        try:
            home.config()
        except ConfigurationError:
            return False
        return True

    assert validator.is_valid(GOOD)
    assert loads(GOOD)
    assert [wrong for wrong in WRONG if validator.is_valid(wrong) or loads(wrong)] == []
