"""History, reports and comparisons, as the page gets them."""

from __future__ import annotations

import http.client
import json
import re
from typing import Any

import pytest


@pytest.fixture(scope="module")
def runs(dashboard: Any) -> list[dict[str, Any]]:
    """The history, newest first."""
    found: list[dict[str, Any]] = json.loads(dashboard.ask("/api/history?task=census", Cookie=dashboard.cookie())[1])[
        "runs"
    ]
    return found


def test_history_is_that_of_the_project(lab: Any, runs: Any) -> None:
    said = json.loads(lab.run("history", "census", "--json").stdout)
    assert [run["run"] for run in runs] == [record["task_run_id"] for record in said]
    assert [(run["task"], run["state"], run["report"]) for run in runs] == [("census", "success", True)] * 2
    assert runs[0]["outputs"] == [{"name": "safe.csv", "rows": 60}]


def test_report_and_comparison_withhold_values(lab: Any, dashboard: Any, runs: Any) -> None:
    """Cells are shown only with --show-data; pages run no script and escape what a task says."""
    cookie, (new, old) = dashboard.cookie(), (run["run"] for run in runs)
    for path in (f"/report/census/{new}", f"/compare/census/{old}/{new}", "/compare/census"):
        status, page, headers = dashboard.ask(path, Cookie=cookie)
        assert (status, "seaside" in page, "<b>people" in page) == (200, False, False), path
        assert headers["content-security-policy"].startswith("sandbox;")
    assert "&lt;b&gt;people" in dashboard.ask(f"/report/census/{new}", Cookie=cookie)[1]
    open_ = lab.serve("--port", "0", "--show-data")
    assert "seaside" in open_.ask(f"/report/census/{new}", Cookie=open_.cookie())[1]
    assert open_.end() == 0


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("/report/nothing/1", "there is no task 'nothing'"),
        ("/report/census/zzzz", "has no run 'zzzz'"),
        ("/report/--help/1", "there is no task '--help'"),
        ("/report/..%2f..%2fetc/1", ""),
        ("/compare/census/1234/5678", "has no run"),
    ],
)
def test_what_is_not_there_is_said(dashboard: Any, path: str, said: str) -> None:
    status, text, headers = dashboard.ask(path, Cookie=dashboard.cookie())
    assert status == 404
    assert said in text
    assert "html" not in headers["content-type"]


def test_a_changed_report_is_shown_with_a_warning(lab: Any, dashboard: Any, runs: Any) -> None:
    """As `report` warns of it."""
    path = lab.root / f"DATA/reports/census/{runs[1]['run']}.json"
    before = path.read_text()
    path.write_text(re.sub(r'"seconds": [\d.]+', '"seconds": 0.5', before, count=1))
    page = dashboard.ask(f"/report/census/{runs[1]['run']}", Cookie=dashboard.cookie())[1]
    path.write_text(before)
    assert "was changed since run" in page.partition("<header")[0]


def test_charts_of_finished_steps_quote_no_value(lab: Any, dashboard: Any) -> None:
    """Without --show-data only charts that say so are drawn; and none from a file that is not the task's."""
    for path in ("/api/charts/census/release", "/api/charts/census/look"):
        assert dashboard.ask(path)[0] == 401
    until_watched(dashboard)
    told = json.loads(dashboard.ask("/api/charts/census/release", Cookie=dashboard.cookie())[1])
    assert "<svg" in told["html"]
    assert "Sizes of equivalence classes" in told["html"]
    assert "seaside" not in told["html"]
    assert "--show-data" in told["note"]
    open_ = lab.serve("--port", "0", "--show-data")
    until_watched(open_)
    told = json.loads(open_.ask("/api/charts/census/release", Cookie=open_.cookie())[1])
    assert "seaside" in told["html"]
    assert told["note"] == ""
    live = lab.root / "DATA/processed/census/.state/live.jsonl"
    before = live.read_text()
    secret = {"charts": [{"kind": "bars", "title": "stolen", "labels": ["a"], "series": [{"name": "", "values": [1]}]}]}
    (lab.root / "configs/secret.json").write_text(json.dumps(secret))
    run_id = json.loads(before.splitlines()[0])["run"]
    for number, path in enumerate(
        ("configs/secret.json", "/etc/passwd", "../x", "DATA/processed/census/../../../configs/secret.json")
    ):
        artifact = {"event": "artifact", "type": "json", "tags": ["charts"], "path": path, "step": f"s{number}"}
        with live.open("a") as file:
            file.write(json.dumps({"at": "2026-11-30T10:00:00Z", "run": run_id, **artifact}) + "\n")
        until_watched(open_, f"s{number}")
        told = json.loads(open_.ask(f"/api/charts/census/s{number}", Cookie=open_.cookie())[1])
        assert told["html"] == ""
        assert "it is not a file of this task" in told["note"]
    artifacts = [json.loads(line) for line in before.splitlines() if '"event": "artifact"' in line]
    skipped = {"event": "step_skipped", "step": "resumed", "reason": "unchanged", "artifacts": [*artifacts, 7]}
    with live.open("a") as file:
        file.write(json.dumps({"at": "2026-11-30T10:00:00Z", "run": run_id, **skipped}) + "\n")
    until_watched(open_, "resumed")
    told = json.loads(open_.ask("/api/charts/census/resumed", Cookie=open_.cookie())[1])
    assert "<svg" in told["html"], "a step that is skipped has the charts of the run that made it"
    live.write_text(before)
    assert open_.end() == 0


def until_watched(dashboard: Any, word: str = "census", *, quiet: bool = False) -> str:
    """The stream until it has said a word of a run, or until it has nothing more to say after that."""
    connection = http.client.HTTPConnection("127.0.0.1", dashboard.port, timeout=20)
    connection.request("GET", "/api/events", headers={"Cookie": dashboard.cookie()})
    answer, text = connection.getresponse(), ""
    assert answer.headers["Content-Type"].startswith("text/event-stream")
    while not re.search(rf'event: run\ndata: .*"{word}"', text):
        text += answer.readline().decode()
    while quiet and not text.endswith(": still here\n"):
        text += answer.readline().decode()
    connection.close()
    return text


BREAKS = """
from pamola_tasks import BaseTask, Operation, reads

class Breaks(Operation):
    "Names a cell."
    input_dataset: str = reads()

    def execute(self, ctx):
        ctx.logger.warning("look at " + ctx.data.frame(self.input_dataset)["city"][0])
        raise ValueError("no " + ctx.data.frame(self.input_dataset)["city"][0])

class Loud(BaseTask):
    def __init__(self):
        super().__init__("loud", "test", "Names a cell.", {"people": "DATA/raw/people.csv"})
    def configure_operations(self):
        self.add_operation(Breaks, input_dataset="people")
"""


def test_messages_of_a_run_that_showed_data_are_withheld(lab: Any, dashboard: Any) -> None:
    """Its log and its error quote a cell: in the stream and in the history only with --show-data."""
    (lab.root / "loud.py").write_text(BREAKS)
    lab.run("run", "loud.py:Loud", "--show-data", code=1)
    open_ = lab.serve("--port", "0", "--show-data")
    for each, shown in ((dashboard, False), (open_, True)):
        told = until_watched(each, "loud", quiet=True) + each.ask("/api/history?task=loud", Cookie=each.cookie())[1]
        assert "Names a cell" in told
        assert ("no seaside" in told, "look at seaside" in told) == (shown, shown)
        assert ("Withheld: the run was started" in told) is not shown
    assert open_.end() == 0
