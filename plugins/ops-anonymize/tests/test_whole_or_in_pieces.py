"""Operations that work piece by piece write the same bytes where they take a table whole (`use_vectorization`)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from installed import Cli
from installed import cli as cli
from installed import home as home
from installed import place as place

ROWS = 3_000
STEPS = """
  - GeneralizeOperation: {input_dataset: a, output_dataset: grouped, columns: [age], method: interval, width: 10}
  - PseudonymizeOperation: {input_dataset: a, output_dataset: keyed, columns: [code], method: hmac-sha256}
  - MaskOperation: {input_dataset: a, output_dataset: masked, columns: [code], method: partial, keep_last: 2}
  - TopBottomCodeOperation: {input_dataset: a, output_dataset: coded, columns: [age], top_quantile: 0.9}
  - SuppressOperation: {input_dataset: a, output_dataset: cells, columns: [town], suppress: cells, min_count: 330}
  - SuppressOperation: {input_dataset: a, output_dataset: fewer, columns: [town], suppress: records, min_count: 330}
  - DropOperation: {input_dataset: a, output_dataset: dropped, columns: [code]}
  - NoiseOperation: {input_dataset: a, output_dataset: noisy, columns: [age], epsilon: 1, bounds: {age: [0, 100]},
                     reproducible: true}
  - HoldOutOperation: {input_dataset: a, output_dataset: kept}
"""


@pytest.mark.parametrize("format", ["csv", "parquet"])
def test_the_same_bytes_whole_and_in_pieces(cli: Cli, place: Path, format: str) -> None:
    draw = np.random.default_rng(1)
    table = pd.DataFrame({"code": [f"c{row % 700}" for row in range(ROWS)]})
    for name, values in {"age": 60, "town": 9}.items():
        table[name] = draw.integers(0, values, ROWS)
    table.to_csv(place / "DATA/raw/a.csv", index=False)
    steps = STEPS.replace("}\n", ", on_identifiers: warn}\n").replace("kept, on_identifiers: warn", "kept")
    (place / "configs/t.yaml").write_text(
        f"task_id: t\ninput_datasets: {{a: DATA/raw/a.csv}}\nseed: 7\noutput_format: {format}\noperations:{steps}"
    )
    cli("keys", "init", cwd=place, code=0)
    found = []
    for more in (["use_vectorization=true"], ["chunk_size=700"]):
        cli("run", "t", "--restart", *(f"--set={each}" for each in more), cwd=place, code=0)
        output = place / "DATA/processed/t/output"
        found.append({path.name: path.read_bytes() for path in output.glob(f"*.{format}")})
    assert len(found[0]) == 8
    whole, pieces = found
    assert {name for name in whole if whole[name] != pieces[name]} == set()
