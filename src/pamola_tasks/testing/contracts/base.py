"""What all contracts share: a project, a kernel with the plugin under test, its events, and faults."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pamola_tasks.kernel import Kernel
from pamola_tasks.parameters import unknown_name
from pamola_tasks.plugins.discovery import record_for, resolve
from pamola_tasks.plugins.structure import unlike
from pamola_tasks.protocols import RunOptions, RunServices
from pamola_tasks.testing.contracts.faults import Events, Faults
from pamola_tasks.testing.contracts.steps import MARKER, ContractTask, Copy

if TYPE_CHECKING:
    from pamola_tasks.outcome import Outcome
    from pamola_tasks.protocols import KernelView

PEOPLE = [{"name": f"{MARKER}{number}", "age": 20 + number} for number in range(6)]


class Contract:
    """Fixtures for tests of plugins; inherit a class below it rather than this one.

    Attributes:
        plugin: The plugin under test: the name of an installed one, or a module, class or object.
        autoload: Whether the installed plugins are loaded beside it.
        configuration: Configuration of the runs, by dotted key.
    """

    plugin: ClassVar[Any] = None
    autoload: ClassVar[bool] = True
    configuration: ClassVar[Mapping[str, Any]] = {}

    @classmethod
    def cases(cls, kernel: KernelView, plugin: str) -> dict[str, dict[str, Any]]:
        """What of a plugin is held to the contract: attributes of the class, by a name for people (empty for one)."""
        return {"": {}}

    @pytest.fixture
    def project(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        """A project with the table `people.json`, in an environment without settings of ours and an empty home."""
        for name in [name for name in os.environ if name.startswith("PAMOLA_")]:
            monkeypatch.delenv(name)
        for name in ("HOME", "XDG_DATA_HOME", "XDG_STATE_HOME"):
            monkeypatch.setenv(name, str(tmp_path / "home"))
        (tmp_path / "home").mkdir(0o700, exist_ok=True)
        return self.new_project(tmp_path / "project")

    def new_project(self, root: Path) -> Path:
        """Make a project with what its runs need."""
        root.mkdir(0o700)
        (root / ".pamola.toml").touch(0o600)
        self.prepare(root)
        return root

    def prepare(self, project: Path) -> None:
        """Write what runs of a new project need: the table."""
        (project / "people.json").write_text(json.dumps(PEOPLE))

    @pytest.fixture
    def neighbours(self) -> list[Any]:
        """Further plugins of the kernel, beside the installed ones and the one under test."""
        return []

    def extras(self) -> list[Any]:
        """Plugins that the contract itself needs."""
        return []

    @pytest.fixture
    def events(self) -> Events:
        """What happened in the runs."""
        return Events()

    @pytest.fixture
    def faults(self) -> Faults:
        """What goes wrong, when asked."""
        return Faults()

    @pytest.fixture
    def new_kernel(self, project: Path, neighbours: list[Any], events: Events, faults: Faults) -> Callable[..., Kernel]:
        """Makes a kernel for the project, or another one, as another process would have it."""

        def make(folder: Path = project) -> Kernel:
            under_test = [] if self.plugin is None or isinstance(self.plugin, str) else [self.plugin]
            beside = [each for each in (*neighbours, *self.extras()) if each not in under_test]
            plugins = [*beside, *under_test, events, faults]
            kernel = Kernel(folder, autoload=self.autoload, plugins=plugins)
            if self.plugin is not None:
                known = sorted(each.name for each in kernel.plugins.records)
                if isinstance(self.plugin, str) and self.plugin not in known:
                    pytest.fail(f"{unknown_name(self.plugin, known, 'plugin')}; install it, or give its module")
                record = kernel.plugins[self.plugin if under_test == [] else record_for(self.plugin).name]
                assert record.status == "loaded", f"plugin {record.label} is {record.status}: {record.reason}"
                chosen = kernel.plugins
                provides = [service for service in chosen.services if record in chosen.offering(service)]
                chosen.prefer.update(dict.fromkeys(provides, record.name))
                chosen.require = (*chosen.require, record.name)  # so that what it wraps is wrapped
            return kernel

        return make

    @pytest.fixture
    def kernel(self, new_kernel: Callable[..., Kernel]) -> Kernel:
        """A kernel with the plugin under test."""
        return new_kernel()

    def options(self, **more: Any) -> RunOptions:
        """What is asked for a run: nothing on the terminal."""
        overrides = {**self.configuration, **more.pop("overrides", {})}
        return RunOptions(console=False, quiet=True, overrides=overrides, **more)

    def run(self, kernel: Kernel, *steps: Any, task: Any = None, success: bool = True, **more: Any) -> Outcome:
        """Run a task of these steps (`Copy` where none are given) and look whether it went as it should."""
        made = task or ContractTask(*(steps or (Copy,)))
        outcome = kernel.run(made, options=self.options(**more))
        assert outcome.success is success, f"the run ended with {outcome.status}: {outcome.record.error}"
        return outcome


class ServiceContract(Contract):
    """What holds for the provider of any service.

    Attributes:
        service: The service.
        last: The service up to which `services` brings them up, where that is a later one.
    """

    service: ClassVar[str]

    @pytest.fixture
    def services(self, kernel: Kernel) -> RunServices:
        """The services of a task that is looked at and not run, up to the one under test."""
        return self.look(kernel)

    def look(self, kernel: Kernel, task: Any = None, **more: Any) -> RunServices:
        """Services of a task, up to the one under test."""
        return kernel.services(task or ContractTask(Copy), upto=self.service, options=self.options(**more))

    def provided(self, kernel: Kernel) -> Any:
        """What the plugin under test gives."""
        return getattr(self.look(kernel), self.service)

    def test_it_is_what_its_protocol_says(self, kernel: Kernel) -> None:
        """It has every method and attribute of its protocol, with the parameters that these have."""
        protocol = kernel.plugins.services[self.service].protocol
        found = unlike(
            resolve(protocol) if isinstance(protocol, str) else protocol, self.provided(kernel), self.service
        )
        assert not found, "; ".join(found)
