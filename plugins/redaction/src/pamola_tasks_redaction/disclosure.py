"""Texts of errors without anything that could be a value of the data.

Messages of pandas, numpy and Python quote what they were given: `could not convert string to float: 'John'`. Such a
text goes into logs, report and history, where no cell may appear. Whether a word of a message is data cannot be seen
by looking at the word. It can be seen where it comes from:

- An error of ours (`PamolaTaskError`) was worded for people and holds no data. What it repeats of the error that
  caused it is treated as that one.
- Of any other error only those words are shown that are literals in the code that raised it, and names that
  that are public: columns, datasets, steps, texts among the parameters. What was put between them becomes `***`.
- What the interpreter itself says about types, attributes, names, modules and files is shown.
- What compiled code says is not shown, but for the beginnings of a few well-known messages.

`--show-data` (`RunOptions.show_data`) shows everything. Nothing here imports more than the standard library.
"""

from __future__ import annotations

import opcode
import re
import traceback
from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, MappingProxyType, ModuleType, TracebackType
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import PamolaTaskError

if TYPE_CHECKING:
    from pamola_tasks.protocols import RunServices
    from pamola_tasks.record import DatasetRecord

HIDDEN = "***"
REMARK = "[*** may be data: --show-data shows it]"

_RAISE = opcode.opmap["RAISE_VARARGS"]
_COMPILED = (".pyx", ".pxi", ".pxd", ".pyx.in", ".c", ".rs")
_TOLD = "_pamola_told"
_ERRORS = 100  # that led to one: more are not in its traceback

# Errors whose text, where the interpreter itself raises them, speaks of types and names only.
_OF_THE_LANGUAGE: tuple[type[BaseException], ...] = (TypeError, AttributeError, NameError, UnboundLocalError)
_OF_THE_LANGUAGE += (ZeroDivisionError, ImportError, ModuleNotFoundError, RecursionError, MemoryError)
_OF_THE_LANGUAGE += (NotImplementedError, EOFError)
# Beginnings and whole texts that the interpreter has for other errors.
_WELL_KNOWN = re.compile(
    r"could not convert string to (?:float|complex): |invalid literal for int\(\) with base \d+: "
    r"|(?:not enough|too many) values to unpack \(expected (?:at least )?\d+(?:, got \d+)?\)$"
    r"|(?:list|tuple|string|array) (?:assignment )?index out of range$"
    r"|cannot convert float (?:NaN|infinity) to integer$"
    r"|(?:Python )?int too (?:large|big) to convert(?: to (?:C )?[\w ]+)?$|math range error$"
    r"|Python integer (?=-?\d+ out of bounds)"  # of numpy, with the value
    r"|math domain error$|(?:min|max)\(\) (?:arg is an empty sequence|iterable argument is empty)$|pop from empty \w+$"
)
_WORD = re.compile(r"[^\W\d_]{3,}")
_WORDS_THAT_SAY_SOMETHING = 4  # with the class: what is left of fewer needs the place in the code
_COLUMN_VARIABLES = ("column", "col", "field", "name", "key")
_PLACEHOLDER = re.compile(r"%(?:\(\w+\))?[-#0 +]*\d*(?:\.\d+)?[sdrifgexa]|\{[^{}]*\}")


class Disclosure:
    """Says what may be said of errors: all where data may be shown, else also names of columns, datasets and steps, and
    texts among parameters, which are not data."""

    def __init__(
        self,
        *,
        everything: bool = False,
        names: Iterable[str] = (),
        columns: Iterable[str] = (),
        phases: Mapping[str, Any] = MappingProxyType({}),
    ) -> None:
        self._everything = everything
        self._columns = {name for name in columns if name}
        self._names = {name for name in names if name} | self._columns
        self._phases = phases

    @classmethod
    def of(cls, run: RunServices, datasets: Iterable[DatasetRecord] = ()) -> Disclosure:
        """What may be said in this run, given what is known of datasets beside its record."""
        known = (*run.record.inputs, *run.record.outputs, *run.record.intermediates, *datasets)
        services = {"reading": vars(run).get("data_source"), "writing": vars(run).get("data_writer")}
        return cls(
            everything=run.options.show_data,
            names={*_names_in(run), *(dataset.name for dataset in known)},
            columns={str(column) for dataset in known for column in dataset.columns or ()},
            phases={phase: service for phase, service in services.items() if service is not None},
        )

    def message(self, error: BaseException) -> str:
        """The message of an error; its class where it has none, or where not all of it is shown."""
        return self._message(error, whole=True)

    def _message(self, error: BaseException, *, whole: bool) -> str:
        """The message, as `message` gives it if it is the `whole` that is said of the error; else without its class."""
        text = _text_of(error)
        if not text or self._everything:
            return text or type(error).__name__
        told = vars(error).get(_TOLD) if hasattr(error, "__dict__") else None
        if isinstance(told, str):
            return told
        if isinstance(error, SystemExit) and isinstance(error.code, int):
            return text
        if isinstance(error, PamolaTaskError) or getattr(error, "holds_no_data", False):
            return self._without_causes(error, text)
        shown = self._shown(error, text)
        if shown == text:  # a KeyError has nothing but its key
            return f"{type(error).__name__}: {text}" if whole and isinstance(error, KeyError) else text
        if not re.search(r"\w", shown):
            shown = f"{type(error).__name__} {HIDDEN}"
        elif whole:
            shown = f"{type(error).__name__}: {shown}"
        place = _place(error) if len(_WORD.findall(shown)) < _WORDS_THAT_SAY_SOMETHING else ""
        about = ", ".join(self._circumstances(error)) if whole else ""
        return f"{shown}{f' at {place}' if place else ''}{f' ({about})' if about else ''} {REMARK}"

    def trace(self, error: BaseException) -> str:
        """The traceback of an error and of those that caused it; places and code are shown, messages as above."""
        return "".join(self._trace(error, set()))

    def remember(self, error: BaseException) -> None:
        """Keep with an error what may be said of it: where it was raised is not known in another process."""
        if not isinstance(error, PamolaTaskError) and hasattr(error, "__dict__"):
            vars(error)[_TOLD] = self.message(error)

    # ------------------------------------------------------------ inside

    def _trace(self, error: BaseException, seen: set[int]) -> Iterator[str]:
        seen.add(id(error))
        cause = error.__cause__
        context = None if error.__suppress_context__ else error.__context__
        before = cause if cause is not None else context
        if before is not None and id(before) not in seen and len(seen) < _ERRORS:
            yield from self._trace(before, seen)
            yield "\nThat caused the following:\n\n" if cause is not None else "\nWhile that was handled:\n\n"
        if error.__traceback__ is not None:
            yield "Traceback (most recent call last):\n"
            yield from traceback.format_tb(error.__traceback__)
        kind = type(error)
        module = re.sub(r"^pamola_file_(\w+)_[0-9a-f]{8}$", r"\1", kind.__module__)  # read from a file
        name = kind.__qualname__ if module in ("builtins", "__main__") else f"{module}.{kind.__name__}"
        text = self._message(error, whole=False).removeprefix(f"{kind.__name__}: ") if _text_of(error) else ""
        yield f"{name}: {text}\n" if text else f"{name}\n"
        if isinstance(error, BaseExceptionGroup):
            for one in error.exceptions:
                if id(one) in seen or len(seen) >= _ERRORS:
                    continue
                yield from ("  | " + line + "\n" for line in "".join(self._trace(one, seen)).splitlines())

    def _circumstances(self, error: BaseException) -> Iterator[str]:
        """What the code was at that raised: reading or writing a dataset, and a column."""
        frames = [frame.tb_frame.f_locals for frame in _frames(error.__traceback__)][::-1]
        for phase, service in self._phases.items():
            if any(names.get("self") is service for names in frames):
                yield f"while {phase}"
        values = (names.get(variable) for names in frames for variable in _COLUMN_VARIABLES)
        if column := next((value for value in values if isinstance(value, str) and value in self._columns), None):
            yield f"column {column!r}"

    def _without_causes(self, error: BaseException, text: str) -> str:
        """A message of ours, with what it repeats of foreign errors behind it told as those are."""
        for behind in _behind(error):
            said = _text_of(behind)
            if said and not isinstance(behind, PamolaTaskError):
                for repeated in dict.fromkeys([said, said.strip().split("\n")[0]]):
                    if repeated and repeated in text:
                        text = text.replace(repeated, self._message(behind, whole=False))
                        break
        return text

    def _shown(self, error: BaseException, text: str) -> str:
        frames = list(_frames(error.__traceback__))
        if isinstance(error, OSError) and error.errno is not None and error.strerror:
            return text
        if not frames or _is_kernel(frames[-1]):
            return text  # it was made and never raised, so somebody worded it
        last = frames[-1]
        lacks = isinstance(error, AttributeError) and _module(last).startswith("pamola_tasks")  # as Python's own
        if lacks or _is_about_modules(error, last):
            return text
        anywhere = {literal for frame in frames for literal in _literals(frame.tb_frame.f_code)}
        if not _raises_itself(last):
            if type(error) in _OF_THE_LANGUAGE and not _is_compiled(last):
                return text
            known = _WELL_KNOWN.match(text)
            return self._masked(text, {known[0]} if known else set(), anywhere, self._names)
        globals_ = last.tb_frame.f_globals
        whole = anywhere | {value for value in globals_.values() if isinstance(value, str)}
        return self._masked(text, _literals(last.tb_frame.f_code), whole, self._names | _modules_in(error))

    def _masked(self, text: str, literals: Iterable[str], whole: Iterable[str], known: set[str]) -> str:
        """The text with all of it hidden that is neither of these literals nor a known name."""
        bare = text.strip("'\"")
        if text in whole or bare in whole or text in known or bare in known:
            return text
        pieces = sorted({piece for literal in literals for piece in _pieces(literal)}, key=len, reverse=True)
        names = sorted(known, key=len, reverse=True)
        patterns = [_bounded(piece) for piece in (*pieces, *names)]
        if not patterns:
            return _hidden(text)
        found = re.compile("|".join(patterns))
        shown, end = [], 0
        for match in found.finditer(text):
            shown += [_hidden(text[end : match.start()]), match[0]]
            end = match.end()
        return "".join([*shown, _hidden(text[end:])])


def _text_of(error: BaseException) -> str:
    try:
        return str(error)
    except Exception:
        return ""


def _frames(trace: TracebackType | None) -> Iterator[TracebackType]:
    while trace is not None:
        yield trace
        trace = trace.tb_next


def _is_compiled(frame: TracebackType) -> bool:
    return frame.tb_frame.f_code.co_filename.endswith(_COMPILED)


def _is_kernel(frame: TracebackType) -> bool:
    """Whether the kernel raises here what an operation gave it."""
    return _module(frame) == "pamola_tasks.steps"


def _module(frame: TracebackType) -> str:
    return str(frame.tb_frame.f_globals.get("__name__", ""))


def _is_about_modules(error: BaseException, last: TracebackType) -> bool:
    """Whether the text names what could not be imported, or what in a file is not Python.

    The importer is Python code with a `raise` of its own, so its errors are not known by the lack of one.
    """
    if isinstance(error, ImportError):
        module = _module(last).partition(".")[0]
        return module in ("importlib", "zipimport") or last.tb_frame.f_code.co_filename.startswith("<frozen importlib")
    return isinstance(error, SyntaxError) and not (error.filename or "<").startswith("<")


def _modules_in(error: BaseException) -> set[str]:
    """Names of modules, and of what was looked for in them, that an error and those before it are about."""
    names: set[str] = set()
    for one in (error, *_behind(error)):
        if isinstance(one, ImportError):
            names.update((one.name or "", (one.name or "").partition(".")[0]))
        elif isinstance(one, AttributeError) and isinstance(one.obj, ModuleType):
            names.update((one.obj.__name__, one.name or ""))
    return names - {""}


def _behind(error: BaseException) -> Iterator[BaseException]:
    """What caused an error, or was handled when it was raised, and so on."""
    seen = {id(error)}
    behind = error.__cause__ or error.__context__
    while behind is not None and id(behind) not in seen:
        seen.add(id(behind))
        yield behind
        behind = behind.__cause__ or behind.__context__


def _raises_itself(frame: TracebackType) -> bool:
    """Whether the code stands at a `raise`; if not, something that it called without a frame of its own raised."""
    code = frame.tb_frame.f_code.co_code
    return not _is_compiled(frame) and 0 <= frame.tb_lasti < len(code) and code[frame.tb_lasti] == _RAISE


def _place(error: BaseException) -> str:
    frames = list(_frames(error.__traceback__))
    if not frames:
        return ""
    name = frames[-1].tb_frame.f_code.co_filename.replace("\\", "/").rpartition("/")[2]
    return f"{name}:{frames[-1].tb_lineno}"


def _literals(code: CodeType) -> set[str]:
    """The texts that stand in a function; not those of functions inside it, nor what describes it."""
    return {constant for constant in code.co_consts if isinstance(constant, str)}


def _pieces(literal: str) -> Iterator[str]:
    """The parts of a literal that are more than one word: a single word could as well have been a cell."""
    for piece in _PLACEHOLDER.split(literal):
        if re.search(r"[^\W\d_]{2}", piece) and re.search(r"\W", piece):
            yield piece


def _bounded(text: str) -> str:
    before = r"(?<!\w)" if text[:1].isalnum() or text[:1] == "_" else ""
    after = r"(?!\w)" if text[-1:].isalnum() or text[-1:] == "_" else ""
    return f"{before}{re.escape(text)}{after}"


def _hidden(text: str) -> str:
    """The text with everything between its outermost quotes, blanks and signs hidden."""
    return re.sub(r"\w(?:.*\w)?", HIDDEN, text, count=1, flags=re.DOTALL)


def _names_in(run: RunServices) -> set[str]:
    names: set[str] = set()
    for step in run.plan:
        names.update((step.id, step.name, *step.reads, *step.writes))
        _collect(step.operation.parameters(), names)
    return names


def _collect(value: Any, names: set[str]) -> None:
    if isinstance(value, str):
        names.add(value)
    elif isinstance(value, dict):
        names.update(map(str, value))
        _collect(list(value.values()), names)
    elif isinstance(value, (list, tuple, set, frozenset)):
        for item in value:
            _collect(item, names)
