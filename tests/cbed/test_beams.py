"""Choosing beams: union over tilts, weak and absent ones, and what is refused."""

import warnings
from typing import Any

import numpy as np
import pytest

from jaxscatter.cbed import electron, lattice
from jaxscatter.cbed.beams import (
    Beams,
    beams,
    candidates,
    centred,
    check_bethe,
    deviations,
    select_beams,
)
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.geometry import Frame, tilt_grid
from jaxscatter.cbed.operations import Operations
from jaxscatter.cbed.structure_factors import optical_potential
from jaxscatter.errors import DataWarning, ModelError, ParameterError

A = 5.4307
SHIFTS = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
FACES = Operations(np.tile(np.eye(3, dtype=int), (4, 1, 1)), SHIFTS)
SI = Crystal.from_sites(
    (A, A, A, 90, 90, 90),
    [Site("Si", (0.125,) * 3, 0.46), Site("Si", (-0.125,) * 3, 0.46)],
    FACES,
)
FRAME = Frame((1, 1, 0), (0, 0, 2))
ENERGY = 200.0
K = float(electron.wavenumber(ENERGY))


def as_set(hkl):
    return {tuple(row) for row in np.asarray(hkl).tolist()}


def test_every_coupling_is_found_at_its_row_and_column():
    hkl = np.array([[0, 0, 2], [0, 0, 0], [1, -1, 1], [2, -2, 0]])
    weak = np.array([[3, -3, 1]])
    chosen = beams(hkl, weak)
    both = np.concatenate([hkl, weak])
    assert chosen.n == 4
    assert chosen.entrance == 1
    assert chosen.index.shape == (5, 5)
    for g in range(5):
        for h in range(5):
            np.testing.assert_array_equal(
                chosen.differences[chosen.index[g, h]], both[h] - both[g]
            )
    assert len(as_set(chosen.differences)) == len(chosen.differences)
    assert repr(chosen) == "Beams(4 strong and 1 weak, 15 couplings)"


def test_beams_are_found_by_their_indices():
    chosen = beams([[0, 0, 0], [1, 1, 1], [-1, 1, 3]])
    assert chosen.position((-1, 1, 3)) == 2
    assert chosen.positions(np.array([[1, 1, 1], [0, 0, 0]])) == (1, 0)
    with pytest.raises(ModelError, match=r"\[2, 2, 0\] is not among"):
        chosen.position((2, 2, 0))


@pytest.mark.parametrize(
    ("hkl", "weak", "match"),
    [
        ([[1, 0, 0], [2, 0, 0]], None, "000"),
        ([[0, 0, 0], [1, 0, 0], [0, 0, 0]], None, r"\[0, 0, 0\] is listed twice"),
        ([[0, 0, 0], [1, 0, 0], [1, 0, 0]], None, r"\[1, 0, 0\] is listed twice"),
        ([[0, 0, 0], [1, 0, 0]], [[1, 0, 0]], r"\[1, 0, 0\] is listed twice"),
        ([[1, 0, 0]], [[0, 0, 0]], "000"),
        ([[0, 0, 0], [1.5, 0, 0]], None, "not integers"),
        ([[0, 0, 0], [np.nan, 0, 0]], None, "not integers"),
    ],
)
def test_lists_that_are_no_beams_are_refused(hkl, weak, match):
    given = None if weak is None else np.array(weak)
    with pytest.raises(ModelError, match=match):
        beams(np.array(hkl), given)


def test_integers_stored_as_floats_are_taken():
    chosen = beams(np.array([[0.0, 0, 0], [1.0, -1, 1]]))
    assert chosen.hkl.dtype == np.int64


@pytest.mark.parametrize(
    "cell", [(A, A, A, 90, 90, 90), (5.1, 6.3, 7.7, 82.0, 97.0, 105.0)]
)
def test_candidates_are_all_reflections_of_a_sphere(cell):
    found = candidates(np.array(cell), 0.55)
    axis = np.arange(-8, 9)
    cube = np.stack(np.meshgrid(axis, axis, axis, indexing="ij"), -1).reshape(-1, 3)
    lengths = np.asarray(lattice.lengths_of(cube, np.array(cell)))
    assert as_set(found) == as_set(cube[lengths <= 0.55])
    assert found[0].tolist() == [0, 0, 0]
    assert np.all(np.diff(lattice.lengths_of(found, np.array(cell))) > -1e-9)


def test_a_sphere_of_too_many_candidates_is_refused():
    with pytest.raises(ModelError, match="g_max"):
        candidates(np.array([50.0, 50, 50, 90, 90, 90]), 10)


def test_deviations_are_those_of_the_ewald_sphere():
    """|K + g|² = K² - 2K s_g."""
    kt = np.array([[0.0, 0.0], [0.3, 0.4]])
    hkl = np.array([[0, 0, 0], [0, 0, 4], [1, 1, 1], [-1, -1, 3]])
    s = deviations(hkl, SI.cell, FRAME, ENERGY, kt)
    g = np.asarray(FRAME.lab_vectors(hkl, SI.cell))
    k = np.array([[*row, np.sqrt(K**2 - row @ row)] for row in kt])
    outside = np.sum(np.square(k[:, None] + g[None]), axis=-1)
    np.testing.assert_allclose(K**2 - outside, 2 * K * s, atol=1e-10)
    assert s[0, 1] < 0
    # the zone axis is closer to reflections of the upper zone, where g_z < 0
    assert s[0, 3] > s[0, 2]


def test_reflections_absent_by_centring_are_left_out():
    hkl = np.array([[1, 0, 0], [1, 1, 1], [2, 0, 0], [2, 2, 2], [1, 1, 0], [0, 0, 0]])
    np.testing.assert_array_equal(
        centred(hkl, SI), [False, True, True, True, False, True]
    )
    chosen = select_beams(SI, FRAME, ENERGY, g_max=0.8, s_max=0.02)
    parity = np.abs(chosen.hkl) % 2
    assert np.all(np.ptp(parity, axis=1) == 0)
    # 200 is absent by a glide, yet excited by double diffraction
    assert (0, 0, 2) in as_set(chosen.hkl)


def test_beams_lie_within_the_limits_and_none_is_forgotten():
    chosen = select_beams(SI, FRAME, ENERGY, g_max=0.9, s_max=0.012)
    every = candidates(SI.cell, 0.9)
    every = every[centred(every, SI)]
    s = deviations(every, SI.cell, FRAME, ENERGY, np.zeros((1, 2)))[0]
    assert as_set(chosen.hkl) == as_set(every[np.abs(s) <= 0.012])
    assert chosen.hkl[chosen.entrance].tolist() == [0, 0, 0]


def test_the_choice_is_the_union_over_the_tilts():
    kt = np.asarray(tilt_grid((0.6, 0.5), (2, 2)))
    limits: dict[str, Any] = {"g_max": 0.9, "s_max": 0.008}
    union = as_set(select_beams(SI, FRAME, ENERGY, kt, **limits).hkl)
    alone = [as_set(select_beams(SI, FRAME, ENERGY, k[None], **limits).hkl) for k in kt]
    assert union == set.union(*alone)
    assert all(one < union for one in alone)


def test_higher_laue_zones_can_be_left_out():
    """At 20 keV the first one is reached at |g| = 1.57 1/Å."""
    limits: dict[str, Any] = {"g_max": 1.7, "s_max": 0.02}
    frame = Frame((1, 1, 1), (2, -2, 0))
    every = select_beams(SI, frame, 20.0, **limits)
    zolz = select_beams(SI, frame, 20.0, holz=False, **limits)
    height = every.hkl @ np.array([1, 1, 1])
    assert set(height) == {0, -1}
    assert as_set(zolz.hkl) == as_set(every.hkl[height == 0])


def test_laue_zones_of_a_zone_that_is_not_made_of_integers():
    frame = Frame((0.1, 0.1, 0.2), (1, -1, 0))
    whole = Frame((1, 1, 2), (1, -1, 0))
    limits: dict[str, Any] = {"g_max": 0.9, "s_max": 0.02, "holz": False}
    assert as_set(select_beams(SI, frame, ENERGY, **limits).hkl) == as_set(
        select_beams(SI, whole, ENERGY, **limits).hkl
    )


def test_weak_beams_are_those_of_large_omega():
    limits: dict[str, Any] = {
        "g_max": 1.1,
        "s_max": 0.02,
        "omega_max": 20.0,
        "s_min": 0.3,
    }
    every = select_beams(SI, FRAME, ENERGY, g_max=1.1, s_max=0.02).hkl
    chosen = select_beams(SI, FRAME, ENERGY, **limits)
    s = np.abs(deviations(every, SI.cell, FRAME, ENERGY, np.zeros((1, 2)))[0])
    u = np.abs(np.asarray(optical_potential(SI, every, ENERGY, absorption="none")[0]))
    with np.errstate(divide="ignore"):
        weak = (2 * K * s / u > 20.0) & (2 * K * s > 0.3)
    assert as_set(chosen.hkl) == as_set(every[~weak])
    assert 0 < weak.sum() < len(every) - 1
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DataWarning)
        kept = select_beams(SI, FRAME, ENERGY, bethe=True, **limits)
    assert as_set(kept.weak) == as_set(every[weak])
    assert chosen.weak.shape == (0, 3)


def test_too_many_beams_are_refused_with_their_number():
    n = select_beams(SI, FRAME, ENERGY, g_max=0.9, s_max=0.02).n
    with pytest.raises(ModelError, match=rf"^{n} strong beams and n_max is {n - 1}"):
        select_beams(SI, FRAME, ENERGY, g_max=0.9, s_max=0.02, n_max=n - 1)


def test_a_weak_beam_at_its_bragg_position_is_refused():
    limits: dict[str, Any] = {
        "g_max": 0.9,
        "s_max": 0.02,
        "omega_max": 0.001,
        "bethe": True,
    }
    kt = np.asarray(FRAME.lab_vectors(np.array([[1, -1, 1]]), SI.cell))[:, :2] * -0.5
    with pytest.raises(ModelError, match="Bethe potentials diverge"):
        select_beams(SI, FRAME, ENERGY, kt + 0.001, **limits)


def test_weak_beams_close_to_theirs_are_warned_of():
    with pytest.warns(DataWarning, match="2K s"):
        select_beams(
            SI, FRAME, ENERGY, g_max=0.9, s_max=0.02, omega_max=5.0, bethe=True
        )
    check_bethe(1.6, 0.1)  # far enough: no warning
    check_bethe(0.2, 0.1, warn=False)


def test_grazing_beams_are_dropped_with_a_warning():
    """At 0.1 keV the sphere is small enough for beams that come back."""
    limits: dict[str, Any] = {"g_max": 1.6, "s_max": 10.0, "n_max": 5000}
    every = candidates(SI.cell, 1.6)
    every = every[centred(every, SI)]
    k = float(electron.wavenumber(0.1))
    along = 1 + np.asarray(FRAME.lab_vectors(every, SI.cell))[:, 2] / k
    with pytest.warns(DataWarning, match="along the surface"):
        chosen = select_beams(SI, FRAME, 0.1, **limits)
    assert as_set(chosen.hkl) == as_set(every[along > 0.05])
    assert chosen.n < len(every)


def test_numbers_that_no_beam_has_are_refused():
    with pytest.raises(ParameterError, match="energy"):
        select_beams(SI, FRAME, -200.0)
    with pytest.raises(ModelError, match="K_t"):
        select_beams(SI, FRAME, ENERGY, np.array([[np.nan, 0.0]]))


def test_beams_say_what_they_are():
    assert repr(beams([[0, 0, 0], [1, 1, 1]])) == "Beams(2 strong, 3 couplings)"
    assert isinstance(beams([[0, 0, 0]]), Beams)
