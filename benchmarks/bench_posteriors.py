"""Time the answers of neural posteriors to maps of the COMAP survey: quantiles, and draws.

Run: python benchmarks/bench_posteriors.py
"""

from time import perf_counter

import numpy as np
import xarray as xr

from imtools import networks
from imtools.datasets import network_inputs
from imtools.estimators import Network
from imtools.estimators.base import N_DRAWS, common
from imtools.evaluation.calibration import calibrate
from imtools.experiment import Experiment
from imtools.training import Target

N_MAPS = 30
REPEATS = 7
AIM = 50.0  # ms a map
KINDS = {
    "dense on VID and P(k), quantiles": {"architecture": "dense", "reads": "vid_pk"},
    "dense on scales, quantiles": {"architecture": "dense", "reads": "multiscale"},
    "dense on scales, gaussian": {
        "architecture": "dense", "reads": "multiscale", "output": "gaussian",
    },
    "resnet_small in 2-D on the cube, quantiles": {
        "architecture": "resnet_small", "n_dims": 2, "n_blocks": 3, "filters": 32,
    },
    "notes_cnn in 2-D on the cube, quantiles": {
        "architecture": "notes_cnn", "n_dims": 2, "n_blocks": 4, "filters": 32, "head": "global",
    },
}  # fmt: skip


def made_up(experiment):
    """Return maps of some bright voxels, and counts that vary from map to map."""
    survey, rng = experiment.survey_object(), np.random.default_rng(0)
    cubes = rng.exponential(0.7, (N_MAPS, *survey.shape)).astype("float32")
    counts = np.geomspace(1e4, 0.5, 49) * 10 ** rng.normal(0, 0.3, (N_MAPS, 1))
    return xr.concat([survey.cube(cube) for cube in cubes], "sample"), np.round(counts)


def posterior(experiment, maps, counts):
    """Return a network that nobody has trained: it answers as fast as one that somebody has."""
    inputs = network_inputs(maps, experiment, np.random.default_rng(1))
    settings = experiment.network.model_dump(exclude={"architecture"})
    model = networks.build(experiment.network.architecture, inputs.shape[1:], 49, **settings)
    networks.adapt(model, inputs)
    read = {"reads": experiment.network.reads, "temp_scale": experiment.network.temp_scale}
    known = common("network", experiment, {"map": maps})
    scores = np.random.default_rng(2).normal(size=(320, 49))
    target = Target.of(experiment, counts)
    return Network(**known, **read, model=model, target=target, scores=scores)


def per_map(answer, maps, experiment):
    """Return the median ms a map of an answer, after one that traces the network."""
    times, rng = [], np.random.default_rng(3)
    for _ in range(REPEATS + 1):
        start = perf_counter()
        answer(maps, experiment, rng)
        times.append(1e3 * (perf_counter() - start) / maps.sizes["sample"])
    return np.median(times[1:])


def main():
    """Print the table."""
    print(f"ms a map of 512 x 21 x 21 voxels, noise and filter included; aim: under {AIM:g}")
    heads = ("one map", f"{N_MAPS} maps", f"{N_DRAWS} draws of each")
    print(f"{'':43s}" + "".join(f"{head:>20s}" for head in heads))
    for name, changes in KINDS.items():
        settings = {"output": "quantiles", "temp_scale": 11.0} | changes
        experiment = Experiment.from_preset("comap", **settings)
        maps, counts = made_up(experiment)
        network = posterior(experiment, maps, counts)
        asked = ((network.predict, maps[:1]), (network.predict, maps), (network.draws, maps))
        cells = [per_map(answer, some, experiment) for answer, some in asked]
        print(f"{name:43s}" + "".join(f"{cell:20.1f}" for cell in cells))
    time_calibration()


def time_calibration():
    """Print how long the diagnostics take for 4000 maps."""
    rng, n_maps = np.random.default_rng(4), 4000
    log_dn = np.linspace(3, 0, 49) + 0.3 * rng.normal(size=(n_maps, 1))
    log_l = {"log_l": np.linspace(3.5, 7, 49)}
    truth = xr.DataArray(
        np.round(10 ** (log_dn + 0.1 * rng.normal(size=log_dn.shape))), dims=("sample", "log_l"),
        coords=log_l, attrs={"convention": "dn"},
    )  # fmt: skip
    values = rng.standard_normal((n_maps, N_DRAWS, 49), dtype=np.float32)
    values = (log_dn[:, None] + 0.1 * values).astype("float32")
    draws = xr.DataArray(values, dims=("sample", "draw", "log_l"), coords=log_l)
    start = perf_counter()
    calibrate(draws, truth, np.repeat(np.arange(100), 40), rng=rng)
    seconds = perf_counter() - start
    print(f"calibration of {n_maps} maps, {N_DRAWS} draws of 49 bins: {seconds:.1f} s")


if __name__ == "__main__":
    main()
