"""Every operation of the packs says its stages while it runs."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import Any

KEY = {"PAMOLA_KEY": "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="}
OPERATIONS = """\
  - ProfileOperation: {dataset_name: people}
  - AssessOperation: {input_dataset: people, ks: [2, 3]}
  - HoldOutOperation: {input_dataset: people, output_dataset: train, control_dataset: control}
  - AnonymizeOperation: {input_dataset: train, output_dataset: safe, k: 3, quasi_identifiers: [age, gender]}
  - RiskOperation: {input_dataset: safe, quasi_identifiers: [age, gender]}
  - UtilityOperation: {original_dataset: train, anonymized_dataset: safe, quasi_identifiers: [age, gender]}
  - AttackOperation:
      original_dataset: train
      anonymized_dataset: safe
      control_dataset: control
      quasi_identifiers: [age, gender]
      sensitive_attributes: [diagnosis]
      attempts: 20
  - MaskOperation: {input_dataset: people, output_dataset: masked, columns: [zipcode]}
  - PseudonymizeOperation:
      {input_dataset: people, output_dataset: tokens, columns: [person_id], method: token, vault_dataset: vault}
  - ReidentifyOperation: {input_dataset: tokens, output_dataset: back, columns: [person_id], vault_dataset: vault}
  - GeneralizeOperation: {input_dataset: people, output_dataset: general, columns: [age], method: interval, width: 10}
  - TopBottomCodeOperation: {input_dataset: people, output_dataset: coded, columns: [income], top_quantile: 0.9}
  - NoiseOperation: {input_dataset: people, output_dataset: noisy, columns: [income], scale: 10}
  - SuppressOperation:
      {input_dataset: people, output_dataset: rare, columns: [diagnosis], suppress: cells, min_count: 3}
  - DropOperation: {input_dataset: people, output_dataset: fewer, columns: [income]}
  - CorrelationOperation: {primary_dataset: masked, secondary_dataset: fewer, join_key: person_id}
"""
PRIVATE = """\
  - PrivateStatisticsOperation:
      {input_dataset: people, output_dataset: counts, statistics: {people: {kind: count}}, epsilon: 1}
"""


def test_every_operation_of_the_packs_says_its_stages(cli: Any, project: Path) -> None:
    """None of them is silent, and what is written is written in a stage of that name."""
    operations = OPERATIONS + (PRIVATE if find_spec("opendp") else "")
    head = "task_id: all\ninput_datasets: {people: DATA/raw/example.csv}\noperations:\n"
    (project / "configs/all.yaml").write_text(head + operations)
    cli("run", "all", "--seed", "1", cwd=project, env=KEY, code=0)
    stages: dict[str, list[str]] = {}
    for line in (project / "DATA/processed/all/.state/live.jsonl").read_text().splitlines():
        event = json.loads(line)
        if event["event"] == "step_finished":
            stages[event["step"]] = [name for name, _ in event["stages"]]
    assert len(stages) == operations.count("Operation:")
    assert not [step for step, said in stages.items() if not said]
    assert not [step for step, said in stages.items() if "writing" not in said]
    assert stages["AnonymizeOperation"] == [
        *("reading", "judging", "partitioning", "generalizing", "measuring", "writing", "measuring")
    ]
