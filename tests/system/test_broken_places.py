"""A full disk, a project that cannot be written, inputs that vanish: said with path and numbers, and resumable."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import command_line
import pytest


@contextlib.contextmanager
def mounted(place: Path, size: str) -> Iterator[Path]:
    """A small disk of its own; skips where this user may not have one."""
    place.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={size}", "tmpfs", str(place)], capture_output=True, text=True, check=False
    )
    if done.returncode != 0:
        pytest.skip(f"a small disk cannot be mounted here: {done.stderr.strip()}")
    try:
        yield place
    finally:
        subprocess.run(["umount", "-l", str(place)], check=True)


pytestmark = pytest.mark.skipif(os.name == "nt", reason="mounts and permissions are those of POSIX")


def write_task(project: Path, rows: int) -> None:
    """A copy of one table, and of the copy."""
    (project / "DATA/raw/big.csv").write_text("a,b\n" + "".join(f"{n},{n % 97}\n" for n in range(rows)))
    (project / "configs/copy.yaml").write_text(
        "task_id: copy\ninput_datasets: {big: DATA/raw/big.csv}\noperations:\n"
        "  - AnonymizeOperation: {input_dataset: big, output_dataset: out, k: 2, quasi_identifiers: [b],"
        " sensitive_attributes: [], direct_identifiers: [], on_identifiers: warn, register: false}\n"
    )


def test_a_run_that_would_fill_the_disk_is_refused_before_it_writes_a_dataset(cli, tmp_path):
    with mounted(tmp_path / "disk", "6m") as disk:
        project = disk / "project"
        cli("init", project, code=0)
        write_task(project, 300_000)
        refused = cli("run", "copy", cwd=project, code=1)
        assert "not enough disk space" in refused.stdout + refused.stderr
        assert "bytes are needed" in refused.stdout + refused.stderr
        assert "bytes are free" in refused.stdout + refused.stderr
        assert list((project / "DATA/processed/copy/output").iterdir()) == []
        write_task(project, 1000)
        cli("run", "copy", cwd=project, code=0)


def test_a_disk_that_fills_up_while_a_step_writes_leaves_the_old_output_and_the_run_can_be_continued(cli, tmp_path):
    with mounted(tmp_path / "disk", "8m") as disk:
        project = disk / "project"
        cli("init", project, code=0)
        write_task(project, 1000)
        cli("run", "copy", cwd=project, code=0)
        output = project / "DATA/processed/copy/output/out.csv"
        before = output.read_bytes()
        write_task(project, 200_000)
        filler = disk / "filler"
        free = os.statvfs(disk).f_bavail * os.statvfs(disk).f_frsize
        filler.write_bytes(b"x" * (free - 800_000))
        full = cli("run", "copy", "--set", "check_free_space=false", cwd=project, code=1)
        assert "No space left on device" in full.stdout + full.stderr
        assert "DATA/processed/copy/.state/steps/" in full.stdout + full.stderr
        assert "bytes or more are needed" in full.stdout + full.stderr
        assert "bytes are free" in full.stdout + full.stderr
        assert output.read_bytes() == before, "the old state is as it was"
        filler.unlink()
        cli("run", "copy", cwd=project, code=0)
        assert output.read_bytes().count(b"\n") == 200_001
        assert [path for path in project.rglob("*") if ".tmp-pamola-" in path.name or path.name.endswith(".new")] == []


def test_a_project_on_a_read_only_disk_is_an_error_that_names_the_place_and_can_be_run_later(cli, tmp_path):
    with mounted(tmp_path / "disk", "8m") as disk:
        project = disk / "project"
        cli("init", project, code=0)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        refused = cli("run", "example", cwd=project, code=1)
        assert "DATA/processed/example" in refused.stderr
        assert "Read-only file system" in refused.stderr
        assert "defect" not in refused.stderr
        listed = cli("list", cwd=project, code=0)
        assert "example" in listed.stdout, "looking needs no writing"
        subprocess.run(["mount", "-o", "remount,rw", str(disk)], check=True)
        cli("run", "example", cwd=project, code=0)


def test_a_folder_that_may_not_be_written_is_named_and_the_run_can_be_continued(cli, project):
    cli("run", "example", cwd=project, code=0)
    output = project / "DATA/processed/example/output"
    output.chmod(0o555)
    try:
        refused = cli("run", "example", "--restart", cwd=project, code=1, obeys=True)
        assert "Permission denied" in refused.stdout + refused.stderr
        assert "DATA/processed/example/output" in refused.stdout + refused.stderr
    finally:
        output.chmod(0o755)
    cli("run", "example", cwd=project, code=0)


def test_an_input_that_vanished_is_named_and_the_run_can_be_continued(cli, project):
    table = project / "DATA/raw/example.csv"
    cli("run", "example", cwd=project, code=0)
    before = (project / "DATA/processed/example/output/safe.csv").read_bytes()
    aside = table.rename(table.with_suffix(".aside"))
    gone = cli("run", "example", cwd=project, code=2)
    assert "DATA/raw/example.csv" in gone.stdout + gone.stderr
    assert (project / "DATA/processed/example/output/safe.csv").read_bytes() == before
    aside.rename(table)
    again = cli("run", "example", cwd=project, code=0)
    assert "3 unchanged since an earlier run" in again.stdout


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace makes the call fail")
def test_a_lock_that_cannot_be_written_while_steps_run_is_named(cli, project):
    """The lock says which steps run; that line failed with "Read-only file system" and no file."""
    cli("run", "example", cwd=project, code=0)
    lock = project / "DATA/processed/example/.state/lock"
    fails = ["-e", "trace=ftruncate", "-e", "inject=ftruncate:error=EROFS:when=2"]
    strace = ["strace", "-f", "-qq", "-o", os.devnull, "-P", str(lock), *fails]
    done = subprocess.run(
        [*strace, command_line.SCRIPT, "run", "example", "--restart"],
        cwd=project,
        capture_output=True,
        text=True,
        check=False,
    )
    if "ptrace" in done.stderr.lower():
        pytest.skip(f"strace cannot trace here: {done.stderr.strip()}")
    assert done.returncode == 1
    assert "Read-only file system: 'DATA/processed/example/.state/lock'" in done.stdout
    cli("run", "example", cwd=project, code=0)
