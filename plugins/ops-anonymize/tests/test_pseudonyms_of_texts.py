"""A pseudonym is that of the text in the file, whatever else its column holds: through the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from command_line import pamola

COLUMNS: dict[str, list[str]] = {
    "gaps": ["1", "", "7"],
    "point": ["1.0", "2.0", "7.0"],
    "money": ["1.50", "2.5", "7"],
    "zeros": ["007", "12", "0"],
    "signs": ["+1", "-2", "3"],
    "minus_zero": ["-0", "0", "1"],
    "exponents": ["1e5", "2E-3", "10"],
    "long": ["12345678901234567", "2", "3"],
    "longer": ["123456789012345678901234567890", "2", "3"],
    "decimals": ["0.1234567890123456789", "1", "2"],
    "booleans": ["True", "False", "True"],
    "lower": ["true", "false", "true"],
    "dates": ["2020-01-02", "2021-03-04", "1999-12-31"],
    "times": ["2020-01-02T00:00:00", "2020-01-02T10:00:00", "2020-01-03T00:00:00"],
    "german": ["02.01.2020", "04.03.2021", "31.12.1999"],
    "comma": ["1,5", "2,25", "3,0"],
    "thousands": ["1.234", "5.678", "9.012"],
    "blanks": [" a", "b ", " c d "],
    "infinite": ["inf", "-inf", "nan"],
    "words": ["NA", "null", "None"],
    "hexadecimal": ["0x1F", "0x2a", "0xff"],
    "codes": ["250.0", "250.00", "250"],
    "names": ["José", "Jose\u0301", "JOSÉ"],
    "quotes": ['say "x"', "a|b", "c;d"],
    "percent": ["5%", "10%", "15 %"],
    "phone": ["+49 30 123", "0049 30 123", "030/123"],
    "underscores": ["1_000", "2_000", "3"],
    "fullwidth": ["１２", "３", "４"],
    "tiny": ["1e-400", "0", "1"],
    "percentages": ["0.10", "0.1", ".1"],
}
STRAY = ["A", "12345678901234567.0", "2.50", "x y"]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("project")
    for folder in ("configs", "DATA/raw"):
        (place / folder).mkdir(parents=True)
    (place / ".pamola.toml").touch()
    assert pamola(place, "keys", "init", "--file", "k.key").returncode == 0
    stated = {"encryption_key_path": "k.key", "use_encryption": False}
    (place / "configs/prj_config.json").write_text(json.dumps(stated))
    return place


def pseudonyms(project: Path, frame: pd.DataFrame, name: str, format: str, **more: Any) -> pd.DataFrame:
    file = project / f"DATA/raw/{name}.{format}"
    if format in ("csv", "csv.gz"):
        frame.to_csv(file, index=False)
    elif format == "parquet":
        frame.to_parquet(file)
    elif format == "jsonl":
        frame.to_json(file, orient="records", lines=True)
    else:
        frame.to_excel(file, index=False)
    step = {
        "input_dataset": "t",
        "output_dataset": name,
        "columns": list(frame.columns),
        "on_identifiers": "warn",
        "purpose": "study",
    }
    steps = [*more.pop("before", []), {"PseudonymizeOperation": step | more.pop("step", {})}]
    task = {"task_id": name, "task_type": "x", "input_datasets": {"t": f"DATA/raw/{file.name}"}, "operations": steps}
    (project / f"configs/{name}.json").write_text(json.dumps(task | more))
    done = pamola(project, "run", name)
    assert done.returncode == 0, done.stderr + done.stdout
    (path,) = (project / f"DATA/processed/{name}").rglob(f"{name}.csv")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def test_thirty_columns_in_five_files_with_any_stray_cell(project: Path) -> None:
    frame = pd.DataFrame(COLUMNS)
    alone = pseudonyms(project, frame, "plain", "csv")
    for format in ("csv.gz", "parquet", "jsonl", "xlsx"):
        found = pseudonyms(project, frame.replace("", None), f"in_{format.replace('.', '_')}", format)
        pd.testing.assert_frame_equal(found, alone)
    for number, cell in enumerate(STRAY):
        more = pd.concat([frame, pd.DataFrame({name: [cell] for name in frame})], ignore_index=True)
        found = pseudonyms(project, more, f"stray_{number}", "csv")
        pd.testing.assert_frame_equal(found.head(3), alone)
    for number, how in enumerate(({"chunk_size": 1}, {"executor": {"kind": "processes"}})):
        pd.testing.assert_frame_equal(pseudonyms(project, frame, f"how_{number}", "csv", **how), alone)
    first = {"DropOperation": {"input_dataset": "t", "output_dataset": "u", "columns": ["spare"]}}
    with_spare = frame.assign(spare="x")
    step = {"input_dataset": "u", "columns": list(frame.columns)}
    found = pseudonyms(project, with_spare, "behind", "csv", before=[first], step=step)
    pd.testing.assert_frame_equal(found, alone)


def test_few_different_values_are_told_and_many_are_not(project: Path) -> None:
    frame = pd.DataFrame({"sex": ["f", "m"] * 50, "number": [str(i) for i in range(100)]})
    pseudonyms(project, frame, "few", "csv")
    report = json.loads((project / "DATA/reports/few_report.json").read_text())
    (said,) = [text for text in report["warnings"] if "few different values" in text]
    assert "sex has few" in said
    assert "number" not in said


def test_a_vault_says_little_of_the_length_of_values(project: Path) -> None:
    values = ["a", "ab" * 7, "é" * 14, "", "x" * 200]
    frame = pd.DataFrame({"name": values, "spare": list("12345")})
    step = {"columns": ["name"], "method": "token", "vault_dataset": "vault"}
    pseudonyms(project, frame, "tokens", "csv", step=step)
    (path,) = (project / "DATA/processed/tokens").rglob("vault.csv")
    assert sorted(pd.read_csv(path)["sealed"].str.len()) == [68, 68, 68, 364]


def test_a_column_that_is_computed_with_is_told(project: Path) -> None:
    frame = pd.DataFrame({"wage": ["1.0", "2.0", "3.0"]})
    noise = {"NoiseOperation": {"input_dataset": "t", "output_dataset": "n", "columns": ["wage"], "scale": 1}}
    pseudonyms(project, frame, "computed", "csv", before=[noise])
    report = json.loads((project / "DATA/reports/computed_report.json").read_text())
    assert any("as the type that its column is taken for" in text for text in report["warnings"])
