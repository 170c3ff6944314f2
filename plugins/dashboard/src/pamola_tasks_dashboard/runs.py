"""A run as its live file records it, line by line; and its log."""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

import attrs

_MOST_LOG = 400  # lines that a page gets
_WINDOW = 5.0  # seconds over which rows a second are measured
_MOST_STEPS = 2000
_OF_STEPS = frozenset(
    "step_started step_stage step_progress step_retried step_finished step_skipped dataset_read dataset_written"
    " artifact".split()
)


@attrs.define
class Step:
    """A step, as far as it has come."""

    id: str
    operation: str = ""
    description: str = ""
    reason: str = ""  #: why it has to run again, or was skipped
    status: str = "running"
    started: str = ""
    seconds: float | None = None
    stage: str = ""
    stages: list[dict[str, Any]] = attrs.Factory(list)  #: each with its name and when it began
    done: float | None = None
    total: float | None = None
    unit: str = ""
    rate: float | None = None  #: of `unit` a second, over the last seconds
    eta: str = ""  #: when it is expected to end, or its stage, where that is known
    attempts: int = 1
    error: str = ""  #: why it failed, or was repeated
    datasets: list[dict[str, Any]] = attrs.Factory(list)
    artifacts: int = 0
    charts: list[str] = attrs.Factory(list)  #: files that have charts
    _came: deque[tuple[float, float]] = attrs.field(factory=lambda: deque(maxlen=64), alias="came")

    def begin(self, moment: float) -> None:
        """Something else begins, of which nothing is done yet."""
        self.done = self.total = self.rate = None
        self._came.clear()
        self._came.append((moment, 0.0))

    def progressed(self, moment: float, facts: Mapping[str, Any]) -> None:
        """How far it is now."""
        done, total = _number(facts.get("done")), _number(facts.get("total"))
        unit = _text(facts.get("unit"))
        if done is None:
            return
        if self._came and self._came[-1][1] > done:
            self._came.clear()
        self.done, self.total, self.unit = done, total, unit
        self._came.append((moment, done))
        while len(self._came) > 2 and moment - self._came[0][0] > _WINDOW:
            self._came.popleft()
        (then, before), passed = self._came[0], moment - self._came[0][0]
        self.rate = (done - before) / (moment - then) if passed > 0 else None

    def leaves(self, facts: Mapping[str, Any]) -> None:
        """A file of its own, which may have charts."""
        self.artifacts += 1
        if "charts" in _list(facts.get("tags")) and facts.get("type") == "json":
            self.charts = [*self.charts, _text(facts.get("path"))][-20:]

    def to_dict(self) -> dict[str, Any]:
        """For the page."""
        return attrs.asdict(self, filter=lambda attribute, _: not attribute.name.startswith("_"))


@attrs.define
class Run:
    """The newest run of a task. Whatever its file says is taken as text and numbers, and nothing else of it."""

    run: str = ""
    status: str = "running"
    started: str = ""
    finished: str = ""
    seconds: float | None = None
    error: str = ""
    steps: dict[str, Step] = attrs.Factory(dict)
    of: float | None = None  #: how many steps the plan has
    eta: str = ""  #: when it is expected to end, where that is known
    show_data: bool = False  #: whether its messages and its log may quote cells

    def take(self, lines: Iterable[str]) -> None:
        """Take lines of the live file; what is not one of them is passed over."""
        for line in lines:
            try:
                facts = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(facts, dict):
                self._take(facts)

    def _take(self, facts: dict[str, Any]) -> None:
        event, at, moment = _text(facts.get("event")), _text(facts.get("at")), _moment(facts.get("at"))
        if event == "run_started":
            self.__init__(run=_text(facts.get("run")), started=at)  # type: ignore[misc]
            self.show_data = bool(facts.get("show_data"))
        elif event == "run_finished":
            self.status, self.finished = _text(facts.get("status")) or "finished", at
            self.seconds, self.error = _number(facts.get("seconds")), _text(facts.get("error"))
        elif event in _OF_STEPS and (step := self._step(_text(facts.get("step")))) is not None:
            self._of_step(step, event, at, moment, facts)

    def _step(self, name: str) -> Step | None:
        if name and name not in self.steps and len(self.steps) < _MOST_STEPS:
            self.steps[name] = Step(name)
        return self.steps.get(name)

    def _of_step(self, step: Step, event: str, at: str, moment: float, facts: dict[str, Any]) -> None:
        if event in ("step_started", "step_stage", "step_progress"):
            self.eta = _text(facts.get("run_eta"))
        match event:
            case "step_started":
                self.of = _number(facts.get("of"))
                operation, description, reason = (
                    _text(facts.get(key)) for key in ("operation", "description", "reason")
                )
                self.steps[step.id] = Step(step.id, operation, description, reason, started=at)
                self.steps[step.id].begin(moment)
            case "step_stage":
                step.stage = _text(facts.get("stage"))
                step.stages = [*step.stages, {"name": step.stage, "at": at}][-50:]
                step.begin(moment)
                step.eta = _text(facts.get("eta"))
            case "step_progress":
                step.progressed(moment, facts)
                step.eta = _text(facts.get("eta"))
            case "step_retried":
                step.attempts, step.error = step.attempts + 1, _text(facts.get("error"))
                step.stage = ""
                step.begin(moment)
            case "step_finished":
                step.status, step.stage = _text(facts.get("status")) or "success", ""
                step.seconds, step.error = _number(facts.get("seconds")), _text(facts.get("error"))
                step.stages = [*step.stages, {"name": "", "at": at}] if step.stages else []
            case "step_skipped":
                step.status, step.reason = "skipped", _text(facts.get("reason"))
                step.operation, step.description = _text(facts.get("operation")), _text(facts.get("description"))
                for artifact in _list(facts.get("artifacts")):
                    step.leaves(artifact if isinstance(artifact, dict) else {})
            case "dataset_read" | "dataset_written":
                told = {"name": _text(facts.get("dataset")), "rows": _number(facts.get("rows"))}
                step.datasets = [*step.datasets, {**told, "written": event == "dataset_written"}][-50:]
            case "artifact":
                step.leaves(facts)

    def to_dict(self) -> dict[str, Any]:
        """For the page."""
        facts = attrs.asdict(self, recurse=False)
        return {**facts, "steps": [step.to_dict() for step in self.steps.values()]}


@attrs.define
class Log:
    """The last lines of a task's log, each numbered, those of one run."""

    lines: deque[tuple[int, dict[str, str]]] = attrs.Factory(lambda: deque(maxlen=_MOST_LOG))
    count: int = 0

    def take(self, lines: Iterable[str], run_id: str) -> None:
        """Take lines that belong to a run: those that name it, and those of a traceback behind one."""
        for line in lines:
            told = parsed(line)
            if told is None and self.lines and line.startswith("    "):
                told = ("", {"text": line, "level": self.lines[-1][1]["level"]})
            if told is not None and told[0] in ("", run_id):
                self.count += 1
                self.lines.append((self.count, told[1]))


def parsed(line: str) -> tuple[str, dict[str, str]] | None:
    """The run of a line of the log, and what a page shows of it: in either of the two formats; else nothing."""
    if line.startswith("{"):
        try:
            facts = json.loads(line)
        except (ValueError, RecursionError):
            return None
        if not isinstance(facts, dict):
            return None
        step = _text(facts.get("step_id"))
        text = f"[{step}] {_text(facts.get('message'))}" if step else _text(facts.get("message"))
        told = {"at": _text(facts.get("timestamp")), "level": _text(facts.get("level")), "text": text}
        return _text(facts.get("run_id")), told
    parts = line.split(" | ", 5)
    if len(parts) != 6:
        return None
    return parts[2], {"at": parts[0], "level": parts[1].strip(), "text": parts[5]}


def _text(value: Any) -> str:
    return value[:2000] if isinstance(value, str) else str(value)[:200] if isinstance(value, (int, float)) else ""


def _number(value: Any) -> float | None:
    ok = isinstance(value, (int, float)) and not isinstance(value, bool) and abs(value) < 1e18
    return value if ok else None


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _moment(value: Any) -> float:
    try:
        return datetime.fromisoformat(value).timestamp()
    except (TypeError, ValueError):
        return 0.0
