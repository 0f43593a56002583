"""Result files: bit-exact round trips, one clear error each, nothing half-written."""

import dataclasses
import hashlib
import json

import h5py
import numpy as np
import pytest

from jaxscatter.errors import FormatError
from jaxscatter.infer import files
from jaxscatter.infer.files import load_result, save
from jaxscatter.infer.result import FitResult, SampleResult

RNG = np.random.default_rng(3)
PROVENANCE = {
    "created": "2025-01-02T03:04:05+00:00",
    "jax": "0.10.2",
    "devices": 1,
    "seed": -1,
    "huge": 2**80,
    "arguments": json.dumps({"method": "trf", "x": [1, 2.5]}),
    "model": "rotor · Å²",
    "labels": ("D/a", "τ", "b%2F."),
    "settings": {"lmax": 8, "nothing": None, "knots": np.arange(3.0)},
}


def measured(groups=2, points=7):
    y = RNG.normal(5.0, 1.0, (groups, points))
    mask = np.ones((groups, points))
    mask[0, 2] = 0.0
    return {
        "y": y,
        "sigma": np.full_like(y, 0.3),
        "mask": mask,
        "fit": y + 0.1,
        "band": np.stack([y - 0.1, y + 0.2]),
        "coords": {
            "omega": np.linspace(-1.0, 1.0, points),
            "q": np.array([0.5, 1.5])[:groups],
            "kernel": np.ones((groups, 3)),
        },
        "dims": {"omega": ("point",), "q": ("group",), "kernel": ("group", None)},
        "units": {"omega": "meV", "q": "1/Å", "y": "1/meV"},
        "metadata": {
            "x": "omega",
            "group": "q",
            "path": object,
            "runs": [1, np.int64(2)],
            "": None,
            ".": {"T": 290.0},
        },
    }


def fit_result(**changes):
    inf, nan = np.inf, np.nan
    base = FitResult(
        parameters={
            "name": np.array(["D/a", "τ", "b%2F.", "fixed", "tied"]),
            "unit": np.array(["Å²/ps", "ps", "", "Å", "Å"], dtype=object),
            "value": np.array([0.1 + 0.2, 1e-300, -0.0, 2.0, 4.0]),
            "stderr": np.array([0.01, inf, nan, nan, 0.02]),
            "lo": np.array([0.0, 0.0, -inf, -inf, -inf]),
            "hi": np.array([1.0, inf, inf, inf, inf]),
            "free": np.array([True, True, True, False, False]),
            "at_bound": np.array([False, False, True, False, False]),
            "tie": np.array(["", "", "", "", "2*fixed"]),
        },
        labels=("D/a", "τ", "b%2F."),
        x=np.array([0.1 + 0.2, 1e-300, -0.0]),
        cov=np.array([[1e-4, 9.5e-5, 0], [9.5e-5, 1e-4, 0], [0, 0, 0.0]]),
        scaled=True,
        linear={
            "label": np.array(["scale[0]", "flat[0]"]),
            "unit": np.array(["", ""]),
            "value": np.array([1.0, 0.0]),
            "stderr": np.array([0.1, nan]),
            "at_bound": np.array([False, True]),
        },
        linear_cov=np.diag([0.01, 0.0]),
        linear_mode="profile",
        statistics={
            "chi2": 12.5,
            "n_valid": 13,
            "dof": 9,
            "red_chi2": 12.5 / 9,
            "aicc": inf,
            "bic": 3.0,
            "p_value": nan,
            "nfev": 10,
            "njev": 4,
        },
        code=2,
        message="cost stands still: Δ < 1e-8",
        success=True,
        method="trf",
        history={
            "cost": np.array([9.0, 6.25], np.float32),
            "accepted": np.array([True, False]),
            "step": np.array([3, 1], np.int32),
        },
        warnings=("b%2F. is at its bound", "τ cannot be determined"),
        flags=("at_bound", "not_identifiable"),
        data=[measured(), measured(1, 4)],
        provenance=PROVENANCE,
        derived={"D/τ": (0.3, 0.02, "Å²/ps²")},
        optima={
            "cost": np.array([6.25, 8.0]),
            "delta_chi2": np.array([0.0, 3.5]),
            "count": np.array([5, 1]),
            "D/a": np.array([0.3, 0.4]),
        },
        starts={"cost": np.array([6.25, 8.0, nan]), "code": np.array([1, 1, -4])},
    )
    return dataclasses.replace(base, **changes)


def sample_result(**changes):
    draws = {"D/a": RNG.normal(size=(4, 25)), "τ": RNG.normal(size=(4, 25))}
    base = SampleResult(
        draws=draws,
        units={"D/a": "Å²/ps", "τ": "ps", "b%2F.": ""},
        sample_stats={
            "diverging": np.zeros((4, 25), bool),
            "num_steps": np.full((4, 25), 7, np.int32),
        },
        diagnostics={
            "name": np.array(["D/a", "τ"]),
            "unit": np.array(["Å²/ps", "ps"]),
            **{
                k: np.array([1.0, 2.0])
                for k in ("mean", "sd", "q2.5", "q50", "q97.5", "rhat", "mcse")
            },
            "ess_bulk": np.array([400.0, 80.0]),
            "ess_tail": np.array([300.0, np.nan]),
        },
        converged=False,
        linear_draws={"scale[0]": RNG.normal(size=(4, 25))},
        linear_mode="marginal",
        statistics={"divergences": 0.0, "accept": 0.93, "seconds": 1.5},
        method="nuts",
        warnings=("bulk ESS of τ is 80",),
        flags=(),
        held={"b%2F.": 0.5},
        data=[measured()],
        warmup={"step_size": np.array([0.1, 0.2, 0.3, 0.4])},
        provenance=PROVENANCE,
        derived={},
    )
    return dataclasses.replace(base, **changes)


def laplace_result():
    nan = np.full(2, np.nan)
    full = sample_result()
    return dataclasses.replace(
        full,
        draws={k: v.reshape(1, -1) for k, v in full.draws.items()},
        sample_stats={},
        linear_draws={},
        warmup={},
        held={},
        flags=("multimodal",),
        method="laplace",
        statistics={"pareto_k": 0.31, "log_evidence": -123.456789012345678},
        diagnostics=full.diagnostics | {"rhat": nan, "ess_tail": nan},
    )


def same(a, b):
    """Equal bit for bit, dtypes and key order included."""
    if isinstance(a, dict):
        assert list(a) == list(b)
        for key in a:
            same(a[key], b[key])
    elif isinstance(a, np.ndarray):
        assert isinstance(b, np.ndarray)
        assert a.dtype == b.dtype and a.shape == b.shape
        if a.dtype.kind == "O":
            assert a.tolist() == b.tolist()
        else:
            assert a.tobytes() == b.tobytes()
    elif isinstance(a, float) and np.isnan(a):
        assert np.isnan(b)
    else:
        assert type(a) is type(b) and a == b


def check_round_trip(result, path):
    assert save(result, path) == path
    loaded = load_result(path)
    assert type(loaded) is type(result) and loaded.problem is None
    for field in dataclasses.fields(result):
        before, after = getattr(result, field.name), getattr(loaded, field.name)
        if field.name == "provenance":
            assert set(before) == set(after)
            before, after = ({k: p[k] for k in before} for p in (before, after))
        if field.name == "data":
            assert len(before) == len(after)
            for x, y in zip(before, after, strict=True):
                assert set(x) == set(y)
                for key in set(x) - {"metadata"}:
                    same(x[key], y[key])
            continue
        same(before, after)
    assert loaded.summary() == result.summary()
    assert loaded.labels == result.labels
    return loaded


@pytest.mark.parametrize(
    "make", [fit_result, sample_result, laplace_result], ids=["fit", "nuts", "laplace"]
)
def test_a_result_comes_back_bit_for_bit_with_the_same_summary(make, tmp_path):
    loaded = check_round_trip(make(), tmp_path / "run.h5")
    check_round_trip(loaded, tmp_path / "again.h5")


def test_a_fit_without_amplitudes_or_free_parameters_comes_back(tmp_path):
    empty = {
        "label": np.array([], dtype="<U1"),
        "unit": np.array([], dtype="<U1"),
        "value": np.zeros(0),
        "stderr": np.zeros(0),
        "at_bound": np.zeros(0, bool),
    }
    result = fit_result(
        labels=(),
        x=np.zeros(0),
        cov=np.zeros((0, 0)),
        linear=empty,
        linear_cov=np.zeros((0, 0)),
        history={},
        optima={},
        starts={},
        derived={},
        warnings=(),
        flags=(),
        data=[],
    )
    check_round_trip(result, tmp_path / "run.h5")


def test_results_save_themselves(tmp_path):
    fit_result().save(str(tmp_path / "run.h5"))
    assert load_result(str(tmp_path / "run.h5"))["D/a"] == 0.1 + 0.2


def test_metadata_comes_back_with_text_for_what_json_cannot_hold(tmp_path):
    loaded = load_result(save(fit_result(), tmp_path / "run.h5"))
    metadata = loaded.data[0]["metadata"]
    assert metadata["x"] == "omega" and metadata["runs"] == [1, 2]
    assert metadata["path"] == str(object)
    assert metadata[""] is None and metadata["."] == {"T": 290.0}


def test_the_file_has_the_documented_layout(tmp_path):
    result = fit_result()
    with h5py.File(save(result, tmp_path / "fit.h5")) as file:
        assert file.attrs["format"] == "jaxscatter-result"
        assert file.attrs["version"] == 1 and file.attrs["kind"] == "fit"
        assert file.attrs["created"] == PROVENANCE["created"]
        assert list(file["parameters"]) == list(result.parameters)
        assert list(file["covariance"].attrs["order"]) == list(result.labels)
        assert file["covariance"].attrs["scaled"]
        wanted = {"value", "covariance", "labels", "mode"}
        assert wanted <= set(file["linear"])
        assert {len(file["linear"][k]) for k in wanted} == {2}
        assert file["linear/mode"].asstr()[0] == "profile"
        assert file["statistics"].attrs["chi2"] == 12.5
        assert file["provenance"].attrs["model"] == "rotor · Å²"
        d = result.data[0]
        expected = (d["y"] - d["fit"]) / d["sigma"]
        expected[0, 2] = np.nan
        np.testing.assert_array_equal(file["data/0/residual"][()], expected)
        text = h5py.check_string_dtype(file["parameters/name"].dtype)
        assert text.encoding == "utf-8" and text.length is None
    with h5py.File(save(sample_result(), tmp_path / "sample.h5")) as file:
        assert file["posterior/τ"].shape == (4, 25)
        assert file["posterior/D%2Fa"].attrs["unit"] == "Å²/ps"
        assert {"sample_stats", "diagnostics", "linear_draws"} <= set(file)


def test_large_data_are_stored_as_checksums_and_stay_so(tmp_path):
    result = fit_result()
    loaded = load_result(save(result, tmp_path / "a.h5", data_limit=100))
    d = loaded.data[0]
    assert set(d) == {"sha256", "shape"} and d["shape"] == (2, 7)
    assert set(d["sha256"]) == {"y", "sigma", "mask"}
    assert d["sha256"]["y"] == hashlib.sha256(result.data[0]["y"].tobytes()).hexdigest()
    again = load_result(save(loaded, tmp_path / "b.h5"))
    assert again.data == loaded.data
    assert loaded.summary() == result.summary()


def test_checksums_do_not_depend_on_memory_layout_or_byte_order(tmp_path):
    plain = fit_result()
    turned = fit_result(data=[dict(d) for d in plain.data])
    for d in turned.data:
        d["y"] = np.asfortranarray(d["y"]).astype(">f8", order="F")
    a = load_result(save(plain, tmp_path / "a.h5", data_limit=0))
    b = load_result(save(turned, tmp_path / "b.h5", data_limit=0))
    assert a.data == b.data


def test_unknown_groups_are_ignored(tmp_path):
    path = save(fit_result(), tmp_path / "run.h5")
    with h5py.File(path, "a") as file:
        file.create_group("state")["x"] = np.zeros(3)
        file.attrs["mood"] = "good"
    assert load_result(path).summary() == fit_result().summary()


@pytest.mark.parametrize(
    ("attribute", "value", "message"),
    [
        ("version", 2, "version 2 is newer"),
        ("version", "one", "version 'one'"),
        ("format", "NXspe", "format 'NXspe'"),
        ("kind", "profile", "kind 'profile'"),
    ],
)
def test_a_foreign_or_newer_file_is_a_format_error(tmp_path, attribute, value, message):
    path = save(fit_result(), tmp_path / "run.h5")
    with h5py.File(path, "a") as file:
        file.attrs[attribute] = value
    with pytest.raises(FormatError, match=message):
        load_result(path)


def test_what_only_some_methods_have_comes_back(tmp_path):
    table = {"points": np.array([4, 5]), "converged": np.array([True, False])}
    extras = {"shards": table, "split": {"of": "points", "count": 2}}
    read = load_result(save(sample_result(extras=extras), tmp_path / "run.h5"))
    assert read.extras["split"] == extras["split"]
    for name, column in table.items():
        assert read.extras["shards"][name].dtype == column.dtype
        np.testing.assert_array_equal(read.extras["shards"][name], column)


@pytest.mark.parametrize("make", [fit_result, sample_result])
def test_a_file_that_lacks_a_group_is_a_format_error(make, tmp_path):
    path = save(make(), tmp_path / "run.h5")
    with h5py.File(path) as file:
        names = set(file)
    for name in sorted(names - {"groups"}):  # files of version 0.1 have none
        with h5py.File(path, "a") as file:
            file.move(name, "elsewhere")
        with pytest.raises(FormatError, match="damaged or incomplete"):
            load_result(path)
        with h5py.File(path, "a") as file:
            file.move("elsewhere", name)
    load_result(path)


def test_other_hdf5_truncated_text_empty_folder_and_missing_files(tmp_path):
    other = tmp_path / "other.h5"
    with h5py.File(other, "w") as file:
        file["y"] = 1.0
    with pytest.raises(FormatError, match="format None"):
        load_result(other)
    whole = save(fit_result(), tmp_path / "run.h5").read_bytes()
    for size in (0, 100, len(whole) // 2, len(whole) - 1):
        (tmp_path / "cut.h5").write_bytes(whole[:size])
        with pytest.raises(FormatError, match=r"cut\.h5: not HDF5, or damaged") as info:
            load_result(tmp_path / "cut.h5")
        assert "\n" not in str(info.value)
    (tmp_path / "text.h5").write_text("no HDF5")
    with pytest.raises(FormatError):
        load_result(tmp_path / "text.h5")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        load_result(tmp_path)
    with pytest.raises(FileNotFoundError, match="no such file"):
        load_result(tmp_path / "absent.h5")


def test_saving_to_a_folder_or_below_none_or_something_else(tmp_path):
    with pytest.raises(IsADirectoryError, match="expected a file name"):
        save(fit_result(), tmp_path)
    with pytest.raises(FileNotFoundError, match="no such folder"):
        save(fit_result(), tmp_path / "absent" / "run.h5")


@pytest.mark.parametrize("stage", ["array", "data", "rename"])
def test_a_failed_write_leaves_the_old_file_and_nothing_else(
    tmp_path, monkeypatch, stage
):
    path = save(fit_result(), tmp_path / "run.h5")
    before = path.read_bytes()
    result = fit_result(message="second")

    def fail(*args, **kwargs):
        raise OSError("no space left on device")

    if stage == "array":
        result.history["thing"] = np.array([object()], dtype=object)
    elif stage == "data":
        monkeypatch.setattr(files, "_write_data", fail)
    else:
        monkeypatch.setattr(files.os, "replace", fail)
    with pytest.raises((OSError, TypeError)):
        save(result, path)
    assert [p.name for p in tmp_path.iterdir()] == ["run.h5"]
    assert path.read_bytes() == before
