import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools import counts
from imtools.survey import Survey

ARITHMETIC = 1e-12  # rtol: the same float64 arithmetic, done and undone
EDGES = np.array([1e4, 1e5, 1e6, 1e8])  # uneven in log L, so that bin widths show


@pytest.fixture
def dn():
    return counts.count_sources([2e4, 3e4, 9e4, 5e5, 2e6, 3e6, 4e7], EDGES)


@pytest.fixture
def stack():
    values = np.random.default_rng(0).poisson(30.0, (5, 49)).astype(float)
    return counts.luminosity_function(values)


def test_default_bins_are_the_49_of_the_notes():
    assert counts.DEFAULT_EDGES.size == 50
    npt.assert_allclose(counts.DEFAULT_EDGES[[0, -1]], [10**3.5, 1e7], rtol=ARITHMETIC)
    npt.assert_allclose(np.diff(np.log10(counts.DEFAULT_EDGES)), 3.5 / 49, rtol=1e-9)
    with pytest.raises(ValueError, match="read-only"):
        counts.DEFAULT_EDGES[0] = 1.0


def test_every_source_is_counted_once_or_said_to_be_outside():
    rng = np.random.default_rng(1)
    l_co = np.append(10 ** rng.uniform(2, 8, 10000), [0.0, *counts.DEFAULT_EDGES])
    dn = counts.count_sources(l_co)
    assert dn.attrs["n_below"] == (l_co < counts.DEFAULT_EDGES[0]).sum() > 0
    assert dn.attrs["n_above"] == (l_co > counts.DEFAULT_EDGES[-1]).sum() > 0
    assert dn.sum() + dn.attrs["n_below"] + dn.attrs["n_above"] == l_co.size


def test_a_source_on_an_edge_belongs_to_the_brighter_bin(dn):
    npt.assert_array_equal(counts.count_sources([1e4, 1e5, 1e8], EDGES), [1, 1, 1])


def test_counts_carry_dims_units_and_edges(dn):
    assert dn.dims == ("log_l",)
    assert dn.name == "counts"
    assert dn.attrs["convention"] == "dn"
    assert dn.attrs["units"] == "1"
    assert dn["log_l"].attrs["units"] == "log10(Lsun)"
    npt.assert_allclose(dn.attrs["log_l_edges"], [4, 5, 6, 8], rtol=ARITHMETIC)
    npt.assert_allclose(dn["log_l"], [4.5, 5.5, 7], rtol=ARITHMETIC)


def test_no_source_gives_zeros():
    npt.assert_array_equal(counts.count_sources([]), np.zeros(49))


@pytest.mark.parametrize("bad", [np.nan, np.inf, -1.0])
def test_a_luminosity_that_is_none_is_refused_with_its_place(bad):
    with pytest.raises(ValueError, match=r"1 of 3 luminosities .* first at \[2\]"):
        counts.count_sources([1e4, 1e5, bad])


@pytest.mark.parametrize("edges", [[1e5], [1e5, 1e4], [0.0, 1e4], [1e4, np.nan], [[1e4, 1e5]]])
def test_edges_that_do_not_ascend_from_above_zero_are_refused(edges):
    with pytest.raises(ValueError, match="edges are"):
        counts.count_sources([1e4], edges)


def test_cumulative_counts_are_sources_above_the_lower_edge(dn):
    n = counts.cumulate(dn)
    npt.assert_array_equal(n, [7, 4, 3])
    npt.assert_array_equal(n["log_l"], dn["log_l"])
    assert (n.attrs["convention"], n.attrs["units"]) == ("n_cumulative", "1")


def test_phi_of_a_power_law_is_the_analytic_density():
    # dn/dlog10 L = 1e-3 (L / 1e5)^-1 in 1e6 Mpc^3: dN = V 1e-3 1e5 (1/L_lo - 1/L_hi) / ln 10
    volume, edges = 1e6, counts.DEFAULT_EDGES
    dn = counts.luminosity_function(volume * 1e2 * -np.diff(1 / edges) / np.log(10))
    phi = counts.to_phi(dn, volume)
    step = 3.5 / 49 * np.log(10)  # a bin's mean lies above its centre by step^2 / 24 of phi
    npt.assert_allclose(phi, 1e-3 * 10 ** (5 - phi["log_l"].values), rtol=1.1 * step**2 / 24)
    assert phi.attrs["units"] == "Mpc-3 dex-1"
    assert phi.attrs["volume"] == volume
    npt.assert_allclose(counts.to_l_phi(phi), 100.0, rtol=1.1 * step**2 / 24)
    assert counts.to_l_phi(phi).attrs["units"] == "Lsun Mpc-3 dex-1"


def test_dn_dl_in_units_of_h_holds_the_same_sources(dn):
    volume, h = 2.5e7, 0.7
    dn_dl = counts.to_dn_dl(counts.to_phi(dn, volume), h=h)
    volume_h = volume * h**3  # the same region in (Mpc/h)^3
    npt.assert_allclose(dn_dl * np.diff(EDGES) * volume_h, dn, rtol=ARITHMETIC)
    assert dn_dl.attrs["units"] == "Lsun-1 (Mpc/h)-3"
    back = counts.from_dn_dl(dn_dl)
    npt.assert_allclose(back, counts.to_phi(dn, volume), rtol=ARITHMETIC)
    npt.assert_allclose(counts.from_dn_dl(dn_dl, h=1.0), back / h**3, rtol=ARITHMETIC)


@pytest.mark.parametrize("by", list(counts.CONVENTIONS))
@pytest.mark.parametrize("to", list(counts.CONVENTIONS))
def test_conversions_and_their_inverses_agree(stack, by, to):
    volume = Survey.notes().volume
    first = counts.convert(stack, by, volume)
    there = counts.convert(first, to, volume)
    assert there.attrs["convention"] == to
    assert there.dims == stack.dims
    assert (there.attrs["units"], there.attrs["long_name"]) == counts.CONVENTIONS[to]
    npt.assert_allclose(there, counts.convert(stack, to, volume), rtol=ARITHMETIC)
    npt.assert_allclose(counts.convert(there, "dn", volume), stack, rtol=1e-10)  # sums up to 2000


def test_conversion_leaves_its_input_alone(dn):
    before = dn.copy(deep=True)
    counts.convert(dn, "l_phi", volume=10.0)
    counts.log_counts(dn)
    xr.testing.assert_identical(dn, before)


def test_volume_is_asked_for_only_between_numbers_and_densities(dn):
    with pytest.raises(ValueError, match=r"to_phi: volume is None.*Survey.volume"):
        counts.convert(dn, "l_phi")
    with pytest.raises(ValueError, match="volume is -1"):
        counts.to_phi(dn, -1.0)
    phi = counts.to_phi(dn, 10.0)
    npt.assert_allclose(counts.convert(phi, "dn"), dn, rtol=ARITHMETIC)  # attrs hold the volume
    del phi.attrs["volume"]
    counts.convert(counts.convert(phi, "l_phi"), "dn_dl")  # densities only
    with pytest.raises(ValueError, match="from_phi: volume is None"):
        counts.convert(phi, "dn")


def test_a_prediction_of_n_that_rises_gives_negative_dn_that_is_reported(dn):
    n = counts.cumulate(dn).copy(data=[5.0, 6.0, 2.0])
    seen = counts.differentiate(n)
    npt.assert_array_equal(seen, [-1, 4, 2])
    clipped = counts.differentiate(n, clip=True)
    npt.assert_array_equal(clipped, [0, 4, 2])
    assert seen.attrs["n_negative"] == clipped.attrs["n_negative"] == 1
    assert counts.differentiate(counts.cumulate(dn)).attrs["n_negative"] == 0


@pytest.mark.parametrize("h", [None, 0.0, np.nan])
def test_dn_dl_that_says_no_h_is_refused(dn, h):
    dn_dl = counts.convert(dn, "dn_dl", volume=10.0).assign_attrs(h=h)
    if h is None:
        del dn_dl.attrs["h"]
    with pytest.raises(ValueError, match=f"from_dn_dl: h is {h}, expected > 0; pass h"):
        counts.convert(dn_dl, "phi")
    npt.assert_allclose(
        counts.from_dn_dl(dn_dl, h=0.7), counts.to_phi(dn, 10.0), rtol=ARITHMETIC
    )  # that of COMAP's mocks


def test_conventions_are_not_mixed_up(dn):
    with pytest.raises(ValueError, match=r"to_l_phi: convention is 'dn', expected 'phi'"):
        counts.to_l_phi(dn)
    with pytest.raises(ValueError, match=r"convert: convention is 'phy', expected one of dn, "):
        counts.convert(dn, "phy")
    with pytest.raises(ValueError, match="convert: convention is None"):
        counts.convert(dn.drop_attrs(), "phi")
    with pytest.raises(TypeError, match="cumulate: got ndarray"):
        counts.cumulate(dn.values)
    with pytest.raises(ValueError, match="convention is 'phy'"):
        counts.luminosity_function(dn.values, EDGES, convention="phy")
    with pytest.raises(ValueError, match=r"shape \(4,\)"):
        counts.luminosity_function(np.zeros(4), EDGES)


def test_an_empty_bin_is_half_a_source_under_a_logarithm(dn):
    log_dn = counts.log_counts(dn.copy(data=[0.0, -3.0, 100.0]))
    npt.assert_allclose(log_dn, [np.log10(0.5), np.log10(0.5), 2.0], rtol=ARITHMETIC)
    assert log_dn.attrs["convention"] == "log_dn"
    assert log_dn.attrs["floor"] == counts.FLOOR == 0.5
    one = counts.log_counts(dn.copy(data=[0.0, 1.0, 10.0]), floor=1.0)
    npt.assert_array_equal(one, [0.0, 0.0, 1.0])
    with pytest.raises(ValueError, match="floor is 0"):
        counts.log_counts(dn, floor=0)


@pytest.mark.parametrize("x", counts.QUOTED_LOG_L)
def test_quoted_bins_meet_at_the_quoted_luminosity(x):
    edges = np.log10(counts.DEFAULT_EDGES)
    low, high = counts.quoted_bins(edges, x)
    assert high == low + 1
    npt.assert_allclose(edges[high], x, rtol=1e-9)  # 3.5 / 49 divides 0.5


def test_quoted_bins_lie_nearest_where_no_edge_is():
    edges = np.linspace(3.0, 7.0, 61)  # bins of .0667 dex; their centres, sorted by distance
    centres = (edges[1:] + edges[:-1]) / 2
    for x in (3.01, 4.02, 5.551, 6.99):
        nearest = np.sort(np.argsort(np.abs(centres - x))[:2])
        npt.assert_array_equal(counts.quoted_bins(edges, x), nearest)
    assert counts.quoted_bins([0.0, 0.1, 0.3, 0.4], 0.2) == (0, 1)  # a tie: the fainter pair
    assert counts.quoted_bins([1.0, 2.0, 3.0], 3.0 + 1e-12) == (0, 1)
    with pytest.raises(ValueError, match=r"x is 7\.5 and 60 bins"):
        counts.quoted_bins(edges, 7.5)
    with pytest.raises(ValueError, match="1 bins"):
        counts.quoted_bins([1.0, 2.0], 1.5)


def test_bounds_and_conversion_survive_the_disk(stack, tmp_path):
    phi = counts.to_phi(stack, 1e6)
    counts.with_bounds(phi).to_netcdf(tmp_path / "phi.nc")
    with xr.open_dataset(tmp_path / "phi.nc") as dataset:
        dataset.load()
    assert dataset["log_l"].attrs["bounds"] == "log_l_bounds"
    npt.assert_array_equal(dataset["log_l_bounds"][1:, 0], dataset["log_l_bounds"][:-1, 1])
    npt.assert_allclose(dataset["log_l_bounds"].mean("bounds"), phi["log_l"], rtol=ARITHMETIC)
    npt.assert_allclose(counts.convert(dataset["phi"], "dn"), stack, rtol=ARITHMETIC)


def test_a_selection_of_bins_must_say_its_edges(dn):
    with pytest.raises(ValueError, match="attrs hold 4 edges for 2 bins"):
        counts.to_phi(dn.isel(log_l=slice(0, 2)), 1.0)
