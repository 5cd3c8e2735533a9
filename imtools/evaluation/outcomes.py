"""What the tests of memorising came to: as plain values, on disk, in a table and in words.

The tests themselves are in `evaluation.memorisation`, which loads Keras; this does not.
"""

from pathlib import Path

import numpy as np

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
    """Write each outcome and ``verdicts.json`` into ``memorisation/`` of a run.

    The verdicts also become part of ``scores.json``, where `write_scores` has left one.

    Parameters
    ----------
    tests : dict of str to dict
        By method, from `memorisation_tests`.
    run_dir : path-like
        Folder of the run.
    overwrite : bool
        Replace outcomes that are there.

    Returns
    -------
    dict
        The content of ``scores.json``, if there is one; its ``memorisation`` is from
        `summarise_tests`.

    Raises
    ------
    FileExistsError
        If there are outcomes and `overwrite` is False.
    """
    run_dir = Path(run_dir)
    folder, scores = run_dir / "memorisation", run_dir / "scores.json"
    verdicts = summarise_tests(tests)
    folder.mkdir(exist_ok=True)
    write_json(verdicts, folder / "verdicts.json", overwrite=overwrite)
    for method, outcomes in tests.items():
        for name, outcome in outcomes.items():
            write_netcdf(outcome, folder / f"{method}_{name}.nc", overwrite=overwrite)
    summary = (read_json(scores) if scores.exists() else {}) | {"memorisation": verdicts}
    if scores.exists():
        write_json(summary, scores, overwrite=True)
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
    if not names:
        return "no test of memorising was made"
    width = max(len(TITLES[name]) for name in names)
    lines = [f"{'memorised?':{width}} |" + "".join(f" {head}" for head in heads)]
    lines.append(f"{'-' * width}-+" + "-" * (len(lines[0]) - width - 2))
    marks = {
        name: [MARKS[one.get(name, {"state": "told"})["state"]] for one in summary.values()]
        for name in names
    }
    for name, row in marks.items():
        cells = (f" {mark:^{len(head)}}" for mark, head in zip(row, heads, strict=True))
        lines.append(f"{TITLES[name]:{width}} |" + "".join(cells).rstrip())
    if any(MARKS["told"] in row for row in marks.values()):
        lines += ["", f"{MARKS['told']} not asked, or too few maps to say"]
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
        Markdown: the overall sentence, then the verdict of each test that was failed; or that none
        could tell.
    """
    judged = {name: one for name, one in outcomes.items() if one["state"] != "told"}
    if not judged:
        return "No test could tell whether it reads the map: not asked, or too few maps to say."
    failed = {name: one for name, one in judged.items() if one["state"] == "failed"}
    blind = [name for name in READS if name in failed]
    opening = "It has memorised" if blind else "It reads the map"
    lines = [f"{opening}: {len(judged) - len(failed)} of {len(judged)} tests are passed."]
    if failed:
        lines[0] = lines[0][:-1] + ". Those that are not:"
        lines += ["", *(f"- *{TITLES[name]}*: {one['verdict']}" for name, one in failed.items())]
    return "\n".join(lines)
