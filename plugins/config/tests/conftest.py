"""Projects made of real files, behind the real guard."""

from __future__ import annotations

import os
import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import pytest

from pamola_tasks import BaseTask, Kernel, Secret, hookimpl
from pamola_tasks.protocols import RunOptions
from pamola_tasks_config import plugin as config_plugin
from pamola_tasks_config.task_config import TaskConfig
from pamola_tasks_data import plugin as data_plugin
from pamola_tasks_dependencies import plugin as dependencies_plugin
from pamola_tasks_directories import plugin as directories_plugin
from pamola_tasks_redaction import plugin as redaction_plugin

paths_plugin = pytest.importorskip("pamola_tasks_paths.plugin", reason="needs the paths plugin as its guard")


@pytest.fixture(autouse=True)
def _clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """No variable and no key of the person who runs the tests takes part."""
    monkeypatch.setenv("HOME", str(tmp_path_factory.mktemp("home")))
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    for name in list(os.environ):
        if name.startswith("PAMOLA_"):
            monkeypatch.delenv(name)


class Stated(BaseTask):
    """A task whose class states what a test says."""

    def __init__(self, task_id: str, stated: Mapping[str, Any]) -> None:
        super().__init__(task_id)
        self._given = dict(stated)

    def get_default_config(self) -> dict[str, Any]:
        return self._given


@attrs.frozen(kw_only=True)
class CohortSettings:
    """The section of a plugin that tests bring."""

    seed: int = 0
    formats: list[str] = attrs.Factory(list)
    token: Secret | None = None
    share: float = attrs.field(default=0.5, validator=attrs.validators.le(1))


def plugin_with_settings(name: str, cls: type = CohortSettings) -> Any:
    """A plugin that owns a section."""

    class Plugin:
        @hookimpl
        def pamola_add_settings(self) -> type:
            return cls

    plugin = Plugin()
    plugin.__name__ = name  # type: ignore[attr-defined]
    return plugin


def plugin_with_secrets(secrets: Mapping[str, str]) -> Any:
    """A plugin that knows secrets."""

    class Plugin:
        @hookimpl
        def pamola_find_secret(self, name: str) -> str | None:
            return secrets.get(name)

    return Plugin()


class Home:
    """A project in a folder, and configurations made from it."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.plugins: list[Any] = []

    def owns_section(self, name: str, cls: type = CohortSettings) -> None:
        """From now on a plugin of this name has settings."""
        self.plugins.append(plugin_with_settings(name, cls))

    def knows(self, secrets: Mapping[str, str]) -> None:
        """From now on a plugin knows these secrets."""
        self.plugins.append(plugin_with_secrets(secrets))

    def write(self, name: str, text: str | bytes) -> Path:
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(text if isinstance(text, bytes) else textwrap.dedent(text).encode())
        return path

    @property
    def kernel(self) -> Kernel:
        ours = [config_plugin, data_plugin, dependencies_plugin, directories_plugin, paths_plugin, redaction_plugin]
        return Kernel(self.root, autoload=False, plugins=[*ours, *self.plugins])

    def config(self, task: Any = "t_1", **overrides: Any) -> TaskConfig:
        """The configuration of a task: by id, with nothing stated, or a task; None for the project's."""
        from pamola_tasks.lifecycle import RunSession

        made = Stated(task, {}) if isinstance(task, str) else task
        kernel = self.kernel
        if made is not None:
            made.kernel = kernel
        options = RunOptions(overrides={key.replace("__", "."): value for key, value in overrides.items()})
        config = RunSession(kernel, made, options, runs=False).bring_up("config").config
        assert isinstance(config, TaskConfig)
        return config

    def problems(self, task: Any = "t_1", **overrides: Any) -> list[str]:
        """What is wrong with a configuration."""
        from pamola_tasks.errors import ConfigurationError

        with pytest.raises(ConfigurationError) as caught:
            self.config(task, **overrides)
        return list(caught.value.problems)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    made = Home(tmp_path)
    made.write(".pamola.toml", "")
    return made


@pytest.fixture
def stated() -> Callable[..., Stated]:
    def make(task_id: str = "t_1", **values: Any) -> Stated:
        return Stated(task_id, values)

    return make
