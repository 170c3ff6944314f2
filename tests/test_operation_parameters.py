"""Parameters of operations are checked when a step is added: strictly, all at once, in words."""

from __future__ import annotations

import enum
import json
import typing
from collections import OrderedDict
from pathlib import Path
from typing import Any, Literal, Optional

import attrs
import pytest

from pamola_tasks import Operation, Secret, reads, writes
from pamola_tasks.errors import ParameterError
from pamola_tasks.parameters import build, describe, fit, kind_of, unknown_name
from pamola_tasks_cli.json_schema import json_schema


class Method(enum.Enum):
    MEAN = "mean"
    MODE = "mode"


@attrs.frozen
class Range:
    """A nested section."""

    low: int
    high: int = 10


class Everything(Operation):
    """One parameter of each kind."""

    number: int
    share: float = 0.5
    label: str = "x"
    yes: bool = False
    fields: list[str] = attrs.Factory(list)
    pair: tuple[int, str] = (1, "a")
    unique: set[int] = attrs.Factory(set)
    weights: dict[str, float] = attrs.Factory(dict)
    method: Method = Method.MEAN
    mode: Literal["fast", "slow"] = "fast"
    limit: int | None = None
    either: int | str = 0
    where: Path = Path()
    password: Secret | None = None
    range: Range | None = None
    ranges: list[Range] = attrs.Factory(list)
    anything: Any = None
    several: typing.Sequence[int] = ()


def problems(**values: Any) -> tuple[str, ...]:
    with pytest.raises(ParameterError) as refused:
        build(Everything, values)
    assert refused.value.exit_code == 2
    return refused.value.problems


def test_mappings_and_lists_of_any_class_are_called_so() -> None:
    """Those of a configuration that nobody can change have classes of their own."""
    for value, said in ((OrderedDict(a=1), "a mapping"), (type("Own", (list,), {})(), "a list")):
        with pytest.raises(ValueError, match=f"expected a whole number, got {said}$"):
            fit(value, int)


def test_values_of_the_right_kind_are_taken_as_they_are() -> None:
    made = build(
        Everything,
        {
            "number": 3,
            "share": 1,
            "fields": ["a", "b"],
            "pair": [2, "b"],
            "unique": [1, 2, 1],
            "weights": {"a": 1},
            "method": "mode",
            "mode": "slow",
            "limit": None,
            "either": "text",
            "where": "a/b",
            "password": "hunter22",
            "range": {"low": 1},
            "ranges": [{"low": 1, "high": 2}],
            "anything": object,
            "several": (1, 2),
        },
    )
    assert made.share == 1.0
    assert isinstance(made.share, float)
    assert made.fields == ["a", "b"]
    assert made.pair == (2, "b")
    assert made.unique == {1, 2}
    assert made.weights == {"a": 1.0}
    assert made.method is Method.MODE
    assert made.where == Path("a/b")
    assert made.password == Secret("hunter22")
    assert made.range == Range(1)
    assert made.ranges == [Range(1, 2)]
    assert made.anything is object
    assert made.several == [1, 2]


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"number": "3"}, "number: expected a whole number, got text"),
        ({"number": 3.0}, "number: expected a whole number, got a number"),
        ({"number": True}, "number: expected a whole number, got true or false"),
        ({"number": None}, "number: expected a whole number, got nothing"),
        ({"share": "0.5"}, "share: expected a number, got text"),
        ({"share": True}, "share: expected a number, got true or false"),
        ({"label": 5}, "label: expected text, got a whole number"),
        ({"yes": "true"}, "yes: expected true or false, got text"),
        ({"yes": 1}, "yes: expected true or false, got a whole number"),
        ({"fields": "age"}, "fields: expected a list of text, got text"),
        ({"fields": ["a", 2]}, "fields[1]: expected text, got a whole number"),
        ({"pair": [1]}, "pair: expected 2 values, got 1"),
        ({"pair": [1, 2]}, "pair[1]: expected text, got a whole number"),
        ({"weights": ["a"]}, "weights: expected a mapping, got a list"),
        ({"weights": {"a": "heavy"}}, "weights.a: expected a number, got text"),
        ({"method": "median"}, "method: expected one of 'mean', 'mode', got text"),
        ({"mode": "medium"}, "mode: expected one of 'fast', 'slow', got text"),
        ({"limit": "none"}, "limit: expected a whole number, got text"),
        ({"either": 1.5}, "either: expected a whole number or text, got a number"),
        ({"where": 5}, "where: expected a path, got a whole number"),
        ({"several": 5}, "several: expected a list of whole number, got a whole number"),
        ({"password": 5}, "password: expected a secret, got a whole number"),
    ],
)
def test_a_value_of_another_kind_is_refused_with_name_and_kinds(values: dict[str, Any], problem: str) -> None:
    assert problems(**{"number": 1, **values}) == (f"Everything: {problem}",)


def test_a_nested_section_names_the_place_of_each_problem() -> None:
    [problem] = problems(number=1, ranges=[{"low": 1}, {"low": "x"}])
    assert problem == "Everything: ranges[1]: low: expected a whole number, got text"
    [problem] = problems(number=1, range={"low": 1, "hgih": 3})
    assert problem == "Everything: range: unknown parameter 'hgih': did you mean 'high'?"
    [problem] = problems(number=1, range={})
    assert problem == "Everything: range: the parameter 'low' (a whole number) is missing"
    [problem] = problems(number=1, range=[1, 2])
    assert problem == "Everything: range: expected a Range, got a list"
    assert build(Everything, {"number": 1, "range": Range(3)}).range == Range(3)


class Reader(Operation):
    """Reads a dataset under a name of its own."""

    dataset_name: str = reads()


def test_every_problem_is_told_at_once() -> None:
    found = problems(nmber=3, share="x", fields="y")
    assert found == (
        "Everything: unknown parameter 'nmber': did you mean 'number'?",
        "Everything: share: expected a number, got text",
        "Everything: fields: expected a list of text, got text",
    )


def test_what_is_missing_comes_first_unless_it_was_only_misspelt() -> None:
    assert problems(share="x") == (
        "Everything: the parameter 'number' (a whole number) is missing",
        "Everything: share: expected a number, got text",
    )


def test_another_word_for_the_dataset_gives_the_one_that_is_meant() -> None:
    with pytest.raises(ParameterError, match="unknown parameter 'input_dataset': did you mean 'dataset_name'"):
        build(Reader, {"input_dataset": "people"})


def test_a_value_is_never_part_of_a_message() -> None:
    texts = [*problems(number="4711-secret"), *problems(number=1, weights={"a": "4711-secret"})]
    assert not any("4711" in text for text in texts)


def test_a_check_of_the_operations_own_is_a_problem_of_the_step() -> None:
    class Positive(Operation):
        k: int = 2

        def __attrs_post_init__(self) -> None:
            if self.k < 2:
                raise ValueError("k has to be 2 or more")

    with pytest.raises(ParameterError, match="Positive: k has to be 2 or more"):
        build(Positive, {"k": 1})

    class Ours(Operation):
        k: int = 2

        def __attrs_post_init__(self) -> None:
            raise ParameterError(problems=("one", "two"))

    with pytest.raises(ParameterError) as refused:
        build(Ours, {})
    assert refused.value.problems == ("one", "two")


def test_a_class_that_nobody_knows_how_to_fill_takes_only_its_own_instances() -> None:
    class Odd:
        pass

    class Holds(Operation):
        thing: Odd

    odd = Odd()
    found = fit(odd, Odd)
    assert found is odd
    with pytest.raises(ValueError, match="expected a Odd, got text"):
        fit("odd", Odd)


def test_types_that_cannot_be_resolved_are_not_checked_rather_than_refused() -> None:
    class Unresolved(Operation):
        thing: NoSuchType  # type: ignore[name-defined]  # noqa: F821

        number: int = 0

    assert build(Unresolved, {"thing": 5}).thing == 5
    with pytest.raises(ParameterError, match="number: expected a whole number"):
        build(Unresolved, {"thing": 5, "number": "5"})


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (Any, "anything"),
        (int, "a whole number"),
        (list[str], "a list of text"),
        (list, "a list"),
        (tuple[int, str], "a list"),
        (tuple[int, ...], "a list of whole number"),
        (dict[str, int], "a mapping"),
        (Optional[float], "a number or nothing"),  # noqa: UP045
        (Literal["a", 2], "one of 'a', 2"),
        (Method, "one of 'mean', 'mode'"),
        (Range, "a Range"),
    ],
)
def test_types_are_described_in_words(kind: Any, words: str) -> None:
    assert describe(kind) == words


def test_values_are_described_by_kind() -> None:
    assert kind_of(True) == "true or false"
    assert kind_of(Secret("x")) == "a secret"
    assert kind_of(Range(1)) == "a Range"


def test_an_unknown_name_comes_with_the_one_meant_or_with_all() -> None:
    assert unknown_name("colum", ["column", "row"], "parameter") == "unknown parameter 'colum': did you mean 'column'?"
    assert unknown_name("zzz", ["column", "row"], "parameter") == "unknown parameter 'zzz': there are column, row"
    assert unknown_name("zzz", [], "parameter") == "unknown parameter 'zzz': there are none"
    assert unknown_name("zzz", map(str, range(20)), "x").endswith("11 …")


# ---------------------------------------------------------------- datasets


def test_names_of_datasets_are_resolved_from_templates_when_the_operation_is_made() -> None:
    class Mask(Operation):
        field: str
        input_dataset: str = reads()
        output_dataset: str = writes("{input}_{field}_masked")

    made = build(Mask, {"input_dataset": "customers", "field": "name"})
    assert made.output_dataset == "customers_name_masked"
    assert made.input_datasets() == ("customers",)
    assert made.output_datasets() == ("customers_name_masked",)
    assert build(Mask, {"input_dataset": "a", "field": "b", "output_dataset": "safe"}).output_dataset == "safe"


def test_lists_mappings_and_nothing_may_name_datasets_too() -> None:
    class Many(Operation):
        tables: list[str] = reads()
        lookup: str | None = reads(None)
        roles: dict[str, str] = reads(attrs.Factory(dict))
        output: str = writes("{input}_joined")
        rest: str | None = writes(None)

    made = build(Many, {"tables": ["a", "b", "a"], "roles": {"left": "c"}})
    assert made.input_datasets() == ("a", "b", "c")
    assert made.output_datasets() == ("a_joined",)
    assert build(Many, {"tables": []}).output == "_joined"


def test_a_template_with_input_needs_a_parameter_that_reads_before_it() -> None:
    with pytest.raises(TypeError, match=r"Wrong.output is named after \{input\}"):

        class Wrong(Operation):
            output: str = writes("{input}_x")
            input_dataset: str = reads()


@pytest.mark.parametrize("name", ["name", "description", "execute", "run", "version", "parameters"])
def test_a_parameter_must_not_take_the_name_of_something_every_operation_has(name: str) -> None:
    with pytest.raises(TypeError, match=f"Taken.{name}: every operation has '{name}' already"):
        type("Taken", (Operation,), {"__annotations__": {name: str}, name: "x"})


def test_a_template_names_only_parameters_that_stand_before_it() -> None:
    with pytest.raises(TypeError, match=r"Wrong.output is named after \{field\}, so the parameter 'field'"):

        class Wrong(Operation):
            output: str = writes("x_{field}")
            field: str = "a"


def test_an_operation_tells_its_name_description_and_parameters() -> None:
    class Described(Operation):
        """Does one thing.

        And more.
        """

        k: int = 5

    made = Described()
    assert (made.name, made.description, made.parameters()) == ("Described", "Does one thing.", {"k": 5})
    assert Operation().parameters() == {}
    assert Operation().input_datasets() == ()


def test_parameters_are_inherited_and_may_be_overridden() -> None:
    class Base(Operation):
        """Base."""

        k: int = 5

    class Special(Base):
        """Special."""

        k: int = 7
        m: int = 1

    assert Special().parameters() == {"k": 7, "m": 1}
    with pytest.raises(TypeError):
        Special(3)  # type: ignore[misc]


def test_parameters_can_be_changed_for_one_call_and_are_checked_again() -> None:
    from pamola_tasks_executor.single_operation import with_parameters

    made = build(Everything, {"number": 1})
    changed = with_parameters(made, {"number": 2})
    assert (made.number, changed.number) == (1, 2)
    assert with_parameters(made, {}) is made
    with pytest.raises(ParameterError, match="Everything has no parameter 'nmber'"):
        with_parameters(made, {"nmber": 2})
    with pytest.raises(ParameterError, match="expected a whole number"):
        with_parameters(made, {"number": "2"})


# ---------------------------------------------------------------- JSON Schema


def test_the_json_schema_of_an_operation_says_what_build_accepts() -> None:
    class Small(Operation):
        input_dataset: str = reads()
        output_dataset: str = writes("{input}_small")
        k: int = 5
        fields: list[str] = attrs.Factory(list)
        mode: Literal["a", "b"] = "a"

    assert json_schema(Small) == {
        "type": "object",
        "properties": {
            "input_dataset": {"type": "string"},
            "output_dataset": {"type": "string", "default": "{input}_small"},
            "k": {"type": "integer", "default": 5},
            "fields": {"type": "array", "items": {"type": "string"}},
            "mode": {"enum": ["a", "b"], "default": "a"},
        },
        "required": ["input_dataset"],
        "additionalProperties": False,
    }


def test_every_kind_of_parameter_has_a_schema() -> None:
    properties = json_schema(Everything)["properties"]
    assert properties["limit"]["anyOf"] == [{"type": "integer"}, {"type": "null"}]
    assert properties["method"]["enum"] == ["mean", "mode"]
    assert properties["weights"] == {"type": "object", "additionalProperties": {"type": "number"}}
    assert properties["pair"]["type"] == "array"
    assert properties["range"]["anyOf"][0]["properties"]["low"] == {"type": "integer"}
    assert properties["anything"]["default"] is None
    assert properties["method"]["default"] == "mean"
    assert properties["where"]["default"] == "."
    assert json.loads(json.dumps(properties)) == properties


def test_defaults_that_are_sections_are_json_too() -> None:
    class Sectioned(Operation):
        range: Range = Range(1)
        more: Any = ({"a": {1}},)

    properties = json_schema(Sectioned)["properties"]
    assert properties["range"]["default"] == {"low": 1, "high": 10}
    assert properties["more"]["default"] == [{"a": [1]}]
