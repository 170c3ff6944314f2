"""Pseudonyms: equal to the standard library's hmac, reversible only with vault and key."""

from __future__ import annotations

import base64
import hmac
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import in_a_run, outcome_of
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from pamola_ops_anonymize import PseudonymizeOperation, ReidentifyOperation
from pamola_ops_anonymize.columns import text_of
from pamola_ops_anonymize.pseudonyms import Pseudonymizer
from pamola_tasks.errors import ParameterError

KEY = bytes(range(32))
WHO: Any = {"input_dataset": "people", "columns": ["email"]}
PEOPLE = pd.DataFrame(
    {
        "email": ["ann@example.org", "bob@example.org", None, "ann@example.org", "", "zoë@exämple.org"],
        "number": [1001, 1002, 1001, 1003, 1004, 1001],
        "gaps": [1001.0, np.nan, 1001.0, 1003.5, 1004.0, 1001.0],
    }
)


def expected(value: Any, key: bytes = KEY) -> str | None:
    return (
        None if pd.isna(value) else hmac.new(key, text_of(value).encode("utf-8", "surrogatepass"), "sha256").hexdigest()
    )


def same(found: pd.Series[Any], values: Any, key: bytes = KEY) -> None:
    assert [None if pd.isna(cell) else cell for cell in found] == [expected(value, key) for value in values]


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> bytes:
    monkeypatch.setenv("PAMOLA_KEY", base64.b64encode(KEY).decode())
    return KEY


@settings(max_examples=examples(100), deadline=None)
@given(st.lists(st.text(st.characters(), max_size=80) | st.none(), max_size=20), st.binary(min_size=16, max_size=100))
def test_pseudonyms_are_those_of_the_standard_library(values: list[str | None], secret: bytes) -> None:
    same(Pseudonymizer(secret).column(pd.Series(values, dtype=object)), values, secret)


@pytest.mark.parametrize("dtype", ["object", "str", "string", "category"])
@pytest.mark.parametrize("distinct", [40, 9_000, 30_000])
def test_however_often_values_repeat_and_in_pieces_the_pseudonyms_are_the_same(dtype: str, distinct: int) -> None:
    rng = np.random.default_rng(3)
    numbers = rng.permutation(30_000) if distinct == 30_000 else rng.integers(0, distinct, 30_000)
    column = pd.Series([f"user{number}@example.org" for number in numbers]).astype(dtype)
    pseudonymizer = Pseudonymizer(KEY)
    pieces = [pseudonymizer.column(column.iloc[start : start + 6_000]) for start in range(0, 30_000, 6_000)]
    found = pd.concat(pieces)
    assert found.index.equals(column.index)
    same(found, column)
    assert Pseudonymizer(KEY).column(column).tolist() == found.tolist()


def test_numbers_have_the_pseudonym_of_their_text_with_and_without_gaps_in_the_column() -> None:
    number = Pseudonymizer(KEY).column(PEOPLE["number"])
    gaps = Pseudonymizer(KEY).column(PEOPLE["gaps"])
    assert number[0] == gaps[0] == expected("1001")
    assert gaps[3] == expected("1003.5")
    assert pd.isna(gaps[1])


def test_a_step_takes_its_key_from_the_project_and_the_purpose(key: bytes, tmp_path: Path) -> None:
    tables = {}
    for purpose in ("pseudonyms", "study 2"):
        operation = PseudonymizeOperation(**WHO, purpose=purpose)
        outcome = in_a_run(operation, PEOPLE, tmp_path / purpose, chunk_size=2)
        (path,) = (tmp_path / purpose).rglob("people_pseudonymized.csv")
        tables[purpose] = pd.read_csv(path, dtype=str)
        metrics = outcome.record.steps[0].metrics
        assert metrics["cells_replaced"] == {"email": 5}
        assert metrics["cells_missing"] == {"email": 1}
    first, second = tables["pseudonyms"]["email"], tables["study 2"]["email"]
    assert first[0] == first[3]
    assert first[0] not in set(second.dropna())
    assert list(first.isna()) == list(PEOPLE["email"].isna())
    assert len(first[0]) == 64
    assert first[0] != hmac.new(key, b"ann@example.org", "sha256").hexdigest(), "the project's key itself is not used"


def test_without_a_key_nothing_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("PAMOLA_KEY", "PAMOLA_KEY_FILE", "PAMOLA_PASSPHRASE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path / "empty"))
    outcome = outcome_of(PseudonymizeOperation(**WHO), PEOPLE, tmp_path / "project")
    assert not outcome.success
    assert "key" in str(outcome.error)
    assert not list(tmp_path.rglob("people_pseudonymized*"))


def restored(folder: Path, table: pd.DataFrame, vault: pd.DataFrame, **parameters: Any) -> Any:
    from pamola_tasks import Kernel
    from pamola_tasks_compat import TaskRunner

    settings = {**WHO, "vault_dataset": "vault", "output_dataset": "back", **parameters}
    task = TaskRunner(
        "t_2",
        input_datasets={"people": "people.csv", "vault": "vault.csv"},
        operation_configs=[{"operation": "ReidentifyOperation", "parameters": settings}],
    )
    return Kernel.discover(project=folder).run(task, datasets={"people": table, "vault": vault})


def test_tokens_go_back_to_their_values_with_vault_and_key_only(
    key: bytes, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    operation = PseudonymizeOperation(**WHO, method="token", vault_dataset="vault")
    in_a_run(operation, PEOPLE, tmp_path, chunk_size=2)
    (table_path,), (vault_path,) = tmp_path.rglob("people_pseudonymized.csv"), tmp_path.rglob("vault.csv")
    table, vault = pd.read_csv(table_path, dtype=str), pd.read_csv(vault_path, dtype=str)
    assert set(table["email"].dropna()) == set(vault["token"])
    assert vault["token"].is_monotonic_increasing
    assert len(vault) == 4
    told = table_path.read_text() + vault_path.read_text()
    assert "example" not in told
    assert base64.b64encode(b"example").decode()[:6] not in told

    outcome = restored(tmp_path, table, vault)
    assert outcome.success, outcome.error
    (path,) = tmp_path.rglob("back.csv")
    back = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert back["email"].tolist() == PEOPLE["email"].fillna("").tolist()

    swapped = vault.assign(sealed=vault["sealed"].to_numpy()[::-1])
    assert "cannot be opened" in str(restored(tmp_path, table, swapped).error)
    assert "cannot be opened" in str(restored(tmp_path, table, vault, purpose="other").error)
    assert "1 distinct values that are not tokens" in str(restored(tmp_path, table, vault.iloc[1:]).error)
    monkeypatch.setenv("PAMOLA_KEY", base64.b64encode(KEY[::-1]).decode())
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / ".pamola.toml").touch()
    assert "cannot be opened" in str(restored(tmp_path / "elsewhere", table, vault).error)


def test_the_same_run_writes_the_same_tokens_and_the_same_vault(key: bytes, tmp_path: Path) -> None:
    operation = PseudonymizeOperation(**WHO, method="token", vault_dataset="vault")
    for folder, rows in (("a", PEOPLE), ("b", PEOPLE.iloc[::-1].reset_index(drop=True))):
        in_a_run(operation, rows, tmp_path / folder)
    first, second = (next((tmp_path / folder).rglob("vault.csv")).read_bytes() for folder in ("a", "b"))
    assert first == second


@pytest.mark.parametrize("method", ["sha256", "SHA256", "md5", "hash", "blake2b"])
def test_an_unkeyed_hash_is_refused_with_the_reason(method: str) -> None:
    with pytest.raises(ParameterError, match="without a key, anyone can hash all"):
        PseudonymizeOperation(**WHO, method=method)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"method": "rot13"}, "`method` has to be one of hmac-sha256, token, ff1, surrogate"),
        ({"method": "token"}, "needs a `vault_dataset`"),
        ({"vault_dataset": "v"}, "`vault_dataset` belongs to `method: token`"),
        ({"purpose": ""}, "`purpose` has to be a text"),
        ({"columns": []}, "`columns` is empty"),
    ],
)
def test_a_wrong_parameter_is_told_when_the_step_is_added(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        PseudonymizeOperation(**{**WHO, **parameters})


def test_columns_that_are_not_there_fail_the_step_by_name(key: bytes, tmp_path: Path) -> None:
    outcome = outcome_of(PseudonymizeOperation(input_dataset="people", columns=["mail"]), PEOPLE, tmp_path)
    assert "people has no column mail (named in `columns`): did you mean 'email'?" in str(outcome.error)


def test_reidentify_names_its_datasets() -> None:
    operation = ReidentifyOperation(**WHO, vault_dataset="vault")
    assert operation.input_datasets() == ("people", "vault")
    assert operation.output_datasets() == ("people_reidentified",)
