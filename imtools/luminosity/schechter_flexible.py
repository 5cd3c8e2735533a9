"""A luminosity function that bends as far as any other model's: to train on, not to believe."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np
from scipy.special import ndtr, ndtri

from imtools.constants import NU_CO10, TEMPERATURE_PER_DENSITY
from imtools.cosmology import Cosmology
from imtools.luminosity.matching import ln_number_above, matched_luminosity
from imtools.luminosity.models import LN10, LuminosityModel, register

Z_PIVOT = 2.8  # where luminosities are those of the function, whatever the evolution
N_HALOS = 0.039  # Mpc^-3, haloes above 2.5e10 Msun there
LN_L = np.linspace(0.0, 11 * LN10, 3001)  # of 1 to 1e11 Lsun


@register("flexible")
@dataclass(frozen=True, kw_only=True)
class Flexible(LuminosityModel):
    r"""Schechter function of any slope and sharpness, with a faint cut, evolution and scatter.

    Haloes get it by abundance matching, each at its own redshift, the heaviest the brightest;
    luminosities then change with redshift as a power of (1 + z) / 3.8, and scatter. Where the
    function holds fewer sources than there are haloes, the lightest are dark; where it holds more,
    it ends at the lightest halo, as a power law in mass does.

    Notes
    -----
    .. math:: \frac{dn}{d\ln L} = \phi_* \left(\frac{L}{L_*}\right)^{-a}
        \exp\left[-\left(\frac{L}{L_*}\right)^g - \frac{L_\mathrm{min}}{L}\right]

    before scatter, which keeps the mean. With the right parameters it is each of the other models'
    fiducial functions to 0.05 dex above 3e-7 Mpc^-3 dex^-1. The prior "wide" is ours: uniform
    within `DRAW_LIMITS`, which hold those parameters with room on all sides, among functions whose
    mean temperature at z = 2.8 is 0.03 to 20 uK (the fiducial models have 0.5 to 10).
    """

    log_phi_star: float = -3.7  # log10 of phi* [Mpc^-3]
    log_l_star: float = 6.2  # log10 of L* [Lsun], where the bright end falls
    slope: float = 0.7  # a, minus the power of luminosity below it
    sharpness: float = 1.0  # g, how suddenly it falls; 1 is Schechter's
    log_l_min: float = 3.0  # log10 of Lmin [Lsun], where the faint end falls
    evolution: float = -1.0  # power of (1 + z) / 3.8 in luminosity
    sigma: float = 0.3  # dex, lognormal scatter
    cosmology: Cosmology = field(default_factory=Cosmology)

    PRIORS: ClassVar = {"wide": {}, "ten_percent": {}}
    LIMITS: ClassVar = {
        "log_phi_star": (-12, 3),
        "log_l_star": (0, 10),
        "slope": (-3, 3),
        "sharpness": (0.05, 10),
        "log_l_min": (0, 10),
        "sigma": (0, 2),
    }
    DRAW_LIMITS: ClassVar = {
        "log_phi_star": (-5.5, -2.3),
        "log_l_star": (5.0, 7.5),
        "slope": (-0.2, 1.4),
        "sharpness": (0.35, 2.5),
        "log_l_min": (1.0, 4.5),
        "evolution": (-3.0, 1.0),
        "sigma": (0.0, 0.6),
    }
    TEMPERATURES: ClassVar = (0.03, 20.0)  # uK, what a drawn function may have on average

    @classmethod
    def draw(cls, *, rng, prior="wide", **fixed):
        """Return a model drawn evenly within limits.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of every random number drawn here.
        prior : {"fiducial", "wide", "ten_percent"}
            "wide" fills `DRAW_LIMITS`; "ten_percent" a tenth of them about the fiducial.
        **fixed
            Fields that keep the given value.

        Returns
        -------
        Flexible
            ``n_redrawn`` counts draws that were too bright or too faint.
        """
        free = cls.free_names(prior)

        def propose():
            return cls._within(rng.random(len(free)), prior)

        return cls.first_in_range(propose, cls(**fixed), fixed) if free else cls(**fixed)

    @classmethod
    def free_names(cls, prior):
        """Return the parameters that `prior` draws: all of them, if it draws any."""
        cls.widths(prior)  # refuses an unknown name
        return () if prior == "fiducial" else tuple(cls.DRAW_LIMITS)

    @classmethod
    def placed(cls, normals, *, prior):
        """Return parameters from standard normals, see `LuminosityModel.placed`."""
        return cls._within(ndtr(normals), prior)

    @classmethod
    def normals_of(cls, parameters, *, prior):
        """Return the standard normals that `placed` makes these parameters of."""
        low, high = cls._box(prior)
        values = np.stack([np.asarray(parameters[n]) for n in cls.DRAW_LIMITS], axis=-1)
        return ndtri((values - low) / (high - low))

    @classmethod
    def _within(cls, shares, prior):
        """Return the parameters that lie such shares of the way between their limits."""
        low, high = cls._box(prior)
        values = low + (high - low) * shares
        return dict(zip(cls.DRAW_LIMITS, np.moveaxis(values, -1, 0), strict=True))

    @classmethod
    def _box(cls, prior):
        """Return the least and the largest value that a prior draws of each parameter."""
        low, high = np.array(list(cls.DRAW_LIMITS.values())).T
        if prior == "ten_percent":
            here = np.array([getattr(cls(), name) for name in cls.DRAW_LIMITS])
            low, high = here - (high - low) / 20, here + (high - low) / 20
        return low, high

    @classmethod
    def out_of_range(cls, parameters, limits):
        """Return what is wrong; draws have a mean temperature that is possible."""
        fault = super().out_of_range(parameters, limits)
        if fault or limits is cls.LIMITS:
            return fault
        temperature = _mean_temperature(_dn_dln_l(parameters))
        return super().out_of_range(
            {"mean temperature [uK]": temperature}, {"mean temperature [uK]": cls.TEMPERATURES}
        )

    def mean_luminosity(self, m_halo, z):
        """Return the luminosity [Lsun] of `m_halo` [Msun] at `z`, zero beyond the last source."""
        l_co = matched_luminosity(
            m_halo, z, LN_L, _dn_dln_l(self.parameters()),
            cosmology=self.cosmology, caller="Flexible.luminosity",
        )  # fmt: skip
        return l_co * ((1 + np.asarray(z)) / (1 + Z_PIVOT)) ** self.evolution


def _dn_dln_l(parameters):
    """Return dn/dlnL [Mpc^-3] at `LN_L`."""
    p = parameters
    x = LN_L - LN10 * p["log_l_star"]
    bright = np.exp(np.minimum(p["sharpness"] * x, 7))  # e^-e^7 is zero
    faint = np.exp(np.minimum(LN10 * p["log_l_min"] - LN_L, 7))
    return np.exp(LN10 * p["log_phi_star"] - p["slope"] * x - bright - faint)


def _mean_temperature(dn_dln_l):
    """Return the mean temperature [uK] at z = 2.8 of the brightest `N_HALOS` sources."""
    shine = ln_number_above(LN_L, dn_dln_l) < np.log(N_HALOS)
    emitted = np.trapezoid(np.where(shine, np.exp(LN_L) * dn_dln_l, 0), LN_L)  # Lsun Mpc^-3
    hubble = Cosmology().hubble(Z_PIVOT)
    return TEMPERATURE_PER_DENSITY * (1 + Z_PIVOT) ** 2 / (NU_CO10**3 * hubble) * emitted
