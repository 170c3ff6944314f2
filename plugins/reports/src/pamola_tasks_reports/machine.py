"""The machine room of a report: artifacts, configuration, environment and plugins, for looking things up."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TYPE_CHECKING

from pamola_tasks_reports.formatting import moment, size, value
from pamola_tasks_reports.front import encryption
from pamola_tasks_reports.parts import Row, named, part, rows
from pamola_tasks_reports.pieces import status_of, table_of

if TYPE_CHECKING:
    from pamola_tasks_reports.pieces import Pieces

_DEFAULT = "default"


def machine_room(report: Row, page: Pieces) -> Iterator[tuple[str, Iterable[str]]]:
    """Title and pieces of each of its sections."""
    yield "Artifacts", _artifacts(report, page)
    yield "Configuration", _configuration(report, page)
    yield "Run and environment", [_environment(report, page)]
    yield "Plugins", _plugins(report, page)


def _artifacts(report: Row, page: Pieces) -> Iterator[str]:
    def group(artifact: Row) -> str:
        return ", ".join(filter(None, [artifact.get("group"), *(artifact.get("tags") or ()), encryption(artifact)]))

    columns: dict[str, Callable[[Row], str]] = {
        "File and SHA-256": lambda artifact: page.file(
            str(artifact.get("path", "")), str(artifact.get("sha256") or "")
        ),
        "Description": lambda artifact: str(artifact.get("description", "")),
        "Group, tags": group,
        "Size": lambda artifact: size(artifact.get("bytes")),
    }
    return table_of(page, rows(report, "artifacts"), columns, right=[3])


def _configuration(report: Row, page: Pieces) -> Iterator[str]:
    """What somebody set, with where; then the rest, which nobody did."""
    entries = [{"key": key, **entry} for key, entry in named(report, "configuration").items()]
    columns: dict[str, Callable[[Row], str]] = {
        "Key": lambda entry: page.code(entry["key"]),
        "Value": lambda entry: value(entry.get("value")),
        "Set by": lambda entry: str(entry["layer"]),
        "Where": lambda entry: page.code(str(entry.get("place", ""))),
    }
    yield from table_of(page, (entry for entry in entries if entry.get("layer", _DEFAULT) != _DEFAULT), columns)
    defaults = [(e["key"], value(e.get("value"))) for e in entries if e.get("layer", _DEFAULT) == _DEFAULT]
    if defaults:
        yield page.paragraph("By default:")
        yield page.facts(defaults)


def _environment(report: Row, page: Pieces) -> str:
    run, environment, encryption = part(report, "run"), part(report, "environment"), part(report, "encryption")
    encrypted = f"{encryption.get('mode') or 'yes'} {encryption.get('key_id', '')}".strip()
    shown = {
        "Run": run.get("id"),
        "Status": run.get("status"),
        "Started": moment(run.get("started")),
        "Finished": moment(run.get("finished")),
        "Continues run": run.get("resumed_from"),
        "Seed": None if run.get("seed") is None else str(run["seed"]),
        "Encrypted": encrypted if encryption.get("enabled") else "no",
        "Peak memory": size(run.get("peak_memory_bytes")),
        "Host": run.get("host"),
        "User": run.get("user"),
        "Python": environment.get("python"),
        "Platform": environment.get("platform"),
        "CPUs": environment.get("cpu_count"),
        **part(environment, "packages"),
    }
    folders = part(run, "folders")
    places = [("May be released", "released"), ("Not to be released", "internal")] if folders else []
    facts = [(name, value(item)) for name, item in shown.items() if item not in (None, "")]
    return page.facts([*((name, page.code(str(folders[key]))) for name, key in places), *facts])


def _file_of(plugin: Row) -> str:
    """A plugin that is a file of the project or was given by `--plugin`: its name and hash."""
    return f"{plugin['file']} (sha256 {str(plugin.get('sha256', ''))[:12]})" if plugin.get("file") else ""


def _plugins(report: Row, page: Pieces) -> Iterator[str]:
    columns: dict[str, Callable[[Row], str]] = {
        "Plugin": lambda plugin: page.code(str(plugin.get("name", ""))),
        "Distribution": lambda plugin: str(plugin.get("distribution") or _file_of(plugin)),
        "Version": lambda plugin: str(plugin.get("version", "")),
        "Status": lambda plugin: status_of(plugin, page),
        "Answers": lambda plugin: ", ".join(map(str, plugin.get("services") or ())) or str(plugin.get("reason") or ""),
    }
    return table_of(page, rows(report, "plugins"), columns)
