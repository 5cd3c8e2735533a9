"""What a map is compressed to, and how much its voxels tell of the luminosity function."""

from imtools.statistics.covariance import (
    covariance_of_maps,
    joint_covariance,
    joint_features,
    rescale_covariance,
)
from imtools.statistics.expected import expected_counts, field_scatter
from imtools.statistics.information import prior_covariance, reference_error
from imtools.statistics.one_point import one_point_fisher, voxel_pdf
from imtools.statistics.power import (
    K_EDGES,
    ComovingBox,
    comoving_box,
    power_spectrum,
    power_spectrum_2d,
)
from imtools.statistics.quantiles import (
    normal_ranks,
    scores_between,
    scores_of,
    scores_within,
    values_at,
)
from imtools.statistics.summaries import SUMMARIES, summarise, summary
from imtools.statistics.vid import TEMP_EDGES, vid

__all__ = [
    "K_EDGES",
    "SUMMARIES",
    "TEMP_EDGES",
    "ComovingBox",
    "comoving_box",
    "covariance_of_maps",
    "expected_counts",
    "field_scatter",
    "joint_covariance",
    "joint_features",
    "normal_ranks",
    "one_point_fisher",
    "power_spectrum",
    "power_spectrum_2d",
    "prior_covariance",
    "reference_error",
    "rescale_covariance",
    "scores_between",
    "scores_of",
    "scores_within",
    "summarise",
    "summary",
    "values_at",
    "vid",
    "voxel_pdf",
]
