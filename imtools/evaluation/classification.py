"""How often a classifier of luminosity models is right, and whether it knows when it is not."""

import numpy as np
import xarray as xr

from imtools.evaluation.bootstrap import mean_and_error

LEAST_P = 1e-12  # under the logarithm, of a model that is true
RELIABILITY = {
    "confidence": "mean probability of the likeliest model",
    "accuracy": "share of maps whose likeliest model is true",
    "accuracy_error": "its binomial error",
}


def score_classes(probabilities, truth, catalogue, *, rng, n_bootstrap=500, n_bins=10):
    """Score the probabilities of luminosity models against the models that made the maps.

    Parameters
    ----------
    probabilities : xarray.DataArray, dims ("sample", "family"), units 1
        From `training.classifying.Classifier`; they sum to 1.
    truth : array_like of str, shape (sample,)
        Luminosity model of each map.
    catalogue : array_like, shape (sample,)
        Catalogue of each map; what the bootstrap resamples.
    rng : numpy.random.Generator
        Source of the resampling.
    n_bootstrap : int
        Resamplings.
    n_bins : int
        Bins of the reliability, between 0 and 1.

    Returns
    -------
    xarray.Dataset
        ``confusion`` (true, family), maps of each model and what they were taken for; ``accuracy``,
        ``cross_entropy`` [nat] and ``calibration_error`` with ``accuracy_error`` from the
        bootstrap; and over ``probability_bin`` from `reliability` ``bin_confidence``,
        ``bin_accuracy``, ``bin_accuracy_error`` and ``bin_n_maps``.

    Raises
    ------
    ValueError
        If lengths disagree, a model is not among the families, or probabilities do not sum to 1.

    References
    ----------
    .. [1] Guo et al. 2017, ICML 70, 1321, arXiv:1706.04599 (expected calibration error)
    """
    p, of_truth = _checked(probabilities, truth, catalogue)
    families, n = probabilities["family"].values, len(p)
    said = p.argmax(axis=1)
    right = said == of_truth
    confusion = np.zeros((families.size, families.size), dtype=int)
    np.add.at(confusion, (of_truth, said), 1)
    bins = reliability(p.max(axis=1), right, n_bins=n_bins)
    gap = np.abs(bins["bin_accuracy"] - bins["bin_confidence"]) * bins["bin_n_maps"] / n
    entropy = -np.log(np.maximum(p[np.arange(n), of_truth], LEAST_P)).mean()
    error = float(mean_and_error(right, catalogue, rng=rng, n_bootstrap=n_bootstrap)[1])
    single = {
        "accuracy": (right.mean(), "1", "share of maps whose likeliest model is true"),
        "accuracy_error": (error, "1", "its bootstrap error over catalogues"),
        "cross_entropy": (entropy, "nat", "mean of -ln of the probability of the true model"),
        "calibration_error": (float(gap.sum()), "1", "expected calibration error"),
    }
    variables = {k: ((), v, {"units": u, "long_name": name}) for k, (v, u, name) in single.items()}
    attrs = {"units": "1", "long_name": "maps"}
    variables["confusion"] = (("true", "family"), confusion, attrs)
    names = {
        "true": ("true", families, {"long_name": "luminosity model of the map"}),
        "family": ("family", families, {"long_name": "likeliest luminosity model"}),
    }
    scores = xr.merge([xr.Dataset(variables, coords=names), bins])
    return scores.assign_attrs(n_maps=n, n_catalogues=int(np.unique(catalogue).size))


def reliability(confidence, right, *, n_bins=10):
    """Return how often the likeliest model is true, where it has about the same probability.

    Parameters
    ----------
    confidence : array_like, shape (n,)
        Probability of the likeliest model.
    right : array_like of bool, shape (n,)
        Whether it is the true one.
    n_bins : int
        Bins between 0 and 1, of equal width.

    Returns
    -------
    xarray.Dataset, dims ("probability_bin",)
        ``bin_confidence``, ``bin_accuracy``, ``bin_accuracy_error`` and ``bin_n_maps``; NaN where
        no map is.

    Examples
    --------
    >>> bins = reliability([0.92, 0.94, 0.98, 0.96], [True, True, True, False], n_bins=2)
    >>> bins["bin_accuracy"].values
    array([ nan, 0.75])
    """
    confidence, right = np.asarray(confidence, dtype=float), np.asarray(right, dtype=float)
    edges = np.linspace(0, 1, n_bins + 1)
    place = np.clip(np.searchsorted(edges, confidence, side="right") - 1, 0, n_bins - 1)
    n = np.bincount(place, minlength=n_bins)
    some = np.where(n > 0, n, np.nan)
    mean = np.bincount(place, confidence, n_bins) / some
    share = np.bincount(place, right, n_bins) / some
    # after one more right and one more wrong, so that a bin of a single map has an error too
    smooth = (share * n + 1) / (n + 2)
    error = np.sqrt(smooth * (1 - smooth) / some)
    dim, values = "probability_bin", dict(zip(RELIABILITY, (mean, share, error), strict=True))
    variables = {
        f"bin_{k}": (dim, v, {"units": "1", "long_name": RELIABILITY[k]}) for k, v in values.items()
    }
    variables["bin_n_maps"] = (dim, n, {"units": "1", "long_name": "maps"})
    centre = {"units": "1", "long_name": "probability of the likeliest model"}
    return xr.Dataset(variables, coords={dim: (dim, (edges[1:] + edges[:-1]) / 2, centre)})


def format_classes(scores):
    """Return the confusion matrix as a text table, and what it comes to in a line."""
    families = scores["family"].values.tolist()
    width = max(8, *(len(name) for name in families))
    head = "true, taken for"
    lines = [f"{head:{max(width, 15)}} " + " ".join(f"{name:>{width}}" for name in families)]
    for name in families:
        row = scores["confusion"].sel(true=name).values
        lines.append(f"{name:{max(width, 15)}} " + " ".join(f"{n:{width}d}" for n in row))
    error = float(scores["accuracy_error"])
    plus = f" +- {100 * error:.1f}" if np.isfinite(error) else ""
    lines.append(
        f"right {100 * float(scores['accuracy']):.1f}{plus} % of {scores.attrs['n_maps']} maps, "
        f"cross entropy {float(scores['cross_entropy']):.3g} nat, "
        f"calibration error {100 * float(scores['calibration_error']):.1f} %"
    )
    return "\n".join(lines)


def _checked(probabilities, truth, catalogue):
    """Return probabilities, and the number of each map's true family, once all agree."""
    if probabilities.dims != ("sample", "family"):
        msg = (
            f"score_classes: probabilities have dims {probabilities.dims}, expected (sample, "
            "family); see Classifier.probabilities"
        )
        raise ValueError(msg)
    p, truth = probabilities.values.astype(float), np.asarray(truth)
    if not len(p) == len(truth) == len(catalogue):
        msg = (
            f"score_classes: {len(p)} maps have probabilities, {len(truth)} a luminosity model and "
            f"{len(catalogue)} a catalogue, expected the same maps"
        )
        raise ValueError(msg)
    if not np.allclose(p.sum(axis=1), 1, atol=1e-4):
        msg = "score_classes: probabilities do not sum to 1, expected those of all families"
        raise ValueError(msg)
    place = {name: i for i, name in enumerate(probabilities["family"].values.tolist())}
    strange = sorted(set(truth.tolist()) - set(place))
    if strange:
        msg = (
            f"score_classes: truth has {', '.join(strange)}, expected among {', '.join(place)}; "
            "select the families that were trained on"
        )
        raise ValueError(msg)
    return p, np.array([place[name] for name in truth.tolist()])
