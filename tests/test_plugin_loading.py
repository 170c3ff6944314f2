"""Loading a plugin is a boundary: whatever is wrong with it ends in a status and a reason, and nothing of it stays."""

from __future__ import annotations

import os
import sys
import zipfile
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from counted_work import calls
from kernel_kit import Nothing, Steps, kernel_of

from pamola_tasks import Kernel, hookimpl
from pamola_tasks.errors import PluginError
from pamola_tasks.plugins.discovery import PluginRecord, installed, leftovers, module_from, normalized
from pamola_tasks.plugins.manager import Plugins, assemble
from pamola_tasks.plugins.settings import PluginSettings
from pamola_tasks.testing import PlainRedactionPlugin, memory_plugins

HEAD = "from pamola_tasks import hookimpl\n"
GOOD_HOOK = '@hookimpl\ndef pamola_check_plan(run, plan):\n    return "nobody may pass"\n'

# Each holds a hook that would be noticed if anything of the plugin stayed behind.
BROKEN = {
    "ImportError": (
        "import no_such_module_anywhere\n",
        "ModuleNotFoundError: No module named 'no_such_module_anywhere'",
    ),
    "SyntaxError": ("def broken(:\n", "SyntaxError"),
    "SystemExit at import": ("import sys\nsys.exit('bye')\n", "sys.exit('bye')"),
    "an exception at import": ("raise RuntimeError('not today')\n", "RuntimeError: not today"),
    "unknown hook": (
        "@hookimpl\ndef pamola_chek_plan(run, plan):\n    pass\n",
        "there is no hook 'pamola_chek_plan': did you mean 'pamola_check_plan'?",
    ),
    "unknown argument": ("@hookimpl\ndef pamola_on_run_started(run, colour):\n    pass\n", "colour"),
    "argument with a default": (
        "@hookimpl\ndef pamola_on_run_started(run=None):\n    pass\n",
        "pamola_on_run_started: a parameter has a default value",
    ),
    "keyword argument with a default": (
        "@hookimpl\ndef pamola_on_run_started(*, run=None):\n    pass\n",
        "pamola_on_run_started: a parameter has a default value",
    ),
    "wrapper that is no generator": (
        "@hookimpl(wrapper=True)\ndef pamola_run_step(run, step):\n    return None\n",
        "generator",
    ),
    "wrapper on an event": (
        "@hookimpl(wrapper=True)\ndef pamola_on_run_started(run):\n    return (yield)\n",
        "pamola_on_run_started is an event, which cannot be wrapped",
    ),
    "plain implementation of a step": (
        "@hookimpl\ndef pamola_run_step(run, step):\n    return None\n",
        "its only plain implementation in the kernel",
    ),
    "wrong hook API": ("PAMOLA_HOOK_API = 2\n", "made for hook API 2; this is 1"),
}


def plugin_file(folder: Path, source: str, name: str = "suspect") -> str:
    path = folder / f"{name}.py"
    path.write_text(HEAD + GOOD_HOOK + source)
    return str(path)


def test_a_plugin_in_a_file_is_loaded_and_heard(tmp_path: Path) -> None:
    kernel = Kernel(autoload=False, plugins=memory_plugins(), modules=[plugin_file(tmp_path, "")])
    record = kernel.plugins["suspect"]
    assert (record.status, record.reason) == ("loaded", "")
    assert record.hooks == ["pamola_check_plan"]
    outcome = kernel.run(Steps(Nothing))
    assert outcome.record.error is not None
    assert outcome.record.error["message"] == "nobody may pass (plugin suspect)"


@pytest.mark.parametrize("kind", BROKEN)
def test_a_broken_plugin_ends_in_a_status_and_a_reason_and_leaves_nothing(tmp_path: Path, kind: str) -> None:
    source, reason = BROKEN[kind]
    file = plugin_file(tmp_path, source)
    kernel = Kernel(autoload=False, plugins=memory_plugins(), modules=[file])
    record = kernel.plugins["suspect"]
    assert record.status == ("incompatible" if kind == "wrong hook API" else "failed")
    assert reason in record.reason
    assert "\n" not in record.reason
    assert record.object is None
    assert kernel.plugins.manager.get_plugin("suspect") is None
    assert kernel.plugins.manager.hook.pamola_check_plan.get_hookimpls() == []

    with pytest.raises(PluginError) as refused:
        kernel.run(Steps(Nothing))
    assert "plugin suspect" in str(refused.value)
    assert record.reason in str(refused.value)
    assert "--no-plugin suspect" in str(refused.value)

    without = Kernel(autoload=False, plugins=memory_plugins(), modules=[file], disable=["suspect"])
    assert without.plugins["suspect"].status == "blocked"
    outcome = without.run(Steps(Nothing))
    assert outcome.success
    assert outcome.record.overrides == ["plugin suspect was left out on purpose"]


def test_a_syntax_error_names_file_and_line(tmp_path: Path) -> None:
    kernel = Kernel(autoload=False, plugins=[PlainRedactionPlugin()], modules=[plugin_file(tmp_path, "def broken(:\n")])
    assert "suspect.py" in kernel.plugins["suspect"].reason
    assert "line 5" in kernel.plugins["suspect"].reason


def test_a_name_used_twice_fails_the_second_and_keeps_the_first(tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    first, second = plugin_file(tmp_path, ""), plugin_file(tmp_path / "other", "")
    plugins = Kernel(autoload=False, modules=[first, second]).plugins
    assert [record.status for record in plugins.records] == ["loaded", "failed"]
    assert plugins.broken[0].reason == "the name 'suspect' is used by suspect already"
    assert plugins["suspect"].status == "loaded"
    assert len(plugins.manager.hook.pamola_check_plan.get_hookimpls()) == 1


def test_one_module_under_two_names_fails_the_second_and_keeps_the_first(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, "twice", {"one": "twice_plugin", "two": "twice_plugin"})
    (tmp_path / "twice_plugin.py").write_text(HEAD + GOOD_HOOK)
    monkeypatch.syspath_prepend(tmp_path)
    plugins = Plugins()
    for record in installed():
        if record.distribution == "twice":
            plugins.load(record)
    assert {record.name: record.status for record in plugins.records} == {"one": "loaded", "two": "failed"}
    assert plugins["one"].hooks == ["pamola_check_plan"]


@pytest.mark.parametrize("error", [RuntimeError("look away"), SystemExit(2)])
def test_a_property_that_raises_while_it_is_looked_at_fails_the_plugin(error: BaseException) -> None:
    class Shy:
        @property
        def settings(self) -> Any:
            raise error

        @hookimpl
        def pamola_check_plan(self, run: Any, plan: Any) -> str:
            return "no"

    kernel = kernel_of(Shy())
    assert kernel.plugins["Shy"].status == "failed"
    assert kernel.plugins.manager.hook.pamola_check_plan.get_hookimpls() == []


def test_a_plugin_whose_very_name_raises_fails_and_the_kernel_is_made_all_the_same() -> None:
    class Nameless:
        @property
        def PAMOLA_PLUGIN_NAME(self) -> str:
            raise RuntimeError("I have no name")

    kernel = kernel_of(Nameless())
    assert kernel.plugins["Nameless"].status == "failed"
    assert "I have no name" in kernel.plugins["Nameless"].reason


def test_ctrl_c_while_a_plugin_is_loaded_is_no_fault_of_the_plugin(tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt):
        Kernel(autoload=False, modules=[plugin_file(tmp_path, "raise KeyboardInterrupt\n")])


def test_a_plugin_that_implements_a_hook_twice_is_told_to_be_two() -> None:
    class Twice:
        @hookimpl
        def pamola_check_plan(self, run: Any) -> None: ...

        @hookimpl(specname="pamola_check_plan")
        def another(self, plan: Any) -> None: ...

    assert kernel_of(Twice()).plugins["Twice"].reason == "pamola_check_plan is implemented twice: use two plugins"


def test_a_hook_with_a_private_name_is_called_too(tmp_path: Path) -> None:
    source = "@hookimpl(specname='pamola_check_config')\ndef __refuse(config):\n    return 'no'\n"
    kernel = Kernel(autoload=False, modules=[plugin_file(tmp_path, source)])
    assert kernel.plugins["suspect"].hooks == ["pamola_check_config", "pamola_check_plan"]


def test_a_file_that_is_not_there_is_a_reason(tmp_path: Path) -> None:
    kernel = Kernel(
        autoload=False,
        plugins=[PlainRedactionPlugin()],
        modules=[str(tmp_path / "absent.py"), "no_such_package.plugin"],
    )
    assert "there is no Python file" in kernel.plugins["absent"].reason
    assert "No module named 'no_such_package'" in kernel.plugins["no_such_package.plugin"].reason


def test_a_plugin_that_turns_out_unusable_later_is_taken_out_whole() -> None:
    class Fine:
        @hookimpl
        def pamola_check_plan(self, run: Any, plan: Any) -> str:
            return "no"

    kernel = kernel_of(Fine())
    kernel.plugins.fail(kernel.plugins["Fine"], "its command is the name of another")
    assert kernel.plugins["Fine"].status == "failed"
    assert list(kernel.plugins["Fine"].hooks) == []
    with pytest.raises(PluginError, match="name of another"):
        kernel.run(Steps(Nothing))


def test_a_file_is_what_it_holds_now_though_size_and_time_are_as_they_were(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytecode that Python keeps would be that of the earlier text."""
    monkeypatch.setattr(sys, "dont_write_bytecode", False)
    file = tmp_path / "rules.py"
    for number in (10, 20):
        file.write_text(f"NUMBER = {number}\n")
        os.utime(file, (1_700_000_000, 1_700_000_000))
        module = module_from(file)
        assert number == module.NUMBER
        assert module.__file__ == str(file)
    assert [path.name for path in tmp_path.iterdir()] == ["rules.py"]


def test_modules_classes_and_instances_are_plugins_alike(tmp_path: Path) -> None:
    class AsClass:
        @staticmethod
        @hookimpl
        def pamola_check_config(config: Any) -> str:
            return "the class objects"

    module = module_from(Path(plugin_file(tmp_path, "PAMOLA_PLUGIN_NAME = 'named'\n")))
    kernel = kernel_of(AsClass, module)
    assert kernel.plugins["AsClass"].status == "loaded"
    assert kernel.plugins["named"].status == "loaded"


def test_a_file_becomes_a_module_of_the_same_name_in_every_process(tmp_path: Path) -> None:
    import subprocess

    file = plugin_file(tmp_path, "")
    code = f"import pathlib, pamola_tasks.plugins.discovery as p; print(p.module_from(pathlib.Path({file!r})).__name__)"
    names = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={"PYTHONPATH": ":".join(sys.path), "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert names == {module_from(Path(file)).__name__ + "\n"}


# ---------------------------------------------------------------- installed distributions


def distribution(site: Path, name: str, points: dict[str, str], version: str = "1.2") -> None:
    info = site / f"{name}-{version}.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n")
    lines = "".join(f"{point} = {target}\n" for point, target in points.items())
    (info / "entry_points.txt").write_text(f"[console_scripts]\nx = y:z\n\n[pamola_tasks]\n# a comment\n{lines}")


def test_installed_distributions_are_found_by_their_entry_points(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path, "Foreign_Checkpoints", {"foreign": "foreign_plugin"})
    (tmp_path / "foreign_plugin.py").write_text(HEAD + GOOD_HOOK)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.chdir(tmp_path)
    found = {record.name: record for record in installed()}
    assert found["foreign"].distribution == "foreign-checkpoints"
    assert found["foreign"].label == "foreign (foreign-checkpoints 1.2)"
    kernel = Kernel(tmp_path)
    assert kernel.plugins["foreign"].status == "loaded"
    blocked = Kernel(tmp_path, disable=["FOREIGN.checkpoints"])
    assert blocked.plugins["foreign"].status == "blocked"
    assert blocked.plugins.left_out() == ["plugin foreign (foreign-checkpoints 1.2) was left out on purpose"]


def test_an_entry_point_whose_object_is_missing_is_a_reason(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path, "hollow", {"hollow": "hollow_plugin:plugin", "gone": "gone_plugin"})
    (tmp_path / "hollow_plugin.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    kernel = Kernel.discover(tmp_path)
    assert "has no attribute 'plugin'" in kernel.plugins["hollow"].reason
    assert "No module named 'gone_plugin'" in kernel.plugins["gone"].reason
    with pytest.raises(PluginError, match=r"hollow \(hollow 1\.2\) failed"):
        kernel.run(Steps(Nothing))


def test_the_first_of_two_versions_on_the_path_counts_and_odd_folders_are_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    distribution(tmp_path / "a", "doubled", {"doubled": "m"}, "2.0")
    distribution(tmp_path / "b", "doubled", {"doubled": "m"}, "1.0")
    (tmp_path / "b" / "damaged-1.0.dist-info").mkdir()
    (tmp_path / "b" / "binary-1.0.dist-info").mkdir()
    (tmp_path / "b" / "binary-1.0.dist-info" / "entry_points.txt").write_bytes(b"\xff\xfe[pamola_tasks]")
    monkeypatch.setattr(sys, "path", [str(tmp_path / "a"), str(tmp_path / "b"), str(tmp_path / "absent")])
    assert [(r.name, r.version) for r in installed()] == [("doubled", "2.0")]


def test_remains_of_pip_are_passed_over_and_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of an interrupted upgrade or removal, of a folder named as setuptools of old did, of an egg, of a zip file."""
    site, egg = tmp_path / "site", tmp_path / "policy_f-1.0-py3.11.egg"
    for name, version in (("kept", "1.1"), ("policy-d", "1.1"), ("policy-e", "1.0"), ("twice", "1"), ("twice", "2")):
        distribution(site, name, {name: "m"}, version)
    (site / "kept-1.0.dist-info").mkdir()
    distribution(site, "halved", {"halved": "m"})
    (site / "halved-1.2.dist-info/METADATA").unlink()
    distribution(site, "~emoved", {"removed": "m"})
    distribution(egg, "policy_f", {"policy_f": "m"}, "1.0")
    (egg / "policy_f-1.0.dist-info").rename(egg / "EGG-INFO")
    (egg / "EGG-INFO/METADATA").rename(egg / "EGG-INFO/PKG-INFO")
    with zipfile.ZipFile(tmp_path / "odd.zip", "w") as file:
        file.writestr("odd-1.0.dist-info/METADATA", "Metadata-Version: 2.1\n")
        file.writestr("odd-1.0.dist-info/entry_points.txt", "[pamola_tasks]\nodd = m\n")
    monkeypatch.setattr(sys, "path", [str(site), str(egg), str(tmp_path / "odd.zip"), *sys.path])
    found = {r.name: (r.distribution, r.version) for r in installed() if r.target == "m"}
    assert found.pop("twice")[0] == "twice"
    assert found == {
        "kept": ("kept", "1.1"),
        "policy-d": ("policy-d", "1.1"),
        "policy-e": ("policy-e", "1.0"),
        "policy_f": ("policy-f", "1.0"),
    }
    told = "\n".join(path for path in leftovers() if str(tmp_path) in path)
    assert all(part in told for part in ("kept-1.0", "halved-1.2", "~emoved-1.2", "twice"))
    assert "policy" not in told


def test_what_is_installed_in_an_archive_is_found_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    distribution(tmp_path / "site", "zipped", {"zipped": "zipped_plugin"})
    archive = tmp_path / "all.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for path in (tmp_path / "site").rglob("*"):
            file.write(path, path.relative_to(tmp_path / "site"))
    from importlib import metadata

    assert metadata.version("pluggy"), "importlib imports what it needs before the path is another one"
    monkeypatch.setattr(sys, "path", [str(archive), str(archive)])
    assert [(r.name, r.distribution, r.version) for r in installed()] == [("zipped", "zipped", "1.2")]


def test_the_scan_finds_what_importlib_metadata_finds() -> None:
    from importlib import metadata

    expected = sorted((point.name, point.value) for point in metadata.entry_points(group="pamola_tasks"))
    assert sorted((record.name, record.target) for record in installed()) == expected


def test_names_of_distributions_are_compared_as_pep_503_says() -> None:
    assert normalized("Pamola.Tasks__Config") == "pamola-tasks-config"


# ---------------------------------------------------------------- .pamola.toml


def marked(folder: Path, text: str) -> Path:
    (folder / ".pamola.toml").write_text(text)
    return folder


def test_the_nearest_settings_file_upwards_says_what_is_left_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    below = tmp_path / "a" / "b"
    below.mkdir(parents=True)
    marked(tmp_path, '[plugins]\ndisable = ["suspect"]\n')
    monkeypatch.chdir(below)
    kernel = Kernel(autoload=False, modules=[plugin_file(tmp_path, "")])
    assert kernel.plugins["suspect"].status == "blocked"
    (tmp_path / "a" / ".pamolaProject").touch()
    assert PluginSettings(below).disable == (), "another project begins below"
    monkeypatch.setenv("PAMOLA_PROJECT_ROOT", str(tmp_path))
    assert PluginSettings(below).disable == ("suspect",)


def test_the_environment_leaves_plugins_out_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAMOLA_NO_PLUGINS", " suspect, other ,")
    assert PluginSettings(tmp_path).disable == ("suspect", "other")
    assert PluginSettings(marked(tmp_path, '[plugins]\ndisable = ["one"]\n')).disable == ("one", "suspect", "other")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("[plugins]\ndisabel = []\n", "plugins.disabel: unknown, did you mean 'disable'?"),
        ("[plugins]\nzzz = []\n", "plugins.zzz: unknown"),
        ("[plugins]\ndisable = 'config'\n", "plugins.disable: expected a list of names"),
        ("[plugins]\nrequire = [1]\n", "plugins.require: expected a list of names"),
        ("[plugins]\nprefer = ['a']\n", "plugins.prefer: expected a table"),
        ("[plugins]\nprefer = {executer = 'dask'}\n", "plugins.prefer.executer: services are"),
        ("[project]\nid = 1\n", "project: this file holds [plugins] and nothing else"),
        ("[plugins\n", ".pamola.toml"),
        ("plugins = 3\n", "plugins: expected a table"),
    ],
)
def test_a_settings_file_that_is_wrong_is_refused_with_file_and_key(tmp_path: Path, text: str, words: str) -> None:
    with pytest.raises(PluginError) as refused:
        Kernel(marked(tmp_path, text), autoload=False)
    assert words in str(refused.value)
    assert str(tmp_path / ".pamola.toml") in str(refused.value)


def test_a_preference_for_a_service_that_does_not_exist_is_refused_from_python_too() -> None:
    with pytest.raises(PluginError, match="executer"):
        Kernel(autoload=False, prefer={"executer": "dask"})


def test_a_required_plugin_that_is_missing_keeps_data_from_being_touched(tmp_path: Path) -> None:
    marked(tmp_path, '[plugins]\nrequire = ["guardian"]\n')
    kernel = Kernel(tmp_path, autoload=False, plugins=memory_plugins())
    with pytest.raises(PluginError, match="plugin 'guardian' is required"):
        kernel.run(Steps(Nothing))

    class Guardian:
        PAMOLA_PLUGIN_NAME = "guardian"

    assert Kernel(tmp_path, autoload=False, plugins=[*memory_plugins(), Guardian()]).run(Steps(Nothing)).success
    blocked = Kernel(tmp_path, autoload=False, plugins=[*memory_plugins(), Guardian()], disable=["guardian"])
    with pytest.raises(PluginError, match="required"):
        blocked.run(Steps(Nothing))


def test_an_empty_name_to_leave_out_leaves_nothing_out() -> None:
    assert assemble(None, autoload=False, plugins=memory_plugins(), disable=[""]).broken == []
    assert Kernel(autoload=False, plugins=memory_plugins(), disable=[""]).plugins.left_out() == []


# ---------------------------------------------------------------- words


def test_plugins_report_what_they_are_for_people_and_machines() -> None:
    plugins = kernel_of().plugins
    rows = {row["name"]: row for row in plugins.report()}
    assert rows["memory-executor"]["services"] == ["executor"]
    assert rows["memory-executor"]["hooks"] == ["pamola_provide_executor"]
    assert rows["memory-executor"]["status"] == "loaded"
    assert repr(plugins["memory-executor"]) == "PluginRecord(memory-executor, loaded)"
    assert PluginRecord("a", "m", "d", "1").label == "a (d 1)"


def test_the_kernels_own_name_cannot_be_taken() -> None:
    class Usurper:
        PAMOLA_PLUGIN_NAME = "pamola-tasks"

    kernel = kernel_of(Usurper())
    assert kernel.plugins["pamola-tasks"].status == "failed"
    assert "the kernel's own" in kernel.plugins["pamola-tasks"].reason
    assert kernel_of().run(Steps(Nothing)).success


def test_a_module_that_is_an_installed_plugin_goes_by_its_entry_points_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import importlib

    distribution(tmp_path, "brought", {"its-name": "brought_plugin"})
    (tmp_path / "brought_plugin.py").write_text(HEAD)
    monkeypatch.syspath_prepend(tmp_path)
    kernel = kernel_of(importlib.import_module("brought_plugin"))
    assert kernel.plugins["its-name"].distribution == "brought"


@pytest.mark.skipif(os.name != "posix", reason="needs symbolic links and named pipes")
def test_a_marker_that_is_no_file_is_refused_because_it_may_have_required_something(tmp_path: Path) -> None:
    (tmp_path / ".pamolaProject").touch()
    marker = tmp_path / ".pamola.toml"
    for make in (os.mkfifo, os.mkdir, partial(os.symlink, "/dev/zero"), partial(os.symlink, "none")):
        make(marker)
        with pytest.raises(PluginError, match="not a regular file"):
            Kernel(tmp_path, autoload=True)
        marker.rmdir() if marker.is_dir() else marker.unlink()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"[plugins]\ndisable = [1, 2\n", r"\.pamola\.toml.*Unclosed array"),
        (b"[plugins]\ndisable = \n", r"\.pamola\.toml:2:11: Invalid value"),
        (b"a = " + b"[" * 3500 + b"]" * 3500, r"\.pamola\.toml: it cannot be read as TOML"),
        (b"a = " + b"9" * 8_000, r"\.pamola\.toml: it cannot be read as TOML"),
        (b"# " + b"x" * 20_000, r"\.pamola\.toml: larger than 8 KiB"),
        (b"a = '\xff'", r"\.pamola\.toml: not UTF-8"),
        (b".".join([b"a"] * 4000) + b" = 1", r"\.pamola\.toml"),
    ],
)
def test_a_hostile_file_of_plugin_settings_is_refused_in_words_and_at_once(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / ".pamola.toml").write_bytes(content)

    def load() -> None:
        with pytest.raises(PluginError, match=said):
            Kernel(tmp_path, autoload=True)

    assert calls(load) < 20 * 8 * 1024  # some calls for each byte of the largest file that is read
