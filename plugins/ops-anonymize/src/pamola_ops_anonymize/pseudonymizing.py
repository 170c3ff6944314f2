"""The operation that replaces values by pseudonyms."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, get_args

import attrs
import pandas as pd

from pamola_tasks import Effect, Effects, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError, ParameterError

from .alike import NearCollisions, Normalization, normalized
from .column_operation import ColumnOperation
from .columns import (
    belongs_to,
    columns_of_person,
    distinct_texts,
    one_of,
    person_columns,
    require,
    some_of,
    whole_number,
    with_texts,
    wrong,
)
from .earlier_release import DistinctTexts, compared
from .effects import hidden, of_each
from .format_preserving import OF_FF1, Alphabet, FormatPreserving, characters_of
from .pseudonyms import Pseudonymizer, plain_texts
from .roles import DIRECT, PSEUDONYMS
from .surrogates import FAKER, Kind, MovedDates, Surrogates, faker_version, from_faker, from_list
from .vaults import TOKEN_BYTES, sealed_vault, stated_purpose, vault_keys

if TYPE_CHECKING:
    from pamola_tasks.operation import Scope

Method = Literal["hmac-sha256", "token", "ff1", "surrogate"]
Make = Callable[[str, "pd.Series[Any]", pd.DataFrame], "pd.Series[str]"]  # of a column, normalized, and its piece

MOST_ALIKE = 20  # records for each different value, from which on a value can be recognised by its frequency
EXACT = 2**53  # up to which a float holds every whole number
UNKEYED = frozenset({"hash", "plain", "unkeyed", *hashlib.algorithms_available})

_SURROGATE = ("surrogate", "locale", "surrogates_dataset", "injective", "person", "shift_days")
_BELONGS = {"hmac-sha256": (), "token": ("vault_dataset",), "ff1": OF_FF1, "surrogate": _SURROGATE}
_OF_KIND = {
    **dict.fromkeys(FAKER, ("locale", "injective")),
    "list": ("surrogates_dataset", "injective"),
    "date": ("person", "shift_days"),
}


def _keyed_method(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if isinstance(value, str) and value.lower().replace("_", "-") in UNKEYED:
        raise ParameterError(
            f"{type(operation).__name__}: `{attribute.name}: {value}` is refused: without a key, anyone can hash all"
            f" existing e-mail addresses or numbers and look up the pseudonyms; use `hmac-sha256`, which needs the"
            f" project's key"
        )
    one_of(Method)(operation, attribute, value)


def _earlier_columns(operation: Any, attribute: attrs.Attribute[Any], value: Any) -> None:
    if not isinstance(value, dict) or not all(isinstance(name, str) for pair in value.items() for name in pair):
        raise wrong(operation, attribute.name, "a mapping of columns to columns of `earlier_dataset`", value)


class PseudonymizeOperation(ColumnOperation):
    """Replace values by pseudonyms that only the holder of the project's key can make or undo.

    `hmac-sha256` writes HMAC-SHA-256 of the value's UTF-8 text in hexadecimal (RFC 2104, FIPS 198-1) under
    `ctx.derive_key(purpose)`. `token` writes 32 hexadecimal digits and, in `internal/`, a vault with each token's
    value, encrypted by AES-SIV (RFC 5297). `ff1` writes a text of the same form, by format-preserving encryption (FF1
    with AES-256: NIST SP 800-38G, rev. 1). `surrogate` writes a realistic value, chosen by a keyed hash.
    `ReidentifyOperation` restores values from tokens and from `ff1`. The same value gets the same pseudonym in every
    column, table and run of the project that has the same purpose; under another purpose the pseudonyms cannot be
    linked. Missing values stay missing. Pseudonymized data is still personal data (GDPR, article 4(5)).

    Args:
        input_dataset: The table.
        output_dataset: What the table with pseudonyms is called.
        columns: The columns whose values are replaced. Numbers and dates are taken as they are written.
        method: `hmac-sha256`, `token`, `ff1` or `surrogate`. An unkeyed hash is refused.
        purpose: What the key is derived for: tables to be joined by pseudonym share it, others should not. Unless
            given, `<task_id>/<output_dataset>`: pseudonyms of other tasks and tables cannot be linked with these.
        vault_dataset: With `token`: what the vault is called. It has the columns `token`, `sealed` and `purpose`,
            sorted by token. Never hand it on with the table.
        alphabet: With `ff1`: `digits`, `lower`, `upper`, `alphanumeric` (digits, A to Z, a to z) or `custom`. Other
            characters keep their place. A value needs so many characters of the alphabet that a million texts are
            possible: six digits, five letters, four of `alphanumeric`.
        characters: With `alphabet: custom`: its characters.
        surrogate: With `surrogate`: what is written: `name`, `first_name`, `last_name`, `email`, `city`,
            `street_address`, `company` or `phone` of Faker (the extra `surrogates`), an entry of a `list`, or a `date`
            moved by a number of days that each person has.
        locale: Of Faker, such as `de_DE`.
        surrogates_dataset: With `surrogate: list`: the table whose first column is the list.
        injective: No two values share a surrogate; refused where there are too few. A surrogate then also depends on
            the other values of the table.
        person: With `surrogate: date`: the column or columns that say whose the dates are. All dates of a person move
            by the same number of days, so that intervals stay.
        shift_days: With `surrogate: date`: the largest number of days, forwards or backwards.
        earlier_dataset: A table that was pseudonymized before: the report says how many of the pseudonyms it has.
        earlier_columns: The columns of that table, where they have other names: `{id: patient}`.
        on_identifiers: What happens to other columns of a published table that look like direct identifiers: `warn`
            keeps them, `drop` leaves them out, `fail` refuses to continue.
        insensitive_attributes: Columns that are harmless, whatever they look like.
        normalize: What of a value does not count, so that spellings of one value get one pseudonym: `nfc` (how Unicode
            composes characters), `casefold` (case), `trim` (blanks around it, and invisible characters). Nothing unless
            set. What is restored is the normalized value.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    output_dataset: str = writes("{input}_pseudonymized")
    method: Method = attrs.field(default="hmac-sha256", validator=_keyed_method)
    purpose: str | None = attrs.field(default=None, validator=stated_purpose)
    vault_dataset: str | None = writes(None, internal=True)
    alphabet: Alphabet = attrs.field(default="digits", validator=one_of(Alphabet))
    characters: str | None = None
    surrogate: Kind = attrs.field(default="name", validator=one_of(Kind))
    locale: str = "en_US"
    surrogates_dataset: str | None = reads(None)
    injective: bool = False
    person: str | list[str] | None = attrs.field(default=None, validator=person_columns)
    shift_days: int = attrs.field(default=365, validator=whole_number(1))
    earlier_dataset: str | None = reads(None)
    earlier_columns: dict[str, str] = attrs.field(factory=dict, validator=_earlier_columns)
    normalize: list[Normalization] = attrs.field(factory=list, validator=some_of(Normalization))

    version = "1.4"
    done = PSEUDONYMS
    role = DIRECT

    def __attrs_post_init__(self) -> None:
        if self.method == "token" and not self.vault_dataset:
            raise ParameterError(
                "PseudonymizeOperation: `method: token` needs a `vault_dataset`: without it no token could be reversed,"
                " and `hmac-sha256` does that"
            )
        if self.method != "token" and self.vault_dataset is not None:
            raise ParameterError("PseudonymizeOperation: `vault_dataset` belongs to `method: token`")
        belongs_to(self, "method", _BELONGS)
        if self.method == "ff1":
            characters_of(self)
        if self.method == "surrogate":
            belongs_to(self, "surrogate", _OF_KIND)
            needed = {"date": "person", "list": "surrogates_dataset"}.get(self.surrogate)
            if needed and not getattr(self, needed):
                raise ParameterError(f"PseudonymizeOperation: `surrogate: {self.surrogate}` needs `{needed}`")
        others = [name for name in self.earlier_columns if name not in self.columns]
        if others or (self.earlier_columns and self.earlier_dataset is None):
            said = f"names {', '.join(others)}, which `columns` does not" if others else "belongs to `earlier_dataset`"
            raise ParameterError(f"PseudonymizeOperation: `earlier_columns` {said}")

    @property
    def columns_of_earlier(self) -> dict[str, str]:
        """By column, the column of `earlier_dataset` that it is compared with."""
        return {name: self.earlier_columns.get(name, name) for name in self.columns}

    def libraries(self) -> dict[str, str]:
        """The libraries whose version changes the pseudonyms, as parts of the fingerprint."""
        if self.method != "surrogate" or self.surrogate not in FAKER:
            return {}
        return {"version faker": faker_version()}

    def columns_as_text(self, dataset: str) -> list[str]:
        """The columns of a dataset that count as the text in its file."""
        if dataset == self.earlier_dataset:
            return list(dict.fromkeys(self.columns_of_earlier.values()))
        return [*self.columns, *columns_of_person(self.person)] if dataset == self.input_dataset else []

    @property
    def scope(self) -> Scope:
        """A vault has the values of all rows, and no two of them may share an injective surrogate."""
        return self.scope_of("table" if self.method == "token" or self.injective else "row")

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Pseudonyms follow from their values; surrogates also from their list, whose they are, or all other values."""
        others = of_each(self.input_dataset, columns_of_person(self.person), "CONDITIONAL")
        if self.surrogates_dataset is not None:
            others += of_each(self.surrogates_dataset, columns[self.surrogates_dataset][:1], "TRANSFORMATION")
        if self.injective:
            others += of_each(self.input_dataset, self.columns, "CONDITIONAL")
        changed = hidden(self.input_dataset, self.columns, *others)
        earlier = self.earlier_dataset
        needs = [] if earlier is None else [(earlier, name) for name in self.columns_of_earlier.values()]
        found = {self.output_dataset: self.effects_of(columns, changed, needs=needs)}
        if self.vault_dataset is not None:
            sealed = [Effect(self.input_dataset, name, "TRANSFORMATION", masking=True) for name in self.columns]
            distinct = of_each(self.input_dataset, self.columns, "GROUP_BY")
            found[self.vault_dataset] = Effects({"token": sealed, "sealed": sealed, "purpose": ()}, distinct)
        return found

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Ask for the key first, then replace chunk by chunk; what was missing has to be missing still."""
        purpose = self.purpose or f"{ctx.run.record.task_id}/{self.output_dataset}"
        make, finish = self._maker(ctx, purpose)
        replaced = dict.fromkeys(self.columns, 0)
        inexact = dict.fromkeys(self.columns, 0)
        near = {name: NearCollisions() for name in self.columns}
        here = {name: DistinctTexts() for name in self.columns} if self.earlier_dataset is not None else {}

        def replace(piece: pd.DataFrame) -> pd.DataFrame:
            written: dict[str, pd.Series[str]] = {}
            for name in self.columns:
                texts = plain_texts(piece[name])
                near[name].add(distinct_texts(piece[name])[1] if texts is None else texts)
                if pd.api.types.is_float_dtype(piece[name].dtype):
                    inexact[name] += int((piece[name].abs() > EXACT).sum())
                written[name] = make(name, self._normalized(piece[name]), piece)
                replaced[name] += int(written[name].notna().sum())
                if here:
                    here[name].add(written[name])
            return piece.assign(**written)

        rows, _, looks_like = self.rewritten(ctx, replace)
        metrics: dict[str, Any] = {
            "method": self.method,
            "purpose": purpose,
            "rows": rows,
            "cells_replaced": replaced,
            "cells_missing": {name: rows - count for name, count in replaced.items()},
            "normalize": list(self.normalize),
            "values_read_alike": {name: each.count for name, each in near.items()},
            **looks_like,
        }
        metrics["values_estimated"] = [name for name, each in near.items() if not each.exact]
        self._tell(ctx, metrics["values_read_alike"], metrics["values_estimated"])
        for name, number in inexact.items():
            if number:
                ctx.warn(
                    f"{self.output_dataset}: {number:,} values of {name} are floats beyond 2^53, which do not hold all"
                    f" digits: different numbers may have one pseudonym. State the type of the column as text"
                )
        moved = self.method == "surrogate" and self.surrogate == "date"
        few = [name for name in self.columns if 0 < near[name].distinct * MOST_ALIKE <= replaced[name]]
        if few and not moved:
            ctx.warn(
                f"{self.output_dataset}: {', '.join(few)} has few different values for its records, so that a pseudonym"
                f" can be recognised by how often it occurs. Drop such a column, or generalize it"
            )
        metrics.update(finish())
        if self.earlier_dataset is not None:
            metrics["earlier"] = self._compared(ctx, self.earlier_dataset, here)
        return OperationResult.success(metrics)

    def _normalized(self, column: pd.Series[Any]) -> pd.Series[Any]:
        return with_texts(column, lambda text: normalized(text, self.normalize)) if self.normalize else column

    def _maker(self, ctx: OperationContext, purpose: str) -> tuple[Make, Callable[[], dict[str, Any]]]:
        """What makes the pseudonyms of the method, and what is told or written when all are made."""
        if self.method == "token":
            keys = vault_keys(ctx, purpose)
        else:
            keys = (ctx.derive_key(purpose if self.method == "hmac-sha256" else f"{purpose} {self.method}"), b"")
        roles = {"columns": self.columns, "person": columns_of_person(self.person)}
        require(ctx, self.input_dataset, {role: names for role, names in roles.items() if names})
        if self.earlier_dataset is not None:
            require(ctx, self.earlier_dataset, {"earlier_columns": self.columns_of_earlier.values()})
        if self.method == "ff1":
            return self._ff1(ctx, keys[0], purpose)
        if self.method == "surrogate":
            return self._moved(keys[0]) if self.surrogate == "date" else self._surrogates(ctx, keys[0])
        token = self.method == "token"
        made = {name: Pseudonymizer(keys[0], size=TOKEN_BYTES if token else 32, keep=token) for name in self.columns}

        def finish() -> dict[str, Any]:
            if self.vault_dataset is None:
                return {}
            known = {value: digest for each in made.values() for value, digest in each.known.items()}
            vault = sealed_vault(known, keys[1], purpose)
            ctx.data.write(self.vault_dataset, vault)
            return {"tokens": len(vault)}

        return lambda name, column, _: made[name].column(column), finish

    def _ff1(self, ctx: OperationContext, key: bytes, purpose: str) -> tuple[Make, Callable[[], dict[str, Any]]]:
        characters = characters_of(self)
        made = {name: FormatPreserving(name, key, characters, purpose.encode()) for name in self.columns}

        def finish() -> dict[str, Any]:
            kept = {name: each.kept_letters for name, each in made.items()}
            for name, number in kept.items():
                if number:
                    ctx.warn(
                        f"{self.output_dataset}: {number:,} values of {name} keep letters or digits that are not in the"
                        f" alphabet {self.alphabet}: take one that has them, or another method"
                    )
            return {"alphabet": self.alphabet, "cells_with_characters_kept": kept}

        return lambda name, column, _: made[name].column(column), finish

    def _moved(self, key: bytes) -> tuple[Make, Callable[[], dict[str, Any]]]:
        made = {name: MovedDates(name, key, self.shift_days) for name in self.columns}
        columns = columns_of_person(self.person)

        def move(name: str, column: pd.Series[Any], piece: pd.DataFrame) -> pd.Series[str]:
            first, *more = (with_texts(piece[each], lambda text: normalized(text, self.normalize)) for each in columns)
            persons = first
            for another in more:
                persons = persons + "\0" + another
            return made[name].column(column, persons)

        return move, lambda: {"surrogate": "date", "shift_days": self.shift_days}

    def _surrogates(self, ctx: OperationContext, key: bytes) -> tuple[Make, Callable[[], dict[str, Any]]]:
        about: dict[str, Any] = {"surrogate": self.surrogate}
        choices = self._list(ctx, self.surrogates_dataset) if self.surrogates_dataset is not None else None
        if choices is None:
            draw = from_faker(self.surrogate, self.locale)
            about |= {"faker": faker_version(), "locale": self.locale}
        else:
            draw = from_list(choices)
            about["entries"] = len(choices)
        made = Surrogates(key, draw, choices)
        if self.injective:
            pieces = ctx.data.chunks(self.input_dataset, columns=list(self.columns))
            columns = (self._normalized(piece[name]) for piece in pieces for name in self.columns)
            made.make_injective({text for column in columns for text in distinct_texts(column)[1]})

        def finish() -> dict[str, Any]:
            facts = made.facts()
            if sharing := facts["values_sharing_a_surrogate"]:
                ctx.warn(
                    f"{self.output_dataset}: {sharing:,} of {facts['distinct_values']:,} different values share their"
                    f" surrogate with another, so that their records look alike: `injective: true` gives each its own"
                )
            if real := facts["surrogates_that_are_values"]:
                ctx.warn(
                    f"{self.output_dataset}: {real:,} surrogates are also values of the columns: a real value in the"
                    f" release is not its own record's, but it shows"
                )
            return about | facts

        return lambda _name, column, _piece: made.column(column), finish

    def _list(self, ctx: OperationContext, dataset: str) -> list[str]:
        column = ctx.data.columns(dataset)[0]
        entries = distinct_texts(ctx.data.frame(dataset, [column])[column])[1]
        if len(entries) < 2:
            raise DataError(f"{dataset}: a list of surrogates needs 2 or more different entries in its first column")
        return sorted(entries)

    def _compared(self, ctx: OperationContext, dataset: str, here: dict[str, DistinctTexts]) -> dict[str, Any]:
        """What the pseudonyms have in common with those of the earlier table."""
        found = compared(ctx, dataset, self.columns_of_earlier, here)
        for name, facts in found.items():
            if facts["distinct"] and facts["distinct_earlier"] and not facts["known"]:
                ctx.warn(
                    f"{self.output_dataset}: none of the {facts['distinct']:,} pseudonyms of {name} is in {dataset}:"
                    f" these were made with another key, purpose or method, or the values are written in another way"
                )
        return {"dataset": dataset, "columns": found}

    def _tell(self, ctx: OperationContext, alike: dict[str, int], estimated: list[str]) -> None:
        """Warn of spellings of one value, which have pseudonyms of their own."""
        for name, number in alike.items():
            if number and not set(self.normalize) >= set(get_args(Normalization)):
                ctx.warn(
                    f"{self.output_dataset}: {'about ' if name in estimated else ''}{number:,} values of {name} differ"
                    f" from another only in case, blanks, Unicode form or invisible characters, and may have pseudonyms"
                    f" of their own: `normalize: [nfc, casefold, trim]` gives them one"
                )
