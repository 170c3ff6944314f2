"""The operation that makes a table k-anonymous, and says what that did and did not achieve."""

from __future__ import annotations

import json
from typing import Any, Literal, get_args

import attrs
import pandas as pd

from pamola_tasks.errors import DataError, DataRefused, ParameterError
from pamola_tasks.identifiers import LikelyIdentifier, likely_identifiers
from pamola_tasks.operation import Operation, OperationContext, OperationResult, reads, writes

from .measures import Grouping
from .release import Release, check_release, k_anonymous

Method = Literal["k-anonymity"]
OnIdentifiers = Literal["warn", "drop", "fail"]

ROW_ID = "row_id"


def _one_of(allowed: Any) -> Any:
    def check(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
        if value not in get_args(allowed):
            names = ", ".join(get_args(allowed))
            raise ParameterError(f"AnonymizeOperation: `{attribute.name}` has to be one of {names}, not {value!r}")

    return check


def _names_columns(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, (list, tuple)) or not all(isinstance(name, str) for name in value):
        raise ParameterError(f"AnonymizeOperation: `{attribute.name}` has to be a list of column names, not {value!r}")
    twice = sorted({name for name in value if list(value).count(name) > 1})
    if twice:
        raise ParameterError(f"AnonymizeOperation: `{attribute.name}` names {', '.join(twice)} twice")


def _at_least_two(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, bool) or not isinstance(value, int) or value < 2:
        raise ParameterError(
            f"AnonymizeOperation: `{attribute.name}` has to be a whole number of 2 or more"
            f" (so many records must look alike), not {value!r}"
        )


def _not_empty(_: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not value:
        raise ParameterError(
            f"AnonymizeOperation: `{attribute.name}` is empty: name the columns by which somebody could be recognized"
        )


class AnonymizeOperation(Operation):
    """Generalize the quasi-identifiers of a table so that at least k records share each combination.

    Mondrian multidimensional partitioning (LeFevre, DeWitt and Ramakrishnan 2006). Direct identifiers are dropped.
    The step counts k on what it writes, and fails where it is below the claim.

    Args:
        input_dataset: The table to anonymize.
        output_dataset: What the anonymized table is called.
        method: `k-anonymity`.
        k: How many records must share each combination of quasi-identifiers, 2 or more.
        quasi_identifiers: Columns that together could tell who somebody is: these are generalized.
        sensitive_attributes: Columns worth protecting: left as they are, their l-diversity is measured.
        direct_identifiers: Columns that say who somebody is: dropped.
        on_identifiers: What happens to a column that is listed nowhere and looks like a direct identifier: `warn`
            keeps it and warns, `drop` leaves it out, `fail` refuses to go on.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
        row_id: Whether to add a column `row_id` with the number of the record in the input, counted from 0.
    """

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_anonymized")
    k: int = attrs.field(validator=_at_least_two)
    quasi_identifiers: list[str] = attrs.field(validator=[_names_columns, _not_empty])
    method: Method = attrs.field(default="k-anonymity", validator=_one_of(Method))
    sensitive_attributes: list[str] = attrs.field(factory=list, validator=_names_columns)
    direct_identifiers: list[str] = attrs.field(factory=list, validator=_names_columns)
    on_identifiers: OnIdentifiers = attrs.field(default="warn", validator=_one_of(OnIdentifiers))
    output_format: str | None = None
    row_id: bool = False

    version = "1.0"
    category = "anonymization"

    def __attrs_post_init__(self) -> None:
        roles = ("quasi_identifiers", "sensitive_attributes", "direct_identifiers")
        for position, role in enumerate(roles):
            for other in roles[position + 1 :]:
                both = [name for name in getattr(self, role) if name in getattr(self, other)]
                if both:
                    raise ParameterError(
                        f"AnonymizeOperation: {', '.join(both)} stands in both `{role}` and `{other}`:"
                        f" a column has one role"
                    )

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Anonymize, check, write; metrics and the artifact `<output_dataset>_anonymization` tell what came of it."""
        frame = ctx.data.frame(self.input_dataset)
        self._check_columns(frame)
        unlisted = self._unlisted(frame)
        suspects = likely_identifiers(frame, unlisted)
        dropped = [*self.direct_identifiers, *self._judge(suspects, ctx)]
        rows = len(frame)

        release = k_anonymous(
            frame.drop(columns=dropped).reset_index(drop=True),
            self.quasi_identifiers,
            self.k,
            progress=lambda done: ctx.progress(done, rows, "rows"),
        )
        grouping = check_release(release.frame, self.quasi_identifiers, self.k, rows, release.suppressed)
        if release.suppressed:
            ctx.warn(
                f"{self.input_dataset} has {rows} records, fewer than k={self.k}: all of them were suppressed,"
                f" and {self.output_dataset} is empty"
            )
        metrics = self._metrics(release, grouping, rows)
        metrics["l_diversity"] = self._diversity(release.frame, grouping, ctx)
        metrics["dropped_columns"] = dropped
        metrics["unlisted_columns"] = [name for name in unlisted if name not in dropped]
        metrics["likely_identifiers"] = {suspect.column: suspect.reason for suspect in suspects}

        output = release.frame
        if self.row_id:
            output = output.assign(**{ROW_ID: output.index.to_numpy()})
        ctx.data.write(self.output_dataset, output)
        with ctx.artifact(
            f"{self.output_dataset}_anonymization",
            "json",
            f"How {self.output_dataset} was anonymized, and what it keeps",
        ) as file:
            settings = {name: value for name, value in self.parameters().items() if value is not None}
            file.write(
                json.dumps({"schema": 1, "settings": settings, **metrics}, indent=2, ensure_ascii=False).encode()
            )
        ctx.progress(rows, rows, "rows")
        return OperationResult.success(metrics=metrics)

    def _check_columns(self, frame: pd.DataFrame) -> None:
        if not frame.columns.is_unique:
            twice = sorted({str(name) for name in frame.columns[frame.columns.duplicated()]})
            raise DataError(f"{self.input_dataset} has more than one column named {', '.join(twice)}: rename them")
        for role in ("quasi_identifiers", "sensitive_attributes", "direct_identifiers"):
            absent = [name for name in getattr(self, role) if name not in frame.columns]
            if absent:
                raise DataError(
                    f"{self.input_dataset} has no column {', '.join(absent)} (named in `{role}`);"
                    f" it has {', '.join(map(str, frame.columns))}"
                )
        if self.row_id and ROW_ID in frame.columns and ROW_ID not in self.direct_identifiers:
            raise DataError(f"{self.input_dataset} has a column {ROW_ID} already: rename it, or leave out `row_id`")
        if frame.empty:
            raise DataError(f"{self.input_dataset} has no records: there is nothing to anonymize")

    def _unlisted(self, frame: pd.DataFrame) -> list[str]:
        listed = {*self.quasi_identifiers, *self.sensitive_attributes, *self.direct_identifiers}
        return [name for name in frame.columns if name not in listed]

    def _judge(self, suspects: list[LikelyIdentifier], ctx: OperationContext) -> list[str]:
        """Warn of the columns that look like direct identifiers, or name those to drop, or refuse."""
        told = "; ".join(f"{suspect.column} ({suspect.reason})" for suspect in suspects)
        if not suspects:
            return []
        if self.on_identifiers == "fail":
            raise DataRefused(
                f"{self.input_dataset} has columns that look like direct identifiers: {told}. List them in"
                f" `direct_identifiers` to drop them, or in another role if they are harmless",
                columns=[suspect.column for suspect in suspects],
            )
        if self.on_identifiers == "drop":
            ctx.logger.info("columns that look like direct identifiers were dropped: %s", told)
            return [suspect.column for suspect in suspects]
        ctx.warn(
            f"{self.output_dataset} keeps columns that look like direct identifiers: {told}. List them in"
            f" `direct_identifiers`, or set `on_identifiers: drop`"
        )
        return []

    def _metrics(self, release: Release, grouping: Grouping, rows: int) -> dict[str, Any]:
        return {
            "method": self.method,
            "k_claimed": self.k,
            "k_measured": grouping.k,
            "k_before": release.k_before,
            "classes": grouping.classes,
            "classes_before": release.classes_before,
            "rows_in": rows,
            "rows_out": len(release.frame),
            "rows_suppressed": release.suppressed,
            "information_loss": release.information_loss,
            "information_loss_by_column": release.loss,
            "average_class_size": grouping.average_size,
            "discernibility": grouping.discernibility(release.suppressed),
        }

    def _diversity(self, released: pd.DataFrame, grouping: Grouping, ctx: OperationContext) -> dict[str, Any]:
        found: dict[str, Any] = {}
        for attribute in self.sensitive_attributes:
            diversity = grouping.diversity(released[attribute])
            if diversity is None:
                continue
            meaning = diversity.meaning(attribute, len(released))
            found[attribute] = {**attrs.asdict(diversity), "meaning": meaning}
            if diversity.l == 1:
                ctx.warn(f"{self.output_dataset}: {meaning}")
        return found
