"""A privacy model of another distribution binds like those of the pack: a stranger's path, with the manual's words."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

HERE = Path(__file__).parent

TASK = """\
task_id: like
input_datasets: {people: DATA/raw/example.csv}
operations:
  - AnonymizeOperation:
      input_dataset: people
      output_dataset: safe
      k: 3
      quasi_identifiers: [age, zipcode, gender]
      sensitive_attributes: [diagnosis]
      direct_identifiers: [person_id]
      register: false
      models: MODELS
"""


@pytest.fixture(scope="module")
def acme(extra_site: Callable[[Path], Path]) -> dict[str, str]:
    return {"PYTHONPATH": str(extra_site(HERE / "closeness"))}


def asking(project: Path, models: str) -> None:
    (project / "configs" / "like.yaml").write_text(TASK.replace("MODELS", models))


def learned(project: Path) -> pd.Series:
    """For each class of the release how many bits of the diagnosis it discloses on average, counted by pandas."""
    table = pd.read_csv(project / "DATA/processed/like/output/safe.csv", dtype=str)
    share = table["diagnosis"].value_counts(normalize=True)
    parts = table.groupby(["age", "zipcode", "gender"])["diagnosis"].value_counts(normalize=True)
    values = parts.index.get_level_values("diagnosis")
    bits = parts * np.log2(parts / share.reindex(values).to_numpy())
    return bits.groupby(["age", "zipcode", "gender"]).sum()


def test_a_model_of_another_distribution_binds(cli, project, acme):
    asking(project, "{}")
    cli("run", "like", cwd=project, env=acme, code=0)
    loose = learned(project).max()
    bound = round(loose / 2, 2)
    asking(project, f"{{kl-closeness: {{bits: {bound}}}}}")
    done = json.loads(cli("run", "like", "--json", cwd=project, env=acme, code=0).stdout)
    assert learned(project).max() <= bound + 1e-9 < loose
    metrics = done["steps"][0]["metrics"]
    assert metrics["bits_claimed"] == bound
    assert metrics["bits_measured"] == pytest.approx(learned(project).max())
    assert metrics["models"]["kl-closeness"]["asked"] == f"closeness of {bound:g} bits"


WRONG = {
    "{kl-closenes: {bits: 1}}": "there is no privacy model 'kl-closenes'",
    "{kl-closeness: {gamma: 1}}": "'kl-closeness' cannot be made of its parameters",
    "{kl-closeness: {bits: 0}}": "'kl-closeness' cannot be made of its parameters",
    "{kl-closeness: {}}": "'kl-closeness' cannot be made of its parameters",
    "{t-closeness: {t: 0.5}, t-closenes: {t: 1}}": "there is no privacy model 't-closenes'",
}


@pytest.mark.parametrize("models", WRONG)
def test_a_model_that_cannot_be_made_is_refused_before_the_run(cli, project, acme, models):
    asking(project, models)
    assert (
        WRONG[models]
        in cli("run", "like", cwd=project, env=acme, code=2).stderr + cli("run", "like", cwd=project, env=acme).stdout
    )


def test_models_of_the_pack_are_asked_for_in_the_same_way(cli, project):
    asking(project, "{l-diversity: {l: 2}, t-closeness: {t: 0.6}}")
    done = json.loads(cli("run", "like", "--json", cwd=project, code=0).stdout)
    metrics = done["steps"][0]["metrics"]
    assert metrics["l_measured"] >= metrics["l_claimed"] == 2
    assert metrics["t_measured"] <= metrics["t_claimed"] == 0.6


def test_a_plugin_replaces_a_model_of_the_pack(cli, project, tmp_path):
    plugin = tmp_path / "stricter.py"
    plugin.write_text(
        "import attrs\n"
        "from pamola_tasks import Contribution, hookimpl\n"
        "from pamola_ops_anonymize.privacy_models import KAnonymity\n"
        "@attrs.frozen\n"
        "class Twice(KAnonymity):\n"
        "    def holds(self, measured):\n"
        "        return measured >= 2 * self.k\n"
        "@hookimpl\n"
        "def pamola_add_privacy_models():\n"
        "    return {'k-anonymity': Contribution(Twice, replaces='k-anonymity')}\n"
    )
    asking(project, "{}")
    done = json.loads(cli("--plugin", plugin, "run", "like", "--json", cwd=project, code=0).stdout)
    assert done["steps"][0]["metrics"]["k_measured"] >= 6
