"""The class of the user's document, section 5.1, unchanged but for its import line; and the same task as a file."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

SCRIPT = """\
from pamola_tasks import BaseTask

class CustomAnalysisTask(BaseTask):
    def __init__(self):
        super().__init__(
            task_id="t_custom_analysis",
            task_type="analysis",
            description="Custom analysis task for customer data",
            input_datasets={
                "customers": "DATA/raw/customers.csv",
                "transactions": "DATA/raw/transactions.csv"
            }
        )
    
    def configure_operations(self):
        # Add data profiling operation
        self.add_operation(
            "ProfileOperation",
            dataset_name="customers",
            output_prefix="customer_profile"
        )
        
        # Add data correlation operation
        self.add_operation(
            "CorrelationOperation",
            primary_dataset="customers",
            secondary_dataset="transactions",
            join_key="customer_id",
            output_prefix="customer_correlations"
        )
        
        # Add anonymization operation
        self.add_operation(
            "AnonymizeOperation",
            input_dataset="customers",
            method="k-anonymity",
            k=5,
            quasi_identifiers=["age", "zipcode", "gender"],
            sensitive_attributes=["income", "credit_score"]
        )
    
    def initialize(self, args=None):
        # Call parent initialization first
        if not super().initialize(args):
            return False
        
        # Add custom initialization logic
        self.logger.info("Performing custom initialization")
        
        # Example: Additional validation
        if not self.data_source.has_dataset("customers"):
            self.logger.error("Required dataset 'customers' not found")
            return False
        
        return True
    
    def finalize(self, success):
        # Add custom finalization logic before parent finalization
        if success:
            self.logger.info("Task completed successfully, performing custom cleanup")
            
            # Example: Copy results to a specific location
            if hasattr(self, 'anonymized_output') and self.anonymized_output:
                import shutil
                target_dir = self.project_root / "exports"
                target_dir.mkdir(exist_ok=True)
                shutil.copy(self.anonymized_output, target_dir)
        
        # Call parent finalization
        return super().finalize(success)

# Usage
if __name__ == "__main__":
    task = CustomAnalysisTask()
    success = task.run()
    print(f"Task execution {'succeeded' if success else 'failed'}")
"""

TASK_FILE = """\
task_id: t_custom_analysis
task_type: analysis
description: Custom analysis task for customer data
input_datasets:
  customers: DATA/raw/customers.csv
  transactions: DATA/raw/transactions.csv
operations:
  - ProfileOperation: {dataset_name: customers, output_prefix: customer_profile}
  - CorrelationOperation:
      primary_dataset: customers
      secondary_dataset: transactions
      join_key: customer_id
      output_prefix: customer_correlations
  - AnonymizeOperation:
      input_dataset: customers
      method: k-anonymity
      k: 5
      quasi_identifiers: [age, zipcode, gender]
      sensitive_attributes: [income, credit_score]
"""

CONFIGURATION = {
    "task_id": "t_custom_analysis",
    "task_type": "analysis",
    "description": "Custom analysis task for customer data",
    "dependencies": ["t_data_ingest"],
    "continue_on_error": True,
    "use_encryption": False,
    "use_vectorization": True,
    "parallel_processes": 4,
    "scope": {
        "fields": ["customer_id", "age", "gender", "zipcode", "income"],
        "datasets": ["customers", "transactions"],
    },
    "custom_parameter": "custom value",
}


def make_tables(project: Path) -> None:
    draw = random.Random(5)
    raw = project / "DATA" / "raw"
    raw.mkdir(parents=True)
    customers = ["customer_id,age,zipcode,gender,income,credit_score"]
    transactions = ["transaction_id,customer_id,amount,channel"]
    for number in range(400):
        age = draw.randint(18, 90)
        customers.append(
            f"{number},{age},{draw.choice(['01234', '01245', '99812', '99813'])},{draw.choice('fm')},"
            f"{20000 + 500 * age + draw.randint(0, 9000)},{draw.randint(300, 850)}"
        )
        transactions += [
            f"{number * 3 + i},{number},{draw.uniform(1, 900):.2f},{draw.choice(['web', 'shop'])}"
            for i in range(draw.randint(0, 3))
        ]
    (raw / "customers.csv").write_text("\n".join(customers) + "\n")
    (raw / "transactions.csv").write_text("\n".join(transactions) + "\n")


@pytest.fixture
def spec_project(tmp_path: Path) -> Path:
    project = tmp_path / "spec"
    make_tables(project)
    (project / "configs").mkdir()
    (project / ".pamolaProject").touch()
    return project


def outputs(project: Path) -> dict[str, bytes]:
    folder = project / "DATA/processed/t_custom_analysis/output"
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def test_the_script_prints_success_and_leaves_the_tree_of_the_document(python, spec_project):
    (spec_project / "task.py").write_text(SCRIPT)
    done = python("task.py", cwd=spec_project)
    assert "Task execution succeeded" in done.stdout, done.stderr
    for name in (
        "configs/execution_log.json",
        "DATA/raw/customers.csv",
        "DATA/processed/t_custom_analysis/output",
        "DATA/processed/t_custom_analysis/dictionaries",
        "DATA/reports/t_custom_analysis_report.json",
        "logs/t_custom_analysis.log",
    ):
        assert (spec_project / name).exists(), name
    assert not (spec_project / "configs/t_custom_analysis.json").exists(), "a first run writes no configuration"
    assert "customers_anonymized.csv" in outputs(spec_project)
    assert "Performing custom initialization" in (spec_project / "logs/t_custom_analysis.log").read_text()
    log = json.loads((spec_project / "configs/execution_log.json").read_text())
    assert [record["success"] for record in log["executions"]] == [True]


def test_the_same_task_as_a_file_gives_the_same_outputs(python, cli, spec_project, tmp_path):
    (spec_project / "task.py").write_text(SCRIPT)
    done = python("task.py", cwd=spec_project)
    assert done.returncode == 0, done.stderr
    declared = tmp_path / "declared"
    make_tables(declared)
    (declared / "configs").mkdir()
    (declared / "configs/t_custom_analysis.yaml").write_text(TASK_FILE)
    (declared / ".pamola.toml").touch()
    cli("run", "t_custom_analysis", cwd=declared, code=0)
    mine, theirs = outputs(spec_project), outputs(declared)
    assert mine.keys() == theirs.keys()
    assert mine["customers_anonymized.csv"] == theirs["customers_anonymized.csv"]
    assert mine == theirs


def test_zip_codes_keep_their_leading_zeros_and_k_is_reached(python, spec_project):
    (spec_project / "task.py").write_text(SCRIPT)
    python("task.py", cwd=spec_project)
    lines = outputs(spec_project)["customers_anonymized.csv"].decode().splitlines()
    header = lines[0].split(",")
    assert "0123" in "".join(lines)
    import csv

    rows = list(csv.DictReader(lines))
    classes: dict[tuple[str, ...], int] = {}
    for row in rows:
        key = tuple(row[name] for name in ("age", "zipcode", "gender"))
        classes[key] = classes.get(key, 0) + 1
    assert min(classes.values()) >= 5
    assert {"income", "credit_score"} <= set(header)


def test_the_configuration_of_the_document_is_accepted(cli, python, spec_project):
    (spec_project / "task.py").write_text(SCRIPT)
    (spec_project / "configs/t_custom_analysis.json").write_text(json.dumps(CONFIGURATION, indent=2))
    checked = cli("config", "check", "t_custom_analysis", cwd=spec_project)
    assert checked.returncode == 0, checked.stdout + checked.stderr
    done = python("task.py", cwd=spec_project)
    assert "Task execution succeeded" in done.stdout, done.stderr
    report = json.loads((spec_project / "DATA/reports/t_custom_analysis_report.json").read_text())
    assert any("t_data_ingest" in warning for warning in report["warnings"]), "continue_on_error makes it a warning"
    shown = json.loads(cli("config", "show", "t_custom_analysis", "--json", cwd=spec_project, code=0).stdout)
    assert "custom value" in json.dumps(shown)


def test_without_continue_on_error_a_missing_dependency_stops_the_run(cli, spec_project):
    configuration = {**CONFIGURATION, "continue_on_error": False}
    (spec_project / "task.py").write_text(SCRIPT)
    (spec_project / "configs/t_custom_analysis.json").write_text(json.dumps(configuration))
    refused = cli("run", "task.py", cwd=spec_project)
    assert refused.returncode == 3, refused.stdout + refused.stderr
    assert "t_data_ingest" in refused.stdout + refused.stderr
    assert not list((spec_project / "DATA/processed/t_custom_analysis/output").iterdir())
