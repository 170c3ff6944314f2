"""Task classes in folders and packages: which are found, under which id, and what they say of themselves."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from pamola_tasks import Kernel
from pamola_tasks.errors import TaskRegistryError
from pamola_tasks_compat import tasks

CLEAN = '''
from pamola_tasks import BaseTask

__author__ = "Ada"

class Base(BaseTask):
    """For others: it wants an argument."""
    def __init__(self, name):
        super().__init__(name, "analysis", f"The task {name}.")

class CleanTask(Base):
    """Clean.

    @owner: data office
    """
    dependencies = ("t_raw",)
    def __init__(self):
        super().__init__("t_clean")

class _Hidden(Base):
    def __init__(self):
        super().__init__("t_hidden")
'''
OTHER = """
from pamola_tasks import BaseTask

class Other(BaseTask):
    def __init__(self, shout=False):
        super().__init__("ID")
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Path]:
    """A project with tasks in scripts/ and scripts/more/; what is imported is forgotten afterwards."""
    (tmp_path / ".pamolaProject").touch()
    (tmp_path / "scripts/more").mkdir(parents=True)
    (tmp_path / "scripts/clean.py").write_text(CLEAN)
    (tmp_path / "scripts/more/other.py").write_text(OTHER.replace("ID", "t_other"))
    before = set(sys.modules)
    yield tmp_path
    for name in set(sys.modules) - before:
        del sys.modules[name]


def test_classes_that_can_be_made_without_arguments_are_found_by_the_id_of_their_task(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)
    found = tasks.discover_task_classes()
    assert {name: cls.__name__ for name, cls in found.items()} == {"t_clean": "CleanTask", "t_other": "Other"}
    assert list(tasks.discover_task_classes(["scripts"], recursive=False)) == ["t_clean"]


def test_packages_are_searched_by_their_name(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package = project / "ours_of_tasks" / "deep"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text(OTHER.replace("ID", "t_top"))
    (package / "__init__.py").touch()
    (package / "low.py").write_text(OTHER.replace("ID", "t_low"))
    monkeypatch.syspath_prepend(str(project))
    kernel = Kernel.discover(project)
    assert set(tasks.discover_task_classes(["ours_of_tasks"], kernel=kernel)) == {"t_top", "t_low"}
    assert set(tasks.discover_task_classes(["ours_of_tasks"], recursive=False, kernel=kernel)) == {"t_top"}


def test_what_is_found_can_be_run_by_its_id(project: Path) -> None:
    kernel = Kernel.discover(project)
    assert tasks.register_discovered_tasks(kernel=kernel) == 2
    assert kernel.task("t_clean").task_type == "analysis"
    assert {"t_clean", "t_other"} <= set(tasks.list_registered_tasks(kernel))


def test_a_class_tells_of_itself(project: Path) -> None:
    cls = tasks.discover_task_classes(kernel=Kernel.discover(project))["t_clean"]
    assert tasks.get_task_metadata(cls) == {
        "task_id": "t_clean",
        "task_type": "analysis",
        "description": "The task t_clean.",
        "version": "1.0.0",
        "class_name": "CleanTask",
        "module": cls.__module__,
        "dependencies": ["t_raw"],
        "author": "Ada",
        "owner": "data office",
    }


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("twice.py", OTHER.replace("ID", "t_clean"), "two classes have the task id 't_clean'"),
        ("broken.py", "import a_module_that_is_nowhere", "a_module_that_is_nowhere"),
        (
            "raises.py",
            OTHER.replace("super().__init__('ID')", "raise ValueError('no')").replace('"ID"', "0/0"),
            "Other",
        ),
    ],
)
def test_what_cannot_be_registered_is_named(project: Path, name: str, text: str, words: str) -> None:
    (project / "scripts" / name).write_text(text)
    with pytest.raises(TaskRegistryError, match=words):
        tasks.discover_task_classes(kernel=Kernel.discover(project))


def test_a_place_that_is_neither_folder_nor_package_is_refused(project: Path) -> None:
    with pytest.raises(TaskRegistryError, match=r"neither a folder of .* nor a package"):
        tasks.discover_task_classes(["nowhere_at_all"], kernel=Kernel.discover(project))
