"""Write the corpus: the same eight visits as tables of five countries are written, in twelve ways each.

    python tests/corpus/make.py

`visits.json` has the table that a person reads in each of them.
"""

from __future__ import annotations

import csv
import datetime
import io
import json
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
VISITS = [
    {"name": "Zoë Müller", "born": "1983-01-11", "weight": 71.5, "cost": 1234.5, "visits": 3},
    {"name": "José Brûlé", "born": "1990-03-11", "weight": 80.25, "cost": 980.0, "visits": 11},
    {"name": "Åsa Öberg", "born": "1973-04-11", "weight": 64.0, "cost": 12500.75, "visits": 1},
    {"name": "O'Brien", "born": "1962-01-15", "weight": 92.5, "cost": 45.0, "visits": 7},
    {"name": "Ana Peña", "born": "2004-06-15", "weight": 55.75, "cost": 7000.5, "visits": 0},
    {"name": "Jürgen Groß", "born": "1958-12-31", "weight": 88.0, "cost": 310.25, "visits": 20},
    {"name": "François Noël", "born": "1999-07-28", "weight": 70.5, "cost": 2200.0, "visits": 5},
    {"name": "Ulla Ängström", "born": "1947-10-23", "weight": 59.5, "cost": 150.5, "visits": 9},
]
# Delimiter, decimal mark, mark between thousands, format of dates.
COUNTRIES = {
    "de": (";", ",", ".", "%d.%m.%Y"),
    "fr": (";", ",", "\u00a0", "%d/%m/%Y"),
    "us": (",", ".", ",", "%m/%d/%Y"),
    "ch": (";", ".", "'", "%d.%m.%Y"),
    "se": (";", ",", " ", "%Y-%m-%d"),
}


def table(country: str, *, thousands: bool = False, missing: str = "") -> list[list[str]]:
    """The table as people of a country write it."""
    _, decimal, group, format = COUNTRIES[country]

    def number(value: float, *, grouped: bool = False) -> str:
        text = f"{value:,.2f}" if grouped else f"{value:.2f}"
        return text.translate({ord(","): group, ord("."): decimal})

    rows = [list(VISITS[0])]
    for visit in VISITS:
        born = datetime.date.fromisoformat(str(visit["born"]))
        cells: list[Any] = [visit["name"], born.strftime(format), number(float(visit["weight"]))]  # type: ignore[arg-type]
        cells += [number(float(visit["cost"]), grouped=thousands), visit["visits"]]  # type: ignore[arg-type]
        rows.append([str(cell) for cell in cells])
    if missing:
        rows.append(["Nobody", *[missing] * 4])
    return rows


def written(rows: list[list[str]], delimiter: str, *, quoting: int = csv.QUOTE_MINIMAL, end: str = "\n") -> str:
    """Rows as CSV."""
    file = io.StringIO()
    csv.writer(file, delimiter=delimiter, quoting=quoting, lineterminator=end).writerows(rows)
    return file.getvalue()


def ways(country: str) -> dict[str, bytes]:
    """The table in twelve ways."""
    delimiter = COUNTRIES[country][0]
    rows = table(country)
    plain = written(rows, delimiter)
    semicolons = written(rows, ";" if delimiter == "," else delimiter)
    return {
        "plain": plain.encode(),
        "mark": plain.encode("utf-8-sig"),
        "cp1252": plain.encode("cp1252"),
        "utf16": plain.encode("utf-16"),
        "tab": written(rows, "\t").encode(),
        "pipe": written(rows, "|").encode(),
        "quoted": written(rows, delimiter, quoting=csv.QUOTE_ALL).encode(),
        "blanks": plain.replace(delimiter, f"{delimiter} ").encode(),
        "thousands": written(table(country, thousands=True), delimiter).encode(),
        "comma": semicolons.replace("name", "name, first name", 1).encode(),
        "windows": (written(rows, delimiter, end="\r\n") + "\r\n").encode(),
        "missing": written(table(country, missing="n/a"), delimiter).encode(),
    }


def main() -> None:
    """Write all of it."""
    for country in COUNTRIES:
        for way, content in ways(country).items():
            (HERE / f"{country}_{way}.csv").write_bytes(content)
    (HERE / "visits.json").write_text(json.dumps(VISITS, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
