"""The additive network: a field's counts are the sum of what each of its patches holds."""

import keras
import numpy as np
from keras import ops

from imtools.networks.blocks import check_choice, drop
from imtools.networks.layers import PACKAGE
from imtools.networks.registry import check_input_shape, register

LEAST = 1e-6  # sources, under the logarithm


@register("additive")
def build_additive(
    input_shape,
    n_outputs,
    *,
    n_blocks=2,
    filters=64,
    patch=4,
    n_dims=3,
    freq_channel=True,
    dropout=0.0,
    output="point",
):
    """Build a network whose counts are a sum over patches, the same function of each.

    Two fields beside each other hold the counts of both, whatever the network has learnt. So it
    can learn from small fields and be applied to one of any size, see `resized`.

    Parameters
    ----------
    input_shape : tuple of int
        (n_dec, n_ra, n_freq); n_dec and n_ra are multiples of `patch`.
    n_outputs : int
        Bins of the luminosity function.
    n_blocks : int
        Hidden layers between a patch and its counts.
    filters : int
        Units of each hidden layer.
    patch : int
        Side of a patch [pixels].
    n_dims : {2, 3}
        A patch holds all channels (2), or a single one (3).
    freq_channel : bool
        Tell each patch its frequency, where `n_dims` is 3.
    dropout : float
        Share of the last hidden units dropped in training.
    output : {"point"}
        Kind of answer; quantiles and covariances of a sum are no sums.

    Returns
    -------
    keras.Model
        Not compiled. Its answer is log10 of the summed counts, brought to the scale of the targets
        that `adapt` was told.

    Raises
    ------
    ValueError
        If the sky is no whole number of patches, or a setting is none of its choices.
    """
    caller = "build_additive"
    shape = check_input_shape(input_shape, caller=caller)
    check_choice(n_dims, (2, 3), name="n_dims", caller=caller)
    if output != "point":
        msg = (
            f"{caller}: output is {output!r}, expected 'point', since quantiles and covariances "
            "do not add up; use notes_cnn, resnet_small or histogram for them"
        )
        raise ValueError(msg)
    voxels = keras.Input(shape, name="voxels")
    patches = Patches(patch, n_dims=n_dims, freq_channel=freq_channel, name="patches")
    patches.compute_output_shape((None, *shape))  # refuses in plain words; Keras would wrap them
    x = patches(voxels)
    for i in range(n_blocks):
        x = keras.layers.Dense(filters, activation="relu", name=f"hidden_{i + 1}")(x)
    x = drop(x, dropout, name="dropout")
    # zeros: every patch starts with its share of the mean counts
    x = keras.layers.Dense(n_outputs, kernel_initializer="zeros", name="patch_counts")(x)
    return keras.Model(voxels, SumCounts(name="log_dn")(x), name="additive")


def resized(model, input_shape):
    """Return an additive network for fields of another size, with the same weights.

    Parameters
    ----------
    model : keras.Model
        Additive network, or an average of some.
    input_shape : tuple of int
        (n_dec, n_ra, n_freq) of the new fields, of the same pixels and channels.

    Raises
    ------
    ValueError
        If `model` is not additive or was never told the scale of its targets, the channels differ,
        or the sky is no whole number of patches.
    """
    shape = check_input_shape(input_shape, caller="resized")
    if shape[-1] != model.input_shape[-1]:
        msg = f"resized: n_freq is {shape[-1]}, expected {model.input_shape[-1]} as in training"
        raise ValueError(msg)
    members = [layer for layer in model.layers if isinstance(layer, keras.Model)]
    if members:
        voxels = keras.Input(shape, name="voxels")
        outputs = [resized(member, shape)(voxels) for member in members]
        return keras.Model(voxels, keras.layers.Average(name="mean")(outputs), name=model.name)
    if not isinstance(model.layers[-1], SumCounts):
        msg = f"resized: the network is {model.name!r}, expected an additive one; cut the field"
        raise ValueError(msg)
    if not model.layers[-1].knows_target:
        msg = (
            "resized: the network was never told the scale of its targets, so what it sums is no "
            "number of sources; give target to networks.adapt before training"
        )
        raise ValueError(msg)
    larger = keras.models.clone_model(model, input_tensors=keras.Input(shape, name="voxels"))
    larger.set_weights(model.get_weights())
    return larger


@keras.saving.register_keras_serializable(package=PACKAGE)
class Patches(keras.layers.Layer):
    """Cut maps into patches that do not overlap.

    Parameters
    ----------
    patch : int
        Side of a patch [pixels].
    n_dims : {2, 3}
        A patch holds all channels (2), or a single one (3).
    freq_channel : bool
        Add the place in the band, -1 to 1, to each patch, where `n_dims` is 3.
    """

    def __init__(self, patch, n_dims=3, freq_channel=False, **kwargs):
        super().__init__(**kwargs)
        self.patch, self.n_dims, self.freq_channel = patch, n_dims, freq_channel

    def call(self, inputs):
        """Return the patches, shape (batch, n_patches, n_values)."""
        n_dec, n_ra, n_freq = inputs.shape[1:]
        side = self.patch
        x = ops.reshape(inputs, (-1, n_dec // side, side, n_ra // side, side, n_freq))
        x = ops.transpose(x, (0, 1, 3, 5, 2, 4))  # patch dec, patch ra, freq, and within a patch
        _, n_patches, n_values = self.compute_output_shape(inputs.shape)
        if self.n_dims == 3 and self.freq_channel:
            x = ops.reshape(x, (-1, n_patches // n_freq, n_freq, side**2))
            place = np.linspace(-1.0, 1.0, n_freq, dtype="float32")[:, None]
            x = ops.concatenate([x, ops.zeros_like(x[..., :1]) + place], axis=-1)
        return ops.reshape(x, (-1, n_patches, n_values))

    def compute_output_shape(self, input_shape):
        """Return (batch, n_patches, n_values), or raise if some pixels are in no patch."""
        batch, n_dec, n_ra, n_freq = input_shape
        if n_dec % self.patch or n_ra % self.patch:
            msg = (
                f"Patches: input_shape is {tuple(input_shape[1:])}, expected multiples of patch "
                f"{self.patch} in dec and ra; change patch, or cut the map"
            )
            raise ValueError(msg)
        n_patches = n_dec * n_ra // self.patch**2
        if self.n_dims == 2:
            return (batch, n_patches, self.patch**2 * n_freq)
        return (batch, n_patches * n_freq, self.patch**2 + int(self.freq_channel))

    def get_config(self):
        """Return every argument of ``__init__``."""
        names = ("patch", "n_dims", "freq_channel")
        return super().get_config() | {name: getattr(self, name) for name in names}


@keras.saving.register_keras_serializable(package=PACKAGE)
class SumCounts(keras.layers.Layer):
    """Sum the counts of patches, and give log10 of the sum on the scale of the targets.

    A patch of input f holds softplus(f) counts of its bin, times a unit. `adapt_target` takes the
    unit from the mean of the targets, so that a network starts with the mean counts; fields that
    have more patches then hold more.
    """

    def build(self, input_shape):
        """Make the weights that hold unit and scale, so that they are saved with the model."""
        _, self.n_patches, n_outputs = input_shape
        for name, start in (("unit", 1 / self.n_patches), ("mean", 0.0), ("width", 1.0)):
            start = keras.initializers.Constant(start)
            settings = {"initializer": start, "trainable": False, "name": name}
            setattr(self, name, self.add_weight(shape=(n_outputs,), **settings))
        super().build(input_shape)

    def adapt_target(self, mean, width):
        """Set unit and scale from mean and width of log10 counts of the training fields."""
        self.unit.assign(10.0 ** np.asarray(mean) / self.n_patches / np.log(2))
        self.mean.assign(mean)
        self.width.assign(width)

    @property
    def knows_target(self):
        """Whether `adapt_target` has set a scale that is not the one of a new layer."""
        mean, width = (ops.convert_to_numpy(weight) for weight in (self.mean, self.width))
        return bool(mean.any() or (width != 1).any())

    def call(self, inputs):
        """Return the scaled log10 of the counts, shape (batch, n_outputs)."""
        counts = ops.sum(ops.softplus(inputs), axis=1) * self.unit
        return (ops.log(counts + LEAST) / np.log(10) - self.mean) / self.width

    def compute_output_shape(self, input_shape):
        """Return (batch, n_outputs)."""
        return (input_shape[0], input_shape[2])
