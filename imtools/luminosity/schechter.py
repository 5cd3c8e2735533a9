"""A luminosity function set by hand, given to haloes by abundance matching."""

from dataclasses import dataclass, field
from typing import ClassVar

import numpy as np

from imtools.cosmology import Cosmology
from imtools.luminosity.matching import matched_luminosity
from imtools.luminosity.models import LuminosityModel, register


@register("schechter")
@dataclass(frozen=True, kw_only=True)
class Schechter(LuminosityModel):
    r"""Schechter function with a low-luminosity cut; the heaviest halo is the brightest.

    At every redshift the number of haloes above a mass equals the number of sources above its
    luminosity. The cut makes the number of sources finite: haloes lighter than 2.7e10, 2.4e10 and
    1.9e10 Msun at z = 2.4, 2.8 and 3.4 are dark, and a catalogue that ends above these lacks the
    faintest sources (below 4300 Lsun at z = 3.4, for one that ends at 2.5e10). There is no scatter,
    which would change the function that is set. The widths of the priors are ours.

    Notes
    -----
    .. math:: \frac{dn}{dL} = \phi_* \left(\frac{L}{L_*}\right)^{a}
        \exp\left(-\frac{L}{L_*} - \frac{L_\mathrm{min}}{L}\right)

    References
    ----------
    .. [1] Breysse et al. 2017, MNRAS 467, 2996, arXiv:1609.01728
    """

    phi_star: float = 9.6e-11  # Lsun-1 Mpc-3
    l_star: float = 2.1e6  # Lsun, where the bright end falls
    slope: float = -1.87  # power of luminosity below it
    l_min: float = 5000.0  # Lsun, where the faint end falls
    cosmology: Cosmology = field(default_factory=Cosmology)

    PRIORS: ClassVar = {
        "loose": {"phi_star": 3e-11, "l_star": 7e5, "slope": 0.1, "l_min": 1500.0},
        "ten_percent": {"phi_star": 3e-12, "l_star": 7e4, "slope": 0.01, "l_min": 150.0},
    }
    LIMITS: ClassVar = {
        "phi_star": (1e-300, np.inf),
        "l_star": (1e-3, np.inf),
        "slope": (-10.0, 10.0),
        "l_min": (1e-3, np.inf),
    }

    def density(self, l_co):
        """Return dn/dL [Lsun-1 Mpc-3] at luminosity `l_co` [Lsun], any shape."""
        l_co = np.asarray(l_co, dtype=float)
        cut = np.exp(-l_co / self.l_star - self.l_min / l_co)
        return self.phi_star * (l_co / self.l_star) ** self.slope * cut

    def mean_luminosity(self, m_halo, z):
        """Return the luminosity [Lsun] of `m_halo` [Msun] at `z`, zero beyond the last source."""
        ln_l = np.linspace(np.log(self.l_min / 100), np.log(self.l_star * 100), 4001)
        return matched_luminosity(
            m_halo, z, ln_l, np.exp(ln_l) * self.density(np.exp(ln_l)),
            cosmology=self.cosmology, caller="Schechter.luminosity",
        )  # fmt: skip
