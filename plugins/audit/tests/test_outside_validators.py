"""A bundle by the validators of others: RO-Crate and its profiles, Frictionless, in-toto and DSSE; without the network.

They are in a Python of their own, `PAMOLA_ROCRATE_VALIDATOR_PYTHON`, which nox makes.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
from two_releases import MANIFEST, TABLE, Lab
from two_releases import lab as lab

HERE = Path(__file__).resolve().parent
PYTHON = os.environ.get("PAMOLA_ROCRATE_VALIDATOR_PYTHON", "")
#: What is recommended, and a bundle says nothing of: who ran it, who publishes it, where the program is on the web, and
#: all that Bioschemas asks of a workflow.
UNSAID = (
    "The Application SHOULD have a url",
    "The SoftwareApplication id SHOULD be an absolute URI",
    "The SoftwareSourceCode or ComputationalWorkflow SHOULD have a version",
    "The Action SHOULD have an agent",
    "representing the `author`",
    "The `publisher` property",
    "Bioschemas ComputationalWorkflow profile",
)

pytestmark = pytest.mark.skipif(not PYTHON, reason="PAMOLA_ROCRATE_VALIDATOR_PYTHON is not set: nox makes that venv")


def validated(bundles: list[Path], *keys: str) -> list[dict[str, Any]]:
    command = [PYTHON, str(HERE / "outside_validators.py"), os.pathsep.join(map(str, bundles)), *keys]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return list(json.loads(done.stdout.splitlines()[-1]))


def test_outside_validators_find_nothing_wrong_with_a_bundle(lab: Lab, tmp_path: Path) -> None:
    forged = shutil.copytree(lab.new, tmp_path / "forged")  # they would find something
    (forged / TABLE).write_text((forged / TABLE).read_text() + "1\n")
    (forged / "workflow.json").unlink()
    attestation = forged / "attestation.json"
    attestation.write_text(attestation.read_text().replace('"sig": "', '"sig": "AAAA', 1))
    stranger = "A" * 43 + "="
    told, of_forged = validated([lab.new, forged], lab.key, lab.approver, stranger)
    assert [issue for issue in told["crate"] if not any(words in issue for words in UNSAID)] == []
    assert [issue for issue in told["crate"] if issue.startswith("REQUIRED")] == []
    assert told["package"] == []
    statement = told["statement"]
    assert statement["type"] == "application/vnd.in-toto+json"
    assert statement["by"] == [lab.key, lab.approver]
    manifest = json.loads((lab.new / MANIFEST).read_text())
    digests = {entry["path"]: entry["sha256"] for entry in manifest["files"]}
    assert {name: digest for name, digest in statement["subjects"].items() if name != MANIFEST} == digests
    assert any(issue.startswith("REQUIRED") for issue in of_forged["crate"])
    assert of_forged["package"]
    assert of_forged["statement"]["by"] == [lab.approver]
