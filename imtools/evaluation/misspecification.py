"""What a method says of maps that are not as those of its training, and whether one would know.

Sets of maps come from another luminosity model, another noise level, or hold foregrounds that
nobody took out. Beside error and coverage stands the share of maps that lie outside the training
set by their voxel histogram: what a user is told without knowing the truth.
"""

import warnings
from dataclasses import dataclass

import numpy as np
import xarray as xr

from imtools.counts import QUOTED_LOG_L, log_counts, log_l_edges, quoted_bins
from imtools.datasets import parts_of, scaled_maps
from imtools.estimators.base import N_DRAWS
from imtools.evaluation.bootstrap import mean_and_error
from imtools.evaluation.calibration.coverage import TARGET, TARGETED, expected_coverage
from imtools.evaluation.calibration.ranks import fractional_ranks
from imtools.evaluation.calibration.tables import label_of
from imtools.evaluation.memorisation.fresh import fresh_maps
from imtools.experiment import Experiment
from imtools.training import histogram_distance, voxel_histogram

FAR = 0.99  # share of the maps a network knows, beyond which a map counts as outside
KNOWN_SHARE = 2.0  # times 1 - FAR: up to so many flagged maps are chance
OTHER_NOISE = 2.0  # times the noise in training
SOME_NOISE = 1.0  # uK a voxel as painted, where there was none


@dataclass(frozen=True, kw_only=True, eq=False)
class Elsewhere:
    """A set of maps to be asked about, and how they are observed."""

    data: xr.Dataset  # ``map``, ``counts`` and ``catalogue``, of catalogues no method has seen
    experiment: Experiment  # its noise and filter are applied


def usual_sets(experiment, data_test, *, n_catalogues, n_draws=2, family="comap2022"):
    """Return maps as in training, and three kinds of others.

    Parameters
    ----------
    experiment : Experiment
        That of the training.
    data_test : xarray.Dataset
        Its test side.
    n_catalogues, n_draws : int
        Further catalogues and maps of each; they are made, or found on disk.
    family : str
        The other luminosity model.

    Returns
    -------
    dict of str to Elsewhere
        "as in training"; sources of the other model; twice the noise, or some where there was none;
        and foregrounds left in: radio sources, synchrotron, free-free and CMB, which the filter of
        the training sees for the first time.
    """
    noise = experiment.observing.sigma_noise
    other = {"sigma_noise": OTHER_NOISE * noise}
    if noise == 0:
        other = {"sigma_noise": SOME_NOISE, "noise_convention": "fine_voxel"}
    size = {"n_catalogues": n_catalogues, "n_draws": n_draws}
    sources = fresh_maps(experiment, luminosity_model=family, **size)
    dirty = fresh_maps(experiment, point_sources=True, diffuse=True, **size)
    return {
        "as in training": Elsewhere(data=data_test, experiment=experiment),
        f"sources of {family}": Elsewhere(data=sources, experiment=experiment),
        "twice the noise" if noise > 0 else "noise": Elsewhere(
            data=data_test, experiment=experiment.replace(**other)
        ),
        "foregrounds left in": Elsewhere(data=dirty, experiment=experiment),
    }


def judge_elsewhere(
    methods, sets, *, seed, reference=None, n_draws=N_DRAWS, n_bootstrap=500
):  # fmt: skip
    """Ask fitted methods about maps that are not as those of their training.

    Parameters
    ----------
    methods : list of Estimator
        Fitted; their names differ.
    sets : dict of str to Elsewhere
        By name, the one that is as in training first.
    seed : int
        Of noise, draws and resampling; the noise is the same for each method.
    reference : xarray.Dataset, optional
        From `training.read_reference`: the maps that a network knows. Without it no map is flagged.
    n_draws : int
        Draws a map.
    n_bootstrap : int
        Resamplings of the catalogues.

    Returns
    -------
    xarray.Dataset
        Over ``set``, ``method`` and ``log_l``: ``bias`` and ``rms`` of the median [dex], and over
        ``probability`` too ``coverage`` of the 68 and 95 % intervals, all with ``_error`` from the
        bootstrap over catalogues; ``mean_coverage`` over all bins. ``flagged`` (set), the share of
        maps outside the training set, NaN without `reference`; ``n_maps`` (set).

    Raises
    ------
    ValueError
        If there is no set, or a method refuses the maps.
    """
    if not sets:
        msg = "judge_elsewhere: there is no set of maps, expected at least one; pass Elsewhere"
        raise ValueError(msg)
    settings = {"n_draws": n_draws, "n_bootstrap": n_bootstrap}
    by_set = []
    for one in sets.values():
        with warnings.catch_warnings():  # no chain need converge on a map that fits no model
            for begin in ("run_chain: not converged", "More chains"):  # ours, arviz'
                warnings.filterwarnings("ignore", message=begin)
            each = [_judge(method, one, seed, **settings) for method in methods]
        names = xr.Variable("method", [m.name for m in methods], {"long_name": "estimator"})
        judged = xr.concat(each, dim=names, coords="minimal", compat="override", join="override")
        share = np.nan if reference is None else flagged_share(one, reference, seed=seed)
        words = "share of maps outside the training set, by their voxel histogram"
        judged["flagged"] = ((), share, {"units": "1", "long_name": words})
        n_maps = one.data.sizes["sample"]
        judged["n_maps"] = ((), n_maps, {"units": "1", "long_name": "maps"})
        by_set.append(judged)
    along = xr.Variable("set", list(sets), {"long_name": "where the maps come from"})
    together = xr.concat(by_set, dim=along, coords="minimal", compat="override", join="override")
    first = next(iter(sets.values())).data["counts"]
    facts = {"log_l_edges": list(log_l_edges(first)), "n_draws": n_draws}
    return together.drop_attrs(deep=False).assign_attrs(facts)


def flagged_share(elsewhere, reference, *, seed):
    """Return the share of maps that lie further out than nearly all that a network knows.

    Parameters
    ----------
    elsewhere : Elsewhere
        The maps.
    reference : xarray.Dataset
        From `training.read_reference`.
    seed : int
        Of the noise.

    Returns
    -------
    float
        Of maps whose distance to the nearest training map exceeds that of 99 % of the known maps,
        or that hold more voxels beyond all training maps than any known one.
    """
    rng, edges = np.random.default_rng(seed), reference["edges"].values
    maps, experiment = elsewhere.data["map"], elsewhere.experiment
    parts = (scaled_maps(part, experiment, rng) for part in parts_of(maps))
    histograms = np.concatenate([voxel_histogram(part, edges) for part in parts])
    known = reference["histogram"].values
    training = known[reference["side"].values == "train"]
    distances = reference["distance"].values
    limit = np.quantile(distances[np.isfinite(distances)], FAR)
    beyond, most = (h[:, 0] + h[:, -1] for h in (histograms, known))
    return float(
        np.mean((histogram_distance(histograms, training) > limit) | (beyond > most.max()))
    )


def _judge(method, one, seed, *, n_draws, n_bootstrap):
    """Return error and coverage of one method on one set of maps."""
    data, floor = one.data, one.experiment.counts.floor
    catalogue, truth = data["catalogue"].values, data["counts"]
    rngs = np.random.default_rng([seed, 1]).spawn(4)
    drawn = method.draws(data["map"], one.experiment, np.random.default_rng(seed), n_draws)
    median = method.median(data["map"], one.experiment, np.random.default_rng(seed))
    error = median - log_counts(truth, floor).values
    settings = {"n_bootstrap": n_bootstrap}
    bias, bias_error = mean_and_error(error, catalogue, rng=rngs[0], **settings)
    square, square_error = mean_and_error(error**2, catalogue, rng=rngs[1], **settings)
    rms = np.sqrt(square)
    ranks = fractional_ranks(drawn, truth, rng=rngs[2], floor=floor)
    cover = expected_coverage(
        ranks, catalogue, rng=rngs[3], probabilities=TARGETED, **settings
    )  # fmt: skip
    known = {
        "bias": (bias, "mean error of log10 dN, predicted minus true"),
        "bias_error": (bias_error, "bootstrap error over catalogues of the bias"),
        "rms": (rms, "root mean square error of log10 dN"),
        "rms_error": (
            square_error / (2 * np.maximum(rms, 1e-12)),
            "bootstrap error over catalogues of the rms",
        ),
    }
    return cover.assign(
        {k: ("log_l", v, {"units": "dex", "long_name": words}) for k, (v, words) in known.items()}
    )


def format_elsewhere(judged):
    """Return what `judge_elsewhere` found as text, a row a set and method.

    Parameters
    ----------
    judged : xarray.Dataset
        From `judge_elsewhere`. Bias and rms are medians over the quoted luminosities.
    """
    edges = judged.attrs["log_l_edges"]
    quoted = [x for x in QUOTED_LOG_L if edges[0] <= x <= edges[-1]]
    bins = sorted({i for x in quoted for i in quoted_bins(edges, x)})
    names = [label_of(name) for name in judged["method"].values.tolist()]
    first = max(len(text) for text in ["maps", *judged["set"].values.tolist()])
    second = max(len(text) for text in ["method", *names])
    head = (
        f"{'maps':{first}} | {'method':{second}} | bias [dex] | rms [dex] | in 68 % | in 95 % "
        "| flagged"
    )
    lines = [head, "-" * len(head)]
    for place in judged["set"].values.tolist():
        here = judged.sel({"set": place})
        flag = float(here["flagged"])
        mark = f"{100 * flag:5.1f} %" if np.isfinite(flag) else f"{'-':>7}"
        for i, name in enumerate(names):
            one = here.isel(method=i, log_l=bins)
            cover = 100 * here["mean_coverage"].isel(method=i).values
            lines.append(
                f"{place if i == 0 else '':{first}} | {name:{second}} "
                f"| {float(one['bias'].median()):10.3f} | {float(one['rms'].median()):9.3f} "
                f"| {cover[0]:5.1f} % | {cover[1]:5.1f} % | {mark if i == 0 else ''}".rstrip()
            )
    lines += [
        "",
        "medians over the quoted luminosities; coverage over all bins; flagged: maps outside the "
        "training set",
    ]
    return "\n".join(lines)


def verdict_elsewhere(judged):
    """Return in one sentence who keeps honest intervals where, and whether the rest is flagged.

    Honest: the 68 and 95 % intervals hold their share of the truths, over all bins, within 3 points
    and two errors.
    """
    off = np.abs(judged["mean_coverage"] - judged["probability"])
    error = judged["mean_coverage_error"].fillna(0)
    honest = (off <= TARGET + 2 * error).all("probability")
    parts = []
    for place in judged["set"].values.tolist():
        here = honest.sel({"set": place}).values
        flag = float(judged["flagged"].sel({"set": place}))
        told = f"{100 * flag:.0f} % of the maps flagged" if np.isfinite(flag) else "no flag asked"
        good = f"{int(here.sum())} of {here.size} methods"
        silent = not here.all() and np.isfinite(flag) and flag <= KNOWN_SHARE * (1 - FAR)
        warning = ", which nobody would notice" if silent else ""
        parts.append(f"on {place} {good} hold their intervals ({told}){warning}")
    sentence = "; ".join(parts)
    return f"{sentence[0].upper()}{sentence[1:]}."
