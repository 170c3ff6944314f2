"""A plugin that ends, kills or holds up the process while it is imported is named, and there is a way out."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
from command_line import SCRIPT
from installed import clean_environment, distribution_at

ENDINGS = {
    "os._exit(0)": "import os\nos._exit(0)\n",
    "posix._exit(0)": "import posix\nposix._exit(0)\n",
    "exit(0) of C": "import ctypes\nctypes.CDLL(None).exit(0)\n",
    "a signal": "import os, signal\nos.kill(os.getpid(), signal.SIGSEGV)\n",
    "abort": "import os\nos.abort()\n",
}


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    (tmp_path / "tmp").mkdir()
    return {"TMPDIR": str(tmp_path / "tmp"), "XDG_RUNTIME_DIR": ""}


def refused(cli, project: Path, env: dict[str, str], why: str) -> None:
    """A run says which plugin and why, a command that reads warns, and leaving the plugin out helps."""
    said = cli("run", "example", cwd=project, env=env, code=2).stderr
    assert "plugin helpful (helpful-lib 1.0) failed to load" in said
    assert why in said
    assert "--no-plugin helpful" in said
    assert "helpful" in cli("status", cwd=project, env=env, code=0).stderr
    assert why in cli("plugins", cwd=project, env={**env, "COLUMNS": "300"}, code=0).stdout
    for name in ("helpful", "helpful-lib"):
        cli("--no-plugin", name, "run", "example", cwd=project, env=env, code=0)


@pytest.mark.parametrize("how", ENDINGS)
def test_one_that_ends_the_process_is_named_by_the_next_start(cli, project, tmp_path, env, how):
    env |= distribution_at(tmp_path / "site", ENDINGS[how])
    first = cli("run", "example", cwd=project, env=env)
    if how == "os._exit(0)":
        assert first.returncode == 1
        assert "os._exit(0) while plugin helpful (helpful-lib 1.0) was imported" in first.stderr
    refused(cli, project, env, "it ends the process while it is imported")
    installed_again = tmp_path / "site/helpful_lib_plugin.py"
    installed_again.write_text("repaired = True\n")
    cli("run", "example", cwd=project, env=env, code=0)
    assert cli("run", "example", cwd=project, env=env, code=0).stderr == ""
    assert list((tmp_path / "tmp").iterdir()) == []


@pytest.mark.parametrize("error", ["KeyboardInterrupt", "SystemExit(0)", "GeneratorExit"])
def test_one_that_raises_what_ends_a_process_is_named(cli, project, tmp_path, env, error):
    env |= distribution_at(tmp_path / "site", f"raise {error}\n")
    refused(cli, project, env, error.rstrip("(0)") if "Exit(" not in error else "sys.exit(0)")


@pytest.mark.parametrize("ending", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_one_that_sleeps_is_named(cli, project, home, tmp_path, env, ending):
    begun = tmp_path / "begun"
    sleeps = f"import pathlib, time\npathlib.Path({str(begun)!r}).touch()\ntime.sleep(600)\n"
    env |= distribution_at(tmp_path / "site", sleeps)
    process = subprocess.Popen(
        [str(SCRIPT), "status"],
        cwd=project,
        env={**clean_environment(home), **env},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.default_int_handler),
    )
    while not begun.exists():
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(ending)
    try:
        said = process.communicate(timeout=60)[1]
    finally:
        process.kill()
    if ending == signal.SIGKILL:
        (tmp_path / "site/helpful_lib_plugin.py").write_text("import os\nos.close(1)\n")
        said = cli("status", cwd=project, env=env).stderr
        assert "an earlier start ended while plugin helpful (helpful-lib 1.0) was imported" in said
    else:
        assert process.returncode == (130 if ending == signal.SIGINT else 143)
        assert "interrupted while plugin helpful (helpful-lib 1.0) was imported" in said
        assert list((tmp_path / "tmp").iterdir()) == []


def test_nothing_is_written_where_all_plugins_are_built_in(cli, project, tmp_path, env):
    trace = tmp_path / "tmp"
    os.chmod(trace, 0o500)
    assert cli("status", cwd=project, env=env, code=0, obeys=True).stderr == ""


# ---------------------------------------------------------------- the name of a built-in plugin


@pytest.mark.parametrize("distribution", ["aa-lib", "zz-lib"])
@pytest.mark.parametrize("name", ["config", "cli", "ops-profile"])
def test_a_foreign_plugin_with_the_name_of_a_built_in_one_is_the_one_that_fails(
    cli, project, tmp_path, distribution, name
):
    env = distribution_at(tmp_path / "site", "x = 1\n", distribution=distribution, name=name)
    said = cli("run", "example", cwd=project, env=env, code=2).stderr
    assert f"plugin {name} ({distribution} 1.0) failed to load: the name '{name}' is used by {name} (pamola-" in said
    assert f"--no-plugin {distribution}" in said
    for way_out in (distribution, name):
        cli("--no-plugin", way_out, "run", "example", cwd=project, env=env, code=0)


def test_a_command_of_a_built_in_plugin_is_not_taken(cli, project, tmp_path):
    source = (
        "from pamola_tasks import Command, hookimpl\n@hookimpl\ndef pamola_add_commands():\n"
        "    return {'history': Command('json:loads', help='x'), 'run': Command('json:loads', help='x')}\n"
    )
    env = distribution_at(tmp_path / "site", source, distribution="zz-lib")
    said = cli("run", "example", cwd=project, env=env, code=2).stderr
    assert "plugin helpful (zz-lib 1.0) failed to load: its command" in said
    cli("history", cwd=project, env=env, code=0)
    cli("--no-plugin", "helpful", "run", "example", cwd=project, env=env, code=0)
