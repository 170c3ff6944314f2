"""What is told of a run: log lines, the history, progress, the report."""

import json
import logging
from pathlib import Path

import attrs

from pamola_tasks.record import rfc3339


class Handler(logging.Handler):
    def __init__(self, run):
        super().__init__()
        self.files, self.path = run.files, f"{run.places.of(run.record.task_id).directories['logs']}/toy.log"

    def emit(self, record):
        with self.files.append(self.path) as file:
            file.write(f"{record.levelname} {record.getMessage()}\n".encode())


class Logging:
    def __init__(self, run):
        self.handlers = [Handler(run)]

    def close(self):
        pass


class History:
    path = "BENCH/history.jsonl"

    def __init__(self, files):
        self.files = files

    def add(self, entry):
        with self.files.append(self.path) as file:
            file.write(json.dumps(entry).encode() + b"\n")

    def run_started(self, run):
        self.add(self.entry(run))

    def step_finished(self, run, step, status, seconds):
        pass

    def run_finished(self, run):
        record = run.record
        files = {"input_files": record.inputs, "output_files": record.outputs}
        listed = {key: [attrs.asdict(dataset) for dataset in found] for key, found in files.items()}
        self.add({**self.entry(run), "execution_time": record.seconds, "error": record.error, **listed})

    def entry(self, run):
        record = run.record
        return {
            "task_id": record.task_id,
            "task_run_id": run.id,
            "timestamp": rfc3339(record.started),
            "success": record.success,
            "status": record.status,
        }

    def records(self):
        """Newest first; of each run what it said last."""
        if not self.files.exists(self.path):
            return []
        with self.files.open_raw(self.path) as file:
            entries = [json.loads(line) for line in file]
        return list({entry["task_run_id"]: entry for entry in entries}.values())[::-1]

    def find_latest_execution(self, task_id, success_only=True):
        found = (e for e in self.records() if e["task_id"] == task_id and (e["success"] or not success_only))
        return next(found, None)


class Progress:
    def set_total_operations(self, total):
        pass

    def start_operation(self, name, total=0, description=None, unit="items", leave=False):
        pass

    def update_operation(self, name, steps=1, postfix=None):
        pass

    def set_operation_total(self, name, total, unit="items"):
        pass

    def complete_operation(self, name, success=True, metrics=None):
        pass

    def close(self):
        pass


class Reporter:
    """A page of its own kind, where `places` says that the report is."""

    def __init__(self, run):
        self.run, self.page = run, {"page": "toy", "entries": [], "artifacts": [], "numbers": {}}

    def add_operation(self, name, status="success", details=None):
        self.page["entries"].append([name, status])

    def add_artifact(
        self, artifact_type, path, description="", category="output", tags=None, group_name=None, metadata=None
    ):
        self.page["artifacts"].append(str(path))

    def add_metric(self, name, value):
        self.page["numbers"][name] = value

    def add_task_summary(self, success, execution_time=None, metrics=None, error_info=None, encryption=None):
        self.page["success"] = success

    def generate_report(self):
        return dict(self.page)

    def save_report(self):
        place = self.run.places.of(self.run.record.task_id)
        text = json.dumps(self.run.redact.value(self.page))
        for name in (place.report(), place.report(self.run.id)):
            self.run.files.write(name, text, "report")
        return Path(self.run.files.root / place.report())
