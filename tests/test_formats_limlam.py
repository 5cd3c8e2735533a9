"""Maps of limlam_mocker come in and go out; what an archive may hide is never run or unpacked."""

import io
import os
import pickle
import zipfile

import numpy as np
import numpy.testing as npt
import pytest

from imtools.constants import NU_CO10
from imtools.formats import read_limlam, write_limlam
from imtools.survey import Survey, channel_width, check_cube, pixel_size

NAME = "brightness_temperature"
SIDE, N_PIX, N_CHAN = 1.2, 6, 4  # deg


def sky(**attrs):
    """Return an asymmetric cube, 4 x 5 x 6, of which no voxel is like another."""
    survey = Survey.comap(field_size=SIDE, n_pix=N_PIX, n_chan=N_CHAN)
    cube = survey.cube(np.random.default_rng(0).normal(0, 30, survey.shape))
    return cube.isel(dec=slice(0, 5)).assign_attrs(attrs)


def members(*, lower_edges):
    """Return what the original code saves: (ra, dec, frequency falling), and its pixel axes."""
    cube = sky()
    size = SIDE / N_PIX
    shift = size / 2 if lower_edges else 0.0
    return {
        "fov_x": SIDE, "fov_y": SIDE, "pix_size_x": size, "pix_size_y": size, "npix_x": N_PIX,
        "npix_y": 5, "map_pixel_ra": cube["ra"].values - shift,
        "map_pixel_dec": cube["dec"].values - shift, "map_frequencies": cube["freq"].values[::-1],
        "map_cube": np.moveaxis(cube.values[::-1], 0, -1).swapaxes(0, 1),
    }  # fmt: skip


def write(path, *, lower_edges=False, **changes):
    """Write an archive with some members changed, or left out where None."""
    arrays = members(lower_edges=lower_edges) | changes
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


def assert_is_sky(dataset):
    cube = dataset[NAME]
    npt.assert_array_equal(cube, sky())
    for name in ("freq", "dec", "ra", "z"):
        npt.assert_allclose(cube[name], sky()[name], rtol=1e-12, atol=1e-12)
    check_cube(cube, caller="test")
    assert cube.attrs["nu_rest"] == NU_CO10


def test_axes_are_turned_into_our_order(tmp_path):
    path = write(tmp_path / "m.npz")
    with np.load(path) as file:
        assert file["map_cube"].shape == (6, 5, 4)
        assert file["map_cube"][5, 1, 0] == sky()[3, 1, 5]
    assert_is_sky(read_limlam(path))
    assert "repairs" not in read_limlam(path).attrs


def test_lower_edges_stored_as_centres_are_moved_by_half_a_pixel(tmp_path):
    path = write(tmp_path / "m.npz", lower_edges=True)
    with pytest.warns(UserWarning, match="map_pixel_ra held lower edges.*map_pixel_dec"):
        dataset = read_limlam(path)
    assert_is_sky(dataset)
    assert "half a pixel" in dataset.attrs["repairs"]


def test_a_map_of_ours_comes_back(tmp_path):
    # it begins at -fov/2 without that being an edge, since it is half a pixel off centre
    npt.assert_allclose(sky()["dec"][0], -5 * SIDE / N_PIX / 2, rtol=1e-12)
    write_limlam(sky(), tmp_path / "m.npz")
    dataset = read_limlam(tmp_path / "m.npz")
    assert_is_sky(dataset)
    npt.assert_allclose(channel_width(dataset[NAME]), channel_width(sky()), rtol=1e-12)
    npt.assert_allclose(pixel_size(dataset[NAME]), pixel_size(sky()), rtol=1e-12)


def test_what_we_write_is_what_the_original_code_saves(tmp_path):
    write_limlam(sky(), tmp_path / "m.npz")
    with np.load(tmp_path / "m.npz") as file:  # its readers take no pickles either
        ours = {name: file[name] for name in file.files}
    for name, theirs in members(lower_edges=False).items():
        if name == "fov_y":
            theirs = 5 * SIDE / N_PIX  # this map is not square
        npt.assert_allclose(ours[name], theirs, rtol=1e-12, atol=1e-12)


def test_noise_and_rest_frequency_come_back(tmp_path):
    write_limlam(sky(sigma_noise=11.0, nu_rest=110.0), tmp_path / "m.npz")
    dataset = read_limlam(tmp_path / "m.npz")
    npt.assert_array_equal(dataset["sigma_noise"], np.full(sky().shape, 11.0))
    assert dataset[NAME].attrs["nu_rest"] == 110.0
    assert read_limlam(tmp_path / "m.npz", nu_rest=NU_CO10)[NAME].attrs["nu_rest"] == NU_CO10


def test_a_noise_map_is_turned_like_the_cube(tmp_path):
    sigma = np.random.default_rng(2).uniform(1, 2, (6, 5, 4))
    dataset = read_limlam(write(tmp_path / "m.npz", sigma=sigma))
    npt.assert_array_equal(dataset["sigma_noise"], np.transpose(sigma[..., ::-1], (2, 1, 0)))


def test_a_map_in_kelvin_is_converted_if_told(tmp_path):
    npt.assert_allclose(
        read_limlam(write(tmp_path / "m.npz"), units="K")[NAME], sky() * 1e6, rtol=1e-12
    )


def test_a_stack_or_a_map_with_holes_is_not_written(tmp_path):
    for cube, match in (
        (sky().expand_dims("sample"), "expected one map"),
        (sky().where(sky() > 0), "NaN or infinite"),
    ):
        with pytest.raises(ValueError, match=match):
            write_limlam(cube, tmp_path / "m.npz")
    with pytest.raises(ValueError, match=r"expected '.npz'"):
        write_limlam(sky(), tmp_path / "m.dat")
    assert not list(tmp_path.iterdir())
    write_limlam(sky(), tmp_path / "m.npz")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_limlam(sky(), tmp_path / "m.npz")


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"map_cube": None}, "missing .'map_cube'.; it is no map of limlam_mocker"),
        ({"map_cube": np.ones((6, 5))}, r"expected \(ra, dec, freq\)"),
        ({"map_cube": np.ones((5, 6, 4))}, r"has shape \(4, 6, 5\), expected \(4, 5, 6\)"),
        ({"map_frequencies": np.zeros(4)}, "frequencies are all 0"),
        ({"map_cube": np.full((6, 5, 4), "x")}, "expected numbers; objects are not read"),
        ({"sigma": np.ones(3)}, r"sigma has shape \(3,\), expected one number or a map"),
    ],
)
def test_what_is_missing_or_misshapen_is_named(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        read_limlam(write(tmp_path / "m.npz", **changes))


# --- archives not to be trusted


class Trap:
    """Makes a folder when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("name", ["map_cube", "fov_x"])
def test_a_pickle_in_the_archive_is_never_run(tmp_path, name):
    sentinel = tmp_path / "sentinel"
    path = write(tmp_path / "m.npz", **{name: np.array(Trap(sentinel), dtype=object)})
    with pytest.raises(ValueError, match="objects are not read"):
        read_limlam(path)
    assert not sentinel.exists()
    with np.load(path, allow_pickle=True) as file:
        file[name]  # the trap works: a reader that trusts the file falls into it
    assert sentinel.exists()


def test_a_pickle_that_no_map_needs_is_left_alone(tmp_path):
    sentinel = tmp_path / "sentinel"
    path = write(tmp_path / "m.npz", extra=np.array(Trap(sentinel), dtype=object))
    assert_is_sky(read_limlam(path))
    assert not sentinel.exists()


def test_a_bare_pickle_named_npz_is_never_run(tmp_path):
    sentinel = tmp_path / "sentinel"
    (tmp_path / "m.npz").write_bytes(pickle.dumps(Trap(sentinel)))
    with pytest.raises(ValueError, match="damaged, or no archive of arrays"):
        read_limlam(tmp_path / "m.npz")
    assert not sentinel.exists()


def with_member(path, name, data, *, compress=False):
    """Write an archive in which one member has these bytes."""
    write(path, **{name: None})
    kind = zipfile.ZIP_DEFLATED if compress else zipfile.ZIP_STORED
    with zipfile.ZipFile(path, "a", kind) as archive:
        archive.writestr(f"{name}.npy", data)
    return path


def npy(shape, data=b""):
    """Return the bytes of an array that states this shape."""
    stream = io.BytesIO()
    head = {"descr": "<f8", "fortran_order": False, "shape": shape}
    np.lib.format.write_array_header_1_0(stream, head)
    return stream.getvalue() + data


def test_a_header_that_states_more_than_its_bytes_is_refused(tmp_path):
    path = with_member(tmp_path / "m.npz", "map_cube", npy((10**6, 10**6, 10**3)))
    with pytest.raises(ValueError, match="more than its bytes"):
        read_limlam(path)


def test_a_zip_bomb_is_refused_before_it_is_unpacked(tmp_path):
    bomb = npy((300, 300, 120), bytes(8 * 300 * 300 * 120))
    path = with_member(tmp_path / "m.npz", "map_cube", bomb, compress=True)
    assert path.stat().st_size < 1e6
    with pytest.raises(ValueError, match=r"map_cube.npy would fill 0.0864 GB from a file of 0.\d+"):
        read_limlam(path)


@pytest.mark.parametrize("keep", [0.3, 0.9])
def test_a_truncated_archive_is_one_line(tmp_path, keep):
    path = write(tmp_path / "m.npz")
    whole = path.read_bytes()
    path.write_bytes(whole[: int(keep * len(whole))])
    with pytest.raises(ValueError, match="damaged, or no archive") as caught:
        read_limlam(path)
    assert "\n" not in str(caught.value)


def test_a_flipped_byte_is_noticed(tmp_path):
    path = write(tmp_path / "m.npz")
    damaged = bytearray(path.read_bytes())
    damaged[damaged.index(sky().values[3, 0, 0].tobytes())] ^= 1
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"damaged, or no archive.*CRC"):
        read_limlam(path)
