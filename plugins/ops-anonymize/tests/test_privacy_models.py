"""Privacy models of other plugins that are wrong: the release is refused, with the model named."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_ops_anonymize import AnonymizeOperation, Classes, PrivacyModel
from pamola_ops_anonymize.conditions import Promise
from pamola_ops_anonymize.release import anonymized
from pamola_ops_anonymize.release_settings import Settings
from pamola_tasks import BaseTask, Kernel, hookimpl


class Model(PrivacyModel):
    """Holds for everything, unless a test changes it."""

    name = "odd"
    less_is_better = True

    def measure(self, classes: Classes) -> Any:
        return np.zeros(len(classes.sizes))

    def holds(self, measured: Any) -> Any:
        return measured <= 1

    def words(self) -> str:
        return "oddness"

    def claims(self) -> Any:
        return "odd", 1


def run(folder: Path, *, of_sensitive: bool = True, **methods: Any) -> Any:
    """A run that asks for the model with these methods."""
    made = type("Odd", (Model,), {"of_sensitive": of_sensitive, **methods})

    class Plugin:
        @hookimpl
        def pamola_add_privacy_models(self) -> dict[str, Any]:
            return {"odd": made}

    class Safe(BaseTask):
        def configure_operations(self) -> None:
            self.add_operation(
                AnonymizeOperation,
                input_dataset="people",
                k=2,
                t=1.0,
                quasi_identifiers=["age"],
                sensitive_attributes=["income"],
                models={"odd": {}},
            )

    (folder / ".pamola.toml").touch()
    people = pd.DataFrame({"age": [20, 21, 30, 31, 40, 41] * 3, "income": ["low", "high", "middle"] * 6})
    kernel = Kernel.discover(project=folder, plugins=[Plugin()])
    return kernel.run(Safe("t_odd", input_datasets={"people": "people.csv"}), datasets={"people": people})


def failure(folder: Path, **given: Any) -> str:
    outcome = run(folder, **given)
    assert not outcome.success
    assert not list(folder.rglob("*anonymized.csv"))
    return str(outcome.error)


def constant(value: Callable[[int], Any]) -> Callable[[Any, Any], Any]:
    return lambda self, classes: value(len(classes.sizes))


def test_a_right_model_is_asked_and_shown(tmp_path: Path) -> None:
    outcome = run(tmp_path)
    assert outcome.success, outcome.error
    metrics = outcome.record.steps[0].metrics
    assert (metrics["odd_claimed"], metrics["odd_measured"]) == (1, 0.0)


def test_measures_may_be_whole_numbers(tmp_path: Path) -> None:
    outcome = run(tmp_path, measure=constant(lambda n: np.zeros(n, np.int64)))
    assert outcome.success, outcome.error
    assert outcome.record.steps[0].metrics["odd_measured"] == 0.0


def test_a_model_of_sizes_shows_what_it_claims(tmp_path: Path) -> None:
    outcome = run(tmp_path, of_sensitive=False, measure=lambda self, classes: 1.0 / classes.sizes)
    assert outcome.success, outcome.error
    metrics = outcome.record.steps[0].metrics
    assert metrics["odd_claimed"] == 1
    assert metrics["odd_measured"] == metrics["models"]["odd"]["measured"] > 0


@pytest.mark.parametrize("of_sensitive", [True, False])
@pytest.mark.parametrize("name", ["k", "t"])
def test_claims_of_one_model_cannot_replace_other_metrics(tmp_path: Path, name: str, of_sensitive: bool) -> None:
    said = failure(tmp_path, of_sensitive=of_sensitive, claims=lambda self: (name, 999))
    assert "privacy model 'odd'" in said
    assert f"`{name}_claimed`" in said


@pytest.mark.parametrize("of_sensitive", [True, False])
@pytest.mark.parametrize("claim", [5, ("odd",), ("odd", "1"), (None, 1)])
def test_claims_are_a_name_and_a_number(tmp_path: Path, claim: Any, of_sensitive: bool) -> None:
    said = failure(tmp_path, of_sensitive=of_sensitive, claims=lambda self: claim)
    assert "privacy model 'odd': claims must give" in said


def test_words_are_text(tmp_path: Path) -> None:
    assert "privacy model 'odd': words must give text" in failure(tmp_path, words=lambda self: None)


def overwrite(name: str) -> Callable[[Any, Classes], Any]:
    def measure(self: Any, classes: Classes) -> Any:
        where = classes if name == "sizes" else classes.sensitive
        getattr(where, name)[:] = 1000
        return np.zeros(len(classes.sizes))

    return measure


@pytest.mark.parametrize("name", ["sizes", "owner", "value", "count", "share"])
def test_a_model_cannot_change_what_is_counted(tmp_path: Path, name: str) -> None:
    said = failure(tmp_path, measure=overwrite(name))
    assert "privacy model 'odd' failed in measure" in said
    assert "read-only" in said


def test_a_model_of_sizes_cannot_change_them(tmp_path: Path) -> None:
    assert "read-only" in failure(tmp_path, of_sensitive=False, measure=overwrite("sizes"))


MEASURES: dict[str, Callable[[int], Any]] = {
    "None": lambda n: None,
    "one for all": lambda n: 0.0,
    "one": lambda n: np.zeros(1 if n > 1 else 2),
    "a table": lambda n: np.zeros((n, 2)),
    "text": lambda n: np.array(["a"] * n),
    "not a number": lambda n: np.full(n, np.nan),
}


@pytest.mark.parametrize("of_sensitive", [True, False])
@pytest.mark.parametrize("kind", MEASURES)
def test_measures_are_numbers_one_for_each_class(tmp_path: Path, kind: str, of_sensitive: bool) -> None:
    wrong = {"measure": constant(MEASURES[kind]), "holds": lambda self, measured: np.ones(np.shape(measured), bool)}
    assert "privacy model 'odd' is refused: measure" in failure(tmp_path, of_sensitive=of_sensitive, **wrong)


HELD: dict[str, Callable[[Any], Any]] = {
    "None": lambda measured: None,
    "one for all": lambda measured: True,
    "one": lambda measured: np.ones(1 if len(measured) > 1 else 2, bool),
    "a list": lambda measured: [True] * len(measured),
    "floats": lambda measured: measured + 0.5,
}


@pytest.mark.parametrize("kind", HELD)
def test_verdicts_are_one_for_each_class(tmp_path: Path, kind: str) -> None:
    said = failure(tmp_path, holds=lambda self, measured: HELD[kind](measured))
    assert "privacy model 'odd' is refused: holds must give bool" in said


def raising(self: Any, classes: Any) -> Any:
    raise ValueError("cannot do it")


@pytest.mark.parametrize("method", ["measure", "holds", "worst", "kept"])
def test_a_model_that_fails_is_named(tmp_path: Path, method: str) -> None:
    assert f"privacy model 'odd' failed in {method}: ValueError" in failure(tmp_path, **{method: raising})


def test_suppressed_records_are_kept_only_as_a_class_that_models_of_sizes_hold_for() -> None:
    """Three records with `*` were released where six were asked for, and the step failed in the end."""

    class Six(Model):
        of_sensitive = False
        less_is_better = False

        def measure(self, classes: Classes) -> Any:
            return classes.sizes.astype(float)

        def holds(self, measured: Any) -> Any:
            return measured >= 6

    people = pd.DataFrame({"age": [20] * 8 + [30] * 8 + [50, 60, 70]})
    how = Settings(
        strategy="hierarchy",
        output="labels",
        promise=Promise(others=(Six(),)),
        suppression_limit=0.2,
        suppressed_records="keep",
    )
    release = anonymized(people, ["age"], 2, how)
    assert (release.suppressed, release.dropped, len(release.frame)) == (3, 3, 16)
