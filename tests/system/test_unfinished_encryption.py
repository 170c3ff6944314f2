"""What a killed re-encryption had begun to write stops no later command, and goes with the next one."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed import Cli


@pytest.mark.parametrize("change", [["rekey", "--deep"], ["rotate"]], ids=" ".join)
@pytest.mark.parametrize("size", [0, 700, 5000])
def test_files_that_were_never_finished_are_passed_over_and_removed(
    cli: Cli, project: Path, change: list[str], size: int
) -> None:
    """Ours alone: an encrypted file of another name that is truncated is damaged."""
    cli("keys", "init", cwd=project, code=0)
    cli("run", "example", "--set", "use_encryption=true", cwd=project, code=0)
    output = project / "DATA/processed/example/output/safe.csv"
    begun = output.with_name(".safe.csv.tmp-pamola-0123456789ab")
    begun.write_bytes(output.read_bytes()[:size])
    checked = cli("keys", "check", "--content", cwd=project, code=0)
    assert f"{begun.name}: passed over" in checked.stderr
    assert begun.exists()
    assert f"{begun.name}: removed" in cli("keys", *change, cwd=project, code=0).stderr
    assert not begun.exists()
    cli("keys", "check", "--content", cwd=project, code=0)
    output.with_name("cut.csv").write_bytes(output.read_bytes()[:-9])
    assert "cut.csv: " in cli("keys", "check", "--content", cwd=project, code=4).stderr
