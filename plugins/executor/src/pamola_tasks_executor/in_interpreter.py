"""Steps whose work another interpreter does: the data comes from here, and what it leaves is staged and recorded here.

The step itself runs as every other, here or in a process with limits; only the `execute` of its operation is done by a
process of the other interpreter, which `there` serves.
"""

from __future__ import annotations

import contextlib
import copy
import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import OperationError
from pamola_tasks.record import OperationResult, OperationStatus
from pamola_tasks.secret import Secret
from pamola_tasks_executor.descendants import counted, end_descendants
from pamola_tasks_executor.interpreter_errors import InterpreterGarbage, OperationThereFailed
from pamola_tasks_executor.interpreters import resolved
from pamola_tasks_executor.memory import counting, resident_mb
from pamola_tasks_executor.messages import Interpreter

if TYPE_CHECKING:
    from pamola_tasks.operation import Operation
    from pamola_tasks.plan import Step
    from pamola_tasks.protocols import RunServices

_OF_DATA = ("frame", "next", "write", "artifact")  # whose errors are those of reading and writing
_CODE = re.compile(r"[A-Z0-9_]{1,60}")
_ENDED = {status.value: status for status in OperationStatus}


def placed(step: Step, python: str) -> Step:
    """A step like this one whose work is done by the interpreter that was stated."""
    operation = copy.copy(step.operation)
    vars(operation)["execute"] = partial(_execute, step.operation, python)
    return attrs.evolve(step, operation=operation)


# ---------------------------------------------------------------- processes that are there already


class _Idle:
    """Interpreters without work, by run and path: libraries are imported once for all steps of a run."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._found: dict[tuple[str, str], list[Interpreter]] = {}

    def pids(self) -> set[int]:
        """Their numbers."""
        with self._lock:
            return {each.pid for found in self._found.values() for each in found}

    def end(self, run_id: str) -> None:
        """End those of a run."""
        with self._lock:
            mine = [self._found.pop(key) for key in list(self._found) if key[0] == run_id]
        for each in (one for found in mine for one in found):
            each.end()

    @contextlib.contextmanager
    def taken(self, run: RunServices, python: str, *, fresh: bool) -> Iterator[Interpreter]:
        """One for a step, put back when it has answered and killed otherwise."""
        key = run.id, python
        path = resolved(run, python)
        with self._lock:
            found = self._found.get(key)
            interpreter = found.pop() if found and not fresh else None
        if interpreter is not None and not interpreter.alive:
            interpreter.kill()
            interpreter = None
        interpreter = interpreter or Interpreter(path, f"the interpreter {python}")
        try:
            yield interpreter
        except OperationThereFailed:  # it has answered, and waits for the next step
            self._put(key, interpreter, fresh=fresh)
            raise
        except BaseException:
            interpreter.kill()
            raise
        self._put(key, interpreter, fresh=fresh)

    def _put(self, key: tuple[str, str], interpreter: Interpreter, *, fresh: bool) -> None:
        if fresh:
            return interpreter.end()
        with self._lock:
            self._found.setdefault(key, []).append(interpreter)


idle = _Idle()


# ---------------------------------------------------------------- one step


def _execute(operation: Operation, python: str, ctx: Any) -> OperationResult:
    """Have another interpreter do the work of an operation."""
    run, step = ctx.run, ctx.step
    settings: Any = run.config.plugin("executor")
    limit = step.options.step_memory_limit_mb or getattr(settings, "step_memory_limit_mb", None)
    work, source = _described(operation, ctx)
    with idle.taken(run, python, fresh=limit is not None) as interpreter, counting(interpreter.pid):
        result = _Dialogue(interpreter, ctx, limit).run(work, source)
        if left := end_descendants(interpreter.pid):
            ctx.warn(f"step {step.id}: it left {counted(left)} running, ended with it")
        return result


def _described(operation: Operation, ctx: Any) -> tuple[dict[str, Any], bytes]:
    """What the other side has to know, and the source of a program, where the operation has one."""
    logger = ctx.run.logger
    work: dict[str, Any] = {
        "step": ctx.step.id,
        "seed": ctx.seed,
        "reads": list(ctx.step.reads),
        "log_level": min((handler.level for handler in logger.handlers), default=50),
    }
    if callable(program := getattr(operation, "interpreter_program", None)):
        name, source, request = program(ctx)
        return {**work, "name": name, "request": json.loads(json.dumps(request))}, source.encode()
    cls = type(operation)
    fields = attrs.fields(cls)
    try:
        values = {each.alias: _plain(getattr(operation, each.name)) for each in fields if each.init}
        parameters = json.loads(json.dumps(values))
    except (TypeError, ValueError) as error:
        raise OperationError(
            f"{operation.name}: its parameters cannot be sent to another interpreter: numbers, texts, lists and"
            f" mappings of these can ({type(error).__name__})"
        ) from error
    module = cls.__module__
    file = getattr(sys.modules.get(module), "__file__", None) if "." not in module else None
    described = {"module": module, "file": file, "class": cls.__qualname__, "parameters": parameters}
    return {**work, **described}, b""


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if attrs.has(type(value)):
        return {each.alias: _plain(getattr(value, each.name)) for each in attrs.fields(type(value)) if each.init}
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [_plain(each) for each in (sorted(value) if isinstance(value, (set, frozenset)) else value)]
    return value


class _Dialogue:
    """What is said while another interpreter does the work of one step."""

    def __init__(self, interpreter: Interpreter, ctx: Any, limit: int | None) -> None:
        self._interpreter = interpreter
        self._ctx = ctx
        self._limit = limit
        self._sent_data = False
        self._pieces: list[Iterator[Any]] = []

    def run(self, work: dict[str, Any], source: bytes) -> OperationResult:
        """Send the work, do what is asked for meanwhile, and give its result; its failure is an error."""
        self._interpreter.send("work", source, **work)
        while True:
            header, body = self._heard()
            if header["kind"] == "done":
                return self._result(header)
            if header["kind"] == "failed":
                raise self._failure(header)
            self._answer(header, body)

    def _heard(self) -> tuple[dict[str, Any], bytes]:
        """The next message; meanwhile its memory is watched."""
        while (message := self._interpreter.receive()) is None:
            self._watch()
        self._watch()
        return message

    def _watch(self) -> None:
        if self._limit is None:
            return
        resident = resident_mb(self._interpreter.pid) + resident_mb(os.getpid())
        if resident > self._limit:
            raise OperationError(
                f"step {self._ctx.step.id} took {resident:.0f} MiB of memory in its two processes, more than the"
                f" {self._limit} MiB of its step_memory_limit_mb, and was stopped"
            )

    def _answer(self, header: dict[str, Any], body: bytes) -> None:
        act = getattr(self, f"_on_{header['kind']}", None)
        if act is None:
            raise self._garbage(f"a message of the unknown kind {header['kind'][:40]!r}")
        try:
            act(header, body)
        except KeyError as error:
            raise self._garbage(f"a message {header['kind']} without {error}") from error
        except (TypeError, ValueError, IndexError) as error:
            if header["kind"] in _OF_DATA:
                raise
            raise self._garbage(f"a message {header['kind']} with facts of another type") from error

    def _garbage(self, what: str) -> InterpreterGarbage:
        return InterpreterGarbage(f"step {self._ctx.step.id}: {self._interpreter.name} sent {what}")

    def _reply(self, value: Any = None, body: bytes = b"") -> None:
        self._interpreter.send("answer", body, value=value)

    # ------------------------------------------------------------ what it asks for

    def _on_has(self, header: dict[str, Any], body: bytes) -> None:
        self._reply(self._ctx.data.has_dataset(header["name"]))

    def _on_columns(self, header: dict[str, Any], body: bytes) -> None:
        self._reply([str(name) for name in self._ctx.data.columns(header["name"])])

    def _on_schema(self, header: dict[str, Any], body: bytes) -> None:
        self._reply(dict(self._ctx.data.schema(header["name"])))

    def _on_frame(self, header: dict[str, Any], body: bytes) -> None:
        self._send_frame(self._ctx.data.frame(header["name"], header["columns"]))

    def _on_chunks(self, header: dict[str, Any], body: bytes) -> None:
        self._pieces.append(iter(self._ctx.data.chunks(header["name"], header["size"], header["columns"])))
        self._reply(len(self._pieces) - 1)

    def _on_next(self, header: dict[str, Any], body: bytes) -> None:
        try:
            piece = next(self._pieces[header["number"]])
        except StopIteration:
            self._reply(True)
        else:
            self._send_frame(piece)

    def _send_frame(self, frame: Any) -> None:
        from pamola_tasks_executor.arrow_stream import stream_of

        self._sent_data = True
        self._reply(False, stream_of(frame))

    def _on_key(self, header: dict[str, Any], body: bytes) -> None:
        self._sent_data = True  # what is made of a key may be in a message, too
        self._reply(body=self._ctx.derive_key(str(header["purpose"])))

    # ------------------------------------------------------------ what it leaves

    def _on_write(self, header: dict[str, Any], body: bytes) -> None:
        self._reply()
        self._ctx.data.write(header["name"], self._rows(), format=header["format"])
        self._reply()

    def _rows(self) -> Iterator[Any]:
        from pamola_tasks_executor.arrow_stream import frame_of

        while True:
            header, body = self._heard()
            if header["kind"] == "written":
                return
            if header["kind"] == "rows":
                try:
                    frame = frame_of(body)
                except Exception as error:
                    raise self._garbage("rows that are not a stream of Arrow IPC") from error
                yield frame
            elif header["kind"] in ("done", "failed"):
                raise self._failure(header) if header["kind"] == "failed" else self._garbage("its end while it wrote")
            else:
                self._answer(header, body)

    def _on_artifact(self, header: dict[str, Any], body: bytes) -> None:
        known = {"category", "tags", "group"}
        more = {name: value for name, value in dict(header["more"]).items() if name in known}
        with self._ctx.artifact(header["name"], header["extension"], str(header["description"]), **more) as file:
            file.write(body)

    def _on_staged(self, header: dict[str, Any], body: bytes) -> None:
        self._reply()

    # ------------------------------------------------------------ what it says

    def _on_progress(self, header: dict[str, Any], body: bytes) -> None:
        total = header["total"]
        self._ctx.progress(float(header["done"]), None if total is None else float(total), str(header["unit"]))

    def _on_stage(self, header: dict[str, Any], body: bytes) -> None:
        self._ctx.stage(header["name"])

    def _on_warn(self, header: dict[str, Any], body: bytes) -> None:
        self._ctx.warn(str(header["message"]))

    def _on_log(self, header: dict[str, Any], body: bytes) -> None:
        self._ctx.logger.log(int(header["level"]), "%s", header["message"])

    # ------------------------------------------------------------ how it ended

    def _result(self, header: dict[str, Any]) -> OperationResult:
        answer = header.get("answer")
        status = _ENDED.get(answer.get("status", "")) if isinstance(answer, dict) else None
        if answer is None or status is None or not isinstance(answer.get("metrics", {}), dict):
            raise self._garbage("an answer without a known status and metrics")
        result = OperationResult(status, metrics=answer.get("metrics", {}))
        if result.failed:
            raise self._failure({"error": "an ERROR result", "code": "", "trace": "", **answer})
        return result

    def _failure(self, said: dict[str, Any]) -> OperationError:
        """The error of an operation; its text is shown where it cannot hold data, or where data may be shown."""
        kind, code = str(said.get("error", ""))[:200], str(said.get("code", ""))
        code = code if _CODE.fullmatch(code) else ""  # else it may be anything, also data
        text = str(said.get("message", ""))
        shown = not self._sent_data or bool(said.get("about_modules")) or self._ctx.run.options.show_data
        about = f": {text}" if text and shown else " [its message may be data: --show-data shows it]" if text else ""
        failed = f"{self._ctx.step.operation.name} failed in {self._interpreter.name}"
        error = OperationThereFailed(
            f"{failed}: {kind}{f' ({code})' if code else ''}{about}", error=kind, error_code=code
        )
        error.retriable = said.get("retriable") is True
        if trace := str(said.get("trace", "")):
            from pamola_tasks_executor.remote import RemoteTraceback

            error.__cause__ = RemoteTraceback(trace)
        return error
