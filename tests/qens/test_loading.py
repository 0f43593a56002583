"""Reading runs by name: what `load_dataset` skips, and what it refuses."""

import pytest

from jaxscatter import examples, qens

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
