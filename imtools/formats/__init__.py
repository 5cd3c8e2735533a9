"""Other people's maps, read into one kind of Dataset: COMAP HDF5, limlam_mocker."""

from imtools.formats.canonical import fill_masked
from imtools.formats.comap import read_comap
from imtools.formats.limlam import read_limlam, write_limlam

__all__ = ["fill_masked", "read_comap", "read_limlam", "write_limlam"]
