"""What one would write without this project: read, describe, pseudonymize row by row, write.

    python benchmarks/plain_pandas.py TABLE.csv FOLDER

It gives no k-anonymity, no checks and no report. `bench_pipeline.py` measures it beside a run.
"""

from __future__ import annotations

import hashlib
import hmac
import sys
from pathlib import Path

import pandas as pd

KEY = bytes(range(32))


def main() -> None:
    """From one file to two."""
    table = pd.read_csv(sys.argv[1])
    folder = Path(sys.argv[2])
    table.describe(include="all").to_json(folder / "profile.json")

    def pseudonym(row: pd.Series) -> str:
        return hmac.new(KEY, str(row["email"]).encode(), hashlib.sha256).hexdigest()

    table["email"] = table.apply(pseudonym, axis=1)
    table.to_parquet(folder / "people.parquet")
    table.to_csv(folder / "people.csv", index=False)


if __name__ == "__main__":
    main()
