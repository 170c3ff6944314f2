"""The contract of the configuration: who wins, what holds where nothing is said, and where each value came from."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from pamola_tasks.protocols import RawValue
from pamola_tasks.testing.contracts.base import ServiceContract
from pamola_tasks.testing.contracts.steps import ContractTask, Copy

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel


class ConfigContract(ServiceContract):
    """What `Config` promises."""

    service = "config"

    def config(self, kernel: Kernel, stated: dict[str, Any] | None = None, **overrides: Any) -> Any:
        """The configuration of a task that states something, under what the caller asks for."""
        return self.look(kernel, ContractTask(Copy, configuration=stated), overrides=overrides).config

    def test_the_caller_overrides_the_task(self, kernel: Kernel) -> None:
        """What the caller asks for overrides what the task's class states, which overrides the default."""
        assert self.config(kernel, {"seed": 3}).seed == 3
        assert self.config(kernel, {"seed": 3}, seed=7).seed == 7

    def test_what_is_not_stated_has_its_default(self, kernel: Kernel) -> None:
        """A key that no layer states has the default of the reference, each time a new one."""
        config = self.config(kernel)
        assert (config.output_format, config.chunk_size, config.encryption_mode) == ("csv", 100_000, "none")
        assert (config.dependencies, config.use_encryption, config.seed) == ([], False, None)
        config.dependencies.append("t_1")
        assert self.config(kernel).dependencies == []

    def test_typed_text_is_read(self, kernel: Kernel) -> None:
        """Text as it was typed (`RawValue`) becomes a value of the key's type."""
        config = self.config(kernel, seed=RawValue("7"), continue_on_error=RawValue("true"))
        assert (config.seed, config.continue_on_error) == (7, True)

    def test_dotted_keys_are_found(self, kernel: Kernel) -> None:
        """`get` takes dotted keys, and gives the default where there is none."""
        config = self.config(kernel)
        assert config.get("input_datasets.people") == "people.json"
        assert config.get("output_format") == "csv"
        assert config.get("never.there", 5) == 5

    def test_it_says_where_values_came_from(self, kernel: Kernel) -> None:
        """`origins` gives for a key the value, the layer that won, and those that it overrides."""
        found = self.config(kernel, {"seed": 3}, seed=7).origins()["seed"]
        assert found.value == 7
        assert found.layer
        assert 3 in [each.value for each in found.overridden]

    def test_it_can_be_written_down(self, kernel: Kernel) -> None:
        """`to_dict` gives every value, nested, as JSON has it."""
        found = self.config(kernel, seed=7).to_dict()
        assert json.loads(json.dumps(found, default=str))["seed"] == 7
        assert found["input_datasets"] == {"people": "people.json"}

    def test_problems_name_what_they_are_about(self, kernel: Kernel) -> None:
        """`problem_at` gives the message with the key that it is about."""
        said = self.config(kernel, {"seed": 3}).problem_at(["seed"], "is odd")
        assert "seed" in said
        assert "is odd" in said

    def test_encryption_has_a_mode(self, kernel: Kernel) -> None:
        """`encryption_mode` is `simple` where `use_encryption` is on and nothing else was said."""
        assert self.config(kernel, use_encryption=True).encryption_mode == "simple"
