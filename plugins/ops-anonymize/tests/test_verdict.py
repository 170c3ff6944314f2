"""The verdict on a release: what manifest, report, history and summary say of whether it may go out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from pamola_ops_anonymize import AnonymizeOperation
from pamola_tasks import BaseTask, Kernel, Operation, OperationResult, reads, writes
from pamola_tasks.errors import ParameterError

ROWS = 400
STATED = {"sensitive_attributes": ["illness"], "insensitive_attributes": ["room"]}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A project with a table whose `education` looks knowable, and `room` like nothing."""
    (tmp_path / ".pamola.toml").touch()
    (tmp_path / "DATA/raw").mkdir(parents=True)
    draw = np.random.default_rng(3)
    people = pd.DataFrame(
        {
            "age": draw.integers(18, 80, ROWS),
            "sex": draw.choice(["f", "m"], ROWS),
            "education": draw.integers(0, 17, ROWS),
            "illness": draw.choice(["flu", "gout", "none"], ROWS),
            "room": draw.choice([101, 102], ROWS),
        }
    )
    people.to_csv(tmp_path / "DATA/raw/people.csv", index=False)
    return tmp_path


def released(place: Path, *more: tuple[Any, dict[str, Any]], outputs: list[str] | None = None, **settings: Any) -> Any:
    """The report of a task that anonymizes the table."""

    class Release(BaseTask):
        def configure_operations(self) -> None:
            given = {"k": 4, "quasi_identifiers": ["age", "sex"], "output_dataset": "safe", **settings}
            self.add_operation("AnonymizeOperation", input_dataset="people", **given)
            for operation, parameters in more:
                self.add_operation(operation, **parameters)

    task = Release("rel", "anonymization", input_datasets={"people": "DATA/raw/people.csv"})
    task.kernel = Kernel(place)
    task.run(args={} if outputs is None else {"outputs": outputs})
    return json.loads((place / "DATA/reports/rel_report.json").read_text())


def recount(place: Path, columns: list[str]) -> tuple[int, int]:
    """k and the number of unique records on these columns of the release, by pandas."""
    table = pd.read_csv(place / "DATA/processed/rel/output/safe.csv", dtype=str, keep_default_na=False)
    sizes = table.groupby(columns).size()
    return int(sizes.min()), int((sizes == 1).sum())


def manifest(place: Path) -> dict[str, Any]:
    return json.loads((place / "DATA/processed/rel/manifest.json").read_text())


def test_a_column_that_looks_knowable_is_measured_and_asked_about(place):
    """Nothing is said of `education`: the verdict has both figures, and so have manifest and history."""
    report = released(place, **STATED)
    k, unique = recount(place, ["age", "sex", "education"])
    assert unique > 0
    verdict = report["verdict"]
    assert verdict["verdict"] == "met with open questions"
    assert verdict["datasets"]["safe"]["knowable"] == {
        "columns": ["age", "sex", "education"],
        "k": k,
        "unique": unique,
        "unique_share": unique / ROWS,
    }
    assert f"; k = {k}, {round(100 * unique / ROWS)} % unique, on the 3 that look knowable" in verdict["sentence"]
    (question,) = verdict["open_questions"]
    assert question.startswith("May others know education of a person?")
    assert manifest(place)["verdict"] == "met with open questions"
    assert manifest(place)["open_questions"] == [question]
    history = Kernel(place).services(None, upto="history").history
    recorded = history.find_latest_execution("rel")
    assert (recorded["verdict"], recorded["verdict_sentence"]) == (verdict["verdict"], verdict["sentence"])


def test_every_column_has_a_role_stated_or_proposed(place):
    roles = {each["column"]: each for each in released(place, **STATED)["verdict"]["datasets"]["safe"]["roles"]}
    said = {name: (each["role"], each["said"], each["done"]) for name, each in roles.items()}
    assert said == {
        "age": ("quasi-identifier", "stated", "intervals and sets"),
        "sex": ("quasi-identifier", "stated", "unchanged"),
        "education": ("quasi-identifier", "proposed", "unchanged"),
        "illness": ("sensitive", "stated", "unchanged"),
        "room": ("insensitive", "stated", "unchanged"),
    }
    assert 0 < roles["age"]["loss"] < 1
    assert roles["education"]["reason"]


def test_on_unlisted_quasi_covers_what_looks_knowable(place):
    report = released(place, on_unlisted="quasi", l=2, method="l-diversity", **STATED)
    assert recount(place, ["age", "sex", "education"])[0] >= 4
    assert report["verdict"]["verdict"] == "met"
    assert report["verdict"]["sentence"].endswith("on 3 columns (age, sex, education), all that look knowable")
    assert manifest(place)["verdict"] == "met"


@pytest.mark.parametrize(
    ("settings", "question"),
    [
        (
            {"sensitive_attributes": ["illness", "education"]},
            "What is room? No role is stated",
        ),
        ({**STATED, "insensitive_attributes": ["room", "education"], "keep_order": True}, "May the order of the input"),
        ({**STATED, "insensitive_attributes": ["room", "education"], "k": 2}, "May illness of a known person follow"),
    ],
)
def test_what_is_not_stated_is_asked(place, settings, question):
    verdict = released(place, **settings)["verdict"]
    assert verdict["verdict"] == "met with open questions"
    assert any(text.startswith(question) for text in verdict["open_questions"])


def test_roles_that_a_program_proposed_are_asked_about_until_they_are_confirmed(place):
    """As `assess` drafts them; the release is the same when they are confirmed."""
    settings = {**STATED, "insensitive_attributes": ["room", "education"], "method": "l-diversity", "l": 2}
    drafted = released(place, unconfirmed=["age", "room"], **settings)
    assert drafted["verdict"]["verdict"] == "met with open questions"
    (question,) = drafted["verdict"]["open_questions"]
    assert question.startswith("Are the roles right that were proposed for age, room?")
    said = {each["column"]: each["said"] for each in drafted["verdict"]["datasets"]["safe"]["roles"]}
    assert said == {"age": "proposed", "sex": "stated", "education": "stated", "illness": "stated", "room": "proposed"}
    assert released(place, **settings)["verdict"]["verdict"] == "met"
    with pytest.raises(ParameterError, match="lists sexe, and no role is stated for it"):
        AnonymizeOperation(input_dataset="people", k=4, quasi_identifiers=["age", "sex"], unconfirmed=["sexe"])


def test_an_empty_release_is_not_met(place):
    report = released(place, k=ROWS + 1, **STATED)
    assert report["success"]
    assert (report["verdict"]["verdict"], manifest(place)["verdict"]) == ("not met", "not met")
    assert report["verdict"]["reasons"] == ["the release is empty"]


def test_a_failed_run_is_not_met(place):
    report = released(place, on_unlisted="fail", **STATED)
    assert not report["success"]
    assert report["verdict"]["reasons"] == ["the run did not succeed"]
    assert (report["verdict"]["verdict"], manifest(place)["verdict"]) == ("not met", "not met")


class Copy(Operation):
    """Copy a table."""

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_copy")

    def execute(self, ctx: Any) -> OperationResult:
        ctx.data.write(self.output_dataset, ctx.data.frame(self.input_dataset))
        return OperationResult.success()


def test_an_output_of_which_nothing_is_claimed_is_asked_about(place):
    """The original beside its release."""
    settings = {"insensitive_attributes": ["room", "education"], "sensitive_attributes": ["illness"], "l": 2}
    verdict = released(place, (Copy, {"input_dataset": "people"}), method="l-diversity", **settings)["verdict"]
    assert verdict["verdict"] == "met with open questions"
    assert verdict["open_questions"] == ["What is in people_copy? Step Copy claims nothing of it"]


def test_a_risk_that_was_measured_of_the_release_is_asked_about(place):
    """On one column more than the release covers; the same of the input asks nothing."""
    settings = {"insensitive_attributes": ["room", "education"], "sensitive_attributes": ["illness"], "l": 2}
    columns = ["age", "sex", "education"]
    risks = [("RiskOperation", {"input_dataset": name, "quasi_identifiers": columns}) for name in ("safe", "people")]
    verdict = released(place, *risks, method="l-diversity", outputs=["safe"], **settings)["verdict"]
    table = pd.read_csv(place / "DATA/processed/rel/output/safe.csv", dtype=str, keep_default_na=False)
    at_risk = int((table.groupby(columns)["room"].transform("size") < 5).sum())
    (question,) = verdict["open_questions"]
    assert question.startswith(f"May {at_risk} of {ROWS} records have a risk of re-identification above 20 %")
    assert question.endswith("on age, sex, education?")


@pytest.mark.parametrize("role", ["sensitive_attributes", "insensitive_attributes"])
def test_a_stated_role_hides_no_column_that_identifies_or_tells_a_quasi_identifier(place, role):
    """An e-mail address, and the year of birth beside the age: both are measured, and asked about."""
    people = pd.read_csv(place / "DATA/raw/people.csv")
    people["contact"] = [f"p{number}@example.org" for number in range(ROWS)]
    people["since"] = 2026 - people["age"]
    people.to_csv(place / "DATA/raw/people.csv", index=False)
    settings = {"sensitive_attributes": ["illness"], "insensitive_attributes": ["room", "education"]}
    settings[role] = [*settings[role], "contact", "since"]
    verdict = released(place, **settings)["verdict"]
    assert verdict["datasets"]["safe"]["knowable"]["unique"] == ROWS
    said = {name: [text for text in verdict["open_questions"] if text.startswith(f"May {name} be")] for name in people}
    assert "It looks like what identifies a person directly" in said["contact"][0]
    assert "others can compute what quasi-identifiers were" in said["since"][0]


@pytest.mark.parametrize("person", [None, "row"])
def test_a_person_id_that_is_published_is_counted_all_the_same(place, person):
    people = pd.read_csv(place / "DATA/raw/people.csv")
    people["customer_id"], people["row"] = [number // 8 for number in range(ROWS)], range(ROWS)
    people = people.sort_values("age")
    people["customer_id"] = [number // 8 for number in range(ROWS)]
    people.to_csv(place / "DATA/raw/people.csv", index=False)
    harmless = ["room", "education", "customer_id", *([] if person else ["row"])]
    more = {"person": person} if person else {}
    verdict = released(place, sensitive_attributes=["illness"], insensitive_attributes=harmless, **more)["verdict"]
    table = pd.read_csv(place / "DATA/processed/rel/output/safe.csv", dtype=str)
    least = int(table.groupby(["age", "sex"])["customer_id"].nunique().min())
    assert least < 4
    begin = "Is each row a person" if person else "Should k count persons"
    (question,) = [text for text in verdict["open_questions"] if text.startswith(begin)]
    assert f"by customer_id, the smallest class holds {least}" in question


def test_two_releases_of_one_run_may_be_joined(place):
    settings = {"insensitive_attributes": ["room", "education"], "sensitive_attributes": ["illness"], "l": 2}
    other = {"input_dataset": "people", "output_dataset": "other", "k": 4, "quasi_identifiers": ["age"], "l": 2}
    other |= {"method": "l-diversity", "sensitive_attributes": ["illness"], "register": False}
    other["insensitive_attributes"] = ["room", "education", "sex"]
    verdict = released(place, ("AnonymizeOperation", other), method="l-diversity", register=False, **settings)[
        "verdict"
    ]
    assert verdict["open_questions"] == [
        "May safe and other be joined? What follows from them together was not measured"
    ]


class Says(Operation):
    """Copy a table, and say something of it."""

    input_dataset: str = reads()
    output_dataset: str = writes("said")
    metrics: dict[str, Any]

    def execute(self, ctx: Any) -> OperationResult:
        ctx.data.write(self.output_dataset, ctx.data.frame(self.input_dataset))
        return OperationResult.success(self.metrics)


@pytest.mark.parametrize(
    ("metrics", "verdict"),
    [
        ({"open_questions": 3, "verdict": "PASS"}, "none claimed"),
        (
            {"open_questions": {"said": 7}, "verdict": {"dataset": ["said"], "verdict": "met", "sentence": ""}},
            "none claimed",
        ),
        ({"verdict": {"dataset": "said", "verdict": "PASS", "sentence": "fine"}}, "met with open questions"),
        (
            {"verdict": {"dataset": "said", "verdict": "met with open questions", "sentence": ""}},
            "met with open questions",
        ),
        (
            {"verdict": {"dataset": "said", "verdict": "met", "sentence": "", "reasons": "x"}, "open_questions": []},
            "met",
        ),
    ],
)
def test_what_other_operations_say_is_met_only_where_they_say_so(place, metrics, verdict):
    """Metrics of these names may be anything in operations that know nothing of verdicts."""

    class Say(BaseTask):
        def configure_operations(self) -> None:
            self.add_operation(Says, input_dataset="people", metrics=metrics)

    task = Say("rel", "x", input_datasets={"people": "DATA/raw/people.csv"})
    task.kernel = Kernel(place)
    assert task.run()
    assert manifest(place)["verdict"] == verdict
