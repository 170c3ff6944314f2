"""What a run gets of this plugin: its data source and writer, and whether the disk has room for what it will write."""

from __future__ import annotations

import contextlib
import math
import shutil
from functools import partial
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.errors import DataError, DataWriteError, PathSecurityError
from pamola_tasks_data.formats import UNUSED, Formats, shown
from pamola_tasks_data.origin import input_files
from pamola_tasks_data.reading import LIMITS, CsvOptions, DataReader
from pamola_tasks_data.source import DataSource
from pamola_tasks_data.writing import DataWriter

if TYPE_CHECKING:
    from pamola_tasks.plan import Plan
    from pamola_tasks.protocols import Config, RunServices

_OF_ALL = ("decimal", "thousands", "date_format", "datetime_format", "trim")  # settings of `data` and of a dataset
RECORDS = 1 << 20  # bytes for log, report, journal and history


def data_source(run: RunServices) -> DataSource:
    """The source of a run, with the task's inputs, but for those that the run was given frames for."""
    settings = run.config.plugin("data")
    limits = {name: getattr(settings, name) for name in LIMITS}
    reader = DataReader(run.files, formats=_formats(run), csv=csv_options(run.config), warn=run.warn, limits=limits)
    source = DataSource(
        data_types=run.config.data_types, reader=reader, run=run, written=partial(reading_options, run.config)
    )
    limit = getattr(run.config, "memory_limit_mb", None)
    source.handover.limit = math.inf if limit is None else limit << 20
    source.handover.is_read = lambda name, step: any(name in other.reads for other in run.plan if other.id != step)
    for name, path in input_files(run).items() if run.task is not None else ():
        if name not in run.options.datasets:
            source.add_file_path(name, path)
    return source


def data_writer(run: RunServices) -> DataWriter:
    """The writer of a run."""
    source = getattr(run, "data_source", None)
    handover = source.handover if isinstance(source, DataSource) else None
    return DataWriter(run.files, formats=_formats(run), csv=csv_options(run.config), handover=handover)


def writing(run: RunServices, format: str) -> dict[str, str]:
    """All that decides how an output of this format is written, as text by option."""
    options = attrs.asdict(csv_options(run.config))
    unused: tuple[str, ...] = ()
    with contextlib.suppress(DataError):  # a format that nobody knows: writing says so
        unused = UNUSED.get(_formats(run).key(format), ())
    return {key: text for key, value in options.items() if key not in unused and (text := shown(value))}


def csv_options(config: Config) -> CsvOptions:
    """The CSV dialect as far as configured; the rest is detected in each file."""
    origins = config.origins()

    def stated(key: str) -> Any:
        return config.get(key) if key in origins and origins[key].layer != "default" else None

    return CsvOptions(
        delimiter=stated("default_delimiter"),
        quotechar=stated("default_quotechar"),
        encoding=stated("default_encoding"),
        missing_values=tuple(config.plugin("data").missing_values),
        for_spreadsheets=config.plugin("data").csv_for_spreadsheets,
    )


def reading_options(config: Config, dataset: str, made_here: bool = False) -> dict[str, Any]:
    """What is stated of how a dataset is written: of itself, else of all datasets; what is found out is left out.

    What is stated of all datasets does not hold for one that a task has written (`made_here`): that has numbers and
    dates as all tasks write them, so that its dates are dates in a CSV file, too.
    """
    settings = config.plugin("data")
    found: dict[str, Any] = {"iso_dates": True} if made_here else {name: getattr(settings, name) for name in _OF_ALL}
    own = settings.datasets.get(dataset)
    found |= {} if own is None else {key: value for key, value in attrs.asdict(own).items() if value is not None}
    return {key: value for key, value in found.items() if value not in ("", False)}


def _formats(run: RunServices) -> Formats:
    kernel = getattr(run, "kernel", None)
    return Formats(kernel.dataset_formats()) if kernel is not None else Formats()


# ---------------------------------------------------------------- room on the disk


def check_room(run: RunServices, plan: Plan) -> None:
    """Refuse a run that would fill the disk, unless `check_free_space` is false."""
    if run.dry or not run.config.check_free_space:
        return
    needed = _estimate(run, plan) + RECORDS
    try:
        free = shutil.disk_usage(run.files.root).free
    except OSError:  # a project in memory
        return
    if free < needed:
        raise DataWriteError(
            f"not enough disk space at {run.files.root}: about {needed:,} bytes are needed (for datasets"
            f" as large as their inputs, and {RECORDS:,} for log, report and history) and {free:,} bytes are"
            " free: free some space, or set check_free_space to false if the outputs are much smaller",
            needed=needed,
            free=free,
        )


def _estimate(run: RunServices, plan: Plan) -> int:
    """About how many bytes of datasets the unfinished steps will write: as many as they are made from."""
    saved, sizes, needed = run.checkpoints.load(), {}, 0
    for name, path in input_files(run).items():
        with contextlib.suppress(OSError, PathSecurityError):  # the step that reads it will say so
            sizes[name] = run.files.stat(path).size
    for step in plan:
        left = {output.name: output.bytes or 0 for output in saved[step.id].outputs} if step.id in saved else {}
        read = sum(sizes.get(name, 0) for name in step.reads)
        for name in step.writes:
            sizes[name] = left.get(name, read // len(step.writes))
            if name not in left:
                needed += sizes[name]
    return needed
