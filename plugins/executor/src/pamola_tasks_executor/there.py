"""What another interpreter runs: it does the work of steps, one after the other, for a run in another process.

The file is given to that interpreter as it is: Python 3.9 or newer and nothing else is needed, pyarrow and pandas where
tables are read or written. `messages` says what goes through the pipes.
"""

from __future__ import annotations

import contextlib
import importlib
import importlib.util
import io
import json
import logging
import operator
import os
import queue
import struct
import sys
import threading
import traceback
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

PROTOCOL = 1
MAGIC = b"PTW1"  # begins every message; then the lengths of its header (JSON) and of its body
_LENGTHS = struct.Struct(">IQ")
_PASSING = ("ConnectionError", "TimeoutError", "BlockingIOError", "InterruptedError")


class Channel:
    """Messages to and from the run; requests of several threads are answered one at a time."""

    def __init__(self, incoming: int, outgoing: int) -> None:
        self._incoming = os.fdopen(incoming, "rb")
        self._outgoing = os.fdopen(outgoing, "wb")
        self._sending, self._asking = threading.Lock(), threading.Lock()
        self.received: queue.SimpleQueue[tuple[dict[str, Any], bytes]] = queue.SimpleQueue()

    def listen(self) -> None:
        """Receive until the run ends, and end then, whatever is being done here."""
        with contextlib.suppress(Exception):
            while True:
                start = self._incoming.read(len(MAGIC) + _LENGTHS.size)
                if len(start) < len(MAGIC) + _LENGTHS.size or not start.startswith(MAGIC):
                    break
                header, body = (self._incoming.read(size) for size in _LENGTHS.unpack(start[len(MAGIC) :]))
                self.received.put((json.loads(header), body))
        os._exit(1)

    def send(self, kind: str, body: bytes = b"", **facts: Any) -> None:
        """Send a message."""
        header = json.dumps({"kind": kind, **facts}, default=_plain).encode()
        with self._sending:
            self._outgoing.write(MAGIC + _LENGTHS.pack(len(header), len(body)) + header)
            self._outgoing.write(body)
            self._outgoing.flush()

    def ask(self, kind: str, **facts: Any) -> tuple[dict[str, Any], bytes]:
        """Ask the run for something; where it refuses, it fails the step and ends this process."""
        with self._asking:
            self.send(kind, **facts)
            return self.received.get()


class Data:
    """The datasets of the step: what it reads comes from the run, what it writes is staged there."""

    def __init__(self, channel: Channel, work: dict[str, Any]) -> None:
        self._channel = channel
        self._reads = work["reads"]
        self._writing = threading.Lock()

    def names(self) -> list[str]:
        """The datasets that the step declares to read."""
        return list(self._reads)

    def has_dataset(self, name: str) -> bool:
        """Whether there is a dataset of this name now."""
        return bool(self._channel.ask("has", name=name)[0]["value"])

    def columns(self, name: str) -> list[str]:
        """Names of the columns."""
        return list(self._channel.ask("columns", name=name)[0]["value"])

    def schema(self, name: str) -> dict[str, str]:
        """Names of the columns and their dtypes as text, as the run has them."""
        return dict(self._channel.ask("schema", name=name)[0]["value"])

    def frame(self, name: str, columns: Sequence[str] | None = None) -> Any:
        """A table, or some columns of it, as a data frame of pandas."""
        return _table(self._channel.ask("frame", name=name, columns=columns)[1])

    def chunks(self, name: str, size: int | None = None, columns: Sequence[str] | None = None) -> Iterator[Any]:
        """A table in pieces of at most `size` rows."""
        number = self._channel.ask("chunks", name=name, size=size, columns=columns)[0]["value"]
        while True:
            header, body = self._channel.ask("next", number=number)
            if header["value"]:
                return
            yield _table(body)

    def write(self, name: str, frame: Any, *, format: str | None = None) -> None:
        """Write a dataset: a data frame, or an iterable of data frames with the same columns."""
        frames = [frame] if hasattr(frame, "columns") else frame
        with self._writing:
            self._channel.ask("write", name=name, format=format)
            for each in frames:
                self._channel.send("rows", _stream(each))
            self._channel.ask("written")


class Context:
    """What an operation may use over there: `ctx`, as far as it makes sense in another process."""

    def __init__(self, channel: Channel, work: dict[str, Any]) -> None:
        self.data = Data(channel, work)
        self.seed: int | None = work["seed"]
        self.step_id: str = work["step"]
        self.log_handler = _Handler(channel, work["log_level"])
        self.logger = logging.getLogger("pamola_tasks.step")
        self.logger.handlers[:] = [self.log_handler]
        self.logger.propagate = False
        self.logger.setLevel(work["log_level"])
        self._channel = channel

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(f"ctx.{name} is there in the process of the run only, not in another interpreter")

    @property
    def rng(self) -> Any:
        """Random numbers from the step's seed: a generator of numpy where it is installed, else a `random.Random`."""
        if "_rng" not in vars(self):
            try:
                self._rng = importlib.import_module("numpy").random.default_rng(self.seed)
            except ModuleNotFoundError:
                self._rng = importlib.import_module("random").Random(self.seed)
        return self._rng

    def progress(self, done: float, total: float | None = None, unit: str = "items") -> None:
        """Report how much is done."""
        self._channel.send("progress", done=done, total=total, unit=unit)

    def stage(self, name: str) -> None:
        """Begin a stage of the step."""
        self._channel.send("stage", name=str(name))

    def warn(self, message: str) -> None:
        """Warn the user, in log, summary and report."""
        self._channel.send("warn", message=str(message))

    def derive_key(self, purpose: str) -> bytes:
        """32 secret bytes for this purpose, from the project's key."""
        return self._channel.ask("key", purpose=purpose)[1]

    @contextlib.contextmanager
    def artifact(self, name: str, kind: str, description: str = "", **more: Any) -> Iterator[io.BytesIO]:
        """Write a file beside the datasets; `category`, `tags` and `group` as for a step of the run's interpreter."""
        file = io.BytesIO()
        yield file
        self._channel.send("artifact", file.getvalue(), name=name, extension=kind, description=description, more=more)
        self._channel.ask("staged")


class _Handler(logging.Handler):
    """Sends log lines to the run."""

    def __init__(self, channel: Channel, level: int) -> None:
        super().__init__(level)
        self._channel = channel

    def emit(self, record: logging.LogRecord) -> None:
        self._channel.send("log", level=record.levelno, message=record.getMessage())


# ---------------------------------------------------------------- tables


def _stream(frame: Any) -> bytes:
    import pyarrow

    table = pyarrow.Table.from_pandas(frame, preserve_index=False)
    sink = pyarrow.BufferOutputStream()
    with pyarrow.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return bytes(sink.getvalue())


def _table(body: bytes) -> Any:
    import pyarrow

    return pyarrow.ipc.open_stream(body).read_all().to_pandas()


# ---------------------------------------------------------------- work


def _work(channel: Channel, work: dict[str, Any], source: bytes) -> None:
    """Do the work of one step, and answer how it ended."""
    try:
        ctx = Context(channel, work)
        if source:
            names: dict[str, Any] = {"__name__": "pamola_program", "__file__": work["name"]}
            exec(compile(source, work["name"], "exec"), names)
            answer = names["main"](ctx, work["request"])
        else:
            answer = _operation(work).execute(ctx)
        if not isinstance(answer, dict):
            status = getattr(answer, "status", None)
            answer = {
                "status": str(getattr(status, "value", "")),
                "metrics": dict(getattr(answer, "metrics", None) or {}),
                "message": str(getattr(answer, "error_message", None) or ""),
            }
    except BaseException as error:  # SystemExit too: the interpreter is needed for other steps
        channel.send("failed", **_told(error))
    else:
        channel.send("done", answer=answer)


def _operation(work: dict[str, Any]) -> Any:
    """The operation of the step, made here: its class by name, or from the file that defines it."""
    module = work["module"]
    try:
        found = importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module or not work["file"]:
            raise
        spec = importlib.util.spec_from_file_location(module, work["file"])
        assert spec is not None
        assert spec.loader is not None
        found = importlib.util.module_from_spec(spec)
        sys.modules[module] = found
        spec.loader.exec_module(found)
    build = importlib.import_module("pamola_tasks.parameters").build
    return build(operator.attrgetter(work["class"])(found), work["parameters"])


def _told(error: BaseException) -> dict[str, Any]:
    """An error as data: its classes, its message, and where it was raised, without the values of variables."""
    kinds = [kind.__name__ for kind in type(error).__mro__]
    own = getattr(error, "retriable", None)
    frames = traceback.extract_tb(error.__traceback__)
    return {
        "error": kinds[0],
        "message": str(error),
        "code": str(getattr(error, "error_code", "") or ""),
        "retriable": own if isinstance(own, bool) else any(kind in _PASSING for kind in kinds),
        "trace": "".join(traceback.format_list(frames)),
        "about_modules": isinstance(error, ImportError),
    }


def _plain(value: Any) -> Any:
    """What JSON has no word for: numbers of numpy as numbers, all else as text."""
    for method in ("item", "tolist"):
        with contextlib.suppress(Exception):
            return getattr(value, method)()
    return str(value)


def _belong_to_parent() -> None:
    """End when the parent does, also while an extension keeps Python waiting (Linux)."""
    if sys.platform == "linux":
        with contextlib.suppress(Exception):
            import ctypes
            import signal

            ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG


def main() -> None:
    """Serve until there is no more."""
    _belong_to_parent()
    incoming, outgoing = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)  # what is printed here is no message
    channel = Channel(incoming, outgoing)
    threading.Thread(target=channel.listen, daemon=True).start()
    channel.send("ready", protocol=PROTOCOL, version=list(sys.version_info[:3]))
    while True:
        header, body = channel.received.get()
        _work(channel, header, body)


if __name__ == "__main__":
    main()
