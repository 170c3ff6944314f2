"""Operations of the pack pass the contract of operations: one of each way to work."""

from typing import Any, ClassVar

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
