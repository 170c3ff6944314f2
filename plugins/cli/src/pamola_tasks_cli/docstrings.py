"""Docstrings of operations and hooks, also under `python -OO`, which leaves them out."""

from __future__ import annotations

import ast
import inspect
import sys
import textwrap
from typing import Any


def documentation(target: Any) -> str:
    """The docstring of a class or function; of a class without one, that of its base class."""
    said = inspect.getdoc(target)
    if said or sys.flags.optimize < 2:
        return said or ""
    found = (_in_source(each) for each in (target.__mro__[:-1] if isinstance(target, type) else [target]))
    return next(filter(None, found), "")


def summary(cls: type) -> str:
    """The first line of the docstring of a class; empty without one."""
    own = _in_source(cls) if sys.flags.optimize >= 2 else cls.__doc__
    return (own or "").strip().partition("\n")[0]


def _in_source(target: Any) -> str:
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(target)))
    except (OSError, TypeError, SyntaxError):
        return ""
    defined = tree.body[0] if tree.body else None
    known = isinstance(defined, ast.ClassDef | ast.FunctionDef)
    return (ast.get_docstring(defined) or "") if known else ""  # type: ignore[arg-type]
