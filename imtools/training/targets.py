"""What a network is asked for, in its own scale, and back to log10 of the counts."""

from dataclasses import dataclass

import numpy as np
from scipy.special import ndtri

from imtools.counts import convert, luminosity_function
from imtools.experiment import Experiment
from imtools.experiment.checks import LOSSES
from imtools.networks import LEVELS, levels_of

RAW_LOSSES = ("msle", "poisson")  # these compare numbers, and not the network's scaled values


@dataclass(frozen=True, kw_only=True, eq=False)
class Target:
    """A quantity to learn: which one, whether its logarithm, and in which scale."""

    kind: str  # convention of the luminosity function, see `counts.convert`
    log: bool  # its log10, or the numbers as they are
    output: str  # what the network answers with, see `networks.outputs`
    loss: str  # with which loss it is fitted
    floor: float  # sources that an empty bin stands for under a logarithm
    volume: float  # of the field [Mpc^3]
    edges: np.ndarray  # log10 Lsun, shape (n_bins + 1,)
    mean: np.ndarray = 0.0  # of the quantity over the training maps, shape (n_bins,)
    width: np.ndarray = 1.0  # its standard deviation

    @classmethod
    def of(cls, experiment, counts=None):
        """Return the target of an experiment, its scale set by training `counts` (sample, log_l).

        Without counts, or where the experiment does not standardise, the network answers with the
        quantity itself.
        """
        training, output = experiment.training, experiment.network.output
        loss = LOSSES[output][0] if training.loss == "auto" else training.loss
        target = cls(
            kind=training.target, log=training.target_log, output=output, loss=loss,
            floor=experiment.counts.floor, volume=experiment.survey_object().volume,
            edges=np.log10(experiment.l_edges),
        )  # fmt: skip
        if counts is None or not training.standardise:
            n_bins = target.edges.size - 1
            return target.scaled_by(np.zeros(n_bins), np.ones(n_bins))
        values = target.quantity(counts)
        width = values.std(axis=0)
        # a bin that is the same in every training map has no width to divide by
        return target.scaled_by(values.mean(axis=0), np.where(width > 0, width, 1))

    @classmethod
    def from_manifest(cls, manifest):
        """Return the target of a saved network."""
        known = manifest["target"]
        target = cls.of(experiment_of(manifest))
        return target.scaled_by(np.array(known["mean"]), np.array(known["width"]))

    def scaled_by(self, mean, width):
        """Return the same target in another scale."""
        facts = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return Target(**facts | {"mean": mean, "width": width})

    def quantity(self, counts):
        """Return what is learnt, in its own units, for counts of shape (sample, log_l)."""
        dn = np.maximum(counts, self.floor) if self.log else np.asarray(counts, dtype=float)
        if self.log and self.kind == "n_cumulative":
            dn = counts  # the floor is that of the sum
        lf = luminosity_function(dn, 10**self.edges)
        values = convert(lf, self.kind, volume=self.volume).values
        if not self.log:
            return values
        return np.log10(np.maximum(values, self.floor) if self.kind == "n_cumulative" else values)

    def encode(self, counts):
        """Return what the loss compares with: scaled values, or for some losses the numbers.

        Parameters
        ----------
        counts : array_like, shape (sample, log_l)
            True dN.

        Returns
        -------
        numpy.ndarray, float32, shape (sample, log_l)
        """
        if self.loss == "poisson":
            return np.asarray(counts, dtype=np.float32)
        values = self.quantity(counts)
        if self.loss not in RAW_LOSSES:
            values = (values - self.mean) / self.width
        return values.astype(np.float32)

    def decode(self, answer):
        """Return log10 dN for a network's answer of values, shape (..., log_l).

        Where counts must be above the floor to have a logarithm (linear targets, and differences of
        N(>L), which a network may let rise), they are set to it.
        """
        values = np.asarray(answer, dtype=float) * self.width + self.mean
        if self.log and self.kind != "n_cumulative":
            return values - np.log10(self._per_source())
        values = 10**values if self.log else values
        if self.kind == "n_cumulative":
            dn = values - np.concatenate([values[..., 1:], 0 * values[..., :1]], axis=-1)
        else:
            dn = values / self._per_source()
        return np.log10(np.maximum(dn, self.floor))

    def quantiles(self, answer):
        """Return log10 dN at each of `levels`, or None where the network gives a point.

        Parameters
        ----------
        answer : numpy.ndarray
            What the network answers, see `networks.outputs`.

        Returns
        -------
        numpy.ndarray, shape (sample, quantile, log_l), or None
        """
        if self.output == "quantiles":
            return self.decode(answer)
        if self.output == "gaussian":
            inverse = np.linalg.inv(answer[..., 1:].astype(float))
            sigma = np.sqrt((inverse**2).sum(axis=-2))
            steps = ndtri(LEVELS)[:, None]
            return self.decode(answer[:, None, :, 0] + steps * sigma[:, None])
        return None

    def levels(self, answer):
        """Return the probabilities of the `quantiles` of an answer, fewer of an older network."""
        return levels_of(answer.shape[1]) if self.output == "quantiles" else LEVELS

    def draws(self, answer, rng, n_draws):
        """Return draws of log10 dN from the Gaussians of an answer, mean and factor.

        Returns
        -------
        numpy.ndarray, shape (sample, n_draws, log_l)

        Notes
        -----
        The answer holds W, and W times W transposed is the inverse covariance; so a draw is the
        mean plus what W transposed maps to standard normals.
        """
        mean, factor = answer[..., 0].astype(float), answer[..., 1:].astype(float)
        normals = rng.standard_normal((len(answer), mean.shape[1], n_draws))
        about = np.linalg.solve(np.swapaxes(factor, 1, 2), normals)
        return self.decode(mean[:, None] + np.swapaxes(about, 1, 2))

    def median(self, answer):
        """Return the median of log10 dN, shape (sample, log_l), whatever the network's output."""
        levels = self.quantiles(answer)
        return self.decode(answer) if levels is None else levels[:, levels.shape[1] // 2]

    def _per_source(self):
        """Return how much one source a bin is of the quantity, shape (n_bins,)."""
        one = luminosity_function(np.ones(self.edges.size - 1), 10**self.edges)
        return convert(one, self.kind, volume=self.volume).values


def experiment_of(manifest):
    """Return the experiment in a manifest; parameters it lacks, being older, are at default."""
    stages = manifest["experiment"].values()
    return Experiment.from_flat({name: v for stage in stages for name, v in stage.items()})
