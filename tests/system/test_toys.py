"""A foreign distribution replaces every service at once, or one alone, and adds a kind of service with a hook."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import command_line
import pytest
from command_line import SCRIPT
from installed import clean_environment

from pamola_tasks.protocols.services import SERVICE_TABLE

HERE = Path(__file__).parent
SERVICES = tuple(row[0] for row in SERVICE_TABLE)
GUARDED_TOYS = {service: "toys" for service, *_, guarded in SERVICE_TABLE if guarded}
WAITING = HERE / "layouts" / "waiting.py"
RUNNING = 75
PEOPLE = "person,age,city\n" + "".join(f"{n},{20 + n % 9},{'ab'[n % 2]}\n" for n in range(60))
WAIT = """\
task_id: first
input_datasets: {{people: people.csv}}
use_encryption: {encrypted}
operations:
  - Wait: {{input_dataset: people, output_dataset: copy}}
"""


@attrs.frozen
class Lab:
    """A project, and the environment that its commands are run in."""

    root: Path
    environment: dict[str, str]

    def ask(self, *arguments: str, code: int = 0, cwd: Path | None = None) -> str:
        """Run a command; its output."""
        done = command_line.run(list(arguments), cwd or self.root, self.environment)
        assert done.returncode == code, f"exit {done.returncode}, wanted {code}\n{done.stdout}\n{done.stderr}"
        return done.stdout + done.stderr

    def prefer(self, **providers: str) -> None:
        """Choose providers; what is not named is a toy, which takes a word for the guarded ones."""
        providers = {**GUARDED_TOYS, **providers}
        lines = [f'prefer.{service} = "{provider}"\n' for service, provider in providers.items()]
        (self.root / ".pamola.toml").write_text("".join(["[plugins]\n", *lines]))

    @property
    def home(self) -> Path:
        """The user's home."""
        return Path(self.environment["HOME"])


def only(*toys: str) -> dict[str, str]:
    """Providers with which only these services are toys."""
    return {service: default for service, _, _, default, _ in SERVICE_TABLE if service not in toys}


def outside_of_the_toys_layout(lab: Lab) -> list[str]:
    """What lies where the default plugins keep things: data, state, logs, history, keys."""
    found = [path for path in lab.root.rglob("*") if path.name in ("DATA", ".state", "processed", "reports", "logs")]
    found = [path for path in found if not {"BENCH", "LAB"} & set(path.parts)]
    found += [*lab.root.glob("configs/execution_log*"), *lab.root.glob(".pamola/*.jsonl"), *lab.home.iterdir()]
    return sorted(str(path.relative_to(lab.root.parent)) for path in found)


@pytest.fixture(scope="module")
def environment(
    extra_site: Callable[[Path], Path], tmp_path_factory: pytest.TempPathFactory
) -> Callable[[], dict[str, str]]:
    """The environment of a user who has installed the toys; a home of its own for each."""
    site = str(extra_site(HERE / "toys"))
    return lambda: {**clean_environment(tmp_path_factory.mktemp("home")), "PYTHONPATH": site}


@pytest.fixture(scope="module")
def demo(environment: Callable[[], dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Lab:
    """The demo's project, run with toys."""
    lab = Lab(tmp_path_factory.mktemp("demo") / "lab", environment())
    attrs.evolve(lab, root=lab.root.parent).prefer()
    said = lab.ask("demo", "--rows", "300", "--keep", str(lab.root), cwd=lab.root.parent)
    assert "k = 5 after" in said
    assert str(lab.root / "LAB/demo/newest.json") in said
    lab.prefer()
    return lab


@pytest.fixture
def lab(demo: Lab, environment: Callable[[], dict[str, str]], tmp_path: Path) -> Lab:
    """A copy of it."""
    return Lab(Path(shutil.copytree(demo.root, tmp_path / "lab")), environment())


@pytest.fixture
def empty(environment: Callable[[], dict[str, str]], tmp_path: Path) -> Lab:
    """A project with a table and a task that waits."""
    lab = Lab(tmp_path / "lab", environment())
    (lab.root / "configs").mkdir(parents=True)
    (lab.root / "people.csv").write_text(PEOPLE)
    lab.prefer()
    return lab


# ---------------------------------------------------------------- all at once


def test_every_service_is_a_toy(demo):
    services = json.loads(demo.ask("plugins", "--json"))["services"]
    assert {name: found["provider"] for name, found in services.items() if name in SERVICES} == dict.fromkeys(
        SERVICES, "toys"
    )
    assert services["notifier"] == {"provider": "toys", "not_chosen": [], "problem": "", "added_by": "toys"}


def test_the_demo_keeps_to_the_toys_layout(demo):
    assert outside_of_the_toys_layout(demo) == []
    assert (demo.root / "BENCH/in/patients.csv").exists()
    assert (demo.root / "LAB/demo/output/released.csv").exists()
    assert (demo.root / "LAB/demo/logs/toy.log").exists()


def test_the_demo_takes_a_table_of_the_user(environment, tmp_path):
    (tmp_path / "people.csv").write_text(PEOPLE)
    lab = Lab(tmp_path / "lab", environment())
    attrs.evolve(lab, root=tmp_path).prefer()
    arguments = ("people.csv", "--quasi-identifiers", "age,city", "--k", "3", "--keep", str(lab.root))
    assert "k = 3 after" in lab.ask("demo", *arguments, cwd=tmp_path)
    assert outside_of_the_toys_layout(lab) == []
    assert (lab.root / "BENCH/in/people.csv").read_text() == PEOPLE


# For each command its arguments, the code that it ends with, and what it says.
COMMANDS: dict[str, list[tuple[str, int, str]]] = {
    "assess": [("BENCH/in/patients.csv", 0, "configs/patients.yaml")],
    "approve": [("configs --public-key configs", 2, "configs is not a release")],
    "budget": [
        ("", 0, "no privacy budget has been spent or stated"),
        ("staff", 2, "nothing has been spent of a budget"),
    ],
    "checkpoints": [("demo", 0, "anonymize"), ("demo --clear", 0, "deleted 3 checkpoints of demo")],
    "check-plugin": [("nobody", 2, "unknown plugin 'nobody'")],
    "clean": [("", 0, "0 removed"), ("demo", 0, "0 removed")],
    "completion": [("bash", 0, "_pamola_task_completion")],
    "compare": [("demo", 2, "toys (acme-toys 1.0) reports here"), ("demo 1", 2, "1 was named")],
    "config check": [("", 0, "no problems found"), ("demo", 0, "no problems found")],
    "config save": [("demo --set seed=5", 2, "another plugin provides the configuration")],
    "config schema": [("", 2, "toys (acme-toys 1.0) provides the configuration here")],
    "config show": [("demo", 0, "input_datasets"), ("demo --origin", 0, "configs/demo.yaml"), ("", 0, "seed")],
    "dashboard": [("--port 70000", 2, "is not in the range")],
    "data": [("BENCH/in/patients.csv", 2, "data is read by acme_toys.data here")],
    "decrypt": [("LAB/demo/output/released.csv --out plain.csv", 2, "toys (acme-toys 1.0) provides encryption here")],
    "demo": [("--rows 60 --k 2 --keep kept", 0, "k = 2 after"), ("--rows 9 --keep LAB", 2, "LAB is not empty")],
    "doctor": [
        ("", 0, "plugins: "),
        ("--data", 0, "not examined: reports, of which toys (acme-toys 1.0) offers no examination"),
    ],
    "encrypt": [("BENCH/in/patients.csv", 2, "toys (acme-toys 1.0) provides encryption here")],
    "explore": [("demo --k 3,4 --strategy mondrian", 0, "settings of anonymize")],
    "graph": [("", 0, '"demo"'), ("demo", 0, "released")],
    "history": [
        ("", 0, "success"),
        ("demo --limit 1", 0, "released.csv"),
        ("--metrics", 0, "outcome"),
        ("--failed", 0, "No runs of this kind"),
    ],
    "history accept": [("--reason why", 2, "the history is kept by toys")],
    "history prune": [("--keep 1", 2, "the history is kept by toys"), ("", 2, "--keep N, --older-than AGE")],
    "hooks": [("", 0, "acme_notified"), ("acme_notified", 0, "who post"), ("provide_notifier", 0, "toys")],
    "init": [("fresh", 0, "BENCH/in/example.csv")],
    "keys add-passphrase": [("--passphrase-file configs/demo.yaml", 2, "provides encryption here")],
    "keys add-recipient": [("age1nobody", 2, "provides encryption here")],
    "keys check": [("", 2, "provides encryption here")],
    "keys export": [("--out key", 2, "provides encryption here")],
    "keys init": [("", 2, "provides encryption here")],
    "keys list": [("", 2, "provides encryption here")],
    "keys rekey": [("--deep", 2, "provides encryption here")],
    "keys rotate": [("", 2, "provides encryption here")],
    "keys trust": [("", 2, "provides encryption here")],
    "list": [("", 0, "anonymization")],
    "new operation": [("loud", 0, "operations/loud.py")],
    "new pack": [("a-pack", 0, "plugins/a-pack")],
    "new plugin": [("a-rule", 0, "plugins/a-rule")],
    "new task": [("second", 0, "BENCH/in/example.csv")],
    "ops": [("", 0, "AnonymizeOperation"), ("AnonymizeOperation", 0, "quasi_identifiers")],
    "policy show": [("", 0, "no house rules are stated")],
    "policy test": [("demo", 0, "no run has released anything that a house rule is about")],
    "plugins": [("", 0, "toys (not chosen: redaction)")],
    "release": [
        ("demo", 5, "the history that is installed records no releases"),
        ("demo --list", 0, "nothing of demo"),
    ],
    "releases list": [("", 0, "published")],
    "releases withdraw": [("1", 0, "is withdrawn"), ("9", 2, "there is no release 9")],
    "report": [("demo", 2, "toys (acme-toys 1.0) reports here"), ("demo --json", 2, "toys (acme-toys 1.0)")],
    "reports prune": [("--keep 1", 2, "toys (acme-toys 1.0) reports here"), ("", 2, "say what is to be kept")],
    "run": [
        ("demo", 0, "0 done, 3 unchanged since an earlier run"),
        ("demo --set seed=7 --restart", 0, "3 done"),
        ("--all", 0, "unchanged"),
        ("demo --dry-run", 0, "skip: nothing changed"),
        ("nobody", 2, "there is no task 'nobody'"),
    ],
    "show": [("demo", 0, "skip: nothing changed")],
    "status": [("", 0, "done"), ("demo", 0, "done")],
    "upload": [("configs s3://research/tables/", 2, "is a directory")],
    "verify": [("demo", 0, "as recorded"), ("demo --run ffff", 2, "nothing is recorded of run ffff")],
}


def commands_of(lab: Lab, *group: str) -> list[str]:
    """The commands that a help page lists."""
    listed = lab.ask(*group, "--help").partition("\nCommands:\n")[2]
    return [" ".join([*group, name]) for name in re.findall(r"^  ([a-z]\S*)", listed, re.M)]


def test_no_command_of_help_is_left_out(demo):
    found = [name for command in commands_of(demo) for name in commands_of(demo, command) or [command]]
    found.append("history")  # which is a command and has one
    assert sorted(found) == sorted(COMMANDS), set(found) ^ set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_works_on_the_toys_or_refuses(lab, command):
    """None acts on what the default plugins would keep."""
    for arguments, code, said in COMMANDS[command]:
        assert said in " ".join(lab.ask(*command.split(), *arguments.split(), code=code).split())
    assert outside_of_the_toys_layout(lab) == []


def test_a_project_made_by_init_runs(empty):
    empty.ask("init", "fresh")
    fresh = attrs.evolve(empty, root=empty.root / "fresh")
    fresh.prefer()
    assert "example succeeded" in fresh.ask("run", "example")
    assert outside_of_the_toys_layout(fresh) == []
    assert {"/BENCH/", "/LAB/"} <= set((fresh.root / ".gitignore").read_text().split())


def test_what_the_toy_encrypts_is_recognised_and_read_again(lab):
    lab.ask("run", "demo", "--set", "use_encryption=true", "--restart")
    released = lab.root / "LAB/demo/output/released.csv"
    assert released.read_bytes().startswith(b"acme/1\n")
    assert "encrypted: all open with this key" in lab.ask("verify", "demo")
    released.write_bytes(released.read_bytes().replace(b"toy-key ", b"new-key ", 1))
    assert "as recorded" in lab.ask("verify", "demo")
    assert "3 unchanged" in lab.ask("run", "demo", "--set", "use_encryption=true")
    lab.prefer(encryption="encryption")
    assert "no encryption service that reads it" in lab.ask("run", "demo", code=4)


def test_the_notifier_sends_what_another_plugin_delivers(lab):
    assert (lab.root / "BENCH/post.txt").read_text() == "demo ended with success\n"
    hooks = {hook["hook"]: hook for hook in json.loads(lab.ask("hooks", "--json"))}
    assert hooks["acme_notified"]["added_by"] == "toys"
    assert hooks["acme_notified"]["implemented_by"] == ["post"]
    lab.ask("--no-plugin", "post", "run", "demo")
    assert (lab.root / "BENCH/post.txt").read_text() == "demo ended with success\n"


SECOND = """\
task_id: a-second
dependencies: [demo]
input_datasets: {released: LAB/demo/output/released.csv}
operations:
  - ProfileOperation: {dataset_name: released}
"""


@pytest.mark.parametrize("default", ["scheduler", "executor", "none"])
def test_several_tasks_and_processes(lab, default):
    """With all toys, and with the default scheduler or executor among them."""
    (lab.root / "configs/a-second.yaml").write_text(SECOND)
    lab.prefer(**{service: provider for service, provider in only().items() if service == default})
    said = lab.ask("run", "--all", "--jobs", "2", "--executor", "processes")
    assert said.index("demo") < said.index("a-second succeeded")
    assert "demo" in lab.ask("graph")
    lab.ask("run", "a-second", "--with-dependencies", "--restart", "--set", "use_encryption=true")
    assert (lab.root / "LAB/a-second/internal/released_profile.json").read_bytes().startswith(b"acme/1\n")
    assert outside_of_the_toys_layout(lab) == []


def test_a_run_that_is_killed_goes_on(empty, ending):
    ending.append(running(empty, encrypted=False))
    assert "running" in empty.ask("status", "first")
    assert "is running" in empty.ask("run", "first", code=RUNNING)
    assert json.loads(empty.ask("clean", "--json"))["running"] == ["first"]
    ending[0].kill()
    ending[0].wait()
    assert json.loads(empty.ask("status", "first", "--json"))["state"] == "aborted"
    assert "LAB/first/temp/scratch" in empty.ask("clean", "first")
    (empty.root / "go").touch()
    assert "first succeeded" in empty.ask("--plugin", str(WAITING), "run", "first")
    assert outside_of_the_toys_layout(empty) == []


# ---------------------------------------------------------------- keys stay while a task runs


def running(lab: Lab, encrypted: bool) -> subprocess.Popen[str]:
    """A task in the middle of its step."""
    (lab.root / "configs/first.yaml").write_text(WAIT.format(encrypted=str(encrypted).lower()))
    process = subprocess.Popen(
        [str(SCRIPT), "--plugin", str(WAITING), "run", "first"],
        cwd=lab.root,
        env=lab.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    while not (lab.root / "begun").exists():
        assert process.poll() is None, process.communicate()[0]
        time.sleep(0.02)
    return process


@pytest.fixture
def ending() -> Iterator[list[subprocess.Popen[str]]]:
    """Processes that are killed at the end."""
    processes: list[subprocess.Popen[str]] = []
    yield processes
    for process in processes:
        process.kill()
        process.communicate()


@pytest.mark.parametrize(
    ("toys", "encrypted"),
    [
        ((), True),
        (("lock",), False),
        (("places", "directories"), True),
        (tuple(service for service in SERVICES if service != "encryption"), True),
        (tuple(service for service in SERVICES if service != "encryption"), False),
    ],
    ids=lambda value: "+".join(value[:2]) if isinstance(value, tuple) else f"encrypted={value}",
)
def test_keys_stay_while_a_task_runs(empty, ending, toys, encrypted):
    empty.prefer(**only(*toys))
    empty.ask("keys", "init")
    before = empty.ask("keys", "list", "--json")
    ending.append(running(empty, encrypted))
    for command in (["rotate", "--forget-old"], ["rekey", "--deep"]):
        assert "first is running" in empty.ask("keys", *command, code=RUNNING)
    assert empty.ask("keys", "list", "--json") == before
    (empty.root / "go").touch()
    assert ending[0].wait(120) == 0
    empty.ask("keys", "rotate")
    assert empty.ask("keys", "list", "--json") != before


def test_a_toy_has_no_keys_to_rotate(empty, ending):
    ending.append(running(empty, encrypted=True))
    assert "provides encryption here" in empty.ask("keys", "rotate", code=2)
    (empty.root / "go").touch()
    assert ending[0].wait(120) == 0


# ---------------------------------------------------------------- one alone


@pytest.mark.parametrize("service", SERVICES)
def test_one_toy_among_the_default_plugins(empty, service):
    empty.prefer(**only(service))
    (empty.root / "configs/first.yaml").write_text(WAIT.format(encrypted="false"))
    (empty.root / "go").touch()
    plugin = ("--plugin", str(WAITING))
    services = json.loads(empty.ask("plugins", "--json"))["services"]
    assert [name for name in SERVICES if services[name]["provider"] == "toys"] == [service]
    assert "first succeeded" in empty.ask(*plugin, "run", "first")
    assert json.loads(empty.ask(*plugin, "status", "first", "--json"))["state"] == "done"
    assert "2 as recorded" in empty.ask(*plugin, "verify", "first")
    assert "toys" in empty.ask(*plugin, "report", "first", code=2 if service == "reporter" else 0)
    assert json.loads(empty.ask(*plugin, "clean", "--json")) == {"removed": [], "kept": [], "running": []}
    assert "1 unchanged" in empty.ask(*plugin, "run", "first")
