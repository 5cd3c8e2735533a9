"""Catalogues made, checked, chosen, cut into fields and turned."""

import json
import warnings

import numpy as np
import numpy.testing as npt
import pytest
import xarray as xr

from imtools.cosmology import Cosmology
from imtools.halos import (
    check_haloes,
    cosmology_from,
    cut_fields,
    make_catalogue,
    rotate,
    select_field,
)
from imtools.survey import Survey

COSMOLOGY = Cosmology()
SURVEY = Survey.notes()


def columns(n=2000, *, field_size=1.4, seed=0):
    """Return columns of haloes in random places of the band."""
    rng = np.random.default_rng(seed)
    z_cosmo = rng.uniform(SURVEY.z_min + 0.01, SURVEY.z_max - 0.01, n)
    half = field_size / 2
    return {
        "m_halo": 10 ** rng.uniform(10.5, 13, n),
        "z": z_cosmo + rng.normal(0, 1e-3, n),
        "z_cosmo": z_cosmo,
        "chi": COSMOLOGY.comoving_distance(z_cosmo),
        "ra": rng.uniform(-half, half, n),
        "dec": rng.uniform(-half, half, n),
        "vx": rng.normal(0, 200, n),
        "vy": rng.normal(0, 200, n),
        "vz": rng.normal(0, 200, n),
    }


def catalogue(**settings):
    return make_catalogue(columns(**settings), cosmology=COSMOLOGY, seed=3)


def with_value(name, value, *, at=(5, 7)):
    haloes = catalogue()
    values = haloes[name].values.copy()
    values[list(at)] = value
    return haloes.assign({name: haloes[name].copy(data=values)})


# --- made


def test_a_catalogue_has_units_names_and_provenance():
    haloes = make_catalogue(
        columns(), cosmology=Cosmology(h=0.68), seed=5, parameters={"m_min": 1e10}
    )
    assert haloes.sizes == {"halo": 2000}
    assert haloes["m_halo"].attrs["units"] == "Msun"
    assert haloes["vz"].attrs["units"] == "km/s"
    assert all({"units", "long_name"} <= haloes[name].attrs.keys() for name in haloes)
    assert cosmology_from(haloes) == Cosmology(h=0.68)
    assert haloes.attrs["seed"] == 5
    assert json.loads(haloes.attrs["parameters"]) == {"m_min": 1e10}


@pytest.mark.parametrize(
    ("change", "match"),
    [
        ({"chi": None}, r"missing \['chi'\]"),
        ({"mass": np.ones(2000)}, r"unknown \['mass'\]"),
        ({"ra": np.ones(1999)}, r"float64, \(1999,\)"),
        ({"ra": np.ones((2000, 1))}, "expected real numbers of one length"),
        ({"z": np.full(2000, "2.8")}, "<U3"),
        ({"z": np.full(2000, 2.8 + 0j)}, "complex128"),
        ({"m_halo": np.array([{}] * 2000)}, "object"),
    ],
)
def test_columns_that_do_not_fit_are_listed(change, match):  # B5
    table = {name: v for name, v in (columns() | change).items() if v is not None}
    with pytest.raises(ValueError, match=match):
        make_catalogue(table, cosmology=COSMOLOGY)


def test_a_table_of_rows_is_no_catalogue():  # B5
    rows = {name: np.ones((3, 3)) for name in columns()}
    with pytest.raises(ValueError, match="expected real numbers of one length"):
        make_catalogue(rows, cosmology=COSMOLOGY)


# --- checked


def test_a_sound_catalogue_passes_unchanged():
    haloes = catalogue()
    assert check_haloes(haloes, caller="test", survey=SURVEY) is haloes


@pytest.mark.parametrize("name", ["m_halo", "z", "chi", "dec", "vx"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_counted_and_placed(name, value):  # B2
    haloes = with_value(name, value)
    with pytest.raises(ValueError, match=r"test: 2 of 2000 haloes .* first at \[5, 7\].*drop_inv"):
        check_haloes(haloes, caller="test")
    with pytest.warns(UserWarning, match=r"2 of 2000 .* dropped"):
        kept = check_haloes(haloes, caller="test", drop_invalid=True)
    assert kept.sizes["halo"] == 1998
    assert kept.attrs["n_dropped"] == 2
    npt.assert_array_equal(kept["ra"], np.delete(haloes["ra"].values, [5, 7]))
    assert haloes.sizes["halo"] == 2000


def test_an_unknown_formation_redshift_is_no_fault():
    haloes = make_catalogue(columns() | {"z_form": np.full(2000, np.nan)}, cosmology=COSMOLOGY)
    assert check_haloes(haloes, caller="test") is haloes


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("m_halo", 0.0, r"2 haloes have m_halo <= 0 \(least 0 Msun\)"),
        ("m_halo", -1e11, r"2 haloes have m_halo <= 0"),
        ("m_halo", 1e18, r"m_halo spans .* to 1e\+18, expected Msun .* kg\?"),
        ("m_halo", 5.0, "units of 1e10 Msun"),
        ("z", -0.1, "z spans -0.1 to"),
        ("z", 40.0, "z spans .* to 40, expected 0 to 12"),
    ],
)
def test_values_out_of_range_are_refused(name, value, match):  # B3, B4
    with pytest.raises(ValueError, match=match):
        check_haloes(with_value(name, value), caller="test")


def test_a_logarithm_of_the_mass_is_guessed():  # B3
    haloes = catalogue()
    logs = haloes.assign(m_halo=np.log10(haloes["m_halo"]))
    with pytest.raises(ValueError, match=r"log10 of the mass\?"):
        check_haloes(logs, caller="test")


def test_missing_columns_are_named():  # B5
    with pytest.raises(ValueError, match=r"test: found .* missing \['z', 'dec'\]"):
        check_haloes(catalogue().drop_vars(["z", "dec"]), caller="test")


def test_a_cosmology_that_differs_from_the_surveys_is_told():  # B6
    other = make_catalogue(columns(), cosmology=Cosmology(omega_m=0.31))
    with pytest.warns(UserWarning, match=r"differs from the survey's: omega_m 0.31 against 0.286"):
        check_haloes(other, caller="test", survey=SURVEY)
    with pytest.warns(UserWarning, match="select_field: the catalogue's cosmology differs"):
        select_field(other, SURVEY)


# --- chosen


def test_select_field_culls_by_field_band_and_mass():
    haloes = catalogue(n=5000, field_size=3.0)
    survey = SURVEY.replace(nu_min=28.0, nu_max=31.0)
    chosen = select_field(haloes, survey, m_min=1e12)
    expected = (
        (np.abs(haloes["ra"]) < 0.7) & (np.abs(haloes["dec"]) < 0.7)
        & (haloes["z"] > survey.z_min) & (haloes["z"] < survey.z_max) & (haloes["m_halo"] >= 1e12)
    )  # fmt: skip
    assert 20 < chosen.sizes["halo"] == int(expected.sum())
    npt.assert_array_equal(chosen["chi"], haloes["chi"].values[expected.values])
    assert chosen.attrs == haloes.attrs
    xr.testing.assert_identical(select_field(chosen, survey, m_min=1e12), chosen)


@pytest.mark.parametrize(
    ("survey", "m_min", "match"),
    [
        (SURVEY.replace(nu_min=20.0, nu_max=24.0), 0.0, "z 3.803 to 4.764"),
        (SURVEY, 1e16, r"m_halo >= 1e\+16 Msun"),
    ],
)
def test_a_field_without_haloes_is_an_error_or_a_warning(survey, m_min, match):  # B1
    with pytest.raises(ValueError, match=f"none of 2000 haloes.*{match}.*allow_empty"):
        select_field(catalogue(), survey, m_min=m_min)
    with pytest.warns(UserWarning, match=match):
        empty = select_field(catalogue(), survey, m_min=m_min, allow_empty=True)
    assert empty.sizes["halo"] == 0
    assert set(empty) == set(catalogue())


def test_an_empty_catalogue_is_an_error_or_a_warning():  # B1
    empty = catalogue().isel(halo=slice(0))
    with pytest.raises(ValueError, match="none of 0 haloes lies"):
        select_field(empty, SURVEY)
    with pytest.warns(UserWarning, match="none of 0 haloes lies"):
        assert select_field(empty, SURVEY, allow_empty=True).sizes["halo"] == 0


def test_select_field_drops_invalid_haloes_only_on_request():  # B2
    haloes = with_value("chi", np.nan)
    with pytest.raises(ValueError, match="select_field: 2 of 2000"):
        select_field(haloes, SURVEY)
    with pytest.warns(UserWarning, match="dropped"):
        assert select_field(haloes, SURVEY, drop_invalid=True).sizes["halo"] == 1998


# --- cut


def test_fields_of_a_wide_catalogue_share_its_haloes_out():
    wide = catalogue(n=20_000, field_size=4.3)
    fields = list(cut_fields(wide, SURVEY, n_side=3))
    assert len(fields) == 9
    centre = np.maximum(np.abs(wide["ra"]), np.abs(wide["dec"])) < 2.1
    assert sum(f.sizes["halo"] for f in fields) == int(centre.sum())
    found = np.concatenate([f["chi"] for f in fields])
    npt.assert_array_equal(np.sort(found), np.sort(wide["chi"].values[centre.values]))
    for number, field in enumerate(fields):
        assert np.abs(field["ra"]).max() < 0.7
        assert np.abs(field["dec"]).max() < 0.7
        assert field.attrs["field"] == number
        # moved back, each halo stands where it was: haloes are told apart by their distance
        was = wide.isel(halo=np.argsort(wide["chi"].values))
        was = was.isel(halo=np.searchsorted(was["chi"].values, field["chi"].values))
        for name in ("ra", "dec"):
            back = field[name].values + field.attrs[f"field_{name}"]
            npt.assert_allclose(back, was[name], atol=1e-12)
    assert (fields[1].attrs["field_ra"], fields[1].attrs["field_dec"]) == (0.0, pytest.approx(-1.4))
    assert fields[0].attrs["cosmology"] == wide.attrs["cosmology"]


def test_a_catalogue_too_narrow_for_its_fields_is_refused():
    with pytest.raises(ValueError, match=r"reach 0.70 deg .* expected 4.20 for 6 fields of 1.4"):
        next(cut_fields(catalogue(), SURVEY))


# --- turned


def test_four_quarter_turns_are_none_and_two_flips_too():
    haloes = catalogue()
    turned = haloes
    for _ in range(4):
        turned = rotate(turned, angle=90.0)
    xr.testing.assert_identical(turned, haloes)
    xr.testing.assert_identical(
        rotate(rotate(haloes, angle=0, flip=True), angle=0, flip=True), haloes
    )
    xr.testing.assert_identical(rotate(haloes, angle=-90), rotate(haloes, angle=270))
    assert not np.array_equal(rotate(haloes, angle=90)["ra"], haloes["ra"])


def test_a_quarter_turn_goes_from_right_ascension_towards_declination():
    haloes = catalogue().isel(halo=[0])
    haloes = haloes.assign(ra=("halo", [0.5]), dec=("halo", [0.1]))
    turned = rotate(haloes, angle=90)
    npt.assert_array_equal([turned["ra"][0], turned["dec"][0]], [-0.1, 0.5])
    flipped = rotate(haloes, angle=90, flip=True)
    npt.assert_array_equal([flipped["ra"][0], flipped["dec"][0]], [-0.1, -0.5])


@pytest.mark.parametrize("angle", [30.0, 90.0, 200.0])
@pytest.mark.parametrize("flip", [False, True])
def test_haloes_move_along_their_velocities_before_and_after_a_turn(angle, flip):
    def moved(haloes):
        # x grows against right ascension; 1 km/s moves a halo by 1e-6 deg
        return haloes.assign(
            ra=haloes["ra"] - 1e-6 * haloes["vx"], dec=haloes["dec"] + 1e-6 * haloes["vy"]
        )

    haloes = catalogue()
    first = rotate(moved(haloes), angle=angle, flip=flip)
    last = moved(rotate(haloes, angle=angle, flip=flip))
    for name in ("ra", "dec"):
        npt.assert_allclose(first[name], last[name], atol=1e-12)  # same arithmetic


def test_a_turn_leaves_everything_else_and_its_input_alone():
    haloes = catalogue()
    before = haloes.copy(deep=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        turned = rotate(haloes, angle=90, flip=True)
    xr.testing.assert_identical(haloes, before)
    for name in ("m_halo", "z", "z_cosmo", "chi", "vz"):
        npt.assert_array_equal(turned[name], haloes[name])
    assert turned["ra"].attrs == haloes["ra"].attrs
    assert turned.attrs == haloes.attrs
    assert "vx" not in rotate(haloes[["ra", "dec"]], angle=90)
