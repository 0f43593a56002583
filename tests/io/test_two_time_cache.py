import json

import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import (
    CACHE_TEMPLATE,
    TwoTime,
    cache_name,
    read_cache,
    read_two_time,
    write_cache,
)

Q = 0.0054
META = "cache_metadata_json"


def two_time(n=3, size=5):
    rng = np.random.default_rng(4)
    c2 = 1 + 0.1 * rng.standard_normal((n, size, size))
    return TwoTime(
        c2=np.triu(c2) + np.triu(c2, 1).transpose(0, 2, 1),
        phi=np.linspace(-30.0, 90.0, n),
        q=Q * np.linspace(0.95, 1.05, n),
        dt=0.1,
        t=0.1 * np.arange(size),
        metadata={},
    )


@pytest.fixture
def cache(tmp_path):
    name = cache_name(CACHE_TEMPLATE, wavevector_q=Q, start_frame=2, end_frame=6)
    return write_cache(tmp_path / name, two_time(), Q, 2, 6)


def stored(path):
    with np.load(path, allow_pickle=False) as file:
        return {name: file[name] for name in file}


def with_meta(path, text):
    arrays = stored(path)
    arrays.pop(META)
    if text is not None:
        arrays[META] = np.array(text)
    np.savez(path, **arrays)


def test_name_is_made_from_a_template():
    values = {"wavevector_q": Q, "start_frame": 1, "end_frame": -1}
    name = "cached_c2_q0.0054_frames_1_-1.npz"
    assert cache_name(**values) == cache_name(CACHE_TEMPLATE, **values) == name
    assert cache_name("${sample}_${wavevector_q}.npz", sample="a", wavevector_q=1) == (
        "a_1.0000.npz"
    )


@pytest.mark.parametrize(
    ("template", "values", "message"),
    [
        ("a/${q}.npz", {"q": 1}, "a/1.npz': expected a file name without path"),
        ("a\\${q}.npz", {"q": 1}, "without path separators"),
        ("${q}.npz", {"q": "../x"}, "without path separators"),
        ("${q}", {"q": ".."}, "without path separators or '..'"),
        (" ", {}, "expected a file name"),
        ("${r}.npz", {"q": 1}, r"no value for 'r'; expected one of \['q'\]"),
        ("$.npz", {"q": 1}, "Invalid placeholder.*expected"),
    ],
)
def test_name_never_leaves_its_folder(template, values, message):
    with pytest.raises(DataError, match=message):
        cache_name(template, **values)


@pytest.mark.parametrize("compress", [True, False])
def test_what_was_cached_is_read_back(tmp_path, compress):
    data = two_time()
    path = write_cache(tmp_path / "c.npz", data, Q, 2, 6, compress=compress)
    got = read_cache(path, Q, 2, 6, dt=0.1)
    assert got is not None
    for name in ("c2", "phi", "q", "t"):
        np.testing.assert_array_equal(getattr(got, name), getattr(data, name))
    assert got.dt == pytest.approx(0.1, rel=1e-15)
    assert got.metadata["layout"] == "cache"
    assert got.metadata["q_asked"] == Q
    assert (got.metadata["start_frame"], got.metadata["end_frame"]) == (2, 6)


def test_cache_holds_the_keys_of_its_format(cache, tmp_path):
    arrays, data = stored(cache), two_time()
    assert set(arrays) == {
        "wavevector_q_list",
        "phi_angles_list",
        "t1",
        "t2",
        "c2_exp",
        META,
    }
    assert arrays[META].shape == ()
    meta = json.loads(str(arrays[META]))
    assert meta == {
        "config_wavevector_q": Q,
        "actual_wavevector_q": pytest.approx(Q, rel=1e-15),
        "q_variance": pytest.approx((0.05 * Q) ** 2 * 2 / 3, rel=1e-12),
        "q_count": 3,
        "start_frame": 2,
        "end_frame": 6,
        "phi_count": 3,
        "cache_version": "2.0",
        "selective_q_caching": True,
        "dt": 0.1,
    }
    text = (tmp_path / "phi_angles_list.txt").read_text()
    assert text == "# Phi angles (degrees)\n-30.000000\n30.000000\n90.000000\n"
    lines = (tmp_path / "wavevector_q_list.txt").read_text().splitlines()
    assert lines[1:] == [f"{q:.8e}" for q in data.q]
    assert sorted(p.name for p in tmp_path.iterdir()) == [
        "cached_c2_q0.0054_frames_2_6.npz",
        "phi_angles_list.txt",
        "wavevector_q_list.txt",
    ]


def test_cache_is_a_layout_of_the_reader(cache):
    """Its Q differ within the tolerance of the file it came from: all are kept."""
    data = two_time()
    for q in (None, Q):
        got = read_two_time(cache, q=q, start_frame=2, end_frame=4)
        np.testing.assert_array_equal(got.c2, data.c2[:, 1:4, 1:4])
        np.testing.assert_array_equal(got.q, data.q)


@pytest.mark.parametrize(
    "asked",
    [
        (Q + 2e-8, 2, 6),
        (float("nan"), 2, 6),
        (Q, 1, 6),
        (Q, 2, 5),
        (Q, 2, -1),
    ],
)
def test_another_q_or_other_frames_are_built_again(cache, asked):
    assert read_cache(cache, *asked) is None
    assert read_cache(cache, Q + 5e-9, 2, 6) is not None


def test_what_cannot_be_the_same_is_built_again(cache, tmp_path):
    assert read_cache(tmp_path / "none.npz", Q, 2, 6) is None
    assert read_cache(cache, Q, 2, 6, dt=0.2) is None
    meta = json.loads(str(stored(cache)[META]))
    with_meta(cache, json.dumps(meta | {"cache_version": "1.0"}))
    assert read_cache(cache, Q, 2, 6) is None
    with_meta(cache, None)
    assert read_cache(cache, Q, 2, 6) is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "unusable cache_metadata_json .*Delete the file"),
        ("[1]", "unusable cache_metadata_json"),
        ('{"config_wavevector_q": 1}', "unusable .*start_frame"),
        ('{"config_wavevector_q": "a"}', "unusable cache_metadata_json"),
    ],
)
def test_unreadable_metadata_is_named(cache, text, message):
    with_meta(cache, text)
    with pytest.raises(FormatError, match=message):
        read_cache(cache, Q, 2, 6)


def test_broken_cache_is_named(cache):
    cache.write_bytes(cache.read_bytes()[:-30])
    with pytest.raises(FormatError, match="expected a complete HDF5 or npz"):
        read_cache(cache, Q, 2, 6)


def test_pickled_cache_is_never_loaded(cache):
    arrays = stored(cache)
    arrays[META] = np.array({"config_wavevector_q": Q}, dtype=object)
    np.savez(cache, **arrays)
    with pytest.raises(FormatError, match="without pickles"):
        read_cache(cache, Q, 2, 6)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"phi_angles_list": None}, FormatError, "no phi_angles_list; expected c2_exp"),
        ({"t1": None}, DataError, r"does not say dt \(no t1\)"),
        ({"t2": np.arange(5.0) * 0.2}, DataError, "t1 .*t2 .*expected one grid"),
        (
            {"t1": np.ones((5, 5)), "t2": np.ones((5, 5))},
            DataError,
            r"t has shape \(5, 5",
        ),
        ({"c2_exp": np.ones((2, 5, 5))}, DataError, "expected as many angles and Q"),
    ],
)
def test_cache_whose_arrays_do_not_fit_is_named(cache, change, error, message):
    arrays = {k: v for k, v in (stored(cache) | change).items() if v is not None}
    np.savez(cache, **arrays)
    with pytest.raises(error, match=message):
        read_cache(cache, Q, 2, 6)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        ((-1.0, 1, 2), r"q=-1\.0: expected a positive number"),
        ((Q, 0, 2), "start_frame=0: expected at least 1"),
        ((Q, 3, 2), "end_frame=2: expected -1 or at least 3"),
    ],
)
def test_failed_write_leaves_the_old_cache(cache, tmp_path, asked, message):
    before = {p.name: p.read_bytes() for p in tmp_path.iterdir()}
    with pytest.raises(DataError, match=message):
        write_cache(cache, two_time(), *asked)
    with pytest.raises(DataError, match="expected a positive time"):
        write_cache(cache, two_time()._replace(dt=-1.0), Q, 2, 6)
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == before


def test_interrupted_write_leaves_the_old_cache(cache, tmp_path, monkeypatch):
    before = cache.read_bytes()

    def broken(file, **arrays):
        file.write(b"PK")
        raise OSError("no space left")

    monkeypatch.setattr(np, "savez_compressed", broken)
    with pytest.raises(OSError, match="no space left"):
        write_cache(cache, two_time(), Q, 1, 5)
    assert cache.read_bytes() == before
    assert not [p for p in tmp_path.iterdir() if "partial" in p.name]
