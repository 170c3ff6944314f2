"""Whether workers can make attempts for this project: the same versions, and the same files.

Versions are those that are installed where a worker runs, as it finds them there. A file with random content in the
project's folder shows that a worker sees the same folder, one that it writes beside that it can write there.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from importlib import metadata
from typing import TYPE_CHECKING, Any

import attrs

from pamola_tasks_dask.worker import describe, versions_of

if TYPE_CHECKING:
    from pamola_tasks.protocols import Files, PluginsView
    from pamola_tasks_dask.connection import Connection

_OURS = "pamola-tasks-dask"
_LIBRARIES = ("distributed", "cryptography", "pandas", "numpy", "pyarrow")
_FOLDER = ".pamola"


@attrs.frozen
class Checked:
    """Workers that can be used, and what is wrong with others, in words."""

    usable: list[str]
    problems: list[str]


def check(connection: Connection, workers: Iterable[str], plugins: PluginsView, files: Files) -> Checked:
    """Ask workers what they are.

    Args:
        workers: Their addresses.
        plugins: The plugins that are loaded here, whose distributions they must have.
        files: The project's.
    """
    asked = list(workers)
    there = connection.ask(metadata.version, _OURS, workers=asked)
    names = [_OURS, *sorted({"pamola-tasks", *_distributions(plugins)} - {_OURS}), *_LIBRARIES]
    here = versions_of(names)
    with_us = [address for address in asked if there.get(address) == here[_OURS]]
    nonce = os.urandom(16).hex()
    shared = f"{_FOLDER}/dask-{nonce[:12]}"
    usable: list[str] = []
    problems: list[str] = []
    try:
        files.mkdirs(_FOLDER)
        files.write(shared, nonce, "state")
        said = connection.ask(describe, names, str(files.root / shared), nonce, workers=with_us) if with_us else {}
        for address in asked:
            found = said.get(address)
            if address not in with_us:
                problems.append(f"worker {address}: {_without_us(there.get(address), here[_OURS])}")
            elif not isinstance(found, dict):
                problems.append(f"worker {address}: {_no_answer(found)}")
            elif wrong := [*_differences(found["versions"], here), *_root(found, files, shared)]:
                problems.append(f"worker {address}: {'; '.join(wrong)}")
            else:
                usable.append(address)
    finally:
        for name, _ in list(files.iter(_FOLDER)):
            if f"{_FOLDER}/{name}".startswith(shared):
                files.unlink(f"{_FOLDER}/{name}", missing_ok=True)
    return Checked(usable, problems)


def _distributions(plugins: PluginsView) -> set[str]:
    records: Any = plugins.report()
    return {record["distribution"] for record in records if record["status"] == "loaded" and record["distribution"]}


def _without_us(found: Any, here: str) -> str:
    if isinstance(found, metadata.PackageNotFoundError):
        return f"{_OURS} is not installed there ({here} here)"
    return f"{_OURS} {found} there, {here} here" if isinstance(found, str) else _no_answer(found)


def _no_answer(found: Any) -> str:
    return f"it could not answer ({type(found).__name__}: {found})" if found is not None else "it does not answer"


def _differences(there: dict[str, str], here: dict[str, str]) -> list[str]:
    return [
        f"{name} {there[name]} there, {version or 'not installed'} here"
        if there[name]
        else f"{name} is not installed there ({version} here)"
        for name, version in here.items()
        if there.get(name, "") != version
    ]


def _root(found: dict[str, Any], files: Files, shared: str) -> list[str]:
    """What is wrong with the project's folder as the worker sees it."""
    if found["root"]:
        return [f"it does not see the project's folder under {files.root}: {shared} {found['root']}"]
    try:
        with files.open_raw(f"{shared}.{found['id']}") as file:
            file.read()
    except OSError as error:
        return [f"what it writes into the project's folder, {files.root}, cannot be read here: {error.strerror}"]
    return []
