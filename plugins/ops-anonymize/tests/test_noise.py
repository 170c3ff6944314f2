"""Noise: its scale, its distribution, and the ledger that refuses before data is read.

OpenDP draws some ten thousand times a second. With `PAMOLA_FUZZ` (`nox -s fuzz`) it does 200,000 times instead of
50,000, so that a scale that is wrong by 5 % is seen, not only one that is wrong by 10 %.
"""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, in_a_run, outcome_of, run, written
from hypothesis import given, settings
from hypothesis import strategies as st

from pamola_ops_anonymize import NoiseOperation
from pamola_ops_anonymize.calibration import gaussian, laplace
from pamola_ops_anonymize.privacy_budget import Account, PrivacyLedger, Request, Spending
from pamola_tasks.errors import DataError, DataRefused, OperationError, ParameterError

DRAWS, WRONG = (200_000, 1.05) if "PAMOLA_FUZZ" in os.environ else (50_000, 1.1)
WHO: Any = {"input_dataset": "people", "columns": ["wage"]}
PEOPLE = pd.DataFrame({"wage": [10.0, 20.0, np.nan, 500.0, -5.0], "age": [1, 2, 3, 4, 5], "name": list("abcde")})


def needs_opendp() -> None:
    pytest.importorskip("opendp", reason="opendp, the extra dp, is not installed")


def balle_wang(sigma: float, epsilon: float) -> float:
    """The delta of Gaussian noise for sensitivity 1 (B. Balle and Y.-X. Wang, ICML 2018, theorem 8)."""

    def phi(x: float) -> float:
        return (1 + math.erf(x / math.sqrt(2))) / 2

    return phi(0.5 / sigma - epsilon * sigma) - math.exp(epsilon) * phi(-0.5 / sigma - epsilon * sigma)


# ---------------------------------------------------------------- scale and distribution


@settings(max_examples=50, deadline=None)
@given(st.floats(1e-3, 1e6), st.floats(1e-3, 1e3))
def test_the_laplace_scale_is_sensitivity_over_epsilon_exactly(sensitivity: float, epsilon: float) -> None:
    needs_opendp()
    assert laplace(sensitivity, epsilon).scale == sensitivity / epsilon
    assert laplace(sensitivity, epsilon, sampled_here=True).scale == sensitivity / epsilon


def test_the_gaussian_scale_lies_between_the_analytic_bound_and_opendp_s() -> None:
    needs_opendp()
    found = gaussian(1.0, 1.0, 1e-6)
    assert 4.2247 <= found.scale <= 4.5309
    assert found.epsilon is not None
    assert found.epsilon <= 1 + 1e-9
    assert balle_wang(found.scale, 1.0) <= 1e-6
    assert balle_wang(4.2246, 1.0) > 1e-6, "the check itself: less noise than the analytic bound is not private"


@settings(max_examples=8, deadline=None)
@given(st.floats(1e-2, 1e5), st.floats(1e-2, 20), st.sampled_from([1e-9, 1e-6, 1e-2]))
def test_gaussian_noise_is_private_by_the_analytic_bound_at_any_scale(
    sensitivity: float, epsilon: float, delta: float
) -> None:
    needs_opendp()
    assert balle_wang(gaussian(sensitivity, epsilon, delta).scale / sensitivity, epsilon) <= delta


def distribution(mechanism: str, values: Any, scale: float) -> float:
    """The greatest distance between the distribution of the values and the mechanism's (Kolmogorov)."""
    ordered = np.sort(np.asarray(values)) / scale
    if mechanism == "laplace":
        wanted = np.where(ordered < 0, 0.5 * np.exp(-np.abs(ordered)), 1 - 0.5 * np.exp(-np.abs(ordered)))
    else:
        wanted = np.array([(1 + math.erf(x / math.sqrt(2))) / 2 for x in ordered])
    steps = np.arange(len(ordered) + 1) / len(ordered)
    return float(max((wanted - steps[:-1]).max(), (steps[1:] - wanted).max()))


@pytest.mark.slow
@pytest.mark.parametrize("mechanism", ["laplace", "gaussian"])
def test_draws_are_distributed_as_they_should(mechanism: str, tmp_path: Path) -> None:
    needs_opendp()
    frame = pd.DataFrame({"wage": np.zeros(DRAWS)})
    more: Any = {"delta": 1e-6} if mechanism == "gaussian" else {}
    operation = NoiseOperation(**WHO, mechanism=mechanism, epsilon=0.5, sensitivity=1, output_format="parquet", **more)  # type: ignore[arg-type]
    metrics = done(operation, frame, tmp_path)
    assert metrics["generator"] == "OpenDP"
    (path,) = tmp_path.rglob("people_noisy.parquet")
    drawn = pd.read_parquet(path)["wage"]
    scale = metrics["scale"]["wage"]
    # a distance beyond 2.3 / sqrt(n) comes once in 20,000 runs (Kolmogorov's distribution)
    assert distribution(mechanism, drawn, scale) < 2.3 / math.sqrt(DRAWS)
    assert distribution(mechanism, drawn, scale * WRONG) > 2.3 / math.sqrt(DRAWS), "a wrong scale would be seen"


def test_noise_with_a_guarantee_differs_from_run_to_run_though_the_seed_is_the_same(tmp_path: Path) -> None:
    needs_opendp()
    operation = NoiseOperation(**WHO, epsilon=1, bounds={"wage": [0, 100]})
    for folder in ("a", "b"):
        in_a_run(operation, PEOPLE, tmp_path / folder, seed=7)
    first, second = (next((tmp_path / folder).rglob("people_noisy.csv")).read_bytes() for folder in ("a", "b"))
    assert first != second


def test_reproducible_noise_follows_the_seed_and_the_report_says_that_the_guarantee_is_void(tmp_path: Path) -> None:
    needs_opendp()
    for mechanism, more in (("laplace", {}), ("gaussian", {"delta": 1e-6})):
        operation = NoiseOperation(
            **WHO,
            epsilon=1,
            bounds={"wage": [0, 100]},
            mechanism=mechanism,  # type: ignore[arg-type]
            reproducible=True,
            **more,  # type: ignore[arg-type]
        )
        found = {}
        for folder, seed in (("a", 7), ("b", 7), ("c", 8)):
            place = tmp_path / mechanism / folder
            place.mkdir(parents=True)
            outcome = in_a_run(operation, PEOPLE, place, seed=seed)
            found[folder] = next(place.rglob("people_noisy.csv")).read_bytes()
            (step,) = outcome.record.steps
            assert step.metrics["guarantee"] == "void"
            assert "differential privacy is void" in "".join(step.warnings)
            assert "spent" not in step.metrics
            assert not list(place.rglob("privacy_ledger.jsonl"))
            expected = 100.0 if mechanism == "laplace" else gaussian(100, 1, 1e-6).scale
            assert step.metrics["scale"]["wage"] == expected, "the same scale as with the guarantee"
        assert found["a"] == found["b"] != found["c"]


@pytest.mark.parametrize("mechanism", ["laplace", "gaussian"])
def test_seeded_noise_is_the_same_however_many_records_are_read_at_a_time(mechanism: Any, tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {"wage": np.arange(50.0), "age": pd.Series(range(50), dtype="Int64").mask(lambda x: x % 7 == 3)}
    )
    operation = NoiseOperation(input_dataset="people", columns=["wage", "age"], mechanism=mechanism, scale=2)
    for size in (1, 7, 1000):
        in_a_run(operation, frame, tmp_path / str(size), chunk_size=size, seed=7)
    found = {next((tmp_path / str(size)).rglob("people_noisy.csv")).read_bytes() for size in (1, 7, 1000)}
    assert len(found) == 1


def test_noise_of_a_given_scale_promises_nothing_and_leaves_the_rest_alone(tmp_path: Path) -> None:
    metrics = done(NoiseOperation(**WHO, scale=0.001, decimals=1), PEOPLE, tmp_path)
    assert metrics["guarantee"] == "none"
    after = written(tmp_path, "people_noisy")
    assert after["wage"].tolist() == ["10.0", "20.0", "", "500.0", "-5.0"]
    assert after["age"].tolist() == list("12345")
    assert metrics["cells_with_noise"] == {"wage": 4}


def test_values_are_cut_to_the_bounds_before_noise_is_added(tmp_path: Path) -> None:
    needs_opendp()
    done(NoiseOperation(**WHO, epsilon=1e6, bounds={"wage": [0, 100]}), PEOPLE, tmp_path)
    after = pd.to_numeric(written(tmp_path, "people_noisy")["wage"])
    assert np.allclose(after, [10, 20, np.nan, 100, 0], atol=0.1, equal_nan=True)


# ---------------------------------------------------------------- the ledger


def test_the_ledger_adds_up_over_runs_and_refuses_before_data_is_read(tmp_path: Path) -> None:
    needs_opendp()
    budget = {"budget_epsilon": 1.0, "sensitivity": 1.0}
    for number in range(1, 11):
        operation = NoiseOperation(**WHO, epsilon=0.1, output_dataset=f"noisy_{number}", **budget)  # type: ignore[arg-type]
        (step,) = in_a_run(operation, PEOPLE, tmp_path).record.steps
        assert step.metrics["spent_altogether"]["epsilon"] == pytest.approx(0.1 * number)
    # a column of text would be found on reading: the refusal comes first
    operation = NoiseOperation(input_dataset="people", columns=["name"], epsilon=0.01, **budget)  # type: ignore[arg-type]
    refused = outcome_of(operation, PEOPLE, tmp_path)
    assert isinstance(refused.error, DataRefused)
    assert "allows epsilon 1, delta 0, epsilon 1, delta 0 of it is spent" in str(refused.error)
    assert "nothing was drawn or written" in str(refused.error)


def test_each_column_costs_and_another_name_is_no_other_budget(tmp_path: Path) -> None:
    needs_opendp()
    two = NoiseOperation(
        input_dataset="people",
        columns=["wage", "age"],
        mechanism="gaussian",
        epsilon=0.5,
        delta=1e-6,
        sensitivity=1,
        budget="staff",
        budget_epsilon=1.1,  # by zCDP the two columns cost 0.64, and the third 0.5 more
        budget_delta=1e-5,
    )
    (step,) = in_a_run(two, PEOPLE, tmp_path).record.steps
    assert step.metrics["spent"] == {"epsilon": 1.0, "delta": 2e-6}
    assert step.metrics["budget"] == "staff"
    more = NoiseOperation(**WHO, epsilon=0.5, sensitivity=1, budget="staff", output_dataset="more")
    assert isinstance(outcome_of(more, PEOPLE, tmp_path).error, DataRefused)
    other = NoiseOperation(**WHO, epsilon=0.5, sensitivity=1, output_dataset="other")
    assert isinstance(outcome_of(other, PEOPLE, tmp_path).error, DataRefused)
    in_a_run(other, PEOPLE.assign(wage=[1, 2, 3, 4, 5]), tmp_path)


class Folder:
    """Files of a folder, as the ledger opens them."""

    def __init__(self, folder: Path) -> None:
        from pamola_tasks.storage.files import Files
        from pamola_tasks_paths.guard import ProjectGuard

        self.ledger = PrivacyLedger(Files(ProjectGuard(folder)), "ledger.jsonl")
        self.path = folder / "ledger.jsonl"


def test_a_damaged_ledger_allows_nothing(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.ledger.spend(Request(budget="a", cost=Spending(1.0)))
    assert folder.ledger.account("a").spent == Spending(1.0)
    assert folder.ledger.account("b") == Account(Spending(), None)
    folder.path.write_bytes(folder.path.read_bytes().replace(b'"epsilon":1.0', b'"epsilon":0.1'))
    with pytest.raises(DataError, match="damaged"):
        folder.ledger.spend(Request(budget="a", cost=Spending(0.1), step="another"))


def test_without_opendp_nothing_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "opendp.prelude", None)
    result = run(NoiseOperation(**WHO, epsilon=1, sensitivity=1), PEOPLE, tmp_path)
    assert isinstance(result.exception, OperationError)
    assert "install pamola-ops-anonymize[dp]" in str(result.error_message)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({}, "give `epsilon` for differential privacy, or `scale`"),
        ({"scale": 1, "epsilon": 1}, "give `epsilon` for differential privacy, or `scale`"),
        ({"scale": -1}, "`scale` has to be a finite number above 0"),
        ({"scale": 1, "sensitivity": 1}, "`sensitivity` does nothing with `scale`"),
        ({"epsilon": 1}, "needs either `bounds` or `sensitivity`"),
        ({"epsilon": 0, "sensitivity": 1}, "`epsilon` has to be a finite number above 0"),
        ({"epsilon": 1, "bounds": {"age": [0, 1]}}, "`bounds` has to name each of `columns`"),
        ({"epsilon": 1, "bounds": {"wage": [1, 0]}}, "its lowest and its highest value"),
        ({"epsilon": 1, "sensitivity": 1, "delta": 0.1}, "`delta` belongs to `mechanism: gaussian`"),
        ({"epsilon": 1, "sensitivity": 1, "mechanism": "gaussian"}, "`delta` belongs to `mechanism: gaussian`"),
        ({"epsilon": 1, "sensitivity": 1, "budget_delta": 0.1}, "needs a `budget_epsilon`"),
        ({"scale": 1, "decimals": 400}, "`decimals` has to be a whole number of at most 15"),
        ({"scale": 1, "decimals": -1}, "`decimals` has to be a whole number of 0 or more"),
        ({"scale": 1, "mechanism": "uniform"}, "`mechanism` has to be one of laplace, gaussian"),
    ],
)
def test_a_wrong_parameter_is_told_when_the_step_is_added(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        NoiseOperation(**{**WHO, **parameters})


def test_text_gets_no_noise(tmp_path: Path) -> None:
    result = run(NoiseOperation(input_dataset="people", columns=["name"], scale=1), PEOPLE, tmp_path)
    assert "column name (named in `columns`) holds no numbers" in str(result.error_message)
