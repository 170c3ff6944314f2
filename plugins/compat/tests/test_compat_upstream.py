"""What PAMOLA.CORE's public tests ask of its task framework, asked of ours; signatures compared with the real package.

The package has libraries that cannot be installed beside ours, so it answers in a Python of its own:
`PAMOLA_CORE_PYTHON`, which nox makes.
"""

from __future__ import annotations

import inspect
import json
import os
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.errors import ConfigurationError
from pamola_tasks_compat import tasks

PYTHON = os.environ.get("PAMOLA_CORE_PYTHON", "")
#: By module of upstream, its public names whose signatures are compared.
NAMES = {
    "path_security": "validate_path_security is_within_allowed_paths validate_paths is_potentially_dangerous_path"
    " normalize_and_validate_path get_system_specific_dangerous_paths",
    "task_utils": "create_task_directories prepare_data_source_from_paths format_execution_time get_artifact_path"
    " find_previous_output find_task_report get_temp_dir clean_temp_dir format_error_for_report ensure_secure_directory"
    " extract_previous_output_info",
    "project_config_loader": "find_project_root substitute_variables substitute_item load_project_config"
    " apply_default_values clear_config_cache get_project_paths save_project_config is_valid_project_root"
    " create_default_project_structure get_recursive_variables",
    "task_registry": "register_task_class get_task_class list_registered_tasks create_task_instance"
    " discover_task_classes register_discovered_tasks get_task_metadata check_task_dependencies",
    "task_config": "TaskConfig load_task_config",
    "progress_manager": "NoOpProgressTracker ProgressTracker TaskProgressManager ProgressContext"
    " create_task_progress_manager",
    "encryption_manager": "EncryptionContext MemoryProtectedKey",
    "context_manager": "create_task_context_manager",
    "directory_manager": "create_directory_manager",
    "operation_executor": "create_operation_executor",
    "task_reporting": "TaskReporter ArtifactGroup",
    "execution_log": "record_task_execution get_task_execution_history find_latest_execution find_task_by_output"
    " track_input_files track_output_files update_execution_record remove_execution_record cleanup_old_executions"
    " validate_execution_log export_execution_log import_execution_log initialize_execution_log",
}
#: Parameters that docs/reference/from-pamola.md names as gone.
GONE = {
    "TaskConfig": {"progress_manager"},
    "load_task_config": {"progress_manager"},
    "create_task_context_manager": {"log_directory", "max_state_size"},
    "TaskReporter": {"progress_manager"},
    "get_task_execution_history": {"progress_manager"},
    "find_latest_execution": {"progress_manager"},
    "find_task_by_output": {"progress_manager"},
}
#: Its packages import all operations, and the half of their libraries: the modules are imported without them.
PROBE = """
import importlib, importlib.util, inspect, json, sys, types
(place,) = importlib.util.find_spec("pamola_core").submodule_search_locations
for package in ("pamola_core", "pamola_core.utils", "pamola_core.utils.tasks"):
    sys.modules[package] = types.ModuleType(package)
    sys.modules[package].__path__ = ["/".join([place, *package.split(".")[1:]])]
found = {}
for module, names in json.loads(sys.argv[1]).items():
    module = importlib.import_module("pamola_core.utils.tasks." + module)
    for name in names.split():
        signature = inspect.signature(getattr(module, name))
        found[name] = [each.name for each in signature.parameters.values() if each.kind != each.VAR_KEYWORD]
from pamola_core.utils.tasks.project_config_loader import apply_default_values
from pamola_core.utils.tasks.progress_manager import NoOpProgressTracker
tracker = NoOpProgressTracker(10, "rows", parent=NoOpProgressTracker(1, "all"))
tracker.update(2), tracker.update(3), tracker.close()
print(json.dumps({
    "signatures": found,
    "defaults": apply_default_values({"task_dir_suffixes": None, "logging": {}}),
    "metrics": sorted(tracker.metrics),
    "current": [tracker.metrics["current"], tracker.parent.metrics["current"]],
}))
"""


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "configs").mkdir()
    (tmp_path / ".pamola.toml").touch()
    for name in [name for name in os.environ if name.startswith("PAMOLA_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def ours(name: str) -> Callable[..., Any]:
    """What a name means here; a method of the history, where the module gives a function that passes all on to it."""
    return getattr(tasks._history() if name in tasks._OF_HISTORY else tasks, name)


def differences(upstream: dict[str, list[str]]) -> Iterator[str]:
    """Parameters that upstream has and we do not, and places where a positional argument would mean another thing."""
    for name, parameters in upstream.items():
        here = list(inspect.signature(ours(name)).parameters.values())
        keywords = {each.name for each in here if each.kind is not each.POSITIONAL_ONLY}
        missing = {*parameters} - keywords - GONE.get(name, set())
        if missing:
            yield f"{name}: no {', '.join(sorted(missing))}"
        positional = [each.name for each in here if each.kind is each.POSITIONAL_OR_KEYWORD]
        for there, mine in zip(parameters, positional, strict=False):
            if there != mine:
                yield f"{name}: {mine} where {there} is expected"
                break


@pytest.mark.skipif(not PYTHON, reason="PAMOLA_CORE_PYTHON is not set: nox makes that venv")
def test_both_are_called_alike_and_answer_alike(project: Path) -> None:
    done = subprocess.run(
        [PYTHON, "-c", PROBE, json.dumps(NAMES)], capture_output=True, text=True, check=True, env={"HOME": "/tmp"}
    )
    told = json.loads(done.stdout.splitlines()[-1])
    assert len(told["signatures"]) > 50
    assert list(differences(told["signatures"])) == []
    mine = tasks.apply_default_values({"task_dir_suffixes": None, "logging": {}})
    theirs = {name: sorted(value) for name, value in told["defaults"].items() if isinstance(value, dict)}
    assert theirs.pop("encryption")
    assert {name: sorted(value) for name, value in mine.items() if isinstance(value, dict) and value} == theirs
    assert mine["task_dir_suffixes"] == told["defaults"]["task_dir_suffixes"]
    tracker = tasks.NoOpProgressTracker(10, "rows", parent=tasks.NoOpProgressTracker(1, "all"))
    tracker.update(2)
    tracker.update(3)
    tracker.close()
    assert sorted(tracker.metrics) == told["metrics"]
    assert [tracker.metrics["current"], 1] == told["current"]


def test_an_encryption_mode_is_its_text() -> None:
    mode = tasks.EncryptionMode.SIMPLE
    assert mode == "simple"
    assert (f"{mode}", str(mode), json.dumps(mode)) == ("simple", "simple", '"simple"')
    assert {"simple": 1}[mode] == 1
    assert tasks.EncryptionMode("age") is tasks.EncryptionMode.AGE


def test_what_is_done_is_in_the_metrics_of_a_tracker_that_draws_nothing() -> None:
    whole = tasks.NoOpProgressTracker(2, "all")
    with tasks.NoOpProgressTracker(10, "rows", "rows", 0, True, whole, None) as tracker:
        assert tracker.metrics["current"] == 0
        tracker.update(2)
        tracker.update(3)
        assert tracker.metrics["current"] == 5
    tracker.close()
    assert tracker.metrics["current"] == 5
    assert tracker.metrics["failed"] is False
    assert whole.metrics["current"] == 1
    with pytest.raises(TypeError):
        tasks.NoOpProgressTracker(1, "rows", colour="red")


def test_a_configuration_is_made_from_the_whole_mapping_of_a_project(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "configs/prj_config.yaml").write_text("data_repository: FILED\nseed: 4\nchunk_size: 7\n")
    (project / "configs/t_1.yaml").write_text("task_id: t_1\nnpartitions: 9\n")
    whole = {
        "data_repository": Path("MAPPED"),
        "log_level": "DEBUG",
        "task_defaults": {"continue_on_error": True, "parallel_processes": 3},
        "performance": {"chunk_size": 50},
        "encryption": {"mode": "age", "use_encryption": True},
        "tasks": {
            "t_1": {
                "parallel_processes": 2,
                "npartitions": 5,
                "scope": {"fields": ["age"], "datasets": ("people",), "field_groups": {"who": ["age"]}},
                "own": "text",
            },
            "t_2": {"seed": 5},
        },
    }
    config = tasks.TaskConfig(whole, "t_1", "analysis", env_override=True)
    assert isinstance(config, tasks.TaskConfig)
    assert isinstance(tasks.load_task_config("t_1", "analysis"), tasks.TaskConfig)
    assert (config.task_id, config.task_type, config.own) == ("t_1", "analysis", "text")
    assert (config.data_repository, config.log_level, config.chunk_size) == ("MAPPED", "DEBUG", 50)
    assert (config.continue_on_error, config.parallel_processes, config.seed) == (True, 2, 4)
    assert config.npartitions == 9, "the task's file has the last word"
    assert config.encryption_mode == tasks.EncryptionMode.AGE
    assert config.get_task_dir() == project / "MAPPED/processed/t_1"
    assert (config.scope["fields"], config.scope.get("datasets"), config.scope.fields) == (["age"], ["people"], ["age"])
    assert (config.get_scope_fields(), config.get_scope_datasets()) == (["age"], ["people"])
    assert config.get_scope_field_groups() == {"who": ["age"]}
    assert config.to_dict()["scope"]["fields"] == ["age"]
    config.override_with_args(None)
    config.override_with_args({"log_level": "ERROR"})
    assert (config.log_level, config.use_encryption, config.data_repository) == ("ERROR", True, "MAPPED")
    valid, problems = config.validate()
    assert (valid, len(problems)) == (False, 1)
    assert "there is no key" in problems[0]
    for wrong, says in (
        ({"tasks": {"t_1": {"contine_on_error": True}}}, "tasks.t_1.contine_on_error"),
        ({"chunk_size": 0}, "chunk_size"),
        ({"tasks": []}, "expected a mapping"),
        ({"own": {1, object()}}, "cannot say this"),
        ({"own": float("nan")}, "cannot say this"),
    ):
        with pytest.raises(ConfigurationError, match=says):
            tasks.TaskConfig(wrong, "t_1", "analysis")
    monkeypatch.setenv("PAMOLA_CHUNK_SIZE", "3")
    monkeypatch.setenv("NAMED", "value")
    named = {"own": "${env:NAMED}", "env_override": True}
    assert tasks.TaskConfig(named, "t_1", "analysis").chunk_size == 3
    monkeypatch.setenv("PAMOLA_CHUNK_SIZE", "three")
    without = tasks.TaskConfig(named, "t_1", "analysis", env_override=False)
    without.override_with_args({"log_level": "ERROR"})
    assert (without.chunk_size, without.own, without.log_level) == (7, "value", "ERROR")
    with pytest.raises(ConfigurationError, match="PAMOLA_CHUNK_SIZE"):
        tasks.TaskConfig(named, "t_1", "analysis")


def test_the_paths_of_a_project_that_is_named(project: Path) -> None:
    paths = tasks.get_project_paths({"data_repository": "D"}, project_root=project)
    assert paths["raw_dir"] == project / "D/raw"
    assert tasks.get_project_paths({"data_repository": str(project / "D")}, project_root=project) == paths
    made = tasks.create_default_project_structure(root_path=project / "new", data_path=Path("D"))
    assert made["reports_dir"] == project / "new/D/reports"
    assert tasks.save_project_config(config_data={"seed": 1}, project_root=project, format="json").is_file()


def test_what_a_project_file_leaves_out_or_empty_gets_its_fallback() -> None:
    said = {"task_dir_suffixes": None, "directory_structure": None, "logging": {"level": None}, "seed": 3}
    filled = tasks.apply_default_values(said)
    assert said == {"task_dir_suffixes": None, "directory_structure": None, "logging": {"level": None}, "seed": 3}
    assert filled["task_dir_suffixes"] == ["input", "output", "temp", "logs", "dictionaries"]
    assert filled["directory_structure"]["raw"] == "raw"
    assert (filled["logging"], filled["seed"], filled["data_repository"]) == ({"level": "INFO"}, 3, "DATA")
    assert filled["task_defaults"] == {"continue_on_error": False, "parallel_processes": 1, "use_vectorization": False}
    filled["task_dir_suffixes"].clear()
    assert tasks.apply_default_values({})["task_dir_suffixes"], "one list is not all lists"
    said_elsewhere = tasks.apply_default_values(
        {"encryption": {"mode": "age"}, "chunk_size": 5, "performance": {"parallel_processes": 8}}
    )
    assert said_elsewhere["encryption"] == {"mode": "age"}, "a switch that is off would turn encryption off"
    assert "chunk_size" not in said_elsewhere["performance"]
    assert "parallel_processes" not in said_elsewhere["task_defaults"]
    with pytest.raises(ConfigurationError, match="performance: expected a mapping"):
        tasks.apply_default_values({"performance": 5})


def test_defaults_do_not_change_what_a_run_does(project: Path) -> None:
    said = {"task_defaults": {"continue_on_error": True}, "chunk_size": 5, "performance": {"parallel_processes": 8}}
    one, two = (tasks.TaskConfig(each, "t_1", "analysis") for each in (said, tasks.apply_default_values(said)))
    folders = {"directory_structure", "task_dir_suffixes"}
    assert one.to_dict() == {name: value for name, value in two.to_dict().items() if name not in folders}
