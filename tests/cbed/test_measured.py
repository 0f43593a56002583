"""Patterns as data: samples, their K_t and errors, and what is refused."""

from typing import Any

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.display import display_to_experiment
from jaxscatter.cbed.geometry import Frame, kt_of_offset
from jaxscatter.cbed.measured import from_pattern, from_stack
from jaxscatter.cbed.model import pixel_kt
from jaxscatter.cbed.regions import ROI, Region
from jaxscatter.errors import DataError, DataWarning, ParameterError

A = 4.0
CRYSTAL = Crystal.from_sites([A, A, A, 90, 90, 90], [Site("Cu", (0, 0, 0), 0.5)])
FRAME = Frame((0, 0, 1), (1, 0, 0))
DISKS = [(0, 0, 0), (1, 0, 0), (0, 1, 0)]
GL = 20.0
DTPAR = [3.15, 4e-5, 1.2, 2.2, 0.111]
ROWS, COLUMNS = np.mgrid[:61, :71].astype(float)
PLANE = 500 + 3 * ROWS - 2 * COLUMNS


def roi(**changes):
    region = Region([(-4, -4), (-4, 4), (3, -4)], 3, 2)
    usual: dict[str, Any] = {
        "rotation": 12.0,
        "dp_center": (31.0, 33.0),
        "disks": DISKS,
    }
    options: dict[str, Any] = {**usual, **changes}
    return ROI(
        [region], options.pop("disks"), (1, 0, 0), options.pop("rotation"),
        options.pop("dp_center"), **options,
    )  # fmt: skip


def loaded(image=PLANE, which=None, **options):
    usual = {"gl": GL, "crystal": CRYSTAL, "frame": FRAME}
    return from_pattern(
        image, roi() if which is None else which, **{**usual, **options}
    )


def at(data):
    """Offsets (j, i), (disks, points, 2)."""
    return np.stack([data.coords["j"], data.coords["i"]], axis=-1)


def test_samples_lie_where_the_region_puts_them_in_every_disk():
    """A plane is what linear interpolation keeps exactly."""
    data = loaded()
    angle = np.radians(12.0)
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    inside = np.array([(j, i) for j in (-4, 3) for i in (-4, 0, 4)], float)
    # g_x to the right; g_y, along +y, upwards
    middles = np.array([(0, 0), (0, GL), (-GL, 0)])
    want = (middles[:, None] + inside[None]) @ turn.T
    np.testing.assert_allclose(at(data), want, atol=1e-12)
    on = want + np.array([31.0, 33.0])
    value = 500 + 3 * on[..., 0] - 2 * on[..., 1]
    np.testing.assert_allclose(data.y, value, rtol=1e-12)
    np.testing.assert_allclose(data.sigma, np.sqrt(value), rtol=1e-12)
    assert data.mask.all()
    assert data.metadata["kind"] == "cbed"
    assert data.metadata["centre"] == (31.0, 33.0)
    assert data.metadata["regions"] == ((2, 3),)


def test_the_model_finds_the_same_tilts_in_all_disks():
    data = loaded(shift=(1.5, -2.0), which=roi(pivot=(20.0, 25.0)))
    places = np.array([(0, 0), (1, 0), (0, 1)], float)
    kt0 = np.array([0.01, -0.02])
    arguments = (places, kt0, FRAME, CRYSTAL.cell, jnp.array(GL), jnp.array(12.0))
    got = pixel_kt(at(data), *arguments, np.zeros(2))
    want = kt_of_offset(roi().offsets(), kt0, GL, 1 / A)
    for disk in np.asarray(got):
        np.testing.assert_allclose(disk, want, atol=1e-14)
    first = display_to_experiment(
        np.array([31.0, 33.0]), (20.0, 25.0), 12.0, (1.5, -2.0)
    )
    np.testing.assert_allclose(data.metadata["centre"], first)


def test_errors_are_those_of_the_detector_or_the_map_given():
    varB, delta, a, g, m = DTPAR
    data = loaded(detector=DTPAR)
    dqe = 1 / (a + delta * data.y + varB / data.y)
    want = g * data.y + m * g * (1 / dqe - 1)
    np.testing.assert_allclose(data.sigma**2, want, rtol=1e-12)
    zuo = loaded(detector=DTPAR, model="zuo2000")
    np.testing.assert_allclose(zuo.sigma**2, m * g * zuo.y / dqe, rtol=1e-12)
    mapped = loaded(variance=2 * PLANE)
    np.testing.assert_allclose(mapped.sigma**2, 2 * mapped.y, rtol=1e-12)
    assert not loaded(variance="unknown").sigma_given


def test_background_is_subtracted_and_counts_in_the_errors():
    data, plain = loaded(background=ROWS + 100.0), loaded()
    on = at(data)[..., 0] + 31.0
    np.testing.assert_allclose(data.y, plain.y - on - 100, rtol=1e-12)
    np.testing.assert_allclose(data.sigma, plain.sigma, rtol=1e-12)


def test_deconvolution_undoes_a_camera_without_blur():
    """With MTF 1 one step of Lucy-Richardson gives I - b where b = v = 0."""
    plain = loaded()
    for mtf in (np.ones(PLANE.shape), ([0.0, 0.5], [1.0, 1.0])):
        data = loaded(mtf=mtf, iterations=1)
        np.testing.assert_allclose(data.y, plain.y, rtol=1e-10)
    based = loaded(mtf=np.ones(PLANE.shape), background=100.0, iterations=200)
    np.testing.assert_allclose(based.y, plain.y - 100, rtol=1e-3)
    np.testing.assert_allclose(based.sigma, plain.sigma, rtol=1e-3)


def test_samples_off_the_image_or_at_masked_pixels_do_not_count():
    keep = np.ones(PLANE.shape, bool)
    keep[33:36, 31:34] = False
    spoilt = np.where(keep, PLANE, np.nan)
    data, whole = loaded(spoilt, mask=keep), loaded()
    lost = ~np.asarray(data.mask, bool)
    # of the first disk (0, 0) the sample at (3, 0), turned by 12°, lies in the hole
    np.testing.assert_array_equal(lost[0], [0, 0, 0, 0, 1, 0])
    assert not lost[1:].any()
    np.testing.assert_allclose(data.y[~lost], whole.y[~lost], rtol=1e-12)
    with pytest.warns(DataWarning, match=r"disks \[\[1, 0, 0\]\] lie outside the im"):
        far = loaded(gl=60.0, which=roi(rotation=0.0, disks=[(0, 0, 0), (1, 0, 0)]))
    assert far.mask[0].all()
    assert not far.mask[1].any()


def test_bad_counts_are_refused_or_clipped():
    for value in (np.nan, np.inf, -3.0):
        bad = PLANE.copy()
        bad[0, 5] = value
        with pytest.raises(DataError, match=r"at \(0, 5\), one of 1 such pixels.*clip"):
            loaded(bad)
        with pytest.warns(DataWarning, match="1 of .* are read as 1; mask them"):
            clipped = loaded(bad, clip=True)
        np.testing.assert_allclose(clipped.y, loaded().y)
    with pytest.raises(DataError, match="clip is -1"):
        loaded(clip=-1)


def test_what_does_not_fit_together_is_refused():
    cases: dict[str, Any] = {
        r"image has shape \(2, 61, 71\)": {"image": np.stack([PLANE, PLANE])},
        "gl is 0": {"gl": 0},
        r"frame has the x axis \[0, 1, 0\], roi \[1, 0, 0\]": {
            "frame": Frame((0, 0, 1), (0, 1, 0))
        },
        r"shift is \(1, 2, 3\)": {"shift": (1, 2, 3)},
        r"background has shape \(3,\)": {"background": np.ones(3)},
        "none negative": {"background": -1.0},
        r"mask has shape \(2, 2\)": {"mask": np.ones((2, 2))},
        "mask is False everywhere": {"mask": np.zeros(PLANE.shape)},
        "expected the five numbers": {"detector": [1.0, 2.0]},
        r"variance has shape \(3, 3\)": {"variance": np.ones((3, 3))},
        "variance is 0.0 somewhere": {"variance": np.zeros(PLANE.shape)},
        "detector and variance are both given": {
            "detector": DTPAR, "variance": PLANE
        },
        "expected frequency, values": {"mtf": (np.ones(2),)},
    }  # fmt: skip
    for message, change in cases.items():
        with pytest.raises(DataError, match=message):
            loaded(**change)
    with pytest.raises(ParameterError):
        loaded(detector=[1.0, 1.0, -1.0, 1.0, 1.0])


def test_intensities_that_are_no_counts_are_told():
    with pytest.warns(DataWarning, match="100% of the intensities lie below one count"):
        data = loaded(PLANE / 1e4)
    np.testing.assert_array_equal(data.sigma, 1.0)


STACK = np.stack([PLANE, PLANE + 7])
INDEX = np.array([(0, 0, 0), (1, 0, 0)])


def test_larbed_images_keep_their_centre_when_they_are_cropped():
    whole = from_stack(INDEX, STACK)
    assert whole.metadata["image"] == (61, 71)
    assert whole.metadata["centre"] == (30.0, 35.0)
    part = from_stack(INDEX, STACK, crop=(10, 40, 20, 60), centre=(25, 30))
    assert part.metadata["image"] == (30, 40)
    assert part.metadata["centre"] == (15, 10)
    here = (part.coords["j"] == 0) & (part.coords["i"] == 0)
    np.testing.assert_array_equal(part.y[:, here][:, 0], STACK[:, 25, 30])
    np.testing.assert_allclose(part.sigma**2, part.y)
    np.testing.assert_array_equal(part.coords["h"], [0, 1])


def test_larbed_variances_masks_and_backgrounds():
    mapped = from_stack(INDEX, STACK, variance=3 * STACK)
    np.testing.assert_allclose(mapped.sigma**2, 3 * mapped.y)
    assert not from_stack(INDEX, STACK, variance="unknown").sigma_given
    keep = PLANE > 400
    bad = np.where(keep, STACK, np.nan)
    data = from_stack(INDEX, bad, mask=keep, background=50.0)
    np.testing.assert_array_equal(data.mask, np.stack([keep.ravel()] * 2))
    used = np.asarray(data.mask, bool)
    np.testing.assert_allclose(data.y[used], STACK.reshape(2, -1)[used] - 50)
    np.testing.assert_allclose(data.sigma[used] ** 2, data.y[used] + 50)


def test_larbed_images_that_cannot_be_used_are_refused():
    cases: dict[str, Any] = {
        r"images have shape \(61, 71\)": {"images": PLANE},
        r"crop is \(1, 2\)": {"crop": (1, 2)},
        "expected a part of 61 x 71": {"crop": (0, 62, 0, 71)},
        r"centre is \(1,\)": {"centre": (1,)},
        "variance has shape": {"variance": PLANE},
        "not positive": {"variance": 0 * STACK},
        r"at \(0, 0, 0\)": {"images": -STACK},
        "each once": {"hkl": np.array([(0, 0, 0), (0, 0, 0)])},
    }
    for message, change in cases.items():
        given: dict[str, Any] = {"hkl": INDEX, "images": STACK, **change}
        with pytest.raises(DataError, match=message):
            from_stack(given.pop("hkl"), given.pop("images"), **given)
