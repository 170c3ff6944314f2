"""Files of text beside the tables, decoded as CSV files are: as stated, or as their bytes show."""

from __future__ import annotations

from collections.abc import Mapping
from typing import IO, Any

import attrs

from pamola_tasks_data.character_damage import misread
from pamola_tasks_data.dataset import warn_once
from pamola_tasks_data.dialect import BYTE_ORDER_MARK, FALLBACK_ENCODING, HEAD_SIZE, encoding_of
from pamola_tasks_data.signatures import check_kind


@attrs.frozen
class TextFile:
    """The text of a file, and what is stated of how it is written: empty where nothing is."""

    text: str
    delimiter: str = ""
    quotechar: str = ""
    trim: bool = False


def read_text(file: IO[bytes], options: Mapping[str, Any]) -> TextFile:
    """Read a file of which `encoding`, `delimiter`, `quotechar` and `trim` may be stated.

    Raises:
        DataError: It is damaged, in another encoding than stated, or no text; with the line.
    """
    check_kind(file, "csv")
    encoding, guessed = encoding_of(file.read(HEAD_SIZE), options.get("encoding"))
    wrong = misread(file, encoding if not guessed else "utf-8")
    if wrong is not None and not wrong.is_damage and not options.get("encoding") and wrong.encoding == "utf-8":
        encoding, guessed = FALLBACK_ENCODING, True
        wrong = misread(file, encoding)
    if wrong is not None:
        raise wrong.error()
    file.seek(0)
    text = file.read().decode(encoding).removeprefix(BYTE_ORDER_MARK)
    if guessed:
        said = f"it is not UTF-8 and was read as {FALLBACK_ENCODING}: set default_encoding if that is wrong"
        warn_once(options, said)
    return TextFile(text, options.get("delimiter") or "", options.get("quotechar") or "", bool(options.get("trim")))
