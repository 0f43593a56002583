"""`predict_sqw`, and what registered models predict."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter import qens
from jaxscatter.constants import HBAR
from jaxscatter.errors import DataError, ParameterError
from jaxscatter.numerics import voigt
from jaxscatter.qens import predict_sqw

OMEGA = np.linspace(-1.25, 1.25, 251)
RIGID = {"rotation_model": "none", "sigma_res": 0.04}


@pytest.fixture(scope="module")
def stored(reference):
    return reference("qens/seed_package.json")


@pytest.mark.parametrize("index", range(12))
def test_seed_mode_agrees_with_stored_spectra(stored, index):
    """The stored program's ħ is rounded to 0.65821: 3e-6 in widths."""
    case = stored["predict"][index]
    kernel = np.array(stored["measured_kernel"])
    out = predict_sqw(
        OMEGA,
        case["q"],
        d_translation=case["d_translation"],
        u2=case["u2"],
        rotation=case["rotation"],
        rotation_model=case["rotation_model"],
        sigma_res=kernel if case["resolution"] == "measured" else case["sigma"],
        radius=case["radius"],
        mode="seed",
    )
    np.testing.assert_allclose(out[:: stored["stride"]], case["sqw"], rtol=2e-5)


def test_exact_mode_is_the_voigt_sum_of_the_symmetric_top():
    q, d, u2, d_t, d_s, sigma = 1.3, 0.15, 0.05, 0.06, 0.5, 0.04
    w0, w1, w2 = (float(w) for w in qens.bessel_weights(q, 2.48))
    terms = [
        (w0, 0.0),
        (3 * w1, d_s + d_t),
        (5 * w2 / 4, 6 * d_t),
        (15 * w2 / 4, 4 * d_s + 2 * d_t),
    ]
    expected = np.exp(-(q**2) * u2 / 3) * sum(
        w * np.asarray(voigt(OMEGA, sigma, HBAR * (d * q**2 + rate)))
        for w, rate in terms
    )
    out = predict_sqw(
        OMEGA, q, d_translation=d, u2=u2, rotation=[d_t, d_s], sigma_res=sigma
    )
    np.testing.assert_allclose(out, expected, rtol=1e-11)


def test_the_area_on_a_wide_grid_is_the_debye_waller_factor():
    """ω = sinh-spaced: the trapezoid rule reaches far into the wings.

    What is left beyond |ω| = W of a line of width Γ is 2Γ/(πW).
    """
    t = np.linspace(-14.0, 14.0, 6001)
    omega = 0.02 * np.sinh(t)
    out = predict_sqw(
        omega,
        1.2,
        d_translation=0.2,
        u2=0.1,
        rotation=[0.05, 0.3],
        lmax=25,
        sigma_res=0.04,
    )
    np.testing.assert_allclose(
        np.trapezoid(out, omega), np.exp(-(1.2**2) * 0.1 / 3), rtol=1e-3
    )


def test_renormalize_restores_the_area_that_the_cut_at_lmax_loses():
    t = np.linspace(-14.0, 14.0, 6001)
    omega = 0.02 * np.sinh(t)
    areas = [
        np.trapezoid(
            predict_sqw(
                omega,
                1.8,
                d_translation=0.2,
                u2=0.0,
                rotation=[0.2],
                sigma_res=0.04,
                rotation_model="isotropic",
                renormalize=renormalize,
            ),
            omega,
        )
        for renormalize in (False, True)
    ]
    x = 1.8 * 2.48
    w = [float(v) for v in qens.bessel_weights(1.8, 2.48)]
    assert x > 4  # well beyond what l = 2 can carry
    np.testing.assert_allclose(areas[0], w[0] + 3 * w[1] + 5 * w[2], rtol=1e-3)
    np.testing.assert_allclose(areas[1], 1.0, rtol=1e-3)


def test_a_top_with_equal_constants_is_the_isotropic_rotor():
    common = {"d_translation": 0.1, "u2": 0.02, "sigma_res": 0.04}
    top = predict_sqw(OMEGA, 1.1, rotation=[0.15, 0.15], **common)
    ball = predict_sqw(
        OMEGA, 1.1, rotation=[0.15], rotation_model="isotropic", **common
    )
    np.testing.assert_allclose(top, ball, rtol=1e-12)


def of_vector(omega, q, p, sigma_res=0.04):
    return predict_sqw(
        omega,
        q,
        d_translation=p[0],
        u2=p[1],
        rotation=[p[2], p[3]],
        sigma_res=sigma_res,
    )


@pytest.mark.parametrize("kernel", [False, True])
def test_predict_sqw_jits_vmaps_and_has_gradients(kernel):
    omega = np.linspace(-1.0, 1.0, 41)
    sigma_res = np.maximum(0, 1 - (omega / 0.2) ** 2) if kernel else 0.04
    p = jnp.array([0.15, 0.05, 0.06, 0.5])

    @jax.jit
    def f(p):
        return of_vector(omega, 1.2, p, sigma_res)

    np.testing.assert_allclose(f(p), of_vector(omega, 1.2, p, sigma_res), rtol=1e-10)
    check_grads(f, (p,), order=1, modes=("fwd", "rev"), rtol=1e-6)
    many = jnp.stack([p, 1.5 * p])
    np.testing.assert_allclose(jax.vmap(f)(many)[1], f(1.5 * p), rtol=1e-10)


@pytest.mark.parametrize(
    ("q", "p"),
    [
        (0.0, [0.15, 0.05, 0.06, 0.5]),
        (1.2, [0.15, 0.0, 0.06, 0.5]),
        (1.2, [0.0, 0.05, 0.06, 0.5]),
        (1.2, [0.15, 0.05, 0.2, 0.2]),
    ],
    ids=["q=0", "u2=0", "D=0", "D_s=D_t"],
)
def test_gradients_are_finite_at_special_points(q, p):
    omega = np.linspace(-1.0, 1.0, 41)
    kernel = np.maximum(0, 1 - (omega / 0.2) ** 2)

    @jax.jit
    def f(q, p):
        return jnp.sum(jnp.square(of_vector(omega, q, p, kernel)))

    slopes = jax.grad(f, (0, 1))(jnp.asarray(q), jnp.asarray(p))
    assert all(np.all(np.isfinite(s)) for s in slopes)


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"q": -0.1}, "q must be at least 0, got -0.1"),
        ({"q": np.nan}, "q must be at least 0, got nan"),
        ({"q": np.array([0.5, 1.0])}, r"q has shape \(2,\)"),
        ({"d_translation": -1.0}, "d_translation must be at least 0"),
        ({"rotation_model": "tumbling"}, "rotation_model is 'tumbling'"),
        ({"rotation": [0.1]}, "rotation has 1 values; 'anisotropic' needs 2"),
        ({"rotation": [0.1, -0.1]}, "-0.1"),
        ({"rotation": [0.0, 0.1]}, "0.0"),
        ({"radius": 0.0}, "radius must be positive, got 0.0"),
        ({"radius": -2.48}, "radius must be positive, got -2.48"),
        ({"sigma_res": 0.0}, "sigma_res is 0.0"),
    ],
)
def test_predict_sqw_names_what_it_cannot_use(changes, text):
    good = {
        "q": 1.0,
        "d_translation": 0.1,
        "u2": 0.0,
        "rotation": [0.1, 0.2],
        "sigma_res": 0.04,
    }
    settings = {**good, **changes}
    q = settings.pop("q")
    with pytest.raises(ParameterError, match=text):
        predict_sqw(OMEGA, q, **settings)
    with pytest.raises(DataError, match="omega"):
        predict_sqw(put_nan(OMEGA), 1.0, d_translation=0.1, u2=0.0, **RIGID)


def put_nan(x):
    out = np.array(x)
    out[7] = np.nan
    return out


def test_a_registered_model_predicts_what_predict_sqw_does():
    top = qens.get_model("anisotropic_rotor")
    out = top.predict(OMEGA, 1.1, [0.15, 0.05, 0.06, 0.5], 0.04, lmax=4, mode="seed")
    np.testing.assert_allclose(
        out,
        predict_sqw(
            OMEGA,
            1.1,
            d_translation=0.15,
            u2=0.05,
            rotation=[0.06, 0.5],
            sigma_res=0.04,
            lmax=4,
            mode="seed",
        ),
        rtol=1e-14,
    )


def test_detailed_balance_lowers_the_gain_side_by_the_boltzmann_factor():
    """A resolution that is narrow beside the line leaves the ratio of the two sides."""
    omega = np.linspace(-1.0, 1.0, 21)
    t = 20.0
    common = {"d_translation": 0.3, "u2": 0.0, "rotation_model": "none"}
    out = np.asarray(predict_sqw(omega, 1.5, sigma_res=1e-3, temperature=t, **common))
    plain = np.asarray(predict_sqw(omega, 1.5, sigma_res=1e-3, **common))
    x = omega / (0.08617333262 * t)
    np.testing.assert_allclose(out[::-1] / out, np.exp(-x), rtol=1e-4)
    factor = np.where(x == 0, 1.0, x / -np.expm1(-np.where(x == 0, 1.0, x)))
    np.testing.assert_allclose(out / plain, factor, rtol=1e-4)
    half = predict_sqw(
        omega, 1.5, sigma_res=1e-3, temperature=t, detailed_balance="exp_half", **common
    )
    np.testing.assert_allclose(half / plain, np.exp(x / 2), rtol=1e-4)
