import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from scipy import stats
from toy_maps import toy_data, toy_experiment
from toy_posteriors import CENTRE, EDGES, N_BINS, posterior, toy_draws, toy_truth

from imtools.counts import luminosity_function
from imtools.estimators import QUANTILES, fit_histogram_regression
from imtools.evaluation.calibration import (
    calibrate,
    expected_coverage,
    fractional_ranks,
    meets_target,
    recalibrated,
    tarp,
)
from imtools.evaluation.calibration.recalibration import KNOTS
from imtools.experiment import Experiment

EXPERIMENT = Experiment.from_preset("tiny", n_bins=N_BINS)


class Toy:
    """An estimator of toy posteriors that are wrong in one way; a map is what is seen."""

    name, maps, transform, log_l_edges = "toy", {}, "asinh", np.log10(EDGES)

    def __init__(self, kind):
        self.kind = kind

    def predict(self, maps, experiment, rng=None):
        gain, covariance = posterior()
        width = np.sqrt(np.diag(covariance))
        middle = CENTRE + (maps.values - CENTRE) @ gain.T + (self.kind == "shifted") * width
        factor = {"narrow": 0.6, "wide": 1.6}.get(self.kind, 1.0)
        steps = stats.norm.ppf(QUANTILES)[:, None] * factor * width
        return xr.DataArray(
            middle[:, None] + steps, dims=("sample", "quantile", "log_l"),
            coords={"quantile": list(QUANTILES)},
        )  # fmt: skip

    def draws(self, maps, experiment, rng, n_draws=100):
        truth = luminosity_function(np.ones(maps.shape), EDGES)
        return toy_draws(maps.values, truth, self.kind, n_draws=n_draws, seed=rng.integers(2**31))


def data_of(n_catalogues, n_draws, seed):
    seen, truth, catalogue = toy_truth(n_catalogues, n_draws, seed)
    maps = xr.DataArray(seen, dims=("sample", "log_l"))
    return xr.Dataset({"map": maps, "counts": truth}).assign_coords(catalogue=("sample", catalogue))


@pytest.fixture(scope="module")
def validation():
    return data_of(150, 4, 6)


@pytest.fixture(scope="module")
def test():
    return data_of(120, 5, 7)


def coverage(estimator, data, n_draws=100):
    drawn = estimator.draws(data["map"], EXPERIMENT, np.random.default_rng(1), n_draws)
    ranks = fractional_ranks(drawn, data["counts"], rng=np.random.default_rng(2))
    catalogue = data["catalogue"].values
    return expected_coverage(ranks, catalogue, rng=np.random.default_rng(3), n_bootstrap=200)


@pytest.mark.parametrize("kind", ["narrow", "wide", "shifted"])
def test_recalibration_mends_widths_and_places_on_unseen_catalogues(kind, validation, test):
    base = Toy(kind)
    assert not meets_target(coverage(base, test)).all()
    mended = recalibrated(base, validation, EXPERIMENT)
    assert mended.name == "toy_recalibrated"
    after = coverage(mended, test)
    assert meets_target(after).all()
    assert (np.abs(after["mean_coverage"] - after["probability"]) < 0.03).all()


@pytest.mark.parametrize(("kind", "factor"), [("narrow", 1 / 0.6), ("wide", 1 / 1.6)])
def test_intervals_become_as_wide_as_they_should_be(kind, factor, validation, test):
    base = Toy(kind)
    mended = recalibrated(base, validation, EXPERIMENT)
    own, new = (m.predict(test["map"], EXPERIMENT) for m in (base, mended))
    for low, high in ((0.025, 0.975), (0.16, 0.84)):
        widths = [p.sel(quantile=high) - p.sel(quantile=low) for p in (own, new)]
        ratio = (widths[1] / widths[0]).mean("sample")
        # a width from 600 validation maps, alike within 150 catalogues, is known to some per cent
        npt.assert_allclose(ratio, factor, rtol=0.15)
    npt.assert_array_equal(mended.median(test["map"], EXPERIMENT), new.sel(quantile=0.5))


def test_a_right_posterior_is_left_alone(validation, test):
    mended = recalibrated(Toy("right"), validation, EXPERIMENT)
    own = Toy("right").predict(test["map"], EXPERIMENT)
    new = mended.predict(test["map"], EXPERIMENT)
    width = np.sqrt(np.diag(posterior()[1]))
    # validation: sampling error of a quantile at .025 of 600 maps, .11 widths, catalogues alike
    assert (np.abs(new - own) / width).max() < 0.5
    assert (np.abs(new - own) / width).mean() < 0.1


def test_draws_keep_how_bins_depend_on_each_other(validation, test):
    """Mended draws of a posterior too narrow pass TARP, those of strangers still do not."""
    catalogue = test["catalogue"].values
    for kind, right in (("narrow", True), ("unrelated", False)):
        mended = recalibrated(Toy(kind), validation, EXPERIMENT)
        drawn = mended.draws(test["map"], EXPERIMENT, np.random.default_rng(1), 100)
        seen = tarp(drawn, test["counts"], catalogue, rng=np.random.default_rng(4))
        assert (seen["tarp_deviation"] < 1) == right, kind


def test_draws_are_spread_as_the_mended_quantiles(validation, test):
    mended = recalibrated(Toy("narrow"), validation, EXPERIMENT)
    maps = test["map"][:20]
    drawn = mended.draws(maps, EXPERIMENT, np.random.default_rng(1), 4000)
    assert drawn.dtype == np.float32
    seen = drawn.quantile([0.16, 0.5, 0.84], "draw").transpose("sample", "quantile", "log_l")
    expected = mended.predict(maps, EXPERIMENT).sel(quantile=[0.16, 0.5, 0.84])
    # 0.16 quantile of 4000 draws of width 0.15 dex: 5 sampling errors
    npt.assert_allclose(seen, expected, atol=5 * 0.15 * 1.5 / np.sqrt(4000))


def test_quantiles_and_draws_see_the_same_noise(validation):
    states = []

    class Recorder(Toy):
        def predict(self, maps, experiment, rng=None):
            states.append(rng.bit_generator.state)
            rng.random()  # the noise
            return super().predict(maps, experiment, rng)

        def draws(self, maps, experiment, rng, n_draws=100):
            states.append(rng.bit_generator.state)
            return super().draws(maps, experiment, rng, n_draws)

    mended = recalibrated(Recorder("right"), validation, EXPERIMENT)
    states.clear()
    rng = np.random.default_rng(5)
    start = rng.bit_generator.state
    mended.draws(validation["map"][:3], EXPERIMENT, rng, 10)
    assert states == [start, start]
    assert rng.bit_generator.state != start


def test_equal_draws_of_a_bin_do_not_tie_bins_together(validation):
    """Bins whose draws are mostly equal stay independent: ties have no order of their own."""

    class Empty(Toy):
        def draws(self, maps, experiment, rng, n_draws=100):
            drawn = super().draws(maps, experiment, rng, n_draws)
            few = rng.poisson(0.3, drawn.shape)
            return drawn.copy(data=np.log10(np.maximum(few, 0.5)).astype(np.float32))

    mended = recalibrated(Empty("right"), validation, EXPERIMENT)
    one = mended.draws(validation["map"][:1], EXPERIMENT, np.random.default_rng(0), 4000)
    with np.errstate(invalid="ignore"):
        together = np.corrcoef(one.values[0].T)[np.triu_indices(N_BINS, 1)]
    together = together[np.isfinite(together)]
    assert together.size > 0
    assert np.abs(together).max() < 5 / np.sqrt(4000)  # 5 sampling errors


def test_few_sources_are_recalibrated_too():
    """Poisson counts of a rate that is badly known, predicted as if it were known."""
    rng = np.random.default_rng(8)

    def data(n_catalogues):
        rate = rng.gamma(1.0, 2.0, (n_catalogues * 5, N_BINS))
        truth = luminosity_function(rng.poisson(rate), EDGES)
        maps = xr.DataArray(rng.poisson(rate) * 1.0, dims=("sample", "log_l"))
        catalogue = ("sample", np.repeat(np.arange(n_catalogues), 5))
        return xr.Dataset({"map": maps, "counts": truth}).assign_coords(catalogue=catalogue)

    class Sure(Toy):
        def predict(self, maps, experiment, rng=None):
            drawn = self.draws(maps, experiment, np.random.default_rng(0), 400)
            own = drawn.quantile(QUANTILES, "draw")
            return own.transpose("sample", "quantile", "log_l")

        def draws(self, maps, experiment, rng, n_draws=100):
            rate = (maps.values[:, None] + 1) / 1.5 + np.zeros((1, n_draws, 1))
            values = np.log10(np.maximum(rng.poisson(rate), 0.5)).astype(np.float32)
            dims, coords = ("sample", "draw", "log_l"), maps["log_l"].coords
            return xr.DataArray(values, dims=dims, coords=coords)

    base, unseen = Sure("right"), data(200)
    assert not meets_target(coverage(base, unseen)).sel(probability=0.68).any()
    mended = recalibrated(base, data(200), EXPERIMENT)
    after = coverage(mended, unseen)
    assert meets_target(after).all()
    assert (np.abs(after["mean_coverage"] - after["probability"]) < 0.02).all()


def test_too_few_validation_maps_are_told(validation):
    with pytest.warns(UserWarning, match="recalibrated: 20 validation maps, expected at least 39"):
        few = recalibrated(Toy("right"), validation.isel(sample=slice(20)), EXPERIMENT)
    assert few.scores.shape == (len(KNOTS), N_BINS)
    assert (np.diff(few.scores, axis=0) >= 0).all()


def test_a_real_estimator_is_mended_and_answers_as_others_do():
    experiment = toy_experiment(n_train=8, batch_size=8)
    train, validation, test = (toy_data(range(a, a + 10)) for a in (0, 20, 40))
    base = fit_histogram_regression(experiment, train, validation)
    mended = recalibrated(base, validation, experiment)
    seen, own = (m.predict(test["map"], experiment) for m in (mended, base))
    assert seen.dims == own.dims
    assert seen.attrs == own.attrs
    assert (seen.diff("quantile") >= -1e-9).all()
    inputs = mended.inputs(test["map"], experiment)
    npt.assert_allclose(mended.quantiles(inputs), seen, rtol=1e-9)
    npt.assert_allclose(mended.point(inputs), seen.sel(quantile=0.5), rtol=1e-9)
    drawn = mended.draws(test["map"], experiment, np.random.default_rng(0), n_draws=50)
    judged = calibrate(
        drawn, test["counts"], test["catalogue"], rng=np.random.default_rng(1), n_bootstrap=20
    )
    assert np.isfinite(judged["crps"]).all()
    assert CENTRE == 4.0
