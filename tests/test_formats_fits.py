"""FITS cubes go out and come back, and headers with the usual slips are mended or refused."""

import json

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from astropy import units as u
from astropy.io import fits
from astropy.wcs import WCS

from imtools.constants import NU_CO10
from imtools.formats import fill_masked, read_fits, write_fits
from imtools.survey import Survey, channel_width, check_cube, pixel_size

NAME = "brightness_temperature"


def sky(seed=0, **changes):
    """Return an asymmetric cube, 4 x 5 x 6, off centre, of which no voxel is like another."""
    survey = Survey.comap(n_pix=6, n_chan=4, **changes)
    cube = survey.cube(np.random.default_rng(seed).normal(0, 30, survey.shape))
    return cube.isel(dec=slice(0, 5)).assign_attrs(ra_center=226.0, dec_center=55.0)


def measured(seed=0):
    """Return a map with noise, hits and a masked voxel."""
    cube = sky(seed)
    rng = np.random.default_rng(seed + 1)
    mask = np.zeros(cube.shape, bool)
    mask[1, 2, 3] = True
    attrs = {"sigma_noise": ("uK", "noise per voxel"), "hits": ("1", "number of samples")}
    values = {"sigma_noise": rng.uniform(5, 9, cube.shape), "hits": rng.integers(1, 9, cube.shape)}
    data = {
        k: (cube.dims, np.where(mask, {"sigma_noise": np.nan, "hits": 0}[k], values[k]),
            {"units": units, "long_name": label})
        for k, (units, label) in attrs.items()
    }  # fmt: skip
    data["hits"] = (cube.dims, data["hits"][1].astype(int), data["hits"][2])
    data["mask"] = (cube.dims, mask, {"units": "1", "long_name": "voxel without data"})
    return xr.Dataset({NAME: cube.where(~mask, np.nan)} | data, attrs={"seed": 3, "note": "ü\n"})


def assert_same(back, cube, rtol=0.0):
    """Assert that a map came back voxel by voxel, with its axes."""
    npt.assert_allclose(back, cube, rtol=rtol)
    for name in ("freq", "dec", "ra", "z"):
        npt.assert_allclose(back[name], cube[name], rtol=1e-9, atol=1e-9)  # of 360 deg in float64
    check_cube(back, caller="test")


def altered(path, *, drop=(), data=None, **cards):
    """Write the cube as FITS and change its header."""
    write_fits(sky(), path, overwrite=True)
    with fits.open(path) as file:
        header = file[0].header
        header.update(cards)
        for name in drop:
            del header[name]
        values = file[0].data if data is None else data
        fits.PrimaryHDU(values.copy(), header).writeto(path, overwrite=True)
    return path


# --- out and back


def test_a_cube_comes_back_as_it_went(tmp_path):
    write_fits(sky(), tmp_path / "m.fits")
    dataset = read_fits(tmp_path / "m.fits")
    assert_same(dataset[NAME], sky())
    assert dataset[NAME].attrs["nu_rest"] == pytest.approx(NU_CO10, rel=1e-15)
    assert dataset.attrs["ra_center"] == pytest.approx(226.0, abs=1e-9)
    assert not dataset["mask"].any()
    assert "repairs" not in dataset.attrs


def test_noise_hits_mask_and_attributes_come_back(tmp_path):
    data = measured()
    write_fits(data, tmp_path / "m.fits")
    back = read_fits(tmp_path / "m.fits")
    assert_same(back[NAME], data[NAME])
    for name in ("sigma_noise", "hits", "mask"):
        npt.assert_array_equal(back[name], data[name])
    assert back.attrs["seed"] == 3
    assert back.attrs["note"] == "ü\n"
    assert fill_masked(back)[1, 2, 3] == 0


def test_float32_stays_float32(tmp_path):
    cube = sky().astype("float32")
    write_fits(cube, tmp_path / "m.fits")
    back = read_fits(tmp_path / "m.fits")[NAME]
    assert back.dtype == np.float32
    assert_same(back, cube)


@pytest.mark.parametrize("size", [{"n_pix": 1}, {"n_chan": 1}])
def test_an_axis_of_one_value_keeps_its_width(tmp_path, size):
    survey = Survey.comap(**{"n_pix": 3, "n_chan": 3} | size)
    cube = survey.cube(np.arange(np.prod(survey.shape), dtype=float).reshape(survey.shape))
    write_fits(cube, tmp_path / "m.fits")
    back = read_fits(tmp_path / "m.fits")[NAME]
    assert_same(back, cube)
    npt.assert_allclose(channel_width(back), channel_width(cube), rtol=1e-12)
    npt.assert_allclose(pixel_size(back), pixel_size(cube), rtol=1e-9)


def test_the_header_says_what_the_standard_asks(tmp_path):
    write_fits(sky(), tmp_path / "m.fits")
    with fits.open(tmp_path / "m.fits") as file:
        header, data = file[0].header, file[0].data
        wcs = WCS(header)
    assert header["RESTFRQ"] == pytest.approx(NU_CO10 * 1e9, rel=1e-15)
    assert header["BUNIT"] == "uK"
    cube = sky()
    freq, dec, ra = 3, 1, 4
    place, spectral = wcs.pixel_to_world(5 - ra, dec, freq)  # right ascension falls along a row
    assert data[freq, dec, 5 - ra] == cube[freq, dec, ra]
    npt.assert_allclose(spectral.to_value(u.GHz), cube["freq"][freq], rtol=1e-12)
    npt.assert_allclose(place.dec.deg, 55 + cube["dec"][dec], atol=1e-2)  # the sky is round
    east = (place.ra.deg - 226) * np.cos(place.dec.rad)
    npt.assert_allclose(east, cube["ra"][ra], atol=1e-4)


def test_spectral_cube_opens_what_was_written(tmp_path):
    package = pytest.importorskip("spectral_cube")
    write_fits(sky(), tmp_path / "m.fits")
    cube = package.SpectralCube.read(tmp_path / "m.fits")
    npt.assert_allclose(cube.spectral_axis.to_value(u.GHz), sky()["freq"], rtol=1e-12)
    assert cube.unit == u.uK


def test_writing_refuses_stacks_other_names_and_files_that_exist(tmp_path):
    write_fits(sky(), tmp_path / "m.fits")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_fits(sky(1), tmp_path / "m.fits")
    assert_same(read_fits(tmp_path / "m.fits")[NAME], sky())
    write_fits(sky(1), tmp_path / "m.fits", overwrite=True)
    assert_same(read_fits(tmp_path / "m.fits")[NAME], sky(1))
    with pytest.raises(ValueError, match="expected one map"):
        write_fits(sky().expand_dims("sample"), tmp_path / "n.fits")
    with pytest.raises(ValueError, match=r"expected one map .* and '.fits'"):
        write_fits(sky(), tmp_path / "n.dat")
    assert [p.name for p in tmp_path.iterdir()] == ["m.fits"]


# --- cubes of others


def test_axes_may_come_in_another_order_and_with_stokes(tmp_path):
    write_fits(sky(), tmp_path / "m.fits")
    with fits.open(tmp_path / "m.fits") as file:
        header, data = file[0].header, file[0].data
    moved = header.copy()
    del moved["IMATTRS"]
    for new, old in ((1, 3), (2, 2), (3, 1)):  # FITS axes freq, dec, ra, and Stokes last
        for card in ("CTYPE", "CUNIT", "CRVAL", "CDELT", "CRPIX"):
            moved[f"{card}{new}"] = header[f"{card}{old}"]
    moved.update({"CTYPE4": "STOKES", "CRVAL4": 1.0, "CDELT4": 1.0, "CRPIX4": 1.0})
    fits.PrimaryHDU(data.transpose(2, 1, 0)[None].copy(), moved).writeto(tmp_path / "n.fits")
    assert_same(read_fits(tmp_path / "n.fits")[NAME], sky())


def test_two_polarizations_are_one_too_many(tmp_path):
    path = altered(tmp_path / "m.fits", data=np.stack([sky().values] * 2), CTYPE4="STOKES")
    with pytest.raises(ValueError, match=r"shape \(2, 4, 5, 6\), expected one value along axes"):
        read_fits(path)


def test_one_channel_has_the_width_in_the_header_if_that_can_be_trusted(tmp_path):
    one = sky().values[:1, :, ::-1]
    path = altered(tmp_path / "m.fits", data=one, RESTFRQ=NU_CO10)
    with pytest.warns(UserWarning, match="RESTFRQ"):
        npt.assert_allclose(channel_width(read_fits(path)[NAME]), 2.0, rtol=1e-12)
    path = altered(tmp_path / "m.fits", data=one, CRVAL3=27.0)  # is CDELT3 in Hz or in GHz?
    with pytest.raises(ValueError, match="freq has one value and no width"):
        read_fits(path)


def test_wavelengths_become_frequencies(tmp_path):
    metres = 0.299792458 / sky()["freq"].values
    cards = {"CTYPE3": "WAVE", "CUNIT3": "m", "CRVAL3": metres[0], "CDELT3": metres[1] - metres[0]}
    path = altered(tmp_path / "m.fits", data=sky().values[:2, :, ::-1], **cards)
    npt.assert_allclose(read_fits(path)["freq"], sky()["freq"][:2], rtol=1e-12)


def test_frequency_may_fall_and_be_in_ghz(tmp_path):
    freq = sky()["freq"].values
    path = altered(
        tmp_path / "m.fits", CUNIT3="GHz", CRVAL3=freq[-1], CDELT3=freq[0] - freq[1],
        data=sky().values[::-1, :, ::-1],
    )  # fmt: skip
    assert_same(read_fits(path)[NAME], sky(), rtol=1e-15)


def test_a_cube_in_an_extension_or_compressed_is_found(tmp_path):
    write_fits(sky(), tmp_path / "m.fits")
    with fits.open(tmp_path / "m.fits") as file:
        hdu = fits.CompImageHDU(file[0].data, file[0].header, compression_type="GZIP_2")
        fits.HDUList([fits.PrimaryHDU(), hdu]).writeto(tmp_path / "n.fits")
    assert_same(read_fits(tmp_path / "n.fits")[NAME], sky())


def test_a_plate_carree_map_has_angles_on_the_sky(tmp_path):
    # as pixell makes maps: the reference point lies on the equator, far outside of the map
    step = 0.05 / np.cos(np.radians(55.0))
    path = altered(
        tmp_path / "m.fits", CTYPE1="RA---CAR", CTYPE2="DEC--CAR", CRVAL2=0.0, CDELT1=-step,
        CDELT2=0.05, CRPIX1=3.5, CRPIX2=3 - 55 / 0.05,
    )  # fmt: skip
    dataset = read_fits(path)
    npt.assert_allclose(dataset["dec"], 0.05 * np.arange(-2, 3), atol=1e-9)
    npt.assert_allclose(dataset["ra"], 0.05 * (np.arange(6) - 2.5), rtol=1e-6)  # finite step
    assert dataset.attrs["dec_center"] == pytest.approx(55.0, abs=1e-9)
    npt.assert_allclose(dataset[NAME], sky(), rtol=0)


def test_a_rotated_map_is_refused(tmp_path):
    path = altered(tmp_path / "m.fits", PC1_2=0.1, PC2_1=-0.1)
    with pytest.raises(ValueError, match="expected a map that is not rotated"):
        read_fits(path)


@pytest.mark.parametrize(
    ("cards", "match"),
    [
        ({"CTYPE1": "GLON-TAN", "CTYPE2": "GLAT-TAN"}, "expected RA, DEC and FREQ"),
        ({"CTYPE3": "STOKES"}, "expected RA, DEC and FREQ"),
        ({"CTYPE3": "ENER", "CUNIT3": "J"}, "spectral axis is ENER, expected FREQ, WAVE"),
        ({"CTYPE2": "DEC--CAR"}, "axes in the header cannot be read"),
        ({"RESTFRQ": 30e9}, "rest frequency is 30 GHz, below channels at 33"),
    ],
)
def test_axes_that_are_no_map_are_named(tmp_path, cards, match):
    with pytest.raises(ValueError, match=match) as caught:
        read_fits(altered(tmp_path / "m.fits", **cards))
    assert "\n" not in str(caught.value)


def test_a_file_without_a_cube_is_refused(tmp_path):
    fits.PrimaryHDU(np.ones((3, 3))).writeto(tmp_path / "m.fits")
    with pytest.raises(ValueError, match="holds no cube"):
        read_fits(tmp_path / "m.fits")


# --- units


@pytest.mark.parametrize(("unit", "factor"), [("K", 1e6), ("mK", 1e3), ("uK", 1), ("K (Trj)", 1e6)])
def test_temperatures_become_uk(tmp_path, unit, factor):
    back = read_fits(altered(tmp_path / "m.fits", BUNIT=unit))[NAME]
    npt.assert_allclose(back, sky() * factor, rtol=1e-12)
    assert back.attrs["units"] == "uK"


def test_intensities_become_temperatures_channel_by_channel(tmp_path):
    # Rayleigh-Jeans: T = c^2 I / (2 k nu^2), 1 Jy = 1e-26 W / m^2 / Hz
    hz = sky()["freq"] * 1e9
    uk = 299792458.0**2 * 1e-26 / (2 * 1.380649e-23 * hz**2) * 1e6
    back = read_fits(altered(tmp_path / "m.fits", BUNIT="MJy/sr"))[NAME]
    npt.assert_allclose(back, sky() * uk * 1e6, rtol=1e-9)
    single = np.ones((4, 5, 6), "float32")
    back = read_fits(altered(tmp_path / "m.fits", BUNIT="MJy/sr", data=single))[NAME]
    assert back.dtype == np.float32
    npt.assert_allclose(back[:, 0, 0], uk * 1e6, rtol=1e-6)
    path = altered(tmp_path / "m.fits", BUNIT="Jy/beam", BMAJ=0.1, BMIN=0.05)
    beam = 1.1330900354567985 * 0.1 * 0.05 * (np.pi / 180) ** 2  # pi / (4 ln 2), in sr
    npt.assert_allclose(read_fits(path)[NAME], sky() * uk / beam, rtol=1e-9)
    path = altered(tmp_path / "m.fits", BUNIT="Jy/pixel")
    pixel = (1.4 / 6 * np.pi / 180) ** 2
    npt.assert_allclose(read_fits(path)[NAME], sky() * uk / pixel, rtol=1e-8)


def test_a_missing_or_foreign_unit_is_an_error(tmp_path):
    path = altered(tmp_path / "m.fits", drop=["BUNIT"])
    with pytest.raises(ValueError, match=r"states no unit.*pass units="):
        read_fits(path)
    npt.assert_allclose(read_fits(path, units="mK")[NAME], sky() * 1e3, rtol=1e-12)
    for unit, match in (("Jy/beam", "tells no beam area"), ("m", "unit is 'm', expected K"),
                        ("K km/s", "expected K"), ("furlong7", "expected K")):  # fmt: skip
        with pytest.raises(ValueError, match=match):
            read_fits(altered(tmp_path / "m.fits", BUNIT=unit))


# --- headers with the usual slips


def mended(path, *, match, rtol=1e-12, **options):
    """Return the map that a reader makes of a header, warning with these words."""
    with pytest.warns(UserWarning, match=match):
        dataset = read_fits(path, **options)
    assert any(json.loads(dataset.attrs["repairs"]))
    assert json.loads(dataset[NAME].attrs["repairs"]) == json.loads(dataset.attrs["repairs"])
    npt.assert_allclose(dataset["freq"], sky()["freq"], rtol=rtol)
    npt.assert_allclose(dataset[NAME].attrs["nu_rest"], NU_CO10, rtol=1e-12)
    npt.assert_array_equal(dataset[NAME], sky())
    return dataset


@pytest.mark.parametrize(("unit", "per_ghz"), [("GHz", 1), ("MHz", 1e3)])
def test_a_rest_frequency_in_another_unit_is_mended(tmp_path, unit, per_ghz):
    path = altered(tmp_path / "m.fits", RESTFRQ=NU_CO10 * per_ghz)
    mended(path, match=f"RESTFRQ is .*, read as {unit} where the standard asks for Hz")


def test_a_rest_frequency_that_may_be_two_things_is_an_error(tmp_path):
    path = altered(tmp_path / "m.fits", RESTFRQ=1420.4)  # GHz or MHz?
    with pytest.raises(ValueError, match=r"RESTFRQ is 1420.4 Hz, expected"):
        read_fits(path)


def test_a_missing_rest_frequency_is_taken_as_co_with_a_warning(tmp_path):
    path = altered(tmp_path / "m.fits", drop=["RESTFRQ"])
    mended(path, match="RESTFRQ is missing, taken as CO")
    dataset = read_fits(path, nu_rest=230.538)
    npt.assert_allclose(dataset["z"], 230.538 / sky()["freq"] - 1, rtol=1e-12)


def test_channels_too_wide_by_a_thousand_are_mended(tmp_path):
    path = altered(tmp_path / "m.fits", CDELT3=2e9 * 1e3)
    mended(path, match=r"channels are 2e\+12 Hz wide.*CDELT3 multiplied by 0.001")


def test_channels_too_narrow_by_a_thousand_may_be_right_and_are_refused(tmp_path):
    path = altered(tmp_path / "m.fits", CDELT3=2e9 / 1e3)
    with pytest.raises(ValueError, match="mend CDELT3 if it is off by 1e3, pass freq="):
        read_fits(path)
    narrow = 27 + 0.002 * np.arange(4)
    npt.assert_allclose(read_fits(path, freq=narrow)["freq"], narrow, rtol=1e-12)


@pytest.mark.parametrize("cdelt", [2.0, 2e9])  # GHz as well, or Hz as it should be
def test_a_frequency_axis_in_ghz_that_says_hz_is_mended(tmp_path, cdelt):
    path = altered(tmp_path / "m.fits", CRVAL3=27.0, CDELT3=cdelt)
    mended(path, match="CRVAL3 is 27, read as GHz")


def test_a_radio_velocity_axis_is_made_into_frequencies(tmp_path):
    velocity = 299792458.0 * (1 - sky()["freq"].values / NU_CO10)
    cards = {"CTYPE3": "VRAD", "CUNIT3": "m/s", "CRVAL3": velocity[0]}
    path = altered(tmp_path / "m.fits", CDELT3=velocity[1] - velocity[0], **cards)
    mended(path, match="VRAD axis made into frequencies with the rest frequency 115.271")
    path = altered(tmp_path / "m.fits", CDELT3=velocity[1] - velocity[0], drop=["RESTFRQ"], **cards)
    with pytest.raises(ValueError, match="RESTFRQ is missing; pass nu_rest="):
        read_fits(path)


def test_an_optical_velocity_axis_is_uneven_in_frequency_and_refused(tmp_path):
    velocity = 299792458.0 * (NU_CO10 / sky()["freq"].values - 1)
    path = altered(
        tmp_path / "m.fits", CTYPE3="VOPT", CUNIT3="m/s", CRVAL3=velocity[0],
        CDELT3=velocity[1] - velocity[0],
    )  # fmt: skip
    with pytest.raises(ValueError, match=r"freq steps by .* expected an even axis"):
        read_fits(path)


# --- damage


def test_a_truncated_file_is_one_line(tmp_path):
    path = altered(tmp_path / "m.fits")
    whole = path.read_bytes()
    path.write_bytes(whole[: -2880 + 100])
    with pytest.raises(OSError, match=r"truncated, .* bytes where its header asks for") as caught:
        read_fits(path)
    assert "\n" not in str(caught.value)
    path.write_bytes(whole[:700])
    with pytest.raises(OSError, match="damaged FITS"):
        read_fits(path)


def test_a_header_that_asks_for_more_than_any_map_is_refused(tmp_path):
    path = altered(tmp_path / "m.fits")
    text = path.read_bytes()
    asked = text.replace(b"NAXIS1  =                    6", b"NAXIS1  =             60000000")
    assert asked != text
    path.write_bytes(asked)
    with pytest.raises(ValueError, match="it is no map"):
        read_fits(path)
