"""What the pack adds to `pamola_tasks` as a function of a frame, for notebooks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pamola_tasks.functions import run_on

if TYPE_CHECKING:
    import pandas as pd

    from pamola_tasks.functions import Findings


def profile(frame: pd.DataFrame, **parameters: Any) -> Findings:
    """Describe a table by `ProfileOperation`; nothing is left on the disk.

    Args:
        frame: The table, a row for each record.
        **parameters: Parameters of ProfileOperation.

    Returns:
        Its metrics; `files` has the whole profile.

    Raises:
        ParameterError: A parameter is unknown or does not fit.
    """
    found: Findings = run_on(frame, "ProfileOperation", reads="dataset_name", **parameters)
    return found
