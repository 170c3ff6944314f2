"""Texts that have an order though no type reads them: times of day, spans of time, numbers with units, names of months.

Units and names are those of languages and currencies of Europe and America; symbols of the SI and ISO 4217.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import Any

import pyarrow.compute as pc

_NUMBER = r"[-+]?(?:[0-9]+(?:[.,'’\x{a0}\x{202f} ][0-9]{3})*(?:[.,][0-9]+)?|[.,][0-9]+)"
_WORD = r"(?:[\p{L}\p{Sc}µ°%‰'\"′″²³/]+\.?)"
_UNITS = frozenset(
    "h hr hrs hour hours std stunde stunden heure heures hora horas uur ore m min mins minute minutes minuten minuto"
    " minutos minuti s sec secs second seconds sek sekunde sekunden d day days tag tage tagen jour jours día días dia"
    " dias giorno giorni dag dagen w wk wks week weeks woche wochen semaine semaines semana semanas weken mon month"
    " months monat monate monaten mois mes meses mesi maand maanden y yr yrs year years j jahr jahre jahren an ans año"
    " años anno anni jaar lat rok uhr kg g mg µg ug t lb lbs oz st mm cm dm km in inch inches ft feet mi m² m2 ha l ml"
    " dl cl % ‰ pct percent prozent ° °c °f mmhg bpm mmol/l mg/dl g/l kcal kj kw kwh km/h mph mb gb ' \" ′ ″"
    " € $ £ ¥ ₺ ₽ zł kč kr fr euro euros eur usd gbp chf pln czk huf sek nok dkk ron bgn jpy cny inr aud cad brl try"
    " uah rub ft mio mrd mln".split()
)
_CURRENCY = (
    r"(?:\p{Sc}|(?i:eur|usd|gbp|chf|pln|czk|huf|sek|nok|dkk|ron|bgn|jpy|cny|inr|aud|cad|brl|try|uah|rub|kr|fr|us\$)\.?)"
)
_AMOUNT = rf"^(?:{_CURRENCY} ?{_NUMBER}|\({_CURRENCY}? ?{_NUMBER}\)|{_NUMBER} ?{_WORD}(?: ?{_NUMBER} ?{_WORD})*)$"
_TIME = r"(?i)^(?:[01]?[0-9]|2[0-4])[:.h][0-5][0-9](?:[:.][0-5][0-9](?:[.,][0-9]+)?)?(?: ?(?:[ap]\.?m\.?|uhr|h)|z)?$"
_CLOCK = r"(?i):|[0-9]h[0-9]|m\.?$|uhr$|h$"  # else it is a number with a point
_SPAN = r"^P(?:[0-9.,]+[YMWD])*(?:T(?:[0-9.,]+[HMS])+)?$|^[0-9]{1,4}:[0-5][0-9]:[0-5][0-9]$|^[0-9]+ days?,? [0-9:.]+$"
_MONTHS = (
    "january february march april may june july august september october november december jan feb mar apr jun jul aug"
    " sep sept oct nov dec januar jänner februar februar märz maerz mai juni juli oktober dezember mär mrz okt dez"
    " janvier février mars avril juin juillet août septembre octobre novembre décembre janv févr avr juil déc enero"
    " febrero marzo abril mayo junio julio agosto septiembre setiembre octubre noviembre diciembre ene abr ago dic"
    " gennaio febbraio aprile maggio giugno luglio settembre ottobre dicembre gen mag giu lug set ott januari februari"
    " maart mei augustus mrt januari februari augusti maj janeiro fevereiro março maio junho julho setembro outubro"
    " novembro dezembro styczeń luty marzec kwiecień czerwiec lipiec sierpień wrzesień październik listopad grudzień"
    " styczen wrzesien pazdziernik stycznia lutego marca kwietnia maja czerwca lipca sierpnia września października"
    " listopada grudnia"
)
_NAMES = "|".join(sorted(set(_MONTHS.split()), key=len, reverse=True))
_MONTH = rf"(?i)^(?:{_NAMES})\.?$"
_OF_YEAR = (
    rf"(?i)^(?:(?:{_NAMES})\.?[ /.-]?[0-9]{{2,4}}|[0-9]{{4}}[ /.-]?(?:{_NAMES})\.?|(?:0?[1-9]|1[0-2])[/.-][0-9]{{4}}"
    r"|[0-9]{4}[/-](?:0[1-9]|1[0-2])|[0-9]{4}[ -/]?(?:Q|KW|W)[0-9]{1,2}|Q[1-4][ /-][0-9]{4})$"
)
_DAY = rf"(?i)^[0-9]{{1,2}}(?:\.|er|º|st|nd|rd|th)?[ .-]?(?:de )?(?:{_NAMES})\.?,?[ .-](?:de )?[0-9]{{4}}$"
_WEEKDAYS = (
    "monday tuesday wednesday thursday friday saturday sunday mon tue tues wed thu thur fri sat sun montag dienstag"
    " mittwoch donnerstag freitag samstag sonnabend sonntag lundi mardi mercredi jeudi vendredi"
    " samedi dimanche lunes martes miércoles jueves viernes sábado domingo lunedì martedì mercoledì giovedì venerdì"
    " sabato domenica maandag dinsdag woensdag donderdag vrijdag zaterdag zondag"
)
_WEEKDAY = rf"(?i)^(?:{'|'.join(_WEEKDAYS.split())})\.?$"

# A minus sign behind, or a typographic one; groups as in India; digits of other scripts. Usual numbers are beside them.
_OTHER_NUMBER = (
    rf"^(?:{_NUMBER}[-\x{{2212}}]|[\x{{2212}}\x{{2013}}] ?{_NUMBER}"
    r"|[-+]?[0-9]{1,2}(?:,[0-9]{2})+,[0-9]{3}(?:\.[0-9]+)?|[-+]?[0-9]*[^\P{Nd}0-9]\p{Nd}*(?:[.,\x{66b}\x{66c}]\p{Nd}+)*)$"
)

MONTHS = "months or quarters of a year"
#: What they are called, and the pattern of each, the surest first.
_KINDS = (
    ("times of day", _TIME),
    ("spans of time", _SPAN),
    ("dates with names of months", _DAY),
    (MONTHS, _OF_YEAR),
    ("names of months", _MONTH),
    ("names of weekdays", _WEEKDAY),
)
AMOUNTS = "numbers with units"
OTHER_NUMBERS = "numbers with other signs, groups or digits"
ORDERED = (AMOUNTS, OTHER_NUMBERS, *(name for name, _ in _KINDS))
_REMEMBERED = 1000  # units
_SAMPLE = 1000  # texts, none of which is of a kind: then the column is not looked at


class Amounts:
    """How many values of a column are of each of these kinds; units are kept, values are not."""

    def __init__(self) -> None:
        self._kinds: Counter[str] = Counter()
        self._units: Counter[str] = Counter()
        self._begun = False
        self._other_numbers = self._usual_numbers = 0

    def add(self, distinct: Any, counts: Any) -> None:
        """Look at distinct texts, without blanks around them, and how often each is there."""
        if not self._begun:
            self._begun = len(distinct) > 0
            self._look_at(distinct.slice(0, _SAMPLE), counts.slice(0, _SAMPLE))
            distinct, counts = distinct.slice(_SAMPLE), counts.slice(_SAMPLE)
        if self._units or self._other_numbers or any(self._kinds.values()):
            self._look_at(distinct, counts)

    def _look_at(self, distinct: Any, counts: Any) -> None:
        self._usual_numbers += pc.sum(counts.filter(pc.match_substring_regex(distinct, f"^{_NUMBER}$"))).as_py() or 0
        self._other_numbers += pc.sum(counts.filter(pc.match_substring_regex(distinct, _OTHER_NUMBER))).as_py() or 0
        more = pc.invert(pc.match_substring_regex(distinct, "^[-+]?[0-9]+$"))
        distinct, counts = distinct.filter(more), counts.filter(more)
        if not len(distinct):
            return
        for name, pattern in _KINDS:
            fits = pc.match_substring_regex(distinct, pattern)
            if name == "times of day":
                fits = pc.and_(fits, pc.match_substring_regex(distinct, _CLOCK))
            self._kinds[name] += pc.sum(counts.filter(fits)).as_py() or 0
        fits = pc.match_substring_regex(distinct, _AMOUNT)
        units = pc.replace_substring_regex(distinct.filter(fits), _NUMBER, " ")
        for unit, count in zip(units.to_pylist(), counts.filter(fits).to_pylist(), strict=True):
            if unit in self._units or len(self._units) < _REMEMBERED:
                self._units[unit] += count

    def candidates(self) -> list[tuple[int, str]]:
        """How many values are of a kind, and what it is called."""
        most = max(self._units.values(), default=0)
        known = sum(count for unit, count in self._units.items() if _is_known(unit))
        numbers = self._other_numbers and self._other_numbers + self._usual_numbers
        kinds = ((self._kinds[name], name) for name, _ in _KINDS)
        return [(max(most, known), AMOUNTS), (numbers, OTHER_NUMBERS), *kinds]


def _is_known(unit: str) -> bool:
    words = re.sub(r"[()\s]+|\.$", " ", unit).lower().split()
    return "(" in unit or all(word.rstrip(".") in _UNITS or word in _UNITS for word in words)
