"""Frozen files: what was written once is read for ever, and what was refused once is refused for ever.

Two readers are asked: the package's, and the one that was made from the page about the format.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from pathlib import Path
from typing import Any

import pytest
from encryption_samples import decrypted
from ptask_reference_reader import decrypt

from pamola_tasks.errors import EncryptionError
from pamola_tasks_encryption import Binding

VECTORS = sorted(Path(__file__).with_name("vectors").glob("*.json"))


def load(path: Path) -> tuple[dict[str, Any], bytes, bytes]:
    case = json.loads(path.read_text(encoding="utf-8"))
    return case, zlib.decompress(base64.b64decode(case["file"])), base64.b64decode(case["key"])


def test_there_are_enough_and_most_are_to_be_refused() -> None:
    refused = [path for path in VECTORS if "-bad-" in path.name]
    assert len(VECTORS) >= 120
    assert len(refused) >= 0.6 * len(VECTORS)


@pytest.mark.parametrize("path", VECTORS, ids=lambda path: path.stem)
def test_a_frozen_file_is_read_or_refused_as_it_always_was(path: Path) -> None:
    case, file, key = load(path)
    if "sha256" in case:
        plain = decrypted(file, key, Binding(case["project"], case["task"], case["role"]))
        assert hashlib.sha256(plain).hexdigest() == case["sha256"]
        assert decrypt(file, key, case["project"], case["task"], case["role"]) == plain
        return
    with pytest.raises(EncryptionError) as caught:
        decrypted(file, key, Binding(case["project"], case["task"], case["role"]))
    assert caught.value.code == case["refusal"]
    with pytest.raises(Exception):  # noqa: B017, PT011 - the reference reader asserts, and says no more
        decrypt(file, key, case["project"], case["task"], case["role"])
