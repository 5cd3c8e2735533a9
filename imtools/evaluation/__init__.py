"""The scoreboard: how far each method is from the truth, and how well that is known."""

from imtools.evaluation.outcomes import (
    format_tests,
    summarise_tests,
    verdict_of_tests,
    write_memorisation,
)
from imtools.evaluation.reference import has_reference, one_point_reference
from imtools.evaluation.scores import score
from imtools.evaluation.signal import format_by_signal, score_by_signal, signal_to_noise
from imtools.evaluation.tables import (
    LABELS,
    format_table,
    published_scores,
    summarise,
    write_scores,
)
from imtools.evaluation.verdict import verdict

__all__ = [
    "LABELS", "format_by_signal", "format_table", "format_tests", "has_reference",
    "one_point_reference", "published_scores", "score", "score_by_signal", "signal_to_noise",
    "summarise", "summarise_tests", "verdict", "verdict_of_tests", "write_memorisation",
    "write_scores",
]  # fmt: skip
