"""Lists and mappings of a run's configuration are not changed in place, by nobody, and read as they always did."""

from __future__ import annotations

import copy
import json
import pickle

import pytest

from pamola_tasks.errors import ConfigurationError
from pamola_tasks_config.freezing import FrozenDict, FrozenList, frozen

WAYS = {
    "a list": "config.outputs.append('x')",
    "a part of a list": "config.dependencies[:] = ['x']",
    "a mapping": "config.input_datasets['x'] = 'DATA/raw/example.csv'",
    "a mapping, by update": "config.input_datasets.update(people='/etc/passwd')",
    "folders outside": "config.allowed_external_paths.append('/')",
    "its own parameter": "config.limits['deep'][0]['k'] = 1",
    "all parameters": "config.parameters['use_encryption'] = True",
    "a section": "config.plugin('encryption').recipients.append('age1x')",
    "a section, by its name": "config.get('data.unverified_inputs').append('people')",
    "a section's values": "config.plugin('logs').level = 'DEBUG'",
    "what it was made of": "run.layers[0].values['use_encryption'] = False",
    "in the middle": "config.operations[0].clear()",
    "added to": "config.operations += [1]",
}
PLUGIN = """
from pamola_tasks import hookimpl
PAMOLA_HOOK_API = 1
@hookimpl
def pamola_on_run_started(run):
    config = run.config
    {way}
"""


@pytest.mark.parametrize("way", WAYS)
def test_a_plugin_changes_nothing_in_place(cli, project, way):
    (project / "changes.py").write_text(PLUGIN.format(way=WAYS[way]))
    with (project / "configs/example.yaml").open("a") as task:
        task.write("limits: {deep: [{k: 10}]}\n")
    done = cli("--plugin", "changes.py", "-v", "run", "example", cwd=project)
    report = json.loads((project / "DATA/reports/example_report.json").read_text())
    failures = json.dumps(report["observer_failures"])
    assert "cannot be changed" in failures or "FrozenInstanceError" in failures, (done.stderr, failures)
    assert "Traceback" not in done.stderr


def test_what_is_frozen_reads_as_before_and_a_copy_can_be_changed():
    usual = {"a": [1, [2, {"b": [3]}]], "c": ({"d": [4]},)}
    made = frozen(usual)
    assert made == usual
    assert json.loads(json.dumps(made)) == json.loads(json.dumps(usual))
    assert isinstance(made, dict)
    assert isinstance(made["a"], list)
    for again in (copy.deepcopy(made), pickle.loads(pickle.dumps(made))):
        assert again == usual
        again["a"][1][1]["b"].append(5)
    assert [*copy.copy(made["a"]), 6] == [*usual["a"], 6]
    assert sorted(FrozenList([3, 1])) == [1, 3]
    assert made == usual
    for change in (
        lambda: made.popitem(),
        lambda: made.setdefault("x", 1),
        lambda: made["a"].sort(),
        lambda: made["a"].__imul__(2),
        lambda: made["c"][0]["d"].pop(),
        lambda: FrozenDict().__ior__({"x": 1}),
    ):
        with pytest.raises(ConfigurationError, match=r"change a copy \((list|dict)\(…\)\)"):
            change()
