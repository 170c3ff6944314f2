"""The operation that finds what identifies persons in free text, and writes other characters in its place."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar

import attrs
import pandas as pd

from pamola_tasks import Effect, Effects, Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError
from pamola_tasks.parameters import unknown_name

from . import checks
from .charts import TAG, found_by_entity
from .entities import default_entities
from .labels import COLUMNS, labels_of, measured
from .replacing import Action, Replacing, action_of
from .searching import Searching, known_of
from .warning import kept_identifiers, of_labels, of_method, roles

if TYPE_CHECKING:
    from pamola_tasks.operation import Scope

    from .agreement import Agreement

_TEXT = ("object", "str", "string", "category")


class RedactTextOperation(Operation):
    """Find in free text what identifies persons, and mask, replace or pseudonymize it.

    Names of entities and most recognizers are those of Presidio (presidio-analyzer): patterns with checksums and words
    of their context, without a language model, and without the network. Besides, the values of `known_columns` are
    found in the texts of their own record, and `deny_list` everywhere. Names of persons and places that neither of
    these has are found only with a spaCy model, which has to be installed. Nothing proves that a text identifies no
    person: measure recall on a labelled sample.

    Texts are searched in the compatibility form of Unicode (NFKC, UAX #15), without invisible characters, digits of all
    scripts as 0 to 9. Findings that overlap become one that covers the characters of all, of the entity with the
    highest score (known values and lists have 1); of equal scores the longest counts. Missing values stay missing.

    Args:
        input_dataset: The table.
        output_dataset: What the table with the redacted texts is called.
        columns: The columns of text.
        languages: Languages of the texts (ISO 639-1): of the words around a finding, and of Presidio's recognizers.
        entities: What is looked for, by Presidio's names. Unless given: CREDIT_CARD, CRYPTO, DATE_TIME, EMAIL_ADDRESS,
            IBAN_CODE, IP_ADDRESS, MAC_ADDRESS, PHONE_NUMBER, URL, US_SSN and UUID; with a model PERSON and LOCATION.
        score_threshold: How certain a recognizer has to be, 0 to 1.
        action: `mask` writes the entity, such as `<EMAIL_ADDRESS>`; `replace` numbers the values of the dataset in
            the order in which they appear, such as `<EMAIL_ADDRESS_1>`; `pseudonymize` writes the first 16 digits of
            HMAC-SHA-256 under the project's key, the same in every table with the same `purpose`. One for all, or a
            mapping of entities; others are masked.
        mask_character: With `mask`: write this for each character, and not the entity.
        purpose: With `pseudonymize`: what the key is derived for, as of PseudonymizeOperation: a known value has the
            first digits of the pseudonym that its column gets there. Unless given, `<task_id>/<output_dataset>`.
        known_columns: Columns with identifiers of the record, such as its name: their values are found in its texts,
            whole and by the words of names. A mapping gives the entity: `{name: PERSON}`; else it is the column's name.
        patterns: By entity regular expressions of your own (of the module `regex`; case does not count).
        deny_list: By entity names and words that are found wherever they occur, whatever their case and accents.
        deny_datasets: By entity a table whose first column has names that are found wherever they occur, like values of
            `known_columns`: `{PERSON: staff}`.
        allow_list: Findings that stay as they are, with all that is found within them.
        context: By entity words of which one, up to five words before it, makes a finding more certain. With one's own
            `patterns` of that entity they count only behind such a word.
        phone_regions: Countries (ISO 3166-1, such as `CH`) by whose rules telephone numbers without a country code are
            found. Unless given, Presidio's: US, GB, DE, FR, IL, IN, CA and BR.
        model: A spaCy model that is installed, such as `en_core_web_sm`; a mapping of languages for several.
        labelled_dataset: A table with `text`, `start`, `end` (in characters) and `entity`, and maybe `known_columns`:
            recall, precision and F1 are measured on it.
        output_format: `csv`, `parquet` …, where it should differ from the task's.
    """

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_redacted")
    columns: list[str] = attrs.field(validator=checks.some_names)
    languages: list[str] = attrs.field(factory=lambda: ["en"], validator=checks.some_names)
    entities: list[str] | None = attrs.field(default=None, validator=attrs.validators.optional(checks.some_names))
    score_threshold: float = attrs.field(default=0.4, validator=checks.share)
    action: Action | dict[str, Action] = "mask"
    mask_character: str | None = attrs.field(default=None, validator=checks.one_character)
    purpose: str | None = None
    known_columns: list[str] | dict[str, str] = attrs.Factory(list)
    patterns: dict[str, str | list[str]] = attrs.field(factory=dict, validator=checks.expressions)
    deny_list: dict[str, list[str]] = attrs.field(factory=dict, validator=checks.words)
    deny_datasets: dict[str, str] = reads(attrs.Factory(dict))
    allow_list: list[str] = attrs.Factory(list)
    context: dict[str, list[str]] = attrs.field(factory=dict, validator=checks.words)
    phone_regions: list[str] | None = attrs.field(default=None, validator=checks.regions)
    model: str | dict[str, str] | None = None
    labelled_dataset: str | None = reads(None)
    output_format: str | None = None

    version = "1.0"
    category = "anonymization"
    role: ClassVar[str] = "direct identifier"
    done: ClassVar[str] = "entities redacted"
    insensitive_attributes: ClassVar[Sequence[str]] = ()
    treated_before: ClassVar[frozenset[str]] = frozenset()  #: columns that steps before it treat, as the plan says
    roles_before: ClassVar[Mapping[str, Any]] = {}  #: what steps before it say of roles

    def __attrs_post_init__(self) -> None:
        checks.check(self)

    # ------------------------------------------------------------ what is asked

    @property
    def known(self) -> dict[str, str]:
        """By known column the entity of its values."""
        if isinstance(self.known_columns, dict):
            return dict(self.known_columns)
        return {name: re.sub(r"\W+", "_", name).strip("_").upper() or "KNOWN" for name in self.known_columns}

    @property
    def models(self) -> dict[str, str]:
        """By language the model that is used for it."""
        if isinstance(self.model, str):
            return dict.fromkeys(self.languages, self.model)
        return dict(self.model or {})

    def searched(self) -> list[str]:
        """The entities that recognizers look for."""
        return default_entities(self.models) if self.entities is None else list(self.entities)

    def wanted(self) -> list[str]:
        """All entities that are looked for, those of the task included."""
        return sorted({*self.searched(), *self.patterns, *self.deny_list, *self.deny_datasets, *self.known.values()})

    def action_of(self, entity: str) -> Action:
        """What is done with the findings of an entity."""
        return action_of(self.action)(entity)

    def columns_with_roles(self) -> frozenset[str]:
        """Columns that this step treats."""
        return frozenset(self.columns)

    def columns_as_text(self, dataset: str) -> list[str]:
        """The columns of a dataset that count as the text in its file."""
        known = list(self.known)
        return {self.labelled_dataset: ["text", *known], self.input_dataset: [*self.columns, *known]}.get(dataset, [])

    @property
    def scope(self) -> Scope:
        """Values are numbered in the order in which they appear; else a text follows from its record."""
        return "table" if "replace" in map(self.action_of, self.wanted()) else "row"

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Texts follow from texts, hidden in part; what is hidden also from known values of their record."""
        source = self.input_dataset
        known = [Effect(source, name, "CONDITIONAL", masking=True) for name in self.known]
        written: dict[str, list[Effect]] = {name: [Effect(source, name)] for name in columns[source]}
        for dataset in self.deny_datasets.values():
            known += [Effect(dataset, name, "CONDITIONAL", masking=True) for name in columns[dataset][:1]]
        written |= {name: [Effect(source, name, "TRANSFORMATION", masking=True), *known] for name in self.columns}
        counted = [Effect(source, name, "AGGREGATION", masking=True) for name in [*self.columns, *self.known]]
        needs = [(source, name) for name in [*self.columns, *self.known]]
        if self.labelled_dataset is not None:
            counted += [Effect(self.labelled_dataset, name, "AGGREGATION", masking=True) for name in COLUMNS]
            needs += [(self.labelled_dataset, name) for name in COLUMNS]
        return {
            self.output_dataset: Effects(columns=written, needs=needs),
            f"{self.output_dataset}_findings": Effects(whole=counted),
        }

    # ------------------------------------------------------------ the run

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Ask for the key, measure on the labelled texts, then search and write piece by piece."""
        self._require(ctx)
        purpose = self.purpose or f"{ctx.run.record.task_id}/{self.output_dataset}"
        pseudonyms = "pseudonymize" in map(self.action_of, self.wanted())
        key = ctx.derive_key(purpose) if pseudonyms else None
        searching = self._searching(ctx)
        told: dict[str, Any] = {"purpose": purpose} if pseudonyms else {}
        with searching.recognizers.searching():
            if self.labelled_dataset is not None:
                ctx.stage("measuring")
                told["agreement"] = self._agreement(ctx, self.labelled_dataset, searching)
        ctx.stage("redacting")
        redaction = _Redaction(self, searching, Replacing(self.action_of, self.mask_character, key))
        ctx.data.write(self.output_dataset, redaction.pieces(ctx))
        metrics = {
            "rows": redaction.rows,
            "guarantee": "none",
            "entities": self.wanted(),
            "models": self.models,
            "texts": dict(redaction.texts),
            "texts_with_findings": {name: redaction.with_findings[name] for name in self.columns},
            "findings": {name: dict(sorted(redaction.found[name].items())) for name in self.columns},
            "values_numbered": dict(redaction.replacing.distinct()),
            **told,
        }
        self._warn(ctx, metrics)
        charts = [found_by_entity(metrics["findings"])]
        about = "What was found in texts, counted"
        with ctx.artifact(f"{self.output_dataset}_findings", "json", about, category="metrics", tags=[TAG]) as file:
            document = {"schema": 1, "findings": metrics["findings"], "agreement": told.get("agreement"), TAG: charts}
            file.write(json.dumps(document, allow_nan=False).encode())
        return OperationResult.success(metrics)

    def _require(self, ctx: OperationContext) -> None:
        dtypes = ctx.data.schema(self.input_dataset)
        for name in (*self.columns, *self.known):
            if name not in dtypes:
                raise DataError(f"{self.input_dataset}: {unknown_name(name, dtypes, 'column')}", column=name)
        for name in self.columns:
            if not str(dtypes[name]).startswith(_TEXT):
                raise DataError(
                    f"{self.input_dataset}: column {name} holds {dtypes[name]}, not text: free text is looked for in"
                    f" columns of text; state its type in `data_types` if it is text",
                    column=name,
                )
        if self.labelled_dataset is not None:
            there = ctx.data.columns(self.labelled_dataset)
            if missing := [name for name in COLUMNS if name not in there]:
                raise DataError(
                    f"{self.labelled_dataset} has no column {', '.join(missing)}: a labelled dataset has"
                    f" {', '.join(COLUMNS)}; it has {', '.join(map(str, there))}"
                )

    def _searching(self, ctx: OperationContext) -> Searching:
        from .recognizers import Asked

        asked = Asked(
            languages=self.languages,
            models=self.models,
            entities=self.searched(),
            patterns={name: [each] if isinstance(each, str) else each for name, each in self.patterns.items()},
            context=self.context,
            phone_regions=self.phone_regions,
            score_threshold=self.score_threshold,
        )
        names = {entity: self._first_column(ctx, dataset) for entity, dataset in self.deny_datasets.items()}
        return Searching(asked, self.known, self.deny_list, names, self.allow_list)

    @staticmethod
    def _first_column(ctx: OperationContext, dataset: str) -> list[str]:
        column = ctx.data.columns(dataset)[0]
        texts = ctx.data.frame(dataset, [column])[column].dropna().astype(str)
        return sorted(set(texts))

    def _agreement(self, ctx: OperationContext, dataset: str, searching: Searching) -> dict[str, Any]:
        there = ctx.data.columns(dataset)
        known = list(self.known) if self.known and set(self.known) <= set(there) else []
        frame = ctx.data.frame(dataset, [*COLUMNS, *known])
        agreement: Agreement = measured(labels_of(dataset, frame, known), searching)
        figures = agreement.figures()
        of_labels(ctx, self, agreement, figures, known)
        return {"dataset": dataset, "texts": agreement.texts, "known_columns": known, "entities": figures}

    def _warn(self, ctx: OperationContext, metrics: dict[str, Any]) -> None:
        of_method(ctx, self)
        if ctx.run.plan.is_final(self.output_dataset, ctx.config.outputs):
            there = ctx.data.columns(self.input_dataset)
            metrics["roles"] = roles(self, there)
            kept_identifiers(ctx, self, there, metrics["rows"])


class _Redaction:
    """Searches and writes the texts of a table, piece by piece, and counts."""

    def __init__(self, operation: RedactTextOperation, searching: Searching, replacing: Replacing) -> None:
        self.operation = operation
        self.searching = searching
        self.replacing = replacing
        self.rows = 0
        self.texts: Counter[str] = Counter(dict.fromkeys(operation.columns, 0))
        self.with_findings: Counter[str] = Counter()
        self.found: dict[str, Counter[str]] = {name: Counter() for name in operation.columns}

    def pieces(self, ctx: OperationContext) -> Iterator[pd.DataFrame]:
        """The table with its texts replaced."""
        for piece in ctx.data.chunks(self.operation.input_dataset):
            with self.searching.recognizers.searching():
                changed = self._changed(piece)
            self.rows += len(piece)
            ctx.progress(self.rows, unit="rows")
            yield changed

    def _changed(self, piece: pd.DataFrame) -> pd.DataFrame:
        known = known_of(piece, list(self.operation.known))
        columns: dict[str, list[str | None]] = {name: [] for name in self.operation.columns}
        cells = zip(*(piece[name].astype(object) for name in columns), strict=True)
        for number, (texts, of_record) in enumerate(zip(cells, known, strict=True), self.rows + 1):
            for name, text in zip(columns, texts, strict=True):
                columns[name].append(None if pd.isna(text) else self._text(name, str(text), of_record, number))
        made = {name: pd.array(texts, dtype=pd.StringDtype("pyarrow")) for name, texts in columns.items()}
        return piece.assign(**{name: pd.Series(each, index=piece.index) for name, each in made.items()})

    def _text(self, column: str, text: str, known: tuple[str | None, ...], number: int) -> str:
        self.texts[column] += 1
        try:
            found = self.searching.find(text, known)
        except DataError as error:
            where = f"{self.operation.input_dataset}: row {number:,}, column {column}"
            raise DataError(f"{where}: {error}; nothing was written", column=column) from None
        if not found:
            return text
        self.with_findings[column] += 1
        self.found[column].update(each.entity for each in found)
        return self.replacing.replaced(text, found)
