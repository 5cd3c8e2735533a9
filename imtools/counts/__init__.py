r"""The luminosity function: how many sources shine at each luminosity, and in whose convention.

Five conventions circulate, and attributes say which one an array holds:

============== =========================================== =====================
`convention`   quantity                                    unit
============== =========================================== =====================
"dn"           sources in a bin, dN                        1
"n_cumulative" sources above a bin's lower edge, N(>L)     1
"phi"          dn/dlog10 L                                 Mpc-3 dex-1
"l_phi"        L dn/dlog10 L, L at the bin centre          Lsun Mpc-3 dex-1
"dn_dl"        dn/dL, its mean over the bin (Ihle+2019)    Lsun-1 (Mpc/h)-3
============== =========================================== =====================

Dims are ("log_l",) or ("sample", "log_l"); the coordinate `log_l` is the bin centre, and
``attrs["log_l_edges"]`` the edges, both log10 of L in Lsun.
"""

from imtools.counts.cells import count_cells
from imtools.counts.conventions import (
    convert,
    cumulate,
    differentiate,
    from_dn_dl,
    from_l_phi,
    from_phi,
    to_dn_dl,
    to_l_phi,
    to_phi,
)
from imtools.counts.sources import (
    CONVENTIONS,
    DEFAULT_EDGES,
    FLOOR,
    QUOTED_LOG_L,
    count_sources,
    log_counts,
    log_l_edges,
    luminosity_function,
    quoted_bins,
    with_bounds,
)

__all__ = [
    "CONVENTIONS",
    "DEFAULT_EDGES",
    "FLOOR",
    "QUOTED_LOG_L",
    "convert",
    "count_cells",
    "count_sources",
    "cumulate",
    "differentiate",
    "from_dn_dl",
    "from_l_phi",
    "from_phi",
    "log_counts",
    "log_l_edges",
    "luminosity_function",
    "quoted_bins",
    "to_dn_dl",
    "to_l_phi",
    "to_phi",
    "with_bounds",
]
