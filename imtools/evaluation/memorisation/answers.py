"""What the tests of memorising share: maps as observed, answers to them, and a verdict in words.

A method is an `estimators.Estimator`, or any function of (observed maps, experiment) that returns
log10 dN, shape (sample, log_l). Networks and baselines are asked alike.
"""

import numpy as np
import xarray as xr

from imtools.counts import QUOTED_LOG_L, log_counts, log_l_edges, quoted_bins
from imtools.datasets import observe

STATES = ("passed", "failed", "told")  # told: a fact beside the others, that nothing hangs on
MAX_BYTES = 2**29  # of the maps that one test looks at
LEAST_MAPS = 8
_NOISE = 8  # what a random stream is for


def as_observed(maps, experiment, seed):
    """Return maps with the noise of `seed`, filtered: each method is asked about the same ones."""
    return observe(maps, experiment, np.random.default_rng([seed, _NOISE]))


def answers(method, observed, experiment):
    """Return the log10 dN that a method reads off maps that are observed already.

    Parameters
    ----------
    method : Estimator or callable
        What is asked.
    observed : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
        From `as_observed`; nothing is added to them.
    experiment : Experiment
        That of the fit, for its transform and bins.

    Returns
    -------
    numpy.ndarray, shape (sample, log_l)

    Raises
    ------
    ValueError
        If an answer is not finite, or there is not one a map and bin.
    """
    bare = experiment.replace(sigma_noise=0.0, filter="none")
    ask = method if callable(method) else method.median
    log_dn = np.asarray(ask(observed, bare), dtype=float)
    expected = (observed.sizes["sample"], experiment.counts.n_bins)
    if log_dn.shape != expected or not np.isfinite(log_dn).all():
        n_bad = int((~np.isfinite(log_dn)).sum())
        msg = (
            f"answers: {named(method)} gave shape {log_dn.shape} with {n_bad} values not finite, "
            f"expected {expected} and finite; see the method"
        )
        raise ValueError(msg)
    return log_dn


def named(method):
    """Return the name of a method, of an estimator or a function."""
    return getattr(method, "name", getattr(method, "__name__", type(method).__name__))


def some_maps(data, n_maps):
    """Return at most `n_maps` of a data set in memory, evenly over its catalogues and draws.

    There are fewer where maps are large: together they take half a gigabyte at most.
    """
    n, each = data.sizes["sample"], data["map"].nbytes // max(data.sizes["sample"], 1)
    n_taken = min(n, n_maps, max(LEAST_MAPS, MAX_BYTES // max(each, 1)))
    return data.isel(sample=np.linspace(0, n - 1, n_taken).round().astype(int)).load()


def log_truth(data, experiment):
    """Return the true log10 dN of a data set, shape (sample, log_l)."""
    return log_counts(data["counts"], experiment.counts.floor).values


def rms(error):
    """Return the root mean square over maps, shape (log_l,)."""
    return np.sqrt(np.mean(np.square(error), axis=0))


def at_quoted(values, dn):
    """Return `values` (log_l,) where scores are quoted: means of the two bins there."""
    edges = log_l_edges(dn)
    quoted = [x for x in QUOTED_LOG_L if edges[0] <= x <= edges[-1]]
    return np.array([np.mean([values[i] for i in quoted_bins(edges, x)]) for x in quoted])


def typical(values, dn):
    """Return the median of `values` over the quoted luminosities, those without a value left out.

    Nothing is left where no luminosity has one: NaN.
    """
    quoted = at_quoted(np.asarray(values, dtype=float), dn)
    known = quoted[np.isfinite(quoted)]
    return float(np.median(known)) if known.size else float("nan")


def ratio(values, others):
    """Return values / others, NaN where there is nothing to divide by."""
    values, others = np.asarray(values, dtype=float), np.asarray(others, dtype=float)
    some = np.abs(others) > 0
    return np.where(some, values / np.where(some, others, 1), np.nan)


def judged(test, state, verdict, variables, *, log_l, **coords):
    """Return the outcome of one test as a labelled Dataset.

    Parameters
    ----------
    test : str
        Name of the test.
    state : {"passed", "failed", "told"}
        What came of it.
    verdict : str
        One sentence with its numbers.
    variables : dict
        Name to (dims, values, units, long_name); those without dims are the test's own numbers.
    log_l : xarray.DataArray
        Bin centres.
    **coords : tuple
        Further coordinates, (values, units, long_name).
    """
    if state not in STATES:
        msg = f"judged: state is {state!r}, expected one of {', '.join(STATES)}"
        raise ValueError(msg)
    labelled = {
        name: (dims, values, {"units": units, "long_name": text})
        for name, (dims, values, units, text) in variables.items()
    }
    along = {
        name: (name, values, {"units": units, "long_name": text})
        for name, (values, units, text) in coords.items()
    }
    attrs = {"test": test, "state": state, "verdict": verdict}
    return xr.Dataset(labelled, coords={"log_l": log_l.variable} | along, attrs=attrs)
