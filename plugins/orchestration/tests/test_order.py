"""The order of tasks: behind what they need, the same every time, with the path in every complaint."""

from __future__ import annotations

import re
from collections.abc import Mapping
from graphlib import TopologicalSorter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pamola_tasks.errors import TaskCycleError, UnknownTaskError
from pamola_tasks_orchestration.graph import Drawing, in_dot, in_mermaid
from pamola_tasks_orchestration.task_graph import TaskNode, in_order


def graph_of(needs: Mapping[str, Mapping[str, tuple[str, ...]] | list[str]]) -> dict[str, TaskNode]:
    """Nodes from `{task: [tasks that it names]}` or `{task: {task: (datasets,)}}`."""
    return {
        name: TaskNode(task_id=name, needs=dict(others) if isinstance(others, Mapping) else dict.fromkeys(others, ()))
        for name, others in needs.items()
    }


def test_what_is_needed_comes_first_in_the_order_in_which_it_is_named() -> None:
    nodes = graph_of({"last": ["b", "a"], "a": ["c"], "b": [], "c": []})
    assert list(in_order(["last"], nodes.get)) == ["b", "c", "a", "last"]


def test_tasks_that_need_nothing_of_each_other_keep_the_order_given() -> None:
    nodes = graph_of({"z": [], "y": [], "x": ["y"]})
    assert list(in_order(["z", "x", "y", "z"], nodes.get)) == ["z", "y", "x"]


def test_needs_outside_of_what_was_asked_for_are_not_followed() -> None:
    nodes = graph_of({"a": [], "b": ["a"], "c": ["b"]})
    assert list(in_order(["c", "a"], nodes.get, within={"a", "c"})) == ["c", "a"]


def test_a_circle_is_refused_with_its_path_and_what_makes_each_link() -> None:
    nodes = graph_of({"start": ["a"], "a": {"b": ("safe", "raw")}, "b": ["a"]})
    with pytest.raises(TaskCycleError) as caught:
        in_order(["start"], nodes.get)
    assert str(caught.value) == (
        "tasks need each other in a circle: a → b → a (a reads safe, raw of b; b names as a dependency a)"
    )


def test_a_task_that_needs_itself_is_a_circle() -> None:
    with pytest.raises(TaskCycleError, match="a → a"):
        in_order(["a"], graph_of({"a": ["a"]}).get)


@pytest.mark.parametrize(
    ("needs", "why"), [(["x"], "which b depends on"), ({"x": ("safe",)}, "which should write safe for b")]
)
def test_a_task_that_is_missing_is_named_with_the_path_to_it_and_why_it_is_needed(needs, why) -> None:
    nodes = graph_of({"a": ["b"], "b": needs})
    with pytest.raises(UnknownTaskError, match=re.escape(f"a → b → x: there is no task 'x', {why}")):
        in_order(["a"], nodes.get)


def test_a_chain_of_ten_thousand_tasks_has_an_order() -> None:
    nodes = graph_of({f"t{n}": [f"t{n + 1}"] if n < 9_999 else [] for n in range(10_000)})
    assert list(in_order(["t0"], nodes.get)) == [f"t{n}" for n in reversed(range(10_000))]


@given(st.lists(st.lists(st.integers(0, 11), max_size=4, unique=True), min_size=12, max_size=12), st.randoms())
def test_every_graph_has_an_order_that_respects_all_needs_or_a_circle_that_is_one(needs, random) -> None:
    graph = {f"t{n}": [f"t{other}" for other in others] for n, others in enumerate(needs)}
    nodes = graph_of(graph)
    wanted = list(graph)
    random.shuffle(wanted)
    try:
        order = list(in_order(wanted, nodes.get))
    except TaskCycleError as error:
        circle = error.details["tasks"]
        assert all(after in graph[name] for name, after in zip(circle, [*circle[1:], circle[0]], strict=True))
        return
    list(TopologicalSorter(graph).static_order())  # raises where there is a circle
    assert sorted(order) == sorted(graph)
    assert all(order.index(other) < order.index(name) for name, others in graph.items() for other in others)
    assert order == list(in_order(wanted, nodes.get))


# ---------------------------------------------------------------- drawings

HOSTILE = '"]; x --> y %% <b>&amp;</b> `#35;` \\ {end}\n|'


def test_names_cannot_break_out_of_a_mermaid_label() -> None:
    shown = in_mermaid(HOSTILE)
    assert re.fullmatch(r"(?:[\w .,/()+=@-]|#\d+;)*", shown)
    assert re.sub(r"#(\d+);", lambda found: chr(int(found[1])), shown) == HOSTILE.replace("\n", " ")


def test_names_cannot_break_out_of_a_graphviz_string() -> None:
    shown = in_dot(HOSTILE)
    assert re.fullmatch(r'"(?:[^"\\\n]|\\\\|\\")*"', shown)
    read = re.sub(r"\\(.)", r"\1", shown[1:-1]).replace("&amp;", "&")
    assert read == HOSTILE.replace("\n", " ")


def test_a_drawing_names_its_nodes_itself() -> None:
    drawing = Drawing("end")
    drawing.arrows.append((drawing.node("end", "task", "end"), drawing.node("a b", "task", "größe"), 'x"y'))
    assert drawing.mermaid().split("\n") == [
        "flowchart LR",
        '    n0["end"]',
        '    n1["größe"]',
        '    n0 -->|"x#34;y"| n1',
    ]
    assert '    n0 -> n1 [label="x\\"y"];' in drawing.dot().split("\n")
