"""Sixty files made to do harm: each is read or refused with little work and memory, in words, at a place."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

MIB = 1 << 20
PLACE = re.compile(r"^configs/t_1\.(yaml|json|toml):\d+:\d+: ")


def nested(opening: str, closing: str, depth: int, inner: str = "1") -> str:
    return opening * depth + inner + closing * depth


def laughs(width: int, depth: int) -> str:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * width)}]" for i in range(1, depth)]
    return "\n".join(lines)


def merges(width: int, depth: int) -> str:
    lines = ["m0: &m0 {" + ", ".join(f"k{i}: 1" for i in range(100)) + "}"]
    lines += [f"m{i}: &m{i}\n  <<: [{', '.join([f'*m{i - 1}'] * width)}]" for i in range(1, depth)]
    return "\n".join(lines)


# What must be refused, and what may be either; all of it at little cost.
REFUSED: dict[str, tuple[str, str | bytes]] = {
    "yaml: aliases of aliases": ("yaml", laughs(10, 12)),
    "yaml: few aliases, deep": ("yaml", laughs(2, 40)),
    "yaml: merges of merges": ("yaml", merges(10, 12)),
    "yaml: an alias of itself": ("yaml", "a: &a [*a]"),
    "yaml: a mapping in itself": ("yaml", "a: &a {b: *a}"),
    "yaml: a merge of itself": ("yaml", "a: &a\n  <<: *a\n  b: 1"),
    "yaml: an unknown alias": ("yaml", "a: *nobody"),
    "yaml: code in a tag": ("yaml", "a: !!python/object/apply:os.system ['echo harm']"),
    "yaml: a class in a tag": ("yaml", "a: !!python/name:os.system ''"),
    "yaml: a tag of somebody": ("yaml", "a: !ruby/object:Gem::Installer {i: x}"),
    "yaml: a file in a tag": ("yaml", "a: !include /etc/passwd"),
    "yaml: lists in lists": ("yaml", "a: " + nested("[", "]", 5000)),
    "yaml: mappings in mappings": ("yaml", "a: " + nested("{a: ", "}", 5000)),
    "yaml: sequences by indentation": ("yaml", "a:\n" + "".join(" " * i + "-\n" for i in range(1, 1000))),
    "yaml: dashes in a line": ("yaml", "a:\n  " + "- " * 100_000),
    "yaml: open brackets only": ("yaml", "[" * 500_000),
    "yaml: open braces only": ("yaml", "{a: " * 200_000),
    "yaml: ten thousand and one": ("yaml", "a: [" + "1, " * 10_001 + "]"),
    "yaml: a million bytes and more": ("yaml", "a: " + "x" * MIB),
    "yaml: a key twice": ("yaml", "seed: 1\nchunk_size: 2\nseed: 3"),
    "yaml: a key twice, quoted": ("yaml", 'seed: 1\n"seed": 3'),
    "yaml: two documents": ("yaml", "seed: 1\n---\nseed: 2"),
    "yaml: not a number": ("yaml", "timeout: .nan"),
    "yaml: infinity": ("yaml", "timeout: -.inf"),
    "yaml: beyond 64 bits": ("yaml", "seed: " + "9" * 100_000),
    "yaml: hexadecimal beyond 64 bits": ("yaml", "seed: 0x" + "f" * 50_000),
    "yaml: a float beyond all": ("yaml", "timeout: 1e999999"),
    "yaml: NUL": ("yaml", "a: x\x00y"),
    "yaml: a bell": ("yaml", "a: x\x07y"),
    "yaml: not UTF-8": ("yaml", b"a: caf\xe9"),
    "yaml: UTF-16": ("yaml", "a: x".encode("utf-16")),
    "yaml: two byte order marks": ("yaml", b"\xef\xbb\xbf\xef\xbb\xbfa: 1"),
    "yaml: a list for a file": ("yaml", "- a\n- b"),
    "yaml: text for a file": ("yaml", "just a text"),
    "yaml: a key that is a list": ("yaml", "[a, b]: c"),
    "yaml: a key that is a number": ("yaml", "1: c"),
    "yaml: a tab for indentation": ("yaml", "a:\n\tb: 1"),
    "yaml: an open quote": ("yaml", 'a: "' + "x" * 200_000),
    "yaml: a bad escape": ("yaml", 'a: "\\q"'),
    "json: lists in lists": ("json", '{"a": ' + nested("[", "]", 100_000) + "}"),
    "json: objects in objects": ("json", nested('{"a":', "}", 50_000)),
    "json: open brackets only": ("json", "[" * 900_000),
    "json: a key twice": ("json", '{"seed": 1, "seed": 2}'),
    "json: a key twice, escaped": ("json", '{"seed": 1, "s\\u0065ed": 2}'),
    "json: not a number": ("json", '{"timeout": NaN}'),
    "json: infinity": ("json", '{"timeout": -Infinity}'),
    "json: beyond 64 bits": ("json", '{"seed": ' + "1" * 100_000 + "}"),
    "json: a float beyond all": ("json", '{"timeout": 1e400}'),
    "json: cut off": ("json", '{"a": [1, 2'),
    "json: more behind": ("json", '{"a": 1} {"b": 2}'),
    "json: a comment": ("json", '{"a": 1 /* no */}'),
    "json: a comma too many": ("json", '{"a": [1, 2,]}'),
    "json: half a character": ("json", '{"a": "\\ud800"}'),
    "json: ten thousand and one": ("json", '{"a": [' + "1," * 10_001 + "1]}"),
    "json: nothing": ("json", ""),
    "toml: lists in lists": ("toml", "a = " + nested("[", "]", 5000)),
    "toml: tables in tables": ("toml", "a = " + nested("{a = ", "}", 5000)),
    "toml: a dotted key": ("toml", ".".join("a" * 100_000) + " = 1"),
    "toml: a dotted table": ("toml", "[" + ".".join("a" * 100_000) + "]"),
    "toml: a key twice": ("toml", "seed = 1\nseed = 2"),
    "toml: a table twice": ("toml", "[retry]\nmax_retries = 1\n[retry]\n"),
    "toml: not a number": ("toml", "timeout = nan"),
    "toml: beyond 64 bits": ("toml", "seed = " + "9" * 4000),
    "toml: many digits": ("toml", "seed = " + "9" * 400_000),
    "toml: ten thousand and one": ("toml", "a = [" + "1," * 10_001 + "]"),
    "toml: ten thousand tables": ("toml", "".join(f"[[a]]\nb = {n}\n" for n in range(10_001))),
    "toml: an open quote": ("toml", 'a = """' + "x" * 200_000),
    "toml: NUL": ("toml", 'a = "x\x00y"'),
}
READ: dict[str, tuple[str, str | bytes]] = {
    "yaml: nothing": ("yaml", ""),
    "yaml: a million line ends": ("yaml", "\n" * 1_000_000),
    "yaml: one long text": ("yaml", "a: " + "x " * 400_000),
    "yaml: one long key": ("yaml", "x" * 1000 + ": 1"),
    "yaml: no as a text": ("yaml", "a: NO"),
    "yaml: a template": ("yaml", "description: \"{{ cycler.__init__.__globals__.os.popen('id').read() }}\""),
    "yaml: a byte order mark": ("yaml", b"\xef\xbb\xbfseed: 1"),
    "yaml: many keys that nearly are keys": ("yaml", "\n".join(f"contine_on_err{i}: 1" for i in range(4000))),
    "json: names of Python": ("json", '{"__class__": {"__init__": 1}, "__proto__": {"x": 1}}'),
    "toml: a million spaces": ("toml", " " * 1_000_000),
}

PROGRAM = """
import json, os, resource, sys
from pathlib import Path
from pamola_tasks.errors import ConfigurationError
from pamola_tasks_config import load_task_config
from pamola_tasks_config import reading_toml, reading_yaml

def peak():
    # What getrusage tells is inherited from the process that started this one, however large that had become.
    if sys.platform != "linux":
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with open("/proc/self/status") as file:
        return next(1024 * int(line.split()[1]) for line in file if line.startswith("VmHWM:"))


calls = 0


def count(frame, event, argument):
    global calls
    calls += event in ("call", "c_call")


for line in sys.stdin:
    folder = Path(json.loads(line))
    calls = 0
    sys.setprofile(count)
    try:
        os.chdir(folder)
        load_task_config("t_1", "analysis")
        problems = []
    except ConfigurationError as error:
        problems = list(error.problems)
    except BaseException as error:
        problems = [f"TRACEBACK {type(error).__name__}: {error}"[:300]]
    sys.setprofile(None)
    print(json.dumps([calls, peak(), problems]), flush=True)
"""


@pytest.fixture(scope="module")
def load() -> Any:
    """Load the configuration of a project in one other process for all files, whose memory only grows."""
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdin is not None
    assert process.stdout is not None

    def ask(folder: Path) -> tuple[int, int, list[str]]:
        process.stdin.write(json.dumps(str(folder)) + "\n")
        process.stdin.flush()
        made, peak, problems = json.loads(process.stdout.readline())
        return made, peak, problems

    yield ask
    process.stdin.close()
    process.wait()


Load = Callable[[Path], tuple[int, int, list[str]]]


def written(folder: Path, form: str, content: str | bytes) -> Path:
    (folder / "configs").mkdir()
    (folder / ".pamolaProject").touch()
    path = folder / f"configs/t_1.{form}"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return folder


@pytest.mark.skipif(sys.platform == "win32", reason="measures memory with `resource`")
@pytest.mark.parametrize("case", REFUSED)
def test_what_may_not_be_is_refused_in_words_at_its_place(case: str, load: Load, tmp_path: Path) -> None:
    form, content = REFUSED[case]
    made, peak, problems = load(written(tmp_path, form, content))
    assert problems, "it was read"
    assert [problem[:200] for problem in problems if not PLACE.match(problem)] == []
    assert all(len(problem) < 500 for problem in problems)
    assert made < 4_000_000 + 3 * len(content)
    assert peak < 150 * MIB


@pytest.mark.skipif(sys.platform == "win32", reason="measures memory with `resource`")
@pytest.mark.parametrize("case", READ)
def test_what_is_odd_and_harmless_is_read(case: str, load: Load, tmp_path: Path) -> None:
    form, content = READ[case]
    made, peak, problems = load(written(tmp_path, form, content))
    assert problems == []
    assert made < 4_000_000 + 3 * len(content)
    assert peak < 150 * MIB


def test_there_are_sixty_of_them() -> None:
    assert len(REFUSED) >= 60
