"""Programs that run tasks: `Kernel`, its outcome, and the in-memory plugins for tests."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, assert_type

import pamola_tasks
from pamola_tasks import BaseTask, Findings, Kernel, OperationResult, Outcome
from pamola_tasks.protocols import RunOptions
from pamola_tasks.record import RunRecord
from pamola_tasks.testing import memory_plugins

kernel = Kernel.discover(project=Path())
assert_type(kernel, Kernel)
assert_type(Kernel("project", autoload=False, plugins=memory_plugins({"seed": 7})), Kernel)

outcome = kernel.run("release", overrides={"seed": 7}, datasets={"customers": object()}, restart=True)
assert_type(outcome, Outcome)
assert_type(outcome.success, bool)
assert_type(outcome.status, str)
assert_type(outcome.exit_code, int)
assert_type(outcome.results, Mapping[str, OperationResult])
assert_type(outcome.report, Path | None)
assert_type(outcome.error, BaseException | None)
assert_type(outcome.datasets, Mapping[str, Any])
assert_type(outcome.record, RunRecord)

kernel.run(BaseTask)
kernel.run(BaseTask("t_1", "analysis", "A task"), options=RunOptions(restart=True))

table = [{"age": 41}]  # of whatever kind: what comes back is of the same
safe, findings = pamola_tasks.anonymize(table, k=5, quasi_identifiers=["age"], suppression_limit=0.1)
assert_type(safe, list[dict[str, int]])
assert_type(findings, Findings)
assert_type(pamola_tasks.profile(table), Findings)
assert_type(pamola_tasks.risk(table, quasi_identifiers={"age"}), Findings)
assert_type(pamola_tasks.assess(table, sample=0.1), Findings)
assert_type(findings["loss"], Any)
assert_type(findings.warnings, list[str])
