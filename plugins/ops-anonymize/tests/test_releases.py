"""Several releases of the same persons: what they tell together is computed, told and refused, whatever is renamed.

The attackers here know everybody's quasi-identifiers, and read nothing but the published files.
"""

from __future__ import annotations

import itertools
import json
import re
import shutil
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import run, written

from pamola_ops_anonymize import AnonymizeOperation
from pamola_ops_anonymize.intersecting import intersection
from pamola_ops_anonymize.released_table import ReleasedTable
from pamola_ops_anonymize.residual import candidates
from pamola_tasks.record import OperationResult, OperationStatus

QI = ["age", "zip", "sex"]


def people(count: int, seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "id": [f"person-{number}" for number in range(count)],
            "age": rng.integers(18, 80, count),
            "zip": rng.integers(1000, 1100, count),
            "sex": rng.choice(["f", "m"], count),
            "disease": rng.choice(["asthma", "cold", "flu", "gout", "hiv", "ulcer"], count),
        }
    )


def release(frame: pd.DataFrame, folder: Path, **more: Any) -> OperationResult:
    known: dict[str, Any] = {
        "k": 5,
        "quasi_identifiers": QI,
        "sensitive_attributes": ["disease"],
        "direct_identifiers": ["id"],
    }
    known["bounds"] = "tight"  # which attackers learn most from
    known["ties"] = "fixed"  # so that a release can be made a second time, to be compared with
    return run(AnonymizeOperation(input_dataset="people", output_dataset="safe", **{**known, **more}), frame, folder)


def released(frame: pd.DataFrame, folder: Path, **more: Any) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The published table, and what its report says of other releases."""
    result = release(frame, folder, **more)
    assert result.status is OperationStatus.SUCCESS, result.error_message
    return written(folder, "safe"), result.metrics["releases"]


def refusal(frame: pd.DataFrame, folder: Path, **more: Any) -> str:
    before = {path: path.read_bytes() for path in folder.rglob("output/*")}
    result = release(frame, folder, **more)
    assert result.status is OperationStatus.ERROR
    assert {path: path.read_bytes() for path in folder.rglob("output/*")} == before, "nothing is published"
    return result.error_message


def covers(cell: str, value: str) -> bool:
    if interval := re.fullmatch(r"\[(.+),(.+)([\])])", cell):
        low, high = float(interval[1]), float(interval[2])
        return low <= float(value) < high or (interval[3] == "]" and float(value) == high)
    if end := re.fullmatch("(<|>=)(.+)", cell):
        return (float(value) < float(end[2])) == (end[1] == "<")
    return value in cell.strip("{}").split("|")


def classes(frame: pd.DataFrame, table: pd.DataFrame) -> list[tuple[str, ...]]:
    """The class of each known person: the cells that cover what is known of them."""
    cells = list(dict.fromkeys(table[QI].itertuples(index=False, name=None)))
    found = []
    for row in frame[QI].astype(str).itertuples(index=False, name=None):
        fits = [each for each in cells if all(itertools.starmap(covers, zip(each, row, strict=True)))]
        found.append(fits[0] if len(fits) == 1 else ())
    return found


def subtracted(frame: pd.DataFrame, before: pd.DataFrame, after: pd.DataFrame, new: int) -> int:
    """How many of the last `new` persons have the value by which a class with the same cells has grown."""
    multisets = [
        {key: Counter(part["disease"]) for key, part in table.groupby(QI, sort=False)} for table in (before, after)
    ]
    hits = 0
    grown: Counter[tuple[str, ...]] = Counter(classes(frame[-new:], after))
    for key, disease in zip(classes(frame[-new:], after), frame["disease"][-new:], strict=True):
        if key in multisets[0] and key in multisets[1] and grown[key] == 1:
            more = multisets[1][key] - multisets[0][key]
            hits += list(more.elements()) == [disease]
    return hits


def intersected(frame: pd.DataFrame, first: pd.DataFrame, second: pd.DataFrame) -> tuple[int, int, int]:
    """Smallest intersection, persons alone in theirs, and persons whose value only both tables together tell."""
    own = [classes(frame, table) for table in (first, second)]
    both = Counter(zip(*own, strict=True))
    sizes = [both[pair] for pair in zip(*own, strict=True)]
    values = [{key: set(part["disease"]) for key, part in table.groupby(QI, sort=False)} for table in (first, second)]
    told = 0
    for one, two in zip(*own, strict=True):
        left = values[0].get(one, set()) & values[1].get(two, set())
        told += len(left) == 1 and len(values[0][one]) > 1 and len(values[1][two]) > 1
    return min(sizes), sum(size == 1 for size in sizes), told


def test_fifty_persons_added_are_not_subtracted(tmp_path: Path) -> None:
    everybody = people(650)
    first, told = released(everybody[:600], tmp_path)
    assert told["release"] == 1
    said = refusal(everybody, tmp_path)
    assert re.search(r"discloses disease of \d+ persons for certain", said)
    assert "release 1 (safe of task" in said
    assert "600 persons in both" in said
    assert "`update: append`" in said
    assert "`pamola-task releases withdraw NUMBER`" in said
    second, _ = released(everybody, tmp_path / "elsewhere", register=False)
    assert subtracted(everybody, first, second, 50) > 3, "it would have told values"


@pytest.mark.parametrize(
    ("strategy", "bounds"),
    [("mondrian", "rounded"), ("mondrian", "tight"), ("hierarchy", "rounded"), ("microaggregation", "tight")],
)
def test_append_keeps_the_classes_and_makes_others_of_new_persons(tmp_path: Path, strategy: str, bounds: str) -> None:
    everybody = people(700)
    more = {"strategy": strategy, "bounds": bounds, "update": "append", "l": 2}
    first, told = released(everybody[:600], tmp_path, **more)
    assert "continues" not in told
    second, told = released(everybody[:650].sample(frac=1, random_state=1), tmp_path, **more)
    assert {name: told[name] for name in ("continues", "records_kept", "records_new", "records_held_back")} == {
        "continues": 1, "records_kept": 600, "records_new": 50, "records_held_back": 0}  # fmt: skip
    assert (told["persons_below_k"], told["persons_disclosed"]) == (0, 0)
    rows = [Counter(table.itertuples(index=False, name=None)) for table in (first, second)]
    assert not rows[0] - rows[1], "all that was released is as it was"
    grown = (rows[1] - rows[0]).elements()
    added = pd.DataFrame(grown, columns=second.columns).groupby(QI)
    assert added.size().min() >= 5
    assert added["disease"].nunique().min() >= 2
    assert subtracted(everybody[:650], first, second, 50) == 0
    assert released(everybody[:650], tmp_path, **more)[1]["same_as"] == 2
    third, told = released(everybody[:653], tmp_path, **more)
    assert told["records_held_back"] == 3
    assert len(third) == 650
    assert released(everybody, tmp_path, **more)[1]["records_new"] == 50


@pytest.mark.parametrize("bounds", ["rounded", "tight"])
def test_m_invariant_releases_leave_every_person_m_values(tmp_path: Path, bounds: str) -> None:
    """Persons come and go in five releases; what all classes of a person have in common is never one value."""
    everybody = people(800)
    more = {"update": "m-invariant", "l": 3, "bounds": bounds}
    left: dict[str, set[str]] = {}
    counterfeits = 0
    tables = []
    for part in (everybody[:600], everybody[:650], everybody[80:650], everybody[80:800], everybody[:300]):
        table, told = released(part, tmp_path, **more)
        tables.append(table)
        assert told["persons_disclosed"] == 0 if told["compared_with"] else told["continues"] is None
        assert told["m"] >= 3
        assert len(table) == told["records_kept"] + told["records_new"] + told["counterfeits"]
        counterfeits += told["counterfeits"]
        grouped = table.groupby(QI)["disease"]
        assert grouped.nunique().min() >= 3
        for cells, disease, person in zip(classes(part, table), part["disease"], part["id"], strict=True):
            if cells and (values := set(grouped.get_group(cells))) and disease in values:
                left[person] = left.get(person, values) & values
    assert counterfeits > 0
    assert min(map(len, left.values())) >= 3
    assert subtracted(everybody[:650], tables[0], tables[1], 50) == 0
    assert released(everybody[:650], tmp_path, **more)[1]["same_as"] == 2


def test_append_warns_of_cells_that_are_out_of_date(tmp_path: Path) -> None:
    frame = people(300)
    released(frame, tmp_path, update="append")
    frame.loc[:9, "age"] += 1
    result = release(frame, tmp_path, update="append")
    assert result.metrics["releases"]["same_as"] == 1
    assert any("10 records have other quasi-identifiers than in release 1" in each for each in result.warnings)


def test_where_m_invariance_cannot_be_reached_it_says_why(tmp_path: Path) -> None:
    frame = people(300)
    more = {"update": "m-invariant", "l": 3}
    frequent = frame.assign(disease=["flu"] * 200 + [*frame["disease"][200:]])
    table, told = released(frequent, tmp_path / "frequent", **more)
    assert told["records_held_back"] > 50, "no value may have more than a third"
    assert Counter(table["disease"])["flu"] * 3 <= len(table)
    assert "at most one in 3 may have it" in refusal(frame.assign(disease="flu"), tmp_path, **more)
    assert "further records of a person" in refusal(pd.concat([frame, frame[:3]]), tmp_path, **more)


def test_an_ordinary_release_is_continued_m_invariantly_only_where_nothing_follows(tmp_path: Path) -> None:
    """Three have flu and one has gout: where two of them are balanced later, the other two have flu for certain."""
    frame = people(240)
    released(frame, tmp_path / "uneven")
    said = refusal(frame[:200], tmp_path / "uneven", update="m-invariant", l=2)
    assert re.search(r"\d+ are in classes of it in which some values of disease are more frequent", said)
    assert "`update: append` continues it" in said
    assert "`pamola-task releases withdraw 1`" in said

    cell = np.arange(240) // 6
    even = frame.assign(age=20 + cell % 8, zip=1000 + cell // 8, sex="f", disease=["flu", "gout", "cold"] * 80)
    first, _ = released(even, tmp_path, k=6, l=3)
    assert len(set(classes(even, first))) == 40, "each cell is a class, balanced"
    assert "fewer than 4 values" in refusal(even, tmp_path, update="m-invariant", l=4)
    later = pd.concat([even[30:], people(300)[240:].assign(age=21, zip=1001, sex="f")])
    second, told = released(later, tmp_path, update="m-invariant", l=3)
    assert (told["continues"], told["records_kept"], told["persons_disclosed"]) == (1, 210, 0)
    values = [{key: set(part["disease"]) for key, part in table.groupby(QI)} for table in (first, second)]
    pairs = zip(classes(even[30:], first), classes(even[30:], second), strict=True)
    assert all(len(values[0][one] & values[1][two]) == 3 for one, two in pairs if two)
    unnamed = people(300).rename(columns={"disease": "illness"})
    released(unnamed, tmp_path / "none", sensitive_attributes=[])
    _, told = released(people(300), tmp_path / "none", update="m-invariant", l=2)
    assert told["continues"] is None, "nothing of diseases was released then"


def test_a_counterfeit_has_cells_like_others_of_its_class(tmp_path: Path) -> None:
    frame = people(600).assign(visits=range(600))
    more = {"update": "m-invariant", "l": 3, "insensitive_attributes": ["visits"], "row_id": True}
    released(frame, tmp_path, **more)
    table, told = released(frame[300:], tmp_path, **more)
    assert told["counterfeits"] > 0
    assert set(table["visits"]) <= set(map(str, range(300, 600)))
    ids = pd.read_csv(tmp_path / "internal/safe_row_ids.csv")["row_id"]
    assert (ids < 0).sum() == told["counterfeits"]


def test_m_invariant_releases_are_the_same_in_another_project(tmp_path: Path) -> None:
    """With `ties: fixed` nothing depends on the key of the project's register, which is another one in each."""
    frame = people(200)
    found = []
    for place in ("one", "other"):
        more = {"update": "m-invariant", "l": 3}
        first, _ = released(frame, tmp_path / place, **more)
        second, told = released(frame[80:], tmp_path / place, **more)
        assert told["counterfeits"] > 0
        found.append((first.to_csv(), second.to_csv()))
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda table: table[1:], "1 of its persons are not in people"),
        (lambda table: table.assign(disease=["flu", *table["disease"][1:]]), "1 of its persons have other records"),
        (lambda table: pd.concat([table, table[:1]]), "1 of its persons have other records"),
    ],
    ids=["left", "changed", "another record"],
)
def test_append_is_for_tables_that_only_grow(
    tmp_path: Path, change: Callable[[pd.DataFrame], pd.DataFrame], said: str
) -> None:
    frame = people(650)
    frame.loc[0, "disease"] = "gout"
    more = {"person": "id", "direct_identifiers": [], "update": "append"}
    released(frame[:600], tmp_path, **more)
    assert said in refusal(change(frame), tmp_path, **more)


@pytest.mark.parametrize(
    "again",
    [{"k": 10}, {"strategy": "hierarchy"}, {"weights": {"age": 10.0}}, {"strategy": "microaggregation"}],
    ids=["k", "strategy", "weights", "microaggregation"],
)
def test_two_releases_of_one_table_are_compared(tmp_path: Path, again: dict[str, Any]) -> None:
    frame = people(600)
    again = {"output": "ranges", **again}
    first, _ = released(frame, tmp_path)
    second, _ = released(frame, tmp_path / "elsewhere", register=False, **again)
    smallest, alone, told = intersected(frame, first, second)
    assert "for certain" in refusal(frame, tmp_path, **again)
    _, said = released(frame, tmp_path, max_disclosed=600, **again)
    assert said["persons_disclosed"] >= max(told, 1)
    if again.get("strategy") is None:  # classes of others may overlap, so that the attacker cannot tell them apart
        assert (said["smallest_intersection"], said["persons_alone"]) == (smallest, alone)
    assert said["compared_with"][0]["persons_in_both"] == 600


def test_the_share_below_k_can_be_limited(tmp_path: Path) -> None:
    frame = people(600)
    released(frame, tmp_path)
    said = refusal(frame, tmp_path, k=10, max_disclosed=600, max_below_k=0.1)
    assert "more than `max_below_k: 0.1` allows" in said
    result = release(frame, tmp_path, k=10, max_disclosed=600)
    assert "share their classes in all of these releases with fewer than k - 1 = 9 others" in result.warnings[-1]


def test_the_same_release_again_is_never_refused(tmp_path: Path) -> None:
    frame = people(650)
    released(frame[:600], tmp_path)
    released(frame, tmp_path, max_disclosed=650)
    _, told = released(frame[:600].sample(frac=1, random_state=3), tmp_path)
    assert told["same_as"] == 1
    assert len(list((tmp_path / "releases").glob("*.sealed"))) == 2


@pytest.mark.parametrize(
    "more",
    [
        {"l": 2},
        {"l": 2, "strategy": "hierarchy", "suppression_limit": 0.05},
        {"t": 0.5, "strategy": "microaggregation"},
        {"l": 2, "nulls": "suppress", "person": "id", "direct_identifiers": []},
    ],
    ids=["mondrian", "hierarchy", "microaggregation", "nulls"],
)
def test_chance_makes_no_other_release_of_the_same_table(tmp_path: Path, more: dict[str, Any]) -> None:
    frame = people(400).astype({"age": "Int64"})
    if "nulls" in more:
        frame.loc[:19, "age"] = pd.NA
    first = release(frame, tmp_path, **more)
    table = written(tmp_path, "safe")
    again = release(frame.sample(frac=1, random_state=1), tmp_path, **more)
    assert again.metrics["releases"]["same_as"] == 1, again.error_message
    pd.testing.assert_frame_equal(written(tmp_path, "safe"), table)
    for name in ("ncp_set", "ncp_hier", "k_measured", "rows_suppressed", "rows_suppressed_for_nulls"):
        assert again.metrics[name] == pytest.approx(first.metrics[name]), name


@pytest.mark.parametrize(
    "change",
    [
        {"id": "customer"},
        {"disease": "diagnosis"},
        {"id": "customer", "disease": "diagnosis"},
        {"age": "years"},
    ],
    ids=lambda change: " and ".join(change),
)
def test_renamed_columns_are_the_same_persons_and_values(tmp_path: Path, change: dict[str, str]) -> None:
    frame = people(650)
    released(frame[:600], tmp_path)
    known = {"quasi_identifiers": QI, "sensitive_attributes": ["disease"], "direct_identifiers": ["id"]}
    more = {role: [change.get(name, name) for name in names] for role, names in known.items()}
    assert "for certain" in refusal(frame.rename(columns=change), tmp_path, **more)


@pytest.mark.parametrize("by", ["person", "register", "another identifier"])
def test_persons_are_recognised_by_whatever_identifies_them(tmp_path: Path, by: str) -> None:
    frame = people(650).assign(mail=lambda table: table["id"] + "@example.org")
    released(frame[:600], tmp_path, direct_identifiers=["id", "mail"])
    more: dict[str, Any] = {"person": {"person": "id"}, "register": {"register": ["mail"]}}.get(by, {})
    other = by != "person"
    later = frame.drop(columns="id" if other else "mail")
    said = refusal(later, tmp_path, direct_identifiers=["mail"] if by == "another identifier" else [], **more)
    assert "600 persons in both" in said


def test_a_person_who_left_is_told_by_subtraction_too(tmp_path: Path) -> None:
    frame = people(600)
    released(frame, tmp_path)
    assert "for certain" in refusal(frame[:-1], tmp_path) or "for certain" in refusal(frame[:-20], tmp_path)


def test_tables_of_other_persons_are_not_compared(tmp_path: Path) -> None:
    released(people(300), tmp_path)
    others = people(300, seed=1).assign(id=lambda table: "x" + table["id"])
    _, told = released(others, tmp_path)
    assert told["compared_with"] == []
    numbered_alike = people(300, seed=2)
    result = release(numbered_alike, tmp_path)
    told = result.metrics["releases"]
    assert told["compared_with"] == [], "equal numbers, but other persons"
    said = {"equal_identifiers": 300, "because": "equal numbers of a list in id, but no attribute that agrees more than"
            " by chance"}  # fmt: skip
    assert told["other_persons"][0] == {"release": 1, **said}
    assert any("`ops-anonymize.populations`" in each for each in result.warnings)
    frame = people(300).drop(columns="id")
    told = released(frame, tmp_path, direct_identifiers=[])[1]
    assert told == {"not_compared_with": [1, 2, 3]}, "nothing identifies persons"


def test_the_register_gives_nobody_away(tmp_path: Path) -> None:
    frame = people(300)
    released(frame, tmp_path)
    folder = tmp_path / "releases"
    assert folder.stat().st_mode & 0o777 == 0o700
    for path in folder.iterdir():
        assert path.stat().st_mode & 0o777 == 0o600
        data = path.read_bytes()
        assert not any(text.encode() in data for text in (*frame["id"], *frame["disease"])), path
    facts = json.loads((folder / "releases.jsonl").read_text().splitlines()[0][9:])
    assert (facts["persons"], facts["dataset"], facts["settings"]["k"]) == (300, "safe", 5)


def _without(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def _edited(name: str, old: bytes, new: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes((folder / name).read_bytes().replace(old, new))


@pytest.mark.parametrize(
    "edit",
    [
        shutil.rmtree,
        _without("releases.jsonl"),
        _without("1.sealed"),
        _without("register.key"),
        lambda folder: (folder / "1.sealed").write_bytes(b"nothing"),
        lambda folder: (folder / "register.key").write_text('{"sealed": false, "key": "00"}'),
        _edited("releases.jsonl", b'"persons":300', b'"persons":299'),
        lambda folder: (folder / "releases.jsonl").write_bytes((folder / "releases.jsonl").read_bytes()[:1000]),
    ],
    ids=["folder", "journal", "release", "key", "other release", "other key", "edited", "cut"],
)
def test_an_edited_or_removed_register_refuses(tmp_path: Path, edit: Callable[[Path], None]) -> None:
    released(people(300), tmp_path)
    edit(tmp_path / "releases")
    assert "restore it from a copy" in refusal(people(300), tmp_path, k=10)


def test_a_wrong_setting_of_the_register_is_refused() -> None:
    known: dict[str, Any] = {"input_dataset": "people", "k": 5, "quasi_identifiers": QI}
    for wrong, said in (
        ({"register": 5}, "`register` has to be true, false, or names of columns"),
        ({"register": []}, "`register` is empty"),
        ({"register": "id", "insensitive_attributes": ["id"]}, "id identifies persons (`register`)"),
        ({"register": False, "max_disclosed": 3}, "do nothing with `register: false`"),
        ({"update": "append", "register": False}, "`update: append` does not go with `register: false`"),
        ({"update": "append", "recoding": "full-domain", "strategy": "hierarchy"}, "with `recoding: full-domain`"),
        ({"update": "m-invariant"}, "`update: m-invariant` is of one sensitive attribute"),
        (
            {"update": "m-invariant", "sensitive_attributes": ["disease"], "t": 0.3},
            "`update: m-invariant` does not go with `t`",
        ),
        ({"update": "sometimes"}, "`update`"),
        ({"max_disclosed": -1}, "max_disclosed"),
        ({"max_below_k": 1.5}, "max_below_k"),
    ):
        with pytest.raises(Exception, match=re.escape(said)):
            AnonymizeOperation(**known, **wrong)


def test_what_is_possible_is_what_an_enumeration_finds() -> None:
    """All assignments of values to eight records or fewer that leave what is published of two releases as it is."""
    rng = np.random.default_rng(1)
    for _ in range(60):
        records = int(rng.integers(3, 8))
        first, second = rng.integers(-1, 3, records), rng.integers(0, 3, records)
        second[(first >= 0) & (rng.random(records) < 0.2)] = -1
        value = pd.factorize(rng.integers(0, 3, records))[0]

        def published(values: Any, own: Any = (first, second)) -> list[Counter[Any]]:
            return [Counter((c, v) for c, v in zip(group, values, strict=True) if c >= 0) for group in own]

        wanted = published(value)
        every = itertools.product(range(value.max() + 1), repeat=records)
        fitting = [assignment for assignment in every if published(assignment) == wanted]
        expected = [len({assignment[record] for assignment in fitting}) == 1 for record in range(records)]
        assert candidates(first, second, value).certain.tolist() == expected


def table(group: Any, value: Any, there: Any) -> ReleasedTable:
    """What was released of some of the persons 1, 2, …, of each one record."""
    rows, nothing = np.flatnonzero(there), np.zeros(int(there.sum()), dtype=bool)
    whose = (rows + 1).astype(np.uint64)
    return ReleasedTable(
        persons={"id": whose},
        group=group[rows],
        part=group[rows],
        values={"illness": (value[rows] + 1).astype(np.uint64)},
        known={"illness": nothing},
        origin=whose,
        counterfeit=nothing,
        cells={"age": ["1"] * 3},
    )


def test_three_releases_together_disclose_what_an_enumeration_finds() -> None:
    """Nothing that does not follow; more than all pairs show, and most of what follows."""
    rng = np.random.default_rng(2)
    follows = found = by_pairs = 0
    for _ in range(150):
        persons = int(rng.integers(5, 8))
        groups = rng.integers(0, 3, (3, persons))
        there = rng.random((3, persons)) < 0.9
        there[0] |= True
        value = pd.factorize(rng.integers(0, 3, persons))[0]

        def published(values: Any, own: Any = (groups, there)) -> list[Counter[Any]]:
            sides = zip(*own, strict=True)
            return [Counter((c, v) for c, v, in_it in zip(g, values, t, strict=True) if in_it) for g, t in sides]

        wanted = published(value)
        every = itertools.product(range(value.max() + 1), repeat=persons)
        fitting = [assignment for assignment in every if published(assignment) == wanted]
        expected = np.array([len({assignment[person] for assignment in fitting}) == 1 for person in range(persons)])
        new, *earlier = (table(g, value, t) for g, t in zip(groups, there, strict=True))
        certain = intersection(new, earlier, np.arange(persons)).certain["illness"]
        assert not (certain & ~expected).any()
        pairs = [candidates(np.where(t, g, -1), groups[0], value) for g, t in zip(groups[1:], there[1:], strict=True)]
        left = [set(each.of_record(np.array([person]))[1].tolist()) for person in range(persons) for each in pairs]
        by_pairs += sum(len(left[2 * person] & left[2 * person + 1]) == 1 for person in range(persons))
        follows, found = follows + int(expected.sum()), found + int(certain.sum())
    assert by_pairs < found <= follows
    assert found > 0.9 * follows
