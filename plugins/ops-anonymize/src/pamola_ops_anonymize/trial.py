"""What a release would be like, measured without making it: nothing is written, registered or published."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import attrs

from .asked_models import promise_of
from .charts import highest_and_average
from .claims import check_promise, check_release, released_classes
from .privacy_models import registered_models
from .release import anonymized
from .release_facts import figures
from .ties import in_a_trial
from .verdict import Knowable

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from pamola_tasks import OperationContext

    from .anonymize import AnonymizeOperation


def trial(
    operation: AnonymizeOperation, ctx: OperationContext, frame: pd.DataFrame, looks: Sequence[str] = ()
) -> dict[str, Any]:
    """Anonymize a table in memory, and measure the result as the step would; with `ties: random` the same each time.

    Args:
        operation: The settings. Where they continue an earlier release (`update`), that is left out.
        ctx: Of the step that asks: hierarchies and the population are read through it.
        frame: The table, or a sample of it; at least one record. Only quasi-identifiers, sensitive attributes and the
            columns of `person` are needed, and those of `looks`.
        looks: Columns that would be released as they are and look as if others know them of a person.

    Returns:
        The metrics of the step that are figures of the release (`k_measured`, `information_loss`, `rows_suppressed` …)
        and of the models that were asked for; `knowable`, on quasi-identifiers and `looks`; and the risk of
        re-identification as `highest_risk` and `average_risk`, 0 to 1.

    Raises:
        DataRefused: The table cannot meet what is asked for.
        PamolaTaskError: The settings do not fit the table, or take too long.
    """
    rows = len(frame)
    kept = frame.reset_index(drop=True)
    promise = promise_of(operation, registered_models(ctx.run))
    settings = operation.settings_for(ctx, promise, kept)
    with in_a_trial():
        release = anonymized(kept, operation.quasi_identifiers, operation.k, settings)
    grouping = check_release(
        release.coded,
        operation.quasi_identifiers,
        operation.k,
        rows,
        release.dropped,
        release.population,
        release.persons,
        release.persons_of_population,
    )
    measured = {name: grouping.measured(release.coded[name], promise) for name in operation.sensitive_attributes}
    classes = released_classes(release, grouping, operation.quasi_identifiers, promise)
    check_promise(promise, measured, classes)
    diversity = {name: grouping.diversity(release.coded[name]) for name in operation.sensitive_attributes}
    highest, average = highest_and_average(grouping.sizes)
    return {
        **figures(operation, release, grouping, rows),
        "l_diversity": {name: attrs.asdict(found) for name, found in diversity.items() if found is not None},
        **promise.claims([found for found in measured.values() if found is not None], classes),
        "knowable": attrs.asdict(Knowable.of(release, [*operation.quasi_identifiers, *looks], grouping)),
        "highest_risk": highest,
        "average_risk": average,
    }
