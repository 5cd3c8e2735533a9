"""What a network's answer is compared by; each loss is a mean over bins, one number a map."""

import numpy as np
from keras import ops

from imtools.networks import LEVELS

LARGEST = 12.0  # log10 of the largest rate that is told apart, far above any count


def loss_of(target):
    """Return the loss of a target as a function (true, answer) -> array of shape (batch,).

    Parameters
    ----------
    target : Target
        Its `encode` gives what is true.

    Notes
    -----
    ========  ====================================================================
    mse       mean square error of scaled values
    msle      mean square error of ln(1 + value); a value below 0 counts as 0
    poisson   Poisson deviance of true counts about a rate whose log10 is answered
    pinball   each quantile's own loss, least in the mean at the true quantile
    nll       minus the log likelihood of a Gaussian, a bin
    ========  ====================================================================

    References
    ----------
    .. [1] Pinball loss: Koenker & Bassett 1978, Econometrica 46, 33
    .. [2] Poisson deviance: McCullagh & Nelder 1989, Generalized Linear Models, section 2.3
    """
    mean, width = (np.asarray(v, dtype="float32") for v in (target.mean, target.width))

    def value(answer):
        return answer * width + mean

    def mse(true, answer):
        return ops.mean((true - answer) ** 2, axis=-1)

    def msle(true, answer):
        return ops.mean((ops.log1p(true) - ops.log1p(ops.relu(value(answer)))) ** 2, axis=-1)

    def poisson(true, answer):
        log_rate = np.log(10) * ops.clip(value(answer), -LARGEST, LARGEST)
        own = true * ops.log(ops.maximum(true, 1e-6)) - true  # of a rate that is right
        return 2 * ops.mean(ops.exp(log_rate) - true * log_rate + own, axis=-1)

    def pinball(true, answer):
        levels = np.array(LEVELS, dtype="float32")[:, None]
        above = ops.expand_dims(true, 1) - answer
        return ops.mean(ops.maximum(levels * above, (levels - 1) * above), axis=(1, 2))

    def nll(true, answer):
        centre, factor = answer[..., 0], answer[..., 1:]
        scaled = ops.sum(factor * ops.expand_dims(true - centre, -1), axis=-2)
        diagonal = ops.log(ops.diagonal(factor, axis1=-2, axis2=-1))
        return ops.mean(0.5 * scaled**2 - diagonal, axis=-1)

    losses = {"mse": mse, "msle": msle, "poisson": poisson, "pinball": pinball, "nll": nll}
    return losses[target.loss]
