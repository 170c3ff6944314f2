"""AnonymizeOperation through its public door: run alone on a frame, files looked at afterwards."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from release_check import faults, smallest_class, with_row_ids

from pamola_ops_anonymize import AnonymizeOperation
from pamola_tasks import Kernel
from pamola_tasks.errors import DataError, DataRefused, ParameterError
from pamola_tasks.record import OperationResult, OperationStatus
from pamola_tasks_compat import TaskRunner

QUASI = ["age", "zipcode", "gender"]


def people(rows: int = 400) -> pd.DataFrame:
    rng = np.random.default_rng(8)
    return pd.DataFrame(
        {
            "customer_id": range(1000, 1000 + rows),
            "contact": [f"p{i}@example.org" for i in range(rows)],
            "age": rng.integers(18, 90, rows),
            "zipcode": [f"{n:05d}" for n in rng.integers(10_000, 10_040, rows)],
            "gender": rng.choice(["f", "m"], rows),
            "income": rng.choice(["low", "middle", "high"], rows),
            "visits": rng.integers(0, 9, rows),
        }
    )


def run(frame: pd.DataFrame, folder: Path, **parameters: Any) -> OperationResult:
    settings = {"input_dataset": "people", "k": 5, "quasi_identifiers": QUASI, **parameters}
    return AnonymizeOperation(**settings).run(data_source={"people": frame}, task_dir=folder)


def output(folder: Path, name: str = "people_anonymized") -> pd.DataFrame:
    (path,) = (folder / "output").rglob(f"{name}.csv")
    return pd.read_csv(path, dtype=str, keep_default_na=False)


def succeeded(result: OperationResult) -> OperationResult:
    assert result.status is OperationStatus.SUCCESS, result.error_message
    return result


def test_cells_are_text_in_every_format_and_the_same(tmp_path: Path) -> None:
    """Categories in Parquet would be groups to older versions of pandas, those too that no record is in."""
    frame = people()
    frame.loc[:40, "zipcode"] = None
    found = {}
    for format in ("csv", "jsonl", "parquet"):
        succeeded(run(frame, tmp_path / format, output_format=format))
        (path,) = (tmp_path / format / "output").rglob(f"people_anonymized.{format}")
        if format == "parquet":
            found[format] = pd.read_parquet(path)
        else:
            found[format] = pd.read_csv(path, dtype=str) if format == "csv" else pd.read_json(path, lines=True)
    for name in QUASI:
        assert isinstance(found["parquet"][name].dtype, pd.StringDtype)
        cells = [found[format][name].astype(object).fillna("missing").map(str).tolist() for format in found]
        assert cells[0] == cells[1] == cells[2]


def test_the_released_file_reaches_k_and_the_report_says_what_it_cost(tmp_path: Path) -> None:
    frame = people()
    result = succeeded(
        run(
            frame, tmp_path, sensitive_attributes=["income"], direct_identifiers=["customer_id", "contact"], row_id=True
        )
    )

    released = output(tmp_path)
    assert list(released.columns) == ["age", "zipcode", "gender", "income", "visits"]
    assert smallest_class(released, QUASI) == result.metrics["k_measured"] >= 5
    assert faults(frame, with_row_ids(released, tmp_path)[QUASI], QUASI, 5) == []
    assert with_row_ids(released, tmp_path)["income"].tolist() == frame["income"].tolist()

    metrics = result.metrics
    assert (metrics["method"], metrics["k_claimed"], metrics["k_before"]) == ("k-anonymity", 5, 1)
    assert (metrics["rows_in"], metrics["rows_out"], metrics["rows_suppressed"]) == (400, 400, 0)
    assert 0 < metrics["information_loss"] < 1
    assert metrics["average_class_size"] == pytest.approx(400 / metrics["equivalence_classes"])
    groups = released.groupby(QUASI)
    assert metrics["discernibility"] == int((groups.size() ** 2).sum())
    assert metrics["l_diversity"]["income"]["l"] == groups["income"].nunique().min()
    assert "income" in metrics["l_diversity"]["income"]["meaning"]
    assert metrics["dropped_columns"] == ["customer_id", "contact"]
    assert metrics["unlisted_columns"] == ["visits"]
    assert metrics["likely_identifiers"] == {}

    (artifact,) = tmp_path.rglob("people_anonymized_anonymization.json")
    told = json.loads(artifact.read_bytes())
    assert told["schema"] == 1
    assert told["k_measured"] == metrics["k_measured"]
    assert told["settings"]["quasi_identifiers"] == QUASI


def test_columns_that_look_like_identifiers_are_kept_with_a_reason_on_request(tmp_path: Path) -> None:
    result = succeeded(run(people(), tmp_path, on_identifiers="warn"))
    assert set(result.metrics["likely_identifiers"]) == {"customer_id", "contact"}
    assert "e-mail" in result.metrics["likely_identifiers"]["contact"]
    assert result.metrics["unlisted_columns"] == ["customer_id", "contact", "income", "visits"]
    assert "contact" in output(tmp_path).columns


def test_columns_that_look_like_identifiers_are_dropped(tmp_path: Path) -> None:
    result = succeeded(run(people(), tmp_path))
    assert result.metrics["dropped_columns"] == ["customer_id", "contact"]
    assert list(output(tmp_path).columns) == ["age", "zipcode", "gender", "income", "visits"]


def test_columns_that_look_like_identifiers_can_make_the_step_fail(tmp_path: Path) -> None:
    result = run(people(), tmp_path, on_identifiers="fail")
    assert result.failed
    assert isinstance(result.exception, DataRefused)
    assert "customer_id (its name says that it holds an id)" in str(result.error_message)
    assert "example.org" not in str(result.error_message), "no value of the data in an error"
    assert list(tmp_path.rglob("people_anonymized.csv")) == []


def test_a_table_of_fewer_than_k_records_is_suppressed_whole_and_counted(tmp_path: Path) -> None:
    result = succeeded(run(people(4), tmp_path, on_identifiers="drop"))
    assert (result.metrics["rows_in"], result.metrics["rows_out"], result.metrics["rows_suppressed"]) == (4, 0, 4)
    assert result.metrics["k_measured"] is None
    assert result.metrics["information_loss"] == 1.0
    released = output(tmp_path)
    assert len(released) == 0
    assert list(released.columns) == ["age", "zipcode", "gender", "income", "visits"]


def test_row_id_is_the_number_of_the_record_in_the_input(tmp_path: Path) -> None:
    frame = people().set_index(pd.Index(range(5000, 5400)))
    succeeded(run(frame, tmp_path, row_id=True, on_identifiers="drop"))
    assert "row_id" not in output(tmp_path), "it is no part of what is released"
    released = with_row_ids(output(tmp_path), tmp_path)
    assert released["row_id"].tolist() == list(range(400))
    assert faults(frame.reset_index(drop=True), released[QUASI], QUASI, 5) == []


def test_the_output_may_have_a_name_and_a_format_of_its_own(tmp_path: Path) -> None:
    succeeded(run(people(), tmp_path, output_dataset="safe", output_format="parquet", on_identifiers="drop"))
    (path,) = (tmp_path / "output").rglob("safe.parquet")
    released = pd.read_parquet(path.open("rb"))
    assert all(pd.api.types.is_string_dtype(released[column].dtype) for column in QUASI)
    assert smallest_class(released, QUASI) >= 5


def test_the_input_frame_is_not_changed(tmp_path: Path) -> None:
    frame = people()
    before = frame.copy()
    succeeded(run(frame, tmp_path, on_identifiers="drop"))
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"quasi_identifiers": ["age", "postcode"]}, "people has no column postcode (named in `quasi_identifiers`)"),
        ({"sensitive_attributes": ["wage"]}, "people has no column wage (named in `sensitive_attributes`)"),
        ({"direct_identifiers": ["ssn"]}, "people has no column ssn (named in `direct_identifiers`)"),
    ],
)
def test_a_column_that_is_not_there_fails_the_step_by_name(
    parameters: dict[str, Any], message: str, tmp_path: Path
) -> None:
    result = run(people(), tmp_path, **parameters)
    assert isinstance(result.exception, DataError)
    assert message in str(result.error_message)


def test_an_empty_table_and_a_doubled_column_fail_the_step(tmp_path: Path) -> None:
    empty = run(people().head(0), tmp_path / "a")
    assert "people has no records" in str(empty.error_message)
    frame = people()
    doubled = pd.concat([frame, frame[["age"]]], axis=1)
    assert "more than one column" in str(run(doubled, tmp_path / "b").error_message)


@pytest.mark.parametrize(
    ("parameters", "message"),
    [
        ({"k": 1}, "`k` has to be a whole number of 2 or more"),
        ({"k": 2.5}, "`k` has to be a whole number of 2 or more"),
        ({"k": "5"}, "`k` has to be a whole number of 2 or more"),
        ({"k": True}, "`k` has to be a whole number of 2 or more"),
        (
            {"method": "k-map-ish"},
            "`method` has to be one of k-anonymity, l-diversity, t-closeness, k-map",
        ),
        ({"on_identifiers": "ignore"}, "`on_identifiers` has to be one of warn, drop, fail"),
        ({"strategy": "datafly"}, "`strategy` has to be one of mondrian, hierarchy, microaggregation"),
        ({"method": "l-diversity"}, "method l-diversity needs `l`"),
        ({"method": "t-closeness"}, "method t-closeness needs `t`"),
        ({"method": "k-map"}, "method k-map needs `population`"),
        ({"method": "delta-disclosure"}, "method delta-disclosure needs `delta`"),
        ({"population": "everybody"}, "`population` is for method k-map"),
        ({"l": 2}, "`l` protects sensitive attributes, and `sensitive_attributes` is empty"),
        ({"l": 2.5, "sensitive_attributes": ["income"]}, "`l` has to be a whole number"),
        ({"l": 0, "sensitive_attributes": ["income"]}, "`l` has to be a number, at least 1"),
        ({"t": 1.5, "sensitive_attributes": ["income"]}, "`t` has to be a number, at least 0, at most 1"),
        ({"delta": 0, "sensitive_attributes": ["income"]}, "`delta` has to be a number, above 0"),
        ({"l": float("inf"), "sensitive_attributes": ["income"]}, "`l` has to be a number, at least 1, not inf"),
        ({"delta": float("inf"), "sensitive_attributes": ["income"]}, "`delta` has to be a number, above 0, not inf"),
        ({"l": 2, "l_diversity": "recursive", "sensitive_attributes": ["income"]}, "needs `c`"),
        ({"l": 2, "c": 3, "sensitive_attributes": ["income"]}, "needs `c`, and nothing else has one"),
        ({"l_diversity": "entropy"}, "`l_diversity: entropy` needs `l`"),
        ({"suppression_limit": 0.1}, "`suppression_limit` is for strategy hierarchy"),
        ({"recoding": "full-domain"}, "`recoding` is for strategy hierarchy"),
        (
            {"suppression_limit": 0.1, "strategy": "hierarchy", "t": 0.2, "sensitive_attributes": ["income"]},
            "`suppression_limit` does not go with `t`",
        ),
        ({"suppressed_records": "hide"}, "`suppressed_records` has to be one of drop, keep"),
        ({"output": "stars"}, "`output` has to be one of ranges, labels, representative"),
        ({"weights": {"income": 2.0}}, "`weights` names income, which is not a quasi-identifier"),
        ({"weights": {"age": 0.0}}, "the weight of age has to be above 0"),
        ({"ranges": {"age": []}}, "`ranges` of age have to be numbers above 0"),
        ({"ranges": {"age": [5]}, "hierarchies": {"age": "ages"}}, "age has both a hierarchy and `ranges`"),
        ({"quasi_identifiers": []}, "`quasi_identifiers` is empty"),
        ({"quasi_identifiers": "age"}, "`quasi_identifiers` has to be a list of column names"),
        ({"quasi_identifiers": ["age", "age"]}, "`quasi_identifiers` names age twice"),
        ({"direct_identifiers": ["age"]}, "age is in both `quasi_identifiers` and `direct_identifiers`"),
        ({"sensitive_attributes": ["age"]}, "age is in both `quasi_identifiers` and `sensitive_attributes`"),
        (
            {"sensitive_attributes": ["s"], "direct_identifiers": ["s"]},
            "s is in both `sensitive_attributes` and `direct_identifiers`",
        ),
    ],
)
def test_a_wrong_parameter_is_told_when_the_step_is_added(parameters: dict[str, Any], message: str) -> None:
    with pytest.raises(ParameterError, match=message):
        AnonymizeOperation(**{"input_dataset": "people", "k": 5, "quasi_identifiers": QUASI, **parameters})


def test_the_output_is_named_after_the_input_unless_given() -> None:
    operation = AnonymizeOperation(input_dataset="people", k=5, quasi_identifiers=QUASI)
    assert operation.output_datasets() == ("people_anonymized",)
    assert operation.input_datasets() == ("people",)


def warnings_of(frame: pd.DataFrame, folder: Path, **parameters: Any) -> str:
    settings = {"input_dataset": "people", "k": 5, "quasi_identifiers": QUASI, **parameters}
    task = TaskRunner(
        "t_people",
        input_datasets={"people": "people.csv"},
        operation_configs=[{"operation": "AnonymizeOperation", "parameters": settings}],
    )
    folder.mkdir()
    (folder / ".pamola.toml").touch()
    outcome = Kernel.discover(project=folder).run(task, datasets={"people": frame})
    assert outcome.success, outcome.error
    return "\n".join([*outcome.record.warnings, *(line for step in outcome.record.steps for line in step.warnings)])


def test_a_run_warns_of_identifiers_that_are_kept_and_of_values_that_a_class_gives_away(tmp_path: Path) -> None:
    told = warnings_of(people(), tmp_path / "a", k=2, sensitive_attributes=["income"], on_identifiers="warn")
    assert "keeps columns that look like direct identifiers: customer_id (its name says that it holds an id)" in told
    assert "set `on_identifiers: drop`" in told
    assert "share a single income" in told
    assert "example.org" not in told

    dropped = ["customer_id", "contact"]
    quiet = warnings_of(people(), tmp_path / "b", k=60, sensitive_attributes=["income"], direct_identifiers=dropped)
    assert quiet == ""
    assert "all of them were suppressed" in warnings_of(people(4), tmp_path / "c", on_identifiers="drop")


def with_hierarchy(folder: Path, lines: str, frame: pd.DataFrame, **parameters: Any) -> Any:
    """Run a task whose auxiliary dataset is a hierarchy file in the project."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / ".pamola.toml").touch()
    (folder / "DATA").mkdir(exist_ok=True)
    (folder / "DATA" / "zip.csv").write_text(lines)
    frame.to_csv(folder / "DATA" / "people.csv", index=False)
    settings = {
        "input_dataset": "people",
        "k": 5,
        "quasi_identifiers": QUASI,
        "strategy": "hierarchy",
        "hierarchies": {"zipcode": "zips"},
        "on_identifiers": "drop",
        **parameters,
    }
    task = TaskRunner(
        "t_people",
        input_datasets={"people": "DATA/people.csv"},
        auxiliary_datasets={"zips": "DATA/zip.csv"},
        operation_configs=[{"operation": "AnonymizeOperation", "parameters": settings}],
    )
    return Kernel.discover(project=folder).run(task)


def zips() -> str:
    return "".join(f"{n};{n // 10}*;{n // 100}**\n" for n in range(10_000, 10_040))


def test_hierarchies_are_files_of_the_task_and_what_is_wrong_with_them_is_told_by_line(tmp_path: Path) -> None:
    outcome = with_hierarchy(tmp_path / "a", zips(), people())
    assert outcome.success, outcome.error
    (step,) = outcome.record.steps
    assert step.metrics["k_measured"] >= 5
    assert step.metrics["information_loss"] == step.metrics["ncp_hier"] > step.metrics["ncp_set"] > 0
    (path,) = (tmp_path / "a" / "DATA").rglob("people_anonymized.csv")
    released = pd.read_csv(path, dtype=str)
    assert set(released["zipcode"]) <= {
        "*",
        "100**",
        *(f"{n}*" for n in range(1000, 1004)),
        *map(str, range(10_000, 10_040)),
    }

    missing = with_hierarchy(tmp_path / "b", zips().replace("10007;1000*;100**\n", ""), people())
    assert not missing.success
    assert "DATA/zip.csv, line 40: the hierarchy of zipcode ends here, and 1 of the 40" in str(missing.error)
    assert "10007" not in str(missing.error)


@pytest.mark.parametrize("header", ["zipcode;level1;level2", "ZIPCODE;a;b", "PLZ;Level 1;Level 2", "leaf;one;two", ""])
@pytest.mark.parametrize("delimiter", [";", ","])
def test_the_header_of_a_hierarchy_is_no_value(tmp_path: Path, header: str, delimiter: str) -> None:
    content = (f"{header}\n" if header else "") + zips()
    outcome = with_hierarchy(tmp_path / "a", content.replace(";", delimiter), people())
    (step,) = outcome.record.steps
    (without,) = with_hierarchy(tmp_path / "b", zips(), people()).record.steps
    assert step.metrics["ncp_hier"] == without.metrics["ncp_hier"]
    told = [warning for warning in step.warnings if "is its header, and was left out" in warning]
    assert len(told) == (header != "")
    assert all("DATA/zip.csv: line 1 of the hierarchy of zipcode" in warning for warning in told)


@pytest.mark.parametrize(("delimiter", "other"), [(",", ";"), (";", ","), ("\t", ";"), ("|", ",")])
def test_labels_that_hold_another_delimiter_divide_nothing(tmp_path: Path, delimiter: str, other: str) -> None:
    content = "".join(f"{n}{delimiter}{n // 10}*{other}x\n" for n in range(10_000, 10_040))
    outcome = with_hierarchy(tmp_path, content, people())
    assert outcome.success, outcome.error


def test_blanks_before_values_are_named_where_a_hierarchy_does_not_match(tmp_path: Path) -> None:
    frame = people()
    frame["zipcode"] = " " + frame["zipcode"].astype(str)
    outcome = with_hierarchy(tmp_path, zips(), frame)
    assert "40 of them have one but for blanks around the value: set data: {trim: true}" in str(outcome.error)


def test_a_changed_hierarchy_makes_the_step_run_again(tmp_path: Path) -> None:
    first = with_hierarchy(tmp_path, zips(), people())
    wide = "".join(f"{n};*\n" for n in range(10_000, 10_040))
    second = with_hierarchy(tmp_path, wide, people())
    assert first.record.steps[0].metrics["ncp_hier"] != second.record.steps[0].metrics["ncp_hier"]


def test_k_alone_reports_l_and_t_of_sensitive_attributes_too(tmp_path: Path) -> None:
    result = succeeded(run(people(), tmp_path, k=2, sensitive_attributes=["income", "visits"]))
    told = result.metrics["sensitive"]
    assert set(told) == {"income", "visits"}
    assert told["income"]["l_distinct"] == result.metrics["l_diversity"]["income"]["l"] == 1
    assert 0 < told["income"]["t"] <= 1
    assert told["income"]["t_distance"] == "categorical"
    assert told["visits"]["t_distance"] == "ordered"
    assert "t = " in told["income"]["meaning"]


@pytest.mark.parametrize("strategy", ["mondrian", "hierarchy", "microaggregation", "suppression"])
def test_models_bind_in_a_run(tmp_path: Path, strategy: str) -> None:
    frame = people()
    result = succeeded(
        run(frame, tmp_path, method="t-closeness", strategy=strategy, t=0.25, l=2, sensitive_attributes=["income"])
    )
    assert result.metrics["sensitive"]["income"]["t"] == result.metrics["t_measured"] <= 0.25
    assert (result.metrics["t_claimed"], result.metrics["l_claimed"]) == (0.25, 2)
    assert result.metrics["l_measured"] == result.metrics["sensitive"]["income"]["l_distinct"]
    assert result.metrics["sensitive"]["income"]["l_distinct"] >= 2
    released = output(tmp_path)
    shares = released.groupby(QUASI)["income"].value_counts(normalize=True).unstack(fill_value=0)
    whole = released["income"].value_counts(normalize=True)
    assert (shares - whole[shares.columns]).abs().sum(axis=1).max() / 2 == pytest.approx(
        result.metrics["sensitive"]["income"]["t"]
    )


def test_k_map_counts_in_another_dataset(tmp_path: Path) -> None:
    everybody = people(2000)
    operation = AnonymizeOperation(
        input_dataset="people", method="k-map", k=10, population="everybody", quasi_identifiers=QUASI
    )
    sources = {"people": everybody.head(100), "everybody": everybody}
    result = succeeded(operation.run(data_source=sources, task_dir=tmp_path))
    assert result.metrics["k_measured"] >= 10
    assert smallest_class(output(tmp_path), QUASI) < 10


def test_records_with_nulls_are_left_out_where_that_is_asked(tmp_path: Path) -> None:
    frame = people()
    frame.loc[:9, "gender"] = None
    result = succeeded(run(frame, tmp_path, nulls="suppress", on_identifiers="drop"))
    assert result.metrics["rows_suppressed_for_nulls"] == result.metrics["rows_suppressed"] == 10
    assert "" not in set(output(tmp_path)["gender"])


def test_suppressed_records_are_kept_with_stars_where_together_they_meet_what_is_asked(tmp_path: Path) -> None:
    frame = people()
    frame.loc[:9, "gender"] = None
    kept = succeeded(
        run(frame, tmp_path / "a", nulls="suppress", suppressed_records="keep", on_identifiers="drop", k=5, row_id=True)
    )
    told = kept.metrics
    assert (told["rows_out"], told["rows_suppressed"], told["rows_suppressed_kept"]) == (400, 10, 10)
    released = with_row_ids(output(tmp_path / "a"), tmp_path / "a")
    assert (released.loc[:9, QUASI] == "*").all(axis=None)
    assert (released.loc[10:, "gender"] != "*").all()
    assert released["income"].astype(str).tolist() == frame["income"].astype(str).tolist()
    assert smallest_class(released, QUASI) == told["k_measured"] >= 5

    few = succeeded(
        run(frame, tmp_path / "b", nulls="suppress", suppressed_records="keep", on_identifiers="drop", k=11)
    )
    assert (few.metrics["rows_out"], few.metrics["rows_suppressed_kept"]) == (390, 0)
    assert smallest_class(output(tmp_path / "b"), QUASI) >= 11


def test_suppressed_records_that_would_give_their_sensitive_value_away_are_left_out(tmp_path: Path) -> None:
    frame = people()
    frame.loc[:9, "gender"] = None
    frame.loc[:9, "income"] = "same"
    how: dict[str, Any] = {"nulls": "suppress", "suppressed_records": "keep", "on_identifiers": "drop"}
    result = succeeded(run(frame, tmp_path, **how, method="l-diversity", l=2, sensitive_attributes=["income"]))
    assert (result.metrics["rows_out"], result.metrics["rows_suppressed_kept"]) == (390, 0)
