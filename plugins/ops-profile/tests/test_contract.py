"""The operations of the pack pass the contract of operations."""

from typing import ClassVar

from pamola_tasks.testing.contracts import OperationContract

PEOPLE = "code,age,town\n" + "".join(f"c{n},{20 + n % 7},{'abc'[n % 3]}\n" for n in range(24))


class TestProfile(OperationContract):
    plugin = "ops-profile"
    operation = "ProfileOperation"
    parameters: ClassVar = {"dataset_name": "people"}
    tables: ClassVar = {"people": PEOPLE}
