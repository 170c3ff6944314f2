"""What DuckDB may do within a run: count what it is given, and nothing else."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from in_a_step import Ask, asked, outcome_of

from pamola_tasks.errors import ConfigurationError

duckdb = pytest.importorskip("duckdb")
TABLE = pd.DataFrame({"a": [1, 2, 2], "b": ["x", None, None]})
ENGINE: dict[str, Any] = {"tables": {"engine": "duckdb"}}


@pytest.mark.parametrize("encrypted", [False, True])
def test_it_writes_into_the_steps_folder_or_nowhere_and_opens_nothing(
    encrypted: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pamola_tasks_tables.in_duckdb import InDuckDB

    monkeypatch.setenv("PAMOLA_KEY", "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=")
    (tmp_path / "other.csv").write_text("a\n1\n")
    seen: list[tuple[str, bool]] = []
    real = InDuckDB._count

    def count(self: Any, *given: Any) -> None:
        (folder,) = self._connection.execute("select current_setting('temp_directory')").fetchone()
        seen.append((folder, Path(folder).is_dir()))
        for query in (f"from read_csv('{tmp_path / 'other.csv'}')", f"copy (select 1) to '{tmp_path / 'new.csv'}'"):
            with pytest.raises(duckdb.PermissionException):
                self._connection.execute(query)
        for setting in ("enable_external_access = true", "temp_directory = '/tmp'", "memory_limit = '1TB'"):
            with pytest.raises(duckdb.InvalidInputException):
                self._connection.execute(f"set {setting}")
        real(self, *given)

    def run(ctx: Any) -> Any:
        return ctx.run.tables.of(ctx).combinations("people", ["a", "b"]).read_pandas()["weight"].tolist()

    monkeypatch.setattr(InDuckDB, "_count", count)
    assert asked(run, tmp_path, TABLE, use_encryption=encrypted, **ENGINE) == [1, 2]
    ((folder, there),) = seen
    if encrypted:
        assert folder == ""
    else:
        assert there
        assert Path(folder).parent.match("steps/Ask.*.new")
        assert not Path(folder).parent.exists()


def test_what_is_wrong_with_a_table_is_said_as_without_it(tmp_path: Path) -> None:
    """An error while pieces are read comes as it is, not as what DuckDB makes of it."""
    (tmp_path / "people.csv").write_text("a\n1\n2\nthree\n")

    def said(engine: str) -> str:
        settings = {"data_types": {"a": "integer"}, "tables": {"engine": engine}, "chunk_size": 1}
        run = outcome_of(
            lambda ctx: ctx.run.tables.of(ctx).class_sizes("people", ["a"]), tmp_path, "people.csv", **settings
        )
        return f"{type(run.error).__name__}: {run.error}"

    assert "DataError" in said("pieces")
    assert said("duckdb") == said("pieces")


def test_an_engine_that_is_not_installed_or_not_known_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pamola_tasks_tables.plugin.find_spec", lambda name: None)
    with pytest.raises(ConfigurationError, match=r"tables\.engine is duckdb, which is not installed"):
        outcome_of(lambda ctx: None, tmp_path, TABLE, **ENGINE)
    with pytest.raises(ConfigurationError, match=r"tables\.engine.*duckdb"):
        outcome_of(lambda ctx: None, tmp_path, TABLE, tables={"engine": "spark"})


def test_a_piece_may_have_more_text_than_a_part_of_an_arrow_array_takes(tmp_path: Path) -> None:
    """Of a CSV file of more than a MiB, a piece of pandas is in several parts."""
    rows = 100_000
    (tmp_path / "people.csv").write_text("note\n" + "".join(f"{'n' * 40}{n}\n" for n in range(rows)))

    run = outcome_of(
        lambda ctx: [each.tolist() for each in ctx.run.tables.of(ctx).class_sizes("people", ["note"])],
        tmp_path,
        "people.csv",
        **ENGINE,
    )
    assert run.success, run.error


def test_auto_takes_it_where_most_rows_have_a_combination_of_their_own(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of tables beyond `memory_limit_mb`; the combinations are the same."""
    from pamola_tasks_tables import in_duckdb

    taken: list[str] = []
    real = in_duckdb.InDuckDB.__init__

    def noted(self: Any, ctx: Any, dtypes: Any, pieces: Any, names: Any, entity: Any = ()) -> None:
        taken.extend(names)
        real(self, ctx, dtypes, pieces, names, entity)

    def run(ctx: Any) -> list[int]:
        view = ctx.run.tables.of(ctx)
        return [sum(view.class_sizes("people", [name])[1].tolist()) for name in ("own", "shared")]

    monkeypatch.setattr(in_duckdb.InDuckDB, "__init__", noted)
    rows = 150_000
    pd.DataFrame({"own": range(rows), "shared": [n % 1_000 for n in range(rows)]}).to_parquet(
        tmp_path / "people.parquet"
    )
    found = outcome_of(run, tmp_path, "people.parquet", memory_limit_mb=1)
    assert found.success, found.error
    assert taken == ["own"]
    assert Ask.answer == [rows, 1_000]
