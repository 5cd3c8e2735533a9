from dataclasses import dataclass

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from toy_maps import toy_data, toy_experiment
from toy_posteriors import EDGES, N_BINS, posterior, toy_draws, toy_truth

from imtools.counts import luminosity_function
from imtools.estimators import Estimator
from imtools.estimators.base import common, errors_of
from imtools.evaluation.misspecification import (
    Elsewhere,
    flagged_share,
    format_elsewhere,
    judge_elsewhere,
    usual_sets,
    verdict_elsewhere,
)
from imtools.experiment import Experiment
from imtools.training import voxel_histogram

EXPERIMENT = Experiment.from_preset("tiny", n_bins=N_BINS)


class Toy:
    """An estimator that knows its posterior, or has it too narrow; a map is what is seen."""

    def __init__(self, name, kind):
        self.name, self.kind = name, kind

    def draws(self, maps, experiment, rng, n_draws):
        truth = luminosity_function(np.ones(maps.shape), EDGES)
        seen = maps.values + experiment.observing.sigma_noise
        return toy_draws(seen, truth, self.kind, n_draws=n_draws)

    def median(self, maps, experiment, rng):
        return self.draws(maps, experiment, rng, 200).median("draw").values


def elsewhere(shift, *, seed=1, sigma_noise=0.0):
    """Return maps that are all brighter than they should be by `shift` dex."""
    seen, truth, catalogue = toy_truth(60, 5, seed)
    maps = xr.DataArray(seen + shift, dims=("sample", "log_l"))
    data = xr.Dataset({"map": maps, "counts": truth})
    data = data.assign_coords(catalogue=("sample", catalogue))
    return Elsewhere(data=data, experiment=EXPERIMENT.replace(sigma_noise=sigma_noise))


@pytest.fixture(scope="module")
def judged():
    methods = [Toy("network", "right"), Toy("ridge_vid", "narrow")]
    sets = {
        "as in training": elsewhere(0.0),
        "brighter": elsewhere(0.5),
        "at other noise": elsewhere(0.0, sigma_noise=0.3),
    }
    return judge_elsewhere(methods, sets, seed=0, n_draws=80, n_bootstrap=100)


def test_error_and_coverage_are_those_of_each_set_and_method(judged):
    assert judged["bias"].dims == ("set", "method", "log_l")
    assert judged["coverage"].dims == ("set", "method", "probability", "log_l")
    assert judged["n_maps"].values.tolist() == [300, 300, 300]
    off = posterior()[0].sum(axis=1)  # of the answer, for a map that is brighter by 1 dex
    right = judged.sel({"method": "network"})
    for name, shift in (("as in training", 0.0), ("brighter", 0.5), ("at other noise", 0.3)):
        one = right.sel({"set": name})
        # 5 bootstrap errors: catalogues share a part of their brightness
        assert (np.abs(one["bias"] - shift * off) < 5 * one["bias_error"]).all(), name
    assert (right["rms"].sel(set="brighter") > right["rms"].sel(set="as in training") + 0.1).all()


def test_intervals_are_honest_only_where_the_method_and_the_maps_are_right(judged):
    cover = judged["mean_coverage"].sel(probability=0.68)
    assert abs(float(cover[0, 0]) - 0.68) < 0.05
    assert float(cover[0, 1]) < 0.55
    assert (cover[1:] < 0.4).all()


def test_a_verdict_is_one_sentence_that_counts_and_a_table_has_a_row_each(judged):
    flagged = judged.assign(flagged=("set", [0.01, 0.0, 1.0]))
    said = verdict_elsewhere(flagged)
    assert said == (
        "On as in training 1 of 2 methods hold their intervals (1 % of the maps flagged), which "
        "nobody would notice; on brighter 0 of 2 methods hold their intervals (0 % of the maps "
        "flagged), which nobody would notice; on at other noise 0 of 2 methods hold their "
        "intervals (100 % of the maps flagged)."
    )
    assert "(no flag asked)" in verdict_elsewhere(judged)
    rows = format_elsewhere(flagged).splitlines()
    assert rows[0].split("|")[1].strip() == "method"
    cells = [cell.strip() for cell in rows[4].split("|")]
    one = judged.sel({"set": "brighter", "method": "network"})
    assert cells[:2] == ["brighter", "network"]
    assert cells[6] == "0.0 %"
    assert cells[4] == f"{100 * float(one['mean_coverage'].sel(probability=0.68)):.1f} %"
    # the six bins are those that meet at, or are nearest to, 10^4, 10^4.5, 10^5 and 10^5.5
    assert cells[2] == f"{float(one['bias'].median()):.3f}"
    assert rows[3].split("|")[0].strip() == ""


def test_no_set_is_refused():
    with pytest.raises(ValueError, match="there is no set of maps, expected at least one"):
        judge_elsewhere([Toy("network", "right")], {}, seed=0)


def test_the_usual_sets_differ_from_training_in_one_thing_each(monkeypatch):
    made = []

    def fresh(experiment, **changes):
        made.append(changes)
        return f"maps {len(made)}"

    monkeypatch.setattr("imtools.evaluation.misspecification.fresh_maps", fresh)
    noisy = EXPERIMENT.replace(sigma_noise=11.0)
    sets = usual_sets(noisy, "test maps", n_catalogues=5, family="keating2016")
    names = ["as in training", "sources of keating2016", "twice the noise", "foregrounds left in"]
    assert list(sets) == names
    assert [s.data for s in sets.values()] == ["test maps", "maps 1", "test maps", "maps 2"]
    noises = [s.experiment.observing.sigma_noise for s in sets.values()]
    assert noises == [11.0, 11.0, 22.0, 11.0]
    size = {"n_catalogues": 5, "n_draws": 2}
    assert made[0] == size | {"luminosity_model": "keating2016"}
    assert made[1] == size | {"point_sources": True, "diffuse": True}
    bare = usual_sets(EXPERIMENT, "test maps", n_catalogues=5)
    assert bare["noise"].experiment.observing.sigma_noise == 1.0


# -- the flag, on maps


@dataclass(frozen=True, kw_only=True, eq=False)
class Given(Estimator):
    """Answers 2 everywhere."""

    def point(self, inputs):
        return np.full((len(inputs), 14), 2.0)


@pytest.fixture(scope="module")
def reference():
    """Return what `training.write_reference` keeps, of known maps."""
    data = toy_data(range(12))
    edges = np.linspace(0, np.arcsinh(data["map"].values.max()), 81)
    inputs = np.arcsinh(data["map"].transpose("sample", "dec", "ra", "freq").values)
    histogram = voxel_histogram(inputs, edges)
    roots = np.sqrt(histogram.astype(float))
    apart = np.sqrt(((roots[:, None] - roots) ** 2).sum(axis=2) * 2 / histogram.shape[1])
    same = data["catalogue"].values[:, None] == data["catalogue"].values
    return xr.Dataset(
        {
            "histogram": (("sample", "bin"), histogram),
            "edges": ("edge", edges),
            "distance": ("sample", np.where(same, np.inf, apart).min(axis=1)),
        },
        coords={"side": ("sample", ["train"] * 40 + ["validation"] * 8)},
    )


def test_maps_as_in_training_are_seldom_flagged_and_others_nearly_always(reference):
    experiment, data = toy_experiment(), toy_data(range(50, 60))
    known = Elsewhere(data=data, experiment=experiment)
    assert flagged_share(known, reference, seed=0) < 0.15
    noisy = Elsewhere(data=data, experiment=experiment.replace(sigma_noise=20.0))
    assert flagged_share(noisy, reference, seed=0) > 0.9
    bright = data.assign(map=data["map"] * 8)
    far = Elsewhere(data=bright, experiment=experiment)
    assert flagged_share(far, reference, seed=0) > 0.9


def test_a_spike_is_flagged_though_it_hardly_moves_the_histogram(reference):
    data = toy_data([70])
    assert flagged_share(Elsewhere(data=data, experiment=toy_experiment()), reference, seed=0) == 0
    spiked = data["map"].values.copy()
    spiked[:, 0, 0, :3] = 1e6
    data = data.assign(map=data["map"].copy(data=spiked))
    assert flagged_share(Elsewhere(data=data, experiment=toy_experiment()), reference, seed=0) == 1


def test_real_estimators_are_asked_with_the_noise_of_each_set(reference):
    experiment, data = toy_experiment(), toy_data(range(30, 34))
    residuals = np.random.default_rng(0).normal(0, 0.1, (30, 14))
    method = Given(**common("given", experiment, data), **errors_of(residuals))
    sets = {
        "as in training": Elsewhere(data=data, experiment=experiment),
        "noise": Elsewhere(data=data, experiment=experiment.replace(sigma_noise=20.0)),
    }
    judged = judge_elsewhere([method], sets, seed=0, reference=reference, n_bootstrap=20)
    assert judged["flagged"].values[1] > 0.9
    expected = 2 - np.log10(np.maximum(data["counts"], 0.5)).mean("sample")
    npt.assert_allclose(judged["bias"][0, 0], expected, rtol=1e-9)
    for name, variable in judged.variables.items():
        assert name in ("set", "method") or {"units", "long_name"} <= set(variable.attrs), name
