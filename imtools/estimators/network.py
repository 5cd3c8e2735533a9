"""A trained network as an estimator, fitted here or loaded from the folder of its run."""

from dataclasses import dataclass, replace

import numpy as np

from imtools.datasets import log_counts_array
from imtools.estimators.base import Estimator, offsets_of, register
from imtools.training import load_model, train
from imtools.training.loop import predict


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(Estimator):
    """A trained network."""

    model: object  # keras.Model
    mean: np.ndarray  # of log10 dN over the training maps, shape (log_l,)
    width: np.ndarray  # its standard deviation

    def point(self, inputs):
        """Return the network's values, brought back from standardised to log10 dN."""
        return predict(self.model, inputs, 32) * self.width + self.mean


@register("network")
def fit_network(experiment, data_train, data_validation, run_dir):
    """Train the network of `experiment` in `run_dir` and return it as an estimator."""
    train(experiment, data_train, data_validation, run_dir)
    return load_network(run_dir, experiment, data_validation)


def load_network(run_dir, experiment, data_validation):
    """Return the network that a run has trained, with intervals from validation catalogues.

    Parameters
    ----------
    run_dir : path-like
        Folder with ``model.keras`` and its manifest, both verified.
    experiment : Experiment
        Its noise is added to the validation maps.
    data_validation : xarray.Dataset
        Variables ``map`` and ``counts`` over ``sample``.

    Raises
    ------
    ValueError
        If the model is damaged, of another format or unsafe, or the maps differ from its own.
    """
    model, manifest = load_model(run_dir)
    target = {k: np.array(manifest["target"][k]) for k in ("mean", "width")}
    known = {
        "name": "network",
        "maps": manifest["maps"],
        "transform": manifest["experiment"]["preprocessing"]["transform"],
        "log_l_edges": np.array(manifest["log_l_edges"]),
    }
    network = Network(**known, **target, model=model)
    rng = np.random.default_rng([experiment.data.seed, 2])
    median = network.median(data_validation["map"], experiment, rng)
    offsets = offsets_of(log_counts_array(data_validation, experiment) - median)
    return replace(network, offsets=offsets)
