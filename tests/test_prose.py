"""The words of README, manual, help texts, messages and public docstrings: plain ones, as the field uses them.

`python tests/test_prose.py [FOLDER]` prints every offence of a checkout as `file:line: text -> what to write`. Not
checked: code blocks and code in text, program output, names, and the docstrings of private functions.
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parents[1]

# What may not occur, and what to write instead.
WORDS = {
    r"(?<!there )\b(?:is|are|was|were) no\b(?! longer\b| more\b)": "is not a …, has no …",
    r"\b(?:some|no|every)bod(?:y|ies)\b": "a user, an attacker, another process, all users",
    r"\b(?:tells?|told)\b": "show, report, return, name, reveal",
    r"\b(?:stands?|stood)\b": "is, means, occurs",
    r"\boverrul": "override",
    r"\banew\b": "again, re-…",
    r"\b(?:lies|lay)\b": "is, is stored",
    r"\bwhoever\b": "anyone who, the caller",
    r"\bsays? who\b": "name",
    r"\bthat is all\b": "nothing: cut it",
    r"\bat hand\b": "available, current",
    r"\bcut short\b": "interrupted",
    r"\bgo(?:es)? on\b": "continue, resume",
    r"\bwith no answer\b": "without a provider",
    r"\bhash(?:es|ed)? again\b": "re-hash",
    r"\btr(?:y|ies|ied) again\b": "retry",
    r"\bin this house\b": "here; name the policy",
    r"\b(?:belongs?|put) into\b": "belong in, put in",
    r"\bdone again\b": "repeat, run again",
}
PATTERNS = [(re.compile(pattern, re.I), instead) for pattern, instead in WORDS.items()]

# (end of the file's path, text of the line): why the word stays.
EXCEPTIONS = {
    ("howto/replace-a-service.md", "override `stands(step)`"): "the name of a method",
    ("protocols/tasks.py", "calls `stands`"): "the name of a method",
    ("reference/services.md", "calls `stands`"): "the name of a method",
    ("secret_shapes.py", "A name is *telling*"): "a term that the module defines",
}


class Text(NamedTuple):
    """A line of prose, and where it is."""

    path: Path
    line: int
    text: str


def manual(root: Path) -> Iterator[Path]:
    """README, CONTRIBUTING, SECURITY, CHANGELOG, the manual, and the READMEs of plugins."""
    yield from (root / name for name in ("README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"))
    yield from sorted(path for path in root.glob("docs/**/*.md") if "_build" not in path.parts)
    yield from sorted(root.glob("plugins/*/README.md"))


def of_markdown(path: Path) -> Iterator[Text]:
    """The lines of a page, without blocks of code, indented examples, and code in the text."""
    fenced = False
    for number, line in enumerate(path.read_text(encoding="utf-8").split("\n"), 1):
        if line.lstrip().startswith("```"):
            fenced = not fenced
        elif not fenced and not line.startswith("    "):
            yield Text(path, number, re.sub(r"`[^`]*`", "`…`", line) if "`stands" not in line else line)


def sources(root: Path) -> Iterator[Path]:
    """The modules of kernel and plugins, without tests."""
    for folder in (root / "src", *sorted(root.glob("plugins/*/src"))):
        yield from sorted(folder.rglob("*.py"))


def of_module(path: Path) -> Iterator[Text]:
    """The lines of public docstrings, and of texts of three words and more: help, messages, descriptions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    docstrings = dict(_docstrings(tree, public=True))
    every = {id(node) for node, _ in _constants_that_stand_alone(tree)}
    for node in ast.walk(tree):
        if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
            continue
        is_message = id(node) not in every and len(node.value.split()) > 2
        if is_message or docstrings.get(id(node)):
            for offset, line in enumerate(node.value.split("\n")):
                yield Text(path, node.lineno + offset, line.strip())


def _constants_that_stand_alone(tree: ast.AST) -> Iterator[tuple[ast.Constant, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            yield node.value, node.lineno


def _docstrings(node: ast.AST, *, public: bool) -> Iterator[tuple[int, bool]]:
    """The docstrings below a node by the identity of their node, and whether they are public."""
    for child in getattr(node, "body", []):
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant) and child is node.body[0]:  # type: ignore[attr-defined]
            yield id(child.value), public
        elif isinstance(child, ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef):
            inner = public and not child.name.startswith("_") and not isinstance(node, ast.FunctionDef)
            yield from _docstrings(child, public=inner)


def texts(root: Path) -> Iterator[Text]:
    """All prose of a checkout."""
    for path in manual(root):
        if path.exists():
            yield from of_markdown(path)
    for path in sources(root):
        yield from of_module(path)


def offences(found: Iterable[Text], root: Path) -> Iterator[str]:
    """Each offence as `file:line: text -> what to write`."""
    for path, number, text in found:
        name = path.relative_to(root).as_posix()
        if any(name.endswith(end) and part in text for end, part in EXCEPTIONS):
            continue
        for pattern, instead in PATTERNS:
            for match in pattern.finditer(text):
                yield f"{name}:{number}: {match[0]!r} in {text.strip()[:90]!r} -> {instead}"


def test_no_offences() -> None:
    """README, manual, help, messages and public docstrings keep to the word list."""
    assert list(offences(texts(ROOT), ROOT)) == []


def test_exceptions_are_needed() -> None:
    """Each exception still matches a line."""
    lines = list(texts(ROOT))
    unused = [
        (end, part)
        for end, part in EXCEPTIONS
        if not any(path.as_posix().endswith(end) and part in text for path, _, text in lines)
    ]
    assert unused == []


SAMPLES = [
    "That is no name.",
    "Nobody knows.",
    "It tells how.",
    "Where it stands.",
    "It overrules the file.",
    "Written anew.",
    "Where the file lies.",
    "Whoever calls it.",
    "It says who asked.",
    "That is all.",
    "the key at hand",
    "a run that was cut short",
    "It goes on.",
    "With no answer the run is refused.",
    "hashed again",
    "is not tried again",
    "in this house it is 5",
    "Numbers belong into facts.",
    "It is done again.",
]


@pytest.mark.parametrize("sample", SAMPLES)
def test_planted_in_a_page(tmp_path: Path, sample: str) -> None:
    """An offence in a page is found with file and line, but not in code."""
    page = tmp_path / "README.md"
    page.write_text(f"# Title\n\n```text\n{sample}\n```\n\n    {sample}\n\n{sample}\n", encoding="utf-8")
    (found, *more) = list(offences(texts(tmp_path), tmp_path))
    assert found.startswith("README.md:9: ")
    assert all(text.startswith("README.md:9: ") for text in more)


@pytest.mark.parametrize(
    ("line", "is_found"),
    [
        ('raise ValueError("this is no name at all")', True),
        ('option = click.option("--x", help="Ask somebody else first.")', True),
        ('MESSAGE = f"{x} is no number at all"', True),
        ('def public():\n    """Tells a lot."""', True),
        ('class Public:\n    """Public."""\n\n    def method(self):\n        """Where it stands."""', True),
        ('def _private():\n    """Tells a lot."""', False),
        ("# a comment tells a lot", False),
        ('KEYS = {"tell": 1}', False),
    ],
)
def test_planted_in_a_module(tmp_path: Path, line: str, is_found: bool) -> None:
    """Messages, help texts and public docstrings are checked; private docstrings, comments and names are not."""
    folder = tmp_path / "src"
    folder.mkdir()
    (folder / "module.py").write_text(f'"""A module."""\n\n{line}\n', encoding="utf-8")
    assert bool(list(offences(texts(tmp_path), tmp_path))) == is_found


def test_every_word_has_a_sample() -> None:
    """Each pattern finds at least one of the planted offences."""
    assert [pattern.pattern for pattern, _ in PATTERNS if not any(map(pattern.search, SAMPLES))] == []


if __name__ == "__main__":
    root = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else ROOT
    found = list(offences(texts(root), root))
    print("\n".join(found))
    sys.exit(1 if found else 0)
