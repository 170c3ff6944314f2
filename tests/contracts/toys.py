"""Toy providers under the contracts: the toys of `tests/system`, whole, and with a fault planted in one service."""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks import hookimpl
from pamola_tasks.protocols import ConfigLayer, DatasetFormat
from pamola_tasks.testing import contracts

sys.path.append(str(Path(__file__).parents[1] / "system/toys/src"))

from acme_toys import plugin as acme_toys


class Formats:
    """The format of the kit's table, for the library of the toys; configuration of classes and callers."""

    PAMOLA_PLUGIN_NAME = "formats"

    @hookimpl
    def pamola_add_config_layers(self, project: Any, task: Any, overrides: Any) -> list[ConfigLayer]:
        """What the caller asks for, over what the task's class states."""
        stated = task.stated_configuration() if task is not None else {}
        return [
            ConfigLayer(name="command line", rank=500, origin="--set", values=overrides),
            ConfigLayer(name="task class", rank=200, origin="class", values=stated),
        ]

    @hookimpl
    def pamola_add_dataset_formats(self) -> dict[str, Any]:
        """JSON."""
        return {name: DatasetFormat(extension=name, read=read, write=write) for name in ("json", "csv", "parquet")}


def read(file: Any, columns: Any, options: Any) -> Any:
    """A table of a file."""
    import pandas as pd

    frame = pd.DataFrame(json.load(file))
    return frame if columns is None else frame[list(columns)]


def write(frames: Any, file: Any, options: Any) -> int:
    """A file of a table."""
    import pandas as pd

    frame = pd.concat(list(frames), ignore_index=True)
    file.write(frame.to_json(orient="records").encode())
    return len(frame)


class Toys:
    """Toys only: no installed plugin."""

    plugin = acme_toys
    autoload = False
    planted: Any = None

    @pytest.fixture
    def neighbours(self) -> list[Any]:
        """The formats, and what spoils a toy."""
        return [Formats(), *([self.planted] if self.planted is not None else [])]


def good(contract: type) -> type:
    """The tests of a toy as it is."""
    return type(f"TestGood{contract.__name__}", (Toys, contract), {})


def fault(contract: Any, caught_by: str, name: str, **changes: Callable[..., Any]) -> type:
    """The one test that has to catch a toy with a fault.

    Args:
        contract: The contract of the service.
        caught_by: The test.
        name: What is wrong, as part of a name.
        **changes: Methods that the toy gets instead of its own; None takes one away.
    """

    def spoil(self: Any) -> Iterator[Any]:
        found = yield
        kind = type(found)
        members = {key: property(_gone) if change is None else change for key, change in changes.items()}
        found.__class__ = type(kind.__name__, (kind,), members)
        return found

    hook = f"pamola_provide_{contract.service}"
    spoil.__name__ = hook
    planted = type("Planted", (), {"PAMOLA_PLUGIN_NAME": "planted", hook: hookimpl(wrapper=True)(spoil)})()
    members = {"planted": planted, "caught_by": caught_by}
    return type(f"TestFault_{contract.service}_{name}", (Toys, contract), members)


def _gone(self: Any) -> Any:
    raise AttributeError("taken away")


def before(method: Callable[..., Any]) -> Callable[..., Any]:
    """A method of the toy's class, of which it is not known yet which it is: `before(lambda up, self, …: …)`."""

    def changed(self: Any, *arguments: Any, **named: Any) -> Any:
        return method(super(type(self), self), self, *arguments, **named)

    return changed


def all_of(*classes: type) -> dict[str, type]:
    """Classes by name, for a module."""
    return {cls.__name__: cls for cls in classes}


__all__ = ["Formats", "Toys", "all_of", "before", "contracts", "fault", "good"]
