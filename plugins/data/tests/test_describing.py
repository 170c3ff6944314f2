"""What columns look like, how many values fit, and what is ambiguous, with the setting that decides."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest

ROWS = 100


def column(cell: Callable[[int], Any]) -> list[Any]:
    return [cell(n) for n in range(ROWS)]


def date(format: str) -> list[str]:
    """Days of many months, so that day and month differ."""
    days = pd.date_range("1931-01-29", periods=ROWS, freq="41D")
    return [day.strftime(format) for day in days]


# What is written, what is said of it, and the setting; `{}` where none is needed.
DECIDED: dict[str, tuple[list[Any], str, str]] = {
    "dd.mm.yyyy": (date("%d.%m.%Y"), "dates as dd.mm.yyyy (100 %)", '{type: date, format: "%d.%m.%Y"}'),
    "dd/mm/yyyy": (date("%d/%m/%Y"), "dates as dd/mm/yyyy (100 %)", '{type: date, format: "%d/%m/%Y"}'),
    "mm/dd/yyyy": (date("%m/%d/%Y"), "dates as mm/dd/yyyy (100 %)", '{type: date, format: "%m/%d/%Y"}'),
    "yyyy/mm/dd": (date("%Y/%m/%d"), "dates as yyyy/mm/dd (100 %)", '{type: date, format: "%Y/%m/%d"}'),
    "dd-mm-yyyy": (date("%d-%m-%Y"), "dates as dd-mm-yyyy (100 %)", '{type: date, format: "%d-%m-%Y"}'),
    "named month": (date("%d %b %Y"), "dates as dd Mon yyyy (100 %)", '{type: date, format: "%d %b %Y"}'),
    "SAS": (date("%d-%b-%Y"), "dates as dd-Mon-yyyy (100 %)", '{type: date, format: "%d-%b-%Y"}'),
    "American": (date("%B %d, %Y"), "dates as Month dd, yyyy (100 %)", '{type: date, format: "%B %d, %Y"}'),
    "ISO": (date("%Y-%m-%d"), "dates as yyyy-mm-dd (100 %)", "{type: date}"),
    "without zeros": (
        [f"{n + 1900}-{n % 12 + 1}-{n % 28 + 1}" for n in range(ROWS)],
        "dates as yyyy-mm-dd (100 %)",
        '{type: date, format: "%Y-%m-%d"}',
    ),
    "with a time": (
        date("%d.%m.%Y 10:30"),
        "dates and times as dd.mm.yyyy hh:mm (100 %)",
        '{type: datetime, format: "%d.%m.%Y %H:%M"}',
    ),
    "American with a time": (
        [f"{day} {n % 12 + 1}:15 {'AP'[n % 2]}M" for n, day in enumerate(date("%m/%d/%Y"))],
        "dates and times as mm/dd/yyyy hh:mm am/pm (100 %)",
        '{type: datetime, format: "%m/%d/%Y %I:%M %p"}',
    ),
    "ISO with an offset": (
        date("%Y-%m-%dT10:30:00+02:00"),
        "dates and times of ISO 8601 (100 %)",
        "{type: datetime}",
    ),
    "decimal comma": (
        column(lambda n: f"{n},5"),
        "numbers with decimal commas (100 %)",
        '{type: number, decimal: ","}',
    ),
    "German": (
        column(lambda n: f"{n + 1}.234,50"),
        "numbers with decimal commas and points between thousands (100 %)",
        '{type: number, decimal: ",", thousands: "."}',
    ),
    "Swiss": (
        column(lambda n: f"{n + 1}'234.50"),
        "numbers with apostrophes between thousands (100 %)",
        """{type: number, thousands: "'"}""",
    ),
    "French": (
        column(lambda n: f"{n + 1}\u202f234,5"),
        "numbers with decimal commas and blanks between thousands (100 %)",
        '{type: number, decimal: ",", thousands: " "}',
    ),
    "typographic apostrophe": (
        column(lambda n: f"{n + 1}\u2019234"),
        "whole numbers with apostrophes between thousands (100 %)",
        """{type: integer, thousands: "'"}""",
    ),
    "American thousands": (
        column(lambda n: f"{n + 1},234.5"),
        "numbers with commas between thousands (100 %)",
        '{type: number, thousands: ","}',
    ),
    "millions": (
        column(lambda n: f"{n + 1}.234.567"),
        "whole numbers with points between thousands (100 %)",
        '{type: integer, thousands: "."}',
    ),
    "ja and nein": (
        column(lambda n: ("Ja", "nein")[n % 2]),
        "true or false as Ja and nein (100 %)",
        '{type: boolean, true: ["Ja"], false: [nein]}',
    ),
    "nearly whole": (
        column(lambda n: n if n % 14 else "unknown"),
        "92 % whole numbers, 8 % missing-value words: 'unknown' ×8",
        '{type: integer, missing: ["", unknown]}',
    ),
    "beyond 64 bits": (
        column(lambda n: 2**70 + n),
        "whole numbers (100 %)",
        "{type: decimal}",
    ),
    "18 decimals behind a comma": (
        column(lambda n: f"{n},123456789012345678"),
        "numbers with decimal commas (100 %)",
        '{type: decimal, decimal: ","}',
    ),
    "17 digits that a number keeps": (
        column(lambda n: "0,12345678901234568"),
        "numbers with decimal commas (100 %)",
        '{type: number, decimal: ","}',
    ),
    "nearly dates": (
        [*date("%d.%m.%Y")[:95], "?", "?", "?", "n/a", "soon"],
        "95 % dates as dd.mm.yyyy, 4 % missing-value words: '?' ×3, 'n/a' ×1, 1 % other values",
        '{type: date, format: "%d.%m.%Y", missing: ["", "?", "n/a"]}',
    ),
}


@pytest.mark.parametrize(("cells", "words", "setting"), DECIDED.values(), ids=DECIDED)
@pytest.mark.parametrize("extension", ["csv", "jsonl", "parquet", "memory"])
def test_a_column_of_text_is_named_as_what_it_looks_like(
    project: Any, extension: str, cells: list[Any], words: str, setting: str
) -> None:
    frame = pd.DataFrame({"c": [str(cell) for cell in cells], "k": "x"})
    path = project.root / f"t.{extension}"
    if extension == "memory":
        source = project.source()
        source.add_dataframe("t", frame)
    else:
        {
            "csv": lambda: frame.to_csv(path, index=False, sep=";"),
            "jsonl": lambda: frame.to_json(path, orient="records", lines=True),
            "parquet": lambda: frame.to_parquet(path, index=False),
        }[extension]()
        source = project.source(t=path.name)
    (found,) = source.describe_columns("t", ["c"])
    assert (found.read_as, found.in_words) == ("text", words)
    assert found.setting == f"data_types: {{t: {{c: {setting}}}}}"
    assert found.unread
    if all(misfit.kind == "missing-value words" for misfit in found.misfits):  # then all fit the type
        typed = project.source(data_types={"t": {"c": found.type}}, **({"t": path.name} if path.exists() else {}))
        if extension == "memory":
            typed.add_dataframe("t", frame)
        assert len(typed.frame("t")["c"]) == ROWS


def described(project: Any, cells: list[Any], name: str = "c") -> Any:
    project.put("t.csv", f"{name};k\n" + "".join(f"{cell};x\n" for cell in cells))
    return project.source(t="t.csv").describe_columns("t", [name])[0]


AMBIGUOUS: dict[str, tuple[list[Any], str, list[str]]] = {
    "day and month": (
        column(lambda n: f"{n % 12 + 1:02}/{n % 11 + 1:02}/19{n:02}"),
        "is the day or the month first?",
        ['{type: date, format: "%d/%m/%Y"}', '{type: date, format: "%m/%d/%Y"}'],
    ),
    "1,234": (
        column(lambda n: f"{n + 1},234"),
        "three digits behind each mark: decimals, or thousands?",
        ['{type: number, decimal: ","}', '{type: integer, thousands: ","}'],
    ),
    "1.234": (
        column(lambda n: f"{n + 1}.234"),
        "all have three digits behind the point: decimals, as they were read, or thousands?",
        ['{type: integer, thousands: "."}'],
    ),
    "0 and 1": (column(lambda n: n % 2), "0 and 1 only: numbers, or true and false?", ["boolean"]),
    "yyyymmdd": (
        date("%Y%m%d"),
        "whole numbers that are days as yyyymmdd: dates?",
        ['{type: date, format: "%Y%m%d"}'],
    ),
    "years of two digits": (
        date("%d.%m.%y"),
        "years of two digits leave the century open: write them with four digits",
        [],
    ),
    "codes": (["250.0", "250.00", *column(lambda n: f"{n}.5")], "numbers that are text: are they codes?", ["text"]),
    "more digits than any type keeps": (
        column(lambda n: f"{n + 1}{'0' * 40}"),
        "no type of numbers keeps all their digits: they stay text",
        [],
    ),
    "several marks": (
        column(lambda n: f"{n}{'.,'[n % 2]}5"),
        "numbers in several forms: write them in one",
        [],
    ),
    "several forms": (
        [*date("%d.%m.%Y")[:60], *date("%Y-%m-%d")[60:]],
        "dates in several forms: write them in one",
        [],
    ),
}


@pytest.mark.parametrize(("cells", "text", "settings"), AMBIGUOUS.values(), ids=AMBIGUOUS)
def test_what_is_ambiguous_is_asked_with_the_settings_of_which_one_decides(
    project: Any, cells: list[Any], text: str, settings: list[str]
) -> None:
    (question,) = described(project, cells).questions
    assert question.text == text
    assert question.settings == [f"data_types: {{t: {{c: {setting}}}}}" for setting in settings]


def test_days_as_a_spreadsheet_counts_them_are_asked_of_where_the_name_says_so(project: Any) -> None:
    serials = column(lambda n: 40_000 + n)
    assert "spreadsheets" in described(project, serials, "birth_date").questions[0].text
    assert described(project, serials, "income").questions == []


@pytest.mark.parametrize(
    ("cells", "words"),
    [
        (column(lambda n: f"0{n:04}"), "digits with leading zeros (100 %)"),
        (column(lambda n: f"N{n}"), "text"),
        (column(lambda n: n), "whole numbers (100 %)"),
        (column(lambda n: n / 8), "numbers (100 %)"),
        (column(lambda n: n % 2 == 0), "true or false"),
        (column(lambda n: f"{n}.5 kg"), "numbers with units (100 %)"),
        (column(lambda n: n if n % 5 else "other"), "text"),
        ([""] * ROWS, "no values"),
    ],
)
def test_what_is_read_as_it_looks_needs_no_setting(project: Any, cells: list[Any], words: str) -> None:
    found = described(project, cells)
    assert found.in_words == words
    assert found.setting == ""


def test_blanks_and_names_with_blanks_offer_to_be_trimmed(project: Any) -> None:
    project.put("t.csv", "a, b\n" + "1, x\n" * 5 + "2,y\n")
    questions = [question for each in project.source(t="t.csv").describe_columns("t") for question in each.questions]
    assert [question.text for question in questions] == [
        "a blank before or after the name",
        "5 values begin or end with a blank",
    ]
    assert {setting for question in questions for setting in question.settings} == {"data: {trim: true}"}


@pytest.mark.parametrize("extension", ["csv", "jsonl"])
def test_empty_texts_may_be_missing_values(project: Any, extension: str) -> None:
    cells = column(lambda n: str(n) if n % 14 else "")
    lines = [f'"{cell}"' if extension == "csv" else f'{{"c": "{cell}"}}' for cell in cells]
    name = project.put(f"t.{extension}", "c\n" * (extension == "csv") + "\n".join(lines) + "\n")
    (found,) = project.source(t=name).describe_columns("t")
    assert found.in_words == "92 % whole numbers, 8 % missing-value words: '' ×8"
    assert found.setting == 'data_types: {t: {c: {type: integer, missing: [""]}}}'
    assert project.source(t=name, data_types={"t": {"c": found.type}}).frame("t")["c"].isna().sum() == 8


def test_words_with_blanks_around_them_are_counted_as_the_words(project: Any) -> None:
    question = described(project, ["NA", " NA", "NA ", "x", "x"]).questions[1]
    assert question.text == "words that may mean a missing value: 'NA' ×3"


def test_pieces_are_described_as_the_whole(project: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    project.put("t.csv", "c\n" + "\n".join(map(str, DECIDED["nearly dates"][0])) + "\n")
    whole = project.source(t="t.csv").describe_columns("t")
    monkeypatch.setattr("pamola_tasks_data.describing.ROWS", 7)
    assert project.source(t="t.csv").describe_columns("t") == whole


def test_a_stated_type_is_not_questioned(project: Any) -> None:
    project.put("t.csv", "c\n" + "0\n1\n" * 5)
    (found,) = project.source(t="t.csv", data_types={"t": {"c": "integer"}}).describe_columns("t")
    assert found.stated
    assert found.questions == []


def test_words_that_are_no_usual_ones_for_missing_values_show_only_on_request(project: Any) -> None:
    cells = ["SECRET"] * 10 + column(lambda n: n)
    assert "SECRET" not in str(described(project, cells))
    source = project.source(t="t.csv")
    (shown,) = source.describe_columns("t", ["c"], show_data=True)
    assert "'SECRET' ×10" in shown.in_words
    (rare,) = source.describe_columns("t", ["c"], show_data=True, least=11)
    assert "SECRET" not in rare.in_words
