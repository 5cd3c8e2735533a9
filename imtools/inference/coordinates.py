"""Few numbers that say how bright haloes are: what an emulator is a polynomial of."""

from dataclasses import dataclass

import numpy as np

LOG_MASSES = (10.75, 11.5, 12.25, 13.0)  # log10 Msun, of haloes whose light a map is made of
N_REDSHIFTS = 3  # across the band
DARK = 0.1  # Lsun, what fainter haloes count under a logarithm: all of them together are not seen
FARTHEST = 5.0  # spreads, to which coordinates may go: a single odd map sets no range
DOMAIN = np.log(1000.0)  # about the fiducial, the light of haloes; COMAP's joint prior fills it
LEAST_SPREAD = 1e-3  # of the largest, under which a direction changes no map


@dataclass(frozen=True, kw_only=True, eq=False)
class Coordinates:
    """Log luminosities of haloes at a few masses and redshifts, and scatter, of unit spread.

    What a map shows depends on the parameters by way of the light of its haloes, and its logarithm
    grows nearly evenly with the logarithm of the light: a polynomial of low degree reaches much
    further in these than in the parameters. Five parameters of Li+2016 are three coordinates.
    """

    redshifts: np.ndarray  # shape (N_REDSHIFTS,)
    centre: np.ndarray  # of the training maps, shape (n_raw,)
    axes: np.ndarray  # to unit spread, shape (n_raw, n_coordinates)
    low: np.ndarray  # least coordinates in training, shape (n_coordinates,)
    high: np.ndarray  # largest

    @classmethod
    def fitted(cls, space, u, survey):
        """Return the coordinates in which the training maps at normals `u` have unit spread.

        Returns
        -------
        coordinates : Coordinates
        in_domain : numpy.ndarray of bool, shape (n,)
            Which maps may be trained on: the light of their haloes, mean of its logarithm, is
            within 1000 times the fiducial, or the middle map's where the prior has twice as many
            maps about that.
        """
        redshifts = np.linspace(survey.z_min, survey.z_max, N_REDSHIFTS)
        raw, fiducial = _raw(space, u, redshifts), _raw(space, None, redshifts)
        of_fiducial, of_middle = (
            np.abs((raw - centre)[:, :-1].mean(axis=1)) < DOMAIN
            for centre in (fiducial[0], np.median(raw, axis=0))
        )
        in_domain = of_middle if of_middle.sum() > 2 * of_fiducial.sum() else of_fiducial
        if in_domain.sum() < 10:
            msg = (
                f"fit_emulator: {in_domain.sum()} of {len(raw)} training maps are within 1000 "
                "times the fiducial luminosities, expected at least 10; choose a narrower prior"
            )
            raise ValueError(msg)
        inside = raw[in_domain]
        centre = inside.mean(axis=0)
        _, sizes, rows = np.linalg.svd(inside - centre, full_matrices=False)
        n = min(int(np.sum(sizes > LEAST_SPREAD * sizes[0])), space.n_dim)
        axes = rows[:n].T * np.sqrt(len(inside)) / sizes[:n]
        v = (inside - centre) @ axes
        return cls(
            redshifts=redshifts, centre=centre, axes=axes,
            low=np.maximum(v.min(axis=0), -FARTHEST), high=np.minimum(v.max(axis=0), FARTHEST),
        ), in_domain  # fmt: skip

    def of(self, space, u):
        """Return coordinates, shape (n, n_coordinates); beyond those in training, their edge."""
        return np.clip(self.unlimited(space, u), self.low, self.high)

    def unlimited(self, space, u):
        """Return coordinates wherever they lie."""
        return (_raw(space, u, self.redshifts) - self.centre) @ self.axes


def _raw(space, u, redshifts):
    """Return ln luminosities [Lsun] and scatter [ln], (n, n_raw); of the fiducial for no `u`."""
    masses = np.tile(10 ** np.array(LOG_MASSES), len(redshifts))
    z = np.repeat(redshifts, len(LOG_MASSES))
    if u is None:
        model = space.model(**space.fixed)
        light, scatter = model.mean_luminosity(masses, z)[None], np.array([model.scatter])
    else:
        light, scatter = space.light(u, masses, z)
    return np.column_stack([np.log(np.maximum(light, DARK)), np.log(10) * scatter])
