"""What a plugin does wrong is reported in words that name the plugin, with exit 2, and is never called a defect."""

from __future__ import annotations

import json

import pytest

pytestmark = pytest.mark.usefixtures("nothing_around")

BEGINNING = "from pamola_tasks import Command, Service, hookimpl\n\n"


@pytest.fixture
def with_plugin(project, cli):
    """Runs a command with a plugin in one file, whose text is given; what it says on stderr."""

    def call(text: str, *command: str, code: int = 2) -> str:
        (project / "odd_plugin.py").write_text(BEGINNING + text)
        done = cli("--plugin", "odd_plugin.py", *command, cwd=project, code=code)
        assert "defect" not in done.stderr
        return done.stdout + done.stderr

    return call


@pytest.mark.parametrize("answer", ["5", "[5]", "{'a': 1}", "(n for n in [5])"])
@pytest.mark.parametrize("hook", ["log_handlers", "redactions", "config_layers"])
def test_an_answer_that_is_no_list_of_what_is_asked_for_names_plugin_and_hook(with_plugin, hook, answer):
    """One helper takes the answers of all hooks that return several items."""
    said = with_plugin(f"@hookimpl\ndef pamola_add_{hook}():\n    return {answer}\n", "run", "example")
    assert f"plugin odd_plugin: pamola_add_{hook} returns" in said


@pytest.mark.parametrize("target", ["no_such_module:y", "odd_plugin:z", "json:dumps"])
def test_a_command_that_cannot_be_imported_names_its_plugin(with_plugin, target):
    """Whether its module is missing, cannot be found from here, or what it names is not a command."""
    said = with_plugin(f"@hookimpl\ndef pamola_add_commands():\n    return {{'greet': Command({target!r})}}\n", "greet")
    assert "command 'greet' of odd_plugin" in said


@pytest.mark.parametrize("answer", ["{'greet': 'odd_plugin:z'}", "{'greet': 5}", "['greet']", "5"])
def test_a_command_that_is_not_described_as_one_takes_its_plugin_out_and_says_so(with_plugin, answer):
    """The other commands work; what writes is refused, as with any plugin that could not be loaded."""
    text = f"@hookimpl\ndef pamola_add_commands():\n    return {answer}\n"
    assert "plugin odd_plugin could not be loaded: " in with_plugin(text, "greet")
    with_plugin(text, "list", code=0)
    assert "plugin odd_plugin failed to load: " in with_plugin(text, "run", "example")


@pytest.mark.parametrize("body", ["return ['x']", "return 5", "raise RuntimeError('boom')", "yield 1 / 0"])
def test_doctor_shows_what_the_others_found_and_which_plugin_failed(with_plugin, body):
    """A diagnosis that fails is itself one."""
    said = with_plugin(f"@hookimpl\ndef pamola_add_diagnoses(project):\n    {body}\n", "doctor", "--json", code=1)
    found = json.loads(said)
    assert ["odd_plugin" in each["finding"] for each in found if each["level"] == "error"] == [True]
    assert {"encryption key"} <= {each["subject"] for each in found}


PROVIDED = "@hookimpl\ndef pamola_provide_{service}(run):\n    {body}\n"
WRAPPED = "@hookimpl(wrapper=True)\ndef pamola_provide_{service}(run):\n    yield\n    {body}\n"


@pytest.mark.parametrize("form", [PROVIDED, WRAPPED])
@pytest.mark.parametrize(
    ("service", "lacks"), [("history", "run_started(run)"), ("executor", "run_plan(plan, driver)")]
)
@pytest.mark.parametrize("body", ["return 'text'", "return object()", "return lambda: None"])
def test_a_service_without_its_methods_is_refused_by_plugin_and_method(with_plugin, form, service, lacks, body):
    """What a provider or a wrapper gives is compared with the protocol before anything uses it."""
    said = with_plugin(form.format(service=service, body=body), "run", "example")
    assert f"plugin odd_plugin: its {service} lacks `{lacks}`" in said


@pytest.mark.parametrize("body", ["return None", "raise KeyError('x')"])
def test_a_wrapper_that_loses_the_service_is_blamed_and_not_the_provider(with_plugin, body):
    """The plugin that answered is not at fault."""
    said = with_plugin(WRAPPED.format(service="history", body=body), "run", "example")
    assert "plugin odd_plugin" in said
    assert "pamola-tasks-history" not in said


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ("def __init__(self): raise RuntimeError('in init')", "T cannot be made without arguments: RuntimeError"),
        ("def __init__(self): pass", "T.__init__ does not call super().__init__("),
        ("def __init__(self, name): pass", "T cannot be made without arguments: TypeError"),
        ("def get_default_config(self): raise KeyError('x')", "T.get_default_config() does not return a mapping"),
        ("def get_default_config(self): return 3", "T.get_default_config() does not return a mapping"),
    ],
)
def test_a_task_class_that_cannot_be_used_is_named(project, cli, body, says):
    """It is refused as what it is: neither a defect nor a plugin's fault."""
    init = "" if "__init__" in body else "    def __init__(self): super().__init__(task_id='t')\n"
    (project / "t.py").write_text(f"from pamola_tasks import BaseTask\nclass T(BaseTask):\n{init}    {body}\n")
    said = cli("run", "t.py", cwd=project, code=2).stderr
    assert says in said
    assert "plugin" not in said


def test_a_report_writer_that_fails_names_its_plugin(with_plugin):
    """The run fails, and it is clear whose format it was."""
    text = "def boom(report):\n    raise KeyError('x')\n\n"
    text += "@hookimpl\ndef pamola_add_report_writers():\n    return {'txt': boom}\n"
    said = with_plugin(text, "run", "example", code=1)
    assert "the txt report of example cannot be made by plugin odd_plugin: KeyError" in said


def test_the_state_of_a_task_that_never_ran_is_plain_text(project, cli):
    """A state without a colour is printed without an escape."""
    assert "never run\n" in cli("status", "example", cwd=project).stdout


def test_a_task_that_is_not_found_recalls_what_was_left_out(project, cli):
    """Without the plugin that reads task files there is no task: it says which plugin was left out."""
    said = cli("--no-plugin", "config", "run", "example", cwd=project, code=2).stderr
    assert "plugin config (pamola-tasks-config" in said
    assert "was left out on purpose" in said


def test_an_operation_that_cannot_be_imported_hides_no_other(with_plugin):
    """The list warns of it by plugin; asking for it alone is refused."""
    text = "@hookimpl\ndef pamola_add_operations():\n    return {'Lost': 'no_such_module:T', 'Five': 5}\n"
    said = with_plugin(text, "ops", code=0)
    assert "ProfileOperation" in said
    assert "operation 'Lost' of odd_plugin" in said
    with_plugin(text, "ops", "Lost")


def test_a_class_from_a_file_is_called_by_the_file(cli, project):
    """Not by the name that its module has inside."""
    text = "from pamola_tasks import BaseTask\nclass U(BaseTask):\n    def __init__(self): super().__init__('u')\n"
    text += "    def configure_operations(self): raise Odd('x')\n    def finalize(self, success): return True\n"
    (project / "my-task.py").write_text(f"class Odd(Exception): pass\n{text}")
    done = cli("run", "my-task.py:U", cwd=project, code=1)
    assert "Odd" in (project / "logs/u.log").read_text()
    files = [path for path in project.rglob("*") if path.is_file() and path.suffix != ".pyc"]
    assert not [path for path in files if b"pamola_file_" in path.read_bytes()]
    assert "pamola_file_" not in done.stdout + done.stderr
    (project / "my-task.py").write_text(text.replace("raise Odd('x')", "import os; os._exit(0)"))
    assert "in a run of my-task.py:U" in cli("run", "my-task.py:U", cwd=project, code=1).stderr
