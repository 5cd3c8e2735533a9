import hashlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from scipy import stats

from imtools.experiment import Experiment
from imtools.inference import Space
from imtools.luminosity import LUMINOSITY_MODELS, Comap2022, Flexible, LuminosityModel, register

PRIORS = [
    (name, prior, correlation)
    for name, model in LUMINOSITY_MODELS.items()
    for prior in model.PRIORS
    for correlation in (("independent", "pivot") if name == "li2016" else ("independent",))
]
# digests of 40 draws (3 of flexible) and the generator's next numbers, taken before `draw` and
# `Space` shared a formula: the draws of existing data sets
BEFORE = {
    ("li2016", "loose", "independent"): "96525262151c8d34",
    ("li2016", "loose", "pivot"): "63c866702522512a",
    ("li2016", "strong", "independent"): "530f8b63a0223e06",
    ("li2016", "ten_percent", "independent"): "f0263bc9e29b66cb",
    ("li2016", "ten_percent", "pivot"): "7e3884362f82d15c",
    ("padmanabhan2018", "loose", "independent"): "a35df4bc3002931e",
    ("breysse2014", "loose", "independent"): "b70ad3870658425c",
    ("breysse2014", "amplitude", "independent"): "561e4880265eec20",
    ("comap2022", "joint", "independent"): "7968ed8ba714af75",
    ("comap2022", "ten_percent", "independent"): "f2dd00606ec57e10",
    ("keating2016", "loose", "independent"): "f786d3299f38d46d",
    ("schechter", "loose", "independent"): "6a00d37f220b9cd3",
    ("flexible", "wide", "independent"): "8f0dc642bc2e18cd",
    ("flexible", "ten_percent", "independent"): "0bbabe450a5bbf77",
}


def space_of(name, prior, correlation="independent"):
    experiment = Experiment(
        luminosity={"luminosity_model": name, "prior": prior, "correlation": correlation}
    )
    return Space.of(experiment)


@pytest.mark.parametrize(("case", "digest"), BEFORE.items(), ids=lambda c: str(c))
def test_draws_are_those_of_existing_data_sets(case, digest):
    name, prior, correlation = case
    settings = {"correlation": correlation} if name == "li2016" else {}
    rng, seen = np.random.default_rng(7), hashlib.sha256()
    for _ in range(3 if name == "flexible" else 40):
        model = LUMINOSITY_MODELS[name].draw(rng=rng, prior=prior, **settings)
        seen.update(np.array([*model.parameters().values(), model.n_redrawn]).tobytes())
    seen.update(rng.random(3).tobytes())
    assert seen.hexdigest()[:16] == digest


@pytest.mark.parametrize(("name", "prior", "correlation"), PRIORS)
def test_parameters_come_back_from_their_normals(name, prior, correlation):
    space = space_of(name, prior, correlation)
    u = np.random.default_rng(1).standard_normal((50, space.n_dim))
    there = space.parameters(u)
    assert there.shape == u.shape
    npt.assert_allclose(space.normal(there), u, rtol=0, atol=1e-6)  # far out on the uniform's tail
    chains = u.reshape(2, 25, -1)  # as a chain has them
    npt.assert_array_equal(space.parameters(chains), there.reshape(chains.shape))
    npt.assert_allclose(space.normal(there.reshape(chains.shape)), chains, rtol=0, atol=1e-6)


@pytest.mark.parametrize(
    ("name", "prior", "correlation"), [p for p in PRIORS if p[0] != "flexible"]
)
def test_the_space_draws_what_the_model_draws(name, prior, correlation):
    space, n = space_of(name, prior, correlation), 1500
    settings = {"correlation": correlation} if name == "li2016" else {}
    rng = np.random.default_rng(2)
    models = [space.model.draw(rng=rng, prior=prior, **settings) for _ in range(n)]
    theirs = np.array([[getattr(m, p) for p in space.names] for m in models])
    ours = space.parameters(space.draw(n, rng=rng))
    for i in range(space.n_dim):  # 1e-5: one in 20 of all parameters and priors at 5e-4
        assert stats.ks_2samp(ours[:, i], theirs[:, i]).pvalue > 1e-5
    if space.n_dim > 1:
        seen, expected = np.corrcoef(ours.T), np.corrcoef(theirs.T)
        npt.assert_allclose(seen, expected, rtol=0, atol=5 * np.sqrt(2 / n))


def test_flexible_fills_its_limits_and_keeps_its_temperatures():
    space = space_of("flexible", "wide")
    u = np.random.default_rng(1).standard_normal((300, space.n_dim))
    low, high = np.array(list(Flexible.DRAW_LIMITS.values())).T
    share = (space.parameters(u) - low) / (high - low)
    assert stats.kstest(share.ravel(), "uniform").pvalue > 1e-3
    inside = space.in_range(u)
    assert 0 < inside.sum() < inside.size
    limits = Flexible.LIMITS | Flexible.DRAW_LIMITS
    faults = [Flexible.out_of_range(m.parameters(), limits) for m in space.models(u)]
    npt.assert_array_equal(inside, [not fault for fault in faults])


def test_the_log_prior_is_normal_and_ends_where_draws_do():
    space = space_of("comap2022", "joint")
    u = np.random.default_rng(3).standard_normal((2000, space.n_dim))
    log_p, values = space.log_prior(u), space.parameters(u)
    names = list(space.names)
    a, b, sigma = (values[:, names.index(n)] for n in ("a", "b", "sigma"))
    allowed = (a < b) & (sigma >= 0)
    assert 0 < allowed.sum() < allowed.size
    npt.assert_array_equal(np.isfinite(log_p), allowed)
    density = stats.multivariate_normal(np.zeros(5)).logpdf(u)
    npt.assert_allclose(log_p[allowed], density[allowed], rtol=1e-12)  # same arithmetic
    li = space_of("li2016", "loose")
    low_alpha = np.zeros((1, 5))
    low_alpha[0, list(li.names).index("alpha")] = (0.4 - 1.37) / 0.37
    assert np.isneginf(li.log_prior(low_alpha)[0])  # DRAW_LIMITS, narrower than LIMITS


def test_the_joint_prior_of_comap_has_its_covariance():
    space = space_of("comap2022", "joint")
    values = space.parameters(np.random.default_rng(1).standard_normal((20000, 5)))
    seen, expected = np.cov(values.T), np.array(Comap2022.JOINT_COVARIANCE)
    sd = np.sqrt(np.diag(expected))
    npt.assert_allclose(seen / np.outer(sd, sd), expected / np.outer(sd, sd), rtol=0, atol=0.06)
    npt.assert_allclose(values.mean(axis=0), Comap2022.JOINT_MEAN, rtol=0, atol=0.05)


def test_parameters_of_a_data_set_are_found_by_name():
    space = space_of("breysse2014", "loose")  # draws a and b, keeps duty_cycle and sigma
    assert space.names == ("a", "b")
    rows = xr.DataArray(
        [[1.0, 0.0, 2.5e-6, 1.125]], dims=("sample", "parameter"),
        coords={"parameter": ["duty_cycle", "sigma", "a", "b"]},
    )  # fmt: skip
    npt.assert_allclose(space.normal(rows), [[1.0, 1.0]], rtol=1e-9)
    (model,) = space.models([1.0, 1.0])
    npt.assert_allclose([model.a, model.b, model.duty_cycle], [2.5e-6, 1.125, 1.0], rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"luminosity_model": "li2016+comap2022"}, "expected one model"),
        ({"rescale": 0.5}, "rescale is 0.5 dex, no parameter"),
        ({"prior": "fiducial"}, "prior 'fiducial' of Li2016 draws no parameter.*loose"),
    ],
)
def test_what_spans_no_space_is_refused(changes, match):
    with pytest.raises(ValueError, match=match):
        Space.of(Experiment(luminosity=changes))


def test_a_model_with_a_draw_of_its_own_says_what_normals_stand_for():
    @dataclass(frozen=True, kw_only=True)
    class Odd(LuminosityModel):
        slope: float = 1e-6
        PRIORS: ClassVar = {"loose": {"slope": 1e-7}}

        @classmethod
        def draw(cls, *, rng, prior="loose"):
            return cls(slope=rng.exponential(1e-6))

    register("odd")(Odd)
    try:
        with pytest.raises(ValueError, match="Odd has a draw of its own; give it placed"):
            space_of("odd", "loose")
    finally:
        LUMINOSITY_MODELS.pop("odd")


def test_a_prior_out_of_range_gives_up():
    @dataclass(frozen=True, kw_only=True)
    class Never(LuminosityModel):
        slope: float = 1.0
        PRIORS: ClassVar = {"loose": {"slope": 0.1}}
        DRAW_LIMITS: ClassVar = {"slope": (9.0, 10.0)}

    space = Space(model=Never, prior="loose")
    with pytest.raises(ValueError, match="draws of Never are out of range"):
        space.draw(1, rng=np.random.default_rng(1))


@pytest.mark.parametrize("name", ["li2016", "comap2022"])
def test_many_models_shine_as_each_does(name):
    prior = {"li2016": "strong", "comap2022": "joint"}[name]
    space = space_of(name, prior)
    u = space.draw(4, rng=np.random.default_rng(1))
    masses, z = np.array([1e11, 1e12, 1e13]), np.array([2.4, 2.8, 3.4])
    mean, scatter = space.light(u, masses, z)
    models = space.models(u)
    expected = [model.mean_luminosity(masses, z) for model in models]
    npt.assert_allclose(mean, expected, rtol=1e-10)  # another order of the same arithmetic
    npt.assert_allclose(scatter, [model.scatter for model in models], rtol=1e-12)
