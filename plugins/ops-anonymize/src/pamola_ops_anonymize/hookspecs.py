"""The hook of this pack: privacy models that tables are to meet, of whatever plugin."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pamola_tasks import hookspec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pamola_tasks import Contribution

    from .privacy_models import PrivacyModel


@hookspec
def pamola_add_privacy_models() -> Mapping[str, str | type[PrivacyModel] | Contribution]:
    """Add privacy models, which `AnonymizeOperation` is then asked for by name under `models`.

    Called when a step with models is checked or run.

    Returns:
        Names of models, and for each a subclass of `pamola_ops_anonymize.PrivacyModel` or `"module:Class"`, which is
        imported when it is first used. The models of this pack are `k-anonymity`, `k-map`, `l-diversity`,
        `t-closeness`, `delta-disclosure`, `delta-presence`, `alpha-k-anonymity` and `beta-likeness`.
    """
    raise NotImplementedError
