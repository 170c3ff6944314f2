"""Steps on the workers of a cluster, which are processes of their own behind TLS."""

from __future__ import annotations

import base64
import json
import os
import re
import shutil
import subprocess
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from clusters import OwnCluster
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

TASKS = (Path(__file__).parent / "importable/dask_tasks.py").read_text()


@pytest.fixture
def tasks(project: Path, cluster: OwnCluster) -> Path:
    """A project with the tasks, which knows the cluster."""
    (project / "tasks.py").write_text(TASKS)
    cluster.configure(project)
    return project


def run(cli: Any, folder: Path, name: str, *more: str, env: dict[str, str] | None = None) -> dict[str, Any]:
    done = cli("run", f"tasks.py:{name}", "--json", "--set", "seed=7", *more, cwd=folder, env=env or {})
    assert done.stdout, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def log_of(folder: Path) -> str:
    return "".join(path.read_text() for path in (folder / "logs").rglob("*.log"))


def test_the_same_results_as_here(cli, tasks, cluster):
    """Datasets, artifacts, warnings and random numbers are those of threads, and a second run has nothing to do."""
    found = {}
    for name, more in (("here", ["--executor", "threads"]), ("there", ["--executor", "dask", "--jobs", "2"])):
        document = run(cli, tasks, "Three", *more, "--restart")
        assert document["status"] == "success", document
        steps = document["steps"]
        pids = {step["metrics"].pop("pid") for step in steps}
        assert len(pids) == (1 if name == "here" else 2)
        root = tasks / "DATA/processed/three"
        assert not list(root.rglob("*.new"))
        assert [f"look at the rows of {step}" in document["warnings"] for step in "abc"] == [True] * 3
        files = {p.name: p.read_bytes() for p in sorted(root.joinpath("output").iterdir())}
        assert {"b.csv", "c.csv", "rows_a.json"} <= files.keys()
        found[name] = files, [(step["step"], step["metrics"]) for step in steps]
    assert found["here"] == found["there"]
    assert "rows: 120" in log_of(tasks)
    events = [json.loads(line) for line in (tasks / "DATA/processed/three/.state/live.jsonl").read_text().splitlines()]
    assert {event["step"] for event in events if event.get("stage") == "counting"} == set("abc")
    assert sorted(path.name for path in (tasks / ".pamola").iterdir() if path.name.startswith("dask")) == []
    again = run(cli, tasks, "Three", "--executor", "dask")
    assert [step["status"] for step in again["steps"]] == ["skipped"] * 3


def test_a_step_that_misbehaves_fails_alone(cli, tasks, cluster):
    """Crash, memory and time end the step with the words that they have here; the workers are as they were."""
    run(cli, tasks, "Misbehaves", "--executor", "dask", "--jobs", "2", "--set", "continue_on_error=true")
    said = log_of(tasks)
    assert [text for text in ("SIGSEGV", "more than the 400 MiB", "longer than 1 s") if text not in said] == []
    assert all(worker.poll() is None for worker in cluster.workers)
    cluster.wait_for(2)


def test_use_dask_chooses_these_workers(cli, tasks, cluster):
    """The key of the configuration, without `--executor`."""
    (tasks / "configs").mkdir(exist_ok=True)
    document = run(cli, tasks, "Three", "--set", "use_dask=true", "--restart")
    assert document["status"] == "success", document
    report = json.loads((tasks / "DATA/reports/three_report.json").read_text())
    assert [step["own_process"] for step in report["operations"]] == [True] * 3
    assert min(step["peak_memory_mb"] for step in report["operations"]) > 5


def test_neither_keys_nor_cells_are_found_at_the_scheduler_and_in_workers(cli, tasks, cluster):
    """The workers have no key, and write encrypted files all the same; in their memory, too, are names of attempts."""
    (tasks / "DATA/raw/names.csv").write_text("id,name\n" + "".join(f"{n},canary-cell-{n}-x\n" for n in range(50)))
    key = os.urandom(32)
    env = {"PAMOLA_KEY": base64.b64encode(key).decode(), "SAID": "canary-variable"}
    more = ("--set", "use_encryption=true", "--set", "description=${env:SAID}")
    document = run(cli, tasks, "Tells", "--executor", "dask", *more, env=env)
    assert document["status"] == "success", document
    assert any("canary-cell-1-x" in warning for warning in document["warnings"])
    assert (tasks / "DATA/processed/tells/output/told.csv").read_bytes().startswith(b"ptask/1")
    forms = [key, key.hex().encode(), base64.b64encode(key), base64.urlsafe_b64encode(key), b"canary-"]
    assert [form for form in forms if form in (cluster.folder / "log").read_bytes()] == []
    for process in (cluster.scheduler, *cluster.workers):
        seen = memory_of(process.pid)
        assert any(b"pamola-tasks-" in part for part in seen), "the search finds what is there"
        assert [form for form in forms if any(form in part for part in seen)] == []


def memory_of(pid: int) -> list[bytes]:
    """What a process has in its memory, and may write to."""
    found = []
    areas = re.findall(r"^([0-9a-f]+)-([0-9a-f]+) rw", Path(f"/proc/{pid}/maps").read_text(), re.M)
    try:
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            for first, last in ((int(first, 16), int(last, 16)) for first, last in areas):
                memory.seek(first)
                found.append(memory.read(last - first))
    except PermissionError:
        pytest.skip("the memory of other processes cannot be read here")
    return found


HIDES = """\
import importlib.metadata as metadata
found = metadata.Distribution.from_name.__func__
def from_name(cls, name):
    if name == "pamola-tasks-dask":
        raise metadata.PackageNotFoundError(name)
    return found(cls, name)
metadata.Distribution.from_name = classmethod(from_name)
"""


def test_workers_that_differ_are_named_and_nothing_is_run(cli, tasks, cluster, tmp_path):
    """Another version, a plugin that is missing, another folder under the same name: each is said; `doctor` says it."""
    other, lacking = tmp_path / "other", tmp_path / "lacking"
    for name in ("pandas", "pamola-tasks-reports"):
        info = other / f"{name.replace('-', '_')}-9.9.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 9.9\n")
    lacking.mkdir()
    (lacking / "sitecustomize.py").write_text(HIDES)
    asked = ["pandas 9.9 there", "pamola-tasks-reports 9.9 there, 0.", "pamola-tasks-dask is not installed there (0."]
    odd = [cluster.add_worker(PYTHONPATH=str(folder)) for folder in (other, lacking)]
    hides = ("unshare", "--mount", "sh", "-c", f'mount -t tmpfs none "{tasks / ".pamola"}" && exec "$@"', "sh")
    if os.geteuid() == 0 and shutil.which("unshare") and not subprocess.run([*hides, "true"], check=False).returncode:
        odd.append(cluster.add_worker(before=hides))
        asked.append("it does not see the project's folder")
    try:
        cluster.wait_for(2 + len(odd))
        said = cli("run", "tasks.py:Three", "--executor", "dask", cwd=tasks, code=2).stdout
        doctor = cli("doctor", cwd=tasks, code=1).stdout
    finally:
        for worker in odd:
            cluster.kill(worker)
    assert [text for text in asked if text not in " ".join(said.split())] == [], said
    assert [text for text in asked if text not in " ".join(doctor.split())] == [], doctor
    assert "nothing was run" in said
    assert not (tasks / "DATA/processed/three/output").exists() or not list(
        (tasks / "DATA/processed/three/output").iterdir()
    )
    cluster.wait_for(2)
    assert "has 2 workers with 2 threads that can run the steps" in " ".join(cli("doctor", cwd=tasks).stdout.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("dask: {scheduler: tcp://127.0.0.1:1}", "has no TLS"),
        ("dask: {scheduler: tls://127.0.0.1:1}", "dask.security.ca is missing"),
        ("dask: {scheduler: 127.0.0.1}", "is not of the form tls://HOST:PORT"),
        ("dask: {security: {ca: certs/ca.pem}}", "dask.scheduler is not"),
        ("dask: {sheduler: tls://127.0.0.1:1}", "did you mean"),
        ("dask: {insecure: perhaps}", "insecure"),
        ("dask: {insecure: false}\nlocked: [dask.insecure]", "locked"),
        ("", "a task cannot say which cluster"),
    ],
)
def test_settings_that_do_not_fit_are_refused(cli, project, text, said):
    (project / "configs/prj_config.yaml").write_text(text)
    task = project / "configs/example.yaml"
    if not text:
        task.write_text(task.read_text() + "\ndask: {scheduler: tls://127.0.0.1:1}\n")
    more = ["--set", "dask.insecure=true"] if "locked" in text else []
    done = cli("run", "example", "--executor", "dask", *more, cwd=project, code=2)
    assert said in " ".join((done.stdout + done.stderr).split())


def expired() -> bytes:
    """A certificate that was valid until 2021."""
    key, name = ec.generate_private_key(ec.SECP256R1()), x509.Name([])
    made = x509.CertificateBuilder(name, name, key.public_key(), 1, datetime(2020, 1, 1), datetime(2021, 3, 4, 5, 6))
    return made.sign(key, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)


def test_files_of_tls_go_through_the_guard_and_a_scheduler_that_is_not_there_is_said(cli, project, cluster):
    cluster.configure(project)
    path = project / "configs/prj_config.yaml"
    text = path.read_text().replace(cluster.address, "tls://127.0.0.1:1")
    path.write_text(text.replace("certs/ca.pem", str(cluster.folder / "ca.pem")))
    done = cli("run", "example", "--executor", "dask", cwd=project, code=2)
    assert "dask.security.ca: the file cannot be read: " in " ".join(done.stdout.split())
    assert "outside" in done.stdout, done.stdout
    path.write_text(text)
    (project / "certs/key.pem").chmod(0o644)
    done = cli("run", "example", "--executor", "dask", cwd=project, code=2)
    assert "dask.security.key: the file can be read by others" in " ".join(done.stdout.split())
    (project / "certs/key.pem").chmod(0o600)
    (project / "certs/cert.pem").write_bytes(expired())
    done = cli("run", "example", "--executor", "dask", cwd=project, code=2)
    told = "dask.security.cert: the certificate expired on 2021-03-04 05:06 UTC: renew it"
    assert told in " ".join(done.stdout.split())
    assert told in " ".join(cli("doctor", cwd=project, code=1).stdout.split())
    (project / "certs/cert.pem").write_text(cluster.texts["cert"])
    allowed = f"allow_external: true\nallowed_external_paths: ['{cluster.folder}']\n"
    path.write_text(text.replace("certs/ca.pem", str(cluster.folder / "ca.pem")) + allowed)
    done = cli("doctor", cwd=project, code=1)
    assert "the scheduler tls://127.0.0.1:1 cannot be reached" in " ".join(done.stdout.split())


def test_all_tasks_of_a_project_run_there_also_without_tls_if_that_is_asked_for(cli, project, tmp_path):
    """Two tasks at the same time, each with a connection of its own; what is written is what threads write."""
    text = (project / "configs/example.yaml").read_text()
    (project / "configs/second.yaml").write_text(text.replace("task_id: example", "task_id: second"))
    cli("run", "--all", cwd=project, code=0)
    written = [project / f"DATA/processed/{task}/output/safe.csv" for task in ("example", "second")]
    before = [path.read_bytes() for path in written]
    (tmp_path / "cluster").mkdir()
    with OwnCluster(tmp_path / "cluster", tls=False) as open_to_all:
        open_to_all.configure(project, "  insecure: true\n")
        open_to_all.add_worker()
        open_to_all.wait_for(1)
        done = cli("run", "--all", "--restart", "--executor", "dask", "--jobs", "2", "--json", cwd=project, code=0)
    assert [path.read_bytes() for path in written] == before
    assert f"the steps run at {open_to_all.address}, and dask.insecure allows" in done.stdout + done.stderr
