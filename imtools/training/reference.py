"""What lies beside a network for maps from outside: its errors, and the maps it learnt from.

A map is compared by its voxel histogram, on the scale that the network sees. The distance of two
histograms is that of the square roots of their counts, whose Poisson scatter is 1/2 in every bin
however many voxels it holds: 1 means that they differ as two draws of one histogram do.
"""

from pathlib import Path

import numpy as np
import xarray as xr
from scipy.spatial.distance import cdist

from imtools.counts import luminosity_function
from imtools.datasets import log_counts_array, network_inputs, observe, parts_of, scaled_maps
from imtools.run_folder import open_netcdf, write_netcdf
from imtools.training.loop import predict
from imtools.training.saved import MODEL, checksum, load_model
from imtools.training.targets import Target, experiment_of

REFERENCE = "reference.nc"
N_BINS = 80  # bins over the range of the training maps; two more hold what lies below and above
MAX_RANGE = 1024  # training maps that set this range
_NOISE = 3  # what a random stream is for; 0 to 2 and 4 are those of `fitting`


def write_reference(run_dir, data_train, data_validation):
    """Write ``reference.nc`` beside a network: voxel histograms of its maps, and its errors.

    Parameters
    ----------
    run_dir : path-like
        Folder of the run, with ``model.keras`` and its manifest. A reference there is replaced.
    data_train, data_validation : xarray.Dataset
        What the network was trained on, see `train`.

    Returns
    -------
    xarray.Dataset
        ``histogram`` (sample, bin) of the training and validation maps with noise, ``edges``
        between bins, ``distance`` (sample) to the nearest training map of another catalogue, and
        ``residual`` (validation, log_l): true minus predicted log10 dN. ``attrs`` say noise,
        filter and beam of the maps as the network saw them.
    """
    run_dir = Path(run_dir)
    model, manifest = load_model(run_dir)
    experiment = experiment_of(manifest)
    rngs = _rng(experiment).spawn(3)
    some = data_train["map"][:: -(-data_train.sizes["sample"] // MAX_RANGE)]
    parts = (scaled_maps(part, experiment, rngs[0]) for part in parts_of(some))
    ends = np.array([(part.min(), part.max()) for part in parts])
    edges = np.linspace(ends[:, 0].min(), ends[:, 1].max(), N_BINS + 1)
    histograms, predicted = [], []
    for data, rng in ((data_train, rngs[1]), (data_validation, rngs[2])):
        for maps in parts_of(data["map"]):
            inputs = scaled_maps(maps, experiment, rng)
            histograms.append(voxel_histogram(inputs, edges))
            if data is data_validation:
                if experiment.network.reads != "map":
                    inputs = network_inputs(maps, experiment, rng)
                predicted.append(predict(model, inputs, experiment.training.batch_size))
    log_dn = Target.from_manifest(manifest).median(np.concatenate(predicted))
    residual = log_counts_array(data_validation, experiment) - log_dn
    catalogues = [d["catalogue"].values for d in (data_train, data_validation)]
    reference = _labelled(np.concatenate(histograms), edges, residual, catalogues, experiment)
    seen = observe(data_validation["map"][:1], experiment, _rng(experiment))
    reference.attrs |= {
        "sigma_noise": float(seen.attrs.get("sigma_noise", 0.0)),
        "filter": seen.attrs.get("filter", "[]"),
        "beam_fwhm": experiment.sky.beam_fwhm,
        "model_sha256": checksum(run_dir / MODEL),
        "seed": experiment.data.seed,
        "experiment": experiment.to_json(),
    }
    write_netcdf(reference, run_dir / REFERENCE, overwrite=True)
    return reference


def read_reference(run_dir):
    """Return the reference of the network in a run folder, see `write_reference`.

    Raises
    ------
    FileNotFoundError
        If there is none.
    ValueError
        If it belongs to another network than the one in the folder.
    """
    path = Path(run_dir) / REFERENCE
    if not path.exists():
        msg = (
            f"read_reference: {path} does not exist, so errors and training maps are unknown; "
            "let the training end, or call training.write_reference with its data sets"
        )
        raise FileNotFoundError(msg)
    with open_netcdf(path) as file:
        reference = file.load()
    if reference.attrs.get("model_sha256") != checksum(Path(run_dir) / MODEL):
        msg = (
            f"read_reference: {path} belongs to another network than {MODEL} beside it; call "
            "training.write_reference with the data sets of this network"
        )
        raise ValueError(msg)
    return reference


def voxel_histogram(inputs, edges):
    """Count the voxels of each map in bins of their scaled temperature.

    Parameters
    ----------
    inputs : numpy.ndarray, shape (n, ...)
        Maps as the network sees them.
    edges : numpy.ndarray, shape (n_bins + 1,)
        Even edges of the bins.

    Returns
    -------
    numpy.ndarray, shape (n, n_bins + 2)
        The first and the last bin hold the voxels below and above all others.
    """
    n_bins, low, high = edges.size - 1, edges[0], edges[-1]
    flat = inputs.reshape(len(inputs), -1)
    place = (flat - low) * (n_bins / (high - low) if high > low else 0.0)
    place = np.where(flat == high, n_bins - 1, np.floor(place))  # the last bin holds both edges
    index = np.clip(place, -1, n_bins).astype(np.int64) + 1
    return np.stack([np.bincount(one, minlength=n_bins + 2) for one in index]).astype(np.int32)


def histogram_distance(histograms, others):
    """Return the distance of each histogram to the nearest of `others`.

    Parameters
    ----------
    histograms, others : array_like, shape (n, n_bins) and (m, n_bins)
        Numbers of voxels.

    Returns
    -------
    numpy.ndarray, shape (n,)
        Root mean square over bins of the difference of square roots, in units of what Poisson
        scatter makes it (the root of 1/2).

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> one, two = rng.poisson(100.0, size=(2, 1, 10000))
    >>> round(float(histogram_distance(one, two)[0]), 1)
    1.0
    """
    one, two = (np.sqrt(np.asarray(h, dtype=float)) for h in (histograms, others))
    return cdist(one, two).min(axis=1) * np.sqrt(2 / one.shape[1])


def _other_catalogue_distances(histograms, n_train, catalogues):
    """Return the distance of each map to the nearest training map of another catalogue."""
    training = histograms[:n_train]
    distances = np.full(len(histograms), np.nan)
    for catalogue in np.unique(catalogues):
        own = catalogues == catalogue
        others = training[~own[:n_train]]
        if len(others):
            distances[own] = histogram_distance(histograms[own], others)
    return distances


def _labelled(histograms, edges, residual, catalogues, experiment):
    """Return the reference as a Dataset."""
    n_train, catalogue = len(catalogues[0]), np.concatenate(catalogues)
    sides = np.where(np.arange(catalogue.size) < n_train, "train", "validation").astype(object)
    distances = _other_catalogue_distances(histograms, n_train, catalogue)
    labels = {
        "histogram": ("1", "voxels in a bin of scaled temperature"),
        "edges": ("1", "edges of the bins, scaled temperature"),
        "distance": ("1", "distance to the nearest training map of another catalogue"),
        "residual": ("log10(1)", "true minus predicted log10 of sources per luminosity bin"),
    }
    attrs = {k: {"units": units, "long_name": name} for k, (units, name) in labels.items()}
    log_l = luminosity_function(residual[0] * 0, experiment.l_edges)["log_l"].variable
    return xr.Dataset(
        {
            "histogram": (("sample", "bin"), histograms, attrs["histogram"]),
            "edges": (("edge",), edges, attrs["edges"]),
            "distance": (("sample",), distances, attrs["distance"]),
            "residual": (("validation", "log_l"), residual, attrs["residual"]),
        },
        coords={
            "catalogue": ("sample", catalogue, {"long_name": "number of the catalogue"}),
            "side": ("sample", sides, {"long_name": "side of the split"}),
            "log_l": log_l,
        },
    )


def _rng(experiment):
    sequence = np.random.SeedSequence(experiment.data.seed, spawn_key=(_NOISE,))
    return np.random.default_rng(sequence)
