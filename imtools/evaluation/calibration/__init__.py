"""Do posteriors hold what they say? Ranks, coverage, TARP, z-scores, CRPS, and a way to mend them.

A diagnostic takes draws of log10 dN (sample, draw, log_l), true dN (sample, log_l) and the
catalogue of each map, and returns a Dataset. Errors and bands come from drawing catalogues anew.
"""

from imtools.evaluation.calibration.coverage import (
    PROBABILITIES,
    allowed_departure,
    expected_coverage,
    meets_target,
)
from imtools.evaluation.calibration.ranks import fractional_ranks, rank_statistics
from imtools.evaluation.calibration.recalibration import Recalibrated, recalibrated
from imtools.evaluation.calibration.sharpness import crps, z_scores
from imtools.evaluation.calibration.suite import calibrate, calibrate_all
from imtools.evaluation.calibration.tables import (
    format_calibration,
    format_coverage,
    label_of,
    verdict_of_calibration,
)
from imtools.evaluation.calibration.tarp import tarp

__all__ = [
    "PROBABILITIES", "Recalibrated", "allowed_departure", "calibrate", "calibrate_all", "crps",
    "expected_coverage", "format_calibration", "format_coverage", "fractional_ranks", "label_of",
    "meets_target", "rank_statistics", "recalibrated", "tarp", "verdict_of_calibration",
    "z_scores",
]  # fmt: skip
