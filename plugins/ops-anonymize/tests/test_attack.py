"""Attacks, against counts by hand and by plain searches of all records; against anonymeter in `test_anonymeter`."""

from __future__ import annotations

import itertools
import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, in_a_run, run, written

from pamola_ops_anonymize import AnonymizeOperation, AttackOperation, HoldOutOperation
from pamola_ops_anonymize.strangers import check_control
from pamola_tasks import Kernel
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks.record import OperationStatus
from pamola_tasks_compat import TaskRunner

RNG = np.random.default_rng(7)


def people(rows: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    age = rng.integers(18, 80, rows)
    town = rng.choice(list("abcdefgh"), rows)
    ill = np.where(rng.random(rows) < 0.5, rng.choice(list("uvwxyz"), rows), np.where(age > 50, "old", "young"))
    return pd.DataFrame({"age": age, "sex": rng.choice(["f", "m"], rows), "town": town, "ill": ill})


QUASI = ["age", "sex", "town"]
INSIDE, OUTSIDE = people(600, 1), people(600, 2)


def attacked(release: pd.DataFrame, folder: Path, **more: Any) -> dict[str, Any]:
    frames = {name: more.pop(name) for name in list(more) if isinstance(more[name], pd.DataFrame)}
    original = frames.pop("original", INSIDE)
    settings: Any = {"original_dataset": "people", "anonymized_dataset": "release", "quasi_identifiers": QUASI}
    return done(AttackOperation(**{**settings, **more}), original, folder, release=release, **frames)


def released(frame: pd.DataFrame, folder: Path, **settings: Any) -> pd.DataFrame:
    how: Any = {"input_dataset": "people", "output_dataset": "safe", "quasi_identifiers": QUASI, **settings}
    done(AnonymizeOperation(**how), frame, folder)
    return written(folder, "safe")


# ---------------------------------------------------------------- rates


def test_wilson_and_risk_by_hand(tmp_path: Path) -> None:
    """Eight of ten: the interval of the textbooks is .490 to .943; the risk is (a - c) / (1 - c) of the centres."""
    told = attacked(
        INSIDE, tmp_path, control=OUTSIDE, control_dataset="control", sensitive_attributes=["ill"], attempts=600
    )
    found = told["attacks"]["inference_ill"]
    z, attempts = 1.959964, found["attempts"]
    centre = [(found[f"successes{what}"] + z * z / 2) / (attempts + z * z) for what in ("", "_control")]
    assert found["risk"] == pytest.approx((centre[0] - centre[1]) / (1 - centre[1]), abs=1e-6)
    assert found["risk_low"] < found["risk"] < found["risk_high"]
    rate = f"{found['successes']} of 600 guesses of ill from age, sex, town were right"
    assert found["meaning"].startswith(rate)
    (path,) = tmp_path.rglob("release_attacks.json")
    assert "internal" in path.parts
    written_down = json.loads(path.read_bytes())
    assert written_down["attacks"] == told["attacks"]
    assert written_down["charts"][0]["series"][2]["name"] == "risk"


def test_a_risk_below_zero_is_said_in_words(tmp_path: Path) -> None:
    """Nobody of the table has the released town, half of the others do: its interval was 0.0 % to 0.0 %."""
    here, there = INSIDE.assign(town="a"), OUTSIDE.assign(town=list("ab") * 300)
    release = pd.DataFrame({"age": [40, 41], "town": ["b", "b"]})
    told = attacked(
        release, tmp_path, original=here, control=there, control_dataset="control", quasi_identifiers=["age"],
        sensitive_attributes=["town"], attacks=["inference"], attempts=600,
    )["attacks"]["inference_town"]  # fmt: skip
    assert (told["rate"], told["rate_control"]) == (0, 0.5)
    assert (told["risk"], told["risk_high"]) == (0, 0)
    assert told["risk_low_unclipped"] < told["risk_unclipped"] < told["risk_high_unclipped"] < 0
    assert "were right, 0.0 % (300 of 600 for people who are not in the table, 50.0 %): the attack" in told["meaning"]
    assert "succeeds no more often than for people who are not in the table" in told["meaning"]
    assert f"interval {100 * told['risk_low_unclipped']:.1f} % to -" in told["meaning"]


@pytest.mark.parametrize("rows", [1, 3, 600])
def test_attempts_at_singling_out_are_the_predicates_there_are(rows: int, tmp_path: Path) -> None:
    """All predicates of a table that is released as it is single someone out; those that do not exist do not fail."""
    table, control = INSIDE[QUASI].iloc[:rows], OUTSIDE[QUASI].iloc[:rows]
    how: Any = {"original_dataset": "people", "anonymized_dataset": "release", "quasi_identifiers": QUASI}
    how |= {"control_dataset": "control", "attempts": 5000, "attacks": ["singling_out"]}
    result = run(AttackOperation(**how), table, tmp_path, release=table, control=control)
    told = result.metrics["attacks"]["singling_out_multivariate"]
    assert told["successes"] == told["predicates"] == len(all_predicates(table, QUASI, 3)) > 0
    assert told["attempts"] == told["attempts_control"] == told["attempts_baseline"] == told["predicates"]
    assert any(f"only {told['predicates']:,} were found" in each for each in result.warnings) == (rows < 600)


@pytest.mark.parametrize("rows", [1, 3, 40])
def test_a_release_that_says_nothing_is_attacked(rows: int, tmp_path: Path) -> None:
    table = INSIDE.iloc[:rows]
    told = attacked(
        table.assign(**dict.fromkeys(table, "*")), tmp_path, original=table, control=OUTSIDE.iloc[:rows],
        control_dataset="control", sensitive_attributes=["ill"],
    )["attacks"]  # fmt: skip
    many = told["singling_out_multivariate"]
    # all records look alike, so that one record has the four sets of three columns; one person alone is the only one
    assert (many["attempts"], many["successes"], many["risk"]) == (4, 4 if rows == 1 else 0, 0)
    assert 0 <= many["risk_high"] < 1 or rows == 1


# ---------------------------------------------------------------- singling out


def all_predicates(table: pd.DataFrame, columns: list[str], count: int) -> dict[Any, pd.Series]:
    """Every predicate of the form of the paper that one of the different records satisfies."""
    different, median, found = table.drop_duplicates(), table.drop_duplicates()["age"].median(), {}
    for names in itertools.combinations(columns, count):
        for record in different.to_dict("records"):
            asked = tuple(
                (name, "==" if name != "age" else ">=" if record[name] > median else "<=", record[name])
                for name in names
            )
            if asked not in found and satisfied(different, asked).sum() == 1:
                found[asked] = None
    return found


def satisfied(table: pd.DataFrame, asked: Any) -> pd.Series:
    compare = {"==": pd.Series.eq, ">=": pd.Series.ge, "<=": pd.Series.le}
    return np.logical_and.reduce([compare[operator](table[name], value) for name, operator, value in asked])


def test_singling_out_finds_the_predicates_of_a_search_of_all(tmp_path: Path) -> None:
    release = INSIDE.assign(town=INSIDE["town"].where(INSIDE["town"] < "e", "e")).iloc[:150]
    original, control = INSIDE.iloc[:200], OUTSIDE.iloc[:200]
    told = attacked(
        release, tmp_path, original=original, control=control, control_dataset="control", attempts=5000,
        sensitive_attributes=["ill"], attacks=["singling_out"],
    )["attacks"]["singling_out_multivariate"]  # fmt: skip
    expected = all_predicates(release, [*QUASI, "ill"], 3)
    assert told["predicates"] == len(expected) > 100
    for table, counted in ((original, told["successes"]), (control, told["successes_control"])):
        different = table.drop_duplicates()
        truly = sum(satisfied(different, asked).sum() == 1 for asked in expected)
        assert counted == pytest.approx(truly, abs=0 if table is original else 0.1 * truly)  # a little fewer differ


def test_a_person_of_several_records_is_singled_out_as_one(tmp_path: Path) -> None:
    table = pd.DataFrame({"who": list("abccc"), "age": [30, 30, 70, 70, 71], "town": list("xxyzy")})
    how: Any = {"original": table, "quasi_identifiers": ["age"], "sensitive_attributes": ["town"]}
    how |= {"attacks": ["singling_out"], "predicate_columns": 2, "attempts": 50}
    release = pd.DataFrame({"age": [30, 70], "town": ["x", "y"]})
    records = attacked(release, tmp_path / "a", **how)["attacks"]["singling_out_univariate"]
    persons = attacked(release, tmp_path / "b", **how, person="who")["attacks"]["singling_out_univariate"]
    assert (records["predicates"], persons["predicates"]) == (5, 5)
    # of records that differ, 30 and x are one each; of persons, c alone is 70, at least 70, and in y
    assert (records["successes"], persons["successes"]) == (2, 3)
    two = table.assign(who=list("abcde"), age=[30, 30, 70, 70, 71], town=list("xxyyy"))
    alike = attacked(release, tmp_path / "c", **{**how, "original": two}, person="who")
    assert alike["attacks"]["singling_out_univariate"]["successes"] == 0


# ---------------------------------------------------------------- nearest records


def nearest(queries: pd.DataFrame, table: pd.DataFrame) -> np.ndarray:
    """Distances record by record: ages by the range of both tables, categories equal or not."""
    ages = pd.concat([INSIDE["age"], OUTSIDE["age"]])
    far = np.abs(queries["age"].to_numpy()[:, None] - table["age"].to_numpy()) / (ages.max() - ages.min())
    for name in ("sex", "town", "ill"):
        far = far + (queries[name].to_numpy()[:, None] != table[name].to_numpy())
    return np.asarray(far)


def test_closest_records_and_membership_are_those_of_a_search_of_all(tmp_path: Path) -> None:
    release = pd.concat([INSIDE.iloc[:300], people(300, 3)], ignore_index=True)
    told = attacked(
        release, tmp_path, control=OUTSIDE, control_dataset="control", sensitive_attributes=["ill"],
        attacks=["record_linkage", "membership"], attempts=600,
    )["attacks"]  # fmt: skip
    here, there = (np.sort(nearest(release, table), axis=1) for table in (INSIDE, OUTSIDE))
    linkage = told["record_linkage"]
    assert linkage["original"]["dcr_zero"] == pytest.approx((here[:, 0] == 0).mean())
    assert linkage["control"]["dcr_median"] == pytest.approx(np.median(there[:, 0]))
    ratio = np.where(there[:, 1] > 0, there[:, 0] / np.where(there[:, 1] > 0, there[:, 1], 1), 1)
    assert linkage["control"]["nndr_median"] == pytest.approx(np.median(ratio))
    nearer = int((here[:, 0] < there[:, 0] - 1e-9).sum())
    assert (linkage["successes"], linkage["attempts"]) == (nearer, 600)
    members, others = (nearest(table, release).min(axis=1) for table in (INSIDE, OUTSIDE))
    wins = (members[:, None] < others - 1e-9).mean() + (np.abs(members[:, None] - others) <= 1e-9).mean() / 2
    assert told["membership"]["auc"] == pytest.approx(wins)
    assert told["membership"]["successes"] + told["membership"]["successes_control"] == 600
    assert told["membership"]["risk_low"] > 0.1


def test_a_class_that_shares_a_value_gives_it_away_whatever_its_cells_look_like(tmp_path: Path) -> None:
    table = pd.DataFrame({"age": [20, 24, 31, 39, 52, 77], "town": list("abcdef"), "ill": list("uuvvww")})
    table = pd.concat([table] * 4, ignore_index=True)
    cells = {20: "[20,25)", 24: "<25", 31: "[30,39]", 39: "[30,39]", 52: ">=50", 77: "*"}
    towns = {"a": "{a|b}", "b": "{a|b}", "c": "*", "d": "north", "e": "{e|f}", "f": "{e|f}"}
    release = table.assign(age=table["age"].map(cells), town=table["town"].map(towns)).iloc[::-1]
    lines = pd.DataFrame([[town, "south" if town in "abef" else "north", "*"] for town in "abcdef"])
    told = attacked(
        release, tmp_path, original=table, quasi_identifiers=["age", "town"], sensitive_attributes=["ill"],
        hierarchies={"town": "towns"}, towns=lines, attacks=["inference"],
    )["attacks"]["inference_ill"]  # fmt: skip
    assert (told["attempts"], told["successes"], told["compared_with"]) == (24, 24, "baseline")


def test_linking_needs_both_sets_of_columns_to_lead_to_the_record(tmp_path: Path) -> None:
    table = pd.DataFrame({"a": range(40), "b": range(100, 140), "c": [0, 1] * 20})
    how: Any = {"original": table, "quasi_identifiers": ["a", "b", "c"], "attacks": ["linkability"]}
    both = attacked(table, tmp_path / "1", **how, linked_columns=[["a"], ["b"]])["attacks"]["linkability"]
    assert both["successes"] == 40
    chance = attacked(table, tmp_path / "2", **how, linked_columns=[["a"], ["c"]])["attacks"]["linkability"]
    assert chance["successes"] < 12  # one of the twenty who share c


# ---------------------------------------------------------------- two releases, and ends of cells


def test_two_releases_leave_one_value_that_neither_gives_away(tmp_path: Path) -> None:
    table = pd.DataFrame({"age": [20, 30, 40, 50], "ill": list("uvwx")})
    one = pd.DataFrame({"age": ["[20,30]"] * 2 + ["[40,50]"] * 2, "ill": list("uvwx")})
    other = pd.DataFrame({"age": ["20", "[30,40]", "[30,40]", "50"], "ill": list("uvwx")})
    how: Any = {"original": table, "quasi_identifiers": ["age"], "sensitive_attributes": ["ill"], "other": other}
    how |= {"other_release": "other", "attacks": ["intersection"]}
    told = attacked(one, tmp_path, **how)["attacks"]["intersection"]
    # of 20 and 50 the other release alone says it; of 30 and 40 both together do
    assert (told["successes"], told["disclosed"], told["attempts"]) == (2, {"ill": 2}, 4)
    assert (told["k"], told["below_k"]) == (1, 0)
    same = attacked(one, tmp_path / "same", **{**how, "other": one})["attacks"]["intersection"]
    assert (same["successes"], same["k"], same["below_k"]) == (0, 2, 0)
    table = pd.DataFrame({"age": [20, 30, 40, 90], "ill": list("uvwx")})
    cells = ["[20,40]"] * 3 + ["90"]
    three = [pd.DataFrame({"age": cells, "ill": list(values)}) for values in ("uvwx", "uvxx", "uwxx")]
    how |= {"original": table, "other": three[1], "third": three[2]}
    assert attacked(three[0], tmp_path / "two", **how)["attacks"]["intersection"]["successes"] == 0, "u and v are left"
    how["other_release"] = ["other", "third"]
    told = attacked(three[0], tmp_path / "three", **how)["attacks"]["intersection"]
    assert (told["releases"], told["successes"], told["below_k"]) == (3, 1, 0)
    assert "follows from all 3 releases and from none alone" in told["meaning"]


@pytest.mark.parametrize("strategy", ["mondrian", "hierarchy"])
def test_ends_of_cells_single_out_where_they_are_tight_and_not_by_default(strategy: str, tmp_path: Path) -> None:
    found = {}
    for bounds in ("tight", "rounded"):
        release = released(INSIDE, tmp_path / bounds, k=5, strategy=strategy, output="ranges", bounds=bounds)
        how: Any = {"control": OUTSIDE, "control_dataset": "control", "attacks": ["downcoding"]}
        found[bounds] = attacked(release, tmp_path / f"{bounds} attacked", **how)["attacks"]["downcoding"]
    assert found["tight"]["risk_low"] > 0.1
    assert found["rounded"]["risk_low"] == 0


def test_cells_are_written_finer_where_they_are_tight(tmp_path: Path) -> None:
    """Each end of a tight interval is a value of its class (Cohen 2022); a wider cell says less."""
    tight = pd.DataFrame({"age": ["[20,30]"] * 3 + ["[40,50]"] * 3})
    table = pd.DataFrame({"age": [20, 27, 30, 40, 41, 50]})
    how: Any = {"original": table, "quasi_identifiers": ["age"], "attacks": ["downcoding"]}
    told = attacked(tight, tmp_path, **how)["attacks"]["downcoding_cells"]
    assert (told["attempts"], told["successes"], told["compared_with"]) == (4, 4, "baseline")
    wide = tight.assign(age="[10,60]")
    assert attacked(wide, tmp_path / "wide", **how)["attacks"]["downcoding_cells"]["attempts"] == 0


def test_the_known_algorithm_tells_who_has_what_where_chance_decides_nothing(tmp_path: Path) -> None:
    table = people(40, 3).assign(ill=np.where(np.arange(40) % 5, "well", "sick"))
    made: Any = {"input_dataset": "people", "output_dataset": "safe", "k": 2, "l": 2, "quasi_identifiers": QUASI}
    made |= {"sensitive_attributes": ["ill"]}
    attack: Any = {"original_dataset": "people", "anonymized_dataset": "safe", "quasi_identifiers": QUASI}
    attack |= {"sensitive_attributes": ["ill"], "attacks": ["minimality"], "attempts": 40}
    (tmp_path / ".pamola.toml").touch()
    found = {}
    for ties in ("fixed", "random"):
        steps = [("AnonymizeOperation", {**made, "ties": ties, "register": False}), ("AttackOperation", attack)]
        configs: Any = [{"operation": name, "parameters": parameters} for name, parameters in steps]
        task = TaskRunner(f"t_{ties}", input_datasets={"people": "people.csv"}, operation_configs=configs)
        outcome = Kernel.discover(project=tmp_path).run(task, datasets={"people": table}, overrides={"seed": 5})
        assert outcome.success, outcome.error
        (path,) = tmp_path.rglob(f"t_{ties}/**/safe_attacks.json")
        found[ties] = json.loads(path.read_bytes())["attacks"]["minimality"]
    assert found["fixed"]["pairs_excluded"] > 3
    assert found["fixed"]["risk_low"] > 0
    assert found["random"]["risk"] < found["fixed"]["risk"] / 2
    assert "which of two persons of a class has which sensitive values were right" in found["random"]["meaning"]
    alone = run(AttackOperation(**{**attack, "anonymized_dataset": "release"}), table, tmp_path / "1", release=table)
    assert "has to be an AnonymizeOperation of the same task" in str(alone.error_message)


# ---------------------------------------------------------------- settings


def test_the_same_seed_gives_the_same_attacks(tmp_path: Path) -> None:
    operation = AttackOperation(
        original_dataset="people", anonymized_dataset="people", quasi_identifiers=QUASI, sensitive_attributes=["ill"],
        attempts=50,
    )  # fmt: skip
    found = []
    for name, seed in (("a", 4), ("b", 4), ("c", 5)):
        in_a_run(operation, INSIDE, tmp_path / name, seed=seed)
        (path,) = (tmp_path / name).rglob("people_attacks.json")
        found.append(json.loads(path.read_bytes())["attacks"])
    assert found[0] == found[1] != found[2]
    assert list(found[0]) == [
        "singling_out_univariate", "singling_out_multivariate", "linkability", "inference_ill", "record_linkage",
        "downcoding", "downcoding_cells",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"attacks": ["membership"]}, "`attacks: [membership]` needs `control_dataset`"),
        ({"attacks": ["intersection"]}, "needs `other_release`"),
        ({"attacks": ["inference"]}, "needs `sensitive_attributes`"),
        ({"attacks": ["linkability"], "quasi_identifiers": ["age"]}, "needs `linked_columns`"),
        ({"attacks": ["singeling_out"]}, "has to be a list of singling_out, linkability"),
        ({"linked_columns": [["age"]]}, "has to be two lists of columns"),
        ({"linked_columns": [["age"], ["age"]]}, "names age in both lists"),
        ({"sensitive_attributes": ["age"]}, "in both `quasi_identifiers` and `sensitive_attributes`"),
        ({"hierarchies": {"twon": "towns"}}, "`hierarchies` names twon"),
        ({"attempts": 3}, "a whole number of 10 or more"),
        ({"confidence": 95}, "a number between 0 and 1"),
    ],
)
def test_wrong_settings_are_refused(settings: dict[str, Any], message: str) -> None:
    given: Any = {"original_dataset": "a", "anonymized_dataset": "b", "quasi_identifiers": QUASI, **settings}
    with pytest.raises(ParameterError) as error:
        AttackOperation(**given)
    assert message in str(error.value)


def test_tables_that_do_not_fit_are_refused_or_warned_of(tmp_path: Path) -> None:
    given: Any = {"original_dataset": "people", "anonymized_dataset": "release", "quasi_identifiers": QUASI}
    masked = INSIDE.assign(town="J***")
    lacking = run(AttackOperation(**given), INSIDE, tmp_path / "1", release=INSIDE.drop(columns="town"))
    assert "release has no column town (named in `quasi_identifiers`)" in str(lacking.error_message)
    unread = run(AttackOperation(**given), INSIDE, tmp_path / "2", release=masked)
    assert "column town has 1 different cells that are neither values" in str(unread.error_message)
    given |= {"control_dataset": "control", "attacks": ["record_linkage"]}
    for rows in (10, 100):
        same = run(AttackOperation(**given), INSIDE, tmp_path / "3", release=INSIDE, control=INSIDE.iloc[:rows])
        assert "100 % of its records are also in the original" in str(same.error_message)
    crowded = INSIDE.assign(age=40)
    apart = run(AttackOperation(**given), crowded, tmp_path / "5", release=crowded, control=crowded.iloc[:100])
    assert apart.status is OperationStatus.SUCCESS, apart.error_message  # all have a double: these may be others
    apart = run(AttackOperation(**given), INSIDE, tmp_path / "4", release=INSIDE, control=OUTSIDE)
    assert not apart.warnings
    named = [table.assign(who=range(len(table))) for table in (INSIDE, OUTSIDE)]
    given |= {"person": "who"}
    refused = run(AttackOperation(**given), named[0], tmp_path / "6", release=INSIDE, control=named[1])
    assert "600 of 600 persons (by who) are in the original, too" in str(refused.error_message)


def test_people_are_held_out_with_all_their_records(tmp_path: Path) -> None:
    table = INSIDE.assign(who=[f"p{number}" for number in RNG.integers(0, 200, len(INSIDE))])
    operation = HoldOutOperation(input_dataset="people", share=0.25, person="who")
    told = done(operation, table, tmp_path)
    kept, control = (
        pd.read_csv(next((tmp_path / "internal").rglob(f"people_{name}.csv"))) for name in ("kept", "control")
    )
    assert not set(kept["who"]) & set(control["who"])
    assert sorted(pd.concat([kept, control])["who"]) == sorted(table["who"])
    persons = table["who"].nunique()
    assert (told["persons"], control["who"].nunique()) == (persons, round(persons / 4))
    few = run(operation, table[table["who"] == table["who"][0]], tmp_path / "few")
    assert "has 1 persons" in str(few.error_message)


@pytest.mark.parametrize("rows", [3, 4, 6])
def test_a_small_original_is_no_control_of_itself(rows: int) -> None:
    table = INSIDE.iloc[:rows]
    check_control(table, OUTSIDE.iloc[:rows], QUASI, [], "others")
    for same in (table, table.iloc[::-1], table.iloc[:3]):
        with pytest.raises(DataError, match="100 % of its records are also in the original"):
            check_control(table, same, QUASI, [], "others")
    twice = table[["sex"]].loc[table.index.repeat(2)]  # of which other people may have all values
    check_control(twice, twice, ["sex"], [], "others")
