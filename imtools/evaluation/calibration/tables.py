"""Calibration as text: tables for people, and a verdict in words."""

import numpy as np

from imtools.counts import QUOTED_LOG_L, quoted_bins
from imtools.evaluation.calibration.coverage import TARGET, TARGETED, meets_target
from imtools.evaluation.tables import LABELS

RECALIBRATED = "_recalibrated"  # at the end of a method's name, see `recalibrated`


def label_of(name):
    """Return the words for a method, which say whether it was recalibrated.

    Examples
    --------
    >>> label_of("network_map_recalibrated")
    'network on the map, recalibrated'
    """
    bare = name.removesuffix(RECALIBRATED)
    return LABELS.get(bare, bare) + (", recalibrated" if bare != name else "")


def format_coverage(calibration):
    """Return the coverage at the quoted luminosities as text, in per cent, a row a method.

    Parameters
    ----------
    calibration : xarray.Dataset
        From `calibrate_all`.

    Returns
    -------
    str
        Means of the two bins at each luminosity; beside them the bins that meet the target, and
        the worst of them.
    """
    edges = calibration.attrs["log_l_edges"]
    quoted = [x for x in QUOTED_LOG_L if edges[0] <= x <= edges[-1]]
    pairs = [list(quoted_bins(edges, x)) for x in quoted]
    names = calibration["method"].values.tolist()
    labels, good = [label_of(name) for name in names], meets_target(calibration)
    width, n_bins = max(map(len, [*labels, "log10 L"])), calibration.sizes["log_l"]
    heads = "".join(f"{x:>7g}" for x in quoted)
    lines = []
    for p in TARGETED:
        title = f"truths in the {100 * p:g} % interval [%]"
        lines += [title, f"{'log10 L':{width}} |{heads} | all bins | in target | worst bin"]
        lines.append("-" * len(lines[-1]))
        for name, label in zip(names, labels, strict=True):
            one = calibration.sel({"method": name, "probability": p})
            share = one["coverage"].values
            worst = int(np.argmax(np.abs(share - p)))
            cells = "".join(f"{100 * share[pair].mean():>7.1f}" for pair in pairs)
            met = int(good.sel({"method": name, "probability": p}).sum())
            lines.append(
                f"{label:{width}} |{cells} | {100 * float(one['mean_coverage']):8.1f} "
                f"| {f'{met}/{n_bins}':>9} "
                f"| {100 * share[worst]:.1f} at {float(one['log_l'][worst]):.2f}"
            )
        lines.append("")
    lines.append(
        f"{calibration.attrs['n_maps']} maps of {calibration.attrs['n_catalogues']} catalogues; "
        f"in target: within {100 * TARGET:g} points and two bootstrap errors"
    )
    return "\n".join(lines)


def format_calibration(calibration):
    """Return the other diagnostics as text, a row a method.

    Parameters
    ----------
    calibration : xarray.Dataset
        From `calibrate_all`.
    """
    names = calibration["method"].values.tolist()
    labels = [label_of(name) for name in names]
    width, n_bins = max(map(len, labels)), calibration.sizes["log_l"]
    heads = ("even ranks", "TARP", "z mean", "z rms", "contraction", "CRPS [dex]", "skill")
    lines = [f"{'':{width}} |" + " |".join(f" {head}" for head in heads)]
    lines.append("-" * len(lines[0]))
    for name, label in zip(names, labels, strict=True):
        one = calibration.sel({"method": name})
        even = f"{int((one['rank_deviation'] <= 1).sum())}/{n_bins}"
        cells = [even, f"{float(one['tarp_deviation']):.2f}"]
        for variable in ("z_mean", "z_rms", "mean_contraction", "crps", "crps_skill"):
            cells.append(f"{float(one[variable].median()):.3f}")
        row = (f" {cell:>{len(head)}}" for cell, head in zip(cells, heads, strict=True))
        lines.append(f"{label:{width}} |" + " |".join(row))
    lines += [
        "",
        "even ranks: bins within the band of calibrated methods; TARP: largest deviation over its",
        "band, up to 1 is right; the others are medians over bins, and right are a z-score of mean",
        "0 and rms 1",
    ]
    return "\n".join(lines)


def verdict_of_calibration(calibration):
    """Return in a line for each method whether its intervals hold what they say.

    Parameters
    ----------
    calibration : xarray.Dataset
        From `calibrate_all`.

    Returns
    -------
    str
        Markdown; every number is computed from `calibration`.
    """
    n_bins, lines = calibration.sizes["log_l"], []
    good = meets_target(calibration)
    for name in calibration["method"].values.tolist():
        one, met = calibration.sel({"method": name}), good.sel({"method": name})
        bins = met.all("probability").values
        spans = []
        for p in TARGETED:
            share = 100 * one["coverage"].sel(probability=p).values
            spans.append(f"{share.min():.1f} to {share.max():.1f} % ({100 * p:g} %)")
        many = "in every bin" if bins.all() else f"in {bins.sum()} of {n_bins} bins"
        lines.append(
            f"- **{label_of(name)}**: its intervals hold {' and '.join(spans)} of the truths, "
            f"within {100 * TARGET:g} points and two errors {many}. "
            f"{_ranks(one['rank_deviation'].values)} {_together(float(one['tarp_deviation']))}"
        )
    lines.append(
        f"\n{calibration.attrs['n_maps']} maps of {calibration.attrs['n_catalogues']} catalogues, "
        f"{calibration.attrs['n_draws']} draws each."
    )
    return "\n".join(lines)


def _ranks(deviation):
    even = int((deviation <= 1).sum())
    if not np.isfinite(deviation).any():
        return "One catalogue cannot say whether ranks are even."
    if even == deviation.size:
        return "Ranks are even in every bin."
    return f"Ranks are even in {even} of {deviation.size} bins."


def _together(deviation):
    if not np.isfinite(deviation):
        return "One catalogue cannot say whether all bins together are right."
    if deviation <= 1:
        return "All bins together are right (TARP)."
    return f"All bins together are not right: TARP leaves its band, {deviation:.1f} times."
