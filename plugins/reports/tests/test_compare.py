"""What `compare` says of facts that a run of the example does not have, and the page that it opens."""

from __future__ import annotations

import copy
import importlib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from pamola_tasks import Kernel
from pamola_tasks_cli.app import Invocation
from pamola_tasks_reports import TaskReporter
from pamola_tasks_reports.compare_command import compare_runs
from pamola_tasks_reports.comparing import compare
from pamola_tasks_reports.comparison import comparison_page

NEWER = "01990000-0000-7000-8000-000000000002"


@pytest.fixture
def report(tmp_path: Path, make_run: Any) -> dict[str, Any]:
    """The report of a run with two steps."""
    (tmp_path / ".pamolaProject").touch()
    return TaskReporter.of_run(make_run(tmp_path)).generate_report()


def told(old: dict[str, Any], new: dict[str, Any], group: str) -> list[tuple[Any, ...]]:
    """The facts of a group that differ: step, path, old, new, change and direction."""
    found = [fact for each in compare(old, new)["groups"] if each["key"] == group for fact in each["facts"]]
    keys = ("step", "path", "old", "new", "change", "direction")
    return [tuple(fact[key] for key in keys) for fact in found if fact["change"] != "same"]


def test_a_step_that_one_run_has_is_told_once(report: dict[str, Any]) -> None:
    new = copy.deepcopy(report)
    del new["operations"][0]
    assert told(report, new, "steps") == [("profile", ("operation",), "ProfileOperation", None, "gone", "")]
    assert told(report, new, "figures") == []


def test_a_secret_that_both_reports_mask_is_not_called_the_same(report: dict[str, Any]) -> None:
    assert told(report, report, "settings") == [("", ("db_password",), "***", "***", "hidden", "")]
    assert compare(report, report)["hidden"] == 1
    assert compare(report, report)["differences"] == 0


@pytest.mark.parametrize(
    ("before", "after", "direction"),
    [("not met", "met", "better"), ("met", "met with open questions", "worse"), ("none claimed", "met", "")],
)
def test_the_verdict_has_a_direction_where_both_runs_claim(
    report: dict[str, Any], before: str, after: str, direction: str
) -> None:
    old, new = ({**report, "verdict": {"verdict": word, "sentence": "s"}} for word in (before, after))
    assert told(old, new, "verdict") == [("", ("verdict",), before, after, "changed", direction)]


STEP = {"step": "s", "name": "SomeOperation", "status": "success", "reads": ["people"]}


def runs(*steps: dict[str, Any], verdicts: tuple[str, str] = ("met", "met")) -> list[dict[str, Any]]:
    """Two reports with a step each, as given."""
    return [
        {"operations": [{**STEP, **step}], "verdict": {"verdict": word}}
        for step, word in zip(steps, verdicts, strict=True)
    ]


def directions(old: dict[str, Any], new: dict[str, Any]) -> dict[tuple[str, ...], str]:
    """What is said of each figure."""
    return {
        fact["path"]: fact["direction"]
        for group in compare(old, new)["groups"]
        if group["key"] in ("verdict", "claims", "risk", "loss")
        for fact in group["facts"]
    }


@pytest.mark.parametrize(
    ("writes", "before", "after", "judged"),
    [
        ([], {"risk_threshold": 0.01}, {"risk_threshold": 0.5}, ""),
        ([], {"attempts": 10}, {"attempts": 1000}, ""),
        ([], {"weights": "w"}, {"weights": "v"}, ""),
        ([], {"output_prefix": "a"}, {"output_prefix": "b"}, "better"),
        (["safe"], {"k": 5}, {"k": 10}, "better"),
        (["safe"], {"strategy": "mondrian"}, {"strategy": "hierarchy"}, "better"),
        (["safe"], {"weights": {"age": 1}}, {"weights": {"age": 2}}, "better"),
        (["safe"], {"nulls": "value"}, {"nulls": "suppress"}, ""),
        (["safe"], {"a_setting_of_another": 1}, {"a_setting_of_another": 2}, ""),
    ],
)
def test_a_figure_is_judged_only_where_it_is_counted_in_the_same_way(
    writes: list[str], before: dict[str, Any], after: dict[str, Any], judged: str
) -> None:
    """All settings of a step that measures count; of one that releases all but what is asked and how it is reached."""
    old, new = runs(
        {"writes": writes, "settings": before, "metrics": {"journalist": {"share_at_risk": 1.0}}},
        {"writes": writes, "settings": after, "metrics": {"journalist": {"share_at_risk": 0.0}}},
    )
    assert directions(old, new)["journalist", "share_at_risk"] == judged


ROLE = {"column": "age", "role": "quasi-identifier", "said": "stated"}


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        ({"settings": {"risk_threshold": 0.01}}, {"settings": {"risk_threshold": 0.5}}, "s › risk_threshold"),
        ({"settings": {"suppression_limit": 0.1}}, {"settings": {"suppression_limit": 1}}, "s › suppression_limit"),
        ({"metrics": {"k_claimed": 9}}, {"metrics": {"k_claimed": 2}}, "s › k claimed"),
        ({"metrics": {"roles": [ROLE]}}, {"metrics": {"roles": [{**ROLE, "role": "insensitive"}]}}, "s › role of age"),
        ({"metrics": {}}, {"step": "other"}, "s › operation"),
        ({"settings": {"strategy": "mondrian"}}, {"settings": {"strategy": "hierarchy"}}, ""),
    ],
)
def test_a_verdict_is_judged_only_where_the_same_was_asked(
    before: dict[str, Any], after: dict[str, Any], named: str
) -> None:
    figures = {"risk": 1, "k_claimed": 5}
    steps = [{**each, "metrics": {**figures, **each.get("metrics", {})}} for each in (before, after)]
    old, new = runs(*steps, verdicts=("met with open questions", "met"))
    assert directions(old, new)["verdict",] == ("" if named else "better")
    asked = [each for each in compare(old, new)["subjects"] if each["step"] == ""]
    assert [named in each["old"] for each in asked] == [True] * bool(named)
    page = comparison_page({**compare(old, new), "chosen": "", "altered": [], "notes": []}, "md").decode()
    assert ("so it cannot be called better or worse" in page) == bool(named)


def test_losses_are_judged_like_with_like() -> None:
    """Of tables that are published as sets and as labels of a hierarchy the two measures are compared, not what each
    publishes."""
    metrics = {"ncp_set": 0.2, "ncp_hier": 0.4, "information_loss": 0.2, "information_loss_measure": "ncp_set"}
    other = {"ncp_set": 0.3, "ncp_hier": 0.3, "information_loss": 0.3, "information_loss_measure": "ncp_hier"}
    found = directions(*runs(*({"writes": ["t"], "metrics": each} for each in (metrics, other))))
    assert (found["ncp_set",], found["ncp_hier",], found["information_loss",]) == ("worse", "better", "")
    same = directions(*runs(*({"writes": ["t"], "metrics": {**each, "information_loss_measure": "ncp_set"}}
                              for each in (metrics, other))))  # fmt: skip
    assert same["information_loss",] == "worse"


def test_what_differs_by_rounding_only_is_the_same() -> None:
    noise = [{"metrics": {"sensitive": {"d": {"t": t, "ts": [t, 1]}}, "k_measured": k}}
             for t, k in ((0.3611, 3), (0.3611 + 3.053e-15, 4))]  # fmt: skip
    old, new = runs(*noise)
    assert told(old, new, "risk") == []
    assert [fact[1] for group in ("claims", "figures") for fact in told(old, new, group)] == [("k_measured",)]


def test_the_page_is_opened_in_the_browser(tmp_path: Path, make_run: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".pamolaProject").touch()
    TaskReporter.of_run(make_run(tmp_path)).save_report()
    newer = make_run(tmp_path, success=False)
    newer.record.run_id = NEWER
    TaskReporter.of_run(newer).save_report()
    names = ("config", "paths", "directories", "redaction")
    state = Invocation()
    state.kernel = Kernel(
        tmp_path, autoload=False, plugins=[importlib.import_module(f"pamola_tasks_{name}.plugin") for name in names]
    )
    opened: list[str] = []
    monkeypatch.setattr("click.launch", lambda url: opened.append(url) or 0)
    done = CliRunner().invoke(compare_runs, ["t_1", NEWER[:-1] + "1", NEWER, "--open"], obj=state)
    assert done.exit_code == 0, done.exception
    assert opened == [str(tmp_path / "DATA/processed/t_1/temp/comparison.html")]
    assert "the new run did not succeed" in Path(opened[0]).read_text()
