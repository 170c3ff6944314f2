"""What a command of the command line is, and what the command line hands to it; nothing here imports click."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping, Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from pamola_tasks.protocols.run import KernelView, PluginsView


class Command(NamedTuple):
    """A command that a plugin adds to `pamola-task`; nothing of it is imported until it is used.

    A plugin that failed to load may hold a veto, so a command that writes is refused while one is installed.
    """

    target: str  #: the click command or group as `"module:object"`
    help: str = ""  #: one line for `pamola-task --help`
    #: whether it changes files; a command that does so only with one of its options says False, and calls
    #: `CommandLine.refuse_if_broken` before it does
    writes: bool = True
    reads: Collection[str] = ()  #: of a group, the subcommands that only read; all others count as writing


class Output(Protocol):
    """How commands print, so that all of them look alike: facts on stdout, everything else on stderr.

    Texts are printed with control and bidi characters escaped, since names come from data and files.
    """

    def heading(self, text: str) -> None: ...  #: a line above facts, in bold
    def note(self, text: str) -> None: ...  #: a line of what goes beside the facts, on stderr
    def warn(self, text: str) -> None: ...  #: a warning, on stderr

    def print_json(self, document: Any) -> None:
        """Print the one JSON document of a command that was called with `--json`."""

    def print_text(self, text: str) -> None:
        """Print a text as it is, to where the document goes."""

    def stdout_for_the_document(self) -> AbstractContextManager[None]:
        """Send everything but `print_json` and `print_text` to stderr, as the command line does for `--json`."""

    def print_table(self, rows: Sequence[Sequence[str]], headers: Sequence[str], *, narrow: str = "") -> None:
        """Print a table; the last column is cut at the terminal's edge, and `narrow` too where room is little."""

    def facts(self, rows: Sequence[tuple[str, str]], indent: int = 2) -> None:
        """Print names and values, one a line, the values aligned."""

    def visible(self, text: str) -> str:
        """The text with characters that do not print as escapes; line ends and style stay."""

    def duration(self, seconds: float) -> str:
        """A duration: `0.3 s`, `2 min 5 s`, `1 h 3 min`."""

    def size(self, count: int | None) -> str:
        """A number of bytes: `812 B`, `1.4 MB`; empty for None."""

    def program(self, folder: Path | None = None) -> str:
        """What to type to call this program again, here or in another folder."""

    def from_here(self, path: Path) -> str:
        """A path as it is typed in the current folder: relative below it, else absolute."""


class CommandLine(Protocol):
    """What a command gets from `@click.pass_obj`: what was asked of `pamola-task` before the command's name.

    Plugins are loaded, and the kernel of the project is made, when first asked for.
    """

    project: Path | None  #: --project
    verbosity: int  #: the number of -v, less that of -q

    @property
    def out(self) -> Output: ...
    @property
    def plugins(self) -> PluginsView: ...
    @property
    def kernel(self) -> KernelView: ...

    def kernel_for(self, project: Path | None) -> KernelView:
        """A kernel of another project, with the same plugins."""

    def json_schema(self, kind: Any) -> dict[str, Any]:
        """The JSON Schema (draft 2020-12) of an attrs class or another type."""

    def create_files(self, what: str, files: Mapping[str, str], then: Sequence[tuple[str, str]] = ()) -> None:
        """Create files in the project, and print which: what a template of `pamola-task new` does.

        Args:
            what: What they are, for the first line: `task visits`.
            files: Texts by path relative to the project. Where one exists, none is written (`UsageError`).
            then: What to do next: a few words, and what to type.
        """

    def refuse_if_broken(self) -> None:
        """Raise `PluginError` while an installed plugin is not usable; for what a reading command writes after all."""
