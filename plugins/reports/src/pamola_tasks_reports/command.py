"""The command `report`: the report of a task's newest run, or of a given one."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import (
    EXIT_TASK_FAILED,
    EncryptionError,
    PathSecurityError,
    ReportingError,
    UnknownTaskError,
    UsageError,
)
from pamola_tasks.plugins.discovery import resolve
from pamola_tasks_reports.privacy import without_values
from pamola_tasks_reports.proving import not_as_recorded
from pamola_tasks_reports.reporter import WRITERS
from pamola_tasks_reports.store import Reports

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.protocols import CommandLine, Files, RunServices

_FORMATS = ("md", "html")


@click.command()
@click.argument("task", metavar="TASK")
@click.option("--run", "run_id", metavar="ID", help="The run: its id, or the first characters of it.")
@click.option("--format", "format_", type=click.Choice([*_FORMATS, "json"]), help="Format to print (default: md).")
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.option("--withhold", is_flag=True, help="Withhold what may quote data, as where a run encrypts.")
@click.option("--open", "open_", is_flag=True, help="Open the HTML report in the browser instead.")
@click.pass_obj
def report(
    cli: CommandLine,
    task: str,
    run_id: str | None,
    format_: str | None,
    as_json: bool,
    withhold: bool,
    open_: bool,
) -> None:
    """Show the report of TASK's latest run, or of a given run.

    Where the run encrypted, the report on the disk withholds what may quote data. With the key, all of it is
    printed; no page with it is written. `--json` is the same as `--format json`.

    Exits 1 if the report is not as the history recorded it, and says so.
    """
    if open_:
        cli.refuse_if_broken()
    if as_json and format_ not in (None, "json"):
        raise UsageError(f"--json and --format {format_} contradict each other")
    if open_ and withhold:
        raise UsageError("--open shows the page that is on the disk, from which --withhold takes nothing")
    with cli.out.stdout_for_the_document():  # whatever the format: what plugins print is no part of it
        run = cli.kernel.inspect(task, upto="places")
        reports = Reports(run.places, run.record.task_id)
        try:
            found = reports.read(run.files, run_id)
        except (ReportingError, UsageError) as error:
            if another := cli.plugins.foreign_provider("reporter", __package__):
                raise UsageError(f"{another} reports here, in a form that this command cannot show: {error}") from error
            raise
        identity = str(found.get("run", {}).get("id") or "")
        name = reports.newest() if run_id is None else reports.of_run(reports.run_of(run_id))
        whole = not withhold and has_whole(run.files, reports, identity)
        wrong, unknown = not_as_recorded(cli, run, reports, [name, *([reports.whole(identity)] if whole else [])])
        for text in wrong:
            cli.out.warn(text)
        for text in unknown:
            cli.out.note(text)
        altered = EXIT_TASK_FAILED if wrong else 0
        if open_:
            page = reports.newest("html") if run_id is None else reports.of_run(identity, "html")
            run.files.write(page, _rendered("html", found, name), "report")
            if whole:
                cli.out.note("the page withholds what may quote data: `report` without --open prints it")
            if click.launch(str(run.files.root / page)) != 0:
                raise UsageError(f"no browser could be started; the page is {page}")
            if altered:
                raise click.exceptions.Exit(altered)
            return
        if withhold:
            found = without_values(found)
        shown, code = whole_of(cli, task, reports, identity) if whole else (found, 0)
        if as_json or format_ == "json":
            cli.out.print_json(shown or found)
        else:
            cli.out.print_text(_rendered(format_ or "md", shown or found, name).decode())
    if code or altered:
        raise click.exceptions.Exit(code or altered)


def has_whole(files: Files, reports: Reports, run_id: str) -> bool:
    try:
        return files.exists(reports.whole(run_id))
    except PathSecurityError:  # edited: no id of a run
        return False


def whole_of(cli: CommandLine, task: str, reports: Reports, run_id: str) -> tuple[dict[str, Any] | None, int]:
    """The encrypted report of a run; or why only the other one is shown, a failure where a key is available."""
    try:
        run = _decrypting(cli, task)
    except EncryptionError as error:
        cli.out.note(f"what may quote data is encrypted and not shown: {error}")
        return None, 0
    try:
        return reports.read_whole(run.files, run_id), 0
    except EncryptionError as error:
        cli.out.note(f"what may quote data is encrypted and not shown: {error}")
        try:
            run.encryption.derive_key("report")
        except EncryptionError:  # without a key the public part is all that was asked for
            return None, 0
        return None, error.exit_code


def _decrypting(cli: CommandLine, task: str) -> RunServices:
    try:
        return cli.kernel.services(task, upto="encryption")
    except UnknownTaskError:  # the task is gone: the project's own key
        return cli.kernel.services(None, upto="encryption")


def _rendered(format_: str, found: Mapping[str, Any], name: str) -> bytes:
    try:
        document: bytes = resolve(WRITERS[format_])(found)
        return document
    except (TypeError, ValueError, AttributeError) as error:
        raise ReportingError(f"{name} was edited and cannot be shown as {format_}: {error}") from error
