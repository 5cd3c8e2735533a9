"""Which voxels move the answer in one luminosity bin: by the gradient, and by covering them."""

import keras
import numpy as np
from keras import ops

from imtools.networks.inside import CHUNK, answers, point_answer


def gradient(model, inputs, output):
    """Return how the answer in one bin changes with each voxel.

    Parameters
    ----------
    model : keras.Model
        Network with any kind of output; an ensemble answers with its mean.
    inputs : numpy.ndarray, float32, shape (n, n_dec, n_ra, n_freq)
        Network inputs.
    output : int
        Number of the luminosity bin.

    Returns
    -------
    numpy.ndarray, shape of `inputs`
        Change of the answer for a unit of the scaled temperature, both as the network has them:
        times the width of the targets it is in dex.

    Raises
    ------
    ValueError
        If the network has no such bin, or the backend no gradient; `occlusion` needs none.
    """
    model = point_answer(model)
    n_outputs, backend = model.output_shape[-1], keras.backend.backend()
    if not 0 <= output < n_outputs:
        msg = f"gradient: output is {output}, expected one of the {n_outputs} bins from 0"
        raise ValueError(msg)
    if backend not in GRADIENTS:
        msg = f"gradient: no gradient with {backend}, expected {', '.join(GRADIENTS)}; cover voxels"
        raise ValueError(msg)
    one = GRADIENTS[backend]
    parts = [one(model, inputs[i : i + CHUNK], output) for i in range(0, len(inputs), CHUNK)]
    return np.concatenate(parts)


def occlusion(model, inputs, output, *, patch):
    """Return how the answer in one bin changes when a patch of the sky is made blank.

    Parameters
    ----------
    model, inputs, output
        As for `gradient`; no gradient is taken, so any backend will do.
    patch : int
        Side of the patches [pixels], through all channels; a divisor of n_dec and n_ra.

    Returns
    -------
    numpy.ndarray, shape (n, n_dec // patch, n_ra // patch)
        Answer with the patch made blank (scaled temperature 0) minus the answer to the whole map.

    Raises
    ------
    ValueError
        If patches do not fill the map.
    """
    n, n_dec, n_ra, _ = inputs.shape
    if n_dec % patch or n_ra % patch:
        msg = f"occlusion: patch is {patch}, expected a divisor of {n_dec} and {n_ra} pixels"
        raise ValueError(msg)
    whole = answers(model, inputs)[:, output]
    change = np.empty((n, n_dec // patch, n_ra // patch), dtype=np.float32)
    for i, j in np.ndindex(change.shape[1:]):
        covered = inputs.copy()
        covered[:, i * patch : (i + 1) * patch, j * patch : (j + 1) * patch] = 0
        change[:, i, j] = answers(model, covered)[:, output] - whole
    return change


def sum_patches(values, patch):
    """Return sums over patches of the sky and all channels, for comparison with `occlusion`.

    Parameters
    ----------
    values : numpy.ndarray, shape (n, n_dec, n_ra, n_freq)
        Of each voxel, for instance minus gradient times input: what covering a voxel would change
        if the network were linear.
    patch : int
        Side of the patches [pixels].
    """
    n, n_dec, n_ra, n_freq = values.shape
    cut = values.reshape(n, n_dec // patch, patch, n_ra // patch, patch, n_freq)
    return cut.sum(axis=(2, 4, 5))


def mean_by_temperature(gradients, inputs, edges):
    """Return the mean gradient of the voxels in each bin of scaled temperature.

    Parameters
    ----------
    gradients, inputs : numpy.ndarray, of one shape
        What `gradient` gave, and for what.
    edges : numpy.ndarray, shape (n_bins + 1,)
        Bins of scaled temperature.

    Returns
    -------
    numpy.ndarray, shape (n_bins,)
        NaN where there is no voxel.
    """
    index = np.digitize(inputs.ravel(), edges) - 1
    inside = (index >= 0) & (index < edges.size - 1)
    index, values = index[inside], gradients.ravel()[inside]
    counts = np.bincount(index, minlength=edges.size - 1)
    sums = np.bincount(index, weights=values, minlength=edges.size - 1)
    return np.where(counts > 0, sums / np.maximum(counts, 1), np.nan)


def _with_tensorflow(model, inputs, output):
    import tensorflow as tf

    voxels = tf.convert_to_tensor(inputs)
    with tf.GradientTape() as tape:
        tape.watch(voxels)
        answer = tf.reduce_sum(model(voxels, training=False)[:, output])
    return tape.gradient(answer, voxels).numpy()


def _with_torch(model, inputs, output):
    voxels = ops.convert_to_tensor(inputs).requires_grad_(True)
    answer = ops.sum(model(voxels, training=False)[:, output])
    answer.backward()
    return ops.convert_to_numpy(voxels.grad)


def _with_jax(model, inputs, output):
    import jax

    def answer(voxels):
        return ops.sum(model(voxels, training=False)[:, output])

    return np.asarray(jax.grad(answer)(ops.convert_to_tensor(inputs)))


GRADIENTS = {"tensorflow": _with_tensorflow, "torch": _with_torch, "jax": _with_jax}
