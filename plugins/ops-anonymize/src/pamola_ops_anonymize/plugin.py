"""Entry point of the pack: the operations that it adds."""

from __future__ import annotations

from pamola_tasks import hookimpl

PAMOLA_HOOK_API = 1


@hookimpl
def pamola_add_operations() -> dict[str, str]:
    return {
        "AnonymizeOperation": "pamola_ops_anonymize.anonymize:AnonymizeOperation",
        "DropOperation": "pamola_ops_anonymize.dropping:DropOperation",
        "GeneralizeOperation": "pamola_ops_anonymize.generalizing:GeneralizeOperation",
        "MaskOperation": "pamola_ops_anonymize.masking:MaskOperation",
        "NoiseOperation": "pamola_ops_anonymize.noise:NoiseOperation",
        "PseudonymizeOperation": "pamola_ops_anonymize.pseudonymizing:PseudonymizeOperation",
        "ReidentifyOperation": "pamola_ops_anonymize.pseudonymizing:ReidentifyOperation",
        "RiskOperation": "pamola_ops_anonymize.risk:RiskOperation",
        "SuppressOperation": "pamola_ops_anonymize.suppressing:SuppressOperation",
        "TopBottomCodeOperation": "pamola_ops_anonymize.coding:TopBottomCodeOperation",
        "UtilityOperation": "pamola_ops_anonymize.utility:UtilityOperation",
    }
