"""What a luminosity model promises of a field: mean counts of sources, and their field scatter."""

from functools import lru_cache

import numpy as np
from scipy.special import ndtr

from imtools.counts import DEFAULT_EDGES, luminosity_function
from imtools.halos.validation import linear_count_scatter
from imtools.luminosity.moments import LARGEST_MASS, check_least_mass

N_SLICES = 6  # of the band; counts then agree with those of many slices to 0.3 %
N_MASSES = 600  # between the least mass and LARGEST_MASS
LEAST_SCATTER = 0.03  # dex; a model without scatter gets it, and so its counts are smooth


def expected_counts(model, survey, *, edges=DEFAULT_EDGES, m_min=2.5e10, n_slices=N_SLICES):
    """Return the mean number of sources in bins of luminosity, at redshifts through the band.

    Parameters
    ----------
    model : LuminosityModel
        Mean luminosity of a halo, and its lognormal scatter; ``duty_cycle`` where it has one.
    survey : Survey
        Field, band and cosmology.
    edges : array_like, shape (n_bins + 1,), units Lsun
        Bin edges, ascending and positive.
    m_min : float
        Least halo mass [Msun].
    n_slices : int
        Slices of the band, equal in frequency.

    Returns
    -------
    xarray.DataArray, dims ("z", "log_l"), units 1
        Convention "dn"; its sum over ``z`` is what a field holds on average. A model with less
        than 0.03 dex of scatter gets that much.

    Raises
    ------
    ValueError
        If `m_min` is not above 0 and below the largest mass.

    Examples
    --------
    >>> from imtools.luminosity import LUMINOSITY_MODELS
    >>> from imtools.survey import Survey
    >>> dn = expected_counts(LUMINOSITY_MODELS["li2016"](), Survey.comap(), edges=[1e5, 1e6, 1e7])
    >>> dn.sum("z").values.round(-2)
    array([31500.,  1300.])
    """
    check_least_mass(m_min, caller="expected_counts")
    z, counts, _ = _slices(survey, m_min, n_slices)
    dn = np.array([_shares(model, z_, m_min, edges) @ n for z_, n in zip(z, counts, strict=True)])
    z_attrs = {"units": "1", "long_name": "redshift, centre of the slice"}
    return (
        luminosity_function(dn, edges)
        .rename(sample="z")
        .assign_coords(z=("z", z, z_attrs))
        .assign_attrs(long_name="expected sources per luminosity bin")
    )


def field_scatter(model, survey, *, edges=DEFAULT_EDGES, m_min=2.5e10, n_slices=N_SLICES):
    """Return how far clustering makes the count of a field differ from the mean, in each bin.

    Linear theory: the scatter of the matter in field and band, times the bias of the haloes that
    shine in the bin. Poisson scatter is not in it.

    Parameters
    ----------
    model, survey, edges, m_min, n_slices
        As `expected_counts` takes.

    Returns
    -------
    numpy.ndarray, shape (n_bins,)
        Standard deviation of ln dN.
    """
    check_least_mass(m_min, caller="field_scatter")
    z, counts, bias = _slices(survey, m_min, n_slices)
    dn = biased = 0.0
    for i, redshift in enumerate(z):
        shares = _shares(model, redshift, m_min, edges)
        dn, biased = dn + shares @ counts[i], biased + shares @ (counts[i] * bias[i])
    mean_bias = np.sum(counts * bias) / np.sum(counts)
    of_haloes = _clustering_scatter(survey, m_min, counts.sum())
    empty = dn < 1e-300  # no halo shines there
    return np.where(empty, mean_bias, biased / np.where(empty, 1, dn)) / mean_bias * of_haloes


def _shares(model, z, m_min, edges):
    """Return the share of the haloes of each mass that shine in each bin, (n_bins, n_masses)."""
    duty_cycle = getattr(model, "duty_cycle", 1.0)
    sigma = max(model.scatter, LEAST_SCATTER)
    mean = model.mean_luminosity(np.exp(_ln_masses(m_min)), np.full(N_MASSES, z)) / duty_cycle
    with np.errstate(divide="ignore"):  # a dark halo
        median = np.log10(mean) - sigma**2 * np.log(10) / 2
    below = ndtr((np.log10(edges)[:, None] - median) / sigma)
    return duty_cycle * np.diff(below, axis=0)


def _ln_masses(m_min):
    return np.linspace(np.log(m_min), np.log(LARGEST_MASS), N_MASSES)


@lru_cache(maxsize=8)
def _slices(survey, m_min, n_slices):
    """Return redshifts, and haloes around each mass and their bias, (n_slices, n_masses)."""
    thin = survey.replace(n_chan=n_slices)
    z = thin.coords["z"][1]
    volume = thin.voxel_volume * thin.n_pix**2
    ln_m = _ln_masses(m_min)
    weight = np.full(N_MASSES, ln_m[1] - ln_m[0])
    weight[[0, -1]] /= 2  # trapezoids
    cosmology, masses = survey.cosmology, np.exp(ln_m)
    density = np.array([cosmology.mass_function(masses, redshift) for redshift in z])
    bias = np.array([cosmology.halo_bias(masses, redshift) for redshift in z])
    return z, density * weight * volume[:, None], bias


@lru_cache(maxsize=8)
def _clustering_scatter(survey, m_min, n_haloes):
    """Return the fractional scatter of the count of haloes above a mass, Poisson taken out."""
    return np.sqrt(linear_count_scatter(survey, m_min=m_min) ** 2 - 1 / n_haloes)
