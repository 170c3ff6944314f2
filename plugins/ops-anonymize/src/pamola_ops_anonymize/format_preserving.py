"""Values encrypted to values of the same form, by FF1: characters of an alphabet change, others keep their place."""

from __future__ import annotations

import string
from typing import Any, Literal

import pandas as pd

from pamola_tasks.errors import DataError, ParameterError

from .columns import MISSING, distinct_texts, text_column
from .ff1 import FF1, least_length

Alphabet = Literal["digits", "lower", "upper", "alphanumeric", "custom"]

OF_FF1 = ("alphabet", "characters")  # the parameters of an operation that belong to it

_CHARACTERS = {
    "digits": string.digits,
    "lower": string.ascii_lowercase,
    "upper": string.ascii_uppercase,
    "alphanumeric": string.digits + string.ascii_uppercase + string.ascii_lowercase,
}


def characters_of(operation: Any) -> str:
    """The characters of an operation's `alphabet`, in the order of their numerals; a ParameterError where unusable."""
    name, custom = type(operation).__name__, operation.characters
    if operation.alphabet != "custom":
        if custom is not None:
            raise ParameterError(f"{name}: `characters` belongs to `alphabet: custom`")
        return _CHARACTERS[operation.alphabet]
    if not isinstance(custom, str) or len(custom) < 2 or len(set(custom)) < len(custom):
        raise ParameterError(f"{name}: `alphabet: custom` needs `characters`: a text of 2 or more, none of them twice")
    return custom


class FormatPreserving:
    """Encrypts the values of one column, or decrypts them.

    Args:
        column: What the column is called in messages.
        key: 32 bytes.
        characters: The alphabet.
        tweak: See `FF1`.
    """

    def __init__(self, column: str, key: bytes, characters: str, tweak: bytes) -> None:
        self.kept_letters = 0  #: records of which letters or digits are not in the alphabet, and were kept
        self._name = column
        self._characters = characters
        self._numerals = {character: number for number, character in enumerate(characters)}
        self._least = least_length(len(characters))
        self._cipher = FF1(key, len(characters), tweak)

    def column(self, column: pd.Series[Any], *, back: bool = False) -> pd.Series[str]:
        """A piece of the column with each value encrypted, or decrypted again; missing values stay missing.

        Raises:
            DataError: Values have too few characters of the alphabet for the cipher to protect them.
        """
        codes, texts = distinct_texts(column)
        places = [[at for at, character in enumerate(text) if character in self._numerals] for text in texts]
        if short := sum(len(found) < self._least for found in places):
            raise DataError(
                f"column {self._name}: {short:,} distinct values have fewer than {self._least} characters of the"
                f" alphabet, too few to be encrypted: their domain has to hold a million texts (NIST SP 800-38G,"
                f" rev. 1). Take a larger alphabet or another method; words that mean a missing value are to be stated"
            )
        made = [self._text(text, found, back) for text, found in zip(texts, places, strict=True)]
        odd = [any(each.isalnum() and each not in self._numerals for each in text) for text in texts]
        self.kept_letters += sum(odd[code] for code in codes.tolist() if code != MISSING)
        return text_column(codes, made, column.index)

    def _text(self, text: str, places: list[int], back: bool) -> str:
        numerals = [self._numerals[text[at]] for at in places]
        made = list(text)
        for at, numeral in zip(places, (self._cipher.decrypt if back else self._cipher.encrypt)(numerals), strict=True):
            made[at] = self._characters[numeral]
        return "".join(made)
