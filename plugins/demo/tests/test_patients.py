"""The synthetic table: seeded, plausible, correlated."""

from __future__ import annotations

import pandas as pd
import pytest

from pamola_tasks_demo.patients import DIRECT_IDENTIFIERS, QUASI_IDENTIFIERS, SENSITIVE_ATTRIBUTES, patients


@pytest.fixture(scope="module")
def table() -> pd.DataFrame:
    return patients(20_000, seed=1)


def test_the_same_seed_gives_the_same_table_and_another_seed_another(table: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(table, patients(20_000, seed=1))
    assert not table.age.equals(patients(20_000, seed=2).age)


def test_the_roles_name_columns_of_the_table_and_each_column_has_one_role_at_most(table: pd.DataFrame) -> None:
    roles = [*DIRECT_IDENTIFIERS, *QUASI_IDENTIFIERS, *SENSITIVE_ATTRIBUTES]
    assert set(roles) <= set(table.columns)
    assert len(roles) == len(set(roles))


def test_direct_identifiers_identify_and_nothing_is_missing(table: pd.DataFrame) -> None:
    assert table.patient_id.is_unique
    assert table.email.is_unique
    assert table.email.str.endswith("@example.org").all()
    assert not table.isna().any().any()


def test_values_are_those_of_people(table: pd.DataFrame) -> None:
    assert table.age.between(0, 99).all()
    assert set(table.sex) == {"female", "male"}
    assert pd.to_datetime(table.admission_date).dt.year.eq(2025).all()
    assert (table.systolic > table.diastolic).all()
    assert table.bmi.between(11, 58).all()
    assert table.income.gt(0).all()
    assert set(table.insurance) == {"Medicare", "Medicaid", "Private", "None"}


def test_columns_go_together_as_they_do_among_people(table: pd.DataFrame) -> None:
    by_diagnosis = table.groupby("diagnosis")
    assert by_diagnosis.age.mean()["Heart failure"] > by_diagnosis.age.mean()["Injury"] + 20
    assert by_diagnosis.systolic.mean()["Hypertension"] > table.systolic.mean() + 10
    assert by_diagnosis.bmi.mean()["Type 2 diabetes"] > table.bmi.mean() + 3
    assert table[["systolic", "diastolic"]].corr().iloc[0, 1] > 0.6
    winter = pd.to_datetime(table.admission_date).dt.month.isin([12, 1, 2])
    assert winter[table.diagnosis == "Influenza"].mean() > 2 * winter[table.diagnosis == "Injury"].mean()
    assert (table.insurance[table.age >= 65] == "Medicare").mean() > 0.8
    assert table.income[table.insurance == "Medicaid"].median() < table.income[table.insurance == "Private"].median()
    assert (table.sex[table.diagnosis == "Migraine"] == "female").mean() > 0.6


def test_it_is_risky_before_it_is_anonymized(table: pd.DataFrame) -> None:
    sizes = table.groupby(list(QUASI_IDENTIFIERS)).size()
    assert sizes.min() == 1
    assert (sizes == 1).sum() > len(table) / 2


def test_a_table_of_one_row_can_be_made() -> None:
    assert len(patients(1, seed=3)) == 1
