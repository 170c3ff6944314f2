"""YAML and JSON as trees with places: the parser's events, with the scalars of YAML 1.2 (core schema, chapter 10.3).

PyYAML's parser is used for its events alone (libyaml's where it is built in: fifty times as fast); its own reading of
scalars is that of YAML 1.1, where `NO` is false. Every JSON text (RFC 8259) is YAML 1.2: the standard library judges
it, the parser finds the places.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import attrs
import yaml

from pamola_tasks_config.document import MAX_DEPTH, Document, Node, Scalar

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
_TAGGED = {_TAG + "int": int, _TAG + "float": float, _TAG + "bool": bool, _TAG + "null": type(None)}

_JSON_CONSTANTS: dict[str, Scalar] = {"true": True, "false": False, "null": None}
_JSON_COMMENT = re.compile(r"[ \t\r\n]*(?://|/\*|#)")
# What the parser does not take (tabs, halves of surrogate pairs, control characters in texts) is blanked before it
# looks, one character for one, since the values are read from the text itself.
_BLANKED = re.compile("[\t\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]|(?<=\\\\u)[dD][89a-fA-F][0-9a-fA-F]{2}")
_JSON_WORDS = {
    "Expecting property name enclosed in double quotes": "expected a key in double quotes",
    "Expecting value": "expected a value: text in double quotes, a number, true, false, null, [ or {",
    "Expecting ':' delimiter": 'expected ":" after the key',
    "Expecting ',' delimiter": 'expected "," or the end of the list or mapping',
    "Extra data": "more text after the end of the value",
}


def read(document: Document) -> Node:
    """The only document of the text; an empty text is an empty mapping."""
    if "\0" in document.text:
        raise document.fail(document.text.index("\0"), "a NUL character; this is not a text file")
    events = _events(document, document.text)
    for event in events:
        if isinstance(event, yaml.StreamEndEvent):
            return Node({}, 0, 0, flow=False)
        if isinstance(event, yaml.DocumentStartEvent):
            break
    node = _Composer(document, events).value(next(events), 1)
    for event in events:
        if isinstance(event, yaml.DocumentStartEvent):
            raise document.fail(_start(event), "a second document; a configuration file holds one")
    if node.value is None and node.start == node.end:
        return Node({}, node.start, node.end, flow=False)
    return node


def read_json(document: Document) -> Node:
    """The whole document, JSON, as one value."""
    text = document.text
    if not text.strip(" \t\r\n"):
        raise document.fail(len(text), "the file is empty; a configuration is at least {}")
    try:
        # Numbers and constants are judged where their places are known.
        json.loads(text, parse_int=len, parse_float=len, parse_constant=len)
    except json.JSONDecodeError as error:
        offset = error.pos + error.msg.startswith("Illegal trailing comma")
        if _JSON_COMMENT.match(text, error.pos):
            raise document.fail(offset, "JSON has no comments; a YAML file may have them") from None
        message = "expected a key in double quotes" if offset > error.pos else _JSON_WORDS.get(error.msg)
        wrong = "a text that does not end, or has a wrong escape or a control character in it"
        raise document.fail(offset, message or wrong) from None
    except RecursionError:
        raise document.fail(0, f"nested deeper than {MAX_DEPTH} levels") from None
    events = _events(document, _BLANKED.sub(lambda found: "0" * len(found[0]) if len(found[0]) > 1 else " ", text))
    next(events), next(events)  # the beginning of the stream, and of its only document
    return _JsonComposer(document, events).value(next(events), 1)


def _events(document: Document, text: str) -> Iterator[Any]:
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


class _Composer:
    """Builds the tree, expanding aliases within the budget and merge keys (`<<`) one level at a time."""

    def __init__(self, document: Document, events: Iterator[Any]) -> None:
        self.document = document
        self.events = events
        self.anchors: dict[str, tuple[Node, int] | None] = {}

    def value(self, event: Any, depth: int) -> Node:
        start = _start(event)
        if isinstance(event, yaml.AliasEvent):
            known = self.anchors.get(str(event.anchor))
            if known is None:
                inside = event.anchor in self.anchors
                raise self.document.fail(start, "an alias inside its own anchor" if inside else "an unknown alias")
            node, size = known
            self.document.count(start, size, depth + _height(node))
            return attrs.evolve(node, start=start, end=_end(event), flow=True)
        before = self.document.counted
        self.document.count(start, depth=depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = None
        if isinstance(event, yaml.ScalarEvent):
            made = Node(self.scalar(event), start, _end(event))
        elif isinstance(event, yaml.MappingStartEvent):
            made = self.mapping(event, depth)
        else:
            made = self.sequence(event, depth)
        if event.anchor is not None:
            self.anchors[event.anchor] = made, self.document.counted - before
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
        return Node(items, _start(event), end, flow=bool(event.flow_style))

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
            key_at, key = _start(key_event), self.key(key_event)
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
        return Node(items, _start(event), end, flow=bool(event.flow_style), keys=keys)

    def key(self, event: Any) -> str:
        if not isinstance(event, yaml.ScalarEvent):
            raise self.document.fail(_start(event), "a key must be text, not a list, mapping or alias")
        value = self.scalar(event)
        if isinstance(value, str):
            return value
        if isinstance(value, bool):  # `true` and `false` are keys of a column's type
            return str(event.value)
        self.document.report(_start(event), "a key must be text: write it in quotes")
        return str(event.value)

    def tagged(self, event: Any, name: str) -> None:
        if event.tag not in (None, "!", _TAG + name):
            self.document.report(_start(event), "a tag that is not allowed here")

    def scalar(self, event: Any) -> Scalar:
        at, text, tag = _start(event), str(event.value), event.tag
        if tag in (None, "!"):
            return self.plain(at, text) if event.implicit[0] and tag is None else text
        if tag == _TAG + "str":
            return text
        if tag not in _TAGGED:
            self.document.report(at, "a tag that is not allowed; !!str, !!int, !!float, !!bool and !!null are")
            return None
        value = self.plain(at, text)
        if tag == _TAG + "float" and type(value) is int:
            return float(value)
        if type(value) is not _TAGGED[tag]:
            self.document.report(at, f"the value does not fit its tag !!{tag.removeprefix(_TAG)}")
            return None
        return value

    def plain(self, at: int, text: str) -> Scalar:
        """What an unquoted scalar means in YAML 1.2."""
        if text in _WORDS:
            return _WORDS[text]
        if _INT.fullmatch(text):
            # Python refuses to convert very long digit strings; 64 bits have at most 22 (octal).
            digits = text if len(text) <= 24 else "0o" + "7" * 30
            return self.document.number(at, int(digits, 0 if digits[:2] in ("0o", "0x") else 10))
        if _NOT_FINITE.fullmatch(text):
            return self.document.number(at, float("nan"))
        if _FLOAT.fullmatch(text):
            return self.document.number(at, float(text))
        return text


class _JsonComposer(_Composer):
    """Reads scalars as JSON has them."""

    def scalar(self, event: Any) -> Scalar:
        start = _start(event)
        text = self.document.text[start : _end(event)]
        if text in _JSON_CONSTANTS:
            return _JSON_CONSTANTS[text]
        if text.lstrip("-").isdigit():
            # Python refuses to convert very long digit strings; 64 bits have at most 20.
            return self.document.number(start, int(text) if len(text) <= 20 else 1 << 64)
        if not text.startswith('"'):
            return self.document.number(start, float(text.replace("Infinity", "inf")))
        value = str(json.loads(text))
        if any(0xD800 <= ord(character) < 0xE000 for character in value):
            self.document.report(start, "half of a surrogate pair, which is not a character")
            return ""
        return value


def _start(event: Any) -> int:
    return int(event.start_mark.index)


def _end(event: Any) -> int:
    return int(event.end_mark.index)


def _height(node: Node) -> int:
    """Levels below a node; the budget keeps it small."""
    if not isinstance(node.value, dict | list):
        return 0
    children = node.value.values() if isinstance(node.value, dict) else node.value
    return 1 + max(map(_height, children), default=0)
