"""What each operation changes, keeps and measures; figures of published examples."""

from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_ops_perturb.household_swaps import Households, swap
from pamola_ops_perturb.linking import link_categories, link_numbers
from pamola_ops_perturb.pram import PramOperation
from pamola_ops_perturb.rank_swapping import RankSwapOperation, partners
from pamola_ops_perturb.record_swapping import RecordSwapOperation
from pamola_ops_perturb.shuffling import normal_scores, same_ranks
from pamola_ops_perturb.transition import Effect, drawn, invariant, randomized
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks.functions import run_on

RNG = np.random.default_rng


def ran(frame: pd.DataFrame, operation: str, **parameters: Any) -> tuple[pd.DataFrame, Any]:
    return run_on(frame, operation, writes="output_dataset", **parameters)


# ---------------------------------------------------------------- PRAM


def test_pram_of_110_males_and_90_females_who_stay_with_probability_nine_tenths() -> None:
    """The example of the Handbook on Statistical Disclosure Control (second edition, section 3.4, "PRAM, the method"):
    108 males and 92 females are expected; 9 of these males were female, and 11 of these females male."""
    effect = Effect(np.array([[0.9, 0.1], [0.1, 0.9]]), np.array([[110, 0], [0, 90]]))
    assert effect.expected == pytest.approx([108, 92])
    assert (1 - effect.posterior) * effect.expected == pytest.approx([9, 11])
    assert effect.expectation_ratio == pytest.approx([99 / 9, 81 / 11])


def test_pram_of_regions_of_the_practice_guide() -> None:
    """T. Benschop, C. Machingauta and M. Welch: SDC for Microdata: A Practice Guide, section on PRAM: of 5,000,
    500 and 400 records 5,045, 460 and 395 are expected. The capital always stays; estimates lead back."""
    names, sizes = ["capital", "rural1", "rural2"], [5000, 500, 400]
    rows = [[1, 0, 0], [0.05, 0.8, 0.15], [0.05, 0.15, 0.8]]
    matrix = {name: dict(zip(names, row, strict=True)) for name, row in zip(names, rows, strict=True)}
    frame = pd.DataFrame({"region": np.repeat(names, sizes)})
    out, found = ran(frame, "PramOperation", columns=["region"], transition={"region": matrix})
    (listed,) = found.files["result_pram"]["region"]["strata"]
    assert listed["expected"] == pytest.approx([5045, 460, 395])
    assert (out["region"][:5000] == "capital").all()
    counts = out["region"].value_counts()[names].to_numpy()
    assert np.abs(counts - [5045, 460, 395]).max() < 60
    assert np.linalg.solve(np.array(rows).T, counts) == pytest.approx(sizes, abs=90)
    assert listed["contingency"] == pd.crosstab(frame["region"], out["region"]).to_numpy().tolist()
    assert found["share_changed"]["region"] == pytest.approx((frame["region"] != out["region"]).mean())


def test_invariant_pram_keeps_frequencies_in_expectation() -> None:
    """pR = p (P. Kooiman, L. Willenborg and J. Gouweleeuw 1997), whatever the matrix; alpha 0 changes nothing."""
    for seed in range(20):
        shares = RNG(seed).dirichlet(np.ones(5))
        matrix = drawn(5, 0.3, RNG(seed))
        assert np.diag(matrix).min() >= 0.3
        made = invariant(matrix, shares, 0.5)
        assert shares @ made == pytest.approx(shares)
        assert made.sum(axis=1) == pytest.approx(np.ones(5))
        assert invariant(matrix, shares, 0.0) == pytest.approx(np.eye(5))


def test_cells_are_drawn_with_the_probabilities_of_their_rows() -> None:
    matrix = np.array([[0.7, 0.2, 0.1], [0, 0, 1], [0.5, 0.5, 0]])
    codes = np.repeat([0, 1, 2], 40_000)
    table = Effect.of(matrix, codes, randomized(codes, matrix, RNG(3))).contingency / 40_000
    assert table == pytest.approx(matrix, abs=0.012)
    assert table[1].tolist() == [0, 0, 1]


def test_pram_within_strata_keeps_what_a_stratum_does_not_have() -> None:
    frame = pd.DataFrame({"sex": ["f", "m"] * 300, "cancer": ["breast", "prostate", "lung", "lung"] * 150})
    frame.loc[::7, "cancer"] = None
    out, _ = ran(frame, "PramOperation", columns=["cancer"], strata=["sex"], pd=0.1, alpha=1)
    assert set(out["cancer"][out["sex"] == "f"].dropna()) == {"breast", "lung"}
    assert out["cancer"].isna().tolist() == frame["cancer"].isna().tolist()
    assert (out["cancer"] != frame["cancer"]).sum() > 100


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"transition": {"a": {"x": {"x": 0.9}}}}, "add up to 0.9, not 1"),
        ({"transition": {"a": {"x": {"y": 1.0}}}}, "has no row of its own"),
        ({"transition": {"b": {"x": {"x": 1.0}}}}, "not among `columns`"),
        ({"transition": {"a": {"x": {"x": 1.0}}}, "pd": 0.5}, "`pd` does nothing"),
        ({"invariant": False, "alpha": 0.5}, "`alpha` is for invariant"),
        ({"pd": 1.5}, "a number from 0 to 1"),
    ],
)
def test_wrong_parameters_of_pram_are_refused(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        PramOperation(input_dataset="t", columns=["a"], **wrong)
    with pytest.raises(ParameterError, match="state one"):
        RankSwapOperation(input_dataset="t", columns=["a"], p=5, r0=0.9)


# ---------------------------------------------------------------- swapping and shuffling


def test_ranks_are_swapped_in_pairs_within_the_range() -> None:
    """Moore 1996: no two ranks that are swapped are further apart than p percent; each once."""
    partner = partners(10_000, 500, RNG(1))
    ranks = np.arange(10_000)
    assert (partner[partner] == ranks).all()
    assert np.abs(partner - ranks).max() <= 500
    assert (partner == ranks).sum() < 20
    # of evenly distributed offsets up to w, the mean square is w²/3; partners that are left lie further away
    assert 0.33 < ((partner - ranks) ** 2).mean() / 500**2 < 0.45
    assert partners(10, 0, RNG(1)).tolist() == list(range(10))


def test_rank_swapping_of_the_handbook() -> None:
    """The example in section 3.4 of the Handbook on Statistical Disclosure Control (second edition): of ten records,
    p = 10 swaps each rank with the next. Which of two equal values (4.5, of records 4 and 7) is first, is free."""
    frame = pd.DataFrame({"third": [3.7, 3.8, 3.0, 4.5, 5.0, 6.0, 4.5, 6.7, 8.0, 10.0],
                          "fourth": [4.4, 3.4, 4.8, 5.0, 6.0, 7.5, 10.0, 11.0, 9.5, 3.2]})  # fmt: skip
    out, _ = ran(frame, "RankSwapOperation", columns=["third", "fourth"], p=10, top_percent=0, bottom_percent=0)
    assert out["fourth"].tolist() == [4.8, 3.2, 4.4, 6.0, 5.0, 9.5, 11.0, 10.0, 7.5, 3.4]
    assert out["third"].drop([3, 6]).tolist() == [3.0, 4.5, 3.7, 4.5, 6.7, 6.0, 10.0, 8.0]
    assert sorted(out["third"][[3, 6]]) == [3.8, 5.0]


def test_rank_swapping_keeps_values_and_the_factor_that_is_asked_for() -> None:
    normal = RNG(2).multivariate_normal([0, 0], [[1, 0.8], [0.8, 1]], 4000)
    frame = pd.DataFrame({"a": normal[:, 0], "b": (normal[:, 1] * 100).round().astype("int64")})
    frame["gap"] = frame["a"].where(np.arange(4000) % 5 > 0)
    out, _ = ran(frame, "RankSwapOperation", columns=["a", "b", "gap"], top_percent=0, bottom_percent=0, p=8)
    for name in frame:
        assert sorted(out[name].dropna()) == sorted(frame[name].dropna())
    assert out["b"].dtype == frame["b"].dtype
    assert out["gap"].isna().tolist() == frame["gap"].isna().tolist()
    away = np.abs(out["a"].rank() - frame["a"].rank())
    assert away.max() <= 0.08 * 4000
    ends, told = ran(frame, "RankSwapOperation", columns=["a", "b"], r0=0.9)
    before, after = (np.corrcoef(each["a"], each["b"])[0, 1] for each in (frame, ends))
    assert 0.9 <= after / before < 0.98
    top = frame["a"] >= frame["a"].quantile(0.95)
    assert ends["a"][top].nunique() == 1
    assert ends["a"].mean() == pytest.approx(frame["a"].mean())
    assert (
        told["utility"]["columns"]["a"]["rank_correlation"] < 1 == pytest.approx(told["share_changed"]["a"], abs=0.01)
    )


def test_households_at_risk_change_places_with_similar_ones_elsewhere() -> None:
    rng = RNG(5)
    homes, size = np.arange(3000), rng.integers(1, 5, 3000)
    home = np.repeat(homes, size)
    region = rng.integers(0, 3, 3000)
    town = region * 10 + rng.integers(0, 4, 3000)
    frame = pd.DataFrame({"hid": home, "region": region[home], "town": town[home], "size": size[home]})
    frame["age"], frame["origin"] = rng.integers(0, 8, len(home)), rng.geometric(0.35, len(home))
    asked = {"hierarchy": ["region", "town"], "similar": [["size"]], "risk_variables": ["age", "origin"]}
    out, found = ran(frame, "RecordSwapOperation", hid="hid", swaprate=0.1, k_anonymity=3, **asked)
    assert (out.groupby("hid")[["region", "town"]].nunique() == 1).all().all()
    before, after = (each.drop_duplicates("hid").set_index("hid") for each in (frame, out))
    assert (before.groupby(["town", "size"]).size() == after.groupby(["town", "size"]).size()).all()
    moved = before["town"] != after["town"]
    assert found["households_swapped"] == moved.sum() >= 300
    counts = frame.groupby(["age", "origin", "region"])["hid"].transform("size")
    risky = frame["hid"][counts < 3].unique()
    assert found["households_at_risk"]["region"] == len(risky)
    assert (before["region"] != after["region"])[risky].all()
    assert found["households_at_risk_not_swapped"] == 0
    assert frame.drop(columns=["region", "town"]).equals(out.drop(columns=["region", "town"]))
    with pytest.raises(DataError, match="differ in age"):
        ran(frame, "RecordSwapOperation", hid="hid", **{**asked, "similar": [["age"]], "risk_variables": ["origin"]})


def dwellings(count: int) -> tuple[pd.DataFrame, Any]:
    """Households with two areas, one within the other, and the sizes of households; and what to ask of a swap."""
    rng = RNG(1)
    size, nuts2 = rng.integers(1, 7, count), rng.integers(0, 15, count)
    home = np.repeat(np.arange(count), size)
    frame = pd.DataFrame({"hid": home, "nuts1": nuts2[home] // 5, "nuts2": nuts2[home], "hsize": size[home]})
    frame["age"], frame["national"] = rng.integers(0, 7, len(home)), rng.integers(0, 5, len(home))
    return frame, {"hid": "hid", "hierarchy": ["nuts1", "nuts2"], "similar": [["hsize"]]}


def test_swap_rates_of_the_tests_and_the_vignette_of_sdcmicro() -> None:
    """sdcMicro, tests/testthat/test_recordSwap_outputs.R: of 10,000 households, 5, 10 and 25 percent are swapped
    exactly, with `k_anonymity` 1. Its vignette on record swapping: 5 percent of 100,000 are 5,000."""
    frame, asked = dwellings(10_000)
    out, found = ran(frame, "RecordSwapOperation", risk_variables=["age", "national"], k_anonymity=1, **asked)
    moved = (out["nuts2"] != frame["nuts2"]).groupby(frame["hid"]).first()
    assert found["households_swapped"] == moved.sum() == 500
    for count, rate in ((10_000, 0.1), (10_000, 0.25), (100_000, 0.05)):
        area = RNG(1).integers(0, 12, count)
        made = Households(np.stack([area // 4, area]), np.full((2, count), 1e-4), (np.arange(count) % 5)[None])
        partner = swap(made, np.inf, rate, RNG(7))
        assert (partner != np.arange(count)).sum() == rate * count
        assert (area[partner] != area)[partner != np.arange(count)].all()


def test_households_above_a_stated_risk_are_swapped_at_its_level() -> None:
    """As in sdcMicro's tests of `risk`: with `swaprate` 0, exactly those above the threshold and their partners are
    swapped; and 1 over the counts, with 1/2 as threshold, means what `k_anonymity: 2` does."""
    frame, asked = dwellings(2_000)
    frame["risk1"], frame["risk2"] = 0.0001, 0.0001
    frame.loc[RNG(2).choice(len(frame), 60, replace=False), "risk1"] = 99.0
    frame.loc[RNG(3).choice(len(frame), 60, replace=False), "risk2"] = 99.0
    never = frame["hid"] % 4 == 0
    frame.loc[never, ["risk1", "risk2"]] = 0.0
    stated = {"risk": ["risk1", "risk2"], "risk_threshold": 0.9, "swaprate": 0.0}
    out, found = ran(frame, "RecordSwapOperation", **stated, **asked)
    before, after = (each.groupby("hid").first() for each in (frame, out))
    greatest = frame.groupby("hid")[["risk1", "risk2"]].max() > 0.9
    moved = (before[["nuts1", "nuts2"]] != after[["nuts1", "nuts2"]]).any(axis=1)
    assert moved[greatest.any(axis=1)].all()
    assert (before["nuts1"] != after["nuts1"])[greatest["risk1"]].all()
    assert not moved[::4].any()  # their risk is 0
    assert found["households_swapped"] <= 2 * greatest.any(axis=1).sum()
    assert found["households_at_risk"] == {
        "nuts1": greatest["risk1"].sum(), "nuts2": (greatest["risk2"] & ~greatest["risk1"]).sum()
    }  # fmt: skip
    assert found["households_at_risk_not_swapped"] == found["record_linkage"]["true_match_rate"] == 0
    for level in ("nuts1", "nuts2"):
        frame[f"by_{level}"] = 1 / frame.groupby([level, "age", "national", "hsize"])["hid"].transform("size")
    _, one = ran(frame, "RecordSwapOperation", risk=["by_nuts1", "by_nuts2"], risk_threshold=0.5, **asked)
    _, other = ran(frame, "RecordSwapOperation", risk_variables=["age", "national", "hsize"], k_anonymity=2, **asked)
    assert one["households_at_risk"] == other["households_at_risk"]
    with pytest.raises(DataError, match="below 0"):
        ran(frame.assign(risk1=-1.0), "RecordSwapOperation", **stated, **asked)
    for wrong, says in (
        ({"risk": ["risk1"]}, "a column for each level of `hierarchy`: 2, not 1"),
        ({"risk_threshold": None}, "`risk` needs `risk_threshold`"),
        ({"risk": []}, "state either `risk_variables` or `risk`"),
        ({"risk_variables": ["age"]}, "state either `risk_variables` or `risk`"),
        ({"risk": [], "risk_variables": ["age"]}, "`risk_threshold` does nothing without `risk`"),
        ({"k_anonymity": 3}, "`k_anonymity` does nothing with `risk`"),
    ):
        with pytest.raises(ParameterError, match=says):
            RecordSwapOperation(input_dataset="t", **{**asked, **stated, **wrong})


def test_values_of_the_ranks_of_predicted_ones() -> None:
    """T. Benschop, C. Machingauta and M. Welch: SDC for Microdata: A Practice Guide, table 5.14 (shuffling)."""
    income = np.array([2300, 2434, 2123, 2312, 6045, 2345, 2543, 2854, 2365, 2643.0])
    predicted = [2466.56, 2583.58, 2594.17, 2530.97, 5964.04, 2513.45, 2116.16, 2624.32, 2203.45, 2358.29]
    shuffled = income[same_ranks(income, np.array(predicted))]
    assert shuffled.tolist() == [2345, 2543, 2643, 2434, 6045, 2365, 2123, 2854, 2300, 2312]


def test_shuffling_keeps_each_column_and_what_it_depends_on() -> None:
    normal = RNG(3).multivariate_normal([0] * 3, [[1, 0.5, 0.7], [0.5, 1, 0.4], [0.7, 0.4, 1]], 6000)
    frame = pd.DataFrame({"income": np.exp(normal[:, 0]), "debt": normal[:, 1], "age": normal[:, 2]})
    out, found = ran(frame, "ShuffleOperation", columns=["income", "debt"], predictors=["age"])
    for name in ("income", "debt"):
        assert sorted(out[name]) == sorted(frame[name])
    before, after = (each.corr("spearman").to_numpy() for each in (frame, out))
    assert after == pytest.approx(before, abs=0.04)
    assert abs(np.corrcoef(out["income"].rank(), frame["income"].rank())[0, 1] - 0.7**2) < 0.05  # by age alone
    assert found["record_linkage"]["true_match_rate"] < 0.01
    assert normal_scores(np.array([3.0, 1.0, 2.0])) == pytest.approx([0.9674216, -0.9674216, 0])  # of 5/6 and 1/6


# ---------------------------------------------------------------- noise and dates


def test_correlated_noise_keeps_correlations_and_the_second_method_variances() -> None:
    normal = RNG(4).multivariate_normal([50, 10], [[100, 24], [24, 9]], 20_000)
    frame = pd.DataFrame(normal, columns=["a", "b"])
    grown, _ = ran(frame, "CorrelatedNoiseOperation", columns=["a", "b"], noise=50)
    assert grown.cov().to_numpy() == pytest.approx(1.5 * frame.cov().to_numpy(), rel=0.05)
    same, found = ran(frame, "CorrelatedNoiseOperation", columns=["a", "b"], method="correlated2", delta=0.6)
    assert same.cov().to_numpy() == pytest.approx(frame.cov().to_numpy(), rel=0.05)
    assert found["utility"]["columns"]["a"]["correlation"] == pytest.approx(0.8, abs=0.01)  # √(1 - 0.6²)


def test_dates_of_a_person_move_together_and_seldom_hide_their_intervals() -> None:
    frame = pd.DataFrame({"who": ["a", "b", "a", "c", "b", "c", "d"]})
    frame["day"] = pd.to_datetime(
        ["2024-01-01", "2024-02-01", "2024-01-05", "2024-03-01", "2024-02-05", "2024-05-01", None]
    )
    out, found = ran(frame, "DateShiftOperation", columns=["day"], person="who", max_days=60, whole_weeks=True)
    shift = (out["day"] - frame["day"]).dt.days
    assert (shift.groupby(frame["who"]).nunique() <= 1).all()
    assert set(shift.dropna() % 7) == {0}
    assert shift.dropna().abs().between(7, 60).all()
    # a and b have the same interval of four days; c alone has one of 61
    assert found["intervals"]["persons_with_intervals_of_their_own"] == 1
    assert (found["intervals"]["changed"], found["weekday_kept"]["day"]) == (0, 1.0)


# ---------------------------------------------------------------- risk


def test_linkage_finds_everyone_in_an_unchanged_table_and_shares_ties() -> None:
    values = RNG(1).normal(size=(500, 2))
    assert link_numbers(values, values, RNG(1))["true_match_rate"] == 1
    assert link_numbers(values, RNG(2).permutation(values), RNG(1))["true_match_rate"] < 0.02
    same = np.zeros((500, 2))
    assert link_numbers(same, same, RNG(1))["true_match_rate"] == pytest.approx(1 / 500)
    halves = [np.arange(500) % 2]
    assert link_categories(halves, halves, RNG(1))["true_match_rate"] == pytest.approx(1 / 250)
