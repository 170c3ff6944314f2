"""Statistics with differential privacy: right on average, within their intervals, bounded by person, charged once."""

from __future__ import annotations

import json
import math
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, in_a_run, outcome_of, run
from hypothesis import given, settings
from hypothesis import strategies as st

from pamola_ops_anonymize import PrivateStatisticsOperation
from pamola_ops_anonymize.accounting import epsilon_of, rho_of
from pamola_ops_anonymize.bounded import Bounded
from pamola_ops_anonymize.persons import Persons
from pamola_tasks.errors import DataRefused, ParameterError

pytest.importorskip("opendp")

ALL: dict[str, Any] = {
    "records": {"kind": "count"},
    "wages": {"kind": "count", "column": "wage"},
    "people": {"kind": "persons"},
    "payroll": {"kind": "sum", "column": "wage", "bounds": [0, 1000]},
    "rate": {"kind": "sum", "column": "rate", "bounds": [-2.5, 2.5]},
    "mean wage": {"kind": "mean", "column": "wage", "bounds": [0, 1000]},
    "ages": {"kind": "histogram", "column": "age", "edges": [0, 18, 65, 120]},
    "sexes": {"kind": "histogram", "column": "sex", "categories": ["f", "m", "x"]},
    "wage": {"kind": "quantiles", "column": "wage", "bounds": [0, 1000], "quantiles": [0.1, 0.5]},
}


def people(count: int = 2000, seed: int = 1) -> pd.DataFrame:
    """Records of one to four a person."""
    rng = np.random.default_rng(seed)
    wage = pd.Series(rng.integers(0, 1000, count), dtype="Int64").mask(rng.random(count) < 0.1)
    return pd.DataFrame(
        {
            "id": rng.integers(0, count // 2, count),
            "sex": rng.choice(["f", "m", "other"], count),
            "age": rng.integers(0, 120, count),
            "wage": wage,
            "rate": rng.normal(0, 1, count),
        }
    )


def table(folder: Path) -> pd.DataFrame:
    (path,) = folder.rglob("people_statistics.csv")
    return pd.read_csv(path, dtype={"of": str}, keep_default_na=False, na_values={"low": [""], "high": [""]})


def one(table: pd.DataFrame, statistic: str, of: str = "") -> Any:
    return table[(table["statistic"] == statistic) & (table["of"] == of)].iloc[0]


@pytest.mark.parametrize("how", [{}, {"mechanism": "gaussian", "delta": 1e-6}])
def test_with_little_noise_all_statistics_are_those_of_the_table(how: dict[str, Any], tmp_path: Path) -> None:
    frame = people()
    operation = PrivateStatisticsOperation(input_dataset="people", statistics=ALL, epsilon=1e5, **how)
    metrics = done(operation, frame, tmp_path)
    found, wage = table(tmp_path), frame["wage"].dropna().astype(float)
    assert one(found, "records").value == len(frame)
    assert one(found, "wages").value == len(wage)
    assert one(found, "payroll").value == pytest.approx(wage.sum(), abs=60)
    assert one(found, "rate").value == pytest.approx(frame["rate"].clip(-2.5, 2.5).sum(), abs=0.3)
    assert one(found, "mean wage").value == pytest.approx(wage.mean(), abs=0.1)
    assert one(found, "ages", "[18,65)").value == frame["age"].between(18, 64).sum()
    assert one(found, "ages", "[65,120]").value == (frame["age"] >= 65).sum()
    assert [one(found, "sexes", of).value for of in "fmx"] == [*(frame["sex"].value_counts()[["f", "m"]]), 0]
    assert one(found, "wage", "0.5").value == pytest.approx(wage.median(), abs=15)
    assert one(found, "wage", "0.1").value == pytest.approx(wage.quantile(0.1), abs=15)
    (path,) = tmp_path.rglob("people_statistics_facts.json")
    told = json.loads(path.read_text())
    assert len(told["figures"]) == len(found) == metrics["figures"]
    assert told["neighbours"].startswith("tables that differ by all records of one record")
    assert str(len(frame)) not in json.dumps(metrics), "the number of records is not told"


@pytest.mark.parametrize("mechanism", ["laplace", "gaussian"])
def test_intervals_cover_as_often_as_they_say(mechanism: Any, tmp_path: Path) -> None:
    """300 groups are 300 draws: 90 % intervals cover in 82 % at least (five deviations), of counts not in all."""
    frame = pd.DataFrame({"g": np.repeat(np.arange(300), 40), "v": np.tile(np.arange(40.0), 300)})
    how: dict[str, Any] = {"delta": 1e-6} if mechanism == "gaussian" else {}
    statistics = {
        "n": {"kind": "count"},
        "s": {"kind": "sum", "column": "v", "bounds": [0, 40]},
        "m": {"kind": "mean", "column": "v", "bounds": [0, 40], "share": 2},
        "q": {"kind": "quantiles", "column": "v", "bounds": [0, 39], "quantiles": [0.1, 0.9], "share": 4},
    }
    operation = PrivateStatisticsOperation(
        input_dataset="people",
        statistics=statistics,
        by={"g": list(range(300))},
        epsilon=4,
        confidence=0.9,
        mechanism=mechanism,
        **how,
    )
    done(operation, frame, tmp_path)
    found = table(tmp_path)
    for name, truth in (("n", 40), ("s", 780), ("m", 19.5)):
        rows = found[found["statistic"] == name]
        assert len(rows) == 300
        covered = ((rows["low"] <= truth) & (truth <= rows["high"])).mean()
        assert 0.82 < covered < (0.985 if name != "m" else 1.01), name
        assert rows["value"].nunique() > 5
    rows = found[found["statistic"] == "q"]
    off = (rows["value"] - rows["of"].astype(float) * 40).abs()
    assert (off <= rows["accuracy"] + 1).mean() > 0.95
    assert off.mean() > rows["accuracy"].mean() / 20, "the bound is not beyond all measure"
    assert rows["accuracy"].max() < 20


def test_the_scale_is_what_a_person_can_change(tmp_path: Path) -> None:
    """Two records in each of three groups: six records by Laplace, 2 √3 by Gauss; a mean has half of its loss."""
    statistics = {
        "n": {"kind": "count"},
        "p": {"kind": "persons"},
        "s": {"kind": "sum", "column": "wage", "bounds": [-100, 50], "share": 2},
        "q": {"kind": "quantiles", "column": "wage", "bounds": [0, 100], "quantiles": [0.1], "share": 6},
    }
    asked: Any = {"input_dataset": "people", "statistics": statistics, "person": "id", "contributions": 2}
    asked |= {"by": {"sex": ["f", "m", "other"]}, "groups_per_person": 3}
    scales = done(PrivateStatisticsOperation(**asked, epsilon=10), people(), tmp_path / "a")["statistics"]
    assert [scales[name]["scale"] for name in "npsq"] == pytest.approx([6.0, 3.0, 300.0, 2 * 0.9 * 2 / (6 / 3)])
    assert [scales[name]["epsilon"] for name in "nps"] == [1, 1, 2]
    metrics = done(PrivateStatisticsOperation(**asked, rho=5, mechanism="gaussian"), people(), tmp_path / "b")
    scales = metrics["statistics"]
    wanted = [2 * math.sqrt(3), math.sqrt(3), 200 * math.sqrt(3) / math.sqrt(2), 2 * 0.9 * 2 / math.sqrt(8 * 3 / 3)]
    assert [scales[name]["scale"] for name in "npsq"] == pytest.approx(wanted)
    assert metrics["spent"] == {"epsilon": None, "delta": 0.0}
    assert metrics["spent_rho"] == 5


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 5), st.sampled_from("abcd")), max_size=40), st.integers(1, 3), st.integers(1, 3)
)
def test_one_person_changes_no_more_than_the_bound(rows: list[tuple[int, str]], records: int, groups: int) -> None:
    frame = pd.DataFrame(rows, columns=["id", "g"]).astype({"id": "int64", "g": "string"})

    def counted(of: pd.DataFrame) -> np.ndarray:
        of = of.reset_index(drop=True)
        persons = Persons.in_columns(of, ["id"], "people")
        data = Bounded.of(of, {"g": ["a", "b", "c"]}, persons, records, groups)
        return data.counted(np.zeros(len(data.frame), dtype=np.int64), 1)

    whole = counted(frame)
    for person in range(6):
        change = np.abs(whole - counted(frame[frame["id"] != person]))
        assert change.max() <= records
        assert (change > 0).sum() <= groups


def test_groups_are_those_that_are_named(tmp_path: Path) -> None:
    frame = pd.DataFrame({"g": [1, 1, 2, 9], "b": [True, False, True, True]})
    by: dict[str, list[Any]] = {"g": [1, "2", 3], "b": [True, False]}
    operation = PrivateStatisticsOperation(
        input_dataset="people", statistics={"n": {"kind": "count"}}, by=by, epsilon=1e5
    )
    done(operation, frame, tmp_path)
    assert table(tmp_path)["value"].tolist() == [1, 1, 1, 0, 0, 0]


def test_counts_are_clamped_where_asked(tmp_path: Path) -> None:
    frame = pd.DataFrame({"g": ["a"] * 3})
    asked: Any = {"input_dataset": "people", "statistics": {"n": {"kind": "count"}}, "epsilon": 0.1}
    operation = PrivateStatisticsOperation(**asked, by={"g": [str(n) for n in range(50)]}, clamp=True)
    assert done(operation, frame, tmp_path)["clamped"] is True
    assert table(tmp_path)["value"].min() == 0


# ---------------------------------------------------------------- the ledger


def test_a_step_is_charged_once_and_refused_before_data_is_read(tmp_path: Path) -> None:
    asked: Any = {"input_dataset": "people", "statistics": ALL, "mechanism": "gaussian", "epsilon": 1, "delta": 1e-6}
    limits: Any = {"budget_epsilon": 1.5, "budget_delta": 1e-6}
    (step,) = in_a_run(PrivateStatisticsOperation(**asked, **limits), people(), tmp_path).record.steps
    assert step.metrics["spent"] == {"epsilon": 1, "delta": 1e-6}
    assert step.metrics["spent_rho"] == pytest.approx(rho_of(1, 1e-6))
    (line,) = (tmp_path / "configs/privacy_ledger.jsonl").read_text().splitlines()
    assert '"mechanism":"gaussian"' in line
    in_a_run(PrivateStatisticsOperation(**asked, output_dataset="again"), people(), tmp_path)  # 1.45 by zCDP
    assert 1.4 < epsilon_of(2 * rho_of(1, 1e-6), 1e-6) < 1.5
    refused = outcome_of(PrivateStatisticsOperation(**asked, output_dataset="third"), people(), tmp_path)
    assert isinstance(refused.error, DataRefused)
    assert not list(tmp_path.rglob("third*"))


@pytest.mark.parametrize(
    ("parameters", "frame", "message"),
    [
        ({"statistics": {"n": {"kind": "count", "column": "wagee"}}}, people(9), "no column wagee"),
        ({"by": {"sexx": ["f"]}}, people(9), "no column sexx"),
        ({"person": "idd", "contributions": 1}, people(9), "no column idd"),
        ({"person": "sex", "contributions": 1}, people(9).assign(sex=None), "have no sex"),
        ({"statistics": {"s": {"kind": "sum", "column": "sex", "bounds": [0, 1]}}}, people(9), "holds no numbers"),
        (
            {"statistics": {"s": {"kind": "sum", "column": "age", "bounds": [0.1, 0.9]}}},
            people(9),
            "hold no two of them",
        ),
        ({"output_format": "cvs"}, people(9), "unknown dataset format"),
        ({}, people(9).head(0), "has no records"),
    ],
)
def test_a_slip_costs_nothing(parameters: dict[str, Any], frame: pd.DataFrame, message: str, tmp_path: Path) -> None:
    asked: Any = {"input_dataset": "people", "statistics": {"n": {"kind": "count"}}, "epsilon": 1}
    result = run(PrivateStatisticsOperation(**{**asked, **parameters}), frame, tmp_path)
    assert message in str(result.error_message)
    assert not [path for path in tmp_path.rglob("privacy_ledger.jsonl") if path.stat().st_size]


def test_without_opendp_the_message_says_how_to_install_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    asked: Any = {"input_dataset": "people", "statistics": {"n": {"kind": "count"}}, "epsilon": 1}
    result = run(PrivateStatisticsOperation(**asked), people(9), tmp_path)
    assert 'pip install "pamola-ops-anonymize[dp]"' in str(result.error_message)


COUNT: Any = {"n": {"kind": "count"}}


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"statistics": {}}, "at least one statistic"),
        ({"statistics": {"n": {"kind": "median"}}}, "kind"),
        ({"statistics": {"n": {"kind": "count", "colum": "a"}}}, "colum"),
        ({"statistics": {"n": {"kind": "sum", "column": "a"}}}, "a sum needs `bounds`"),
        ({"statistics": {"n": {"kind": "sum", "column": "a", "bounds": [1, 0]}}}, "lowest and the highest"),
        ({"statistics": {"n": {"kind": "count", "bounds": [0, 1]}}}, "`bounds` does nothing"),
        ({"statistics": {"n": {"kind": "histogram", "column": "a"}}}, "either `edges` or `categories`"),
        ({"statistics": {"n": {"kind": "histogram", "column": "a", "edges": [1, 1]}}}, "ascending"),
        ({"statistics": {"n": {"kind": "histogram", "column": "a", "categories": ["1", 1]}}}, "different values"),
        ({"statistics": {"n": {"kind": "quantiles", "column": "a", "bounds": [0, 1], "quantiles": [1]}}}, "between 0"),
        ({"statistics": {"n": {"kind": "count", "share": 0}}}, "`share`"),
        ({"epsilon": None}, "either `epsilon` or `rho`"),
        ({"rho": 1, "mechanism": "gaussian"}, "either `epsilon` or `rho`"),
        ({"epsilon": None, "rho": 1}, "`rho` belongs to `mechanism: gaussian`"),
        ({"mechanism": "gaussian"}, "`delta` belongs to"),
        ({"person": "id"}, "`person` needs `contributions`"),
        ({"person": "id", "contributions": 1, "by": {"a": [1]}}, "needs `groups_per_person`"),
        ({"groups_per_person": 1}, "belongs to `person` and `by`"),
        ({"by": {"a": [1, "1"]}}, "different values"),
        ({"by": {"value": [1]}}, "a column of the result"),
        ({"by": {"a": list(range(1000)), "b": list(range(1000))}}, "more than 100,000 groups"),
    ],
)
def test_a_wrong_parameter_is_told_when_the_step_is_added(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        PrivateStatisticsOperation(**{"input_dataset": "people", "statistics": COUNT, "epsilon": 1, **parameters})
