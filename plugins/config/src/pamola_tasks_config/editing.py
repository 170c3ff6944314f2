"""Changing single keys in the text of a configuration file, and nothing else in it.

Every edit is checked by reading the new text: what it says must be what was wanted, else nothing is written.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from pamola_tasks.errors import ConfigurationError
from pamola_tasks_config.document import Document, KeyPath, Node, dotted, put
from pamola_tasks_config.documents import parse
from pamola_tasks_config.rendering import inline


def edited(document: Document, changes: Mapping[KeyPath, Any]) -> str:
    """The text of a file with some keys set.

    Args:
        document: The file as it is.
        changes: New values by path.

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


def _set(document: Document, path: KeyPath, value: Any) -> str:
    node, depth = document.root, 0
    while depth < len(path) and isinstance(node.value, dict) and path[depth] in node.value:
        node, depth = node.value[path[depth]], depth + 1
    rest = path[depth:]
    into = isinstance(node.value, dict)  # a value that stands in the way is replaced by a mapping
    for key in reversed(rest[1:] if into else rest):
        value = {key: value}
    return _insert(document, node, rest[0], value) if rest and into else _replace(document, node, value)


def _set_toml(document: Document, path: KeyPath, value: Any) -> str:
    import tomlkit
    from tomlkit.exceptions import TOMLKitError

    *parents, last = path
    try:
        made = tomlkit.parse(document.text)
        place: Any = made
        for part in parents:
            if not isinstance(place.get(part), dict):
                place[part] = {}
            place = place[part]
        place[last] = value
        return tomlkit.dumps(made)
    except (TOMLKitError, TypeError):
        return document.text


def _replace(document: Document, node: Node, value: Any) -> str:
    text = document.text
    written = inline(value, document.format)
    before, after = text[: node.start], text[node.end :]
    if document.format == "yaml":
        if not node.flow:
            # A block has lines of its own: what replaces it follows its key.
            before = before.rstrip(" \t\r\n") + " "
            if re.search(r"#[^\n]*$", before):
                before += "\n" + " " * (document.place(node.start)[1] - 1 + 1)
        elif node.start == node.end and not before.endswith((" ", "\n", "[", "{")):
            written = " " + written
        elif text[node.start : node.start + 1] in "|>":
            after = "\n" + after.lstrip("\n")
    return before + written + after


def _insert(document: Document, parent: Node, key: str, value: Any) -> str:
    assert isinstance(parent.value, dict)
    text = document.text
    name, written = inline(key, document.format), inline(value, document.format)
    if not parent.flow or not text[parent.start : parent.end]:
        if not parent.value:  # an empty file, or one of comments only
            return _ended(text) + f"{name}: {written}\n"
        column = document.place(min(parent.keys.values()))[1] - 1
        end = text.find("\n", max(parent.end - 1, 0))
        head = text if end < 0 else text[: end + 1]
        return _ended(head) + f"{' ' * column}{name}: {written}\n" + text[len(head) :]
    if not parent.value:
        return f"{text[: parent.start + 1]}{name}: {written}{text[parent.end - 1 :]}"
    last = max(child.end for child in parent.value.values())
    start = min(parent.keys.values())
    lead = re.search(r"\n[ \t]*$", text[:start])
    separator = "," + (lead[0] if lead else " ")
    return f"{text[:last]}{separator}{name}: {written}{text[last:]}"


def _ended(text: str) -> str:
    return text if not text or text.endswith("\n") else text + "\n"
