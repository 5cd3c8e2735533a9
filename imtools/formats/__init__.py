"""Other people's maps, read into one kind of Dataset: COMAP HDF5 of three generations."""

from imtools.formats.canonical import fill_masked
from imtools.formats.comap import read_comap

__all__ = ["fill_masked", "read_comap"]
