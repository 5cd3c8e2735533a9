"""Dark-matter haloes on the past light cone: simulated, read, cut into fields, rotated."""

from imtools.halos.catalogue import COLUMNS, check_haloes, cosmology_from, make_catalogue
from imtools.halos.fields import cut_fields, rotate, select_field
from imtools.halos.peakpatch import read_peakpatch, write_peakpatch
from imtools.halos.simulation import simulate

__all__ = [
    "COLUMNS",
    "check_haloes",
    "cosmology_from",
    "cut_fields",
    "make_catalogue",
    "read_peakpatch",
    "rotate",
    "select_field",
    "simulate",
    "write_peakpatch",
]
