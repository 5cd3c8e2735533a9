"""One convolution and one pooling on one channel of a map: what every block is made of."""

import numpy as np
from keras import ops

from imtools.networks.blocks import check_choice

KERNELS = {  # weights of filters that a reader knows what to expect of
    "sum of neighbours": np.ones((3, 3)),
    "bright spots": np.array([[-1, -1, -1], [-1, 8, -1], [-1, -1, -1]]) / 8,
    "edges along ra": np.array([[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]) / 8,
    "edges along dec": np.array([[-1, -2, -1], [0, 0, 0], [1, 2, 1]]) / 8,
}
WAYS = ("max", "average")


def convolve_once(channel, kernel):
    """Return a channel convolved with one filter, as a network does: the sky beyond is zeros.

    Parameters
    ----------
    channel : xarray.DataArray, dims ("dec", "ra")
        One channel of a map.
    kernel : array_like, shape (side, side)
        Weights of the filter, along dec and ra.

    Returns
    -------
    xarray.DataArray, dims ("dec", "ra")
        Each pixel is the sum of the weights times the pixels around it; what networks call a
        convolution does not mirror the filter.

    Examples
    --------
    >>> import xarray as xr
    >>> spot = xr.DataArray(np.eye(3)[[2, 1, 2]] * 5, dims=("dec", "ra"))
    >>> convolve_once(spot, np.ones((3, 3))).values[1, 1]
    np.float32(15.0)
    """
    weights = np.asarray(kernel, dtype=np.float32)
    seen = ops.conv(_as_batch(channel), weights[:, :, None, None], padding="same")
    return _as_channel(seen, channel, 1)


def pool_once(channel, how):
    """Return a channel at half its size: the maximum or mean of each 2 x 2 pixels.

    Parameters
    ----------
    channel : xarray.DataArray, dims ("dec", "ra")
        One channel of a map, convolved or not.
    how : {"max", "average"}
        Which.

    Returns
    -------
    xarray.DataArray, dims ("dec", "ra")
        Coordinates are the centres of the new pixels.
    """
    check_choice(how, WAYS, name="how", caller="pool_once")
    pools = {"max": ops.max_pool, "average": ops.average_pool}
    seen = pools[how](_as_batch(channel), 2, strides=2, padding="valid")
    return _as_channel(seen, channel, 2)


def around(channel, *, side=5):
    """Return the `side` x `side` pixels around the brightest one that has so many around it."""
    half = side // 2
    inner = channel.values[half : -half or None, half : -half or None]
    row, column = np.unravel_index(np.argmax(inner), inner.shape)
    return channel.isel(dec=slice(row, row + side), ra=slice(column, column + side))


def _as_batch(channel):
    return channel.transpose("dec", "ra").values.astype(np.float32)[None, :, :, None]


def _as_channel(seen, channel, factor):
    """Return the result with the coordinates of `channel`, every `factor` of them averaged."""
    values = np.asarray(ops.convert_to_numpy(seen))[0, :, :, 0]
    coords = {
        name: (name, centres[: centres.size // factor * factor].reshape(-1, factor).mean(axis=1))
        for name, centres in ((k, channel[k].values) for k in ("dec", "ra") if k in channel.coords)
    }
    result = channel.transpose("dec", "ra")[: values.shape[0], : values.shape[1]]
    result = result.drop_vars(("dec", "ra"), errors="ignore").copy(data=values)
    return result.assign_coords({k: (k, v[1], channel[k].attrs) for k, v in coords.items()})
