"""Rocking curves and thickness series against the two-beam solution."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.cbed import electron
from jaxscatter.cbed.beams import beams
from jaxscatter.cbed.bloch import Settings, bloch_intensities, coefficients, plan
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.curves import (
    bragg_position,
    rocking_curve,
    thickness_series,
    tilt_line,
)
from jaxscatter.cbed.geometry import Frame, bragg_tilt
from jaxscatter.cbed.operations import Operations
from jaxscatter.errors import ModelError

SHIFTS = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
FACES = Operations(np.tile(np.eye(3, dtype=int), (4, 1, 1)), SHIFTS)
A = 5.6533
GAAS = Crystal.from_sites(
    (A, A, A, 90, 90, 90),
    [Site("Ga", (0.0,) * 3, 0.5), Site("As", (0.25,) * 3, 0.5)],
    FACES,
)
FRAME = Frame((1, 1, 0), (0, 0, 2))
ENERGY = 120.0
K = float(electron.wavenumber(ENERGY))
HKL = (2, -2, 0)
PAIR = beams([(0, 0, 0), HKL])
ELASTIC = Settings(absorption="none")
GIVEN: dict[str, Any] = {"beams": PAIR, "settings": ELASTIC}


def two_beams(kt, thickness):
    """I_g = (U/K_z)² sin²(πtΔ)/Δ², Δ² = (2Ks/2K_z)² + (U/K_z)²."""
    values = coefficients(GAAS, PAIR, ENERGY, ELASTIC)
    at = PAIR.differences.tolist().index([2, -2, 0])
    u = abs(complex(values.elastic[at]))
    g = np.asarray(FRAME.lab_vectors(np.array(HKL, float), GAAS.cell))
    kz = np.sqrt(K**2 - np.sum(np.square(kt), axis=1))
    twice_ks = -(2 * np.asarray(kt) @ g[:2] + g @ g)
    delta = np.hypot(twice_ks / (2 * kz), u / kz)
    return (u / kz) ** 2 * np.sin(np.pi * thickness * delta) ** 2 / delta**2


def test_a_rocking_curve_is_that_of_two_beams():
    t = np.array([300.0, 800.0])
    curve = rocking_curve(GAAS, FRAME, ENERGY, t, HKL, span=12, points=25, **GIVEN)
    assert curve.intensity.shape == (2, 25, 2)
    np.testing.assert_array_equal(curve.hkl, [(0, 0, 0), HKL])
    for k, one in enumerate(t):
        expected = two_beams(curve.kt, one)
        np.testing.assert_allclose(curve.intensity[k, :, 1], expected, atol=1e-10)
        np.testing.assert_allclose(curve.intensity[k, :, 0], 1 - expected, atol=1e-10)
    assert curve.angle[0] == -6 and curve.angle[12] == 0
    np.testing.assert_allclose(
        curve.kt[12], bragg_tilt(np.array(HKL), FRAME, GAAS.cell)
    )
    one = rocking_curve(GAAS, FRAME, ENERGY, 300.0, HKL, span=12, points=25, **GIVEN)
    np.testing.assert_allclose(one.intensity, curve.intensity[0], atol=1e-10)


def test_beams_are_chosen_for_the_whole_curve():
    """Of 000 alone nothing is lost; the reflection has to be among the beams."""
    curve = rocking_curve(
        GAAS, FRAME, ENERGY, 200.0, HKL, span=4, points=3, output=[HKL, (0, 0, 0)],
        settings=ELASTIC, g_max=0.6, s_max=0.004,
    )  # fmt: skip
    assert curve.intensity.shape == (3, 2)
    assert float(curve.intensity[1, 0]) > 0.01
    assert np.all(curve.intensity.sum(axis=1) <= 1 + 1e-9)


def test_thickness_makes_pendulum_oscillations():
    t = np.linspace(0, 900, 31)
    kt = bragg_position(HKL, FRAME, GAAS.cell, K)
    series = thickness_series(GAAS, FRAME, ENERGY, t, kt=kt, **GIVEN)
    assert series.intensity.shape == (31, 2)
    expected = [two_beams(np.asarray(kt)[None], one)[0] for one in t]
    np.testing.assert_allclose(series.intensity[:, 1], expected, atol=1e-10)
    assert float(series.intensity[0, 0]) == pytest.approx(1.0, abs=1e-12)
    only = thickness_series(GAAS, FRAME, ENERGY, t, output=[HKL], **GIVEN)
    assert only.intensity.shape == (31, 1)


def test_curves_have_derivatives():
    """dI/dt at the Bragg position is (πU/K) sin(2πtU/K)."""
    t = 250.0
    ready = plan(
        GAAS, PAIR, np.zeros((1, 2)), 400.0, energy=ENERGY, frame=FRAME,
        settings=ELASTIC,
    )  # fmt: skip

    def middle(thickness):
        curve = rocking_curve(
            GAAS, FRAME, ENERGY, thickness, HKL, points=1, plan=ready, **GIVEN
        )
        return curve.intensity[0, 1]

    slope = jax.jit(jax.grad(middle))(jnp.array(t))
    kt = np.asarray(bragg_position(HKL, FRAME, GAAS.cell, K))[None]
    step = 1e-3
    expected = (two_beams(kt, t + step) - two_beams(kt, t - step))[0] / (2 * step)
    assert float(slope) == pytest.approx(expected, rel=1e-6)


def test_the_curve_of_a_polar_row_is_not_symmetric():
    """111 and -1-1-1 of GaAs differ through 222: U_(h-g), not U_(g-h), decides."""
    frame = Frame((1, -1, 0), (1, 1, 1))
    row = beams([(n, n, n) for n in (-2, -1, 0, 1, 2)])
    both = [
        rocking_curve(
            GAAS, frame, ENERGY, 350.0, hkl, span=6, points=7, beams=row,
            settings=Settings(absorption="thomas"),
        ).intensity[:, 1]
        for hkl in ((1, 1, 1), (-1, -1, -1))
    ]  # fmt: skip
    assert np.max(np.abs(both[0] - both[1])) > 1e-3
    # turning the crystal over by inversion of the indices exchanges them
    other = Crystal.from_sites(
        (A, A, A, 90, 90, 90),
        [Site("Ga", (0.0,) * 3, 0.5), Site("As", (-0.25,) * 3, 0.5)],
        FACES,
    )
    swapped = rocking_curve(
        other, frame, ENERGY, 350.0, (-1, -1, -1), span=6, points=7, beams=row
    )
    np.testing.assert_allclose(swapped.intensity[:, 1], both[0], atol=1e-9)


@pytest.mark.parametrize("hkl", [(2, -2, 0), (0, 0, -4), (-6, 4, -12), (7, -5, 3)])
def test_reflections_of_any_zone_are_excited_at_their_bragg_position(hkl):
    kt = np.asarray(bragg_position(hkl, FRAME, GAAS.cell, K))
    g = np.asarray(FRAME.lab_vectors(np.array(hkl, float), GAAS.cell))
    k = np.array([*kt, np.sqrt(K**2 - kt @ kt)])
    assert abs(2 * k @ g + g @ g) < 1e-10
    assert abs(kt[0] * g[1] - kt[1] * g[0]) < 1e-10


def test_lines_run_where_they_are_sent():
    line = tilt_line(FRAME, GAAS.cell, ENERGY, span=10, points=5)
    np.testing.assert_allclose(line.kt[:, 0], K * np.linspace(-5e-3, 5e-3, 5))
    np.testing.assert_allclose(line.kt[:, 1], 0)
    other = tilt_line(
        FRAME, GAAS.cell, ENERGY, span=10, points=3, hkl=HKL, through=(0.1, 0.0),
        direction=(0, 3),
    )  # fmt: skip
    np.testing.assert_allclose(other.kt[1], (0.1, 0.0))
    np.testing.assert_allclose(other.kt[2] - other.kt[0], (0, 0.01 * K), atol=1e-15)
    np.testing.assert_allclose(other.angle, (-5, 0, 5))


def test_curves_that_cannot_be_are_refused():
    given: dict[str, Any] = {"span": 4.0, "points": 3}
    with pytest.raises(ModelError, match="along the zone"):
        bragg_position((2, 2, 0), FRAME, GAAS.cell, K)
    with pytest.raises(ModelError, match="longer than 2K"):
        bragg_position((0, 0, 400), FRAME, GAAS.cell, K)
    with pytest.raises(ModelError, match="span is -1"):
        tilt_line(FRAME, GAAS.cell, ENERGY, span=-1.0, points=3)
    with pytest.raises(ModelError, match="direction is"):
        tilt_line(FRAME, GAAS.cell, ENERGY, direction=(0.0, 0.0), **given)
    with pytest.raises(ModelError, match="not among"):
        rocking_curve(GAAS, FRAME, ENERGY, 100.0, (0, 0, 4), **given, **GIVEN)


def test_curves_are_the_intensities_of_their_tilts():
    curve = rocking_curve(
        GAAS, FRAME, ENERGY, 300.0, HKL, span=5, points=4, direction=(1, 1), **GIVEN
    )
    direct = bloch_intensities(
        GAAS, PAIR, curve.kt, 300.0, energy=ENERGY, frame=FRAME, settings=ELASTIC
    )
    np.testing.assert_allclose(curve.intensity, direct[:, 0], atol=1e-12)
