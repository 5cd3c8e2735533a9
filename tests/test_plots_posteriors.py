import holoviews as hv
import numpy as np
import pytest
import xarray as xr

from imtools.counts import luminosity_function
from imtools.estimators import QUANTILES
from imtools.plots.posteriors import (
    POSTERIOR_STYLES,
    show_corner,
    show_excess,
    show_notes_bars,
    show_posteriors,
    show_trace,
)

NORMAL = np.array([-1.96, -0.994458, 0.0, 0.994458, 1.96])


@pytest.fixture
def truth():
    return luminosity_function(np.tile(np.round(10 ** np.linspace(4, 1, 49)), (6, 1)))


@pytest.fixture
def predictions(truth):
    """Two methods, the second 0.1 dex too high; six maps."""
    offset, width = np.array([0.0, 0.1]), np.array([0.2, 0.05])
    quantiles = offset[:, None] + width[:, None] * NORMAL
    values = np.log10(truth.values)[None, :, None, :] + quantiles[:, None, :, None]
    return xr.DataArray(
        values, dims=("method", "sample", "quantile", "log_l"),
        coords={
            "method": ["mcmc_pk_vid", "network"], "quantile": list(QUANTILES),
            "log_l": truth["log_l"],
        },
    )  # fmt: skip


def curves(overlay, kind):
    return {e.label: e for e in overlay.traverse(lambda e: e, [kind]) if e.label}


def bands(overlay):
    return overlay.traverse(lambda e: e, [hv.Area])


def test_bands_hold_68_per_cent_about_the_median(predictions, truth):
    shown = show_posteriors(predictions.isel(sample=0), truth[0])
    lines = curves(shown, hv.Curve)
    assert list(lines) == ["P(k) + VID, MCMC", "network", "truth"]
    np.testing.assert_allclose(lines["truth"].dimension_values(1), np.log10(truth[0]))
    wide, narrow = (a.dimension_values(2) - a.dimension_values(1) for a in bands(shown))
    np.testing.assert_allclose(wide, 2 * 0.2 * NORMAL[3])
    np.testing.assert_allclose(narrow, 2 * 0.05 * NORMAL[3])


def test_excess_shows_the_bias(predictions, truth):
    lines = curves(show_excess(predictions.isel(sample=0), truth[0]), hv.Curve)
    np.testing.assert_allclose(lines["network"].dimension_values(1), 0.1, rtol=1e-6)
    np.testing.assert_allclose(lines["P(k) + VID, MCMC"].dimension_values(1), 0, atol=1e-9)


def test_bars_of_the_notes_are_the_scatter_over_maps(predictions, truth):
    rng = np.random.default_rng(0)
    moved = predictions + xr.DataArray(
        0.02 * rng.standard_normal((6, 49)), dims=("sample", "log_l")
    )
    shown = show_notes_bars(moved.transpose(*predictions.dims), truth, n_sigma=2.0)
    dots, bars = curves(shown, hv.Scatter), shown.traverse(lambda e: e, [hv.ErrorBars])
    ratio = 10 ** (moved.sel({"method": "network", "quantile": 0.5}) - np.log10(truth))
    ratio = ratio.transpose("sample", "log_l").values
    np.testing.assert_allclose(dots["network"].dimension_values(1), ratio.mean(axis=0))
    np.testing.assert_allclose(bars[1].dimension_values(2), 2 * ratio.std(axis=0, ddof=1))


def test_a_method_without_style_is_left_out_and_none_is_an_error(predictions, truth):
    one = predictions.isel(sample=0)
    assert len(bands(show_posteriors(one, styles={"network": POSTERIOR_STYLES["network"]}))) == 1
    with pytest.raises(ValueError, match="methods are mcmc_pk_vid, network, expected among other"):
        show_posteriors(one, styles={"other": POSTERIOR_STYLES["network"]})


def test_contours_hold_their_share_of_the_draws():
    draws = np.random.default_rng(0).standard_normal((40_000, 2))
    shown = show_corner({"network": draws}, ["alpha", "beta"], truth=[0.0, 0.0])
    rings = shown.traverse(lambda e: e, [hv.Contours])
    radii = [np.hypot(*r.array([0, 1]).T).mean() for r in rings]
    np.testing.assert_allclose(radii, [1.51, 2.45], rtol=0.07)  # cells of 0.2, smoothed by 0.3


def test_corner_has_a_panel_a_pair_and_takes_equal_names():
    draws = np.random.default_rng(0).standard_normal((500, 3))
    shown = show_corner({"network": draws, "mcmc_pk_vid": draws + 1}, ["a", "b", "c"])
    assert len(shown) == 9
    assert len(shown.traverse(lambda e: e, [hv.Contours])) == 3 * 2 * 2  # pairs, methods, levels
    with pytest.raises(ValueError, match=r"draws of network are \(500, 3\), expected \(n_draws, 2"):
        show_corner({"network": draws}, ["a", "b"])


def test_trace_follows_each_walker():
    values = np.random.default_rng(0).standard_normal((12, 30))
    chain = xr.Dataset(
        {n: (("chain", "draw"), i + values) for i, n in enumerate(("alpha", "beta"))}
    )
    shown = show_trace(chain.assign_coords(draw=np.arange(30)), n_walkers=3)
    assert len(shown) == 2
    lines = shown.traverse(lambda e: e, [hv.Curve])
    assert len(lines) == 6
    np.testing.assert_allclose(lines[4].dimension_values(1), 1 + values[1])


@pytest.mark.parametrize("backend", ["bokeh", "matplotlib"])
def test_panels_render(predictions, truth, backend):
    draws = np.random.default_rng(0).standard_normal((500, 2))
    one = predictions.isel(sample=0)
    panels = [
        show_posteriors(one, truth[0]), show_excess(one, truth[0]),
        show_notes_bars(predictions, truth),
        show_corner({"network": draws}, ["a", "b"], truth=[0, 0]),
    ]  # fmt: skip
    for shown in panels:
        assert hv.renderer(backend).get_plot(shown).state is not None
