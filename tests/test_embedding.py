"""The kernel inside other programs: no global state, nothing imported before it is needed, no file written."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from kernel_kit import Add, Count, Nothing, Steps, kernel_of

from pamola_tasks import Kernel, Operation, hookimpl
from pamola_tasks.errors import (
    DataError,
    DirectoryManagerError,
    PathSecurityError,
    ProjectError,
)
from pamola_tasks.protocols import DataSource, Project
from pamola_tasks.testing import memory_plugins
from pamola_tasks.testing.data import MemoryDataSource, MemoryDataWriter
from pamola_tasks.testing.places import MemoryDirectories, MemoryGuard


def test_with_the_plugins_in_memory_a_run_writes_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder, home = tmp_path / "empty", tmp_path / "home"
    folder.mkdir()
    home.mkdir()
    monkeypatch.chdir(folder)
    monkeypatch.setenv("HOME", str(home))
    kernel = Kernel(autoload=False, plugins=memory_plugins({"seed": 1}))
    task = Steps((Add, {"input_dataset": "numbers"}), (Count, {"input_dataset": "numbers_more"}))
    outcome = kernel.run(task, datasets={"numbers": [1, 2]})
    assert outcome.success
    assert outcome.datasets["numbers_more"] == [2, 3]
    assert [*folder.iterdir(), *home.iterdir()] == []
    files = kernel.plugins["memory-places"].object.files
    assert files == {
        "DATA/processed/t_1/.state/lock": b"",
        "DATA/processed/t_1/output/count_numbers_more.json": b"2",
    }
    records = kernel.plugins["memory-history"].object.records
    assert [(record["task_id"], record["status"], record["success"]) for record in records] == [
        ("t_1", "success", True)
    ]
    assert records[0]["steps"] == {"Add": "success", "Count": "success"}


def test_a_run_in_memory_opens_no_file_for_writing_anywhere(tmp_path: Path) -> None:
    code = (
        "import sys\n"
        "from kernel_kit import *\n"
        "task = Steps((Add, {'input_dataset': 'n'}))\n"
        "written = []\n"
        "def audit(event, args):\n"
        "    if event == 'open' and isinstance(args[1], str) and set(args[1]) & set('wax+'): written.append(args[0])\n"
        "    if event in ('os.mkdir', 'os.rename', 'os.remove', 'socket.connect'): written.append((event, args))\n"
        "sys.addaudithook(audit)\n"
        "assert kernel_of().run(task, datasets={'n': [1]}).success\n"
        "print(written)\n"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", code],
        cwd=tmp_path,
        env={"PYTHONPATH": ":".join([str(Path(__file__).parent), *sys.path]), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == "[]\n"


def test_two_kernels_with_other_plugins_live_in_one_process() -> None:
    class One:
        @hookimpl
        def pamola_add_operations(self) -> dict[str, Any]:
            return {"Work": Add}

        @hookimpl
        def pamola_check_plan(self, plan: Any) -> str:
            return "not here"

    class Two:
        @hookimpl
        def pamola_add_operations(self) -> dict[str, Any]:
            return {"Work": Count}

    first, second = kernel_of(One()), kernel_of(Two(), seed=5)
    task = Steps(("Work", {"input_dataset": "n"}))
    blocked = first.run(task, datasets={"n": [1]})
    passed = second.run(task, datasets={"n": [1]})
    assert (blocked.success, passed.success) == (False, True)
    assert passed.results["Work"].metrics == {"count": 1}
    assert first.operations.get("Work").cls is Add
    assert second.operations.get("Work").cls is Count
    assert len(first.plugins["memory-history"].object.records) == 1


def test_a_kernel_can_be_made_from_plugins_that_are_loaded_already() -> None:
    one = kernel_of()
    other = Kernel(loaded=one.plugins)
    assert other.plugins is one.plugins
    assert other.run(Steps(Nothing)).success
    assert one.run(Steps(Nothing)).success


def test_importing_the_package_imports_nothing_heavy_and_gives_names_when_asked() -> None:
    code = (
        "import sys, pamola_tasks\n"
        "light = sorted(m for m in sys.modules if m.startswith('pamola_tasks'))\n"
        "assert light == ['pamola_tasks', 'pamola_tasks.lazy'], light\n"
        "from pamola_tasks import hookimpl, Command\n"
        "heavy = {'attrs', 'attr', 'cattrs', 'click', 'pandas', 'numpy', 'pyarrow', 'asyncio', 'cryptography'}\n"
        "print(sorted(heavy & set(sys.modules)))\n"
        "for name in pamola_tasks.__all__: getattr(pamola_tasks, name)\n"
        "import pamola_tasks.kernel, pamola_tasks.testing\n"
        "print(sorted({'pandas', 'numpy', 'pyarrow', 'cryptography', 'jinja2', 'cattrs'} & set(sys.modules)))\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["[]", "[]"]


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import pamola_tasks

    with pytest.raises(AttributeError, match="no attribute 'Kernal'"):
        _ = pamola_tasks.Kernal
    assert {"Kernel", "hookimpl", "__version__"} <= set(dir(pamola_tasks))


def test_the_kernel_imports_no_plugin_and_no_pandas() -> None:
    import ast

    import pamola_tasks

    source = Path(pamola_tasks.__file__).parent
    for path in source.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            names = (
                [alias.name for alias in node.names]
                if isinstance(node, ast.Import)
                else [node.module or ""]
                if isinstance(node, ast.ImportFrom) and node.level == 0
                else []
            )
            for name in names:
                first = name.split(".")[0]
                assert not first.startswith(("pamola_tasks_", "pamola_ops_")), f"{path} imports {name}"
                assert first not in ("pyarrow", "cryptography", "jinja2"), f"{path} imports {name}"


# ---------------------------------------------------------------- the project


class Finds:
    """A provider of projects: a folder with `.mark` is one."""

    @hookimpl
    def pamola_provide_project(self, start: Path) -> Project:
        """Look upwards."""
        for folder in (start, *start.parents):
            if (folder / ".mark").exists():
                return Project(folder.resolve(), marker=".mark", id="p1")
        return Project(start.resolve())


def test_the_project_is_found_upwards_from_here_or_from_the_script(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project, inside, elsewhere = tmp_path / "p", tmp_path / "p" / "a" / "b", tmp_path / "q"
    inside.mkdir(parents=True)
    elsewhere.mkdir()
    (project / ".mark").touch()
    monkeypatch.chdir(inside)
    assert kernel_of(Finds()).project.root == project.resolve()
    monkeypatch.chdir(elsewhere)
    by_script = Kernel(autoload=False, plugins=[*memory_plugins(), Finds()], script=inside)
    assert by_script.project.root == project.resolve()
    lonely = Kernel(autoload=False, plugins=[*memory_plugins(), Finds()], script=tmp_path)
    assert lonely.project.root == tmp_path.resolve()
    assert "pamola-task init" in lonely.project.warnings[0]


def test_a_named_project_is_that_folder_itself(tmp_path: Path) -> None:
    (tmp_path / ".mark").touch()
    below = tmp_path / "below"
    below.mkdir()
    plugins = [*memory_plugins(), Finds()]
    assert Kernel(tmp_path, autoload=False, plugins=plugins).project.id == "p1"
    assert Kernel(below, autoload=False, plugins=plugins).project.root == below.resolve()
    with pytest.raises(ProjectError, match="there is no folder"):
        _ = Kernel(tmp_path / "absent", autoload=False, plugins=plugins).project


def test_without_a_provider_the_current_folder_is_the_project_and_a_warning_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    kernel = Kernel(autoload=False)
    assert kernel.project.root == tmp_path.resolve()
    assert "no project was found" in kernel.project.warnings[0]


def test_warnings_of_the_project_are_warnings_of_the_run() -> None:
    class Warns:
        @hookimpl
        def pamola_provide_project(self, start: Path) -> Project:
            return Project(Path("/memory"), warnings=("two markers", "two markers"))

    assert kernel_of(Warns()).run(Steps(Nothing)).record.warnings == ["two markers"]


# ---------------------------------------------------------------- the services in memory


def test_the_guard_in_memory_keeps_files_in_a_dict_and_nothing_outside() -> None:
    guard = MemoryGuard({"a/b.txt": b"1"})
    assert [(name, stat.kind) for name, stat in guard.iter()] == [("a", "directory")]
    assert [name for name, _ in guard.iter("a")] == ["b.txt"]
    assert guard.exists("a")
    assert not guard.exists("b")
    assert guard.extended([]) is guard
    guard.mkdirs("new")
    guard.replace("a/b.txt", "/memory/c.txt")
    guard.unlink("absent", missing_ok=True)
    for action in (guard.unlink, guard.stat, lambda name: guard.open(name).__enter__()):
        with pytest.raises(FileNotFoundError):
            action("absent")
    with pytest.raises(FileExistsError):
        guard.create("c.txt", exclusive=True).__enter__()
    for bad in ("../x", "/etc/passwd"):
        with pytest.raises(PathSecurityError):
            guard.exists(bad)
    guard.files["d/e"] = b""
    guard.remove_tree("d")
    assert list(guard.files) == ["c.txt"]


def test_directories_in_memory_have_the_usual_names() -> None:
    places = MemoryDirectories("t_1")
    assert set(places.ensure_directories()) >= {"task", "output", "temp", "state", "reports", "configs"}
    assert places.get_artifact_path("facts", "csv", include_timestamp=False).name == "facts.csv"
    assert places.get_artifact_path("facts").name.startswith("facts_2")
    assert places.clean_temp_directory() is True
    with pytest.raises(DirectoryManagerError, match="nowhere"):
        places.get_directory("nowhere")


def test_data_in_memory_are_copies_pieces_and_columns() -> None:
    pd = pytest.importorskip("pandas")
    source = MemoryDataSource()
    source.add_dataframe("t", pd.DataFrame({"a": [1, 2, 3], "b": ["x", "y", "z"]}))
    source.add_file_path("later", "later.csv")
    assert source.names() == ["later", "t"]
    assert source.has_dataset("t")
    assert not source.has_dataset("later")
    frame = source.frame("t", ["a"])
    frame.loc[0, "a"] = 99
    assert source.frame("t")["a"].tolist() == [1, 2, 3]
    assert [len(piece) for piece in source.chunks("t", 2)] == [2, 1]
    assert list(source.schema("t")) == ["a", "b"]
    assert source.describe("t").columns == ("a", "b")
    with pytest.raises(DataError, match="no such column"):
        source.frame("t", ["c"])
    with pytest.raises(DataError, match="give it to the kernel as `datasets`"):
        source.frame("later")
    writer = MemoryDataWriter(source)
    record = writer.write_dataset(source.chunks("t", 2), "x", name="u", format="csv", step="s")
    assert (record.rows, record.step, record.kind) == (3, "s", "output")
    assert writer.write_dataset(iter([1, 2]), "x", name="v", format="csv").rows == 2


def test_the_data_writer_in_memory_needs_the_source_in_memory() -> None:
    class Other:
        @hookimpl
        def pamola_provide_data_source(self, run: Any) -> Any:
            return object.__new__(type("Other", (DataSource,), {}))

    outcome = kernel_of(Other()).run(Steps(Nothing))
    assert outcome.record.error is not None
    assert "memory-data can write only" in outcome.record.error["message"]


def test_configuration_in_memory_has_every_key_and_where_it_came_from() -> None:
    kernel = kernel_of(retry={"max_retries": 2}, own={"depth": {"x": 1}})
    config = kernel.services(upto="config").config
    assert config.retry.max_retries == 2
    assert config.get("own.depth.x") == 1
    assert config.get("retry.max_retries") == 2
    assert config.to_dict()["own"] == {"depth": {"x": 1}}
    assert config.origins()["seed"].layer == "memory"
    assert config.plugin("nobody") == {}


def test_secrets_of_the_configuration_are_hidden_from_the_first_line_on() -> None:
    from pamola_tasks import Secret

    class Tells(Operation):
        def execute(self, ctx: Any) -> Any:
            raise ValueError("cannot log in with hunter22 or s3cr3t-value")

    outcome = kernel_of(db={"login": [Secret("hunter22")], "t": (Secret("s3cr3t-value"),)}).run(Steps(Tells))
    assert outcome.results["Tells"].error_message == "cannot log in with *** or ***"
    assert "hunter22" not in (outcome.results["Tells"].error_trace or "")
    assert outcome.record.error is not None
    assert "hunter22" not in str(outcome.record.error)
