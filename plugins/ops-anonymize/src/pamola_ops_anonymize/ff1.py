"""FF1, format-preserving encryption: NIST SP 800-38G and its revision 1, on AES of the library cryptography.

What has n characters of an alphabet is encrypted to n characters of it. A domain of fewer than a million texts is
refused, as revision 1 demands: it could be searched. Tested with the samples that NIST publishes.
"""

from __future__ import annotations

from collections.abc import Sequence

LEAST_DOMAIN = 1_000_000
_ROUNDS = 10


def least_length(radix: int) -> int:
    """How many characters of an alphabet of so many make a domain of a million texts."""
    length = 2
    while radix**length < LEAST_DOMAIN:
        length += 1
    return length


class FF1:
    """FF1 under one key, with numerals from 0 to `radix` - 1.

    Args:
        key: Of AES: 16, 24 or 32 bytes.
        radix: From 2 to 65,536.
        tweak: What else the result depends on; it need not be secret.
    """

    def __init__(self, key: bytes, radix: int, tweak: bytes = b"") -> None:
        from cryptography.hazmat.primitives.ciphers import Cipher
        from cryptography.hazmat.primitives.ciphers.algorithms import AES
        from cryptography.hazmat.primitives.ciphers.modes import ECB

        if not 2 <= radix <= 1 << 16:
            raise ValueError(f"a radix from 2 to 65,536 is needed, not {radix}")
        self._radix = radix
        self._tweak = tweak
        self._least = least_length(radix)
        # Single blocks are what SP 800-38G calls CIPH and builds PRF from: no data is encrypted in this mode.
        self._block = Cipher(AES(key), ECB()).encryptor().update

    def encrypt(self, numerals: Sequence[int]) -> list[int]:
        """Algorithm 7. A ValueError where there are too few numerals, or one is out of range."""
        return self._applied(numerals, range(_ROUNDS), 1)

    def decrypt(self, numerals: Sequence[int]) -> list[int]:
        """Algorithm 8, which undoes `encrypt`."""
        return self._applied(numerals, range(_ROUNDS - 1, -1, -1), -1)

    def _applied(self, numerals: Sequence[int], rounds: range, sign: int) -> list[int]:
        radix, length = self._radix, len(numerals)
        if length < self._least:
            raise ValueError(f"{length} numerals of radix {radix} are too few: {self._least} are needed")
        if not all(0 <= numeral < radix for numeral in numerals):
            raise ValueError(f"a numeral is not from 0 to {radix - 1}")
        left = length // 2
        sizes = radix**left, radix ** (length - left)
        size = ((sizes[1] - 1).bit_length() + 7) // 8  # b, by the exact logarithm
        first = self._block(
            bytes((1, 2, 1))
            + radix.to_bytes(3, "big")
            + bytes((_ROUNDS, left % 256))
            + length.to_bytes(4, "big")
            + len(self._tweak).to_bytes(4, "big")
        )
        head = self._tweak + bytes(-(len(self._tweak) + size + 1) % 16)
        halves = [_number(numerals[:left], radix), _number(numerals[left:], radix)]
        for number in rounds:
            changed = number % 2  # A in even rounds, B in odd ones: the halves are not swapped here
            other = halves[1 - changed].to_bytes(size, "big")
            y = self._pseudorandom(first, head + bytes((number,)) + other, 4 * ((size + 3) // 4) + 4)
            halves[changed] = (halves[changed] + sign * y) % sizes[changed]
        return [*_numerals(halves[0], radix, left), *_numerals(halves[1], radix, length - left)]

    def _pseudorandom(self, state: bytes, blocks: bytes, size: int) -> int:
        """Steps 6 ii to iv: PRF (CBC-MAC, its first block done), its expansion, and the number that this is."""
        for start in range(0, len(blocks), 16):
            state = self._block(_xor(state, blocks[start : start + 16]))
        made = state
        for number in range(1, (size + 15) // 16):
            made += self._block(_xor(state, number.to_bytes(16, "big")))
        return int.from_bytes(made[:size], "big")


def _xor(one: bytes, other: bytes) -> bytes:
    return (int.from_bytes(one, "big") ^ int.from_bytes(other, "big")).to_bytes(16, "big")


def _number(numerals: Sequence[int], radix: int) -> int:
    number = 0
    for numeral in numerals:
        number = number * radix + numeral
    return number


def _numerals(number: int, radix: int, length: int) -> list[int]:
    found = [0] * length
    for place in range(length - 1, -1, -1):
        number, found[place] = divmod(number, radix)
    return found
