"""What is written in place of a finding."""

from __future__ import annotations

import hmac
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Literal

from .findings import Finding

Action = Literal["mask", "replace", "pseudonymize"]
DIGITS = 16  # hexadecimal digits of a pseudonym: two of a million values share one with a probability of 3e-8


class Replacing:
    """Writes texts without what was found in them.

    Args:
        action: What is done with the findings of an entity.
        mask_character: Written for each character of a finding that is masked; None writes the name of the entity.
        key: The key of pseudonyms, where an entity has them.
    """

    def __init__(self, action: Callable[[str], Action], mask_character: str | None, key: bytes | None) -> None:
        self._action = action
        self._mask_character = mask_character
        self._key = key
        self._numbers: dict[str, dict[str, int]] = {}  # by entity and value

    def replaced(self, text: str, findings: Sequence[Finding]) -> str:
        """The text with other characters in place of its findings, which are in order and do not overlap."""
        written, place = [], 0
        for each in findings:
            written += [text[place : each.start], self._of(text, each)]
            place = each.end
        return "".join([*written, text[place:]])

    def _of(self, text: str, finding: Finding) -> str:
        action = self._action(finding.entity)
        if action == "mask":
            if self._mask_character is None:
                return f"<{finding.entity}>"
            return self._mask_character * (finding.end - finding.start)
        value = finding.of(text)
        if action == "replace":
            numbers = self._numbers.setdefault(finding.entity, {})
            return f"<{finding.entity}_{numbers.setdefault(value, len(numbers) + 1)}>"
        assert self._key is not None
        digest = hmac.digest(self._key, value.encode("utf-8", "surrogatepass"), "sha256").hex()
        return f"<{finding.entity}_{digest[:DIGITS]}>"

    def distinct(self) -> Mapping[str, int]:
        """Of entities that are replaced how many values they had."""
        return {entity: len(numbers) for entity, numbers in sorted(self._numbers.items())}


def action_of(action: Any) -> Callable[[str], Action]:
    """The action for an entity: one for all, or one for each that is named, and `mask` for others."""
    if isinstance(action, str):
        return lambda _: action  # type: ignore[return-value]
    return lambda entity: action.get(entity, "mask")
