"""What `pamola-task new task` writes."""

from __future__ import annotations

TASK_FILE = """\
# Run it with:
#     pamola-task run {name}
task_id: {name}
task_type: analysis
description: {description}
input_datasets:
  data: {data}
operations:
  - ProfileOperation:
      dataset_name: data
      output_prefix: {name}
"""

TASK_CLASS = '''\
"""The task {name}: run it with `pamola-task run {name}`."""

from pamola_tasks import BaseTask


class {cls}(BaseTask):
    """{description}."""

    def __init__(self):
        super().__init__(
            task_id="{name}",
            task_type="analysis",
            description="{description}",
            input_datasets={{"data": "{data}"}},
        )

    def configure_operations(self):
        self.add_operation("ProfileOperation", dataset_name="data", output_prefix="{name}")


if __name__ == "__main__":
    task = {cls}()
    print("succeeded" if task.run() else f"failed: {{task.error_info['message']}}")
'''

CLASS_CONFIG = """\
# Where the task {name} is written, and what overrules what its class states.
task_id: {name}
task_type: analysis
description: {description}
task_class: tasks/{name}.py:{cls}
"""

TEST = '''\
"""The task {name} does what it says. Run with `pytest` from the project's root."""

import shutil
from pathlib import Path

from pamola_tasks import Kernel

PROJECT = Path(__file__).resolve().parent.parent


def test_{function}_succeeds_and_leaves_a_report(tmp_path):
    ignored = shutil.ignore_patterns("processed", "reports", "logs", ".git", ".venv", "execution_log*")
    project = shutil.copytree(PROJECT, tmp_path / "project", ignore=ignored)
    outcome = Kernel.discover(project=project).run("{name}")
    assert outcome.status == "success", outcome.error
    assert outcome.report.is_file()
    assert len(outcome.results) == 1
'''
