"""What stands in a report, and what becomes of it on the disk."""

from __future__ import annotations

import datetime
import enum
import hashlib
import json
import math
import tracemalloc
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks.errors import PathSecurityError, ReportingError
from pamola_tasks.protocols import ReportSection
from pamola_tasks.record import Artifact, StepRecord
from pamola_tasks.storage.files import Files
from pamola_tasks_directories.places import ProjectPlaces
from pamola_tasks_paths.guard import ProjectGuard
from pamola_tasks_reports import TaskReporter
from pamola_tasks_reports.formatting import plain
from pamola_tasks_reports.plugin import pamola_add_report_writers
from pamola_tasks_reports.reporter import WRITERS

KEYS = (
    "schema task run status success verdict error environment plugins configuration inputs outputs operations artifacts"
    " artifact_groups metrics warnings errors observer_failures plan_changes overrides encryption sections"
)


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_a_report_has_identity_times_status_steps_artifacts_metrics_and_system(tmp_path: Path, make_run: Any) -> None:
    reporter = TaskReporter.of_run(make_run(tmp_path))
    reporter.add_metric("k", 5)
    report = read(reporter.save_report())
    assert list(report) == KEYS.split()
    assert report["schema"] == 1
    assert report["task"] == {"id": "t_1", "type": "analysis", "description": "Anonymize patients", "version": "1.2"}
    run = report["run"]
    assert run["id"].startswith("01990000")
    assert (run["status"], report["status"], report["success"], report["error"]) == ("success", "completed", True, None)
    assert (run["started"], run["finished"]) == ("2026-03-01T09:30:00.000Z", "2026-03-01T09:30:12.500Z")
    assert run["seconds"] == 12.5
    assert run["peak_memory_bytes"] > 1_000_000
    assert {"host", "user", "resumed_from"} <= set(run)
    assert set(report["environment"]) == {"python", "platform", "cpu_count", "packages"}
    assert report["environment"]["packages"]["pluggy"]
    first, second = report["operations"]
    assert (first["step"], first["name"], first["status"], first["seconds"]) == (
        "profile",
        "ProfileOperation",
        "success",
        2.5,
    )
    assert first["metrics"]["rows"] == 30162
    assert first["artifacts"] == ["DATA/processed/t_1/output/profile.json"]
    assert second["attempts"] == 2
    assert report["inputs"][0]["sha256"] == "a" * 64
    assert report["outputs"][0]["rows"] == 30000
    assert report["metrics"]["k"] == 5
    assert report["plugins"][0]["services"] == ["reporter"]


def test_the_newest_report_lies_in_three_formats_and_each_run_keeps_its_own(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path)
    path = TaskReporter.of_run(run).save_report()
    reports = tmp_path / "DATA/reports"
    assert path == reports / "t_1_report.json"
    first = reports / "t_1" / f"{run.id}.json"
    assert first.read_bytes() == path.read_bytes()
    again = make_run(tmp_path, success=False)
    again.record.run_id = "01990000-0000-7000-8000-000000000002"
    TaskReporter.of_run(again).save_report()
    assert read(first)["success"] is True
    assert read(reports / "t_1" / f"{again.record.run_id}.json")["success"] is False
    assert "failed" in (reports / "t_1_report.md").read_text()
    assert sorted(p.name for p in reports.iterdir()) == ["t_1", *(f"t_1_report.{x}" for x in ("html", "json", "md"))]


def test_a_failed_run_shows_the_real_error_everywhere(tmp_path: Path, make_run: Any) -> None:
    report = read(TaskReporter.of_run(make_run(tmp_path, success=False)).save_report())
    assert (report["status"], report["success"], report["run"]["status"]) == ("failed", False, "operation_error")
    assert report["error"]["message"] == "k is larger than the table"
    assert [step["status"] for step in report["operations"]] == ["success", "error"]
    assert report["operations"][1]["error"]["message"] == "k is larger than the table"
    assert [error["message"] for error in report["errors"]] == ["k is larger than the table"]
    assert report["observer_failures"][0]["plugin"] == "watch (pamola-watch 0.3)"
    for extension in ("md", "html"):
        text = (tmp_path / f"DATA/reports/t_1_report.{extension}").read_text()
        for wanted in (
            "k is larger than the table",
            "pamola-watch 0.3",
            "pamola-sampler 1.0",
            "left out on purpose",
            "looks like a direct identifier",
        ):
            assert wanted in text, (extension, wanted)
    manifest = read(tmp_path / "DATA/processed/t_1/manifest.json")
    assert manifest["verdict"] == "not met"
    assert manifest["error_info"]["message"] == "k is larger than the table"


def test_an_interrupted_run_is_reported_as_interrupted(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path)
    run.record.status, run.record.success = "interrupted", False
    report = read(TaskReporter.of_run(run).save_report())
    assert (report["status"], report["run"]["status"], report["success"]) == ("interrupted", "interrupted", False)


@pytest.mark.parametrize(
    ("upto", "message"),
    [("files", "configs/t_1.yaml:3:1: k must be a number"), ("config", "no room for directories")],
)
def test_a_run_that_failed_early_is_reported_with_its_own_error(
    tmp_path: Path, make_run: Any, upto: str, message: str
) -> None:
    reporter = TaskReporter.of_run(make_run(tmp_path, upto=upto))
    reporter.add_task_summary(False)
    report = read(reporter.save_report())
    assert report["error"]["message"] == message
    assert report["status"] == "failed"
    assert (tmp_path / "DATA/processed/t_1/manifest.json").exists()


@pytest.mark.parametrize(
    ("details", "message"),
    [
        ({"error": "disk full"}, "disk full"),
        ({"error_message": "disk full"}, "disk full"),
        ({"message": "disk full"}, "disk full"),
        (None, "Load failed"),
    ],
)
def test_an_error_told_to_the_reporter_keeps_its_message(
    tmp_path: Path, make_run: Any, details: Any, message: str
) -> None:
    reporter = TaskReporter.of_run(make_run(tmp_path))
    reporter.add_operation("Load", status="error", details=details)
    report = reporter.generate_report()
    assert report["errors"][-1]["message"] == message
    assert report["operations"][-1]["status"] == "error"
    assert report["operations"][-1]["error"]["message"] == message


def test_two_steps_of_one_operation_both_stand_in_the_report(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path)
    for number in (1, 2):
        step = StepRecord(step=f"noise-{number}", operation="NoiseOperation", status="success", metrics={"n": number})
        run.record.steps.append(step)
    report = TaskReporter.of_run(run).generate_report()
    noise = [entry for entry in report["operations"] if entry["name"] == "NoiseOperation"]
    assert [entry["metrics"] for entry in noise] == [{"n": 1}, {"n": 2}]


def test_an_artifact_is_listed_once_though_step_record_and_task_all_name_it(tmp_path: Path, make_run: Any) -> None:
    reporter = TaskReporter.of_run(make_run(tmp_path))
    absolute = tmp_path / "DATA/processed/t_1/output/profile.json"
    reporter.add_artifact("json", absolute, "The profile", tags=["after"], metadata={"rows": 3})
    (entry,) = reporter.generate_report()["artifacts"]
    assert entry["path"] == "DATA/processed/t_1/output/profile.json"
    assert entry["tags"] == ["before", "after"]
    assert entry["metadata"] == {"rows": 3}
    assert entry["bytes"] == 2
    assert entry["sha256"] == hashlib.sha256(b"{}").hexdigest()
    assert len(reporter.generate_report()["artifacts"]) == 1


def test_artifacts_of_a_group_are_listed_with_it(tmp_path: Path, make_run: Any) -> None:
    reporter = TaskReporter.of_run(make_run(tmp_path))
    for number in range(4):
        path = f"DATA/processed/t_1/output/a{number}.x"
        reporter.add_artifact("csv", path, group_name="even" if number % 2 == 0 else None)
    group = reporter.add_artifact_group("even", "Those with even numbers")
    assert [a.path[-4:] for a in group.artifacts] == ["a0.x", "a2.x"]
    found = reporter.generate_report()["artifact_groups"]["even"]
    assert (found["count"], found["description"]) == (2, "Those with even numbers")


@pytest.mark.parametrize("path", ["../outside.txt", "/etc/passwd", "DATA/../../outside.txt", "link/x", ""])
def test_an_artifact_outside_the_project_is_refused(tmp_path: Path, make_run: Any, path: str) -> None:
    root = tmp_path / "project"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    reporter = TaskReporter.of_run(make_run(root))
    with pytest.raises(PathSecurityError):
        reporter.add_artifact("txt", path)
    assert all(artifact["path"] != path for artifact in reporter.generate_report()["artifacts"])


def test_an_artifact_of_a_step_that_may_not_be_looked_at_is_warned_of(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path)
    run.record.artifacts.append(Artifact("txt", "/etc/passwd"))
    report = TaskReporter.of_run(run).generate_report()
    assert report["artifacts"][-1]["sha256"] == ""
    assert any("/etc/passwd" in warning for warning in report["warnings"])


def test_the_manifest_has_hashes_of_inputs_outputs_and_artifacts(tmp_path: Path, make_run: Any) -> None:
    TaskReporter.of_run(make_run(tmp_path)).save_report()
    manifest = read(tmp_path / "DATA/processed/t_1/manifest.json")
    assert (manifest["schema"], manifest["schema_version"], manifest["verdict"]) == (1, "1.0", "none claimed")
    assert [step["operation"] for step in manifest["pipeline_steps"]] == ["ProfileOperation", "AnonymizeOperation"]
    assert manifest["pipeline_steps"][1]["metrics"]["k"] == 5
    assert manifest["outputs"][0]["sha256"] == "b" * 64
    assert manifest["artifacts"][0]["sha256"] == hashlib.sha256(b"{}").hexdigest()
    assert manifest["input_datasets"] == ["patients"]
    assert manifest["execution_time_seconds"] == 12.5
    assert manifest["privacy_guarantees"] == {"formal_dp": False}
    assert manifest["error_info"] is None


def test_a_large_artifact_is_hashed_without_holding_it_in_memory(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path)
    large = tmp_path / "DATA/processed/t_1/output/large.bin"
    with large.open("wb") as file:
        file.truncate(64 << 20)
    reporter = TaskReporter.of_run(run)
    reporter.add_artifact("bin", large)
    tracemalloc.start()
    entry = reporter.generate_report()["artifacts"][-1]
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert entry["bytes"] == 64 << 20
    assert peak < 8 << 20


def test_secrets_are_in_no_file_that_the_reporter_writes(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path, success=False)
    run.record.warnings.append("could not log in with hunter2-hunter2")
    run.record.error["message"] = "refused: postgres://me:hunter2-hunter2@db/x"
    reporter = TaskReporter.of_run(run)
    reporter.add_operation("Login", "error", {"error": "hunter2-hunter2", "api_key": "abcd-efgh"})
    reporter.add_metric("url", "https://me:hunter2-hunter2@db/x")
    reporter.save_report()
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert len(written) == 7
    for path in written:
        text = path.read_text()
        assert "hunter2" not in text, path
        assert "abcd-efgh" not in text, path


def test_when_the_run_encrypts_nothing_that_may_quote_data_is_written(tmp_path: Path, make_run: Any) -> None:
    section = ReportSection(title="Privacy", key="privacy", facts={"k": 5, "who": "Smith, Jane"}, text="Smith, Jane")
    run = make_run(tmp_path, success=False, encrypts=True, sections=[section])
    reporter = TaskReporter.of_run(run)
    reporter.add_metric("most_common", "Smith, Jane")
    reporter.add_metric("rows", 30162)
    reporter.add_operation("Look", details={"seen": ["Smith, Jane"], "rows": 7})
    report = read(reporter.save_report())
    profile, anonymize, look = report["operations"]
    assert profile["metrics"] == {"rows": 30162, "missing": {"age": 0.25}, "engine": "pandas"}
    assert profile["withheld"] == ["top_values"]
    assert anonymize["metrics"] == {"k": 5, "suppressed": 162}
    assert anonymize["settings"] == {"method": "k-anonymity", "k": 5}
    assert "traceback" not in anonymize["error"]
    assert look["details"] == {"rows": 7}
    assert report["metrics"]["rows"] == 30162
    assert report["sections"]["privacy"]["facts"] == {"k": 5}
    assert report["encryption"] == {"enabled": True, "mode": "simple", "key_id": ""}
    for path in [*(tmp_path / "DATA/reports").rglob("*.*"), tmp_path / "DATA/processed/t_1/manifest.json"]:
        assert "Smith" not in path.read_text(), path


def test_a_run_that_was_asked_to_encrypt_and_failed_before_it_could_quotes_nothing_either(
    tmp_path: Path, make_run: Any
) -> None:
    run = make_run(tmp_path, upto="config", encrypts=True)
    reporter = TaskReporter.of_run(run)
    reporter.add_metric("who", "Smith, Jane")
    report = reporter.generate_report()
    assert report["encryption"] == {"enabled": True}
    assert "who" not in report["metrics"]


def test_configuration_stands_with_its_origin_and_without_secrets(tmp_path: Path, make_run: Any) -> None:
    report = TaskReporter.of_run(make_run(tmp_path)).generate_report()
    assert report["configuration"]["seed"] == {"value": 7, "layer": "command line", "place": "--set"}
    assert report["configuration"]["db_password"]["value"] == "***"
    assert report["configuration"]["db_password"]["place"] == "configs/prj_config.yaml:3:1"


def test_sections_and_formats_of_other_plugins_are_written(tmp_path: Path, make_run: Any) -> None:
    section = ReportSection(title="Fairness", key="fairness", facts={"gap": 0.125}, text="It is **fair**.")
    run = make_run(tmp_path, sections=[section])
    run.kernel.report_writers = lambda: {**WRITERS, "txt": lambda report: f"{report['status']}!".encode()}
    report = read(TaskReporter.of_run(run).save_report())
    assert report["sections"]["fairness"] == {"title": "Fairness", "facts": {"gap": 0.125}, "text": "It is **fair**."}
    assert "<strong>fair</strong>" in (tmp_path / "DATA/reports/t_1_report.html").read_text()
    assert (tmp_path / "DATA/reports/t_1_report.txt").read_text() == "completed!"


def test_a_writer_that_fails_is_a_reporting_error_and_the_json_report_is_there(tmp_path: Path, make_run: Any) -> None:
    def broken(report: Any) -> bytes:
        raise KeyError("nothing")

    run = make_run(tmp_path)
    run.kernel.report_writers = lambda: {**WRITERS, "txt": broken}
    with pytest.raises(ReportingError, match=r"the txt report of t_1 cannot be made: KeyError: 'nothing'"):
        TaskReporter.of_run(run).save_report()
    assert read(tmp_path / "DATA/reports/t_1_report.json")["success"] is True


def test_a_report_that_cannot_be_written_is_a_reporting_error_and_the_old_one_stays(
    tmp_path: Path, make_run: Any
) -> None:
    path = TaskReporter.of_run(make_run(tmp_path)).save_report()
    before = path.read_bytes()
    run = make_run(tmp_path, success=False)

    def full(*_: Any, **__: Any) -> Iterator[Any]:
        raise OSError(28, "No space left on device")

    run.files.guard.create = full
    with pytest.raises(ReportingError, match=r"DATA/reports/t_1.*No space left"):
        TaskReporter.of_run(run).save_report()
    assert path.read_bytes() == before


def test_a_report_is_never_written_through_a_link_that_leaves_the_project(tmp_path: Path, make_run: Any) -> None:
    root = tmp_path / "project"
    (root / "DATA").mkdir(parents=True)
    (root / "DATA/reports").symlink_to(tmp_path)
    with pytest.raises((ReportingError, PathSecurityError)):
        TaskReporter.of_run(make_run(root)).save_report()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["project"]


@pytest.mark.parametrize("task_id", ["../t", "a/b", "", "a\nb"])
def test_a_task_id_that_is_no_name_is_refused(tmp_path: Path, task_id: str) -> None:
    with pytest.raises(PathSecurityError):
        TaskReporter(task_id, files=Files(ProjectGuard(tmp_path)))


def test_saving_twice_gives_the_state_of_the_second_time(tmp_path: Path, make_run: Any) -> None:
    run = make_run(tmp_path)
    reporter = TaskReporter.of_run(run)
    reporter.add_task_summary(True)
    reporter.save_report()
    run.record.success, run.record.status = False, "log_error"
    run.record.error = {"type": "log_error", "message": "the history could not be written"}
    report = read(reporter.save_report())
    assert (report["success"], report["error"]["message"]) == (False, "the history could not be written")
    assert read(tmp_path / "DATA/processed/t_1/manifest.json")["verdict"] == "not met"


def test_alone_a_reporter_reports_what_it_is_told(tmp_path: Path) -> None:
    files = Files(ProjectGuard(tmp_path))
    reporter = TaskReporter("t_2", "analysis", "Alone", files=files, places=ProjectPlaces(files))
    reporter.add_metric("rows", 3)
    reporter.add_operation("Load", details={"rows": 3})
    assert reporter.generate_report()["status"] == "running"
    reporter.add_task_summary(True)
    report = read(reporter.save_report())
    assert (report["status"], report["success"]) == ("completed", True)
    assert report["metrics"] == {"rows": 3}


def test_without_files_nothing_can_be_saved_and_that_is_said(tmp_path: Path) -> None:
    with pytest.raises(ReportingError, match="no access to files"):
        TaskReporter("t_2").save_report()


class Colour(enum.Enum):
    RED = "red"


class Level(enum.IntEnum):
    HIGH = 3


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        (math.nan, None),
        (math.inf, None),
        ({3, 1, 2}, [1, 2, 3]),
        ((1, (2,)), [1, [2]]),
        (Path("a/b"), "a/b"),
        (Colour.RED, "red"),
        (Level.HIGH, 3),
        (datetime.date(2026, 3, 1), "2026-03-01"),
        ({1: {"x": math.nan}}, {"1": {"x": None}}),
        (True, True),
    ],
)
def test_values_become_json(value: Any, wanted: Any) -> None:
    assert plain(value) == wanted
    json.dumps(plain(value), allow_nan=False)


def test_numbers_of_numpy_stay_numbers(tmp_path: Path, make_run: Any) -> None:
    numpy = pytest.importorskip("numpy")
    reporter = TaskReporter.of_run(make_run(tmp_path))
    reporter.add_metric("n", numpy.int64(7))
    reporter.add_metric("share", numpy.float32(0.5))
    reporter.add_metric("counts", numpy.array([1, 2]))
    reporter.add_metric("none", numpy.float64("nan"))
    metrics = read(reporter.save_report())["metrics"]
    assert [metrics[key] for key in ("n", "share", "counts", "none")] == [7, 0.5, [1, 2], None]


def test_the_plugin_adds_the_formats_that_reports_have_without_a_kernel() -> None:
    assert pamola_add_report_writers() == WRITERS
