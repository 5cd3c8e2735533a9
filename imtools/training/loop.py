"""The training loop of one network: every batch a pure function of seed, epoch and index."""

import time

import keras
import numpy as np
from tqdm import tqdm

from imtools.training.losses import loss_of

LAST_STEP = 0.01  # of an exponential schedule, in units of its first


class NonFiniteLossError(ArithmeticError):
    """The loss became NaN or infinite; the best network until then is kept."""


def device_name():
    """Return the backend and the device that Keras trains on, such as ``"tensorflow cpu:0"``."""
    backend = keras.backend.backend()
    if backend == "torch":  # Keras lists no devices there
        return f"torch {keras.ops.zeros(1).device}"
    devices = keras.distribution.list_devices()
    accelerators = [d for d in devices if not str(d).startswith("cpu")]
    return f"{backend} {(accelerators or devices)[0]}"


def compile_network(model, training, n_steps, loss):
    """Compile `model` for `loss` with the optimizer of `training`, a TrainingStage."""
    n_all = training.epochs * n_steps
    schedules = keras.optimizers.schedules
    rate = {
        "cosine": lambda first: schedules.CosineDecay(first, decay_steps=n_all),
        "exponential": lambda first: schedules.ExponentialDecay(first, n_all, LAST_STEP),
        "constant": lambda first: first,
    }[training.schedule](training.learning_rate)
    optimizers = {
        "adam": keras.optimizers.Adam,
        "adamw": keras.optimizers.AdamW,
        "sgd": lambda **settings: keras.optimizers.SGD(momentum=training.momentum, **settings),
    }
    optimizer = optimizers[training.optimizer](
        learning_rate=rate, weight_decay=training.weight_decay
    )
    # XLA made TensorFlow's training on a CPU 2 to 8 times slower; JAX compiles or crawls
    compiled = keras.backend.backend() == "jax"
    model.compile(optimizer=optimizer, loss=loss, jit_compile=compiled)


def fit(model, batches, validation, training, *, target, keep, log, label="train"):
    """Train a network until it no longer gets better, and leave it at its best weights.

    Parameters
    ----------
    model : keras.Model
        Network; compiled here.
    batches : object
        ``n_batches()`` full batches an epoch, ``batch(epoch, index)`` returns (inputs, dN).
    validation : tuple of numpy.ndarray
        Inputs and dN that choose the best epoch.
    training : TrainingStage
        Settings; ``steps_per_epoch`` 0 takes every full batch once an epoch.
    target : Target
        What is learnt, and with which loss.
    keep : callable
        ``keep(epoch, loss)``, called whenever the validation loss has fallen to a new low.
    log : callable
        ``log(row)``, called with a dict at the end of each epoch.
    label : str
        In front of the progress bar.

    Raises
    ------
    NonFiniteLossError
        If a loss is NaN or infinite.
    """
    n_full = batches.n_batches()
    n_steps = training.steps_per_epoch or n_full
    if n_full < 1:
        msg = f"fit: fewer maps than batch_size {training.batch_size}; lower batch_size"
        raise ValueError(msg)
    loss_function = loss_of(target)
    compile_network(model, training, n_steps, loss_function)
    known = validation[0], target.encode(validation[1])
    best, best_epoch, weights = np.inf, -1, None
    with tqdm(range(training.epochs), desc=label, unit="epoch", mininterval=1) as bar:
        for epoch in bar:
            start = time.perf_counter()
            steps = range(epoch * n_steps, (epoch + 1) * n_steps)
            loss = _train_steps(model, batches, steps, n_full, epoch, target)
            loss_now = validation_loss(model, *known, loss_function, training.batch_size)
            _finite(loss_now, epoch)
            seconds = round(time.perf_counter() - start, 3)
            log({"epoch": epoch, "loss": loss, "validation_loss": loss_now, "seconds": seconds})
            bar.set_postfix(loss=f"{loss:.4g}", validation=f"{loss_now:.4g}", refresh=False)
            if loss_now < best:
                best, best_epoch, weights = loss_now, epoch, model.get_weights()
                keep(epoch, loss_now)
            elif epoch - best_epoch >= training.patience:
                break
    model.set_weights(weights)


def _train_steps(model, batches, steps, n_full, epoch, target):
    """Take `steps` of the training, counted from its start, and return their mean loss."""
    losses = []
    for step in steps:
        inputs, counts = batches.batch(*divmod(step, n_full))
        losses.append(_finite(model.train_on_batch(inputs, target.encode(counts)), epoch))
    return float(np.mean(losses))


def _finite(loss, epoch):
    loss = float(loss)
    if not np.isfinite(loss):
        msg = f"fit: nan: the loss is {loss} in epoch {epoch}; lower learning_rate, or check inputs"
        raise NonFiniteLossError(msg)
    return loss


def validation_loss(model, inputs, true, loss_function, batch_size):
    """Return the mean loss on `inputs` as the network stands, without dropout."""
    answers = predict(model, inputs, batch_size)
    starts = range(0, len(inputs), batch_size)
    losses = [
        keras.ops.convert_to_numpy(
            loss_function(true[i : i + batch_size], answers[i : i + batch_size])
        )
        for i in starts
    ]
    return float(np.mean(np.concatenate(losses)))


def predict(model, inputs, batch_size):
    """Return the outputs for any number of inputs, `batch_size` at a time."""
    starts = range(0, len(inputs), batch_size)
    outputs = [model.predict_on_batch(inputs[i : i + batch_size]) for i in starts]
    return np.concatenate([keras.ops.convert_to_numpy(out) for out in outputs])
