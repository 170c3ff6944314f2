"""`pamola-task compare`: what it says of two runs is what their reports say, counted here from these."""

from __future__ import annotations

import hashlib
import json
import re
import zlib
from pathlib import Path
from typing import Any

import pytest
from slow_task import begin_slow

KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}


def reports(project: Path, task: str = "example") -> list[dict[str, Any]]:
    """The reports of a task's runs, oldest first."""
    return [json.loads(path.read_text()) for path in sorted((project / "DATA/reports" / task).glob("*.json"))]


def edit(project: Path, pattern: str, text: str) -> None:
    """Change the example's configuration."""
    path = project / "configs/example.yaml"
    changed, count = re.subn(pattern, text, path.read_text())
    assert count == 1, pattern
    path.write_text(changed)


def facts(told: dict[str, Any], group: str, *path: str) -> list[dict[str, Any]]:
    """The facts of a comparison in a group whose path begins like this."""
    found = [fact for each in told["groups"] if each["key"] == group for fact in each["facts"]]
    return [fact for fact in found if fact["path"][: len(path)] == [*path]]


def leaves(item: Any, path: tuple[str, ...] = ()) -> dict[tuple[str, ...], Any]:
    """The numbers in nested metrics, by path."""
    if isinstance(item, dict):
        return {p: v for key, inner in item.items() for p, v in leaves(inner, (*path, key)).items()}
    return {path: item} if isinstance(item, (int, float)) and not isinstance(item, bool) else {}


@pytest.fixture
def example(project) -> Path:
    """The example, without the register of releases, which would refuse a second release of the same people."""
    edit(project, r"(?m)^( +)k: 3$", r"\1k: 3\n\1register: false")
    return project


def run_twice(cli: Any, example: Path) -> None:
    """Run the example with k = 3, then with another k, on a table with a record less."""
    cli("run", "example", cwd=example, code=0)
    edit(example, r"\bk: 3\b", "k: 6")
    table = example / "DATA/raw/example.csv"
    table.write_text("".join(table.read_text().splitlines(keepends=True)[:-1]))
    cli("run", "example", cwd=example, code=0)


def test_two_runs_are_compared_fact_by_fact(cli, example):
    run_twice(cli, example)
    told = json.loads(cli("compare", "example", "--json", cwd=example, code=0).stdout)
    figures_are_those_of_the_reports(told, *reports(example))
    settings_have_a_place_and_figures_a_direction(told, reports(example)[0])
    shown = cli("compare", "example", cwd=example, code=0).stdout
    assert "stronger" in shown
    assert re.search(r"› k +\| 3 +\| 6 +\| \+3 ", shown)
    assert "k measured" in cli("compare", "example", "--format", "html", cwd=example, code=0).stdout
    runs = [report["run"]["id"] for report in reports(example)]
    turned = json.loads(cli("compare", "example", *reversed(runs), "--json", "--all", cwd=example, code=0).stdout)
    assert facts(turned, "claims", "k_measured")[0]["direction"] == "worse"
    assert "the newer one" in turned["notes"][0]
    assert {fact["change"] for fact in facts(turned, "versions")} == {"same"}
    assert sum(len(group["facts"]) for group in turned["groups"]) == turned["same"] + turned["differences"]


def figures_are_those_of_the_reports(told: dict[str, Any], old: dict[str, Any], new: dict[str, Any]) -> None:
    """All numbers of all metrics that differ, counted from the two reports; and nothing else."""
    assert (told["schema"], told["old"]["id"], told["new"]["id"]) == (1, old["run"]["id"], new["run"]["id"])
    wanted = {}
    for before, after in zip(old["operations"], new["operations"], strict=True):
        first, second = leaves(before["metrics"]), leaves(after["metrics"])
        wanted |= {
            (before["step"], *path): (first.get(path), second.get(path))
            for path in first.keys() | second.keys()
            if first.get(path) != second.get(path) and path[0] not in ("verdict", "roles")
        }
    groups = ("claims", "risk", "loss", "rows", "figures")
    found = {
        (fact["step"], *fact["path"]): (fact["old"], fact["new"])
        for group in groups
        for fact in facts(told, group)
        if isinstance(fact["old"] or fact["new"], (int, float)) and not fact["path"][0].startswith("loss of ")
    }
    assert found == wanted
    assert len(wanted) > 5
    for group in groups:
        for fact in facts(told, group):
            if fact["absolute"] is not None:
                assert fact["old"] + fact["absolute"] == pytest.approx(fact["new"])
                assert fact["relative"] is None or fact["old"] * (1 + fact["relative"]) == pytest.approx(fact["new"])


def settings_have_a_place_and_figures_a_direction(told: dict[str, Any], old: dict[str, Any]) -> None:
    (k,) = facts(told, "settings", "k")
    assert (k["old"], k["new"], k["where"]) == (3, 6, [f"task file, {old['configuration']['operations']['place']}"] * 2)
    (measured,) = facts(told, "claims", "k_measured")
    assert measured["direction"] == "better"
    assert {fact["direction"] for fact in facts(told, "loss", "information_loss")} == {"worse"}
    (rows,) = facts(told, "data", "input people", "rows")
    assert rows["absolute"] == -1
    assert facts(told, "data", "input people", "SHA-256")[0]["change"] == "changed"
    assert facts(told, "versions") == []


def test_figures_about_other_columns_are_neither_better_nor_worse(cli, example):
    cli("run", "example", cwd=example, code=0)
    edit(example, r"quasi_identifiers: \[age, ", "quasi_identifiers: [")
    cli("run", "example", cwd=example, code=0)
    told = json.loads(cli("compare", "example", "--json", cwd=example, code=0).stdout)
    assert any(fact["absolute"] for fact in facts(told, "loss"))
    judged = [fact for group in ("claims", "risk", "loss") for fact in facts(told, group) if fact["direction"]]
    assert {fact["step"] for fact in judged} <= {"ProfileOperation-2"}  # which profiles the same columns
    (subject,) = (each for each in told["subjects"] if not each["same"])
    assert set(subject["old"]["quasi_identifiers"]) - set(subject["new"]["quasi_identifiers"]) == {"age"}
    assert "cannot be called better or worse" in cli("compare", "example", cwd=example, code=0).stdout


def test_what_cannot_be_compared_is_refused_in_words(cli, project):
    assert "has no run that succeeded" in cli("compare", "example", cwd=project, code=2).stderr
    cli("run", "example", cwd=project, code=0)
    first = reports(project)[0]["run"]["id"]
    assert first in cli("compare", "example", cwd=project, code=2).stderr
    assert "1 was named" in cli("compare", "example", first, cwd=project, code=2).stderr
    assert "are the same run" in cli("compare", "example", first, first[:13], cwd=project, code=2).stderr
    assert "no run 'ffff'" in cli("compare", "example", first, "ffff", cwd=project, code=2).stderr
    (project / "DATA/raw/example.csv").rename(project / "away.csv")
    cli("run", "example", cwd=project, code=2)
    last = reports(project)[-1]["run"]["id"]
    assert (
        f"only one run of example succeeded and has a report, {first}"
        in cli("compare", "example", cwd=project, code=2).stderr
    )
    assert "the new run did not succeed" in cli("compare", "example", first, last, cwd=project, code=0).stdout
    (project / f"DATA/reports/example/{first}.json").unlink()
    assert "is gone" in cli("compare", "example", first, last, cwd=project, code=1).stderr


def test_a_run_that_has_not_ended_is_refused(cli, project, start):
    process = begin_slow(project, start)
    try:
        log = (project / "configs/execution_log.jsonl").read_text().splitlines()
        run = next(json.loads(line[9:])["run_id"] for line in log)
        assert "has not ended" in cli("compare", "slow.py", run, run[:13], cwd=project, code=75).stderr
    finally:
        process.kill()
        process.wait()
    assert "nothing says how it ended" in cli("compare", "slow.py", run, run[:13], cwd=project, code=2).stderr


def test_without_the_key_what_is_public_is_compared(cli, example):
    """A run that encrypts beside one that does not: with the key all of both, without it the same parts of both."""
    cli("run", "example", cwd=example, code=0)
    cli("run", "example", "--set", "use_encryption=true", "--restart", cwd=example, env=KEY, code=0)
    whole = json.loads(cli("compare", "example", "--json", "--all", cwd=example, env=KEY, code=0).stdout)
    public = json.loads(cli("compare", "example", "--json", "--all", cwd=example, code=0).stdout)
    assert whole["notes"] == []
    assert "cannot be read here" in public["notes"][0]
    assert facts(public, "figures", "unlisted_columns") == []
    assert facts(whole, "figures", "unlisted_columns")[0]["change"] == "same"
    assert facts(public, "claims", "k_measured")[0]["change"] == "same"
    assert facts(whole, "data", "output safe", "encryption")[0]["new"] == "simple"
    assert whole["same"] > public["same"] > 100


@pytest.mark.parametrize("env", [{}, KEY], ids=["plain", "keys"])
def test_a_report_that_is_not_as_the_history_recorded_it_is_no_fact(cli, example, env):
    """Edited by hand from k = 6 to 99: both commands that show it say so, and exit with 1."""
    (example / "configs/prj_config.yaml").open("a").write("use_encryption: true\n" if env else "")
    run_twice(lambda *args, **kwargs: cli(*args, env=env, **kwargs), example)
    newest = reports(example)[-1]["run"]["id"]
    own, shown = example / f"DATA/reports/example/{newest}.json", example / "DATA/reports/example_report.json"
    before = hashlib.sha256(own.read_bytes()).hexdigest()
    for path in (own, shown):
        path.write_text(re.sub(r'"k_measured": \d+', '"k_measured": 99', path.read_text()))
    done = cli("compare", "example", "--json", cwd=example, env=env, code=1)
    (altered,) = json.loads(done.stdout)["altered"]
    assert altered == f"DATA/reports/example/{newest}.json was changed since run {newest} wrote it"
    assert altered in done.stderr
    assert "not as recorded" in cli("compare", "example", cwd=example, env=env, code=1).stdout
    assert altered in cli("report", "example", "--run", newest, cwd=example, env=env, code=1).stderr
    assert "was changed since" in cli("report", "example", "--json", cwd=example, env=env, code=1).stderr
    log = example / "configs/execution_log.jsonl"
    if env:  # who has not the key cannot have the history say otherwise
        body = log.read_text().splitlines()[-1][9:].replace(before, hashlib.sha256(own.read_bytes()).hexdigest())
        for forged in (body, re.sub(r',"mac":"\w+"', "", body)):
            lines = [*log.read_text().splitlines()[:-1], f"{zlib.crc32(forged.encode()):08x} {forged}"]
            log.write_text("\n".join(lines) + "\n")
            assert "so that nothing proves" in cli("compare", "example", cwd=example, env=env, code=1).stderr
    log.write_text("".join(line for line in log.read_text().splitlines(keepends=True) if newest not in line))
    assert "no run that wrote it" in cli("compare", "example", cwd=example, env=env, code=1).stdout
