"""The command `pamola-task`: its global options, where its commands come from, and how errors are shown.

Nothing but click and the plugins' entry points is imported before a command is chosen.
"""

from __future__ import annotations

import copy
import os
import signal
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from functools import cache, cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn, cast

import click

from pamola_tasks import __version__
from pamola_tasks.errors import (
    EXIT_INTERRUPTED,
    EXIT_TASK_FAILED,
    EXIT_TERMINATED,
    EXIT_USAGE,
    PamolaTaskError,
    PluginError,
    Terminated,
    UntrustedError,
    UsageError,
)
from pamola_tasks.secret import withhold

if TYPE_CHECKING:
    from pamola_tasks.kernel import Kernel
    from pamola_tasks.plugins.discovery import PluginRecord
    from pamola_tasks.plugins.manager import Plugins
    from pamola_tasks.protocols import Command, Output
    from pamola_tasks_cli.imports import Imports


class Invocation:
    """One call of `pamola-task`, with what `--project`, `--no-plugin` and `--plugin` said: see `CommandLine`."""

    def __init__(self, project: str | None = None, disable: Sequence[str] = (), modules: Sequence[str] = ()) -> None:
        self._asked = Path(project) if project is not None else None
        self.disable = tuple(disable)
        self.modules = tuple(modules)
        self.verbosity = 0
        self.owners: dict[str, PluginRecord] = {}  # of `commands`
        self.words: tuple[str, ...] = ()  # what is to be completed

    @cached_property
    def project(self) -> Path | None:
        """The project that `--project` names by a folder of it; that folder where none above can be used."""
        if self._asked is None or not self._asked.is_dir():
            return self._asked
        from pamola_tasks.storage.trust import root_of

        environ = {name: value for name, value in os.environ.items() if name != "PAMOLA_PROJECT_ROOT"}
        try:
            return root_of(self._asked, environ)[0]
        except UntrustedError:
            return self._asked  # which is judged again, without what is above

    @property
    def out(self) -> Output:
        from pamola_tasks_cli import output

        return cast("Output", output)

    @cached_property
    def plugins(self) -> Plugins:
        from pamola_tasks.plugins.manager import assemble

        with ExitStack() as after:

            @cache
            def imports() -> Imports:
                from pamola_tasks_cli.imports import Imports

                return after.enter_context(Imports(lambda text: self.out.warn(text)))

            def importing(record: PluginRecord) -> AbstractContextManager[None]:
                return nullcontext() if record.built_in else imports().importing(record)

            return assemble(self.project, disable=self.disable, modules=self.modules, importing=importing)

    @cached_property
    def kernel(self) -> Kernel:
        return self.kernel_for(self.project)

    def redact(self, text: str) -> str:
        """A text that is shown outside of runs, without secrets."""
        from pamola_tasks.plugins.manager import installed_redactor

        try:
            return self.plugins.redact(text)
        except PamolaTaskError:  # `.pamola.toml` is not valid, or somebody else's
            return installed_redactor(disable=self.disable)(text)

    def kernel_for(self, project: Path | None) -> Kernel:
        from pamola_tasks.kernel import Kernel

        return Kernel(project, loaded=self.plugins)

    def json_schema(self, kind: Any) -> dict[str, Any]:
        """The JSON Schema of an attrs class or another type."""
        from pamola_tasks_cli.json_schema import json_schema

        return json_schema(kind)

    def create_files(self, what: str, files: Mapping[str, str], then: Sequence[tuple[str, str]] = ()) -> None:
        project = self.kernel.project
        taken = [path for path in files if (project.root / path).exists()]
        if taken:
            raise UsageError(f"{project.root / taken[0]} is there already; nothing was written")
        for path, text in files.items():
            with project.files.create(path, "config", exclusive=True) as file:
                file.write(text.encode())
        click.echo(f"created {self.out.visible(what)}")
        self.out.facts([("" if index else "wrote", path) for index, path in enumerate(files)] + [*then])

    def refuse_if_broken(self) -> None:
        self.plugins.refuse_if_broken()

    @cached_property
    def commands(self) -> dict[str, Command]:
        """The commands that plugins add, by name; those of built-in plugins are never shadowed."""
        from pamola_tasks.protocols import Command

        found: dict[str, Command] = {}
        answers = list(self.plugins.each("pamola_add_commands"))
        for record, answer in sorted(answers, key=lambda one: not one[0].built_in):
            if not isinstance(answer, Mapping):
                wrong = f"pamola_add_commands returns a mapping of names to Commands, not a {type(answer).__name__}"
                self.plugins.fail(record, wrong)
            elif odd := [name for name, given in answer.items() if not isinstance(given, Command)]:
                wrong = f"its command {odd[0]!r} is described by a Command, not by a {type(answer[odd[0]]).__name__}"
                self.plugins.fail(record, wrong)
            elif taken := next((name for name in answer if name in found), None):
                owner = self.owners[taken].label
                self.plugins.fail(record, f"its command {taken!r} is the name of a command of {owner}")
            else:
                found |= answer
                self.owners |= dict.fromkeys(answer, record)
        return found


class LazyGroup(click.Group):
    """The commands that plugins add, imported when they are used."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        if ctx.obj is None or ctx.resilient_parsing:  # what is completed is not what was called
            ctx.obj = _before_parsing(args)
            ctx.obj.words = tuple(args)
        return super().parse_args(ctx, args)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return sorted(_of(ctx).commands)

    def get_command(self, ctx: click.Context, name: str) -> click.Command | None:
        found = _of(ctx).commands.get(name)
        if found is None:
            return None
        from pamola_tasks.plugins.contributions import imported

        owner = _of(ctx).owners[name]
        command = imported(owner, found.target, f"command {name!r}")
        if not isinstance(command, click.Command):
            raise PluginError(f"command {name!r} of {owner.label} names {found.target}, which is not a click command")
        if ctx.resilient_parsing:
            return _completing(command, _of(ctx))
        if found.reads and isinstance(command, click.Group) and not command.invoke_without_command:
            return _with_guarded_subcommands(command, found)
        return _guarded(command, writes=found.writes)

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and args[0] not in _of(ctx).commands:
            from pamola_tasks.parameters import unknown_name

            if (only := _of(ctx).plugins.only) is not None:
                _of(ctx).out.warn(f"[plugins] only in .pamola.toml allows {', '.join(only) or 'no plugin'}")
            for broken in _of(ctx).plugins.broken:
                _of(ctx).out.warn(f"plugin {broken.label} could not be loaded: {broken.reason}")
            raise click.UsageError(unknown_name(args[0], self.list_commands(ctx), "command"), ctx)
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        rows = [(name, found.help) for name, found in sorted(_of(ctx).commands.items())]
        first = max((len(name) for name, _ in rows), default=0) + 2
        with formatter.section("Commands"):
            if all(2 + first + len(text) < formatter.width and "\n" not in text for _, text in rows):
                formatter.write("".join(f"  {name:{first}}{text}\n" for name, text in rows))
            else:  # click breaks lines, and takes its time for each
                formatter.write_dl(rows)


def _of(ctx: click.Context) -> Invocation:
    return cast("Invocation", ctx.obj)


def _guarded(command: click.Command, *, writes: bool) -> click.Command:
    """The command, refused while a plugin is not usable if it writes, and run with a warning if it reads."""
    guarded = copy.copy(command)
    if guarded.help is None and sys.flags.optimize > 1:  # `python -OO` has left it out
        from pamola_tasks_cli.docstrings import documentation

        guarded.help = documentation(command.callback)

    def invoke(ctx: click.Context) -> Any:
        invocation = ctx.find_object(Invocation)
        if invocation is not None:
            if writes:
                invocation.refuse_if_broken()
            elif invocation.plugins.broken and ctx.info_name != "plugins":
                names = ", ".join(record.name for record in invocation.plugins.broken)
                invocation.out.warn(f"plugin failed to load: {names} · see `pamola-task plugins`")
        return command.invoke(ctx)

    guarded.invoke = invoke  # type: ignore[method-assign]
    return guarded


def _completing(command: click.Command, invocation: Invocation) -> click.Command:
    from pamola_tasks_cli.completing import completing

    completed = completing(command, lambda: invocation.kernel, invocation.words)
    if isinstance(command, click.Group):

        def resolve(ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
            name, found, rest = command.resolve_command(ctx, args)
            return name, found and _completing(found, invocation), rest

        completed.resolve_command = resolve  # type: ignore[attr-defined]
    return completed


def _with_guarded_subcommands(group: click.Group, found: Command) -> click.Group:
    guarded = copy.copy(group)

    def resolve(ctx: click.Context, args: list[str]) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = group.resolve_command(ctx, args)
        return name, command and _guarded(command, writes=name not in found.reads), rest

    guarded.resolve_command = resolve  # type: ignore[method-assign]
    return guarded


def _before_parsing(args: Sequence[str]) -> Invocation:
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
    return Invocation(project, wanted["--no-plugin"], wanted["--plugin"])


@click.group(
    cls=LazyGroup,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    invoke_without_command=True,
)
@click.option("--project", metavar="DIR", expose_value=False, help="The project (default: searched upwards).")
@click.option(
    "--no-plugin", metavar="NAME", multiple=True, expose_value=False, help="Exclude a plugin or distribution."
)
@click.option(
    "--plugin", metavar="MODULE", multiple=True, expose_value=False, help="Also load a module or file.py as a plugin."
)
@click.option("-v", "--verbose", count=True, help="Log more (-vv: everything).")
@click.option("-q", "--quiet", count=True, help="Warnings only, no progress.")
@click.option("--traceback", is_flag=True, expose_value=False, help="Show the traceback of an error.")
@click.version_option(__version__, message="pamola-task %(version)s", help="Show the version.")
@click.pass_context
def cli(ctx: click.Context, verbose: int, quiet: int) -> None:
    """Profile and anonymize tables, measure the remaining risk, and keep a verifiable record of every run."""
    invocation: Invocation = ctx.obj
    invocation.verbosity = verbose - quiet
    plugins = invocation.plugins
    for name in sorted(plugins.disable - {name for record in plugins.records for name in record.names}):
        invocation.out.warn(f"there is no plugin {name!r} to leave out")
    for name in plugins.only or ():
        if not any(record.matches(name) for record in plugins.records):
            invocation.out.warn(f"[plugins] only in .pamola.toml names {name!r}, and there is no such plugin")
    if ctx.invoked_subcommand is None:
        click.echo(ctx.get_help())


def run(args: Sequence[str] | None = None) -> NoReturn:
    """Run the command line and exit with the code that belongs to how it ended."""

    def terminate(*_: Any) -> NoReturn:
        raise Terminated

    signal.signal(signal.SIGTERM, terminate)
    if args is None:  # the process is ours
        withhold()
        os.umask(os.umask(0o077) | 0o077)  # also what operations write by their own means is the user's alone
    argv = list(sys.argv[1:] if args is None else args)
    invocation = _before_parsing(argv)
    try:
        # Where one JSON document is promised, everything else that anyone prints goes to stderr.
        with invocation.out.stdout_for_the_document() if "--json" in argv else nullcontext():
            code = cli.main(args=argv, prog_name="pamola-task", obj=invocation, standalone_mode=False)
    except BrokenPipeError:
        # Whoever read our output has gone; what is left to write goes nowhere, quietly.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = EXIT_TASK_FAILED
    except (Exception, KeyboardInterrupt) as error:
        if "--traceback" in argv and not isinstance(error, click.ClickException | KeyboardInterrupt | click.Abort):
            import traceback

            click.echo(invocation.redact(traceback.format_exc()), err=True, nl=False)
        # click makes Ctrl-C, and SIGTERM with it, an error of its own
        message, code = _ending(error.__cause__ or error if isinstance(error, click.Abort) else error)
        if message:
            # Of an interrupt the words are our own; to redact them could load again what has hung while it was loaded.
            own_words = isinstance(error, KeyboardInterrupt | click.Abort)
            said = message if own_words else invocation.out.visible(invocation.redact(message))
            click.echo(click.style("error: ", fg="red", bold=True) + said, err=True)
    if code and isinstance(code, int) and args is None:
        from pamola_tasks.storage.ending import ends_with_words

        _at_the_end.enter_context(ends_with_words("while Python ended, after a command that failed"))
    code = code if isinstance(code, int) else 0
    if args is None and threading.active_count() > 1:
        from pamola_tasks_cli.leaving import end_without_threads

        end_without_threads(code)
    sys.exit(code)


_at_the_end = ExitStack()  # what is left in place until the process is gone


def _ending(error: BaseException) -> tuple[str, int]:
    """What to say of an error that ends the command, and the exit code."""
    match error:
        case click.exceptions.NoArgsIsHelpError():
            click.echo(error.ctx.get_help() if error.ctx else "", err=True)
            return "", EXIT_USAGE
        case click.ClickException():
            if isinstance(error, click.UsageError) and error.ctx is not None:
                click.echo(f"{error.ctx.get_usage()}\nTry `{error.ctx.command_path} --help`.", err=True)
            return error.format_message(), EXIT_USAGE
        case Terminated():
            return "terminated", EXIT_TERMINATED
        case KeyboardInterrupt() | click.Abort():
            return "interrupted", EXIT_INTERRUPTED
        case PamolaTaskError():
            return str(error), error.exit_code
        case OSError():  # the disk, or what may be done on it
            return str(error), EXIT_TASK_FAILED
    return f"{type(error).__name__}: {error}\nthis is a defect: --traceback shows where", EXIT_TASK_FAILED
