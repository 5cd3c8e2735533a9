"""COMAP maps of three generations come in as one kind of map, whatever their quirks."""

import json

import h5py
import numpy as np
import numpy.testing as npt
import pytest
from comap_files import CENTRE, N_DEC, N_RA, PIXEL, WIDTH, as_stored, truth, write_comap

from imtools.constants import NU_CO10
from imtools.formats import fill_masked, read_comap
from imtools.formats.hdf5 import LARGEST, check_size
from imtools.observing.filters import applied_filters
from imtools.survey import channel_width, check_cube, pixel_size

GENERATIONS = ("A", "A_beam", "A_prime", "B")
KEYS = ("brightness_temperature", "sigma_noise", "hits")
ROUNDING = 1e-12  # K to uK and back, the cosine of the declination and its inverse


def assert_is_truth(dataset, seed=0, atol=1e-12):
    """Assert that a map is the one that `write_comap` stored, voxel by voxel."""
    expected = truth(seed)
    for key in KEYS:
        npt.assert_allclose(dataset[key], expected[key], rtol=ROUNDING)
    for name in ("freq", "dec", "ra"):
        npt.assert_allclose(dataset[name], expected[name], atol=1e-10)  # of 360 deg in float64
    assert not dataset["mask"].any()


@pytest.mark.parametrize("generation", GENERATIONS)
def test_every_generation_gives_the_same_map(tmp_path, generation):
    dataset = read_comap(write_comap(tmp_path / "m.h5", generation))
    assert_is_truth(dataset)
    cube = dataset["brightness_temperature"]
    check_cube(cube, caller="test")
    assert cube.attrs["nu_rest"] == NU_CO10
    npt.assert_allclose(pixel_size(cube), PIXEL, rtol=1e-9)
    npt.assert_allclose(channel_width(cube), WIDTH, rtol=1e-12)
    npt.assert_allclose(dataset["z"], NU_CO10 / truth()["freq"] - 1, rtol=1e-12)
    assert dataset.attrs["ra_center"] == pytest.approx(CENTRE[0], abs=1e-9)
    assert dataset.attrs["dec_center"] == pytest.approx(CENTRE[1], abs=1e-9)
    units = {name: dataset[name].attrs["units"] for name in dataset.variables}
    assert units == {
        "brightness_temperature": "uK", "sigma_noise": "uK", "hits": "1", "mask": "1",
        "freq": "GHz", "dec": "deg", "ra": "deg", "z": "1",
    }  # fmt: skip


@pytest.mark.parametrize("generation", GENERATIONS)
def test_values_follow_a_falling_right_ascension_and_flipped_sidebands(tmp_path, generation):
    path = write_comap(tmp_path / "m.h5", generation, ra_falls=True, flipped=(0, 2))
    assert_is_truth(read_comap(path))


def test_sidebands_may_come_in_any_order(tmp_path):
    order = [2, 0, 3, 1]
    sky = truth()
    stored = {k: as_stored(sky[k])[order] for k in KEYS}
    path = write_comap(
        tmp_path / "m.h5", "A", map_coadd=stored[KEYS[0]] * 1e-6, nhit_coadd=stored["hits"],
        rms_coadd=stored["sigma_noise"] * 1e-6, freq=sky["freq"].reshape(4, -1)[order],
    )  # fmt: skip
    assert_is_truth(read_comap(path))


def test_axes_may_be_edges_only(tmp_path):
    path = write_comap(tmp_path / "m.h5", "B", edges_only=True, ra_falls=True, flipped=(1,))
    assert_is_truth(read_comap(path))


def test_a_field_may_lie_across_right_ascension_zero(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A_prime", centre=(0.0, 20.0))
    dataset = read_comap(path)
    assert_is_truth(dataset)
    assert dataset.attrs["ra_center"] == pytest.approx(0.0, abs=1e-9)


def test_offsets_are_from_the_centre_that_the_file_states(tmp_path):
    step = PIXEL / np.cos(np.radians(CENTRE[1]))
    centre = np.array([CENTRE[0] - 360 + step, CENTRE[1]])  # a turn away, and off the middle
    dataset = read_comap(write_comap(tmp_path / "m.h5", "A", patch_center=centre))
    npt.assert_allclose(dataset["ra"], truth()["ra"] - PIXEL, atol=1e-10)
    npt.assert_allclose(dataset["dec"], truth()["dec"], atol=1e-10)
    assert dataset.attrs["ra_center"] == pytest.approx(CENTRE[0] + step, abs=1e-9)
    # one that lies outside of the map is of another field
    assert_is_truth(read_comap(write_comap(tmp_path / "n.h5", "A", patch_center=[25.0, 0.0])))


def test_axes_in_float32_are_even_and_pixels_square(tmp_path):
    with h5py.File(write_comap(tmp_path / "m.h5", "A"), "r+") as file:
        for name in ("x", "y", "freq"):
            values = file[name][()].astype("f4")
            del file[name]
            file[name] = values
    dataset = read_comap(tmp_path / "m.h5")
    rtol = 360 * 6e-8 / ((N_DEC - 1) * PIXEL)  # a float32 of an angle, over the side of the field
    npt.assert_allclose(pixel_size(dataset["brightness_temperature"]), PIXEL, rtol=rtol)
    npt.assert_allclose(dataset["freq"], truth()["freq"], rtol=1e-7)


def test_pixels_that_are_nearly_square_are_taken_as_square_and_it_is_said(tmp_path):
    with h5py.File(write_comap(tmp_path / "m.h5", "A"), "r+") as file:
        file["x"][:] = CENTRE[0] + (file["x"][:] - CENTRE[0]) * 1.005
    with pytest.warns(UserWarning, match=r"pixels are 0.0335 deg in ra, 0.0333333 in dec"):
        dataset = read_comap(tmp_path / "m.h5")
    npt.assert_allclose(dataset["ra"], truth()["ra"], atol=1e-10)
    assert "taken as square" in dataset.attrs["repairs"]
    with h5py.File(tmp_path / "m.h5", "r+") as file:
        file["x"][:] = CENTRE[0] + (file["x"][:] - CENTRE[0]) * 1.05
    oblong = read_comap(tmp_path / "m.h5")["brightness_temperature"]
    npt.assert_allclose(oblong["ra"], truth()["ra"] * 1.005 * 1.05, atol=1e-10)
    with pytest.raises(ValueError, match="expected square; re-grid the map"):
        pixel_size(oblong)


@pytest.mark.parametrize("rounding", [0.0, 1e-12])
def test_overlapping_sidebands_are_averaged_with_their_noise(tmp_path, rounding):
    sky = truth()
    freq = sky["freq"].reshape(4, 3).copy()
    freq[2:] -= WIDTH - rounding  # the third sideband begins on the last channel of the second
    dataset = read_comap(write_comap(tmp_path / "m.h5", "A", freq=freq))
    assert dataset.sizes["freq"] == 11
    one, two = 1 / sky["sigma_noise"][5:7] ** 2
    mean = (one * sky[KEYS[0]][5] + two * sky[KEYS[0]][6]) / (one + two)
    npt.assert_allclose(dataset[KEYS[0]][5], mean, rtol=1e-11)
    npt.assert_allclose(dataset["sigma_noise"][5], (one + two) ** -0.5, rtol=1e-12)
    npt.assert_array_equal(dataset["hits"][5], sky["hits"][5] + sky["hits"][6])
    npt.assert_allclose(dataset[KEYS[0]][6:], sky[KEYS[0]][7:], rtol=ROUNDING)


# --- feeds


def test_feeds_are_averaged_with_their_noise(tmp_path):
    path = write_comap(tmp_path / "m.h5", "B", n_feeds=3, flipped=(0,))
    dataset = read_comap(path)
    feeds = [truth(i) for i in range(3)]
    weights = np.array([1 / f["sigma_noise"] ** 2 for f in feeds])
    mean = np.average([f[KEYS[0]] for f in feeds], axis=0, weights=weights)
    npt.assert_allclose(dataset[KEYS[0]], mean, rtol=1e-9, atol=1e-12)
    npt.assert_allclose(dataset["sigma_noise"], weights.sum(0) ** -0.5, rtol=1e-12)
    npt.assert_array_equal(dataset["hits"], sum(f["hits"] for f in feeds))


def test_a_feed_without_data_in_a_voxel_leaves_it_to_the_others(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A", n_feeds=2)
    with h5py.File(path, "r+") as file:
        file["rms"][0, 0, 0, 0, 0] = 0
        file["map"][0, 0, 0, 0, 0] = np.nan
        file["nhit"][0, 0, 0, 0, 0] = 0
    dataset = read_comap(path)
    npt.assert_allclose(dataset[KEYS[0]][0, 0, 0], truth(1)[KEYS[0]][0, 0, 0], rtol=ROUNDING)
    assert not dataset["mask"].any()


def test_one_feed_is_picked_by_its_number(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A", n_feeds=3, feeds=np.array([1, 5, 6]))
    assert_is_truth(read_comap(path, feed=5), seed=1)
    with pytest.raises(ValueError, match=r"feed is 2, expected one of \[1, 5, 6\]"):
        read_comap(path, feed=2)


def test_an_averaged_map_has_no_feeds(tmp_path):
    with pytest.raises(ValueError, match="averaged over feeds"):
        read_comap(write_comap(tmp_path / "m.h5", "A_prime"), feed=1)


# --- voxels without data


@pytest.mark.parametrize(
    ("name", "value"),
    [("rms_coadd", 0.0), ("rms_coadd", np.nan), ("rms_coadd", np.inf), ("nhit_coadd", 0),
     ("map_coadd", np.nan)],
)  # fmt: skip
def test_voxels_without_data_are_masked(tmp_path, name, value):
    path = write_comap(tmp_path / "m.h5", "A")
    with h5py.File(path, "r+") as file:
        file[name][1, 2, 3, 4] = value
    dataset = read_comap(path)
    where = np.zeros(dataset["mask"].shape, bool)
    where[5, 3, 4] = True
    npt.assert_array_equal(dataset["mask"], where)
    npt.assert_array_equal(np.isnan(dataset[KEYS[0]]), where)
    npt.assert_array_equal(np.isnan(dataset["sigma_noise"]), where)
    npt.assert_array_equal(dataset["hits"] == 0, where)


def test_a_map_without_any_data_is_an_error(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A", rms_coadd=np.zeros((4, 3, N_DEC, N_RA)))
    with pytest.raises(ValueError, match="all 420 voxels are masked"):
        read_comap(path)


def test_a_masked_voxel_is_filled_as_asked(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A")
    with h5py.File(path, "r+") as file:
        file["nhit_coadd"][0, 0, 0, :2] = 0
    dataset = read_comap(path)
    zero = fill_masked(dataset)
    assert (zero[0, 0, :2] == 0).all()
    npt.assert_array_equal(zero.values[1:], dataset[KEYS[0]].values[1:])
    assert zero.attrs["masked_share"] == pytest.approx(2 / 420)
    mean = fill_masked(dataset, fill="channel_mean")
    channel = truth()[KEYS[0]][0].ravel()[2:]  # the first two of the first row are masked
    npt.assert_allclose(mean[0, 0, :2], channel.mean(), rtol=1e-11)
    assert mean.dims == ("freq", "dec", "ra")
    check_cube(mean, caller="test")
    with pytest.raises(ValueError, match="expected 'zero' or 'channel_mean'"):
        fill_masked(dataset, fill="median")


def test_a_channel_without_data_is_filled_with_the_mean_of_the_map(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A")
    with h5py.File(path, "r+") as file:
        file["nhit_coadd"][0, 0] = 0
    filled = fill_masked(read_comap(path), fill="channel_mean")
    npt.assert_allclose(filled[0], truth()[KEYS[0]][1:].mean(), rtol=1e-10)


def test_filling_refuses_what_no_mask_accounts_for(tmp_path):
    dataset = read_comap(write_comap(tmp_path / "m.h5", "A"))
    dataset[KEYS[0]][0, 0, 0] = np.nan
    with pytest.raises(ValueError, match="1 of 420 voxels are NaN or infinite and not masked"):
        fill_masked(dataset)
    dataset["mask"][:] = True
    with pytest.raises(ValueError, match="all 420 voxels are masked"):
        fill_masked(dataset)


# --- frequencies


def test_frequencies_of_zero_must_be_given(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A", freq=np.zeros((4, 3)))
    with pytest.raises(ValueError, match=r"frequencies are all 0.*pass freq="):
        read_comap(path)
    assert_is_truth(read_comap(path, freq=truth()["freq"]))
    with pytest.raises(ValueError, match="11 frequencies for 12 channels"):
        read_comap(path, freq=truth()["freq"][1:])


def test_a_gap_in_frequency_is_an_error_that_says_where(tmp_path):
    freq = truth()["freq"].reshape(4, 3).copy()
    freq[2:] += 1.0
    path = write_comap(tmp_path / "m.h5", "A", freq=freq)
    with pytest.raises(ValueError, match=r"freq steps by 1.5 GHz at 28.75, elsewhere by 0.5"):
        read_comap(path)
    assert_is_truth(read_comap(path, freq=truth()["freq"]))


def test_channels_of_two_widths_are_an_error(tmp_path):
    freq = np.r_[truth()["freq"][:6], 29.0 + 0.25 * np.arange(6)]
    with pytest.raises(ValueError, match="expected an even axis without gaps"):
        read_comap(write_comap(tmp_path / "m.h5", "A", freq=freq.reshape(4, 3)))


# --- what the file says of itself


def test_what_the_pipeline_filtered_is_kept(tmp_path):
    path = write_comap(tmp_path / "m.h5", "B", is_pca_subtr=True, n_pca=5, is_highpassed=True)
    dataset = read_comap(path)
    done = [{"name": "highpass"}, {"name": "subtract_pca", "n_modes": 5}]
    assert applied_filters(dataset[KEYS[0]]) == done
    assert json.loads(dataset.attrs["filter"]) == done
    assert "filter" not in read_comap(write_comap(tmp_path / "n.h5", "B")).attrs


def test_a_unit_in_the_file_outranks_the_pipelines(tmp_path):
    path = write_comap(tmp_path / "m.h5", "B")
    with h5py.File(path, "r+") as file:
        file["map_coadd"].attrs["units"] = "mK"
    npt.assert_allclose(read_comap(path)[KEYS[0]], truth()[KEYS[0]] / 1e3, rtol=1e-12)
    npt.assert_allclose(read_comap(path)["sigma_noise"], truth()["sigma_noise"] / 1e3, rtol=1e-12)


def test_float32_stays_float32(tmp_path):
    path = write_comap(tmp_path / "m.h5", "B", dtype="float32")
    dataset = read_comap(path)
    assert dataset[KEYS[0]].dtype == np.float32
    npt.assert_allclose(dataset[KEYS[0]], truth()[KEYS[0]], rtol=1e-6)  # two float32 products


def test_the_noise_of_the_cube_is_the_root_mean_square_of_its_voxels(tmp_path):
    path = write_comap(tmp_path / "m.h5", "B")
    with h5py.File(path, "r+") as file:
        file["sigma_wn_coadd"][0, 0, 0, 0] = 0
    dataset = read_comap(path)
    expected = np.sqrt(np.mean(truth()["sigma_noise"].ravel()[1:] ** 2))
    npt.assert_allclose(dataset[KEYS[0]].attrs["sigma_noise"], expected, rtol=1e-12)


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"map_coadd": None}, "expected map_coadd, map_beam or map"),
        ({"x": None}, "expected ra_centers or x or ra_edges"),
        ({"rms_coadd": np.ones((4, 3, 5, 6))}, "expected one shape"),
        ({"x": np.arange(8.0)}, r"expected channels, dec and ra \(12, 5, 8\)"),
        ({"map_coadd": np.full((4, 3, 5, 7), b"x")}, "expected an array of numbers"),
    ],
)
def test_what_is_missing_or_misshapen_is_named(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        read_comap(write_comap(tmp_path / "m.h5", "A", **changes))


# --- files not to be trusted


def outside(tmp_path):
    """Return a file that a map must not be able to read."""
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["map"] = np.ones((4, 3, N_DEC, N_RA))
    return tmp_path / "secret.h5"


def test_a_link_out_of_the_file_is_refused(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A", map_coadd=None)
    with h5py.File(path, "r+") as file:
        file["map_coadd"] = h5py.ExternalLink(outside(tmp_path), "/map")
    with pytest.raises(ValueError, match=r"/map_coadd is a link to .*secret.h5"):
        read_comap(path)


def test_a_link_in_a_group_is_refused_too(tmp_path):
    path = write_comap(tmp_path / "m.h5", "B")
    with h5py.File(path, "r+") as file:
        file["wcs/more"] = h5py.ExternalLink(outside(tmp_path), "/map")
    with pytest.raises(ValueError, match=r"/more is a link to .*secret.h5"):
        read_comap(path)


def test_a_group_inside_itself_is_walked_once(tmp_path):
    path = write_comap(tmp_path / "m.h5", "B")
    with h5py.File(path, "r+") as file:
        file["wcs/loop"] = file["wcs"]
    assert_is_truth(read_comap(path))


def test_data_kept_in_another_file_is_refused(tmp_path):
    (tmp_path / "raw").write_bytes(bytes(8 * 420))
    path = write_comap(tmp_path / "m.h5", "A", map_coadd=None)
    shape = (4, 3, N_DEC, N_RA)
    with h5py.File(path, "r+") as file:
        file.create_dataset("map_coadd", shape, "f8", external=[(tmp_path / "raw", 0, 8 * 420)])
    with pytest.raises(ValueError, match="keeps its data in other files"):
        read_comap(path)
    layout = h5py.VirtualLayout(shape, "f8")
    layout[:] = h5py.VirtualSource(outside(tmp_path), "map", shape)
    path = write_comap(tmp_path / "n.h5", "A", map_coadd=None)
    with h5py.File(path, "r+") as file:
        file.create_virtual_dataset("map_coadd", layout)
    with pytest.raises(ValueError, match="keeps its data in other files"):
        read_comap(path)


def test_an_array_far_larger_than_its_file_is_refused(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A", map_coadd=None)
    with h5py.File(path, "r+") as file:  # a bomb: nothing is stored but the shape
        file.create_dataset("map_coadd", (4, 4096, 4096, 4096), "f8", chunks=(1, 1, 64, 64))
        file.create_dataset("map", (4, 64, 200, 200), "f8", chunks=(1, 1, 64, 64))
        del file["rms_coadd"], file["nhit_coadd"]
    with pytest.raises(ValueError, match=r"map_coadd would fill 2.2e\+03 GB"):
        read_comap(path)
    with h5py.File(path, "r+") as file:
        del file["map_coadd"]
    with pytest.raises(ValueError, match="300 times the file"):
        read_comap(path)


def test_an_array_larger_than_any_map_is_refused_however_large_its_file(tmp_path):
    with (tmp_path / "m.h5").open("wb") as file:
        file.truncate(2**30)  # a file with a hole takes no room
    check_size(LARGEST, "map", tmp_path / "m.h5")
    with pytest.raises(ValueError, match=r"would fill 4.29 GB .* expected below 4.29 GB"):
        check_size(LARGEST + 1, "map", tmp_path / "m.h5")


def test_a_truncated_or_damaged_file_is_one_line(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A")
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match="truncated or damaged HDF5") as caught:
        read_comap(path)
    assert "\n" not in str(caught.value)
