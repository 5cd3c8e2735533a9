"""A trained network as an estimator, fitted here or loaded from the folder of its run."""

from dataclasses import dataclass, replace

import numpy as np

from imtools.datasets import log_counts_array, network_inputs
from imtools.estimators.base import Estimator, offsets_of, register
from imtools.training import Target, experiment_of, load_model, train
from imtools.training.loop import predict


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(Estimator):
    """A trained network."""

    model: object  # keras.Model
    target: Target  # what it was asked for, and in which scale
    reads: str = "map"  # or the name of a summary, see `datasets.network_inputs`
    temp_scale: float = 0.0  # of the summary [uK]

    def inputs(self, maps, experiment, rng=None):
        """Return what the network reads of the maps, in the bins of its training."""
        # whatever the architecture: it has no say in what the network reads
        known = {"architecture": "counting" if self.reads == "luminosity" else "dense"}
        known |= {"reads": self.reads, "temp_scale": self.temp_scale}
        return network_inputs(maps, experiment.replace(**known), rng)

    def point(self, inputs):
        """Return the network's values or medians, brought back to log10 dN."""
        return self.target.median(predict(self.model, inputs, 32))

    def quantiles(self, inputs):
        """Return the network's own quantiles; for a point, those of its errors in validation."""
        own = self.target.quantiles(predict(self.model, inputs, 32))
        return super().quantiles(inputs) if own is None else own


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
    known = {
        "name": "network",
        "maps": manifest["maps"],
        "transform": manifest["experiment"]["preprocessing"]["transform"],
        "log_l_edges": np.array(manifest["log_l_edges"]),
    }
    trained = experiment_of(manifest).network
    known |= {"reads": trained.reads, "temp_scale": trained.temp_scale}
    network = Network(**known, target=Target.from_manifest(manifest), model=model)
    rng = np.random.default_rng([experiment.data.seed, 2])
    median = network.median(data_validation["map"], experiment, rng)
    offsets = offsets_of(log_counts_array(data_validation, experiment) - median)
    return replace(network, offsets=offsets)
