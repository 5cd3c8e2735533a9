"""What single voxels could tell of the maps that are scored: a row beside the scoreboard."""

import numpy as np

from imtools.luminosity import LUMINOSITY_MODELS
from imtools.observing import voxel_noise
from imtools.statistics import reference_error


def has_reference(experiment):
    """Return whether `one_point_reference` can say anything of an experiment's maps."""
    luminosity = experiment.luminosity
    one_model = luminosity.luminosity_model in LUMINOSITY_MODELS and luminosity.rescale == 0
    return experiment.observing.sigma_noise > 0 and one_model


def one_point_reference(data, experiment, *, rng, n_maps=16):
    """Return the one-point reference error at the parameters of some maps of a data set.

    Parameters
    ----------
    data : xarray.Dataset
        One side of a data set, with ``map``, ``parameters`` and the coordinate
        ``luminosity_model``.
    experiment : Experiment
        Its survey, prior and noise; the mean of a map counts as lost where it is filtered.
    rng : numpy.random.Generator
        Source of the draws that give the covariance of the prior.
    n_maps : int
        How many maps, evenly over the data set; each takes about two seconds.

    Returns
    -------
    xarray.Dataset
        As from `statistics.reference_error`. It ignores beam and clustering: a yardstick that a
        method may beat. It also has one noise for all pixels, the one where hits are at their mean:
        where they differ, as with ``hits="edge"``, it is no bound.

    Raises
    ------
    ValueError
        If there is no noise, without which a voxel tells all, or maps differ in luminosity model
        or are rescaled, which no prior of one model describes.
    """
    luminosity = experiment.luminosity
    if luminosity.luminosity_model not in LUMINOSITY_MODELS or luminosity.rescale > 0:
        msg = (
            f"one_point_reference: luminosity_model is {luminosity.luminosity_model!r} and rescale "
            f"{luminosity.rescale} dex, expected one model and 0; leave the reference out"
        )
        raise ValueError(msg)
    maps, names = data["map"], data["parameter"].values.tolist()
    rows = np.unique(np.linspace(0, maps.sizes["sample"] - 1, n_maps).round().astype(int))
    model = LUMINOSITY_MODELS[luminosity.luminosity_model]
    fixed = {"sfr": luminosity.sfr} if hasattr(model, "sfr") else {}
    models = [
        model(**fixed, **dict(zip(names, values.tolist(), strict=True)))
        for values in data["parameters"].values[rows]
    ]
    observing = experiment.observing
    sigma = voxel_noise(
        maps, sigma_noise=observing.sigma_noise, convention=observing.noise_convention
    )
    if maps.attrs.get("pooling") == "sum":
        sigma = sigma / maps.attrs["n_pooled"]
    n_chan, n_pix, _ = experiment.pooled_shape
    return reference_error(
        models, experiment.survey_object().replace(n_chan=n_chan, n_pix=n_pix), sigma_noise=sigma,
        prior=luminosity.prior, edges=experiment.l_edges, m_min=experiment.halos.m_min,
        floor=experiment.counts.floor, monopole_lost=observing.filter != "none", rng=rng,
        correlation=luminosity.correlation,
    )  # fmt: skip
