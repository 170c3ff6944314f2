"""What is found in texts and written in its place, what is measured and said of it, and that nothing leaks."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from installed import Cli
from installed import cli as cli
from installed import home as home
from installed import place as place
from scipy.stats import binomtest

from pamola_ops_text import RedactTextOperation
from pamola_ops_text.labels import labels_of
from pamola_tasks.errors import DataError, ParameterError
from pamola_tasks.functions import run_on


def redacted(texts: list[Any], names: list[Any] | None = None, **parameters: Any) -> tuple[list[Any], Any]:
    """The texts as they are released, and what is reported."""
    frame = pd.DataFrame({"note": pd.Series(texts, dtype="str"), "name": pd.Series(names or [None], dtype="str")})
    if names:
        parameters.setdefault("known_columns", {"name": "PERSON"})
    out, found = run_on(frame, "RedactTextOperation", writes="output_dataset", columns=["note"], **parameters)
    return [None if pd.isna(each) else each for each in out["note"]], found


# ---------------------------------------------------------------- what is found

PATTERNS = [  # a text, and what is left of it
    ("mail ann.lee+x@example.org, thanks", "mail <EMAIL_ADDRESS>, thanks"),
    ("ann@host.internal, of no public suffix", "<EMAIL_ADDRESS>, of no public suffix"),
    ("ann@exam\u00adple.org, hidden by a soft hyphen", "<EMAIL_ADDRESS>, hidden by a soft hyphen"),
    ("card 4111 1111 1111 1111 or 4111 1111 1111 1112?", "card <CREDIT_CARD> or 4111 1111 1111 1112?"),
    ("card ４１１１１１１１１１１１１１１１ in full width", "card <CREDIT_CARD> in full width"),
    ("call +1 212\u2011555\u20110199 (dashes that do not break)", "call <PHONE_NUMBER> (dashes that do not break)"),
    ("to GB82 WEST 1234 5698 7654 32.", "to <IBAN_CODE>."),
    ("from 192.168.0.12, 2001:db8::8a2e:370:7334", "from <IP_ADDRESS>, <IP_ADDRESS>"),
    ("born 03/05/1980, seen 2024-03-05", "born <DATE_TIME>, seen <DATE_TIME>"),
    ("see https://example.org/a?b=c .", "see <URL> ."),
    ("see https://garcia.biz/x .", "see <URL> ."),
    ("ssn 219-09-9999", "ssn <US_SSN>"),
    ("nothing", "nothing"),
    ("", ""),
    (None, None),
]


def test_patterns_are_found_whatever_unicode_makes_of_them() -> None:
    out, found = redacted([text for text, _ in PATTERNS])
    assert out == [left for _, left in PATTERNS]
    assert found["texts"] == {"note": 14}
    assert found["texts_with_findings"] == {"note": 12}
    assert found["findings"]["note"]["IP_ADDRESS"] == 2
    assert found["guarantee"] == "none"
    assert ["may still name persons" in each for each in found.warnings][:2] == [True, False]
    assert "unknown recall" in found.warnings[1]


KNOWN = [  # the name of the record, a text, and what is left of it
    ("Ann Smith", "ANN SMITH, Smith, Ann and ann; antenna", "<PERSON> and ann; antenna"),
    ("Ann Smith", "saw ann smith", "saw <PERSON>"),
    ("Zoë O'Neill", "Zoe\u0308 O\u2019Neill; zoe o'neill's; Oneill; neill", "<PERSON>; <PERSON>'s; Oneill; <PERSON>"),
    ("Will May", "Will will come; it may be May", "<PERSON> will come; it may be <PERSON>"),
    ("Jan van der Berg", "van der Berg drove a van", "van der <PERSON> drove a van"),
    ("Łukasz Groß", "lukasz GROSS", "<PERSON>"),
    ("王小明", "病人王小明来了", "病人<PERSON>来了"),
    (None, "Ann", "Ann"),
    ("+44 20 7946 0018", "on 44 (20) 7946-0018, not 4420794600180", "on <PERSON>, not 4420794600180"),
    ("MRN-12345", "mrn 12345, 12345 of the MRN", "<PERSON> of the MRN"),
    ("Ann Lee", "ann.lee@example.org", "<EMAIL_ADDRESS>"),
]


def test_values_of_the_record_are_found_in_its_texts() -> None:
    texts = [text for _, text, _ in KNOWN]
    out, _ = redacted(texts, [name for name, _, _ in KNOWN], entities=["EMAIL_ADDRESS"])
    assert out == [left for _, _, left in KNOWN]


def test_lists_and_patterns_of_the_task_and_words_around_them() -> None:
    """Findings that overlap become one: nothing that any of them found stays in the text."""
    asked: dict[str, Any] = {
        "entities": ["EMAIL_ADDRESS", "URL", "DE_TAX_ID", "US_BANK_NUMBER", "PHONE_NUMBER"],
        "phone_regions": ["CH"],
        "patterns": {"CASE": [r"case-\d+"], "WARD": r"\b[a-z]\d\b", "TAIL": r"\.org again"},
        "deny_list": {"PERSON": ["Müller", "de la Cruz"]},
        "allow_list": ["Help@Example.org"],
        "context": {"WARD": ["ward"], "US_BANK_NUMBER": ["giro"]},
    }
    texts = [
        "MULLER and De La Cruz, case-17",
        "ward b7; slept badly, ate nothing, drank water, asked b8",
        "giro 123456789; 123456789",
        "help@example.org",
        "bob@example.org again",
        "044 668 18 00 of Zürich",
    ]
    out, found = redacted(texts, **asked)
    assert out == [
        "<PERSON> and <PERSON>, <CASE>",
        "ward <WARD>; slept badly, ate nothing, drank water, asked b8",
        "giro <US_BANK_NUMBER>; <US_BANK_NUMBER>",
        "help@example.org",
        "<EMAIL_ADDRESS>",
        "<PHONE_NUMBER> of Zürich",
    ]
    assert found["entities"] == [
        "CASE", "DE_TAX_ID", "EMAIL_ADDRESS", "PERSON", "PHONE_NUMBER", "TAIL", "URL", "US_BANK_NUMBER", "WARD",
    ]  # fmt: skip


def test_values_are_numbered_and_characters_masked() -> None:
    texts = [
        "Ann: a@example.org",
        "B@Example.org, a@example.org",
        "of a@example.org: ann",
        "+1 212-555-0199, or 2125550173",
    ]
    action = {"EMAIL_ADDRESS": "replace", "PERSON": "replace"}
    out, found = redacted(texts, ["Ann Lee", "Bo", "Ann Cruz", None], action=action, mask_character="*")
    assert out == [
        "<PERSON_1>: <EMAIL_ADDRESS_1>",
        "<EMAIL_ADDRESS_2>, <EMAIL_ADDRESS_1>",
        "of <EMAIL_ADDRESS_1>: <PERSON_2>",
        "*" * 15 + ", or " + "*" * 10,
    ]
    assert found["values_numbered"] == {"EMAIL_ADDRESS": 2, "PERSON": 2}


def test_a_model_that_is_installed_finds_persons(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    package, info = tmp_path / "tiny_names", tmp_path / "tiny_names-1.0.dist-info"
    package.mkdir()
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: tiny_names\nVersion: 1.0\n")
    (package / "__init__.py").write_text(
        "import spacy\n\n\ndef load(**options):\n    nlp = spacy.blank('en')\n"
        "    ruler = nlp.add_pipe('entity_ruler')\n"
        "    ruler.add_patterns([{'label': 'PERSON', 'pattern': 'Ann Lee'}, {'label': 'GPE', 'pattern': 'Oslo'}])\n"
        "    return nlp\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))
    out, found = redacted(["Ann Lee, a@example.org, in Oslo"], model="tiny_names")
    assert out == ["<PERSON>, <EMAIL_ADDRESS>, in <LOCATION>"]
    assert not [each for each in found.warnings if "may still name persons" in each]


# ---------------------------------------------------------------- what is refused


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ({"columns": []}, "at least one"),
        ({"entities": ["EMAIL_ADRESS"]}, "did you mean 'EMAIL_ADDRESS'"),
        ({"entities": ["PERSON"]}, "needs a `model`"),
        ({"score_threshold": 1.2}, "from 0 to 1"),
        ({"action": {"PERSON": "mask"}}, "not looked for"),
        ({"mask_character": "xx"}, "one character"),
        ({"mask_character": "x", "action": "replace"}, "does nothing"),
        ({"deny_list": {"a>b": ["c"]}}, "cannot be the name of an entity"),
        ({"phone_regions": ["uk"]}, "ISO 3166-1"),
        ({"phone_regions": ["CH"], "entities": ["URL"]}, "does nothing"),
        ({"purpose": "p"}, "action: pseudonymize"),
        ({"patterns": {"A": "("}}, "not a regular expression"),
        ({"patterns": {"A": "x*"}}, "matches the empty text"),
        ({"deny_list": {"A": [" "]}}, "none of them blank"),
        ({"context": {"A": ["b"]}}, "unknown entity 'A'"),
        ({"languages": ["xq"]}, "has no language 'xq'"),
        ({"languages": ["../en"]}, "has no language"),
        ({"model": "en_core_web_nothing"}, "nothing is downloaded"),
        ({"model": {"de": "spacy"}}, "not in `languages`"),
        ({"known_columns": ["note"]}, "both in `columns`"),
    ],
)
def test_wrong_parameters_are_refused_before_the_run(wrong: dict[str, Any], says: str) -> None:
    with pytest.raises(ParameterError, match=says):
        RedactTextOperation(**{"input_dataset": "t", "columns": ["note"], **wrong})


@pytest.mark.parametrize(
    ("start", "end", "entity", "says"),
    [
        (0, 9, "A", "not within its text"),
        (2, 1, "A", "not within"),
        (0.5, 2, "A", "not a whole"),
        (0, None, "A", "part"),
    ],
)
def test_wrong_labels_are_refused_by_the_number_of_their_row(start: Any, end: Any, entity: Any, says: str) -> None:
    frame = pd.DataFrame({"text": ["Quillan", "Tamsin"], "start": [0, start], "end": [7, end], "entity": ["A", entity]})
    with pytest.raises(DataError, match=f"labels: row 2.*{says}") as caught:
        labels_of("labels", frame, [])
    assert "Tamsin" not in str(caught.value)


def test_a_pattern_that_takes_too_long_fails_the_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """Presidio skips such a pattern with a line in its log, and the text would be released as if it were clean."""
    import presidio_analyzer.pattern_recognizer as presidio

    monkeypatch.setattr(presidio, "REGEX_TIMEOUT_SECONDS", 0.05)
    with pytest.raises(Exception, match=r"row 2, column note: a pattern took longer") as caught:
        redacted(["x", "a" * 60 + "!"], entities=["URL"], patterns={"SLOW": r"(a|aa)+$"})
    assert "aaa" not in str(caught.value)


# ---------------------------------------------------------------- nothing leaves


@pytest.fixture
def touched(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Iterator[list[str]]:
    """What Python is asked of the network meanwhile; with an empty home for caches."""
    seen: list[str] = []
    watching = [True]

    def audit(event: str, arguments: tuple[Any, ...]) -> None:
        if watching and event.startswith(("socket.connect", "socket.get", "socket.send", "urllib.", "http.client.")):
            seen.append(event)

    sys.addaudithook(audit)
    monkeypatch.setenv("HOME", str(tmp_path / "empty"))
    monkeypatch.setenv("TLDEXTRACT_CACHE", str(tmp_path / "empty/cache"))
    yield seen
    watching.clear()


def test_nothing_touches_the_network_or_fills_a_cache(touched: list[str], tmp_path: Path) -> None:
    """An address is checked against the public suffixes; Presidio's own recognizer would fetch their list."""
    out, _ = redacted(["ann@example.org, https://example.co.uk/a or 4111 1111 1111 1111"], languages=["en", "de"])
    assert out == ["<EMAIL_ADDRESS>, <URL> or <CREDIT_CARD>"]
    assert touched == []
    assert not (tmp_path / "empty").exists()


TASK = """
task_id: visits
seed: 1
input_datasets:
  visits: DATA/raw/visits.csv
  deaths: DATA/raw/deaths.csv
  labels: DATA/raw/labels.csv
  staff: DATA/raw/staff.csv
outputs: [visits_safe, deaths_safe]
operations:
  - RedactTextOperation: &all
      input_dataset: visits
      output_dataset: texts
      columns: [note]
      known_columns: {name: PERSON}
      deny_datasets: {PERSON: staff}
      action: {PERSON: pseudonymize, EMAIL_ADDRESS: pseudonymize}
      purpose: study 7
      labelled_dataset: labels
  - RedactTextOperation: {<<: *all, input_dataset: deaths, output_dataset: deaths_texts, labelled_dataset: null}
  - PseudonymizeOperation: {input_dataset: texts, output_dataset: visits_safe, columns: [name], purpose: study 7}
  - DropOperation: {input_dataset: deaths_texts, output_dataset: deaths_safe, columns: [name]}
"""
VISITS = [
    ("Quillan Abernathy", "Abernathy came, quillan.a@example.org"),
    ("Tamsin Oyelaran", "Tamsin\u2019s card 5500 0000 0000 0004"),
]
DEATHS = [("Quillan Abernathy", "Mr Abernathy; QUILLAN.A@example.org"), ("Perpetua Voss", "call +1 212-555-0173")]
LABELS = [  # a text, its record's name, its labels
    ("Perpetua saw Dr Hollis", "Perpetua Voss", [(0, 8, "PERSON"), (16, 22, "PERSON")]),
    ("Mrs Okoro came", "Perpetua Voss", [(4, 9, "PERSON")]),
    ("on 2024-03-05 at pv@example.org", "Perpetua Voss", [(0, 13, "DATE_TIME"), (17, 31, "EMAIL_ADDRESS")]),
    ("version 10.2.3.4 is fine", "", []),
]


def written(path: Path, header: str, rows: list[tuple[Any, ...]]) -> None:
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header.split(","), *rows])


def test_a_task_with_pseudonyms_and_labels_from_the_command_line(cli: Cli, place: Path) -> None:
    written(place / "DATA/raw/visits.csv", "name,note", VISITS)
    written(place / "DATA/raw/deaths.csv", "name,note", DEATHS)
    written(place / "DATA/raw/staff.csv", "who,ward", [("Ines Hollis", "B"), ("Hollis, Piet", "C")])
    rows: list[tuple[Any, ...]] = []
    for text, name, labels in LABELS:
        rows += [(name, text, *label) for label in labels or [("", "", "")]]
    written(place / "DATA/raw/labels.csv", "name,text,start,end,entity", rows)
    (place / "configs/visits.yaml").write_text(TASK)
    cli("keys", "init", cwd=place, code=0)
    done = cli("run", "visits", cwd=place, code=0)
    visits, deaths = (
        list(csv.DictReader(io.StringIO((place / f"DATA/processed/visits/output/{name}.csv").read_text())))
        for name in ("visits_safe", "deaths_safe")
    )
    person, mail = visits[0]["note"].split(" came, ")
    assert person == f"<PERSON_{visits[0]['name'][:16]}>", "the beginning of the pseudonym of the column"
    assert deaths[0]["note"] == f"Mr {person}; {mail}", "the same in another table with the same purpose"
    assert visits[1]["note"].endswith("\u2019s card <CREDIT_CARD>")
    assert deaths[1]["note"] == "call <PHONE_NUMBER>"

    report = json.loads((place / "DATA/reports/visits_report.json").read_text())
    section = report["sections"]["free_text"]["facts"]
    assert section["findings"][0]["found"] == {"CREDIT_CARD": 1, "EMAIL_ADDRESS": 1, "PERSON": 2}
    measured = {row["entity"]: row for row in section["labels"]}
    agreement = report["operations"][0]["metrics"]["agreement"]["entities"]
    found_in_labelled = {row["entity"]: row["found"] for row in section["findings in labelled texts"]}
    assert (measured["PERSON"]["labelled"], found_in_labelled["PERSON"]) == (3, 2)
    dates = agreement["DATE_TIME"]  # 2024-03-05 was labelled together with the word before it
    assert (dates["strict"]["f1"], dates["overlap"]["f1"], dates["covered"]["count"]) == (0, 1, 0)
    everything = agreement["all"]
    assert (everything["labelled"], everything["found"], everything["covered"]["count"]) == (5, 5, 3)
    for share, of in ((everything["strict"]["recall"], 5), (everything["overlap"]["precision"], 5)):
        interval = binomtest(share["count"], of).proportion_ci(method="wilson")
        assert share["interval"] == pytest.approx([interval.low, interval.high])
    assert everything["overlap"]["f1"] == pytest.approx(0.8)
    assert measured["all"]["covered"].startswith("0.600 (")
    assert any("2 of 5 labelled entities in 4 texts stay readable" in each for each in report["warnings"])
    assert report["operations"][0]["charts"][0]["title"] == "Findings in free text"

    kept = [path for path in place.rglob("*") if path.is_file() and "/DATA/raw/" not in str(path)]
    texts = {str(path): path.read_bytes().decode("utf-8", "replace") for path in kept}
    texts["the terminal"] = done.stdout + done.stderr
    released = {name for name in texts if name.endswith((".csv", ".parquet", ".arrow")) and "/output/" not in name}
    for found in (
        "quillan",
        "abernathy",
        "tamsin",
        "oyelaran",
        "5500 0000",
        "555-0173",
        "perpetua",
        "hollis",
        "okoro",
        "10.2.3.4",
    ):
        holds = [name for name, text in texts.items() if found in text.lower() and name not in released]
        assert holds == [], f"{found} is in {holds}"
