"""Networks that differ in one thing each: trained alike, compared on maps they never saw."""

import re
from pathlib import Path

import numpy as np
import xarray as xr

from imtools.counts import log_counts
from imtools.datasets import input_shape
from imtools.estimators.network import load_network
from imtools.evaluation.scores import TEN
from imtools.networks import predict_costs
from imtools.run_folder import read_rows
from imtools.training import NonFiniteLossError, train

HISTORY = {  # columns of history.csv, and what they are
    "loss": "training loss, while the network changes",
    "validation_loss": "validation loss",
    "seconds": "time since the training began",
}
UNITS = {"seconds": "s", "log_dn": "log10(1)", "rms": "dex", "error": "dex", "speed": "s-1"}
NAMES = {
    "log_dn": "log10 of the predicted number of sources",
    "rms": "root mean square error of log10 dN",
    "error": f"rms error of log10 dN, bins of {TEN} sources or more",
    "skill": "1 - MSE / variance of the truth",
    "spread": "spread of the answers over that of the truth",
    "emptied": f"share of the bins of {TEN} sources or more that are said to be empty",
    "n_params": "weights",
    "multiply_adds": "multiply-adds of one map, forward",
    "speed": "maps a second in training, validation included",
}


def run_trials(experiment, trials, data_train, data_validation, data_test, run_dir):
    """Train one network for each trial and say how each learnt and what it can do.

    Parameters
    ----------
    experiment : Experiment
        What all trials share.
    trials : dict
        Name of a trial to a dict of the experiment's parameters that it changes.
    data_train, data_validation, data_test : xarray.Dataset
        Sides of a data set, as `datasets.load` gives them; the test maps choose nothing.
    run_dir : path-like
        Each trial has a folder of its own in it.

    Returns
    -------
    xarray.Dataset
        Over ``trial`` and ``epoch``: `HISTORY`, the losses in units of each trial's own target.
        Over ``trial``, and some over ``sample`` or ``log_l`` of the test maps: what
        `judge_answers` says, ``log_dn``, the cost. The coordinate ``ended`` is "done", or says in
        which epoch the loss was no number; such a trial answers with its best until then, or NaN.

    Raises
    ------
    ValueError
        If two trials have one folder, or `train` refuses one.
    """
    folders = {name: Path(run_dir) / _slug(name) for name in trials}
    if len(set(folders.values())) < len(trials):
        msg = f"run_trials: names are {', '.join(trials)}, expected some that differ in letters"
        raise ValueError(msg)
    outcomes = []
    for name, changes in trials.items():
        changed = experiment.replace(**changes)
        folders[name].mkdir(parents=True, exist_ok=True)
        ended = _train(changed, data_train, data_validation, folders[name])
        log_dn = _answers(changed, data_validation, data_test, folders[name])
        outcome = judge_answers(log_dn, data_test["counts"], floor=experiment.counts.floor)
        outcome = outcome.merge(_history(folders[name])).assign(_costs(changed))
        seconds = outcome["seconds"].diff("epoch")  # the first epoch also traces the network
        n_maps = _maps_an_epoch(changed, data_train)
        outcome["speed"] = n_maps / seconds.median() if seconds.size else np.nan
        outcomes.append(outcome.assign_coords(trial=name, ended=ended))
    return join_trials(*outcomes)


def join_trials(*parts):
    """Return the outcomes of several calls of `run_trials`, on the same test maps, as one."""
    together = xr.concat(parts, "trial", join="outer", coords="different", compat="equals")
    return _labelled(together)


def judge_answers(log_dn, truth, *, floor):
    """Return what answers are worth, whatever they come from.

    Parameters
    ----------
    log_dn : array_like, shape (sample, log_l)
        Predicted log10 dN.
    truth : xarray.DataArray, dims ("sample", "log_l"), units 1
        True dN.
    floor : float
        Sources that an empty bin stands for under a logarithm.

    Returns
    -------
    xarray.Dataset
        ``log_dn``; ``rms`` over ``log_l``; ``error``, over the bins that hold ten sources or more;
        ``skill`` there, 0 for an answer that is always the mean; ``spread``, the standard deviation
        of the answers over maps in units of that of the truth, 0 for an answer that does not look
        at its map; ``emptied``, the share of those bins that are said to hold none.
    """
    log_truth = log_counts(truth, floor).transpose("sample", "log_l").drop_vars("log_l")
    log_dn = log_truth.copy(data=np.asarray(log_dn, dtype=float))
    error, full = log_dn - log_truth, truth.drop_vars("log_l") >= TEN
    squares, about = error.where(full) ** 2, (log_truth - log_truth.mean("sample")).where(full)
    bright = full.all("sample")  # a bin that is sometimes empty has the spread of the floor
    widths = [x.std("sample").where(bright).mean() for x in (log_dn, log_truth)]
    empty = (log_dn <= np.log10(floor) + 1e-6).where(full).mean()
    judged = xr.Dataset({
        "log_dn": log_dn, "rms": np.sqrt((error**2).mean("sample")),
        "error": np.sqrt(squares.mean()), "skill": 1 - squares.mean() / (about**2).mean(),
        "spread": widths[0] / widths[1], "emptied": empty.where(np.isfinite(squares.mean())),
    })  # fmt: skip
    return _labelled(judged.drop_vars(judged.coords).assign_coords(log_l=truth["log_l"]))


def largest_spike(outcomes):
    """Return how far above its least until then the validation loss rose, at most, as a factor.

    Parameters
    ----------
    outcomes : xarray.Dataset
        From `run_trials`.

    Returns
    -------
    xarray.DataArray, dims ("trial",), units 1
        1 for a loss that never rose; NaN for one that reaches 0 or below, such as a negative log
        likelihood, of which a ratio says nothing.
    """
    loss = outcomes["validation_loss"].transpose("trial", "epoch")
    least = np.fmin.accumulate(loss.values, axis=1)
    positive = np.where(least > 0, least, np.nan)
    rise = loss[:, 1:].copy(data=loss.values[:, 1:] / positive[:, :-1]).max("epoch")
    rise = np.maximum(rise.fillna(1.0), 1.0).where(~(least[:, -1] <= 0))
    attrs = {"units": "1", "long_name": "largest validation loss over the least before it"}
    return rise.assign_attrs(attrs)


def format_trials(outcomes):
    """Return the outcomes as a Markdown table, a row a trial."""
    rows = [
        "| trial | weights | multiply-adds | maps/s | error [dex] | skill | spread | ended |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for name in outcomes["trial"].values.tolist():
        one = outcomes.sel(trial=name)
        rows.append(
            f"| {name} | {int(one['n_params']):,} | {float(one['multiply_adds']):.2g} "
            f"| {float(one['speed']):.0f} | {float(one['error']):.3f} | {float(one['skill']):.2f} "
            f"| {float(one['spread']):.2f} | {one['ended'].item()} |"
        )
    return "\n".join(rows)


def _slug(name):
    return re.sub(r"\W+", "_", name.lower()).strip("_")


def _train(experiment, data_train, data_validation, folder):
    """Train, and return how it ended."""
    try:
        train(experiment, data_train, data_validation, folder)
    except NonFiniteLossError as error:
        return re.search(r"loss is .* in epoch \d+", str(error)).group()
    return "done"


def _answers(experiment, data_validation, data_test, folder):
    """Return log10 dN of the test maps, NaN from a network that never had a loss."""
    if not (folder / "model.keras").exists():
        return np.full(data_test["counts"].shape, np.nan)
    network = load_network(folder, experiment, data_validation)
    rng = np.random.default_rng([experiment.data.seed, 3])
    return network.median(data_test["map"], experiment, rng)


def _history(folder):
    """Return the columns of a trial's history, over the epochs counted from one."""
    rows = read_rows(folder / "history.csv")
    first = rows["member"] == 0 if rows else []  # of an ensemble
    values = {name: rows[name][first] if rows else [] for name in HISTORY}
    values["seconds"] = np.cumsum(values["seconds"])
    n_epochs = len(values["loss"])
    data = {name: ("epoch", np.asarray(v, dtype=float)) for name, v in values.items()}
    attrs = {"units": "1", "long_name": "epoch"}
    return xr.Dataset(data, coords={"epoch": ("epoch", np.arange(1, n_epochs + 1), attrs)})


def _costs(experiment):
    """Return what the network of an experiment costs, as variables of a Dataset."""
    settings = experiment.network.model_dump(exclude={"architecture"})
    architecture, n_bins = experiment.network.architecture, experiment.counts.n_bins
    costs = predict_costs(architecture, input_shape(experiment), n_bins, **settings)
    return {"n_params": costs.n_params, "multiply_adds": costs.multiply_adds}


def _maps_an_epoch(experiment, data_train):
    training, n_maps = experiment.training, data_train.sizes["sample"]
    return training.batch_size * (training.steps_per_epoch or n_maps // training.batch_size)


def _labelled(outcomes):
    """Return the outcomes with units and names."""
    for name in outcomes.data_vars:
        words = NAMES.get(name) or HISTORY[name]
        outcomes[name].attrs = {"units": UNITS.get(name, "1"), "long_name": words}
    return outcomes
