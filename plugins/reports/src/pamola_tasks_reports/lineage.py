"""Which step read and wrote which dataset, as a picture from top to bottom, and in words."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import attrs

from pamola_tasks_reports.charts.svg import bar, image, label, path, place
from pamola_tasks_reports.parts import COLUMN_LINEAGE, items, part, rows, steps

_MOST = 60  # nodes; a larger picture says less than the table of steps
_ACROSS = 6
_WIDE, _HIGH, _GAP, _BELOW = 150.0, 30.0, 16.0, 28.0
_DONE = ("success", "warning", "partial_success", "skipped")


@attrs.frozen
class Node:
    """A step or a dataset."""

    name: str
    kind: str  #: class in the picture: `step` or `data`, and `out` if published, `bad` if failed, `dash` if not there
    layer: int


@attrs.frozen
class Lineage:
    """Steps and datasets by key, with an arrow from each to what follows from it."""

    nodes: Mapping[str, Node]
    arrows: tuple[tuple[str, str], ...]

    @classmethod
    def of(cls, report: Mapping[str, Any]) -> Lineage | None:
        """The lineage of a JSON report; None where no step read or wrote a dataset, or too many did to be drawn."""
        nodes: dict[str, Node] = {}
        arrows: list[tuple[str, str]] = []
        published = {str(row.get("name")) for row in rows(report, "outputs")}
        for step in steps(report):
            key, name = f"step {step['step']}", str(step["step"])
            read, written = ([f"data {one}" for one in items(step, side)] for side in ("reads", "writes"))
            for one in read:
                nodes.setdefault(one, Node(one[5:], "data", 0))
            layer = 1 + max((nodes[one].layer for one in read), default=-1)
            done = step.get("status") in _DONE
            nodes[key] = Node(name, "step" if done else "step bad" if step.get("error") else "step dash", layer)
            for one in written:
                kind = "data" if done else "data dash"
                nodes[one] = Node(one[5:], f"{kind} out" if one[5:] in published else kind, layer + 1)
            arrows += [*((one, key) for one in read), *((key, one) for one in written)]
        return cls(nodes, tuple(arrows)) if arrows and len(nodes) <= _MOST else None

    def sentences(self) -> Iterator[str]:
        """What each step read and wrote."""
        for key, node in self.nodes.items():
            if key.startswith("step "):
                read = ", ".join(self.nodes[a].name for a, b in self.arrows if b == key)
                written = ", ".join(self.nodes[b].name for a, b in self.arrows if a == key)
                yield " → ".join(filter(None, [read, f"`{node.name}`", written]))


_DIRECT = {"IDENTITY": "", "TRANSFORMATION": "changed", "AGGREGATION": "aggregated"}


def column_rows(report: Mapping[str, Any]) -> Iterator[dict[str, str]]:
    """The columns of each dataset that a run left: of which columns of the inputs, and which of them decide on what."""
    for dataset, told in part(part(part(report, "sections"), COLUMN_LINEAGE), "facts").items():
        columns = part(told, "columns") if isinstance(told, Mapping) else {}
        of_rows = rows(told, "whole") if columns else []
        if of_rows:
            yield {"dataset": dataset, "column": "which rows, in which order", "values": "", "decided": _named(of_rows)}
        for column in columns:
            found = rows(columns, column)
            made = [effect for effect in found if effect.get("kind") in _DIRECT]
            others = [effect for effect in found if effect not in made]
            yield {"dataset": dataset, "column": column, "values": _named(made), "decided": _named(others)}


def _named(effects: Iterable[Mapping[str, Any]]) -> str:
    """Columns, each with what became of it in brackets."""
    texts = []
    for effect in effects:
        kind = str(effect.get("kind"))
        how = (
            "masked" if effect.get("masking") and kind in _DIRECT else _DIRECT.get(kind, kind.lower().replace("_", " "))
        )
        texts.append(f"{effect.get('dataset')}.{effect.get('column')}" + (f" ({how})" if how else ""))
    return ", ".join(texts)


def draw(lineage: Lineage) -> str:
    """The picture as SVG."""
    layers: dict[int, list[str]] = defaultdict(list)
    for key, node in lineage.nodes.items():
        layers[node.layer].append(key)
    lines = [keys[i : i + _ACROSS] for _, keys in sorted(layers.items()) for i in range(0, len(keys), _ACROSS)]
    width = max(map(len, lines)) * (_WIDE + _GAP) - _GAP
    places = {
        key: ((width - len(line) * (_WIDE + _GAP) + _GAP) / 2 + number * (_WIDE + _GAP), 1 + row * (_HIGH + _BELOW))
        for row, line in enumerate(lines)
        for number, key in enumerate(line)
    }
    drawn = [_arrow(places[a], places[b]) for a, b in lineage.arrows]
    for key, (x, y) in places.items():
        node = lineage.nodes[key]
        corner = 4 if key.startswith("step ") else _HIGH / 2
        drawn.append(bar(f"node {node.kind}", x, y, _WIDE, _HIGH, corner=corner))
        drawn.append(label("t mid", x + _WIDE / 2, y + _HIGH / 2 + 4, node.name, room=_WIDE - 20))
    height = len(lines) * (_HIGH + _BELOW) - _BELOW + 2
    return image(width, height, "Lineage", "; ".join(lineage.sentences()).replace("`", "") + ".", "".join(drawn))


def _arrow(source: tuple[float, float], target: tuple[float, float]) -> str:
    (x1, y1), (x2, y2) = (source[0] + _WIDE / 2, source[1] + _HIGH), (target[0] + _WIDE / 2, target[1])
    bend = (y2 - y1) / 2
    points = [x1, y1, x1, y1 + bend, x2, y2 - bend, x2, y2 - 5]
    a, b, c, d, e, f, g, h = map(place, points)
    head = f"M{place(x2 - 4)} {place(y2 - 7)}L{place(x2 + 4)} {place(y2 - 7)}L{place(x2)} {place(y2)}Z"
    return path("flow", f"M{a} {b}C{c} {d} {e} {f} {g} {h}") + path("head", head)
