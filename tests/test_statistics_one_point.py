import numpy as np
import numpy.testing as npt
import pytest

from imtools.counts import luminosity_function
from imtools.luminosity import Li2016
from imtools.painting import temperature
from imtools.statistics import expected_counts, one_point_fisher, voxel_pdf
from imtools.survey import Survey

SURVEY = Survey.comap()
N_VOXELS = np.prod(SURVEY.shape)
CHI = SURVEY.cosmology.comoving_distance(SURVEY.nu_rest / 30.0 - 1)
UK_PER_LSUN = temperature(1.0, CHI, SURVEY)


def narrow(counts, temps):
    """Sources of given temperatures [uK], in bins so narrow that their width does not matter."""
    temps = np.asarray(temps, dtype=float)
    edges = np.concatenate([[t * (1 - 1e-6), t * (1 + 1e-6)] for t in temps]) / UK_PER_LSUN
    values = np.zeros(2 * temps.size - 1)
    values[::2] = counts
    return luminosity_function(values, edges)


def test_noise_alone_is_gaussian():
    pdf = voxel_pdf(narrow([0.0], [10.0]), SURVEY, sigma_noise=7.0)
    temp = pdf["temp"].values
    gauss = np.exp(-((temp / 7.0) ** 2) / 2) / (7.0 * np.sqrt(2 * np.pi))
    npt.assert_allclose(pdf, gauss, atol=1e-12 * gauss.max())  # float64 transforms
    assert pdf.attrs["units"] == "uK-1"


def test_the_pdf_has_the_mean_and_variance_of_its_sources():
    """Compound Poisson: mean sum n <T>, variance sum n <T^2> plus that of the noise."""
    dn = luminosity_function([4 * N_VOXELS, 0.3 * N_VOXELS], [1e5, 3e5, 1e6])
    pdf = voxel_pdf(dn, SURVEY, sigma_noise=2.0)
    temp, weight = pdf["temp"].values, pdf.values * float(pdf["temp"][1] - pdf["temp"][0])
    low, high = (np.array(e) * UK_PER_LSUN for e in ([1e5, 3e5], [3e5, 1e6]))
    mean = np.sum([4, 0.3] * (low + high) / 2)
    variance = 4 + np.sum([4, 0.3] * (low**2 + low * high + high**2) / 3)
    npt.assert_allclose(weight.sum(), 1, rtol=1e-10)  # P beyond the grid
    npt.assert_allclose((weight * temp).sum(), mean, rtol=1e-7)
    npt.assert_allclose((weight * (temp - mean) ** 2).sum(), variance, rtol=1e-6)


def test_the_pdf_reaches_beyond_a_rare_bright_source():
    pdf = voxel_pdf(narrow([20.0], [300.0]), SURVEY, sigma_noise=5.0)
    weight = pdf.values * float(pdf["temp"][1] - pdf["temp"][0])
    lit = weight[np.abs(pdf["temp"].values - 300) < 40].sum()
    npt.assert_allclose(lit, 20 / N_VOXELS, rtol=1e-3)  # two in a voxel


def test_slices_alike_are_as_good_as_one():
    """The same sources and voxels, told apart in three slices at one redshift."""
    one = narrow([0.2 * N_VOXELS, 300.0], [5.0, 60.0])
    z = SURVEY.nu_rest / 30.0 - 1
    three = (one / 3).expand_dims(z=3).assign_coords(z=[z, z, z]).assign_attrs(one.attrs)
    for function in (voxel_pdf, one_point_fisher):
        alone, sliced = (function(dn, SURVEY, sigma_noise=4.0) for dn in (one, three))
        npt.assert_allclose(sliced.values, alone.values, rtol=1e-9, atol=1e-9 * alone.values.max())


def test_the_pdf_is_that_of_drawn_voxels():
    rng = np.random.default_rng(1)
    counts = np.array([0.8, 0.1])
    temps = np.array([5.0, 40.0])
    pdf = voxel_pdf(narrow(counts * N_VOXELS, temps), SURVEY, sigma_noise=4.0)
    drawn = rng.poisson(counts, (400_000, 2)) @ temps + rng.normal(0, 4.0, 400_000)
    edges = np.arange(-10.0, 100.0, 5.0)
    below = np.cumsum(pdf.values) * float(pdf["temp"][1] - pdf["temp"][0])
    step = float(pdf["temp"][1] - pdf["temp"][0])
    expected = np.diff(np.interp(edges, pdf["temp"].values + step / 2, below)) * 400_000
    seen = np.histogram(drawn, edges)[0]
    # 5 sampling errors, and 1 % of the linear interpolation on steps of a third of sigma
    assert (np.abs(seen - expected) < 5 * np.sqrt(expected) + 0.01 * expected.max()).all()


def test_rare_bright_sources_are_counted_one_by_one():
    """Far above the noise, N sources are known to sqrt(N): the information on ln N is N."""
    fisher = one_point_fisher(narrow([300.0], [200.0]), SURVEY, sigma_noise=5.0)
    npt.assert_allclose(fisher[0, 0], 300.0, rtol=0.01)  # two in a voxel: 300 of 2e5


def test_faint_sources_shift_the_mean_when_it_is_known():
    """Below the noise all that counts is the mean: N_vox (n T)^2 / sigma^2."""
    n = np.array([3.0, 0.5])
    temps = np.array([0.02, 0.05])
    dn = narrow(n * N_VOXELS, temps)
    fisher = one_point_fisher(dn, SURVEY, sigma_noise=10.0, monopole_lost=False)
    expected = N_VOXELS * np.outer(n * temps, n * temps) / 10.0**2
    npt.assert_allclose(fisher.values[::2, ::2], expected, rtol=0.02)  # next order, T / sigma


def test_faint_sources_widen_the_pdf_when_the_mean_is_lost():
    """Then the variance is what is left: N_vox (n T^2)^2 / (2 sigma^4)."""
    n = np.array([300.0, 50.0])
    temps = np.array([0.05, 0.1])
    dn = narrow(n * N_VOXELS, temps)
    fisher = one_point_fisher(dn, SURVEY, sigma_noise=10.0, monopole_lost=True)
    expected = N_VOXELS * np.outer(n * temps**2, n * temps**2) / (2 * 10.0**4)
    npt.assert_allclose(fisher.values[::2, ::2], expected, rtol=0.05)  # sum n T^2 / sigma^2 ~ 1 %


def test_information_is_the_variance_of_the_score_of_drawn_voxels():
    """Sources neither faint nor bright, for which there is no formula."""
    rng = np.random.default_rng(2)
    n, temp, sigma, size = 0.4, 12.0, 8.0, 200_000
    fisher = one_point_fisher(
        narrow([n * N_VOXELS], [temp]), SURVEY, sigma_noise=sigma, monopole_lost=False
    )
    voxels = rng.poisson(n, size) * temp + rng.normal(0, sigma, size)
    k = np.arange(20)[:, None]
    gauss = np.exp(-((voxels - k * temp) ** 2) / (2 * sigma**2))
    log_factorial = np.cumsum(np.log(np.maximum(k, 1)), axis=0)
    poisson = np.exp(k * np.log(n) - n - log_factorial)
    score = ((k - n) * poisson * gauss).sum(axis=0) / (poisson * gauss).sum(axis=0)
    rtol = 5 * np.std(score**2) / np.mean(score**2) / np.sqrt(size)  # sampling error
    assert rtol < 0.05
    npt.assert_allclose(fisher[0, 0] / N_VOXELS, np.mean(score**2), rtol=rtol)


def test_a_lost_monopole_and_more_noise_only_take_information():
    dn = expected_counts(Li2016(), SURVEY)
    known, lost, noisy = (
        one_point_fisher(dn, SURVEY, sigma_noise=s, monopole_lost=m).values
        for s, m in ((11.0, False), (11.0, True), (22.0, True))
    )
    for more, less in ((known, lost), (lost, noisy)):
        eigenvalues = np.linalg.eigvalsh(more - less)
        assert eigenvalues.min() > -1e-9 * eigenvalues.max()  # rounding
        assert (np.diag(less) < np.diag(more)).all()


def test_bins_on_a_coarser_grid_hold_the_same_information():
    """Two halves of a bin that rise and fall together are the bin."""
    fine = expected_counts(Li2016(), SURVEY, edges=np.logspace(3.5, 7, 99))
    coarse = expected_counts(Li2016(), SURVEY, edges=np.logspace(3.5, 7, 50))
    fine, coarse = (one_point_fisher(dn, SURVEY, sigma_noise=11.0).values for dn in (fine, coarse))
    merged = fine.reshape(49, 2, 49, 2).sum(axis=(1, 3))
    npt.assert_allclose(np.diag(merged), np.diag(coarse), rtol=0.05)  # 0.07 dex of light in a bin


def test_finer_noise_grid_changes_nothing(monkeypatch):
    dn = expected_counts(Li2016(), SURVEY)
    before = one_point_fisher(dn, SURVEY, sigma_noise=11.0).values
    monkeypatch.setattr("imtools.statistics.one_point.PER_SIGMA", 8)
    after = one_point_fisher(dn, SURVEY, sigma_noise=11.0).values
    npt.assert_allclose(np.diag(before), np.diag(after), rtol=1e-3)  # sum in place of integral


def test_sources_brighter_than_the_grid_raise_the_noise_and_say_so():
    fisher = one_point_fisher(narrow([100.0], [1e6]), SURVEY, sigma_noise=1.0)
    assert fisher.attrs["sigma_noise"] > 100
    npt.assert_allclose(fisher[0, 0], 100.0, rtol=0.01)  # still far above the noise


@pytest.mark.parametrize("sigma", [0.0, -1.0, np.nan, np.inf])
def test_noise_must_be_above_zero(sigma):
    with pytest.raises(ValueError, match=f"one_point_fisher: sigma_noise is {sigma} uK"):
        one_point_fisher(narrow([1.0], [1.0]), SURVEY, sigma_noise=sigma)


def test_counts_must_be_counts():
    with pytest.raises(ValueError, match="negative or not finite"):
        one_point_fisher(narrow([-1.0], [1.0]), SURVEY, sigma_noise=1.0)
    phi = narrow([1.0], [1.0]).assign_attrs(convention="phi")
    with pytest.raises(ValueError, match="convention is 'phi', expected 'dn'"):
        voxel_pdf(phi, SURVEY, sigma_noise=1.0)
