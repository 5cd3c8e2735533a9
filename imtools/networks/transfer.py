"""A trained network given another task: its last layer replaced by one neuron a class."""

import keras
from keras import ops

from imtools.networks.layers import PACKAGE, Standardise


def build_classifier(model, n_classes, *, frozen=True):
    """Return a network that tells classes apart by what a trained one makes of a map.

    Parameters
    ----------
    model : keras.Model
        Trained network, an ensemble too; it is copied and not changed.
    n_classes : int
        Number of classes.
    frozen : bool
        Train the new layer alone; if not, all of them, starting from the trained weights.

    Returns
    -------
    keras.Model
        Inputs of `model` to probabilities (batch, n_classes). Not compiled; `adapt` sets the scale
        of what the last layer reads. Its layer ``temperature`` divides the logits.

    Raises
    ------
    ValueError
        If there are fewer than 2 classes, or `model` has no layer that could be replaced.

    Notes
    -----
    The last layer is every layer with weights behind which there are none: where an answer is a
    sum of two, both are replaced, by one that reads what both have read. What has a place on the
    sky is averaged over it.
    """
    if n_classes < 2:
        msg = f"build_classifier: n_classes is {n_classes}, expected at least 2"
        raise ValueError(msg)
    members = [layer for layer in model.layers if isinstance(layer, keras.Model)] or [model]
    voxels = keras.Input(model.input_shape[1:], name="voxels")
    features = []
    for i, member in enumerate(members):
        body = _body(member, f"body_{i}" if len(members) > 1 else "body", frozen=frozen)
        body.trainable = not frozen  # norms are then those of the training, and not of a batch
        features.append(body(voxels))
    x = features[0] if len(features) == 1 else keras.layers.Concatenate(name="bodies")(features)
    x = Standardise(name="standardise_features")(x)
    logits = keras.layers.Dense(n_classes, kernel_initializer="zeros", name="logits")(x)
    scaled = Temperature(name="temperature")(logits)
    return keras.Model(voxels, keras.layers.Softmax(name="class")(scaled), name="classifier")


def logits_of(classifier):
    """Return the network that stops at the logits of a classifier, before the temperature."""
    return keras.Model(classifier.input, classifier.get_layer("logits").output)


def _body(model, name, *, frozen):
    """Return a copy of a network up to its last layer, its features in one row."""

    def copy_layer(layer):
        config = layer.get_config()
        if frozen and isinstance(layer, keras.layers.Dropout):
            config["rate"] = 0.0
        return type(layer).from_config(config)

    features = []
    for i, tensor in enumerate(_last_inputs(model)):
        n_axes = len(tensor.shape) - 2
        mean = MeanOverSky(n_axes, name=f"mean_over_sky_{i}")
        features.append(mean(tensor) if n_axes else tensor)
    joined = features[0] if len(features) == 1 else keras.layers.Concatenate(name="join")(features)
    whole = keras.Model(model.input, joined, name=name)
    copy = keras.models.clone_model(whole, clone_function=copy_layer)
    copy.set_weights(whole.get_weights())
    copy.name = name
    return copy


def _last_inputs(model):
    """Return what the last layers with weights read, each tensor once."""
    made_by = {id(layer.output): layer for layer in model.layers}
    found, todo = {}, [model.outputs[0]]
    while todo:
        tensor = todo.pop(0)
        layer = made_by.get(id(tensor))
        if layer is None or isinstance(layer, keras.layers.InputLayer):
            msg = f"build_classifier: the network {model.name!r} has no last layer with weights"
            raise ValueError(msg)
        inputs = layer.input if isinstance(layer.input, list) else [layer.input]
        if layer.trainable_weights:
            found |= {id(t): t for t in inputs}
        else:
            todo += inputs
    return list(found.values())


@keras.saving.register_keras_serializable(package=PACKAGE)
class MeanOverSky(keras.layers.Layer):
    """Mean over the axes between the first and the last.

    Parameters
    ----------
    n_axes : int
        How many.
    """

    def __init__(self, n_axes, **kwargs):
        super().__init__(**kwargs)
        self.n_axes = n_axes

    def call(self, inputs):
        """Return shape (batch, n_channels)."""
        return ops.mean(inputs, axis=tuple(range(1, 1 + self.n_axes)))

    def compute_output_shape(self, input_shape):
        """Return (batch, n_channels)."""
        return (input_shape[0], input_shape[-1])

    def get_config(self):
        """Return every argument of ``__init__``."""
        return super().get_config() | {"n_axes": self.n_axes}


@keras.saving.register_keras_serializable(package=PACKAGE)
class Temperature(keras.layers.Layer):
    """Divide logits by one number, set after training and saved with the model.

    Notes
    -----
    Above 1 it makes probabilities more even; which class is the likeliest does not change.

    References
    ----------
    .. [1] Guo et al. 2017, ICML 70, 1321, arXiv:1706.04599
    """

    def build(self, input_shape):
        """Make the weight, 1 at first."""
        self.value = self.add_weight(shape=(), initializer="ones", trainable=False, name="value")
        super().build(input_shape)

    def call(self, inputs):
        """Return the scaled logits, shape of the input."""
        return inputs / self.value

    def compute_output_shape(self, input_shape):
        """Return the shape of the input."""
        return input_shape
