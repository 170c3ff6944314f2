"""A table of patients who do not exist, drawn from a seeded generator.

Made to look like a hospital's admissions, so that profiling and anonymizing it shows what they would do to real data:
columns go together as they roughly do among people. It is not a source of medical facts.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Floats = NDArray[np.float64]

DIRECT_IDENTIFIERS = ("patient_id", "name", "email")
QUASI_IDENTIFIERS = ("age", "sex", "zip_code", "admission_date")
SENSITIVE_ATTRIBUTES = ("diagnosis", "income")
INSENSITIVE_ATTRIBUTES = ("systolic", "diastolic", "bmi", "insurance")

_FIRST_DAY = np.datetime64("2025-01-01")
_DAYS = 365


@cache
def _population() -> dict[str, Any]:
    """Names; districts of a made-up region; and for each diagnosis the weights of a multinomial logit: constant, age
    and age² in decades from 45, a woman, winter."""
    found: dict[str, Any] = json.loads(Path(__file__).with_name("patients.json").read_text(encoding="utf-8"))
    return found


def _of_district(fact: str, district: NDArray[np.int64]) -> NDArray[Any]:
    """A fact of each patient's district."""
    return np.array([one[fact] for one in _population()["districts"]])[district]


def patients(rows: int = 20_000, seed: int = 1) -> pd.DataFrame:
    """Draw a table of synthetic patients.

    Args:
        rows: How many, 1 or more.
        seed: The same seed gives the same table, with the same releases of numpy and pandas.

    Returns:
        One row per patient: `patient_id, name, email, age, sex, zip_code, admission_date, diagnosis, systolic,
        diastolic, bmi, insurance, income`; ages in years, pressures in mmHg, incomes of the household per year.
    """
    rng = np.random.default_rng(seed)
    woman = rng.random(rows) < 0.53
    shares = [district["share"] for district in _population()["districts"]]
    district = rng.choice(len(shares), rows, p=shares)
    age = _ages(rng, district)
    day = _days(rng, rows)
    winter = np.cos(2 * np.pi * (day - 15) / _DAYS)
    diagnosis = _diagnoses(rng, age, woman, winter)
    income = _incomes(rng, district, age)
    bmi = _bmi(rng, age, diagnosis)
    systolic, diastolic = _blood_pressure(rng, age, bmi, diagnosis)
    names, emails = _names(rng, woman)
    return pd.DataFrame(
        {
            "patient_id": [f"P{number:07d}" for number in 1_000_003 + rng.permutation(rows) * 7],
            "name": names,
            "email": emails,
            "age": age,
            "sex": np.where(woman, "female", "male"),
            "zip_code": _zip_codes(rng, district),
            "admission_date": (_FIRST_DAY + day.astype("timedelta64[D]")).astype(str),
            "diagnosis": np.array(list(_population()["diagnoses"]))[diagnosis],
            "systolic": systolic,
            "diastolic": diastolic,
            "bmi": bmi,
            "insurance": _insurance(rng, age, income),
            "income": income,
        }
    )


def _ages(rng: np.random.Generator, district: NDArray[np.int64]) -> NDArray[np.int64]:
    """Children, adults and the old, older on the whole where the district is."""
    mean = _of_district("mean_age", district)
    group = rng.choice(3, len(district), p=[0.14, 0.56, 0.30])
    people = len(district)
    drawn = np.choose(group, [rng.gamma(1.4, 5.0, people), rng.normal(mean, 13.0), rng.normal(mean + 28.0, 8.5)])
    return np.asarray(np.clip(np.rint(drawn), 0, 99), dtype=np.int64)


def _days(rng: np.random.Generator, rows: int) -> NDArray[np.int64]:
    """Days of the year: more admissions in winter, fewer at weekends."""
    days = np.arange(_DAYS)
    weekday = (days + 2) % 7  # the first day is a Wednesday
    weight = (1 + 0.25 * np.cos(2 * np.pi * (days - 15) / _DAYS)) * np.where(weekday >= 5, 0.6, 1.0)
    drawn: NDArray[np.int64] = rng.choice(_DAYS, rows, p=weight / weight.sum())
    return drawn


def _zip_codes(rng: np.random.Generator, district: NDArray[np.int64]) -> NDArray[np.int64]:
    """Within a district some zip codes hold many more people than others."""
    codes = np.zeros(len(district), dtype=np.int64)
    for number, facts in enumerate(_population()["districts"]):
        first, last = facts["zip_codes"]
        here = district == number
        weight = 1 / np.arange(1, last - first + 2)
        codes[here] = rng.choice(np.arange(first, last + 1), here.sum(), p=weight / weight.sum())
    return codes


def _diagnoses(
    rng: np.random.Generator, age: NDArray[np.int64], woman: NDArray[np.bool_], winter: Floats
) -> NDArray[np.intp]:
    """Positions among the diagnoses, drawn by the Gumbel-max trick (Gumbel 1954): one draw a patient from a softmax."""
    decades = (age - 45) / 10
    factors = np.stack([np.ones(len(age)), decades, decades**2, woman.astype(float), winter])
    logits = np.array(list(_population()["diagnoses"].values())) @ factors
    chosen: NDArray[np.intp] = np.argmax(logits + rng.gumbel(size=logits.shape), axis=0)
    return chosen


def _incomes(rng: np.random.Generator, district: NDArray[np.int64], age: NDArray[np.int64]) -> NDArray[np.int64]:
    """Log-normal round the district's median, lower for the very young and for pensioners, to the next hundred."""
    median = _of_district("median_income", district)
    career = np.where(age >= 66, 0.68, np.where((age >= 18) & (age < 26), 0.62, 1.0))
    hundreds = np.rint(rng.lognormal(np.log(median * career), 0.45) / 100)
    return np.asarray(hundreds * 100, dtype=np.int64)


def _bmi(rng: np.random.Generator, age: NDArray[np.int64], diagnosis: NDArray[np.intp]) -> Floats:
    """Rises until sixty, higher with diabetes and hypertension; children have a lower one."""
    middle = np.where(age < 18, 15.5 + 0.33 * age, 24.6 + 0.045 * np.clip(age - 18, 0, 45))
    middle = middle + 3.6 * _has(diagnosis, "Type 2 diabetes") + 1.5 * _has(diagnosis, "Hypertension")
    drawn = np.clip(rng.normal(middle, np.where(age < 18, 2.0, 3.9)), 11.0, 58.0)
    return np.asarray(drawn.round(1), dtype=np.float64)


def _blood_pressure(
    rng: np.random.Generator, age: NDArray[np.int64], bmi: Floats, diagnosis: NDArray[np.intp]
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Systolic pressure rises with age and weight; the diastolic follows it, less so in the old."""
    ill = _has(diagnosis, "Hypertension")
    systolic = 92 + 0.42 * age + 0.65 * (bmi - 15) + 17 * ill + rng.normal(0, 9.5, len(age))
    diastolic = 30 + 0.40 * systolic - 0.10 * np.clip(age - 55, 0, None) + 3 * ill + rng.normal(0, 5.5, len(age))
    systolic = np.clip(systolic, 75, 215)
    return np.rint(systolic).astype(np.int64), np.rint(np.clip(diastolic, 40, systolic - 15)).astype(np.int64)


def _insurance(rng: np.random.Generator, age: NDArray[np.int64], income: NDArray[np.int64]) -> NDArray[np.str_]:
    poor = 1 / (1 + np.exp((income - 31_000) / 7_000))
    drawn = rng.random(len(age))
    young = np.where(drawn < 0.75 * poor, "Medicaid", np.where(drawn < 0.93 - 0.1 * poor, "Private", "None"))
    return np.where(age >= 65, np.where(drawn < 0.88, "Medicare", "Private"), young)


def _names(rng: np.random.Generator, woman: NDArray[np.bool_]) -> tuple[list[str], list[str]]:
    """Names, and e-mail addresses under a domain that is reserved for examples (RFC 2606)."""
    women, men = (rng.choice(_population()[names].split(), len(woman)) for names in ("women", "men"))
    first = np.where(woman, women, men)
    family = rng.choice(_population()["families"].split(), len(woman))
    names = [f"{given} {inherited}" for given, inherited in zip(first, family, strict=True)]
    emails = [f"{name.lower().replace(' ', '.')}.{number}@example.org" for number, name in enumerate(names, 1)]
    return names, emails


def _has(diagnosis: NDArray[np.intp], name: str) -> Any:
    return diagnosis == list(_population()["diagnoses"]).index(name)
