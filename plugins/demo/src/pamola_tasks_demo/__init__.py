"""The demo of pamola-tasks: a seeded table of synthetic patients, and the command that shows a privacy task on it."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_demo.patients import patients as patients

__getattr__, __dir__, __all__ = lazily(__name__, {"patients": "patients"})
