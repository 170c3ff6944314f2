"""`python -m pamola_tasks_dask.helper`: opens what is sealed for it, has attempts made, and seals what they answer.

A worker starts it, and it starts `python -m pamola_tasks_executor`. So what is in the work, the project's key too, is
never in the memory of the worker, which outlives the run. Standard input brings the name of an attempt and its sealed
work, one after the other; standard output takes the public key, and then what is said of each attempt: `ENDED` or
`SAID`, and a sealed reply. When the input ends, so does all that was begun.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from multiprocessing.connection import Connection, wait

from pamola_tasks_dask.sealing import Unsealing

SAID, ENDED = b"s", b"e"
_GRACE = 5.0  # seconds that attempts have to stop what they have begun


class Piped:
    """A module that runs as a process of its own, which takes and gives messages by its standard streams."""

    def __init__(self, module: str) -> None:
        command = [sys.executable, "-P", "-m", module]
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, start_new_session=True, bufsize=0
        )
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.outgoing = Connection(os.dup(self.process.stdin.fileno()), readable=False)
        self.incoming = Connection(os.dup(self.process.stdout.fileno()), writable=False)
        self.process.stdin.close()
        self.process.stdout.close()

    def send(self, message: bytes) -> None:
        with contextlib.suppress(ConnectionError):  # who receives finds that it died
            self.outgoing.send_bytes(message)

    def end(self, grace: float = _GRACE) -> int:
        """Have it stop what it does, and end; its exit code."""
        self.outgoing.close()
        try:
            code = self.process.wait(grace)
        except subprocess.TimeoutExpired:
            self.process.kill()
            code = self.process.wait()
        self.incoming.close()
        return code


def main() -> int:
    """Serve until there is no more; the exit code of what makes attempts."""
    os.umask(os.umask(0o077) | 0o077)
    with contextlib.suppress(ImportError, OSError):  # what is opened here is not written to a core dump
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, resource.getrlimit(resource.RLIMIT_CORE)[1]))
    incoming, outgoing = Connection(os.dup(0), writable=False), Connection(os.dup(1), readable=False)
    unsealing, attempts = Unsealing(), Piped("pamola_tasks_executor")
    try:
        outgoing.send_bytes(unsealing.public_key)
        while True:
            name = incoming.recv_bytes().decode()
            work, replies = unsealing.open(incoming.recv_bytes(), name)
            attempts.send(work)
            number, kind = 0, SAID
            while kind != ENDED:
                if incoming in wait([incoming, attempts.incoming]):
                    raise EOFError  # nothing comes before an attempt has ended
                state = attempts.incoming.recv_bytes()
                kind = ENDED if pickle.loads(state).name == "ended" else SAID
                outgoing.send_bytes(kind + replies.seal(number, state))
                number += 1
    except (EOFError, ConnectionError):
        code = attempts.end()
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main())
