"""YAML as a tree with places: the parser's events, with the scalars of YAML 1.2 (core schema, chapter 10.3).

PyYAML's parser is used for its events alone (libyaml's where it is built in: fifty times as fast); its own reading of
scalars is that of YAML 1.1, where `NO` is false.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs
import yaml

from pamola_tasks_config.document import Budget, Document, Node, Scalar, check_number

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
_INT = re.compile(r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(?:inf|Inf|INF)|\.(?:nan|NaN|NAN)")
_WORDS: dict[str, Scalar] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_TAG = "tag:yaml.org,2002:"
_SCALAR_TAGS = {_TAG + name for name in ("str", "int", "float", "bool", "null")}


def read(document: Document) -> Node:
    """The only document of the text; an empty text is an empty mapping."""
    if "\0" in document.text:
        raise document.fail(document.text.index("\0"), "a NUL character; this is not a text file")
    events = events_of(document, document.text)
    for event in events:
        if isinstance(event, yaml.StreamEndEvent):
            return Node({}, 0, 0, flow=False)
        if isinstance(event, yaml.DocumentStartEvent):
            break
    node = Composer(document, events).value(next(events), 1)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            raise document.fail(start_of(event), "a second document; a configuration file holds one")
    if node.value is None and node.start == node.end:
        return Node({}, node.start, node.end, flow=False)
    return node


def events_of(document: Document, text: str) -> Iterator[Any]:
    """The parser's events."""
    try:
        yield from yaml.parse(text, Loader=_LOADER)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        message = " ".join(part for part in (error.context, error.problem) if part)
        raise document.fail(mark.index if mark else 0, f"not YAML: {message}") from None
    except yaml.reader.ReaderError as error:
        position = min(error.position, len(document.text))
        # libyaml counts bytes here, the other parser characters.
        if _LOADER is not yaml.SafeLoader:
            position = len(document.text.encode()[:position].decode("utf-8", "ignore"))
        raise document.fail(position, "a control character, which YAML does not allow") from None


class Composer:
    """Builds the tree, expanding aliases within the budget and merge keys (`<<`) one level at a time."""

    def __init__(self, document: Document, events: Iterator[Any]) -> None:
        self.document = document
        self.events = events
        self.budget = Budget(document)
        self.anchors: dict[str, tuple[Node, int] | None] = {}

    def value(self, event: Any, depth: int) -> Node:
        start = start_of(event)
        if isinstance(event, yaml.AliasEvent):
            known = self.anchors.get(str(event.anchor))
            if known is None:
                inside = event.anchor in self.anchors
                raise self.document.fail(start, "an alias inside its own anchor" if inside else "an unknown alias")
            node, size = known
            self.budget.take(start, size, depth + _height(node))
            return attrs.evolve(node, start=start, end=_end(event), flow=True)
        before = self.budget.nodes
        self.budget.take(start, depth=depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            made = Node(self.scalar(event), start, _end(event))
        elif isinstance(event, yaml.MappingStartEvent):
            made = self.mapping(event, depth)
        else:
            made = self.sequence(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = made, self.budget.nodes - before
        return made

    def sequence(self, event: Any, depth: int) -> Node:
        self.tagged(event, "seq")
        items: list[Node] = []
        end = _end(event)
        for item in self.events:
            if isinstance(item, yaml.SequenceEndEvent):
                end = _end(item) if event.flow_style else end
                break
            items.append(self.value(item, depth + 1))
            end = items[-1].end
        return Node(items, start_of(event), end, flow=bool(event.flow_style))

    def mapping(self, event: Any, depth: int) -> Node:
        self.tagged(event, "map")
        items: dict[str, Node] = {}
        keys: dict[str, int] = {}
        merged: list[Node] = []
        end = _end(event)
        for key_event in self.events:
            if isinstance(key_event, yaml.MappingEndEvent):
                end = _end(key_event) if event.flow_style else end
                break
            key_at, key = start_of(key_event), self.key(key_event)
            node = self.value(next(self.events), depth + 1)
            end = max(node.end, _end(key_event))
            if key == "<<" and key_event.implicit[0]:
                merged.append(node)
            elif key in items:
                line, _ = self.document.place(keys[key])
                self.document.report(key_at, f"the key is defined twice (first in line {line})", (key,))
            else:
                items[key], keys[key] = node, key_at
        for node in merged:
            for source in node.value if isinstance(node.value, list) else [node]:
                if not isinstance(source.value, dict):
                    self.document.report(node.start, "a merge key (<<) takes a mapping, or a list of mappings")
                    continue
                for key, child in source.value.items():
                    if key not in items:
                        items[key], keys[key] = child, source.keys.get(key, child.start)
        return Node(items, start_of(event), end, flow=bool(event.flow_style), keys=keys)

    def key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self.document.fail(start_of(event), "a key must be text, not a list, mapping or alias")
        value = self.scalar(event)
        if isinstance(value, str):
            return value
        self.document.report(start_of(event), "a key must be text: write it in quotes")
        return str(event.value)

    def tagged(self, event: Any, name: str) -> None:
        if event.tag not in (None, "!", _TAG + name):
            self.document.report(start_of(event), "a tag that is not allowed here")

    def scalar(self, event: Any) -> Scalar:
        at, text, tag = start_of(event), str(event.value), event.tag
        if tag in (None, "!"):
            return self.plain(at, text) if event.implicit[0] and tag is None else text
        if tag not in _SCALAR_TAGS:
            self.document.report(at, "a tag that is not allowed; !!str, !!int, !!float, !!bool and !!null are")
            return None
        if tag == _TAG + "str":
            return text
        value = self.plain(at, text)
        expected = tag.removeprefix(_TAG)
        if expected == "float" and type(value) is int:
            return float(value)
        if type(value).__name__.removesuffix("Type").replace("None", "null") != expected:
            self.document.report(at, f"the value does not fit its tag !!{expected}")
            return None
        return value

    def plain(self, at: int, text: str) -> Scalar:
        """What an unquoted scalar means in YAML 1.2."""
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            # Python refuses to convert very long digit strings; 64 bits have at most 22 (octal).
            digits = text if len(text) <= 24 else "0o" + "7" * 30
            return check_number(self.document, at, int(digits, 0 if digits[:2] in ("0o", "0x") else 10))
        if _NOT_FINITE.fullmatch(text):
            return check_number(self.document, at, float("nan"))
        if _FLOAT.fullmatch(text):
            return check_number(self.document, at, float(text))
        return text


def start_of(event: Any) -> int:
    """Where an event begins in the text."""
    return int(event.start_mark.index)


def _end(event: Any) -> int:
    return int(event.end_mark.index)


def _height(node: Node) -> int:
    """Levels below a node; the budget keeps it small."""
    if not isinstance(node.value, dict | list):
        return 0
    children = node.value.values() if isinstance(node.value, dict) else node.value
    return 1 + max(map(_height, children), default=0)
