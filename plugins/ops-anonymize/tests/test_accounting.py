"""What releases cost together: zCDP, limits in its terms, and nothing for a slip."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, in_a_run, outcome_of, written
from hypothesis import given, settings
from hypothesis import strategies as st

from pamola_ops_anonymize import NoiseOperation
from pamola_ops_anonymize.accounting import Limit, Spending, epsilon_of, least_epsilon, rho_of
from pamola_tasks.errors import DataRefused, ParameterError

dp = pytest.importorskip("opendp.prelude")

WHO: Any = {"input_dataset": "people", "columns": ["wage"]}
PEOPLE = pd.DataFrame({"id": list("aabbc"), "wage": [10, 20, 500, -5, 7], "name": list("vwxyz")})


# ---------------------------------------------------------------- how losses add up


@settings(max_examples=30, deadline=None)
@given(st.floats(1e-6, 50), st.floats(1e-12, 0.1))
def test_zcdp_is_converted_as_opendp_does(rho: float, delta: float) -> None:
    dp.enable_features("contrib")
    space = dp.vector_domain(dp.atom_domain(T=float, nan=False)), dp.l2_distance(T=float)
    profile = dp.c.make_zCDP_to_approxDP(dp.m.make_gaussian(*space, scale=1.0)).map(math.sqrt(2 * rho))
    assert epsilon_of(rho, delta) == pytest.approx(profile.epsilon(delta), rel=1e-6, abs=1e-9)
    assert epsilon_of(rho_of(1.0, delta), delta) <= 1 + 1e-9


def test_a_hundred_gaussian_releases_cost_a_tenth_of_their_sum() -> None:
    each = Spending(0.1, 1e-8, rho_of(0.1, 1e-8))
    assert least_epsilon([each] * 100, 1e-6) < 1.1
    assert Spending.total([each] * 100).epsilon == pytest.approx(10)
    assert least_epsilon([each], 1e-8) == pytest.approx(0.1)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.floats(1e-3, 3), max_size=6), st.lists(st.floats(1e-4, 0.5), max_size=4), st.booleans())
def test_no_composition_is_above_the_sum_or_forgets_a_release(pure: list[float], rho: list[float], old: bool) -> None:
    parts = [Spending(each) for each in pure] + [Spending(epsilon_of(r, 1e-6), 1e-6, r) for r in rho]
    parts += [Spending(0.5, 1e-6, None)] * old  # as earlier releases entered Gaussian noise
    total = Spending.total(parts)
    for delta in (1e-4, 1e-5):
        found = least_epsilon(parts, delta)
        assert found <= total.epsilon * (1 + 1e-12)
        assert found >= max((part.epsilon for part in parts if part.delta == 0), default=0.0) - 1e-9
        assert least_epsilon([*parts, Spending(0.1)], delta) > found


def test_a_limit_in_rho_counts_pure_releases_and_refuses_what_has_none() -> None:
    limit = Limit(rho=0.5)
    assert limit.allows([Spending(0.6), Spending(0.8)])
    assert not limit.allows([Spending(0.6), Spending(0.8), Spending(0.1)])
    assert not limit.allows([Spending(0.1, 1e-9, None)])
    both = limit.least(Limit(1.0, 1e-6))
    assert both == Limit(1.0, 1e-6, 0.5)
    assert not both.allows([Spending(0.6), Spending(0.8)])


# ---------------------------------------------------------------- noise: whole numbers, clamping, rho


@pytest.mark.parametrize("how", [{"epsilon": 0.1}, {"epsilon": 0.1, "mechanism": "gaussian", "delta": 1e-6}])
@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_whole_numbers_stay_whole(how: dict[str, Any], form: str, tmp_path: Path) -> None:
    frame = pd.DataFrame({"wage": pd.Series([1, None, 3, 2**55] * 50, dtype="Int64")})
    metrics = done(NoiseOperation(**WHO, **how, bounds={"wage": [0.5, 100]}, output_format=form), frame, tmp_path)
    (path,) = tmp_path.rglob(f"people_noisy.{form}")
    after = (
        pd.read_parquet(path)
        if form == "parquet"
        else pd.read_csv(path, dtype={"wage": "Int64"}, skip_blank_lines=False)
    )
    assert after["wage"].dtype == "Int64"
    assert after["wage"].isna().tolist() == frame["wage"].isna().tolist()
    assert after["wage"].nunique() > 50
    assert metrics["arithmetic"]["wage"].startswith("whole numbers")
    wanted = 99 / 0.1 if "delta" not in how else 99 / math.sqrt(2 * rho_of(0.1, 1e-6))
    assert metrics["scale"]["wage"] == pytest.approx(wanted), "bounds are the whole numbers within them"


def test_discrete_laplace_is_distributed_as_it_should(tmp_path: Path) -> None:
    """Sizes of noise are geometric: P(0) = (1 - a) / (1 + a) with a = exp(-epsilon)."""
    frame = pd.DataFrame({"wage": np.zeros(20_000, dtype=np.int64)})
    done(NoiseOperation(**WHO, epsilon=1, sensitivity=1), frame, tmp_path)
    drawn = written(tmp_path, "people_noisy")["wage"].astype(int)
    a = math.exp(-1)
    for value in (0, 1, -1, 3):
        share = (1 - a) / (1 + a) * a ** abs(value)
        assert abs((drawn == value).mean() - share) < 5 * math.sqrt(share / len(drawn))


def test_clamped_cells_are_within_the_bounds_and_that_is_told(tmp_path: Path) -> None:
    frame = pd.DataFrame({"wage": [1.0, 99.0] * 100})
    metrics = done(NoiseOperation(**WHO, epsilon=0.1, bounds={"wage": [0, 100]}, clamp=True), frame, tmp_path)
    after = pd.to_numeric(written(tmp_path, "people_noisy")["wage"])
    assert after.between(0, 100).all()
    assert metrics["cells_clamped"]["wage"] == ((after == 0) | (after == 100)).sum() > 0
    assert "means of the column" in metrics["clamp"]


def test_gaussian_noise_for_a_person_grows_with_the_root_of_the_records(tmp_path: Path) -> None:
    how: dict[str, Any] = {"mechanism": "gaussian", "rho": 0.5, "bounds": {"wage": [0, 100]}}
    metrics = done(NoiseOperation(**WHO, **how, person="id", contributions=4), PEOPLE, tmp_path)
    assert metrics["scale"]["wage"] == pytest.approx(100 * 2 / math.sqrt(2 * 0.5))
    assert metrics["spent"] == {"epsilon": None, "delta": 0.0}
    assert metrics["spent_rho"] == 0.5


def test_gaussian_releases_are_composed_by_zcdp(tmp_path: Path) -> None:
    """Ten releases of (0.3, 1e-7) add up to (3, 1e-6), and are (1.2, 1e-6) together."""
    how: dict[str, Any] = {"mechanism": "gaussian", "epsilon": 0.3, "delta": 1e-7, "sensitivity": 1}
    for number in range(10):
        operation = NoiseOperation(
            **WHO, **how, budget_epsilon=1.2, budget_delta=1e-6, output_dataset=f"noisy_{number}"
        )
        (step,) = in_a_run(operation, PEOPLE, tmp_path).record.steps
    assert step.metrics["spent_altogether"]["epsilon"] == pytest.approx(3)
    assert epsilon_of(step.metrics["rho_altogether"], 1e-6) < 1.2
    refused = outcome_of(NoiseOperation(**WHO, epsilon=0.5, sensitivity=1, output_dataset="x"), PEOPLE, tmp_path)
    assert isinstance(refused.error, DataRefused)
    assert "by zCDP of it is spent" in str(refused.error)


# ---------------------------------------------------------------- a slip costs nothing


@pytest.mark.parametrize(
    ("parameters", "frame", "message"),
    [
        ({"columns": ["wagee"]}, PEOPLE, "no column wagee"),
        ({"columns": ["name"]}, PEOPLE, "holds no numbers"),
        ({"person": "nobody", "contributions": 1}, PEOPLE, "no column nobody"),
        ({"person": "id", "contributions": 1}, PEOPLE.assign(id=["a", None, "b", "b", "c"]), "have no id"),
        ({}, PEOPLE.assign(wage=[1.0, 2.0, np.inf, 3.0, 4.0]), "infinite"),
        ({"sensitivity": None, "bounds": {"wage": [0.2, 1.8]}}, PEOPLE, "hold no two of them"),
        ({"insensitive_attributes": ["nick"]}, PEOPLE, "no column nick"),
        ({"on_identifiers": "fail"}, PEOPLE, "look like direct identifiers"),
        ({"output_format": "cvs"}, PEOPLE, "unknown dataset format"),
        ({"output_dataset": "a/b"}, PEOPLE, "invalid name"),
        ({}, PEOPLE.head(0), ""),
    ],
)
def test_what_a_slip_stops_costs_nothing(
    parameters: dict[str, Any], frame: pd.DataFrame, message: str, tmp_path: Path
) -> None:
    operation = NoiseOperation(**{**WHO, "epsilon": 1, "sensitivity": 1, **parameters})
    outcome = outcome_of(operation, frame, tmp_path)
    assert message in str(outcome.error or "")
    assert outcome.success == (not message)
    assert not [path for path in tmp_path.rglob("privacy_ledger.jsonl") if path.stat().st_size]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"epsilon": 1, "rho": 1, "sensitivity": 1}, "give `epsilon`"),
        ({"rho": 1, "sensitivity": 1}, "`rho` belongs to `mechanism: gaussian`"),
        ({"rho": 1, "sensitivity": 1, "mechanism": "gaussian", "delta": 0.1}, "`rho` belongs to"),
        ({"epsilon": 1, "sensitivity": 1, "clamp": True}, "`clamp` needs `bounds`"),
        ({"epsilon": 1e200, "sensitivity": 1}, "from 1e-09 to 1e"),
        ({"scale": 1, "clamp": True}, "`clamp` does nothing with `scale`"),
        ({"scale": 1, "budget_rho": 1}, "`budget_rho` does nothing with `scale`"),
    ],
)
def test_a_wrong_parameter_is_told(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        NoiseOperation(**{**WHO, **parameters})
