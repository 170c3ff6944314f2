"""What the project file locks stays so, and protection that was asked for is given or refused; through the command."""

from __future__ import annotations

from pathlib import Path

import pytest
from installed import Cli

TASK = """task_id: t
input_datasets: {people: DATA/raw/people.csv}
operations:
  - PlainOperation: {dataset_name: people, output_dataset: safe}
"""
PLUGIN = """from pamola_tasks import Operation, OperationResult, hookimpl, reads, writes

class PlainOperation(Operation):
    dataset_name: str = reads()
    output_dataset: str = writes()
    on_identifiers: str = "drop"
    extra: str = "a"
    def execute(self, ctx):
        ctx.data.write(self.output_dataset, ctx.data.frame(self.dataset_name))
        return OperationResult.success()

@hookimpl
def pamola_add_operations():
    return {"PlainOperation": PlainOperation}
"""


def project_file(place: Path, text: str) -> None:
    """The project's own configuration."""
    (place / "configs/prj_config.yaml").write_text(text)


@pytest.fixture
def shop(place: Path) -> Path:
    """A project with a task `t` and the plugin of its operation."""
    (place / "configs/t.yaml").write_text(TASK)
    (place / "p.py").write_text(PLUGIN)
    return place


def outcome(cli: Cli, place: Path, *more: str, **env: str) -> tuple[int, str]:
    """Exit code and words of `config check` and `run` together; they agree whether there is anything wrong."""
    first = ["--plugin", place / "p.py"]
    if not more:
        assert cli(*first, "config", "check", "t", cwd=place, env=env).returncode in (0, 2)
    done = cli(*first, "run", "t", *more, cwd=place, env=env)
    return done.returncode, done.stdout + done.stderr


LOCKED = """locked: [use_encryption, allow_external, allowed_external_paths, encryption_key_path, on_identifiers,
  retry.max_retries, performance, logging.level, PlainOperation.extra, clinic.site, encryption.recipients]
retry: {max_retries: 1}
clinic: {site: berlin}
"""


@pytest.mark.parametrize(
    ("line", "wrong"),
    [
        ("use_encryption: true", "use_encryption"),
        ("encryption: {use_encryption: true}", "use_encryption"),
        ("encryption: {recipients: [age1x]}", "encryption.recipients"),
        ("allow_external: true", "allow_external"),
        ("allowed_external_paths: [/srv]", "allowed_external_paths"),
        ("encryption_key_path: my.key", "encryption_key_path"),
        ("retry: {max_retries: 2}", "retry.max_retries"),
        ("clinic: {site: paris}", "clinic.site"),
        ("clinic: paris", "clinic"),
        ("on_identifiers: keep", "on_identifiers"),
        ("retry: {backoff: 3}", ""),
        ("retry: {max_retries: 1}", ""),
        ("use_encryption: false\nallow_external: false\nclinic: {site: berlin, ward: 3}", ""),
    ],
)
def test_no_task_file_changes_what_is_locked(cli: Cli, shop: Path, line: str, wrong: str) -> None:
    """To say the same again is no change; the error has both places."""
    project_file(shop, LOCKED)
    (shop / "configs/t.yaml").write_text(f"{TASK}{line}\n")
    code, said = outcome(cli, shop)
    if not wrong:
        assert code == 0, said
        return
    assert code == 2, said
    assert f"configs/t.yaml:{TASK.count(chr(10)) + 1}:" in said
    assert "is locked by configs/prj_config.yaml:1:9" in said
    assert wrong in said


@pytest.mark.parametrize(
    ("more", "env"),
    [
        (["--set", "allow_external=true"], {}),
        (["--set", "retry.max_retries=3"], {}),
        (["--set", "retry={max_retries: 3}"], {}),
        (["--set", "locked=[]"], {}),
        (["--set", "encryption.key_path=x"], {}),
        (["--set", "performance.chunk_size=5"], {}),
        (["--set", "log_level=DEBUG"], {}),
        ([], {"PAMOLA_ALLOW_EXTERNAL": "true"}),
        ([], {"PAMOLA_TASK_T_USE_ENCRYPTION": "1"}),
    ],
)
def test_neither_the_command_line_nor_the_environment_does(
    cli: Cli, shop: Path, more: list[str], env: dict[str, str]
) -> None:
    """With the variable or option named."""
    project_file(shop, LOCKED)
    code, said = outcome(cli, shop, *more, **env)
    assert code == 2, said
    assert "project file" in said
    assert ("--set" if more else next(iter(env))) in said


@pytest.mark.parametrize(
    ("locked", "meant"),
    [
        ("on_identifers", "on_identifiers"),
        ("On-Identifiers", "on_identifiers"),
        ("plainoperation.extra", "PlainOperation.extra"),
        ("PlainOperation.extras", "PlainOperation has dataset_name"),
        ("MaskOperation.keep", ""),
        ("locked_site", ""),
    ],
)
def test_a_slip_in_the_name_of_a_locked_parameter_is_an_error(cli: Cli, shop: Path, locked: str, meant: str) -> None:
    """A lock that locks nothing is protection that was asked for and not given; other tasks have other operations."""
    project_file(shop, f"locked: [{locked}]\n")
    done = cli("--plugin", shop / "p.py", "config", "check", "t", cwd=shop)
    assert done.returncode == (2 if meant else 0), done.stdout + done.stderr
    assert meant in done.stderr


@pytest.mark.parametrize("parameter", ["on_identifiers", "extra"])
def test_a_locked_parameter_of_an_operation_keeps_its_default(cli: Cli, shop: Path, parameter: str) -> None:
    """Or what the project file says; by its name, or with the operation's before it."""
    project_file(shop, LOCKED)
    (shop / "configs/t.yaml").write_text(TASK.replace("safe}", f"safe, {parameter}: warn}}"))
    code, said = outcome(cli, shop)
    assert code != 0, said
    assert f"{parameter} is locked by configs/prj_config.yaml" in said
    assert not (shop / "DATA/processed/t/output/safe.csv").exists()


def test_a_task_class_changes_nothing_that_is_locked(cli: Cli, shop: Path) -> None:
    """Neither by what its class states, nor by the constructor."""
    project_file(shop, LOCKED)
    stating = "        return {'allow_external': True}\n    def configure_operations(self):\n        pass\n"
    (shop / "c.py").write_text(
        "from pamola_tasks import BaseTask\nclass C(BaseTask):\n    def __init__(self):\n"
        f"        super().__init__('c', 'x')\n    def get_default_config(self):\n{stating}"
    )
    done = cli("run", "c.py", cwd=shop, code=2)
    assert "allow_external is locked by configs/prj_config.yaml:1:9" in done.stderr + done.stdout


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("locked: use_encryption\n", "prj_config.yaml:1:9"),
        ("locked: [use_encription]\n", "did you mean 'use_encryption'"),
        ("locked: [Use-Encryption]\n", "did you mean 'use_encryption'"),
        ("locked: [retry.max_retry]\n", "in retry there are max_retries"),
        ("locked: [encryption.recipient]\n", "in encryption there are recipients"),
        ("task_defaults: {locked: [seed]}\n", "belongs to the top level of the project file"),
        ("tasks: {t: {locked: [seed]}}\n", "belongs to the top level of the project file"),
    ],
)
def test_a_wrong_lock_is_an_error(cli: Cli, shop: Path, text: str, said: str) -> None:
    """A lock that holds nothing would be believed to."""
    project_file(shop, text)
    code, words = outcome(cli, shop)
    assert code == 2, words
    assert said in words


@pytest.mark.parametrize(
    "line",
    [
        "encryption_mode: simple", "encryption_mode: age", "encryption: {mode: simple}", "encryption_key_path: k.key",
        "encryption: {key_path: k.key}", "encryption: {recipients: [age1x]}", "use_encrypt: true", "encrypt: please",
        "useEncrypt: true", "encrypted: true", "enable_encryption: 1", "recipients: [age1x]", "key_file: k.key",
    ],
)  # fmt: skip
@pytest.mark.parametrize("file", ["configs/t.yaml", "configs/prj_config.yaml"])
def test_what_asks_for_encryption_without_switching_it_on_is_an_error(
    cli: Cli, shop: Path, line: str, file: str
) -> None:
    """A readable file is never what comes of it; with `use_encryption: false` beside it, it is."""
    (shop / file).write_text((TASK if file.endswith("t.yaml") else "") + line + "\n")
    code, said = outcome(cli, shop)
    assert code == 2, said
    assert file in said
    assert "use_encryption" in said
    assert not (shop / "DATA/processed/t/output/safe.csv").exists()


def test_a_variable_that_asks_for_encryption_is_heard_too(cli: Cli, shop: Path) -> None:
    """The mode alone, for this task or all; a slip of `use_encryption`."""
    for name in ("PAMOLA_ENCRYPTION_MODE", "PAMOLA_TASK_T_ENCRYPTION_MODE", "PAMOLA_USE_ENCRYPT", "PAMOLA_ENCRYPTION"):
        code, said = outcome(cli, shop, **{name: "simple"})
        assert code == 2, said
        assert name in said


def test_an_explicit_false_is_an_answer_unless_it_stands_below(cli: Cli, shop: Path) -> None:
    """A task file that asks is not answered by the project file's general no."""
    (shop / "configs/t.yaml").write_text(TASK + "use_encryption: false\nencryption_mode: simple\n")
    assert outcome(cli, shop)[0] == 0
    project_file(shop, "use_encryption: false\n")
    (shop / "configs/t.yaml").write_text(TASK + "encryption_mode: simple\n")
    code, said = outcome(cli, shop)
    assert code == 2, said
    assert "use_encryption is false in configs/prj_config.yaml:1:17" in said


@pytest.mark.parametrize(
    "line",
    [
        "tasks: {t: {use_encryption: true}}", "task_defaults: {use_encryption: true}", "directory_structure: {raw: r}",
        "task_dir_suffixes: [a]", "env_override: true", "plugins: {only: []}", "options: {use_encryption: true}",
        "settings: {encryption_mode: simple}", "a: {b: [{use_encryption: true}]}", "run: {continue_on_error: true}",
        "locked: []", "performance: {use_encryption: true}",
    ],
)  # fmt: skip
def test_what_has_no_effect_in_a_task_file_is_an_error(cli: Cli, shop: Path, line: str) -> None:
    """Sections of the project file, and keys of the schema within sections that nothing reads."""
    (shop / "configs/t.yaml").write_text(f"{TASK}{line}\n")
    code, said = outcome(cli, shop)
    assert code == 2, said
    assert f"configs/t.yaml:{TASK.count(chr(10)) + 1}:" in said
    assert any(words in said for words in ("belongs to", "at the top level", "unknown key")), said


def test_honest_parameters_of_a_task_stay(cli: Cli, shop: Path) -> None:
    """Sections of a task's own may hold what they like, but for our keys."""
    own = "model: {version: 2, seed: 5, chunk_size: 3, output_format: png, description: x, log_level: high}\n"
    (shop / "configs/t.yaml").write_text(
        TASK + own + "key_column: person\nencrypted_columns: 3\nencryption_signing_name: 2\n"
    )
    code, said = outcome(cli, shop)
    assert code == 0, said


@pytest.mark.parametrize(
    "change",
    [
        "run.config.use_encryption = False", "run.config.encryption_mode = 'none'", "del run.config.use_encryption",
        "setattr(run.config, 'use_encryption', False)", "run.config.override_with_args({'use_encryption': False})",
    ],
)  # fmt: skip
@pytest.mark.parametrize("hook", ["pamola_on_run_started(run)", "pamola_on_step_started(run, step)"])
def test_no_plugin_changes_the_configuration_of_a_run(cli: Cli, shop: Path, change: str, hook: str) -> None:
    """The attempt is an error of that plugin, named, and the run stays encrypted."""
    project_file(shop, "use_encryption: true\n")
    (shop / "meddler.py").write_text(f"from pamola_tasks import hookimpl\n\n@hookimpl\ndef {hook}:\n    {change}\n")
    cli("keys", "init", cwd=shop, code=0)
    done = cli("--plugin", shop / "p.py", "--plugin", shop / "meddler.py", "run", "t", cwd=shop)
    assert b"ptask/1" in (shop / "DATA/processed/t/output/safe.csv").read_bytes()[:20]
    assert "meddler" in done.stdout + done.stderr


def test_a_key_in_the_project_it_protects_is_pointed_out(cli: Cli, shop: Path, tmp_path: Path) -> None:
    """And one whose name leaves the project is refused; one elsewhere is named by its whole path."""
    cli("keys", "init", "--file", tmp_path / "my.key", cwd=shop)
    (tmp_path / "my.key").rename(shop / "my.key") if (tmp_path / "my.key").exists() else (shop / "my.key").touch(0o600)
    project_file(shop, "use_encryption: true\nencryption_key_path: my.key\n")
    assert "the key is in the project that it protects" in outcome(cli, shop)[1]
    project_file(shop, "use_encryption: true\nencryption_key_path: ../my.key\n")
    code, said = outcome(cli, shop)
    assert code != 0
    assert "prj_config.yaml:2:22: encryption_key_path" in said
