"""Operations of the pack pass the contract of operations."""

from typing import Any, ClassVar

from pamola_tasks.testing.contracts import OperationContract

PEOPLE = [
    {"who": f"p{n // 2}", "age": 20 + n * 7 % 23, "town": "ab"[n // 4 % 2], "part": "abcd"[n // 2 % 4],
     "size": n // 8 % 2, "seen": f"2024-0{1 + n % 9}-1{n % 10}"}
    for n in range(24)
]  # fmt: skip


def table(*columns: str) -> dict[str, str]:
    """The columns that an operation needs: the contract runs it once for each."""
    rows = [",".join(str(person[name]) for name in columns) for person in PEOPLE]
    return {"people": "\n".join([",".join(columns), *rows, ""])}


class Plugin(OperationContract):
    plugin = "ops-perturb"


class Pack(Plugin):
    """What holds of the plugin, not of one operation, is tested with the first."""

    test_its_door_is_light: Any = None
    test_what_it_names_is_there: Any = None
    test_it_loads: Any = None


class TestPram(Plugin):
    operation = "PramOperation"
    tables: ClassVar = table("part", "size")
    parameters: ClassVar[dict[str, Any]] = {"input_dataset": "people", "columns": ["part"], "strata": ["size"]}


class TestRankSwap(Pack):
    operation = "RankSwapOperation"
    tables: ClassVar = table("age")
    parameters: ClassVar[dict[str, Any]] = {"input_dataset": "people", "columns": ["age"], "p": 30}


class TestRecordSwap(Pack):
    operation = "RecordSwapOperation"
    tables: ClassVar = table("who", "town", "part", "size", "age")
    parameters: ClassVar[dict[str, Any]] = {
        "input_dataset": "people",
        "hierarchy": ["town", "part"],
        "similar": [["size"]],
        "risk_variables": ["age"],
        "hid": "who",
    }


class TestShuffle(Pack):
    operation = "ShuffleOperation"
    tables: ClassVar = table("age", "town")
    parameters: ClassVar[dict[str, Any]] = {"input_dataset": "people", "columns": ["age"], "predictors": ["town"]}


class TestNoise(Pack):
    operation = "CorrelatedNoiseOperation"
    tables: ClassVar = table("age", "size")
    parameters: ClassVar[dict[str, Any]] = {"input_dataset": "people", "columns": ["age", "size"]}


class TestDateShift(Pack):
    operation = "DateShiftOperation"
    tables: ClassVar = table("who", "seen")
    parameters: ClassVar[dict[str, Any]] = {"input_dataset": "people", "columns": ["seen"], "person": "who"}

    def once(self, kernel: Any, **asked: Any) -> Any:
        """With the type of the dates stated, as the operation asks for."""
        return super().once(kernel, data_types={"seen": "date"}, **asked)
