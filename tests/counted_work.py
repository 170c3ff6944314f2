"""Work counted instead of timed: calls of functions, and steps of a regular expression's matcher.

A time depends on the machine; a count does not. What is quadratic shows when an input of twice the length takes four
times the work: `assert grows_evenly(work(n), work(2 * n))`.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator
from functools import partial
from re import _constants as sre  # type: ignore[attr-defined]
from re import _parser as parser  # type: ignore[attr-defined]
from types import FrameType, ModuleType
from typing import Any

import pytest

Rest = Callable[[int], "int | None"]  # what has to match behind: where the whole match ends, or None


def calls(function: Callable[[], object]) -> int:
    """How many functions, of Python and of C, a function calls."""
    return len(called(function))


def called(function: Callable[[], object]) -> list[str]:
    """The names of the functions that a function calls, in order."""
    names: list[str] = []

    def count(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            names.append(frame.f_code.co_name)
        elif event == "c_call":
            names.append(argument.__name__)

    before = sys.getprofile()
    sys.setprofile(count)
    try:
        function()
    finally:
        sys.setprofile(before)
    return names[:-1]  # the last one takes the profile away


def grows_evenly(once: int, twice: int) -> bool:
    """Whether the work for an input of twice the length is about twice as much."""
    return twice <= 2.5 * once + 1000


class Steps:
    """The steps that matchers of regular expressions took, by counting ones in place of a module's patterns."""

    def __init__(self) -> None:
        self.taken = 0

    def count(self, monkeypatch: pytest.MonkeyPatch, *modules: ModuleType) -> None:
        """Count what the patterns of modules do from now on; they find the same as before."""
        for module in modules:
            for name, value in list(vars(module).items()):
                if isinstance(value, re.Pattern):
                    monkeypatch.setattr(module, name, Counting(value, self))


class Counting:
    """A pattern that finds what `re` finds, and takes each step once more to count it."""

    def __init__(self, pattern: re.Pattern[str], steps: Steps) -> None:
        self.pattern, self.steps = pattern, steps
        self.matcher = Matcher(pattern.pattern, pattern.flags, steps)

    def finditer(self, text: str, at: int = 0) -> Iterator[re.Match[str]]:
        self.matcher.check(list(self.pattern.finditer(text, at)), text, at)
        return self.pattern.finditer(text, at)

    def sub(self, by: Any, text: str) -> str:
        self.matcher.check(list(self.pattern.finditer(text)), text, 0)
        return self.pattern.sub(by, text)

    def split(self, text: str, maxsplit: int = 0) -> list[Any]:
        self.matcher.check(list(self.pattern.finditer(text))[: maxsplit or None], text, 0, most=maxsplit)
        return self.pattern.split(text, maxsplit)

    def search(self, text: str, at: int = 0) -> re.Match[str] | None:
        found = self.pattern.search(text, at)
        self.matcher.check([found] if found else [], text, at, most=1)
        return found

    def match(self, text: str, at: int = 0) -> re.Match[str] | None:
        found = self.pattern.match(text, at)
        assert self.matcher.end(text, at) == (found.end() if found else None)
        return found

    def fullmatch(self, text: str) -> re.Match[str] | None:
        found = self.pattern.fullmatch(text)
        self.matcher.end(text, 0)
        return found


class Matcher:
    """A backtracking matcher as `re` has one, slow, with a count of its steps."""

    def __init__(self, pattern: str, flags: int, steps: Steps) -> None:
        self.nodes = list(parser.parse(pattern, flags))
        self.flags, self.steps = flags, steps

    def check(self, expected: list[re.Match[str]], text: str, at: int, most: int = 0) -> None:
        """Go through a text as a search does, and see that it finds the same."""
        spans: list[tuple[int, int]] = []
        while at <= len(text) and not (most and len(spans) == most):
            end = self.end(text, at)
            if end is not None and not (end == at and spans and spans[-1][1] == at):
                spans.append((at, end))
            at = end if end is not None and end > at else at + 1
        assert spans == [found.span() for found in expected]

    def end(self, text: str, at: int) -> int | None:
        """Where a match that begins here ends, or None."""
        self.text = text
        self.groups: dict[int, tuple[int, int]] = {}
        limit = sys.getrecursionlimit()
        sys.setrecursionlimit(max(limit, 100_000))  # a repeated group is a call in a call
        try:
            return self.run(self.nodes, 0, at, lambda end: end)
        finally:
            sys.setrecursionlimit(limit)

    def run(self, nodes: list[Any], index: int, at: int, rest: Rest) -> int | None:
        while index < len(nodes):
            self.steps.taken += 1
            kind, value = nodes[index]
            single = self.single(kind, value)
            if single is not None:
                if at >= len(self.text) or not single(self.text[at]):
                    return None
                at, index = at + 1, index + 1
                continue
            return self.compound(kind, value, at, partial(self.run, nodes, index + 1, rest=rest))
        return rest(at)

    def single(self, kind: Any, value: Any) -> Callable[[str], bool] | None:
        """The test of one character, where a node is one."""
        same = str.lower if self.flags & re.I else str
        if kind is sre.LITERAL:
            return lambda c: same(c) == same(chr(value))
        if kind is sre.NOT_LITERAL:
            return lambda c: same(c) != same(chr(value))
        if kind is sre.ANY:
            return lambda c: bool(self.flags & re.S) or c != "\n"
        if kind is sre.IN:
            negated = value[0][0] is sre.NEGATE
            tests = value[1:] if negated else value
            return lambda c: any(in_class(each, d) for each in tests for d in {c, same(c)}) is not negated
        return None

    def compound(self, kind: Any, value: Any, at: int, rest: Rest) -> int | None:
        if kind is sre.SUBPATTERN:
            number, inner = value[0], list(value[3])

            def leave(end: int) -> int | None:
                old = self.groups.get(number)
                self.groups[number] = (at, end)
                found = rest(end)
                if found is None and old is not None:
                    self.groups[number] = old
                return found

            return self.run(inner, 0, at, leave)
        if kind is sre.BRANCH:
            found = (self.run(list(branch), 0, at, rest) for branch in value[1])
            return next((end for end in found if end is not None), None)
        if kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            return self.repeat(kind, *value, at, rest)
        if kind is sre.ATOMIC_GROUP:
            end = self.run(list(value), 0, at, lambda end: end)
            return None if end is None else rest(end)
        if kind in (sre.ASSERT, sre.ASSERT_NOT):
            direction, inner = value
            start = at if direction > 0 else at - inner.getwidth()[0]
            held = start >= 0 and self.run(list(inner), 0, start, lambda end: end) is not None
            return rest(at) if held is (kind is sre.ASSERT) else None
        if kind is sre.AT:
            return rest(at) if self.boundary(value, at) else None
        assert kind is sre.GROUPREF, kind
        start, stop = self.groups.get(value, (0, 0))
        return rest(at + stop - start) if self.text.startswith(self.text[start:stop], at) else None

    def repeat(self, kind: Any, least: int, most: Any, inner: Any, at: int, rest: Rest) -> int | None:
        nodes, bound = list(inner), len(self.text) + 1 if most is sre.MAXREPEAT else most
        single = self.single(*nodes[0]) if len(nodes) == 1 else None
        if single is not None and kind is not sre.MIN_REPEAT:
            end = at
            while end < len(self.text) and end - at < bound and single(self.text[end]):
                end += 1
            self.steps.taken += end - at
            for tried in [end] if kind is sre.POSSESSIVE_REPEAT else range(end, at + least - 1, -1):
                found = rest(tried) if tried - at >= least else None
                if found is not None:
                    return found
            return None
        if kind is sre.POSSESSIVE_REPEAT:
            last = self.repeat(sre.MAX_REPEAT, least, most, inner, at, lambda end: end)
            return None if last is None else rest(last)

        def more(times: int, here: int) -> int | None:
            def again(end: int) -> int | None:
                return None if end == here and times >= least else more(times + 1, end)

            if times < least:
                return self.run(nodes, 0, here, again)
            ways = [lambda: self.run(nodes, 0, here, again) if times < bound else None, lambda: rest(here)]
            found = (way() for way in (ways if kind is sre.MAX_REPEAT else reversed(ways)))
            return next((end for end in found if end is not None), None)

        return more(0, at)

    def boundary(self, where: Any, at: int) -> bool:
        before, behind = self.text[at - 1 : at] if at else "", self.text[at : at + 1]
        if where is sre.AT_BEGINNING_STRING or (where is sre.AT_BEGINNING and not self.flags & re.M):
            return at == 0
        if where is sre.AT_BEGINNING:
            return at == 0 or before == "\n"
        if where is sre.AT_END_STRING:
            return at == len(self.text)
        if where is sre.AT_END:
            return at == len(self.text) or (behind == "\n" and (bool(self.flags & re.M) or at == len(self.text) - 1))
        edge = bool(re.match(r"\w", before)) is not bool(re.match(r"\w", behind))
        return edge is (where is sre.AT_BOUNDARY)


CATEGORIES = {
    sre.CATEGORY_DIGIT: r"\d",
    sre.CATEGORY_NOT_DIGIT: r"\D",
    sre.CATEGORY_SPACE: r"\s",
    sre.CATEGORY_NOT_SPACE: r"\S",
    sre.CATEGORY_WORD: r"\w",
    sre.CATEGORY_NOT_WORD: r"\W",
}


def in_class(test: tuple[Any, Any], character: str) -> bool:
    kind, value = test
    if kind is sre.LITERAL:
        return ord(character) == value
    if kind is sre.RANGE:
        return bool(value[0] <= ord(character) <= value[1])
    return re.match(CATEGORIES[value], character) is not None
