"""What a reader cannot tell apart is one sensitive value, told, and one pseudonym where that is asked for."""

from __future__ import annotations

import base64
import itertools
import json
import unicodedata
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from alone import done, in_a_run, outcome_of, run
from fuzzing import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pamola_ops_anonymize import AnonymizeOperation, PseudonymizeOperation, RiskOperation
from pamola_ops_anonymize.alike import all_as_read, as_read, normalized, representatives
from pamola_ops_anonymize.conditions import Promise
from pamola_ops_anonymize.measures import Grouping
from pamola_ops_profile import ProfileOperation
from pamola_tasks.errors import ParameterError

ALIKE = {
    "case": ("HIV", "hiv"),
    "case of one letter": ("Diabetes", "diabetes"),
    "sharp s": ("Straße", "STRASSE"),
    "final sigma": ("ΝΌΣΟΣ", "νόσος"),
    "composed": (unicodedata.normalize("NFC", "Ménière"), unicodedata.normalize("NFD", "Ménière")),
    "blank before": ("flu", " flu"),
    "blank behind": ("flu", "flu  "),
    "no-break space around": ("flu", "\xa0flu\u2007"),
    "no-break space inside": ("heart attack", "heart\xa0attack"),
    "tab inside": ("heart attack", "heart\tattack"),
    "zero-width space": ("cancer", "can\u200bcer"),
    "soft hyphen": ("depression", "depres\xadsion"),
    "byte order mark": ("asthma", "\ufeffasthma"),
    "direction": ("asthma", "\u200easthma\u200f"),
    "joiner": ("asthma", "asth\u2060ma"),
    "variation": ("❤", "❤\ufe0f"),
    "control": ("asthma", "asth\x07ma"),
}
APART = {
    "accent": ("Meniere", "Ménière"),
    "two blanks inside": ("heart attack", "heart  attack"),
    "letters of another script": ("cancer", "сancer"),
    "a sign": ("HIV", "HIV+"),
    "digits": ("1", "1.0"),
}


def normal(text: str) -> str:
    """The rule once more, character by character."""
    unseen = {0xAD, 0x34F, 0x61C, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)}
    unseen |= {0xFEFF, *range(0xFE00, 0xFE10)}
    kept = []
    for character in unicodedata.normalize("NFC", unicodedata.normalize("NFD", text).casefold()):
        if character.isspace():
            kept.append(" ")
        elif ord(character) not in unseen and unicodedata.category(character) != "Cc":
            kept.append(character)
    return unicodedata.normalize("NFC", "".join(kept)).strip(" ")


def people(pair: tuple[str, str]) -> pd.DataFrame:
    return pd.DataFrame({"age": [30] * 4 + [40] * 4, "illness": [*pair] * 4})


@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("dtype", ["str", "category", "ordered"])
def test_spellings_of_one_value_are_one_value_and_told(name: str, dtype: str, tmp_path: Path) -> None:
    table, pair = people(ALIKE[name]), ALIKE[name]
    kind: Any = pd.CategoricalDtype(sorted(pair), ordered=dtype == "ordered") if dtype != "str" else "str"
    table["illness"] = table["illness"].astype(kind)
    given: Any = {"input_dataset": "people", "quasi_identifiers": ["age"], "sensitive_attributes": ["illness"]}
    refused = run(AnonymizeOperation(**given, k=2, l=2), table, tmp_path / "a")
    assert "2-diversity cannot be reached for illness" in str(refused.error_message)
    exact = done(AnonymizeOperation(**given, k=2, l=2, distinguish="exact"), table, tmp_path / "b")
    assert (exact["l_measured"], exact["values_read_alike"]) == (2, {"illness": 2})
    asked_nothing = done(AnonymizeOperation(**given, k=2), table, tmp_path / "c")
    assert asked_nothing["l_diversity"]["illness"]["l"] == 1
    assert asked_nothing["sensitive"]["illness"]["l_entropy"] == 1
    for distinguish, found in (("reader", 1), ("exact", 2)):
        told = done(RiskOperation(**given, distinguish=distinguish), table, tmp_path / distinguish)
        assert told["sensitive_attributes"]["illness"]["distinct_l"] == found
        assert told["sensitive_attributes"]["illness"]["values_read_alike"] == 2
        (path,) = (tmp_path / distinguish).rglob("people_risk.json")
        assert json.loads(path.read_bytes())["sensitive_attributes"]["illness"]["values_read_alike"] == 2


@pytest.mark.parametrize("name", APART)
def test_what_a_reader_sees_is_a_difference(name: str, tmp_path: Path) -> None:
    given: Any = {"input_dataset": "people", "quasi_identifiers": ["age"], "sensitive_attributes": ["illness"]}
    told = done(AnonymizeOperation(**given, k=2, l=2), people(APART[name]), tmp_path)
    assert (told["l_measured"], told["values_read_alike"]) == (2, {"illness": 0})


@pytest.mark.parametrize(("distinguish", "words"), [("reader", "as one value"), ("exact", "as different values")])
def test_the_number_is_in_the_warnings_of_the_run(distinguish: Any, words: str, tmp_path: Path) -> None:
    given: Any = {"input_dataset": "people", "quasi_identifiers": ["age"], "sensitive_attributes": ["illness"]}
    table = people(("HIV", "hiv")).assign(illness=["HIV", "hiv ", "flu", "HIV", "Hiv", "flu", "cold", "ache"])
    for operation in (
        AnonymizeOperation(**given, k=2, distinguish=distinguish),
        RiskOperation(**given, distinguish=distinguish),
    ):
        outcome = in_a_run(operation, table, tmp_path)
        (told,) = [warning for warning in outcome.record.warnings if "differ from another only in" in warning]
        assert "3 values of illness differ from another only in case, blanks, Unicode form or invisible" in told
        assert words in told
        assert f"`distinguish: {distinguish}`" in told


def test_blank_values_are_missing_ones(tmp_path: Path) -> None:
    """Where a value is missing, a cell of blanks or invisible characters says no more."""
    given: Any = {"input_dataset": "people", "quasi_identifiers": ["age"], "sensitive_attributes": ["illness"]}
    table = pd.DataFrame({"age": [30] * 4, "illness": ["", None, " ", "\u200b"]})
    assert done(RiskOperation(**given), table, tmp_path)["sensitive_attributes"]["illness"]["distinct_l"] == 1
    there = table.assign(illness=["", "  ", " ", "\u200b"])
    assert done(RiskOperation(**given), there, tmp_path / "b")["sensitive_attributes"]["illness"]["distinct_l"] == 1


SPELLINGS = ["HIV", "hiv", " HIV", "hiv\u200b", "flu", "FLU", "Ménière", "Me\u0301nie\u0300re", "cold", "", " "]


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | st.sampled_from(SPELLINGS)), min_size=1, max_size=40))
def test_diversity_is_that_of_the_normalized_values_and_distances_are_no_smaller(
    rows: list[tuple[str, str | None]],
) -> None:
    """Counted once more by pandas; values that are put together are never further from the table."""
    table = pd.DataFrame(rows, columns=["g", "s"])
    table["n"] = table["s"].map(normal, na_action="ignore")
    if table["s"].isna().any():  # most readers of CSV take the one for the other
        table["n"] = table["n"].fillna("")
    found = Grouping.of(table, ["g"]).measured(table["s"], Promise())
    other = Grouping.of(table, ["g"]).measured(table["n"], Promise())
    assert found is not None
    assert other is not None
    classes = [part["n"].value_counts().to_numpy() for _, part in table.groupby("g")]
    assert found.distinct == min(len(counts) for counts in classes)
    parts = [counts / counts.sum() for counts in classes]
    assert found.entropy == pytest.approx(min(np.exp(-(p * np.log(p)).sum()) for p in parts))
    ratios = [counts[0] / counts[1:].sum() if len(counts) > 1 else np.inf for counts in map(descending, classes)]
    assert found.recursive == pytest.approx(max(ratios))
    assert found.t >= other.t - 1e-12
    assert found.delta >= other.delta - 1e-12
    exact = Grouping.of(table, ["g"]).measured(table["s"], Promise(distinguish="exact"))
    assert exact is not None
    assert exact.distinct == min(part["s"].fillna("").nunique() for _, part in table.groupby("g")) or (
        not table["s"].isna().any() and exact.distinct == min(p["s"].nunique() for _, p in table.groupby("g"))
    )


def descending(counts: Any) -> Any:
    return np.sort(counts)[::-1]


@pytest.mark.parametrize("strategy", ["mondrian", "hierarchy", "microaggregation", "suppression"])
@pytest.mark.parametrize("l_diversity", ["distinct", "entropy"])
def test_a_release_keeps_its_l_for_who_reads_it(strategy: Any, l_diversity: Any, tmp_path: Path) -> None:
    """The file as it was written, counted by pandas; cells are published as they were spelled."""
    rng = np.random.default_rng(7)
    table = pd.DataFrame({"age": rng.integers(20, 60, 200), "illness": rng.choice(SPELLINGS[:9], 200)})
    operation = AnonymizeOperation(
        input_dataset="people",
        quasi_identifiers=["age"],
        sensitive_attributes=["illness"],
        k=4,
        l=2,
        l_diversity=l_diversity,
        strategy=strategy,
    )
    done(operation, table, tmp_path)
    (path,) = (tmp_path / "output").rglob("people_anonymized.csv")
    written = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert sorted(written["illness"]) == sorted(table["illness"])
    for _, part in written.groupby("age"):
        counts = part["illness"].map(normal).value_counts()
        share = counts / counts.sum()
        assert (len(counts) if l_diversity == "distinct" else np.exp(-(share * np.log(share)).sum())) >= 2 - 1e-9


def test_classes_are_as_spelled_and_never_larger_than_a_reader_sees_them(tmp_path: Path) -> None:
    table = pd.DataFrame({"city": ["Berlin", "berlin", "Berlin", "berlin ", "Rom", "Rom"]})
    told = done(RiskOperation(input_dataset="people", quasi_identifiers=["city"]), table, tmp_path)
    seen = table["city"].map(normal).value_counts().min()
    assert told["k"] == 1 <= seen


# ---------------------------------------------------------------- the rule itself


@settings(max_examples=examples(300), deadline=None)
@given(st.lists(st.text(st.characters(codec="utf-8"), max_size=6), unique=True, max_size=20))
def test_the_three_ways_to_ask_agree(texts: list[str]) -> None:
    shown = [as_read(text) for text in texts]
    assert all_as_read(texts).to_pylist() == shown
    assert all_as_read(pa.array(texts, pa.large_string())).to_pylist() == shown
    assert [normalized(text, ["trim", "nfc", "casefold"]) for text in texts] == shown
    places = representatives(texts).tolist()
    assert [shown.index(each) for each in shown] == places
    assert [as_read(each) for each in shown] == shown, "what is read is read as itself"


@pytest.mark.parametrize(("a", "b"), [*itertools.chain(ALIKE.values(), [("e\u0301", "É"), ("İ", "i̇")])])
def test_pairs_are_read_alike(a: str, b: str) -> None:
    assert as_read(a) == as_read(b)


@pytest.mark.parametrize("value", ["lax", "", "Reader", None, ["reader"]])
def test_another_word_is_refused(value: Any) -> None:
    with pytest.raises(ParameterError, match="`distinguish` has to be one of reader, exact"):
        AnonymizeOperation(input_dataset="a", k=2, quasi_identifiers=["x"], distinguish=value)
    with pytest.raises(ParameterError, match="`normalize` has to be a list of nfc, casefold, trim"):
        PseudonymizeOperation(input_dataset="a", columns=["x"], normalize=value or "nfc")


# ---------------------------------------------------------------- pseudonyms


@pytest.fixture
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAMOLA_KEY", base64.b64encode(bytes(range(32))).decode())


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize("name", ALIKE)
@pytest.mark.parametrize("size", [1, 1000])
def test_spellings_get_one_pseudonym_where_that_is_asked_for(name: str, size: int, tmp_path: Path) -> None:
    a, b = ALIKE[name]
    table = pd.DataFrame({"who": [a, b, None, "else", a], "n": range(5)})
    plain = in_a_run(PseudonymizeOperation(input_dataset="people", columns=["who"]), table, tmp_path, chunk_size=size)
    (metrics,) = plain.record.metrics.values()
    assert (metrics["normalize"], metrics["values_read_alike"]) == ([], {"who": 2})
    assert any("2 values of who differ from another only in case" in warning for warning in plain.record.warnings)
    found = pd.read_csv(next(tmp_path.rglob("people_pseudonymized.csv")))["who"]
    assert found.nunique() == 3
    steps: Any = ["nfc", "casefold", "trim"]
    operation = PseudonymizeOperation(input_dataset="people", columns=["who"], normalize=steps)
    outcome = in_a_run(operation, table, tmp_path, chunk_size=size)
    (metrics,) = outcome.record.metrics.values()
    assert (metrics["normalize"], metrics["values_read_alike"]) == (steps, {"who": 2})
    assert not any("values of who differ" in warning for warning in outcome.record.warnings)
    found = pd.read_csv(next(tmp_path.rglob("people_pseudonymized.csv")))["who"]
    assert found.nunique() == 2
    assert found[0] == found[1] == found[4]


@pytest.mark.usefixtures("key")
def test_a_token_stands_for_the_normalized_value(tmp_path: Path) -> None:
    table = pd.DataFrame({"who": ["Ann", " ann", "ANN\u200b", "Bob"]})
    (tmp_path / "people.csv").write_text("who\nAnn\n ann\nANN\u200b\nBob\n")
    (tmp_path / "configs").mkdir()
    (tmp_path / ".pamola.toml").touch()
    from pamola_tasks import Kernel
    from pamola_tasks_compat import TaskRunner

    made = {"input_dataset": "people", "output_dataset": "t", "columns": ["who"], "method": "token"}
    steps = [
        {
            "operation": "PseudonymizeOperation",
            "parameters": {**made, "vault_dataset": "v", "normalize": ["casefold", "trim"]},
        },
        {
            "operation": "ReidentifyOperation",
            "parameters": {"input_dataset": "t", "vault_dataset": "v", "columns": ["who"]},
        },
    ]
    task = TaskRunner("t_1", input_datasets={"people": "people.csv"}, operation_configs=steps)
    outcome = Kernel.discover(project=tmp_path).run(task, datasets={"people": table})
    assert outcome.success, outcome.error
    back = pd.read_csv(next(tmp_path.rglob("t_reidentified.csv")))["who"].tolist()
    assert back == ["ann", "ann", "ann", "bob"]


@pytest.mark.usefixtures("key")
@pytest.mark.parametrize(
    ("steps", "pseudonyms"), [(["nfc"], 5), (["casefold"], 4), (["trim"], 4), (["casefold", "trim"], 3)]
)
def test_each_step_does_what_it_says(steps: Any, pseudonyms: int, tmp_path: Path) -> None:
    table = pd.DataFrame({"who": ["a", "A", " a", "é", "e\u0301", "x"]})
    operation = PseudonymizeOperation(input_dataset="people", columns=["who"], normalize=steps)
    outcome = outcome_of(operation, table, tmp_path)
    assert outcome.success
    assert pd.read_csv(next(tmp_path.rglob("people_pseudonymized.csv")))["who"].nunique() == pseudonyms + (
        "nfc" not in steps
    )


# ---------------------------------------------------------------- profiles


def test_a_profile_counts_them(tmp_path: Path) -> None:
    table = pd.DataFrame({"illness": ["HIV", "hiv", "flu", "Flu ", "cold", None], "n": [1, 2, 3, 4, 5, 6]})
    outcome = in_a_run(ProfileOperation(dataset_name="people"), table, tmp_path)
    (metrics,) = outcome.record.metrics.values()
    assert metrics["values_read_alike"] == {"illness": 4}
    assert any("people has values that differ from another only in case" in text for text in outcome.record.warnings)
    (path,) = tmp_path.rglob("people_profile.json")
    illness, number = json.loads(path.read_bytes())["columns"]
    assert (illness["distinct"], illness["read_alike"], number["read_alike"]) == (5, 4, None)
