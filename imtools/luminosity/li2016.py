"""Li et al. 2016: star formation makes infrared light, and infrared light goes with CO."""

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
from numba import njit

from imtools.constants import lsun_per_l_prime
from imtools.luminosity.models import (
    LN10,
    LuminosityModel,
    checked_halos,
    checked_rng,
    register,
)
from imtools.luminosity.star_formation import interpolate, sfr_table, star_formation_rate

LOG_L_IR_PIVOT = 11.5  # log10 Lsun, where the published fits of L_IR and L'_CO agree
CORRELATIONS = ("independent", "pivot")


@register("li2016")
@dataclass(frozen=True, kw_only=True)
class Li2016(LuminosityModel):
    r"""CO luminosity by way of star formation and infrared luminosity.

    Notes
    -----
    .. math::
        L_\mathrm{IR} = 10^{10}\,\mathrm{SFR}(M, z)\,/\,\delta_\mathrm{MF}, \qquad
        \log L_\mathrm{IR} = \alpha \log L' + \beta

    with mean-preserving lognormal scatter on SFR (s, in natural logarithms) and on L' (t). A
    normal divided by :math:`\alpha` and another one add to a normal, so one draw of variance
    :math:`s^2/\alpha^2 + t^2` stands for both. It keeps the mean of L' at fixed SFR, but not that
    at fixed mass: :math:`\langle L' \rangle = L'(\langle \mathrm{SFR} \rangle)
    \exp[s^2 (1 - \alpha) / (2 \alpha^2)]`.

    References
    ----------
    .. [1] Li et al. 2016, ApJ 817, 169, arXiv:1503.08833
    .. [2] Ihle et al. 2019, ApJ 871, 75, arXiv:1808.07487 (prior "loose")
    .. [3] Pfeffer, Breysse & Stein 2019, arXiv:1905.10376 (prior "ten_percent")
    """

    log_delta_mf: float = 0.0  # log10 of SFR / (1e-10 L_IR), set by the initial mass function
    alpha: float = 1.37  # slope of log L_IR against log L'
    beta: float = -1.74  # log10 L_IR [Lsun] at L' = 1 K km/s pc2
    sigma_sfr: float = 0.3  # dex, scatter of SFR at fixed halo mass
    sigma_lco: float = 0.3  # dex, scatter of L' at fixed L_IR
    sfr: str = "b13"  # source of SFR(M, z): b13, um or the path of a table

    PRIORS: ClassVar = {
        "loose": {
            "log_delta_mf": 0.3, "alpha": 0.37, "beta": 3.74, "sigma_sfr": 0.1, "sigma_lco": 0.1,
        },
        "strong": {
            "log_delta_mf": 0.3, "alpha": 0.04, "beta": 0.4, "sigma_sfr": 0.1, "sigma_lco": 0.1,
        },
        "ten_percent": {
            "log_delta_mf": 0.03, "alpha": 0.037, "beta": 0.374,
            "sigma_sfr": 0.01, "sigma_lco": 0.01,
        },
    }  # fmt: skip
    WIDE: ClassVar = "strong"  # drawn apart, "loose" is no luminosity function that a survey allows
    # dex of L' at the pivot, ours: about the spread of published fits, and a tenth of it
    PIVOT_WIDTHS: ClassVar = {"loose": 0.1, "strong": 0.1, "ten_percent": 0.01}
    LIMITS: ClassVar = {"alpha": (0.01, np.inf), "sigma_sfr": (0, np.inf), "sigma_lco": (0, np.inf)}
    DRAW_LIMITS: ClassVar = {"alpha": (0.5, np.inf)}

    @classmethod
    def second_pair(cls, **changes):
        """Return the model with the second published pair, alpha 1.17 and beta 0.21."""
        return cls(**{"alpha": 1.17, "beta": 0.21} | changes)

    @classmethod
    def draw(cls, *, rng, prior="ten_percent", correlation="independent", about=None, **fixed):
        """Return a model with parameters drawn from a prior.

        Parameters
        ----------
        rng : numpy.random.Generator
            Source of every random number drawn here.
        prior : {"fiducial", "loose", "strong", "ten_percent"}
            Widths of Ihle+2019, of Li+2016, and of the notes (a tenth of "loose").
        correlation : {"independent", "pivot"}
            "independent" draws alpha and beta apart, as the notes and Ihle+2019 do, although they
            are fitted together and anti-correlated; with the widths "loose" the counts then
            spread over 2 dex. "pivot" draws alpha and log10 L' at L_IR = 10^11.5 Lsun, where the
            published fits agree to about 0.1 dex, and beta follows.
        about : Li2016, optional
            Centre of the prior instead of the fiducial, such as `second_pair`.
        **fixed
            Fields that keep the given value.

        Returns
        -------
        Li2016
            ``n_redrawn`` counts draws with alpha < 0.5 or negative scatter, drawn again.
        """
        n_free, start = len(cls.free_names(prior)), about or cls()
        _check_correlation(correlation)
        settings = {"prior": prior, "correlation": correlation, "about": start}

        def propose():
            return cls.placed(rng.standard_normal(n_free), **settings, **fixed)

        centre = replace(start, **fixed)
        return cls.first_in_range(propose, centre, fixed) if n_free else centre

    @classmethod
    def placed(cls, normals, *, prior, correlation="independent", about=None, **fixed):
        """Return parameters from standard normals; `LuminosityModel.placed` and `draw` say more."""
        start, widths = about or cls(), cls.widths(prior)
        centre = replace(start, **fixed)
        normal = {name: normals[..., i] for i, name in enumerate(cls.free_names(prior))}
        values = {n: getattr(centre, n) + widths[n] * normal[n] for n in normal} | fixed
        if correlation == "pivot":
            log_l_prime = (LOG_L_IR_PIVOT - start.beta) / start.alpha
            at_pivot = log_l_prime + cls.PIVOT_WIDTHS[prior] * normal["beta"]
            values["beta"] = LOG_L_IR_PIVOT - values["alpha"] * at_pivot
        return values

    @classmethod
    def normals_of(cls, parameters, *, prior, correlation="independent", about=None):
        """Return the standard normals that `placed` makes these parameters of."""
        _check_correlation(correlation)
        start, widths = about or cls(), cls.widths(prior)
        normal = {n: (parameters[n] - getattr(start, n)) / widths[n] for n in widths}
        if correlation == "pivot":
            at_pivot = (LOG_L_IR_PIVOT - parameters["beta"]) / parameters["alpha"]
            log_l_prime = (LOG_L_IR_PIVOT - start.beta) / start.alpha
            normal["beta"] = (at_pivot - log_l_prime) / cls.PIVOT_WIDTHS[prior]
        return np.stack([normal[name] for name in cls.free_names(prior)], axis=-1)

    @property
    def scatter(self):
        """Lognormal scatter at fixed mass and redshift [dex], both sources together."""
        return float(np.hypot(self.sigma_sfr / self.alpha, self.sigma_lco))

    @classmethod
    def light_of_many(cls, parameters, m_halo, z, *, sfr="b13"):
        """Return what `LuminosityModel.light_of_many` says, all models in one expression."""
        p = cls().parameters() | {name: np.asarray(v) for name, v in parameters.items()}
        alpha = np.asarray(p["alpha"])
        ln_sfr = np.log(star_formation_rate(m_halo, z, sfr=sfr))
        offset = _ln_l_at_unit_sfr(p["log_delta_mf"], alpha, p["beta"], p["sigma_sfr"])
        mean = np.exp(ln_sfr / alpha[..., None] + offset[..., None])
        return mean, np.hypot(p["sigma_sfr"] / alpha, p["sigma_lco"])

    def mean_luminosity(self, m_halo, z):
        """Return the luminosity [Lsun] averaged over scatter, of `m_halo` [Msun] at `z`."""
        return self._shine(m_halo, z, caller="mean_luminosity")

    def luminosity(self, m_halo, z, *, rng=None):
        """Return the luminosity [Lsun] of each halo; see `LuminosityModel.luminosity`."""
        return self._shine(m_halo, z, rng=rng, scatter=self.scatter, caller="luminosity")

    def _shine(self, m_halo, z, *, caller, rng=None, scatter=0.0):
        """Return luminosities with the given scatter [dex], in one pass over the haloes."""
        m_halo, z = checked_halos(m_halo, z, caller=f"Li2016.{caller}")
        table = sfr_table(self.sfr)
        table.check(m_halo, z, caller=f"Li2016.{caller}")
        normal = checked_rng(rng).standard_normal(m_halo.size) if scatter else np.zeros(1)
        sigma = scatter * LN10
        at_unit = _ln_l_at_unit_sfr(self.log_delta_mf, self.alpha, self.beta, self.sigma_sfr)
        offset = at_unit - sigma**2 / 2
        slope = LN10 / self.alpha
        l_co = _power_of_sfr(table.grid, m_halo.ravel(), z.ravel(), normal, slope, offset, sigma)
        return l_co.reshape(m_halo.shape)


def _ln_l_at_unit_sfr(log_delta_mf, alpha, beta, sigma_sfr):
    """Return ln of the mean luminosity [Lsun] at a mean SFR of 1 Msun/yr."""
    power_law = (10 - log_delta_mf - beta) / alpha * LN10
    mean = (sigma_sfr * LN10) ** 2 * (1 - alpha) / (2 * alpha**2)
    return power_law + mean + np.log(lsun_per_l_prime())


def _check_correlation(correlation):
    if correlation not in CORRELATIONS:
        known = ", ".join(CORRELATIONS)
        msg = f"Li2016.draw: correlation is {correlation!r}, expected one of {known}"
        raise ValueError(msg)


@njit(cache=True)
def _power_of_sfr(grid, m_halo, z, normal, slope, offset, sigma):
    """Return exp(slope log10 SFR + offset + sigma normal) of every halo."""
    l_co = np.empty(m_halo.size)
    for i in range(m_halo.size):
        exponent = slope * interpolate(grid, m_halo[i], z[i]) + offset
        if sigma > 0.0:
            exponent += sigma * normal[i]
        l_co[i] = np.exp(exponent)
    return l_co
