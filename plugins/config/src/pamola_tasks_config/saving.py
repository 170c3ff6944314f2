"""Writing configuration back: new files for people, existing ones changed where they must be, secrets nowhere.

Of an existing file only the keys that are set change. Every edit is checked by reading the new text: what it says must
be what was wanted, else nothing is written.
"""

from __future__ import annotations

import json
import logging
import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pamola_tasks.errors import ConfigurationError, UsageError, ValidationError
from pamola_tasks.parameters import ValuePath
from pamola_tasks.storage.files import check_name
from pamola_tasks_config.cascade import Entry
from pamola_tasks_config.declared import read_entry
from pamola_tasks_config.document import Document, KeyPath, Node, dotted, in_words, leaves, nested, put, scalars
from pamola_tasks_config.documents import CONFIGS, find_file, format_of, parse, read_file
from pamola_tasks_config.fitting import has_reference, is_secret, plain
from pamola_tasks_config.layers import COMMAND_LINE, TASK_CLASS, TASK_FILE, FileLayer
from pamola_tasks_config.schema import kinds

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, Project

_log = logging.getLogger("pamola_tasks.config")
_PLAIN_YAML = re.compile(r"[A-Za-z_/][A-Za-z0-9_/.\- ]*[A-Za-z0-9_/.\-]|[A-Za-z]")
_YAML_WORDS = frozenset(("true", "false", "null", "yes", "no", "on", "off", "y", "n"))


def save_task(
    config: Config, project: Project, winners: Mapping[KeyPath, Entry], path: str | Path | None, format: str | None
) -> Path:
    """Write the configuration of a task; see `TaskConfig.save`."""
    if path is None:
        check_name(config.task_id, "the task id")
        of_file = (entry.layer for entry in winners.values() if entry.layer.name == TASK_FILE)
        name = next((layer.document.name for layer in of_file if isinstance(layer, FileLayer)), "")
        name = name or find_file(project.files, config.task_id)[0]
        if not name or (format is not None and format_of(name) != format):
            name = f"{CONFIGS}/{config.task_id}.{format or 'yaml'}"
    else:
        name = os.fspath(path)
        if format is not None and format_of(name) != format:
            raise ConfigurationError(f"{name}: the name of a {format} file ends with .{format}")
    values: dict[KeyPath, Any] = {("task_id",): config.task_id}
    values |= {("task_type",): config.task_type} if config.task_type else {}
    values |= {path: entry.value for path, entry in winners.items() if path != ("task_id",) and _of_task(entry)}
    write(project, name, values)
    return project.root / name


def _of_task(entry: Entry) -> bool:
    """Whether a value was set for the task, not for the whole project or this machine."""
    if entry.layer.name in (COMMAND_LINE, TASK_FILE, TASK_CLASS):
        return True
    return isinstance(entry.layer, FileLayer) and entry.layer.base[:1] == ("tasks",)


def copy_task(
    project: Project,
    winners: Mapping[KeyPath, Entry],
    target: str,
    operation: tuple[str, int],
    parameters: Mapping[str, Any],
    *,
    overwrite: bool,
) -> str | None:
    """Write a copy of a task's file; see `TaskConfig.copy_with`."""
    listed = winners.get(("operations",))
    layer = None if listed is None else listed.layer
    if not isinstance(layer, FileLayer) or layer.name != TASK_FILE:
        return None
    document = read_file(project.files, layer.document.name)
    if document is None or document.problems:
        return None
    there = document.root.plain()
    entries = [(number, read_entry(entry)) for number, entry in enumerate(there.get("operations") or [])]
    found = [(number, entry) for number, entry in entries if entry.name == operation[0]]
    if operation[1] >= len(found):
        return None
    number, entry = found[operation[1]]
    name = f"{target}{os.path.splitext(document.name)[1]}"
    changes: dict[ValuePath, Any] = {
        ("operations", number, entry.parameters_key, key): value for key, value in parameters.items()
    }
    if "task_id" in there:
        changes["task_id",] = os.path.basename(target)
    text = ("\ufeff" if document.bom else "") + edited(document, changes)
    try:
        with project.files.create(name, "config", exclusive=not overwrite) as file:
            file.write(text.encode())
    except FileExistsError:
        raise UsageError(f"{name} is there already, and is not replaced: choose another name, or say to") from None
    return name


def write(project: Project, name: str, values: Mapping[KeyPath, Any]) -> None:
    """Write values to a configuration file; one that is there keeps everything that is not changed.

    Raises:
        ValidationError: The file that is there cannot be read; it is left alone.
    """
    files = project.files
    document = read_file(files, name)
    if document is not None and document.problems:
        raise ValidationError(problems=in_words(document.problems))
    there = dict(leaves(document.root.plain())) if document is not None else {}
    wanted: dict[KeyPath, Any] = {}
    for leaf, value in values.items():
        value = plain(value)
        if leaf in there and there[leaf] == value and type(there[leaf]) is type(value):
            continue
        found = ((inner, item) for inner, item in scalars(value, leaf) if not has_reference(item))
        if any(is_secret(project.redactor, inner, item) for inner, item in found):
            said = "%s: %s is not written, because it looks like a secret: refer to it as ${secret:NAME} or ${env:NAME}"
            _log.warning(said, name, dotted(leaf))
        elif value is not None or format_of(name) != "toml":
            wanted[leaf] = value
    if document is None:
        order = {key: number for number, key in enumerate(kinds())}  # then sections and own parameters as they came
        ordered = sorted(nested(wanted.items()).items(), key=lambda item: order.get(item[0], len(order)))
        files.write(name, whole(dict(ordered), format_of(name) or "yaml"), "config")
    elif wanted:
        files.write(name, ("\ufeff" if document.bom else "") + edited(document, wanted), "config")


def whole(values: Mapping[str, Any], format: str) -> str:
    """A whole file of a format; ConfigurationError where TOML has no way to write a value (null)."""
    if format == "json":
        return json.dumps(values, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    if format == "yaml":
        return _yaml(values, flow=False) if values else ""
    import tomlkit

    try:
        return tomlkit.dumps(values)
    except TypeError:
        raise ConfigurationError("TOML has no null: omit keys without a value") from None


def _inline(value: Any, format: str) -> str:
    """A key or value in one line of YAML or JSON."""
    if format == "json":
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    return _yaml(value, flow=True).removesuffix("...\n").rstrip("\n")


def _yaml(value: Any, *, flow: bool) -> str:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes every text that another reader, of YAML 1.1 or 1.2, could take for something else."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

        def represent_str(self, data: str) -> yaml.ScalarNode:
            plain = _PLAIN_YAML.fullmatch(data) and data.lower() not in _YAML_WORDS
            return self.represent_scalar("tag:yaml.org,2002:str", data, style=None if plain else '"')

        def represent_list(self, data: Any) -> yaml.SequenceNode:
            nested = any(isinstance(item, list | dict) for item in data)
            return self.represent_sequence("tag:yaml.org,2002:seq", data, flow_style=flow or not nested)

    Dumper.add_representer(str, Dumper.represent_str)
    Dumper.add_representer(list, Dumper.represent_list)
    options: dict[str, Any] = {"sort_keys": False, "allow_unicode": True, "width": float("inf")}
    return str(yaml.dump(value, Dumper=Dumper, default_flow_style=flow, **options))


def edited(document: Document, changes: Mapping[Any, Any]) -> str:
    """The text of a file with some keys set, and nothing else changed in it.

    Raises:
        ConfigurationError: The text cannot be changed in this way; edit it manually.
    """
    for path, value in changes.items():
        wanted = document.root.mapping()
        put(wanted, path, value)
        text = (_set_toml if document.format == "toml" else _set)(document, path, value)
        document = parse(text.encode(), document.name)
        if document.root.plain() != wanted or document.problems:
            raise ConfigurationError(
                f"{document.name}: {dotted(path)} cannot be set without rewriting the file; edit the file instead"
            )
    return document.text


def _set(document: Document, path: ValuePath, value: Any) -> str:
    node, depth = document.root, 0
    while depth < len(path) and (below := node.below_at(path[depth])) is not None:
        node, depth = below, depth + 1
    rest = path[depth:]
    into = isinstance(node.value, dict)  # a value that stands in the way is replaced by a mapping
    for key in reversed(rest[1:] if into else rest):
        value = {key: value}
    return _insert(document, node, rest[0], value) if rest and into else _replace(document, node, value)


def _set_toml(document: Document, path: ValuePath, value: Any) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    try:
        made = tomlkit.parse(document.text)
        put(made, path, value)
        return tomlkit.dumps(made)
    except (TOMLKitError, TypeError):
        return document.text


def _replace(document: Document, node: Node, value: Any) -> str:
    text, written = document.text, _inline(value, document.format)
    before, after = text[: node.start], text[node.end :]
    if document.format == "yaml":
        if not node.flow:
            # A block has lines of its own: what replaces it follows its key.
            before = before.rstrip(" \t\r\n") + " "
            if re.search(r"#[^\n]*$", before):
                before += "\n" + " " * document.place(node.start)[1]
        elif node.start == node.end and not before.endswith((" ", "\n", "[", "{")):
            written = " " + written
        elif text[node.start : node.start + 1] in "|>":
            after = "\n" + after.lstrip("\n")
    return before + written + after


def _insert(document: Document, parent: Node, key: str | int, value: Any) -> str:
    assert isinstance(parent.value, dict)
    text = document.text
    pair = f"{_inline(key, document.format)}: {_inline(value, document.format)}"
    start = min(parent.keys.values(), default=0)
    if not parent.flow or not text[parent.start : parent.end]:  # a block, an empty file, or one of comments only
        end = text.find("\n", max(parent.end - 1, 0)) if parent.value else -1
        head, tail = (text, "") if end < 0 else (text[: end + 1], text[end + 1 :])
        head += "" if not head or head.endswith("\n") else "\n"
        column = document.place(start)[1] - 1 if parent.value else 0
        return f"{head}{' ' * column}{pair}\n{tail}"
    if not parent.value:
        return f"{text[: parent.start + 1]}{pair}{text[parent.end - 1 :]}"
    last = max(child.end for child in parent.value.values())
    lead = re.search(r"\n[ \t]*$", text[:start])
    return f"{text[:last]},{lead[0] if lead else ' '}{pair}{text[last:]}"
