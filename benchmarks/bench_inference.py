"""Time the conventional analysis of COMAP maps, and hold its widths against Ihle et al. 2019.

Run: python benchmarks/bench_inference.py [--ihle] [--maps N] [--catalogues N]

The data sets, the emulator and the covariance are made where they are not there, under
`run_folder.data_root`, and their times are printed; a second call reads them.
"""

import argparse
import os
from pathlib import Path
from time import perf_counter

import numpy as np

from imtools import datasets
from imtools.counts import QUOTED_LOG_L, log_counts, quoted_bins
from imtools.experiment import Experiment
from imtools.inference import (
    Likelihood,
    Posterior,
    PriorDraws,
    Space,
    draw_counts,
    fiducial_experiment,
    fit_covariance,
    fit_emulator,
    fit_likelihood,
    map_features,
    normals,
    run_chain,
    sample_prior,
)
from imtools.inference.covariance import N_CATALOGUES

N_CHAINS = 3
PARTS = ("pk_vid", "pk", "vid")
# Ihle et al. 2019, ApJ 871, 75, arXiv:1808.07487: true L phi [(Mpc/h)^-3], a quarter of its 95 %
# band [dex], PS and VID together, and how much wider one alone is
PUBLISHED_L_PHI = (1.34e-2, 5.63e-3, 2.66e-3, 1.37e-3, 3.91e-4, 3.49e-5)
PUBLISHED = (0.157, 0.149, 0.091, 0.035, 0.076, 0.094)
PUBLISHED_ALONE = {"pk": 1.58, "vid": 1.30}
LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)


def timed(text, function, *arguments, **settings):
    """Return what a call returned, and print what it took."""
    start = perf_counter()
    result = function(*arguments, **settings)
    print(f"{text:46s} {perf_counter() - start:9.1f} s", flush=True)
    return result


def sides_of(experiment):
    """Return training, validation and test maps, left on disk, made where they are missing."""
    folder = datasets.set_folder(experiment)
    timed("training, validation and test maps", datasets.build, experiment, folder)
    return [datasets.load(folder, side, lazy=True) for side in datasets.SIDES]


def made(experiment, sides, n_catalogues):
    """Return emulator and covariance, and print what each took and how well it does."""
    emulator = timed("emulator", fit_emulator, experiment, *sides[:2])
    fiducial = fiducial_experiment(experiment, n_catalogues)
    folder = datasets.set_folder(fiducial)
    timed(f"{n_catalogues} fiducial catalogues", datasets.build, fiducial, folder)
    settings = {"n_catalogues": n_catalogues}
    covariance = timed("covariance", fit_covariance, experiment, **settings)
    share = np.diag(emulator.error) / np.diag(covariance.scaled)
    print(
        f"\nemulator: {emulator.facts['n_maps']} maps, {emulator.coordinates.low.size} coordinates"
    )
    for name in ("pk", "vid"):
        own = emulator.statistic == name
        wide = (emulator.residuals[:, own] ** 2).mean(axis=0) / np.diag(covariance.scaled)[own]
        print(
            f"  {name:4s} its variance over the map's {share[own].mean():.3f} (worst "
            f"{share[own].max():.3f}); validation residuals squared over it {wide.mean():.2f}"
        )
    u = emulator.space.draw(16, rng=np.random.default_rng(0))
    start = perf_counter()
    for _ in range(200):
        emulator.features(u)
    print(f"  16 models in {(perf_counter() - start) * 5:.2f} ms")
    return emulator, covariance


def bench_chains(likelihood, features, rng):
    """Print what a chain takes, and how far weights on draws agree with it."""
    print(
        f"\n{'chain':>6s} {'s':>6s} {'steps':>6s} {'R-hat':>6s} {'ESS':>6s} {'tau':>5s}   weights:"
    )
    for i, x in enumerate(features[:N_CHAINS]):
        posterior = Posterior(likelihood=likelihood, x=x)
        chain = run_chain(posterior, rng=rng)
        facts = chain.posterior.attrs
        weighted = sample_prior(posterior, 20_000, rng=rng)
        mean, covariance = weighted.moments()
        sd, u = np.sqrt(np.diag(covariance)), normals(chain, posterior.space)
        print(
            f"{i:6d} {facts['seconds']:6.1f} {facts['n_steps']:6d} {facts['r_hat']:6.3f} "
            f"{facts['ess_bulk']:6.0f} {facts['autocorrelation_time']:5.0f}   "
            f"ESS {weighted.ess:.0f}, means differ by {np.abs((u.mean(0) - mean) / sd).max():.2f} "
            f"sd, widths by {np.abs(u.std(0) / sd - 1).max():.2f}"
        )


def quantiles_of(likelihood, features, rng, *, kind):
    """Return quantiles of log10 dN, (map, level, bin), and how they were come by.

    Effective draws of each map, seconds a map, and the share of draws brighter or fainter than all
    training maps.
    """
    draws = PriorDraws.of(likelihood, 20_000, rng=rng)
    rows, ess, outside, start = [], [], [], perf_counter()
    for x in features:
        weighted = sample_prior(Posterior(likelihood=likelihood, x=x), rng=rng, draws=draws)
        u = weighted.u[weighted.resample(1000, rng)]
        dn = draw_counts(likelihood, u, rng=rng, kind=kind).values
        floor = 0.5 if kind == "field" else 1e-6
        rows.append(np.quantile(np.log10(np.maximum(dn, floor)), LEVELS, axis=0))
        ess.append(weighted.ess)
        outside.append(likelihood.emulator.share_outside(u))
    seconds = (perf_counter() - start) / len(features)
    return np.array(rows), np.array(ess), seconds, np.mean(outside)


def bench_comap(n_maps, n_catalogues):
    """Print times, errors and coverage with the preset comap and its own prior."""
    experiment = Experiment.from_preset("comap")
    print(f"comap, {experiment.luminosity.luminosity_model}, prior {experiment.luminosity.prior}")
    sides = sides_of(experiment)
    made(experiment, sides, n_catalogues)
    chosen = np.linspace(0, sides[2].sizes["sample"] - 1, n_maps).astype(int)
    features = map_features(sides[2]["map"][chosen], experiment, np.random.default_rng(1)).values
    truth = log_counts(sides[2]["counts"][chosen]).values
    edges = sides[2]["counts"].attrs["log_l_edges"]
    rng = np.random.default_rng(2)
    settings = {"n_catalogues": n_catalogues}
    for parts in PARTS:
        likelihood = fit_likelihood(experiment, *sides[:2], parts=parts, **settings)
        if parts == "pk_vid":
            bench_chains(likelihood, features, rng)
        rows, ess, seconds, outside = quantiles_of(likelihood, features, rng, kind="field")
        print(f"\n{parts}: {seconds:.3f} s a map by weights, ESS {np.median(ess):.0f} ", end="")
        print(f"(least {ess.min():.0f}); {n_maps} test maps, ", end="")
        print(f"{100 * outside:.0f} % of the draws beyond the training maps")
        inside = [(truth >= rows[:, a]) & (truth <= rows[:, b]) for a, b in ((1, 3), (0, 4))]
        print(f"  inside 68 %: {inside[0].mean():.3f}, inside 95 %: {inside[1].mean():.3f}")
        width, error = (rows[:, 3] - rows[:, 1]) / 2, rows[:, 2] - truth
        print_row("log10 L", QUOTED_LOG_L, "7.1f")
        print_row("half of the 68 % interval [dex]", at_quoted(width.mean(axis=0), edges))
        print_row("rms error of the median", at_quoted((error**2).mean(axis=0), edges) ** 0.5)


def bench_ihle(n_maps, n_catalogues):
    """Print widths of the mean luminosity function in the setting of Ihle et al. 2019.

    The emulator learns from maps drawn at the pivot, with the same widths: draws of the prior
    itself are a hundred times too bright or too faint to tell of the fiducial model.
    """
    os.environ["IMTOOLS_EXTENSIONS"] = str(Path(__file__).with_name("ihle2019.py"))
    asked = Experiment.from_preset(
        "comap", field_size=1.5, n_pix=22, luminosity_model="ihle2019", prior="loose"
    )
    training = asked.replace(correlation="pivot")
    print("survey ihle2019, 1.5 deg, Li 2016 with the second pair, prior loose; fiducial maps")
    sides = sides_of(training)
    emulator, covariance = made(training, sides, n_catalogues)
    emulator = emulator.over(Space.of(asked))
    fiducial = fiducial_experiment(asked, n_catalogues)
    data = datasets.load(datasets.set_folder(fiducial), "train", lazy=True)
    features = map_features(
        data["map"][: 2 * n_maps : 2], fiducial, np.random.default_rng(1)
    ).values
    rng, widths = np.random.default_rng(2), {}
    for parts in PARTS:
        likelihood = Likelihood(
            emulator=emulator, scaled=covariance.scaled + emulator.error, parts=parts,
            n_catalogues=n_catalogues, of_field=covariance.field,
        )  # fmt: skip
        if parts == "pk_vid":
            bench_chains(likelihood, features, rng)
        rows, ess, seconds, outside = quantiles_of(likelihood, features, rng, kind="mean")
        print(
            f"{parts}: {seconds:.3f} s a map, ESS {np.median(ess):.0f} (least {ess.min():.0f})",
            end="",
        )
        print(f"; {100 * outside:.0f} % of the draws beyond the training maps")
        edges = data["counts"].attrs["log_l_edges"]
        widths[parts] = at_quoted(((rows[:, 4] - rows[:, 0]) / 4).mean(axis=0), edges)
    survey = asked.survey_object()
    volume = survey.volume * survey.cosmology.h**3  # (Mpc/h)^3
    l_phi = data["counts"].values.mean(axis=0) / (np.diff(edges) * np.log(10) * volume)
    print("\nL phi = dn/dlnL of the fiducial [(Mpc/h)^-3]")
    print_row("log10 L", QUOTED_LOG_L, "9.1f")
    print_row("ours", at_quoted(l_phi, edges), "9.2e")
    print_row("published", PUBLISHED_L_PHI, "9.2e")
    print(f"\na quarter of the 95 % interval of L phi [dex], mean of {n_maps} fiducial maps")
    print_row("log10 L", QUOTED_LOG_L, "7.1f")
    for parts in PARTS:
        print_row(parts, widths[parts])
    print_row("published, PS + VID", PUBLISHED)
    print_row("ratio", widths["pk_vid"] / np.array(PUBLISHED), "7.2f")
    for parts, known in PUBLISHED_ALONE.items():
        ratio = widths[parts] / widths["pk_vid"]
        print_row(
            f"{parts} alone over both",
            ratio,
            "7.2f",
            f"  mean {ratio.mean():.2f}, published {known}",
        )


def at_quoted(values, edges):
    """Return the mean over the two bins at each quoted luminosity."""
    return np.array([values[list(quoted_bins(edges, x))].mean() for x in QUOTED_LOG_L])


def print_row(name, values, form="7.3f", end=""):
    """Print a name and numbers."""
    print(f"  {name:34s}" + "".join(f"{v:{form}}" for v in values) + end)


def main():
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--ihle", action="store_true", help="the setting of Ihle et al. 2019")
    parser.add_argument("--maps", type=int, default=80, help="maps by weights")
    parser.add_argument("--catalogues", type=int, default=N_CATALOGUES, help="of the covariance")
    chosen = parser.parse_args()
    (bench_ihle if chosen.ihle else bench_comap)(chosen.maps, chosen.catalogues)


if __name__ == "__main__":
    main()
