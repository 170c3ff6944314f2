"""The task file that the demo writes, and how columns are named on the command line."""

from __future__ import annotations

import attrs
import pytest
import yaml

from pamola_tasks.errors import UsageError
from pamola_tasks_demo.project import Demo, named_columns, task_file, with_roles

DEMO = Demo(
    dataset="people",
    path="DATA/raw/people.csv",
    description="Anonymize people.csv",
    comment="A copy.",
    k=5,
    quasi_identifiers=(),
    sensitive_attributes=(),
    direct_identifiers=(),
    synthetic=False,
    seed=1,
)


def roles(
    demo: Demo = DEMO, columns: str = "age,sex,town,illness", quasi: str = "age,town", sensitive: str = ""
) -> Demo:
    return with_roles(
        demo, columns.split(","), quasi_identifiers=[quasi], sensitive=[sensitive] if sensitive else [], k=7
    )


@pytest.mark.parametrize(
    "name", ["age", "zip code", "no", "a: b", "#x", "[y]", "O'Neil", 'say "hi"', "Größe", "-", "1"]
)
def test_any_column_name_survives_the_task_file(name: str) -> None:
    demo = attrs.evolve(DEMO, quasi_identifiers=[name], sensitive_attributes=[f"{name} 2"])
    loaded = yaml.safe_load(task_file(demo))
    anonymize = loaded["operations"][1]["AnonymizeOperation"]
    assert anonymize["quasi_identifiers"] == [name]
    assert anonymize["sensitive_attributes"] == [f"{name} 2"]


def test_the_task_profiles_anonymizes_and_profiles_again() -> None:
    loaded = yaml.safe_load(task_file(roles()))
    assert [step["id"] for step in loaded["operations"]] == ["profile-before", "anonymize", "profile-after"]
    assert loaded["operations"][1]["AnonymizeOperation"] == {
        "input_dataset": "people",
        "output_dataset": "released",
        "method": "k-anonymity",
        "k": 7,
        "quasi_identifiers": ["age", "town"],
        "on_identifiers": "drop",
        "on_unlisted": "warn",
    }
    assert loaded["outputs"] == ["released"]


def test_missing_quasi_identifiers_are_asked_for_with_the_columns_there_are() -> None:
    with pytest.raises(UsageError, match=r"--quasi-identifiers is missing.*age, sex, town, illness"):
        with_roles(DEMO, ["age", "sex", "town", "illness"], quasi_identifiers=[], sensitive=[], k=5)


def test_an_unknown_column_comes_with_the_one_that_was_meant() -> None:
    with pytest.raises(UsageError, match="unknown column 'twon': did you mean 'town'"):
        roles(quasi="age,twon")


def test_a_column_has_one_role() -> None:
    with pytest.raises(UsageError, match="age: a column is either"):
        roles(sensitive="age,illness")


def test_known_roles_give_way_to_those_named() -> None:
    known = attrs.evolve(DEMO, sensitive_attributes=("illness", "town"), direct_identifiers=("sex",))
    assert roles(known).sensitive_attributes == ["illness"]
    assert roles(known, quasi="age,sex").direct_identifiers == []


def test_a_column_whose_name_has_a_comma_can_be_named() -> None:
    assert named_columns(["last, first", "age,sex"], ["last, first", "age", "sex"], "--x") == [
        "last, first",
        "age",
        "sex",
    ]
