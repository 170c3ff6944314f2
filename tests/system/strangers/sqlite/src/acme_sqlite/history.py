"""A row for each run, written at its start and again at its end."""

import contextlib
import json
import os
import sqlite3

from pamola_tasks.record import rfc3339

TABLE = """
CREATE TABLE IF NOT EXISTS runs (
    number INTEGER PRIMARY KEY, run TEXT UNIQUE, task TEXT, success INTEGER, record TEXT
)"""
WRITE = """
INSERT INTO runs (run, task, success, record) VALUES (?, ?, ?, ?)
ON CONFLICT (run) DO UPDATE SET success = excluded.success, record = excluded.record"""


class SqliteHistory:
    def __init__(self, path):
        self.path = path

    @contextlib.contextmanager
    def opened(self):
        os.close(os.open(self.path, os.O_CREAT | os.O_RDWR, 0o600))
        with contextlib.closing(sqlite3.connect(self.path, timeout=30)) as database, database:
            database.execute(TABLE)
            yield database

    def run_started(self, run):
        self.write(run, {})

    def step_finished(self, run, step, status, seconds):
        pass

    def run_finished(self, run):
        record = run.record
        facts = {"execution_time": record.seconds, "error": record.error}
        for key, datasets in (("input_files", record.inputs), ("output_files", record.outputs)):
            facts[key] = [{"path": d.path, "sha256": d.sha256, "bytes": d.bytes} for d in datasets]
        self.write(run, facts)

    def write(self, run, facts):
        record = run.record
        entry = {
            "task_id": record.task_id,
            "task_run_id": run.id,
            "timestamp": rfc3339(record.started),
            "success": record.success,
            "status": record.status,
            **facts,
        }
        with self.opened() as database:
            database.execute(WRITE, (run.id, record.task_id, bool(record.success), json.dumps(entry)))

    def records(self):
        with self.opened() as database:
            return [json.loads(row) for (row,) in database.execute("SELECT record FROM runs ORDER BY number DESC")]

    def find_latest_execution(self, task_id, success_only=True):
        query = "SELECT record FROM runs WHERE task = ? AND success >= ? ORDER BY number DESC LIMIT 1"
        with self.opened() as database:
            found = database.execute(query, (task_id, int(success_only))).fetchone()
        return json.loads(found[0]) if found else None
