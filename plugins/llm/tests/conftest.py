from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "importable"))

from installed import Cli as Cli
from installed import cli as cli
from installed import home as home
from installed import nothing_around as nothing_around
from installed import place as place
from model_stub import Stub


@pytest.fixture
def stub() -> Iterator[Stub]:
    with Stub() as made:
        yield made
