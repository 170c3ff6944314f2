"""Privacy models against counting with dictionaries; every strategy against what is asked of it."""

from __future__ import annotations

import math
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import run
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from release_check import MANY, faults, smallest_class

from pamola_ops_anonymize import AnonymizeOperation
from pamola_ops_anonymize.claims import check_promise, check_release, k_map
from pamola_ops_anonymize.conditions import Promise
from pamola_ops_anonymize.hierarchy_files import read_hierarchy
from pamola_ops_anonymize.measures import Grouping
from pamola_ops_anonymize.release import Release, anonymized, mean_loss
from pamola_ops_anonymize.release_settings import OUTPUTS, HierarchySource, Settings
from pamola_tasks.errors import DataRefused


def by_hand(classes: list[int], values: list[int], ordered: bool) -> tuple[int, float, float, float, float]:
    """distinct, entropy, recursive for l = 2, t, delta of the worst class, from the definitions."""
    whole, table = Counter(values), len(values)
    scale = sorted(whole)
    worst: list[tuple[float, ...]] = []
    for each in set(classes):
        own = Counter(v for c, v in zip(classes, values, strict=True) if c == each)
        size = sum(own.values())
        counts = sorted(own.values(), reverse=True)
        entropy = math.exp(-sum(n / size * math.log(n / size) for n in counts))
        recursive = counts[0] / sum(counts[1:]) if len(counts) > 1 else math.inf
        gaps = [own[v] / size - whole[v] / table for v in scale]
        if ordered:
            t = sum(abs(sum(gaps[: i + 1])) for i in range(len(gaps))) / max(1, len(gaps) - 1)
        else:
            t = sum(map(abs, gaps)) / 2
        changes = [abs(math.log(own[v] / size / (whole[v] / table))) if own[v] else math.inf for v in scale]
        worst.append((len(own), entropy, -recursive, -t, -max(changes)))
    return (
        int(min(w[0] for w in worst)),
        min(w[1] for w in worst),
        -min(w[2] for w in worst),
        -min(w[3] for w in worst),
        -min(w[4] for w in worst),
    )


@settings(max_examples=MANY, deadline=None)
@given(
    pairs=st.lists(st.tuples(st.integers(0, 3), st.integers(0, 6)), min_size=1, max_size=40),
    ordered=st.booleans(),
)
def test_measures_are_what_their_definitions_say(pairs: list[tuple[int, int]], ordered: bool) -> None:
    table = pd.DataFrame(pairs, columns=["q", "s"])
    promise = Promise(distance="ordered" if ordered else "categorical")
    found = Grouping.of(table, ["q"]).measured(table["s"], promise)
    assert found is not None
    expected = by_hand(table["q"].tolist(), table["s"].tolist(), ordered)
    assert (found.distinct, found.entropy, found.recursive, found.t, found.delta) == pytest.approx(expected)


def test_the_published_example_of_t_closeness_comes_out_right() -> None:
    # Li, Li and Venkatasubramanian 2007, section 4.1: incomes 3k to 11k; {3k, 4k, 5k} is .375 away, {6k, 8k, 11k} .167
    table = pd.DataFrame({"q": [1, 1, 1, 2, 2, 2, 3, 3, 3], "s": [3, 4, 5, 6, 8, 11, 7, 9, 10]})
    found = [
        Grouping.of(table, ["q"]).measured(table["s"], Promise()),
        Grouping.of(table.assign(q=table["q"].replace({1: 3})), ["q"]).measured(table["s"], Promise()),
    ]
    assert found[0] is not None
    assert found[0].ordered
    assert found[0].t == pytest.approx(0.375)
    assert found[1] is not None
    assert found[1].t == pytest.approx(1 / 6)


QUASI = ["age", "sex", "race", "education", "marital-status"]


def check(table: pd.DataFrame, release: Release, k: int, promise: Promise, sensitive: str) -> None:
    grouping = check_release(release.frame, QUASI, k, len(table), release.suppressed)
    check_promise(promise, {sensitive: grouping.measured(release.frame[sensitive], promise)})


@pytest.mark.parametrize("strategy", ["mondrian", "hierarchy", "microaggregation", "suppression"])
@pytest.mark.parametrize(
    ("promise", "sensitive"),
    [
        (Promise(l=3), "occupation"),
        (Promise(l=3, diversity="entropy"), "occupation"),
        (Promise(l=2, diversity="recursive", c=2), "occupation"),
        (Promise(t=0.3), "occupation"),
        (Promise(t=0.15), "hours"),
        (Promise(delta=1.5), "salary-class"),
    ],
    ids=["distinct", "entropy", "recursive", "t categorical", "t ordered", "delta"],
)
def test_each_strategy_keeps_each_promise(adult: pd.DataFrame, strategy: str, promise: Promise, sensitive: str) -> None:
    table = adult.head(3000).assign(hours=np.random.default_rng(1).integers(0, 60, 3000))
    how = Settings(
        strategy=strategy,  # type: ignore[arg-type]
        promise=promise,
        sensitive=[sensitive],
        output=OUTPUTS[strategy],
    )
    release = anonymized(table, QUASI, 4, how)
    assert release.suppressed == 0
    check(table, release, 4, promise, sensitive)
    plain = anonymized(table, QUASI, 4, Settings(strategy=how.strategy, output=how.output))
    with pytest.raises(DataRefused, match="does not reach it"):
        check(table, plain, 4, promise, sensitive)
    tampered = release.frame.copy()
    first = tampered.index[0]
    others = tampered.index[Grouping.of(tampered, QUASI).group == Grouping.of(tampered, QUASI).group[0]]
    tampered.loc[others, sensitive] = tampered.loc[first, sensitive]
    grouping = Grouping.of(tampered, QUASI)
    with pytest.raises(DataRefused):
        check_promise(promise, {sensitive: grouping.measured(tampered[sensitive], promise)})


def test_what_not_even_the_whole_table_has_is_refused(adult: pd.DataFrame) -> None:
    how = Settings(promise=Promise(l=3), sensitive=["salary-class"])
    with pytest.raises(DataRefused, match="distinct 3-diversity cannot be reached for salary-class"):
        anonymized(adult, QUASI, 4, how)


@pytest.mark.parametrize("asked", [{"t": 0.0001}, {"delta": 0.0001}, {"k": 8}])
def test_a_release_of_which_nothing_is_left_is_told(asked: dict[str, Any], tmp_path: Path) -> None:
    """Met by one class of everybody, in silence."""
    people = pd.DataFrame({"age": range(20, 32), "illness": list("abababababbb")})
    operation = AnonymizeOperation(
        **{"input_dataset": "people", "quasi_identifiers": ["age"], "sensitive_attributes": ["illness"], "k": 2} | asked
    )
    result = run(operation, people, tmp_path)
    assert "all records are in one equivalence class, so that nothing is left" in " ".join(result.warnings)


@pytest.mark.parametrize("strategy", ["mondrian", "hierarchy", "microaggregation", "suppression"])
@pytest.mark.parametrize("diverse", [False, True])
def test_the_order_of_the_records_changes_no_class(adult: pd.DataFrame, strategy: Any, diverse: bool) -> None:
    table = adult.head(700)
    how = Settings(
        strategy=strategy, promise=Promise(l=2) if diverse else Promise(), sensitive=["salary-class"], ties="fixed"
    )
    release = anonymized(table, QUASI, 4, how)
    other = anonymized(table.sample(frac=1, random_state=7), QUASI, 4, how)
    assert Counter(map(tuple, release.frame[QUASI].to_numpy())) == Counter(map(tuple, other.frame[QUASI].to_numpy()))


@pytest.mark.parametrize("strategy", ["mondrian", "hierarchy", "microaggregation", "suppression"])
def test_records_left_out_for_nulls_change_neither_what_a_loss_is_part_of_nor_how_numbers_are_written(
    strategy: Any,
) -> None:
    table = pd.DataFrame({"x": [1.0, 2.0, 3.0, 4.0, 101.0, None], "y": ["a", "a", "b", "b", None, "c"]})
    release = anonymized(
        table, ["x", "y"], 2, Settings(strategy=strategy, nulls="suppress", output="ranges", bounds="tight")
    )
    assert release.frame["x"].tolist() == ["[1,2]", "[1,2]", "[3,4]", "[3,4]"]
    assert release.ncp_set == {"x": pytest.approx((4 * 0.01 + 2) / 6), "y": pytest.approx(2 / 6)}


@pytest.mark.parametrize(
    ("values", "least"), [(["", None], 1), (["", None, "a"], 2), ([1, "1"], 1), ([True, 1], 2), ([0.0, -0.0], 1)]
)
def test_diversity_is_that_of_the_values_as_a_reader_tells_them_apart(values: list[Any], least: int) -> None:
    table = pd.DataFrame({"x": 1, "s": pd.Series(values * 3, dtype=object)})
    grouping = Grouping.of(table, ["x"])
    measured, diversity = grouping.measured(table["s"], Promise()), grouping.diversity(table["s"])
    assert measured is not None
    assert diversity is not None
    assert measured.distinct == diversity.l == least
    assert (measured.recursive == math.inf) == (least == 1)
    assert measured.entropy == pytest.approx({1: 1.0, 2: 2.0}[least], rel=0.1)


@pytest.mark.parametrize("strategy", ["mondrian", "hierarchy", "microaggregation", "suppression"])
def test_no_class_is_diverse_by_an_empty_text_beside_a_missing_value_only(strategy: Any) -> None:
    table = pd.DataFrame({"x": range(8), "s": pd.Series(["", None, "", None, "a", "", None, "a"], dtype=object)})
    release = anonymized(table, ["x"], 2, Settings(strategy=strategy, promise=Promise(l=2), sensitive=["s"]))
    read = release.frame.fillna({"s": ""})
    assert read.groupby("x")["s"].nunique().min() == 2


@st.composite
def cases(draw: st.DrawFn) -> tuple[pd.DataFrame, int, Settings]:
    rows = draw(st.integers(1, 30))
    value = st.one_of(st.integers(0, 12), st.none())
    text = st.one_of(st.sampled_from(["", "a", "b", "*", "c|d"]), st.none())
    table = pd.DataFrame(
        {
            "x": pd.Series(draw(st.lists(value, min_size=rows, max_size=rows)), dtype="Int64"),
            "y": pd.Series(draw(st.lists(text, min_size=rows, max_size=rows)), dtype=object),
        }
    )
    strategy = draw(st.sampled_from(["mondrian", "hierarchy", "microaggregation", "suppression"]))
    how = Settings(
        strategy=strategy,
        recoding=draw(st.sampled_from(["local", "full-domain"])) if strategy == "hierarchy" else "local",
        suppression_limit=draw(st.sampled_from([0.0, 0.2, 1.0])) if strategy == "hierarchy" else 0.0,
        nulls=draw(st.sampled_from(["value", "suppress"])),
        output=draw(st.sampled_from(["ranges", "labels", "representative"])),
        importance=draw(st.sampled_from([{}, {"x": 5.0}])),
        bounds=draw(st.sampled_from(["rounded", "tight"])),
    )
    return table, draw(st.integers(2, 12)), how


@settings(max_examples=MANY, deadline=None, suppress_health_check=list(HealthCheck))
@given(case=cases())
def test_any_small_table_reaches_k_in_any_way_or_its_records_are_suppressed_and_counted(
    case: tuple[pd.DataFrame, int, Settings],
) -> None:
    table, k, how = case
    release = anonymized(table, ["x", "y"], k, how)
    assert len(release.frame) + release.suppressed == len(table)
    measured = smallest_class(release.frame, ["x", "y"])
    assert measured is None or measured >= k
    nulls = int(table.isna().any(axis=1).sum()) if how.nulls == "suppress" else 0
    assert release.suppressed_for_nulls == nulls
    if len(table) - nulls >= k:
        assert release.suppressed - nulls <= how.suppression_limit * (len(table) - nulls)
    for losses in (release.ncp_set, release.ncp_hier):
        assert all(-1e-9 <= loss <= 1 + 1e-9 for loss in losses.values())
        assert all(loss >= release.suppressed / len(table) - 1e-9 for loss in losses.values())
    if how.output == "ranges":
        found = faults(table, release.frame, ["x", "y"], k)
        assert [fault for fault in found if fault != "records are missing"] == []
    again = anonymized(table, ["x", "y"], k, how)
    assert again.frame.equals(release.frame)


@pytest.fixture(scope="module")
def sources(adult_hierarchies: dict[str, bytes]) -> dict[str, HierarchySource]:
    return {
        column: HierarchySource(file=f"{column}.csv", lines=read_hierarchy(content, f"{column}.csv", column))
        for column, content in adult_hierarchies.items()
    }


@pytest.mark.parametrize(("k", "most", "most_as_sets"), [(5, 0.0565, 0.0255), (50, 0.159, 0.1250)])
def test_local_recoding_of_adult_loses_little_and_suppresses_nobody(
    adult: pd.DataFrame, sources: dict[str, HierarchySource], k: int, most: float, most_as_sets: float
) -> None:
    columns = list(adult.columns)
    how = Settings(strategy="hierarchy", output="labels", hierarchies=sources, bounds="tight")
    release = anonymized(adult, columns, k, how)
    assert release.suppressed == 0
    assert release.information_loss <= most
    assert mean_loss(release.ncp_set) <= most_as_sets
    assert mean_loss(release.ncp_file) <= {5: 0.053, 50: 0.152}[k], "over the lines of the files, which are more"
    assert smallest_class(release.frame, columns) >= k
    for column in columns:
        under = {(line[0], label) for line in sources[column].lines or () for label in line}
        pairs = set(zip(adult[column].astype(str), release.frame[column], strict=True))
        assert pairs <= under, "every cell generalizes its own value"


@pytest.mark.parametrize(
    ("k", "classes", "smallest", "loss"),
    [(2, 52, 2, 0.6037), (5, 24, 69, 0.6355), (10, 24, 69, 0.6355), (50, 24, 69, 0.6355)],
)
def test_the_full_domain_optimum_of_adult_is_the_known_one(
    adult: pd.DataFrame, sources: dict[str, HierarchySource], k: int, classes: int, smallest: int, loss: float
) -> None:
    columns = list(adult.columns)
    how = Settings(strategy="hierarchy", recoding="full-domain", output="labels", hierarchies=sources)
    release = anonymized(adult, columns, k, how)
    grouping = Grouping.of(release.frame, columns)
    assert (grouping.classes, grouping.k, release.suppressed) == (classes, smallest, 0)
    assert release.information_loss == pytest.approx(loss, abs=5e-5)


def test_full_domain_with_suppression_is_the_best_of_all_nodes() -> None:
    rng = np.random.default_rng(3)
    table = pd.DataFrame({"a": rng.integers(0, 12, 80), "b": rng.choice(list("pqrs"), 80)})
    sources = {"a": HierarchySource(widths=(2, 4))}
    for limit in (0.0, 0.1, 0.4):
        how = Settings(
            strategy="hierarchy", recoding="full-domain", output="labels", hierarchies=sources, suppression_limit=limit
        )
        found = anonymized(table, ["a", "b"], 4, how)
        losses = []
        for level in range(4):
            for starred in (False, True):
                a = table["a"] // {0: 1, 1: 2, 2: 4, 3: 99}[level]
                b = table["b"] if not starred else table["b"].str.replace(".", "*", regex=True)
                out = a.groupby([a, b]).transform("size") < 4
                if out.mean() > limit:
                    continue
                leaves = table["a"].drop_duplicates().groupby(a).size()
                of_a = (a.map(leaves) - 1) / (table["a"].nunique() - 1)
                losses.append((np.where(out, 1, of_a).mean() + np.where(out, 1, float(starred)).mean()) / 2)
        assert found.information_loss == pytest.approx(min(losses))


def test_k_map_counts_in_the_population(adult: pd.DataFrame) -> None:
    sample, columns = adult.sample(2000, random_state=1).reset_index(drop=True), QUASI
    for strategy in ("mondrian", "hierarchy", "microaggregation", "suppression"):
        how = Settings(strategy=strategy, population=adult, output="ranges")  # type: ignore[arg-type]
        release = anonymized(sample, columns, 20, how)
        assert release.population is not None
        assert k_map(release.frame, release.population, columns) >= 20
        assert len(release.frame) == len(sample)
        check_release(release.frame, columns, 20, len(sample), 0, release.population)
        plain = anonymized(sample, columns, 20, Settings(strategy=how.strategy, output="ranges"))
        assert release.information_loss < plain.information_loss
        tampered = release.frame.copy()
        tampered.loc[5, "age"] = "[17,90]"
        with pytest.raises(DataRefused, match="reaches only k=0"):
            check_release(tampered, columns, 20, len(sample), 0, release.population)


def test_k_map_suppresses_no_more_of_the_input_than_is_allowed() -> None:
    """Two of these records are nobody of the population: no count of the population may excuse leaving them out."""
    sample = pd.DataFrame({"a": list("zzabab"), "b": [1, 2, 3, 4, 5, 6]})
    population = pd.DataFrame({"a": list("aabb") * 6, "b": [3, 4, 5, 6] * 6})
    for recoding in ("local", "full-domain"):
        for limit, most in ((0.0, 0), (0.2, 1), (0.4, 2)):
            how = Settings(
                strategy="hierarchy",
                recoding=recoding,  # type: ignore[arg-type]
                suppression_limit=limit,
                population=population,
                output="labels",
            )
            release = anonymized(sample, ["a", "b"], 3, how)
            assert release.suppressed <= most
            assert len(release.frame) == len(sample) - release.suppressed
            check_release(release.frame, ["a", "b"], 3, len(sample), release.dropped, release.population)


def test_k_map_by_full_domain_asks_nothing_of_classes_that_nobody_of_the_input_is_in() -> None:
    sample = pd.DataFrame({"a": [1, 1, 2]})
    population = pd.DataFrame({"a": [1, 1, 1, 2, 2, 2, 3]})  # one 3, whom no record looks like
    how = Settings(strategy="hierarchy", recoding="full-domain", population=population, output="labels")
    assert anonymized(sample, ["a"], 3, how).frame["a"].tolist() == ["1", "1", "2"]


def test_a_column_that_matters_more_loses_less(adult: pd.DataFrame) -> None:
    table = adult.head(4000)
    for strategy in ("mondrian", "hierarchy", "microaggregation", "suppression"):
        how = Settings(strategy=strategy, output=OUTPUTS[strategy])  # type: ignore[arg-type]
        plain = anonymized(table, QUASI, 10, how)
        weighted = anonymized(
            table,
            QUASI,
            10,
            Settings(strategy=how.strategy, output=how.output, importance={"age": 30.0}),
        )
        assert weighted.loss["age"] < plain.loss["age"]


def test_representatives_are_the_median_and_the_most_frequent_value() -> None:
    table = pd.DataFrame({"n": [1, 2, 9, 1, 50], "c": ["a", "b", "b", "a", "b"]})
    release = anonymized(table, ["n", "c"], 5, Settings(output="representative"))
    assert release.frame.iloc[0].tolist() == ["2", "b"]
    assert release.published == "set"
    assert release.information_loss == 1.0
