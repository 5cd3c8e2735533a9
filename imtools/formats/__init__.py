"""Other people's maps, read into one kind of Dataset: COMAP HDF5, FITS, limlam_mocker, netCDF."""

from imtools.formats.canonical import fill_masked
from imtools.formats.comap import read_comap
from imtools.formats.fits import read_fits, write_fits
from imtools.formats.limlam import read_limlam, write_limlam
from imtools.formats.netcdf import read_netcdf, write_map
from imtools.formats.opening import open_map

__all__ = [
    "fill_masked",
    "open_map",
    "read_comap",
    "read_fits",
    "read_limlam",
    "read_netcdf",
    "write_fits",
    "write_limlam",
    "write_map",
]
