"""Estimates of risk, held against the figures of ARX and sdcMicro on the same tables, sums and exhaustive searches."""

from __future__ import annotations

import itertools
import json
import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, run

from pamola_ops_anonymize import RiskOperation
from pamola_ops_anonymize.individual_risk import individual_risks
from pamola_ops_anonymize.persons import Persons
from pamola_ops_anonymize.population_uniqueness import SampleClasses, pitman, population_uniqueness, snb
from pamola_ops_anonymize.special_uniques import special_uniques
from pamola_tasks.errors import DataError, ParameterError

# R package sdcMicro (github.com/sdcTools/sdcMicro, commit cf32510), tests/testthat/test_indivRisk.R: the table and what
# `indivRisk(freqCalc(…), method = "exact")` gives for it
SURVEY = pd.DataFrame(
    {
        "A": [2, 3, 2, 2, 3, 3, 1, 2],
        "B": [3, 3, 3, 3, 3, 3, 4, 3],
        "C": [1, 3, 1, 2, 1, 1, 1, 1],
        "weight": [18.0, 45.5, 39.0, 17.0, 92.0, 8.0, 123.5, 51.0],
    }
)
INDIVIDUAL = [0.01355297, 0.08579129, 0.01355297, 0.17707583, 0.01877883, 0.01877883, 0.03931625, 0.01355297]


def risk(frame: pd.DataFrame, folder: Path, **parameters: Any) -> dict[str, Any]:
    given: Any = {"input_dataset": "people", "quasi_identifiers": ["A", "B", "C"], **parameters}
    return done(RiskOperation(**given), frame, folder)


# ---------------------------------------------------------------- survey weights


def test_individual_risk_is_that_of_sdcmicro(tmp_path: Path) -> None:
    told = risk(SURVEY, tmp_path, weights="weight", record_risks=True, risk_threshold=0.05)
    (path,) = tmp_path.rglob("people_record_risks.csv")
    assert path.parent.name == "internal"
    rows = pd.read_csv(path)
    assert rows["record"].tolist() == list(range(8))
    assert rows["individual_risk"].tolist() == pytest.approx(INDIVIDUAL, abs=5e-9)
    assert told["individual_risk"] == {
        "highest": pytest.approx(max(INDIVIDUAL)),
        "global": pytest.approx(sum(INDIVIDUAL) / 8),
        "expected_reidentifications": pytest.approx(sum(INDIVIDUAL)),
        "records_at_risk": 2,
        "share_at_risk": 0.25,
    }
    assert (told["population_estimated"], told["k_map_estimated"]) == (394.0, 17.0)
    assert told["population_uniqueness"]["sampling_fraction"] == pytest.approx(8 / 394)


@pytest.mark.parametrize(("sample", "population"), [(1, 9), (2, 5), (3, 400), (5, 9), (19, 90), (20, 45), (21, 5000)])
def test_individual_risk_is_the_mean_of_the_negative_binomial(sample: int, population: float) -> None:
    """The sum of P(F | f) / F over all F that matter."""
    p = sample / population
    size = np.arange(sample, 400_000)
    grows = np.cumsum(np.log((size[1:] - 1.0) / (size[1:] - sample)))
    chance = np.exp(sample * math.log(p) + np.append(0.0, grows) + (size - sample) * math.log(1 - p))
    assert individual_risks(np.array([sample]), np.array([population])) == pytest.approx((chance / size).sum())


def test_a_person_with_several_records_has_one_weight(tmp_path: Path) -> None:
    visits = pd.concat([SURVEY.assign(who=range(8))] * 3, ignore_index=True)
    told = risk(visits, tmp_path, weights="weight", person="who")
    assert told["individual_risk"]["global"] == pytest.approx(sum(INDIVIDUAL) / 8)
    assert told["population_estimated"] == 394.0


WEIGHTS = {
    "missing": ([math.nan, *SURVEY["weight"][1:]], "1 of 8 records have a weight in weight that is missing or not abo"),
    "negative": ([-1.0, *SURVEY["weight"][1:]], "1 of 8 records have a weight in weight that is missing or not above"),
    "scaled to the sample": ((SURVEY["weight"] / SURVEY["weight"].mean()).tolist(), "they are scaled"),
    "in words": (["many"] * 8, "holds no numbers"),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_weights_that_say_nothing_are_refused(kind: str, tmp_path: Path) -> None:
    values, message = WEIGHTS[kind]
    operation = RiskOperation(input_dataset="people", quasi_identifiers=["A"], weights="weight")
    result = run(operation, SURVEY.assign(weight=values), tmp_path)
    assert isinstance(result.exception, DataError)
    assert message in str(result.error_message)


def test_a_class_of_less_weight_than_records_is_told_and_counts_as_complete(tmp_path: Path) -> None:
    frame = pd.DataFrame({"A": [1, 1, 2], "weight": [0.5, 0.5, 99.0]})
    result = run(RiskOperation(input_dataset="people", quasi_identifiers=["A"], weights="weight"), frame, tmp_path)
    assert "1 of 2 equivalence classes have weights that sum to less than their records" in "".join(result.warnings)
    assert result.metrics["individual_risk"]["highest"] == 0.5
    assert result.metrics["k_map_estimated"] == 2


# ---------------------------------------------------------------- uniqueness in a population


def test_population_uniqueness_is_that_of_arx(adult: pd.DataFrame, tmp_path: Path) -> None:
    """github.com/arx-deidentifier/arx, commit aacd487, TestRiskMetrics.testDecisionRule2: Adult, all nine columns."""
    told = risk(adult, tmp_path, quasi_identifiers=list(adult.columns), sampling_fraction=0.1)
    found = told["population_uniqueness"]
    assert (found["model"], found["uniqueness"]) == ("pitman", pytest.approx(0.27684993883653597, abs=1e-9))
    assert found["zayatz"] == pytest.approx(0.3207402393466189, abs=1e-9)
    assert found["population"] == pytest.approx(301_620)
    assert f"an estimated 27.68% of a population of 301,620 are unique in it, and about {8350:,}" in found["meaning"]
    sizes = np.bincount(adult.groupby(list(adult.columns)).ngroup())
    at = {fraction: population_uniqueness(SampleClasses.of(sizes, fraction)) for fraction in (0.01, 0.2, 1.0)}
    assert at[0.01].uniques / at[0.01].population == pytest.approx(0.1446083531167384, abs=1e-9)
    # ARX' own SNB model has no solution here (its second equation multiplies where G'' divides): it takes Zayatz'
    assert at[0.2].zayatz / at[0.2].population == pytest.approx(0.3577099234829125, abs=1e-9)
    assert at[1.0].uniques / at[1.0].population == pytest.approx(0.5142895033485844, abs=1e-9)


@pytest.mark.parametrize(("alpha", "beta", "fraction"), [(0.3, 0.1, 0.2), (1.0, 0.4, 0.1), (2.0, 0.5, 0.5)])
def test_snb_finds_the_uniques_of_populations_that_are_so_distributed(
    alpha: float, beta: float, fraction: float
) -> None:
    """Within 5 % where the number of classes is known, of which the published estimate may be far off."""
    rng = np.random.default_rng(5)
    population = 1 + rng.negative_binomial(alpha, beta, 60_000)
    sample = rng.binomial(population, fraction)
    found = snb(SampleClasses.of(sample[sample > 0], fraction), len(population))
    assert found == pytest.approx((population == 1).sum(), rel=0.05)


@pytest.mark.parametrize(("alpha", "beta", "fraction"), [(0.3, 0.1, 0.2), (0.5, 0.3, 0.1), (2.0, 0.5, 0.5)])
def test_snb_solves_the_equations_of_its_authors(alpha: float, beta: float, fraction: float) -> None:
    """Chen and Keller-McNulty 1998, by sums over all sizes in the population in place of closed forms.

    α and β are those for which as many classes of size 1 and 2 are expected in the sample as there are.
    """
    classes, j = 5_000, np.arange(1, 1500)
    log_factorial = np.cumsum(np.log(np.maximum(np.arange(1500), 1)))

    def expected(at: Any) -> Any:
        a, b = np.exp(at)
        rising = np.cumsum(np.append(0.0, np.log(a + np.arange(len(j) - 1))))
        size = np.exp(rising - log_factorial[j - 1] + a * np.log(b) + (j - 1) * np.log(1 - b))
        drawn = [j * fraction * (1 - fraction) ** (j - 1), j * (j - 1) / 2 * fraction**2 * (1 - fraction) ** (j - 2.0)]
        return np.array([classes * (size * chance).sum() for chance in drawn])

    point = np.log([alpha, beta])
    there = expected(point).round()  # whole classes: the solution is near these
    for _ in range(30):
        steps = 1e-6 * np.eye(2)
        slopes = np.column_stack([(expected(point + step) - expected(point - step)) / 2e-6 for step in steps])
        point = point - np.linalg.solve(slopes, expected(point) - there)
    assert expected(point) == pytest.approx(there, rel=1e-9)
    sizes = np.repeat([1, 2, 3], [*there.astype(int), 40])
    alpha, beta = np.exp(point)
    assert snb(SampleClasses.of(sizes, fraction), classes) == pytest.approx(classes * beta**alpha, rel=1e-6)


def test_estimates_are_near_the_truth_of_a_table_that_is_sampled(adult: pd.DataFrame) -> None:
    """Adult as the population, a fifth of it drawn: the rule's estimate is within a fifth of the true number."""
    group = adult.groupby(["age", "sex", "race", "education", "native-country"]).ngroup().to_numpy()
    true = int((np.bincount(group) == 1).sum())
    drawn = np.random.default_rng(1).permutation(len(group))[: len(group) // 5]
    sizes = np.bincount(group[drawn])
    found = population_uniqueness(SampleClasses.of(sizes[sizes > 0], 0.2))
    assert found.uniques == pytest.approx(true, rel=0.2)


@pytest.mark.parametrize("sizes", [[1], [5], [1, 1, 1], [1, 2], [3, 3], [1, 1, 2, 3, 9, 40], [2, 2, 1]])
@pytest.mark.parametrize("fraction", [0.001, 0.1, 0.5, 1.0])
def test_small_samples_have_finite_estimates_within_the_population(sizes: list[int], fraction: float) -> None:
    sample = SampleClasses.of(np.array(sizes), fraction)
    found = population_uniqueness(sample)
    for estimate in (found.zayatz, found.pitman, found.snb):
        assert estimate is None or 0 <= estimate <= sample.population * (1 + 1e-9)
    assert found.uniques == 0 or 1 in sizes


def test_pitman_needs_classes_of_several_records() -> None:
    assert pitman(SampleClasses.of(np.ones(50, dtype=np.int64), 0.1)) is None


# ---------------------------------------------------------------- special uniques


def by_trying_all(frame: pd.DataFrame, most: int) -> dict[tuple[int, tuple[int, ...]], None]:
    """Every record with every set of columns that is a minimal sample unique of it, by counting all sets."""
    rows = list(frame.itertuples(index=False, name=None))
    sets = [c for size in range(1, most + 1) for c in itertools.combinations(range(frame.shape[1]), size)]
    counts = {c: Counter(tuple(row[at] for at in c) for row in rows) for c in sets}
    unique = {(n, c) for n, row in enumerate(rows) for c in sets if counts[c][tuple(row[at] for at in c)] == 1}
    return {(n, c): None for n, c in sorted(unique) if not any((n, d) in unique and {*d} < {*c} for d in sets)}


def codes_of(frame: pd.DataFrame) -> list[np.ndarray[Any, Any]]:
    return [pd.factorize(frame[name])[0] for name in frame.columns]


@pytest.mark.parametrize("seed", range(20))
def test_suda2_finds_what_an_exhaustive_search_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    columns, rows = int(rng.integers(1, 7)), int(rng.integers(1, 60))
    frame = pd.DataFrame(rng.integers(0, rng.integers(1, 6, columns) + 1, (rows, columns)))
    for most in range(1, columns + 1):
        found = special_uniques(codes_of(frame), most, 0.1)
        pairs = {(int(row), chosen) for chosen, rows in found.found.items() for row in rows}
        assert pairs == set(by_trying_all(frame, most))


@pytest.mark.parametrize("seed", range(5))
def test_suda2_of_persons_finds_what_an_exhaustive_search_finds(seed: int) -> None:
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.integers(0, 4, (40, 4)))
    whose = rng.integers(0, 25, 40)
    persons = Persons.in_columns(pd.DataFrame({"id": whose}), ["id"], "people")
    found = special_uniques(codes_of(frame), 4, None, persons).found

    def alone(row: int, columns: tuple[int, ...]) -> bool:
        same = (frame.iloc[:, list(columns)] == frame.iloc[row, list(columns)]).all(axis=1)
        return len(set(whose[same])) == 1

    sets = [c for size in range(1, 5) for c in itertools.combinations(range(4), size)]
    unique = {(row, c) for row in range(40) for c in sets if alone(row, c)}
    minimal = {(row, c) for row, c in unique if not any((row, d) in unique and {*d} < {*c} for d in sets)}
    assert {(int(row), chosen) for chosen, rows in found.items() for row in rows} == minimal


# sdcMicro, tests/testthat/test_suda2.R: "sdc guideline", "book example" and "simple example"
GUIDELINE = pd.DataFrame(
    {
        "Residence": "Urban Urban Urban Urban Rural Urban Urban Urban Urban Urban".split(),
        "Gender": "Female Female Female Male Female Male Female Male Female Female".split(),
        "Education": "s1 s1 p1 s2 s2 s2 p2 post s1 s1".split(),
        "Labor": "Employed Employed Non-LF Employed Unemployed Employed Non-LF Unemployed Non-LF Non-LF".split(),
    }
)


def test_suda_scores_are_those_of_sdcmicro(tmp_path: Path) -> None:
    book = pd.DataFrame(
        {
            "age": ["20s"] * 7 + ["60s"],
            "gender": ["m"] * 4 + ["f"] * 3 + ["m"],
            "income": ["50k+"] * 2 + ["50k-"] * 6,
            "education": ["high"] * 4 + ["university", "high", "middle", "university"],
        }
    )
    simple = pd.DataFrame({"a": [2, 1, 1], "b": [0, 3, 0], "c": [0, 6, 0]})
    assert special_uniques(codes_of(GUIDELINE), 4).score.tolist() == [0, 0, 6, 0, 12, 0, 6, 10, 0, 0]
    assert special_uniques(codes_of(book), 4).score.tolist()[4:] == [4, 2, 6, 8]
    assert special_uniques(codes_of(simple), 3).contribution.tolist() == [0.5, 0.375, 0.375]

    quasi = list(GUIDELINE.columns)
    told = risk(GUIDELINE, tmp_path, quasi_identifiers=quasi, special_uniques=3, sampling_fraction=0.01)
    found = told["special_uniques"]
    assert (found["records"], found["highest_score"], found["max_size"]) == (4, 12.0, 3)
    assert told["special_uniques_by_fewest_columns"] == {"1": 4, "2": 0, "3": 0}
    assert told["special_uniques_by_column"]["Education"] == 22 / 34
    assert told["special_uniques_by_set"][0] == {"columns": ["Education"], "records": 3}
    # 4 uniques and 6 records in pairs: 4 f / (4 f + 6 (1 - f))
    assert found["dis"] == pytest.approx(0.04 / (0.04 + 6 * 0.99))


def test_dis_scores_average_to_that_of_the_table_where_all_scores_are_the_same() -> None:
    frame = pd.DataFrame({"a": [1, 2, 3, 4, 4, 5, 5], "b": 0})
    found = special_uniques(codes_of(frame), 2, 0.05)
    assert found.file_dis == pytest.approx(3 * 0.05 / (3 * 0.05 + 4 * 0.95))
    assert found.dis is not None
    assert found.dis.tolist() == pytest.approx([found.file_dis] * 3 + [0.0] * 4)


def test_several_records_of_one_person_are_unique_together() -> None:
    twice = pd.concat([GUIDELINE, GUIDELINE], ignore_index=True)
    persons = Persons(np.tile(np.arange(len(GUIDELINE)), 2), len(GUIDELINE))
    alone = special_uniques(codes_of(GUIDELINE), 4, 0.1)
    found = special_uniques(codes_of(twice), 4, 0.1, persons)
    assert found.score.tolist() == [*alone.score, *alone.score]
    assert found.file_dis == alone.file_dis
    assert not special_uniques(codes_of(twice), 4).score.any()


# ---------------------------------------------------------------- parameters


WRONG = {
    "no fraction": ({"sampling_fraction": 0}, "`sampling_fraction` has to be a number above 0 and at most 1"),
    "more than all": ({"sampling_fraction": 2}, "`sampling_fraction` has to be a number above 0 and at most 1"),
    "no column": ({"special_uniques": 0}, "`special_uniques` has to be a whole number of 1 or more"),
    "two weights": ({"weights": ["weight"]}, "`weights` has to be the name of a column"),
    "two roles": ({"weights": "A"}, "A is in `weights`, and has another role"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_parameter_is_told_when_the_step_is_added(case: str) -> None:
    parameters, message = WRONG[case]
    with pytest.raises(ParameterError, match=message):
        RiskOperation(**{"input_dataset": "people", "quasi_identifiers": ["A"], **parameters})


def test_nothing_is_estimated_unless_asked_for(tmp_path: Path) -> None:
    told = risk(SURVEY, tmp_path)
    assert not {"individual_risk", "population_uniqueness", "special_uniques"} & set(told)
    assert not list(tmp_path.rglob("*_record_risks.csv"))
    (path,) = tmp_path.rglob("people_risk.json")
    assert json.loads(path.read_bytes())["rows"] == 8
