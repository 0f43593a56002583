"""Bloch states: the two-beam hyperbolae, and waves put together from eigenpairs."""

from typing import Any

import numpy as np
import pytest

from jaxscatter.cbed import electron
from jaxscatter.cbed.beams import beams
from jaxscatter.cbed.bloch import Settings, bloch_amplitudes, coefficients
from jaxscatter.cbed.branches import dispersion_surface, eigenpairs, save_simulation
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.geometry import Frame, disk, tilt_grid
from jaxscatter.cbed.operations import Operations
from jaxscatter.io.bloch_hdf5 import read_simulation

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
LIST = beams([(1, -1, 1), (0, 0, 0), (0, 0, 2), (0, 0, -2), (-6, 4, -12)])
LOSSY = Settings(absorption="thomas")


def test_two_beams_have_two_hyperbolae():
    """γ = w/2 ± Δ/2, |C_0|² = (1 ∓ w/Δ)/2, w = 2Ks/2K_z, Δ² = w² + (U/K_z)²."""
    hkl = (2, -2, 0)
    pair = beams([(0, 0, 0), hkl])
    surface = dispersion_surface(
        GAAS, FRAME, ENERGY, hkl=hkl, span=8, points=9, beams=pair, settings=LOSSY
    )
    values = coefficients(GAAS, pair, ENERGY, LOSSY)
    u = abs(complex(values.elastic[pair.differences.tolist().index(list(hkl))]))
    g = np.asarray(FRAME.lab_vectors(np.array(hkl, float), GAAS.cell))
    kz = np.sqrt(K**2 - np.sum(np.square(surface.kt), axis=1))
    w = -(2 * np.asarray(surface.kt) @ g[:2] + g @ g) / (2 * kz)
    delta = np.hypot(w, u / kz)
    gamma = np.stack([w + delta, w - delta], axis=1) / 2
    np.testing.assert_allclose(surface.gamma, gamma, atol=1e-13)
    excited = np.stack([1 - w / delta, 1 + w / delta], axis=1) / 2
    np.testing.assert_allclose(surface.excitation, excited, atol=1e-10)
    assert surface.angle[4] == 0 and abs(w[4]) < 1e-12


def test_excitations_add_up_to_one():
    surface = dispersion_surface(
        GAAS, FRAME, ENERGY, span=10, points=4, beams=LIST,
        settings=Settings(form="high_energy"),
    )  # fmt: skip
    assert surface.gamma.shape == surface.excitation.shape == (4, 5)
    np.testing.assert_allclose(surface.excitation.sum(axis=1), 1.0, rtol=1e-12)
    assert np.all(np.diff(surface.gamma, axis=1) <= 0)


@pytest.mark.parametrize("absorption", ["thomas", "none"])
def test_waves_are_sums_over_eigenpairs(absorption):
    """Against the exponential of the matrix, with an upper-zone beam (M ≠ 1)."""
    settings = Settings(absorption=absorption, solver="expm")
    kt = tilt_grid((0.2, 0.1), (2, 2))
    out = [(0, 0, -2), (0, 0, 0), (-6, 4, -12)]
    t = np.array([0.0, 430.0])
    given: dict[str, Any] = {"beams": LIST, "settings": settings, "output": out}
    pairs = eigenpairs(GAAS, FRAME, ENERGY, kt, **given)
    psi = bloch_amplitudes(
        GAAS, LIST, kt, t, energy=ENERGY, frame=FRAME, settings=settings, output=out
    )
    assert len(pairs) == 4 and pairs[0].eigenvector.shape == (3, 5)
    for pair, expected in zip(pairs, np.asarray(psi), strict=True):
        phases = np.exp(2j * np.pi * t[:, None] * pair.eigenvalue)
        summed = np.einsum("gj,tj,j->tg", pair.eigenvector, phases, pair.cinv)
        np.testing.assert_allclose(summed, expected, atol=1e-10)
        assert np.all(np.imag(pair.eigenvalue) >= -1e-12)
    every = eigenpairs(GAAS, FRAME, ENERGY, kt[:1], beams=LIST, settings=settings)
    assert every[0].eigenvector.shape == (5, 5)


def test_a_simulation_is_found_again_in_its_file(tmp_path):
    t, out = [200.0, 500.0], [(0, 0, 0), (0, 0, 2)]
    given: dict[str, Any] = {"beams": LIST, "settings": LOSSY, "output": out}
    path = save_simulation(
        tmp_path / "bloch.h5", GAAS, FRAME, ENERGY, t, samples=2, conv=0.2,
        kt0=(0.05, 0.0), pairs=True, **given,
    )  # fmt: skip
    stored = read_simulation(path)
    x = 2 / A
    kt, inside = disk(0.2 * x, 2, (0.05, 0.0))
    assert stored.nx == 5 and len(stored.kt) == inside.sum() == 13
    assert stored.disks == pytest.approx(0.2) and stored.bigK == pytest.approx(K)
    assert stored.alpha == pytest.approx(1000 * np.arcsin(0.2 * x / K))
    np.testing.assert_array_equal(stored.hkl, out)
    np.testing.assert_allclose(stored.gmxr, np.eye(3) / A**2, atol=1e-15)
    np.testing.assert_allclose(stored.tilt0, (0, 0, 0.05 * A), atol=1e-12)
    np.testing.assert_allclose(stored.gg, (0, 0, 2))
    np.testing.assert_array_equal(stored.snorm, (1, 1, 0))
    # ŷ = z x x of the zone [110] and 002: along [1 -1 0], as long as 002
    np.testing.assert_allclose(stored.gh, np.array([1, -1, 0]) * np.sqrt(2), atol=1e-12)
    lab = np.asarray(FRAME.lab_vectors(stored.kt, GAAS.cell))
    np.testing.assert_allclose(lab[:, :2], kt, atol=1e-12)
    assert np.max(np.abs(lab[:, 2])) < 1e-12
    assert stored.eigenpairs is not None and stored.intensity is not None
    for i, pair in enumerate(stored.eigenpairs):
        for k, one in enumerate(t):
            wave = pair.eigenvector @ (
                np.exp(2j * np.pi * pair.eigenvalue * one) * pair.cinv
            )
            np.testing.assert_allclose(
                np.abs(wave) ** 2, stored.intensity[i, k], atol=1e-8
            )
    bare = read_simulation(
        save_simulation(
            tmp_path / "bare.h5", GAAS, Frame((1, 1, 0), (0, 0, 2), (1, 1, 1)), ENERGY,
            t, samples=1, alpha=1.0, **given,
        )
    )  # fmt: skip
    assert bare.eigenpairs is None and bare.intensity is not None
    assert bare.intensity.shape == (5, 2, 2)
    np.testing.assert_array_equal(bare.snorm, (1, 1, 1))
