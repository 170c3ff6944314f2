"""Where a person has several records, classes are counted in persons: by a count of our own, from the written file."""

from __future__ import annotations

import random
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import in_a_run, outcome_of, run
from command_line import pamola
from release_check import covers, with_row_ids

from pamola_ops_anonymize import AnonymizeOperation, NoiseOperation, RiskOperation
from pamola_tasks.errors import DataError, DataRefused, ParameterError

QUASI = ["age", "place", "year"]


def visits(seed: int, persons: int = 60, most: int = 9) -> pd.DataFrame:
    """Visits of persons to a doctor, one to nine each: place and year of birth stay, age and year may not."""
    rng = np.random.default_rng(seed)
    rows = []
    for person in range(persons):
        place, born = rng.choice(["Bern", "Oslo", "Rome", "Wien"]), int(rng.integers(1930, 2000))
        for _ in range(int(rng.integers(1, most + 1))):
            year = int(rng.integers(2015, 2024)) if seed % 2 else 2020
            rows.append(
                (f"p{person:03d}", year - born, place, year, rng.choice(list("uvwxy"), p=[0.5, 0.2, 0.1, 0.1, 0.1]))
            )
    frame = pd.DataFrame(rows, columns=["patient_id", *QUASI, "illness"])
    return frame.sample(frac=1, random_state=seed).reset_index(drop=True)


def released(folder: Path) -> pd.DataFrame:
    (path,) = folder.rglob("people_anonymized.csv")
    return with_row_ids(pd.read_csv(path, dtype=str, keep_default_na=False), folder)


def classes(table: pd.DataFrame, frame: pd.DataFrame) -> list[list[tuple[str, str]]]:
    """For each class of the release person and illness of its records, told by where these were in the input."""
    found: dict[Any, list[tuple[str, str]]] = defaultdict(list)
    for row in table.itertuples():
        original = frame.iloc[row.row_id]
        found[tuple(getattr(row, name) for name in QUASI)].append((original["patient_id"], original["illness"]))
    return list(found.values())


def vote(illnesses: list[str]) -> str:
    """What a person's records say most often; the first by the alphabet where several are as frequent."""
    counts = Counter(illnesses)
    return min(value for value, times in counts.items() if times == max(counts.values()))


def votes(members: list[tuple[str, str]]) -> Counter[str]:
    of: dict[str, list[str]] = defaultdict(list)
    for person, illness in members:
        of[person].append(illness)
    return Counter(vote(illnesses) for illnesses in of.values())


@pytest.mark.parametrize("seed", range(40))
def test_k_l_and_t_are_those_of_persons(seed: int, tmp_path: Path) -> None:
    draw, frame = random.Random(seed), visits(seed)
    strategy = draw.choice(["mondrian", "hierarchy", "microaggregation", "suppression"])
    how: dict[str, Any] = {"strategy": strategy, "k": draw.choice([2, 3, 5])}
    how["person_records"] = draw.choice(["together", "apart"])
    if how["person_records"] == "apart" and strategy == "hierarchy":
        how["recoding"] = draw.choice(["local", "full-domain"])
    asked = draw.choice([{}, {"l": 2}, {"t": 0.5}])
    result = run(
        AnonymizeOperation(
            input_dataset="people",
            quasi_identifiers=QUASI,
            sensitive_attributes=["illness"],
            person=draw.choice(["patient_id", ["patient_id"]]),
            row_id=True,
            **how,
            **asked,
        ),
        frame,
        tmp_path,
    )
    if isinstance(result.exception, DataRefused):
        assert "the whole table as one class violates it" in str(result.error_message)
        return
    assert not result.failed, result.error_message
    table = released(tmp_path)
    assert "patient_id" not in table.columns
    found = classes(table, frame)
    told = result.metrics
    assert told["counted"] == "persons"
    assert told["k_measured"] == min(len({person for person, _ in members}) for members in found) >= how["k"]
    counts = [votes(members) for members in found]
    assert told["l_diversity"]["illness"]["l"] == min(map(len, counts))
    whole = votes([pair for members in found for pair in members])
    values, total = sorted(set(frame["illness"])), sum(whole.values())
    apart = [
        sum(abs(count[value] / sum(count.values()) - whole[value] / total) for value in values) / 2 for count in counts
    ]
    assert told["sensitive"]["illness"]["t"] == pytest.approx(max(apart), abs=1e-9)
    if "l" in asked:
        assert min(map(len, counts)) >= 2
    if "t" in asked:
        assert max(apart) <= 0.5 + 1e-9
    assert (told["persons_in"], told["persons_out"]) == (60, len({p for members in found for p, _ in members}))
    if how["person_records"] == "together":
        where = Counter(person for members in found for person in {person for person, _ in members})
        assert set(where.values()) == {1}, "all records of a person are alike"


@pytest.mark.parametrize(
    ("seed", "strategy", "asked"),
    [
        (1, "suppression", {"t": 0.4}),
        (3, "hierarchy", {"t": 0.4}),
        (12, "microaggregation", {"l": 2}),
        (43, "hierarchy", {"l": 2}),
    ],
)
def test_classes_that_are_written_alike_meet_together_what_each_meets(
    seed: int, strategy: str, asked: dict[str, float], tmp_path: Path
) -> None:
    """A person with records in both has one vote in the two together, which may be another one: these were refused."""
    operation = AnonymizeOperation(
        input_dataset="people",
        k=2 + seed % 3,
        quasi_identifiers=QUASI,
        sensitive_attributes=["illness"],
        person="patient_id",
        person_records="apart",
        strategy=strategy,
        ties="fixed",
        row_id=True,
        **asked,
    )
    frame = visits(seed)
    result = run(operation, frame, tmp_path)
    assert not result.failed, result.error_message
    counts = [votes(members) for members in classes(released(tmp_path), frame)]
    if "l" in asked:
        assert min(map(len, counts)) >= 2
    else:
        assert result.metrics["sensitive"]["illness"]["t"] <= 0.4


@pytest.mark.parametrize("rows", ["people", "k-map"])
def test_persons_of_a_population_are_counted_where_it_names_them(rows: str, tmp_path: Path) -> None:
    frame = visits(4)
    population = pd.concat([frame, visits(6).assign(patient_id=lambda t: "q" + t["patient_id"])], ignore_index=True)
    named = rows == "people"
    how: dict[str, Any] = {"method": "k-map", "population": "register", "k": 6, "person": "patient_id"}
    operation = AnonymizeOperation(input_dataset="people", quasi_identifiers=QUASI, row_id=True, **how)
    register = population if named else population.drop(columns="patient_id")
    result = operation.run(data_source={"people": frame, "register": register}, task_dir=tmp_path)
    assert not result.failed, result.error_message
    table = released(tmp_path)

    least = min(
        len(
            {
                row.patient_id if named else row.Index
                for row in population.itertuples()
                if all(covers(cell, getattr(row, name)) for name, cell in zip(QUASI, cells, strict=True))
            }
        )
        for cells in set(table[QUASI].itertuples(index=False, name=None))
    )
    assert least >= result.metrics["k_measured"] >= 6


@pytest.mark.parametrize("seed", range(10))
def test_a_repeated_identifier_without_person_is_told_with_the_persons_of_the_smallest_class(
    seed: int, tmp_path: Path
) -> None:
    frame = visits(seed)
    roles: dict[str, Any] = {"direct_identifiers": ["patient_id"]} if seed % 2 else {}
    operation = AnonymizeOperation(input_dataset="people", quasi_identifiers=QUASI, k=5, row_id=True, **roles)
    result = run(operation, frame, tmp_path)
    smallest = min(len({person for person, _ in members}) for members in classes(released(tmp_path), frame))
    (said,) = [text for text in result.warnings if "direct identifiers that repeat" in text]
    assert f"the smallest class holds {smallest} person" in said
    assert "patient_id (60 different in" in said
    assert "`person: [patient_id]`" in said


def test_an_identifier_that_never_repeats_is_not_told(tmp_path: Path) -> None:
    frame = visits(1).drop_duplicates("patient_id")
    result = run(
        AnonymizeOperation(input_dataset="people", quasi_identifiers=QUASI, k=5, direct_identifiers=["patient_id"]),
        frame,
        tmp_path,
    )
    assert [text for text in result.warnings if "repeat" in text] == []


def test_an_identifier_that_is_spelled_in_several_ways_repeats(tmp_path: Path) -> None:
    """A reader takes the texts for one person's, as `person` does; each was a person, and the verdict `met`."""
    spelled = ["P{:02}", "p{:02}", " P{:02}", "P{:02}\u200b", "P{:02}\u00a0"]
    rows = [(way.format(n), 20 + n, "mf"[n % 2]) for n in range(12) for way in spelled]
    frame = pd.DataFrame(rows, columns=["patient_id", "age", "sex"])
    how: dict[str, Any] = {"input_dataset": "people", "quasi_identifiers": ["age", "sex"]}
    release = AnonymizeOperation(**how, k=5, direct_identifiers=["patient_id"])
    for operation, folder in ((release, "release"), (RiskOperation(**how), "risk")):
        said = " ".join(run(operation, frame, tmp_path / folder).warnings)
        assert "the smallest class holds 1 person" in said
    result = in_a_run(release, frame, tmp_path / "verdict").results
    (verdict,) = [found.metrics["verdict"] for found in result.values()]
    assert "patient_id (12 different in 60 records)" in " ".join(verdict["open_questions"])


def test_records_of_nobody_are_refused_with_their_number(tmp_path: Path) -> None:
    frame = visits(2)
    frame.loc[:2, "patient_id"] = None
    result = run(
        AnonymizeOperation(input_dataset="people", quasi_identifiers=QUASI, k=3, person="patient_id"), frame, tmp_path
    )
    assert isinstance(result.exception, DataError)
    assert f"3 of {len(frame):,} records have no patient_id" in str(result.error_message)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"person": "patient_id", "insensitive_attributes": ["patient_id"]}, "in both `person` and"),
        ({"person_records": "apart"}, "name `person`"),
        ({"person": "patient_id", "strategy": "hierarchy", "recoding": "full-domain"}, "`person_records: apart`"),
        ({"person": []}, "`person` is empty"),
        ({"person": 3}, "`person` has to be a list of column names"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message.replace("`", ".")):
        AnonymizeOperation(input_dataset="people", quasi_identifiers=QUASI, k=3, **parameters)


def test_a_household_may_be_told_by_several_columns(tmp_path: Path) -> None:
    frame = visits(3).assign(
        flat=lambda table: table["patient_id"].str[-1], house=lambda table: table["patient_id"].str[:3]
    )
    result = run(
        AnonymizeOperation(
            input_dataset="people",
            quasi_identifiers=QUASI,
            k=3,
            person=["house", "flat"],
            direct_identifiers=["patient_id"],
        ),
        frame,
        tmp_path,
    )
    assert not result.failed, result.error_message
    (path,) = tmp_path.rglob("people_anonymized.csv")
    assert list(pd.read_csv(path).columns) == [*QUASI, "illness"]
    assert result.metrics["persons_in"] == frame[["house", "flat"]].drop_duplicates().shape[0]


def test_risk_counts_persons(tmp_path: Path) -> None:
    frame = visits(8)
    result = run(
        RiskOperation(
            input_dataset="people", quasi_identifiers=["place"], sensitive_attributes=["illness"], person="patient_id"
        ),
        frame,
        tmp_path,
    )
    by_place = {
        place: list(zip(part["patient_id"], part["illness"], strict=True)) for place, part in frame.groupby("place")
    }
    sizes = [len({person for person, _ in members}) for members in by_place.values()]
    told = result.metrics
    assert (told["counted"], told["k"], told["largest_class"]) == ("persons", min(sizes), max(sizes))
    assert told["prosecutor"]["highest"] == 1 / min(sizes)
    assert told["sensitive_attributes"]["illness"]["distinct_l"] == min(len(votes(m)) for m in by_place.values())


def test_sorted_rows_tell_nothing_of_the_order_they_came_in(tmp_path: Path) -> None:
    """The same records in whatever order give the same file, byte for byte."""
    frame = visits(5, most=1).assign(note=[f"n{i % 7}" for i in range(60)])
    files = []
    for number in range(5):
        shuffled = frame.sample(frac=1, random_state=number).reset_index(drop=True)
        for strategy in ("mondrian", "hierarchy", "microaggregation", "suppression"):
            folder = tmp_path / f"{number}-{strategy}"
            operation = AnonymizeOperation(
                input_dataset="people",
                quasi_identifiers=QUASI,
                k=4,
                direct_identifiers=["patient_id"],
                strategy=strategy,
            )
            assert not run(operation, shuffled, folder).failed
            (path,) = folder.rglob("people_anonymized.csv")
            files.append((strategy, path.read_bytes()))
    assert len(set(files)) == 4


def test_kept_order_is_told(tmp_path: Path) -> None:
    frame = visits(5, most=1)
    operation = AnonymizeOperation(
        input_dataset="people", quasi_identifiers=QUASI, k=4, direct_identifiers=["patient_id"], keep_order=True
    )
    result = run(operation, frame, tmp_path)
    (path,) = tmp_path.rglob("people_anonymized.csv")
    assert pd.read_csv(path)["illness"].tolist() == frame["illness"].tolist()
    assert any("keeps the order of people" in text for text in result.warnings)


def test_risk_warns_of_an_identifier_that_repeats(tmp_path: Path) -> None:
    frame = visits(8)
    result = run(RiskOperation(input_dataset="people", quasi_identifiers=["place"]), frame, tmp_path)
    least = frame.groupby("place")["patient_id"].nunique().min()
    assert any(f"the smallest class holds {least} person" in text for text in result.warnings)


def test_noise_promises_for_persons_and_leaves_records_beyond_the_bound_out(tmp_path: Path) -> None:
    pytest.importorskip("opendp")
    frame = visits(9).assign(wage=lambda table: np.arange(len(table)) % 100)
    how: dict[str, Any] = {
        "columns": ["wage"],
        "epsilon": 1.0,
        "bounds": {"wage": [0, 100]},
        "insensitive_attributes": QUASI,
    }
    for size in (1, 7, 100_000):
        folder = tmp_path / str(size)
        outcome = in_a_run(
            NoiseOperation(input_dataset="people", person="patient_id", contributions=3, on_identifiers="warn", **how),
            frame,
            folder,
            chunk_size=size,
        )
        (step,) = outcome.record.steps
        assert step.metrics["scale"] == {"wage": 300.0}
        assert step.metrics["epsilon_by_opendp"]["wage"] == pytest.approx(1.0)
        assert "each person's cells" in step.metrics["guarantee"]
        kept = frame.groupby("patient_id").head(3)
        (path,) = folder.rglob("people_noisy.csv")
        assert pd.read_csv(path)["patient_id"].tolist() == kept["patient_id"].tolist()


def test_noise_for_records_of_persons_who_repeat_is_told(tmp_path: Path) -> None:
    pytest.importorskip("opendp")
    frame = visits(9).assign(wage=1.0)
    how: dict[str, Any] = {"columns": ["wage"], "epsilon": 1.0, "bounds": {"wage": [0, 100]}}
    outcome = in_a_run(NoiseOperation(input_dataset="people", **how), frame, tmp_path / "a")
    assert any("epsilon holds for each record" in text for text in outcome.record.steps[0].warnings)


def test_a_column_that_is_not_there_costs_nothing_of_the_budget(tmp_path: Path) -> None:
    pytest.importorskip("opendp")
    frame = visits(9).assign(wage=1.0)
    how: dict[str, Any] = {"epsilon": 1.0, "sensitivity": 1.0}
    outcome = outcome_of(NoiseOperation(input_dataset="people", columns=["wagee"], **how), frame, tmp_path / "a")
    assert not outcome.success
    assert list((tmp_path / "a").rglob("privacy_ledger.jsonl")) == []


def test_a_person_votes_once_for_what_a_reader_takes_for_one_value(tmp_path: Path) -> None:
    """`Flu`, `flu` and `FLU` are three of five records of each person: nobody's vote is `hiv`."""
    rows = [(p, 30, x) for p in (0, 2) for x in ["Flu", "flu", "FLU", "hiv", "hiv"]]
    rows += [(p, 30, "flu") for p in (1, 3) for _ in range(3)]
    frame = pd.DataFrame(rows, columns=["pid", "age", "illness"])
    how: dict[str, Any] = {"quasi_identifiers": ["age"], "sensitive_attributes": ["illness"], "person": "pid", "k": 2}
    for records in ("together", "apart"):
        asked = AnonymizeOperation(input_dataset="people", l=2, person_records=records, **how)
        result = run(asked, frame, tmp_path / records)
        assert isinstance(result.exception, DataRefused)
    told = run(AnonymizeOperation(input_dataset="people", **how), frame, tmp_path / "k").metrics
    assert told["sensitive"]["illness"]["l_distinct"] == 1
    exact = AnonymizeOperation(input_dataset="people", l=2, distinguish="exact", **how)
    assert not run(exact, frame, tmp_path / "exact").failed


@pytest.mark.parametrize("ids", [["P1", "p1", "P1 "], ["é", "e\u0301", "É"], ["a\u200bb", "ab", "AB"]])
def test_spellings_of_one_id_are_one_person(ids: list[str], tmp_path: Path) -> None:
    frame = pd.DataFrame({"pid": [*ids, "other", "third"], "age": [30] * 5})
    operation = AnonymizeOperation(input_dataset="people", quasi_identifiers=["age"], k=3, person="pid")
    result = run(operation, frame, tmp_path)
    assert (result.metrics["persons_in"], result.metrics["k_measured"]) == (3, 3)


def test_k_map_by_microaggregation_publishes_what_it_counts(tmp_path: Path) -> None:
    ages = [20, 21, 22, 23, 24, 25, 40, 41, 42, 43, 44, 45]
    population = pd.DataFrame({"pid": range(12), "age": ages})
    sample = population[population["pid"] % 2 == 0]
    how: dict[str, Any] = {"k": 3, "method": "k-map", "population": "register", "strategy": "microaggregation"}
    operation = AnonymizeOperation(
        input_dataset="people", quasi_identifiers=["age"], direct_identifiers=["pid"], row_id=True, **how
    )
    result = operation.run(data_source={"people": sample, "register": population}, task_dir=tmp_path)
    assert not result.failed, result.error_message
    for cell in released(tmp_path)["age"]:
        assert sum(covers(cell, age) for age in ages) >= 3


def test_records_of_a_person_are_not_kept_and_suppressed_at_once() -> None:
    with pytest.raises(ParameterError, match="some records of a person"):
        AnonymizeOperation(
            input_dataset="people",
            quasi_identifiers=QUASI,
            k=3,
            person="patient_id",
            nulls="suppress",
            suppressed_records="keep",
        )


def test_row_ids_of_an_earlier_run_are_named_and_removed(tmp_path: Path) -> None:
    frame = visits(2)
    how: dict[str, Any] = {"input_dataset": "people", "quasi_identifiers": QUASI, "k": 3, "person": "patient_id"}
    in_a_run(AnonymizeOperation(**how, row_id=True), frame, tmp_path)
    (path,) = tmp_path.rglob("*_row_ids.csv")
    outcome = in_a_run(AnonymizeOperation(**how), frame, tmp_path)
    assert any(path.name in text and "no longer made" in text for text in outcome.record.warnings)
    assert pamola(tmp_path, "clean", "--outputs", "t_1").returncode == 0
    assert not path.exists()


def test_a_name_that_several_people_have_is_not_told_where_there_is_a_number(tmp_path: Path) -> None:
    frame = visits(1).drop_duplicates("patient_id").assign(name=lambda table: table["patient_id"].str[:3])
    for identifiers, told in ((["patient_id", "name"], False), (["name"], True)):
        table = frame[[*QUASI, *identifiers]]
        operation = AnonymizeOperation(
            input_dataset="people", quasi_identifiers=QUASI, k=5, direct_identifiers=identifiers
        )
        result = run(operation, table, tmp_path / "-".join(identifiers))
        assert any("that repeat" in text for text in result.warnings) == told


def test_a_class_of_which_no_identifier_is_known_is_not_the_smallest(tmp_path: Path) -> None:
    frame = pd.DataFrame({"patient_id": ["a", "a", "b", None, None, None], "age": [1, 1, 1, 2, 2, 2]})
    operation = AnonymizeOperation(
        input_dataset="people", quasi_identifiers=["age"], k=3, direct_identifiers=["patient_id"]
    )
    (said,) = [text for text in run(operation, frame, tmp_path).warnings if "that repeat" in text]
    assert "the smallest class holds 2 persons" in said


def test_a_value_that_all_persons_outvote_asks_nothing_of_delta(tmp_path: Path) -> None:
    """It is no one's vote, in the table or in a class: δ was infinite, and a release that met it was refused."""
    people = pd.DataFrame({"who": [n // 3 for n in range(120)], "age": [20 + n // 12 for n in range(120)]})
    people["illness"] = ["flu", "flu", "gout", "none", "none", "gout"] * 20
    operation = AnonymizeOperation(
        input_dataset="people", k=3, quasi_identifiers=["age"], sensitive_attributes=["illness"], person="who", delta=2
    )
    result = run(operation, people, tmp_path)
    assert not result.failed, result.error_message
    assert result.metrics["sensitive"]["illness"]["delta"] < 2


def test_no_more_persons_are_unique_than_there_are(tmp_path: Path) -> None:
    """A person with several records who is alone in the class of each is one unique person."""
    jobs = ["cook", "nurse", "baker", "smith", "pilot"]
    rows = [(f"p{n // 2}", 20 + (n // 2) % 9, f"{jobs[n % 5]} {n // 20}") for n in range(100)]
    frame = pd.DataFrame(rows, columns=["pers", "age", "job"])
    operation = AnonymizeOperation(
        input_dataset="people", k=5, quasi_identifiers=["age"], person="pers", register=False
    )
    (result,) = in_a_run(operation, frame, tmp_path / "site").results.values()

    knowable = result.metrics["knowable"]
    assert knowable["columns"] == ["age", "job"]
    assert (knowable["unique"], knowable["unique_share"]) == (50, 1.0)
