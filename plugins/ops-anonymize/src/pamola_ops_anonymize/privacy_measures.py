"""The service `privacy_measures`: registered privacy models, counted on any table, for other plugins."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import attrs

if TYPE_CHECKING:
    import pandas as pd


@attrs.frozen(kw_only=True)
class ModelMeasure:
    """What a privacy model measures on a table.

    Attributes:
        model: Its name.
        words: What was asked, in the field's terms.
        column: The sensitive attribute; empty for models of sizes.
        worst: The measure of the class that gives most away; None where there is no record.
        holds: Whether it meets what was asked.
    """

    model: str
    words: str
    column: str
    worst: float | None
    holds: bool


class PrivacyMeasures:
    """Measures tables by the privacy models that plugins register.

    Args:
        run: The run that asks.
    """

    def __init__(self, run: Any) -> None:
        self._run = run

    def measure(
        self,
        frame: pd.DataFrame,
        quasi_identifiers: Sequence[str],
        models: Mapping[str, Mapping[str, Any]],
        sensitive: Sequence[str] = (),
    ) -> list[ModelMeasure]:
        """Group the records of a table by their cells, and measure.

        Args:
            frame: The table.
            quasi_identifiers: The columns that records are grouped by.
            models: Names of privacy models, with their parameters.
            sensitive: The columns that models of sensitive attributes are asked about.

        Raises:
            ParameterError: A model is unknown, cannot be made of these parameters, or compares with a population.
        """
        from pamola_tasks.errors import ParameterError

        from .asking import keeps, measure, worst_of
        from .measures import Grouping
        from .models import SensitiveValues
        from .privacy_models import Classes, models_of, registered_models

        grouping = Grouping.of(frame, quasi_identifiers)
        found = []
        for model in models_of(registered_models(self._run), models.items()):
            if model.of_population:
                raise ParameterError(f"{model.name} compares a release with a population, which a table alone has not")
            for column in sensitive if model.of_sensitive else [""]:
                worst = None
                if grouping.classes:
                    values = SensitiveValues.of(frame[column]) if column else None
                    counts = None if values is None else grouping.histogram(values)
                    classes = Classes(grouping.sizes, counts, values is not None and values.ordered)
                    worst = worst_of(model, measure(model, classes))
                held = worst is None or keeps(model, worst)
                found.append(
                    ModelMeasure(model=model.name, words=model.words(), column=column, worst=worst, holds=held)
                )
        return found
