"""What is shown of parameters and configuration holds no secret, and stays readable."""

from __future__ import annotations

import base64
from collections.abc import Callable
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from encryption_samples import KEY, KEY_TEXT

from pamola_tasks.secret import Secret
from pamola_tasks_encryption import TaskEncryptionManager

Make = Callable[..., TaskEncryptionManager]


@pytest.mark.parametrize(
    "name",
    [
        *("encryption_key", "key", "password", "secret", "token", "api_key", "access_key", "private_key"),
        *("master_key", "passphrase", "credentials", "KEY", "db_password", "apiKey", "Authorization", "smtpPassword"),
    ],
)
def test_names_of_secrets_are_known_in_all_their_spellings(manager_of: Make, name: str) -> None:
    assert manager_of().is_sensitive_param(name)


@pytest.mark.parametrize("name", ["sort_key", "key_path", "join_key", "k", "keyboard", "monkey", "passengers"])
def test_names_that_only_look_alike_stay_readable(manager_of: Make, name: str) -> None:
    assert not manager_of().is_sensitive_param(name)


def test_names_can_be_added_one_or_many(manager_of: Make) -> None:
    manager = manager_of()
    manager.add_sensitive_param_names("patient_number")
    manager.add_sensitive_param_names(["ward", "Bed"])
    assert all(manager.is_sensitive_param(name) for name in ("Patient_Number", "ward", "BED"))
    assert manager.redact_config_dict({"ward": "B2"}) == {"ward": "<redacted>"}


def test_nested_data_is_redacted_and_keeps_its_shape(manager_of: Make) -> None:
    data = {
        "host": "db.internal",
        "password": "hunter2",
        "list": [1, None, True, 2.5, ("a", {"api_key": 5})],
        "set": {"x"},
        7: "seven",
    }
    assert manager_of().redact_sensitive_data(data) == {
        "host": "db.internal",
        "<redacted:pas...>": "<redacted>",
        "list": [1, None, True, 2.5, ("a", {"<redacted:api...>": "<redacted>"})],
        "set": {"x"},
        7: "seven",
    }
    assert manager_of().redact_sensitive_data(data, redact_keys=False)["password"] == "<redacted>"
    assert data["password"] == "hunter2"


def test_two_secrets_whose_names_begin_alike_are_still_two_entries(manager_of: Make) -> None:
    redacted = manager_of().redact_sensitive_data({"api_key": 1, "api_token": 2, "api_secret": 3})
    assert len(redacted) == 3
    assert set(redacted.values()) == {"<redacted>"}


def test_a_redacted_configuration_keeps_its_names(manager_of: Make) -> None:
    config = {"encryption_key": KEY_TEXT, "nested": {"token": ["a", "b"]}, "task_id": "t_1"}
    assert manager_of().redact_config_dict(config) == {
        "encryption_key": "<redacted>",
        "nested": {"token": "<redacted>"},
        "task_id": "t_1",
    }


@pytest.mark.parametrize(
    "text",
    [
        base64.b64encode(b"\xfb" * 32).decode(),
        base64.urlsafe_b64encode(b"\xfb" * 32).decode(),
        KEY.hex(),
        "sk-" + "a" * 40,
        "KEY-" + "b" * 40,
        "token-" + "c" * 40,
        "pk-" + "d" * 40,
        "xkeysib" + "e" * 40,
    ],
)
def test_strings_that_look_like_keys_are_hidden_under_any_name(manager_of: Make, text: str) -> None:
    assert manager_of().redact_sensitive_data({"comment": text}) == {"comment": "<redacted:key-like>"}


@pytest.mark.parametrize(
    "text", ["a sentence that is a good deal longer than thirty-two letters", "sk-short", "abc123"]
)
def test_other_strings_stay(manager_of: Make, text: str) -> None:
    assert manager_of().redact_sensitive_data([text]) == [text]


def test_credentials_in_addresses_and_known_secrets_are_hidden_within_text(manager_of: Make) -> None:
    manager = manager_of()
    manager.initialize()
    redacted = manager.redact_sensitive_data(["postgres://me:hunter2@db/x", f"the key {KEY_TEXT} was used"])
    assert "hunter2" not in redacted[0]
    assert KEY_TEXT not in redacted[1]


def test_objects_are_named_and_never_printed(manager_of: Make) -> None:
    class Frame:
        def __repr__(self) -> str:
            return "cell value 4711"

    data: list[Any] = [Frame(), b"raw", Secret("hidden"), Path("a/b"), date(2024, 1, 2)]
    assert manager_of().redact_sensitive_data(data) == ["<Frame>", "<3 bytes>", "<redacted>", "a/b", "2024-01-02"]
