"""The brightness temperature of a luminosity, in two forms, and back."""

import numpy as np

from imtools.constants import DEG, TEMPERATURE_PER_DENSITY, TEMPERATURE_PER_FLUX
from imtools.cosmology import Cosmology
from imtools.survey import channel_width, check_cube, pixel_size


def temperature(l_co, chi, survey):
    """Return the brightness temperature [uK] of one source spread over its voxel.

    Parameters
    ----------
    l_co : array_like
        Line luminosity [Lsun].
    chi : array_like
        Comoving distance [Mpc], of a shape that broadcasts with `l_co`.
    survey : imtools.survey.Survey
        Gives the channel width, the pixel's solid angle and the line.

    Returns
    -------
    numpy.ndarray or float
        Temperature [uK]; see the notes of `paint_halos`.
    """
    per_flux = 0.5 * TEMPERATURE_PER_FLUX / (4 * np.pi * survey.nu_rest**2)
    return per_flux / (survey.delta_nu * survey.pixel_solid_angle) * l_co / chi**2


def temperature_per_luminosity(maps, cosmology=None):
    """Return the temperature of one solar luminosity in a voxel of each channel.

    Parameters
    ----------
    maps : xarray.DataArray, dims ("freq", "dec", "ra") or with "sample" in front, units uK
        Map, pooled or not; ``attrs["nu_rest"]`` is the rest frequency of the line [GHz].
    cosmology : Cosmology, optional
        By default that of the COMAP mocks.

    Returns
    -------
    xarray.DataArray, dims ("freq",), units uK Lsun^-1
        For a source at the centre of the channel. Where voxels were pooled by their sum, it is that
        of a voxel before.

    Raises
    ------
    ValueError
        If `maps` breaks the map conventions, or has no rest frequency.
    """
    check_cube(maps, caller="temperature_per_luminosity")
    if "nu_rest" not in maps.attrs:
        msg = "temperature_per_luminosity: attrs lack 'nu_rest', expected the rest frequency [GHz]"
        raise ValueError(msg)
    nu_rest = maps.attrs["nu_rest"]
    chi = (cosmology or Cosmology()).comoving_distance(nu_rest / maps["freq"].values - 1)
    pooled = maps.attrs.get("n_pooled", 1) if maps.attrs.get("pooling") == "sum" else 1
    solid_angle = (pixel_size(maps) * DEG) ** 2
    per_flux = 0.5 * TEMPERATURE_PER_FLUX / (4 * np.pi * nu_rest**2)
    values = pooled * per_flux / (channel_width(maps) * solid_angle) / chi**2
    attrs = {"units": "uK Lsun^-1", "long_name": "brightness temperature of one solar luminosity"}
    return maps["freq"].copy(data=values).rename("temperature_per_luminosity").assign_attrs(attrs)


def temperature_from_density(density, z, survey):
    r"""Return the brightness temperature [uK] of a luminosity density, with no voxel in sight.

    Parameters
    ----------
    density : array_like
        Line luminosity in a comoving volume [Lsun Mpc^-3].
    z : array_like
        Redshift, of a shape that broadcasts with `density`.
    survey : imtools.survey.Survey
        Gives the line and the cosmology.

    Returns
    -------
    numpy.ndarray or float
        Temperature [uK].

    Notes
    -----
    .. math:: T = \frac{c^3 (1 + z)^2}{8 \pi k \nu_0^3 H(z)} \rho_L

    References
    ----------
    .. [1] Lidz et al. 2011, ApJ 741, 70, arXiv:1104.4800
    """
    rate = survey.nu_rest**3 * survey.cosmology.hubble(z)
    return TEMPERATURE_PER_DENSITY * (1 + np.asarray(z)) ** 2 / rate * density


def painted_luminosity(cube, survey):
    """Return the luminosity [Lsun] that would give each voxel its temperature.

    Parameters
    ----------
    cube : xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        Map on the voxels of `survey`, not pooled.
    survey : imtools.survey.Survey
        The survey it was painted for.

    Returns
    -------
    xarray.DataArray, dims ("freq", "dec", "ra"), units Lsun
        Each voxel is put at the distance of its channel's centre, so a halo comes back exactly
        there, and elsewhere to the relative depth of a channel: 1e-3 for 80 MHz.
    """
    check_cube(cube, caller="painted_luminosity")
    chi = survey.cosmology.comoving_distance(cube["z"])
    luminosity = cube / temperature(1.0, cube["z"].copy(data=chi), survey)
    luminosity.name = "l_co"
    luminosity.attrs = {"units": "Lsun", "long_name": "line luminosity in a voxel"}
    return luminosity
