"""What every reader of spectra shares: order, units, signs, shapes, masks and Q."""

import numpy as np
import pytest

from jaxscatter.constants import HBAR, NEUTRON_ENERGY
from jaxscatter.errors import DataError, FormatError
from jaxscatter.io.spectra import (
    ELASTIC_Q,
    NO_ERRORS,
    Stored,
    assembled,
    stated_energy_unit,
    stated_q_factor,
)

ENERGY = np.array([-2.0, -1.0, 0.5, 3.0])
DATA = np.arange(8.0).reshape(2, 4)


def stored(**changes):
    base = {
        "format": "test",
        "energy": ENERGY,
        "data": DATA,
        "error": np.ones((2, 4)),
        "unit": "meV",
        "q": np.array([0.5, 1.0]),
    }
    return Stored(**{**base, **changes})


def test_what_is_in_order_stays_as_it_is():
    s = assembled("f", stored(title=" water ", temperature=293.0))
    np.testing.assert_array_equal(s.energy, ENERGY)
    np.testing.assert_array_equal(s.data, DATA)
    np.testing.assert_array_equal(s.q, [0.5, 1.0])
    assert (s.title, s.temperature, s.said, s.energy_edges) == (
        "water",
        293.0,
        (),
        None,
    )
    assert s.mask.all()


@pytest.mark.parametrize(
    ("unit", "given", "scale"),
    [
        ("ueV", None, 1e-3),
        (None, "ueV", 1e-3),
        ("rad/ps", None, HBAR),
        ("meV", "meV", 1),
    ],
)
def test_energies_leave_in_mev(unit, given, scale):
    s = assembled("f", stored(unit=unit), energy_unit=given)
    np.testing.assert_allclose(s.energy, scale * ENERGY, rtol=1e-15)
    assert s.said == ()


def test_a_unit_is_assumed_aloud_and_never_against_the_file():
    assert "meV was assumed" in assembled("f", stored(unit=None)).said[0]
    with pytest.raises(DataError, match=r"energy_unit='meV'.*states 'ueV'"):
        assembled("f", stored(unit="ueV"), energy_unit="meV")
    with pytest.raises(DataError, match="energy_unit='eV'"):
        assembled("f", stored(), energy_unit="eV")


@pytest.mark.parametrize("edges", [False, True])
def test_the_sign_turns_axis_and_values_around(edges):
    axis = np.array([-2.0, -1.0, 0.0, 2.0, 3.0]) if edges else ENERGY
    s = assembled("f", stored(energy=axis, edges_allowed=True), energy_sign=-1)
    middle = 0.5 * (axis[1:] + axis[:-1]) if edges else axis
    np.testing.assert_allclose(s.energy, -middle[::-1])
    np.testing.assert_array_equal(s.data, DATA[:, ::-1])
    if edges:
        np.testing.assert_array_equal(s.energy_edges, -axis[::-1])
    with pytest.raises(DataError, match="energy_sign=0"):
        assembled("f", stored(), energy_sign=0)


def test_a_decreasing_axis_is_reversed_aloud_and_a_shuffled_one_refused():
    error = 1 + DATA
    s = assembled("f", stored(energy=ENERGY[::-1], error=error))
    np.testing.assert_array_equal(s.energy, ENERGY)
    np.testing.assert_array_equal(s.data, DATA[:, ::-1])
    np.testing.assert_array_equal(s.error, error[:, ::-1])
    assert "reversed" in s.said[0]
    turned = assembled("f", stored(energy=ENERGY[::-1]), energy_sign=-1)
    np.testing.assert_array_equal(turned.energy, -ENERGY[::-1])
    np.testing.assert_array_equal(turned.data, DATA)
    for axis in (ENERGY[[0, 2, 1, 3]], ENERGY[[0, 1, 1, 3]]):
        with pytest.raises(FormatError, match="neither increase nor decrease"):
            assembled("f", stored(energy=axis))
    with pytest.raises(FormatError, match="energy is not finite"):
        assembled("f", stored(energy=np.array([0.0, 1.0, np.nan, 3.0])))


def test_rounding_of_a_uniform_axis_is_undone_aloud():
    even = np.linspace(-2.025, 1.95, 160)
    s = assembled(
        "f",
        stored(
            energy=even.astype(np.float32).astype(float),
            data=np.ones((1, 160)),
            error=np.ones((1, 160)),
            q=np.ones(1),
        ),
    )
    steps = np.diff(s.energy)
    assert np.ptp(steps) < 1e-12
    np.testing.assert_allclose(s.energy, even, atol=2e-7)
    assert "equal but for rounding" in s.said[0]
    np.testing.assert_array_equal(assembled("f", stored()).energy, ENERGY)


def test_points_without_a_positive_error_are_masked():
    data, error = DATA.copy(), np.ones((2, 4))
    error[0, :3] = 0.0, -1.0, np.nan
    data[1, 0] = np.nan
    s = assembled("f", stored(data=data, error=error))
    np.testing.assert_array_equal(
        s.mask, [[False, False, False, True], [False, True, True, True]]
    )
    with pytest.raises(FormatError, match="no usable point"):
        assembled("f", stored(error=-np.ones((2, 4))))
    without = assembled("f", stored(data=data, error=None))
    assert (without.error, without.said) == (None, (NO_ERRORS,))
    assert np.count_nonzero(~without.mask) == 1


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"data": DATA.T, "error": np.ones((4, 2))}, "energy and Q look exchanged"),
        ({"energy": np.arange(7.0)}, r"7 energies for data of shape \(2, 4\)"),
        ({"energy": np.arange(5.0)}, "5 energies.*expected 4"),
        ({"error": np.ones((2, 3))}, r"errors of shape \(2, 3\)"),
        ({"q": np.ones(4)}, "4 values of q for 2 rows"),
        ({"q": None, "two_theta": np.ones(3)}, "3 values of two_theta"),
        ({"data": DATA[0], "error": DATA[0]}, r"data \(4,\)"),
        ({"data": DATA[:0], "error": DATA[:0]}, r"data \(0, 4\)"),
        ({"q": np.array([0.5, -1.0])}, "Q of a row is -1"),
        ({"q": np.array([0.5, np.nan])}, "Q of a row is nan"),
        ({"q": np.array([0.5, 0.4, 0.6])}, "edges of Q bins do not increase"),
        ({"q": None, "two_theta": np.array([1, np.nan]), "ei": 3.0}, "angle is not"),
        (
            {"energy": ENERGY[:2], "data": DATA[:, :2], "error": np.ones((2, 2))},
            "2 energies; expected at least 3",
        ),
    ],
)
def test_what_does_not_fit_is_refused_by_name(changes, said):
    with pytest.raises(FormatError, match=said):
        assembled("f", stored(**changes))


def test_q_is_given_or_the_files_or_of_angles_or_unknown():
    assert assembled("f", stored(), q=[1.0, 2.0]).q_source == "q="
    edges = assembled("f", stored(), q_edges=[1.0, 2.0, 4.0])
    np.testing.assert_array_equal(edges.q, [1.5, 3.0])
    bins = assembled("f", stored(q=np.array([0.0, 1.0, 3.0])))
    np.testing.assert_array_equal(bins.q, [0.5, 2.0])
    angles = stored(q=None, two_theta=np.array([60.0, -180.0]), ei=NEUTRON_ENERGY)
    elastic = assembled("f", angles)
    np.testing.assert_allclose(elastic.q, [1.0, 2.0], rtol=1e-14)
    assert elastic.said == (ELASTIC_Q,)
    none = assembled("f", stored(q=None, no_q="its rows are hats"))
    assert (none.q, none.q_source) == (None, "its rows are hats")
    for given, said in (
        ({"q": [1.0]}, r"q has shape \(1,\)"),
        ({"q": [1.0, -1.0]}, "q: expected finite values >= 0"),
        ({"q_edges": [1.0, 2.0, 1.5]}, "strictly increasing"),
        ({"q": [1.0, 2.0], "q_edges": [1.0, 2.0, 3.0]}, "only one of them"),
    ):
        with pytest.raises(DataError, match=said):
            assembled("f", stored(), **given)


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        (" Energy Transfer (meV)", "meV"),
        ("Energy transfer (micro eV)", "ueV"),
        ("energy / µeV", "ueV"),
        ("E (ueV)", "ueV"),
        ("meV and ueV", None),
        ("Wavelength (Angstrom)", None),
        ("some eV", None),
        ("", None),
    ],
)
def test_units_of_energy_are_found_in_captions(text, unit):
    assert stated_energy_unit(text) == unit


@pytest.mark.parametrize(
    ("text", "factor"),
    [
        ("1/Angstroms", 1.0),
        ("Wavevector Transfer (A!U-1!N)", 1.0),
        ("Å^-1", 1.0),
        ("Angstrom^-1", 1.0),
        ("A-1", 1.0),
        ("1/ang", 1.0),
        ("1/nm", 0.1),
        ("nm^-1", 0.1),
        ("degrees", None),
        ("Angstrom", None),
    ],
)
def test_units_of_q_are_found_in_captions(text, factor):
    assert stated_q_factor(text) == factor
