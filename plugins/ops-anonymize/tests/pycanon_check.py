"""Run by a Python that has pycanon (it pins a pandas of its own): measures the releases named on standard input.

Reads a JSON list of `{"path", "quasi_identifiers", "sensitive"}`, with `"models": true` and `"ordered"` for all models;
writes a JSON list of what was found. Recursive diversity is counted here: pycanon 1.0 sorts counts upwards, where the
definition starts from the most frequent value.
"""

import json
import sys

import pandas as pd
from pycanon import anonymity


def recursive(table: pd.DataFrame, columns: list, sensitive: str, l: int) -> float:  # noqa: E741
    worst = 0.0
    for _, group in table.groupby(columns, dropna=False):
        counts = group[sensitive].value_counts().tolist()
        rare = sum(counts[l - 1 :])
        worst = max(worst, counts[0] / rare if rare else float("inf"))
    return worst


found = []
for release in json.load(sys.stdin):
    # every cell as text: left to itself, pandas reads missing cells as NaN, and grouping drops their records
    table = pd.read_csv(release["path"], dtype=str, keep_default_na=False)
    columns, sensitive = release["quasi_identifiers"], release["sensitive"]
    told = {
        "k": int(anonymity.k_anonymity(table, columns)),
        "l": int(anonymity.l_diversity(table, columns, [sensitive])) if sensitive else None,
    }
    if release.get("models"):
        told["alpha"] = float(anonymity.alpha_k_anonymity(table, columns, [sensitive])[0])
        told["beta"] = float(anonymity.basic_beta_likeness(table, columns, [sensitive]))
        told["entropy"] = int(anonymity.entropy_l_diversity(table, columns, [sensitive]))
        told["recursive"] = recursive(table, columns, sensitive, 2)
        if release["ordered"]:
            table[sensitive] = pd.to_numeric(table[sensitive])
        told["t"] = float(anonymity.t_closeness(table, columns, [sensitive]))
    found.append(told)
json.dump(found, sys.stdout)
