"""Hierarchies: read, built, and refused with file, line and column where they are wrong."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from alone import done

from pamola_ops_anonymize import AnonymizeOperation
from pamola_ops_anonymize.domains import encode
from pamola_ops_anonymize.generalization import labelled
from pamola_ops_anonymize.hierarchies import Hierarchy, built_hierarchy, hierarchy_of_lines
from pamola_ops_anonymize.hierarchy_files import read_hierarchy
from pamola_tasks.errors import DataError, ParameterError

JOBS = b"nurse;health;*\nsurgeon;health;*\ncook;kitchen;*\nbaker;kitchen;*\n"


def hierarchy(content: bytes, values: list[object]) -> Hierarchy:
    domain, _ = encode(pd.Series(values, name="job"))
    return hierarchy_of_lines(read_hierarchy(content, "jobs.csv", "job"), domain, "jobs.csv")


def cells(made: Hierarchy, column: pd.Series, classes: list[int]) -> list[str | None]:
    _, codes = encode(column)
    count = max(classes) + 1
    found = labelled(made, codes, np.array(classes), count).cells(np.array(classes), column.index)
    return [None if pd.isna(cell) else cell for cell in found]


@pytest.mark.parametrize("delimiter", [b";", b",", b"\t", b"|"])
def test_the_delimiter_is_found_and_the_lowest_common_label_is_published(delimiter: bytes) -> None:
    column = pd.Series(["nurse", "surgeon", "cook", "nurse", "baker", "baker"], name="job")
    made = hierarchy(JOBS.replace(b";", delimiter), column.tolist())
    assert cells(made, column, [0, 0, 1, 1, 2, 2]) == ["health", "health", "*", "*", "baker", "baker"]


def test_loss_counts_the_values_of_the_column_and_beside_it_the_lines_of_the_file() -> None:
    made = hierarchy(JOBS, ["nurse", "surgeon"])
    assert made.loss[:, 0].tolist() == [0.0, 1.0, 1.0]
    assert made.file_loss[:, 0].tolist() == [0.0, pytest.approx(1 / 3), 1.0]


def test_a_last_level_of_several_labels_gets_a_star_above_it() -> None:
    made = hierarchy(b"a;x\nb;x\nc;y\n", ["a", "b", "c"])
    assert made.labels[-1] == ["*"]
    assert made.levels == 3


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"nurse;health;*\ncook;kitchen;*\n", "jobs.csv, line 3: the hierarchy of job ends here, and 1 of the 3"),
        (JOBS + b"cook;kitchen;*\n", "jobs.csv, line 5: the hierarchy of job has this value in line 3 already"),
        (
            b"nurse;health;a\nsurgeon;health;b\ncook;kitchen;b\n",
            "jobs.csv, line 2: the hierarchy of job is not monotone: field 2 is the same as in line 1",
        ),
        (
            b"nurse;health;*\nsurgeon;health\ncook;k;*\n",
            "jobs.csv, line 2: the hierarchy of job has 2 levels here and 3",
        ),
        (b"nurse\nsurgeon\ncook\n", "jobs.csv, line 1: the hierarchy of job has one field a line"),
        (b"", "jobs.csv: the hierarchy of job is empty"),
        (
            b"nurse;health;*\nsurgeon;;*\ncook;kitchen;*\n",
            "jobs.csv, line 2: the hierarchy of job has an empty label in field 2",
        ),
        (
            b"nurse;health;\nsurgeon;health;\ncook;kitchen;\n",
            "jobs.csv, line 1: the hierarchy of job has an empty label in field 3",
        ),
        (
            b"nurse;" + b"h" * 200_000 + b"\nsurgeon;health\ncook;kitchen\n",
            "jobs.csv: the hierarchy of job cannot be read: field larger than",
        ),
        (b"nurse;health\nsurg\xffeon;health\n", "jobs.csv, line 2: the hierarchy of job is not UTF-8"),
        (b'nurse;"health\nsurgeon;health\ncook;kitchen\n', "jobs.csv, line 1: the hierarchy of job has a quote here"),
        (b'nurse;health\nsurgeon;health\ncook;"kitchen', "jobs.csv, line 3: the hierarchy of job has a quote here"),
        (b'sep=;\nnurse;health\n"cook;kitchen', "jobs.csv, line 3: the hierarchy of job has a quote here"),
        (b"sep=;\n", "jobs.csv: the hierarchy of job is empty"),
    ],
)
def test_a_wrong_hierarchy_is_refused_with_file_line_and_column(content: bytes, message: str) -> None:
    with pytest.raises(DataError) as caught:
        hierarchy(content, ["nurse", "surgeon", "cook"])
    assert str(caught.value).startswith(message)
    assert "surgeon" not in str(caught.value), "no value of the data in an error"


@pytest.mark.parametrize(
    ("lines", "message"),
    [
        ([["nurse"], ["surgeon"]], "h, line 1: the hierarchy of job has one field a line"),
        ([["nurse", None], ["surgeon", "health"]], "h, line 1: the hierarchy of job has an empty label in field 2"),
        ([], "h: the hierarchy of job is empty"),
    ],
)
def test_a_wrong_hierarchy_in_memory_is_refused_too(lines: list[list[Any]], message: str, tmp_path: Path) -> None:
    people = pd.DataFrame({"job": ["nurse", "surgeon"] * 4})
    operation = AnonymizeOperation(
        input_dataset="people", k=2, quasi_identifiers=["job"], strategy="hierarchy", hierarchies={"job": "h"}
    )
    result = operation.run(data_source={"people": people, "h": pd.DataFrame(lines)}, task_dir=tmp_path)
    assert isinstance(result.exception, DataError)
    assert str(result.error_message).startswith(message)


def test_numbers_are_found_however_they_are_written() -> None:
    domain, codes = encode(pd.Series([1.0, 2.0, None, 10.0], name="age"))
    made = hierarchy_of_lines([["1", "low"], ["2.0", "low"], ["10", "high"]], domain, "f")
    assert made.groups[1][codes].tolist() == [0, 0, 2, 1]


def test_a_missing_value_stays_missing_alone_and_is_suppressed_among_others() -> None:
    column = pd.Series(["nurse", None, None, None, "surgeon", "nurse"], name="job")
    made = hierarchy(JOBS, column.tolist())
    assert cells(made, column, [0, 0, 1, 1, 2, 2]) == ["*", "*", None, None, "health", "health"]


@pytest.mark.parametrize("classes", [[0, 0, 1, 1], [1, 1, 0, 0]])
def test_no_label_stands_for_a_missing_value_though_the_topmost_one_has_a_name(classes: list[int]) -> None:
    column = pd.Series(["nurse", None, "nurse", "cook"], name="job")
    made = hierarchy(b"nurse;health;any\ncook;food;any\n", column.tolist())
    _, codes = encode(column)
    suppressed = classes[0]
    assert cells(made, column, classes) == ["*", "*", "any", "any"]
    assert made.loss_of(codes, np.array(classes), 2)[suppressed] == 1.0

    alone = pd.Series(["nurse", None, "nurse", "nurse"], name="job")
    made = hierarchy(b"nurse;any\n", alone.tolist())
    _, codes = encode(alone)
    assert cells(made, alone, classes) == ["*", "*", "nurse", "nurse"]
    assert made.loss_of(codes, np.array(classes), 2)[suppressed] == 1.0


def test_ranges_are_built_as_wide_as_stated_and_refused_where_they_do_not_nest() -> None:
    column = pd.Series([17, 18, 24, 41, 59], name="age")
    domain, _ = encode(column)
    made = built_hierarchy(domain, [5, 10, 20])
    assert made.labels[1] == ["[15,19]", "[20,24]", "[40,44]", "[55,59]"]
    assert cells(made, column, [0, 0, 1, 1, 2]) == ["[15,19]", "[15,19]", "*", "*", "59"]
    with pytest.raises(ParameterError, match="`ranges` of age: each width has to be a multiple of the one before"):
        built_hierarchy(domain, [5, 12])
    with pytest.raises(ParameterError, match="job has none"):
        built_hierarchy(encode(pd.Series(["a"], name="job"))[0], [5])


@pytest.mark.parametrize(
    "values",
    [
        [0.5, 0.75, 3.25, -8.125],
        list(range(100)),
        [5],
        [1e300, -1e300, 0.0],
        [float("inf"), 1.0],
        [0.1, 0.2, 0.30000000000000004, 0.7, 1.1],
        pd.to_datetime(["2019-12-31", "2020-01-01", "2020-01-31"]).tolist(),
        pd.to_datetime(["2019-12-31 10:00", "2019-12-31 11:00"]).tolist(),
        ["a", "b"],
        [None, None],
    ],
)
def test_built_hierarchies_are_monotone_and_end_in_one_group(values: list[object]) -> None:
    domain, _ = encode(pd.Series(values, name="x"))
    made = built_hierarchy(domain)
    for lower, upper in zip(made.groups, made.groups[1:], strict=False):
        assert len(set(zip(lower.tolist(), upper.tolist(), strict=True))) == len(set(lower.tolist()))
    assert len(set(made.groups[-1].tolist())) == 1


@pytest.mark.parametrize(
    "values",
    [
        [n / 10 for n in range(41)],
        [n / 100 for n in range(-50, 50, 3)],
        [1_600_000_000 + n / 1000 for n in range(20)],
        [1e16, 1e16 + 2, 1e16 + 4],
        [5e-324, 0.0],
        [1e-310, 3e-310],
        [-7, 3, 12],
    ],
)
def test_every_built_range_holds_its_number_as_it_is_written(values: list[float]) -> None:
    domain, codes = encode(pd.Series(values, name="x"))
    made = built_hierarchy(domain)
    for groups, labels in zip(made.groups[1:-1], made.labels[1:-1], strict=True):
        for value, code in zip(values, codes, strict=True):
            label = labels[groups[code]]
            low, high = (float(bound) for bound in label[1:-1].split(","))
            assert low <= value <= high, (value, label)
            assert value < high or label.endswith("]"), (value, label)


def test_dates_become_month_year_and_decade() -> None:
    domain, _ = encode(pd.Series(pd.to_datetime(["2019-12-31", "2020-01-01", "2020-01-31"]), name="born"))
    made = built_hierarchy(domain)
    assert made.labels[1:] == [["2019-12", "2020-01"], ["2019", "2020"], ["[2010,2019]", "[2020,2029]"], ["*"]]


def test_dates_beyond_9999_are_written_like_others() -> None:
    dates = np.array(["12000-01-01", "12000-03-01", "2020-01-01"], dtype="datetime64[s]")
    domain, _ = encode(pd.Series(dates, name="until"))
    assert domain.texts([0, 1, 2]) == ["2020-01-01", "12000-01-01", "12000-03-01"]
    years, decades = built_hierarchy(domain).labels[2:4]
    assert (years, decades) == (["2020", "12000"], ["[2020,2029]", "[12000,12009]"])


def test_two_delimiters_that_do_as_well_are_refused() -> None:
    """Neither has more values of the column, nor more levels."""
    with pytest.raises(DataError, match=r"jobs.csv: ';' and ',' both divide every line .* put labels .* in quotes"):
        read_hierarchy(b"nurse;a,b\ncook;c,d\n", "jobs.csv", "job", lambda: {"x"})


def test_codes_that_are_one_number_are_named_as_such() -> None:
    domain, _ = encode(pd.Series([250.0, 251.0], name="dx"))
    with pytest.raises(DataError, match=r"in line 1 already: .* set data_types: \{dx: text\}"):
        hierarchy_of_lines([["250.0", "x"], ["250.00", "x"], ["251.0", "y"]], domain, "f")


@pytest.mark.parametrize("line", ["sep={}\n", '"sep={}"\r\n', "\ufeffsep={}\n", "SEP={}\n"])
@pytest.mark.parametrize("delimiter", [";", ",", "\t", "|", ":"])
def test_the_line_that_tells_excel_the_delimiter_is_left_out(delimiter: str, line: str) -> None:
    """It was a value with other levels than the others."""
    body = "nurse;health, old\ncook;'kitchen'\n".replace(";", delimiter).replace(
        ", ", " " if delimiter == "," else ", "
    )
    found = read_hierarchy((line.format(delimiter) + body).encode(), "jobs.csv", "job")
    assert [fields[0] for fields in found if fields] == ["nurse", "cook"]
    assert found[0] == []
    assert [len(fields) for fields in found[1:]] == [2, 2]


@pytest.mark.parametrize("strategy", ["mondrian", "hierarchy"])
def test_a_hierarchy_may_have_values_that_the_column_lacks(strategy: str, tmp_path: Path) -> None:
    """As files of countries have; also where a rare value is hidden in its class, and a label written for it."""
    jobs = ["nurse", "surgeon", "cook", "baker", "priest"]
    frame = pd.DataFrame({"job": [jobs[n % 2] for n in range(60)] + ["priest", "cook"], "age": [*range(62)]})
    surplus = [[f"job {n}", f"kind {n % 7}", "*"] for n in range(90)]
    lines = [[job, "health" if job in jobs[:2] else "other", "*"] for job in jobs]
    operation = AnonymizeOperation(
        input_dataset="people",
        quasi_identifiers=["job", "age"],
        k=5,
        strategy=strategy,
        output="ranges",
        hierarchies={"job": "jobs"},
    )
    done(operation, frame, tmp_path, jobs=pd.DataFrame([*surplus, *lines]))
