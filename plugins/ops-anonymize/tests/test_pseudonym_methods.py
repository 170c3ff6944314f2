"""FF1 against the samples of NIST, surrogates, purposes of releases, and what pseudonyms join: real files and runs."""

from __future__ import annotations

import base64
import json
import string
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from alone import done, in_a_run, outcome_of, run

from pamola_ops_anonymize import PseudonymizeOperation, ReidentifyOperation
from pamola_ops_anonymize.ff1 import FF1, least_length
from pamola_tasks.errors import ParameterError

SHORT = "2B7E151628AED2A6ABF7158809CF4F3C"
MIDDLE = SHORT + "EF4359D8D580AA4F"
LONG = MIDDLE + "7F036D6F04FC6A94"
TEN, ELEVEN = "39383736353433323130", "3737373770717273373737"
DIGITS, LETTERS = "0123456789", "0123456789abcdefghi"
#: NIST: Block Cipher Modes of Operation, FF1 Method for Format-Preserving Encryption, samples 1 to 9
SAMPLES = [
    (SHORT, 10, "", DIGITS, "2433477484"),
    (SHORT, 10, TEN, DIGITS, "6124200773"),
    (SHORT, 36, ELEVEN, LETTERS, "a9tv40mll9kdu509eum"),
    (MIDDLE, 10, "", DIGITS, "2830668132"),
    (MIDDLE, 10, TEN, DIGITS, "2496655549"),
    (MIDDLE, 36, ELEVEN, LETTERS, "xbj3kv35jrawxv32ysr"),
    (LONG, 10, "", DIGITS, "6657667009"),
    (LONG, 10, TEN, DIGITS, "1001623463"),
    (LONG, 36, ELEVEN, LETTERS, "xs8a0azh2avyalyzuwd"),
]
PHONES = pd.DataFrame({"phone": ["+49 30 123-4567", "030/000000", None, "+49 30 123-4567", "0049301234567"]})


@pytest.fixture(autouse=True)
def key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAMOLA_KEY", base64.b64encode(bytes(range(32))).decode())


def written(folder: Path, name: str = "people_pseudonymized", where: str = "output") -> pd.DataFrame:
    (path,) = (folder / where).rglob(f"{name}.csv")
    return pd.read_csv(path, dtype=str, keep_default_na=False, skip_blank_lines=False)


def released(frame: pd.DataFrame, folder: Path, **how: Any) -> tuple[pd.DataFrame, dict[str, Any], list[str]]:
    """The table with pseudonyms, the metrics and the warnings of one operation in one folder."""
    more = how.pop("more", {})
    operation = PseudonymizeOperation(input_dataset="people", columns=how.pop("columns", list(frame.columns)), **how)
    result = run(operation, frame, folder, **more)
    assert not result.failed, result.error_message
    return written(folder), result.metrics, list(result.warnings)


@pytest.mark.parametrize(("key_", "radix", "tweak", "plain", "cipher"), SAMPLES)
def test_ff1_gives_the_samples_of_nist(key_: str, radix: int, tweak: str, plain: str, cipher: str) -> None:
    alphabet = string.digits + string.ascii_lowercase
    ff1 = FF1(bytes.fromhex(key_), radix, bytes.fromhex(tweak))
    numerals = [alphabet.index(each) for each in plain]
    assert "".join(alphabet[each] for each in ff1.encrypt(numerals)) == cipher
    assert ff1.decrypt([alphabet.index(each) for each in cipher]) == numerals


@pytest.mark.parametrize("radix", [2, 10, 26, 62, 1000, 65_536])
def test_ff1_is_a_permutation_that_refuses_small_domains(radix: int) -> None:
    least = least_length(radix)
    assert radix**least >= 1_000_000
    assert least == 2 or radix ** (least - 1) < 1_000_000
    ff1 = FF1(bytes(32), radix, b"t")
    for length in (least, least + 1, 2 * least + 1, 60):
        texts = {tuple((start + at * at) % radix for at in range(length)) for start in range(min(radix, 40))}
        made = [ff1.encrypt(text) for text in texts]
        assert len(set(map(tuple, made))) == len(texts)
        assert {tuple(ff1.decrypt(each)) for each in made} == texts
    with pytest.raises(ValueError, match="too few"):
        ff1.encrypt([0] * (least - 1))
    with pytest.raises(ValueError, match="not from 0"):
        ff1.encrypt([radix] * least)


@pytest.mark.parametrize(
    ("alphabet", "values"),
    [
        ({}, ["+49 30 123-4567", "000000", "030/000001", None]),
        ({"alphabet": "lower"}, ["smith-jones", "o'neill", None]),
        ({"alphabet": "upper"}, ["ABCDE", "ZZ-ZZZ"]),
        ({"alphabet": "alphanumeric"}, ["aB3x", "00Zz-9"]),
        ({"alphabet": "custom", "characters": "ACGT"}, ["ACGTACGTAC", "AAAAAAAAAA"]),
        ({"alphabet": "custom", "characters": "αβγδεζηθικλ"}, ["αβγδεζ", "λλλ.λλλ"]),
    ],
    ids=["digits", "lower", "upper", "alphanumeric", "custom", "greek"],
)
def test_values_keep_their_form_and_come_back(alphabet: dict[str, Any], values: list[Any], tmp_path: Path) -> None:
    """Through files: the released table is read again, with zeros in front, and restored by who has the key."""
    frame = pd.DataFrame({"people": values, "row": range(len(values))})
    how: Any = {"columns": ["people"], "method": "ff1", "purpose": "study", **alphabet}
    in_a_run(PseudonymizeOperation(input_dataset="people", **how), frame, tmp_path, chunk_size=2)
    made = written(tmp_path, where="DATA/processed/t_1/output")
    texts = [value or "" for value in values]
    assert [len(text) for text in made["people"]] == list(map(len, texts))
    for before, after in zip(texts, made["people"], strict=True):
        assert not before or before != after
        assert all(a == b or (a.isalnum() and b.isalnum()) for a, b in zip(before, after, strict=True))
    file = next(tmp_path.rglob("people_pseudonymized.csv"))
    step = {"ReidentifyOperation": {"input_dataset": "made", "output_dataset": "back", **how}}
    task = {"task_id": "back", "input_datasets": {"made": str(file)}, "operations": [step]}
    (tmp_path / "configs").mkdir(exist_ok=True)
    (tmp_path / "configs/back.json").write_text(json.dumps(task))
    from pamola_tasks import Kernel

    outcome = Kernel.discover(project=tmp_path).run("back")
    assert outcome.success, outcome.error
    assert written(tmp_path, "back", "DATA/processed/back/internal")["people"].tolist() == texts


def test_a_small_domain_is_refused_by_number_and_column(tmp_path: Path) -> None:
    frame = pd.DataFrame({"pin": ["1234", "4321", "999999", ""]})
    operation = PseudonymizeOperation(input_dataset="people", columns=["pin"], method="ff1")
    said = run(operation, frame, tmp_path).error_message
    assert "column pin: 3 distinct values have fewer than 6 characters of the alphabet" in said
    assert "1234" not in said


def test_letters_that_ff1_keeps_are_told(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["AB-123456", "CD-123457", "CD-123457", "123-4567"]})
    made, metrics, told = released(frame, tmp_path, method="ff1")
    assert [text[:3] for text in made["id"]][:2] == ["AB-", "CD-"]
    assert metrics["cells_with_characters_kept"] == {"id": 3}
    assert any("3 values of id keep letters or digits that are not in the alphabet digits" in text for text in told)


def test_pseudonyms_of_two_releases_are_apart_unless_they_share_a_purpose(tmp_path: Path) -> None:
    """Of two tasks, and of two tables of one; the purpose that was taken is told, and can be stated elsewhere."""
    frame = pd.DataFrame({"id": ["a", "b"]})
    first, metrics, _ = released(frame, tmp_path / "one")
    assert metrics["purpose"] == "one/people_pseudonymized"
    assert not set(first["id"]) & set(released(frame, tmp_path / "two")[0]["id"])
    assert released(frame, tmp_path / "one")[0]["id"].tolist() == first["id"].tolist()
    third = released(frame, tmp_path / "three", purpose="one/people_pseudonymized")[0]
    assert third["id"].tolist() == first["id"].tolist()
    other = done(PseudonymizeOperation(input_dataset="people", columns=["id"], output_dataset="b"), frame, tmp_path)
    assert other["purpose"].endswith("/b")


def test_a_project_of_an_earlier_version_is_told_how_to_keep_its_pseudonyms(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["a", "b"]})
    how: Any = {"input_dataset": "people", "columns": ["id"]}
    in_a_run(PseudonymizeOperation(**how, purpose="pseudonyms"), frame, tmp_path)
    told = [in_a_run(PseudonymizeOperation(**how), frame, tmp_path).record.warnings for _ in range(2)]
    said = "State `purpose: pseudonyms` to keep them"
    assert [any(said in text for text in warnings) for warnings in told] == [True, False]


def test_a_vault_names_its_purpose_so_that_none_has_to_be_stated(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": ["a", "b", "a"]})
    made, _, _ = released(frame, tmp_path / "t", method="token", vault_dataset="vault")
    vault = written(tmp_path / "t", "vault", "internal")
    assert list(vault.columns) == ["token", "sealed", "purpose"]
    back = ReidentifyOperation(input_dataset="people", vault_dataset="vault", columns=["id"])
    assert not run(back, made, tmp_path / "u", vault=vault).failed
    assert written(tmp_path / "u", "people_reidentified", "internal")["id"].tolist() == ["a", "b", "a"]
    old, _, _ = released(frame, tmp_path / "v", method="token", vault_dataset="vault", purpose="pseudonyms")
    without = written(tmp_path / "v", "vault", "internal").drop(columns="purpose")
    assert not run(back, old, tmp_path / "w", vault=without).failed, "as vaults of earlier versions are"


@pytest.mark.parametrize("method", ["hmac-sha256", "ff1"])
def test_what_joins_an_earlier_table_is_told_in_both_directions(method: Any, tmp_path: Path) -> None:
    how = {"method": method, "purpose": "study"}
    last = pd.DataFrame({"id": ["100001", "100002", "100003", "100004", "100004"]})
    earlier, _, _ = released(last, tmp_path / "a", **how)
    earlier = earlier.rename(columns={"id": "patient"})
    this = pd.DataFrame({"id": ["100004", "100005", "100003", None, "100003"]})
    more = {"more": {"last": earlier}, "earlier_dataset": "last", "earlier_columns": {"id": "patient"}}
    _, metrics, told = released(this, tmp_path / "b", **how, **more)
    assert metrics["earlier"] == {
        "dataset": "last",
        "columns": {
            "id": {
                "distinct": 3,
                "distinct_earlier": 4,
                "known": 2,
                "share_known": round(2 / 3, 6),
                "share_of_earlier": 0.5,
            }
        },
    }
    assert not any("none of the" in text for text in told)
    _, _, told = released(this, tmp_path / "c", **{**how, "purpose": "another"}, **more)
    assert any("none of the 3 pseudonyms of id is in last" in text for text in told)


def test_an_earlier_table_is_an_input_of_the_step_and_read_as_text(tmp_path: Path) -> None:
    """Its change makes the step run again; pseudonyms that are all digits join, though one begins with 0."""
    (tmp_path / "configs").mkdir()
    (tmp_path / ".pamola.toml").touch()
    values = [f"{number:06}" for number in range(100_000, 100_040)]
    pd.DataFrame({"id": values}).to_csv(tmp_path / "now.csv", index=False)
    step = {"input_dataset": "now", "columns": ["id"], "method": "ff1", "purpose": "p"}
    task: dict[str, Any] = {"task_id": "t", "input_datasets": {"now": "now.csv"}}
    from pamola_tasks import Kernel

    def metrics(**more: Any) -> Any:
        operations = [{"PseudonymizeOperation": step | more}]
        (tmp_path / "configs/t.json").write_text(json.dumps(task | {"operations": operations}))
        outcome = Kernel.discover(project=tmp_path).run("t")
        assert outcome.success, outcome.error
        return outcome.record.steps[0]

    metrics()
    made = written(tmp_path, "now_pseudonymized", "DATA/processed/t/output")
    assert any(text[0] == "0" for text in made["id"])
    assert any(text[0] != "0" for text in made["id"])
    kept = made[made["id"].str[0] != "0"]
    kept.to_csv(tmp_path / "last.csv", index=False)
    task["input_datasets"]["last"] = "last.csv"
    found = metrics(earlier_dataset="last").metrics["earlier"]["columns"]["id"]
    assert (found["known"], found["distinct_earlier"]) == (len(kept), len(kept))
    assert metrics(earlier_dataset="last").status == "skipped"
    made.to_csv(tmp_path / "last.csv", index=False)
    again = metrics(earlier_dataset="last")
    assert again.status == "success"
    assert again.metrics["earlier"]["columns"]["id"]["share_known"] == 1


def test_surrogates_from_a_list_are_consistent_and_collisions_are_told(tmp_path: Path) -> None:
    """Whatever else the column holds; two of five values share one of three entries at least."""
    how: Any = {"columns": ["id"], "method": "surrogate", "surrogate": "list", "surrogates_dataset": "towns"}
    towns = {"more": {"towns": pd.DataFrame({"town": ["Bern", "Oslo", "Rome", "Rome", None]})}, "purpose": "p"}
    frame = pd.DataFrame({"id": ["a", "b", "c", "d", "Bern", None, "a"]})
    made, metrics, told = released(frame, tmp_path / "a", **how, **towns)
    assert made["id"][0] == made["id"][6]
    assert made["id"][5] == ""
    assert made["id"][4] != "Bern"
    assert set(made["id"]) <= {"Bern", "Oslo", "Rome", ""}
    assert metrics["entries"] == 3
    assert metrics["distinct_values"] == 5
    assert metrics["values_sharing_a_surrogate"] >= 3
    assert any("different values share their surrogate" in text for text in told)
    assert any("surrogates are also values of the columns" in text for text in told) == ("Bern" in set(made["id"]))
    again, _, _ = released(frame.iloc[::-1].head(3), tmp_path / "b", **how, **towns)
    assert again["id"].tolist() == made["id"][::-1].head(3).tolist()


@pytest.mark.parametrize("size", [1, 1000])
def test_injective_surrogates_use_up_a_list_and_are_refused_beyond_it(size: int, tmp_path: Path) -> None:
    how: Any = {"method": "surrogate", "surrogate": "list", "surrogates_dataset": "names", "injective": True}
    names = pd.DataFrame({"name": [f"name {number}" for number in range(50)]})
    frame = pd.DataFrame({"id": [f"id {number % 50}" for number in range(120)]})
    operation = PseudonymizeOperation(input_dataset="people", columns=["id"], **how)
    made, metrics, _ = released(frame, tmp_path / "a", more={"names": names}, **how)
    assert made["id"].nunique() == 50
    assert metrics["values_sharing_a_surrogate"] == 0
    assert (made["id"].to_numpy() == made["id"].to_numpy()[[n % 50 for n in range(120)]]).all()
    shuffled, _, _ = released(frame.iloc[::-1].reset_index(drop=True), tmp_path / "a", more={"names": names}, **how)
    assert shuffled["id"].tolist() == made["id"][::-1].tolist()
    more = pd.concat([frame, pd.DataFrame({"id": ["one more"]})])
    said = run(operation, more, tmp_path / "c", names=names).error_message
    assert "too few surrogates for 51 distinct values" in said
    assert "there are 50" in said


@pytest.mark.parametrize("kind", ["name", "first_name", "last_name", "email", "city", "street_address", "phone"])
def test_surrogates_of_faker_are_realistic_and_of_a_locale(kind: Any, tmp_path: Path) -> None:
    pytest.importorskip("faker", reason="faker, the extra surrogates, is not installed")
    frame = pd.DataFrame({"who": [f"person {number}" for number in range(20)]})
    how: Any = {"method": "surrogate", "surrogate": kind, "locale": "de_DE"}
    made, metrics, _ = released(frame, tmp_path, **how, injective=True)
    assert made["who"].nunique() == 20
    assert not set(made["who"]) & set(frame["who"])
    assert metrics["faker"]
    assert metrics["locale"] == "de_DE"
    assert kind != "email" or made["who"].str.contains("@example.").all()
    said = run(
        PseudonymizeOperation(input_dataset="people", columns=["who"], **how | {"locale": "xx"}), frame, tmp_path
    )
    assert "Faker knows no locale 'xx'" in said.error_message


def test_dates_of_a_person_move_together(tmp_path: Path) -> None:
    frame = pd.DataFrame(
        {
            "who": ["a", "a", "b", "b", "a"],
            "seen": ["2024-02-28", "2024-03-01", "2024-02-28T10:30:00", "1999-12-31", None],
        }
    )
    how: Any = {"columns": ["seen"], "method": "surrogate", "surrogate": "date", "person": "who", "shift_days": 30}
    made, metrics, told = released(frame, tmp_path, **how)
    assert made["seen"].str.len().tolist() == [10, 10, 19, 10, 0]
    assert made["seen"][2].endswith("T10:30:00")
    days = (pd.to_datetime(made["seen"].str[:10]) - pd.to_datetime(frame["seen"].str[:10])).dt.days
    assert days[0] == days[1]
    assert days[2] == days[3]
    assert days[0] != days[2]
    assert all(1 <= abs(day) <= 30 for day in days[:4])
    assert metrics["cells_replaced"] == {"seen": 4}
    assert not any("few different" in text for text in told)
    for column, cells, said in (
        ("seen", ["2024", "02.01.2024"] * 2 + ["2024-02-30"], "3 distinct values are not complete dates"),
        ("seen", ["9999-12-31", "0001-01-01"] * 2 + [None], "would leave the years 1 to 9999"),
        ("who", [None] * 5, "4 dates have no person"),
    ):
        bad = frame.assign(**{column: pd.Series(cells, dtype=object)})
        assert said in run(PseudonymizeOperation(input_dataset="people", **how), bad, tmp_path).error_message


def test_floats_that_do_not_hold_their_digits_are_told(tmp_path: Path) -> None:
    frame = pd.DataFrame({"id": [1.0, 12345678901234567.0, None]})
    _, _, told = released(frame, tmp_path)
    assert any("1 values of id are floats beyond 2^53" in text for text in told)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"alphabet": "lower"}, "`alphabet` does nothing with `method: hmac-sha256`; it belongs to ff1"),
        ({"method": "ff1", "characters": "abc"}, "`characters` belongs to `alphabet: custom`"),
        ({"method": "ff1", "alphabet": "custom"}, "needs `characters`"),
        ({"method": "ff1", "alphabet": "custom", "characters": "aab"}, "none of them twice"),
        ({"method": "ff1", "alphabet": "hex"}, "`alphabet` has to be one of digits"),
        ({"method": "surrogate", "surrogate": "list"}, "`surrogate: list` needs `surrogates_dataset`"),
        ({"method": "surrogate", "surrogate": "date"}, "`surrogate: date` needs `person`"),
        ({"method": "surrogate", "person": "x"}, "`person` does nothing with `surrogate: name`; it belongs to date"),
        ({"method": "surrogate", "surrogate": "animal"}, "`surrogate` has to be one of name"),
        ({"earlier_columns": {"id": "x"}}, "`earlier_columns` belongs to `earlier_dataset`"),
        ({"earlier_dataset": "e", "earlier_columns": {"x": "id"}}, "`earlier_columns` names x"),
    ],
    ids=str,
)
def test_settings_that_do_nothing_are_refused(how: dict[str, Any], said: str) -> None:
    with pytest.raises(ParameterError, match=said):
        PseudonymizeOperation(input_dataset="people", columns=["id"], **how)


def test_what_is_needed_to_restore_is_said() -> None:
    with pytest.raises(ParameterError, match="`method: ff1` needs `purpose`"):
        ReidentifyOperation(input_dataset="people", columns=["id"], method="ff1")
    with pytest.raises(ParameterError, match="`method: token` needs `vault_dataset`"):
        ReidentifyOperation(input_dataset="people", columns=["id"])


def test_a_missing_faker_is_said_before_data_is_read(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    import sys

    monkeypatch.setitem(sys.modules, "faker", None)
    operation = PseudonymizeOperation(input_dataset="people", columns=["phone"], method="surrogate")
    assert "pamola-ops-anonymize[surrogates]" in str(outcome_of(operation, PHONES, tmp_path).error)
