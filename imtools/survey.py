"""Sky area and channels of one observed field, and the voxels they make."""

from dataclasses import asdict, dataclass, field, fields, replace

import numpy as np
import xarray as xr

from imtools.constants import DEG, NU_CO10
from imtools.cosmology import Cosmology, check_numbers


@dataclass(frozen=True, kw_only=True)
class Survey:
    """Sky area and channels of one square field, centred on (0, 0).

    Examples
    --------
    >>> survey = Survey.notes()
    >>> survey.shape
    (100, 256, 256)
    >>> round(survey.delta_nu, 3)  # GHz
    0.08
    >>> small = survey.replace(n_pix=64, n_chan=20)
    >>> small.shape
    (20, 64, 64)
    """

    field_size: float = 1.4  # deg, side of the field
    n_pix: int = 256  # pixels along each side
    n_chan: int = 100  # channels over the band
    nu_min: float = 26.0  # GHz, lower edge of the band
    nu_max: float = 34.0  # GHz, upper edge of the band
    nu_rest: float = NU_CO10  # GHz, rest frequency of the line
    cosmology: Cosmology = field(default_factory=Cosmology)

    def __post_init__(self):
        names = ("field_size", "nu_min", "nu_max", "nu_rest")
        check_numbers({name: getattr(self, name) for name in names}, caller="Survey")
        if not 0 < self.field_size <= 60:
            msg = f"Survey: field_size is {self.field_size} deg, expected 0 to 60; check the unit"
            raise ValueError(msg)
        for name in ("n_pix", "n_chan"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | np.integer) or value < 1:
                msg = f"Survey: {name} is {value!r}, expected a whole number of at least 1"
                raise ValueError(msg)
        if not 0 < self.nu_min < self.nu_max:
            msg = f"Survey: band is {self.nu_min} to {self.nu_max} GHz; put nu_min below nu_max"
            raise ValueError(msg)
        if not self.nu_max < self.nu_rest:
            msg = (
                f"Survey: nu_max is {self.nu_max} GHz, expected below the rest frequency "
                f"{self.nu_rest} GHz; a line is seen redshifted"
            )
            raise ValueError(msg)

    @classmethod
    def notes(cls, **changes):
        """Return the field of the notes: 1.4 deg, 256^2 pixels, 100 channels, 26-34 GHz."""
        return cls(**changes)

    @classmethod
    def comap(cls, **changes):
        """Return the COMAP field: 1.4 deg, 21^2 pixels of 4', 512 channels of 15.625 MHz."""
        return cls(**{"n_pix": 21, "n_chan": 512} | changes)

    @classmethod
    def ihle2019(cls, **changes):
        """Return the field of Ihle+2019 (arXiv:1808.07487): 1.5 deg, 22^2 pixels, 512 channels."""
        return cls(**{"field_size": 1.5, "n_pix": 22, "n_chan": 512} | changes)

    def replace(self, **changes):
        """Return a survey with some fields changed."""
        return replace(self, **changes)

    def to_dict(self):
        """Return the fields as plain numbers, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, values):
        """Return the survey that `to_dict` wrote."""
        names = {f.name for f in fields(cls)}
        unknown = set(values) - names
        if unknown:
            msg = f"Survey.from_dict: unknown {sorted(unknown)}, expected among {sorted(names)}"
            raise ValueError(msg)
        values = dict(values)
        if isinstance(values.get("cosmology"), dict):
            values["cosmology"] = Cosmology(**values["cosmology"])
        return cls(**values)

    @property
    def shape(self):
        """Shape of a cube, (n_chan, n_pix, n_pix), for dims ("freq", "dec", "ra")."""
        return (self.n_chan, self.n_pix, self.n_pix)

    @property
    def delta_nu(self):
        """Channel width [GHz]."""
        return (self.nu_max - self.nu_min) / self.n_chan

    @property
    def pixel_size(self):
        """Side of a pixel [deg]."""
        return self.field_size / self.n_pix

    @property
    def pixel_solid_angle(self):
        """Solid angle of a pixel [sr], flat sky."""
        return (self.pixel_size * DEG) ** 2

    @property
    def solid_angle(self):
        """Solid angle of the field [sr], flat sky."""
        return (self.field_size * DEG) ** 2

    @property
    def z_min(self):
        """Redshift at the upper edge of the band."""
        return self.nu_rest / self.nu_max - 1

    @property
    def z_max(self):
        """Redshift at the lower edge of the band."""
        return self.nu_rest / self.nu_min - 1

    @property
    def freq_edges(self):
        """Channel edges [GHz], ascending, shape (n_chan + 1,)."""
        return np.linspace(self.nu_min, self.nu_max, self.n_chan + 1)

    @property
    def angle_edges(self):
        """Pixel edges in right ascension and declination [deg], shape (n_pix + 1,)."""
        return np.linspace(-self.field_size / 2, self.field_size / 2, self.n_pix + 1)

    @property
    def voxel_volume(self):
        """Comoving volume of a voxel [Mpc^3] in each channel, shape (n_chan,)."""
        chi = self.cosmology.comoving_distance(self.nu_rest / self.freq_edges - 1)
        return (chi[:-1] ** 3 - chi[1:] ** 3) / 3 * self.pixel_solid_angle

    @property
    def volume(self):
        """Comoving volume of the whole field and band [Mpc^3]."""
        return float(self.voxel_volume.sum()) * self.n_pix**2

    @property
    def coords(self):
        """Coordinates of a cube: centres of `freq`, `dec`, `ra`, and `z` on `freq`."""
        freq_edges, angle_edges = self.freq_edges, self.angle_edges
        freq = (freq_edges[1:] + freq_edges[:-1]) / 2
        angle = (angle_edges[1:] + angle_edges[:-1]) / 2
        freq_attrs = {
            "units": "GHz", "long_name": "observed frequency",
            "standard_name": "radiation_frequency", "width": self.delta_nu,
        }  # fmt: skip
        dec_attrs = {"units": "deg", "long_name": "declination offset", "width": self.pixel_size}
        ra_attrs = dec_attrs | {"long_name": "right ascension offset"}
        return {
            "freq": ("freq", freq, freq_attrs),
            "dec": ("dec", angle, dec_attrs),
            "ra": ("ra", angle, ra_attrs),
            "z": ("freq", self.nu_rest / freq - 1, {"units": "1", "long_name": "redshift"}),
        }

    def cube(self, values):
        """Return `values`, shape (n_chan, n_pix, n_pix) in uK, as a labelled cube.

        Returns
        -------
        xarray.DataArray, dims ("freq", "dec", "ra"), units uK
            Named ``brightness_temperature``; ``attrs["nu_rest"]`` is the rest frequency [GHz].
        """
        values = np.asarray(values)
        if values.shape != self.shape:
            msg = f"Survey.cube: values have shape {values.shape}, expected {self.shape}"
            raise ValueError(msg)
        attrs = {"units": "uK", "long_name": "brightness temperature", "nu_rest": self.nu_rest}
        return xr.DataArray(
            values, dims=("freq", "dec", "ra"), coords=self.coords, attrs=attrs,
            name="brightness_temperature",
        )  # fmt: skip


def spacing(cube, name):
    """Return the even spacing of one coordinate of a cube, in that coordinate's unit.

    Parameters
    ----------
    cube : xarray.DataArray
        Cube with the coordinate `name`; where it has one value only, its attribute ``width``.
    name : {"freq", "dec", "ra"}
        Which coordinate.

    Raises
    ------
    ValueError
        If the values are unevenly spaced, or there is one value and no ``width``.
    """
    values, units = cube[name].values, cube[name].attrs.get("units", "")
    widths = np.abs(np.diff(values)) if values.size > 1 else [cube[name].attrs.get("width", 0.0)]
    if np.ptp(widths) > 1e-6 * np.max(widths) or not np.min(widths) > 0:
        msg = (
            f"spacing: {name} is spaced by {np.min(widths):.6g} to {np.max(widths):.6g} {units}, "
            "expected even and above 0; re-grid the map, or set the coordinate's attribute 'width'"
        )
        raise ValueError(msg)
    return float(np.mean(widths))


def channel_width(cube):
    """Return the channel width [GHz] of a cube; see `spacing`."""
    return spacing(cube, "freq")


def pixel_size(cube):
    """Return the side of a pixel [deg] of a cube with square pixels; see `spacing`."""
    dec, ra = spacing(cube, "dec"), spacing(cube, "ra")
    if not np.isclose(dec, ra, rtol=1e-6):
        msg = f"pixel_size: pixels are {dec:.6g} by {ra:.6g} deg, expected square; re-grid the map"
        raise ValueError(msg)
    return ra


def with_bounds(cube):
    """Return a Dataset of `cube` and CF bounds of its coordinates, as it is written to disk.

    A DataArray cannot hold bounds (their second dim is not its own), so they live in files:
    ``freq_bounds`` [GHz], ``dec_bounds`` and ``ra_bounds`` [deg], dims (coordinate, "bounds").
    """
    dataset = cube.to_dataset(name=cube.name or "brightness_temperature")
    for name in ("freq", "dec", "ra"):
        centre, half = cube[name].values, spacing(cube, name) / 2
        attrs = {"units": cube[name].attrs["units"], "long_name": f"lower and upper edge of {name}"}
        edges = np.stack([centre - half, centre + half], axis=1)
        dataset = dataset.assign_coords({f"{name}_bounds": ((name, "bounds"), edges, attrs)})
        dataset[name].attrs["bounds"] = f"{name}_bounds"
    return dataset


def check_cube(cube, *, caller):
    """Raise unless `cube` keeps the map conventions: dims, unit uK, ascending frequency.

    Parameters
    ----------
    cube : xarray.DataArray
        What a caller passed; dims end in ("freq", "dec", "ra"), a ``sample`` may stand in front.
    caller : str
        Name of the public function that checks, for the message.

    Raises
    ------
    TypeError
        If `cube` is no DataArray.
    ValueError
        If dims, units or the order of the channels break the conventions.
    """
    if not isinstance(cube, xr.DataArray):
        msg = f"{caller}: got {type(cube).__name__}, expected a DataArray; see Survey.cube"
        raise TypeError(msg)
    if cube.dims not in (("freq", "dec", "ra"), ("sample", "freq", "dec", "ra")):
        msg = f"{caller}: dims are {cube.dims}, expected (freq, dec, ra), or sample in front"
        raise ValueError(msg)
    if cube.attrs.get("units") != "uK":
        msg = f"{caller}: units are {cube.attrs.get('units')!r}, expected 'uK'; convert the map"
        raise ValueError(msg)
    if cube.sizes["freq"] > 1 and not np.all(np.diff(cube["freq"].values) > 0):
        msg = f"{caller}: freq is not ascending; use cube.sortby('freq')"
        raise ValueError(msg)
