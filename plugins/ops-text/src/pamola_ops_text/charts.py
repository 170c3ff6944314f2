"""The chart of what was found: entities, no texts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

TAG = "charts"
FLOOR = 10  # findings that a bar rests on


def found_by_entity(findings: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Findings by entity and column; the count of fewer than ten is left out."""
    totals: Counter[str] = Counter()
    for counts in findings.values():
        totals.update(counts)
    entities = sorted(totals, key=lambda entity: (-totals[entity], entity))
    columns = list(findings)[:3]
    series = {name: findings[name] for name in columns} if len(findings) <= len(columns) else {"": totals}
    return {
        "kind": "bars",
        "title": "Findings in free text",
        "quotes_values": False,
        "note": f"How often each entity was found; fewer than {FLOOR} are left out.",
        "labels": entities or ["nothing found"],
        "series": [
            {"name": name, "values": [_shown(counts.get(entity, 0)) for entity in entities] or [None]}
            for name, counts in series.items()
        ],
    }


def _shown(count: int) -> int | None:
    return count if count >= FLOOR else None
