"""Make a table like Adult of any number of rows, in pieces: the same bytes for the same seed.

    python benchmarks/large_tables.py ROWS FILE [--seed 17] [--profiles 30162] [--identified]

FILE ends in `.parquet` or `.csv`. Its nine columns are Adult's, drawn from tables of one column given others that were
counted in Adult (UCI, 30,162 complete records): profiles first, as many as Adult has records, then rows, which are
profiles with a tenth quasi-identifier, a region of 52. So 10 million rows have 1.1 million combinations, and 100
million hardly more; more `--profiles` make more. `--identified` adds an e-mail address, an income and a date of birth,
of which nearly all values differ. A table's first rows are those of a shorter one.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.csv as arrow_csv
import pyarrow.parquet as arrow_parquet

PIECE = 500_000  # rows
PROFILES = 30_162
_AS_NEEDED = arrow_csv.WriteOptions(quoting_style="needed")
SEXES, SALARIES = ("Female", "Male"), ("<=50K", ">50K")
RACES = ("White", "Black", "Asian-Pac-Islander", "Amer-Indian-Eskimo", "Other")
MARITAL = (
    *("Married-civ-spouse", "Never-married", "Divorced", "Separated", "Widowed", "Married-spouse-absent"),
    "Married-AF-spouse",
)
EDUCATION = (
    *("HS-grad", "Some-college", "Bachelors", "Masters", "Assoc-voc", "11th", "Assoc-acdm", "10th", "7th-8th"),
    *("Prof-school", "9th", "12th", "Doctorate", "5th-6th", "1st-4th", "Preschool"),
)
OCCUPATIONS = (
    *("Prof-specialty", "Craft-repair", "Exec-managerial", "Adm-clerical", "Sales", "Other-service"),
    *("Machine-op-inspct", "Transport-moving", "Handlers-cleaners", "Farming-fishing", "Tech-support"),
    *("Protective-serv", "Priv-house-serv", "Armed-Forces"),
)
WORK = ("Private", "Self-emp-not-inc", "Local-gov", "State-gov", "Self-emp-inc", "Federal-gov", "Without-pay")
COUNTRIES = (
    *("United-States", "Mexico", "Philippines", "Germany", "Puerto-Rico", "Canada", "India", "El-Salvador", "Cuba"),
    *("England", "Jamaica", "South", "Italy", "China", "Dominican-Republic", "Vietnam", "Guatemala", "Japan"),
    *("Poland", "Columbia", "Iran", "Taiwan", "Haiti", "Portugal", "Nicaragua", "Peru", "Greece", "Ecuador", "France"),
    *("Ireland", "Hong", "Cambodia", "Trinadad&Tobago", "Thailand", "Laos", "Yugoslavia"),
    *("Outlying-US(Guam-USVI-etc)", "Hungary", "Honduras", "Scotland", "Holand-Netherlands"),
)
REGIONS = tuple(f"region-{number:02d}" for number in range(52))
QUASI_IDENTIFIERS = (
    *("sex", "age", "race", "marital-status", "education", "native-country", "workclass", "occupation"),
    *("salary-class", "region"),
)

# Records of Adult in a thousand, in the order of the names above; a row each of what a column is given.
_OF_AGE = (
    "11 15 20 21 21 22 27 25 26 25 26 27 26 27 28 26 28 28 27 28 27 26 26 25 25 25 25 23 23 24 23 17 18 19 19 15 15"
)
_OF_OLDER = "13 13 11 11 11 11 9 9 7 6 6 5 4 4 3 3 2 2 1 2 1 1 1 1 .4 .4 .8 .5 .3 .2 .2 .1 .1 .1 1.2"
_OF_RACE = ("807 143 30 11 9", "885 70 29 9 7")  # women, men
_OF_MARITAL = (  # women and men under 25, 35, 50, 65 years and older
    *("43 901 26 19 1 9 2", "126 851 10 8 .3 5 .2", "170 553 185 61 7 22 2", "537 368 65 20 1 8 1"),
    *("204 230 413 84 44 23 1", "733 113 118 23 3 11 .3", "179 110 398 64 226 23 .2", "820 47 96 14 15 9 .2"),
    *("68 109 208 25 578 12 .1", "793 60 41 9 86 11 .1"),
)
_OF_EDUCATION = (  # by the same years
    "304 343 93 4 26 90 23 44 10 .3 16 33 .3 9 3 2",
    "339 207 205 40 52 26 41 23 12 14 13 10 8 8 4 1",
    "317 204 188 76 50 21 40 17 13 26 12 7 15 8 4 1",
    "346 177 141 75 34 26 24 37 38 23 21 10 23 14 9 2",
    "322 173 133 56 30 34 9 44 70 31 26 7 30 18 12 4",
)
_OF_OCCUPATION = (  # women and men without a diploma, with high school, an associate's and a higher degree
    *("19 29 25 97 167 382 152 9 34 15 8 5 58 .1", "13 241 29 25 60 148 120 126 131 91 4 10 2 .1"),
    *("48 27 99 330 143 202 61 13 21 7 31 9 11 .1", "35 239 102 70 114 81 90 94 69 49 23 33 .2 1"),
    *("195 21 128 300 85 127 20 7 7 4 92 8 6 .1", "96 235 126 69 119 55 53 42 30 43 82 51 1 .3"),
    *("472 8 205 135 85 40 7 1 2 1 37 6 2 .1", "369 43 274 52 141 19 10 12 9 17 34 19 .2 .2"),
)
_OF_WORK = (  # by occupation
    *("558 90 171 100 39 41 .2", "781 130 35 14 25 16 .2", "663 96 53 47 96 45 .2", "751 13 76 67 8 85 1"),
    *("808 105 2 3 78 4 .2", "830 54 59 38 8 11 .3", "957 18 6 7 5 7 1", "793 75 73 26 17 15 1"),
    *("930 11 34 7 1 16 1", "455 435 29 15 52 8 6", "793 29 42 61 3 72 .1", "289 9 472 180 8 42 .1"),
    *("999 1 0 0 0 0 0", "1 0 0 0 0 999 0"),
)
_OF_COUNTRY = (  # by race
    "934 22 .4 5 3 4 .3 4 3 3 .1 .3 3 .1 1 .1 2 1 2 2 1 .1 .1 1 1 1 1 1 1 1 .1 .1 .1 .1 .1 1 .3 1 .3 .4 .1",
    "933 1 .3 2 3 .3 1 .3 1 2 26 .3 .1 0 4 .1 .2 1 0 .3 0 0 15 .1 1 .1 0 .1 .2 .1 0 0 5 .1 0 0 2 0 .5 0 0",
    "305 1 199 2 1 1 95 0 0 1 .3 76 .1 74 1 69 0 41 1 0 7 45 1 1 0 .3 1 0 .5 1 18 20 2 17 19 0 1 0 0 0 0",
    "948 28 3 3 3 0 0 0 0 0 0 7 0 0 0 0 0 0 0 3 0 0 0 0 0 0 0 0 0 0 3 0 0 0 0 0 0 0 0 0 0",
    "489 165 .5 4 87 4 22 17 9 1 4 0 0 .5 78 0 17 4 0 26 9 0 .5 0 17 4 0 39 0 0 0 0 4 0 0 0 1 0 1 0 0",
)
_OF_SALARY = (  # above 50,000: by degree, without and with a spouse, by the same years
    *("4 13 29 44 29", "48 59 147 156 83", "4 23 57 81 60", "68 250 418 451 275"),
    *("10 54 96 110 105", "56 342 540 569 263", "18 126 281 359 220", "184 634 775 759 617"),
)
_LOW, _MIDDLE, _ASSOCIATE = (5, 7, 8, 10, 11, 13, 14, 15), (0, 1), (4, 6)  # places in EDUCATION


def _numbers(*rows: str) -> Any:
    return np.array([[float(number) for number in row.split()] for row in rows])


def _drawn(rng: np.random.Generator, table: Any, given: Any) -> Any:
    """A place in each record's row of the table, by its weights."""
    limits = np.cumsum(table, axis=1) / table.sum(axis=1, keepdims=True)
    return (rng.random(len(given))[:, None] > limits[given]).sum(axis=1).clip(max=table.shape[1] - 1)


def profiles(count: int, seed: int) -> dict[str, Any]:
    """Records without a region: for each column the code of each record, and what the codes mean."""
    rng = np.random.default_rng([seed, 0])
    one = np.zeros(count, dtype=np.int64)
    sex = (rng.random(count) < 0.676).astype(np.int64)
    age = _drawn(rng, _numbers(f"{_OF_AGE} {_OF_OLDER}"), one)
    years = np.searchsorted([25, 35, 50, 65], age + 17, side="right")
    race = _drawn(rng, _numbers(*_OF_RACE), sex)
    marital = _drawn(rng, _numbers(*_OF_MARITAL), 2 * years + sex)
    education = _drawn(rng, _numbers(*_OF_EDUCATION), years)
    degree = np.full(len(EDUCATION), 3)
    degree[[*_LOW]], degree[[*_MIDDLE]], degree[[*_ASSOCIATE]] = 0, 1, 2
    occupation = _drawn(rng, _numbers(*_OF_OCCUPATION), 2 * degree[education] + sex)
    work = _drawn(rng, _numbers(*_OF_WORK), occupation)
    country = _drawn(rng, _numbers(*_OF_COUNTRY), race)
    rich = _numbers(*_OF_SALARY)[2 * degree[education] + (marital == 0), years] / 1000
    salary = (rng.random(count) < rich).astype(np.int64)
    return {
        "sex": (sex, SEXES),
        "age": (age, np.arange(17, 17 + len(f"{_OF_AGE} {_OF_OLDER}".split()))),
        "race": (race, RACES),
        "marital-status": (marital, MARITAL),
        "education": (education, EDUCATION),
        "native-country": (country, COUNTRIES),
        "workclass": (work, WORK),
        "occupation": (occupation, OCCUPATIONS),
        "salary-class": (salary, SALARIES),
    }


def pieces(rows: int, seed: int = 17, *, count: int = PROFILES, identified: bool = False) -> Iterator[pa.Table]:
    """The table in pieces, which hold the same rows however many follow.

    Args:
        rows: Of the table.
        seed: Of its values.
        count: Of profiles, of which each row has one.
        identified: Whether people are named: `email`, `income`, `born` stand before the quasi-identifiers.
    """
    made = profiles(count, seed)
    weights = 1 / (np.arange(len(REGIONS)) + 40.0)
    for number, start in enumerate(range(0, rows, PIECE)):
        rng = np.random.default_rng([seed, 1, number])
        profile = rng.integers(0, count, PIECE)
        region = np.searchsorted(np.cumsum(weights) / weights.sum(), rng.random(PIECE)).clip(max=len(REGIONS) - 1)
        columns = {name: pa.array(values).take(pa.array(codes[profile])) for name, (codes, values) in made.items()}
        columns["region"] = pa.array(REGIONS).take(pa.array(region))
        if identified:
            columns = {**_identifying(rng, start), **columns}
        yield pa.table(columns).slice(0, rows - start)


def _identifying(rng: np.random.Generator, start: int) -> dict[str, Any]:
    """Columns of which nearly all values differ; one address in eight comes again within its piece."""
    person = start + np.where(rng.random(PIECE) < 0.125, rng.integers(0, PIECE, PIECE), np.arange(PIECE))
    born = np.datetime64("1930-01-01") + rng.integers(0, 28_000, PIECE)
    return {
        "email": pa.array([f"p{number}@example.org" for number in person.tolist()]),
        "income": pa.array(np.round(rng.lognormal(10, 0.8, PIECE), 2)),
        "born": pa.array(born),
    }


def write(rows: int, path: Path, seed: int = 17, *, count: int = PROFILES, identified: bool = False) -> None:
    """Write the table to a file, as Parquet (a row group for each piece) or CSV by its extension."""
    writer: Any = None
    with ExitStack() as open_:
        for piece in pieces(rows, seed, count=count, identified=identified):
            if writer is None and path.suffix == ".csv":
                writer = open_.enter_context(arrow_csv.CSVWriter(path, piece.schema, write_options=_AS_NEEDED))
            elif writer is None:
                writer = open_.enter_context(arrow_parquet.ParquetWriter(path, piece.schema))
            writer.write_table(piece)


def main() -> None:
    """Write the file, and say what it took."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("rows", type=int)
    parser.add_argument("file", type=Path)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--profiles", type=int, default=PROFILES)
    parser.add_argument("--identified", action="store_true", help="with columns that name people")
    arguments = parser.parse_args()
    if arguments.file.suffix not in (".csv", ".parquet"):
        sys.exit(f"{arguments.file}: the file's name has to end in .csv or .parquet")
    started = time.perf_counter()
    write(arguments.rows, arguments.file, arguments.seed, count=arguments.profiles, identified=arguments.identified)
    size = arguments.file.stat().st_size / 1e6
    print(f"{arguments.rows:,} rows, {size:,.0f} MB in {time.perf_counter() - started:.1f} s: {arguments.file}")


if __name__ == "__main__":
    main()
