"""One object for each finished step, named so that a listing gives them in the order in which they finished."""

import json

from acme_bucket.store import Bucket
from pamola_tasks_checkpoints import RunCheckpoints, from_entry, to_entry


class BucketCheckpoints(RunCheckpoints):
    def __init__(self, run):
        super().__init__(run)
        asked = run.options.enable_checkpoints
        self.enabled = run.config.enable_checkpoints if asked is None else asked
        self._files = run.files
        self._prefix = f"checkpoints/{run.record.task_id}/"
        self._bucket = Bucket(run.files.root / "bucket")

    def load(self):
        found = {}
        for key in self._bucket.keys(self._prefix) if self.enabled else ():
            saved = from_entry(json.loads(self._bucket.get(key)))
            found.pop(saved.step_id, None)
            found[saved.step_id] = saved
        return found

    def save(self, saved):
        if not self.enabled:
            return
        older = [key for key in self._bucket.keys(self._prefix) if key.endswith(f"/{saved.step_id}")]
        self._bucket.put(f"{self._prefix}{saved.time}/{saved.step_id}", json.dumps(to_entry(saved)).encode())
        for key in older:
            self._bucket.delete(key)

    def verify(self, saved):
        problems = []
        for output in saved.outputs:
            if not self._files.exists(output.path):
                problems.append(f"{output.path} is missing")
            elif self._files.sha256(output.path) != output.sha256:
                problems.append(f"{output.path} changed")
        return problems

    def clear(self):
        for saved in self.load().values():
            for output in saved.outputs:
                if output.kind == "intermediate":
                    self._files.unlink(output.path, missing_ok=True)
        for key in self._bucket.keys(self._prefix):
            self._bucket.delete(key)
