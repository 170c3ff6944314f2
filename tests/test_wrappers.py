"""Wrappers mean what pluggy says: called once, around whatever there is inside, and what they return counts."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kernel_kit import Count, Nothing, Steps, disk_kernel, kernel_of

from pamola_tasks import Command, Kernel, hookimpl
from pamola_tasks.errors import ConfigurationError, DependencyError, PathSecurityError, PlanError
from pamola_tasks.protocols import RunServices
from pamola_tasks.testing import memory_plugins


def wrapping(hook: str, parameters: str, more: Any) -> Any:
    """A plugin that adds an answer to a hook from a wrapper."""
    names: dict[str, Any] = {"hookimpl": hookimpl, "more": more}
    source = f"@hookimpl(wrapper=True)\ndef {hook}(self{parameters}):\n    found = yield\n    return [*found, more]\n"
    exec(source, names)
    return type("Wraps", (), {hook: names[hook]})()


CHECKS = {
    "pamola_check_plan": (", run, plan", PlanError),
    "pamola_check_config": (", config", ConfigurationError),
    "pamola_check_dependencies": (", run", DependencyError),
    "pamola_check_path": (", project, path, purpose, config", PathSecurityError),
}


@pytest.mark.parametrize("hook", CHECKS)
@pytest.mark.parametrize("more", [["not in this house"], "not in this house"])
def test_an_objection_of_a_wrapper_is_heard_where_no_plugin_objects(tmp_path: Path, hook: str, more: Any) -> None:
    """F3: it was never called, or what it added was dropped."""
    parameters, kind = CHECKS[hook]
    kernel = disk_kernel(tmp_path, wrapping(hook, parameters, more))
    try:
        error = kernel.run(Steps(Nothing)).error
    except Exception as refused:
        error = refused
    assert isinstance(error, kind)
    assert "not in this house" in str(error)
    assert hook == "pamola_check_path" or "(plugin Wraps)" in str(error)


def test_a_wrapper_can_withdraw_an_objection_and_is_called_once() -> None:
    calls: list[list[Any]] = []

    class Objects:
        @hookimpl
        def pamola_check_plan(self, plan: Any) -> Any:
            yield "never"

    class Permits:
        @hookimpl(wrapper=True)
        def pamola_check_plan(self, run: RunServices) -> Any:
            calls.append((yield))
            return []

    assert kernel_of(Objects(), Objects2(), Permits()).run(Steps(Nothing)).success
    assert calls == [["nor I", ["never"]]]


class Objects2:
    """Another plugin that objects."""

    @hookimpl
    def pamola_check_plan(self) -> str:
        """Object."""
        return "nor I"


ADDED = {
    "pamola_add_operations": {"Counting": Count},
    "pamola_add_dataset_formats": {"spss": "json:dumps"},
    "pamola_add_report_writers": {"pdf": "json:dumps"},
    "pamola_add_functions": {"count": "json:dumps"},
    "pamola_add_views": {"charts": "json:dumps"},
}


@pytest.mark.parametrize("hook", ADDED)
def test_what_a_wrapper_adds_is_there(hook: str) -> None:
    kernel = kernel_of(wrapping(hook, "", ADDED[hook]))
    found = {
        "pamola_add_operations": lambda: list(kernel.operations),
        "pamola_add_dataset_formats": lambda: list(kernel.dataset_formats()),
        "pamola_add_report_writers": lambda: list(kernel.report_writers()),
        "pamola_add_functions": lambda: list(kernel.contributions(hook, "the function")),
        "pamola_add_views": lambda: list(kernel.contributions(hook, "the view")),
    }[hook]()
    assert set(ADDED[hook]) <= set(found)


def test_a_secret_can_be_found_by_a_wrapper() -> None:
    class Wraps:
        @hookimpl(wrapper=True)
        def pamola_find_secret(self, name: str) -> Any:
            found = yield
            return found or f"value of {name}"

    found = kernel_of(Wraps()).project.find_secret("token")
    assert found is not None
    assert found.reveal() == "value of token"


def test_what_a_wrapper_changes_in_the_plan_is_recorded_as_its_change() -> None:
    class Plain:
        @hookimpl
        def pamola_modify_plan(self, plan: Any) -> None:
            plan.remove("Nothing-2")

    class Wraps:
        @hookimpl(wrapper=True)
        def pamola_modify_plan(self, plan: Any) -> Any:
            plan.remove("Nothing-4")
            found = yield
            plan.remove("Nothing-3")
            return found

    outcome = kernel_of(Plain(), Wraps()).run(Steps(Nothing, Nothing, Nothing, Nothing))
    assert [change.partition(" ")[0] for change in outcome.record.plan_changes] == ["Wraps", "Plain", "Wraps"]


def test_a_wrapper_that_returns_no_list_is_named() -> None:
    class Forgets:
        @hookimpl(wrapper=True)
        def pamola_check_plan(self) -> Any:
            yield

    outcome = kernel_of(Forgets()).run(Steps(Nothing))
    assert "plugin Forgets: a wrapper of pamola_check_plan returns the list of answers" in str(outcome.error)


def test_pluggy_monitoring_sees_every_call_of_a_run() -> None:
    class Plugin:
        @hookimpl
        def pamola_check_plan(self) -> None: ...

        @hookimpl
        def pamola_modify_plan(self) -> None: ...

        @hookimpl
        def pamola_add_operations(self) -> dict[str, Any]:
            return {"Nothing": Nothing}

        @hookimpl
        def pamola_find_secret(self) -> str:
            return "x"

        @hookimpl
        def pamola_on_step_started(self) -> None: ...

    kernel = kernel_of(Plugin())
    before: list[str] = []
    after: list[str] = []
    stop = kernel.plugins.manager.add_hookcall_monitoring(
        lambda name, *rest: before.append(name), lambda outcome, name, *rest: after.append(name)
    )
    kernel.project.find_secret("x")
    assert kernel.run(Steps("Nothing")).success
    stop()
    wanted = {
        "pamola_find_secret",
        "pamola_provide_config",
        "pamola_check_plan",
        "pamola_modify_plan",
        "pamola_add_operations",
        "pamola_run_step",
        "pamola_on_step_started",
        "pamola_provide_executor",
    }
    assert wanted <= set(before)
    assert sorted(before) == sorted(after)


# ---------------------------------------------------------------- what cannot be an implementation

REFUSED = {
    "async def pamola_check_plan(run, plan): return ['no']": "never be awaited",
    "async def pamola_on_run_started(run): ...": "never be awaited",
    "async def pamola_check_plan(run):\n    yield 'no'": "never be awaited",
    "def pamola_check_plan(*, plan): return ['no']": "'plan' is keyword-only",
    "def pamola_check_plan(run, *, plan): return ['no']": "'plan' is keyword-only",
    "@functools.cache\n@hookimpl\ndef pamola_check_plan(plan): return ['no']": "is a _lru_cache_wrapper",
    "class Check:\n    def __call__(self, plan): return ['no']\npamola_check_plan = hookimpl(Check())": "is a Check",
}


@pytest.mark.parametrize("source", REFUSED)
def test_an_implementation_that_could_not_be_called_is_refused_when_loaded(tmp_path: Path, source: str) -> None:
    file = tmp_path / "odd.py"
    decorator = "" if "hookimpl" in source else "@hookimpl\n"
    file.write_text(f"import functools\nfrom pamola_tasks import hookimpl\n{decorator}{source}\n")
    record = Kernel(autoload=False, plugins=memory_plugins(), modules=[str(file)]).plugins["odd"]
    assert record.status == "failed"
    assert REFUSED[source] in record.reason


def test_old_style_wrappers_are_refused_when_loaded() -> None:
    class Old:
        @hookimpl(hookwrapper=True)
        def pamola_check_plan(self) -> Any:
            yield

    record = Kernel(autoload=False, plugins=[*memory_plugins(), Old()]).plugins["Old"]
    assert record.status == "failed"
    assert "use @hookimpl(wrapper=True)" in record.reason


@pytest.mark.parametrize("answer", [True, {"no": 1}, [1], 5], ids=repr)
def test_an_objection_that_is_not_text_names_the_plugin(answer: Any) -> None:
    class Odd:
        @hookimpl
        def pamola_check_plan(self) -> Any:
            return answer

    outcome = kernel_of(Odd()).run(Steps(Nothing))
    assert outcome.record.error is not None
    assert "plugin Odd: pamola_check_plan returns objections as text" in outcome.record.error["message"]


def test_an_optional_hook_may_be_one_that_is_not_there() -> None:
    class Optional:
        @hookimpl(optionalhook=True)
        def acme_notified(self, text: str) -> None: ...

        @hookimpl
        def pamola_add_commands(self) -> dict[str, Command]:
            return {}

    assert kernel_of(Optional()).plugins["Optional"].status == "loaded"
