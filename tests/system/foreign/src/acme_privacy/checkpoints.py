"""Checkpoints in one JSON file."""

import json

from pamola_tasks_checkpoints import RunCheckpoints, from_entry, to_entry


class ListedCheckpoints(RunCheckpoints):
    def __init__(self, run):
        super().__init__(run)
        self._files = run.files
        self._path = run.directories.get_directory("state") / "acme.json"

    def load(self):
        if not self._files.exists(self._path):
            return {}
        return {e["step_id"]: from_entry(e) for e in json.loads(self._files.read(self._path, "state"))}

    def verify(self, saved):
        return [f"{o.path} changed" for o in saved.outputs if self._files.sha256(o.path) != o.sha256]

    def save(self, saved):
        kept = {**self.load(), saved.step_id: saved}
        self._files.write(self._path, json.dumps([to_entry(s) for s in kept.values()]), "state")

    def clear(self):
        self._files.unlink(self._path, missing_ok=True)
