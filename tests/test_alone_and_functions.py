"""Operations without a task, and the module functions: both make a kernel of what is installed."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kernel_kit import Add, Count, Fail, Nothing, Steps, kernel_of

from pamola_tasks import Artifact, BaseTask, Kernel, Operation, OperationResult, OperationStatus, hookimpl
from pamola_tasks.errors import DirectoryManagerError, PamolaTaskError, PathSecurityError
from pamola_tasks_compat import tasks

PLUGIN = """
from pamola_tasks import hookimpl
from pamola_tasks.testing import MemoryConfigPlugin, SequentialExecutorPlugin
from pamola_tasks.testing.runs import MemoryHistory
from kernel_kit import Folders, JsonData, OsGuard
from pamola_tasks.protocols import Project

CONFIG = MemoryConfigPlugin({})

@hookimpl
def pamola_provide_project(start):
    return Project(start.resolve(), marker="test")

@hookimpl
def pamola_provide_path_guard(project):
    return OsGuard(project.root)

@hookimpl
def pamola_add_config_layers(project, task, overrides):
    return CONFIG.pamola_add_config_layers(project, task, overrides)

@hookimpl
def pamola_provide_config(project, task, layers, settings):
    return CONFIG.pamola_provide_config(project, task, layers, settings)

@hookimpl
def pamola_provide_directories(run):
    return Folders(run)

@hookimpl
def pamola_provide_data_source(run):
    return JsonData(run)

@hookimpl
def pamola_provide_data_writer(run):
    return run.data_source if hasattr(run.data_source, "write_dataset") else JsonData(run)

class History(MemoryHistory):
    def initialize_execution_log(self):
        return "a path"

    def record_task_execution(self, task_id, *, success):
        self.records.append({"task_id": task_id, "success": success})
        return len(self.records)

RECORDS = []

@hookimpl
def pamola_provide_history(run):
    return History(RECORDS)

@hookimpl
def pamola_provide_executor(run):
    return SequentialExecutorPlugin().pamola_provide_executor(run)
"""


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A distribution whose plugin answers with services of real files, installed; the current folder is a project."""
    folder = tmp_path / "site"
    info = folder / "kernel_kit_services-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: kernel-kit-services\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[pamola_tasks]\nkernel-kit = kernel_kit_plugin\n")
    (folder / "kernel_kit_plugin.py").write_text(PLUGIN)
    project = tmp_path / "project"
    project.mkdir()
    (project / ".pamola.toml").write_text('[plugins]\nprefer.history = "kernel-kit"\n')
    monkeypatch.syspath_prepend(folder)
    monkeypatch.chdir(project)
    yield project
    sys.modules.pop("kernel_kit_plugin", None)


# ---------------------------------------------------------------- Operation.run


class Reporter:
    """Notes what it is told."""

    def __init__(self) -> None:
        self.told: list[tuple[str, str]] = []

    def add_operation(self, name: str, status: str = "success", details: Any = None) -> None:
        """Note."""
        self.told.append((name, status))


class Progress:
    """Adds up."""

    def __init__(self) -> None:
        self.steps: list[float] = []

    def update(self, steps: float) -> None:
        """Add."""
        self.steps.append(steps)


def test_an_operation_runs_alone_on_data_in_memory_and_leaves_its_outputs_in_a_folder(site: Path) -> None:
    reporter = Reporter()
    operation = Add(input_dataset="numbers", number=5)
    result = operation.run(data_source={"numbers": [1, 2]}, task_dir=site / "alone", reporter=reporter, number=7)
    assert result.status is OperationStatus.SUCCESS, result.error_message
    assert json.loads((site / "alone" / "output" / "numbers_more.json").read_text()) == [8, 9]
    assert operation.number == 5, "the parameter was for this call only"
    assert reporter.told == [("Add", "running"), ("Add completed", "success")]
    assert (result.execution_time or 0) > 0
    assert sorted(path.name for path in (site / "alone").rglob("*") if path.is_file()) == ["numbers_more.json"]


def test_artifacts_of_an_operation_that_runs_alone_can_be_opened_from_anywhere(
    site: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    result = Count(input_dataset="n").run(data_source={"n": [1]}, task_dir="alone")
    monkeypatch.chdir("/")
    [artifact] = result.artifacts
    assert artifact.exists()
    assert result.metrics == {"count": 1}


def test_a_failure_of_an_operation_that_runs_alone_is_a_result(site: Path) -> None:
    reporter = Reporter()
    result = Fail(output_dataset="x").run(data_source={}, task_dir=site / "alone", reporter=reporter)
    assert result.status is OperationStatus.ERROR
    assert result.error_message == "it broke"
    assert isinstance(result.exception, ValueError)
    assert "Traceback" in (result.error_trace or "")
    assert reporter.told[-1] == ("Fail failed", "error")
    assert not [path for path in (site / "alone").rglob("*") if path.is_file()]


@pytest.mark.parametrize(
    ("params", "words"),
    [({"numbr": 3}, "Add has no parameter 'numbr'"), ({"number": "3"}, "number: expected a whole number, got text")],
)
def test_a_wrong_parameter_of_the_call_is_a_result_too(site: Path, params: dict[str, Any], words: str) -> None:
    result = Add(input_dataset="n").run(data_source={"n": []}, task_dir=site / "alone", **params)
    assert result.failed
    assert words in (result.error_message or "")


def test_what_belongs_to_a_task_is_no_parameter_of_the_call(site: Path) -> None:
    result = Nothing().run(data_source={}, task_dir=site / "alone", use_dask=True, chunk_size=5, save_output=False)
    assert result.status is OperationStatus.SUCCESS


def test_progress_of_an_operation_that_runs_alone_is_told_in_steps(site: Path) -> None:
    import time

    class Busy(Operation):
        def execute(self, ctx: Any) -> OperationResult:
            for done in (1, 4, 10):
                ctx.progress(done, 10)
                time.sleep(0.11)
            ctx.warn("look")
            return OperationResult.success({"config": ctx.config.output_format, "schema": ctx.data.names()})

    progress = Progress()
    result = Busy().run(data_source={}, task_dir=site / "alone", progress_tracker=progress)
    assert progress.steps == [1, 3, 6]
    assert result.warnings == ["look"]
    assert Busy().run(data_source={}, task_dir=site / "alone").status is OperationStatus.SUCCESS


@pytest.mark.parametrize("end", [None, SystemExit(2)])
def test_an_operation_that_ends_in_no_result_has_failed_alone_too(site: Path, end: Any) -> None:
    class Odd(Operation):
        def execute(self, ctx: Any) -> Any:
            if end is not None:
                raise end
            return None

    result = Odd().run(data_source={}, task_dir=site / "alone")
    assert result.failed
    assert ("sys.exit(2)" if end else "instead of an OperationResult") in (result.error_message or "")


def test_a_data_source_of_a_run_brings_its_plugins_with_it(site: Path) -> None:
    (site / "numbers.json").write_text("[1, 2, 3]")
    run = Kernel(site).services(BaseTask("t"), upto="data_source")
    run.data_source.add_file_path("numbers", "numbers.json")
    result = Count(input_dataset="numbers").run(data_source=run.data_source, task_dir=site / "alone")
    assert result.metrics == {"count": 3}, result.error_message


def test_data_in_pieces_and_its_schema_are_for_declared_datasets(site: Path) -> None:
    from pamola_tasks import reads

    class Pieces(Operation):
        input_dataset: str = reads()

        def execute(self, ctx: Any) -> OperationResult:
            return OperationResult.success(
                {
                    "pieces": [len(piece) for piece in ctx.data.chunks("n", 2)],
                    "whole": [len(piece) for piece in ctx.data.chunks("n")],
                    "schema": ctx.data.schema("n"),
                }
            )

    result = Pieces(input_dataset="n").run(data_source={"n": [1, 2, 3]}, task_dir=site / "alone")
    assert result.metrics == {"pieces": [2, 1], "whole": [3], "schema": {"value": "int64"}}


# ---------------------------------------------------------------- results and artifacts


def test_artifacts_of_a_result_say_whether_their_files_exist(tmp_path: Path) -> None:
    result = OperationResult.success()
    (tmp_path / "a.json").write_text("{}")
    (tmp_path / "empty.json").touch()
    one = Artifact("json", str(tmp_path / "a.json"), "one", "metrics", ["x"], "g")
    empty, absent = (Artifact("json", str(tmp_path / name)) for name in ("empty.json", "absent.png"))
    result.artifacts += [one, empty, absent]
    assert [artifact.exists() for artifact in result.artifacts] == [True, True, False]
    assert one.to_dict()["tags"] == ["x"]


def test_results_tell_what_the_operation_says_of_itself() -> None:
    from pamola_tasks_executor.single_operation import reporter_details

    result = OperationResult.warning("look", {"a": 1})
    result.metrics |= {"b": 2, "c": {"d": 3}}
    result.execution_time = 0.5
    result.artifacts.append(Artifact("json", "a.json"))
    details = reporter_details(result)
    assert details["metrics"] == {"a": 1, "b": 2, "c": {"d": 3}}
    assert (details["status"], details["execution_time"], details["error_message"]) == ("warning", 0.5, "look")
    assert details["artifacts"][0]["path"] == "a.json"
    assert OperationResult.failure(KeyError()).error_message == "KeyError"
    assert OperationResult.failure("x", "trace").error_trace == "trace"


# ---------------------------------------------------------------- module functions


def test_functions_of_the_history_ask_the_projects_history(site: Path) -> None:
    assert tasks.initialize_execution_log(site) == "a path"
    assert tasks.record_task_execution("t_0", success=True, progress_manager=None) == 1
    assert tasks.record_task_execution.__name__ == "record_task_execution"
    assert tasks.find_latest_execution("t_0") == {"task_id": "t_0", "success": True}
    assert tasks.check_task_dependencies("t_1", "x", ["t_0"]) is True
    assert tasks.check_task_dependencies("t_1", "x", ["t_0", "t_9"]) is False


def test_names_that_a_plugin_owns_come_from_there_and_unknown_ones_are_unknown() -> None:
    try:
        import pamola_tasks_config
    except ImportError:
        with pytest.raises(PamolaTaskError, match="belongs to the plugin for 'config', which is not installed"):
            _ = tasks.TaskConfig
    else:
        assert issubclass(tasks.TaskConfig, pamola_tasks_config.TaskConfig)  # which it reads another mapping into
    with pytest.raises(AttributeError, match="no_such_function"):
        _ = tasks.no_such_function
    assert {"TaskConfig", "record_task_execution", "BaseTask"} <= set(dir(tasks))


class Known(BaseTask):
    """A task without arguments."""

    dependencies = ("t_0",)

    def __init__(self) -> None:
        super().__init__("t_known", "test", "Known by name.")


def test_task_classes_are_registered_with_a_kernel_and_found_again() -> None:
    kernel = kernel_of()
    assert tasks.register_task_class("t_known", Known, kernel) is True
    assert tasks.get_task_class("t_known", kernel) is Known
    assert isinstance(tasks.create_task_instance("t_known", kernel), Known)
    assert tasks.list_registered_tasks(kernel)["t_known"]["task_id"] == "t_known"
    found = tasks.get_task_metadata(Known)
    assert found == {
        "task_id": "t_known",
        "task_type": "test",
        "description": "Known by name.",
        "version": "1.0.0",
        "class_name": "Known",
        "module": Known.__module__,
        "dependencies": ["t_0"],
        "author": "",
    }


@pytest.mark.parametrize(
    ("seconds", "words"),
    [
        (0.012, "12.00 milliseconds"),
        (5, "5.00 seconds"),
        (59.99, "59.99 seconds"),
        (59.996, "1 minutes, 0 seconds"),
        (119.6, "2 minutes, 0 seconds"),
        (3599.7, "1 hours, 0 minutes"),
        (11100, "3 hours, 5 minutes"),
        (7199, "2 hours, 0 minutes"),
    ],
)
def test_durations_carry_over(seconds: float, words: str) -> None:
    assert tasks.format_execution_time(seconds) == words


@pytest.mark.parametrize(
    ("name", "task_id"),
    [("HTTPFetchTask", "http_fetch"), ("Task", "task"), ("CleanCSV2Task", "clean_csv_2"), ("my_task", "my_task")],
)
def test_task_ids_follow_from_names_of_classes(name: str, task_id: str) -> None:
    assert tasks.task_id_of(name) == task_id


def test_artifact_paths_are_checked_before_any_directory_is_made(tmp_path: Path) -> None:
    path = tasks.get_artifact_path(tmp_path, "facts")
    assert path.parent == tmp_path / "output"
    assert path.name.startswith("facts_2")
    assert tasks.get_artifact_path(tmp_path, "facts", "csv", "temp", False) == tmp_path / "temp" / "facts.csv"
    for bad in [("../x", "json", "output"), ("x", "js/on", "output"), ("x", "json", "../../evil")]:
        with pytest.raises(PathSecurityError):
            tasks.get_artifact_path(tmp_path, *bad)
    assert not (tmp_path.parent / "evil").exists()


def test_directories_of_a_task_are_made_and_its_temporary_one_emptied_following_no_link(tmp_path: Path) -> None:
    made = tasks.create_task_directories(tmp_path / "t")
    assert set(made) == {"task", "input", "output", "dictionaries", "temp", "logs"}
    assert all(path.is_dir() for path in made.values())
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").touch()
    temp = tasks.get_temp_dir(tmp_path / "t")
    (temp / "link").symlink_to(outside)
    (temp / "broken").symlink_to(tmp_path / "nowhere")
    (temp / "folder").mkdir()
    (temp / "folder" / "file").touch()
    assert tasks.clean_temp_dir(tmp_path / "t") is True
    assert temp.is_dir()
    assert (outside / "kept").exists()


def test_outputs_and_reports_of_a_task_are_found(site: Path) -> None:
    output = site / "DATA" / "processed" / "t_0" / "output"
    output.mkdir(parents=True)
    for age, name in enumerate(["new.csv", "old.csv", "x.json"]):
        (output / name).touch()
        os.utime(output / name, (1_000_000 - age, 1_000_000 - age))
    assert [path.name for path in tasks.find_previous_output("t_0")] == ["new.csv", "old.csv", "x.json"]
    assert [path.name for path in tasks.find_previous_output("t_0", file_pattern="*.csv")] == ["new.csv", "old.csv"]
    assert tasks.find_previous_output("t_0", data_repository=site / "DATA", file_pattern="*.json")[0].name == "x.json"
    assert tasks.find_previous_output("t_9") == []
    assert tasks.find_task_report("t_0") is None
    assert tasks.extract_previous_output_info("t_0") is None
    reports = site / "DATA" / "reports"
    reports.mkdir()
    report = {
        "run": {"seconds": 1.5, "status": "success"},
        "artifacts": [{"type": "json", "path": "DATA/a.json", "description": "A"}],
    }
    (reports / "t_0_report.json").write_text(json.dumps(report))
    found = tasks.extract_previous_output_info("t_0")
    assert found is not None
    assert (found["status"], found["execution_time"]) == ("success", 1.5)
    assert found["artifacts"] == {"json": [{"path": "DATA/a.json", "description": "A", "filename": "a.json"}]}
    for bad in ("../t", "a/b"):
        with pytest.raises(PathSecurityError):
            tasks.find_task_report(bad)
    for pattern in ("../*", "/etc/*"):
        with pytest.raises(DirectoryManagerError):
            tasks.find_previous_output("t_0", file_pattern=pattern)


def test_a_data_source_is_made_from_paths(site: Path) -> None:
    (site / "numbers.json").write_text("[1]")
    source = tasks.prepare_data_source_from_paths({"numbers": "numbers.json"})
    assert source.frame("numbers") == [1]


@pytest.mark.skipif(os.name != "posix", reason="modes are of POSIX systems")
def test_a_secure_directory_is_private_from_the_first_instant(tmp_path: Path) -> None:
    directory = tasks.ensure_secure_directory(tmp_path / "a" / "keys")
    assert directory.stat().st_mode & 0o777 == 0o700
    directory.chmod(0o755)
    assert tasks.ensure_secure_directory(directory).stat().st_mode & 0o777 == 0o700
    (tmp_path / "link").symlink_to(directory)
    (tmp_path / "file").touch()
    for bad in ("link", "file"):
        with pytest.raises(DirectoryManagerError):
            tasks.ensure_secure_directory(tmp_path / bad)


def test_errors_are_written_down_with_type_message_traceback_and_time() -> None:
    try:
        raise KeyError("k")
    except KeyError as error:
        found = tasks.format_error_for_report(error)
    assert (found["type"], found["message"]) == ("KeyError", "'k'")
    assert "Traceback" in found["traceback"]
    assert found["timestamp"].endswith("Z")


def test_a_task_context_has_random_numbers_and_seeds_of_steps() -> None:
    pytest.importorskip("numpy")
    one, two = tasks.TaskContext(42, "a"), tasks.TaskContext(42)
    assert one.rng.random() == two.rng.random()
    assert one.get_operation_seed("A") == tasks.get_operation_seed(42, "A") == 156262425
    assert tasks.get_operation_seed(None, "A") is None
    assert (one.task_dir, two.task_dir) == (Path("a"), None)


# ---------------------------------------------------------------- tasks that run alone


class Alone(BaseTask):
    """A task for a script."""

    def configure_operations(self) -> None:
        """One step."""
        self.add_operation(Add, input_dataset="numbers")


def test_a_task_runs_alone_with_what_is_installed(site: Path) -> None:
    (site / "numbers.json").write_text("[1]")
    task = Alone("t_alone", "test", "Alone.", {"numbers": "numbers.json"})
    assert task.run() is True, task.error_info
    assert task.project_root == site.resolve()
    assert (site / "DATA" / "processed" / "t_alone" / "output" / "numbers_more.json").exists()
    for attribute in (
        *("config", "logger", "reporter", "directory_manager", "context_manager", "encryption_manager"),
        *("dependency_manager", "operation_executor", "progress_manager", "data_source", "data_writer"),
    ):
        assert getattr(task, attribute) is not None, attribute
    assert task.run({"seed": 3}) is True
    assert task.config.seed == 3


def test_a_task_with_a_folder_of_its_own_uses_it_as_data_repository(site: Path) -> None:
    inside = Alone("t_in", task_dir=site / "mine")
    (site / "mine").mkdir()
    assert inside.overriding() == {"data_repository": str(site / "mine")}
    outside = Steps(Nothing, task_id="t_out", task_dir=site.parent / "elsewhere")
    assert outside.run() is True, outside.error_info
    assert outside.project_root == (site.parent / "elsewhere").resolve()


class Hooked:
    """A plugin that is used by no test but this."""

    @hookimpl
    def pamola_add_operations(self) -> dict[str, Any]:
        """None."""
        return {}
