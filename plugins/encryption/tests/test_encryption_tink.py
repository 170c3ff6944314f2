"""Tink reads our payload and we read Tink's: it was made elsewhere, so it finds what we misread in the format."""

from __future__ import annotations

import base64
import io
import json
import os
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest
from encryption_samples import BINDING, KEY, decrypted, encrypted

from pamola_tasks_encryption.container import FIRST_PLAIN_SIZE, PLAIN_SIZE
from pamola_tasks_encryption.header import HEADER_SIZE, Header, payload_key

BORDERS = [FIRST_PLAIN_SIZE + n * PLAIN_SIZE + d for n in (0, 1, 2) for d in (-1, 0, 1)]
SMALL = [0, 1, 15, 16, 17, 1000, *BORDERS]
SIZES = SMALL + random.Random(11).sample(range(18, 150_000), 200 - len(SMALL))


def by_tink(jobs: list[dict[str, Any]]) -> list[bytes]:
    python = os.environ.get("PAMOLA_TINK_PYTHON")
    if not python:
        pytest.skip("PAMOLA_TINK_PYTHON does not name a Python that has Tink")
    command = [python, str(Path(__file__).with_name("tink_side.py"))]
    text = json.dumps([{k: v if k == "do" else base64.b64encode(v).decode() for k, v in job.items()} for job in jobs])
    result = subprocess.run(command, input=text, capture_output=True, text=True, check=True)
    return [base64.b64decode(answer) for answer in json.loads(result.stdout)]


def secrets_of(file: bytes) -> dict[str, bytes]:
    header = Header.parse(file[:HEADER_SIZE])
    data_key = header.unlock(KEY, BINDING)
    return {"key": payload_key(data_key, header.file_id), "associated": header.associated}


def test_tink_reads_our_payload() -> None:
    plain = [os.urandom(size) for size in SIZES]
    files = [encrypted(data) for data in plain]
    jobs = [{"do": "decrypt", "data": file[HEADER_SIZE:], **secrets_of(file)} for file in files]
    assert by_tink(jobs) == plain


def test_we_read_the_payload_of_tink() -> None:
    plain = [os.urandom(size) for size in SIZES]
    headers = [encrypted(b"")[:HEADER_SIZE] for _ in plain]
    jobs = [{"do": "encrypt", "data": data, **secrets_of(header)} for header, data in zip(headers, plain, strict=True)]
    payloads = by_tink(jobs)
    for header, payload, data in zip(headers, payloads, plain, strict=True):
        assert decrypted(header + payload) == data
        assert io.BytesIO(payload).read(1) == bytes([40])
