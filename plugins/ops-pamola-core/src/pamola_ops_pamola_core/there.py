"""What the interpreter that has pamola-core runs: one of its operations, on data and with services of the run.

Its operations write files into a folder of their own. Tables among them become the step's datasets; all others that the
operation lists, and its metrics as a whole, become internal artifacts. The folder is removed when it has ended.
"""

from __future__ import annotations

import contextlib
import importlib
import io
import json
import logging
import os
import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_STAMP = re.compile(r"_?\d{8}_\d{6}")  # a time in the name of a file, which would differ from run to run
_TABLES = {"csv": "read_csv", "parquet": "read_parquet", "json": "read_json"}
# Set unless the task says something else: types are kept, and no chart is made that nothing asked for.
_DEFAULTS = {"output_format": "parquet", "generate_visualization": False}
_FAILED = ("error",)
_OTHER_TABLES = "OUTPUT_TABLES"  # the code of an error, which is shown where its message may quote cells


class PamolaCoreFailed(Exception):
    """The operation ended with an error, of which it gave a result."""

    def __init__(self, message: str, code: str = "") -> None:
        super().__init__(message)
        self.error_code = code


class Tracker:
    """What operations report progress to: stages and counts of the step; bars of theirs are not drawn."""

    def __init__(self, ctx: Any, total: int = 1, unit: str = "steps", *, shows: bool = True) -> None:
        self._ctx, self._unit, self._shows = ctx, unit, shows
        self.total, self.n = total, 0
        self.description = ""

    def update(self, n: int = 1, postfix: dict[str, Any] | None = None, callback: Any = None) -> None:
        """Count; a named step of an operation is a stage."""
        if self._shows and isinstance(postfix, dict) and postfix.get("step"):
            self._ctx.stage(str(postfix["step"]))
        self.n += n
        if not self._shows:
            self._ctx.progress(min(self.n, self.total or self.n), self.total, self._unit)
        if callback:
            callback(self.n, self.total)

    def create_subtask(self, total: int, description: str = "", unit: str = "items", **more: Any) -> Tracker:
        """A tracker of a part, which counts for itself."""
        return Tracker(self._ctx, total, unit, shows=False)

    def __getattr__(self, name: str) -> Any:
        return lambda *positional, **named: None

    def __enter__(self) -> Tracker:
        return self

    def __exit__(self, *error: object) -> None:
        return None


class Reporter:
    """What operations report to: all that is known of them comes with their result."""

    def __getattr__(self, name: str) -> Any:
        return lambda *positional, **named: None


class Lines(logging.Handler):
    """Log lines of pamola-core, which may quote cells: where data may not be shown, only where they were written."""

    def __init__(self, ctx: Any, *, whole: bool) -> None:
        super().__init__(logging.DEBUG if whole else logging.WARNING)
        self._ctx, self._whole = ctx, whole

    def emit(self, record: logging.LogRecord) -> None:
        said = record.getMessage() if self._whole else "its message may be data: --show-data shows it"
        place = f"{record.name}, {record.funcName}, line {record.lineno}"
        self._ctx.logger.log(record.levelno, "%s (%s)", said, place)


def main(ctx: Any, request: dict[str, Any]) -> dict[str, Any]:
    """Run the operation; its status, and those of its metrics that are numbers."""
    folder = Path(request["folder"])
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700, parents=True)
    before = os.getcwd()
    os.chdir(folder)  # it may write where it is
    try:
        with _quiet(ctx, whole=request["show_data"]):
            return _run(ctx, request, folder)
    finally:
        os.chdir(before)
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def _quiet(ctx: Any, *, whole: bool) -> Iterator[None]:
    """Have what it logs go to the run's log, and what it prints nowhere."""
    logger = logging.getLogger("pamola_core")
    logger.handlers[:] = [Lines(ctx, whole=whole)]
    logger.propagate = False
    with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
        yield


def _run(ctx: Any, request: dict[str, Any], folder: Path) -> dict[str, Any]:
    ctx.stage("importing pamola-core")
    operation = _made(request["operation"], request["parameters"])
    for name, value in _DEFAULTS.items():
        if name not in request["parameters"] and hasattr(operation, name):
            setattr(operation, name, value)
    if getattr(operation, "seed", 0) is None:
        operation.seed = ctx.seed
    source = importlib.import_module("pamola_core.utils.ops.op_data_source").DataSource()
    for name, dataset in request["datasets"].items():
        source.add_dataframe(name, ctx.data.frame(dataset))
    result = operation.execute(
        data_source=source,
        task_dir=folder,
        reporter=Reporter(),
        progress_tracker=Tracker(ctx),
    )  # and nothing else, which some of them would hand on to what writes Parquet; without a name they read `main`
    status = str(getattr(result.status, "value", result.status))
    metrics = dict(result.metrics or {})
    if status in _FAILED:
        raise PamolaCoreFailed(str(result.error_message or ""), str(metrics.get("error_code", "")))
    ctx.stage("keeping what it wrote")
    _keep(ctx, request, result, folder)
    if metrics:
        with ctx.artifact(f"{ctx.step_id}_metrics", "json", "Metrics of pamola-core", category="metrics") as file:
            file.write(json.dumps(metrics, default=str, sort_keys=True, indent=1).encode())
    numbers = {name: value for name, value in metrics.items() if isinstance(value, (bool, int, float))}
    known = status if status in ("success", "warning", "partial_success", "skipped") else "success"
    return {"status": known, "metrics": numbers}


def _made(name: str, parameters: dict[str, Any]) -> Any:
    """The operation, whose class checks its parameters."""
    module, _, cls = name.rpartition(":")
    found = importlib.import_module(module or "pamola_core")
    if not hasattr(found, cls):
        raise PamolaCoreFailed(f"{module or 'pamola_core'} has no operation {cls}")
    return getattr(found, cls)(**parameters)


def _keep(ctx: Any, request: dict[str, Any], result: Any, folder: Path) -> None:
    """Tables as the step's datasets, all else that the operation lists as artifacts."""
    tables, taken = [], {f"{ctx.step_id}_metrics.json"}
    for artifact in result.artifacts:
        path = Path(artifact.path).resolve()
        if folder.resolve() not in path.parents or not path.is_file():
            raise PamolaCoreFailed("it lists a file outside its folder, or one that is not there")
        extension = path.suffix.lstrip(".").lower()
        if artifact.category == "output" and extension in _TABLES:
            tables.append(path)
            continue
        name = f"{ctx.step_id}_{_STAMP.sub('', path.stem)}"
        number = 2
        while f"{name}.{extension}" in taken:
            name, number = f"{ctx.step_id}_{_STAMP.sub('', path.stem)}-{number}", number + 1
        taken.add(f"{name}.{extension}")
        with ctx.artifact(name, extension, str(artifact.description), category="internal") as file:
            file.write(path.read_bytes())
    if request["output"] is not None:
        if len(tables) != 1:
            said = f"it wrote {len(tables)} tables, and the step writes one: {request['output']}"
            raise PamolaCoreFailed(f"{said} (output_tables is for several)", _OTHER_TABLES)
        _write(ctx, request["output"], tables[0], request["columns"])
    for name, path in _named(tables, request["outputs"]).items():
        _write(ctx, request["outputs"][name], path, None)


def _named(tables: list[Path], names: dict[str, str]) -> dict[str, Path]:
    """The table of each name: its file is called `<Operation>_<name>_output`."""
    if not names:
        return {}
    found: dict[str, Path] = {}
    for path in tables:
        stem = _STAMP.sub("", path.stem).removesuffix("_output")
        name = max((name for name in names if stem.endswith(f"_{name}")), key=len, default="")
        if not name or name in found:
            said = f"it wrote {len(tables)} tables, one of which has no name in output_tables"
            raise PamolaCoreFailed(said, _OTHER_TABLES)
        found[name] = path
    if missing := sorted(set(names) - set(found)):
        raise PamolaCoreFailed(f"it wrote no table {', '.join(missing)}, which output_tables names", _OTHER_TABLES)
    return found


def _write(ctx: Any, dataset: str, path: Path, columns: list[str] | None) -> None:
    pandas = importlib.import_module("pandas")
    frame = getattr(pandas, _TABLES[path.suffix.lstrip(".").lower()])(path)
    if columns is not None and sorted(map(str, frame.columns)) != sorted(columns):
        wrote = ", ".join(map(str, frame.columns))
        raise PamolaCoreFailed(f"it wrote the columns {wrote}, and lineage states {', '.join(columns)}")
    ctx.data.write(dataset, frame)


if __name__ == "__main__":
    sys.exit("this is run by a step of pamola-tasks")
