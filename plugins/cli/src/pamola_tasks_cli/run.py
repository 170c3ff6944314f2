"""`pamola-task run`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

from pamola_tasks.errors import EXIT_OK, EXIT_USAGE, PluginError, UsageError
from pamola_tasks.parameters import unknown_name
from pamola_tasks.plan import Selection
from pamola_tasks.protocols import RawValue, RunOptions
from pamola_tasks_cli.outcome import print_outcome
from pamola_tasks_cli.output import print_json

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pamola_tasks_cli.app import Invocation

_KINDS = ("threads", "processes")  # of the default executor


@click.command("run")
@click.argument("tasks", metavar="TASK…", nargs=-1)
@click.option("--with-dependencies", is_flag=True, help="Run the tasks' dependencies first; skip unchanged tasks.")
@click.option("--all", "all_tasks", is_flag=True, help="Run every task of the project; skip unchanged tasks.")
@click.option("--restart", is_flag=True, help="Ignore checkpoints and run every step.")
@click.option("--dry-run", is_flag=True, help="Show what would run, and run nothing.")
@click.option(
    "--set", "settings", metavar="KEY=VALUE", multiple=True, help="Override a configuration key (values as in YAML)."
)
@click.option("--from", "first", metavar="STEP", help="Start at STEP, reusing earlier results.")
@click.option("--to", "last", metavar="STEP", help="Stop after STEP.")
@click.option("--only", metavar="STEP", multiple=True, help="Run only STEP; repeatable.")
@click.option("--skip", metavar="STEP", multiple=True, help="Leave out STEP; repeatable.")
@click.option(
    "--jobs", type=click.IntRange(1), metavar="N", help="Run up to N steps at the same time, across all tasks."
)
@click.option("--executor", metavar="NAME", help="Run steps in `threads`, `processes`, or by plugin NAME.")
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="Fail any step that runs longer than SECONDS.",
)
@click.option("--seed", type=int, help="Seed for everything random.")
@click.option("--continue-on-error", is_flag=True, help="After a failure, run everything that does not depend on it.")
@click.option("--wait", is_flag=True, help="Wait until another run of the task ends.")
@click.option("--show-data", is_flag=True, help="Allow errors and logs to quote data values.")
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
    """Run tasks in dependency order; stop at the first failure. With --jobs, independent tasks run at the same time.

    TASK is an id found in configs/, `module:Class`, `path/to/script.py[:Class]`, or the path of a task file. Re-run the
    same command after a crash: finished steps whose inputs and parameters are unchanged are skipped.
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
        owns_process=True,
        selection=Selection(first=first, last=last, only=only, skip=skip),
    )
    _check_names(tasks, all_tasks, options.selection)
    if all_tasks or with_dependencies or len(tasks) > 1:
        from pamola_tasks_cli.several import line_printer, print_ends, print_previews

        if dry_run:
            planned = cli.kernel.scheduler.dry_run(tasks, with_dependencies=with_dependencies, options=options)
            return print_previews(planned, as_json=as_json)
        outcomes = cli.kernel.scheduler.run(
            tasks,
            with_dependencies=with_dependencies,
            options=options,
            jobs=jobs or 1,
            continue_on_error=continue_on_error,
            on_line=line_printer(options),
        )
        return print_ends(cli, outcomes, as_json=as_json)
    (task,) = tasks
    if dry_run:
        from pamola_tasks_cli.show import show_plan

        show_plan(cli, task, options, as_json=as_json)
        return EXIT_OK
    outcome = cli.kernel.run(task, options=options)
    if as_json:
        print_json(outcome.to_dict())
    else:
        again = bool(overrides or options.selection) and outcome.exit_code != EXIT_USAGE  # which may be what is wrong
        print_outcome(outcome, f"{task}  (with the same options)" if again else task)
    return outcome.exit_code


def _check_names(names: Sequence[str], all_tasks: bool, selection: Selection) -> None:
    """Refuse no task, tasks beside `--all`, and steps of more than one task."""
    if all_tasks and names:
        raise UsageError("--all runs every task of the project: name none beside it")
    if not all_tasks and not names:
        raise UsageError("name a TASK to run, or give --all; `pamola-task list` shows the tasks")
    if selection and (all_tasks or len(names) > 1):
        raise UsageError("--from, --to, --only and --skip choose steps of one task: name only that one")


def _executor(cli: Invocation, name: str) -> dict[str, Any]:
    """Have steps run by the default executor on `threads` or in `processes`, or by the plugin of this name."""
    plugins, default = cli.plugins, cli.plugins.services["executor"].default
    if name in _KINDS:
        plugins.prefer["executor"] = default
        return {"executor.kind": name}
    plugins.prefer["executor"] = name
    try:
        plugins.provider("executor")
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
