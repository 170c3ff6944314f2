"""The operation that has a language model rewrite texts so that they name no person, and checks what can be checked."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import attrs
import pandas as pd

from pamola_tasks import Effect, Effects, Operation, OperationContext, OperationResult, reads, writes
from pamola_tasks.errors import DataError, DataRefused, ParameterError
from pamola_tasks.operation import Scope
from pamola_tasks.parameters import unknown_name

from .errors import AnswerRefused
from .exchanges import Exchanges
from .prompts import Prompt

SUPPRESSED = "*"
MOST_CHARACTERS = 20_000  # of a text
_LEAST_KNOWN = 3  # characters of a known value from which on it is looked for
_INSTRUCTION = (
    "`text` is free text about a person. Give it back as `text`, in the same language, without anything that could"
    " identify a person: replace names, addresses, contacts, employers, places, exact dates and numbers of documents by"
    " general words. Change nothing else, add nothing."
)
_LEFT = {
    "an e-mail address": re.compile(r"[^\s@]+@[^\s@]+\.[^\s@]+"),
    "a web address": re.compile(r"(?i)\b(?:https?://|www\.)\S"),
    "a long number": re.compile(r"\d(?:[ ./()-]{0,2}\d){5,}"),
}


def _columns(operation: Any, attribute: attrs.Attribute[Any], value: list[str]) -> None:
    if not value or len(set(value)) < len(value):
        raise ParameterError(f"RewriteTextOperation: `{attribute.name}` has to name columns, each once")


class RewriteTextOperation(Operation):
    """Have a language model rewrite free text so that it names no person. Nothing proves that it does.

    Each different text is sent once, alone, and rewritten alike wherever it occurs. This needs `llm.level: levels` and
    the columns in `llm.levels`; a remote endpoint also needs `llm.remote: true`. A rewritten text is refused if it has
    an e-mail address, a web address or a number of six or more digits, or a value of `known_columns` of a record with
    that text. Missing values stay missing.

    Args:
        input_dataset: The table.
        output_dataset: What the table with the rewritten texts is called.
        columns: The columns of text.
        known_columns: Columns whose values must not be in the rewritten texts of their record, such as names.
        on_refused: What happens to a text for which no answer is accepted: `suppress` writes `*`, `fail` refuses to
            continue.
    """

    input_dataset: str = reads()
    output_dataset: str = writes("{input}_rewritten")
    columns: list[str] = attrs.field(validator=_columns)
    known_columns: list[str] = attrs.Factory(list)
    on_refused: Literal["suppress", "fail"] = "suppress"

    version = "1.0"
    category = "transformation"

    @property
    def scope(self) -> Scope:
        """A text is rewritten as it was in its first record, and is not to hold what other records know."""
        return "table"

    def effects(self, columns: Mapping[str, Sequence[str]]) -> Mapping[str, Effects]:
        """Texts follow from texts; whether they are kept, from what is known of their records."""
        dataset = self.input_dataset
        known = [Effect(dataset, name, "CONDITIONAL") for name in self.known_columns]
        found: dict[str, list[Effect]] = {name: [Effect(dataset, name)] for name in columns[dataset]}
        found |= {name: [Effect(dataset, name, "TRANSFORMATION"), *known] for name in self.columns}
        prompts = Effects(whole=[Effect(dataset, name) for name in self.columns])
        return {self.output_dataset: Effects(found), f"{self.output_dataset}_prompts": prompts}

    def execute(self, ctx: OperationContext) -> OperationResult:
        """Collect the different texts and what is known of their records, ask, and write the table."""
        there = ctx.data.columns(self.input_dataset)
        for name in (*self.columns, *self.known_columns):
            if name not in there:
                raise DataError(f"{self.input_dataset}: {unknown_name(name, there, 'column')}", column=name)
        ctx.stage("reading")
        texts: dict[str, set[str]] = {}
        for piece in ctx.data.chunks(
            self.input_dataset, columns=[*dict.fromkeys((*self.columns, *self.known_columns))]
        ):
            self._collect(piece, texts)
        ctx.stage("asking")
        exchanges = Exchanges(ctx)
        refused: Counter[str] = Counter()
        rewritten: dict[str, str] = {}
        for done, (text, known) in enumerate(texts.items(), start=1):
            rewritten[text] = self._rewritten(exchanges, text, known, refused)
            ctx.progress(done, len(texts), "texts")
        ctx.stage("writing")
        rows = 0

        def pieces() -> Iterator[pd.DataFrame]:
            nonlocal rows
            for piece in ctx.data.chunks(self.input_dataset):
                rows += len(piece)
                yield piece.assign(
                    **{name: piece[name].map(lambda v: rewritten[str(v)], na_action="ignore") for name in self.columns}
                )

        ctx.data.write(self.output_dataset, pieces())
        unchanged = sum(text == new for text, new in rewritten.items())
        ctx.warn(
            f"{self.output_dataset}: a language model rewrote {', '.join(self.columns)}; nothing proves that the texts"
            f" do not identify a person: read a sample"
        )
        if refused:
            ctx.warn(f"{self.output_dataset}: {refused.total():,} texts were suppressed: no answer was accepted")
        return OperationResult.success(
            {
                "rows": rows,
                "texts": len(texts),
                "texts_unchanged": unchanged,
                "texts_suppressed": refused.total(),
                "refused_for": dict(refused),
                "language_model": exchanges.keep(self.output_dataset),
            }
        )

    def _collect(self, piece: pd.DataFrame, texts: dict[str, set[str]]) -> None:
        others = [piece[name].astype(object) for name in self.known_columns]
        for name in self.columns:
            for position, value in enumerate(piece[name].astype(object)):
                if not pd.isna(value):
                    known = texts.setdefault(str(value), set())
                    known.update(str(each.iloc[position]) for each in others if not pd.isna(each.iloc[position]))

    def _rewritten(self, exchanges: Exchanges, text: str, known: set[str], refused: Counter[str]) -> str:
        if not text.strip():
            return text
        why = "longer than 20,000 characters"
        for _ in range(1 + getattr(exchanges.settings, "retries", 0)) if len(text) <= MOST_CHARACTERS else ():
            try:
                prompt = Prompt(instruction=_INSTRUCTION, data={"text": text}, level="levels", columns=self.columns)
                answer = exchanges.ask(prompt, _schema(len(text)))
            except AnswerRefused:
                why = "an answer of another form"
                break  # the service has asked again
            new = str(answer.data["text"])
            why = _left(new, known)
            if not why:
                return new
        if self.on_refused == "fail":
            raise DataRefused(f"{self.output_dataset}: a text cannot be rewritten: {why}; nothing was written")
        refused[why] += 1
        return SUPPRESSED


def _schema(length: int) -> dict[str, Any]:
    text = {"type": "string", "minLength": 1, "maxLength": 2 * length + 200}
    return {"type": "object", "properties": {"text": text}, "required": ["text"], "additionalProperties": False}


def _left(text: str, known: set[str]) -> str:
    """What a rewritten text still has that it must not have; empty where nothing is found."""
    for what, pattern in _LEFT.items():
        if pattern.search(text):
            return what
    folded = text.casefold()
    for value in known:
        wanted = value.strip().casefold()
        if len(wanted) >= _LEAST_KNOWN and re.search(rf"(?<!\w){re.escape(wanted)}(?!\w)", folded):
            return "a known value of its record"
    return ""
