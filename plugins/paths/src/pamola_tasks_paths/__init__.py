"""The path guard: names become open files inside the project."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from pamola_tasks_paths.guard import ProjectGuard as ProjectGuard
    from pamola_tasks_paths.names import check_name as check_name
    from pamola_tasks_paths.saferoot import SafeRoot as SafeRoot
else:
    __getattr__, __dir__, __all__ = lazily(
        __name__, {"guard": "ProjectGuard", "names": "check_name", "saferoot": "SafeRoot"}
    )
