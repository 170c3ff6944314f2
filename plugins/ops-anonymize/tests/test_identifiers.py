"""Which columns look like direct identifiers, and which only remind of them."""

from __future__ import annotations

import uuid

import pandas as pd
import pytest

from pamola_ops_anonymize.identifier_rule import quasi_reason, reason_by_name, reason_by_values
from pamola_ops_anonymize.identifiers import DIRECT, QUASI, ByNamesAndValues, likely_roles


@pytest.mark.parametrize(
    "column",
    [
        "name", "Name", "first_name", "lastName", "Full Name", "surname", "customer_name", "patientName", "maiden name",
        "email", "e-mail", "E_Mail_Address", "emailAddress", "work_email", "phone",
        "mobile", "home_phone", "phone 2", "phone2", "ssn", "SSN", "social_security", "passport", "iban",
        "customer_id", "CustomerID", "patient_id", "id", "ID", "user_id", "username", "user name", "account_number",
        "credit_card", "credit card number", "policy_no", "tax_id", "national_id", "ip", "ip_address", "mac_address",
        "street", "home_address", "address", "uuid", "mrn", "device_id", "license_plate",
        "E-Mail (work)", "PHONE [home]", "Name (full)",
    ],
)  # fmt: skip
def test_names_that_say_who_somebody_is_are_noticed(column: str) -> None:
    assert reason_by_name(column)


@pytest.mark.parametrize(
    "column",
    [
        "age", "sex", "race", "education", "native-country", "occupation", "salary-class", "income", "zipcode", "city",
        "product_name", "country_name", "country_id", "category_id", "idle", "identity_theft_victim", "paid", "width",
        "telegraph", "namesake", "marital-status", "number_of_children", "phone_calls", "email_opt_in", "house_type",
        "birth_date", "credit_score", "account_type", "key_figure", "streetcar", "mobility", "description", "valid",
        "visits (by day)", "Country (name)", "price {id}",
    ],
)  # fmt: skip
def test_names_that_only_remind_of_it_are_not(column: str) -> None:
    assert reason_by_name(column) is None


@pytest.mark.parametrize(
    ("values", "what"),
    [
        (["a@x.org", "b.c@y.co.uk", "d@z.de"], "e-mail"),
        (["+49 30 1234567", "(212) 555-0101", "212-555-0199"], "telephone"),
        (["078-05-1120", "219-09-9999", "457-55-5462"], "social security"),
        ([str(uuid.UUID(int=i)) for i in range(3)], "UUID"),
        (["10.0.0.1", "192.168.1.254"], "network"),
        (["GB82 WEST 1234 5698 7654 32", "DE89370400440532013000"], "IBAN"),
        (["4111 1111 1111 1111", "5500005555555559"], "card"),
        (["https://example.org/a", "http://example.org/b"], "link"),
    ],
)
def test_values_written_like_identifiers_are_noticed_whatever_the_column_is_called(
    values: list[str], what: str
) -> None:
    reason = reason_by_values("x", pd.Series(values * 10))
    assert reason is not None
    assert what in reason
    assert not any(value in reason for value in values), "a reason holds no value of the data"


@pytest.mark.parametrize(
    "values",
    [
        ["2020-01-02", "1999-12-31"], ["01.02.2020", "31.12.1999"], ["12345-6789", "10001-0001"], ["02139", "10001"],
        ["1234.56", "99.5"], ["10-20", "20-30"], ["Never-married", "Divorced"], ["<=50K", ">50K"], ["1", "2"],
    ],
)  # fmt: skip
def test_dates_zip_codes_ranges_and_categories_are_not(values: list[str]) -> None:
    assert reason_by_values("x", pd.Series(values * 20)) is None


def test_a_column_is_noticed_for_being_unique() -> None:
    text = pd.Series([f"K{i * 7919 % 1000:04d}" for i in range(100)])
    assert "nearly every value occurs once" in str(reason_by_values("code", text))
    assert "count through the rows" in str(reason_by_values("nr_", pd.Series(range(1000, 1100))))
    assert "7 digits" in str(reason_by_values("x", pd.Series([1_000_000 + i * 37_813 for i in range(100)])))
    assert reason_by_values("code", text.head(10)) is None, "too few rows to judge"


def test_measurements_and_amounts_are_not_noticed_for_being_unique() -> None:
    assert reason_by_values("weight", pd.Series([50 + i / 7 for i in range(100)])) is None
    assert reason_by_values("income", pd.Series([9_000 + i * i * 31 for i in range(100)])) is None


def test_an_id_of_something_else_is_noticed_only_where_it_is_mostly_unique() -> None:
    assert reason_by_values("order_id", pd.Series([i * i * 31 for i in range(60)])) is not None
    assert reason_by_values("country_id", pd.Series([i % 5 for i in range(60)])) is None


@pytest.mark.parametrize(
    "column", ["AGE (years)", "age2", "Height_cm", "BirthDate", "ZIPCode", "marital-status", "DOB [ISO]", "HomeCity"]
)
def test_names_of_what_others_know_of_a_person_are_noticed(column: str) -> None:
    assert quasi_reason(column, pd.Series([1.5]))
    assert ByNamesAndValues().role(column, pd.Series([1.5])) == (QUASI, quasi_reason(column, pd.Series([1.5])))


@pytest.mark.parametrize("column", ["visits", "income", "average", "manager", "textile", "latest", "raced", "passage"])
def test_names_that_only_contain_such_a_word_are_not(column: str) -> None:
    assert quasi_reason(column, pd.Series([1.5])) is None


def test_dates_of_every_kind_are_noticed_as_quasi_identifiers_and_never_as_direct_ones() -> None:
    days = pd.Series(pd.date_range("2020-01-01", periods=60))
    texts = days.dt.strftime("%Y-%m-%d")
    kinds = [days, days.dt.tz_localize("UTC"), days.dt.date, texts, texts.astype("category"), texts + " 10:30:00"]
    for values in kinds:
        role, reason = ByNamesAndValues().role("x", values) or ("", "")
        assert (role, "it holds dates" in reason) == (QUASI, True), values.dtype
    for values in (days.dt.year, pd.Series([[1], [2]]), pd.Series([], dtype=object), pd.Series([None, None])):
        assert quasi_reason("x", values) is None


def test_columns_of_categories_are_looked_at_by_their_values() -> None:
    mails = pd.Series([f"p{i}@example.org" for i in range(30)], dtype="category")
    assert "e-mail" in str(reason_by_values("x", mails))


def test_lists_among_texts_and_columns_of_one_name_are_judged() -> None:
    mixed = pd.Series([["a"], *(f"p{i}@example.org" for i in range(30))])
    assert "e-mail" in str(reason_by_values("x", mixed))
    frame = pd.concat([pd.DataFrame({"x": [1.5] * 31}), mixed.rename("x")], axis=1)
    assert list(likely_roles(frame, ["x"], ByNamesAndValues())[DIRECT]) == ["x"]


def test_no_column_of_adult_looks_like_a_direct_identifier(adult: pd.DataFrame) -> None:
    assert likely_roles(adult, adult.columns, ByNamesAndValues())[DIRECT] == {}
