"""A file that somebody else has locked is waited for with words, for a while, and the wait can be interrupted."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
import subprocess
import sys

import pytest

LOG = "configs/execution_log.jsonl"
SETTINGS = "configs/prj_config.yaml"


@contextlib.contextmanager
def held(path):
    """Lock a file as one may who can only read it."""
    with path.open("rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


@pytest.fixture
def waited(cli, start, project):
    """Run the example while this process holds a lock, up to the first word of waiting."""
    cli("run", "example", cwd=project, code=0)

    def begin(seconds):
        with (project / SETTINGS).open("a") as settings:
            settings.write(f"lock_timeout: {seconds}\n")
        (project / "DATA/processed/example/output/safe.csv").unlink()
        process = start("run", "example", cwd=project)
        lines = []
        for line in process.stdout:
            lines.append(line)
            if "waiting for" in line:
                return process, line
        raise AssertionError("".join(lines))

    return begin


@pytest.mark.parametrize("path", [LOG, "DATA/processed/example/.state/journal.jsonl"])
def test_a_run_waits_with_words_and_goes_on_when_the_file_is_free(waited, project, path):
    with held(project / path):
        process, line = waited(1000)
        assert path in line
        assert f"process {os.getpid()}" in line
    out, _ = process.communicate(timeout=120)
    assert process.returncode == 0, out


def test_a_wait_ends_with_an_error_that_says_what_to_do(waited, project):
    with held(project / LOG):
        process, _ = waited(3)
        out, _ = process.communicate(timeout=120)
    assert process.returncode not in (0, 75)
    assert "lock_timeout" in out
    assert f"process {os.getpid()}" in out


@pytest.mark.parametrize(("number", "code"), [(signal.SIGTERM, 143), (signal.SIGINT, 130)])
def test_one_signal_ends_the_wait(waited, project, number, code):
    """What is left to write after it does not wait as long again."""
    with held(project / LOG):
        process, _ = waited(1000)
        process.send_signal(number)
        process.communicate(timeout=120)
    assert process.returncode == code


def test_a_stopped_process_is_named_as_one(waited, project):
    code = "import fcntl, sys, time; file = open(sys.argv[1]); fcntl.flock(file, 2); print(flush=True); time.sleep(600)"
    holder = subprocess.Popen([sys.executable, "-c", code, str(project / LOG)], stdout=subprocess.PIPE)
    try:
        holder.stdout.readline()
        holder.send_signal(signal.SIGSTOP)
        process, line = waited(1000)
        assert f"process {holder.pid}" in line
        assert "stopped" in line
    finally:
        holder.kill()
        holder.communicate()
    assert process.communicate(timeout=120)
    assert process.returncode == 0


def test_a_task_that_a_stranger_has_locked_is_not_said_to_be_running(cli, project):
    """The lock file had the last holder's name, of a run that crashed."""
    cli("run", "example", cwd=project, code=0)
    lock = project / "DATA/processed/example/.state/lock"
    lock.write_text('{"pid": 1, "host": "", "since": "", "run_id": "r"}\n')
    with held(lock):
        done = cli("run", "example", cwd=project, code=75)
    assert f"process {os.getpid()}" in done.stderr + done.stdout
    assert lock.stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("value", ["-1", "soon"])
def test_a_limit_that_is_none_is_refused(cli, project, value):
    done = cli("run", "example", "--set", f"lock_timeout={value}", cwd=project)
    assert done.returncode != 0
    assert "lock_timeout" in done.stderr + done.stdout
