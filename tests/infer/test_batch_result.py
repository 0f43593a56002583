"""Rows, columns, text, tables and files of a batch, from numbers made by hand."""

import csv

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.errors import ModelError
from jaxscatter.infer import BatchResult
from jaxscatter.infer import trust_region as tr
from jaxscatter.infer.batch_result import MESSAGES, NO_DATA


def made(**changes):
    """Four fits: good, at a bound, undetermined, without data."""
    nan, inf = np.nan, np.inf
    fields = {
        "names": ("D", "tau"),
        "units": ("Å²/ps", "ps"),
        "values": np.array([[0.1, 2.0], [0.2, 9.0], [0.3, 1.0], [nan, nan]]),
        "stderr": np.array([[0.01, 0.2], [0.02, nan], [0.03, inf], [nan, nan]]),
        "cov": np.arange(16.0).reshape(4, 2, 2) / 3,
        "scaled": np.array([False, False, True, False]),
        "at_bound": np.array([[0, 0], [0, 1], [0, 0], [0, 0]], bool),
        "undetermined": np.array([[0, 0], [0, 0], [0, 1], [0, 0]], bool),
        "amplitude_names": ("height",),
        "amplitude_units": ("counts",),
        "amplitudes": np.array([[5.0], [6.0], [0.0], [nan]]),
        "amplitude_stderr": np.array([[0.5], [0.6], [nan], [nan]]),
        "amplitude_at_bound": np.array([[False], [False], [True], [False]]),
        "chi2": np.array([50.0, 400.0, 50.0, nan]),
        "red_chi2": np.array([1.0, 8.0, 1.0, nan]),
        "dof": np.array([50.0, 50.0, 50.0, -3.0]),
        "n_valid": np.array([53.0, 53.0, 53.0, 0.0]),
        "code": np.array([tr.FTOL, tr.GTOL, tr.FTOL, NO_DATA]),
        "nit": np.array([6, 7, 8, 0]),
        "provenance": {"model": "made", "seed": -1},
    }
    result = BatchResult(**{**fields, **changes})
    result.warnings = tuple(result.care())
    return result


def test_a_row_is_a_fit_with_names():
    fit = made()[1]
    assert fit["D"] == 0.2 and fit.error("D") == 0.02 and fit["height"] == 6.0
    assert fit.at_bound == ("tau",) and fit.success and fit.units["tau"] == "ps"
    text = fit.summary()
    assert text.startswith("fit 1: converged") and "AT BOUND" in text
    assert "0.200 ± 0.020" in text and "Å²/ps" in text
    last = made()[-1]
    assert last.index == 3 and not last.success
    assert last.summary().startswith("fit 3: NOT CONVERGED: failed: the data set")
    with pytest.raises(IndexError, match="no fit 4; there are 4"):
        made()[4]
    with pytest.raises(KeyError, match="no parameter 'd'"):
        fit["d"]


def test_columns_are_found_by_name():
    result = made()
    assert len(result) == 4 and result.failed.tolist() == [3]
    np.testing.assert_array_equal(result.column("tau"), [2, 9, 1, np.nan])
    np.testing.assert_array_equal(result.error("height"), [0.5, 0.6, np.nan, np.nan])
    assert result.unit("height") == "counts" and result.unit("D") == "Å²/ps"
    with pytest.raises(KeyError, match="no parameter 'x'"):
        result.column("x")


def test_the_summary_begins_with_what_needs_care():
    lines = made().summary().splitlines()
    assert lines[0] == "made · 4 fits"
    assert lines[1] == f"! 1 of 4 fits have not converged ({MESSAGES[NO_DATA]}): 3"
    assert lines[2] == "! tau is not determined by the data in 1 fits: 2"
    assert lines[3].startswith("! tau is at a bound") and lines[3].endswith(": 1")
    assert lines[4] == "! height is at a bound in 1 fits: 2"
    assert lines[5].startswith("! the model does not describe") and lines[5][-1] == "1"
    assert "errors   from the given sigma or scaled by sqrt(reduced chi2)" in lines


def test_long_lists_of_indices_are_cut():
    count = 40
    result = made(
        **{
            name: np.repeat(getattr(made(), name)[3:], count, axis=0)
            for name in (
                *("values", "stderr", "cov", "scaled", "at_bound", "undetermined"),
                *("amplitudes", "amplitude_stderr", "amplitude_at_bound", "chi2"),
                *("red_chi2", "dof", "n_valid", "code", "nit"),
            )
        }
    )
    assert result.warnings[0].endswith(": 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, ...")
    assert "status   0 of 40 converged" in result.summary()


def test_the_table_goes_to_text_and_back(tmp_path):
    result = made()
    table = result.to_table()
    assert list(table)[:3] == ["fit", "D", "D_stderr"]
    with result.to_csv(tmp_path / "fits.csv").open(encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert "D_stderr [Å²/ps]" in rows[0] and rows[1]["tau_at_bound"] == "1"
    back = [float(row["tau [ps]"]) for row in rows]
    np.testing.assert_array_equal(back, table["tau"])
    assert [row["success"] for row in rows] == ["1", "1", "1", "0"]


def test_a_file_brings_back_every_bit(tmp_path):
    result = made()
    loaded = js.load_result(result.save(tmp_path / "fits.h5"))
    assert isinstance(loaded, BatchResult)
    for name, value in vars(result).items():
        other = getattr(loaded, name)
        if isinstance(value, np.ndarray):
            assert value.dtype == other.dtype
            assert value.tobytes() == other.tobytes(), name
        else:
            assert value == other, name
    assert loaded.summary() == result.summary()
    with pytest.raises(ModelError, match="no model and no data"):
        loaded.predict()


def test_data_and_curves_are_kept_with_the_file(tmp_path):
    record = {
        "y": np.arange(6.0).reshape(2, 1, 3),
        "sigma": np.full((2, 1, 3), 0.5),
        "mask": np.ones((2, 1, 3), bool),
        "fit": np.zeros((2, 1, 3)),
    }
    result = made(records=[record])
    path = result.save(tmp_path / "fits.h5")
    again = js.load_result(path)
    np.testing.assert_array_equal(again.data[0]["y"], record["y"])
    assert again.data[0]["mask"].dtype == bool
