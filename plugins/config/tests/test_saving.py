"""What `save` writes, and what it leaves alone: behaviours 13 and 18, defect B2."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import yaml

from pamola_tasks.errors import ConfigurationError, UsageError
from pamola_tasks_config.documents import parse
from pamola_tasks_config.saving import edited, whole

YAML_FILE = """\
# My task, with care
task_id: t_1     # the id

operations:
- ProfileOperation: {dataset_name: a}   # first
-   AnonymizeOperation:
      k: 5

retry:
    # be patient
    max_retries: 3
seed: 1
description: |
  two
  lines
scope: {fields: [a, b]}
"""


def test_a_first_save_writes_what_class_and_project_state_for_the_task(home: Any, stated: Any) -> None:
    home.write("configs/prj_config.yaml", "chunk_size: 9\ntasks: {t_1: {retry: {max_retries: 7}, seed: 4}}\n")
    task = stated(
        task_type="analysis", input_datasets={"a": "DATA/raw/a.csv"}, seed=1, own={"deep": [1, {"x": "ü: #"}]}
    )
    path = home.config(task).save()
    assert path == home.root / "configs/t_1.yaml"
    assert yaml.safe_load(path.read_text()) == {
        "task_id": "t_1",
        "task_type": "analysis",
        "input_datasets": {"a": "DATA/raw/a.csv"},
        "seed": 4,
        "retry": {"max_retries": 7},
        "own": {"deep": [1, {"x": "ü: #"}]},
    }
    assert home.config(task).chunk_size == 9


def test_saving_what_is_there_changes_no_byte(home: Any) -> None:
    path = home.write("configs/t_1.yaml", YAML_FILE)
    home.config().save()
    assert path.read_text() == YAML_FILE


def test_a_changed_key_is_all_that_changes_in_a_file(home: Any) -> None:
    path = home.write("configs/t_1.yaml", YAML_FILE)
    config = home.config(seed=2, retry__max_retries=5, retry__backoff=1.5, timeout=3, own="a: b")
    config.save()
    expected = YAML_FILE.replace("seed: 1", "seed: 2").replace("max_retries: 3\n", "max_retries: 5\n    backoff: 1.5\n")
    assert path.read_text() == expected + 'timeout: 3\nown: "a: b"\n'
    saved = home.config()
    assert (saved.seed, saved.retry.max_retries, saved.retry.backoff, saved.timeout, saved.own) == (
        2,
        5,
        1.5,
        3.0,
        "a: b",
    )


def test_json_and_toml_files_keep_their_form_too(home: Any) -> None:
    text = '{\n    "seed": 1,   "outputs": ["a",\n "b"],\n    "retry": {"jitter": true},\n    "scope": {}\n}\n'
    path = home.write("configs/t_1.json", text)
    home.config(seed=2, retry__max_retries=5, scope__fields=["x"], timeout=3).save()
    assert path.read_text() == (
        '{\n    "seed": 2,   "outputs": ["a",\n "b"],\n    "retry": {"jitter": true, "max_retries": 5},\n'
        '    "scope": {"fields": ["x"]},\n    "timeout": 3,\n    "task_id": "t_1"\n}\n'
    ) or json.loads(path.read_text()) == {
        "seed": 2,
        "outputs": ["a", "b"],
        "retry": {"jitter": True, "max_retries": 5},
        "scope": {"fields": ["x"]},
        "timeout": 3,
        "task_id": "t_1",
    }
    path = home.write(
        "configs/t_2.toml", '# mine\nseed = 1 # s\n\n[retry]\njitter = true\n\n[[operations]]\nname = "[x]"\n'
    )
    home.config("t_2", seed=2, retry__max_retries=5, timeout=3, scope__fields=["x"]).save()
    said = tomllib.loads(path.read_text())
    assert said == {
        "seed": 2,
        "timeout": 3,
        "task_id": "t_2",
        "scope": {"fields": ["x"]},
        "retry": {"jitter": True, "max_retries": 5},
        "operations": [{"name": "[x]"}],
    }
    assert "# mine\nseed = 2 # s\n" in path.read_text()


@pytest.mark.parametrize(
    ("name", "text", "changes"),
    [
        ("x.yaml", "", {("a",): 1}),
        ("x.yaml", "# only a comment\n", {("a", "b"): [1]}),
        ("x.yaml", "a:\nb: 1\n", {("a", "c"): 2}),
        ("x.yaml", "a: # note\n  - 1\n  - 2\nb: 3", {("a",): [3], ("c",): None}),
        ("x.yaml", "a:\n- 1\n- 2\nb: 3\n", {("a",): {"x": 1}}),
        ("x.yaml", "a: |\n  text\n  more\n\nb: 3\n", {("a",): "one\ntwo"}),
        ("x.yaml", "a: >-\n  text\nb: 3\n", {("a",): 5}),
        ("x.yaml", "a:\n  b:\n    c: 1\n  # end of a\n\n# top\nd: 1\n", {("a", "b", "e"): 2, ("a", "f"): 3}),
        ("x.yaml", "{a: 1}\n", {("b",): 2, ("a",): "x"}),
        ("x.yaml", "{}\n", {("b",): 2}),
        ("x.yaml", "---\na: 1\n...\n", {("a",): 2}),
        ("x.yaml", "a: 'x: y' # z\r\nb: 1\r\n", {("a",): "NO"}),
        ("x.json", "{}", {("a",): {"b": [1.5, None, "é\u2028"]}}),
        ("x.json", '{"a":{"b":1}}', {("a", "b"): [], ("a", "c"): {}, ("d",): True}),
        ("x.toml", "", {("a", "b"): 1}),
        ("x.toml", "a.b = 1\n[c]\nd = 2\n", {("a", "e"): 3, ("c", "f"): 4, ("g",): "x"}),
        (
            "x.toml",
            'a = {b = 1}\nt = """\n[no]\n"""\n[c.d]\ne = 1\n',
            {("a", "x"): 2, ("n",): 1e20, ("c", "d", "e"): [1]},
        ),
    ],
)
def test_an_edit_says_what_was_wanted_and_keeps_the_comments(name: str, text: str, changes: dict[Any, Any]) -> None:
    document = parse(text.encode(), name)
    wanted = document.root.plain()
    for path, value in changes.items():
        place = wanted
        for part in path[:-1]:
            if not isinstance(place.get(part), dict):
                place[part] = {}
            place = place[part]
        place[path[-1]] = value
    result = edited(document, changes)
    assert parse(result.encode(), name).root.plain() == wanted
    for comment in ("# only a comment", "# note", "# end of a", "# top", "# z"):
        assert (comment in text) == (comment in result)


@pytest.mark.parametrize("form", ["yaml", "json", "toml"])
def test_every_text_comes_back_from_a_file(form: str) -> None:
    texts = [
        "",
        " ",
        "a b",
        "yes",
        "NO",
        "~",
        "null",
        "1",
        "0x1",
        "-",
        "- a",
        "a: b",
        "#",
        "a #b",
        "'",
        '"',
        "\\",
        "é\n\t",
        "\x7f\x85\u2028",
    ]
    texts += [
        "---",
        ".",
        ".5",
        "1e3",
        "@x",
        "{a}",
        "[a]",
        "*a",
        "&a",
        "!a",
        "%a",
        "|",
        ">",
        "?",
        "a:",
        "<<",
        "=",
        "😀",
        "2026-01-01",
        "true ",
    ]
    values = {"texts": texts, **{text: {"in": [text, [text]]} for text in texts if text}}
    assert parse(whole(values, form).encode(), f"x.{form}").root.plain() == values


def test_a_file_that_cannot_be_edited_is_left_as_it_is(home: Any) -> None:
    path = home.write("configs/t_1.yaml", "base: &base {seed: 1}\nretry: &r {max_retries: 1}\nother: *r\n")
    before = path.read_text()
    with pytest.raises(ConfigurationError, match="edit the file instead"):
        home.config(retry__max_retries=2).save()
    assert path.read_text() == before


def test_saving_to_another_place_and_format(home: Any, stated: Any) -> None:
    config = home.config(stated(seed=1, timeout=None))
    assert tomllib.loads(config.save(format="toml").read_text()) == {"task_id": "t_1", "seed": 1}
    assert json.loads(config.save("configs/copy.json").read_text())["seed"] == 1
    with pytest.raises(ConfigurationError, match=r"ends with \.toml"):
        config.save("configs/copy.json", format="toml")


def test_what_the_environment_says_stays_in_the_environment(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAMOLA_SEED", "5")
    assert yaml.safe_load(home.config().save().read_text()) == {"task_id": "t_1"}


COPIES = {
    "yaml": YAML_FILE,
    "json": '{"task_id": "t_1",\n "operations": ["ProfileOperation",\n  {"operation": "AnonymizeOperation", "id": "a",'
    ' "parameters": {"k": 5}}]}\n',
    "toml": 'task_id = "t_1"  # the id\n\n[[operations]]\n[operations.ProfileOperation]\n\n[[operations]]\n'
    "[operations.AnonymizeOperation]\nk = 5  # agreed\n",
}


@pytest.mark.parametrize("form", COPIES)
def test_a_copy_of_a_task_differs_in_parameters_of_one_operation(home: Any, form: str) -> None:
    """In every format; the original stays, as does a file that is there already."""
    text = COPIES[form]
    path = home.write(f"configs/t_1.{form}", text)
    config = home.config()
    parameters = {"k": 9, "quasi_identifiers": ["a: b", "c"], "strategy": "hierarchy"}
    name = config.copy_with("configs/t_2", ("AnonymizeOperation", 0), parameters)
    assert name == f"configs/t_2.{form}"
    copied = (home.root / name).read_text()
    wanted = parse(text.encode(), path.name).root.plain()
    entry = wanted["operations"][1]
    entry[next(key for key in entry if key not in ("operation", "id"))] |= parameters
    assert parse(copied.encode(), name).root.plain() == wanted | {"task_id": "t_2"}
    assert all(line[line.index("#") :] in copied for line in text.splitlines() if "#" in line)
    assert path.read_text() == text
    with pytest.raises(UsageError, match="is there already"):
        config.copy_with("configs/t_2", ("AnonymizeOperation", 0), {"k": 3})
    assert (home.root / name).read_text() == copied
    assert config.copy_with("configs/t_2", ("AnonymizeOperation", 0), {"k": 3}, overwrite=True) == name
    assert config.copy_with("configs/t_3", ("AnonymizeOperation", 1), {"k": 3}) is None
    assert not (home.root / f"configs/t_3.{form}").exists()
