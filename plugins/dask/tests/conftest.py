from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent / "importable"))

from clusters import OwnCluster
from installed import Cli as Cli
from installed import cli as cli
from installed import home as home
from installed import project as project
from installed import start as start


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OwnCluster]:
    """A scheduler and two workers behind TLS, in processes of their own, for all tests that leave it as it is."""
    with OwnCluster(tmp_path_factory.mktemp("cluster")) as made:
        made.add_worker()
        made.add_worker()
        made.wait_for(2)
        yield made
