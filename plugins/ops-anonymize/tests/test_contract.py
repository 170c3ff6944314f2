"""Every operation of the pack passes the contract of operations."""

import base64
from pathlib import Path
from typing import Any, ClassVar

import pytest

from pamola_ops_anonymize.plugin import pamola_add_operations
from pamola_tasks.testing.contracts import OperationContract

PEOPLE = "code,age,town,illness\n" + "".join(f"c{n},{20 + n % 7},{'abc'[n % 3]},{'xy'[n * n % 2]}\n" for n in range(24))
READS: dict[str, Any] = {"input_dataset": "people", "on_identifiers": "warn"}


class Pack(OperationContract):
    plugin = "ops-anonymize"
    tables: ClassVar = {"people": PEOPLE}


class TestMask(Pack):
    """Piece by piece."""

    operation = "MaskOperation"
    parameters: ClassVar[dict[str, Any]] = {"columns": ["code"], "method": "partial", "keep_last": 1, **READS}


class TestNoise(Pack):
    """By chance."""

    operation = "NoiseOperation"
    parameters: ClassVar[dict[str, Any]] = {
        "columns": ["age"],
        "epsilon": 1,
        "bounds": {"age": [0, 100]},
        "reproducible": True,
        **READS,
    }


class TestAnonymize(Pack):
    """On the whole table."""

    operation = "AnonymizeOperation"
    parameters: ClassVar[dict[str, Any]] = {
        "quasi_identifiers": ["age", "town"],
        "sensitive_attributes": ["illness"],
        "k": 2,
        **READS,
    }


class TestRisk(Pack):
    """By combinations."""

    operation = "RiskOperation"
    parameters: ClassVar[dict[str, Any]] = {"input_dataset": "people", "quasi_identifiers": ["age", "town"]}


# The others on tables of two columns, since each column is a run of its own.
TWO = "age,town\n" + "".join(f"{20 + n % 4},{'ab'[n % 2]}\n" for n in range(8))
NUMBERS = "number,age\n" + "".join(f"{100_000 + n},{n % 3}\n" for n in range(6))
FF1 = {"columns": ["number"], "method": "ff1", "purpose": "contract"}
BOTH = {"original_dataset": "people", "anonymized_dataset": "release", "quasi_identifiers": ["age", "town"]}
RELEASE = "age,town\n" + "".join(f'"[{20 + n % 4 // 2 * 2},{21 + n % 4 // 2 * 2}]",{"ab"[n % 2]}\n' for n in range(8))
COUNTED = {"statistics": {"all": {"kind": "count"}}, "epsilon": 60, "budget_epsilon": 60}  # 60: noise is never drawn

OTHERS: dict[str, dict[str, Any]] = {
    "AssessOperation": {"input_dataset": "people", "ks": [2], "strategies": ["suppression"], "special_uniques": 1},
    "AttackOperation": {**BOTH, "attacks": ["linkability"], "attempts": 10},
    "DropOperation": {"columns": ["age"], **READS},
    "GeneralizeOperation": {"columns": ["age"], "method": "interval", "width": 10, **READS},
    "HoldOutOperation": {"input_dataset": "people", "share": 0.5},
    "PrivateStatisticsOperation": {"input_dataset": "people", **COUNTED},
    "PseudonymizeOperation": {**FF1, **READS},
    "ReidentifyOperation": {"input_dataset": "people", **FF1},
    "SuppressOperation": {"columns": ["town"], "suppress": "records", "min_count": 2, **READS},
    "TopBottomCodeOperation": {"columns": ["age"], "top_quantile": 0.5, **READS},
    "UtilityOperation": BOTH,
}


class Another(OperationContract):
    """With a key, which pseudonyms need."""

    plugin = "ops-anonymize"

    @pytest.fixture(autouse=True)
    def key(self, project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        """The same for each project."""
        monkeypatch.setenv("PAMOLA_KEY", base64.b64encode(bytes(range(32))).decode())


def tables_of(parameters: dict[str, Any]) -> dict[str, str]:
    """The tables that an operation reads."""
    tables = {"people": NUMBERS if "number" in parameters.get("columns", ()) else TWO}
    return tables | ({"release": RELEASE} if "anonymized_dataset" in parameters else {})


for name, stated in OTHERS.items():
    members = {"operation": name, "parameters": stated, "tables": tables_of(stated)}
    globals()[f"Test{name}"] = type(f"Test{name}", (Another,), members)


def test_no_operation_of_the_pack_is_left_out() -> None:
    own = {each.operation for each in (TestMask, TestNoise, TestAnonymize, TestRisk)}
    assert own | OTHERS.keys() == pamola_add_operations().keys()
