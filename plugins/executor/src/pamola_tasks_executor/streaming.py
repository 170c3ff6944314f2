"""Attempts at steps for a program that reads and writes pipes: `python -m pamola_tasks_executor` without arguments.

Standard input brings one `Work` after the other, standard output takes the `State`s of each as they change, the last
one with its answer: pickles, each behind its length (`multiprocessing.connection.Connection`). Each attempt has a
process of its own, within its memory limit; where that dies, the answer says so. When the input ends, so does all that
was begun.
"""

from __future__ import annotations

import os
import pickle
from multiprocessing.connection import Connection
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import OperationError
from pamola_tasks.secret import withheld
from pamola_tasks_executor.elsewhere import State
from pamola_tasks_executor.processes import Processes
from pamola_tasks_executor.remote import Answer, dumps

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks_executor.elsewhere import Work

_LOOK = 0.1  # seconds between two looks at whether the other side is still there
_KEY = "PAMOLA_KEY"  # how variables begin that open keys
_MODULES = ("pamola_tasks_executor.performing", "pandas", "pyarrow", "pyarrow.parquet")


def serve() -> None:
    """Make attempts as they come, until there are no more."""
    incoming, outgoing = _take_streams()
    known: Mapping[str, str] = {}
    place = Processes(_MODULES)
    try:
        while True:
            work: Work = pickle.loads(incoming.recv_bytes())
            if work.variables != known:
                place.close()  # what is there has others
                _take_variables(known, work.variables)
                known = work.variables
            os.chdir(work.root)
            _attempt(place, work, incoming, outgoing)
    except (EOFError, ConnectionError):
        pass
    finally:
        place.close()


def _attempt(place: Processes, work: Work, incoming: Connection, outgoing: Connection) -> None:
    """Make one attempt and send how far it is; an EOFError where the other side has gone meanwhile."""
    if incoming.poll():  # gone already: nothing may begin for it
        raise EOFError
    handle: Any = place.submit(work)
    said, state = "", State(name="waiting")
    try:
        while state.name != "ended":
            try:
                state = place.state(handle, _LOOK)
            except OperationError as error:
                place.cancel(handle)
                handle, state = None, State(name="ended", answer=dumps(Answer(error=error), "the error"))
            if state.messages or state.name != said:
                outgoing.send_bytes(pickle.dumps(state))
                said = state.name
            if state.name != "ended" and incoming.poll():
                raise EOFError
    except BaseException:
        if handle is not None:
            place.cancel(handle)
        raise


def _take_variables(before: Mapping[str, str], now: Mapping[str, str]) -> None:
    """Let this process, and those that it starts for steps, have these variables instead of earlier ones."""
    for name in before:
        withheld.pop(name, None)
        os.environ.pop(name, None)
    keys = {name for name in now if name.startswith(_KEY)}
    withheld.update({name: now[name] for name in keys})
    os.environ.update({name: value for name, value in now.items() if name not in keys})
    if keys:  # this is the key, whatever this machine is configured for
        for name in [name for name in os.environ if name.startswith(_KEY)]:
            del os.environ[name]


def _take_streams() -> tuple[Connection, Connection]:
    """Keep standard input and output; whoever reads here gets nothing, what is printed goes to standard error."""
    incoming, outgoing = Connection(os.dup(0), writable=False), Connection(os.dup(1), readable=False)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.close(nothing)
    os.dup2(2, 1)
    return incoming, outgoing
