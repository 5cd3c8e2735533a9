"""A trained network as an estimator, fitted here or loaded from the folder of its run."""

from dataclasses import dataclass, replace

import numpy as np

from imtools.counts import count_cells
from imtools.datasets import log_counts_array, network_inputs
from imtools.estimators.base import QUANTILES, Estimator, check_some, errors_of, register
from imtools.statistics import normal_ranks, scores_within, values_at
from imtools.training import Target, experiment_of, load_model, train
from imtools.training.loop import predict

N_COPULA = 4096  # rows that hold how the bins of a network's quantiles depend on each other


@dataclass(frozen=True, kw_only=True, eq=False)
class Network(Estimator):
    """A trained network."""

    model: object  # keras.Model
    target: Target  # what it was asked for, and in which scale
    reads: str = "map"  # or the name of a summary, see `datasets.network_inputs`
    temp_scale: float = 0.0  # of the summary [uK]
    scores: np.ndarray = None  # of validation truths among its own quantiles, (map, log_l)

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
        answer = self.answer(inputs)
        own = self.target.quantiles(answer)
        if own is None:
            return self.target.decode(answer)[:, None] + self.offsets
        levels = self.target.levels(answer)
        return own[:, [levels.index(level) for level in QUANTILES]]

    def answer(self, inputs):
        """Return the network's answer in its own scale, see `networks.outputs`."""
        return predict(self.model, inputs, 32)

    def sampler(self, rng):
        """Return a function of (answer, n_draws) that draws log10 dN, (n, n_draws, n_bins).

        A point is drawn about as any estimate is, and a Gaussian with its own covariance. Quantiles
        tell of each bin alone: the ranks of the validation truths among them are how bins depend
        on each other, whatever the map.
        """
        if self.target.output == "gaussian":
            return lambda answer, n_draws: self.target.draws(answer, rng, n_draws)
        if self.target.output == "point":
            sample = super().sampler(rng)
            return lambda answer, n_draws: sample(self.target.decode(answer), n_draws)
        known = self.residuals if self.scores is None else self.scores
        copula = normal_ranks(known, N_COPULA, rng)

        def sample_quantiles(answer, n_draws):
            own, levels = self.target.quantiles(answer), self.target.levels(answer)
            chosen = rng.integers(len(copula), size=(len(answer), n_draws))
            return values_at(own, levels, copula[chosen])

        return sample_quantiles


@register("network")
def fit_network(experiment, data_train, data_validation, run_dir):
    """Train the network of `experiment` in `run_dir` and return it as an estimator."""
    check_some(data_validation.sizes["sample"], "validation maps", caller="fit_network")
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
    answer = network.read_maps(network.answer, data_validation["map"], experiment, rng)
    median = network.target.median(answer)
    own = errors_of(log_counts_array(data_validation, experiment) - median)
    if network.target.output == "quantiles":
        cells = count_cells(data_validation["counts"].values, experiment.counts.floor)
        own["scores"] = scores_within(
            network.target.quantiles(answer), network.target.levels(answer), cells, rng
        )
    return replace(network, **own)
