"""Times, spans of time, numbers with units and names of months have an order, though no type reads them."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest

ORDERED = {
    "times of day": [
        ["14:30", "09:05", "23:59"], ["14:30:15", "9:05:01", "24:00:00"], ["2:30 PM", "9:05 am", "12:10 a.m."],
        ["14:30 Uhr", "9:05 Uhr", "0:10 Uhr"], ["14h30", "9h05", "23h59"],
    ],
    "spans of time": [
        ["PT1H30M", "P1D", "P1Y2M"], ["100:30:15", "27:10:00", "310:00:01"], ["1 days 00:30:00", "2 days, 1:00"],
    ],
    "numbers with units": [
        ["12 kg", "13.5 kg", "80 kg"], ["170cm", "182 cm", "165cm"], ["€ 5", "€ 12,50", "€ 1.200"],
        ["5 €", "12,50 €", "1.200 €"], ["$5", "$12.50", "$1,200"], ["CHF 5.00", "CHF 1'200.00", "CHF 7"],
        ["5 %", "12,5%", "70 %"], ["34 years", "8 years", "71 years"], ["34 Jahre", "8 J.", "71 Jahre"],
        ["1h 30m", "45m", "2h 05m"], ["90 min", "45 min", "2 h"], ["5'11″", "6'2″", "5'4″"],
        ["(12.50)", "(3.00)", "(1,000)"], ["5 Äpfel", "12 Äpfel", "9 Äpfel"], ["14.30 Uhr", "09.05 Uhr", "0.10 Uhr"],
    ],
    "numbers with other signs, groups or digits": [
        ["0,50-", "12,00", "1.200,50-"], ["\u22120.5", "1.5", "12"], ["\u20135", "7", "\u201312"],
        ["10,23,456.00", "1,00,000", "999"],
        ["\u0661\u0662", "\u0663", "\u0661\u066b\u0665"], ["\uff11\uff12", "\uff15", "7"],
        ["5-", "12", "7"],
    ],
    "names of months": [["January", "March", "may"], ["Januar", "März", "Dez."], ["janvier", "août", "décembre"]],
    "months or quarters of a year": [["Jan 2020", "Mar 2021", "Dec 1999"], ["01/2020", "3/2021", "12/1999"],
        ["2020-01", "2021-03", "1999-12"], ["01.2020", "03.2021", "12.1999"], ["2020Q1", "2021 Q3", "1999-Q4"]],
    "names of weekdays": [["Monday", "Tuesday", "sun"], ["Montag", "Sonnabend", "Freitag"]],
    "dates with names of months": [["1. Januar 2020", "13. März 2021", "24. Dezember 1999"],
        ["1er janvier 2020", "13 mars 2021", "24 décembre 1999"], ["1 de enero de 2020", "13 de mayo de 2021"]],
}  # fmt: skip
CATEGORIES = [
    ["12A", "14B", "3C", "7D", "9E"], ["C50.1", "C61", "E11.9"], ["f", "m"], ["MO", "MI", "FR"], ["a1b2", "c3d4"],
    ["12 Elm", "7 Oak", "9 Ash", "3 Fir"], ["room 5", "room 7"], ["AB 12", "CD 13"], ["10-20", "20-30"], ["12345-01"],
    ["x@1.org", "y@2.org"], ["1st", "2nd", "3rd"], ["May-Lin", "June Ray"], ["Mayer", "Marzio"], ["P", "PT"], ["25:61"],
]  # fmt: skip


def described(project: Any, cells: list[str]) -> Any:
    pd.DataFrame({"q": cells * 30, "n": range(len(cells) * 30)}).to_csv(project.root / "t.csv", index=False, sep=";")
    return project.source(t="t.csv").describe_columns("t")[0]


@pytest.mark.parametrize(("kind", "cells"), [(kind, cells) for kind, lists in ORDERED.items() for cells in lists])
def test_values_with_an_order_that_no_type_reads(project: Any, kind: str, cells: list[str]) -> None:
    found = described(project, [*cells * 5, "?"])
    assert (found.looks_like, found.ordered, found.unread) == (kind, True, True)
    assert "write them as numbers or ISO dates, or give them a hierarchy" in found.questions[-1].text


@pytest.mark.parametrize("cells", CATEGORIES)
def test_categories(project: Any, cells: list[str]) -> None:
    found = described(project, cells)
    assert (found.looks_like, found.ordered) == ("text", False)
