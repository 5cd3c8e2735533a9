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
from imtools.estimators.power_spectrum import PowerSpectrum, fit_pk_vid
from imtools.estimators.regression import (
    QuadraticRegression,
    SummaryRegression,
    fit_summary_regression,
)
from imtools.statistics import SUMMARIES, summary

__all__ = [
    "ESTIMATORS",
    "QUANTILES",
    "SUMMARIES",
    "Estimator",
    "HistogramRegression",
    "Network",
    "PowerSpectrum",
    "PriorMean",
    "QuadraticRegression",
    "SummaryRegression",
    "fit_histogram_regression",
    "fit_network",
    "fit_pk_vid",
    "fit_prior_mean",
    "fit_summary_regression",
    "load_network",
    "predict_all",
    "summary",
]
