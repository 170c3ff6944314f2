"""Who wins: behaviours 12 to 14, defects B1, B3, B4."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from pamola_tasks_compat.task_config import (
    get_scope_datasets,
    get_scope_field_groups,
    get_scope_fields,
    validate_task_config,
)

SPEC_5_3 = {
    "task_id": "t_custom_analysis",
    "task_type": "analysis",
    "description": "Custom analysis task for customer data",
    "dependencies": ["t_data_ingest"],
    "continue_on_error": True,
    "use_encryption": False,
    "use_vectorization": True,
    "parallel_processes": 4,
    "scope": {
        "fields": ["customer_id", "age", "gender", "zipcode", "income"],
        "datasets": ["customers", "transactions"],
    },
    "custom_parameter": "custom value",
}

# Every kind of key: values for the five layers, from the highest down, as files and as variables have them.
KINDS: list[tuple[str, list[Any], str]] = [
    ("chunk_size", [1, 2, 3, 4, 5], "5"),
    ("timeout", [1.5, 2.5, 3.5, 4.5, 5.5], "5.5"),
    ("description", ["a", "b", "c", "d", "e"], "e"),
    ("continue_on_error", [True, False, True, False, True], "yes"),
    ("dependencies", [["a"], ["b"], ["c"], ["d"], ["e", "f"]], "e, f"),
    ("seed", [1, 2, 3, 4, None], "none"),
    ("log_level", ["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], "critical"),
]


@pytest.mark.parametrize(("key", "values", "text"), KINDS)
def test_the_layers_override_each_other_in_the_documented_order_for_every_kind_of_key(
    home: Any,
    stated: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    key: str,
    values: list[Any],
    text: str,
) -> None:
    command_line, task_file, project_file, task_class, environment = values
    monkeypatch.setenv(f"PAMOLA_{key.upper()}", text)
    assert getattr(home.config(), key) == environment
    assert getattr(home.config(stated(**{key: task_class})), key) == task_class
    home.write("configs/prj_config.json", json.dumps({key: project_file}))
    assert getattr(home.config(stated(**{key: task_class})), key) == project_file
    home.write("configs/t_1.json", json.dumps({key: task_file}))
    assert getattr(home.config(stated(**{key: task_class})), key) == task_file
    config = home.config(stated(**{key: task_class}), **{key: command_line})
    assert getattr(config, key) == command_line
    layers = [config.origins()[key].layer, *(lower.layer for lower in config.origins()[key].overridden)]
    assert layers == ["command line", "task file", "project file", "task class", "environment"]


def test_the_project_file_speaks_by_task_section_then_task_defaults_then_top_level_then_old_sections(
    home: Any,
) -> None:
    home.write(
        "configs/prj_config.yaml",
        """\
        chunk_size: 3
        npartitions: 3
        performance: {chunk_size: 4, npartitions: 4, memory_limit_mb: 4}
        task_defaults: {chunk_size: 2, parallel_processes: 2}
        tasks:
          t_1: {chunk_size: 1}
          t_2: {chunk_size: 9}
        """,
    )
    config = home.config()
    assert (config.chunk_size, config.parallel_processes, config.npartitions, config.memory_limit_mb) == (1, 2, 3, 4)
    assert home.config("t_2").chunk_size == 9
    assert home.config(None).chunk_size == 2


def test_every_value_knows_file_line_and_column(home: Any) -> None:
    home.write("configs/prj_config.yaml", "tasks:\n  t_1:\n    retry:\n      max_retries: 7\n")
    home.write("configs/t_1.toml", "# a task\nseed = 4\n[retry]\nbackoff = 3.0\n")
    origins = home.config().origins()
    assert origins["retry.max_retries"].place == "configs/prj_config.yaml:4:20"
    assert origins["retry.backoff"].place == "configs/t_1.toml:4:11"
    assert origins["seed"].place == "configs/t_1.toml:2:8"
    assert origins["retry.jitter"].layer == "default"


def test_sections_are_merged_key_by_key_and_lists_are_replaced(home: Any) -> None:
    home.write(
        "configs/prj_config.yaml", "input_datasets: {a: 1.csv, b: 2.csv}\noutputs: [a, b]\nretry: {max_retries: 9}\n"
    )
    home.write("configs/t_1.yaml", "input_datasets: {b: 3.csv}\noutputs: [c]\nretry: {backoff: 3}\n")
    config = home.config()
    assert config.input_datasets == {"a": "1.csv", "b": "3.csv"}
    assert config.outputs == ["c"]
    assert (config.retry.max_retries, config.retry.backoff) == (9, 3.0)


def test_the_configuration_of_the_spec_is_accepted_and_its_own_parameter_is_an_attribute(home: Any) -> None:
    home.write("configs/t_custom_analysis.json", json.dumps(SPEC_5_3, indent=2))
    config = home.config("t_custom_analysis")
    assert config.custom_parameter == "custom value"
    assert config.get("custom_parameter") == "custom value"
    assert config.continue_on_error is True
    assert config.dependencies == ["t_data_ingest"]
    assert get_scope_fields(config) == ["customer_id", "age", "gender", "zipcode", "income"]
    assert get_scope_datasets(config) == ["customers", "transactions"]
    assert get_scope_field_groups(config) == {}


def test_scope_getters_give_empty_containers_where_nothing_is_said(home: Any) -> None:
    config = home.config()
    assert (get_scope_fields(config), get_scope_datasets(config), get_scope_field_groups(config)) == ([], [], {})


def test_field_groups_are_returned(home: Any) -> None:
    home.write("configs/t_1.yaml", "scope:\n  field_groups:\n    names: [first, last]\n")
    assert get_scope_field_groups(home.config()) == {"names": ["first", "last"]}


# ---------------------------------------------------------------- environment


def test_a_variable_for_the_task_wins_over_one_for_all_and_values_take_their_types(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAMOLA_CHUNK_SIZE", "5")
    monkeypatch.setenv("PAMOLA_TASK_T_1_CHUNK_SIZE", "6")
    monkeypatch.setenv("PAMOLA_TASK_T_2_CHUNK_SIZE", "7")
    monkeypatch.setenv("PAMOLA_USE_DASK", "on")
    monkeypatch.setenv("PAMOLA_TIMEOUT", "2.5")
    monkeypatch.setenv("PAMOLA_OUTPUTS", "a, b")
    monkeypatch.setenv("PAMOLA_SEED", "null")
    monkeypatch.setenv("PAMOLA_MEMORY_LIMIT_MB", "")
    monkeypatch.setenv("PAMOLA_RETRY__MAX_RETRIES", "8")
    monkeypatch.setenv("PAMOLA_TASK_T_1_RETRY__JITTER", "0")
    config = home.config()
    assert (config.chunk_size, config.use_dask, config.timeout, config.outputs) == (6, True, 2.5, ["a", "b"])
    assert (config.seed, config.retry.max_retries, config.retry.jitter) == (None, 8, False)
    origins = config.origins()
    assert origins["chunk_size"].place == "environment variable PAMOLA_TASK_T_1_CHUNK_SIZE"
    limit = origins["memory_limit_mb"]  # nothing is set by an empty text
    assert (limit.value, limit.layer) == (config.memory_limit_mb, "default")
    assert limit.place == "a quarter of this machine's memory"
    assert limit.overridden[0].place == "environment variable PAMOLA_MEMORY_LIMIT_MB"


def test_of_two_task_ids_that_fit_a_variable_the_longer_has_it(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    home.owns_section("cohort")
    home.write("configs/prj_config.yaml", "tasks: {t: {}, t-cohort-: {}}\n")
    monkeypatch.setenv("PAMOLA_TASK_T_COHORT__SEED", "7")  # cohort.seed of t, or seed of t-cohort-
    assert home.config("t-cohort-").seed == 7
    assert home.config("t").plugin("cohort").seed == 0
    home.write("configs/prj_config.yaml", "tasks: {t: {}}\n")
    assert home.config("t").plugin("cohort").seed == 7


def test_variables_that_are_no_key_or_reserved_are_never_a_layer(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("VALIDATE", "VERSION_", "TASK_DIR", "KEY", "KEY_FILE", "PASSPHRASE", "SAVE", "CUSTOM"):
        monkeypatch.setenv(f"PAMOLA_{name}", "x")
    config = home.config()
    assert validate_task_config(config)[1] == ["task_type: is not set"]
    assert config.get_task_dir() == home.root / "DATA/processed/t_1"
    assert not [key for key, origin in config.origins().items() if origin.layer == "environment"]


def test_a_variable_changes_the_paths_that_follow_from_it(home: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PAMOLA_DATA_REPOSITORY", "elsewhere")
    monkeypatch.setenv("PAMOLA_ALLOW_EXTERNAL", "true")
    config = home.config()
    assert config.get_task_output_dir() == home.root / "elsewhere/processed/t_1/output"
    assert config.allow_external is True


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        ("CHUNK_SIZE", "nan", "environment variable PAMOLA_CHUNK_SIZE: chunk_size: expected a whole number, got text"),
        ("CHUNK_SIZE", "0", "environment variable PAMOLA_CHUNK_SIZE: chunk_size: expected 1 or more"),
        ("TIMEOUT", "inf", "environment variable PAMOLA_TIMEOUT: timeout: expected a finite number"),
        ("USE_DASK", "maybe", "environment variable PAMOLA_USE_DASK: use_dask: expected true or false, got text"),
        (
            "ENCRYPTION_MODE",
            "rot13",
            "environment variable PAMOLA_ENCRYPTION_MODE: encryption_mode: expected one of 'none', 'simple', 'age'",
        ),
    ],
)
def test_a_variable_that_does_not_fit_is_an_error(
    home: Any, monkeypatch: pytest.MonkeyPatch, name: str, text: str, problem: str
) -> None:
    monkeypatch.setenv(f"PAMOLA_{name}", text)
    assert home.problems() == [problem]


def test_env_override_lifts_variables_over_files_and_not_over_the_command_line(
    home: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    home.write("configs/t_1.yaml", "chunk_size: 10\n")
    monkeypatch.setenv("PAMOLA_CHUNK_SIZE", "20")
    assert home.config().chunk_size == 10
    home.write("configs/prj_config.yaml", "env_override: true\n")
    assert home.config().chunk_size == 20
    assert home.config(chunk_size=30).chunk_size == 30
    monkeypatch.setenv("PAMOLA_ENV_OVERRIDE", "false")
    assert home.config().chunk_size == 20


# ---------------------------------------------------------------- encryption


@pytest.mark.parametrize(
    "section", ["encryption: {encryption_mode: age}", "encryption: {mode: age}", "encryption_mode: age"]
)
def test_the_projects_encryption_mode_is_read_under_each_of_its_names(home: Any, section: str) -> None:
    home.write("configs/prj_config.yaml", f"{section}\nuse_encryption: true\n")
    assert (home.config().encryption_mode, home.config().use_encryption) == ("age", True)


def test_an_unset_mode_is_simple_when_encryption_is_on_and_no_key_file_is_presumed(home: Any) -> None:
    assert home.config().encryption_key_path is None
    assert home.config().encryption_mode == "none"
    assert home.config(use_encryption=True).encryption_mode == "simple"


def test_encryption_on_with_mode_none_is_refused_naming_both_places(home: Any) -> None:
    home.write("configs/t_1.yaml", "use_encryption: true\nencryption_mode: none\n")
    (problem,) = home.problems()
    assert "configs/t_1.yaml:1:17" in problem
    assert "configs/t_1.yaml:2:18" in problem


def test_encryption_that_a_layer_turns_on_is_only_turned_off_by_a_written_false_above_it(
    home: Any, stated: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PAMOLA_USE_ENCRYPTION", "true")
    assert home.config(stated(use_encryption=False)).use_encryption is True
    home.write("configs/t_1.yaml", "use_encryption: false\n")
    assert home.config(stated(use_encryption=False)).use_encryption is False
    home.write("configs/t_1.yaml", "use_encryption: true\n")
    home.write("configs/prj_config.yaml", "env_override: true\n")
    monkeypatch.setenv("PAMOLA_USE_ENCRYPTION", "false")
    config = home.config()
    assert config.use_encryption is True
    assert config.origins()["use_encryption"].place == "configs/t_1.yaml:1:17"
    assert home.config(use_encryption=False).use_encryption is False


def test_a_task_that_encrypts_without_any_key_does_not_validate(home: Any, tmp_path: Path) -> None:
    home.write("configs/t_1.yaml", "task_type: x\nuse_encryption: true\n")
    valid, errors = validate_task_config(home.config())
    assert not valid
    assert "there is no key" in errors[0]
    home.write("configs/t_1.yaml", "task_type: x\nuse_encryption: true\nencryption_key_path: keys/k.json\n")
    assert validate_task_config(home.config()) == (True, [])


# ---------------------------------------------------------------- changing a configuration


def test_args_override_everything_and_none_means_not_given(home: Any) -> None:
    import argparse

    home.write("configs/t_1.yaml", "chunk_size: 10\nseed: 1\n")
    config = home.config()
    config.override_with_args(argparse.Namespace(chunk_size=11, seed=None))
    assert (config.chunk_size, config.seed) == (11, 1)
    config.override_with_args({"chunk_size": 12, "retry.max_retries": 0})
    assert (config.chunk_size, config.retry.max_retries) == (12, 0)


def test_args_that_do_not_fit_are_refused_and_change_nothing(home: Any) -> None:
    from pamola_tasks.errors import ConfigurationError

    config = home.config()
    with pytest.raises(ConfigurationError, match="did you mean 'chunk_size'"):
        config.override_with_args({"chunksize": 12, "seed": 3})
    assert config.seed is None
    assert not hasattr(config, "chunksize")


def test_an_own_parameter_never_hides_a_method(home: Any) -> None:
    home.write("configs/t_1.yaml", "save: x\nget_task_dir: y\n")
    config = home.config()
    assert config.get_task_dir() == home.root / "DATA/processed/t_1"
    assert config.get("save") == "x"


def test_encryption_asked_for_in_the_old_section_is_never_overlooked(home: Any, stated: Callable[..., Any]) -> None:
    section = {"use_encryption": True, "mode": "age"}
    home.write("configs/t_1.json", json.dumps({"encryption": section}))
    config = home.config()
    assert (config.use_encryption, config.encryption_mode) == (True, "age")
    assert config.origins()["encryption_mode"].place == "configs/t_1.json:1:49"
    assert home.config("t_2").use_encryption is False
    assert home.config(stated("t_2", encryption=section)).encryption_mode == "age"
    assert home.config("t_2", encryption__use_encryption=True).encryption_mode == "simple"
    home.write("configs/prj_config.yaml", "tasks: {t_2: {encryption: {use_encryption: true}}}\n")
    assert home.config("t_2").use_encryption is True
    home.write("configs/t_1.json", json.dumps({"encryption": {"use_encrypton": True}}))
    assert home.problems() == [
        "configs/t_1.json:1:17: encryption.use_encrypton: unknown key (did you mean 'use_encryption'?)"
    ]
    home.write("configs/t_1.json", json.dumps({"encryption": True}))
    assert home.problems() == ["configs/t_1.json:1:16: encryption: expected a mapping, got true or false"]


def test_a_plugins_settings_may_stand_in_the_section_too(home: Any) -> None:
    home.owns_section("encryption")
    home.write("configs/t_1.yaml", "encryption: {mode: age, formats: [x]}\nuse_encryption: true\n")
    config = home.config()
    assert config.encryption_mode == "age"
    assert config.plugin("encryption").formats == ["x"]


def test_a_file_of_variables_beside_the_project_is_not_read(home: Any) -> None:
    home.write(".env", "PAMOLA_CHUNK_SIZE=77\n")
    assert home.config().chunk_size != 77
