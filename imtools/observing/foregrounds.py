"""What shines between us and the haloes: radio sources, our galaxy's diffuse glow, and the CMB."""

from dataclasses import dataclass

import numpy as np
import xarray as xr
from scipy.constants import c, h, k
from scipy.fft import irfft2, next_fast_len, rfft2

from imtools.constants import DEG

# N(>S) = 27.2 (S / mJy)^-1.18 deg^-2 at 31 GHz: Muchovej et al. 2010, arXiv:0912.2335
COUNTS_AMPLITUDE = 32.1  # sources mJy^-1 deg^-2 at 1 mJy
COUNTS_SLOPE = 2.18  # of dN/dS
COUNTS_FREQ = 31.0  # GHz
# uK of 1 mJy in 1 sr at 1 GHz, Rayleigh-Jeans: c^2 S / (2 k nu^2 Omega)
TEMPERATURE_PER_MJY = c**2 / (2 * k * 1e18) * 1e-29 * 1e6

REFERENCE_FREQ = 30.0  # GHz, where the rms of a diffuse component is given
REFERENCE_FIELD = 2.0  # deg, side of the field whose rms is given
T_CMB = 2.72548  # K, Fixsen 2009, arXiv:0911.1955


@dataclass(frozen=True, kw_only=True)
class Diffuse:
    """A diffuse component: a Gaussian field on the sky times one spectrum."""

    rms: float  # uK at 30 GHz, about the mean of a field of 2 deg
    slope: float  # of the angular power spectrum, C_l ~ l^-slope
    beta: float | None  # temperature ~ freq^beta; None is the spectrum of the CMB's fluctuations


DIFFUSE = {  # amplitudes are of a clean field and only indicative: they are parameters
    "synchrotron": Diffuse(rms=3.0, slope=2.5, beta=-3.0),
    "free_free": Diffuse(rms=3.0, slope=2.5, beta=-2.1),
    "cmb": Diffuse(rms=30.0, slope=2.5, beta=None),
}


def point_source_counts(flux):
    """Return how many radio sources on a square degree exceed `flux` [mJy] at 31 GHz.

    References
    ----------
    .. [1] Muchovej et al. 2010, ApJ 716, 521, arXiv:0912.2335

    Examples
    --------
    >>> round(float(point_source_counts(1.0)), 1)
    27.2
    """
    slope = COUNTS_SLOPE - 1
    return COUNTS_AMPLITUDE / slope * np.asarray(flux, dtype=float) ** -slope


def draw_point_sources(survey, *, rng, s_min=1.0, s_max=316.0, index=-0.39, sigma_index=0.33):
    """Draw the radio sources of a field, at random places.

    Parameters
    ----------
    survey : imtools.survey.Survey
        The field.
    rng : numpy.random.Generator
        Source of every random number drawn here.
    s_min, s_max : float
        Faintest and brightest flux [mJy] at 31 GHz: below, sources are left out; above, masked.
    index, sigma_index : float
        Mean and scatter of the spectral index, flux ~ freq^index.

    Returns
    -------
    xarray.Dataset, dims ("source",)
        ``flux`` [mJy] at 31 GHz, ``index``, ``ra`` and ``dec`` [deg].

    Raises
    ------
    ValueError
        If not 0 < `s_min` < `s_max`, or `sigma_index` is negative.

    References
    ----------
    .. [1] Muchovej et al. 2010, ApJ 716, 521, arXiv:0912.2335
    """
    if not 0 < s_min < s_max < np.inf:
        msg = f"draw_point_sources: flux is {s_min} to {s_max} mJy, expected 0 < s_min < s_max"
        raise ValueError(msg)
    if not 0 <= sigma_index < np.inf:
        msg = f"draw_point_sources: sigma_index is {sigma_index}, expected at least 0"
        raise ValueError(msg)
    most, least = point_source_counts(s_min), point_source_counts(s_max)
    n_source = rng.poisson((most - least) * survey.field_size**2)
    above = rng.uniform(least, most, n_source)  # N(>S) of each is even over its range
    flux = s_min * (above / most) ** (-1 / (COUNTS_SLOPE - 1))
    half = survey.field_size / 2
    columns = {
        "flux": (flux, "mJy", "flux density at 31 GHz"),
        "index": (rng.normal(index, sigma_index, n_source), "1", "spectral index"),
        "ra": (rng.uniform(-half, half, n_source), "deg", "right ascension offset"),
        "dec": (rng.uniform(-half, half, n_source), "deg", "declination offset"),
    }
    return xr.Dataset(
        {n: ("source", v, {"units": u, "long_name": t}) for n, (v, u, t) in columns.items()}
    )


def point_sources(
    survey, *, rng, s_min=1.0, s_max=316.0, index=-0.39, sigma_index=0.33, dtype=np.float32
):
    """Paint the radio sources of a field.

    Parameters
    ----------
    survey : imtools.survey.Survey
        Field, channels and pixels.
    rng : numpy.random.Generator
        Source of every random number drawn here.
    s_min, s_max, index, sigma_index : float
        See `draw_point_sources`.
    dtype : numpy dtype
        Of the cube.

    Returns
    -------
    xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        Their Rayleigh-Jeans temperature, without a beam; ``attrs["n_sources"]`` counts them.

    Raises
    ------
    ValueError
        As `draw_point_sources` says.

    Notes
    -----
    Sources do not cluster. Their mean temperature exceeds that of CO, and most of it comes from
    the few brightest.
    """
    sources = draw_point_sources(
        survey, rng=rng, s_min=s_min, s_max=s_max, index=index, sigma_index=sigma_index
    )
    freq = survey.coords["freq"][1][:, None]
    flux = sources["flux"].values * (freq / COUNTS_FREQ) ** sources["index"].values
    temp = TEMPERATURE_PER_MJY * flux / (freq**2 * survey.pixel_solid_angle)
    row, column = (
        np.searchsorted(survey.angle_edges[1:-1], sources[name].values, side="right")
        for name in ("dec", "ra")
    )
    values = np.zeros(survey.shape)
    np.add.at(values, (slice(None), row, column), temp)
    return _named(survey, values.astype(dtype), "point_sources", n_sources=sources.sizes["source"])


def diffuse(survey, component, *, rng, rms=None, slope=None, beta=None, dtype=np.float32):
    r"""Paint one diffuse component of the sky.

    Parameters
    ----------
    survey : imtools.survey.Survey
        Field, channels and pixels.
    component : {"synchrotron", "free_free", "cmb"}
        Which one; `DIFFUSE` holds its defaults.
    rng : numpy.random.Generator
        Source of every random number drawn here.
    rms : float, optional
        Expected root mean square [uK] at 30 GHz about the mean of a field of 2 deg.
    slope : float, optional
        Of the angular power spectrum, :math:`C_l \propto l^{-\mathrm{slope}}`.
    beta : float, optional
        Rayleigh-Jeans temperature goes as freq to this power.
    dtype : numpy dtype
        Of the cube.

    Returns
    -------
    xarray.DataArray, dims ("freq", "dec", "ra"), units uK
        Fluctuations about 0: a monopole is not part of it. ``attrs`` say what it was made with.

    Raises
    ------
    ValueError
        If `component` is unknown, `rms` negative or `slope` not between 0 and 4.

    Notes
    -----
    Every line of sight has the same spectrum. The CMB's is that of a small change of temperature
    of a blackbody, :math:`x^2 e^x / (e^x - 1)^2` with :math:`x = h \nu / k T`, in Rayleigh-Jeans
    temperature. The field is cut from a periodic one at least twice as wide as itself and as
    2 deg, so waves longer than that are missing.
    """
    if component not in DIFFUSE:
        msg = f"diffuse: component is {component!r}, expected one of {', '.join(DIFFUSE)}"
        raise ValueError(msg)
    default = DIFFUSE[component]
    rms = default.rms if rms is None else rms
    slope = default.slope if slope is None else slope
    beta = default.beta if beta is None else beta
    if not 0 <= rms < np.inf:
        msg = f"diffuse: rms is {rms} uK, expected finite and at least 0"
        raise ValueError(msg)
    if not 0 <= slope < 4:
        msg = f"diffuse: slope is {slope}, expected 0 to 4; the longest waves hold all of a steeper"
        raise ValueError(msg)
    sky = rms * _unit_field(survey, slope, rng)
    freq = survey.coords["freq"][1]
    spectrum = _cmb_spectrum(freq) if beta is None else (freq / REFERENCE_FREQ) ** beta
    values = (spectrum[:, None, None] * sky).astype(dtype)
    return _named(
        survey, values, component, rms=rms, slope=slope, beta="cmb" if beta is None else beta
    )


def _cmb_spectrum(freq):
    """Return the CMB's fluctuations in Rayleigh-Jeans temperature, 1 at 30 GHz."""
    x, x_ref = (h * nu * 1e9 / (k * T_CMB) for nu in (freq, REFERENCE_FREQ))
    return (x / np.sinh(x / 2)) ** 2 / (x_ref / np.sinh(x_ref / 2)) ** 2


def _unit_field(survey, slope, rng):
    """Return a Gaussian field (dec, ra) whose variance in a field of 2 deg is 1 on average."""
    pixel = survey.pixel_size
    n = next_fast_len(int(np.ceil(2 * max(survey.field_size, REFERENCE_FIELD) / pixel)), real=True)
    ell = 2 * np.pi * np.fft.fftfreq(n, pixel * DEG)
    size = np.hypot(ell[:, None], ell)
    size[0, 0] = np.inf  # no mean
    power = size**-slope if slope > 0 else np.where(np.isfinite(size), 1.0, 0.0)
    # a wave adds to the variance about the mean of the field what it does not add to that mean
    window = np.sinc(ell / (2 * np.pi) * REFERENCE_FIELD * DEG)
    inside = power * (1 - np.outer(window, window) ** 2)
    power *= n**2 / inside.sum()
    waves = rfft2(rng.standard_normal((n, n))) * np.sqrt(power[:, : n // 2 + 1])
    return irfft2(waves, s=(n, n))[: survey.n_pix, : survey.n_pix]


def _named(survey, values, component, **attrs):
    """Return a cube of one foreground."""
    cube = survey.cube(values)
    name = component.replace("_", " ")
    cube.attrs |= {"component": component, "long_name": f"brightness temperature of {name}"} | attrs
    return cube
