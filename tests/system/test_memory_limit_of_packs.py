"""Every operation of the packs on a table larger than `memory_limit_mb`: it works in pieces, or says what to do."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pandas as pd
from installed import Cli

ROWS = 4_000
WHOLE = {"ProfileOperation", "CorrelationOperation", "AssessOperation"}  # that need a table as a whole, at most
PACKS = ("pamola-ops-anonymize", "pamola-ops-profile")
STEPS = """
  - ProfileOperation: {dataset_name: a}
  - CorrelationOperation: {primary_dataset: a, secondary_dataset: released, join_key: email}
  - RiskOperation: {input_dataset: a, quasi_identifiers: [age, town], sensitive_attributes: [job]}
  - UtilityOperation: {original_dataset: a, anonymized_dataset: released, quasi_identifiers: [age, town]}
  - AttackOperation: {original_dataset: a, anonymized_dataset: released, quasi_identifiers: [age, town],
                      sensitive_attributes: [job], attempts: 50}
  - AssessOperation: {input_dataset: a, quasi_identifiers: [age, town]}
  - AnonymizeOperation: {input_dataset: a, k: 3, quasi_identifiers: [age, town], on_identifiers: warn}
  - GeneralizeOperation: {input_dataset: a, columns: [age], method: interval, width: 10, on_identifiers: warn}
  - PseudonymizeOperation: {input_dataset: a, columns: [email], method: hmac-sha256, on_identifiers: warn}
  - PseudonymizeOperation: {input_dataset: a, output_dataset: tokens, columns: [email], method: token,
                            vault_dataset: vault, on_identifiers: warn}
  - ReidentifyOperation: {input_dataset: tokens, output_dataset: back, vault_dataset: vault, columns: [email]}
  - MaskOperation: {input_dataset: a, output_dataset: masked, columns: [email], method: partial, keep_last: 4,
                    on_identifiers: warn}
  - TopBottomCodeOperation: {input_dataset: a, output_dataset: coded, columns: [age], top_quantile: 0.99,
                             on_identifiers: warn}
  - SuppressOperation: {input_dataset: a, output_dataset: cells, columns: [town], suppress: cells, min_count: 5,
                        on_identifiers: warn}
  - SuppressOperation: {input_dataset: a, output_dataset: fewer, columns: [town], suppress: records, min_count: 5,
                        on_identifiers: warn}
  - DropOperation: {input_dataset: a, output_dataset: dropped, columns: [email], on_identifiers: warn}
  - NoiseOperation: {input_dataset: a, output_dataset: noisy, columns: [age], epsilon: 1, bounds: {age: [0, 100]},
                     on_identifiers: warn}
  - PrivateStatisticsOperation: {input_dataset: a, statistics: {people: {kind: count}}, epsilon: 1}
  - HoldOutOperation: {input_dataset: a, output_dataset: kept}
"""


def test_every_operation_on_a_table_beyond_the_limit(cli: Cli, place: Path) -> None:
    draw = np.random.default_rng(1)
    table = pd.DataFrame({"email": [f"p{row}@example.org" for row in range(ROWS)]})
    for name, values in {"age": 60, "town": 9, "job": 5}.items():
        table[name] = draw.integers(0, values, ROWS)
    table["note"] = ["a long text of no use to anybody, " * 20] * ROWS
    table.to_csv(place / "DATA/raw/a.csv", index=False)
    table.assign(age=table["age"] // 10).to_csv(place / "DATA/raw/released.csv", index=False)
    (place / "configs/t.yaml").write_text(
        "task_id: t\ninput_datasets: {a: DATA/raw/a.csv, released: DATA/raw/released.csv}\ncontinue_on_error: true\n"
        f"memory_limit_mb: 1\noperations:{STEPS}"
    )
    cli("keys", "init", cwd=place, code=0)
    cli("run", "t", cwd=place, code=1)
    report = json.loads((place / "DATA/reports/t_report.json").read_text())
    refused = {step["name"]: step["error"]["message"] for step in report["operations"] if step["status"] != "success"}
    assert set(refused) <= WHOLE
    for said in refused.values():
        assert re.search(
            r"would take about \d MiB in memory .* memory_limit_mb allows 1: set memory_limit_mb higher", said
        )
    known = json.loads(cli("ops", "--json", cwd=place, code=0).stdout)
    packs = {each["operation"] for each in known if each["distribution"].startswith(PACKS)}
    assert packs == {step["name"] for step in report["operations"]}
