"""One interface over everything that reads a luminosity function off maps.

An estimator is fitted on training catalogues, takes its intervals from validation catalogues, and
returns quantiles of log10 dN for maps it has not seen.
"""

from imtools.estimators.base import ESTIMATORS, QUANTILES, Estimator, predict_all
from imtools.estimators.baselines import (
    HistogramRegression,
    PriorMean,
    fit_histogram_regression,
    fit_prior_mean,
)
from imtools.estimators.network import Network, fit_network, load_network

__all__ = [
    "ESTIMATORS",
    "QUANTILES",
    "Estimator",
    "HistogramRegression",
    "Network",
    "PriorMean",
    "fit_histogram_regression",
    "fit_network",
    "fit_prior_mean",
    "load_network",
    "predict_all",
]
