"""A classifier of luminosity models, made of a trained network and calibrated."""

from dataclasses import dataclass
from pathlib import Path

import keras
import numpy as np
import xarray as xr
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax
from tqdm import tqdm

from imtools import networks
from imtools.datasets import Batches, families, network_inputs
from imtools.networks import build_classifier, logits_of
from imtools.run_folder import append_row
from imtools.training.failures import NonFiniteLossError
from imtools.training.geometry import check_maps, describe_maps
from imtools.training.loop import compile_network, device_name, make_deterministic, predict
from imtools.training.saved import load_model, save_model
from imtools.training.splits import check_splits
from imtools.training.targets import experiment_of

HISTORY = "history.csv"
TEMPERATURES = (0.05, 20.0)  # between which one is chosen
LEAST_P = 1e-12  # in the loss, of a class that is true
_ADAPT, _VALIDATE, _BATCHES = range(10, 13)  # what a random stream is for; `train` has others


@dataclass(frozen=True, kw_only=True, eq=False)
class Classifier:
    """A network that says which luminosity model made a map, with calibrated probabilities."""

    model: object  # keras.Model
    families: tuple  # luminosity models, in the order of the network's answer
    maps: dict  # what `describe_maps` said of the training maps
    experiment: object  # of its training

    def probabilities(self, maps, experiment=None, rng=None):
        """Return how probable each luminosity model is for each map.

        Parameters
        ----------
        maps : xarray.DataArray, dims ("sample", "freq", "dec", "ra"), units uK
            Maps as those in training.
        experiment : Experiment, optional
            Its stage ``observing`` is applied; that of the training by default.
        rng : numpy.random.Generator, optional
            Source of the noise; not needed where there is none.

        Returns
        -------
        xarray.DataArray, dims ("sample", "family"), units 1
            Coordinates of `maps` on ``sample`` stay.

        Raises
        ------
        ValueError
            If the maps differ from those in training.
        """
        check_maps(maps, self.maps, caller="Classifier.probabilities")
        seen = (experiment or self.experiment).observing.model_dump()
        inputs = network_inputs(maps, self.experiment.replace(**seen), rng)
        on_sample = {k: c.variable for k, c in maps.coords.items() if c.dims == ("sample",)}
        names = {"family": ("family", list(self.families), {"long_name": "luminosity model"})}
        return xr.DataArray(
            predict(self.model, inputs, 32), dims=("sample", "family"), name="probability",
            coords=on_sample | names,
            attrs={"units": "1", "long_name": "probability of the luminosity model"},
        )  # fmt: skip


def train_classifier(model, experiment, data_train, data_validation, run_dir, *, frozen=True):
    """Make a trained network say which luminosity model made a map.

    Parameters
    ----------
    model : keras.Model
        Network trained on such maps; it is copied and not changed.
    experiment : Experiment
        That of its training; of the stage ``training`` it takes the optimizer and its step, batch
        size, epochs and patience.
    data_train, data_validation : xarray.Dataset
        Mixtures, see `datasets.make_maps`, that share no catalogue.
    run_dir : path-like
        Folder, made if need be, for ``model.keras``, ``manifest.json`` and ``history.csv``.
    frozen : bool
        Train the new last layer alone; if not, all layers.

    Returns
    -------
    Classifier

    Raises
    ------
    ValueError
        If the data sets share a catalogue, hold different families or a single one, or fewer maps
        than a batch.
    NonFiniteLossError
        If the loss becomes NaN.

    Notes
    -----
    The loss is the cross entropy. The validation maps choose the epoch, and the temperature by
    which the logits are divided, so that the probabilities are as sure as they are right.
    """
    check_splits(train=data_train, validation=data_validation)
    names = _families(data_train, data_validation)
    run_dir = Path(run_dir)
    run_dir.mkdir(parents=True, exist_ok=True)
    (run_dir / HISTORY).unlink(missing_ok=True)
    make_deterministic()
    keras.utils.set_random_seed(experiment.data.seed)
    classifier = build_classifier(model, len(names), frozen=frozen)
    known = network_inputs(data_train["map"], experiment, _rng(experiment, _ADAPT))
    networks.adapt(classifier, known)
    batches = _batches(experiment, data_train, names)
    inputs = network_inputs(data_validation["map"], experiment, _rng(experiment, _VALIDATE))
    validation = inputs, _one_hot(data_validation, names)
    best = _fit(classifier, batches, validation, experiment.training, run_dir / HISTORY)
    temperature = best_temperature(predict(logits_of(classifier), inputs, 32), validation[1])
    classifier.get_layer("temperature").value.assign(temperature)
    manifest = {
        "families": names, "frozen": frozen, "temperature": temperature, "best": best,
        "experiment": experiment.model_dump(), "maps": describe_maps(data_train["map"]),
        "n_maps": int(data_train.sizes["sample"]), "device": device_name(),
    }  # fmt: skip
    save_model(classifier, manifest, run_dir)
    return load_classifier(run_dir)


def load_classifier(run_dir):
    """Return the classifier that `train_classifier` has left in a folder, once it is verified.

    Raises
    ------
    ValueError
        If the model is damaged, of another format, unsafe, or no classifier.
    """
    model, manifest = load_model(run_dir)
    if "families" not in manifest:
        msg = f"load_classifier: {run_dir} holds no classifier; give a folder of train_classifier"
        raise ValueError(msg)
    return Classifier(
        model=model, families=tuple(manifest["families"]), maps=manifest["maps"],
        experiment=experiment_of(manifest),
    )  # fmt: skip


def best_temperature(logits, true):
    """Return the temperature at which the logits give the true classes the most probability.

    Parameters
    ----------
    logits : array_like, shape (n, n_classes)
        Of maps that were not trained on.
    true : array_like, shape (n, n_classes)
        1 for the true class, 0 for the others.

    Returns
    -------
    float
        Between 0.05 and 20.

    Notes
    -----
    Maps are few, and if all of them are classified rightly, ever lower temperatures would be
    better. So a true class counts as (n + 1) / (n + n_classes) and another as 1 / (n + n_classes),
    as after one more map of each class.

    References
    ----------
    .. [1] Guo et al. 2017, ICML 70, 1321, arXiv:1706.04599
    .. [2] Platt 1999, Advances in Large Margin Classifiers, 61 (the counting)
    """
    logits, true = np.asarray(logits, dtype=float), np.asarray(true, dtype=float)
    n, n_classes = true.shape
    soft = (n * true + 1) / (n + n_classes)

    def loss(log_t):
        return -np.mean(np.sum(soft * log_softmax(logits / np.exp(log_t), axis=1), axis=1))

    found = minimize_scalar(loss, bounds=np.log(TEMPERATURES), method="bounded")
    return float(np.exp(found.x))


def _families(data_train, data_validation):
    names = sorted(families(data_train))
    if len(names) < 2 or sorted(families(data_validation)) != names:
        msg = (
            f"train_classifier: families are {', '.join(names)} in training and "
            f"{', '.join(families(data_validation))} in validation, expected the same two or more; "
            "build a data set of a mixture"
        )
        raise ValueError(msg)
    return names


def _one_hot(data, names):
    return (data["luminosity_model"].values[:, None] == np.array(names)).astype(np.float32)


def _batches(experiment, data, names):
    """Return batches whose second part is the class, 1 for the true one."""
    labelled = data.assign(counts=(("sample", "family"), _one_hot(data, names)))
    seed = np.random.SeedSequence(experiment.data.seed, spawn_key=(_BATCHES,)).generate_state(1)[0]
    return Batches(labelled, experiment.replace(blank_share=0.0), int(seed))  # blanks have no class


def _fit(model, batches, validation, training, path):
    """Train until the validation loss no longer falls; return the best epoch and its loss."""
    n_full = batches.n_batches()
    if n_full < 1:
        msg = f"train_classifier: fewer maps than batch_size {training.batch_size}; lower it"
        raise ValueError(msg)
    n_steps = training.steps_per_epoch or n_full
    compile_network(model, training, n_steps, keras.losses.CategoricalCrossentropy())
    best, weights = {"epoch": -1, "validation_loss": np.inf}, None
    for epoch in tqdm(range(training.epochs), desc="classify", unit="epoch", mininterval=1):
        steps = range(epoch * n_steps, (epoch + 1) * n_steps)
        draws = (batches.batch(*divmod(step, n_full)) for step in steps)
        loss = float(np.mean([float(model.train_on_batch(x, y)) for x, y in draws]))
        p = np.sum(validation[1] * predict(model, validation[0], training.batch_size), axis=1)
        loss_now = float(-np.mean(np.log(np.maximum(p, LEAST_P))))
        if not np.isfinite(loss + loss_now):
            msg = f"train_classifier: nan: the loss is {loss} in epoch {epoch}; lower learning_rate"
            raise NonFiniteLossError(msg)
        append_row({"epoch": epoch, "loss": loss, "validation_loss": loss_now}, path)
        if loss_now < best["validation_loss"]:
            best, weights = {"epoch": epoch, "validation_loss": loss_now}, model.get_weights()
        elif epoch - best["epoch"] >= training.patience:
            break
    model.set_weights(weights)
    return best


def _rng(experiment, *key):
    return np.random.default_rng(np.random.SeedSequence(experiment.data.seed, spawn_key=key))
