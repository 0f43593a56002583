"""MDANSE results, written here in the documented layout."""

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import read_mdanse

OMEGA = np.linspace(-4.0, 4.0, 9)  # rad/ps
Q = np.array([2.0, 4.0, 20.0])  # 1/nm
TOTAL = np.outer(Q, 1 / (1 + OMEGA**2))


def write(path, job="ndsf", units=("1/nm", "rad/ps"), total=TOTAL, omega=OMEGA, q=Q):
    with h5py.File(path, "w") as file:
        for name, values, unit in zip(("q", "omega"), (q, omega), units, strict=True):
            file[f"{job}/axes/{name}"] = values
            file[f"{job}/axes/{name}"].attrs["units"] = unit
        if total is not None:
            file[f"{job}/s(q,f)/total"] = total
        else:
            file.create_group(f"{job}/s(q,f)")
    return path


@pytest.mark.parametrize("job", ["ndsf", "disf"])
def test_rates_become_energies_and_nanometres_become_angstroms(tmp_path, job):
    """ħ = 0.6582119569 meV ps; 10 1/nm is 1 1/Å."""
    s = read_mdanse(write(tmp_path / "a.mda", job))
    np.testing.assert_allclose(s.energy, 0.6582119569 * OMEGA, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(s.q, [0.2, 0.4, 2.0])
    np.testing.assert_array_equal(s.data, TOTAL)
    assert (s.format, s.title, s.error) == ("MDANSE", job, None)
    assert "no errors" in s.said[-1]


def test_other_units_are_read_or_refused_by_name(tmp_path):
    s = read_mdanse(write(tmp_path / "a.mda", units=("1/ang", "meV")))
    np.testing.assert_array_equal(s.energy, OMEGA)
    np.testing.assert_array_equal(s.q, Q)
    for units in (("1/nm", "Hz"), ("nm", "rad/ps"), ("", "rad/ps"), ("1/nm", "")):
        with pytest.raises(FormatError, match="expected omega in rad/ps"):
            read_mdanse(write(tmp_path / "b.mda", units=units))
    with pytest.raises(DataError, match="states 'rad/ps'"):
        read_mdanse(write(tmp_path / "c.mda"), energy_unit="meV")


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"total": None}, "total is not there"),
        ({"total": TOTAL.T}, "look exchanged"),
        ({"q": -Q}, "Q of a row is -0.2"),
        ({"omega": OMEGA[::-1] ** 2}, "neither increase nor decrease"),
        ({"omega": OMEGA[:4]}, "4 energies"),
        ({"total": np.full_like(TOTAL, np.nan)}, "no usable point"),
    ],
)
def test_what_does_not_fit_is_refused(tmp_path, how, said):
    with pytest.raises(FormatError, match=said):
        read_mdanse(write(tmp_path / "a.mda", **how))


def test_a_trajectory_is_no_result(tmp_path):
    with h5py.File(tmp_path / "a.mda", "w") as file:
        file["configuration/coordinates"] = np.ones((3, 3))
    with pytest.raises(FormatError, match="expected an MDANSE result"):
        read_mdanse(tmp_path / "a.mda")
