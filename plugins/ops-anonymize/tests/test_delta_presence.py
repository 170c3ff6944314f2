"""δ-presence: how many of the persons that a released record looks like are in the release, counted from its cells."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done, run
from release_check import covers

from pamola_ops_anonymize import AnonymizeOperation
from pamola_tasks.errors import ParameterError

RNG = np.random.default_rng(3)
EVERYBODY = pd.DataFrame({"age": RNG.integers(20, 60, 400), "sex": RNG.choice(["f", "m"], 400), "who": range(400)})
DRAWN = EVERYBODY.sample(120, random_state=1).reset_index(drop=True)


def operation(presence: dict[str, Any], **parameters: Any) -> AnonymizeOperation:
    given: Any = {
        "input_dataset": "people",
        "output_dataset": "safe",
        "k": 2,
        "quasi_identifiers": ["age", "sex"],
        "method": "k-map",
        "population": "all",
        "person": "who",
        "models": {"delta-presence": presence},
    }
    return AnonymizeOperation(**{**given, **parameters})


def parts(folder: Path) -> list[float]:
    """For each class of the written table its records over the persons of the population that its cells cover."""
    (path,) = folder.rglob("safe.csv")
    safe = pd.read_csv(path, dtype=str).groupby(["age", "sex"]).size()
    people = EVERYBODY[["age", "sex"]].itertuples(index=False, name=None)
    counts = pd.Series(list(people)).value_counts()
    return [
        n / sum(there for (age, sex), there in counts.items() if covers(cells[0], age) and covers(cells[1], sex))
        for cells, n in safe.items()
    ]


@pytest.mark.parametrize("presence", [{"delta_max": 0.5}, {"delta_max": 0.6, "delta_min": 0.15}, {"delta_max": 0.31}])
@pytest.mark.parametrize("person", [None, "who"])
def test_the_written_table_keeps_it(presence: dict[str, float], person: str | None, tmp_path: Path) -> None:
    more: dict[str, Any] = {"bounds": "tight"}  # rounded cells cover persons of other classes, too
    more |= {} if person else {"person": None, "direct_identifiers": ["who"]}
    told = done(operation(presence, **more), DRAWN, tmp_path, all=EVERYBODY)
    found = parts(tmp_path)
    assert presence.get("delta_min", 0) <= min(found)
    assert max(found) <= presence["delta_max"]
    assert told["delta_presence_measured"] == pytest.approx(max(found))
    assert told["delta_presence_claimed"] == presence["delta_max"]


@pytest.mark.parametrize("strategy", ["hierarchy", "microaggregation", "suppression"])
def test_every_strategy_keeps_it_for_persons(strategy: str, tmp_path: Path) -> None:
    """Everybody twice, in the table and in the population: persons are counted, not records."""
    twice, all_twice = (pd.concat([each, each], ignore_index=True) for each in (DRAWN, EVERYBODY))
    asked = operation({"delta_max": 0.5}, strategy=strategy)
    told = done(asked, twice, tmp_path, all=all_twice)
    assert 0 < told["delta_presence_measured"] <= 0.5
    assert told["models"]["delta-presence"]["asked"] == "(0, 0.5)-presence"
    once = done(asked, twice, tmp_path / "b", all=EVERYBODY)
    assert once["delta_presence_measured"] <= 0.5


def test_out_of_reach_is_refused(tmp_path: Path) -> None:
    result = run(operation({"delta_max": 0.29}), DRAWN, tmp_path, all=EVERYBODY)
    assert "(0, 0.29)-presence cannot be reached" in str(result.error_message)


WRONG: dict[str, tuple[AnonymizeOperation, str]] = {
    "above 1": (operation({"delta_max": 2}), "`delta_max` has to be a number from 0 to 1"),
    "crossed": (operation({"delta_max": 0.2, "delta_min": 0.3}), "`delta_min` 0.3 is above `delta_max` 0.2"),
    "no population": (operation({"delta_max": 0.5}, method="k-anonymity", population=None), "name it in `population`"),
    "apart": (operation({"delta_max": 0.5}, person_records="apart"), "leave out `person_records: apart`"),
    "strategy": (operation({"delta_max": 0.5, "delta_min": 0.1}, strategy="hierarchy"), "needs strategy mondrian"),
    "bounds": (operation({"delta_max": 0.5, "delta_min": 0.1}), "needs strategy mondrian and `bounds: tight`"),
}


@pytest.mark.parametrize("case", WRONG)
def test_what_cannot_be_is_refused(case: str, tmp_path: Path) -> None:
    asked, message = WRONG[case]
    result = run(asked, DRAWN, tmp_path, all=EVERYBODY)
    assert isinstance(result.exception, ParameterError)
    assert message in str(result.error_message)
