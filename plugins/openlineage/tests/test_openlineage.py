"""Events of runs: valid by the published schemas, whole, and without anything that they must not hold."""

from __future__ import annotations

import functools
import json
import os
import platform
import runpy
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).resolve().parent
read = runpy.run_path(str(HERE / "read_lineage.py"))["read"]
jsonschema = pytest.importorskip("jsonschema")
TASK = """\
task_id: t
input_datasets: {{people: DATA/raw/people.csv, visits: {outside}}}
operations:
  - SuppressOperation: {{input_dataset: people, output_dataset: between, suppress: attributes, columns: [password]}}
    id: suppress
  - AnonymizeOperation:
      {{input_dataset: between, output_dataset: safe, k: 2, l: {l}, quasi_identifiers: [age],
        sensitive_attributes: [city], direct_identifiers: [person]}}
    id: release
  - ProfileOperation: {{dataset_name: visits}}
    id: look
"""
ON = "openlineage:\n  enabled: true\n"
PRODUCED = "DATA/processed/t/output/safe.csv"


def problems(events: list[dict[str, Any]]) -> list[str]:
    """What is wrong with events, and with each of their facets, by the published schemas."""
    from referencing import Registry, Resource

    schemas = [json.loads(path.read_text()) for path in HERE.glob("schemas/**/*.json")]
    registry = Registry().with_resources([(each["$id"], Resource.from_contents(each)) for each in schemas])

    def facets(value: Any) -> Iterator[dict[str, Any]]:
        if isinstance(value, dict):
            yield from [value] if "_schemaURL" in value else []
            value = list(value.values())
        for each in value if isinstance(value, list) else ():
            yield from facets(each)

    @functools.cache
    def checks(url: str) -> Any:
        formats = jsonschema.FormatChecker()
        return jsonschema.Draft202012Validator({"$ref": url}, registry=registry, format_checker=formats)

    found = []
    for event in events:
        whole = event["schemaURL"].partition("#")[0]
        for part, url in [(event, whole), *((facet, facet["_schemaURL"]) for facet in facets(event))]:
            found += [f"{error.json_path}: {error.message}" for error in checks(url).iter_errors(part)]
    return found


def events_of(place: Path) -> list[dict[str, Any]]:
    lines = (place / "DATA/processed/t/logs/openlineage.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def told(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    return [(event["job"]["name"], event["eventType"]) for event in events if "job" in event]


@pytest.fixture
def task(place, tmp_path):
    """Write the task, which reads a table outside of the project too."""
    people = "".join(f"Zoe{n},{20 + n % 3},{'abc'[n % 2 + (n < 3)]},wild{n}\n" for n in range(60))
    (place / "DATA/raw/people.csv").write_text("person,age,city,password\n" + people)
    (tmp_path / "secretplace").mkdir()
    (tmp_path / "secretplace/visits.csv").write_text("when\nmonday\n")

    def write(diversity: int, more: str = "") -> None:
        outside = tmp_path / "secretplace/visits.csv"
        (place / "configs/t.yaml").write_text(TASK.format(l=diversity, outside=outside) + more)

    (place / "configs/prj_config.yaml").write_text(
        f"allow_external: true\nallowed_external_paths: ['{tmp_path / 'secretplace'}']\n" + ON
    )
    write(4)
    return write


def test_failed_and_resumed_runs_are_whole_valid_and_rebuild_the_graph(cli, place, task, tmp_path):
    cli("run", "t", cwd=place, code=4)
    failed = events_of(place)
    expected = [
        ("t", "START"), ("t.suppress", "START"), ("t.suppress", "COMPLETE"),
        ("t.release", "START"), ("t.release", "FAIL"), ("t", "FAIL"),
    ]  # fmt: skip
    assert told(failed) == expected
    task(2)
    with (place / "DATA/processed/t/logs/openlineage.jsonl").open("a") as file:  # as a run that is killed leaves it
        gone = failed[0] | {"run": {"runId": "01a22dca-b473-7ec4-b706-393ec336de9b"}}
        file.write(json.dumps(gone) + '\n{"eventType": "STA')
    cli("run", "t", cwd=place, code=0)
    path = place / "DATA/processed/t/logs/openlineage.jsonl"
    lines = [line for line in path.read_text().splitlines() if not line.endswith('"STA')]
    path.write_text("\n".join(lines) + "\n")
    events = events_of(place)
    later = events[len(failed) + 1 :]
    expected = [
        ("t", "START"), ("t", "ABORT"), ("t.suppress", "START"), ("t.suppress", "COMPLETE"),
        ("t.release", "START"), ("t.release", "COMPLETE"), ("t.look", "START"), ("t.look", "COMPLETE"),
        ("t", "COMPLETE"),
    ]  # fmt: skip
    assert told(later) == expected
    assert problems(events) == []
    assert (path.stat().st_mode & 0o777) == 0o600
    aborted = next(event for event in later if event.get("eventType") == "ABORT")
    assert aborted["run"]["runId"] == gone["run"]["runId"]

    runs = {event["job"]["name"]: event for event in later if event.get("eventType") == "COMPLETE"}
    skipped, release = runs["t.suppress"], runs["t.release"]
    (tag,) = skipped["run"]["facets"]["tags"]["tags"]
    assert (tag["key"], tag["value"]) == ("skipped", failed[0]["run"]["runId"])
    assert [data["name"] for data in skipped["inputs"] + skipped["outputs"]] == ["DATA/raw/people.csv", "t:between"]
    assert release["run"]["facets"]["parent"]["run"]["runId"] == runs["t"]["run"]["runId"]
    (safe,) = release["outputs"]
    fields = [(field["name"], field["type"]) for field in safe["facets"]["schema"]["fields"]]
    assert [name for name, _ in fields] == ["age", "city", "password"]
    assert dict(fields)["city"] in ("str", "string", "object")
    (between,) = skipped["outputs"]
    assert {"name": "age", "type": "int64"} in between["facets"]["schema"]["fields"]
    assert safe["outputFacets"]["outputStatistics"]["rowCount"] == 60
    tests = {test["name"]: test for test in runs["t"]["run"]["facets"]["test"]["tests"]}
    claimed = {name: (test["expected"], test["actual"], test["status"]) for name, test in tests.items()}
    assert (claimed["k-anonymity"], claimed["l-diversity"]) == (("≥ 2", "20", "pass"), ("≥ 2", "2", "pass"))
    named = {event["dataset"]["name"] for event in later if "dataset" in event}
    assert named == {"DATA/raw/people.csv", "t:between", PRODUCED, "t:visits"}

    datasets, columns = read(path)
    assert dict(datasets) == {
        ("DATA/raw/people.csv", "t:between"): {"t.suppress"},
        ("t:between", PRODUCED): {"t.release"},
    }
    assert columns[("DATA/raw/people.csv", "age"), ("t:between", "age")] == {"IDENTITY": False}
    assert columns[("t:between", "age"), (PRODUCED, "age")]["TRANSFORMATION"] is True
    assert not [edge for edge in columns if edge[1] == (PRODUCED, "person")]
    done = subprocess.run(
        [sys.executable, HERE / "read_lineage.py", path], capture_output=True, text=True, check=True
    ).stdout
    assert f"t:between -> {PRODUCED}: t.release" in done
    assert len((HERE / "read_lineage.py").read_text().splitlines()) <= 42

    text = path.read_text()
    for word in ("Zoe", "wild", "monday", "secretplace", str(tmp_path), platform.node(), str(os.getpid())):
        assert word not in text


def test_the_whole_demo_and_a_resumed_run_of_it(cli, tmp_path):
    """No schema error, every dataset with the types of its columns, and the graph rebuilt from either run alone."""
    project, on = tmp_path / "demo", {"PAMOLA_OPENLINEAGE__ENABLED": "true"}
    path = project / "DATA/processed/demo/logs/openlineage.jsonl"
    cli("demo", "--rows", "3000", "--keep", project, env=on, cwd=tmp_path, code=0)
    first = path.read_text()
    (project / "DATA/processed/demo/internal/after_profile.json").unlink()  # whose step is run again
    cli("run", "demo", env=on, cwd=project, code=0)
    second = path.read_text().removeprefix(first)
    graphs = []
    for text in (first, second):
        events = [json.loads(line) for line in text.splitlines()]
        assert problems(events) == []
        datasets = [event["dataset"] for event in events if "dataset" in event]
        for dataset in datasets:
            fields = dataset["facets"]["schema"]["fields"]
            assert len(fields) > 5
            assert [field["name"] for field in fields if not field.get("type")] == [], dataset["name"]
        steps = [event for event in events if event.get("eventType") == "COMPLETE" and event["job"]["name"] != "demo"]
        assert all(event["inputs"] for event in steps)
        path.write_text(text)
        graphs.append(read(path))
        released = next(name for name in (dataset["name"] for dataset in datasets) if "/output/" in name)
        assert {source for source, target in graphs[-1][0] if target == released}
        assert {column for (_, _), (target, column) in graphs[-1][1] if target == released} >= {"age", "zip_code"}
    assert graphs[0] == graphs[1]
    tags = [event["run"]["facets"].get("tags", {"tags": []})["tags"] for event in steps]
    assert 0 < sum(any(tag["key"] == "skipped" for tag in each) for each in tags) < len(steps)


class Server(HTTPServer):
    """A server that takes one event, and then fails."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.taken: list[tuple[str | None, dict[str, Any]]] = []


class Handler(BaseHTTPRequestHandler):
    server: Server

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.server.taken.append((self.headers["Authorization"], body))
        self.send_response(201 if len(self.server.taken) == 1 else 503)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def log_message(self, *_: Any) -> None:
        pass


def test_a_server_gets_the_events_until_it_fails_and_the_file_has_all(cli, place):
    config = place / "configs/prj_config.yaml"
    quote = (
        "task_id: t\ninput_datasets: {people: DATA/raw/people.csv}\noperations:\n  - Quote: {input_dataset: people}\n"
    )
    (place / "configs/t.yaml").write_text(quote)
    (place / "DATA/raw/people.csv").write_text("person\nZarathustra\n")
    plugin = ("--plugin", HERE / "secret_plugin.py")
    server = Server()
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        to = f"  url: http://127.0.0.1:{server.server_port}\n  api_key: ${{secret:lineage}}\n"
        config.write_text(ON + to)
        done = cli(*plugin, "run", "t", "--show-data", cwd=place, code=1)
    finally:
        server.shutdown()
        server.server_close()
    assert "what is Zarathustra?" in done.stdout + done.stderr, "nothing would be found"
    assert "the server answered 503" in done.stdout
    events = events_of(place)
    assert told(events) == [("t", "START"), ("t.Quote", "START"), ("t.Quote", "FAIL"), ("t", "FAIL")]
    assert problems(events) == []
    assert [authorization for authorization, _ in server.taken] == ["Bearer hushhush-4711"] * 2
    assert [event for _, event in server.taken] == events[:2]
    ended = next(event for event in events if event.get("eventType") == "FAIL")
    assert "failed with ValueError" in ended["run"]["facets"]["errorMessage"]["message"]
    for path in place.rglob("*"):
        assert not path.is_file() or b"hushhush" not in path.read_bytes()
    assert "Zarathustra" not in (place / "DATA/processed/t/logs/openlineage.jsonl").read_text()

    refused = {
        "  url: ftp://x\n": "https://HOST",
        "  url: https://me:pw@x.example\n": "user name or password",
        "  url: http://x.example\n": "no TLS",
        "  api_key: ${secret:lineage}\n": "openlineage.url is not",
        "  timeout: 0\n": "not above 0",
    }
    for more, says in refused.items():
        config.write_text(ON + more)
        assert says in cli(*plugin, "config", "check", "t", cwd=place, code=2).stderr
    config.write_text("")
    (place / "configs/t.yaml").write_text(quote + "openlineage: {url: 'https://x.example'}\n")
    assert "put it into the project file" in cli(*plugin, "config", "check", "t", cwd=place, code=2).stderr


def test_nothing_is_imported_or_written_until_events_are_asked_for(place, cli):
    (place / "configs/t.yaml").write_text(
        "task_id: t\ninput_datasets: {people: DATA/raw/people.csv}\noperations:\n"
        "  - MaskOperation: {input_dataset: people, output_dataset: safe, columns: [city]}\n"
    )
    code = (
        "import sys; from pamola_tasks import Kernel; outcome = Kernel.discover('.').run('t');"
        "print(outcome.success, [name for name in sys.modules if name.startswith(('openlineage', 'requests'))])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=place, capture_output=True, text=True, check=False)
    assert done.stdout.endswith("True []\n"), done.stdout + done.stderr
    assert not list(place.rglob("openlineage*"))
