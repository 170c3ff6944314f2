"""`pamola-task data`."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import attrs
import click

from pamola_tasks.errors import UnknownTaskError, UsageError
from pamola_tasks.record import is_address
from pamola_tasks_data.delimiters import LIKE_DATA
from pamola_tasks_data.source import DataSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pamola_tasks.protocols import CommandLine
    from pamola_tasks_data.description import ColumnDescription

_OPTIONS = {
    "delimiter": ("CHAR", "The column separator of a CSV file."),
    "quotechar": ("CHAR", "The quote character of a CSV file."),
    "encoding": ("NAME", "The encoding of a CSV file."),
    "sheet": ("NAME", "The sheet of a workbook."),
}


def _dataset_options(command: Any) -> Any:
    for name, (metavar, text) in reversed(_OPTIONS.items()):
        command = click.option(f"--{name}", metavar=metavar, help=text)(command)
    return command


@click.command("data")
@click.argument("file", metavar="FILE|TASK")
@click.option("--name", metavar="DATASET", help="The name that settings have for the file (default: the file's own).")
@_dataset_options
@click.option("--show-data", is_flag=True, help="Also show words that do not fit, where 10 records or more have them.")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(
    cli: CommandLine, /, file: str, name: str | None, show_data: bool, as_json: bool, **stated: str | None
) -> None:
    """Describe what each column of FILE, or of the inputs of TASK, is read as, and how many of its values fit.

    Shows how the file was read, what its columns look like, and what is ambiguous, each with the setting that decides.
    Reads every row, in pieces. No value is shown but usual words for missing ones.
    """
    given = {key: value for key, value in stated.items() if value}
    documents = []
    for source, dataset, warnings in _datasets(cli, file, name, given):
        columns = source.describe_columns(dataset, show_data=show_data)
        told = [warning for warning in warnings if warning.startswith(f"dataset {dataset!r}")]
        documents.append(_document(source, dataset, columns, told))
        if not as_json:
            _print(cli, documents[-1], columns)
    if as_json:
        cli.out.print_json(documents)


def _datasets(
    cli: CommandLine, file: str, name: str | None, options: dict[str, str]
) -> Iterator[tuple[DataSource, str, list[str]]]:
    """What is to be described: the data source that has it, its name there, and where its warnings go."""
    path = Path(os.path.abspath(file))
    path = path.parent.resolve() / path.name
    if not path.is_file():
        if options or name:
            raise UsageError(
                f"there is no file {file}: {', '.join(f'--{each}' for each in (*options, 'name'))} are for files"
            )
        try:
            run = cli.kernel.services(file, upto="data_source")
        except UnknownTaskError as error:
            raise UsageError(f"there is no file {file}, and {error}") from None
        for dataset in (name for name, path in run.config.input_datasets.items() if not is_address(path)):
            yield _own(run.data_source), dataset, run.record.warnings
        return
    kernel = cli.kernel
    if not path.is_relative_to(kernel.project.root):
        kernel = cli.kernel_for(path.parent)
    run = kernel.services(None, upto="data_source")
    dataset = name or path.name.partition(".")[0]
    run.data_source.add_file_path(dataset, path.relative_to(kernel.project.root).as_posix(), **options)
    yield _own(run.data_source), dataset, run.record.warnings


def _own(source: Any) -> DataSource:
    if not isinstance(source, DataSource):
        raise UsageError(f"data is read by {type(source).__module__} here, of which this command knows nothing")
    return source


def _document(source: DataSource, name: str, columns: list[ColumnDescription], warnings: list[str]) -> dict[str, Any]:
    return {
        "dataset": name,
        **source.how_read(name),
        "records": columns[0].records if columns else 0,
        "warnings": warnings,
        "columns": [{**attrs.asdict(column), "in_words": column.in_words} for column in columns],
    }


def _print(cli: CommandLine, found: dict[str, Any], columns: list[ColumnDescription]) -> None:
    cli.out.heading(f"{found['dataset']}: {found['records']:,} rows, {len(columns):,} columns")
    facts = ("file", "format", "bytes", *_OPTIONS, "header")
    cli.out.facts([(key, _shown(found[key])) for key in facts if found.get(key)])
    click.echo()
    read = {column.name: f"{column.read_as} (stated)" if column.stated else column.read_as for column in columns}
    rows = [
        [each.name, read[each.name], f"{each.missing:,}" if each.missing else "", each.in_words] for each in columns
    ]
    cli.out.print_table(rows, ["column", "read as", "missing", "values"])
    decided = [(c.name, f"{c.in_words}, read as {c.read_as}", (c.setting,)) for c in columns if c.setting]
    doubted = [warning for warning in found["warnings"] if LIKE_DATA in warning]
    asked: _Asked = [("header", LIKE_DATA, ())] if doubted else []
    asked += [(each.name, question.text, tuple(question.settings)) for each in columns for question in each.questions]
    for title, entries in (("To read columns as what they look like", decided), ("To decide", _together(asked))):
        if entries:
            click.echo()
            cli.out.heading(title)
        for name, text, settings in entries:
            click.echo(cli.out.visible(f"  {name}: {text}"))
            for setting in settings:
                click.echo(cli.out.visible(f"      {setting}"))
    for warning in (each for each in found["warnings"] if each not in doubted):
        cli.out.warn(warning)


_Asked = list[tuple[str, str, tuple[str, ...]]]


def _together(asked: _Asked) -> _Asked:
    """What is asked of many columns in the same words is asked once."""
    names: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for name, text, settings in asked:
        names.setdefault((text, settings), []).append(name)
    return [(them[0] if len(them) == 1 else f"{len(them)} columns", *what) for what, them in names.items()]


def _shown(value: Any) -> str:
    return f"{value:,}" if isinstance(value, int) else {"\t": "tab", " ": "blank"}.get(value, str(value))
