"""The parts of a step's fingerprint, and what has changed since an earlier one, in words."""

from __future__ import annotations

import hashlib
import json
import sys
from functools import cache
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks.secret import Secret
from pamola_tasks_checkpoints.sources import code_hash, imported

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks.operation import Operation

ENCRYPTION_KEY = "encryption key"  # the part of a step that took keys of its own from the project's key


def parts_of(operation: Operation, *, distribution: str, inputs: Mapping[str, str], seed: int | None) -> dict[str, str]:
    """The parts of a step's fingerprint that follow from the step itself.

    Args:
        distribution: `name version` of the distribution that the operation comes from.
        inputs: Content hash of every dataset that the step reads, by name.
    """
    parts = {
        "operation": f"{operation.name} {operation.version}",
        "code": code_hash(type(operation)),  # type: ignore[arg-type]  # mypy: a class is hashable
        "distribution": distribution,
        "seed": str(seed),
    }
    parts |= imported(type(operation))  # type: ignore[arg-type]
    parts |= {f"parameter {key}": canonical(value) for key, value in operation.parameters().items()}
    parts |= {f"input {name}": digest for name, digest in inputs.items()}
    return parts | {f"version {name}": version for name, version in versions().items()}


def canonical(value: Any) -> str:
    """A value as text that is equal for equal values: JSON with sorted keys, the hash of it where it is long."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, default=_unusual)
    return text if len(text) <= 200 else f"sha256:{hashlib.sha256(text.encode()).hexdigest()}"


@cache
def concealed(secret: str) -> str:
    """Text that is equal for equal secrets and from which a secret can be guessed only slowly (scrypt, RFC 7914)."""
    digest = hashlib.scrypt(
        secret.encode("utf-8", "surrogatepass"), salt=b"pamola-tasks fingerprint", n=2**14, r=8, p=1
    )
    return f"sha256:{hashlib.sha256(digest).hexdigest()}"


def mark_of(key: bytes) -> str:
    """Text that is equal for equal keys and from which a key of 32 random bytes cannot be found."""
    return f"sha256:{hashlib.sha256(b'pamola-tasks fingerprint' + key).hexdigest()}"


def _unusual(value: Any) -> Any:
    if isinstance(value, Secret):
        return concealed(value.reveal())
    if isinstance(value, (set, frozenset)):
        return sorted(map(str, value))
    if attrs.has(type(value)):
        return attrs.asdict(value)
    if callable(value):
        return f"{getattr(value, '__module__', '')}:{getattr(value, '__qualname__', type(value).__name__)}"
    return str(value)


@cache
def versions() -> dict[str, str]:
    """Versions of the kernel and of Python. Plugins add those of the libraries that they compute with."""
    from pamola_tasks import __version__

    return {"pamola-tasks": __version__, "python": ".".join(map(str, sys.version_info[:2]))}


def changes(before: Mapping[str, str], after: Mapping[str, str]) -> list[str]:
    """What differs between two fingerprints, in words: "`k` changed from 5 to 10", "input customers changed"."""
    found = []
    for key in [*after, *(key for key in before if key not in after)]:
        old, new = before.get(key), after.get(key)
        if old == new:
            continue
        subject, _, name = key.partition(" ")
        if subject == "parameter":
            found.append(_changed(f"`{name}`", old, new))
        elif subject == "input":
            found.append(f"input {name} changed" if old and new else f"input {name} is {'new' if new else 'gone'}")
        elif subject == "module":
            found.append(_changed(key, old and f"sha256:{old}", new))
        elif name.startswith("reading "):
            dataset, _, option = name.removeprefix("reading ").partition(": ")
            if any(part.startswith(f"{subject} reading {dataset}: ") for part in before):
                found.append(_read(dataset, option, old, new))
            elif f"input {dataset}" in before:
                found.append(f"how {dataset} is read was not recorded")
        elif key == "code":
            found.append("the operation's source changed")
        elif key == ENCRYPTION_KEY:
            found.append("the encryption key that its values come from changed")
        elif key == "distribution":
            found.append(f"{old or 'nothing'} → {new or 'nothing'}")
        else:
            found.append(_changed(name or key, old, new))
    return list(dict.fromkeys(found))


def _read(dataset: str, option: str, old: str | None, new: str | None) -> str:
    if new is None:
        return f"{dataset}: read with no stated {option} instead of {old}"
    return f"{dataset}: read with {option} {new} instead of {old or 'none stated'}"


def _changed(what: str, old: str | None, new: str | None) -> str:
    if old is None:
        return f"{what} is new"
    if new is None:
        return f"{what} is gone"
    if "sha256:" in old or "sha256:" in new:
        return f"{what} changed"
    return f"{what} changed from {old} to {new}"
