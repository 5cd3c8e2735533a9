"""One function opens every format; what is none of them is refused in one line."""

import gzip
import os
import pickle
import subprocess
import sys

import h5py
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from comap_files import truth, write_comap

import imtools
from imtools.constants import NU_CO10
from imtools.formats import (
    fill_masked,
    open_map,
    read_comap,
    read_fits,
    read_limlam,
    read_netcdf,
    write_fits,
    write_limlam,
    write_map,
)
from imtools.observing import add_white_noise
from imtools.preprocessing import pool_cube, scale

NAME = "brightness_temperature"
WRITERS = {"m.nc": write_map, "m.fits": write_fits, "m.npz": write_limlam}


@pytest.fixture
def measured(tmp_path):
    """Return the map of a COMAP file with every quirk at once."""
    path = write_comap(tmp_path / "comap.h5", "B", ra_falls=True, flipped=(0, 2))
    return open_map(path)


@pytest.mark.parametrize("name", WRITERS)
def test_a_map_goes_from_hdf5_through_each_format_and_back(tmp_path, measured, name):
    cube = measured[NAME]
    WRITERS[name](cube if name == "m.npz" else measured, tmp_path / name)
    back = open_map(tmp_path / name)
    npt.assert_array_equal(back[NAME], cube)  # no voxel like another: no transposition
    npt.assert_allclose(back[NAME], truth()[NAME], rtol=1e-12)
    for axis in ("freq", "dec", "ra", "z"):
        npt.assert_allclose(back[axis], cube[axis], rtol=1e-8, atol=1e-9)  # of 360 deg in float64
    if name != "m.npz":
        npt.assert_array_equal(back["hits"], measured["hits"])
        npt.assert_array_equal(back["sigma_noise"], measured["sigma_noise"])
        npt.assert_allclose(back.attrs["ra_center"], 226.0, atol=1e-9)


@pytest.mark.parametrize("generation", ["A", "A_beam", "A_prime", "B"])
def test_comap_maps_are_told_from_netcdf_by_what_they_hold(tmp_path, generation):
    path = write_comap(tmp_path / "map.nc", generation)  # the name does not count
    dataset = open_map(path)
    assert dataset.attrs["format"] == "COMAP HDF5"
    npt.assert_allclose(dataset[NAME], truth()[NAME], rtol=1e-12)


def test_what_is_opened_can_be_worked_on(measured):
    cube = fill_masked(measured)
    rng = np.random.default_rng(0)
    noisy = add_white_noise(cube, sigma_noise=1.0, convention="fine_voxel", rng=rng)
    pooled = pool_cube(noisy, freq=2)
    assert np.isfinite(scale(pooled, "asinh")).all()
    assert pooled.sizes["freq"] == 6


def test_options_reach_the_reader(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A", n_feeds=2, freq=np.zeros((4, 3)))
    dataset = open_map(path, freq=truth()["freq"], units="mK", nu_rest=110.0, feed=2)
    npt.assert_allclose(dataset[NAME], truth(1)[NAME] / 1e3, rtol=1e-12)
    npt.assert_allclose(dataset["z"], 110.0 / truth()["freq"] - 1, rtol=1e-12)


def test_a_feed_of_a_map_that_has_none_is_an_error(tmp_path, measured):
    write_fits(measured, tmp_path / "m.fits")
    with pytest.raises(ValueError, match="feed is 1, but this is no COMAP map"):
        open_map(tmp_path / "m.fits", feed=1)


def test_a_rest_frequency_below_the_channels_is_an_error(tmp_path):
    path = write_comap(tmp_path / "m.h5", "A")
    with pytest.raises(ValueError, match=r"rest frequency is 1.42 GHz, below channels at 31.75"):
        open_map(path, nu_rest=1.42)
    assert open_map(path)[NAME].attrs["nu_rest"] == NU_CO10


# --- files that are no maps


@pytest.mark.parametrize(
    ("content", "match"),
    [
        (b"", "is empty"),
        (b"\n <!DOCTYPE html><html>not found</html>", "a web page; download the file again"),
        (gzip.compress(b"SIMPLE  ="), "compressed by gzip; unpack it"),
        (b"\x93NUMPY\x01\x00", "a bare NumPy array"),
        (pickle.dumps({"map": 1}), "a pickle, which can run code"),
        (b"ra,dec,freq\n1,2,3\n", "of no format known here"),
        (b"PK\x03\x04 and no more", "damaged, or no archive"),
        (b"CDF\x01 and no more", "truncated or damaged|no netCDF"),
        (b"\x89HDF\r\n\x1a\n and no more", "truncated or damaged HDF5"),
        (b"SIMPLE  =                    T / and no more", "damaged FITS"),
    ],
)
def test_files_of_another_kind_are_refused_in_one_line(tmp_path, content, match):
    (tmp_path / "m.h5").write_bytes(content)
    with pytest.raises((OSError, ValueError), match=match) as caught:
        open_map(tmp_path / "m.h5")
    assert "\n" not in str(caught.value)
    assert str(tmp_path / "m.h5") in str(caught.value)


def test_a_folder_a_missing_file_and_a_locked_one_are_named(tmp_path, monkeypatch):
    with pytest.raises(IsADirectoryError, match="is a folder, expected a file"):
        open_map(tmp_path)
    with pytest.raises(FileNotFoundError, match="does not exist; check the path"):
        open_map(tmp_path / "none.h5")
    path = write_comap(tmp_path / "m.h5", "A")
    path.chmod(0)
    if os.access(path, os.R_OK):  # root may read everything: let the system say no

        def refuse(*args, **kwargs):
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("pathlib.Path.open", refuse)
    with pytest.raises(PermissionError, match="may not be read"):
        open_map(path)


@pytest.mark.parametrize("read", [read_comap, read_fits, read_limlam, read_netcdf])
def test_each_reader_says_what_is_wrong_with_a_path(tmp_path, read):
    with pytest.raises(FileNotFoundError, match=f"{read.__name__}: .* does not exist"):
        read(tmp_path / "none")
    with pytest.raises(IsADirectoryError, match=f"{read.__name__}: .* is a folder"):
        read(tmp_path)


FULL_DISK = """
import resource, sys, numpy as np
from imtools import formats
from imtools.survey import Survey
cube = Survey.comap(n_pix=32, n_chan=64).cube(np.zeros((64, 32, 32)))
writer = getattr(formats, sys.argv[2])
resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))
try:
    writer(cube, sys.argv[1], overwrite=True)
except OSError as error:
    sys.exit("OSError")
"""


@pytest.mark.parametrize("name", WRITERS)
def test_a_full_disk_is_an_error_that_leaves_the_old_file(tmp_path, name):
    (tmp_path / name).write_bytes(b"old")
    command = [sys.executable, "-c", FULL_DISK, tmp_path / name, WRITERS[name].__name__]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.strip() == "OSError"
    assert (tmp_path / name).read_bytes() == b"old"
    assert [p.name for p in tmp_path.iterdir()] == [name]


def test_an_hdf5_file_that_is_no_map_lists_what_it_holds(tmp_path):
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["weights"] = np.ones((3, 3))
    with pytest.raises(ValueError, match=r"'weights'.*expected brightness_temperature"):
        open_map(tmp_path / "m.h5")


def test_a_link_out_of_a_file_of_any_kind_is_refused(tmp_path):
    xr.Dataset({"secret": ("x", np.arange(3.0))}).to_netcdf(tmp_path / "secret.nc")
    with h5py.File(tmp_path / "m.h5", "w") as file:
        file["other"] = h5py.ExternalLink(tmp_path / "secret.nc", "/secret")
    with pytest.raises(ValueError, match=r"/other is a link to .*secret.nc"):
        open_map(tmp_path / "m.h5")


# --- the short name


def test_open_map_is_a_name_of_the_package_that_costs_nothing_until_used(tmp_path):
    assert imtools.open_map is open_map
    with pytest.raises(AttributeError, match="no attribute 'open_maps'"):
        _ = imtools.open_maps
    code = "import sys, imtools; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"astropy", "h5py", "netCDF4", "scipy", "xarray"} & set(done.stdout.split())
