"""What this plugin adds: the encryption service, its settings, how encrypted files are recognised,
what `doctor` says about the key; the commands `keys`, `encrypt` and `decrypt`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import Command, hookimpl

if TYPE_CHECKING:
    from collections.abc import Iterable

    from pamola_tasks.protocols import Diagnosis, Encryption, KernelView, Project, RunServices

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_settings() -> str:
    return "pamola_tasks_encryption.settings:EncryptionSettings"


@hookimpl
def pamola_add_container_formats() -> dict[str, str]:
    return {
        "ptask/1\n": "pamola_tasks_encryption.renewal:PtaskFormat",
        "age-encryption.org/": "pamola_tasks_encryption.age:AgeFormat",
    }


@hookimpl(trylast=True)
def pamola_provide_encryption(run: RunServices) -> Encryption:
    from pamola_tasks_encryption.provide import manager_for

    return manager_for(run)


@hookimpl
def pamola_add_commands() -> dict[str, Command]:
    return {
        "keys": Command(
            "pamola_tasks_encryption.commands:keys", help="Make, check, lock and change keys.", reads=("list", "check")
        ),
        "encrypt": Command("pamola_tasks_encryption.file_commands:encrypt", help="Encrypt files."),
        "decrypt": Command("pamola_tasks_encryption.file_commands:decrypt", help="Decrypt files."),
    }


@hookimpl
def pamola_add_diagnoses(project: Project | None, kernel: KernelView) -> Iterable[Diagnosis]:
    from pamola_tasks_encryption.provide import diagnose_key

    return diagnose_key(project, kernel)
