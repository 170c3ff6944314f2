"""What the operations of the pack share: they read a table, change some of its columns, measure that, and write it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

import attrs
import numpy as np
import pandas as pd

from pamola_tasks import Effect, Effects, Operation, OperationContext, OperationResult, reads, writes

from .columns import is_numeric, require

MOST_JUDGED = 100_000


class PerturbOperation(Operation):
    """An operation that changes values of some columns, and keeps all records and their order.

    It claims nothing about the table: what is known of the protection is what it measures.
    """

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_perturbed")
    output_format: str | None = None

    category = "anonymization"
    role: ClassVar[str] = "quasi-identifier"  #: of the columns that it changes
    done: ClassVar[str] = "changed"  #: what becomes of them, in words
    insensitive_attributes: ClassVar[Sequence[str]] = ()
    treated_before: ClassVar[frozenset[str]] = frozenset()  #: columns that steps before it treat, as the plan says
    roles_before: ClassVar[Mapping[str, Any]] = {}  #: what steps before it say of roles

    def changed(self) -> list[str]:
        """The columns that it changes."""
        raise NotImplementedError

    def decide(self) -> Mapping[str, Sequence[str]]:
        """Columns that decide what others become, by the parameter that names them."""
        return {}

    def columns_with_roles(self) -> frozenset[str]:
        """Columns that this step treats."""
        return frozenset(self.changed())

    def named(self) -> dict[str, Sequence[str]]:
        """The columns that parameters name, by parameter."""
        return {"columns": self.changed(), **self.decide()}

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """The columns are hidden by other values, on which further columns decide; all others are kept."""
        source = self.input_dataset
        deciding = dict.fromkeys(name for names in self.decide().values() for name in names)
        changed = self.changed()
        written: dict[str, list[Effect]] = {name: [Effect(source, name)] for name in columns[source]}
        for name in changed:
            others = [Effect(source, other, "CONDITIONAL", masking=True) for other in deciding if other != name]
            written[name] = [Effect(source, name, "TRANSFORMATION", masking=True), *others]
        needs = [(source, name) for name in dict.fromkeys([*changed, *deciding])]
        return {self.output_dataset: Effects(columns=written, needs=needs)}

    def perturb(self, ctx: OperationContext, frame: pd.DataFrame) -> tuple[dict[str, pd.Series[Any]], dict[str, Any]]:
        """The new columns by name, each of the same length and index as the table, and what was measured."""
        raise NotImplementedError

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Read the table, change the columns, measure risk and utility, and write."""
        require(self.input_dataset, ctx.data.columns(self.input_dataset), self.named())
        ctx.stage("reading")
        frame = ctx.data.frame(self.input_dataset)
        ctx.stage("perturbing")
        written, measured = self.perturb(ctx, frame)
        share = {name: _share_changed(frame[name], column) for name, column in written.items()}
        metrics = {"rows": len(frame), "guarantee": "none", "share_changed": share, **measured}
        if ctx.run.plan.is_final(self.output_dataset, ctx.config.outputs):
            metrics["roles"] = self._roles(frame.columns)
            self._warn_of_identifiers(ctx, frame)
        ctx.stage("writing")
        ctx.data.write(self.output_dataset, frame.assign(**written))
        return OperationResult.success(metrics)

    def _roles(self, there: Sequence[Any]) -> list[dict[str, Any]]:
        before = {name: attrs.asdict(role) for name, role in self.roles_before.items()}
        for name in self.changed():
            role = before.get(name, {}).get("role", self.role)
            before[name] = {"column": name, "role": role, "said": "stated", "reason": "", "done": self.done}
        return [{"loss": None, **before[name]} for name in map(str, there) if name in before]

    def _warn_of_identifiers(self, ctx: OperationContext, frame: pd.DataFrame) -> None:
        """Warn of columns of a published table that nothing was done to, and that look like direct identifiers."""
        service: Any = getattr(ctx.run, "identifiers", None)  # of another pack
        treated = self.treated_before | self.columns_with_roles()
        others = [name for name in frame.columns if name not in treated]
        if not hasattr(service, "roles") or not others or frame.empty:
            return
        chosen = frame[others]
        if len(frame) > MOST_JUDGED:
            chosen = chosen.iloc[np.sort(ctx.rng.choice(len(frame), MOST_JUDGED, replace=False))]
            chosen = chosen.reset_index(drop=True)
            chosen.attrs["records"] = len(frame)
        found = service.roles(chosen, set(others), ()).get("direct identifier", {})
        if found:
            ctx.warn(
                f"{self.output_dataset} keeps columns that look like direct identifiers: {', '.join(map(str, found))}."
                f" DropOperation or PseudonymizeOperation before this step takes them away"
            )


def _share_changed(before: pd.Series[Any], after: pd.Series[Any]) -> float:
    """The share of records whose cell is another; missing ones are alike."""
    if before.empty:
        return 0.0
    if is_numeric(before) and is_numeric(after):
        one, other = (each.to_numpy(dtype=np.float64, na_value=np.nan) for each in (before, after))
        return float(1.0 - np.mean((one == other) | (np.isnan(one) & np.isnan(other))))
    if before.dtype == after.dtype:
        same = (before == after) | (before.isna() & after.isna())
    else:
        codes, _ = pd.factorize(pd.concat([before.astype(object), after.astype(object)], ignore_index=True))
        same = pd.Series(codes[: len(before)] == codes[len(before) :])
    return float(1.0 - np.mean(same.fillna(False).to_numpy(dtype=bool)))
