"""The ways in which a secret may have been written, for tests that search for it in everything."""

from __future__ import annotations

import base64
import html
import json
from urllib.parse import quote, quote_plus


def forms(secret: str) -> set[bytes]:
    """A secret as it is, and encoded in every usual way."""
    raw = secret.encode()
    texts = {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        json.dumps(secret)[1:-1],
        repr(secret)[1:-1],
        repr(raw)[2:-1],
        html.escape(secret),
        raw.hex(),
        base64.b64encode(raw).decode().rstrip("="),
        base64.urlsafe_b64encode(raw).decode().rstrip("="),
    }
    for offset in range(3):
        texts.add(base64.b64encode(bytes(offset) + raw).decode()[4:-4])
    return {text.encode() for text in texts if len(text) >= 8}
