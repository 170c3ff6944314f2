"""Variables in mappings of scripts, the defaults of project files, and keys of the origin that change nothing here."""

from __future__ import annotations

from typing import Any

import pytest

from pamola_tasks.errors import ConfigurationError
from pamola_tasks_compat import tasks


def test_sections_are_flattened_to_dotted_keys() -> None:
    config = {"logging": {"level": "INFO", "more": {"x": 1}}, "seed": None, "list": [1], "empty": {}}
    assert tasks.get_recursive_variables(config) == {"logging.level": "INFO", "logging.more.x": 1, "seed": None}


def test_variables_are_put_in_once_from_the_context_and_from_the_configuration_itself() -> None:
    config = {
        "task_id": "in the file",
        "rows": 5,
        "logging": {"level": "INFO"},
        "out": "{{ root }}/${task_id}_${logging.level}",
        "nested": [{"rows": "${rows}", "text": "${rows} rows"}],
        "kept": "${env:HOME} $HOME {% x %} {{ 1+1 }}",
    }
    made = tasks.substitute_variables(config, {"task_id": "${rows}", "root": "/p"})
    assert made["out"] == "/p/${rows}_INFO"
    assert made["nested"] == [{"rows": 5, "text": "5 rows"}]
    assert made["kept"] == config["kept"]
    assert config["nested"] == [{"rows": "${rows}", "text": "${rows} rows"}]


def test_a_variable_without_a_value_is_an_error_with_its_key() -> None:
    with pytest.raises(ConfigurationError, match=r"a\.b\[0\]: the variable 'task_di' has no value .*'task_id'"):
        tasks.substitute_variables({"a": {"b": ["x ${task_di}"]}}, {"task_id": "t"})
    assert tasks.substitute_item("{{x}}", {"x": [1]}) == [1]


def test_code_in_a_template_is_text() -> None:
    text = "{{ cycler.__init__.__globals__.os.popen('id').read() }}"
    assert tasks.substitute_variables({"a": text}, {}) == {"a": text}


def test_what_load_project_config_gives_is_read_anew_and_belongs_to_the_caller(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(home.root)
    home.write("configs/prj_config.yaml", "seed: 1\n")
    first = tasks.load_project_config()
    first["seed"] = 5
    assert tasks.load_project_config() == {"seed": 1}
    home.write("configs/prj_config.yaml", "seed: 2\n")
    assert tasks.load_project_config(use_cache=True) == {"seed": 2}
    tasks.clear_config_cache()
    assert tasks.load_project_config(use_cache=False) == {"seed": 2}


def test_keys_of_the_origin_that_change_nothing_are_pointed_out(home: Any) -> None:
    home.write("configs/t_1.yaml", "mask_sensitive_data: false\nstore_traceback: false\n")
    home.write("configs/prj_config.yaml", "legacy_path_support: true\n")
    assert [warning.partition(": has no effect: ")[0] for warning in home.config().warnings] == [
        "configs/t_1.yaml:1:22: mask_sensitive_data",
        "configs/t_1.yaml:2:18: store_traceback",
        "configs/prj_config.yaml:1:22: legacy_path_support",
    ]


def test_texts_that_fit_a_pattern_of_ones_own_are_hidden(home: Any) -> None:
    from pamola_tasks.lifecycle import RunSession
    from pamola_tasks.protocols import RunOptions

    home.write("configs/prj_config.yaml", "sensitive_patterns: ['MRN-[0-9]{6}']\n")
    run = RunSession(home.kernel, None, RunOptions(), runs=False).bring_up("config")
    assert run.redact("patient MRN-123456 of MRN-12") == "patient *** of MRN-12"
    home.write("configs/prj_config.yaml", "sensitive_patterns: ['(']\n")
    (problem,) = home.problems()
    assert problem.startswith("configs/prj_config.yaml:1:21: sensitive_patterns: not a regular expression")
