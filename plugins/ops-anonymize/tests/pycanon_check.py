"""Run by a Python that has pycanon (it pins a pandas of its own): measures the releases named on standard input.

Reads a JSON list of `{"path", "quasi_identifiers", "sensitive"}`, writes a JSON list of `{"k", "l"}`.
"""

import json
import sys

import pandas as pd
from pycanon import anonymity

found = []
for release in json.load(sys.stdin):
    # every cell as text: left to itself, pandas reads missing cells as NaN, and grouping drops their records
    table = pd.read_csv(release["path"], dtype=str, keep_default_na=False)
    columns, sensitive = release["quasi_identifiers"], release["sensitive"]
    found.append(
        {
            "k": int(anonymity.k_anonymity(table, columns)),
            "l": int(anonymity.l_diversity(table, columns, [sensitive])) if sensitive else None,
        }
    )
json.dump(found, sys.stdout)
