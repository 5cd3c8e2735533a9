"""Trained on one family of luminosity models, asked about another."""

import numpy as np

from imtools.evaluation.memorisation.answers import (
    answers,
    as_observed,
    at_quoted,
    judged,
    log_truth,
    rms,
)

CARRIES = 0.3  # dex, a factor of two
MANY = 30  # sources in a bin, on average; below, an error is that of a few of them


def family_errors(method, families, experiment, *, seed):
    """Ask a method about maps of several families of luminosity models.

    Parameters
    ----------
    method : Estimator or callable
        See `answers`.
    families : dict of str to xarray.Dataset
        Maps that it has not seen, by luminosity model.
    experiment : Experiment
        That of the fit; its luminosity model is the family that the method knows.
    seed : int
        Of the noise.

    Returns
    -------
    xarray.Dataset
        ``error`` (family, log_l), rms error [dex] where the family has 30 sources or more in a bin,
        NaN elsewhere; ``worst``, the largest typical error over families it does not know. Passed
        if that is below 0.3 dex, a factor of two.
    """
    own = experiment.luminosity.luminosity_model.split("+")
    error = np.stack([_error(method, data, experiment, seed) for data in families.values()])
    dn = next(iter(families.values()))["counts"]
    each = {name: _typical(row, dn) for name, row in zip(families, error, strict=True)}
    others = {name: value for name, value in each.items() if name not in own}
    known = {name: value for name, value in others.items() if np.isfinite(value)}
    worst = max(known, key=known.get, default=None)
    largest = known.get(worst, float("nan"))
    state = "told" if worst is None else "passed" if largest < CARRIES else "failed"
    carried = [name for name, value in known.items() if value < CARRIES]
    verdict = (
        f"Of {len(known)} families that it does not know it reads {len(carried)} to better than "
        f"{CARRIES:g} dex; it errs most, by {largest:.2g} dex, on {worst}."
    )
    if worst is None:
        verdict = "There is no family among them that it does not know."
    return judged(
        "families", state, verdict,
        {
            "error": (("family", "log_l"), error, "dex", "rms error of log10 dN"),
            "worst": ((), largest, "dex", "largest rms error over unknown families"),
        },
        log_l=dn["log_l"], family=(list(families), "", "luminosity model of the maps"),
    )  # fmt: skip


def family_matrix(methods, families, experiments, *, seed):
    """Ask methods that were each fitted on one family about maps of all families.

    Parameters
    ----------
    methods : dict of str to Estimator or callable
        By the luminosity model they were fitted on.
    families : dict of str to xarray.Dataset
        Maps that none has seen, by luminosity model.
    experiments : dict of str to Experiment
        Those of the fits, by luminosity model.
    seed : int
        Of the noise.

    Returns
    -------
    xarray.Dataset
        ``error`` (trained, family, log_l) as in `family_errors`; ``typical`` (trained, family), its
        median over the quoted luminosities; ``spread`` (family, log_l), what the truth varies by.
        Passed if every method reads every family to 0.3 dex.
    """
    rows = [
        family_errors(method, families, experiments[name], seed=seed)["error"]
        for name, method in methods.items()
    ]
    error = np.stack([row.values for row in rows])
    dn = next(iter(families.values()))["counts"]
    typical = np.array([[_typical(values, dn) for values in row] for row in error])
    spread = np.stack([log_truth(d, experiments[k]).std(0) for k, d in families.items()])
    foreign = np.array([[a != b for b in families] for a in methods]) & np.isfinite(typical)
    home = typical[~foreign & np.isfinite(typical)]
    n_carried = int((typical[foreign] < CARRIES).sum())
    verdict = (
        f"At home methods err by {_span(home)} dex. Of {int(foreign.sum())} pairs of different "
        f"families {n_carried} are read to better than {CARRIES:g} dex; the errors there are "
        f"{_span(typical[foreign])} dex."
    )
    both = {"trained": (list(methods), "", "trained on"), "family": (list(families), "", "asked")}
    text = "rms error of log10 dN"
    return judged(
        "matrix", "passed" if n_carried == foreign.sum() else "failed", verdict,
        {
            "error": (("trained", "family", "log_l"), error, "dex", text),
            "typical": (("trained", "family"), typical, "dex", f"{text}, typical"),
            "spread": (("family", "log_l"), spread, "dex", "spread of the truth"),
        },
        log_l=dn["log_l"], **both,
    )  # fmt: skip


def _error(method, data, experiment, seed):
    log_dn = answers(method, as_observed(data["map"], experiment, seed), experiment)
    error = rms(log_dn - log_truth(data, experiment))
    return np.where(data["counts"].values.mean(axis=0) >= MANY, error, np.nan)


def _typical(values, dn):
    quoted = at_quoted(values, dn)
    known = quoted[np.isfinite(quoted)]
    return float(np.median(known)) if known.size else float("nan")


def _span(values):
    return f"{values.min():.2g} to {values.max():.2g}" if values.size else "unknown"
