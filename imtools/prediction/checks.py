"""What a map says of its noise, filters, beam and mask, against what a network was trained on."""

import json
from collections.abc import Collection

from imtools.observing import applied_filters

ALLOWANCES = ("noise", "filter", "beam", "mask")
NOISE_TOLERANCE = 0.01  # relative; 1 % of 11 uK adds 2.4 uK^2 to the variance of the voxels
BEAM_TOLERANCE = 0.01  # relative
MASKED_SHARE = 0.05  # of the voxels; filling more of them would change the histogram
WORDS = {
    "noise": "sigma_noise of the map is {got:.4g} uK per voxel, expected {expected:.4g}",
    "filter": "the map went through the filters {got}, expected {expected}",
    "beam": "beam_fwhm of the map is {got:.4g} arcmin, expected {expected:.4g}",
    "mask": "masked share of the map is {got:.3g}, expected at most {expected}",
}
UNSTATED_NOISE = "the map states no noise, expected {expected:.4g} uK per voxel"


def check_allowances(allow):
    """Raise unless `allow` is a list of names of checks that may be overridden."""
    is_list = isinstance(allow, Collection) and not isinstance(allow, str)
    if not is_list or set(allow) - set(ALLOWANCES):
        msg = f"predict_map: allow is {allow!r}, expected a list of {', '.join(ALLOWANCES)}"
        raise ValueError(msg + "; units and voxels must always fit")


def compare(cube, reference):
    """Return what a map has, what the network was trained on, and whether they fit.

    Parameters
    ----------
    cube : xarray.DataArray, units uK
        Map on the voxels of the training maps.
    reference : xarray.Dataset
        From `training.read_reference`.

    Returns
    -------
    list of dict
        ``name``, ``got``, ``expected``, ``fits`` of each check. A map that went through no filter
        fits, for it can be filtered; one that says nothing of its beam fits, for hardly any does;
        one that says nothing of its noise does not.
    """
    noise, trained_noise = cube.attrs.get("sigma_noise"), float(reference.attrs["sigma_noise"])
    filters, trained_filters = applied_filters(cube), json.loads(reference.attrs["filter"])
    beam, trained_beam = cube.attrs.get("beam_fwhm"), float(reference.attrs["beam_fwhm"])
    masked = float(cube.attrs.get("masked_share", 0.0))
    rows = (
        ("noise", noise, trained_noise, _near(noise, trained_noise, NOISE_TOLERANCE)),
        ("filter", filters, trained_filters, filters in ([], trained_filters)),
        ("beam", beam, trained_beam, beam is None or _near(beam, trained_beam, BEAM_TOLERANCE)),
        ("mask", masked, MASKED_SHARE, masked <= MASKED_SHARE),
    )
    return [dict(zip(("name", "got", "expected", "fits"), row, strict=True)) for row in rows]


def enforce(checks, allow):
    """Raise where a check failed that is not allowed to; return those that are, in words."""
    said = []
    for check in checks:
        if check["fits"]:
            continue
        words = UNSTATED_NOISE if check["got"] is None else WORDS[check["name"]]
        text = words.format(**check) + " as in training"
        if check["name"] not in allow:
            remedy = "make it alike, train on such maps"
            if check["got"] is None:
                remedy = "pass sigma_noise [uK], 0 for a mock without"
            msg = f"predict_map: {text}; {remedy}, or allow {check['name']!r}"
            raise ValueError(msg)
        said.append(f"{text}; allowed")
    return said


def _near(got, expected, tolerance):
    return got is not None and bool(abs(got - expected) <= tolerance * expected)
