"""De-identification of free text for pamola-tasks: what identifies a person is found and replaced within texts."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from .redacting import RedactTextOperation as RedactTextOperation

__getattr__, __dir__, __all__ = lazily(__name__, {"redacting": "RedactTextOperation"})
