"""What `pamola-task new operation`, `new plugin` and `new pack` write."""

from __future__ import annotations

OPERATION = '''\
"""The operation {cls}."""

from pamola_tasks import Operation, OperationContext, OperationResult, {hookimpl}reads, writes


class {cls}(Operation):
    """Write the texts of some columns in capitals: put your own work in its place.

    Args:
        input_dataset: The table.
        output_dataset: What the result is called.
        fields: The columns.
    """

    input_dataset: str = reads()
    output_dataset: str = writes("{{input}}_{module}")
    fields: list[str]

    version = "1.0"  # change it when the result changes: steps are then run again

    def execute(self, ctx: OperationContext) -> OperationResult:
        frame = ctx.data.frame(self.input_dataset)
        for field in self.fields:
            frame[field] = frame[field].str.upper()
        ctx.data.write(self.output_dataset, frame)
        return OperationResult.success(metrics={{"records": len(frame)}})
'''

OPERATION_HOOK = """

@hookimpl
def pamola_add_operations():
    return {{"{cls}": {cls}}}
"""

OPERATION_TEST = '''\
"""{cls} does what it says."""

{imports}
from pamola_tasks import BaseTask, Kernel
from pamola_tasks.testing import memory_plugins
{constant}

class Task(BaseTask):
    def configure_operations(self):
        self.add_operation("{cls}", input_dataset="people", fields=["name"])


def test_texts_of_the_columns_named_are_in_capitals():
    kernel = Kernel(autoload=False, {plugins})
    people = pd.DataFrame({{"name": ["Ann", "Bob"], "city": ["Ulm", "Rome"]}})
    outcome = kernel.run(Task("t_1"), datasets={{"people": people}})
    assert outcome.status == "success", outcome.error
    made = outcome.datasets["people_{module}"]
    assert made["name"].tolist() == ["ANN", "BOB"]
    assert made["city"].tolist() == ["Ulm", "Rome"]
'''

PYPROJECT = """\
[build-system]
requires = ["hatchling"]
build-backend = "hatchling.build"

[project]
name = "{name}"
version = "0.1.0"
description = "{description}"
readme = "README.md"
requires-python = ">=3.11"
dependencies = ["pamola-tasks"{more}]

[project.entry-points.pamola_tasks]
{name} = "{package}.plugin"

[tool.hatch.build.targets.wheel]
packages = ["src/{package}"]

[tool.pytest.ini_options]
testpaths = ["tests"]
pythonpath = ["src"]
"""

PLUGIN_README = """\
# {name}

Refuses a release with a small *k*: `pamola_check_plan` objects to a step that asks for less than 5.
"""

PLUGIN = '''\
"""What this plugin adds. `pamola-task hooks` lists every hook."""

from pamola_tasks import hookimpl

PAMOLA_HOOK_API = 1
LEAST_K = 5


@hookimpl
def pamola_check_plan(run, plan):
    """Object to a release with a small k."""
    for step in plan:
        k = getattr(step.operation, "k", LEAST_K)
        if k < LEAST_K:
            yield f"step {{step.id}} asks for k={{k}}; {{LEAST_K}} is the least"
'''

PLUGIN_TEST = '''\
"""A small k is forbidden."""

from {package} import plugin
from pamola_tasks import BaseTask, Kernel, Operation, OperationResult
from pamola_tasks.testing import memory_plugins


class Release(Operation):
    k: int

    def execute(self, ctx):
        return OperationResult.success()


class Task(BaseTask):
    def __init__(self, k):
        super().__init__("t_1")
        self.k = k

    def configure_operations(self):
        self.add_operation(Release, k=self.k)


def test_a_small_k_is_refused_and_a_larger_one_is_not():
    kernel = Kernel(autoload=False, plugins=[*memory_plugins(), plugin])
    refused = kernel.run(Task(4))
    assert "asks for k=4; 5 is the least" in str(refused.error)
    assert kernel.run(Task(5)).success
'''

PACK_README = """\
# {name}

Operations for pamola-tasks: `{cls}` writes texts in capitals.
"""

PACK = '''\
"""What this plugin adds: operations."""

from pamola_tasks import hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_operations():
    return {{"{cls}": "{package}.{module}:{cls}"}}  # imported when it is used
'''
