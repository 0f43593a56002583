"""Patterns pixel by pixel: which tilt each one is, what overlaps, what is refused."""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.cbed import electron, pattern
from jaxscatter.cbed.beams import beams, select_beams
from jaxscatter.cbed.bloch import Settings, bloch_intensities, coefficients
from jaxscatter.cbed.camera import Camera
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.geometry import Frame, tilt_grid
from jaxscatter.cbed.operations import Operations
from jaxscatter.cbed.pattern import (
    aperture_radius,
    chosen_beams,
    disk_centres,
    intensity_blocks,
    simulate_cbed,
    simulate_larbed,
)
from jaxscatter.errors import ModelError

SHIFTS = np.array([[0, 0, 0], [0, 0.5, 0.5], [0.5, 0, 0.5], [0.5, 0.5, 0]])
FACES = Operations(np.tile(np.eye(3, dtype=int), (4, 1, 1)), SHIFTS)


def diamond(a, first, second, b=0.5):
    sites = [Site(first, (0.0,) * 3, b), Site(second, (0.25,) * 3, b)]
    return Crystal.from_sites((a, a, a, 90, 90, 90), sites, FACES)


SI = diamond(5.4307, "Si", "Si")
GAAS = diamond(5.6533, "Ga", "As")
FRAME = Frame((1, 1, 0), (0, 0, 2))
ENERGY = 120.0
K = float(electron.wavenumber(ENERGY))
ELASTIC = Settings(absorption="none", tile=64)
LIST = beams(
    [(0, 0, 0), (0, 0, 2), (0, 0, -2), (1, -1, 1), (-1, 1, 1), (1, -1, -1), (-1, 1, -1)]
)
GIVEN: dict[str, Any] = {"beams": LIST, "settings": Settings(tile=64)}


def by_hand(crystal, hkl, offsets, gl, thickness, kt0=(0.0, 0.0)):
    """Intensities of one beam with x to the right and y up, by matrix exponentials."""
    step = 2 / float(crystal.cell[0]) / gl
    j, i = np.asarray(offsets, float).T
    kt = np.stack([kt0[0] + step * i, kt0[1] - step * j], axis=1)
    found = bloch_intensities(
        crystal, LIST, kt, jnp.array([thickness]), energy=ENERGY, frame=FRAME,
        settings=Settings(solver="expm"), output=[hkl],
    )  # fmt: skip
    return np.asarray(found)[:, 0, 0]


def test_disks_lie_at_kt_plus_g_and_show_their_beam():
    """In GaAs 002 and 00-2 differ away from the axis: neither may stand for both."""
    gl, rotation, centre, kt0 = 30, 25.0, np.array([40.2, 38.7]), (0.03, -0.02)
    image = simulate_cbed(
        GAAS, FRAME, ENERGY, 600.0, gl=gl, shape=(80, 80), conv=0.3, kt0=kt0,
        rotation=rotation, dp_center=centre, **GIVEN,
    )  # fmt: skip
    assert image.shape == (80, 80)
    angle = np.deg2rad(rotation)
    right = np.array([np.sin(angle), np.cos(angle)])  # (row, column) of +x
    down = np.array([np.cos(angle), -np.sin(angle)])
    root = np.sqrt(2)
    for hkl, x, y in [
        ((0, 0, 0), 0, 0),
        ((0, 0, 2), 1, 0),
        ((0, 0, -2), -1, 0),
        ((1, -1, 1), 0.5, None),
    ]:
        if y is None:
            lab = FRAME.lab_vectors(np.array(hkl, float), GAAS.cell)
            y = float(lab[1]) * float(GAAS.cell[0]) / 2
            assert abs(y) == pytest.approx(root / 2)
        middle = centre + gl * (x * right - y * down)
        pixels = np.add(np.round(middle).astype(int), [(0, 0), (3, -4), (-5, 2)])
        offsets = (pixels - middle) @ np.stack([down, right], axis=1)
        expected = by_hand(GAAS, hkl, offsets, gl, 600.0, kt0)
        np.testing.assert_allclose(image[tuple(pixels.T)], expected, rtol=1e-6)


def test_disks_end_at_the_aperture_and_add_up_where_they_overlap():
    gl, conv = 16, 0.7
    image = simulate_cbed(
        SI, FRAME, ENERGY, 500.0, gl=gl, shape=(31, 61), conv=conv,
        disks=[(0, 0, 0), (0, 0, 2)], **GIVEN,
    )  # fmt: skip
    j, i = np.mgrid[:31, :61]
    first = np.hypot(j - 15, i - 30) <= gl * conv
    second = np.hypot(j - 15, i - 46) <= gl * conv
    np.testing.assert_array_equal(image > 0, first | second)
    assert np.sum(first & second) > 20
    pixels = np.array([(15, 38), (12, 37), (16, 39)])
    expected = by_hand(SI, (0, 0, 0), pixels - (15, 30), gl, 500.0) + by_hand(
        SI, (0, 0, 2), pixels - (15, 46), gl, 500.0
    )
    np.testing.assert_allclose(image[tuple(pixels.T)], expected, rtol=1e-6)


def test_all_electrons_arrive_where_nothing_is_absorbed():
    """Σ_g I_g = 1 in the zero Laue zone, so the image holds one per tilt."""
    image = simulate_cbed(
        SI, FRAME, ENERGY, np.array([0.0, 700.0]), gl=10, shape=(61, 61), alpha=2.0,
        beams=LIST, settings=ELASTIC, whole_pixels=True,
    )  # fmt: skip
    radius = 10 * K * np.sin(2e-3) / (2 / 5.4307)
    j, i = np.mgrid[-30:31, -30:31]
    tilts = np.sum(np.hypot(i, j) <= radius)
    assert tilts == 9
    np.testing.assert_allclose(image.sum(axis=(1, 2)), tilts, rtol=1e-9)
    np.testing.assert_array_equal(image[0] > 0, np.hypot(i, j) <= radius)


def test_every_tilt_is_calculated_once(monkeypatch):
    asked = []

    def counted(*args, **kwargs):
        asked.append(np.asarray(args[2]))
        return intensity_blocks(*args, **kwargs)

    monkeypatch.setattr(pattern, "intensity_blocks", counted)
    row = [(0, 0, 0), (0, 0, 2), (0, 0, -2)]
    image: dict[str, Any] = {
        "gl": 12,
        "shape": (41, 41),
        "conv": 0.4,
        "disks": row,
        **GIVEN,
    }
    straight = simulate_cbed(SI, FRAME, ENERGY, 400.0, **image)
    turned = simulate_cbed(
        SI, FRAME, ENERGY, 400.0, rotation=17.0, whole_pixels=True, **image
    )
    one_disk = np.sum(np.hypot(*np.mgrid[-5:6, -5:6]) <= 12 * 0.4)
    assert [len(kt) for kt in asked] == [one_disk, one_disk]
    assert np.sum(straight > 0) == np.sum(turned > 0) == 3 * one_disk


@pytest.mark.slow
def test_blocks_do_not_show(monkeypatch):
    """The last block is padded, and all share the terms of the outermost tilts."""
    kt = tilt_grid((0.6, 0.6), (13, 13))
    t = jnp.array([300.0, 900.0])
    out = [(0, 0, 0), (0, 0, 2)]
    direct = bloch_intensities(
        GAAS, LIST, kt, t, energy=ENERGY, frame=FRAME, output=out
    )
    monkeypatch.setattr(pattern, "MOST_TILTS", 50)
    blocks = list(
        intensity_blocks(
            GAAS, LIST, kt, t, energy=ENERGY, frame=FRAME, output=out,
        )
    )  # fmt: skip
    assert [b.stop - b.start for b, _ in blocks] == [50, 50, 50, 19]
    joined = np.concatenate([i for _, i in blocks])
    np.testing.assert_allclose(joined, direct, rtol=1e-8, atol=1e-12)
    nothing = intensity_blocks(
        GAAS, LIST, np.zeros((0, 2)), t, energy=ENERGY, frame=FRAME, output=out
    )
    assert not list(nothing)


def test_a_larbed_stack_has_one_image_per_reflection():
    out = [(0, 0, 0), (0, 0, -2)]
    stack = simulate_larbed(
        GAAS, FRAME, ENERGY, np.array([250.0, 600.0]), gl=20, shape=(9, 12), disks=out,
        kt0=(0.05, 0.0), dp_center=(4, 3), **GIVEN,
    )  # fmt: skip
    assert stack.shape == (2, 2, 9, 12)
    for which, hkl in enumerate(out):
        pixels = np.array([(0, 0), (8, 11), (4, 3)])
        expected = by_hand(GAAS, hkl, pixels - (4, 3), 20, 600.0, (0.05, 0.0))
        np.testing.assert_allclose(
            stack[1, which][tuple(pixels.T)], expected, rtol=1e-6
        )
    turned = simulate_larbed(
        GAAS, FRAME, ENERGY, 250.0, gl=20, shape=(9, 12), disks=out, rotation=90.0,
        kt0=(0.05, 0.0), dp_center=(4, 3), **GIVEN,
    )  # fmt: skip
    # g_x runs down after a quarter turn: (row 4 + n, column 3) was (row 4, 3 + n)
    np.testing.assert_allclose(turned[:, 4:8, 3], stack[0, :, 4, 3:7], rtol=1e-9)


def test_a_holz_line_lies_where_its_reflection_is_excited():
    """The dip of 000 is the line 2K·g + g² = 0 of one upper-zone reflection."""
    hkl = np.array([-10, 8, 18])
    g = np.asarray(FRAME.lab_vectors(hkl.astype(float), SI.cell))
    assert hkl @ np.array([1, 1, 0]) == -2 and g[2] < 0
    # K_t on the line nearest the axis: its disk is centred there
    sine = -np.linalg.norm(g) / (2 * K)
    across = np.hypot(g[0], g[1])
    theta = np.arcsin(sine) - np.arctan2(g[2], across)
    kt0 = K * np.sin(theta) * g[:2] / across
    pair = beams(np.array([(0, 0, 0), hkl]))
    gl, side = 500.0, 41
    image = simulate_cbed(
        diamond(5.4307, "Si", "Si", 0.1), FRAME, ENERGY, 2000.0, gl=gl,
        shape=(side, side), conv=18 / gl, kt0=kt0, disks=[(0, 0, 0)], beams=pair,
        settings=ELASTIC,
    )  # fmt: skip
    step = 2 / 5.4307 / gl
    j, i = np.mgrid[-20:21, -20:21]
    kx, ky = kt0[0] + step * i, kt0[1] - step * j
    kz = np.sqrt(K**2 - kx**2 - ky**2)
    twice_ks = -(2 * (kx * g[0] + ky * g[1] + kz * g[2]) + g @ g)
    inside = image > 0
    assert 1e-4 < 1 - image[inside].min() < 0.9
    dark = inside & (1 - image > 0.8 * (1 - image[inside].min()))
    pixel = 2 * across * step  # change of 2K s over one pixel
    assert np.max(np.abs(twice_ks[dark])) < 1.5 * pixel
    crossed = {tuple(p) for p in np.argwhere(inside & (np.abs(twice_ks) < 0.3 * pixel))}
    assert crossed <= {tuple(p) for p in np.argwhere(dark)} and len(crossed) > 15


def test_holz_lines_come_with_beams_of_higher_zones():
    rules: dict[str, Any] = {"g_max": 4.0, "s_max": 0.002}
    kt = tilt_grid((0.1, 0.1), (5, 5))
    zone = np.array([1, 1, 0])
    with_lines = chosen_beams(SI, FRAME, ENERGY, kt, **rules)
    without = chosen_beams(SI, FRAME, ENERGY, kt, holz=False, **rules)
    assert np.any(with_lines.hkl @ zone) and not np.any(without.hkl @ zone)


def test_of_many_tilts_the_outermost_and_a_grid_choose_the_beams():
    rules: dict[str, Any] = {"g_max": 1.2, "s_max": 0.01}
    kt = tilt_grid((0.5, 0.3), (80, 80))
    every = select_beams(SI, FRAME, ENERGY, kt, **rules)
    some = chosen_beams(SI, FRAME, ENERGY, kt, **rules)
    np.testing.assert_array_equal(some.hkl, every.hkl)
    assert chosen_beams(SI, FRAME, ENERGY, kt, LIST) is LIST


def test_given_potentials_are_used():
    values = coefficients(SI, LIST, ENERGY, ELASTIC)
    flat = jax.tree.map(lambda u: 0 * u, values)
    image = simulate_larbed(
        SI, FRAME, ENERGY, 500.0, gl=10, shape=(3, 3), disks=[(0, 0, 0)], beams=LIST,
        settings=ELASTIC, potential=flat,
    )  # fmt: skip
    np.testing.assert_allclose(image, 1.0, rtol=1e-12)


@pytest.mark.slow
def test_the_point_spread_reaches_beyond_the_image():
    """Blurred with its surroundings: a crop of the blur of a larger image."""
    settings: dict[str, Any] = {"gl": 14, "conv": 0.3, **GIVEN}
    camera = Camera(psf=(1.0, 0.2), counts=1e3, background=2.0)
    small = simulate_cbed(
        SI, FRAME, ENERGY, 400.0, shape=(15, 21), camera=camera, **settings
    )
    large = simulate_cbed(
        SI, FRAME, ENERGY, 400.0, shape=(25, 31), camera=camera, **settings
    )
    np.testing.assert_allclose(small, large[5:20, 5:26], rtol=1e-9)
    assert small.min() >= 2.0 - 1e-9
    stack = simulate_larbed(
        SI, FRAME, ENERGY, 400.0, gl=14, shape=(4, 5), disks=[(0, 0, 0), (0, 0, 2)],
        camera=camera, key=jax.random.key(3), **GIVEN,
    )  # fmt: skip
    assert stack.shape == (2, 4, 5)
    np.testing.assert_array_equal(stack, np.round(stack))


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        ({"conv": None}, "conv is None and alpha is None"),
        ({"alpha": 3.0}, "conv is 0.3 and alpha is 3.0"),
        ({"conv": -0.1}, "conv is -0.1"),
        ({"gl": 0.0}, "gl is 0.0"),
        ({"shape": (8,)}, r"shape is \(8,\)"),
        ({"disks": [(0, 0, 2), (0, 0, 2)]}, "expected each once"),
        ({"disks": [0, 0, 2]}, r"disks have shape \(3,\)"),
        ({"disks": [(0, 0, 4)]}, r"\[0, 0, 4\] is not among"),
        ({"dp_center": (500.0, 0.0)}, "no disk falls on the image"),
        ({"g_max": 1.0}, r"beams and \['g_max'\] are both given"),
    ],
)
def test_images_that_cannot_be_are_refused(changes, match):
    given: dict[str, Any] = {
        "gl": 10,
        "shape": (31, 31),
        "conv": 0.3,
        **GIVEN,
    } | changes
    with pytest.raises(ModelError, match=match):
        simulate_cbed(SI, FRAME, ENERGY, 300.0, **given)


def test_disks_and_apertures_have_their_sizes():
    x = 2 / 5.4307
    assert aperture_radius(FRAME, SI.cell, ENERGY, conv=0.4) == pytest.approx(0.4 * x)
    assert aperture_radius(FRAME, SI.cell, ENERGY, alpha=5.0) == pytest.approx(
        K * np.sin(5e-3)
    )
    at = disk_centres(
        FRAME, SI.cell, [(0, 0, 0), (0, 0, 2)], gl=40, dp_center=(10, 20), rotation=90.0
    )
    np.testing.assert_allclose(at, [(10, 20), (50, 20)], atol=1e-12)
