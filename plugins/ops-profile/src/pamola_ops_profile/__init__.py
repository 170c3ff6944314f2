"""Profiling operations for pamola-tasks: what is in a table, and what goes together in two joined ones."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from .correlation import Correlation as Correlation
    from .correlation import correlate as correlate
    from .operations import CorrelationOperation as CorrelationOperation
    from .operations import ProfileOperation as ProfileOperation
    from .profile import profile_table as profile_table
    from .table_profile import ColumnProfile as ColumnProfile
    from .table_profile import TableProfile as TableProfile

__getattr__, __dir__, __all__ = lazily(
    __name__,
    {
        "correlation": "Correlation correlate",
        "operations": "CorrelationOperation ProfileOperation",
        "profile": "profile_table",
        "table_profile": "ColumnProfile TableProfile",
    },
)
