"""How features and counts scatter about their means, from catalogues at the fiducial parameters."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from imtools import __version__, datasets
from imtools.inference.features import LEAST_VOXELS, error_scale, is_power, map_features
from imtools.inference.field import FieldScatter, field_scatter_of
from imtools.inference.stored import claimed, digest_of, read_arrays, write_arrays
from imtools.run_folder import data_root
from imtools.statistics import covariance_of_maps

NAME = "covariance"
N_CATALOGUES = 512  # ten times as many as features, so that its own noise costs 5 % of the width
N_DRAWS = 2  # maps of each; a further catalogue says more than a further map
SEED_STEP = 1_000_003  # to catalogues of its own: none of training, none of the test
FORMAT = 1


@dataclass(frozen=True, kw_only=True, eq=False)
class Covariance:
    """Scatter of maps at fixed parameters, in units in which it hardly depends on them."""

    statistic: np.ndarray  # "pk" or "vid" of each feature
    position: np.ndarray  # k [Mpc^-1] or temperature [uK]
    mean: np.ndarray  # features at the fiducial, shape (n_features,)
    scaled: np.ndarray  # covariance in units of `error_scale`, shape (n_features, n_features)
    n_catalogues: int  # that it was estimated from
    field: FieldScatter  # of the counts


def fiducial_experiment(experiment, n_catalogues=N_CATALOGUES, n_draws=N_DRAWS):
    """Return the experiment whose maps all have the fiducial parameters.

    Its catalogues are of another seed, so that no map of `experiment` shows the same haloes. All
    priors of a model share it.
    """
    if n_catalogues < 3:
        msg = f"fiducial_experiment: n_catalogues is {n_catalogues}, expected at least 3"
        raise ValueError(msg)
    return experiment.replace(
        prior="fiducial", correlation="independent", rescale=0.0,
        n_train=n_catalogues - 2, n_validation=1, n_test=1, n_draws=n_draws,
        seed=(experiment.data.seed + SEED_STEP) % 2**32, batch_size=1, lazy=True,
    )  # fmt: skip


def fit_covariance(
    experiment, folder=None, *, n_catalogues=N_CATALOGUES, n_draws=N_DRAWS, progress=True
):
    r"""Return the covariance of an experiment; one that was made before is read.

    Parameters
    ----------
    experiment : Experiment
        Its survey, sky, noise, filter and luminosity model.
    folder : path-like, optional
        Where it is kept; by default under `run_folder.data_root`, by what it is made of.
    n_catalogues, n_draws : int
        Catalogues, and maps of each. They are a data set of their own, see `fiducial_experiment`.
    progress : bool
        Show a progress bar while maps are made.

    Returns
    -------
    Covariance

    Raises
    ------
    ValueError
        If a file there is damaged.

    Notes
    -----
    :math:`C_{ij} = C^0_{ij} \sqrt{v_i v_j / v^0_i v^0_j}` at other parameters, with
    :math:`v = P^2 / N_\mathrm{modes}` or B, at least one voxel. What is kept is C in units of
    :math:`\sqrt{v}` without the modes, which is the same at all parameters: no matrix is inverted
    twice.

    References
    ----------
    .. [1] Ihle et al. 2019, ApJ 871, 75, arXiv:1808.07487
    """
    fiducial = fiducial_experiment(experiment, n_catalogues, n_draws)
    key = digest_of(
        fiducial.data_key(), fiducial.observing.model_dump_json(), fiducial.luminosity.sfr,
        str(FORMAT),
    )  # fmt: skip
    folder = data_root() / "covariances" / key if folder is None else Path(folder)
    known = {"key": key, "format": FORMAT}
    with claimed(folder):
        found = read_arrays(folder, NAME, known)
        if found is None:
            arrays = _measured(fiducial, progress)
            facts = {"n_catalogues": n_catalogues, "n_draws": n_draws, "imtools": __version__}
            write_arrays(folder, NAME, arrays, known | facts)
            found = read_arrays(folder, NAME, known)
    arrays, facts = found
    field = FieldScatter(loading=arrays.pop("field_loading"), rest=arrays.pop("field_rest"))
    return Covariance(n_catalogues=facts["n_catalogues"], field=field, **arrays)


def _measured(fiducial, progress):
    """Return the arrays of a new covariance."""
    folder = datasets.set_folder(fiducial)
    datasets.build(fiducial, folder, progress=progress)
    rng = np.random.default_rng([fiducial.data.seed, 7])
    features, counts, catalogue = [], [], []
    for side in datasets.SIDES:
        data = datasets.load(folder, side, lazy=True)
        features.append(map_features(data["map"], fiducial, rng))
        counts.append(data["counts"].values)
        catalogue.append(data["catalogue"].values)
    seen, catalogue = np.concatenate([f.values for f in features]), np.concatenate(catalogue)
    statistic, power = features[0]["statistic"].values, is_power(features[0]["statistic"])
    mean, covariance = seen.mean(axis=0), covariance_of_maps(seen, catalogue)
    floor = np.where(power, 0.0, np.maximum(LEAST_VOXELS - mean, 0.0))  # of bins all but empty
    scale = error_scale(mean, power)
    scaled = (covariance + np.diag(floor)) / np.outer(scale, scale)
    field = field_scatter_of(np.concatenate(counts), catalogue)
    return {
        "statistic": statistic.astype("U3"), "position": features[0]["position"].values,
        "mean": mean, "scaled": scaled, "field_loading": field.loading, "field_rest": field.rest,
    }  # fmt: skip
