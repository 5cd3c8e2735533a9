"""What networks make of maps of each luminosity model, and a classifier of the models, in words."""

import numpy as np

GOOD = 1.5  # times the error of a model's own network, up to which joint training has worked
CLOSE = 0.3  # dex, the distance of one source from half a source


def verdict_by_family(scores, empty, *, joint="all", general=None):
    """Return in a few sentences how one network for all compares with one for each model.

    Parameters
    ----------
    scores, empty : xarray.Dataset
        From `score_by_family`, of bins that hold many sources and of empty bins; a method named
        "only li2016" was trained on maps of li2016 alone.
    joint : str
        The method that was trained on all models.
    general : str, optional
        One that has seen none of them.

    Returns
    -------
    str
        Markdown; every number is computed from the scores.
    """
    families = scores["family"].values.tolist()
    rms = {
        method: dict(zip(families, scores["typical"].sel({"method": method}).values.tolist(),
                         strict=True))
        for method in scores["method"].values.tolist()
    }  # fmt: skip
    lines = []
    for name in families:
        others = [rms[f"only {other}"][name] for other in families if other != name]
        line = (
            f"- **{name}**: its own network is off by {rms[f'only {name}'][name]:.3f} dex, those "
            f"of the others by {min(others):.2f} to {max(others):.2f}, the one for all by "
            f"{rms[joint][name]:.3f}"
        )
        if general:
            line += f", and one that has seen none of them by {rms[general][name]:.3f}"
        lines.append(line + ".")
    ratio = {name: rms[joint][name] / rms[f"only {name}"][name] for name in families}
    worst = max(ratio, key=ratio.get)
    ends = "joint training works" if ratio[worst] <= GOOD else "joint training has its price"
    ours = rms[joint].values()
    lines.append(
        f"\nThe network for all is off by {min(ours):.3f} to {max(ours):.3f} dex, at worst, on "
        f"{worst}, {ratio[worst]:.2f} times as much as the model's own network: {ends}."
    )
    return "\n".join([*lines, *_of_empty_bins(empty, joint)])


def _of_empty_bins(empty, joint):
    """Return a sentence for each model that leaves bins empty in most maps."""
    lines = []
    for name in empty["family"].values.tolist():
        error = float(empty["typical"].sel({"method": joint, "family": name}))
        n_bins = int((empty["n_maps"].sel(family=name) > 0).sum())
        if not n_bins:
            continue
        learnt = "it knows that they are empty" if error < CLOSE else "it does not know them empty"
        lines.append(
            f"\nIn the empty bins of {name} ({n_bins} of {empty.sizes['log_l']} bins in one map or "
            f"more) the network for all is typically off by {error:.2f} dex, where half a source "
            f"and one are {np.log10(2):.2f} apart: {learnt}."
        )
    return lines


def verdict_of_classes(scores):
    """Return in a sentence each how classifiers do.

    Parameters
    ----------
    scores : dict of xarray.Dataset
        From `score_classes`, by what was trained.
    """
    return "\n".join(
        f"- **classifier, {name}**: right for {100 * float(one['accuracy']):.1f} % of the maps "
        f"(chance: {100 / one.sizes['family']:.0f} %), calibration error "
        f"{100 * float(one['calibration_error']):.1f} %."
        for name, one in scores.items()
    )
