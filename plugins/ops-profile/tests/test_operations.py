"""The operations through their public door: run alone on frames, files looked at afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_ops_profile import CorrelationOperation, ProfileOperation
from pamola_tasks.errors import ParameterError
from pamola_tasks.record import OperationResult, OperationStatus


def tables() -> dict[str, pd.DataFrame]:
    rng = np.random.default_rng(4)
    rows = 300
    customers = pd.DataFrame(
        {
            "customer_id": range(rows),
            "age": rng.integers(18, 90, rows),
            "gender": rng.choice(["f", "m"], rows),
            "income": rng.normal(40_000, 9_000, rows).round(),
        }
    )
    bought = rng.integers(0, rows, 1000)
    transactions = pd.DataFrame(
        {
            "customer_id": bought,
            "amount": customers["income"].to_numpy()[bought] / 100 + rng.normal(0, 10, 1000),
            "shop": np.where(customers["gender"].to_numpy()[bought] == "f", "north", "south"),
        }
    )
    return {"customers": customers, "transactions": transactions}


def document(folder: Path, name: str) -> dict[str, Any]:
    (path,) = folder.rglob(f"{name}.json")
    found: dict[str, Any] = json.loads(path.read_bytes())
    return found


def succeeded(result: OperationResult) -> OperationResult:
    assert result.status is OperationStatus.SUCCESS, result.error_message
    return result


def test_a_profile_is_left_under_its_prefix(tmp_path: Path) -> None:
    operation = ProfileOperation(dataset_name="customers", output_prefix="before")
    result = succeeded(operation.run(data_source=tables(), task_dir=tmp_path))
    found = document(tmp_path, "before_profile")
    assert (found["schema"], found["dataset"], found["records"], found["min_count"]) == (1, "customers", 300, 10)
    assert [column["name"] for column in found["columns"]] == ["customer_id", "age", "gender", "income"]
    assert result.metrics["rows"] == 300
    assert result.metrics["likely_direct_identifiers"] == ["customer_id"]
    assert result.metrics["likely_quasi_identifiers"] == ["age", "gender"]
    sizes = tables()["customers"].groupby(["age", "gender"]).size()
    exposure = result.metrics["exposure"]
    assert exposure["columns"] == ["age", "gender"]
    assert exposure["smallest_class"] == sizes.min()
    assert exposure["unique_records"] == (sizes == 1).sum()
    told = f"{(sizes == 1).sum()} of 300 records are unique on what looks like quasi-identifiers (age, gender)"
    assert exposure["sentence"].startswith(told)
    assert result.metrics["likely_sensitive_attributes"] == ["income"]


def test_a_table_is_judged_as_a_whole_where_the_service_does(tmp_path: Path) -> None:
    """A logarithm of the age is found, and counted, whatever it is called."""
    frame = tables()["customers"].assign(v1=lambda table: np.log(table["age"]))
    result = succeeded(ProfileOperation(dataset_name="t").run(data_source={"t": frame}, task_dir=tmp_path))
    assert result.metrics["exposure"]["columns"] == ["age", "gender", "v1"]
    reasons = {column["name"]: column["reason"] for column in document(tmp_path, "t_profile")["columns"]}
    assert reasons["v1"].startswith("a function of age; alone it singles out ")


def test_a_prefix_that_says_profile_already_is_the_whole_name(tmp_path: Path) -> None:
    operation = ProfileOperation(dataset_name="customers", output_prefix="customer_profile")
    succeeded(operation.run(data_source=tables(), task_dir=tmp_path))
    assert document(tmp_path, "customer_profile")["dataset"] == "customers"


def test_only_the_fields_asked_for_are_profiled(tmp_path: Path) -> None:
    operation = ProfileOperation(dataset_name="customers", fields=["age"], min_count=3, top=2)
    succeeded(operation.run(data_source=tables(), task_dir=tmp_path))
    (column,) = document(tmp_path, "customers_profile")["columns"]
    assert column["name"] == "age"
    assert len(column["common_values"]) == 2

    wrong = ProfileOperation(dataset_name="customers", fields=["wage"]).run(data_source=tables(), task_dir=tmp_path)
    assert "customers has no column wage (named in `fields`)" in str(wrong.error_message)


def test_correlations_across_two_datasets_are_found(tmp_path: Path) -> None:
    operation = CorrelationOperation(
        primary_dataset="customers",
        secondary_dataset="transactions",
        join_key="customer_id",
        output_prefix="customer_correlations",
    )
    result = succeeded(operation.run(data_source=tables(), task_dir=tmp_path))
    found = document(tmp_path, "customer_correlations")
    assert (found["schema"], found["rows_joined"]) == (1, 1000)
    by_names = {(pair["left"], pair["right"]): pair for pair in found["pairs"]}
    joined = tables()["customers"].merge(tables()["transactions"], on="customer_id")
    income = by_names["customers.income", "transactions.amount"]
    assert income["value"] == pytest.approx(joined["income"].corr(joined["amount"]))
    assert by_names["customers.gender", "transactions.shop"]["value"] == pytest.approx(1.0)
    assert next(iter(result.metrics["strongest_across"])) == "customers.gender ~ transactions.shop"
    assert "customers.age ~ customers.gender" not in result.metrics["strongest_across"]


def test_a_key_that_is_not_there_fails_the_step_by_name(tmp_path: Path) -> None:
    operation = CorrelationOperation(primary_dataset="customers", secondary_dataset="transactions", join_key="nr")
    result = operation.run(data_source=tables(), task_dir=tmp_path)
    assert result.failed
    assert "customers has no column nr to join on" in str(result.error_message)


@pytest.mark.parametrize(
    ("operation", "parameters", "message"),
    [
        (ProfileOperation, {"dataset_name": "a", "min_count": 0}, "`min_count` has to be a whole number of 1 or more"),
        (ProfileOperation, {"dataset_name": "a", "bins": 2.5}, "`bins` has to be a whole number"),
        (ProfileOperation, {"dataset_name": "a", "output_prefix": " "}, "`output_prefix` has to be a name"),
        (
            CorrelationOperation,
            {"primary_dataset": "a", "secondary_dataset": "a", "join_key": "k"},
            "`primary_dataset` and `secondary_dataset` are both a",
        ),
    ],
)
def test_a_wrong_parameter_is_told_when_the_step_is_added(
    operation: type, parameters: dict[str, Any], message: str
) -> None:
    with pytest.raises(ParameterError, match=message):
        operation(**parameters)


def test_both_datasets_are_read_before_the_step_runs() -> None:
    operation = CorrelationOperation(primary_dataset="a", secondary_dataset="b", join_key="k")
    assert operation.input_datasets() == ("a", "b")
    assert operation.output_datasets() == ()
