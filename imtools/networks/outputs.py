"""What a network answers with: log counts alone, quantiles of them, or mean and covariance.

The last axis but those of the answer is always the luminosity bin, as in the targets:

========== ============================= ===========================================
output     shape of one sample           holds
========== ============================= ===========================================
point      (n_outputs,)                  log counts
quantiles  (n_quantiles, n_outputs)      log counts at each of ``LEVELS``, ascending
gaussian   (n_outputs, 1 + n_outputs)    the mean, and the lower-triangular factor W of
                                         the inverse covariance, W times W transposed
========== ============================= ===========================================
"""

import keras
import numpy as np
from keras import ops

from imtools.networks.layers import PACKAGE

OUTPUTS = ("point", "quantiles", "gaussian")
# 95, 68 and 50 % intervals, the median, and others between: bins of few sources have steps there
LEVELS = (0.025, 0.07, 0.16, 0.25, 0.37, 0.5, 0.63, 0.75, 0.84, 0.93, 0.975)
FIRST_LEVELS = (0.025, 0.16, 0.5, 0.84, 0.975)  # of networks saved before there were more


def n_raw(output, n_outputs):
    """Return how many numbers the layer before the answer must give.

    Parameters
    ----------
    output : {"point", "quantiles", "gaussian"}
        Kind of answer.
    n_outputs : int
        Bins of the luminosity function.

    Raises
    ------
    ValueError
        If there is no such output.

    Examples
    --------
    >>> [n_raw(output, 49) for output in OUTPUTS]
    [49, 539, 1274]
    """
    sizes = {
        "point": n_outputs,
        "quantiles": len(LEVELS) * n_outputs,
        "gaussian": n_outputs + n_outputs * (n_outputs + 1) // 2,
    }
    if output not in sizes:
        msg = f"n_raw: output is {output!r}, expected one of {', '.join(sizes)}"
        raise ValueError(msg)
    return sizes[output]


def levels_of(n_levels):
    """Return the probabilities of so many quantiles: ``LEVELS``, or those of an older network.

    Raises
    ------
    ValueError
        If no network answers with so many.

    Examples
    --------
    >>> levels_of(5)
    (0.025, 0.16, 0.5, 0.84, 0.975)
    """
    for levels in (LEVELS, FIRST_LEVELS):
        if len(levels) == n_levels:
            return levels
    msg = (
        f"levels_of: a network answers with {n_levels} quantiles, expected {len(LEVELS)}, or "
        f"{len(FIRST_LEVELS)} of an older one; train it again"
    )
    raise ValueError(msg)


def raw_name(output, name="log_dn"):
    """Return the name of the layer before the answer; for a point that is the answer's."""
    return name if output == "point" else f"{name}_raw"


def answer_of(x, n_outputs, output):
    """Return the answer of a last dense layer that reads `x`, shape (batch, n)."""
    raw = keras.layers.Dense(n_raw(output, n_outputs), name=raw_name(output))(x)
    return shape_answer(raw, n_outputs, output)


def shape_answer(raw, n_outputs, output, *, name="log_dn"):
    """Return the answer made of the `n_raw` numbers of each sample.

    Parameters
    ----------
    raw : keras.KerasTensor, shape (batch, n_raw(output, n_outputs))
        Any numbers.
    n_outputs : int
        Bins of the luminosity function.
    output : {"point", "quantiles", "gaussian"}
        Kind of answer.
    name : str
        Name of the layer.
    """
    if output == "quantiles":
        return OrderedQuantiles(n_outputs, name=name)(raw)
    if output == "gaussian":
        return MeanAndFactor(n_outputs, name=name)(raw)
    return raw


def mean_and_covariance(answer):
    """Return mean (batch, n_outputs) and covariance (batch, n_outputs, n_outputs).

    Parameters
    ----------
    answer : array, shape (batch, n_outputs, 1 + n_outputs)
        What a network with output "gaussian" answers.
    """
    mean, factor = answer[..., 0], answer[..., 1:]
    inverse = ops.inv(factor)
    return mean, ops.matmul(ops.swapaxes(inverse, -1, -2), inverse)


@keras.saving.register_keras_serializable(package=PACKAGE)
class OrderedQuantiles(keras.layers.Layer):
    """Numbers to quantiles that cannot cross: a median, and steps up and down from it.

    Parameters
    ----------
    n_outputs : int
        Bins of the luminosity function.
    levels : sequence of float
        Probabilities, ascending, an odd number of them.
    """

    def __init__(self, n_outputs, levels=LEVELS, **kwargs):
        super().__init__(**kwargs)
        self.n_outputs, self.levels = n_outputs, tuple(levels)
        inside = all(0 < p < 1 for p in self.levels)
        if not inside or list(self.levels) != sorted(set(levels)) or len(self.levels) % 2 == 0:
            msg = (
                f"OrderedQuantiles: levels are {self.levels}, expected an odd number between 0 "
                "and 1, ascending"
            )
            raise ValueError(msg)

    def call(self, inputs):
        """Return the quantiles, shape (batch, n_quantiles, n_outputs)."""
        n_levels = len(self.levels)
        half = n_levels // 2
        raw = ops.reshape(inputs, (-1, n_levels, self.n_outputs))
        median, steps = raw[:, half : half + 1], ops.softplus(raw)
        down = ops.flip(ops.cumsum(ops.flip(steps[:, :half], axis=1), axis=1), axis=1)
        up = ops.cumsum(steps[:, half + 1 :], axis=1)
        return ops.concatenate([median - down, median, median + up], axis=1)

    def compute_output_shape(self, input_shape):
        """Return (batch, n_quantiles, n_outputs)."""
        return (input_shape[0], len(self.levels), self.n_outputs)

    def get_config(self):
        """Return every argument of ``__init__``."""
        return super().get_config() | {"n_outputs": self.n_outputs, "levels": list(self.levels)}


@keras.saving.register_keras_serializable(package=PACKAGE)
class MeanAndFactor(keras.layers.Layer):
    """Numbers to a mean and the triangular factor of an inverse covariance, its diagonal positive.

    The likelihood then needs no inverse, which in a dozen bins grows beyond all bounds.

    Parameters
    ----------
    n_outputs : int
        Bins of the luminosity function.
    floor : float
        Least value on the diagonal of the factor, so that the covariance stays finite.
    """

    def __init__(self, n_outputs, floor=1e-3, **kwargs):
        super().__init__(**kwargs)
        if not floor > 0:
            msg = f"MeanAndFactor: floor is {floor}, expected > 0"
            raise ValueError(msg)
        self.n_outputs, self.floor = n_outputs, floor

    def call(self, inputs):
        """Return mean and factor beside each other, shape (batch, n_outputs, 1 + n_outputs)."""
        n = self.n_outputs
        diagonal = ops.softplus(inputs[:, n : 2 * n]) + self.floor
        zero = ops.zeros_like(inputs[:, :1])
        parts = [inputs[:, :n], diagonal, inputs[:, 2 * n :], zero]
        answer = ops.take(ops.concatenate(parts, axis=1), self._places().ravel(), axis=1)
        return ops.reshape(answer, (-1, n, 1 + n))

    def _places(self):
        """Return where each number of the answer stands among the raw ones, a zero after them."""
        n = self.n_outputs
        places = np.full((n, 1 + n), n_raw("gaussian", n), dtype="int32")
        places[:, 0] = np.arange(n)
        places[np.arange(n), 1 + np.arange(n)] = n + np.arange(n)
        rows, columns = np.tril_indices(n, -1)
        places[rows, 1 + columns] = 2 * n + np.arange(rows.size)
        return places

    def compute_output_shape(self, input_shape):
        """Return (batch, n_outputs, 1 + n_outputs)."""
        return (input_shape[0], self.n_outputs, 1 + self.n_outputs)

    def get_config(self):
        """Return every argument of ``__init__``."""
        return super().get_config() | {"n_outputs": self.n_outputs, "floor": self.floor}
