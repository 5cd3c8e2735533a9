"""netCDF maps: ours, in CF manner, and those of others."""

import subprocess
import sys

import h5py
import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr
from test_formats_fits import NAME, assert_same, measured, sky

from imtools.constants import NU_CO10
from imtools.formats import read_netcdf, write_map
from imtools.run_folder import open_netcdf
from imtools.survey import Survey, check_cube, pixel_size


def foreign(path, *, units="K", freq_units="Hz", angle_units="arcmin", **to_netcdf):
    """Write the cube as somebody else might: other names, order and units."""
    cube = sky()
    names = {"freq": "frequency", "dec": "y", "ra": "x"}
    other = cube.drop_vars("z").rename(names).transpose("y", "x", "frequency")[:, ::-1, ::-1] / 1e6
    other.attrs = {"units": units} if units else {}
    for name, factor, unit in (
        ("frequency", 1e9, freq_units), ("x", 60, angle_units), ("y", 60, angle_units),
    ):  # fmt: skip
        attrs = {"units": unit} if unit else {}
        other = other.assign_coords({name: (name, other[name].values * factor, attrs)})
    other.to_dataset(name="signal").to_netcdf(path, **to_netcdf)
    return path


def test_a_map_comes_back_as_it_went(tmp_path):
    data = measured()
    write_map(data, tmp_path / "m.nc")
    back = read_netcdf(tmp_path / "m.nc")
    assert_same(back[NAME], data[NAME])
    for name in ("sigma_noise", "hits", "mask"):
        npt.assert_array_equal(back[name], data[name])
        assert back[name].attrs["units"] == data[name].attrs["units"]
    assert back["mask"].dtype == bool
    assert back.attrs["note"] == "ü\n"
    assert back[NAME].attrs["nu_rest"] == NU_CO10


def test_a_voxel_that_only_the_mask_knows_of_is_masked(tmp_path):
    data = measured()
    data["mask"][0, 0, 0] = True
    write_map(data, tmp_path / "m.nc")
    back = read_netcdf(tmp_path / "m.nc")
    npt.assert_array_equal(back["mask"], data["mask"])
    assert np.isnan(back[NAME][0, 0, 0])


def test_a_cube_keeps_its_attributes_and_precision(tmp_path):
    cube = sky().astype("float32").assign_attrs(sigma_noise=11.0, pooling="mean", n_pooled=4)
    write_map(cube, tmp_path / "m.nc")
    back = read_netcdf(tmp_path / "m.nc")[NAME]
    assert_same(back, cube)
    assert back.dtype == np.float32
    kept = {k: back.attrs[k] for k in ("sigma_noise", "pooling", "n_pooled", "ra_center")}
    assert kept == {"sigma_noise": 11.0, "pooling": "mean", "n_pooled": 4, "ra_center": 226.0}


def test_files_follow_cf(tmp_path):
    write_map(measured(), tmp_path / "m.nc")
    with open_netcdf(tmp_path / "m.nc") as file:
        assert file.attrs["Conventions"].startswith("CF-1.")
        assert file["freq"].attrs["standard_name"] == "radiation_frequency"
        for name in ("freq", "dec", "ra"):
            edges = file[file[name].attrs["bounds"]]
            npt.assert_allclose(edges.mean("bounds"), file[name], atol=1e-12)
            npt.assert_allclose(np.diff(edges), file[name].attrs["width"], rtol=1e-9)
        for name, variable in file.variables.items():
            if not name.endswith("_bounds"):  # CF: they have those of their coordinate
                assert {"units", "long_name"} <= variable.attrs.keys()


def test_the_map_in_memory_is_left_alone(tmp_path):
    data = measured()
    before = data.copy(deep=True)
    write_map(data, tmp_path / "m.nc")
    xr.testing.assert_identical(data, before)


def test_an_axis_of_one_value_keeps_its_width(tmp_path):
    survey = Survey.comap(n_pix=1, n_chan=1)
    write_map(survey.cube(np.ones(survey.shape)), tmp_path / "m.nc")
    back = read_netcdf(tmp_path / "m.nc")[NAME]
    npt.assert_allclose(pixel_size(back), survey.pixel_size, rtol=1e-12)


def test_writing_refuses_stacks_wrong_units_and_files_that_exist(tmp_path):
    write_map(sky(), tmp_path / "m.nc")
    with pytest.raises(FileExistsError, match="overwrite=True"):
        write_map(sky(1), tmp_path / "m.nc")
    write_map(sky(1), tmp_path / "m.nc", overwrite=True)
    assert_same(read_netcdf(tmp_path / "m.nc")[NAME], sky(1))
    for cube, match in (
        (sky().expand_dims("sample"), "pick a sample"),
        (sky().assign_attrs(units="K"), "expected 'uK'"),
    ):
        with pytest.raises(ValueError, match=match):
            write_map(cube, tmp_path / "n.nc")
    assert [p.name for p in tmp_path.iterdir()] == ["m.nc"]


# --- files of others


@pytest.mark.parametrize("kind", ["NETCDF4", "NETCDF3_CLASSIC"])
def test_other_names_orders_and_units_are_understood(tmp_path, kind):
    back = read_netcdf(foreign(tmp_path / "m.nc", format=kind))
    assert_same(back[NAME], sky(), rtol=1e-12)
    check_cube(back[NAME], caller="test")


def test_missing_units_are_errors(tmp_path):
    path = foreign(tmp_path / "m.nc", units=None)
    with pytest.raises(ValueError, match=r"states no unit.*pass units="):
        read_netcdf(path)
    assert_same(read_netcdf(path, units="K")[NAME], sky(), rtol=1e-12)
    with pytest.raises(ValueError, match="unit of freq is None, expected GHz"):
        read_netcdf(foreign(tmp_path / "n.nc", freq_units=None))
    with pytest.raises(ValueError, match="unit of dec is 'Mpc', expected deg"):
        read_netcdf(foreign(tmp_path / "o.nc", angle_units="Mpc"))


def test_a_file_without_one_map_lists_what_it_holds(tmp_path):
    data = xr.Dataset({"map": (("sample", "freq", "dec", "ra"), np.ones((1, 2, 3, 4)))})
    data.to_netcdf(tmp_path / "m.nc")
    with pytest.raises(ValueError, match=r"'map': \('sample', .*expected brightness_temperature"):
        read_netcdf(tmp_path / "m.nc")
    data.isel(sample=0).to_netcdf(tmp_path / "n.nc")
    with pytest.raises(ValueError, match="has no coordinate"):
        read_netcdf(tmp_path / "n.nc")


def test_a_link_out_of_the_file_is_refused(tmp_path):
    write_map(sky(), tmp_path / "secret.nc")
    write_map(sky(), tmp_path / "m.nc")
    with h5py.File(tmp_path / "m.nc", "r+") as file:
        del file[NAME]
        file[NAME] = h5py.ExternalLink(tmp_path / "secret.nc", NAME)
    with pytest.raises(ValueError, match=r"is a link to .*secret.nc"):
        read_netcdf(tmp_path / "m.nc")


def test_a_damaged_file_is_one_line(tmp_path):
    write_map(sky(), tmp_path / "m.nc")
    whole = (tmp_path / "m.nc").read_bytes()
    (tmp_path / "m.nc").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(OSError, match="truncated or damaged") as caught:
        read_netcdf(tmp_path / "m.nc")
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("first", ["netCDF4", "h5py"])
def test_both_hdf5_libraries_live_in_one_process(tmp_path, first):
    # netCDF4 and h5py each bring their own HDF5; whichever comes first must not break the other
    write_map(sky(), tmp_path / "m.nc")
    second = {"netCDF4": "h5py", "h5py": "netCDF4"}[first]
    code = f"""
import {first}, {second}, sys
import h5py, netCDF4
path = sys.argv[1]
for _ in range(2):
    with h5py.File(path) as file: one = file["{NAME}"][()].sum()
    with netCDF4.Dataset(path) as file: two = file["{NAME}"][:].sum()
    assert abs(one - two) < 1e-9
from imtools.formats import read_netcdf, write_map
write_map(read_netcdf(path), sys.argv[2])
with h5py.File(sys.argv[2]) as file: assert abs(file["{NAME}"][()].sum() - one) < 1e-9
"""
    command = [sys.executable, "-c", code, tmp_path / "m.nc", tmp_path / "n.nc"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
