"""Template matching against loops over shifts and known displacements."""

import jax
import numpy as np
import pytest
from scipy import ndimage

from jaxscatter.cbed.matching import (
    best_shift,
    correlation_surface,
    disk_zncc,
    upsampling,
)
from jaxscatter.errors import DataError

RADIUS = 4


def scene(seed=0, disks=2, h=11, w=13):
    """Smooth random field, and a mask of the template."""
    rng = np.random.default_rng(seed)
    field = rng.normal(size=(disks, h + 2 * RADIUS, w + 2 * RADIUS))
    field = 5 + ndimage.gaussian_filter(field, (0, 2.0, 2.0))
    return field, rng.random((disks, h, w)) > 0.3


def direct(template, mask, field, per_disk):
    """Pearson's r at every shift, by loops."""
    out = np.zeros((2 * RADIUS + 1, 2 * RADIUS + 1))
    h, w = template.shape[1:]
    for j, i in np.ndindex(out.shape):
        part = field[:, j : j + h, i : i + w]
        a, b = [], []
        for d in range(len(template)):
            x, t = template[d][mask[d]], part[d][mask[d]]
            a.append(x - per_disk * x.mean())
            b.append(t - per_disk * t.mean())
        out[j, i] = np.corrcoef(np.concatenate(a), np.concatenate(b))[0, 1]
    return out


@pytest.mark.parametrize("per_disk", [False, True])
def test_transforms_give_what_loops_over_shifts_do(per_disk):
    field, mask = scene()
    template = scene(seed=1)[0][:, RADIUS:-RADIUS, RADIUS:-RADIUS]
    expected = direct(template, mask, field, per_disk)
    spoilt = np.where(mask, template, np.nan)
    surface = correlation_surface(spoilt, mask, field, per_disk)
    np.testing.assert_allclose(surface, expected, atol=1e-12)
    again = correlation_surface(1e-4 * template, mask, 1e6 * field + 1e5, per_disk)
    np.testing.assert_allclose(again, expected, atol=1e-9)


@pytest.mark.parametrize("per_disk", [False, True])
@pytest.mark.parametrize("shift", [(0.0, 0.0), (1.37, -2.61), (-3.2, 2.2)])
def test_the_peak_is_found_between_pixels(shift, per_disk):
    """A band-limited field, moved by its Fourier series, is known between pixels."""
    rng = np.random.default_rng(2)
    size, h = 32, 15
    k = np.fft.fftfreq(size)
    smooth = np.exp(-((k[:, None] ** 2 + k**2) / (2 * 0.07**2)))
    spectrum = np.fft.fft2(rng.normal(size=(2, size, size))) * smooth
    field = np.fft.ifft2(spectrum).real
    move = np.exp(2j * np.pi * (k[:, None] * shift[0] + k * shift[1]))
    moved = np.fft.ifft2(spectrum * move).real
    start = (size - h) // 2 - RADIUS
    part = np.s_[:, start : start + h + 2 * RADIUS, start : start + h + 2 * RADIUS]
    inner = np.s_[:, start + RADIUS : start + RADIUS + h, start + RADIUS :]
    template = 3 * moved[inner][..., :h] + 7
    mask = rng.random(template.shape) > 0.2
    found = best_shift(template, mask, field[part], per_disk)
    np.testing.assert_allclose(found.shift, shift, atol=5e-3)
    assert 0.9999 < float(found.correlation) <= 1 + 1e-12


def test_what_the_mask_hides_has_no_effect():
    field, mask = scene()
    template = field[:, 2:13, 5:18]
    answers = [
        best_shift(np.where(mask, template, wrong), mask, field)
        for wrong in (0.0, 1e9, np.nan)
    ]
    for other in answers[1:]:
        np.testing.assert_array_equal(answers[0].shift, other.shift)
        assert answers[0].correlation == other.correlation
    np.testing.assert_allclose(answers[0].shift, (-2, 1), atol=1e-6)
    empty = np.zeros_like(mask)
    assert float(best_shift(template, empty, field).correlation) == 0


@pytest.mark.parametrize("per_disk", [False, True])
@pytest.mark.parametrize("flat", ["template", "field"])
def test_an_image_without_contrast_correlates_with_nothing(flat, per_disk):
    field, mask = scene()
    template = field[:, 2:13, 5:18]
    if flat == "template":
        template = np.full_like(template, 0.1)
    else:
        field = np.full_like(field, 1e3 / 3)
    found = best_shift(template, mask, field, per_disk)
    assert float(found.correlation) == 0
    np.testing.assert_array_equal(found.shift, (0, 0))
    assert np.all(np.asarray(correlation_surface(template, mask, field, per_disk)) == 0)
    assert float(disk_zncc(template, template * 0 + 0.3, mask)) == 0


def test_backgrounds_of_disks_do_not_matter_where_each_has_its_own():
    field, mask = scene()
    template = field[:, 2:13, 5:18] + np.array([0.0, 40.0]).reshape(2, 1, 1)
    own = best_shift(template, mask, field, per_disk=True)
    assert float(own.correlation) == pytest.approx(1)
    assert float(best_shift(template, mask, field).correlation) < 0.9


def test_only_shifts_within_the_radius_are_looked_at():
    field, mask = scene(h=11, w=11)
    template = field[:, :11, :11]
    found = best_shift(template, np.ones_like(mask), field)
    assert np.hypot(*np.asarray(found.shift)) <= RADIUS + 1e-9
    assert float(found.correlation) < 0.999


def test_matching_can_be_mapped_and_compiled():
    field, mask = scene()
    template = field[:, 2:13, 5:18]
    fields = np.stack([field, field[:, ::-1]])
    together = jax.jit(jax.vmap(lambda f: best_shift(template, mask, f)))(fields)
    for k, one in enumerate(fields):
        alone = best_shift(template, mask, one)
        np.testing.assert_allclose(together.shift[k], alone.shift, atol=1e-8)


def test_splines_through_nodes_are_exact_for_cubics():
    fine = np.linspace(0, 1, 13)
    nodes = np.linspace(0, 1, 5)
    np.testing.assert_allclose(upsampling(5, 13) @ nodes**3, fine**3, atol=1e-13)
    np.testing.assert_allclose(upsampling(6, 6), np.eye(6), atol=1e-13)
    np.testing.assert_allclose(
        upsampling(2, 13) @ np.array([0.0, 1.0]), fine, atol=1e-14
    )


@pytest.mark.parametrize(
    ("template", "mask", "field", "words"),
    [
        ((2, 3, 3), (2, 3, 4), (2, 5, 5), "mask has shape"),
        ((2, 3, 3), (2, 3, 3), (1, 5, 5), "as many disks"),
        ((2, 3, 3), (2, 3, 3), (2, 2, 5), "at least as large"),
        ((2, 3, 3), (2, 3, 3), (2, 5, 7), "same width"),
    ],
)
def test_shapes_that_do_not_fit_are_refused(template, mask, field, words):
    with pytest.raises(DataError, match=words):
        best_shift(np.ones(template), np.ones(mask, bool), np.ones(field))
    with pytest.raises(DataError, match="nodes are 7"):
        upsampling(7, 6)
