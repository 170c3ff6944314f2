"""The pack's entry point."""

from __future__ import annotations

import re
import subprocess
import sys
from importlib import import_module

import pamola_ops_anonymize
from pamola_ops_anonymize import plugin


def test_every_operation_offered_is_there_under_its_name() -> None:
    for name, target in plugin.pamola_add_operations().items():
        module, _, attribute = target.partition(":")
        assert getattr(import_module(module), attribute).__name__ == name


def test_looking_at_the_plugin_imports_nothing_heavy() -> None:
    code = (
        "import sys, pamola_ops_anonymize.plugin as plugin; plugin.pamola_add_operations();"
        "print(sorted({'pandas', 'numpy', 'pyarrow', 'attrs', 'attr', 'cattrs'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_what_is_public_names_the_source_of_what_it_does() -> None:
    source = re.compile(r"\b(18|19|20)\d\d\b|\bRFC \d+")
    for name in pamola_ops_anonymize.__all__:
        assert source.search(getattr(pamola_ops_anonymize, name).__doc__), f"{name} names no paper, book or standard"
