"""Luminosity functions on screen and paper: their shape, their errors, features and spread.

Each function returns one panel; panels of one kind overlay with ``*`` and stand side by side with
``+``. A band holds 68 % of the samples about their median, unless the function says otherwise. The
same element renders with Bokeh and with matplotlib.
"""

import warnings

import holoviews as hv
import numpy as np
import xarray as xr

from imtools.counts import FLOOR, log_counts, log_l_edges
from imtools.plots.style import TRUTH, band, dimension, line, panel, styled

RATIO_OF_LOGS = "ratio of logarithms, predicted / true"
RATIO_OF_NUMBERS = "ratio of numbers, predicted / true"
LOSS_SHARE = "share of the loss, up to this bin"
SCATTER = ("scatter", "scatter of log10 over samples [dex]")
QUANTILES = (0.16, 0.5, 0.84)  # of a 68 % band and its median
LOG_FORMS = {  # unit of the logarithm of each convention
    "dn": "log10(1)", "n_cumulative": "log10(1)", "phi": "log10(Mpc-3 dex-1)",
    "l_phi": "log10(Lsun Mpc-3 dex-1)", "dn_dl": "log10(Lsun-1 (Mpc/h)-3)",
}  # fmt: skip


def log_form(lf):
    """Return log10 of a luminosity function, NaN where a density is zero.

    Numbers (dN and N(>L)) have a floor, `counts.FLOOR`: an empty bin is half a source.
    """
    convention = _convention(lf, "log_form")
    if convention == "dn":
        return log_counts(lf)
    positive = np.maximum(lf, FLOOR) if convention == "n_cumulative" else lf.where(lf > 0)
    label = f"log10 of {lf.attrs['long_name']}"
    return np.log10(positive).assign_attrs(lf.attrs, units=LOG_FORMS[convention], long_name=label)


def unlogged_ratio(ratio_of_logs, log_truth):
    """Return predicted / true numbers where predicted / true logarithms are `ratio_of_logs`.

    Examples
    --------
    >>> round(float(unlogged_ratio(1.05, 4.0)), 2)  # 5 % in the logarithm of 10^4 sources
    1.58
    """
    return 10 ** (np.asarray(log_truth) * (np.asarray(ratio_of_logs) - 1))


def loss_share(lf):
    """Return the share of each bin in the mean squared error of an answer that is the mean.

    That answer's squared error in a bin is the variance over samples, so the share says which bins
    a network is paid to learn when it minimises the mean squared error of this form.

    Parameters
    ----------
    lf : xarray.DataArray, dims ("sample", "log_l")
        A luminosity function or its `log_form`.

    Returns
    -------
    xarray.DataArray, dims ("log_l",), units 1
    """
    variance = _need_samples(lf, "loss_share").var("sample")
    return (variance / variance.sum()).assign_attrs(units="1", long_name="share of the loss")


def power_along_log_l(lf):
    """Return the power of a luminosity function along log L, as a share of its variance.

    The straight line that fits best is taken off, since a slope is one feature and not many, and a
    Hann window closes the ends.

    Parameters
    ----------
    lf : xarray.DataArray, dims ("log_l",) or ("sample", "log_l")
        A luminosity function or its `log_form`, on even bins and without NaN.

    Returns
    -------
    xarray.DataArray, dims (..., "cycles"), units 1
        Over `cycles` per dex of luminosity; it sums to 1.

    Raises
    ------
    ValueError
        If the bins are uneven, or a value is not finite.
    """
    widths, x = np.diff(log_l_edges(lf)), lf["log_l"].values - float(lf["log_l"].mean())
    if not np.allclose(widths, widths[0], rtol=1e-6) or not np.isfinite(lf.values).all():
        msg = (
            f"power_along_log_l: {int((~np.isfinite(lf.values)).sum())} values are not finite and "
            f"bins are {widths.min():.6g} to {widths.max():.6g} dex wide; expected finite values "
            "on even bins; cut the empty end off"
        )
        raise ValueError(msg)
    values = lf.transpose(..., "log_l").values
    centred = values - values.mean(axis=-1, keepdims=True)
    slope = (centred @ x / (x @ x))[..., np.newaxis]
    bent = np.hanning(x.size + 2)[1:-1] * (centred - slope * x)
    power = np.abs(np.fft.rfft(bent)[..., 1:]) ** 2
    cycles = np.fft.rfftfreq(x.size, widths[0])[1:]
    attrs = {"units": "dex-1", "long_name": "cycles per dex of luminosity"}
    return xr.DataArray(
        power / power.sum(axis=-1, keepdims=True),
        dims=(*lf.dims[:-1], "cycles"), coords={"cycles": ("cycles", cycles, attrs)},
        attrs={"units": "1", "long_name": "share of the variance along log L"},
    )  # fmt: skip


def log_scatter(lf):
    """Return the standard deviation of log10 of a luminosity function over samples [dex]."""
    sigma = _need_samples(log_form(lf), "log_scatter").std("sample", ddof=1)
    attrs = {"units": "dex", "long_name": "scatter of log10 over samples"}
    return sigma.assign_attrs(attrs, n_samples=lf.sizes["sample"])


def poisson_scatter(dn):
    """Return the scatter of log10 dN [dex] that counting alone gives, NaN below one source."""
    mean = dn.mean("sample") if "sample" in dn.dims else dn
    sigma = 1 / np.log(10) / np.sqrt(mean.where(mean >= 1))
    return sigma.assign_attrs(units="dex", long_name="scatter of log10 from counting alone")


def show_luminosity_function(lf, *, label="", colour=TRUTH):
    """Show a luminosity function against luminosity, with its band over samples.

    Parameters
    ----------
    lf : xarray.DataArray, dims ("log_l",) or ("sample", "log_l")
        In any convention of `imtools.counts`. With samples, the line is their median.
    label : str
        Entry in the legend.
    colour : str
        Of line and band.

    Returns
    -------
    holoviews.Overlay
        A zero has no place on a logarithmic axis: the line ends there, and the band goes down to
        half the least value.
    """
    _convention(lf, "show_luminosity_function")
    low, middle, high = _band(lf)
    bottom = FLOOR * float(lf.where(lf > 0).min())
    samples = np.maximum(low, bottom), middle.where(middle > bottom), high.where(high > bottom)
    return _line_in_band(samples, dimension(lf), label, colour, {"logy": True})


def show_samples(lf, *, n_lines=60, label="", colour="grey"):
    """Show each of the first `n_lines` samples of a luminosity function as a thin line."""
    _convention(lf, "show_samples")
    few = _need_samples(lf, "show_samples").isel(sample=slice(n_lines))
    lines = [np.column_stack([lf["log_l"].values, row.values]) for row in few.where(few > 0)]
    path = hv.Path(lines, [dimension(lf["log_l"]), dimension(lf)], label=label)
    return styled(
        panel(path, logy=True, padding=(0, 0.1)), color=colour, alpha=0.5,
        bokeh={"line_width": 0.7}, matplotlib={"linewidth": 0.5},
    )  # fmt: skip


def show_ratio_of_numbers(predicted, truth, *, label="", colour=TRUTH):
    """Show predicted / true values in one convention, on a log axis, with the band over samples."""
    _same_convention(predicted, truth, "show_ratio_of_numbers")
    ratio = _band(10 ** (log_form(predicted) - log_form(truth)))
    return _line_in_band(ratio, RATIO_OF_NUMBERS, label, colour, {"logy": True})


def show_ratio_of_logs(predicted, truth, *, label="", colour=TRUTH):
    """Show predicted / true logarithms, which has a pole where the truth is 1 in its unit."""
    _same_convention(predicted, truth, "show_ratio_of_logs")
    log_truth = log_form(truth)
    ratio = _band(log_form(predicted) / log_truth.where(log_truth != 0))
    return _line_in_band(ratio, RATIO_OF_LOGS, label, colour, {})


def show_unlogged_ratio(ratio_of_logs, log_truth, *, label="", colour=TRUTH):
    """Show the ratio of numbers that one ratio of logarithms hides, against the true logarithm."""
    ratio, x = unlogged_ratio(ratio_of_logs, log_truth), hv.Dimension("log10 of the true number")
    return _line(log_truth, ratio, x, RATIO_OF_NUMBERS, label, colour, {"logy": True})


def show_loss_share(lf, *, label="", colour=TRUTH):
    """Show `loss_share`, summed from the faintest bin up, so that half of the loss is at 0.5."""
    share, x = loss_share(lf).cumsum("log_l"), dimension(lf["log_l"])
    axes = {"ylim": (0, 1.03)}
    return _line(lf["log_l"].values, share.values, x, LOSS_SHARE, label, colour, axes)


def show_power(lf, *, label="", colour=TRUTH, dash="solid"):
    """Show `power_along_log_l` with its band over samples, on a log axis."""
    power = power_along_log_l(lf).rename("power")
    axes = {"logy": True}
    return _line_in_band(_band(power), dimension(power), label, colour, axes, dash)


def show_scatter(lf, *, label="", colour=TRUTH):
    """Show `log_scatter` against luminosity; the band is the 68 % sampling error of the scatter.

    The ends that most samples leave empty are left out: there the floor makes the scatter.
    """
    sigma = log_scatter(lf)
    error = sigma / np.sqrt(2 * (lf.sizes["sample"] - 1))  # of a Gaussian's standard deviation
    shines = lf.median("sample").values > 0
    inside = np.logical_or.accumulate(shines) & np.logical_or.accumulate(shines[::-1])[::-1]
    seen = sigma.where(xr.DataArray(inside, dims="log_l"))
    around = (np.maximum(seen - error, seen / 10), seen, seen + error)
    return _line_in_band(around, hv.Dimension(SCATTER), label, colour, {"logy": True})


def show_scatter_line(sigma, *, label="", colour=TRUTH):
    """Show a scatter [dex] that is given, such as `poisson_scatter`, as a dashed line."""
    x, y = dimension(sigma["log_l"]), hv.Dimension(SCATTER)
    values = sigma["log_l"].values, sigma.values
    return _line(*values, x, y, label, colour, {"logy": True}, dash="dashed")


def _convention(lf, caller):
    """Return the convention of a luminosity function, or say what was given instead."""
    convention = getattr(lf, "attrs", {}).get("convention")
    if "log_l" not in getattr(lf, "dims", ()) or convention not in LOG_FORMS:
        msg = (
            f"{caller}: got {type(lf).__name__} of convention {convention!r}, expected a DataArray "
            f"over log_l in one of {', '.join(LOG_FORMS)}; see counts.count_sources"
        )
        raise ValueError(msg)
    return convention


def _same_convention(predicted, truth, caller):
    ours, theirs = _convention(predicted, caller), _convention(truth, caller)
    if ours != theirs:
        msg = f"{caller}: predicted is {ours!r} and truth {theirs!r}; use counts.convert on one"
        raise ValueError(msg)


def _need_samples(lf, caller):
    if lf.sizes.get("sample", 0) < 2:
        msg = f"{caller}: dims are {lf.dims}, expected at least two along sample; xr.concat some"
        raise ValueError(msg)
    return lf


def _band(values):
    """Return low, middle and high over samples; three times the values where there is none."""
    if "sample" not in values.dims:
        return values, values, values
    with warnings.catch_warnings():  # a bin without a value in any sample stays NaN
        warnings.filterwarnings("ignore", message="All-NaN slice", category=RuntimeWarning)
        return tuple(values.quantile(q, "sample", keep_attrs=True) for q in QUANTILES)


def _line_in_band(samples, y, label, colour, axes, dash="solid"):
    """Return the middle of (low, middle, high) as a line, within an area from low to high."""
    low, middle, high = samples
    (name,) = middle.dims
    x, values = dimension(middle[name]), middle[name].values
    seen = np.isfinite(low.values) & np.isfinite(high.values)
    edges = (v.values[seen] for v in (low, high))
    area = panel(band(values[seen], *edges, kdim=x, vdim=y, colour=colour), **axes)
    return area * _line(values, middle.values, x, y, label, colour, axes, dash)


def _line(x, values, kdim, vdim, label, colour, axes, dash="solid"):
    curve = line(x, values, kdim=kdim, vdim=vdim, colour=colour, label=label, dash=dash)
    return panel(curve, **axes)
