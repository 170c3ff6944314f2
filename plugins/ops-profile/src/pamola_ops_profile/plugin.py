"""Entry point of the pack: the operations that it adds."""

from __future__ import annotations

from pamola_tasks import hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_operations() -> dict[str, str]:
    return {
        "CorrelationOperation": "pamola_ops_profile.operations:CorrelationOperation",
        "ProfileOperation": "pamola_ops_profile.operations:ProfileOperation",
    }
