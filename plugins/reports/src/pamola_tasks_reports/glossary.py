"""Terms that plugins explain, where a page uses them: sections have them under `glossary`, term and meaning."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

from pamola_tasks_reports.parts import named, part

KEY = "glossary"


class Glossary:
    """The terms of a report with their meanings; `used` has those that were found, in their order.

    Args:
        report: The JSON report.
        passed_over: A pattern, of one group, of what in a page is markup or code.
    """

    def __init__(self, report: Mapping[str, Any], passed_over: str = "(?!)") -> None:
        told = [part(part(section, "facts"), KEY) for section in named(report, "sections").values()]
        self._terms = {str(term): str(meaning) for terms in told for term, meaning in terms.items()}
        self._by_form = {term.casefold(): term for term in self._terms}
        self.used: dict[str, str] = {}
        longest_first = sorted(map(re.escape, self._terms), key=len, reverse=True)
        pattern = rf"{passed_over}|(?<![\w-])(?P<term>{'|'.join(longest_first)})(?P<plural>s|es)?(?![\w-])"
        self._pattern = re.compile(pattern, re.I | re.S) if self._terms else None

    def marked(self, text: str, mark: Callable[[str, str, str], str] | None = None) -> str:
        """A section in which each term is marked where it first occurs.

        Args:
            text: The section.
            mark: Gives the mark of what was found, the term, and its meaning; without it, terms are only noted.
        """
        if self._pattern is None:
            return text
        here: set[str] = set()

        def replaced(found: re.Match[str]) -> str:
            term = self._by_form.get((found["term"] or "").casefold())
            if term is None or term in here:
                return found[0]
            here.add(term)
            self.used.setdefault(term, self._terms[term])
            return found[0] if mark is None else mark(found[0], term, self._terms[term])

        return type(text)(self._pattern.sub(replaced, text))  # of what is markup, markup
