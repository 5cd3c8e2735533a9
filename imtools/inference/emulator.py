"""Mean power spectrum, voxel intensities and counts as functions of the parameters."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from imtools import __version__
from imtools.inference.coordinates import Coordinates
from imtools.inference.features import error_scale, is_power
from imtools.inference.polynomials import evaluate, terms
from imtools.inference.space import Space
from imtools.inference.stored import claimed, digest_of, read_arrays, write_arrays
from imtools.inference.training import fit_outputs, training_arrays
from imtools.run_folder import data_root

NAME = "emulator"
CHUNK = 10_000  # models evaluated at once, which bounds memory
MIDDLE = 2.0  # spreads of the training maps about their mean, where it is judged: at the ends of a
# wide prior a bin goes from no voxels to all of them, and no polynomial follows
LEAST_MAPS = 20  # held out there, or all maps that are not far from training tell
FORMAT = 5  # raised when the fit changes, so that older files are made again


@dataclass(frozen=True, kw_only=True, eq=False)
class Emulator:
    """Means of what maps show and hold, fitted to training maps, evaluated in plain numpy."""

    space: Space  # whose normals it takes
    coordinates: Coordinates
    statistic: np.ndarray  # "pk" or "vid" of each feature
    position: np.ndarray  # k [Mpc^-1] or temperature [uK] of each feature
    log_l_edges: np.ndarray  # bin edges of the counts, log10 Lsun
    degree: int  # of the polynomials
    shift: np.ndarray  # what is there without signal, shape (n_outputs,): features, then counts
    weights: np.ndarray  # shape (n_terms, n_outputs)
    members: np.ndarray  # weights on resampled catalogues, shape (n_members, n_terms, n_outputs)
    error: np.ndarray  # covariance of its features in units of `error_scale`
    residuals: np.ndarray  # of maps held out in those units, shape (n_maps, n_features)
    residual_catalogue: np.ndarray  # which catalogue each of them shows, shape (n_maps,)
    facts: dict  # what it was made of, and its deviance on maps held out

    @property
    def n_features(self):
        """How many features it gives."""
        return self.statistic.size

    def over(self, space):
        """Return the emulator for another prior of the same model; the training maps stay.

        Raises
        ------
        ValueError
            If the model is another.
        """
        if space.model is not self.space.model or space.fixed != self.space.fixed:
            msg = (
                f"Emulator.over: the space is of {space.model.__name__} {space.fixed}, expected "
                f"{self.space.model.__name__} {self.space.fixed} as in the fit"
            )
            raise ValueError(msg)
        return replace(self, space=space)

    def features(self, u):
        """Return mean features, shape (n, n_features), at normals of shape (n, n_dim)."""
        return self._at(u, self.weights, slice(None, self.n_features))

    def counts(self, u, *, member=None):
        """Return mean counts a bin of log L, shape (n, n_bins); of a member, with its error."""
        weights = self.weights if member is None else self.members[member]
        return self._at(u, weights, slice(self.n_features, None))

    def member_features(self, u):
        """Return the features of each member, shape (n_members, n, n_features)."""
        features = slice(None, self.n_features)
        return np.array([self._at(u, weights, features) for weights in self.members])

    def share_outside(self, u, slack=0.1):
        """Return the share of models whose light is beyond that of all training maps.

        `slack`, in units of their spread, is allowed: edges are those of a sample.
        """
        where = self.coordinates
        v = where.unlimited(self.space, u)
        return float(((v < where.low - slack) | (v > where.high + slack)).any(axis=1).mean())

    def _at(self, u, weights, outputs):
        u = np.atleast_2d(u)
        parts = []
        for i in range(0, len(u), CHUNK):
            design = terms(self.coordinates.of(self.space, u[i : i + CHUNK]), self.degree)
            parts.append(evaluate(design, weights[:, outputs], self.shift[outputs]))
        return np.concatenate(parts)


def fit_emulator(experiment, data_train, data_validation, folder=None):
    """Return the emulator of an experiment; one that was fitted before is read.

    Parameters
    ----------
    experiment : Experiment
        Its noise and filter; its prior is the space that the emulator is asked over.
    data_train : xarray.Dataset
        Variables ``map``, ``counts`` and ``parameters`` over ``sample``, of maps without noise.
    data_validation : xarray.Dataset
        The same of other catalogues, which choose degree and form of each polynomial.
    folder : path-like, optional
        Where it is kept; by default under `run_folder.data_root`, by what it is made of.

    Returns
    -------
    Emulator

    Raises
    ------
    ValueError
        If the experiment spans no `Space`, too few maps are near the fiducial model, no validation
        map is near the training maps, or a file there is damaged.

    Notes
    -----
    The mean of a feature is s + exp(polynomial), s what noise alone gives, or 0: whichever, and
    whichever degree, is nearer to the validation maps. The polynomials are of `Coordinates`. It
    is judged in the middle of the training maps, within two of their spreads.
    """
    space = Space.of(experiment)
    key = emulator_key(experiment, data_train, data_validation)
    folder = data_root() / "emulators" / key if folder is None else Path(folder)
    known = {"key": key, "format": FORMAT}
    with claimed(folder):
        found = read_arrays(folder, NAME, known)
        if found is None:
            arrays, facts = _fitted(space, experiment, data_train, data_validation)
            write_arrays(folder, NAME, arrays, known | facts | {"imtools": __version__})
            found = read_arrays(folder, NAME, known)
    return _from_arrays(space, *found)


def emulator_key(experiment, data_train, data_validation):
    """Return a short hash of all that an emulator depends on."""
    of_maps = [
        np.asarray(data[name].values, dtype=kind)
        for data in (data_train, data_validation)
        for name, kind in (("parameters", float), ("counts", float), ("catalogue", str))
    ]
    observing = experiment.observing.model_dump_json()
    sfr = experiment.luminosity.sfr
    return digest_of(experiment.data_key(), sfr, observing, str(FORMAT), *of_maps)


def _fitted(space, experiment, data_train, data_validation):
    """Return the arrays and facts of a new emulator."""
    survey = experiment.survey_object()
    training = training_arrays(space, experiment, data_train)
    validation = training_arrays(space, experiment, data_validation, stream=1, n_noise=1)
    coordinates, inside = Coordinates.fitted(space, training.u, survey)
    held_out = validation[_middle(coordinates, coordinates.unlimited(space, validation.u))]
    v_held_out = coordinates.of(space, held_out.u)
    fit = fit_outputs(
        coordinates.of(space, training.u[inside]), training[inside], v_held_out, held_out,
        rng=np.random.default_rng([experiment.data.seed, 5]),
    )  # fmt: skip
    arrays = {
        "redshifts": coordinates.redshifts, "centre": coordinates.centre,
        "axes": coordinates.axes, "low": coordinates.low, "high": coordinates.high,
        "statistic": training.statistic.astype("U3"), "position": training.position,
        "log_l_edges": np.log10(experiment.l_edges), "degree": np.array(fit["degree"]),
        "shift": fit["shift"], "weights": fit["weights"], "members": fit["members"],
    }  # fmt: skip
    arrays |= _errors(fit, v_held_out, held_out)
    n_features = training.statistic.size
    facts = {
        "model": space.model.name, "prior": space.prior, "fixed": space.fixed,
        "n_maps": int(inside.sum()), "n_maps_far": int((~inside).sum()),
        "n_held_out": len(held_out.u), "n_coordinates": int(coordinates.low.size),
        "degrees": fit["degrees"].tolist(), "shifted": (fit["shift"] != 0).tolist(),
        "deviance_features": fit["deviance"][:n_features].tolist(),
        "deviance_counts": fit["deviance"][n_features:].tolist(),
    }  # fmt: skip
    return arrays, facts


def _middle(coordinates, v):
    """Return which maps held out tell of the fit: those in the middle of the training maps."""
    middle = (np.abs(v) < MIDDLE).all(axis=1)
    if middle.sum() >= LEAST_MAPS:
        return middle
    beyond = np.abs(np.clip(v, coordinates.low, coordinates.high) - v)
    near = (beyond < 1.0).all(axis=1)  # at least not far from all of them
    if not near.any():
        msg = (
            f"fit_emulator: none of {len(v)} validation maps is near the training maps, expected "
            "some to choose the polynomials; raise n_validation or n_train, or narrow the prior"
        )
        raise ValueError(msg)
    return near


def _errors(fit, v, held_out):
    """Return the covariance of features among members, and residuals of maps held out.

    Both are in units of `error_scale`, at the parameters of those maps.
    """
    n, power = held_out.statistic.size, is_power(held_out.statistic)
    design, shift = terms(v, fit["degree"]), fit["shift"][:n]
    mean = evaluate(design, fit["weights"][:, :n], shift)
    scale = error_scale(mean, power)
    members = [(evaluate(design, w[:, :n], shift) - mean) / scale for w in fit["members"]]
    each = np.concatenate(members)
    return {
        "error": each.T @ each / len(each),
        "residuals": (held_out.y[:, :n] - mean) / scale,
        "residual_catalogue": held_out.catalogue,
    }


def _from_arrays(space, arrays, facts):
    where = {name: arrays.pop(name) for name in ("redshifts", "centre", "axes", "low", "high")}
    degree = int(arrays.pop("degree"))
    return Emulator(
        space=space, coordinates=Coordinates(**where), degree=degree, facts=facts, **arrays
    )
