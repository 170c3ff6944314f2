"""One version for all distributions of this repository, and the bounds between them.

    python release.py           # print what differs, and exit with 1 if anything does
    python release.py 0.2.0     # set the version everywhere

All distributions are released together. Each requires the others with `>=X.Y,<X.(Y+1)`: a fix (0.1.1) may be installed
alone, a new minor version (0.2.0) brings all of them. Standard library only; `nox -s release` runs this.
"""

from __future__ import annotations

import datetime
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent
VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)")
STATED = re.compile(r'^(__)?version(__)? = "[^"]*"', re.M)
REQUIRED = re.compile(r'(?<!name = )"(pamola-(?:tasks|ops)(?:-[a-z]+)?)((?:\[[a-z,]+\])?)[<>=!~0-9., ]*"')
UNRELEASED = re.compile(r"^## \[(?:[\d.]+\] - )?Unreleased\]?$", re.M)


BOUND = re.compile(r'"(pamola-(?:tasks|ops)(?:-[a-z]+)?)>=[0-9.]+,<[0-9.]+"')  # in the manual, with bounds only


def projects(root: Path) -> list[Path]:
    """The pyproject.toml of every distribution, the kernel's first."""
    return [root / "pyproject.toml", *sorted(root.glob("plugins/*/pyproject.toml"))]


def bounds(version: str) -> str:
    """The versions of other distributions that one of this version works with."""
    major, minor, _ = map(int, version.split("."))
    return f">={major}.{minor},<{major}.{minor + 1}"


def version_of(root: Path) -> str:
    """The version of the kernel."""
    version: str = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
    return version


def renewed(text: str, version: str) -> str:
    """A pyproject.toml or `__init__.py` with another version, and with the bounds that follow from it."""
    text = STATED.sub(lambda found: f'{found[1] or ""}version{found[2] or ""} = "{version}"', text, count=1)
    return REQUIRED.sub(lambda found: f'"{found[1]}{found[2]}{bounds(version)}"', text)


def stated(root: Path, version: str) -> Iterator[tuple[Path, str, str]]:
    """Every file that states a version or a bound, its text, and the text that it should have."""
    for path in (*projects(root), root / "src/pamola_tasks/__init__.py"):
        text = path.read_text(encoding="utf-8")
        yield path, text, renewed(text, version)
    for path in sorted(root.glob("docs/**/*.md")):
        text = path.read_text(encoding="utf-8")
        yield path, text, BOUND.sub(lambda found: f'"{found[1]}{bounds(version)}"', text)


def set_version(root: Path, version: str) -> None:
    """Write a version into every distribution, and the day into the changelog.

    Raises:
        ValueError: It is not of the form X.Y.Z.
    """
    if VERSION.fullmatch(version) is None:
        raise ValueError(f"{version}: expected a version such as 0.2.0")
    for path, old, new in stated(root, version):
        if new != old:
            path.write_text(new, encoding="utf-8")
    changelog = root / "CHANGELOG.md"
    today = datetime.datetime.now(datetime.UTC).date()
    text = changelog.read_text(encoding="utf-8")
    changelog.write_text(UNRELEASED.sub(f"## [{version}] - {today}", text, count=1), encoding="utf-8")


def differences(root: Path) -> Iterator[str]:
    """What does not fit the version of the kernel."""
    version = version_of(root)
    for path, old, new in stated(root, version):
        for number, (before, after) in enumerate(zip(old.split("\n"), new.split("\n"), strict=True), 1):
            if before != after:
                yield f"{path.relative_to(root)}:{number}: {before.strip()}, expected {after.strip()}"
    if f"## [{version}]" not in (root / "CHANGELOG.md").read_text(encoding="utf-8"):
        yield f"CHANGELOG.md: has no section [{version}]"


def main(arguments: list[str]) -> int:
    """Set or check; the exit code."""
    try:
        for version in arguments:
            set_version(ROOT, version)
    except ValueError as error:
        print(error)
        return 2
    found = list(differences(ROOT))
    print("\n".join(found) if found else f"{len(projects(ROOT))} distributions of version {version_of(ROOT)}")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
