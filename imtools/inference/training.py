"""What an emulator is fitted to, and the choice of a polynomial for each of its outputs."""

from dataclasses import dataclass

import numpy as np

from imtools.inference.features import is_power, map_features
from imtools.inference.polynomials import deviance, evaluate, fit_mean, n_terms, terms

DEGREES = (1, 2, 3, 4)
MAPS_PER_TERM = 8  # at least, or the degree is not tried
N_NOISE = 4  # draws of the noise of each training map
N_BLANK = 64  # maps of noise alone, which say what is there without signal
N_MEMBERS = 4  # fits to resampled catalogues
DISPERSION = 0.02**2  # of counts beyond Poisson: a field differs from the mean by 2 %
NOISE_KEPT = 0.995  # of the noise power: the shift stays below every map's power
BETTER = 0.99  # of the deviance, before a polynomial of more terms is taken,
LEAST_GAIN = 2.0  # and so much less of it over all maps held out, where it is one of counts


@dataclass(frozen=True, kw_only=True, eq=False)
class TrainingArrays:
    """Maps as an emulator learns from them."""

    u: np.ndarray  # normals of the parameters, shape (n, n_dim)
    y: np.ndarray  # features, mean over draws of the noise, and counts, shape (n, n_outputs)
    blank: np.ndarray  # features of noise alone, mean, and no counts, shape (n_outputs,)
    statistic: np.ndarray  # "pk" or "vid", shape (n_features,)
    position: np.ndarray  # shape (n_features,)
    catalogue: np.ndarray  # shape (n,)

    def __getitem__(self, rows):
        """Return the same of some of the maps."""
        kept = {name: getattr(self, name)[rows] for name in ("u", "y", "catalogue")}
        rest = {name: getattr(self, name) for name in ("blank", "statistic", "position")}
        return TrainingArrays(**kept, **rest)


def training_arrays(space, experiment, data, *, stream=0, n_noise=N_NOISE):
    """Return the features of all maps of a data set, with their parameters and counts.

    Parameters
    ----------
    space : Space
        Of the luminosity model.
    experiment : Experiment
        Its noise and filter.
    data : xarray.Dataset
        One side of a data set.
    stream : int
        Keeps the noise of one side apart from that of another.
    n_noise : int
        Draws of the noise, averaged; one where there is none.
    """
    rngs = np.random.default_rng([experiment.data.seed, 6, stream]).spawn(n_noise + 1)
    noisy = experiment.observing.sigma_noise > 0
    draws = [map_features(data["map"], experiment, rng) for rng in rngs[: n_noise if noisy else 1]]
    dark = 0 * data["map"][[0] * (N_BLANK if noisy else 1)].compute()
    blank = map_features(dark, experiment, rngs[-1]).mean("sample").values
    features = np.mean([draw.values for draw in draws], axis=0)
    return TrainingArrays(
        u=space.normal(data["parameters"]),
        y=np.concatenate([features, data["counts"].values], axis=1),
        blank=np.concatenate([blank, np.zeros(data.sizes["log_l"])]),
        statistic=draws[0]["statistic"].values, position=draws[0]["position"].values,
        catalogue=data["catalogue"].values,
    )  # fmt: skip


def fit_outputs(v, training, v_held_out, held_out, *, rng):
    """Fit a polynomial to each output, of the degree and form that serves maps held out best.

    Parameters
    ----------
    v, v_held_out : numpy.ndarray, shape (n, n_coordinates)
        Coordinates of the training maps, and of those that choose.
    training, held_out : TrainingArrays
        Of the same maps.
    rng : numpy.random.Generator
        Resamples the catalogues for the members.

    Returns
    -------
    dict
        ``degree``, the largest; ``degrees``, ``shift`` and ``deviance`` by output; ``weights``,
        shape (n_terms, n_outputs); ``members``, weights of fits to resampled catalogues.
    """
    n_dim, n_outputs = v.shape[1], training.y.shape[1]
    degrees = [d for d in DEGREES if n_terms(n_dim, d) * MAPS_PER_TERM <= len(v)] or [1]
    design, design_held_out = (terms(at, degrees[-1]) for at in (v, v_held_out))
    fit = {
        "degree": degrees[-1], "degrees": np.empty(n_outputs, dtype=int),
        "shift": np.zeros(n_outputs), "deviance": np.full(n_outputs, np.inf),
        "weights": np.zeros((design.shape[1], n_outputs)),
    }  # fmt: skip
    for j in range(n_outputs):
        for degree in degrees:
            size = n_terms(n_dim, degree)
            for shift in dict.fromkeys((_shift(training, j), 0.0)):
                loss = _loss(training, j)
                w = fit_mean(design[:, :size], training.y[:, j], shift=shift, **loss)
                mean = evaluate(design_held_out[:, :size], w, shift)
                lost = deviance(held_out.y[:, j], mean, **loss)
                least_gain = 0 if "gamma" in loss else LEAST_GAIN / len(held_out.y)
                best = fit["deviance"][j]
                if lost < min(BETTER * best, best - least_gain):
                    fit["deviance"][j], fit["degrees"][j], fit["shift"][j] = lost, degree, shift
                    fit["weights"][:, j] = np.pad(w, (0, len(fit["weights"]) - size))
    members = [_member(design, training, fit, n_dim, rng) for _ in range(N_MEMBERS)]
    return fit | {"members": np.array(members)}


def _member(design, training, fit, n_dim, rng):
    """Return the weights of the same polynomials fitted to catalogues drawn with replacement."""
    names = np.unique(training.catalogue)
    chosen = rng.choice(names, names.size)
    rows = np.concatenate([np.flatnonzero(training.catalogue == name) for name in chosen])
    weights = np.zeros_like(fit["weights"])
    for j, degree in enumerate(fit["degrees"]):
        size, loss = n_terms(n_dim, degree), _loss(training, j)
        y, shift = training.y[rows, j], fit["shift"][j]
        weights[:size, j] = fit_mean(design[rows, :size], y, shift=shift, **loss)
    return weights


def _loss(training, j):
    """Return the settings of the loss of an output: powers, then voxels and sources."""
    gamma = j < training.statistic.size and bool(is_power(training.statistic)[j])
    return {"gamma": True} if gamma else {"dispersion": DISPERSION}


def _shift(training, j):
    """Return what is there without signal, if the output has any."""
    return float(training.blank[j] * (NOISE_KEPT if _loss(training, j).get("gamma") else 1.0))
