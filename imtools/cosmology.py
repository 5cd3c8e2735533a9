"""Distances, growth, matter power, and the mass function and bias of haloes.

A thin layer over colossus: it takes away the factors of h and colossus' global state.
Lengths are comoving Mpc, masses Msun (200 times the mean density), wavenumbers Mpc^-1.
"""

from dataclasses import asdict, dataclass
from functools import lru_cache
from numbers import Real

import numpy as np
from colossus.cosmology import cosmology as colossus_cosmology
from colossus.lss import bias as colossus_bias
from colossus.lss import mass_function as colossus_mass_function
from scipy.interpolate import CubicSpline

from imtools.constants import C_LIGHT

Z_MAX = 12.0  # the distance table ends here
MASS_DEFINITION = "200m"


@dataclass(frozen=True, kw_only=True)
class Cosmology:
    """Flat LambdaCDM, by default that of the COMAP mocks (arXiv:1503.08833)."""

    h: float = 0.7  # H0 / (100 km/s/Mpc)
    omega_m: float = 0.286
    omega_b: float = 0.047
    sigma8: float = 0.82
    n_s: float = 0.96

    def __post_init__(self):
        values = asdict(self)
        check_numbers(values, caller="Cosmology")
        for name, value in values.items():
            if not 0 < value < 2:
                msg = f"Cosmology: {name} is {value}, expected between 0 and 2"
                raise ValueError(msg)
        if not self.omega_b < self.omega_m < 1:
            msg = (
                f"Cosmology: omega_b is {self.omega_b} and omega_m {self.omega_m}; "
                "expected omega_b < omega_m < 1"
            )
            raise ValueError(msg)

    def hubble(self, z):
        """Return the expansion rate H(z) [km/s/Mpc] at redshift `z` (any shape)."""
        z = np.asarray(z, dtype=float)
        return 100 * self.h * np.sqrt(self.omega_m * (1 + z) ** 3 + 1 - self.omega_m)

    def comoving_distance(self, z):
        """Return the comoving distance chi [Mpc] to redshift `z` (any shape, 0 to 12)."""
        return _distances(self)[0](_checked_redshift(z, "comoving_distance"))

    def redshift(self, chi):
        """Return the redshift at comoving distance `chi` [Mpc] (any shape)."""
        chi = np.asarray(chi, dtype=float)
        distance, inverse = _distances(self)
        # the negation catches NaN
        if chi.size and not (chi.min() >= 0 and chi.max() <= distance(Z_MAX)):
            msg = (
                f"Cosmology.redshift: chi spans {chi.min():.6g} to {chi.max():.6g} Mpc, expected "
                f"0 to {float(distance(Z_MAX)):.6g} (z = {Z_MAX:g}); check the unit"
            )
            raise ValueError(msg)
        return inverse(chi)

    def growth_factor(self, z):
        """Return the linear growth factor D(z), 1 today (any shape)."""
        return np.asarray(_colossus(self).growthFactor(_checked_redshift(z, "growth_factor")))

    def growth_rate(self, z):
        """Return f = dln D / dln a at `z` (any shape), from a spline of ln D over ln a."""
        return _growth_rates(self)(np.log1p(_checked_redshift(z, "growth_rate")))

    def matter_power(self, k):
        """Return the linear P(k) [Mpc^3] today at `k` [Mpc^-1] (Eisenstein & Hu 1998)."""
        k = np.asarray(k, dtype=float)
        power = _colossus(self).matterPowerSpectrum(k / self.h, model="eisenstein98")
        return np.asarray(power) / self.h**3

    def mass_function(self, m_halo, z):
        """Return dn/dln M [Mpc^-3] of Tinker et al. 2008 (arXiv:0803.2706).

        Parameters
        ----------
        m_halo : array_like
            Halo mass [Msun], 200 times the mean density, any shape.
        z : float
            Redshift.

        Returns
        -------
        numpy.ndarray
            Comoving number density per unit ln M [Mpc^-3], shape of `m_halo`.

        Raises
        ------
        ValueError
            If a mass is not above 0, or the redshift is negative.
        """
        _colossus(self)
        m_halo = _checked_masses(m_halo, z, "mass_function")
        dn = colossus_mass_function.massFunction(
            m_halo.ravel() * self.h, z,
            q_in="M", q_out="dndlnM", mdef=MASS_DEFINITION, model="tinker08",
        )  # fmt: skip
        return np.reshape(dn, m_halo.shape) * self.h**3

    def halo_bias(self, m_halo, z):
        """Return the linear bias of haloes of `m_halo` [Msun] at `z` (Tinker et al. 2010).

        References
        ----------
        .. [1] Tinker et al. 2010, ApJ 724, 878, arXiv:1001.3162
        """
        _colossus(self)
        m_halo = _checked_masses(m_halo, z, "halo_bias")
        bias = colossus_bias.haloBias(
            m_halo.ravel() * self.h, z, mdef=MASS_DEFINITION, model="tinker10"
        )
        return np.reshape(bias, m_halo.shape)


def check_numbers(values, *, caller):
    """Raise unless each of the `values`, by name, is a number."""
    for name, value in values.items():
        if not isinstance(value, Real):
            msg = f"{caller}: {name} is {value!r}, expected a number"
            raise TypeError(msg)


def _checked_redshift(z, caller):
    z = np.asarray(z, dtype=float)
    if z.size and not (z.min() >= 0 and z.max() <= Z_MAX):  # NaN too
        msg = f"Cosmology.{caller}: z spans {z.min()} to {z.max()}, expected 0 to {Z_MAX:g}"
        raise ValueError(msg)
    return z


def _checked_masses(m_halo, z, caller):
    """Return masses as floats, if there are haloes of them at `z`; colossus asks for neither."""
    m_halo = np.asarray(m_halo, dtype=float)
    if not np.all(np.asarray(z) >= 0):  # NaN too
        msg = f"Cosmology.{caller}: z is {z}, expected at least 0"
        raise ValueError(msg)
    if m_halo.size and not (m_halo.min() > 0 and m_halo.max() < np.inf):
        msg = (
            f"Cosmology.{caller}: m_halo spans {m_halo.min():g} to {m_halo.max():g} Msun, expected "
            "finite and above 0; drop those haloes"
        )
        raise ValueError(msg)
    return m_halo


def _colossus(cosmology):
    """Make `cosmology` the current one in colossus, whose mass function reads a global."""
    current = _colossus_instance(cosmology)
    colossus_cosmology.setCurrent(current)
    return current


@lru_cache(maxsize=8)
def _colossus_instance(cosmology):
    # relspecies=False: no radiation, as in the COMAP mocks; persistence="": no files in the home
    return colossus_cosmology.Cosmology(
        name=f"imtools-{hash(cosmology)}", flat=True, relspecies=False, persistence="",
        H0=100 * cosmology.h, Om0=cosmology.omega_m, Ob0=cosmology.omega_b,
        sigma8=cosmology.sigma8, ns=cosmology.n_s,
    )  # fmt: skip


@lru_cache(maxsize=8)
def _distances(cosmology):
    """Return splines chi(z) and z(chi), exact to 1e-9 relative (cubic, step 0.005 in z)."""
    z = np.linspace(0.0, Z_MAX, 2401)
    rate = CubicSpline(z, C_LIGHT / cosmology.hubble(z))
    chi = rate.antiderivative()(z)
    return CubicSpline(z, chi), CubicSpline(chi, z)


@lru_cache(maxsize=8)
def _growth_rates(cosmology):
    """Return f over ln(1 + z), good to 1e-5."""
    log_1z = np.linspace(0.0, np.log1p(Z_MAX), 400)
    z = np.expm1(log_1z).clip(0, Z_MAX)
    return CubicSpline(log_1z, -np.log(cosmology.growth_factor(z))).derivative()
