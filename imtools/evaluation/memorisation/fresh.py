"""Further maps for tests: of catalogues on no side of a data set, with settings of their own."""

import numpy as np
import xarray as xr

from imtools import datasets
from imtools.luminosity import LUMINOSITY_MODELS, family_prior

FAMILIES = (
    "li2016", "padmanabhan2018", "breysse2014", "comap2022", "keating2016", "schechter",
)  # fmt: skip
_FRESH = 8  # what a random stream is for
LEAST = 3  # catalogues, one a side


def fresh_experiment(experiment, *, n_catalogues, n_draws, **changes):
    """Return the experiment of further catalogues, whose seed no side of the first has.

    Parameters
    ----------
    experiment : Experiment
        What the maps are like.
    n_catalogues : int
        How many, at least 3.
    n_draws : int
        Maps of each.
    **changes
        Other parameters, such as ``prior="fiducial"``. A luminosity model that does not know the
        prior draws from its wide one. Maps are not rescaled.
    """
    if n_catalogues < LEAST:
        msg = f"fresh_experiment: n_catalogues is {n_catalogues}, expected at least {LEAST}"
        raise ValueError(msg)
    luminosity = experiment.luminosity
    family = changes.get("luminosity_model", luminosity.luminosity_model)
    if family in LUMINOSITY_MODELS:  # a mixture sees to each of its families itself
        prior = family_prior(family, changes.get("prior", luminosity.prior))
        changes = changes | {"prior": prior}
    sequence = np.random.SeedSequence(experiment.data.seed, spawn_key=(_FRESH,))
    sides = {"n_train": n_catalogues - 2, "n_validation": 1, "n_test": 1, "n_draws": n_draws}
    sides |= {"seed": int(sequence.generate_state(1)[0]), "batch_size": 1, "rescale": 0.0}
    return experiment.replace(**sides | changes)


def fresh_maps(experiment, *, n_catalogues, n_draws=1, **changes):
    """Make the maps of `fresh_experiment`, or find them on disk; parameters as there.

    Returns
    -------
    xarray.Dataset
        As from `datasets.load`, all catalogues.
    """
    further = fresh_experiment(experiment, n_catalogues=n_catalogues, n_draws=n_draws, **changes)
    folder = datasets.set_folder(further)
    datasets.build(further, folder)
    sides = [datasets.load(folder, side) for side in datasets.SIDES]
    return xr.concat(
        sides, "sample", data_vars="minimal", coords="minimal", compat="override",
        join="exact", combine_attrs="drop_conflicts",
    )  # fmt: skip


def family_maps(experiment, *, n_catalogues, n_draws=2, names=FAMILIES):
    """Make maps of several families of luminosity models, painted onto the same fresh haloes.

    Parameters
    ----------
    experiment : Experiment
        What the maps are like.
    n_catalogues : int
        How many, at least 3.
    n_draws : int
        Maps of each catalogue and family.
    names : sequence of str
        Luminosity models.

    Returns
    -------
    dict of str to xarray.Dataset
        As from `datasets.load`, by luminosity model. The prior is that of the experiment, or
        "ten_percent" where none of the families knows it.
    """
    prior = experiment.luminosity.prior
    known = any(prior in ("fiducial", *LUMINOSITY_MODELS[name].PRIORS) for name in names)
    mixed = {"luminosity_model": "+".join(names), "n_draws": n_draws * len(names)}
    mixed["prior"] = prior if known else "ten_percent"
    data = fresh_maps(experiment, n_catalogues=n_catalogues, **mixed)
    return {name: datasets.select_families(data, name) for name in names}
