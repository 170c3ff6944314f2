"""What can be wrong with a language model, with what it is asked and with what it answers."""

from __future__ import annotations

from pamola_tasks.errors import OperationError, SecurityError, SetupError


class NoModel(SetupError, code="no_language_model"):
    """No language model is configured, or its configuration is incomplete."""


class PromptRefused(SecurityError, code="prompt_refused"):
    """A prompt holds more of the data than the configuration allows to be sent there. Nothing was sent."""


class ModelFailed(OperationError, code="language_model_failed"):
    """The endpoint cannot be reached, is too slow, or refuses."""

    retriable = False  # the service has tried as often as the configuration says


class AnswerRefused(OperationError, code="answer_refused"):
    """The language model's answer is not of the form that was asked for, or says what cannot be true."""

    retriable = False
