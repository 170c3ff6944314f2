"""Names a plugin that ends, kills or holds up a start while it is imported.

Before a plugin that is not built in is imported, its name is written to a file of this process, which is removed when
all are loaded. A start that finds the file of a process that is gone tries the plugin named there in another process.
"""

from __future__ import annotations

import contextlib
import os
import signal
import stat
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from pamola_tasks.errors import PluginError
from pamola_tasks.storage.ending import ends_with_words

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from contextlib import AbstractContextManager

    from pamola_tasks.plugins.discovery import PluginRecord

_TRIAL = 20  # seconds that a plugin gets to be imported in a process of its own
_IMPORTED = "was imported"
_END = "\0"  # of what a file says; behind it stands what is left of a longer text
_TRY = f"""\
import sys
sys.path[:] = {{path!r}}
from pamola_tasks.plugins.discovery import PluginRecord
try:
    PluginRecord({{name!r}}, {{target!r}}).get()
except BaseException:
    pass
sys.__stdout__.write({_IMPORTED!r})
"""


class Imports:
    """The imports of one start, a context manager around all of them; `say` shows a line to the user.

    What it takes to notice an end is put in place once, before the first plugin: a plugin more costs one write.
    """

    def __init__(self, say: Callable[[str], None]) -> None:
        self._say = say
        self._watch = contextlib.ExitStack()
        self._begun = False
        self._interrupted: list[bool] = []
        self._folder: Path | None = None
        self._note: int | None = None  # the descriptor of this process's file
        self._before: dict[str, list[Path]] = {}  # what processes that are gone were importing
        self._record: PluginRecord | None = None  # what is imported now

    def __enter__(self) -> Imports:
        return self

    def __exit__(self, *_: object) -> None:
        self._watch.close()
        if self._note is not None and self._folder is not None:
            os.close(self._note)
            with contextlib.suppress(OSError):
                os.unlink(self._folder / str(os.getpid()))
                os.rmdir(self._folder)  # unless others are there

    def importing(self, record: PluginRecord) -> AbstractContextManager[None]:
        """What is around the import of a plugin that is not built in.

        Raises:
            PluginError: It ended an earlier start and still does, or raises KeyboardInterrupt itself.
        """
        if not self._begun:
            self._begin()
        return _Import(self, record)

    def begin(self, record: PluginRecord) -> None:
        """Note that this plugin is imported now."""
        what = "\n".join((record.distribution, record.name, record.target))
        if what in self._before:
            self._try(record, self._before[what])
        if self._note is not None:
            os.pwrite(self._note, f"{what}{_END}".encode("utf-8", "replace"), 0)
        self._record = record

    def end(self, record: PluginRecord, error: BaseException | None) -> None:
        """Note that it was imported, or what it raised."""
        self._record = None
        if isinstance(error, KeyboardInterrupt):
            if type(error) is KeyboardInterrupt and not self._interrupted:
                raise PluginError("it raised KeyboardInterrupt while it was imported") from error
            self._say(f"interrupted {_words(record)}")

    def _doing(self) -> str:
        return _words(self._record) if self._record is not None else "while plugins were imported"

    def _begin(self) -> None:
        """Watch; open the file of this process, and read those of processes that are gone, where there is a folder."""
        self._begun = True
        self._watch.enter_context(ends_with_words(self._doing))
        self._interrupted = self._watch.enter_context(_own_interrupts())
        if not hasattr(os, "getuid"):
            return
        runtime = os.environ.get("XDG_RUNTIME_DIR")
        temporary = os.environ.get("TMPDIR") or "/tmp"
        folder = Path(runtime, "pamola-tasks") if runtime else Path(temporary, f"pamola-tasks-{os.getuid()}")
        with contextlib.suppress(OSError):
            with contextlib.suppress(FileExistsError):
                folder.mkdir(mode=0o700)
            found = os.lstat(folder)
            if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.getuid() or found.st_mode & 0o022:
                return
            for name in os.listdir(folder):
                if name.isdecimal() and not _is_alive(int(name)):
                    what = (folder / name).read_text(errors="replace").partition(_END)[0]
                    self._before.setdefault(what, []).append(folder / name)
            flags = os.O_CREAT | os.O_TRUNC | os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC
            self._note = os.open(folder / str(os.getpid()), flags, 0o600)
            self._folder = folder

    def _try(self, record: PluginRecord, notes: list[Path]) -> None:
        """Import in another process what a process that is gone was importing; `PluginError` if that ends too."""
        import subprocess

        self._say(f"an earlier start ended while plugin {record.label} was imported: trying it in another process")
        code = _TRY.format(path=sys.path, name=record.name, target=record.target)
        try:
            done = subprocess.run(
                [sys.executable, "-c", code],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                timeout=_TRIAL,
                check=False,
            )
        except subprocess.TimeoutExpired:
            raise PluginError(f"it is not imported within {_TRIAL} seconds") from None
        if not done.stdout.endswith(_IMPORTED.encode()):
            ended = signal.Signals(-done.returncode).name if done.returncode < 0 else f"exit code {done.returncode}"
            raise PluginError(f"it ends the process while it is imported ({ended})")
        for note in notes:
            note.unlink(missing_ok=True)


class _Import:
    """The import of one plugin."""

    __slots__ = ("_imports", "_record")

    def __init__(self, imports: Imports, record: PluginRecord) -> None:
        self._imports, self._record = imports, record

    def __enter__(self) -> None:
        self._imports.begin(self._record)

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        self._imports.end(self._record, error)


def _words(record: PluginRecord) -> str:
    return f"while plugin {record.label} was imported: --no-plugin {record.exclude} leaves it out"


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return pid != os.getpid()  # a file of this number is that of a process before


@contextlib.contextmanager
def _own_interrupts() -> Iterator[list[bool]]:
    """What becomes true as soon as Ctrl-C is pressed, and stays false where code raises KeyboardInterrupt."""
    interrupted: list[bool] = []

    def interrupt(*_: Any) -> NoReturn:
        interrupted.append(True)
        raise KeyboardInterrupt

    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before is not signal.default_int_handler:
        interrupted.append(True)  # it cannot be known
        yield interrupted
        return
    signal.signal(signal.SIGINT, interrupt)
    try:
        yield interrupted
    finally:
        if signal.getsignal(signal.SIGINT) is interrupt:
            signal.signal(signal.SIGINT, before)
