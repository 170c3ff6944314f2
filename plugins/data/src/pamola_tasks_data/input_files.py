"""The files that a run reads its inputs from: where they are, and how large."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from pamola_tasks.errors import PathSecurityError

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices


def input_files(run: RunServices) -> dict[str, str]:
    """Where each input is, by the dataset's name."""
    named = {**run.config.auxiliary_datasets, **run.config.input_datasets}
    return {name: _place_of(run, str(path)) for name, path in named.items()}


def _place_of(run: RunServices, path: str) -> str:
    """An input's path: under the project's root; under the data repository where it is there only."""
    if os.path.isabs(path):
        return path
    with contextlib.suppress(PathSecurityError):
        in_repository = f"{run.config.data_repository}/{path}"
        if not run.files.exists(path) and run.files.exists(in_repository):
            return in_repository
    return path


def input_sizes(run: RunServices) -> dict[str, int]:
    """Bytes of the input files that are there."""
    found = {}
    for name, path in input_files(run).items():
        with contextlib.suppress(OSError, PathSecurityError):  # the step that reads it will say so
            found[name] = run.files.stat(path).size
    return found
