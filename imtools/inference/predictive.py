"""From draws of the parameters to draws of the luminosity function."""

import numpy as np

from imtools.counts import luminosity_function

KINDS = ("field", "mean")


def draw_counts(likelihood, u, *, rng, kind="field"):
    """Return luminosity functions at draws of the parameters.

    Parameters
    ----------
    likelihood : Likelihood
        Has the emulator of the counts, and their field scatter.
    u : numpy.ndarray, shape (n, n_dim)
        Draws of a posterior, as standard normals.
    rng : numpy.random.Generator
        Source of the scatter.
    kind : {"field", "mean"}
        "field" is the count of sources in the field of the map, what a truth is: its mean, times
        what clustering makes of it, alike in all bins, and Poisson. "mean" is the mean of all
        fields, which Ihle+2019 quote. Either has the emulator's error: each draw takes one of its
        members.

    Returns
    -------
    xarray.DataArray, dims ("draw", "log_l"), units 1
        Convention "dn".

    Notes
    -----
    A field with more sources than the mean also looks brighter, and the parameters have taken up a
    part of that: the two are drawn as if they were independent, which widens the result a little.
    """
    if kind not in KINDS:
        msg = f"draw_counts: kind is {kind!r}, expected one of {', '.join(KINDS)}"
        raise ValueError(msg)
    emulator, u = likelihood.emulator, np.atleast_2d(u)
    member = rng.integers(len(emulator.members), size=len(u))
    dn = np.empty((len(u), emulator.log_l_edges.size - 1))
    for m in np.unique(member):
        dn[member == m] = emulator.counts(u[member == m], member=m)
    if kind == "field":
        dn = likelihood.of_field.counts(dn, rng)
    return luminosity_function(dn, 10**emulator.log_l_edges).rename(sample="draw")
