"""Perturbation operations for pamola-tasks: the methods of statistical disclosure control that change values."""

from pamola_tasks.lazy import TYPE_CHECKING, lazily

if TYPE_CHECKING:
    from .correlated_noise import CorrelatedNoiseOperation as CorrelatedNoiseOperation
    from .date_shifting import DateShiftOperation as DateShiftOperation
    from .pram import PramOperation as PramOperation
    from .rank_swapping import RankSwapOperation as RankSwapOperation
    from .record_swapping import RecordSwapOperation as RecordSwapOperation
    from .shuffling import ShuffleOperation as ShuffleOperation

__getattr__, __dir__, __all__ = lazily(
    __name__,
    {
        "correlated_noise": "CorrelatedNoiseOperation",
        "date_shifting": "DateShiftOperation",
        "pram": "PramOperation",
        "rank_swapping": "RankSwapOperation",
        "record_swapping": "RecordSwapOperation",
        "shuffling": "ShuffleOperation",
    },
)
