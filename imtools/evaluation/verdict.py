"""What the scoreboard says of the network, in words."""

import numpy as np

from imtools.evaluation.outcomes import verdict_of_tests

BRIGHTEST = 6.0  # log10 Lsun up to which the published network is compared


def verdict(summary):
    """Return in a few sentences how the network did against the baselines.

    Parameters
    ----------
    summary : dict
        From `summarise`, or read from ``scores.json``.

    Returns
    -------
    str
        Markdown, a line a comparison; every number is computed from `summary`.
    """
    quoted = np.array(summary["quoted_log_l"])
    rows = summary["subsets"]["all"]
    rms = {name: np.array(row["rms"], dtype=float) for name, row in rows.items()}
    lines = [
        f"On {summary['n_maps']} maps of {summary['n_catalogues']} catalogues that were never "
        f"trained on, the rms error of log10 dN is {_span(rms['network'])} dex "
        f"at log10 L = {quoted[0]:g} to {quoted[-1]:g}."
    ]
    for name, words in (
        ("prior_mean", "of the prior mean, which has not looked at the map"),
        ("histogram_regression", "of the histogram regression"),
    ):
        errs = rms[name] > 0  # not where no map has a source
        if not errs.any():
            continue
        ratio = rms["network"][errs] / rms[name][errs]
        worst = int(np.argmax(ratio))
        lines.append(
            f"The network's error is {_span(ratio)} times that {words}; it does worst, "
            f"{ratio[worst]:.2f} times, at log10 L = {quoted[errs][worst]:g}."
        )
    if "published_cnn" in rms:
        faint = quoted <= BRIGHTEST
        gain = (rms["published_cnn"] / rms["network"])[faint]
        lines.append(
            f"Up to log10 L = {BRIGHTEST:g} it is {_span(gain)} times smaller than that of the "
            "published network on its own mocks."
        )
    if "network" in summary.get("memorisation", {}):
        lines.append(f"Memorised? {verdict_of_tests(summary['memorisation']['network'])}")
    return "\n\n".join(lines)


def _span(values):
    return f"{values.min():.2g} to {values.max():.2g}"
