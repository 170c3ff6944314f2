"""Presidio's recognizers, without its downloads: what they find in a text.

Nothing here uses the network. spaCy's pipelines are blank, or of models that are installed; the list of public suffixes
is the snapshot in `tldextract`; recognizers that ask services or load other models are left out.
"""

from __future__ import annotations

import contextlib
import inspect
import logging
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

import attrs
import presidio_analyzer
import spacy
import tldextract
from presidio_analyzer import predefined_recognizers
from presidio_analyzer.nlp_engine import NlpArtifacts, SpacyNlpEngine

from pamola_tasks.errors import DataError

from .entities import OF_MODELS
from .findings import Finding

LOGGER = "presidio-analyzer"
NEAR_CONTEXT = 0.3  # score of an own pattern that counts only near a context word, which adds 0.35
_LOCAL = (".generic.", ".country_specific.")  # packages of recognizers that are patterns and checksums


class OfflineEmailRecognizer(predefined_recognizers.EmailRecognizer):  # type: ignore[misc]
    """Presidio's, with the suffixes that are installed; an address of another domain is found, too, less certainly."""

    def __init__(self, **options: Any) -> None:
        super().__init__(name="EmailRecognizer", **options)

    def validate_result(self, pattern_text: str) -> bool | None:
        """Whether the address ends in a public suffix; None, which leaves its score, where that is not known."""
        return True if _suffixes()(pattern_text).fqdn else None


class AnyHostUrlRecognizer(predefined_recognizers.UrlRecognizer):  # type: ignore[misc]
    """Presidio's, and whatever begins with a scheme: its list of top-level domains is not complete."""

    def __init__(self, **options: Any) -> None:
        with_scheme = presidio_analyzer.Pattern("Scheme", r"(?i)\b(?:https?|ftps?)://[^\s()<>\"']+", 0.6)
        super().__init__(name="UrlRecognizer", patterns=[*self.PATTERNS, with_scheme], **options)


@cache
def _suffixes() -> Any:
    return tldextract.TLDExtract(cache_dir=None, suffix_list_urls=(), fallback_to_snapshot=True)


class LoadedPipelines(SpacyNlpEngine):  # type: ignore[misc]
    """Presidio's engine on pipelines that are there; tokens without a lemma, as of blank pipelines, are their own."""

    def __init__(self, pipelines: Mapping[str, Any]) -> None:
        super().__init__(models=[{"lang_code": each, "model_name": "blank"} for each in pipelines])
        self.nlp: Any = dict(pipelines)

    def _doc_to_nlp_artifact(self, doc: Any, language: str) -> NlpArtifacts:
        found = super()._doc_to_nlp_artifact(doc, language)
        lemmas = [token.lemma_ or token.lower_ for token in doc]
        return NlpArtifacts(found.entities, doc, found.tokens_indices, lemmas, self, language, found.scores)


@cache
def _local_recognizers() -> dict[str, list[type]]:
    """Recognizers of patterns and checksums, by the entity that they find."""
    found: dict[str, list[type]] = {}
    for name in sorted(predefined_recognizers.__all__):
        cls: Any = getattr(predefined_recognizers, name)
        if not inspect.isclass(cls) or not any(each in cls.__module__ for each in _LOCAL):
            continue
        cls = {
            predefined_recognizers.EmailRecognizer: OfflineEmailRecognizer,
            predefined_recognizers.UrlRecognizer: AnyHostUrlRecognizer,
        }.get(cls, cls)
        for entity in cls(supported_language="en").get_supported_entities():
            found.setdefault(entity, []).append(cls)
    return found


def entities_of_patterns() -> frozenset[str]:
    """The entities that patterns and checksums of Presidio find."""
    return frozenset(_local_recognizers())


@attrs.frozen(kw_only=True)
class Asked:
    """What is looked for.

    Attributes:
        languages: Languages of the texts, ISO 639-1.
        models: By language the spaCy model for it; languages without one have a blank pipeline.
        entities: Names of entities.
        patterns: For each entity regular expressions of the task.
        context: For each entity words that make a finding behind them more certain.
        phone_regions: Countries (ISO 3166-1) by whose rules telephone numbers are found; None means Presidio's eight.
        score_threshold: How certain a finding has to be.
    """

    languages: Sequence[str]
    models: Mapping[str, str]
    entities: Sequence[str]
    patterns: Mapping[str, Sequence[str]]
    context: Mapping[str, Sequence[str]]
    phone_regions: Sequence[str] | None = None
    score_threshold: float


class Recognizers:
    """Finds entities in texts, in all languages that are asked for."""

    def __init__(self, asked: Asked) -> None:
        self.asked = asked
        self._pipelines = {each: _pipeline(each, asked.models.get(each)) for each in asked.languages}
        found = [each for language in asked.languages for each in self._of_language(language)]
        self._entities = {
            language: sorted(
                {
                    entity
                    for each in found
                    if each.supported_language == language
                    for entity in each.get_supported_entities()
                    if entity in {*asked.entities, *asked.patterns}
                }
            )
            for language in asked.languages
        }
        languages = list(asked.languages)
        registry = presidio_analyzer.RecognizerRegistry(recognizers=found, supported_languages=languages)
        self._engine: Any = None
        if found:
            self._engine = presidio_analyzer.AnalyzerEngine(
                registry=registry, nlp_engine=LoadedPipelines(self._pipelines), supported_languages=languages
            )
        self._timed_out = False

    def _of_language(self, language: str) -> Iterator[Any]:
        classes = _local_recognizers()
        made: set[type] = set()
        for entity in self.asked.entities:
            for cls in classes.get(entity, ()):
                if cls not in made:
                    made.add(cls)
                    options: dict[str, Any] = {"supported_language": language}
                    if cls is predefined_recognizers.PhoneRecognizer and self.asked.phone_regions is not None:
                        options["supported_regions"] = tuple(self.asked.phone_regions)
                    yield self._with_context(cls(**options), entity)
        of_model = [entity for entity in self.asked.entities if entity in (*OF_MODELS, "DATE_TIME")]
        if language in self.asked.models and of_model:
            yield predefined_recognizers.SpacyRecognizer(supported_language=language, supported_entities=of_model)
        for entity, expressions in self.asked.patterns.items():
            words = list(self.asked.context.get(entity, ()))
            score = NEAR_CONTEXT if words else 1.0
            yield presidio_analyzer.PatternRecognizer(
                supported_entity=entity,
                name=f"own {entity}",
                supported_language=language,
                patterns=[presidio_analyzer.Pattern(entity, each, score) for each in expressions],
                context=words,
            )

    def _with_context(self, recognizer: Any, entity: str) -> Any:
        recognizer.context = [*(recognizer.context or ()), *self.asked.context.get(entity, ())]
        return recognizer

    @property
    def stop_words(self) -> frozenset[str]:
        """The words of the languages that are in every text."""
        return frozenset(word for each in self._pipelines.values() for word in each.Defaults.stop_words)

    @contextlib.contextmanager
    def searching(self) -> Iterator[None]:
        """While this is entered texts may be searched; then what spaCy remembered of their words is dropped.

        What Presidio logs meanwhile is withheld, since it quotes texts.
        """
        logger = logging.getLogger(LOGGER)
        thread = threading.get_ident()

        def withhold(record: logging.LogRecord) -> bool:
            if record.thread != thread:
                return True
            self._timed_out = self._timed_out or "timed out" in str(record.msg)
            return False

        logger.addFilter(withhold)
        try:
            with contextlib.ExitStack() as zones:
                for each in self._pipelines.values():
                    zones.enter_context(each.memory_zone())
                yield
        finally:
            logger.removeFilter(withhold)

    def find(self, text: str) -> list[Finding]:
        """What is found in a text, overlapping or not.

        Raises:
            DataError: A pattern took too long, or a recognizer failed: what it would have found is not known.
        """
        found: dict[tuple[int, int, str], float] = {}
        for language, entities in self._entities.items():
            for each in self._found(text, language, entities) if entities else ():
                place = (each.start, each.end, each.entity_type)
                found[place] = max(found.get(place, 0.0), each.score)
        return [Finding(start, end, entity, round(score, 4)) for (start, end, entity), score in found.items()]

    def _found(self, text: str, language: str, entities: list[str]) -> list[Any]:
        try:
            found: list[Any] = self._engine.analyze(
                text, language, entities=entities, score_threshold=self.asked.score_threshold
            )
        except (ValueError, TypeError, IndexError) as error:  # which may quote the text
            raise DataError(f"a recognizer failed with a {type(error).__name__}") from None
        if self._timed_out:
            raise DataError("a pattern took longer than a minute (set REGEX_TIMEOUT_SECONDS to change that)")
        return found


def _pipeline(language: str, model: str | None) -> Any:
    if model is not None:
        return spacy.load(model)
    pipeline = spacy.blank(language)
    pipeline.max_length = sys.maxsize
    return pipeline
