"""What files may hold, and how mistakes in them are told: defects B2, B6, B7, B8."""

from __future__ import annotations

from typing import Any

import pytest
from counted_work import calls, grows_evenly
from fuzzing import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from pamola_tasks.errors import ConfigurationError, ValidationError
from pamola_tasks_config.documents import parse


def values(text: str | bytes, name: str = "x.yaml") -> Any:
    document = parse(text.encode() if isinstance(text, str) else text, name)
    assert document.problems == []
    return document.root.plain()


def problems(text: str | bytes, name: str = "x.yaml") -> list[str]:
    try:
        document = parse(text.encode() if isinstance(text, str) else text, name)
    except ValidationError as error:
        return list(error.problems)
    return [problem.text for problem in document.problems]


def test_yaml_scalars_are_those_of_yaml_1_2() -> None:
    text = "a: NO\nb: yes\nc: 0o17\nd: 0x1F\ne: 017\nf: 1_000\ng: 12:30\nh: ~\n"
    text += "i: 1e3\nj: 'x'\nk: true\nl: 2026-01-01\nm: .5\n"
    assert values(text) == {
        "a": "NO",
        "b": "yes",
        "c": 15,
        "d": 31,
        "e": 17,
        "f": "1_000",
        "g": "12:30",
        "h": None,
        "i": 1000.0,
        "j": "x",
        "k": True,
        "l": "2026-01-01",
        "m": 0.5,
    }


def test_the_three_formats_say_the_same() -> None:
    expected = {"a": 1, "b": {"c": [1.5, "x", True], "d": {}}, "e": [{"f": "ü"}, {"f": "2"}]}
    assert values('a: 1\nb:\n  c: [1.5, x, true]\n  d: {}\ne:\n- f: ü\n- {f: "2"}\n') == expected
    assert (
        values('{"a": 1, "b": {"c": [1.5, "x", true], "d": {}}, "e": [{"f": "\\u00fc"}, {"f": "2"}]}', "x.json")
        == expected
    )
    assert values('a = 1\n[b]\nc = [1.5, "x", true]\nd = {}\n[[e]]\nf = "ü"\n[[e]]\nf = \'2\'\n', "x.toml") == expected


def test_a_byte_order_mark_is_dropped_once() -> None:
    assert values(b"\xef\xbb\xbfa: 1\n") == {"a": 1}
    assert "second byte order mark" in problems(b"\xef\xbb\xbf\xef\xbb\xbfa: 1\n")[0]


def test_anchors_and_merge_keys_work_within_the_limits() -> None:
    assert values("a: &x {b: 1, c: 2}\nd:\n  <<: *x\n  c: 3\n") == {"a": {"b": 1, "c": 2}, "d": {"b": 1, "c": 3}}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("x.yaml", "a: 1\nb: [1, 2\nc: 3\n", "x.yaml:3:2: not YAML"),
        ("x.yaml", "a: 1\nb:\n  a: 1\n  c: 2\n  a: 3\n", "x.yaml:5:3: a: the key is defined twice (first in line 3)"),
        ("x.json", '{"a": 1,\n "b": 2,\n "a": 3}', "x.json:3:2: a: the key is defined twice (first in line 1)"),
        ("x.toml", "a = 1\na = 2\n", "x.toml:2:"),
        ("x.yaml", "a: .nan\n", "x.yaml:1:4: not a finite number"),
        ("x.json", '{"a": NaN}', "x.json:1:7: not a finite number"),
        ("x.json", '{"a": -Infinity}', "x.json:1:7: not a finite number"),
        ("x.json", '{"a": 1e999}', "x.json:1:7: not a finite number"),
        ("x.toml", "a = inf\n", "x.toml:1:5: not a finite number"),
        ("x.yaml", "a: 9223372036854775808\n", "x.yaml:1:4: a whole number beyond 64 bits"),
        ("x.yaml", "a: " + "9" * 5000 + "\n", "x.yaml:1:4: a whole number beyond 64 bits"),
        ("x.json", '{"a": ' + "9" * 5000 + "}", "x.json:1:7: a whole number beyond 64 bits"),
        ("x.toml", "a = " + "9" * 5000 + "\n", "x.toml:1:"),
        ("x.yaml", "a: !!python/object/apply:os.system [x]\n", "x.yaml:1:4: a tag that is not allowed"),
        ("x.yaml", "a: *b\n", "x.yaml:1:4: an unknown alias"),
        ("x.yaml", "a: &b [*b]\n", "x.yaml:1:8: an alias inside its own anchor"),
        ("x.yaml", "a: 1\n---\nb: 2\n", "x.yaml:2:1: a second document"),
        ("x.yaml", "1: a\n", "x.yaml:1:1: a key must be text"),
        ("x.yaml", "- a\n", "x.yaml:1:1: a configuration is a mapping"),
        ("x.json", "[1]", "x.json:1:1: a configuration is a mapping"),
        ("x.json", '{"a": 1, // no\n}', "x.json:1:10: JSON has no comments"),
        ("x.json", '{"a": 1,}', "x.json:1:9: expected a key"),
        ("x.json", "", "x.json:1:1: the file is empty"),
        ("x.toml", "a = \n", "x.toml:1:"),
        ("x.yaml", "a: \x00\n", "x.yaml:1:4: a NUL"),
        ("x.yaml", "a: 1\nb: \x07\n", "x.yaml:2:4: a control character"),
        ("x.yaml", b"a: 1\nb: \xff\n", "x.yaml:2:4: not UTF-8"),
        ("x.yaml", b"# " + b"x" * (1 << 20), "x.yaml:1:1: larger than 1 MiB"),
        ("x.yaml", "a: " + "[" * 70 + "]" * 70, "x.yaml:1:67: nested deeper than 64"),
        ("x.json", '{"a":' + "[" * 70 + "]" * 70 + "}", "nested deeper than 64"),
        ("x.toml", "a = " + "[" * 70 + "]" * 70, "nested deeper than 64"),
        ("x.toml", ".".join("a" * 100_000) + " = 1", "nested deeper than 64"),
        ("x.yaml", "a: [" + "1, " * 10_001 + "]", "more than 10,000 values"),
        ("x.toml", "a = [" + "1, " * 10_001 + "]", "more than 10,000 values"),
    ],
)
def test_a_file_that_may_not_be_is_refused_with_its_place(name: str, text: str | bytes, problem: str) -> None:
    found = problems(text, name)
    assert any(problem in line for line in found), found


def test_alias_and_merge_bombs_are_stopped_by_what_they_stand_for() -> None:
    laughs = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 10)}]\n" for i in range(1, 12)
    )
    merges = (
        "m0: &m0 {"
        + ", ".join(f"k{i}: 1" for i in range(100))
        + "}\n"
        + "".join(f"m{i}: &m{i}\n  <<: [{', '.join([f'*m{i - 1}'] * 10)}]\n" for i in range(1, 12))
    )
    for text in (laughs, merges):
        assert "more than 10,000 values" in problems(text)[0]
        assert calls(lambda text=text: problems(text)) < 200_000  # what they stand for is a million of millions


@pytest.mark.parametrize("sign", ["x ", "\n", "- ", "a:\n", "[", "{a: "])
def test_a_hostile_file_costs_its_length(sign: str) -> None:
    start = "a: " if sign == "x " else ""
    problems(start + sign * (1_000_000 // len(sign)))
    once, twice = (calls(lambda n=n: problems(start + sign * n)) for n in (4_000, 8_000))
    assert grows_evenly(once, twice)
    assert twice < 2_000_000


def test_eight_mistakes_give_eight_lines_in_order_each_at_its_place(home: Any) -> None:
    home.write(
        "configs/t_1.yaml",
        """\
        task_type: analysis
        contine_on_error: true
        parallel_processes: four
        use_dask: 1
        retry:
          max_retires: 3
          backoff: fast
        scope:
          fields: [age, 7]
        encryption_mode: rot13
        chunk_size: 0
        custom_parameter: fine
        """,
    )
    assert home.problems() == [
        "configs/t_1.yaml:2:1: contine_on_error: unknown key (did you mean 'continue_on_error'?)",
        "configs/t_1.yaml:3:21: parallel_processes: expected a whole number, got text",
        "configs/t_1.yaml:4:11: use_dask: expected true or false, got a whole number",
        "configs/t_1.yaml:6:3: retry.max_retires: unknown key (did you mean 'max_retries'?)",
        "configs/t_1.yaml:7:12: retry.backoff: expected a number, got text",
        "configs/t_1.yaml:9:17: scope.fields[1]: expected text, got a whole number",
        "configs/t_1.yaml:10:18: encryption_mode: expected one of 'none', 'simple', 'age'",
        "configs/t_1.yaml:11:13: chunk_size: expected 1 or more",
    ]


@pytest.mark.parametrize("name", ["configs/t_1.json", "configs/t_1.toml"])
def test_problems_have_places_in_json_and_toml_too(home: Any, name: str) -> None:
    text = (
        '{\n "retry": {\n  "max_retries": "x"},\n "use_dask": "no"\n}'
        if name.endswith("json")
        else ('use_dask = "no"\n\n[retry]\nmax_retries = "x"\n')
    )
    home.write(name, text)
    places = ["3:18", "4:14"] if name.endswith("json") else ["1:12", "4:15"]
    keys = ["retry.max_retries: expected a whole number, got text", "use_dask: expected true or false, got text"]
    if name.endswith("toml"):
        keys.reverse()
    assert home.problems() == [f"{name}:{place}: {key}" for place, key in zip(places, keys, strict=True)]


def test_mistakes_in_the_projects_file_are_shown_with_those_of_the_task_and_of_other_tasks(home: Any) -> None:
    home.write("configs/t_1.yaml", "seed: x\n")
    home.write("configs/prj_config.yaml", "chunk_size: many\ntasks:\n  t_2:\n    timeout: -1\n    task_id: t_3\n")
    assert home.problems() == [
        "configs/t_1.yaml:1:7: seed: expected a whole number or nothing, got text",
        "configs/prj_config.yaml:1:13: chunk_size: expected a whole number, got text",
        "configs/prj_config.yaml:4:14: tasks.t_2.timeout: expected more than 0",
        "configs/prj_config.yaml:5:14: tasks.t_2.task_id: expected 't_2', the id of the task that this belongs to",
    ]


def test_no_message_quotes_a_value(home: Any) -> None:
    home.write(
        "configs/t_1.yaml",
        "chunk_size: hunter2secret\nretry: hunter2secret\nencryption_mode: hunter2secret\nscope: [hunter2secret]\n",
    )
    assert "hunter2secret" not in "\n".join(home.problems())


def test_an_empty_section_is_an_empty_section(home: Any) -> None:
    home.write("configs/t_1.yaml", "retry:\nscope:\ninput_datasets:\n")
    home.write("configs/prj_config.yaml", "performance:\nencryption:\nlogging:\ntask_defaults:\ntasks:\n")
    assert home.config().retry.max_retries == 3


@pytest.mark.parametrize(
    "key",
    [
        "custom_parameter",
        "score",
        "output",
        "speed",
        "seeds",
        "k",
        "threshold",
        "seed_2",
        "my_chunk_size",
        "entry",
        "join_key",
    ],
)
def test_an_honest_own_parameter_is_no_slip(home: Any, key: str) -> None:
    home.write("configs/t_1.yaml", f"{key}: 1\n")
    assert home.config().get(key) == 1


@pytest.mark.parametrize(
    ("key", "meant"),
    [
        ("contine_on_error", "continue_on_error"),
        ("continueOnError", "continue_on_error"),
        ("continue-on-error", "continue_on_error"),
        ("paralel_processes", "parallel_processes"),
        ("chunksize", "chunk_size"),
        ("input_dataset", "input_datasets"),
        ("use_encrypton", "use_encryption"),
        ("depedencies", "dependencies"),
        ("retyr", "retry"),
        ("Seed", "seed"),
    ],
)
def test_a_slip_is_an_error_that_says_what_was_meant(home: Any, key: str, meant: str) -> None:
    home.write("configs/t_1.yaml", f"{key}: 1\n")
    assert home.problems() == [f"configs/t_1.yaml:1:1: {key}: unknown key (did you mean {meant!r}?)"]


def test_strict_config_refuses_own_parameters(home: Any) -> None:
    home.write("configs/t_1.yaml", "custom_parameter: 1\n")
    home.write("configs/prj_config.yaml", "strict_config: true\n")
    assert home.problems() == [
        "configs/t_1.yaml:1:1: custom_parameter: unknown key, which strict_config does not allow"
    ]


def test_a_template_in_a_value_stays_text(home: Any) -> None:
    text = "{{ cycler.__init__.__globals__.os.popen('id').read() }}"
    home.write("configs/t_1.yaml", f'description: "{text}"\n')
    assert home.config().description == text


def test_a_file_that_cannot_be_read_is_an_error_and_stays_as_it_is(home: Any) -> None:
    path = home.write("configs/t_1.json", '{"seed": 1, "chunk_size": }')
    before = path.read_bytes()
    assert home.problems()[0].startswith("configs/t_1.json:1:27: expected a value")
    assert path.read_bytes() == before


def test_a_change_of_a_file_is_seen_by_the_next_run(home: Any) -> None:
    home.write("configs/prj_config.yaml", "tasks: {t_1: {seed: 1}}\n")
    assert home.config().seed == 1
    home.write("configs/prj_config.yaml", "tasks: {t_1: {seed: 2}}\n")
    assert home.config().seed == 2


def test_the_first_run_writes_no_file(home: Any, stated: Any) -> None:
    before = sorted(home.root.rglob("*"))
    home.config(stated(seed=3))
    assert sorted(home.root.rglob("*")) == before


@pytest.mark.parametrize("form", ["yaml", "json", "toml"])
def test_whatever_a_file_holds_only_our_errors_come_out(form: str) -> None:
    pieces = st.sampled_from(
        [
            "a",
            "b: ",
            "\n",
            " ",
            "  ",
            "- ",
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            '"',
            "'",
            "#",
            "&x ",
            "*x",
            "<<: ",
            "|\n",
            "!!int ",
            "1",
            "-0x1",
            "1e9",
            "null",
            "true",
            "=",
            "[[",
            "]]",
            ".",
            "\\u",
            "\t",
            "---",
            "é",
            "\u2028",
            "\x85",
            "...",
            "%",
            "? ",
        ]
    )

    @settings(max_examples=examples(400), deadline=None)
    @given(st.lists(pieces, max_size=30).map("".join))
    def check(text: str) -> None:
        try:
            document = parse(text.encode(), f"x.{form}")
        except ConfigurationError as error:
            found = list(error.problems)
        else:
            assert isinstance(document.root.plain(), dict)
            found = [problem.text for problem in document.problems]
        assert all(line.startswith(f"x.{form}:") for line in found)

    check()
