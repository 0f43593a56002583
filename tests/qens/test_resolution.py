"""Resolution of one Q: Gaussian, measured kernels, and the seed recipe."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter import qens
from jaxscatter.errors import DataError, ParameterError
from jaxscatter.numerics import AbstractConvolution, DenseConvolution, voigt
from jaxscatter.qens.resolution import GaussianResolution, SeedResolution, resolution

OMEGA = np.linspace(-1.0, 1.0, 161)
SIGMA = 0.05
WEIGHTS, GAMMAS = np.array([0.6, 0.3]), np.array([0.04, 0.15])
# ten sigma on either side: the cut of the tails is below rounding
AXIS = np.arange(-40, 41) * (OMEGA[1] - OMEGA[0])
GAUSS = np.exp(-0.5 * (AXIS / SIGMA) ** 2)


def expected(omega, center=0.0):
    return sum(
        w * np.asarray(voigt(omega - center, SIGMA, g))
        for w, g in zip(WEIGHTS, GAMMAS, strict=True)
    )


def test_a_width_gives_voigt_profiles():
    made = resolution(OMEGA, SIGMA)
    assert isinstance(made, GaussianResolution)
    np.testing.assert_allclose(
        made.lorentzians(WEIGHTS, GAMMAS, 0.03), expected(OMEGA, 0.03), rtol=1e-12
    )


def test_a_sampled_gaussian_kernel_gives_voigt_profiles_up_to_the_edge():
    made = resolution(OMEGA, (AXIS, GAUSS))
    assert isinstance(made, AbstractConvolution)
    np.testing.assert_allclose(
        made.lorentzians(WEIGHTS, GAMMAS, 0.003), expected(OMEGA, 0.003), rtol=2e-8
    )


@pytest.mark.parametrize("shift", [3, 3.37])
def test_a_shifted_kernel_shifts_by_exactly_that(shift):
    """A kernel displaced on its own axis moves the model, whatever fraction of a bin"""
    d = shift * (AXIS[1] - AXIS[0])
    kernel = np.exp(-0.5 * ((AXIS - d) / SIGMA) ** 2)
    made = resolution(OMEGA, (AXIS, kernel))
    np.testing.assert_allclose(
        made.lorentzians(WEIGHTS, GAMMAS), expected(OMEGA, d), rtol=2e-8
    )
    # the same by moving its axis
    moved = resolution(OMEGA, (AXIS + d, GAUSS))
    np.testing.assert_allclose(
        moved.lorentzians(WEIGHTS, GAMMAS), expected(OMEGA, d), rtol=2e-8
    )


def test_an_uneven_axis_of_the_data_takes_the_dense_table():
    omega = np.sort(np.tanh(np.linspace(-1.4, 1.4, 90)))
    made = resolution(omega, (AXIS, GAUSS))
    assert isinstance(made, DenseConvolution)
    np.testing.assert_allclose(
        made.lorentzians(WEIGHTS, GAMMAS), expected(omega), rtol=2e-8
    )


@pytest.mark.parametrize("sigma_res", [SIGMA, (OMEGA, np.exp(-200 * OMEGA**2))])
def test_seed_mode_agrees_with_exact_mode_where_nothing_reaches_the_edge(sigma_res):
    """Narrow lines in a wide window with a point at 0: only the cut wings differ.

    What the seed recipe loses at ω is at most the area of a Lorentzian outside the
    window times the largest kernel value; in the middle it is far less.
    """
    omega = np.linspace(-20.0, 20.0, 8001)
    if isinstance(sigma_res, tuple):
        sigma_res = np.exp(-200 * omega**2)
    exact = resolution(omega, sigma_res).lorentzians(WEIGHTS, GAMMAS)
    seed = resolution(omega, sigma_res, "seed")
    assert isinstance(seed, SeedResolution)
    middle = np.abs(omega) < 2
    np.testing.assert_allclose(
        seed.lorentzians(WEIGHTS, GAMMAS)[middle], exact[middle], rtol=1e-6
    )


def test_seed_kernels_are_normalised_and_rolled_to_the_middle():
    """An off-centre kernel with gaps behaves like the clean one in the middle."""
    kernel = np.roll(np.exp(-0.5 * (OMEGA / SIGMA) ** 2), 9)
    made = resolution(OMEGA, 7.0 * np.where(kernel < 1e-9, -1.0, kernel), "seed")
    assert isinstance(made, SeedResolution)
    np.testing.assert_allclose(jnp.sum(made.kernel) * made.step, 1.0, rtol=1e-12)
    assert int(jnp.argmax(made.kernel)) == OMEGA.size // 2
    gauss = resolution(OMEGA, SIGMA, "seed")
    np.testing.assert_allclose(
        made.lorentzians(WEIGHTS, GAMMAS), gauss.lorentzians(WEIGHTS, GAMMAS), rtol=1e-6
    )


def test_a_background_under_the_kernel_can_be_removed():
    plain = resolution(OMEGA, (AXIS, GAUSS)).lorentzians(WEIGHTS, GAMMAS)
    for how in ("min", "edges"):
        made = resolution(OMEGA, (AXIS, GAUSS + 0.2), subtract_background=how)
        np.testing.assert_allclose(made.lorentzians(WEIGHTS, GAMMAS), plain, rtol=1e-9)
    broad = resolution(OMEGA, (AXIS, GAUSS + 0.2)).lorentzians(WEIGHTS, GAMMAS)
    assert float(jnp.max(broad)) < 0.9 * float(jnp.max(plain))


def test_a_resolution_made_before_is_used_as_it_is():
    made = resolution(OMEGA, (AXIS, GAUSS))
    assert resolution(OMEGA, made) is made


def test_a_kernel_with_zeros_has_finite_gradients():
    kernel = np.where(np.abs(OMEGA) < 0.1, 1.0, 0.0)
    for mode in ("exact", "seed"):
        made = resolution(OMEGA, kernel, mode)

        def total(w, g, c, made=made):
            return jnp.sum(jnp.square(made.lorentzians(w, g, c)))

        slopes = jax.jit(jax.grad(total, argnums=(0, 1, 2)))(
            jnp.asarray(WEIGHTS), jnp.array([0.0, 0.1]), jnp.asarray(0.0)
        )
        assert all(np.all(np.isfinite(s)) for s in slopes)


KERNEL = np.exp(-0.5 * (OMEGA / SIGMA) ** 2)


def put(array, index, value):
    out = np.array(array)
    out[index] = value
    return out


@pytest.mark.parametrize(
    ("omega", "sigma_res", "error", "text"),
    [
        (put(OMEGA, 3, np.nan), SIGMA, DataError, "omega must be finite.*nan"),
        (put(OMEGA, 3, np.inf), KERNEL, DataError, "omega must be finite.*inf"),
        (OMEGA[::-1], SIGMA, DataError, "omega must be strictly increasing"),
        (put(OMEGA, 4, OMEGA[3]), SIGMA, DataError, "omega must be strictly incr"),
        (OMEGA[:0], SIGMA, DataError, r"omega has shape \(0,\)"),
        (OMEGA, 0.0, ParameterError, "sigma_res is 0.0; expected a positive"),
        (OMEGA, -0.1, ParameterError, "sigma_res is -0.1"),
        (OMEGA, np.nan, ParameterError, "sigma_res is nan"),
        (OMEGA, put(KERNEL, 5, np.nan), DataError, "kernel must be finite.*nan"),
        (OMEGA, put(KERNEL, 5, np.inf), DataError, "kernel must be finite.*inf"),
        (OMEGA, 0 * KERNEL, DataError, "kernel must be positive somewhere"),
        (OMEGA, -KERNEL, DataError, "kernel must be positive somewhere"),
        (OMEGA, KERNEL[1:], DataError, r"shape \(160,\), omega has \(161,\)"),
        (OMEGA, (AXIS, KERNEL), DataError, "kernel must have the shape of energy"),
        (OMEGA, (AXIS, GAUSS, GAUSS), DataError, "sigma_res has 3 parts"),
    ],
)
def test_values_that_cannot_be_used_are_named(omega, sigma_res, error, text):
    with pytest.raises(error, match=text):
        resolution(omega, sigma_res)


def test_seed_mode_names_what_it_cannot_use():
    with pytest.raises(DataError, match="mode is 'sead'"):
        resolution(OMEGA, SIGMA, "sead")
    with pytest.raises(DataError, match="positive area"):
        resolution(OMEGA, np.where(KERNEL > 0, -1.0, np.nan), "seed")
    with pytest.raises(DataError, match="omega must be uniform"):
        resolution(np.sort(OMEGA**3), SIGMA, "seed")
    with pytest.raises(DataError, match="length of omega, 161, got 81"):
        resolution(OMEGA, (AXIS, GAUSS), "seed")


def test_a_kernel_under_jit_asks_for_a_resolution_made_outside():
    def predict(omega, sigma_res):
        return qens.predict_sqw(
            omega,
            1.0,
            d_translation=0.2,
            u2=0.0,
            rotation_model="none",
            sigma_res=sigma_res,
        )

    with pytest.raises(DataError, match="outside jit make"):
        jax.jit(lambda w: predict(w, KERNEL))(OMEGA)
    traced = jax.jit(predict)(OMEGA, jnp.asarray(SIGMA))
    np.testing.assert_allclose(traced, predict(OMEGA, SIGMA), rtol=1e-12)
