"""Bytes that do not fit a file's encoding: where they are, and whether the file is in another encoding.

A file that is nearly all UTF-8, with characters of several bytes, and has a few bytes that are not, is damaged: in
another encoding all of its other characters would be wrong. Text of one byte a character hardly ever has such bytes.
"""

from __future__ import annotations

import codecs
import re
from typing import IO

import attrs

from pamola_tasks.errors import DataError

_BLOCK = 1 << 20
_HIGH = bytes(range(0x80, 0x100))
_ODD = re.compile("[\udc80-\udcff]")  # what `surrogateescape` makes of a byte that does not fit
_CLEAR = 1000  # bytes that are not UTF-8, after which the others need not be counted
_FEW = 10  # such bytes for one character of several bytes
_SETTING = "default_encoding, or encoding in data.datasets"


@attrs.frozen
class Misread:
    """Bytes that do not fit an encoding.

    Attributes:
        encoding: The encoding.
        line: Of the first of them.
        marked: The file begins with the byte order mark of UTF-8.
        wrong: How many there are, as far as they were counted.
        right: Characters of several bytes, where the encoding is UTF-8.
    """

    encoding: str
    line: int
    marked: bool = False
    wrong: int = 1
    right: int = 0

    @property
    def is_damage(self) -> bool:
        """Whether the file is in UTF-8 all the same."""
        return self.marked or (self.right > 0 and _FEW * self.right >= self.wrong)

    def error(self) -> DataError:
        """What is said of it."""
        where = f"the first in line {self.line:,}"
        if self.encoding == "utf-8" and self.is_damage:
            right = f"{self.right:,} of its characters {'is' if self.right == 1 else 'are'}"
            right = "its byte order mark says that it is" if self.marked else right
            return DataError(
                f"some of its bytes are not UTF-8 ({where}), though {right}: mend them, or state its encoding"
                f" ({_SETTING})"
            )
        return DataError(f"its bytes are not all {self.encoding}: state the right default_encoding, or mend {where}")


def misread(file: IO[bytes], encoding: str = "utf-8") -> Misread | None:
    """The bytes of a file that do not fit an encoding; None where all do.

    Those of UTF-8 are counted until it is clear that the file is in another encoding.
    """
    file.seek(0)
    utf8 = codecs.lookup(encoding).name == "utf-8"
    decoder = codecs.getincrementaldecoder(encoding)("surrogateescape" if utf8 else "strict")
    line, marked, wrong, right = 0, False, 0, 0
    ends = [0, 0]
    block = b"-"
    while block and not (wrong >= _CLEAR and wrong > _FEW * right):
        block = file.read(_BLOCK)
        marked = marked or (utf8 and not any(ends) and block.startswith(codecs.BOM_UTF8))
        try:
            text = decoder.decode(block, not block)
        except UnicodeDecodeError as problem:
            before = problem.object[: problem.start].decode(encoding, "ignore")
            return Misread(encoding, 1 + max(ends[0] + before.count("\n"), ends[1] + before.count("\r")))
        odd = len(_ODD.findall(text)) if utf8 and not text.isascii() else 0
        if odd and not line:
            before = text[: next(_ODD.finditer(text)).start()]
            line = 1 + max(ends[0] + before.count("\n"), ends[1] + before.count("\r"))
        wrong, right = wrong + odd, right + len(text) - odd - len(block.translate(None, _HIGH))
        ends = [ends[0] + text.count("\n"), ends[1] + text.count("\r")]
    return Misread(encoding, line, marked, wrong, right) if wrong else None
