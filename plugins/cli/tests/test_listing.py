"""`plugins` and `hooks` list what plugins add: kinds of service, hooks, and who answers them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTIFYING = """
from pamola_tasks import Service, hookimpl, hookspec
PAMOLA_HOOK_API = 1

class Hooks:
    @hookspec
    def pamola_add_recipients(run):
        "Add people to notify."

@hookimpl
def pamola_add_hooks(add):
    add(Hooks)

@hookimpl
def pamola_add_services():
    return {"notifier": Service("notifying:Notifier", after="reporter")}

@hookimpl(trylast=True)
def pamola_provide_notifier(run):
    return object()
"""
OTHER = """
from pamola_tasks import hookimpl
PAMOLA_HOOK_API = 1

@hookimpl
def pamola_provide_notifier(run):
    return object()

@hookimpl
def pamola_add_recipients(run):
    return ["ann"]
"""


@pytest.fixture
def listed(cli, project: Path):
    """A command beside a plugin that adds a service and a hook, and one that answers both."""
    (project / "notifying.py").write_text(NOTIFYING)
    (project / "other.py").write_text(OTHER)

    def call(*arguments: str) -> str:
        plugins = ("--plugin", "notifying.py", "--plugin", "other.py")
        return str(cli(*plugins, *arguments, cwd=project, code=0).stdout)

    return call


def test_a_service_that_a_plugin_adds_is_listed_with_provider_and_alternatives(listed) -> None:
    found = json.loads(listed("plugins", "--json"))["services"]
    expected = {"provider": "other", "not_chosen": ["notifying"], "problem": "", "added_by": "notifying"}
    assert found["notifier"] == expected
    assert found["scheduler"]["provider"] == "orchestration"
    assert "added_by" not in found["executor"]
    (line,) = [line for line in listed("plugins").splitlines() if line.startswith("  notifier ")]
    assert line.split(None, 1)[1] == "other  (not chosen: notifying; added by notifying)"


def test_hooks_that_a_plugin_adds_are_listed_with_their_contract(listed) -> None:
    found = {hook["hook"]: hook for hook in json.loads(listed("hooks", "--json"))}
    assert found["pamola_add_recipients"] == {
        "hook": "pamola_add_recipients",
        "kind": "contribution",
        "added_by": "notifying",
        "parameters": ["run"],
        "implemented_by": ["other"],
        "contract": "Add people to notify.",
    }
    assert found["pamola_provide_notifier"]["implemented_by"] == ["other", "notifying"]
    assert found["pamola_provide_notifier"]["added_by"] == "notifying"
    assert found["pamola_add_commands"]["added_by"] == ""
    assert "added by  notifying" in " ".join(listed("hooks", "add_recipients").split("\n"))


@pytest.mark.parametrize(
    "arguments", [("ops", "--json"), ("hooks", "--json"), ("ops", "DropOperation"), ("run", "--help")]
)
def test_descriptions_are_shown_without_docstrings_in_memory(cli, arguments: tuple[str, ...]) -> None:
    """Under `python -OO` there were none."""
    plain = cli(*arguments, code=0).stdout
    assert cli(*arguments, env={"PYTHONOPTIMIZE": "2"}).stdout == plain
