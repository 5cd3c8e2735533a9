"""The information reference: how well one could know the luminosity function from single voxels.

A yardstick and no bound on methods that use more than single voxels: clustering, beam and line
width are left out, and the posterior is taken for Gaussian.
"""

from dataclasses import replace

import numpy as np
import xarray as xr
from scipy.optimize import brentq
from scipy.special import erf, gammaln

from imtools.counts import DEFAULT_EDGES, FLOOR, QUOTED_LOG_L, log_l_edges, quoted_bins
from imtools.luminosity import LuminosityModel, settings_of
from imtools.statistics.expected import expected_counts, field_scatter
from imtools.statistics.one_point import one_point_fisher

LN10 = np.log(10)
MARGIN = 3.0  # dex, how far sources outside the edges are followed: they shine too
N_PRIOR_DRAWS = 4000  # standard deviations to 1 %
STEP = 1e-3  # of the prior's width, for derivatives
POISSON_EXACT = 400.0  # sources, above which Poisson scatter of log10 dN is 1 / (ln 10 sqrt(dN))


def reference_error(
    models, survey, *, prior, sigma_noise, rng, monopole_lost=True, edges=DEFAULT_EDGES,
    m_min=2.5e10, realised=True, floor=FLOOR, correlation="independent",
):  # fmt: skip
    r"""Return the error on log10 dN that single voxels and a prior on parameters allow.

    Parameters
    ----------
    models : LuminosityModel or list of them
        Parameters at which the error is taken, such as those of the test maps; all of one class.
    survey : Survey
        Its voxels.
    prior : str
        Prior on the parameters, among the ``PRIORS`` of the models.
    sigma_noise : float
        Noise of a voxel of `survey` [uK], above 0.
    rng : numpy.random.Generator
        Source of the draws that give the covariance of the prior.
    monopole_lost : bool
        The mean of the map is not known.
    edges : array_like, shape (n_bins + 1,), units Lsun
        Bins of the luminosity function.
    m_min : float
        Least halo mass [Msun]. It cuts the faint end, and the error below 10^4.5 Lsun hangs on it.
    realised : bool
        The truth is the count of the field, with its Poisson and field-to-field scatter and its
        floor; otherwise the mean count.
    floor : float
        Sources that an empty bin stands for under a logarithm.
    correlation : str
        For ``draw`` of the models, where they know it.

    Returns
    -------
    xarray.Dataset, dims ("sample", "log_l") and ("quoted_log_l",)
        ``sigma``, the error at each model's parameters [dex], and ``sigma_prior``, that of the
        prior alone: where they are alike, the prior answers instead of the data. ``rms`` is the
        root mean square over models; ``rms_quoted`` and ``median_abs_quoted`` pool the two bins at
        each quoted luminosity, the median that of Gaussian errors.

    Raises
    ------
    ValueError
        If models differ in class, the prior draws no parameter, or the noise is not above 0.

    Notes
    -----
    With the information F on ln dN and J the derivatives of ln dN by the parameters,

    .. math:: C = J (J^T F J + C_\mathrm{prior}^{-1})^{-1} J^T

    is the covariance of ln dN. Expected counts vary with the parameters; the scatter of realised
    counts about them is added in quadrature, since no voxel by itself knows of it.
    """
    models = [models] if isinstance(models, LuminosityModel) else list(models)
    if len({type(model) for model in models}) != 1:
        names = ", ".join(sorted({type(model).__name__ for model in models})) or "none"
        msg = f"reference_error: models are {names}, expected one class; take each by itself"
        raise ValueError(msg)
    covariance = prior_covariance(type(models[0]), prior=prior, rng=rng, correlation=correlation)
    wide, inside = _extended(edges)
    rows = {"sigma": [], "sigma_prior": []}
    for model in models:
        information, slopes, n = _at(model, survey, wide, covariance, m_min, sigma_noise,
                                     monopole_lost)  # fmt: skip
        slopes = slopes[inside]
        to_log, spread = np.full(n[inside].size, 1 / LN10), 0.0
        if realised:
            to_log, poisson = _log_of_counts(n[inside], floor)
            of_field = field_scatter(model, survey, edges=edges, m_min=m_min)
            spread = poisson**2 + (to_log * of_field) ** 2
        for name, inverse in (("sigma", information), ("sigma_prior", None)):
            known = covariance.values if inverse is None else np.linalg.inv(inverse)
            variance = np.einsum("ip,pq,iq->i", slopes, known, slopes)
            rows[name].append(np.sqrt(to_log**2 * variance + spread))
    return _labelled(rows, n=expected_counts(models[0], survey, edges=edges, m_min=m_min))


def prior_covariance(model_class, *, prior, rng, correlation="independent"):
    """Return the covariance of a model's parameters under a prior, from draws.

    Parameters
    ----------
    model_class : type
        A luminosity model.
    prior : str
        A name in its ``PRIORS``.
    rng : numpy.random.Generator
        Source of the draws.
    correlation : str
        For its ``draw``, where it knows it.

    Returns
    -------
    xarray.DataArray, dims ("parameter", "parameter_prime")
        Parameters that the prior keeps fixed are left out.

    Raises
    ------
    ValueError
        If the prior is unknown, or draws no parameter.
    """
    known = settings_of(model_class, {"correlation": correlation})
    draws = [model_class.draw(rng=rng, prior=prior, **known) for _ in range(N_PRIOR_DRAWS)]
    values = np.array([list(model.parameters().values()) for model in draws])
    free = np.ptp(values, axis=0) > 0
    names = [n for n, is_free in zip(model_class.parameter_names(), free, strict=True) if is_free]
    if not names:
        msg = f"prior_covariance: prior {prior!r} of {model_class.__name__} draws no parameter"
        raise ValueError(msg)
    return xr.DataArray(
        np.atleast_2d(np.cov(values[:, free], rowvar=False)),
        dims=("parameter", "parameter_prime"),
        coords={"parameter": names, "parameter_prime": names},
        attrs={"long_name": f"covariance of the parameters, prior {prior}", "units": "1"},
    )


def _at(model, survey, edges, covariance, m_min, sigma_noise, monopole_lost):
    """Return information on the parameters, d ln dN / d parameters, and dN, at one model."""
    dn = expected_counts(model, survey, edges=edges, m_min=m_min)
    fisher = one_point_fisher(
        dn, survey, sigma_noise=sigma_noise, monopole_lost=monopole_lost
    ).values
    slopes = np.empty((len(edges) - 1, covariance.sizes["parameter"]))
    for i, name in enumerate(covariance["parameter"].values):
        step, here = STEP * float(np.sqrt(covariance[i, i])), getattr(model, name)
        ends = [replace(model, **{name: here + sign * step}) for sign in (-1, 1)]
        ln_n = [_ln_counts(end, survey, edges, m_min) for end in ends]
        slopes[:, i] = (ln_n[1] - ln_n[0]) / (2 * step)
    information = slopes.T @ fisher @ slopes + np.linalg.inv(covariance.values)
    return information, slopes, dn.sum("z").values


def _ln_counts(model, survey, edges, m_min):
    dn = expected_counts(model, survey, edges=edges, m_min=m_min).sum("z").values
    return np.log(np.maximum(dn, 1e-300))


def _extended(edges):
    """Return bins that go on as the first and the last do, and which of them are the given."""
    log_l = np.log10(np.asarray(edges, dtype=float))
    first, last = log_l[1] - log_l[0], log_l[-1] - log_l[-2]
    below = log_l[0] - first * np.arange(int(MARGIN / first) + 1, 0, -1)
    above = log_l[-1] + last * np.arange(1, int(MARGIN / last) + 2)
    wide = 10 ** np.concatenate([below, log_l, above])
    return wide, slice(below.size, below.size + log_l.size - 1)


def _log_of_counts(n, floor):
    """Return dE/dln n and the standard deviation of log10 max(N, floor), N a Poisson draw."""
    n = np.asarray(n, dtype=float)
    k = np.arange(int(POISSON_EXACT * 1.5) + 1)  # 10 sigma beyond
    few = np.clip(n, 1e-300, POISSON_EXACT)[:, None]
    pmf = np.exp(k * np.log(few) - few - gammaln(k + 1))
    log_n = np.log10(np.maximum(k, floor))
    mean = pmf @ log_n
    slope = few[:, 0] * (pmf[:, :-1] @ np.diff(log_n))
    spread = np.sqrt(np.maximum(pmf @ log_n**2 - mean**2, 0.0))
    many = n > POISSON_EXACT
    slope = np.where(many, 1 / LN10, slope)
    return slope, np.where(many, 1 / (LN10 * np.sqrt(np.maximum(n, 1.0))), spread)


def _median_abs(sigma):
    """Return the median of |error| over Gaussian errors of the widths `sigma`."""
    sigma = np.maximum(np.ravel(sigma), 1e-300)

    def excess(x):
        return np.mean(erf(x / (np.sqrt(2) * sigma))) - 0.5

    return brentq(excess, 0.0, 2 * sigma.max())


def _labelled(rows, n):
    """Return the errors with their coordinates, pooled where they are quoted."""
    log_edges = log_l_edges(n)
    quoted = [x for x in QUOTED_LOG_L if log_edges[0] - 1e-9 <= x <= log_edges[-1] + 1e-9]
    sigma, of_prior = np.array(rows["sigma"]), np.array(rows["sigma_prior"])
    pairs = [sigma[:, list(quoted_bins(log_edges, x))] for x in quoted]
    attrs = {
        "sigma": "error of log10 dN from single voxels and the prior",
        "sigma_prior": "error of log10 dN from the prior alone",
        "rms": "root mean square of sigma over models",
        "rms_quoted": "root mean square error of log10 dN",
        "median_abs_quoted": "median absolute error of log10 dN",
    }
    variables = {
        "sigma": (("sample", "log_l"), sigma),
        "sigma_prior": (("sample", "log_l"), of_prior),
        "rms": ("log_l", np.sqrt((sigma**2).mean(axis=0))),
        "rms_quoted": ("quoted_log_l", [np.sqrt((p**2).mean()) for p in pairs]),
        "median_abs_quoted": ("quoted_log_l", [_median_abs(p) for p in pairs]),
    }
    labels = {name: {"units": "dex", "long_name": text} for name, text in attrs.items()}
    dataset = xr.Dataset({name: (*v, labels[name]) for name, v in variables.items()})
    quoted_attrs = {"units": "log10(Lsun)", "long_name": "log10 of luminosity, as quoted"}
    coords = {"log_l": n["log_l"], "quoted_log_l": ("quoted_log_l", quoted, quoted_attrs)}
    return dataset.assign_coords(coords).assign_attrs(log_l_edges=log_edges.tolist())
