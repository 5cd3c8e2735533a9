"""All tests of one method, on disk, in a table, and in a sentence."""

from pathlib import Path

import numpy as np

from imtools.evaluation.memorisation.answers import some_maps
from imtools.evaluation.memorisation.blank import blank_sky
from imtools.evaluation.memorisation.families import family_errors
from imtools.evaluation.memorisation.levels import foreground_levels, noise_levels
from imtools.evaluation.memorisation.shuffles import shuffled, swapped
from imtools.evaluation.memorisation.spread import fixed_parameters, seen_and_unseen, spread
from imtools.run_folder import read_json, write_json, write_netcdf

MARKS = {"passed": "yes", "failed": "NO", "told": "-"}
TITLES = {
    "blank": "answers a blank map with none",
    "spread": "answers spread as the truth does",
    "swapped": "the answer follows the map",
    "shuffled": "a quarter turn changes nothing",
    "unseen": "unseen maps as well as seen ones",
    "fixed_parameters": "sees more than parameters",
    "noise": "bears more noise than in training",
    "foregrounds": "bears weak foregrounds",
    "families": "reads families it does not know",
}
READS = ("spread", "swapped", "unseen")  # who fails one of these has not read the map


def memorisation_tests(
    method, data_train, data_test, experiment, *, seed, fixed=None, families=None, n_maps=128
):
    """Put a method to every test of memorising.

    Parameters
    ----------
    method : Estimator or callable
        See `answers`.
    data_train, data_test : xarray.Dataset
        What it was fitted on, and maps of other catalogues, at least two of each.
    experiment : Experiment
        That of the fit.
    seed : int
        Of noise and order.
    fixed : xarray.Dataset, optional
        Maps of many catalogues that share their parameters, see `fixed_parameters`.
    families : dict of str to xarray.Dataset, optional
        Maps of other luminosity models, see `family_errors`.
    n_maps : int
        How many maps a test takes at most.

    Returns
    -------
    dict of str to xarray.Dataset
        Outcome by test; ``attrs`` hold ``state`` and ``verdict``.
    """
    train, test = (some_maps(data, n_maps) for data in (data_train, data_test))
    asked, settings = (method, test, experiment), {"seed": seed}
    outcomes = [
        blank_sky(method, data_train, experiment, **settings),
        spread(*asked, **settings),
        swapped(*asked, **settings),
        shuffled(*asked, **settings),
        seen_and_unseen(method, train, test, experiment, **settings),
        noise_levels(*asked, **settings),
        foreground_levels(*asked, **settings),
    ]
    if fixed is not None:
        outcomes.append(fixed_parameters(method, fixed, experiment, **settings))
    if families is not None:
        outcomes.append(family_errors(method, families, experiment, **settings))
    return {outcome.attrs["test"]: outcome for outcome in outcomes}


def summarise_tests(tests):
    """Return the outcomes of some methods as plain values, ready for JSON.

    Parameters
    ----------
    tests : dict of str to dict
        By method, from `memorisation_tests`.

    Returns
    -------
    dict
        Method, then test, then ``state``, ``verdict`` and ``numbers``.
    """
    return {
        method: {
            name: {
                "state": outcome.attrs["state"],
                "verdict": outcome.attrs["verdict"],
                "numbers": {
                    k: float(v) if np.isfinite(v) else None
                    for k, v in outcome.data_vars.items()
                    if not v.dims
                },
            }
            for name, outcome in outcomes.items()
        }
        for method, outcomes in tests.items()
    }


def write_memorisation(tests, run_dir, *, overwrite=False):
    """Add the outcomes to ``scores.json`` of a run, and keep each in ``memorisation/``.

    Parameters
    ----------
    tests : dict of str to dict
        By method, from `memorisation_tests`.
    run_dir : path-like
        Folder of the run, with ``scores.json`` from `write_scores`.
    overwrite : bool
        Replace outcomes that are there.

    Returns
    -------
    dict
        The content of ``scores.json``, with ``memorisation`` from `summarise_tests`.

    Raises
    ------
    FileExistsError
        If there are outcomes and `overwrite` is False.
    """
    run_dir = Path(run_dir)
    summary = read_json(run_dir / "scores.json")
    if "memorisation" in summary and not overwrite:
        msg = (
            f"write_memorisation: {run_dir / 'scores.json'} holds outcomes already; pass "
            "overwrite=True to replace them"
        )
        raise FileExistsError(msg)
    folder = run_dir / "memorisation"
    folder.mkdir(exist_ok=True)
    for method, outcomes in tests.items():
        for name, outcome in outcomes.items():
            write_netcdf(outcome, folder / f"{method}_{name}.nc", overwrite=overwrite)
    summary["memorisation"] = summarise_tests(tests)
    write_json(summary, run_dir / "scores.json", overwrite=True)
    return summary


def format_tests(summary, labels=None):
    """Return the outcomes as text: a row a test, a column a method.

    Parameters
    ----------
    summary : dict
        From `summarise_tests`.
    labels : dict, optional
        Words for methods.
    """
    heads = [(labels or {}).get(method, method) for method in summary]
    names = [name for name in TITLES if any(name in outcomes for outcomes in summary.values())]
    width = max(len(TITLES[name]) for name in names)
    lines = [f"{'memorised?':{width}} |" + "".join(f" {head}" for head in heads)]
    lines.append(f"{'-' * width}-+" + "-" * (len(lines[0]) - width - 2))
    for name in names:
        states = [outcomes.get(name, {}).get("state", "told") for outcomes in summary.values()]
        cells = (f" {MARKS[s]:^{len(h)}}" for s, h in zip(states, heads, strict=True))
        lines.append(f"{TITLES[name]:{width}} |" + "".join(cells).rstrip())
    return "\n".join(lines)


def verdict_of_tests(outcomes):
    """Return in a few sentences whether a method memorised.

    Parameters
    ----------
    outcomes : dict
        Of one method, from `summarise_tests`.

    Returns
    -------
    str
        Markdown: the overall sentence, then the verdict of each test that was failed.
    """
    judged = {name: one for name, one in outcomes.items() if one["state"] != "told"}
    failed = {name: one for name, one in judged.items() if one["state"] == "failed"}
    blind = [name for name in READS if name in failed]
    opening = "It has memorised" if blind else "It reads the map"
    lines = [f"{opening}: {len(judged) - len(failed)} of {len(judged)} tests are passed."]
    if failed:
        lines[0] = lines[0][:-1] + ". Those that are not:"
        lines += [f"- *{TITLES[name]}*: {one['verdict']}" for name, one in failed.items()]
    return "\n".join(lines)
