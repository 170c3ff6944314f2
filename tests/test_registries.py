"""Names of operations and tasks, and what they stand for."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from kernel_kit import Add, Count, Nothing, Steps, dataset, disk_kernel, kernel_of

from pamola_tasks import BaseTask, Kernel, Operation, hookimpl
from pamola_tasks.errors import (
    PluginError,
    TaskRegistryError,
    UnknownOperationError,
    UnknownTaskError,
)
from pamola_tasks.registry import TaskFile
from pamola_tasks_compat import TaskRunner
from pamola_tasks_config import DeclaredTask

KIT = "kernel_kit"


class Pack:
    """A pack of operations."""

    PAMOLA_PLUGIN_NAME = "pack"

    @hookimpl
    def pamola_add_operations(self) -> dict[str, Any]:
        """A class, text, and things that are wrong."""
        return {
            "Add": Add,
            "Counting": f"{KIT}:Count",
            "Missing": f"{KIT}:NoSuchClass",
            "Absent": "no_such_module:X",
            "NoOperation": f"{KIT}:Steps",
        }


# ---------------------------------------------------------------- operations


def test_operations_are_found_by_name_and_imported_when_used() -> None:
    operations = kernel_of(Pack()).operations
    assert list(operations) == ["Absent", "Add", "Counting", "Missing", "NoOperation"]
    assert operations.get("Add").cls is Add
    assert operations.get("Counting").cls is Count
    assert operations.get("Counting") is operations.get("Counting")
    assert (operations.get("Counting").plugin, operations.get("Counting").distribution) == ("pack", "")
    assert "Add" in operations
    assert "add" not in operations


def test_an_operation_can_be_used_by_its_class_whether_it_is_registered_or_not() -> None:
    operations = kernel_of(Pack()).operations
    assert operations.get(Count).name == "Counting"
    assert operations.get(Add).plugin == "pack"
    assert operations.get(Nothing).name == "Nothing"
    assert operations.get(Nothing).plugin == ""


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("Countin", UnknownOperationError, "did you mean 'Counting'?"),
        ("zzz", UnknownOperationError, "there are Absent, Add"),
        (
            "Missing",
            PluginError,
            f"operation 'Missing' of pack cannot be imported from {KIT}:NoSuchClass",
        ),
        ("Absent", PluginError, "ModuleNotFoundError"),
        ("NoOperation", PluginError, "is not a subclass of Operation"),
        (int, UnknownOperationError, "must be a subclass of Operation"),
    ],
)
def test_an_operation_that_cannot_be_had_is_an_error_in_words(name: Any, kind: type[Exception], words: str) -> None:
    with pytest.raises(kind) as refused:
        kernel_of(Pack()).operations.get(name)
    assert words in str(refused.value)


def test_two_operations_of_one_name_are_an_error_not_a_silent_choice() -> None:
    class Other:
        @hookimpl
        def pamola_add_operations(self) -> dict[str, Any]:
            return {"Add": Count}

    with pytest.raises(PluginError, match="both bring an operation 'Add'"):
        list(kernel_of(Pack(), Other()).operations)


# ---------------------------------------------------------------- tasks


class Whole(BaseTask):
    """A task without arguments."""

    def __init__(self) -> None:
        super().__init__("t_whole", "test", "All of it.")

    def configure_operations(self) -> None:
        """One step."""
        self.add_operation(Nothing)


class Brings:
    """Brings tasks."""

    PAMOLA_PLUGIN_NAME = "brings"

    def __init__(self, **tasks: Any) -> None:
        self.tasks = tasks

    @hookimpl
    def pamola_add_tasks(self, project: Any) -> dict[str, Any]:
        """Those given."""
        return self.tasks


def test_tasks_are_found_by_id_whatever_they_are_given_as(tmp_path: Path) -> None:
    (tmp_path / "file_task.py").write_text(
        "from pamola_tasks import BaseTask\nclass FileTask(BaseTask):\n    def __init__(self):\n"
        "        super().__init__('other')\n"
    )
    instance = Steps(Nothing, task_id="t_instance")
    kernel = disk_kernel(
        tmp_path,
        Brings(
            t_class=Whole,
            t_text=f"{__name__}:Whole",
            t_instance=instance,
            **{"*.yaml": "pamola_tasks_config.declared:DeclaredTask"},
            t_declared=TaskFile(path="configs/t_declared.yaml", task_id="t_declared"),
            t_file=TaskFile(path="configs/t_file.yaml", task_id="t_file", task_class="file_task.py:FileTask"),
        ),
    )
    import sys

    sys.modules.setdefault(__name__, sys.modules[Whole.__module__])
    assert isinstance(kernel.task("t_class"), Whole)
    assert isinstance(kernel.task("t_text"), BaseTask)
    assert kernel.task("t_instance") is instance
    declared = kernel.task("t_declared")
    assert isinstance(declared, DeclaredTask)
    assert declared.origin == "configs/t_declared.yaml"
    from_file = kernel.task("t_file")
    assert type(from_file).__name__ == "FileTask"
    assert from_file.task_id == "t_file", "the id of the configuration file counts"
    assert kernel.task("t_class").kernel is kernel


SCRIPT = """
from pamola_tasks import BaseTask, Operation, OperationResult

class Quiet(Operation):
    def execute(self, ctx):
        return OperationResult.success()

class First(BaseTask):
    def __init__(self):
        super().__init__("t_first")
    def configure_operations(self):
        self.add_operation(Quiet)
"""


def test_a_task_is_found_in_a_script_by_its_class_or_as_the_only_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "script.py").write_text(SCRIPT)
    (tmp_path / "two.py").write_text(SCRIPT + "class Second(First):\n    pass\nclass _Hidden(First):\n    pass\n")
    (tmp_path / "none.py").write_text("x = 1\n")
    (tmp_path / "broken.py").write_text("x = \n")
    kernel = disk_kernel(tmp_path, Brings(**{"*.yaml": "pamola_tasks_config.declared:DeclaredTask"}))
    assert kernel.run("script.py").success
    assert kernel.run(str(tmp_path / "script.py")).success
    monkeypatch.chdir(tmp_path)
    assert type(kernel.task("two.py:Second")).__name__ == "Second"
    for name, words in {
        "two.py": "has First, Second: name one as",
        "none.py": "has none",
        "broken.py": "SyntaxError",
        "absent.py": "there is no Python file",
        "script.py:Third": "has no 'Third'",
        "configs/absent.yaml": "there is no task file",
        "no_such_module:Task": "cannot be imported",
        f"{KIT}:NoSuchTask": "cannot be imported",
    }.items():
        with pytest.raises(UnknownTaskError) as refused:
            kernel.task(name)
        assert words in str(refused.value), name


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (f"{KIT}:Add", "not a subclass of BaseTask"),
        (f"{KIT}:Steps", "t_1"),
    ],
)
def test_what_is_named_has_to_be_a_task_that_can_be_made(name: str, words: str) -> None:
    kernel = kernel_of()
    if name.endswith("Add"):
        with pytest.raises(TaskRegistryError, match=words):
            kernel.task(name)
    else:
        assert kernel.task(name).task_id == words


def test_a_task_that_needs_arguments_says_so() -> None:
    class Needs(BaseTask):
        def __init__(self, table: str) -> None:
            super().__init__("t_needs")

    with pytest.raises(TaskRegistryError, match="Needs cannot be made without arguments"):
        kernel_of(Brings(t_needs=Needs)).task("t_needs")


def test_a_module_that_holds_one_task_is_enough() -> None:
    with pytest.raises(UnknownTaskError, match="should hold one task class"):
        kernel_of(Brings(t_x="kernel_kit")).tasks._class_named("json", "t_x")
    assert isinstance(kernel_of(Brings(t_x="kernel_kit")).task("t_x"), Steps)


def test_an_unknown_task_comes_with_the_one_probably_meant() -> None:
    kernel = kernel_of(Brings(t_whole=Whole))
    with pytest.raises(UnknownTaskError, match=r"did you mean 't_whole'\?"):
        kernel.run("t_whloe")
    with pytest.raises(UnknownTaskError, match="`pamola-task list` shows the tasks"):
        kernel.run("zzz")


def test_two_tasks_of_one_id_are_an_error() -> None:
    class More(Brings):
        PAMOLA_PLUGIN_NAME = "more"

    with pytest.raises(PluginError, match="both bring a task 't_x'"):
        kernel_of(Brings(t_x=Whole), More(t_x=Whole)).tasks.known()
    kernel = kernel_of(Brings(t_x=Whole))
    kernel.tasks.register("t_y", Whole)
    kernel.tasks.register("t_y", Whole)
    with pytest.raises(TaskRegistryError):
        kernel.tasks.register("t_x", Steps)


# ---------------------------------------------------------------- tasks without a class


class Field(Operation):
    """Has one field."""

    from pamola_tasks import reads as _reads
    from pamola_tasks import writes as _writes

    field_name: str = "all"
    input_dataset: str = _reads()
    output_dataset: str = _writes("{input}_{field_name}")

    def execute(self, ctx: Any) -> Any:
        """Pass the data on."""
        from pamola_tasks import OperationResult

        ctx.data.write(self.output_dataset, ctx.data.frame(self.input_dataset))
        return OperationResult.success({"field": self.field_name})


class Fields(Operation):
    """Has many fields."""

    fields: list[str]

    def execute(self, ctx: Any) -> Any:
        """Tell them."""
        from pamola_tasks import OperationResult

        return OperationResult.success({"fields": self.fields})


class ListedPack:
    """The operations of the lists below."""

    PAMOLA_PLUGIN_NAME = "listed"

    @hookimpl
    def pamola_add_operations(self) -> dict[str, Any]:
        """Them."""
        return {"Add": Add, "Count": Count, "Field": Field, "Fields": Fields, "Nothing": Nothing}


def runner(*configs: Any, **options: Any) -> TaskRunner:
    return TaskRunner("t_runner", operation_configs=configs, **options)


def run(task: BaseTask, **datasets: Any) -> Any:
    return kernel_of(ListedPack()).run(task, datasets=datasets)


def test_a_list_of_operations_runs_without_a_class_each_reading_what_the_one_before_wrote() -> None:
    outcome = run(
        runner(
            {"operation": "Add", "parameters": {"input_dataset": "numbers", "number": 10}},
            {"Add": {"number": 5}, "id": "second"},
            {"class_name": "Count", "task_operation_id": "counted", "task_operation_order_index": 3},
            "Nothing",
        ),
        numbers=[1],
    )
    assert outcome.success, outcome.record.error
    assert list(outcome.results) == ["Add", "second", "counted", "Nothing"]
    assert outcome.datasets["numbers_more_more"] == [16]


def test_the_first_operation_reads_the_first_input(tmp_path: Path) -> None:
    task = runner({"Count": None}, input_datasets={"numbers": dataset(tmp_path, "numbers", [1, 2])})
    outcome = disk_kernel(tmp_path, ListedPack()).run(task)
    assert outcome.results["Count"].metrics == {"count": 2}


def test_a_scope_makes_a_step_for_each_field_or_fills_the_fields() -> None:
    scope = {"type": "field", "target": ["zip", "age"]}
    outcome = run(
        runner(
            {"operation": "Field", "parameters": {"input_dataset": "n"}, "scope": scope, "id": "f"},
            {"operation": "Fields", "scope": scope},
            {"operation": "Field", "scope": scope, "parameters": {"field_name": "name"}, "dataset_name": "n"},
        ),
        n=[1],
    )
    assert outcome.success, outcome.record.error
    assert outcome.record.metrics == {
        "f-zip": {"field": "zip"},
        "f-age": {"field": "age"},
        "Fields": {"fields": ["zip", "age"]},
        "Field": {"field": "name"},
    }


@pytest.mark.parametrize(
    ("entry", "words"),
    [
        (5, "operation_configs[1]: expected an operation's name"),
        ({"operation": "Add", "paramters": {}}, "operation_configs[1]: unknown key 'paramters' beside the operation"),
        (
            {"Add": {}, "Count": {}},
            "expected one operation beside id, retry, timeout, step_memory_limit_mb, continue_on_error, python;"
            " found Add, Count",
        ),
        ({"id": "x"}, "found none"),
        ({"Add": [1]}, "Add: expected the operation's parameters"),
        ({"Unknown": {}}, "unknown operation 'Unknown'"),
    ],
)
def test_an_entry_that_is_wrong_fails_the_run_naming_its_place(entry: Any, words: str) -> None:
    outcome = run(runner(entry), n=[1])
    assert outcome.status == "configuration_error"
    assert words in outcome.record.error["message"]


def test_additional_options_are_configuration_under_their_own_names() -> None:
    task = runner("Nothing", additional_options={"seed": 9, "sep": ";", "encoding": "latin-1", "quotechar": "'"})
    assert task.get_default_config() == {
        "seed": 9,
        "default_delimiter": ";",
        "default_encoding": "latin-1",
        "default_quotechar": "'",
    }
    assert run(task).record.seed == 9


def test_a_task_declared_in_a_file_runs_the_operations_of_its_configuration() -> None:
    kernel = kernel_of(ListedPack(), operations=[{"Add": {"input_dataset": "n"}}, "Count"])
    outcome = kernel.run(DeclaredTask("configs/t_declared.yaml"), datasets={"n": [1, 2]})
    assert outcome.success, outcome.record.error
    assert (outcome.task_id, list(outcome.results)) == ("t_declared", ["Add", "Count"])
    wrong = kernel_of(ListedPack(), operations=[3]).run(DeclaredTask("configs/t_declared.yaml"))
    assert "operations.0: expected an operation's name" in wrong.record.error["message"]  # type: ignore[index]


def test_a_kernel_of_its_own_is_made_for_a_task_that_runs_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Kernel] = []

    def discover(project: Any = None, **options: Any) -> Kernel:
        made.append(kernel_of())
        return made[-1]

    monkeypatch.setattr(Kernel, "discover", staticmethod(discover))
    task = Whole()
    assert task.run() is True
    assert task.kernel is made[0]
