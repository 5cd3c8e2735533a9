"""Training batches, each a pure function of seed, epoch and index."""

import numpy as np

from imtools.datasets.reading import network_inputs

N_DRAWS = 8  # of the noise of each map, where a network reads a summary
N_BLANKS = 64  # maps of noise alone, likewise
SMALL = 64e6  # bytes of a batch's maps, below which two are drawn at a time


class Batches:
    """Training batches; each is a pure function of seed, epoch and index.

    Parameters
    ----------
    data : xarray.Dataset
        One side of a data set, from `load`.
    experiment : Experiment
        Batch size, noise, transform and the share of blank maps.
    seed : int
        Root of the order, the noise and the choice of blanks.
    """

    def __init__(self, data, experiment, seed):
        self.maps = data["map"]
        self.counts = data["counts"].values.astype(np.float32)
        self.experiment = experiment
        self.seed = seed
        self.inputs, self.blanks = self._known_inputs()

    @property
    def at_once(self):
        """How many batches may be drawn at a time, by the memory that they take."""
        size = self.experiment.training.batch_size * self.maps.nbytes / max(1, len(self.counts))
        return 2 if size < SMALL else 1

    def n_batches(self):
        """Return how many full batches an epoch has; a short last one is never drawn."""
        return len(self.counts) // self.experiment.training.batch_size

    def batch(self, epoch, index):
        """Return (inputs, dN) of one batch.

        Raises
        ------
        IndexError
            If there is no such full batch.
        """
        if not 0 <= index < self.n_batches():
            msg = (
                f"Batches.batch: index is {index}, expected one of the {self.n_batches()} full "
                f"batches of {self.experiment.training.batch_size} among {len(self.counts)} maps"
            )
            raise IndexError(msg)
        order = self._rng(epoch).permutation(len(self.counts))
        size = self.experiment.training.batch_size
        chosen = order[index * size : (index + 1) * size]
        blank = self._rng(epoch, index, 0).random(size) < self.experiment.training.blank_share
        counts = np.where(blank[:, None], np.float32(0), self.counts[chosen])
        rng = self._rng(epoch, index)
        if self.inputs is None:
            maps = self.maps[chosen].compute()
            dark = maps.copy(data=np.where(blank[:, None, None, None], 0, maps.values))
            return network_inputs(dark if blank.any() else maps, self.experiment, rng), counts
        inputs = self.inputs[epoch % len(self.inputs)][chosen]
        if blank.any():
            inputs[blank] = self.blanks[rng.integers(len(self.blanks), size=blank.sum())]
        return inputs, counts

    def _known_inputs(self):
        """Return inputs of all maps and of blank ones, or None where each epoch makes its own.

        Without noise a map looks the same every time. A summary takes longer to make than to learn
        from: it is made of a few draws of the noise, which take turns.
        """
        reads_maps = self.experiment.network.reads == "map"
        noisy = self.experiment.observing.sigma_noise > 0
        if reads_maps and (noisy or self.maps.chunks):
            return None, None
        rngs = [self._rng(draw) for draw in range(N_DRAWS if noisy else 1)]
        known = [network_inputs(self.maps, self.experiment, rng) for rng in rngs]
        if self.experiment.training.blank_share == 0:
            return known, None
        dark = 0 * self.maps[[0] * (N_BLANKS if noisy else 1)].compute()
        return known, network_inputs(dark, self.experiment, self._rng(N_DRAWS))

    def _rng(self, *key):
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=key))
