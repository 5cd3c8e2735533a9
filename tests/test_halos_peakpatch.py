"""The field's exchange format: read, written, and never trusted."""

import io
import os
import pickle
import zipfile

import numpy as np
import numpy.testing as npt
import pytest

from imtools import halos
from imtools.cosmology import Cosmology
from imtools.survey import Survey

COSMOLOGY = Cosmology()
HEADER = {
    "Omega_M": 0.286, "Omega_B": 0.047, "Omega_L": 0.714, "h": 0.7, "ns": 0.96, "sigma8": 0.82,
    "cen_x_fov": 0.0, "cen_y_fov": 0.0,
}  # fmt: skip


def members(n=50, seed=0):
    """Return the arrays of a catalogue as a peak-patch code writes them."""
    rng = np.random.default_rng(seed)
    z_cosmo = rng.uniform(2.5, 3.3, n)
    x, y = rng.uniform(-80, 80, (2, n))
    z = np.sqrt(COSMOLOGY.comoving_distance(z_cosmo) ** 2 - x**2 - y**2)
    return {
        "M": 10 ** rng.uniform(10.5, 13, n), "x": x, "y": y, "z": z,
        "vx": rng.normal(0, 200, n), "vy": rng.normal(0, 200, n), "vz": rng.normal(0, 200, n),
        "zhalo": z_cosmo + rng.normal(0, 1e-3, n), "zform": z_cosmo + 0.5,
        "cosmo_header": np.array(HEADER, dtype=object),
    }  # fmt: skip


def write(path, **changes):
    """Write a catalogue with some members changed, or left out where they are None."""
    np.savez(path, **{k: v for k, v in (members() | changes).items() if v is not None})
    return path


def with_pickle(path, name, pickled, dtype=object):
    """Write a catalogue in which a member is an object array holding `pickled` bytes."""
    write(path, **{name: None})
    stream = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        stream,
        {
            "descr": np.lib.format.dtype_to_descr(np.dtype(dtype)),
            "fortran_order": False,
            "shape": (),
        },
    )
    with zipfile.ZipFile(path, "a") as archive:
        archive.writestr(f"{name}.npy", stream.getvalue() + pickled)
    return path


# --- read


def test_positions_on_the_sky_follow_from_the_cartesian_ones(tmp_path):
    columns = members()
    haloes = halos.read_peakpatch(write(tmp_path / "a.npz"))
    x, y, z = (columns[name] for name in "xyz")
    npt.assert_allclose(haloes["chi"], np.sqrt(x**2 + y**2 + z**2), rtol=1e-12)
    npt.assert_allclose(haloes["ra"], -np.degrees(np.arctan(x / z)), rtol=1e-12)
    # declination from the component across the line of sight, not from an arc sine
    npt.assert_allclose(haloes["dec"], np.degrees(np.arctan2(y, np.hypot(x, z))), rtol=1e-12)
    npt.assert_allclose(COSMOLOGY.comoving_distance(haloes["z_cosmo"]), haloes["chi"], rtol=1e-8)
    for ours, theirs in {"m_halo": "M", "z": "zhalo", "z_form": "zform", "vx": "vx"}.items():
        npt.assert_array_equal(haloes[ours], columns[theirs])
    assert halos.cosmology_from(haloes) == COSMOLOGY
    assert haloes["chi"].attrs["units"] == "Mpc"


def test_a_tile_is_moved_to_its_centre(tmp_path):
    header = np.array(HEADER | {"cen_x_fov": 0.3, "cen_y_fov": np.float64(-0.2)}, dtype=object)
    whole = halos.read_peakpatch(write(tmp_path / "a.npz"))
    tile = halos.read_peakpatch(write(tmp_path / "b.npz", cosmo_header=header))
    npt.assert_allclose(tile["ra"], whole["ra"] - 0.3, atol=1e-12)
    npt.assert_allclose(tile["dec"], whole["dec"] + 0.2, atol=1e-12)


def test_velocities_and_formation_may_be_missing(tmp_path):
    path = write(tmp_path / "a.npz", vx=None, vy=None, vz=None, zform=None)
    assert not {"vx", "z_form"} & set(halos.read_peakpatch(path))


def test_members_that_are_not_ours_are_passed_over(tmp_path):
    path = with_pickle(tmp_path / "a.npz", "notes", pickle.dumps(print))
    assert "notes" not in halos.read_peakpatch(path)


@pytest.mark.parametrize("protocol", [0, 2, 4, 5])
@pytest.mark.parametrize("old_numpy", [False, True])
def test_headers_of_every_age_are_read(tmp_path, protocol, old_numpy):
    header = HEADER | {
        "ns": np.float64(0.96),
        "h": np.float32(0.7),
        "n": np.int64(3),
        "name": "run",
    }
    pickled = pickle.dumps(np.array(header, dtype=object), protocol=protocol)
    if old_numpy and protocol < 4:  # names were written with their length from protocol 4 on
        pickled = pickled.replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    haloes = halos.read_peakpatch(with_pickle(tmp_path / "a.npz", "cosmo_header", pickled))
    cosmology = halos.cosmology_from(haloes)
    npt.assert_allclose(cosmology.h, 0.7, rtol=1e-7)  # float32
    assert cosmology.n_s == 0.96


# --- written


def test_a_simulated_catalogue_comes_back(tmp_path):
    survey = Survey(field_size=0.2, nu_min=30.0, nu_max=31.0)
    haloes = halos.simulate(survey, seed=1, m_min=1e11)
    path = tmp_path / "a.npz"
    halos.write_peakpatch(haloes, path)
    back = halos.read_peakpatch(path)
    for name in ("m_halo", "z", "vx", "vy", "vz"):
        npt.assert_array_equal(back[name], haloes[name])
    npt.assert_allclose(back["chi"], haloes["chi"], rtol=1e-12)
    for name in ("ra", "dec"):
        npt.assert_allclose(back[name], haloes[name], atol=1e-12)
    npt.assert_allclose(back["z_cosmo"], haloes["z_cosmo"], rtol=1e-6)  # interpolated by simulate
    assert halos.cosmology_from(back) == survey.cosmology
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_other_readers_find_what_they_expect(tmp_path):
    haloes = halos.read_peakpatch(write(tmp_path / "a.npz"))
    halos.write_peakpatch(haloes, tmp_path / "b.npz")
    columns = members()
    with np.load(tmp_path / "b.npz", allow_pickle=True) as file:  # our own file
        assert set(file) == set(columns)
        for name in columns.keys() - {"cosmo_header"}:
            npt.assert_allclose(file[name], columns[name], rtol=1e-11, atol=1e-9)
        header = file["cosmo_header"].item()
    assert {k: pytest.approx(v) for k, v in HEADER.items()} == header


def test_a_file_that_exists_is_kept(tmp_path):  # B22
    path = write(tmp_path / "a.npz")
    before = path.read_bytes()
    haloes = halos.read_peakpatch(path)
    with pytest.raises(FileExistsError, match="pass overwrite=True"):
        halos.write_peakpatch(haloes, path)
    assert path.read_bytes() == before
    halos.write_peakpatch(haloes.isel(halo=slice(3)), path, overwrite=True)
    assert halos.read_peakpatch(path).sizes["halo"] == 3


def test_a_write_that_fails_leaves_the_old_file(tmp_path, monkeypatch):
    path = write(tmp_path / "a.npz")
    before, haloes = path.read_bytes(), halos.read_peakpatch(path)

    def fail(stream, **_arrays):
        stream.write(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(np, "savez", fail)
    with pytest.raises(OSError, match="No space"):
        halos.write_peakpatch(haloes, path, overwrite=True)
    assert path.read_bytes() == before
    assert [p.name for p in tmp_path.iterdir()] == ["a.npz"]


def test_haloes_without_a_cosmology_are_not_written(tmp_path):
    haloes = halos.read_peakpatch(write(tmp_path / "a.npz"))
    with pytest.raises(ValueError, match="no attribute cosmology"):
        halos.write_peakpatch(haloes.drop_attrs(), tmp_path / "b.npz")
    with pytest.raises(ValueError, match="write_peakpatch: m_halo spans"):
        halos.write_peakpatch(haloes.assign(m_halo=haloes["m_halo"] / 1e10), tmp_path / "b.npz")
    assert not (tmp_path / "b.npz").exists()


# --- bad catalogues


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"M": None, "x": None}, r"missing \['M', 'x'\]"),  # B5
        ({"zhalo": np.full(49, 2.8)}, r"'zhalo': 'float64, \(49,\)'"),
        ({"M": np.full(50, "1e12")}, "expected real numbers of one length"),
        ({"vx": np.zeros((50, 3))}, "expected real numbers of one length"),
        ({"M": np.full(50, -1.0)}, "50 haloes have m_halo <= 0"),  # B3
        ({"M": np.full(50, 12.0)}, "log10 of the mass"),
        ({"zhalo": np.full(50, -0.5)}, "z spans -0.5"),  # B4
        ({"x": np.full(50, np.nan)}, "50 of 50 haloes have NaN"),  # B2
        ({"z": np.full(50, 1e7)}, "chi spans .* check the unit"),
        ({"x": np.zeros(50), "y": np.zeros(50), "z": np.zeros(50)}, "lies at the observer"),
    ],
)
def test_catalogues_that_do_not_fit_are_refused(tmp_path, changes, match):
    path = write(tmp_path / "a.npz", **changes)
    with pytest.raises(ValueError, match=match) as caught:
        halos.read_peakpatch(path)
    assert "\n" not in str(caught.value)
    assert "read_peakpatch" in str(caught.value)


def test_invalid_haloes_are_dropped_on_request(tmp_path):  # B2
    masses = members()["M"]
    masses[3] = np.inf
    path = write(tmp_path / "a.npz", M=masses)
    with pytest.raises(ValueError, match=r"1 of 50 .* first at \[3\]"):
        halos.read_peakpatch(path)
    with pytest.warns(UserWarning, match="dropped"):
        assert halos.read_peakpatch(path, drop_invalid=True).sizes["halo"] == 49


def test_a_catalogue_without_a_cosmology_needs_one(tmp_path):  # B6
    path = write(tmp_path / "a.npz", cosmo_header=None)
    with pytest.raises(ValueError, match="has no cosmo_header; pass cosmology"):
        halos.read_peakpatch(path)
    assert halos.cosmology_from(halos.read_peakpatch(path, cosmology=COSMOLOGY)) == COSMOLOGY


@pytest.mark.parametrize(
    ("header", "match"),
    [
        (HEADER | {"Omega_L": 0.6}, "Omega_M . Omega_L is 0.8860, expected 1"),
        ({"h": 0.7}, "missing .'Omega_M', 'Omega_B', 'sigma8', 'ns'."),
        (HEADER | {"h": 70.0}, "h is 70.0, expected between 0 and 2"),
        (HEADER | {"h": "seventy"}, "h is 'seventy', expected a number"),
        (HEADER | {"cen_x_fov": "left"}, "cen_x_fov is 'left', expected a number"),
        ([1, 2], "holds a list, expected a dict"),
    ],
)
def test_a_cosmology_that_is_none_is_refused(tmp_path, header, match):  # B6
    value = np.empty((), dtype=object)
    value[()] = header
    with pytest.raises(ValueError, match=match) as caught:
        halos.read_peakpatch(write(tmp_path / "a.npz", cosmo_header=value))
    assert "a.npz" in str(caught.value)


@pytest.mark.parametrize("kind", ["text", "pickle", "empty", "truncated", "folder", "missing"])
def test_what_is_no_npz_is_one_line(tmp_path, kind):  # B14
    path = write(tmp_path / "a.npz")
    whole = path.read_bytes()
    path.unlink()
    content = {
        "text": b"<html>404</html>", "pickle": pickle.dumps(HEADER), "empty": b"",
        "truncated": whole[: len(whole) // 2],
    }  # fmt: skip
    if kind in content:
        path.write_bytes(content[kind])
    elif kind == "folder":
        path.mkdir()
    with pytest.raises(ValueError, match=r"read_peakpatch: .*a\.npz") as caught:
        halos.read_peakpatch(path)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("compressed", [False, True])
@pytest.mark.parametrize("name", ["M", "x", "zhalo", "vx", "cosmo_header"])
def test_a_damaged_member_is_refused(tmp_path, name, compressed):
    path = tmp_path / "a.npz"
    (np.savez_compressed if compressed else np.savez)(path, **members())
    with zipfile.ZipFile(path) as archive:
        info = archive.getinfo(f"{name}.npy")
    damaged = bytearray(path.read_bytes())
    damaged[info.header_offset + 60 + info.compress_size // 2] ^= 255
    path.write_bytes(damaged)
    with pytest.raises(ValueError, match=r"read_peakpatch: .*a\.npz"):
        halos.read_peakpatch(path)


# --- malicious catalogues (B7)


class Touch:
    """Makes a file when it is unpickled."""

    def __init__(self, path, function=os.system):
        self.path, self.function = path, function

    def __reduce__(self):
        if self.function is os.system:
            return os.system, (f"touch {self.path}",)
        return self.function, (f"open({str(self.path)!r}, 'w').close()",)


def payloads(sentinel):
    """Return pickled objects that would make the sentinel, by what carries them."""
    touch, run = Touch(sentinel), Touch(sentinel, exec)
    in_array = np.empty((), dtype=object)
    in_array[()] = HEADER | {"h": touch}
    return {
        "bare": touch,
        "exec": run,
        "in a dict": HEADER | {"h": touch},
        "in an array": in_array,
        "as a key": {("k", run): 1},
    }


CARRIERS = ("bare", "exec", "in a dict", "in an array", "as a key")


@pytest.mark.parametrize("protocol", [0, 2, 5])
@pytest.mark.parametrize("carrier", CARRIERS)
def test_code_in_the_header_never_runs(tmp_path, carrier, protocol):
    sentinel = tmp_path / "sentinel"
    pickled = pickle.dumps(payloads(sentinel)[carrier], protocol=protocol)
    path = with_pickle(tmp_path / "a.npz", "cosmo_header", pickled)
    with pytest.raises(ValueError, match="not allowed in a catalogue's header"):
        halos.read_peakpatch(path)
    assert not sentinel.exists()
    # the payload is real: a plain unpickler runs it
    pickle.loads(pickled)
    assert sentinel.exists()


@pytest.mark.parametrize("name", ["M", "x", "zhalo", "vx", "zform"])
def test_code_in_another_member_never_runs(tmp_path, name):
    sentinel = tmp_path / "sentinel"
    path = with_pickle(tmp_path / "a.npz", name, pickle.dumps(Touch(sentinel)))
    with pytest.raises(ValueError, match="no peak-patch catalogue"):
        halos.read_peakpatch(path)
    assert not sentinel.exists()


@pytest.mark.parametrize(
    "pickled",
    [
        b"cos\nsystem\n(S'true'\ntR.",
        b"cnumpy\nload\n(S'a.npz'\ntR.",
        b"cnumpy\nndarray\n(I1\nI2\nI3\nI4\ntR.",  # an allowed name, called wrongly
        b"cnumpy._core.multiarray\n_reconstruct\n(tR.",
        b"cnumpy._core.multiarray\n_reconstruct.__globals__\n.",
        b"c_codecs\nencode\n(Vx\nVrot13\ntR.",
        b"cnumpy\nndarray\n((I1000000\nI1000000\nI1000000\nttR.",  # 8 exabytes
        b"(dS'h'\nI1\nX",
        b"I1\nI2\n",
        b"",
        b"\xff" * 40,
    ],
)
def test_a_broken_or_forged_pickle_is_one_line(tmp_path, pickled):
    path = with_pickle(tmp_path / "a.npz", "cosmo_header", pickled)
    with pytest.raises(ValueError, match="is no peak-patch catalogue") as caught:
        halos.read_peakpatch(path)
    assert "\n" not in str(caught.value)


def test_a_header_of_numbers_is_refused(tmp_path):
    with pytest.raises(ValueError, match="expected an object array holding a dict"):
        halos.read_peakpatch(write(tmp_path / "a.npz", cosmo_header=np.array([0.7])))


def test_a_huge_header_is_not_unpacked(tmp_path):
    pickled = pickle.dumps(HEADER | {"name": "x" * 2_000_000})
    path = with_pickle(tmp_path / "a.npz", "cosmo_header", pickled)
    with pytest.raises(ValueError, match=r"cosmo_header has 2\d{6} bytes, expected below 1000000"):
        halos.read_peakpatch(path)
