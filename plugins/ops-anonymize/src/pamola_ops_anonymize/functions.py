"""What the pack adds to `pamola_tasks` as functions of a frame, for notebooks."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from pamola_tasks.functions import run_on

if TYPE_CHECKING:
    import pandas as pd

    from pamola_tasks.functions import Findings


def anonymize(
    frame: pd.DataFrame, *, k: int, quasi_identifiers: Iterable[str], **parameters: Any
) -> tuple[pd.DataFrame, Findings]:
    """Anonymize a table by `AnonymizeOperation`; nothing is left on the disk.

    Args:
        frame: The table, a row for each record.
        k: How many records must share each combination of quasi-identifiers, 2 or more.
        quasi_identifiers: Columns that together could identify a person.
        **parameters: Other parameters of AnonymizeOperation; those that name other datasets cannot be used.

    Returns:
        The anonymized table, and what was claimed and measured of it.

    Raises:
        ParameterError: A parameter is unknown or does not fit.
        DataRefused: The table cannot be released so.
        DataError: A column is missing, or the table does not allow what is asked for.
    """
    asked = {"k": k, "quasi_identifiers": _listed(quasi_identifiers), **parameters}
    result: tuple[pd.DataFrame, Findings] = run_on(frame, "AnonymizeOperation", writes="output_dataset", **asked)
    return result


def risk(frame: pd.DataFrame, *, quasi_identifiers: Iterable[str], **parameters: Any) -> Findings:
    """Measure the risk of re-identification of a table by `RiskOperation`; arguments and errors as for `anonymize`."""
    found: Findings = run_on(frame, "RiskOperation", quasi_identifiers=_listed(quasi_identifiers), **parameters)
    return found


def assess(frame: pd.DataFrame, **parameters: Any) -> Findings:
    """Assess a table by `AssessOperation`: roles, who is unique, what k would cost; all its parameters are optional."""
    found: Findings = run_on(frame, "AssessOperation", **parameters)
    return found


def _listed(columns: Iterable[str]) -> Any:
    """Columns as a list; a single text stays, and the operation says what it wants instead."""
    return columns if isinstance(columns, str) else list(columns)
