"""11 uK in every voxel at full resolution: what a regression and two networks make of one summary.

All three are told voxel luminosities, alone and summed over 2 x 2 and 4 x 4 pixels: the same
numbers, of a few draws of the noise for each training map. Prints the rms of log10 dN about the
quoted luminosities, on the validation maps, which choose penalty and epoch, and on the test maps.
Uses the data set of the preset "full": 18 GB.

Run: python benchmarks/bench_noisy_counts.py [--draws 3] [--quick]
"""

import argparse
import time

import keras
import numpy as np

from imtools import datasets, networks
from imtools.counts import QUOTED_LOG_L, quoted_bins
from imtools.datasets import log_counts_array
from imtools.estimators.baselines import best_ridge
from imtools.experiment import Experiment
from imtools.run_folder import environment
from imtools.training import Target

NOISY = {"sigma_noise": 11.0, "reads": "luminosity_scales", "blank_share": 0.0}
NETWORKS = {"dense": {"dropout": 0.2}, "counting": {"dropout": 0.0}}
QUICK = {"n_pix": 64, "n_chan": 20, "n_train": 2, "n_validation": 1, "n_test": 1, "epochs": 3}


def trained(name, settings, experiment, inputs, counts, judged, truth):
    """Return the network that is best on the validation maps; each epoch has its draw of noise."""
    keras.utils.set_random_seed(experiment.data.seed)
    target, training = Target.of(experiment, counts), experiment.training
    model = networks.build(name, inputs[0].shape[1:], target.mean.size, **settings)
    networks.adapt(model, inputs[0], target=(target.mean, target.width))
    n_steps = training.epochs * (len(counts) // training.batch_size)
    rate = keras.optimizers.schedules.CosineDecay(training.learning_rate, n_steps)
    model.compile(optimizer=keras.optimizers.Adam(rate), loss="mse")
    best, weights, wanted = np.inf, None, target.encode(counts)
    for epoch in range(training.epochs):
        seen = inputs[epoch % len(inputs)]
        model.fit(seen, wanted, batch_size=training.batch_size, verbose=0)
        log_dn = target.decode(model.predict(judged, verbose=0))
        loss = np.mean(((log_dn - truth) / target.width) ** 2)
        if loss < best:
            best, weights = loss, model.get_weights()
    model.set_weights(weights)
    return lambda x: target.decode(model.predict(x, verbose=0))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--draws", type=int, default=3, help="of the noise of each training map")
    parser.add_argument("--quick", action="store_true", help="few maps, to see that it runs")
    asked = parser.parse_args()
    size = QUICK if asked.quick else {}
    experiment = Experiment.from_preset("full", **NOISY | size)
    folder = datasets.set_folder(experiment)
    datasets.build(experiment, folder)
    train, *others = (datasets.load(folder, side, lazy=True) for side in datasets.SIDES)
    rngs, start = np.random.default_rng(1).spawn(asked.draws + 2), time.perf_counter()
    inputs = [datasets.network_inputs(train["map"], experiment, rng) for rng in rngs[2:]]
    (judged, truth), (asked_of, wanted) = (
        (datasets.network_inputs(data["map"], experiment, rng), log_counts_array(data, experiment))
        for data, rng in zip(others, rngs[:2], strict=True)
    )
    print(
        f"{environment()['device']}, {len(inputs[0])} training maps with {asked.draws} draws of "
        f"the noise, summed up in {time.perf_counter() - start:.0f} s"
    )
    counts, known = train["counts"].values, log_counts_array(train, experiment)
    flat = np.concatenate(inputs)[:, 0, 0]
    ridge = best_ridge((flat, np.tile(known, (asked.draws, 1))), (judged[:, 0, 0], truth))
    answers = {"ridge": lambda x: ridge.predict(x[:, 0, 0])}
    for name, own in NETWORKS.items():
        settings = experiment.network.model_dump(exclude={"architecture"}) | own
        settings["log_l_edges"] = np.log10(experiment.l_edges).tolist()
        answers[name] = trained(name, settings, experiment, inputs, counts, judged, truth)
    places = [list(quoted_bins(np.log10(experiment.l_edges), x)) for x in QUOTED_LOG_L]
    print(f"{'rms [dex]':21} |", *(f"{x:5g}" for x in QUOTED_LOG_L))
    for side, seen, true in (("validation", judged, truth), ("test", asked_of, wanted)):
        for name, answer in answers.items():
            square = (answer(seen) - true) ** 2
            rms = [np.sqrt(square[:, bins].mean()) for bins in places]
            print(f"{name:9} {side:11} |", *(f"{x:5.3f}" for x in rms))


if __name__ == "__main__":
    main()
