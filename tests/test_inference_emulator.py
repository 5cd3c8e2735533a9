import numpy as np
import numpy.testing as npt
import pytest

from imtools.experiment import Experiment
from imtools.inference import FieldScatter, Space, field_scatter_of
from imtools.inference.coordinates import Coordinates
from imtools.inference.polynomials import RIDGE, deviance, evaluate, fit_mean, n_terms, terms
from imtools.inference.stored import digest_of, read_arrays, write_arrays
from imtools.inference.training import TrainingArrays, fit_outputs
from imtools.survey import Survey


def test_terms_are_all_products_of_coordinates_lower_degrees_first():
    v = np.array([[2.0, 3.0], [5.0, 7.0]])
    npt.assert_allclose(terms(v, 2), [[1, 2, 3, 4, 6, 9], [1, 5, 7, 25, 35, 49]])
    npt.assert_allclose(terms(v, 3)[:, :6], terms(v, 2))
    assert [n_terms(3, d) for d in (1, 2, 3, 4)] == [4, 10, 20, 35]


def sd_of(mean, loss):
    """Return the scatter about a mean that a loss supposes."""
    return mean if "gamma" in loss else np.sqrt(mean + loss.get("dispersion", 0) * mean**2)


@pytest.mark.parametrize("kind", ["counts", "poisson", "gamma"])
def test_the_fit_is_of_the_mean_and_not_of_its_logarithm(kind):
    rng, n = np.random.default_rng(1), 40_000
    v = rng.standard_normal((n, 1))
    mean = 0.3 + np.exp(-0.5 + 0.8 * v[:, 0])  # mostly 0, 1 or 2 sources
    if kind == "gamma":
        y, loss, sd = rng.gamma(0.5, mean / 0.5), {"gamma": True}, np.sqrt(2) * mean
    else:
        y, loss = rng.poisson(mean).astype(float), {}
        sd = np.sqrt(mean)
        if kind == "counts":
            loss = {"dispersion": 0.2}
            y = rng.poisson(mean * rng.gamma(5, 1 / 5, n)).astype(float)
            sd = np.sqrt(mean + 0.2 * mean**2)
    weights = fit_mean(terms(v, 1), y, shift=0.3, **loss)
    found = evaluate(terms(v, 1), weights, 0.3)
    # two parameters: 5 errors of a straight line in the logarithm, at one sd of v
    npt.assert_allclose(
        weights, [-0.5, 0.8], atol=5 * np.sqrt(2 * np.mean((sd / mean) ** 2) / n) * 2
    )
    npt.assert_allclose(found.mean(), y.mean(), rtol=0.02)
    # where the fit stops, what each map pulls by its inverse variance is balanced by the ridge
    pull = terms(v, 1).T @ ((y - found) * (found - 0.3) / sd_of(found, loss) ** 2)
    npt.assert_allclose(pull, [0, RIDGE * np.mean(v**2) * weights[1]], atol=1e-4 * np.sqrt(n))
    assert deviance(y[:, None], found[:, None], **loss) < deviance(
        y[:, None], np.exp(np.log(found[:, None]) - 0.1), **loss
    )
    npt.assert_allclose(deviance(y + 1, y + 1, **loss), 0, atol=1e-12)


def training(v, mean, catalogue, rng, blank):
    """Two powers of 200 modes, two bins of voxels, and one of sources."""
    power = mean[:, :2] * rng.gamma(200, 1 / 200, (len(v), 2))
    y = np.concatenate([power, rng.poisson(mean[:, 2:])], axis=1)
    return TrainingArrays(
        u=v, y=y, blank=blank, statistic=np.array(["pk", "pk", "vid", "vid"]),
        position=np.arange(4.0), catalogue=catalogue,
    )  # fmt: skip


def means(v):
    signal = np.exp(2.0 + 1.5 * v[:, 0] + 0.3 * v[:, 1] - 0.2 * v[:, 0] ** 2)
    falling = np.exp(4.0 - 0.2 * v[:, 0] - 0.1 * v[:, 1] ** 2)
    columns = [50 + signal, 20 + 0.5 * signal, 30 + signal, falling, 1e3 * np.exp(0.5 * v[:, 1])]
    return np.stack(columns, axis=1)


@pytest.fixture(scope="module")
def fitted():
    rng = np.random.default_rng(2)
    blank, catalogue = np.array([50.0, 20.0, 30.0, 60.0, 0.0]), np.repeat(np.arange(20), 30)
    v = rng.standard_normal((600, 2))
    held = rng.standard_normal((200, 2))
    arrays = [training(x, means(x), catalogue[: len(x)], rng, blank) for x in (v, held)]
    return fit_outputs(v, arrays[0], held, arrays[1], rng=rng)


def test_means_of_maps_held_out_are_found_to_a_per_cent(fitted):
    v = np.random.default_rng(3).uniform(-1.5, 1.5, (500, 2))
    found = evaluate(terms(v, fitted["degree"]), fitted["weights"], fitted["shift"])
    error = found / means(v) - 1
    # 600 maps, 6 terms: .07 sqrt(6/600) of a power, 1/sqrt(40) of the voxels
    limit = np.array([0.7, 0.7, 2, 2, 0.5]) / 100
    assert (np.sqrt((error**2).mean(axis=0)) < 2 * limit).all()


def test_noise_is_taken_out_of_the_logarithm_where_the_signal_adds_to_it(fitted):
    assert (fitted["shift"][:3] > 0).all()
    assert (fitted["shift"][3:] == 0).all()  # falls below the noise; sources have none
    assert fitted["degrees"].min() >= 1
    assert fitted["degrees"][0] == 2


def test_members_differ_as_much_as_the_fit_is_wrong(fitted):
    v = np.random.default_rng(4).uniform(-1, 1, (200, 2))
    design = terms(v, fitted["degree"])
    found = evaluate(design, fitted["weights"], fitted["shift"])
    each = np.array([evaluate(design, w, fitted["shift"]) for w in fitted["members"]])
    spread = np.sqrt(((each - found) ** 2).mean(axis=(0, 1)))
    error = np.sqrt(((found - means(v)) ** 2).mean(axis=0))
    ratio = spread / error  # of four members; each output has a few terms: two of them, loosely
    assert 0.4 < np.exp(np.log(ratio).mean()) < 2.5


def test_five_parameters_of_li_are_three_coordinates_of_unit_spread():
    space = Space.of(Experiment(luminosity={"prior": "ten_percent"}))
    u = space.draw(300, rng=np.random.default_rng(1))
    coordinates, inside = Coordinates.fitted(space, u, Survey.comap())
    v = coordinates.of(space, u)
    assert inside.all()
    assert v.shape == (300, 3)
    npt.assert_allclose(np.cov(v.T), np.eye(3) * 300 / 299, atol=1e-9)
    # what leaves the light alone leaves the coordinates alone: delta_MF against beta
    moved = u[:1].copy()
    names = list(space.names)
    moved[0, names.index("log_delta_mf")] += 0.1 / 0.03
    moved[0, names.index("beta")] -= 0.1 / 0.374
    npt.assert_allclose(coordinates.of(space, moved), v[:1], atol=1e-6)
    far = coordinates.of(space, np.full((1, 5), 30.0))
    assert (far <= coordinates.high).all()
    assert (far >= coordinates.low).all()


def test_maps_a_thousand_times_too_bright_or_faint_are_not_trained_on():
    space = Space.of(Experiment(luminosity={"prior": "loose"}))
    u = space.draw(400, rng=np.random.default_rng(1))
    _, inside = Coordinates.fitted(space, u, Survey.comap())
    masses, z = 10 ** np.array([10.75, 11.5, 12.25, 13.0]), np.full(4, 2.8)
    light, _ = space.light(u, masses, z)
    fiducial, _ = space.light(np.zeros((1, 5)), masses, z)
    ratio = np.abs(np.log10(light / fiducial).mean(axis=1))
    assert 0.05 < inside.mean() < 0.8  # a prior of 4 dex
    assert ratio[inside].max() < 3.1  # of all redshifts, not of this one alone
    assert ratio[~inside].min() > 2.9
    with pytest.raises(ValueError, match="2 of 3 training maps are within 1000 times"):
        Coordinates.fitted(space, np.array([[0, 0, s, 0, 0] for s in (-3.0, 3.0, 9.0)]), Survey())


def test_field_scatter_is_found_in_faint_and_bright_bins():
    rng, n = np.random.default_rng(1), 3000
    mean, loading = np.array([2e4, 3e3, 200.0, 8.0, 0.2]), np.array([0.02, 0.03, 0.04, 0.05, 0.06])
    made = FieldScatter(loading=loading, rest=np.array([0.0, 0.02, 0.0, 0.0, 0.0]))
    counts = made.counts(np.tile(mean, (n, 1)), rng)
    found = field_scatter_of(counts, np.arange(n))
    npt.assert_allclose(found.loading[:3], loading[:3], rtol=0.1)
    npt.assert_allclose(found.loading[3:], loading[3:], rtol=0.4)  # from the faint ones, smoothly
    npt.assert_allclose(found.rest[1], 0.02, rtol=0.2)
    assert found.rest[0] < 0.006
    none = field_scatter_of(rng.poisson(mean, (n, 5)).astype(float), np.arange(n))
    assert none.loading[:2].max() < 0.01


def test_a_bin_that_few_maps_fill_does_not_grow_out_of_bounds():
    v = np.random.default_rng(1).standard_normal((200, 1))
    y = (v[:, 0] > 1.8).astype(float)  # a step: without the ridge the slope has no end
    weights = fit_mean(terms(v, 1), y)
    assert evaluate(terms(np.array([[4.0]]), 1), weights, 0.0) < 1e3
    assert evaluate(terms(np.array([[-1.0]]), 1), weights, 0.0) < 0.05
    never = fit_mean(terms(v, 1), np.zeros(200))
    assert evaluate(terms(v, 1), never, 0.0).max() < 0.01


def test_field_factors_have_mean_one():
    scatter = FieldScatter(loading=np.array([0.3, 0.6]), rest=np.array([0.2, 0.0]))
    factors = scatter.factors(40_000, np.random.default_rng(1))
    npt.assert_allclose(factors.mean(axis=0), 1, rtol=5 * 0.66 / np.sqrt(40_000))
    npt.assert_allclose(np.log(factors).std(axis=0), [np.hypot(0.3, 0.2), 0.6], rtol=0.02)


def test_stored_arrays_come_back_and_a_flipped_byte_is_an_error(tmp_path):
    arrays = {"weights": np.arange(3.0), "statistic": np.array(["pk", "vid"])}
    assert read_arrays(tmp_path, "toy", {}) is None
    write_arrays(tmp_path, "toy", arrays, {"key": "a"})
    back, facts = read_arrays(tmp_path, "toy", {"key": "a"})
    npt.assert_array_equal(back["weights"], arrays["weights"])
    npt.assert_array_equal(back["statistic"], arrays["statistic"])
    assert facts["key"] == "a"
    with pytest.raises(ValueError, match=r"made of something else \(key 'a' not 'b'\)"):
        read_arrays(tmp_path, "toy", {"key": "b"})
    path = tmp_path / "toy.npz"
    whole = bytearray(path.read_bytes())
    whole[len(whole) // 2] ^= 1
    path.write_bytes(whole)
    with pytest.raises(ValueError, match=r"toy.npz does not have its checksum; remove"):
        read_arrays(tmp_path, "toy", {"key": "a"})


def test_digests_tell_values_and_their_places_apart():
    assert digest_of("a", np.arange(3)) == digest_of("a", np.arange(3))
    assert digest_of("a", "b") != digest_of("ab", "")
    assert digest_of(np.arange(3)) != digest_of(np.arange(3)[::-1])
