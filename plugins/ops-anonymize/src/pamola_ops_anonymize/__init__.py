"""Anonymization operations for pamola-tasks: k-anonymity by Mondrian multidimensional partitioning."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from .anonymize import AnonymizeOperation as AnonymizeOperation
    from .assess import AssessOperation as AssessOperation
    from .attack import AttackOperation as AttackOperation
    from .coding import TopBottomCodeOperation as TopBottomCodeOperation
    from .dropping import DropOperation as DropOperation
    from .generalizing import GeneralizeOperation as GeneralizeOperation
    from .holding_out import HoldOutOperation as HoldOutOperation
    from .identifiers import Identifiers as Identifiers
    from .identifiers import proposed_roles as proposed_roles
    from .masking import MaskOperation as MaskOperation
    from .measures import Grouping as Grouping
    from .models import Histogram as Histogram
    from .noise import NoiseOperation as NoiseOperation
    from .privacy_models import Classes as Classes
    from .privacy_models import PrivacyModel as PrivacyModel
    from .private_statistics import PrivateStatisticsOperation as PrivateStatisticsOperation
    from .pseudonymizing import PseudonymizeOperation as PseudonymizeOperation
    from .reidentifying import ReidentifyOperation as ReidentifyOperation
    from .release import Release as Release
    from .release import k_anonymous as k_anonymous
    from .risk import RiskOperation as RiskOperation
    from .suppressing import SuppressOperation as SuppressOperation
    from .utility import UtilityOperation as UtilityOperation

__getattr__, __dir__, __all__ = lazily(
    __name__,
    {
        "anonymize": "AnonymizeOperation",
        "assess": "AssessOperation",
        "attack": "AttackOperation",
        "coding": "TopBottomCodeOperation",
        "dropping": "DropOperation",
        "generalizing": "GeneralizeOperation",
        "holding_out": "HoldOutOperation",
        "identifiers": "Identifiers proposed_roles",
        "masking": "MaskOperation",
        "measures": "Grouping",
        "models": "Histogram",
        "noise": "NoiseOperation",
        "privacy_models": "Classes PrivacyModel",
        "private_statistics": "PrivateStatisticsOperation",
        "pseudonymizing": "PseudonymizeOperation",
        "reidentifying": "ReidentifyOperation",
        "release": "Release k_anonymous",
        "risk": "RiskOperation",
        "suppressing": "SuppressOperation",
        "utility": "UtilityOperation",
    },
)
