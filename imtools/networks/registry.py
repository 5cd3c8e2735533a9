"""The architectures by name, and what every network goes through before it is trained."""

import inspect

import keras

from imtools.networks.outputs import MeanAndFactor

ARCHITECTURES = {}


def register(name):
    """Return a decorator that enters a builder into ``ARCHITECTURES`` under `name`.

    A builder is a function ``(input_shape, n_outputs, *, ...) -> keras.Model``. Its settings carry
    the names of the experiment's network parameters; others keep their default.
    """

    def enter(builder):
        if name in ARCHITECTURES:
            msg = f"register: {name!r} is {ARCHITECTURES[name].__name__}; choose another name"
            raise ValueError(msg)
        ARCHITECTURES[name] = builder
        return builder

    return enter


def build(architecture, input_shape, n_outputs, **settings):
    """Build the network of that name with those of `settings` that it knows.

    Parameters
    ----------
    architecture : str
        Name in ``ARCHITECTURES``.
    input_shape : tuple of int
        (n_dec, n_ra, n_freq).
    n_outputs : int
        Bins of the luminosity function.
    **settings
        Network parameters, for instance ``experiment.network.model_dump()``; a setting that this
        architecture has no use for is left out.

    Returns
    -------
    keras.Model
        Maps float32 (batch, n_dec, n_ra, n_freq) to (batch, n_outputs); not compiled.

    Raises
    ------
    ValueError
        If there is no such architecture, or the shape does not suit it.
    """
    if architecture not in ARCHITECTURES:
        msg = f"build: architecture is {architecture!r}, expected one of {', '.join(ARCHITECTURES)}"
        raise ValueError(msg)
    builder = ARCHITECTURES[architecture]
    known = inspect.signature(builder).parameters
    return builder(input_shape, n_outputs, **{k: v for k, v in settings.items() if k in known})


def settings_of(architecture):
    """Return the names of the network parameters that an architecture has a use for.

    Parameters
    ----------
    architecture : str
        Name in ``ARCHITECTURES``.

    Returns
    -------
    tuple of str

    Examples
    --------
    >>> from imtools import networks
    >>> settings_of("dense")
    ('width', 'n_hidden', 'dropout', 'output')
    """
    known = inspect.signature(ARCHITECTURES[architecture]).parameters.values()
    return tuple(one.name for one in known if one.kind == one.KEYWORD_ONLY)


def adapt(model, inputs, *, target=None, batch_size=32):
    """Set the layers that take their scale from data, in order, from training maps alone.

    Parameters
    ----------
    model : keras.Model
        Every layer of it with a method ``adapt`` is given what reaches it; its weights change.
    inputs : numpy.ndarray, float32, shape (n, n_dec, n_ra, n_freq)
        Network inputs made from training maps.
    target : tuple of array_like, optional
        Mean and width of log10 dN, each of shape (n_outputs,), where targets are standardised by
        them: a layer with a method ``adapt_target`` answers in that scale.
    batch_size : int
        Maps at a time.
    """
    for layer in model.layers:
        if hasattr(layer, "adapt"):
            front = keras.Model(model.input, layer.input)
            layer.adapt(front.predict(inputs, batch_size=batch_size, verbose=0))
        if target is not None and hasattr(layer, "adapt_target"):
            layer.adapt_target(*target)


def average(members):
    """Return the network whose output is the mean output of `members`, which it shares.

    Parameters
    ----------
    members : list of keras.Model
        Networks of one input and output shape; a single one is returned as it is.

    Raises
    ------
    ValueError
        If the members answer with a mean and a covariance: the mean of the factors would leave out
        by how much the members differ.
    """
    if len(members) == 1:
        return members[0]
    if any(isinstance(layer, MeanAndFactor) for member in members for layer in member.layers):
        msg = (
            f"average: {len(members)} networks with output 'gaussian', expected 1 or another "
            "output; set n_ensemble to 1"
        )
        raise ValueError(msg)
    voxels = keras.Input(members[0].input_shape[1:], name="voxels")
    outputs = []
    for i, member in enumerate(members):
        wrapped = keras.Model(member.input, member.output, name=f"member_{i}")
        outputs.append(wrapped(voxels))
    return keras.Model(voxels, keras.layers.Average(name="mean")(outputs), name="ensemble")


def check_input_shape(input_shape, *, caller):
    """Return `input_shape` as three whole numbers (n_dec, n_ra, n_freq), or raise."""
    shape = tuple(input_shape)
    if len(shape) != 3 or not all(isinstance(n, int) and n >= 1 for n in shape):
        msg = (
            f"{caller}: input_shape is {shape}, expected (n_dec, n_ra, n_freq) of at least 1 each; "
            "see datasets.network_inputs"
        )
        raise ValueError(msg)
    return shape
