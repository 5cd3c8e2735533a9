"""Cost the networks of experiments: the program that `feasible` starts, with Keras in it.

It reads a JSON list from its input, and writes one: for each experiment the bytes that training its
network takes, or why it cannot be done.
"""

import json
import sys
from difflib import get_close_matches
from functools import cache

from imtools.datasets import input_shape
from imtools.estimators import SUMMARIES
from imtools.experiment import Experiment
from imtools.networks import ARCHITECTURES, predict_costs

BACKEND = 6e8  # bytes that TensorFlow takes for itself on a CPU


def answer(question):
    """Return ``{"bytes": ...}``, ``{"error": ...}``, or nothing of the two if it does not train."""
    experiment = Experiment.from_flat(question["experiment"])
    try:
        check_registered("architecture", experiment.network.architecture, ARCHITECTURES)
        for name in filter(None, map(str.strip, experiment.evaluation.summaries.split(","))):
            check_registered("summaries", name, SUMMARIES)
        return {"bytes": _bytes(experiment)} if question["trains"] else {}
    except ValueError as error:
        return {"error": str(error)}


def check_registered(parameter, name, registry):
    """Raise unless `name` stands in the registry; the nearest is named."""
    if name not in registry:
        near = get_close_matches(name, registry, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        msg = f"{parameter} is {name!r}, expected one of {', '.join(registry)}{hint}"
        raise ValueError(msg)


def _bytes(experiment):
    """Return the memory that training the network of an experiment takes at its peak [bytes]."""
    network = experiment.network.model_dump_json(exclude={"n_ensemble"})
    costs = _costs(network, _shape(experiment), experiment.counts.n_bins)
    training = experiment.training
    return BACKEND + costs.training_memory(training.batch_size, optimizer=training.optimizer)


def _shape(experiment):
    """Return the shape of what the network reads; a summary of a map takes its time."""
    if experiment.network.reads == "map":
        return input_shape(experiment)
    shaping = {"survey", "preprocessing", "observing", "network"}
    return _shape_of_summary(experiment.model_dump_json(include=shaping))


@cache
def _shape_of_summary(shaping):
    return input_shape(Experiment.from_json(shaping).replace(batch_size=1))


@cache  # a sweep has many points and few networks
def _costs(network, shape, n_bins):
    settings = json.loads(network)
    return predict_costs(settings.pop("architecture"), shape, n_bins, **settings)


if __name__ == "__main__":
    print(json.dumps([answer(question) for question in json.load(sys.stdin)]))  # noqa: T201
