"""Wave vectors and lab axes, K_t and pixels, grids of tilts, and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.cbed import electron, geometry, lattice
from jaxscatter.cbed.geometry import Frame
from jaxscatter.errors import ModelError

CUBIC = np.array([5.4307, 5.4307, 5.4307, 90, 90, 90])
TRICLINIC = np.array([5.1, 6.3, 7.7, 82.0, 97.0, 105.0])
FRAME = Frame((1, 1, 0), (0, 0, 2))
SKEW = Frame((1, 2, 1), (2, -1, 1))
K = float(electron.wavenumber(200.0))


@pytest.mark.parametrize("cell", [CUBIC, TRICLINIC])
@pytest.mark.parametrize("frame", [FRAME, SKEW])
def test_lab_axes_are_right_handed_with_z_along_the_zone(cell, frame):
    axes = np.asarray(frame.axes(cell))
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-14)
    np.testing.assert_allclose(np.cross(axes[2], axes[0]), axes[1], atol=1e-14)
    zone = np.array(frame.zone) @ np.asarray(lattice.direct_basis(cell))
    np.testing.assert_allclose(axes[2], zone / np.linalg.norm(zone), atol=1e-14)
    g = np.asarray(frame.lab_vectors(np.array(frame.x_axis), cell))
    assert g[0] > 0
    assert abs(g[1]) < 1e-14


def test_the_x_axis_of_a_cubic_zone_is_the_reflection_itself():
    g = FRAME.lab_vectors(np.array([[0, 0, 2], [-1, 1, 0]]), CUBIC)
    length = 2 / CUBIC[0]
    # zone x X = [110] x [001] = [1 -1 0]
    np.testing.assert_allclose(
        g, [[length, 0, 0], [0, -length / np.sqrt(2), 0]], atol=1e-14
    )
    np.testing.assert_allclose(FRAME.x_length(CUBIC), length, rtol=1e-14)


def test_lengths_are_kept_and_zolz_reflections_lie_in_the_plane():
    hkl = np.array([[1, -1, 1], [0, 0, 1], [2, -2, 3], [1, 0, 0]])
    lab = np.asarray(SKEW.lab_vectors(hkl, TRICLINIC))
    np.testing.assert_allclose(
        np.linalg.norm(lab, axis=1), lattice.lengths_of(hkl, TRICLINIC), rtol=1e-13
    )
    zone = np.array(SKEW.zone)
    height = np.linalg.norm(zone @ np.asarray(lattice.direct_basis(TRICLINIC)))
    np.testing.assert_allclose(lab[:, 2], hkl @ zone / height, atol=1e-14)


def test_wave_vectors_have_the_length_k():
    kt = np.array([[0.0, 0.0], [0.3, -0.7], [-0.9 * K, 0.1]])
    k = np.asarray(geometry.wave_vectors(kt, K))
    np.testing.assert_allclose(np.linalg.norm(k, axis=1), K, rtol=1e-14)
    np.testing.assert_array_equal(k[:, :2], kt)
    assert np.all(k[:, 2] > 0)


def test_tilts_are_sines_of_angles():
    kt = geometry.tilted(K, np.array([0.0, 1.0]), np.array([2.0, 0.0]))
    expected = K * np.sin(np.deg2rad([[0.0, 2.0], [1.0, 0.0]]))
    np.testing.assert_allclose(kt, expected, rtol=1e-14)
    np.testing.assert_allclose(
        geometry.mrad(kt, K), [[0, 20 * np.pi / 1.8], [10 * np.pi / 1.8, 0]], atol=1e-12
    )


def test_the_surface_follows_the_zone_the_beam_or_a_direction():
    k = geometry.wave_vectors(np.array([[0.0, 0.0], [2.0, -1.0]]), K)
    np.testing.assert_array_equal(FRAME.surface(CUBIC, k), [[0, 0, 1], [0, 0, 1]])
    beam = Frame((1, 1, 0), (0, 0, 2), "beam").surface(CUBIC, k)
    np.testing.assert_allclose(beam, np.asarray(k) / K, rtol=1e-14)
    # [111] lies atan(1/√2) from [110], towards +x = [001]
    tilted = Frame((1, 1, 0), (0, 0, 2), (1, 1, 1)).surface(CUBIC, k)
    expected = np.array([1.0, 0.0, np.sqrt(2.0)]) / np.sqrt(3)
    np.testing.assert_allclose(tilted, [expected, expected], atol=1e-14)
    same = Frame((1, 1, 0), (0, 0, 2), (2, 2, 0)).surface(CUBIC, k)
    np.testing.assert_allclose(same, [[0, 0, 1], [0, 0, 1]], atol=1e-14)


@pytest.mark.parametrize(("cell", "frame"), [(CUBIC, FRAME), (TRICLINIC, SKEW)])
def test_kt_in_reciprocal_components_goes_there_and_back(cell, frame):
    kt = np.array([[0.31, -0.77], [0.0, 0.0], [-1.2, 0.4]])
    hkl = np.asarray(frame.tangential_hkl(kt, cell))
    np.testing.assert_allclose(frame.lab_vectors(hkl, cell)[:, :2], kt, atol=1e-13)
    # K_t·z = 0, and z is along the direct vector uvw
    np.testing.assert_allclose(hkl @ np.array(frame.zone), 0, atol=1e-13)
    for row, expected in zip(hkl, kt, strict=True):
        np.testing.assert_allclose(frame.tangential(row, cell), expected, atol=1e-13)


def test_pixels_and_kt_are_inverse():
    gl, length = 38.7, 0.319
    kt0 = np.array([0.2, -0.1])
    offset = np.array([[0.0, 0.0], [12.5, -3.0], [-40.0, 8.25]])
    kt = geometry.kt_of_offset(offset, kt0, gl, length)
    np.testing.assert_allclose(
        geometry.kt2pixel(kt, kt0, gl, length), offset, atol=1e-12
    )
    np.testing.assert_allclose(kt[0], kt0)
    # gl pixels to the right add |g_x| along x, gl pixels down take it off y
    moved = geometry.kt_of_offset(np.array([[0.0, gl], [gl, 0.0]]), kt0, gl, length)
    np.testing.assert_allclose(
        moved - jnp.asarray(kt0)[None], [[length, 0], [0, -length]], atol=1e-14
    )
    # one pixel alone, or an image of them
    image = offset.reshape(3, 1, 2)
    np.testing.assert_allclose(
        geometry.kt_of_offset(image, kt0, gl, length)[:, 0], kt, atol=1e-15
    )
    np.testing.assert_allclose(
        geometry.kt2pixel(kt[1], kt0, gl, length), offset[1], atol=1e-12
    )


def test_pixels_are_the_scalar_products_of_the_specification():
    """i = K_t·x_t/|x_t|², j = -K_t·y_t/|y_t|² with x_t = x̂|g_x|/gl."""
    gl, length = 25.0, 0.5
    kt, kt0 = np.array([0.3, 0.17]), np.array([0.1, 0.2])
    step = length / gl
    i = (kt - kt0) @ np.array([step, 0]) / step**2
    j = -(kt - kt0) @ np.array([0, step]) / step**2
    np.testing.assert_allclose(
        geometry.kt2pixel(kt, kt0, gl, length), [j, i], rtol=1e-13
    )


def test_set_tilt0_pins_a_pixel():
    kt, pixel, gl, length = np.array([0.4, 0.1]), np.array([7.0, -5.0]), 30.0, 0.32
    kt0 = geometry.set_tilt0(kt, pixel, gl, length)
    np.testing.assert_allclose(
        geometry.kt_of_offset(pixel, kt0, gl, length), kt, atol=1e-15
    )


def test_a_disk_holds_the_points_within_its_radius():
    radius, samples, centre = 0.21, 5, (0.1, -0.3)
    kt, inside = geometry.disk(radius, samples, centre)
    assert inside.shape == (11, 11)
    assert kt.shape == (inside.sum(), 2)
    distance = np.linalg.norm(np.asarray(kt) - np.array(centre), axis=1)
    np.testing.assert_allclose(distance.max(), radius, rtol=1e-12)
    i, j = np.meshgrid(np.arange(-5, 6), np.arange(-5, 6))
    np.testing.assert_array_equal(inside, i**2 + j**2 <= 25)
    # the first row is the top: largest y
    np.testing.assert_allclose(kt[0], [centre[0], centre[1] + radius], atol=1e-14)
    row = (np.asarray(kt)[:, 1] - centre[1]) / radius * samples
    np.testing.assert_allclose(row, -j[inside], atol=1e-12)


def test_a_rectangle_keeps_its_corners_and_a_point_is_a_disk():
    kt, inside = geometry.disk(0.2, 3, rectangle=True)
    assert inside.all()
    assert kt.shape == (49, 2)
    np.testing.assert_allclose(kt[0], [-0.2, 0.2], atol=1e-15)
    np.testing.assert_allclose(kt[-1], [0.2, -0.2], atol=1e-15)
    one, inside = geometry.disk(0.2, 0, (0.5, 0.5))
    np.testing.assert_allclose(one, [[0.5, 0.5]])
    assert inside.shape == (1, 1)


def test_a_grid_of_tilts_runs_from_the_top_left():
    kt = geometry.tilt_grid((0.4, 0.2), (2, 3))
    expected = [
        [-0.2, 0.1],
        [0.0, 0.1],
        [0.2, 0.1],
        [-0.2, -0.1],
        [0.0, -0.1],
        [0.2, -0.1],
    ]
    np.testing.assert_allclose(kt, expected, atol=1e-15)
    np.testing.assert_allclose(geometry.tilt_grid((0.4, 0.2), (1, 1)), [[0, 0]])


def test_convergence_is_wavelength_times_radius():
    alpha = geometry.convergence_angle(0.4, 0.32, 0.025079)
    np.testing.assert_allclose(alpha, 1e3 * 0.025079 * 0.4 * 0.32, rtol=1e-14)


def test_at_the_bragg_tilt_the_deviation_vanishes():
    kt = geometry.bragg_tilt(np.array([1, -1, 1]), FRAME, CUBIC)
    k = np.asarray(geometry.wave_vectors(kt[None], K))[0]
    g = np.asarray(FRAME.lab_vectors(np.array([1, -1, 1]), CUBIC))
    assert abs(2 * k @ g + g @ g) < 1e-13


def test_wave_vectors_are_differentiable_in_kt_energy_and_cell():
    """Against finite differences, forward and reverse."""

    def vectors(kt, energy, cell):
        k = geometry.wave_vectors(kt, electron.wavenumber(energy))
        lab = SKEW.lab_vectors(np.array([[1, 0, 2], [0, 0, 0]]), cell)
        inclined = Frame((1, 2, 1), (2, -1, 1), (1, 2, 2)).surface(cell, k)
        return k, lab, inclined, SKEW.x_length(cell)

    start = (jnp.array([[0.0, 0.0], [0.4, -0.3]]), jnp.asarray(200.0))
    check_grads(
        jax.jit(vectors), (*start, jnp.asarray(TRICLINIC)), 1, modes=("fwd", "rev")
    )


def test_pixels_are_differentiable_in_scale_and_shift():
    offset = jnp.array([[3.0, 4.0], [0.0, 0.0]])

    def kt(kt0, gl, length):
        return geometry.kt_of_offset(offset, kt0, gl, length)

    given = (jnp.array([0.1, 0.2]), jnp.asarray(20.0), jnp.asarray(0.3))
    check_grads(jax.jit(kt), given, 2, modes=("fwd", "rev"))


def test_frames_compare_by_value_whatever_their_numbers_came_from():
    """Static fields that differ would compile anew."""
    a = Frame((1, 1, 0), (0, 0, 2), (1, 1, 0))
    b = Frame(np.array([1, 1, 0]), [0, 0, 2], np.array([1, 1, 0]))
    assert a == b
    assert hash(a) == hash(b)


@pytest.mark.parametrize(
    ("zone", "x_axis"),
    [((1, 1, 0), (2, 2, 0)), ((0, 0, 0), (1, 0, 0)), ((0, 0, 1), (0, 0, 0))],
)
def test_an_x_axis_along_the_zone_is_refused(zone, x_axis):
    with pytest.raises(ModelError, match="parallel"):
        Frame(zone, x_axis).axes(CUBIC)


def test_an_x_axis_almost_along_the_zone_is_used():
    axes = Frame((0, 0, 1), (1, 0, 900)).axes(CUBIC)
    np.testing.assert_allclose(axes, np.eye(3), atol=1e-12)


def test_not_finite_directions_are_refused():
    with pytest.raises(ModelError):
        Frame((0, 0, np.nan), (1, 0, 0)).axes(CUBIC)


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        (((1, 1), (0, 0, 2)), "zone"),
        (((1, 1, 0), (0, 2)), "x_axis"),
        (((1, 1, 0), (0, 0, 2), "up"), "normal"),
        (((1, 1, 0), (0, 0, 2), (1, 1)), "normal"),
    ],
)
def test_frames_of_other_shapes_are_refused(arguments, match):
    with pytest.raises(ModelError, match=match):
        Frame(*arguments)


@pytest.mark.parametrize("length", [1.0, 1.5, np.nan, np.inf])
def test_a_kt_that_reaches_k_is_refused(length):
    kt = np.array([[0.0, 0.0], [0.0, -length * K]])
    with pytest.raises(ModelError, match=r"\|K_t\|"):
        geometry.wave_vectors(kt, K)


def test_a_traced_kt_beyond_k_gives_nan():
    k = jax.jit(geometry.wave_vectors)(jnp.array([[2 * K, 0.0], [0.0, 0.0]]), K)
    assert np.isnan(k[0, 2])
    np.testing.assert_allclose(k[1], [0, 0, K])


@pytest.mark.parametrize("normal", [(-1, -1, 0), (0, 0, 1)])
def test_a_surface_against_the_beam_is_refused(normal):
    k = geometry.wave_vectors(np.zeros((1, 2)), K)
    with pytest.raises(ModelError, match="against the beam"):
        Frame((1, 1, 0), (0, 0, 2), normal).surface(CUBIC, k)


def test_a_kt_out_of_the_plane_of_the_zone_is_refused():
    with pytest.raises(ModelError, match="along the zone"):
        FRAME.tangential(np.array([1.0, 0.5, 0.0]), CUBIC)
    # rounded numbers pass
    FRAME.tangential(np.array([1.0, -1.0005, 4.0]), CUBIC)


def test_a_disk_of_negative_samples_is_refused():
    with pytest.raises(ModelError, match="samples"):
        geometry.disk(0.1, -1)
