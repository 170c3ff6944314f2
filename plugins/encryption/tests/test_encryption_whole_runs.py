"""Whole runs of the command line: what is encrypted cannot be found, and without the right key nothing happens."""

from __future__ import annotations

import csv
import hashlib
import json
import random
import shutil
import sys
from pathlib import Path
from typing import Any

import pytest
from encryption_samples import KEY_TEXT, OTHER_KEY, call, encrypted, key_file

from pamola_tasks_encryption import Binding
from pamola_tasks_encryption.header import HEADER_SIZE, Header
from pamola_tasks_encryption.keyfile import KeyDocument

pytest.importorskip("pamola_ops_anonymize", reason="the operation packs are not installed")

CONFIGURATION = {"configs", ".pamola", ".pamola.toml"}
CHOOSE = random.Random(2026)
LETTERS = "abcdefghijklmnopqrstuvwxyz"
PLANTED = ["".join(CHOOSE.choices(LETTERS, k=CHOOSE.randint(9, 14))).title() for _ in range(200)]


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table outside the project, full of values that occur nowhere else."""
    path = tmp_path / "outside/people.csv"
    path.parent.mkdir()
    with path.open("w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["age", "city", "name", "illness"])
        for number, value in enumerate(PLANTED):
            writer.writerow([20 + number % 40, PLANTED[number % 5], value, PLANTED[number % 7]])
    return path


def project_with(tmp_path: Path, source: str, **settings: Any) -> Path:
    root = tmp_path / "project"
    call("init", root, cwd=tmp_path)
    steps: list[dict[str, Any]] = [
        {"ProfileOperation": {"dataset_name": "people", "output_prefix": "before", "min_count": 1}},
        {
            "AnonymizeOperation": {
                "input_dataset": "people",
                "output_dataset": "safe",
                "k": 4,
                "quasi_identifiers": ["age", "city"],
                "on_identifiers": "warn",
            }
        },
        {"ProfileOperation": {"dataset_name": "safe", "output_prefix": "after", "min_count": 1}},
    ]
    for name in ("t_a", "t_b"):
        task = {"task_id": name, "use_encryption": True, "input_datasets": {"people": source}, "operations": steps}
        (root / f"configs/{name}.json").write_text(json.dumps(task | settings))
    return root


def places_of_planted_values(root: Path) -> dict[str, list[str]]:
    """Where a planted value can be read, in the names and in every byte, whatever the case."""
    found: dict[str, list[str]] = {}
    for path in root.rglob("*"):
        if path.relative_to(root).parts[0] in CONFIGURATION or not path.is_file():
            continue
        content = path.read_bytes().lower() + str(path).lower().encode()
        hits = [value for value in PLANTED if value.lower().encode() in content]
        if hits:
            found[str(path.relative_to(root))] = hits
    return found


@pytest.mark.parametrize("encrypted_input", [False, True], ids=["input outside", "input encrypted"])
def test_of_200_planted_values_none_can_be_found_after_a_run(
    tmp_path: Path, table: Path, encrypted_input: bool
) -> None:
    if encrypted_input:
        root = project_with(tmp_path, "DATA/raw/people.csv")
        shutil.copy(table, root / "DATA/raw/people.csv")
        call("encrypt", "--in-place", "DATA/raw/people.csv", cwd=root, PAMOLA_KEY=KEY_TEXT)
    else:
        root = project_with(tmp_path, str(table), allow_external=True, allowed_external_paths=[str(table.parent)])
    done = call("-v", "run", "t_a", cwd=root, PAMOLA_KEY=KEY_TEXT)
    assert places_of_planted_values(root) == {}
    assert not [value for value in PLANTED if value in done.stdout + done.stderr]
    released = root / "DATA/processed/t_a/output/safe.csv"
    plain = call("decrypt", released, "--out", "-", cwd=root, PAMOLA_KEY=KEY_TEXT).stdout
    assert sum(value in plain for value in PLANTED) > 100, "the search would find them where they can be read"
    head = Header.parse(released.read_bytes()[:HEADER_SIZE])
    assert (head.binding.task, head.binding.role) == ("t_a", "data")


TELLS = """
from pamola_tasks import BaseTask, Operation, OperationResult, reads, writes

class Tells(Operation):
    \"\"\"Leaves cells of its table wherever an operation may leave something.\"\"\"

    input_dataset: str = reads()
    output_dataset: str = writes()

    def execute(self, ctx):
        frame = ctx.data.frame(self.input_dataset)
        names = frame["name"].tolist()
        with ctx.artifact("seen", "json", "all of them", category="dictionary") as file:
            file.write(repr(names).encode())
        ctx.data.write(self.output_dataset, frame)
        return OperationResult.success(metrics={
            "most_common": names[0], "counts": {name: 1 for name in names}, "list": names,
            "deep": {"x": {"y": names[1]}}, "rows": len(names), "text": "among others " + names[2],
        })

class T(BaseTask):
    def __init__(self):
        super().__init__("t_c", use_encryption=True, input_datasets={"people": %r, "cities": %r})

    def configure_operations(self):
        self.add_operation(Tells, input_dataset="people", output_dataset="told")
        self.add_operation("PseudonymizeOperation", input_dataset="told", output_dataset="named", columns=["name"],
                           method="token", vault_dataset="vault")
        self.add_operation("AnonymizeOperation", input_dataset="named", output_dataset="safe", k=4,
                           quasi_identifiers=["city", "age"], strategy="hierarchy", hierarchies={"city": "cities"})
        self.add_operation("ProfileOperation", dataset_name="told", output_prefix="p", min_count=1)
"""


def test_nor_in_metrics_vaults_dictionaries_hierarchies_and_what_stands_between_steps(
    tmp_path: Path, table: Path
) -> None:
    root = tmp_path / "project"
    call("init", root, cwd=tmp_path)
    cities = table.with_name("cities.csv")
    cities.write_text("".join(f"{name};{PLANTED[5 + n % 2]};*\n" for n, name in enumerate(PLANTED[:5])))
    (root / "tells.py").write_text(TELLS % (str(table), str(cities)))
    allowed = {"allow_external": True, "allowed_external_paths": [str(table.parent)]}
    (root / "configs/prj_config.yaml").write_text(json.dumps(allowed))
    for _ in range(2):  # performed, and taken from the checkpoints
        call("-v", "run", "tells.py:T", cwd=root, PAMOLA_KEY=KEY_TEXT)
        assert places_of_planted_values(root) == {}
    (root / "DATA/processed/t_c/output/safe.csv").unlink()
    call("-v", "run", "tells.py:T", "--set", "log_level=DEBUG", cwd=root, PAMOLA_KEY=KEY_TEXT)
    assert places_of_planted_values(root) == {}
    with_key = call("report", "t_c", "--json", cwd=root, PAMOLA_KEY=KEY_TEXT)
    told = json.loads(with_key.stdout)["operations"][0]
    assert told["metrics"]["most_common"] == PLANTED[0]
    assert told["metrics"]["counts"].keys() == set(PLANTED)
    without = call("report", "t_c", cwd=root)
    assert "encrypted and not shown: there is no key" in without.stderr
    assert not [value for value in PLANTED if value in without.stdout]
    assert "withheld" in without.stdout
    call("run", "tells.py:T", "--set", "enable_checkpoints=false", "--restart", cwd=root, PAMOLA_KEY=KEY_TEXT)
    assert places_of_planted_values(root) == {}


def test_nor_in_mode_age_which_needs_no_key_to_write(tmp_path: Path, table: Path) -> None:
    pyrage = pytest.importorskip("pyrage", reason="the extra [age] (pyrage) is not installed")
    identity = pyrage.x25519.Identity.generate()
    private = key_file(tmp_path / "outside/identity", str(identity))
    root = project_with(
        tmp_path,
        str(table),
        allow_external=True,
        allowed_external_paths=[str(table.parent)],
        encryption_mode="age",
        encryption={"recipients": [str(identity.to_public())], "identity_file": str(private)},
    )
    call("-v", "run", "t_a", cwd=root)
    assert places_of_planted_values(root) == {}
    released = (root / "DATA/processed/t_a/output/safe.csv").read_bytes()
    assert sum(value.encode() in pyrage.decrypt(released, [identity]) for value in PLANTED) > 100
    call("verify", "t_a", cwd=root)
    again = call("run", "t_a", "--json", cwd=root)
    assert {step["status"] for step in json.loads(again.stdout)["steps"]} == {"skipped"}
    report = json.loads((root / "DATA/reports/t_a_report.json").read_text())
    assert {entry["encryption_mode"] for entry in (*report["outputs"], *report["artifacts"])} == {"age"}


def test_a_report_states_of_each_file_what_is_on_the_disk(tmp_path: Path, table: Path) -> None:
    root = project_with(tmp_path, str(table), allow_external=True, allowed_external_paths=[str(table.parent)])
    call("run", "t_a", cwd=root, PAMOLA_KEY=KEY_TEXT)
    report = json.loads((root / "DATA/reports/t_a_report.json").read_text())
    assert report["outputs"]
    for entry in (*report["outputs"], *report["artifacts"]):
        data = (root / entry["path"]).read_bytes()
        assert data.startswith(b"ptask/1") == entry["encrypted"]
        assert entry["encrypted"]
        assert (entry["encryption_mode"], len(entry["key_id"])) == ("simple", 16)
        assert hashlib.sha256(data[:3072] + bytes(1024) + data[4096:]).hexdigest() == entry["sha256"]
    key_id = report["outputs"][0]["key_id"]
    assert f"encrypted (simple, key {key_id})" in (root / "DATA/reports/t_a_report.md").read_text()
    # What was encrypted then and lies there in plain text now is stated as it lies there.
    (root / report["outputs"][0]["path"]).write_bytes(b"age,city\n1,Ulm\n")
    call("run", "t_a", "--set", "use_encryption=false", cwd=root, PAMOLA_KEY=KEY_TEXT)
    again = json.loads((root / "DATA/reports/t_a_report.json").read_text())
    assert {entry["encryption_mode"] for entry in again["outputs"]} == {"none"}


def damage(home: Path, problem: str) -> tuple[dict[str, str], Path | None]:
    """A key that is not as it should be: variables, and the file to look after."""
    key = key_file(home / "project.key")
    if problem == "no key":
        return {}, None
    if problem == "wrong key":
        key.write_text(KeyDocument.plain(OTHER_KEY).to_text())
    if problem == "damaged key":
        key.write_text("this is no key")
    if problem == "open key":
        key.chmod(0o644)
    if problem == "linked key":
        (home / "link.key").symlink_to(key)
        return {"PAMOLA_KEY_FILE": str(home / "link.key")}, key
    return {"PAMOLA_KEY_FILE": str(key)}, key


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no modes")
def test_six_things_can_be_wrong_with_a_key_and_each_is_said_and_nothing_happens(tmp_path: Path) -> None:
    root = project_with(tmp_path, "DATA/raw/people.csv")
    (root / "DATA/raw/people.csv").write_bytes(encrypted(b"age,city\n1,Ulm\n", binding=Binding("", "", "data")))
    (root / "block").mkdir()
    (root / "block/pyrage.py").write_text("raise ImportError('not installed')\n")
    said = set()
    for problem in ("no key", "damaged key", "open key", "linked key", "wrong key", "missing extra"):
        home = tmp_path / problem.replace(" ", "-")
        home.mkdir()
        environ, key = damage(home, problem)
        before = (key.read_bytes(), key.stat().st_mtime_ns, key.stat().st_mode) if key else None
        more = ["--set", "encryption_mode=age"] if problem == "missing extra" else []
        if more:
            environ["PYTHONPATH"] = str(root / "block")
        done = call("run", "t_a", *more, cwd=root, code=4, **environ)
        message = (done.stdout + done.stderr).replace(str(home), "")
        said.add(next(line for line in message.splitlines() if "error" in line.lower()))
        assert "Traceback" not in message
        if key:
            assert (key.read_bytes(), key.stat().st_mtime_ns, key.stat().st_mode) == before
        processed = root / "DATA/processed/t_a"
        left = [path for path in processed.rglob("*") if path.is_file() and path.stat().st_size]
        assert not [path for path in left if b"Ulm" in path.read_bytes()]
        assert not [path for path in left if "output" in path.relative_to(processed).parts]
    assert len(said) == 6


def test_the_output_of_one_task_is_no_input_under_the_name_of_another(tmp_path: Path, table: Path) -> None:
    root = project_with(tmp_path, str(table), allow_external=True, allowed_external_paths=[str(table.parent)])
    call("run", "t_a", cwd=root, PAMOLA_KEY=KEY_TEXT)
    ours, theirs = (root / f"DATA/processed/{task}/output" for task in ("t_a", "t_b"))
    theirs.mkdir(parents=True, exist_ok=True)
    shutil.copy(ours / "safe.csv", theirs / "safe.csv")
    for name, source, code in (("good", ours, 0), ("bad", theirs, 4)):
        step = {"ProfileOperation": {"dataset_name": "people", "output_prefix": "p"}}
        task = {"task_id": name, "input_datasets": {"people": str(source / "safe.csv")}, "operations": [step]}
        (root / f"configs/{name}.json").write_text(json.dumps(task))
        done = call("run", name, cwd=root, code=None, PAMOLA_KEY=KEY_TEXT)
        assert (done.returncode == 0) == (code == 0), done.stdout + done.stderr
        assert ("t_a" in done.stdout + done.stderr) == (code != 0)


def test_a_moved_project_opens_unless_strict_locations_are_asked_for(tmp_path: Path, table: Path) -> None:
    root = project_with(tmp_path, str(table), allow_external=True, allowed_external_paths=[str(table.parent)])
    call("run", "t_a", cwd=root, PAMOLA_KEY=KEY_TEXT)
    released = "DATA/processed/t_a/output/safe.csv"
    strict = root / "configs/prj_config.yaml"
    strict.write_text("encryption: {strict_location: true}\n")
    call("decrypt", released, "--out", "-", cwd=root, PAMOLA_KEY=KEY_TEXT)
    moved = root.rename(tmp_path / "moved")
    refused = call("decrypt", released, "--out", "-", cwd=moved, code=4, PAMOLA_KEY=KEY_TEXT)
    assert "location" in refused.stderr
    assert refused.stdout == ""
    (moved / "configs/prj_config.yaml").unlink()
    call("decrypt", released, "--out", "-", cwd=moved, PAMOLA_KEY=KEY_TEXT)
    (moved / "configs/prj_config.yaml").write_text("encryption: {strict_location: true}\n")
    call("keys", "rekey", "--deep", cwd=moved, PAMOLA_KEY=KEY_TEXT)
    call("decrypt", released, "--out", "-", cwd=moved, PAMOLA_KEY=KEY_TEXT)
