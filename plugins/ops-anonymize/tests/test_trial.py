"""A trial of settings measures what the step with these settings does, and leaves nothing."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, run

from pamola_ops_anonymize import AnonymizeOperation
from pamola_ops_anonymize.trial import trial
from pamola_tasks import Operation, OperationContext, OperationResult, reads

QUASI = ["age", "town", "sex"]
SETTINGS: dict[str, dict[str, Any]] = {
    "mondrian": {},
    "hierarchy": {"strategy": "hierarchy", "suppression_limit": 0.05},
    "microaggregation": {"strategy": "microaggregation"},
    "suppression": {"strategy": "suppression"},
    "diversity": {"sensitive_attributes": ["illness"], "l": 2, "ties": "fixed"},
    "persons": {"person": "who"},
}


class TrialOperation(Operation):
    """Try settings.

    Args:
        input_dataset: The table.
        settings: Of AnonymizeOperation.
    """

    input_dataset: str = reads()
    settings: dict[str, Any]

    def execute(self, ctx: OperationContext) -> OperationResult:
        step = AnonymizeOperation(input_dataset=self.input_dataset, **self.settings)
        return OperationResult.success(trial(step, ctx, ctx.data.frame(self.input_dataset)))


@pytest.fixture(scope="module")
def people() -> pd.DataFrame:
    rng = np.random.default_rng(5)
    return pd.DataFrame(
        {
            "who": rng.integers(0, 200, 300),
            "age": rng.integers(18, 90, 300),
            "town": rng.choice(list("ABCDEFGH"), 300),
            "sex": rng.choice(["f", "m"], 300),
            "illness": rng.choice(["flu", "cold", "none"], 300),
        }
    )


@pytest.mark.parametrize("name", SETTINGS)
def test_trial_is_the_step(name: str, people: pd.DataFrame, tmp_path: Path) -> None:
    settings = {"k": 4, "quasi_identifiers": QUASI, **SETTINGS[name]}
    step = done(AnonymizeOperation(input_dataset="people", **settings), people, tmp_path / "step")
    found = done(TrialOperation(input_dataset="people", settings=settings), people, tmp_path / "trial")
    figures = {key: value for key, value in found.items() if key in step and key != "l_diversity"}
    assert {"k_measured", "information_loss_by_column", "rows_suppressed"} <= set(figures)
    assert figures == {key: step[key] for key in figures}
    assert found["highest_risk"] == pytest.approx(1 / step["k_measured"])
    assert not [path for path in (tmp_path / "trial").rglob("*") if path.is_file() and path.suffix in (".csv", ".json")]


def test_trial_refused(people: pd.DataFrame, tmp_path: Path) -> None:
    settings = {"k": 4, "quasi_identifiers": QUASI, "sensitive_attributes": ["illness"], "l": 5}
    result = run(TrialOperation(input_dataset="people", settings=settings), people, tmp_path)
    assert result.failed
    assert "5" in str(result.error_message)
