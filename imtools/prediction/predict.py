"""From a map to its luminosity function, with all that is known against trusting it."""

import json
import warnings
from pathlib import Path

import numpy as np
import xarray as xr

from imtools.counts import luminosity_function, to_phi, with_bounds
from imtools.datasets import scaled_maps
from imtools.observing import applied_filters
from imtools.prediction.checks import check_allowances, compare, enforce
from imtools.prediction.preparing import opened, to_training_voxels
from imtools.prediction.trained import Trained, open_trained
from imtools.training import check_maps, histogram_distance, voxel_histogram

FAR = 0.99  # share of the maps a network knows, beyond which a map lies outside of them
DISTANCES = {
    "distance": ((), "distance of voxel histograms to the nearest training map"),
    "distance_quantile": ((), "share of the reference distances that are smaller"),
    "reference_distance": (("reference",), "distance of known maps to those of other catalogues"),
    "n_beyond": ((), "voxels below or above those of all training maps"),
}


def predict_map(run, source, *, sigma_noise=None, allow=(), **reading):
    """Return the luminosity function that a trained network reads off one map.

    Parameters
    ----------
    run : path-like or Trained
        Folder or name of a run, see `open_trained`, or what that returned.
    source : path-like, xarray.Dataset or xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        A file that `formats.open_map` reads, what that returned, or a cube. Its voxels are those
        of the training maps, before or after pooling.
    sigma_noise : float, optional
        Noise per voxel of the map [uK], where it does not state it; 0 for a mock without.
    allow : sequence of str
        Checks that only warn: "noise", "filter", "beam", "mask".
    **reading
        Settings of `formats.open_map`, for a file.

    Returns
    -------
    xarray.Dataset
        ``log_dn`` and ``phi`` (quantile, log_l) with ``log_l_bounds``; ``distance`` of the map to
        the nearest training map, ``distance_quantile``, the share of ``reference_distance`` below
        it, and ``n_beyond``, the voxels beyond those of all training maps. ``attrs`` keep as JSON
        ``checks``, ``allowed``, ``warnings``, and ``steps``, what was done to the map.

    Raises
    ------
    ValueError
        If units, voxels or channels of the map differ from those in training; if its filters,
        noise, beam or mask do and are not allowed to; or if it does not state its noise.
    OSError
        If a file cannot be read.

    Notes
    -----
    A map that went through no filter goes through that of the training maps. Intervals are the
    errors on the validation maps, so they hold for maps like those.
    """
    check_allowances(allow)
    trained = run if isinstance(run, Trained) else open_trained(run)
    network, experiment, reference = trained.network, trained.experiment, trained.reference
    cube, steps = opened(source, sigma_noise=sigma_noise, reading=reading)
    cube, more = to_training_voxels(cube, network.maps, experiment)
    check_maps(cube, network.maps, caller="predict_map")
    checks = compare(cube, reference)
    said = enforce(checks, allow)
    seen, last = _no_more_noise(cube, experiment, reference)
    log_dn = network.predict(cube, seen).isel(sample=0, drop=True)
    distances = _distances(scaled_maps(cube, seen), reference)
    said += _outside(distances, _n_beyond(reference["histogram"].values).max())
    for text in said:
        warnings.warn(f"predict_map: {text}", UserWarning, stacklevel=2)
    facts = {
        "checks": checks, "allowed": list(allow), "warnings": said, "steps": steps + more + last,
    }  # fmt: skip
    return _result(log_dn, distances, experiment).assign_attrs(
        {name: json.dumps(value) for name, value in facts.items()},
        run=trained.folder.resolve().name, map=_name(source),
        model_sha256=reference.attrs["model_sha256"],
        experiment=experiment.to_json(), seed=experiment.data.seed,
        n_validation=reference.sizes["validation"],
    )  # fmt: skip


def _no_more_noise(cube, experiment, reference):
    """Return the experiment that adds no noise, and filters only what nobody has filtered yet."""
    trained = json.loads(reference.attrs["filter"])
    if applied_filters(cube) or not trained:
        return experiment.replace(sigma_noise=0.0, filter="none"), []
    said = f"filtered by {json.dumps(trained)}, as the training maps"
    return experiment.replace(sigma_noise=0.0), [said]


def _distances(inputs, reference):
    """Return how far a map lies from the training maps, and how far known maps do."""
    histogram = voxel_histogram(inputs, reference["edges"].values)
    training = reference["histogram"].values[reference["side"].values == "train"]
    known = reference["distance"].values
    known = known[np.isfinite(known)]
    distance = histogram_distance(histogram, training)[0]
    return {
        "distance": distance,
        "distance_quantile": np.mean(known < distance),
        "reference_distance": known,
        "n_beyond": _n_beyond(histogram).item(),
    }


def _n_beyond(histograms):
    """Return how many voxels of each map lie outside the range of the training maps."""
    return histograms[:, 0] + histograms[:, -1]


def _outside(distances, n_known):
    """Return warnings if the map lies outside the training set; known maps have `n_known` at most.

    A few voxels hardly move a histogram, so those beyond its ends are counted.
    """
    said, share = [], distances["distance_quantile"]
    if share > FAR:
        said.append(
            f"the map lies outside the training set: its distance {distances['distance']:.3g} "
            f"exceeds that of {share:.1%} of the {distances['reference_distance'].size} maps the "
            "network knows, so intervals do not hold"
        )
    if distances["n_beyond"] > n_known:
        said.append(
            f"{distances['n_beyond']} voxels lie beyond those of all training maps, expected at "
            f"most {n_known}; look for sources or spikes"
        )
    return said


def _result(log_dn, distances, experiment):
    """Return prediction and distances as one Dataset, ready for the disk."""
    counts = luminosity_function(10**log_dn.values, experiment.l_edges).attrs
    dn = (10**log_dn).assign_attrs(counts).rename("counts")
    result = with_bounds(log_dn.rename("log_dn"))
    result["phi"] = to_phi(dn, experiment.survey_object().volume)
    for name, (dims, text) in DISTANCES.items():
        result[name] = (dims, distances[name], {"units": "1", "long_name": text})
    return result


def _name(source):
    """Return the file name of a map, or where else it came from."""
    return "in memory" if isinstance(source, xr.Dataset | xr.DataArray) else Path(source).name
