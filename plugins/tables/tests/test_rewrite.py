"""Rewriting: one pass for a chain of changes, piece by piece."""

from __future__ import annotations

import gc
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from in_a_step import asked, outcome_of


def test_a_chain_of_changes_is_one_pass(tmp_path: Path) -> None:
    """Each change gets pieces whose index begins at 0, also where the one before removed rows."""
    table = pd.DataFrame({"a": range(10), "b": list("xyxyxyxyxy")})
    seen: list[tuple[str, list[int], list[int]]] = []

    def odd(piece: pd.DataFrame) -> pd.DataFrame:
        seen.append(("odd", piece.index.tolist(), piece["a"].tolist()))
        return piece[piece["a"] % 2 == 1]

    def doubled(piece: pd.DataFrame) -> pd.DataFrame:
        seen.append(("doubled", piece.index.tolist(), piece["a"].tolist()))
        return piece.assign(a=piece["a"] * 2)

    def run(ctx: Any) -> Any:
        return ctx.run.tables.of(ctx).rewrite("people", [odd, doubled], "out", columns=["a"])

    record = asked(run, tmp_path, table, chunk_size=4)
    assert seen == [
        ("odd", [0, 1, 2, 3], [0, 1, 2, 3]),
        ("doubled", [0, 1], [1, 3]),
        ("odd", [0, 1, 2, 3], [4, 5, 6, 7]),
        ("doubled", [0, 1], [5, 7]),
        ("odd", [0, 1], [8, 9]),
        ("doubled", [0], [9]),
    ]
    assert record.rows == 5
    assert pd.read_csv(tmp_path / record.path)["a"].tolist() == [2, 6, 10, 14, 18]


TABLE = pd.DataFrame(
    {"a": [(n * 7919) % 1000 for n in range(20_000)], "b": [f"secret {n % 17}" for n in range(20_000)]}
)
SMALL: dict[str, Any] = {"chunk_size": 500, "memory_limit_mb": 1}  # of which no more than 1,000 rows are sorted at once


def by_cells(ctx: Any, change: Any = lambda piece: piece) -> Any:
    return ctx.run.tables.of(ctx).rewrite("people", change, "out", sorted_by="cells")


def spilled(folder: Path) -> list[Path]:
    return list(folder.rglob("*.arrow*"))


def left(folder: Path) -> list[Path]:
    return [*spilled(folder), *folder.rglob("*.new")]


def test_rows_are_sorted_with_few_of_them_in_memory(tmp_path: Path) -> None:
    """All frames that are alive, whoever holds them, have fewer rows together than half of the table."""
    most = 0
    gc.collect()
    before = [each for each in gc.get_objects() if isinstance(each, pd.DataFrame)]
    others = set(map(id, before))

    def look(piece: pd.DataFrame) -> pd.DataFrame:
        nonlocal most
        alive = (each for each in gc.get_objects() if isinstance(each, pd.DataFrame) and id(each) not in others)
        most = max(most, sum(map(len, alive)))
        return piece

    def run(ctx: Any) -> Any:
        real = ctx._staged.write_dataset
        ctx._staged.write_dataset = lambda name, pieces, format: real(name, map(look, pieces), format)
        return by_cells(ctx, look)

    TABLE.to_parquet(tmp_path / "people.parquet", row_group_size=500)
    record = asked(run, tmp_path, "people.parquet", **SMALL)
    written = pd.read_csv(tmp_path / record.path)
    pd.testing.assert_frame_equal(written, TABLE.sort_values(["a", "b"], ignore_index=True), check_dtype=False)
    assert 1_000 <= most <= len(TABLE) / 2, most
    assert not left(tmp_path)


@pytest.mark.parametrize("encrypted", [False, True])
def test_what_waits_on_the_disk_is_the_owners_and_encrypted_where_the_run_encrypts(
    encrypted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also a change that fails leaves nothing of it."""
    monkeypatch.setenv("PAMOLA_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    monkeypatch.setattr("pamola_tasks_tables.kinds._MANY", 10)  # more texts are stored as they are
    found: list[tuple[bool, int]] = []

    def change(piece: pd.DataFrame) -> pd.DataFrame:
        there = spilled(tmp_path)
        found.extend((b"secret" in path.read_bytes(), path.stat().st_mode & 0o777) for path in there[:1])
        if len(there) > 3:
            raise ValueError("it broke")
        return piece

    outcome = outcome_of(lambda ctx: by_cells(ctx, change), tmp_path, TABLE, use_encryption=encrypted, **SMALL)
    assert "it broke" in str(outcome.error)
    assert set(found) == {(not encrypted, 0o600)}
    assert not left(tmp_path)


def test_a_killed_run_is_repeated_by_the_same_command(tmp_path: Path) -> None:
    """What it had on the disk is gone then, and the result is the one of a run that nobody killed."""
    script = (
        "import os, signal, sys\n"
        f"sys.path.insert(0, {str(Path(__file__).parent)!r})\n"
        "from pathlib import Path\n"
        "import test_rewrite as kit\n"
        "def change(piece):\n"
        "    if sys.argv[1] == 'kill' and len(kit.spilled(Path())) > 3: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return piece\n"
        "record = kit.asked(lambda ctx: kit.by_cells(ctx, change), Path(), kit.TABLE, **kit.SMALL)\n"
        "print(record.path, record.sha256)\n"
    )

    def run(how: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", script, how]
        return subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)

    assert run("kill").returncode == -signal.SIGKILL
    assert spilled(tmp_path)
    again = run("on")
    assert again.returncode == 0, again.stderr
    assert not left(tmp_path)
    path = again.stdout.split()[0]
    assert pd.read_csv(tmp_path / path)["a"].is_monotonic_increasing
