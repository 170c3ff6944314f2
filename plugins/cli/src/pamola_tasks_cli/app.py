"""The command `pamola-task`: its global options, where its commands come from, and how errors are shown.

Nothing but click and the plugins' entry points is imported before a command is chosen.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from pamola_tasks.errors import (
    EXIT_INTERRUPTED,
    EXIT_TASK_FAILED,
    EXIT_TERMINATED,
    EXIT_USAGE,
    PamolaTaskError,
    Terminated,
)

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.plugins.manager import Plugins

# The kernel's own commands: module in this package, and the line of help.
BUILT_IN = {
    "init": "Make a project: marker, folders, an example task.",
    "new": "Write a task, operation, plugin or pack that works.",
    "list": "The project's tasks.",
    "show": "A task's plan: steps, datasets, what would be run and why.",
    "graph": "Draw which task needs which, or the steps of one.",
    "run": "Run tasks; continues by itself what an earlier run left unfinished.",
    "status": "What is running now, and how each task ended.",
    "verify": "Hash again what a run read and left, and say what changed.",
    "plugins": "What is installed, and who answers which service.",
    "hooks": "Every hook, its contract, and who implements it.",
    "ops": "Operations with their parameters.",
    "clean": "Remove temporary files; never outputs.",
    "doctor": "What is installed, missing or odd.",
    "completion": "Completion for bash, zsh or fish.",
}

_HOMES = {
    "init": "pamola_tasks_scaffold",
    "new": "pamola_tasks_scaffold",
    "graph": "pamola_tasks_orchestration",
    "verify": "pamola_tasks_audit",
}

# These refuse by themselves while a plugin is broken; the others warn.
TOUCH_DATA = frozenset({"run", "demo", "encrypt", "decrypt", "verify"})


class State:
    """What all commands share: global options, and the kernel once it is needed.

    Args:
        project: `--project`.
        disable: `--no-plugin`, each.
        modules: `--plugin`, each.
    """

    def __init__(self, project: str | None = None, disable: Sequence[str] = (), modules: Sequence[str] = ()) -> None:
        self.project = Path(project) if project is not None else None
        self.disable = tuple(disable)
        self.modules = tuple(modules)
        self.verbosity = 0
        self.traceback = False
        self._plugins: Plugins | None = None
        self._kernel: Kernel | None = None

    @property
    def plugins(self) -> Plugins:
        """The plugins, loaded when first asked for."""
        if self._plugins is None:
            from pamola_tasks.plugins.manager import assemble

            self._plugins = assemble(self.project, disable=self.disable, modules=self.modules)
        return self._plugins

    @property
    def kernel(self) -> Kernel:
        """The kernel, made when first asked for."""
        if self._kernel is None:
            self._kernel = self.kernel_for(self.project)
        return self._kernel

    def kernel_for(self, project: Path | None) -> Kernel:
        """A kernel for another project, with the same plugins."""
        from pamola_tasks.kernel import Kernel

        if self._kernel is None:
            return Kernel(project, loaded=self.plugins)
        return Kernel(project, disable=self.disable, modules=self.modules)


pass_state = click.make_pass_decorator(State)

_loading = contextlib.ExitStack()


class LazyGroup(click.Group):
    """Commands named in `BUILT_IN` and by plugins, imported when they are used."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.obj is None:
            ctx.obj = _state_before_parsing(args)
        return super().parse_args(ctx, args)

    def _commands(self, ctx: click.Context) -> dict[str, tuple[str, str]]:
        """Names, with what they stand for and their line of help."""
        state: State = ctx.obj
        found = {
            name: (f"{_HOMES.get(name, 'pamola_tasks_cli')}.{name}:command", text) for name, text in BUILT_IN.items()
        }
        owner: dict[str, str] = {}
        for record, answer in state.plugins.each("pamola_add_commands"):
            taken = [name for name in answer or {} if name in found]
            if taken:
                by = owner.get(taken[0], "the kernel")
                state.plugins.fail(record.name, f"its command {taken[0]!r} is the name of a command of {by}")
                continue
            for name, command in (answer or {}).items():
                found[name] = (command.target, command.help)
                owner[name] = record.label
        return found

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(self._commands(ctx))

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        found = self._commands(ctx)
        if name not in found:
            return None
        from pamola_tasks.plugins.discovery import resolve

        command = resolve(found[name][0])
        if not isinstance(command, click.Command):
            raise PamolaTaskError(f"the command {name!r} names {found[name][0]}, which is no click command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in self._commands(ctx):
            from pamola_tasks.parameters import unknown_name

            raise click.UsageError(unknown_name(args[0], self.list_commands(ctx), "command"), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, text) for name, (_, text) in sorted(self._commands(ctx).items())]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


def _state_before_parsing(args: Sequence[str]) -> State:
    """Read the options that decide which commands there are, as pytest does with `-p`."""
    wanted: dict[str, list[str]] = {"--project": [], "--no-plugin": [], "--plugin": []}
    rest = iter(args)
    for argument in rest:
        name, equals, value = argument.partition("=")
        if name in wanted:
            wanted[name].append(value if equals else next(rest, ""))
        elif not argument.startswith("-"):
            break
    project = wanted["--project"][-1] if wanted["--project"] else None
    return State(project, wanted["--no-plugin"], wanted["--plugin"])


def _show_version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        from pamola_tasks import __version__

        click.echo(f"pamola-task {__version__}")
        ctx.exit()


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.option("--project", metavar="DIR", expose_value=False, help="The project; found upwards unless given.")
@click.option(
    "--no-plugin", metavar="NAME", multiple=True, expose_value=False, help="Leave out a plugin or distribution."
)
@click.option(
    "--plugin", metavar="MODULE", multiple=True, expose_value=False, help="Use a module or file.py as a plugin too."
)
@click.option("-v", "--verbose", count=True, help="More lines of log (-vv: all).")
@click.option("-q", "--quiet", count=True, help="Warnings only, no progress.")
@click.option("--traceback", is_flag=True, help="Show where in the code an error came from.")
@click.option(
    "--version", is_flag=True, expose_value=False, is_eager=True, callback=_show_version, help="Show the version."
)
@click.pass_context
def cli(ctx: click.Context, verbose: int, quiet: int, traceback: bool) -> None:
    """Profile tables, anonymize them, measure what is left, and leave proof of what was done."""
    _loading.close()  # the command is about to begin, and sees to its own output
    state: State = ctx.obj
    state.verbosity = verbose - quiet
    state.traceback = traceback
    for name in state.plugins.unknown_names():
        click.secho(f"warning: there is no plugin {name!r} to leave out", fg="yellow", err=True)
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())
    elif ctx.invoked_subcommand not in TOUCH_DATA:
        broken = state.plugins.broken
        if broken and ctx.invoked_subcommand != "plugins":
            names = ", ".join(record.name for record in broken)
            click.secho(f"warning: not usable: {names}; see `pamola-task plugins`", fg="yellow", err=True)


def run(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code that belongs to how it ended."""
    _hear_sigterm()
    argv = list(sys.argv[1:] if args is None else args)
    show_traceback = "--traceback" in argv
    try:
        if "--json" in argv:
            _keep_stdout_while_loading()
        code = cli.main(args=argv, prog_name="pamola-task", standalone_mode=False)
    except click.exceptions.NoArgsIsHelpError as error:
        click.echo(error.ctx.get_help() if error.ctx else "", err=True)
        code = EXIT_USAGE
    except click.ClickException as error:
        if isinstance(error, click.UsageError) and error.ctx is not None:
            click.echo(f"{error.ctx.get_usage()}\nTry `{error.ctx.command_path} --help`.", err=True)
        _say(error.format_message())
        code = EXIT_USAGE
    except Terminated:
        _say("terminated")
        code = EXIT_TERMINATED
    except (KeyboardInterrupt, click.Abort):
        _say("interrupted")
        code = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Whoever read our output has gone; what is left to write goes nowhere, quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_TASK_FAILED
    except PamolaTaskError as error:
        _show_traceback(show_traceback)
        _say(str(error))
        code = error.exit_code
    except OSError as error:  # the disk, or what may be done on it
        _show_traceback(show_traceback)
        _say(str(error))
        code = EXIT_TASK_FAILED
    except Exception as error:
        _show_traceback(show_traceback)
        _say(f"{type(error).__name__}: {error}\nthis is a defect: --traceback shows where")
        code = EXIT_TASK_FAILED
    finally:
        _loading.close()
    sys.exit(code if isinstance(code, int) else 0)


def _keep_stdout_while_loading() -> None:
    """Where one JSON document is promised, plugins that print while they are loaded print on stderr."""
    from pamola_tasks_cli.output import stdout_for_the_document

    _loading.enter_context(stdout_for_the_document())


def _say(message: str) -> None:
    from pamola_tasks_cli.output import visible
    from pamola_tasks_redaction.secrets import redacted

    click.echo(click.style("error: ", fg="red", bold=True) + visible(redacted(message)), err=True)


def _show_traceback(wanted: bool) -> None:
    if wanted:
        import traceback

        from pamola_tasks_redaction.secrets import redacted

        click.echo(redacted(traceback.format_exc()), err=True, nl=False)


def _hear_sigterm() -> None:
    import signal

    def terminate(*_: Any) -> NoReturn:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
