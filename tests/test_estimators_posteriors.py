"""Neural posteriors of the luminosity function: from summaries, and from the cube of COMAP."""

import numpy as np
import pytest
import xarray as xr
from toy_maps import toy_data, toy_experiment

from imtools.counts import count_sources, luminosity_function
from imtools.datasets import log_counts_array
from imtools.estimators import fit_network
from imtools.evaluation.calibration import fractional_ranks, recalibrated
from imtools.experiment import Experiment
from imtools.run_folder import read_rows


def spread_of(predicted):
    """Return half widths of the 68 % intervals, shape (sample, log_l)."""
    return (predicted.sel(quantile=0.84) - predicted.sel(quantile=0.16)).values / 2


@pytest.mark.parametrize("reads", ["vid_pk", "multiscale"])
def test_a_dense_network_tells_quantiles_from_a_summary(reads, tmp_path):
    changes = {"architecture": "dense", "reads": reads, "output": "quantiles"}
    changes |= {"n_train": 24, "sigma_noise": 1.0, "epochs": 40, "batch_size": 16}
    experiment = toy_experiment(**changes, learning_rate=0.01)
    train, validation, test = (
        toy_data(range(a, a + n)) for a, n in ((0, 24), (40, 10), (60, 6))
    )  # fmt: skip
    network = fit_network(experiment, train, validation, tmp_path)
    seen = network.predict(test["map"], experiment, np.random.default_rng(0))
    truth = log_counts_array(test, experiment)
    error = seen.sel(quantile=0.5).values - truth
    bins = truth.min(axis=0) > 0  # never empty
    prior = (log_counts_array(train, experiment).mean(axis=0) - truth)[:, bins]
    assert np.sqrt(np.mean(error[:, bins] ** 2)) < 0.5 * np.sqrt(np.mean(prior**2))
    assert (seen.diff("quantile") > 0).all()
    widths = spread_of(seen)[:, bins]
    assert widths.std(axis=0).min() > 1e-3  # each map has its own
    # learnt from 96 maps, its intervals are too narrow; validation maps tell by how much
    mended = recalibrated(network, validation, experiment)
    held = [share_held(m, test, experiment, bins) for m in (network, mended)]
    assert 0.5 < held[0] < held[1]
    assert abs(held[1] - 0.95) < 0.08  # 40 maps to mend with, 24 to look at


def share_held(method, test, experiment, bins):
    """Return the share of truths within 95 % of the draws."""
    drawn = method.draws(test["map"], experiment, np.random.default_rng(0), n_draws=200)
    ranks = fractional_ranks(drawn, test["counts"], rng=np.random.default_rng(1)).values
    return np.mean(np.abs(ranks[:, bins] - 0.5) < 0.475)


def comap_data(catalogues, experiment):
    """Return two cubes of each catalogue, whose sources are all brighter or fainter together."""
    survey, maps, counts = experiment.survey_object(), [], []
    for catalogue in catalogues:
        for draw in range(2):
            rng = np.random.default_rng([13, catalogue, draw])
            log_l = rng.normal(5.0, 0.4) + rng.normal(0, 0.4, 3000)
            voxel = rng.integers(np.prod(survey.shape), size=3000)
            temp = np.bincount(voxel, 10 ** (log_l - 4), np.prod(survey.shape))
            maps.append(survey.cube(temp.reshape(survey.shape).astype("float32")))
            counts.append(count_sources(10**log_l, experiment.l_edges).values)
    data = xr.Dataset({
        "map": xr.concat(maps, "sample").rename("map"),
        "counts": luminosity_function(np.array(counts), experiment.l_edges),
    })  # fmt: skip
    return data.assign_coords(catalogue=("sample", np.repeat(list(catalogues), 2)))


@pytest.mark.parametrize(
    ("architecture", "changes"),
    [("resnet_small", {"n_blocks": 2}), ("notes_cnn", {"n_blocks": 2, "head": "global"})],
)
def test_a_small_network_tells_quantiles_from_the_cube_of_comap(architecture, changes, tmp_path):
    experiment = Experiment.from_preset(
        "comap", architecture=architecture, n_dims=2, filters=8, output="quantiles", n_train=16,
        n_validation=2, n_draws=2, batch_size=8, epochs=5, learning_rate=0.01, **changes,
    )  # fmt: skip
    assert experiment.pooled_shape == (512, 21, 21)
    train, validation = comap_data(range(16), experiment), comap_data([20, 21], experiment)
    network = fit_network(experiment, train, validation, tmp_path)
    loss = read_rows(tmp_path / "history.csv")["loss"]
    assert loss[-1] < 0.8 * loss[0]
    drawn = network.draws(validation["map"], experiment, np.random.default_rng(0), n_draws=20)
    assert drawn.shape == (4, 20, 49)
    assert np.isfinite(drawn).all()
    seen = network.predict(validation["map"], experiment, np.random.default_rng(0))
    assert (seen.diff("quantile") > 0).all()
    assert network.model.count_params() < 200_000
