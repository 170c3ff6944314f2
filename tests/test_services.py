"""Who answers a service, in which order services come up, and what holds when nobody answers."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import pytest
from kernel_kit import Count, Disk, Nothing, Steps, Watcher, kernel_of

from pamola_tasks import BaseTask, Kernel, hookimpl
from pamola_tasks.errors import PathSecurityError, PluginError, ProviderConflict, ServiceMissing, ServiceNotReady
from pamola_tasks.protocols import SERVICES, RunServices
from pamola_tasks.protocols.services import KERNEL_SERVICES, OUTSIDE_RUNS, Service
from pamola_tasks.storage.staging import NoCheckpoints
from pamola_tasks.testing import (
    MemoryConfigPlugin,
    MemoryDataPlugin,
    MemoryHistoryPlugin,
    MemoryPlacesPlugin,
    PlainRedactionPlugin,
    SequentialExecutorPlugin,
    memory_plugins,
)
from pamola_tasks.testing.places import MemoryLock
from pamola_tasks.testing.runs import SequentialExecutor


def provider(service: str, name: str, calls: list[str], *, trylast: bool = False, answer: Any = None) -> Any:
    """A plugin that offers a service and notes when it is asked."""

    def provide(self: Any, run: RunServices) -> Any:
        calls.append(name)
        return answer(run) if callable(answer) else answer

    hook = f"pamola_provide_{service}"
    provide.__name__ = hook
    methods = {"PAMOLA_PLUGIN_NAME": name, hook: hookimpl(trylast=trylast)(provide)}
    return type(name, (), methods)()


def executor(name: str, calls: list[str], *, trylast: bool = False, answer: Any = None) -> Any:
    """A plugin that offers an executor."""
    return provider("executor", name, calls, trylast=trylast, answer=answer or SequentialExecutor())


# ---------------------------------------------------------------- choice


def test_the_only_alternative_that_is_not_last_resort_answers_and_nobody_else_is_called() -> None:
    calls: list[str] = []
    kernel = kernel_of(executor("mine", calls), executor("spare", calls, trylast=True))
    assert kernel.run(Steps(Nothing)).success
    assert calls == ["mine"]
    chosen = kernel.plugins.provider("executor")
    assert chosen is not None
    assert chosen.name == "mine"
    assert {record.name for record in kernel.plugins.offering("executor")} - {"mine"} == {"memory-executor", "spare"}


def test_two_alternatives_are_an_error_that_names_both_and_the_setting() -> None:
    calls: list[str] = []
    kernel = kernel_of(executor("one", calls), executor("two", calls))
    with pytest.raises(ProviderConflict) as conflict:
        kernel.plugins.provider("executor")
    assert "one" in str(conflict.value)
    assert "two" in str(conflict.value)
    assert "prefer.executor = " in str(conflict.value)
    assert ".pamola.toml" in str(conflict.value)
    with pytest.raises(ProviderConflict):
        kernel.run(Steps(Nothing))
    assert calls == []


@pytest.mark.parametrize("wanted", ["one", "two", "memory-executor", "MEMORY_executor"])
def test_a_preference_decides_between_any_number_of_alternatives(wanted: str) -> None:
    calls: list[str] = []
    kernel = Kernel(
        autoload=False,
        plugins=[*memory_plugins(), executor("one", calls), executor("two", calls)],
        prefer={"executor": wanted},
    )
    assert kernel.run(Steps(Nothing)).success
    assert calls == ([wanted] if wanted in ("one", "two") else [])


def test_a_preference_in_the_settings_file_counts(tmp_path: Path) -> None:
    calls: list[str] = []
    (tmp_path / ".pamola.toml").write_text('[plugins]\nprefer = {executor = "two"}\n')
    plugins = [*memory_plugins(), executor("one", calls), executor("two", calls)]
    assert Kernel(tmp_path, autoload=False, plugins=plugins).run(Steps(Nothing)).success
    assert calls == ["two"]


def test_a_preference_for_one_that_does_not_offer_the_service_is_an_error() -> None:
    watcher = Watcher()
    kernel = Kernel(autoload=False, plugins=[*memory_plugins(), watcher], prefer={"executor": "memory-history"})
    with pytest.raises(PluginError, match="'memory-history', which does not offer it: memory-executor does"):
        kernel.run(Steps(Nothing))
    assert watcher.heard == []


def test_the_default_of_the_table_is_the_last_resort_before_others_of_its_kind() -> None:
    calls: list[str] = []
    kernel = kernel_of(executor("spare", calls, trylast=True), executor("executor", calls, trylast=True))
    assert kernel.run(Steps(Nothing)).success
    assert calls == ["executor"], "the name of the default distribution's plugin"


def test_every_service_that_is_provided_has_a_default_and_a_hook() -> None:
    from pamola_tasks import hookspecs

    hooks = {name.removeprefix("pamola_provide_") for name in vars(hookspecs) if name.startswith("pamola_provide_")}
    services = {**KERNEL_SERVICES, **OUTSIDE_RUNS}
    assert hooks == set(services)
    assert all(services[service].default for service in hooks)


def test_none_from_the_chosen_provider_is_an_error_not_a_fall_back() -> None:
    calls: list[str] = []
    kernel = kernel_of(provider("executor", "empty", calls, answer=lambda run: None))
    outcome = kernel.run(Steps(Nothing))
    assert outcome.record.error is not None
    assert outcome.record.error["message"] == "plugin empty was chosen to provide 'executor', and gave nothing"


def test_wrappers_stand_around_the_chosen_provider_and_may_replace_its_answer() -> None:
    seen: list[str] = []

    class Wraps:
        @hookimpl(wrapper=True)
        def pamola_provide_executor(self, run: RunServices) -> Any:
            seen.append("before")
            found = yield
            seen.append(type(found).__name__)
            return found

    calls: list[str] = []
    kernel = kernel_of(Wraps(), executor("mine", calls))
    assert kernel.run(Steps(Nothing)).success
    assert seen == ["before", "SequentialExecutor"]
    assert calls == ["mine"]
    assert {row["name"]: row["services"] for row in kernel.plugins.report()}["Wraps"] == []


def test_an_error_of_ours_from_a_provider_passes_as_it_is() -> None:
    def refuse(run: RunServices) -> Any:
        raise PathSecurityError("not this directory")

    outcome = kernel_of(provider("executor", "strict", [], answer=refuse)).run(Steps(Nothing))
    assert isinstance(outcome.error, PathSecurityError)
    assert outcome.exit_code == 4


# ---------------------------------------------------------------- order


def test_a_provider_for_each_service_in_turn_sees_those_before_it_and_none_behind() -> None:
    order = [service for service in SERVICES if service != "places"]
    offered: dict[str, Any] = {}
    found: dict[str, tuple[dict[str, str], dict[str, str]]] = {}
    real = {
        "directories": MemoryPlacesPlugin({}).pamola_provide_directories,
        "history": MemoryHistoryPlugin().pamola_provide_history,
        "executor": SequentialExecutorPlugin().pamola_provide_executor,
    }
    data = MemoryDataPlugin()

    def looking(service: str) -> Any:
        from pamola_tasks import nulls

        def answer(run: RunServices) -> Any:
            seen: dict[str, str] = {}
            refused: dict[str, str] = {}
            for other in SERVICES:
                try:
                    seen[other] = type(getattr(run, other)).__name__
                except ServiceNotReady as error:
                    refused[error.service] = error.asked_by
            found[service] = (seen, refused)
            if service in real:
                return real[service](run)
            if service == "data_source":
                return data.pamola_provide_data_source(run)
            if service == "data_writer":
                return data.pamola_provide_data_writer(run)
            plain = {
                "logging": nulls.NoLogging,
                "lock": lambda: MemoryLock(run),
                "encryption": nulls.NoEncryption,
                "checkpoints": lambda: NoCheckpoints(run),
                "dependencies": lambda: nulls.NoDependencies(run),
                "progress": nulls.NoProgress,
                "reporter": nulls.NoReporter,
            }
            return plain[service]()

        return answer

    for service in order[4:]:
        offered[service] = provider(service, f"p-{service}", [], answer=looking(service))
    kernel = Kernel(
        autoload=False,
        plugins=[PlainRedactionPlugin(), MemoryConfigPlugin({}), MemoryPlacesPlugin({}), *offered.values()],
    )
    outcome = kernel.run(Steps(Nothing))
    assert outcome.success, outcome.record.error
    assert list(found) == order[4:]
    types = {
        "redactor": "PlainRedactor",
        "project": "Project",
        "path_guard": "MemoryGuard",
        "config": "MemoryConfig",
        "places": "MemoryPlaces",
        "directories": "MemoryDirectories",
        "logging": "NoLogging",
        "history": "MemoryHistory",
        "lock": "MemoryLock",
        "encryption": "NoEncryption",
        "data_source": "MemoryDataSource",
        "data_writer": "MemoryDataWriter",
        "checkpoints": "NoCheckpoints",
        "dependencies": "NoDependencies",
        "progress": "NoProgress",
        "reporter": "NoReporter",
    }
    for service, (seen, refused) in found.items():
        place = SERVICES.index(service)
        before = {other: types[other] for other in SERVICES[:place]}
        assert seen == before, service
        assert list(refused) == list(SERVICES[place:])
        assert set(refused.values()) == {f"the provider of {service!r}"}


def test_the_message_of_a_service_that_is_not_ready_names_it_and_who_asked() -> None:
    outcome = kernel_of(provider("data_source", "early", [], answer=lambda run: run.reporter)).run(Steps(Nothing))
    assert isinstance(outcome.error, ServiceNotReady)
    assert "the provider of 'data_source' asked for `run.reporter`" in str(outcome.error)


def test_run_files_wait_for_the_guard_and_unknown_names_are_no_services() -> None:
    run = RunServices()
    with pytest.raises(ServiceNotReady):
        _ = run.files
    with pytest.raises(AttributeError, match="a run has no 'executer'"):
        _ = run.executer
    with pytest.raises(PluginError):
        run.provide("executer", object())


def test_a_provider_of_the_project_cannot_use_files_before_there_is_a_guard(tmp_path: Path) -> None:
    from pamola_tasks.protocols import Project

    project = Project(tmp_path)
    with pytest.raises(ServiceNotReady, match="path_guard"):
        _ = project.files
    assert repr(project) == f"Project({str(tmp_path)!r})"


def test_observers_of_the_start_see_history_and_not_what_comes_after() -> None:
    seen: list[str] = []

    class Early:
        @hookimpl
        def pamola_on_run_started(self, run: RunServices) -> None:
            assert run.history is not None
            try:
                _ = run.reporter
            except ServiceNotReady as error:
                seen.append(error.service)

    outcome = kernel_of(Early()).run(Steps(Nothing))
    assert outcome.success
    assert seen == ["reporter"]
    assert outcome.record.observer_failures == []


# ---------------------------------------------------------------- with no answer

ESSENTIAL = {
    PlainRedactionPlugin: ("redactor", "pamola-tasks-redaction"),
    MemoryConfigPlugin: ("config", "pamola-tasks-config"),
    MemoryDataPlugin: ("data_source", "pamola-tasks-data"),
    SequentialExecutorPlugin: ("executor", "pamola-tasks-executor"),
}


@pytest.mark.parametrize("kind", ESSENTIAL)
def test_a_run_without_an_essential_service_is_refused_naming_what_would_bring_it(kind: type) -> None:
    service, bringing = ESSENTIAL[kind]
    plugins = [plugin for plugin in memory_plugins() if type(plugin) is not kind]
    kernel = Kernel(autoload=False, plugins=plugins)
    with pytest.raises(ServiceMissing, match=f"no plugin provides {service!r}: install {bringing}"):
        kernel.run(Steps(Nothing))


def test_a_redactor_that_cannot_be_made_refuses_the_run_and_quotes_nothing() -> None:
    def breaks(run: RunServices | None) -> Any:
        raise RuntimeError("customer-12")

    kernel = kernel_of(provider("redactor", "torn", [], answer=breaks), seen := Watcher())
    with pytest.raises(PluginError, match=r"^plugin torn failed to provide 'redactor': RuntimeError"):
        kernel.run(Steps(Nothing))
    task = Steps(Nothing)
    task.kernel = kernel
    assert task.run() is False
    assert task.error_info is not None
    assert "plugin torn failed to provide 'redactor'" in task.error_info["message"]
    assert "customer-12" not in repr(task.error_info)
    assert seen.heard == []


def test_the_redactor_of_a_run_is_asked_with_it_and_that_outside_of_runs_without() -> None:
    asked: list[str] = []

    def answer(run: RunServices | None) -> Any:
        asked.append("outside" if run is None else run.record.task_id)
        return PlainRedactionPlugin().pamola_provide_redactor(run)

    kernel = kernel_of(provider("redactor", "mine", [], answer=answer))
    assert kernel.run(Steps(Nothing)).success
    assert asked == ["t_1"]
    assert kernel.project.redactor is kernel.plugins.redactor
    assert kernel.project.redactor("plain") == "plain"
    assert asked == ["t_1", "outside"]


def test_without_directories_the_run_is_refused(tmp_path: Path) -> None:
    class Guarded(Disk):
        pamola_provide_directories = None  # type: ignore[assignment]

    plugins = [plugin for plugin in memory_plugins() if not isinstance(plugin, MemoryPlacesPlugin)]
    with pytest.raises(ServiceMissing, match="pamola-tasks-directories"):
        Kernel(autoload=False, plugins=[*plugins, Guarded(tmp_path)]).run(Steps(Nothing))


def test_a_writer_is_essential_too(tmp_path: Path) -> None:
    class ReadOnly(Disk):
        pamola_provide_data_writer = None  # type: ignore[assignment]

    plugins = [plugin for plugin in memory_plugins() if not isinstance(plugin, MemoryDataPlugin)]
    with pytest.raises(ServiceMissing, match="'data_writer'"):
        Kernel(autoload=False, plugins=[*plugins, ReadOnly(tmp_path)]).run(Steps(Nothing))


def test_without_a_path_guard_every_access_is_denied(tmp_path: Path) -> None:
    plugins = [plugin for plugin in memory_plugins() if not isinstance(plugin, MemoryPlacesPlugin)]
    project = Kernel(tmp_path, autoload=False, plugins=plugins).project
    (tmp_path / "there.txt").write_text("secret")
    for attempt in (
        lambda: project.files.read("there.txt", "data"),
        lambda: project.files.write("new.txt", b"", "data"),
        lambda: project.files.exists("there.txt"),
        lambda: project.files.stat("there.txt"),
        lambda: project.files.mkdirs("new"),
        lambda: project.files.unlink("there.txt", missing_ok=True),
        lambda: project.files.remove_tree("new"),
        lambda: project.files.replace("there.txt", "new.txt"),
        lambda: list(project.files.iter()),
        lambda: project.files.guard.extended([tmp_path]).stat("there.txt"),
    ):
        with pytest.raises(PathSecurityError, match="pamola-tasks-paths"):
            attempt()
    assert [path.name for path in tmp_path.iterdir()] == ["there.txt"]


def test_what_answers_for_harmless_services_is_quiet_and_honest() -> None:
    from pamola_tasks import nulls
    from pamola_tasks.errors import EncryptionError

    kernel = Kernel(autoload=False, plugins=[p for p in memory_plugins() if not isinstance(p, MemoryHistoryPlugin)])
    outcome = kernel.run(Steps((Count, {"input_dataset": "numbers"})), datasets={"numbers": [1]})
    assert outcome.success
    assert outcome.report is None
    run = kernel.services("t_1" if "t_1" in kernel.tasks.known() else Steps(Nothing), upto="executor")
    assert run.history.find_latest_execution("t_1") is None
    assert run.checkpoints.load() == {}
    assert run.reporter.generate_report() == {}
    assert run.dependencies.assert_dependencies_completed() is True
    with pytest.raises(ServiceMissing):
        run.dependencies.get_dependency_output("t_0")
    none = nulls.NoEncryption()
    assert not none.is_encrypted(b"id,name")
    assert none.file_key_id(b"ptask/1") == ""
    assert none.get_encryption_info()["enabled"] is False
    for refused in (none.writer, none.reader):
        with pytest.raises(EncryptionError):
            refused(None, role="data", task_id="t")  # type: ignore[operator]


# ---------------------------------------------------------------- services without a run


def test_services_without_a_run_lock_nothing_record_nothing_and_tell_nobody() -> None:
    heard: list[str] = []

    class Hears:
        @hookimpl
        def pamola_on_run_started(self, run: RunServices) -> None:
            heard.append("started")

    kernel = kernel_of(Hears())
    run = kernel.services(None, upto="data_source")
    assert run.data_source.names() == []
    with pytest.raises(ServiceNotReady):
        _ = run.directories
    with pytest.raises(ServiceNotReady):
        _ = run.data_writer
    assert kernel.plugins["memory-history"].object.records == []
    assert heard == []
    for_task = kernel.services(BaseTask("t_9"), upto="history")
    assert for_task.directories.get_directory("output").parts[-2:] == ("t_9", "output")


def test_a_task_id_that_could_leave_its_folder_is_refused_before_anything_is_made() -> None:
    for bad in ("../t", "a/b", "", "CON"):
        with pytest.raises(PathSecurityError):
            kernel_of().run(Steps(Nothing, task_id=bad))


def test_settings_of_plugins_are_classes_that_their_sections_must_fit() -> None:
    import attrs

    @attrs.frozen
    class Settings:
        depth: int = 2

    class Sectioned:
        PAMOLA_PLUGIN_NAME = "sectioned"

        @hookimpl
        def pamola_add_settings(self) -> type:
            return Settings

        @hookimpl
        def pamola_check_config(self, config: Any) -> str | None:
            return None if config.plugin("sectioned").depth < 5 else "too deep"

    class Without:
        @hookimpl
        def pamola_add_settings(self) -> None:
            return None

    kernel = kernel_of(Sectioned(), Without(), sectioned={"depth": 3})
    assert kernel.settings() == {"sectioned": Settings}
    run = kernel.services(upto="config")
    assert run.config.plugin("sectioned") == Settings(3)
    assert run.config.get("sectioned.depth") == 3
    assert run.config.get("sectioned.none", "x") == "x"
    assert run.config.sectioned == {"depth": 3}
    with pytest.raises(AttributeError):
        _ = run.config.unheard


@pytest.mark.parametrize(
    ("answer", "words"), [("no_such_module:X", "no_such_module:X cannot be imported"), (dict, "not an attrs class")]
)
def test_settings_that_are_no_class_of_the_right_kind_name_the_plugin(answer: Any, words: str) -> None:
    class Wrong:
        @hookimpl
        def pamola_add_settings(self) -> Any:
            return answer

    with pytest.raises(PluginError, match="plugin Wrong") as error:
        dict(kernel_of(Wrong()).settings())
    assert words in str(error.value)


def test_formats_and_sections_of_all_plugins_are_collected_and_two_of_a_name_are_an_error() -> None:
    from pamola_tasks.protocols import ReportSection

    class One:
        @hookimpl
        def pamola_add_dataset_formats(self) -> dict[str, Any]:
            return {"xyz": "json:dumps"}

        @hookimpl
        def pamola_add_report_writers(self) -> dict[str, Any]:
            return {"txt": bytes}

        @hookimpl
        def pamola_add_report_sections(self, run: RunServices) -> ReportSection:
            return ReportSection(title="One", key="one")

    class Two:
        @hookimpl
        def pamola_add_report_sections(self, run: RunServices) -> list[ReportSection]:
            return [ReportSection(title="Two", key="two")]

        @hookimpl
        def pamola_add_report_writers(self) -> dict[str, Any]:
            return {"txt": bytes}

    import json

    kernel = kernel_of(One(), Two())
    assert kernel.dataset_formats() == {"xyz": json.dumps}
    assert {section.key for section in kernel.report_sections(kernel.services(upto="config"))} == {"one", "two"}
    with pytest.raises(PluginError, match="both bring the report format 'txt'"):
        kernel.report_writers()


def test_a_wrapper_around_a_contribution_is_called_once_with_all_answers() -> None:
    class Adds:
        @hookimpl
        def pamola_add_operations(self) -> dict[str, Any]:
            return {"Nothing": Nothing}

    class AddsMore:
        @hookimpl
        def pamola_add_operations(self) -> dict[str, Any]:
            return {"Count": Count}

    class AddsNone:
        @hookimpl
        def pamola_add_operations(self) -> None:
            return None

    seen: list[Any] = []

    class Wraps:
        @hookimpl(wrapper=True)
        def pamola_add_operations(self) -> Any:
            answers = yield
            seen.append([sorted(answer) for answer in answers])
            return answers

    kernel = kernel_of(Adds(), AddsMore(), AddsNone(), Wraps())
    assert list(kernel.operations) == ["Count", "Nothing"]
    assert seen == [[["Count"], ["Nothing"]]]


def test_a_contribution_that_raises_stops_the_run_naming_the_plugin() -> None:
    class Broken:
        @hookimpl
        def pamola_add_operations(self) -> Any:
            raise LookupError("no list")

    outcome = kernel_of(Broken()).run(Steps("Anything"))
    assert outcome.record.error is not None
    assert "plugin Broken failed in pamola_add_operations: LookupError: no list" in outcome.record.error["message"]


def test_log_handlers_of_plugins_get_lines_from_before_they_were_there_redacted() -> None:
    import logging

    lines: list[str] = []

    class Keeps(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            lines.append(f"{record.task_id}|{record.step_id}|{record.getMessage()}|{record.exc_text or ''}")  # type: ignore[attr-defined]

    class Handlers:
        @hookimpl
        def pamola_add_log_handlers(self, run: RunServices) -> list[logging.Handler]:
            return [Keeps()]

        @hookimpl
        def pamola_add_redactions(self, run: RunServices) -> list[Any]:
            run.logger.info("early, and \x1b[2Jwith\na forged line of customer-4711")
            return [r"customer-\d+", lambda key: key == "zip"]

    from kernel_kit import Fail

    kernel_of(Handlers()).run(Steps((Fail, {"message": "customer-12 is odd"})))
    assert lines[0] == "t_1||early, and \\x1b[2Jwith\\na forged line of ***|"
    failed = next(line for line in lines if "step Fail failed" in line)
    assert failed.startswith("t_1|Fail|step Fail failed: *** is odd|Traceback")
    assert "customer-12" not in failed


@pytest.mark.parametrize("how", [RuntimeError("disk"), SystemExit(0)], ids=["raises", "exits"])
def test_a_log_handler_that_raises_is_left_out_and_the_run_goes_on(how: BaseException) -> None:
    import logging

    class Wrong(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            raise how

    class Handlers:
        @hookimpl
        def pamola_add_log_handlers(self, run: RunServices) -> list[logging.Handler]:
            run.logger.info("before there were handlers")
            return [Wrong()]

    outcome = kernel_of(Handlers()).run(Steps(Nothing))
    assert outcome.status == "success"
    assert [text for text in outcome.record.warnings if f"Wrong raised {type(how).__name__}" in text]


def test_a_log_handler_that_is_none_names_the_plugin() -> None:
    class Handlers:
        @hookimpl
        def pamola_add_log_handlers(self, run: RunServices) -> list[Any]:
            return [5]

    with pytest.raises(PluginError, match="Handlers: pamola_add_log_handlers returns log handlers, not an int"):
        kernel_of(Handlers()).run(Steps(Nothing))


@pytest.mark.parametrize(
    ("one", "two", "words"),
    [
        (("badges",), (), "service 'tags' comes after 'badges', which is not a service"),
        (("tags",), (), "services tags wait for each other"),
        (("labels",), ("tags",), "services labels, tags wait for each other"),
    ],
    ids=["unknown", "itself", "circle"],
)
def test_services_that_have_no_order_take_out_their_plugins(
    one: tuple[str, ...], two: tuple[str, ...], words: str
) -> None:
    def adding(name: str, after: tuple[str, ...]) -> Any:
        class Adds:
            PAMOLA_PLUGIN_NAME = f"adds-{name}"

            @hookimpl
            def pamola_add_services(self) -> dict[str, Service]:
                return {name: Service(after=after)}

        return Adds()

    plugins = kernel_of(adding("tags", one), adding("labels", two)).plugins
    assert plugins["adds-tags"].status == "failed"
    assert words in plugins["adds-tags"].reason
    assert "tags" not in plugins.services
    assert (plugins["adds-labels"].status == "failed") == bool(two)


def test_what_exits_while_a_service_closes_does_not_hide_how_the_run_ended() -> None:
    class Exits:
        @hookimpl
        def pamola_add_services(self) -> dict[str, Service]:
            return {"tags": Service()}

        @hookimpl
        def pamola_provide_tags(self, run: RunServices) -> Any:
            class Tags:
                def close(self) -> None:
                    raise SystemExit(0)

            return Tags()

        @hookimpl
        def pamola_check_plan(self) -> str:
            return "forbidden in this house"

    outcome = kernel_of(Exits()).run(Steps(Nothing))
    assert outcome.status != "success"
    assert "forbidden in this house" in str(outcome.record.error)


def test_a_redaction_that_is_no_pattern_names_the_plugin() -> None:
    class Wrong:
        @hookimpl
        def pamola_add_redactions(self, run: RunServices) -> list[str]:
            return ["("]

    with pytest.raises(PluginError, match="Wrong"):
        kernel_of(Wrong()).run(Steps(Nothing))


def test_while_two_want_a_service_neither_is_said_to_answer_it() -> None:
    rows = {
        row["name"]: row["services"] for row in kernel_of(executor("one", []), executor("two", [])).plugins.report()
    }
    assert rows["one"] == []
    assert rows["memory-history"] == ["history"]


def test_a_wrapper_that_raises_stops_the_run_as_a_plugin_would() -> None:
    class Wraps:
        @hookimpl(wrapper=True)
        def pamola_check_plan(self) -> Any:
            yield
            raise OSError("wrapped badly")

    class Checks:
        @hookimpl
        def pamola_check_plan(self) -> None: ...

    outcome = kernel_of(Wraps(), Checks()).run(Steps(Nothing))
    assert outcome.record.error is not None
    assert "OSError: wrapped badly" in outcome.record.error["message"]


# ---------------------------------------------------------------- structure


class Buckets:
    """A service of a plugin, by its protocol."""

    class Protocol(Protocol):
        """A property, an attribute and methods."""

        size: int

        @property
        def open(self) -> bool:
            """One."""

        def put(self, name: str, *, again: bool = False) -> None: ...
        def get(self, name: str, default: Any = None) -> Any: ...

    class Whole:
        """All of it, and more."""

        size, open = 1, True

        def put(self, key: str, again: bool = False, sort: bool = True) -> None:
            """By another name where it is given by position."""

        def get(self, *positional: Any, **named: Any) -> None:
            """Anything."""


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({}, ""),
        ({"size": None}, ""),
        ({"size": AttributeError}, "its buckets lack `size`"),
        ({"open": AttributeError}, "its buckets lack `open`"),
        ({"open": ServiceNotReady("lock", "it")}, ""),
        ({"put": 5, "get": AttributeError}, "its buckets lack `put(name, again)`, `get(name, default)`"),
        ({"get": lambda self, name: None}, "its buckets cannot be called as `get(name, default)`: got an unexpected"),
        ({"get": lambda self, default=None: None}, "its buckets cannot be called as `get(name, default)`: multiple"),
        ({"put": lambda self, name, again, bucket: None}, "`put(name, again)`: missing a required argument: 'bucket'"),
    ],
)
def test_a_provider_is_compared_with_its_protocol_when_it_is_chosen(changed: dict[str, Any], says: str) -> None:
    def member(value: Any) -> Any:
        def fail(self: Any) -> Any:
            raise value

        return property(fail) if value is AttributeError or isinstance(value, Exception) else value

    given = type("Given", (Buckets.Whole,), {name: member(value) for name, value in changed.items()})

    class Adds:
        PAMOLA_PLUGIN_NAME = "bucketcp"

        @hookimpl
        def pamola_add_services(self) -> dict[str, Service]:
            return {"buckets": Service(Buckets.Protocol)}

        @hookimpl
        def pamola_provide_buckets(self, run: RunServices) -> Any:
            return given()

    outcome = kernel_of(Adds()).run(Steps(Nothing))
    if says:
        assert outcome.record.error is not None
        assert says in outcome.record.error["message"]
        assert "plugin bucketcp: " in outcome.record.error["message"]
    assert outcome.success is not bool(says)
