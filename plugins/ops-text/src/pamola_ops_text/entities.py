"""The entities that are looked for, by the names that Presidio gives them."""

from __future__ import annotations

from collections.abc import Mapping

#: Looked for unless `entities` names others: they have a form of their own in every country, and in the United States.
DEFAULT = (
    "CREDIT_CARD",
    "CRYPTO",
    "DATE_TIME",
    "EMAIL_ADDRESS",
    "IBAN_CODE",
    "IP_ADDRESS",
    "MAC_ADDRESS",
    "PHONE_NUMBER",
    "URL",
    "US_SSN",
    "UUID",
)
#: What a language model of spaCy finds, and no pattern does.
OF_MODELS = ("LOCATION", "NRP", "ORGANIZATION", "PERSON")


def default_entities(models: Mapping[str, str]) -> list[str]:
    """The entities that are looked for where none are named: with a model persons and places, too."""
    return [*DEFAULT, *(("LOCATION", "PERSON") if models else ())]
