"""What is said of an error holds no cell: its words are shown as far as they stand in the code that raised it."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from kernel_kit import Steps, kernel_of

from pamola_tasks import Operation, OperationResult
from pamola_tasks.errors import DataError
from pamola_tasks.protocols import RunOptions
from pamola_tasks_redaction import plugin as redaction
from pamola_tasks_redaction.disclosure import REMARK, Disclosure

CELL = "".join(["Zaphod", "ine"])  # stands as a literal nowhere below
CELLS = [CELL]
PREPARED = "the vault is closed"


def raised(act: Callable[[], Any]) -> BaseException:
    try:
        act()
    except BaseException as error:
        return error
    raise AssertionError("nothing was raised")


def own(text: str) -> None:
    raise ValueError(text)


def formatted(value: str) -> None:
    raise ValueError(f"no such mode: {value!r} (mode must be one of three)")


def percent(value: str) -> None:
    raise ValueError("value %s is not allowed in %r" % (value, "age"))  # noqa: UP031


def chained(value: str) -> None:
    try:
        float(value)
    except ValueError as error:
        raise DataError(f"column age cannot be used: {error}") from error


def test_a_message_that_stands_in_the_code_is_shown_as_it_is() -> None:
    def literal() -> None:
        raise ValueError("the table has no rows")

    def named() -> None:
        raise ValueError(PREPARED)

    assert Disclosure().message(raised(literal)) == "the table has no rows"
    assert Disclosure().message(raised(named)) == "the vault is closed"
    assert Disclosure().message(ValueError("made and never raised")) == "made and never raised"
    assert Disclosure().message(ValueError()) == "ValueError"
    assert Disclosure().message(KeyError("age")) == "KeyError: 'age'"


@pytest.mark.parametrize(
    ("act", "shown"),
    [
        (lambda: formatted(CELL), f"ValueError: no such mode: '***' (mode must be one of three) {REMARK}"),
        (lambda: percent(CELL), f"ValueError: value *** is not allowed in 'age' {REMARK}"),
        (lambda: float(CELL), f"ValueError: could not convert string to float: '***' {REMARK}"),
        (lambda: int(CELL), f"ValueError: invalid literal for int() with base 10: '***' {REMARK}"),
    ],
)
def test_what_is_put_into_a_message_is_hidden(act: Callable[[], Any], shown: str) -> None:
    error = raised(act)
    assert Disclosure(names=["age"]).message(error) == shown
    assert CELL not in Disclosure().trace(error)
    assert Disclosure(everything=True).message(error) == str(error)
    assert CELL in Disclosure(everything=True).trace(error)


def pandas_cases() -> dict[str, Callable[[], Any]]:
    pandas = pytest.importorskip("pandas")
    numpy = pytest.importorskip("numpy")
    arrow = pytest.importorskip("pyarrow")
    frame = pandas.DataFrame({"name": CELLS * 2, "age": ["1", "2"]})
    return {
        "astype": lambda: frame["name"].astype(float),
        "to_numeric": lambda: pandas.to_numeric(frame["name"]),
        "to_datetime": lambda: pandas.to_datetime(frame["name"]),
        "with a format": lambda: pandas.to_datetime(frame["name"], format="%Y"),
        "map": lambda: frame["name"].map(lambda value: {"x": 1}[value]),
        "loc": lambda: frame.set_index("age").loc[CELL],
        "column": lambda: frame[CELL],
        "query": lambda: frame.query(f"age == {CELL}"),
        "numpy": lambda: numpy.array(CELLS).astype(float),
        "arrow": lambda: arrow.array([*CELLS, 1]),
        "cast": lambda: arrow.array(CELLS).cast(arrow.int64()),
        "index": lambda: CELLS.index(CELL + "x"),
        "encode": lambda: (CELL + "ö").encode("ascii"),
    }


@pytest.mark.filterwarnings("ignore:Could not infer format")
@pytest.mark.parametrize(
    "case",
    "astype,to_numeric,to_datetime,with a format,map,loc,column,query,numpy,arrow,cast,index,encode".split(","),
)
def test_libraries_that_quote_a_cell_do_not_get_it_through(case: str) -> None:
    error = raised(pandas_cases()[case])
    shown = Disclosure(names=["age"])
    assert CELL not in shown.message(error)
    code = [line for line in shown.trace(error).splitlines() if not line.startswith("    ")]
    assert CELL not in "\n".join(code)
    assert type(error).__name__ in shown.trace(error)


def test_names_that_everybody_knows_and_what_the_language_says_are_shown() -> None:
    assert Disclosure(names=["agee"]).message(raised(lambda: {}["ag" + "ee"])) == "KeyError: 'agee'"
    assert Disclosure().message(raised(lambda: "x" + 1)) == 'can only concatenate str (not "int") to str'  # type: ignore[operator]
    assert Disclosure().message(raised(lambda: Path("/nowhere/at/all").read_bytes())).endswith("'/nowhere/at/all'")
    assert Disclosure().message(raised(lambda: 1 / 0)) == "division by zero"


def test_an_error_of_ours_that_repeats_another_is_told_without_what_that_one_quotes() -> None:
    error = raised(lambda: chained(CELL))
    told = Disclosure().message(error)
    assert told.startswith("column age cannot be used: could not convert string to float")
    assert CELL not in told
    assert CELL not in Disclosure().trace(error)


def test_what_may_be_said_travels_with_an_error_to_another_process() -> None:
    error = raised(lambda: float(CELL))
    Disclosure().remember(error)
    there = raised(lambda: (_ for _ in ()).throw(pickle.loads(pickle.dumps(error))))
    assert Disclosure().message(there) == f"ValueError: could not convert string to float: '***' {REMARK}"


class Quotes(Operation):
    """Fails as libraries do, with a cell in the message."""

    def execute(self, ctx: Any) -> OperationResult:
        """Fail."""
        ctx.logger.info("begins")
        return OperationResult.success({"n": float(CELL)})


class Repeats(Operation):
    """Says what an exception said, as operations of the forerunner do."""

    def execute(self, ctx: Any) -> OperationResult:
        """Fail."""
        result = OperationResult()
        try:
            float(CELL)
        except ValueError as error:
            ctx.logger.exception("could not be done")
            result.status = type(result.status).ERROR
            result.error_message = f"cannot go on: {error}"
        return result


@pytest.mark.parametrize("operation", [Quotes, Repeats])
@pytest.mark.parametrize("show_data", [False, True])
def test_no_record_of_a_failed_step_holds_the_cell_unless_data_may_be_shown(operation: Any, show_data: bool) -> None:
    outcome = kernel_of(redaction).run(Steps(operation), options=RunOptions(show_data=show_data, console=False))
    record = outcome.record
    said = repr((record.error, record.errors, [step.error for step in record.steps]))
    results = "".join(f"{r.error_message}{r.error_trace}" for r in outcome.results.values())
    assert (CELL in said) is show_data
    assert (CELL in results) is show_data
    assert "could not convert string to float" in record.error["message"]


def test_a_number_that_does_not_fit_is_not_told_either() -> None:
    numpy = pytest.importorskip("numpy")
    cell = int("".join(["47", "1199"]))
    said = Disclosure().message(raised(lambda: numpy.int8(cell)))
    assert str(cell) not in said
    assert said.startswith("OverflowError: Python integer ***")
    assert Disclosure().message(raised(lambda: cell.to_bytes(1, "big"))) == "int too big to convert"


class Reader:
    """A service that a library fails in."""

    def frame(self, column: str) -> float:
        """Fail."""
        return float(f"{CELL} of {column}")


def test_phase_and_column_of_an_error_that_is_hidden_are_shown() -> None:
    reader = Reader()
    error = raised(lambda: reader.frame("age"))
    shown = Disclosure(columns=["age"], phases={"reading": reader}).message(error)
    assert shown.startswith("ValueError: could not convert string to float: ")
    assert shown.endswith(f"(while reading, column 'age') {REMARK}")
    assert CELL not in shown
    assert "column" not in Disclosure(columns=["years"], phases={"writing": object()}).message(error)
