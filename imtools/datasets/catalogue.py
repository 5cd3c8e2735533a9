"""All maps of one catalogue: haloes once, then a luminosity draw and a turn for every map."""

import hashlib
import json

import numpy as np
import xarray as xr

from imtools import halos
from imtools.counts import count_sources, with_bounds
from imtools.datasets.sky import inside_field, interloper_sky, paint_sky, simulate_haloes
from imtools.experiment import without_later
from imtools.luminosity import LUMINOSITY_MODELS, draw_model, family_prior, split_families
from imtools.preprocessing import pool_cube
from imtools.survey import with_bounds as with_cube_bounds

_HALOES, _DRAWS, _INTERLOPERS, _FOREGROUNDS = range(4)  # what a stream of a catalogue is for
SIDES = ("train", "validation", "test")
SEEN = ("ra", "dec", "z", "chi", "line_fwhm")  # what painting and turning read of a halo
NOT_IN_A_MAP = {  # parameters that leave no trace in the maps, so none in their files either
    "observing": True, "preprocessing": {"transform"}, "data": {"n_workers", "lazy"},
    "counts": {"floor"}, "network": True, "training": True, "evaluation": True,
}  # fmt: skip


def side_of(experiment, catalogue):
    """Return the side of the split that a catalogue's number puts it on."""
    data = experiment.data
    last = np.cumsum([data.n_train, data.n_validation, data.n_test])
    if not 0 <= catalogue < last[-1]:
        msg = f"side_of: catalogue is {catalogue}, expected 0 to {last[-1] - 1}"
        raise ValueError(msg)
    return SIDES[int(np.searchsorted(last, catalogue, side="right"))]


def make_maps(experiment, catalogue):
    """Simulate one catalogue and paint all its maps.

    Parameters
    ----------
    experiment : Experiment
        Survey, haloes, luminosity model, pooling and bins; its seed.
    catalogue : int
        Number of the catalogue, which with the seed decides every random draw: it does not matter
        who makes it, or in which order.

    Returns
    -------
    xarray.Dataset
        ``map`` (sample, freq, dec, ra) float32 [uK], pooled, free of noise and not filtered,
        ``counts`` (sample, log_l) of the sources in the field, ``parameters`` (sample, parameter)
        of the luminosity model, and on ``sample`` the coordinates ``catalogue``, ``draw``,
        ``quarter_turns``, ``flip``, ``n_redrawn``, ``luminosity_model`` and ``halo_hash``, and
        where maps are rescaled ``rescale``, the factor. In a mixture ``parameter`` holds the names
        of all families, NaN where a map's own has no such parameter.
    """
    haloes = simulate_haloes(experiment, _stream(experiment, catalogue, _HALOES))
    stream = _stream(experiment, catalogue, _INTERLOPERS)
    interlopers = interloper_sky(experiment, stream, np.random.default_rng(stream))
    samples = []
    for draw in range(experiment.data.n_draws):
        rngs = [
            np.random.default_rng(_stream(experiment, catalogue, what, draw))
            for what in (_DRAWS, _FOREGROUNDS)
        ]
        family = _family(experiment, catalogue + draw)
        samples.append(_sample(haloes, experiment, family, interlopers, *rngs))
    dataset = _stack(samples, _parameter_names(experiment))
    n = dataset.sizes["sample"]
    return dataset.assign_coords(
        catalogue=("sample", np.full(n, catalogue), {"long_name": "number of the catalogue"}),
        draw=("sample", np.arange(n), {"long_name": "number of the draw"}),
        halo_hash=("sample", np.full(n, _hash(haloes)), {"long_name": "digest of the haloes"}),
    ).assign_attrs(
        seed=experiment.data.seed, catalogue=catalogue, side=side_of(experiment, catalogue),
        n_halos=haloes.sizes["halo"], data_key=experiment.data_key(),
        experiment=json.dumps(without_later(experiment.model_dump(exclude=NOT_IN_A_MAP))),
    )  # fmt: skip


def _stream(experiment, *key):
    """Return the seed of one stream; it does not depend on what else is drawn."""
    return np.random.SeedSequence(experiment.data.seed, spawn_key=key)


def _family(experiment, turn):
    """Return the luminosity model whose turn it is, and its prior."""
    luminosity = experiment.luminosity
    names = split_families(luminosity.luminosity_model)
    name = names[turn % len(names)]
    return name, family_prior(name, luminosity.prior)


def _sample(haloes, experiment, family, interlopers, rng, rng_foregrounds):
    """Return one map, its counts and what they were made with."""
    (name, prior), luminosity, pool = family, experiment.luminosity, experiment.preprocessing
    model = draw_model(
        name, rng=rng, prior=prior, correlation=luminosity.correlation, sfr=luminosity.sfr
    )
    l_co = model.luminosity(haloes["m_halo"].values, haloes["z_cosmo"].values, rng=rng)
    quarter_turns, flip = 0, False
    if experiment.data.augment:
        quarter_turns, flip = int(rng.integers(4)), bool(rng.integers(2))
    rescale = {}
    if luminosity.rescale > 0:  # drawn last: the same map at another brightness
        rescale["rescale"] = 10 ** rng.uniform(-luminosity.rescale, luminosity.rescale)
        l_co = l_co * rescale["rescale"]
    seen = haloes[[v for v in SEEN if v in haloes]]
    seen = halos.rotate(seen, angle=90.0 * quarter_turns, flip=flip)
    attrs = {"units": "Lsun", "long_name": "CO luminosity"}
    seen = seen.assign(l_co=("halo", l_co, attrs))
    cube = pool_cube(
        paint_sky(seen, experiment, interlopers, rng_foregrounds),
        freq=pool.pool_freq, dec=pool.pool_dec, ra=pool.pool_ra, how=pool.pool_how,
    )  # fmt: skip
    l_co = l_co[inside_field(haloes, experiment.survey_object())]
    return {
        "map": cube.rename("map"),
        "counts": count_sources(l_co, experiment.l_edges),
        "parameters": model.parameters(),
        "quarter_turns": quarter_turns, "flip": flip, "n_redrawn": model.n_redrawn,
        "luminosity_model": name, **rescale,
    }  # fmt: skip


def _parameter_names(experiment):
    """Return the names of the parameters of all families, each once."""
    families = split_families(experiment.luminosity.luminosity_model)
    return list(dict.fromkeys(n for f in families for n in LUMINOSITY_MODELS[f].parameter_names()))


def _stack(samples, names):
    """Return the samples of one catalogue as a Dataset, `names` are those of the parameters."""
    maps = with_cube_bounds(xr.concat([s["map"] for s in samples], "sample"))
    for name in ("n_inside", "n_outside", "n_invalid"):
        maps["map"].attrs.pop(name, None)
    counts = with_bounds(xr.concat([s["counts"] for s in samples], "sample"))
    parameters = [[s["parameters"].get(name, np.nan) for name in names] for s in samples]
    attrs = {"units": "model", "long_name": "luminosity model parameters, units as in the model"}
    dataset = xr.merge([maps, counts], combine_attrs="drop_conflicts").assign(
        parameters=(("sample", "parameter"), parameters, attrs)
    )
    long_names = {
        "quarter_turns": "quarter turns about the line of sight",
        "flip": "mirrored in right ascension before the turn",
        "n_redrawn": "draws that left the physical range",
        "luminosity_model": "luminosity model",
        "rescale": "factor on all luminosities of the map",
    }
    coords = {
        name: ("sample", [s[name] for s in samples], {"long_name": text})
        for name, text in long_names.items()
        if name in samples[0]
    }
    coords["flip"] = ("sample", np.array(coords["flip"][1], dtype=np.int8), coords["flip"][2])
    return dataset.assign_coords(parameter=names, **coords)


def _hash(haloes):
    """Return a digest of a catalogue's masses and places, to find it again under another name."""
    digest = hashlib.sha256()
    for name in ("m_halo", "ra", "dec", "z"):
        digest.update(np.ascontiguousarray(haloes[name].values).tobytes())
    return digest.hexdigest()[:16]
