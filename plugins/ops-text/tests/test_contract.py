"""The operation of the pack passes the contract of operations."""

from typing import Any, ClassVar

from pamola_tasks.testing.contracts import OperationContract

PEOPLE = """name,note,remark
Ann Smith,"Ann (ann@example.org) called on 2024-03-05, smith again",see https://example.org/a
Bob Lee,mail ann@example.org or Bob,
,+1 212-555-0199 and ann@example.org,Lee
Ann Smith,nothing here,Smith
"""
LABELS = """text,start,end,entity
mail ann@example.org,5,20,EMAIL_ADDRESS
see Ann,4,7,PERSON
nothing,,,
"""


class TestRedactText(OperationContract):
    plugin = "ops-text"
    operation = "RedactTextOperation"
    tables: ClassVar = {"people": PEOPLE, "labels": LABELS}
    parameters: ClassVar[dict[str, Any]] = {
        "input_dataset": "people",
        "columns": ["note", "remark"],
        "known_columns": {"name": "PERSON"},
        "action": {"PERSON": "replace", "EMAIL_ADDRESS": "replace"},
        "labelled_dataset": "labels",
    }
