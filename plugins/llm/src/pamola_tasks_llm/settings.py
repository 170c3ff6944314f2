"""The plugin's own section of the configuration: `llm`, and what is wrong with it."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Literal

import attrs

from pamola_tasks.secret import Secret

if TYPE_CHECKING:
    from pamola_tasks.protocols import Config, RunServices

Level = Literal["schema", "levels", "rows"]
LEVELS: tuple[Level, ...] = ("schema", "levels", "rows")


def _above_zero(instance: Any, attribute: attrs.Attribute[Any], value: float) -> None:
    if not (math.isfinite(value) and value > 0):
        raise ValueError(f"{attribute.name} must be a finite number above 0")


def _one_or_more(instance: Any, attribute: attrs.Attribute[Any], value: int) -> None:
    if value < 1:
        raise ValueError(f"{attribute.name} must be 1 or more")


def _not_negative(instance: Any, attribute: attrs.Attribute[Any], value: float | None) -> None:
    if value is not None and not (math.isfinite(value) and value >= 0):
        raise ValueError(f"{attribute.name} must be a finite number of 0 or more")


@attrs.frozen(kw_only=True)
class LlmSettings:
    """The language model that may be asked, and what it may be sent. Nothing is sent without `endpoint` and `model`.

    Attributes:
        endpoint: The base address of an OpenAI-compatible API, such as `http://localhost:11434/v1`.
        model: The name of the model there.
        api_key: Its key, as `${secret:NAME}` or `${env:NAME}` only.
        remote: Allow an endpoint that is not on this machine.
        level: The most that a prompt may hold: `schema` (names and types of columns, a codebook, figures of reports),
            `levels` (also values of the columns in `levels`, never two of one record together), `rows` (also records,
            only to an endpoint on this machine).
        levels: The columns whose values prompts of the levels `levels` and `rows` may hold.
        least_records: A category is sent only if at least so many records have it.
        timeout: Seconds that one answer may take.
        retries: How often a prompt is sent once more after a refusal for load, a lost connection, or an answer of
            another form.
        max_answer: The most tokens of an answer.
        temperature: How much chance there is in answers; null leaves it to the endpoint.
    """

    endpoint: str | None = None
    model: str | None = None
    api_key: Secret | None = None
    remote: bool = False
    level: Level = "schema"
    levels: list[str] = attrs.Factory(list)
    least_records: int = attrs.field(default=10, validator=_one_or_more)
    timeout: float = attrs.field(default=60.0, validator=_above_zero)
    retries: int = attrs.field(default=2, validator=_not_negative)
    max_answer: int = attrs.field(default=2048, validator=_one_or_more)
    temperature: float | None = attrs.field(default=0.0, validator=_not_negative)


def problems(config: Config) -> Iterator[str]:
    """What is wrong with the section `llm` of a configuration."""
    settings: LlmSettings = config.plugin("llm")
    if settings == LlmSettings():
        return
    from .addresses import problem_of

    for name, said in config.origins().items():
        if name.startswith("llm.") and said.layer in ("task file", "task class"):
            yield (
                f"{said.place}: {name}: a task cannot say which language model is asked, or what it is sent: put it"
                f" into the project file"
            )
    if settings.endpoint is None:
        yield "llm.endpoint is missing: without it no language model is asked; set it, or leave out the section llm"
    elif problem := problem_of(settings.endpoint, remote=settings.remote):
        yield config.problem_at(("llm", "endpoint"), problem)
    elif settings.model is None:
        yield "llm.model is missing: name the model that is to answer"
    if settings.levels and settings.level == "schema":
        yield config.problem_at(("llm", "levels"), "does nothing with `level: schema`; set `level: levels`")


def key_of(run: RunServices, settings: LlmSettings) -> str:
    """The key of the endpoint; empty where none is set.

    Raises:
        NoModel: It is written into a file, or on the command line.
    """
    if settings.api_key is None:
        return ""
    from .errors import NoModel

    for layer in run.layers or ():
        section = layer.values.get("llm")
        written = layer.values.get("llm.api_key", section.get("api_key") if isinstance(section, Mapping) else None)
        if written is None:
            continue
        text = str(written)
        if layer.name != "environment" and not (text.startswith(("${secret:", "${env:")) and text.endswith("}")):
            place = layer.places.get("llm.api_key", layer.origin)
            raise NoModel(f"{place}; llm.api_key is written out: write ${{secret:NAME}} or ${{env:NAME}} in its place")
        break
    return settings.api_key.reveal()
