"""Another interpreter for each attempt: what a queue of a cluster would be asked for is done with subprocess."""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from pamola_tasks.errors import OperationError
from pamola_tasks_executor import State


class Interpreters:
    def __init__(self):
        self._folder = tempfile.TemporaryDirectory()  # for this user alone, as work and answer are

    def submit(self, work):
        folder = Path(tempfile.mkdtemp(dir=self._folder.name))
        (folder / "work").write_bytes(work.data)
        command = [sys.executable, "-m", "pamola_tasks_executor", folder / "work", folder / "answer"]
        if os.environ.get("ACME_LOSES_WORK"):
            command = [sys.executable, "-c", "raise SystemExit(9)"]
        return folder, subprocess.Popen(command, cwd=work.root)

    def state(self, handle, wait):
        folder, process = handle
        try:
            code = process.wait(wait)
        except subprocess.TimeoutExpired:
            return State(name="running")
        if code:
            raise OperationError(f"the interpreter ended with exit code {code}")
        return State(name="ended", answer=(folder / "answer").read_bytes())

    def cancel(self, handle):
        handle[1].kill()
        handle[1].wait()

    def close(self):
        self._folder.cleanup()
