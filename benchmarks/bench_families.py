"""A family of luminosity models that training never saw: how far off are its counts?

One data set at full resolution, in which all families take turns; for each family a network that
was trained on the others. Prints the rms of log10 dN between 10^4 and 10^6 Lsun where more than
30 sources are in the bin, for the network and for the voxels as counted, without any training; and
what each network says of a blank map. The data set takes 16 GB and a quarter of an hour.
"""

import argparse
import tempfile
import time

import numpy as np

from imtools import datasets, estimators, networks
from imtools.counts import log_counts
from imtools.experiment import Experiment
from imtools.run_folder import environment

FAMILIES = (
    "li2016", "padmanabhan2018", "breysse2014", "comap2022", "keating2016", "schechter",
)  # fmt: skip
MIXTURE = "+".join(("flexible",) * 3 + FAMILIES)
SIZE = {"n_train": 24, "n_validation": 4, "n_test": 6, "n_draws": 18}
QUICK = SIZE | {"n_train": 2, "n_validation": 1, "n_test": 1, "n_draws": 9, "batch_size": 8}
NETWORK = {
    "architecture": "counting", "reads": "luminosity", "blank_share": 0.1, "epochs": 150,
    "optimizer": "adamw", "weight_decay": 0.01,
}  # fmt: skip


def rms_of(log_dn, data, floor):
    """Return the rms and the median error [dex] where there are more than 30 sources in a bin."""
    truth = log_counts(data["counts"], floor).values
    log_l = data["log_l"].values
    scored = (data["counts"].values > 30) & (log_l > 4) & (log_l < 6)
    error = (log_dn - truth)[scored]
    return np.sqrt(np.mean(error**2)), np.median(np.abs(error))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few maps, to see that it runs")
    size = QUICK if parser.parse_args().quick else SIZE
    size = size | {"luminosity_model": MIXTURE, "prior": "wide"}
    experiment = Experiment.from_preset("full", **size | NETWORK)
    folder = datasets.set_folder(experiment)
    datasets.build(experiment, folder)
    sides = [datasets.load(folder, side, lazy=True) for side in datasets.SIDES]
    print(f"{environment()['device']}, {sides[0].sizes['sample']} training maps, {MIXTURE}")
    print(f"{'left out':16} {'network rms':>12} {'median':>8} {'counted rms':>12} {'median':>8}"
          f" {'blank dN':>9} {'maps':>5} {'s':>5}")  # fmt: skip
    for family in FAMILIES:
        start = time.perf_counter()
        train, validation = (datasets.leave_out_families(side, family) for side in sides[:2])
        test = datasets.select_families(sides[2], family)
        with tempfile.TemporaryDirectory() as run_dir:
            network = estimators.fit_network(experiment, train, validation, run_dir)
        inputs = network.inputs(test["map"], experiment)
        counter = networks.VoxelCounts(np.log10(experiment.l_edges))
        counted = np.array(counter(inputs[:, 0, 0]))[:, : experiment.counts.n_bins]
        blank = 10 ** network.median(0 * test["map"][:1].compute(), experiment).max()
        numbers = [
            *rms_of(network.point(inputs), test, experiment.counts.floor),
            *rms_of(counted, test, experiment.counts.floor),
        ]
        texts = [f"{x:{w}.3f}" for x, w in zip(numbers, (12, 8, 12, 8), strict=True)]
        seconds = time.perf_counter() - start
        texts.append(f"{blank:9.2f} {len(inputs):5d} {seconds:5.0f}")
        print(f"{family:16}", *texts, flush=True)


if __name__ == "__main__":
    main()
