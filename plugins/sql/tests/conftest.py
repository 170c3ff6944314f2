"""A PostgreSQL server of the tests' own, and a project whose project file names it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from installed import cli as cli
from installed import home as home
from installed import start as start
from postgresql_server import SECRET, NoServer, Server, started


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """One server for all tests."""
    try:
        with started() as server:
            yield server
    except NoServer as reason:
        pytest.skip(str(reason))


@pytest.fixture
def project(tmp_path: Path, server: Server, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project that may use the database `clinic`, and replace tables whose names begin with `out`."""
    monkeypatch.setenv("CLINIC_PASSWORD", SECRET)
    root = tmp_path / "project"
    (root / "configs").mkdir(parents=True)
    (root / ".pamola.toml").touch()
    (root / "configs/prj_config.yaml").write_text(
        "output_format: parquet\n"
        "checkpoints: {keep_intermediate: true}\n"
        f"sql:\n  databases:\n    clinic:\n      url: {server.url}\n      user: owner\n"
        "      password: ${env:CLINIC_PASSWORD}\n      write: ['out*', 'research.*']\n"
    )
    return root
