"""Whose project is used: the user's own and root's, that nobody else can write. All through the installed command."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from installed import Cli, clean_environment

STRANGER = 54321
needs_root = pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can make files of another user"
)
posix = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="no owners and modes to judge by")
SPY = """from pathlib import Path
Path(__file__).with_name("ran").touch()
from pamola_tasks import BaseTask
class E(BaseTask):
    pass
"""


def given_away(folder: Path) -> Path:
    """The folder with all that is in it, as another user's."""
    for path in (folder, *folder.rglob("*")):
        os.chown(path, STRANGER, STRANGER)
    return folder


def trusting(home: Path, folder: object) -> None:
    """The user's own settings, which trust a folder."""
    own = home / ".config/pamola-tasks/.pamola.toml"
    own.parent.mkdir(parents=True, exist_ok=True)
    own.write_text(f'[trust]\nfolders = ["{folder}"]\n')


@pytest.fixture
def planted(tmp_path: Path) -> Path:
    """A stranger's project, whose task would run their Python, above an empty folder of ours."""
    above = tmp_path / "shared"
    (above / "configs").mkdir(parents=True)
    (above / ".pamola.toml").touch()
    (above / "e.py").write_text(SPY)
    (above / "configs/evil.yaml").write_text("task_id: evil\ntask_class: e.py:E\n")
    given_away(above)
    (above / "mine").mkdir()
    return above


@needs_root
@pytest.mark.parametrize(
    "arguments",
    [
        "config check", "config show", "graph", "list", "status", "doctor", "show evil", "report evil", "run evil",
        "run evil --dry-run", "run --all", "history", "verify evil", "clean evil", "keys init", "checkpoints evil",
        "plugins",
    ],
)  # fmt: skip
def test_a_strangers_project_above_ours_is_refused(cli: Cli, planted: Path, arguments: str) -> None:
    """With the owner, and the lines that allow it; none of its Python runs."""
    done = cli(*arguments.split(), cwd=planted / "mine")
    assert done.returncode == 4, done.stdout + done.stderr
    assert f"{planted} belongs to uid {STRANGER}, mode 0755" in done.stderr
    assert f'[trust]\n  folders = ["{planted}"]' in done.stderr
    assert ".config/pamola-tasks/.pamola.toml" in done.stderr
    assert not (planted / "ran").exists()


@needs_root
@pytest.mark.parametrize("target", ["/etc/passwd", "elsewhere/.pamola.toml", "mine/.pamola.toml"])
def test_a_link_as_the_mark_does_not_hide_whose_project_it_is(cli: Cli, planted: Path, home: Path, target: str) -> None:
    """The folder that has the link is judged, even if the file that it leads to is ours, or in a trusted folder."""
    other = planted.parent / "elsewhere"
    other.mkdir()
    for place in (other, planted / "mine"):
        (place / ".pamola.toml").touch()
    (planted / ".pamola.toml").unlink()
    (planted / ".pamolaProject").symlink_to(planted.parent / target if "elsewhere" in target else planted / target)
    trusting(home, other)
    done = cli("--project", planted, "list", cwd=planted, code=4)
    assert f"{planted} belongs to uid {STRANGER}" in done.stderr


@needs_root
@pytest.mark.parametrize("how", ["--project", "variable", "below"])
def test_it_is_refused_however_it_is_named_and_used_once_the_user_says_so(
    cli: Cli, planted: Path, home: Path, how: str
) -> None:
    """By option, by variable, from below; the exception holds for what is in the folder, and not for others."""
    first = ["--project", planted] if how == "--project" else []
    env = {"PAMOLA_PROJECT_ROOT": str(planted)} if how == "variable" else {}
    where = {"cwd": planted / "mine" if how == "below" else planted.parent, "env": env}
    cli(*first, "config", "check", **where, code=4)
    trusting(home, f"{planted}x")
    cli(*first, "config", "check", **where, code=4)
    trusting(home, planted.parent)
    assert "evil" in cli(*first, "list", **where, code=0).stdout
    assert str(STRANGER) in cli(*first, "doctor", **where).stdout
    (home / ".config/pamola-tasks/.pamola.toml").unlink()
    cli("--project", planted / "mine", "init", planted / "mine", code=0)  # a project of one's own below
    cli("run", "example", cwd=planted / "mine", code=0)


@needs_root
@pytest.mark.parametrize(
    "name", [".pamola.toml", "configs", "configs/prj_config.yaml", "configs/example.yaml", ".pamola/id", ".env", "."]
)
def test_each_file_that_configures_is_judged(cli: Cli, project: Path, name: str) -> None:
    """One file of another user in a project of ours is enough."""
    (project / ".env").write_text("A=1\n")
    cli("run", "example", "--set", "env_file=.env", cwd=project, code=0)
    os.chown(project / name, STRANGER, STRANGER)
    if name.endswith(".yaml"):
        assert f"{name} belongs to uid {STRANGER}" in cli("doctor", cwd=project, code=1).stdout
    done = cli("run", "example", "--set", "env_file=.env", cwd=project, code=4)
    assert f"belongs to uid {STRANGER}" in done.stderr
    assert str(project) in done.stderr


@posix
@pytest.mark.parametrize("name", [".pamola.toml", "configs", "configs/prj_config.yaml", "configs/example.yaml", "."])
@pytest.mark.parametrize("command", ["run", "show"])
def test_what_others_can_write_is_refused(cli: Cli, project: Path, name: str, command: str) -> None:
    """Whoever owns it; the message says how to end it."""
    (project / name).chmod((project / name).stat().st_mode | 0o002)
    done = cli(command, "example", cwd=project, code=4)
    assert "can be changed by every user" in done.stderr
    assert "chmod o-w" in done.stderr


@posix
def test_a_group_counts_as_others_unless_it_is_the_users_own(cli: Cli, project: Path) -> None:
    """Where each user has a group of their own, everything is made writable for it."""
    file = project / "configs/example.yaml"
    file.chmod(0o664)
    if os.geteuid() == 0:
        cli("run", "example", cwd=project, code=0)
        os.chown(file, 0, STRANGER)
    else:
        pytest.skip("the group of whoever runs this is not known to be theirs alone")
    assert f"can be changed by its group {STRANGER}" in cli("run", "example", cwd=project, code=4).stderr


@needs_root
def test_another_users_task_file_does_not_hide_behind_its_name(cli: Cli, project: Path) -> None:
    """A file of another name that says it is this task's is refused, not passed over."""
    other = project / "configs/aaa.yaml"
    other.write_text("task_id: later\nuse_encryption: true\n")
    os.chown(other, STRANGER, STRANGER)
    assert str(other) in cli("config", "check", "aaa", cwd=project, code=4).stderr
    assert str(other) in cli("config", "check", cwd=project, code=4).stderr


def test_a_project_cannot_vouch_for_itself(cli: Cli, project: Path) -> None:
    """`[trust]` in the project's own `.pamola.toml` is an error that names the user's file."""
    (project / ".pamola.toml").write_text('[trust]\nfolders = ["/"]\n')
    done = cli("list", cwd=project, code=2)
    assert "trust" in done.stderr
    assert ".config/pamola-tasks/.pamola.toml" in done.stderr


@posix
@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[trust]\nfolders = 'x'\n", "it holds [trust]"),
        ("[trust]\nfolder = []\n", "it holds [trust]"),
        ("[plugins]\n", "it holds [trust]"),
        ("[trust]\nfolders = ['here']\n", "paths from the root"),
    ],
)
def test_a_wrong_file_of_exceptions_is_an_error(cli: Cli, project: Path, home: Path, text: str, said: str) -> None:
    """Found when it is asked, and named."""
    trusting(home, "/")
    own = home / ".config/pamola-tasks/.pamola.toml"
    own.write_text(text)
    project.chmod(0o777)
    done = cli("list", cwd=project, code=2)
    assert said in done.stderr
    assert str(own) in done.stderr


@posix
def test_exceptions_that_others_can_write_do_not_count(cli: Cli, project: Path, home: Path) -> None:
    """Or whoever can write them could allow themselves."""
    trusting(home, "/")
    project.chmod(0o777)
    cli("list", cwd=project, code=0)
    (home / ".config/pamola-tasks/.pamola.toml").chmod(0o666)
    cli("list", cwd=project, code=4)


@posix
@pytest.mark.parametrize("form", ["--plugin", "script", "task_class"])
def test_python_that_others_can_write_is_not_run(cli: Cli, project: Path, form: str) -> None:
    """Named on the command line or in a task file."""
    file = project / "e.py"
    file.write_text(SPY)
    file.chmod(0o666)
    (project / "configs/e.yaml").write_text("task_id: e\ntask_class: e.py:E\n")
    arguments = {"--plugin": ["--plugin", file, "list"], "script": ["show", f"{file}:E"], "task_class": ["show", "e"]}
    done = cli(*arguments[form], cwd=project, code=4)
    assert f"{file} can be changed by every user" in done.stderr
    assert not (project / "ran").exists()


@pytest.mark.parametrize(
    "spelling", ["{outside}/e.py:E", "../outside/e.py:E", "../outside/e.py", "link/e.py:E", "e.py:E"]
)
@pytest.mark.parametrize("command", ["config check", "show t", "graph", "run t", "run t --dry-run"])
def test_python_outside_the_project_is_refused_before_it_runs(
    cli: Cli, project: Path, tmp_path: Path, spelling: str, command: str
) -> None:
    """As an input there is: absolute, by `..`, through a link; relative to the project, not to the current folder."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "e.py").write_text(SPY)
    (project / "link").symlink_to(outside)
    (project / "configs/t.yaml").write_text(f"task_id: t\ntask_class: {spelling.format(outside=outside)}\n")
    done = cli(*["--project", project, *command.split()], cwd=outside)
    if command != "graph":  # which shows the tasks that there are, and warns
        assert done.returncode == (2 if spelling == "e.py:E" or command == "config check" else 4), done.stderr
    assert "configs/t.yaml: task_class" in done.stderr
    assert not (outside / "ran").exists()


def test_plugins_are_asked_of_the_project_that_is_used(cli: Cli, tmp_path: Path) -> None:
    """`--project` wins over the variable for plugins and files; a folder in a project means that project."""
    for name in "ab":
        cli("init", tmp_path / name, code=0)
    (tmp_path / "a/.pamola.toml").write_text('[plugins]\nrequire = ["house-rules"]\n')
    for env in ({}, {"PAMOLA_PROJECT_ROOT": str(tmp_path / "b")}):
        for folder in ("a", "a/DATA", "a/DATA/raw/"):
            refused = cli("--project", tmp_path / folder, "run", "example", env=env, code=2)
            assert "'house-rules' is required" in refused.stderr
    env = {"PAMOLA_PROJECT_ROOT": str(tmp_path / "a")}
    cli("--project", tmp_path / "b", "run", "example", cwd=tmp_path / "a", env=env, code=0)
    cli("--project", tmp_path / "b/DATA", "run", "example", env=env, code=0)
    cli("run", "example", cwd=tmp_path / "b", env=env, code=2)
    assert "marked by .pamola.toml" in cli("--project", tmp_path / "b/DATA", "doctor", env=env).stdout


def test_a_script_is_held_to_the_rules_of_its_own_project(
    project: Path, tmp_path: Path, python: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    """Run from elsewhere, its project is used: with the plugins that this requires."""
    (project / ".pamola.toml").write_text('[plugins]\nrequire = ["house-rules"]\n')
    script = project / "s.py"
    script.write_text(
        "from pamola_tasks import BaseTask\nclass T(BaseTask):\n    pass\nt = T('t')\nt.run()\nprint(t.error_info)\n"
    )
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    done = python(script, cwd=elsewhere)
    assert "'house-rules' is required" in done.stdout


def test_the_module_form_loads_no_plugin_of_the_current_folder(project: Path, home: Path) -> None:
    """`python -m pamola_tasks` puts the current folder on the path of imports; what lies there is not installed."""
    (project / "zz-1.0.dist-info").mkdir()
    (project / "zz-1.0.dist-info/entry_points.txt").write_text("[pamola_tasks]\nzz = zzmod\n")
    (project / "zzmod.py").write_text("from pathlib import Path\nPath('ran').touch()\n")
    command = [sys.executable, "-m", "pamola_tasks", "status"]
    subprocess.run(command, cwd=project, env=clean_environment(home), check=True, capture_output=True)
    assert not (project / "ran").exists()
