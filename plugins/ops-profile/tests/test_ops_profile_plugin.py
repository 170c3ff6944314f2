"""The pack's entry point."""

from __future__ import annotations

import re
from importlib import import_module

import pamola_ops_profile
from pamola_ops_profile import plugin


def test_every_operation_offered_is_there_under_its_name() -> None:
    for name, target in plugin.pamola_add_operations().items():
        module, _, attribute = target.partition(":")
        assert getattr(import_module(module), attribute).__name__ == name


def test_what_is_public_names_the_source_of_what_it_does() -> None:
    source = re.compile(r"\b(18|19|20)\d\d\b|\bRFC \d+")
    for name in pamola_ops_profile.__all__:
        assert source.search(getattr(pamola_ops_profile, name).__doc__), f"{name} names no paper, book or standard"
