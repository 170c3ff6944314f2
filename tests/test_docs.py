"""The manual says what the code does: every name is in it, generated parts are up to date, and its examples run."""

from __future__ import annotations

import functools
import importlib.util
import inspect
import os
import re
import shlex
import subprocess
import sys
import types
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import attrs
import command_line
import pytest

import pamola_tasks
from pamola_tasks import Kernel, errors, hookspecs, protocols
from pamola_tasks.protocols.services import KERNEL_SERVICES

ROOT = Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(path for path in DOCS.rglob("*.md") if "_build" not in path.parts)]

_NEEDED = [f"pamola_tasks_{name}" for name in ("config", "data", "executor", "checkpoints", "reports", "demo")]
pytestmark = pytest.mark.skipif(
    any(importlib.util.find_spec(name) is None for name in _NEEDED),
    reason="the manual is about kernel and default plugins together, and they are not all installed",
)


def text_of(name: str) -> str:
    return (DOCS / name).read_text(encoding="utf-8")


def names_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


# ---------------------------------------------------------------- everything is in the manual


@pytest.mark.parametrize("hook", [name for name in vars(hookspecs) if name.startswith("pamola_")])
def test_every_hook_is_in_the_manual_with_its_exact_parameters(hook: str) -> None:
    page = text_of("reference/hooks.md")
    shown = re.search(rf"^{hook}\((.*?)\)(?: -> .*)?$", page, re.M | re.S)
    assert shown, f"docs/reference/hooks.md does not show {hook}"
    parameters = re.findall(r"(\w+): ", re.sub(r"\[[^\[\]]*\]", "", re.sub(r"\[[^\[\]]*\]", "", shown[1])))
    assert parameters == list(inspect.signature(getattr(hookspecs, hook)).parameters)


def test_every_service_is_in_the_manual() -> None:
    page = text_of("reference/services.md")
    assert [service for service in protocols.SERVICES if f"`{service}`" not in page] == []
    assert [s.default for s in KERNEL_SERVICES.values() if s.default and f"`{s.default}`" not in page] == []


def test_every_key_of_the_configuration_is_in_the_manual() -> None:
    from pamola_tasks_config.schema import PROJECT_KEYS, TaskKeys

    page = text_of("reference/configuration.md")
    keys = [field.name for field in attrs.fields(TaskKeys)]
    keys = [key for key in keys if key not in ("retry", "scope")]
    keys += [f"retry.{field.name}" for field in attrs.fields(protocols.RetrySettings)]
    for name, cls in Kernel(project=DOCS).settings().items():
        if (DOCS.parent / "plugins" / name).is_dir():
            keys += [f"{name}.{field.name}" for field in attrs.fields(cls)]
    assert [key for key in (*keys, *PROJECT_KEYS) if f"`{key}`" not in page and f"`{key}.<" not in page] == []


def test_every_variable_of_the_environment_is_in_the_manual() -> None:
    from pamola_tasks_config.environment import RESERVED

    page = text_of("reference/configuration.md")
    assert [name for name in sorted(RESERVED) if f"`{name}`" not in page] == []


def test_every_command_is_in_the_manual_with_all_its_options() -> None:
    import click

    from pamola_tasks_cli.app import cli

    page = text_of("reference/cli.md")
    context = cli.make_context("pamola-task", ["--project", str(DOCS), "plugins"])
    for name in cli.list_commands(context):
        command = cli.get_command(context, name)
        assert isinstance(command, click.Command)
        section = re.search(rf"^## {name}\n(.*?)(?=^## |\Z)", page, re.M | re.S)
        if section is None and not is_ours(name):
            continue
        assert section, f"docs/reference/cli.md has no section on {name}"
        inside = click.Context(command, parent=context, obj=context.obj)
        inner = command.list_commands(inside) if isinstance(command, click.Group) else []
        each = [command, *(command.get_command(inside, subcommand) for subcommand in inner)]
        options = [
            option for one in each for parameter in one.params for option in parameter.opts if option[:2] == "--"
        ]
        assert [option for option in options if option not in section[1]] == [], name
    for parameter in cli.params:
        if parameter.name != "help":
            assert any(option in page for option in parameter.opts)


def is_ours(command: str) -> bool:
    """Whether a command is of a plugin in this repository: foreign ones may be installed too."""
    found = Kernel(project=DOCS).plugins
    owners = [record.distribution for record, answer in found.each("pamola_add_commands") if command in answer]
    return any(owner.startswith(("pamola-tasks-", "pamola-ops-")) for owner in owners)


def test_every_error_is_in_the_manual_with_its_code_and_exit_code() -> None:
    page = text_of("reference/errors.md")
    for name, cls in vars(errors).items():
        if isinstance(cls, type) and issubclass(cls, errors.PamolaTaskError):
            assert f"| `{cls.code}` | `{cls.__name__}` | {cls.exit_code} |" in page, name
    codes = [value for name, value in vars(errors).items() if name.startswith("EXIT_")]
    assert [code for code in codes if not re.search(rf"^\| {code} \|", page, re.M)] == []


@functools.cache
def generator() -> types.ModuleType:
    """The module that generates parts of the manual."""
    spec = importlib.util.spec_from_file_location("generate", DOCS / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_every_name_that_plugins_import_from_the_kernel_is_in_the_manual() -> None:
    found = re.split(r"^## (.+)$", text_of("reference/api.md"), flags=re.M)[1:]
    sections = dict(zip(found[::2], found[1::2], strict=True))
    page = {module: set(re.findall(r"^\| \[?`(\w+)`", text, re.M)) for module, text in sections.items()}
    front = page["pamola_tasks"]
    for module, names in generator().imported_by_plugins().items():
        missing = names - page.get(module, set())
        assert [name for name in missing if not same_in_front(module, name, front)] == [], module
    assert front >= set(pamola_tasks.__all__)


def same_in_front(module: str, name: str, front: set[str]) -> bool:
    """Whether a name of the package itself stands for the same."""
    return name in front and getattr(pamola_tasks, name) is generator().value_of(module, name)


def test_plugins_import_no_private_name_of_the_kernel() -> None:
    imported = [f"{module}.{name}" for module, names in generator().imported_by_plugins().items() for name in names]
    assert [name for name in imported if re.search(r"\._(?!_version__$)", name)] == []


def test_every_name_of_the_api_has_a_meaning() -> None:
    assert re.findall(r"^\| \[?`\w+`\S* \| *\|$", text_of("reference/api.md"), re.M) == []


def test_every_type_of_a_signature_has_its_entry_and_its_attributes_a_meaning() -> None:
    """Types that hooks and services take and give, and those of the front door; keys have a page of their own."""
    made, pages = generator(), {}
    for name in ("types", "services", "errors"):
        pages[f"{name}.md"] = {
            title.lower() for title in re.findall(r"^##+ (\w+)$", text_of(f"reference/{name}.md"), re.M)
        }
    front = {name for name in pamola_tasks.__all__ if isinstance(getattr(pamola_tasks, name), type)}
    types = made.type_pages()
    assert {*made.in_signatures(), *front, "TaskRunner", "Plan"} <= types.keys()
    places = {name: target.partition("#")[::2] for name, target in types.items()}
    assert [name for name, (page, anchor) in places.items() if anchor and anchor not in pages[page]] == []
    from pamola_tasks_config.schema import TaskKeys

    keys = {field.name for field in attrs.fields(TaskKeys)}
    assert [
        f"{name}.{each}" for name in types.keys() - {"PamolaTaskError"} for each in made.without_meaning(name, keys)
    ] == []


@pytest.mark.parametrize("status", ["loaded", "failed", "blocked", "incompatible"])
def test_every_status_of_a_plugin_is_in_the_manual(status: str) -> None:
    assert f"| `{status}` |" in text_of("reference/plugins.md")


def test_the_generated_parts_are_up_to_date() -> None:
    done = subprocess.run(
        [sys.executable, str(DOCS / "generate.py"), "--check"], capture_output=True, text=True, timeout=240, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


# ---------------------------------------------------------------- pages hang together


@pytest.mark.parametrize("page", [*PAGES, ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md"], ids=names_of)
def test_links_lead_to_pages_that_are_there(page: Path) -> None:
    text = re.sub(r"```.*?```", "", page.read_text(encoding="utf-8"), flags=re.S)
    for target in re.findall(r"\]\(([^)\s]+)\)", text):
        if not re.match(r"[a-z]+:", target) and not target.startswith("#"):
            assert (page.parent / target.partition("#")[0]).exists(), f"{names_of(page)} links to {target}"


def test_every_picture_is_shown_and_small() -> None:
    """Made by `docs/pictures.py`; none loads anything from elsewhere."""
    shown = {Path(path).name for page in PAGES for path in re.findall(r"!\[[^\]]+\]\(([^)]+)\)", page.read_text())}
    made = {path.name: path for path in (DOCS / "pictures").iterdir()}
    assert shown == made.keys()
    assert [name for name, path in made.items() if path.stat().st_size > 200_000] == []
    linked = re.findall(r'(?:href|src|url)[=(]"?https?:[^"\s)]+', (DOCS / "pictures/run.svg").read_text())
    assert linked == []


def test_every_page_is_in_the_contents() -> None:
    listed = set(re.findall(r"^([\w/-]+)$", text_of("index.md"), re.M))
    pages = {path.relative_to(DOCS).with_suffix("").as_posix() for path in PAGES if DOCS in path.parents}
    assert pages - listed - {"index"} == set()


# ---------------------------------------------------------------- examples run


@attrs.frozen
class Block:
    """A fenced block: its language, the file that it is (its caption), its text and its line."""

    language: str
    caption: str
    text: str
    line: int


@cache
def blocks_of(page: Path) -> list[Block]:
    text = page.read_text(encoding="utf-8")
    found = []
    for match in re.finditer(r"^```(\S[^\n]*)\n(.*?)^```$", text, re.M | re.S):
        language, body, caption = match[1].strip(), match[2], ""
        titled = re.fullmatch(r'(\w+) title="([^"]+)"', language)  # the README is no Sphinx page
        if titled:
            language, caption = titled[1], titled[2]
        directive = re.fullmatch(r"\{code-block\}\s*(\w+)", language)
        if directive:
            option = re.match(r":caption: (\S+)\n\n?", body)
            caption = option[1] if option else ""
            body = body[option.end() :] if option else body
            language = directive[1] if caption else "shown"
        found.append(Block(language, caption, body, text[: match.start()].count("\n") + 1))
    return found


def runnable(page: Path) -> bool:
    return any(block.caption or block.language in ("python", "console") for block in blocks_of(page))


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """An empty folder, an empty home, and `pamola-task` and `python` of this environment on the path."""
    shims = tmp_path / "bin"
    shims.mkdir()
    for name, arguments in (("pamola-task", "-m pamola_tasks"), ("python", "")):
        (shims / name).write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {arguments} "$@"\n')
        (shims / name).chmod(0o755)
    for name in [name for name in os.environ if name.startswith("PAMOLA_")]:
        monkeypatch.delenv(name)
    for folder in ("home", "tmp", "work"):
        (tmp_path / folder).mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    monkeypatch.setenv("PATH", f"{shims}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setenv("COLUMNS", "120")
    monkeypatch.setenv("CI", "true")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.syspath_prepend(tmp_path / "work")
    yield tmp_path / "work"
    sys.modules.pop("manual", None)


@pytest.mark.parametrize("page", [page for page in PAGES if runnable(page)], ids=names_of)
def test_the_examples_of_a_page_run_one_after_the_other(page: Path, workplace: Path) -> None:
    module = types.ModuleType("manual")
    sys.modules["manual"] = module
    for block in blocks_of(page):
        place = f"{names_of(page)}:{block.line}"
        if block.caption:
            target = Path(block.caption)
            assert not target.is_absolute()
            assert ".." not in target.parts
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.language == "python":
            exec(compile("\n" * block.line + block.text, str(page), "exec"), vars(module))
        elif block.language == "console":
            run_console(block, place)


def run_console(block: Block, place: str) -> None:
    """Run the lines that begin with `$ `, and look for what the page says that they print."""
    parts = re.split(r"^\$ ", block.text, flags=re.M)
    assert not parts[0].strip(), f"{place}: a console block begins with a command"
    for part in parts[1:]:
        command, _, expected = part.partition("\n")
        while command.endswith("\\"):
            more, _, expected = expected.partition("\n")
            command = f"{command[:-1]} {more.strip()}"
        if command.startswith("cd "):
            os.chdir(command.removeprefix("cd ").strip())
            continue
        if "howto/" in place and re.fullmatch(r"pamola-task [^$`|&;<>*?~#{}()!]*", command):
            done = command_line.run(shlex.split(command)[1:], Path.cwd(), dict(os.environ))
        else:  # the shell has something to do; and what is read first is run as by a reader
            done = subprocess.run(
                ["sh", "-c", command],
                capture_output=True,
                text=True,
                timeout=120,
                stdin=subprocess.DEVNULL,
                check=False,
            )
        printed = done.stdout + done.stderr
        fails = re.search(r"^ *error\b", expected, re.M) is not None
        assert (done.returncode != 0) == fails, f"{place}: `{command}` ended with {done.returncode}:\n{printed}"
        assert_printed(expected, printed, f"{place}: `{command}`")


def assert_printed(expected: str, printed: str, place: str) -> None:
    """Every line of the page was printed, in that order; `…` stands for anything, and a line of it for any lines."""
    lines: Any = iter([" ".join(line.split()) for line in printed.split("\n")])
    for line in expected.split("\n"):
        wanted = " ".join(line.split())
        if not wanted or wanted == "…":
            continue
        pattern = re.compile(".*".join(re.escape(part) for part in wanted.split("…")))
        assert any(pattern.fullmatch(text) for text in lines), f"{place} did not print {line!r}, but:\n{printed}"


def test_the_first_command_of_the_readme_installs_the_kernel_and_every_plugin() -> None:
    listed = {line.strip() for line in (ROOT / "requirements.txt").read_text().splitlines() if line.startswith(".")}
    assert listed == {".", *(f"./plugins/{path.parent.name}" for path in ROOT.glob("plugins/*/pyproject.toml"))}


def test_what_the_manual_calls_gone_is_not_there() -> None:
    from pamola_tasks_compat import tasks

    table = (DOCS / "reference/from-pamola.md").read_text().partition("## Gone")[2]
    gone = {name for line in table.splitlines() for name in re.findall(r"`(\w+)`", line.split(" | ")[0])}
    assert "EncryptedKeyStore" in gone
    assert [name for name in sorted(gone) if hasattr(tasks, name)] == []
