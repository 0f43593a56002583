"""Reading runs by name: what `load_dataset` skips, and what it refuses."""

import logging

import numpy as np
import pytest

from jaxscatter import examples, qens
from jaxscatter.errors import DataError
from jaxscatter.io import write_dave

EXAMPLE = examples.qens_benzene()


def test_a_missing_critical_file_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError, match="absent"):
        qens.load_dataset(
            ["absent_290_360_inc.nxspe"],
            tmp_path,
            critical_files=["absent_290_360_inc.nxspe"],
            verbose=False,
        )


def test_the_file_name_gives_sample_temperature_and_kind():
    d = qens.read_nxspe(EXAMPLE.sample, q_edges=EXAMPLE.q_edges)
    assert (d["sample"], d["temp"], d["kind"]) == ("benzene", 290, "inc")


def test_overrides_need_no_name_rule():
    d = qens.read_nxspe_with_overrides(
        EXAMPLE.sample, sample="C6H6", temp=291, q_edges=EXAMPLE.q_edges
    )
    assert (d["sample"], d["temp"]) == ("C6H6", 291)


def test_a_run_of_any_format_is_a_dataset_of_the_reductions(caplog):
    water = examples.qens_water()
    with caplog.at_level(logging.INFO, logger="jaxscatter"):
        d = qens.read_run(water.sample)
    assert "H2O_293K_5A.hdf: recognised as LAMP HDF" in caplog.text
    assert (d["name"], d["sample"]) == ("H2O_293K_5A.hdf", "H2O undercooled")
    assert (d["temp"], d["format"], d["has_errors"]) == (293.349, "LAMP HDF", True)
    assert np.all(d["errs"][~d["mask"]] == 0) and np.all(d["data"][~d["mask"]] == 0)
    assert d["good"].size == 17
    e0, sigma = qens.fit_elastic_peak(d, masked=True)
    bins = qens.build_row_bins(d, qens.Config())
    assert len(bins) == 17
    assert abs(e0) < 0.01 and 0.02 < sigma < 0.2


def test_nxspe_keeps_its_rule_for_rows():
    old = qens.read_nxspe(EXAMPLE.sample, q_edges=EXAMPLE.q_edges)
    new = qens.read_run(EXAMPLE.sample, q_edges=EXAMPLE.q_edges)
    for key in ("e_raw", "data", "errs", "mask", "good", "q", "ei"):
        np.testing.assert_array_equal(new[key], old[key])
    assert new["format"] == "NXSPE"


def test_rows_without_intensity_are_not_good(tmp_path):
    data = np.ones((3, 5))
    data[1] = -1.0
    how = {"energy": np.arange(5.0), "q": [1, 2, 3], "error": np.ones((3, 5))}
    path = write_dave(tmp_path / "a.grp", data=data, **how)
    np.testing.assert_array_equal(qens.read_run(path)["good"], [0, 2])
    with pytest.raises(DataError, match="no usable row"):
        qens.read_run(write_dave(tmp_path / "b.grp", data=-(data**2), **how))
