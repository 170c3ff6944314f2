"""The operations of the pack pass the contract of operations."""

from typing import ClassVar

from pamola_tasks.testing.contracts import OperationContract

PEOPLE = "code,age,town\n" + "".join(f"c{n},{20 + n % 7},{'abc'[n % 3]}\n" for n in range(24))


class TestProfile(OperationContract):
    plugin = "ops-profile"
    operation = "ProfileOperation"
    parameters: ClassVar = {"dataset_name": "people"}
    tables: ClassVar = {"people": PEOPLE}


class TestCorrelation(OperationContract):
    plugin = "ops-profile"
    operation = "CorrelationOperation"
    parameters: ClassVar = {
        "primary_dataset": "people",
        "secondary_dataset": "visits",
        "join_key": "code",
        "min_count": 2,
    }
    tables: ClassVar = {
        "people": "code,age\n" + "".join(f"c{n},{20 + n}\n" for n in range(8)),
        "visits": "code,days\n" + "".join(f"c{n},{n % 3}\n" for n in range(8)),
    }
