"""Reading configuration files: strictly, and within limits that hold before a file is believed.

A text is parsed once: the same name and content give the same document again.
"""

from __future__ import annotations

from functools import lru_cache
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from pamola_tasks.errors import ValidationError
from pamola_tasks_config.document import Document

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files

MAX_BYTES = 1 << 20
FORMATS = {"yaml": "yaml", "yml": "yaml", "toml": "toml", "json": "json"}
PROJECT_FILE = "prj_config"


def format_of(name: str) -> str:
    """The format that a file's name says, or empty."""
    return FORMATS.get(name.rpartition(".")[2].lower(), "") if "." in name else ""


@lru_cache(maxsize=256)
def parse(data: bytes, name: str) -> Document:
    """Read the bytes of a configuration file.

    Args:
        data: The file's bytes (reading one byte more than the limit is enough).
        name: Its name, for messages; the extension gives the format.

    Returns:
        The document; problems that did not stop the reading are in `problems`.

    Raises:
        ValidationError: It cannot be read; the message has file, line and column.
    """
    form = format_of(name)
    if not form:
        raise ValidationError(f"{name}: a configuration file is named .yaml, .yml, .json or .toml")
    order = 2 if PurePosixPath(name).stem == PROJECT_FILE else 1
    document = decode(data, name, form, order)
    if form == "yaml":
        from pamola_tasks_config.reading_yaml import read
    elif form == "json":
        from pamola_tasks_config.reading_json import read
    else:
        from pamola_tasks_config.reading_toml import read
    document.root = read(document)
    if not isinstance(document.root.value, dict):
        raise document.fail(document.root.start, "a configuration is a mapping of keys to values at its top level")
    return document


def decode(data: bytes, name: str, form: str, order: int) -> Document:
    """The text of a file, with nothing read of it yet."""
    if len(data) > MAX_BYTES:
        raise ValidationError(f"{name}:1:1: larger than 1 MiB, which is the limit for configuration files")
    bom = data.startswith(b"\xef\xbb\xbf")
    try:
        text = data[3:].decode("utf-8") if bom else data.decode("utf-8")
    except UnicodeDecodeError as error:
        start = error.start + (3 if bom else 0)
        line = data.count(b"\n", 0, start) + 1
        column = len(data[data.rfind(b"\n", 0, start) + 1 : start].decode("utf-8", "replace")) + 1
        raise ValidationError(f"{name}:{line}:{column}: not UTF-8 text; save the file as UTF-8") from None
    document = Document(name, form, text, bom, order)
    if text.startswith("\ufeff"):
        raise document.fail(0, "a second byte order mark")
    return document


def read_file(files: Files, name: str) -> Document | None:
    """Read a configuration file of the project, or None where there is none of this name."""
    data = read_bytes(files, name)
    return parse(data, files.name(name)) if data is not None else None


def read_bytes(files: Files, name: str) -> bytes | None:
    """The bytes of a file of the project, one more than allowed at most; None where there is none of this name."""
    try:
        with files.open(name, "config") as file:
            return file.read(MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
