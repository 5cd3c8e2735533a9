from dataclasses import replace

import numpy as np
import numpy.testing as npt
import pytest

from imtools import datasets
from imtools.datasets import log_counts_array
from imtools.estimators import QUANTILES, fit_pk_vid, power_spectrum
from imtools.experiment import Experiment
from imtools.inference import (
    Posterior,
    Space,
    emulator,
    fit_emulator,
    fit_likelihood,
    normals,
    run_chain,
    sample_prior,
)

pytestmark = pytest.mark.slow
FEW = {"n_catalogues": 46, "n_draws": 1, "progress": False}  # one more than features, just


@pytest.fixture(scope="module")
def experiment():
    return Experiment.from_preset(
        "tiny", field_size=0.3, n_pix=5, n_chan=64, pool_freq=1, pool_dec=1, pool_ra=1,
        pool_how="mean", sigma_noise=4.0, noise_convention="reference_voxel", filter="mean",
        m_min=5e10, cell_size=4.0, n_train=10, n_validation=4, n_test=4, n_draws=10, n_bins=14,
        batch_size=8,
    )  # fmt: skip


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """Keep what is made in a folder of the tests."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("IMTOOLS_DATA", str(tmp_path_factory.mktemp("data")))
        yield datasets.building.data_root()


@pytest.fixture(scope="module")
def sides(experiment, root):
    folder = datasets.set_folder(experiment)
    datasets.build(experiment, folder, progress=False)
    return [datasets.load(folder, side) for side in datasets.SIDES]


@pytest.fixture(scope="module")
def method(experiment, sides):
    return fit_pk_vid(experiment, *sides[:2], **FEW)


@pytest.fixture(scope="module")
def predicted(method, experiment, sides):
    return method.predict(sides[2]["map"], experiment, np.random.default_rng(1))


def test_predictions_are_quantiles_of_counts_with_the_floor(method, predicted, sides, experiment):
    assert method.name == "mcmc_pk_vid"
    assert predicted.dims == ("sample", "quantile", "log_l")
    assert predicted.attrs["units"] == "log10(1)"
    npt.assert_allclose(predicted["quantile"], QUANTILES)
    assert (predicted.diff("quantile") >= 0).all()
    assert float(predicted.min()) >= np.log10(experiment.counts.floor) - 1e-12
    npt.assert_allclose(predicted["log_l"], sides[2]["counts"]["log_l"], rtol=1e-12)
    median = method.median(sides[2]["map"], experiment, np.random.default_rng(1))
    npt.assert_array_equal(predicted.sel(quantile=0.5), median)


def test_predictions_know_more_than_the_prior_and_their_intervals_hold_the_truth(
    predicted, sides, experiment
):
    truth, train = (log_counts_array(sides[i], experiment) for i in (2, 0))
    median = predicted.sel(quantile=0.5).values
    seen = slice(6, 11)  # 10^5 to 10^6.25 Lsun
    error = np.sqrt(np.mean((median - truth)[:, seen] ** 2))
    of_mean = np.sqrt(np.mean((train.mean(axis=0) - truth)[:, seen] ** 2))
    assert error < 0.75 * of_mean
    low, high = (predicted.sel(quantile=q).values for q in (0.025, 0.975))
    inside = ((truth >= low - 1e-6) & (truth <= high + 1e-6)).mean()
    assert inside > 0.85  # 95 % of 40 maps of four catalogues


def test_draws_are_those_that_quantiles_are_of(method, predicted, sides, experiment):
    maps = sides[2]["map"][:6]
    draws = method.draws(maps, experiment, np.random.default_rng(1), n_draws=400)
    assert draws.dims == ("sample", "draw", "log_l")
    assert draws.dtype == np.float32
    low, median, high = (
        method.predict(maps, experiment, np.random.default_rng(1)).sel(quantile=q).values
        for q in (0.16, 0.5, 0.84)
    )
    bins = slice(0, 8)  # many sources: no ties
    offset = (np.median(draws.values, axis=1) - median)[:, bins] / (high - low)[:, bins]
    npt.assert_allclose(offset, 0, atol=0.25)  # 5 errors of a median of 400, half a width each
    # one luminosity function a draw: neighbouring bins go together
    together = [np.corrcoef(d[:, 2], d[:, 3])[0, 1] for d in draws.values]
    assert np.median(together) > 0.8


def test_a_second_fit_reads_what_the_first_made(
    method, predicted, sides, experiment, root, monkeypatch
):
    def refuse(*arguments, **settings):
        raise AssertionError

    monkeypatch.setattr(emulator, "training_arrays", refuse)
    monkeypatch.setattr(datasets, "build", refuse)
    again = fit_pk_vid(experiment, *sides[:2], **FEW)
    seen = again.predict(sides[2]["map"], experiment, np.random.default_rng(1))
    npt.assert_array_equal(seen, predicted)
    # other noise, other maps or another filter are another emulator
    for changed, data in (
        (experiment.replace(sigma_noise=5.0), sides[:2]),
        (experiment, [sides[0][{"sample": slice(10, None)}], sides[1]]),
    ):
        with pytest.raises(AssertionError):
            fit_pk_vid(changed, *data, **FEW)


def test_a_flipped_byte_is_an_error(sides, experiment, root, method):
    for kind in ("emulators", "covariances"):
        (path,) = (root / kind).glob("*/*.npz")
        whole = path.read_bytes()
        middle = len(whole) // 2
        path.write_bytes(whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1 :])
        with pytest.raises(ValueError, match="does not have its checksum; remove"):
            fit_pk_vid(experiment, *sides[:2], **FEW)
        path.write_bytes(whole)


def test_a_chain_and_weights_agree(method, sides, experiment):
    x = method.inputs(sides[2]["map"][:1], experiment, np.random.default_rng(1))[0]
    posterior = Posterior(likelihood=method.likelihood, x=x)
    weighted = sample_prior(posterior, rng=np.random.default_rng(2), draws=method.prior)
    u = normals(run_chain(posterior, rng=np.random.default_rng(3)), posterior.space)
    mean, covariance = weighted.moments()
    sd = np.sqrt(np.diag(covariance))
    assert weighted.ess > 400
    error = 5 * np.sqrt(1 / weighted.ess + 1 / 1000)  # a chain has at least 1000
    npt.assert_allclose((u.mean(axis=0) - mean) / sd, 0, atol=error)
    npt.assert_allclose(u.std(axis=0) / sd, 1, atol=error)


def test_where_few_draws_carry_the_weight_a_chain_tells(method, sides, experiment, monkeypatch):
    x = method.inputs(sides[2]["map"][:2], experiment, np.random.default_rng(1))
    chains = []

    def watched(posterior, **settings):
        chains.append(run_chain(posterior, **settings))
        return chains[-1]

    monkeypatch.setattr(power_spectrum, "run_chain", watched)
    by_weights = replace(method).quantiles(x)  # which has explored nothing yet
    assert not chains
    monkeypatch.setattr(power_spectrum, "LEAST_ESS", np.inf)
    by_chain = replace(method).quantiles(x)
    assert len(chains) == 2
    with pytest.warns(UserWarning, match="not converged after 100 steps"):
        replace(method, chain_steps=100).quantiles(x[:1])
    low, median, high = (QUANTILES.index(q) for q in (0.16, 0.5, 0.84))
    offset = (by_chain - by_weights)[:, median, :8] / (by_weights[:, high] - by_weights[:, low])[
        :, :8
    ]
    npt.assert_allclose(offset, 0, atol=0.25)


def test_a_prior_beyond_the_training_maps_is_told(experiment, sides, method):
    wide = experiment.replace(prior="strong")
    emulator = method.likelihood.emulator.over(Space.of(wide))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("imtools.inference.likelihood.fit_emulator", lambda *arguments: emulator)
        with pytest.warns(UserWarning, match=r"\d% of the prior is far from all 100 maps"):
            fit_likelihood(wide, *sides[:2], **FEW)


def test_validation_maps_far_from_training_are_refused(experiment, sides):
    far = sides[1].assign(parameters=sides[1]["parameters"] + 1.0)  # each by 1: far too steep
    with pytest.raises(ValueError, match="none of 40 validation maps is near the training maps"):
        fit_emulator(experiment, sides[0], far)


def test_parts_alone_know_less(method, sides, experiment):
    known = {"pk_vid": method.likelihood}
    for parts in ("pk", "vid"):
        alone = fit_pk_vid(experiment, *sides[:2], parts=parts, **FEW)
        assert alone.name == f"mcmc_{parts}"
        known[parts] = alone.likelihood
    x = method.inputs(sides[2]["map"][:4], experiment, np.random.default_rng(1))
    spread = {}
    for parts, likelihood in known.items():
        rng = np.random.default_rng(4)
        posteriors = [Posterior(likelihood=likelihood, x=row) for row in x]
        each = [sample_prior(p, 20_000, rng=rng).moments()[1] for p in posteriors]
        spread[parts] = np.mean([np.linalg.slogdet(c)[1] for c in each])
    assert spread["pk_vid"] < min(spread["pk"], spread["vid"])


def test_an_emulator_serves_another_prior_of_its_model(method, experiment):
    of_maps = method.likelihood.emulator
    wide = of_maps.over(Space.of(experiment.replace(prior="strong", correlation="pivot")))
    u = np.zeros((1, 5))
    npt.assert_allclose(wide.features(u), of_maps.features(u), rtol=1e-12)
    assert wide.share_outside(wide.space.draw(500, rng=np.random.default_rng(1))) > 0.1
    assert of_maps.share_outside(of_maps.space.draw(500, rng=np.random.default_rng(1))) < 0.1
    other = Space.of(Experiment(luminosity={"luminosity_model": "comap2022"}))
    with pytest.raises(ValueError, match=r"space is of Comap2022 .*expected Li2016"):
        of_maps.over(other)


def test_what_is_unknown_is_refused(method, experiment, sides):
    with pytest.raises(ValueError, match="sampler is 'nuts', expected one of importance, emcee"):
        fit_pk_vid(experiment, *sides[:2], sampler="nuts")
    with pytest.raises(ValueError, match="catalogue"):
        fit_pk_vid(experiment, sides[0], sides[0], **FEW)
    wrong = sides[2]["map"][:, :32]
    with pytest.raises(ValueError, match=r"PowerSpectrum.predict: shape of the maps is"):
        method.predict(wrong, experiment, np.random.default_rng(1))


def test_parameter_draws_are_those_of_the_posterior(method, sides, experiment):
    maps, space = sides[2]["map"][:6], method.likelihood.emulator.space
    draws = method.parameter_draws(maps, experiment, np.random.default_rng(1), n_draws=400)
    assert draws.dims == ("sample", "draw", "parameter")
    assert draws["parameter"].values.tolist() == list(space.names)
    features = method.inputs(maps, experiment, np.random.default_rng(1))  # the same noise
    u = method.parameters(features[3], 4000, np.random.default_rng(2))
    expected, width = space.parameters(u).mean(axis=0), space.parameters(u).std(axis=0)
    # a mean of 400 draws errs by a twentieth of the width
    assert (np.abs(draws[3].mean("draw").values - expected) < 0.25 * width).all()
    assert (np.abs(draws.mean("draw") - draws[3].mean("draw")).max("sample") > 0).all()


def test_a_posterior_is_explored_once_and_does_not_hang_on_what_was_asked_before(
    method, sides, experiment, monkeypatch
):
    explored = []

    def count(posterior, **settings):
        explored.append(posterior)
        return sample_prior(posterior, **settings)

    monkeypatch.setattr("imtools.estimators.power_spectrum.sample_prior", count)
    fresh, maps = replace(method), sides[2]["map"][:3]
    assert not fresh.kept
    drawn = fresh.draws(maps, experiment, np.random.default_rng(1), n_draws=50)
    for _ in range(2):
        fresh.predict(maps, experiment, np.random.default_rng(1))
    assert len(explored) == 3
    again = replace(method)
    again.predict(maps, experiment, np.random.default_rng(1))
    again.parameter_draws(maps, experiment, np.random.default_rng(1), n_draws=20)
    assert len(explored) == 6
    npt.assert_array_equal(
        drawn, again.draws(maps, experiment, np.random.default_rng(1), n_draws=50)
    )
    more = again.parameter_draws(maps, experiment, np.random.default_rng(1), n_draws=1200)
    assert more.sizes["draw"] == 1200
