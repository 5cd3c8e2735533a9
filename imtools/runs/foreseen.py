"""What a run will take, before it starts: memory, time of training, and the data set it needs."""

import json
from dataclasses import dataclass
from functools import cache

import numpy as np

from imtools.datasets import catalogue_path, n_catalogues, set_folder
from imtools.networks import predict_costs
from imtools.networks.costs import Costs
from imtools.networks.measured import TYPICAL_SPEED, rough_seconds
from imtools.networks.sketch import sketch
from imtools.runs.costing import BACKEND

FORWARD = 1 / 3  # of a training step, which goes back, too
OVERHEAD = 0.003  # s a step that Python and TensorFlow take, however small the network
BYTES = 4  # of a voxel on disk


@dataclass(frozen=True, kw_only=True)
class Foreseen:
    """What the training of an experiment, and its data set, will take."""

    costs: Costs | None  # None where the network reads a summary, whose size is not known yet
    blocks: list  # of the network, for `plots.networks.draw_network`
    memory: float  # of training at its peak [bytes]
    n_steps: int  # of an epoch
    seconds: float  # of training at most, on a machine of the speed that was given [s]
    n_maps: int
    set_bytes: float  # of the data set [bytes]
    n_missing: int  # catalogues that are still to be made
    n_catalogues: int


def foresee(experiment, *, speed=TYPICAL_SPEED):
    """Return what a run of an experiment will take.

    Parameters
    ----------
    experiment : Experiment
        All settings.
    speed : array_like, shape (2,)
        Seconds of a multiply-add and of a layer output, see `networks.measured.measure_speed`.

    Returns
    -------
    Foreseen
        No weight is made and no map. Time is that of every epoch; patience may end it earlier.

    Raises
    ------
    ValueError
        If the network runs out of voxels.
    """
    training, data = experiment.training, experiment.data
    n_maps = data.n_draws * n_catalogues(experiment)
    n_steps = training.steps_per_epoch or data.n_train * data.n_draws // training.batch_size
    folder, number = set_folder(experiment), n_catalogues(experiment)
    known = {
        "n_steps": n_steps, "n_maps": n_maps, "n_catalogues": number,
        "set_bytes": BYTES * float(n_maps) * float(np.prod(experiment.pooled_shape)),
        "n_missing": sum(not catalogue_path(folder, k).exists() for k in range(number)),
    }  # fmt: skip
    if experiment.network.reads != "map":
        return Foreseen(costs=None, blocks=[], memory=np.nan, seconds=np.nan, **known)
    n_freq, n_dec, n_ra = experiment.pooled_shape
    network = experiment.network.model_dump_json(exclude={"n_ensemble"})
    costs, blocks = _of_network(network, (n_dec, n_ra, n_freq), experiment.counts.n_bins)
    memory = BACKEND + costs.training_memory(training.batch_size, optimizer=training.optimizer)
    n_judged = training.validation_steps * training.batch_size or data.n_validation * data.n_draws
    epoch = n_steps * (OVERHEAD + rough_seconds(costs, speed, training.batch_size))
    epoch += FORWARD * rough_seconds(costs, speed, n_judged)
    seconds = experiment.network.n_ensemble * training.epochs * epoch
    return Foreseen(costs=costs, blocks=blocks, memory=memory, seconds=seconds, **known)


@cache  # a form asks again at every change
def _of_network(network, shape, n_bins):
    settings = json.loads(network)
    name = settings.pop("architecture")
    return predict_costs(name, shape, n_bins, **settings), sketch(name, shape, n_bins, **settings)
