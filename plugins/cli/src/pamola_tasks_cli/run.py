"""`pamola-task run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import EXIT_OK, PluginError, UsageError
from pamola_tasks.parameters import unknown_name
from pamola_tasks.plan import Selection
from pamola_tasks.protocols import RawValue, RunOptions
from pamola_tasks_cli.outcome import as_document, print_outcome
from pamola_tasks_cli.output import print_json, program
from pamola_tasks_cli.several import check_names, preview_several, run_several
from pamola_tasks_cli.show import show_plan

if TYPE_CHECKING:
    from pamola_tasks_cli.app import Invocation


_KINDS = ("threads", "processes")  # of the default executor


@click.command("run")
@click.argument("tasks", metavar="TASK…", nargs=-1)
@click.option("--with-dependencies", is_flag=True, help="First what the tasks need; skip what is up to date.")
@click.option("--all", "all_tasks", is_flag=True, help="Every task of the project; skip what is up to date.")
@click.option("--restart", is_flag=True, help="Forget checkpoints and begin from the beginning.")
@click.option("--dry-run", is_flag=True, help="Show what would be done, and do nothing.")
@click.option(
    "--set",
    "settings",
    metavar="KEY=VALUE",
    multiple=True,
    help="Override a configuration key (values as in YAML).",
)
@click.option("--from", "first", metavar="STEP", help="Begin with this step; what is before comes from an earlier run.")
@click.option("--to", "last", metavar="STEP", help="End with this step.")
@click.option("--only", metavar="STEP", multiple=True, help="Only this step; repeatable.")
@click.option("--skip", metavar="STEP", multiple=True, help="Leave this step out; repeatable.")
@click.option("--jobs", type=click.IntRange(1), metavar="N", help="Run N steps at a time, of all tasks together.")
@click.option("--executor", metavar="NAME", help="Run steps on `threads`, in `processes`, or by the plugin NAME.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Stop a step that takes longer; it has failed.",
)
@click.option("--seed", type=int, help="Seed of everything random.")
@click.option("--continue-on-error", is_flag=True, help="After a failure go on with what does not need it.")
@click.option("--wait", is_flag=True, help="Wait for another run of the task to end.")
@click.option("--show-data", is_flag=True, help="Let errors and logs quote values of the data.")
@click.option("--log-format", type=click.Choice(["text", "json"]), default="text", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="One JSON document on stdout.")
@click.pass_obj
def command(
    cli: Invocation,
    tasks: tuple[str, ...],
    with_dependencies: bool,
    all_tasks: bool,
    restart: bool,
    dry_run: bool,
    settings: tuple[str, ...],
    first: str | None,
    last: str | None,
    only: tuple[str, ...],
    skip: tuple[str, ...],
    jobs: int | None,
    executor: str | None,
    timeout: float | None,
    seed: int | None,
    continue_on_error: bool,
    wait: bool,
    show_data: bool,
    log_format: str,
    as_json: bool,
) -> int:
    """Run tasks: each behind those whose results it needs, until one fails. With --jobs, tasks that do not need each
    other run at the same time.

    TASK is an id found in configs/, `module:Class`, `path/to/script.py[:Class]`, or the path of a task file. What an
    earlier run left unfinished is continued; steps that are done, and whose inputs and parameters are unchanged, are
    not run again.
    """
    overrides: dict[str, Any] = dict(_setting(text) for text in settings)
    chosen = {"seed": seed, "parallel_processes": jobs, "timeout": timeout}
    overrides |= {key: value for key, value in chosen.items() if value is not None}
    if executor is not None:
        overrides |= _executor(cli, executor)
    if continue_on_error:
        overrides["continue_on_error"] = True
    if cli.verbosity > 1:
        overrides.setdefault("log_level", "DEBUG")
    options = RunOptions(
        overrides=overrides,
        restart=restart,
        wait=wait,
        show_data=show_data,
        log_format=log_format,
        console=cli.verbosity > 0 or log_format == "json",
        quiet=cli.verbosity < 0,
        selection=Selection(first=first, last=last, only=only, skip=skip),
    )
    check_names(tasks, all_tasks, options.selection)
    if all_tasks or with_dependencies or len(tasks) > 1:
        if dry_run:
            return preview_several(cli, tasks, options, with_dependencies=with_dependencies, as_json=as_json)
        return run_several(
            cli,
            tasks,
            options,
            with_dependencies=with_dependencies,
            jobs=jobs or 1,
            continue_on_error=continue_on_error,
            as_json=as_json,
        )
    (task,) = tasks
    if dry_run:
        show_plan(cli, task, options, as_json=as_json)
        return EXIT_OK
    outcome = cli.kernel.run(task, options=options)
    if as_json:
        print_json(as_document(outcome))
    else:
        print_outcome(outcome, f"{program()} run {task}")
    return outcome.exit_code


def _executor(cli: Invocation, name: str) -> dict[str, Any]:
    """Have steps run by the default executor on `threads` or in `processes`, or by the plugin of this name."""
    plugins, default = cli.plugins, cli.plugins.services["executor"].default
    if name in _KINDS:
        plugins.prefer["executor"] = default
        return {"executor.kind": name}
    plugins.prefer["executor"] = name
    try:
        plugins.choose("executor")
    except PluginError:
        plugins.refuse_if_broken()  # it may be one of those
        others = [record.name for record in plugins.offering("executor") if record.distribution != default]
        raise UsageError(f"--executor: {unknown_name(name, (*_KINDS, *others), 'executor')}") from None
    return {}


def _setting(text: str) -> tuple[str, RawValue]:
    """`KEY=VALUE`; the configuration reads the value."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise click.BadParameter(f"{text!r} is not of the form KEY=VALUE", param_hint="--set")
    return key.strip(), RawValue(value)
