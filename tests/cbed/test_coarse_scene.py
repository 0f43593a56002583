"""A scene: shifts as K_t, spacing of nodes, steps of a scan of gl."""

import numpy as np
import pytest

from jaxscatter.cbed.bloch import Settings
from jaxscatter.cbed.coarse_scene import Scene
from jaxscatter.cbed.coarse_targets import State
from jaxscatter.cbed.geometry import kt2pixel
from jaxscatter.cbed.regions import ROI, Region
from jaxscatter.errors import ModelError

DISKS = [(0, 0, 0), (1, -1, 1)]
GIVEN = {
    "settings": Settings(absorption="none"), "reflections": (), "start": {},
    "equivalents": True,
}  # fmt: skip


def scene_of(silicon, row, thickness=600.0, image=None, **changes):
    frame, chosen = row
    region = Region([(-6, -6), (-6, 6), (6, -6)], 13, 13)
    roi = ROI([region], DISKS, (1, -1, 1), 0.0, (30.0, 30.0))
    shown = np.ones((61, 121)) if image is None else image
    state = State(silicon, 200.0, (0.03, 0.7), thickness, 60.0)
    usual = {
        "radius": 4, "nx": None, "filter": None, "mask": None, "per_disk": False,
        "sampling": "linear",
    }  # fmt: skip
    given = {**GIVEN, "beams": chosen}
    return Scene(shown, roi, frame, state, given, **{**usual, **changes}), state


def test_a_shift_is_a_difference_of_kt(silicon, row):
    scene, state = scene_of(silicon, row)
    shift = np.array([[1.5, -2.0], [0.0, 0.25]])
    x_length = scene.frame.x_length(silicon.cell)
    kt = scene.moved(state, shift)
    np.testing.assert_allclose(
        kt2pixel(kt, np.array(state.kt), state.gl, x_length), shift, atol=1e-12
    )
    np.testing.assert_allclose(scene.moved(state, shift[0]), kt[0])


def test_nodes_are_closer_for_thicker_foils(silicon, row):
    spacings = []
    for thickness in (900.0, 1800.0):
        scene, state = scene_of(silicon, row, thickness)
        spacings.append(scene._spacing(state))
    assert spacings[0] == pytest.approx(2 * spacings[1])
    # K/(g t) is a fringe: 6 nodes for the disk of 1 -1 1 at 1.5 times the thickness
    g = np.sqrt(3) / 5.4307
    fringe = 39.8734 / (g * 1350.0) * 60.0 / g
    assert spacings[0] == pytest.approx(fringe / 6, rel=1e-5)


def test_nodes_follow_the_thickest_foil_that_is_asked_for(silicon, row):
    scene, state = scene_of(silicon, row)
    assert scene.reaching(state, 900.0) is scene
    closer = scene.reaching(state, 1800.0)
    assert len(closer._grid.nodes) > len(scene._grid.nodes)
    fixed, _ = scene_of(silicon, row, nx=8)
    assert fixed.reaching(state, 1800.0) is fixed


def test_a_pattern_that_leaves_the_image_correlates_with_nothing(silicon, row):
    rng = np.random.default_rng(0)
    scene, state = scene_of(silicon, row, image=rng.random((61, 121)))
    plan = scene.plan([state], 600.0)
    assert scene.evaluated(state, plan)[0] != 0
    # the second disk, of two, leaves at 91 pixels from the first
    outside = state.with_(gl=99.0)
    assert scene.evaluated(outside, plan)[0] == 0


def test_a_scan_of_gl_moves_the_outermost_pixels_by_two(silicon, row):
    scene, state = scene_of(silicon, row)
    count = scene.gl_points(state, 30.0)
    reach = 1 + np.hypot(6, 6) / 60.0
    assert (count - 1) * 2 >= 30.0 * reach > (count - 2) * 2
    stack, _ = scene_of(silicon, row, image=np.ones((2, 61, 61)))
    assert stack.gl_points(state, 30.0) < count


def test_a_spectrum_that_leaves_its_plan_gets_another(silicon, row):
    scene, state = scene_of(silicon, row)
    short = scene.plan([state], 100.0)
    shifts, r = scene.matched(state, [600.0], short)
    assert np.all(np.isfinite(r)) and np.all(np.isfinite(shifts))


def test_intensities_that_cannot_be_calculated_are_refused(silicon, row, monkeypatch):
    scene, state = scene_of(silicon, row)
    monkeypatch.setattr(
        "jaxscatter.cbed.coarse_field.Forward.sparse",
        lambda *_: np.full((1, 2, 9), np.nan),
    )
    with pytest.raises(ModelError, match="not finite"):
        scene.evaluated(state, scene.plan([state], 600.0))
