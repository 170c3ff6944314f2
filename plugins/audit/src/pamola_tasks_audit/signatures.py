"""Reports that are checked alone, by their signature and a public key."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING

from pamola_tasks.errors import UsageError
from pamola_tasks_audit.verify_release import KIND

if TYPE_CHECKING:
    from collections.abc import Callable

_ENDINGS = (".json", ".html", ".md")
_WORDS = rb"ed25519 (?P<public>[0-9A-Za-z+/=]+) (?P<signature>[0-9A-Za-z+/=]+)"
# What is appended to a document, and what is in its place in what was signed.
_PLACES = (
    (re.compile(rb"<!-- signature: " + _WORDS + rb" -->\n\Z"), b""),
    (re.compile(rb',\n  "signature": "' + _WORDS + rb'"\n\}\n\Z'), b"\n}\n"),
)
PUBLIC = ".pamola/signing.pub"


def reports_at(name: str) -> list[Path]:
    """The report that is meant by a file, or all those in a directory; none where it is something else."""
    path = Path(name)
    if path.is_dir():
        return sorted(file for file in path.rglob("*") if file.is_file() and file.suffix in _ENDINGS)
    if not path.is_file() or path.suffix not in _ENDINGS:
        return []
    known = path.suffix != ".json" or b'"signature"' in path.read_bytes() or b'"environment"' in path.read_bytes()
    return [path] if known else []  # a task file can be JSON too


def is_bundle(name: str) -> bool:
    """Whether a release is meant: a folder with its manifest or dictionary, or a zip."""
    path = Path(name)
    if path.is_file():
        with path.open("rb") as file:
            return file.read(2) == b"PK"
    manifest = path / "manifest.json"
    return (path / "dictionary.json").is_file() or (
        manifest.is_file() and f'"{KIND}"'.encode() in manifest.read_bytes()[:1000]
    )


def public_key(given: str | None, root: Path) -> str:
    """The public key: as given, in a file that was named, or the one in the project."""
    file = Path(given) if given is not None else root / PUBLIC
    if given is None and not file.is_file():
        raise UsageError(
            f"who is to have signed it? Name the public key with --public-key: its text, or a copy of the file {PUBLIC}"
            " of the project that made the report"
        )
    text = (file.read_text("ascii", "replace") if file.is_file() else str(given)).strip()
    if not is_public_key(text):
        raise UsageError(
            f"--public-key: {given or PUBLIC} is neither a public key (32 bytes in base64) nor a file with one"
        )
    return text


def is_public_key(text: str) -> bool:
    """Whether this is 32 bytes in base64."""
    try:
        return len(base64.b64decode(text, validate=True)) == 32
    except ValueError:
        return False


def signer_of(data: bytes) -> str:
    """The public key that a report names as that of its signature; empty if it is not signed."""
    found = next(filter(None, (pattern.search(data, max(0, len(data) - 400)) for pattern, _ in _PLACES)), None)
    return found["public"].decode() if found else ""


def problem_of(path: Path, public: str, fits: Callable[[bytes, str, str], bool]) -> str:
    """Why a report is not as it was signed; empty where it is."""
    data = path.read_bytes()
    for pattern, instead in _PLACES:
        if found := pattern.search(data, max(0, len(data) - 400)):
            if found["public"].decode() != public:
                return "signed with another key"
            signed = data[: found.start()] + instead
            return "" if fits(signed, public, found["signature"].decode()) else "changed since it was signed"
    return "not signed, or its signature was removed"
