"""Half widths of translational diffusion."""

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.constants import HBAR
from jaxscatter.qens.translation import (
    ce_hwhm,
    fickian_hwhm,
    hall_ross_hwhm,
    jump_hwhm,
    ss_hwhm,
)

Q = np.array([0.0, 1e-6, 1e-3, 0.05, 0.15, 0.2, 0.5, 1.0, 2.0, 5.0])


def exact_ce(q, d, ell):
    with mp.workdps(40):
        x = mp.mpf(float(q)) * mp.mpf(ell)
        return float(6 * HBAR * mp.mpf(d) / mp.mpf(ell) ** 2 * (1 - mp.sin(x) / x))


def test_widths_agree_with_stored_numbers(reference):
    stored = reference("qens/seed_kernels.json")
    case = stored["hwhm"][0]
    q, d = np.array(case["q"]), case["D"]
    rtol = stored["rtol"]
    np.testing.assert_allclose(fickian_hwhm(q, d), case["fickian"], rtol=rtol)
    np.testing.assert_allclose(ce_hwhm(q, d, case["ell"]), case["ce"], rtol=rtol)
    np.testing.assert_allclose(ss_hwhm(q, d, case["tau_s"]), case["ss"], rtol=rtol)


def test_widths_agree_with_qensmodels(reference):
    """The peer's widths are in 1/ps and cast to float32."""
    stored = reference("qens/qensmodels_widths.json")
    q = np.array(stored["q"])
    seen = set()
    for case in stored["cases"]:
        p = case["params"]
        if case["model"] == "BrownianTranslationalDiffusion":
            width, rtol = fickian_hwhm(q, p["D"]), 3e-7
        elif case["model"] == "ChudleyElliottDiffusion":
            width, rtol = ce_hwhm(q, p["D"], p["L"]), 1e-5
        elif case["model"] == "JumpTranslationalDiffusion":
            width, rtol = jump_hwhm(q, p["D"], p["resTime"]), 3e-7
        else:
            continue
        seen.add(case["model"])
        np.testing.assert_allclose(np.asarray(width) / HBAR, case["hwhm"], rtol=rtol)
    assert len(seen) == 3


def test_hall_ross_jumps_agree_with_jscatter(reference):
    stored = reference("qens/jscatter_motions.json")
    (case,) = (c for c in stored["cases"] if c["model"] == "jumpDiffHallRoss")
    p, omega = case["params"], np.array(stored["w"])
    for q, row in zip(stored["q"], case["sqw"], strict=True):
        gamma = hall_ross_hwhm(q, p["t0"], p["r0"]) / HBAR
        line = gamma / np.pi / (omega**2 + gamma**2)
        np.testing.assert_allclose(line, row, rtol=1e-9)


def test_one_jump_width_is_behind_both_names():
    np.testing.assert_array_equal(jump_hwhm(Q, 0.3, 1.2), ss_hwhm(Q, 0.3, 1.2))
    np.testing.assert_allclose(jump_hwhm(Q, 0.3, 0.0), fickian_hwhm(Q, 0.3), rtol=1e-15)


def test_hall_ross_width_reaches_its_limits():
    q = np.array([1e-5, 1e-4])
    exact = fickian_hwhm(q, 0.8**2 / (2 * 1.3))
    np.testing.assert_allclose(hall_ross_hwhm(q, 1.3, 0.8), exact, rtol=1e-8)
    np.testing.assert_allclose(hall_ross_hwhm(50.0, 1.3, 0.8), HBAR / 1.3, rtol=1e-14)
    np.testing.assert_array_equal(
        hall_ross_hwhm(Q, 1.3, -0.8), hall_ross_hwhm(Q, 1.3, 0.8)
    )


def test_jump_width_keeps_its_digits_at_small_q():
    exact = [exact_ce(q, 0.3, 2.8) for q in Q[1:]]
    np.testing.assert_allclose(ce_hwhm(Q[1:], 0.3, 2.8), exact, rtol=1e-14)


def test_widths_tend_to_continuous_diffusion():
    q = np.array([1e-4, 1e-3])
    fick = fickian_hwhm(q, 0.3)
    np.testing.assert_allclose(ce_hwhm(q, 0.3, 2.0), fick, rtol=1e-6)
    np.testing.assert_allclose(ss_hwhm(q, 0.3, 2.0), fick, rtol=1e-6)
    np.testing.assert_allclose(ss_hwhm(2.0, 0.3, 1e-9), fickian_hwhm(2.0, 0.3))


def test_jump_widths_saturate_at_the_jump_rate():
    np.testing.assert_allclose(ss_hwhm(1e6, 0.3, 1.2), HBAR / 1.2, rtol=1e-9)
    rate = 6 * 0.3 / 2.0**2
    np.testing.assert_allclose(ce_hwhm(np.pi * 500, 0.3, 2.0), HBAR * rate, rtol=1e-3)


@pytest.mark.parametrize("q", [0.0, 1e-5, 0.15, 0.3, 1.7])
def test_width_gradients(q):
    options = {"order": 2, "modes": ("fwd", "rev"), "rtol": 1e-5}
    check_grads(jax.jit(fickian_hwhm), (q, 0.3), **options)
    check_grads(jax.jit(ce_hwhm), (q, 0.3, 2.0), **options)
    check_grads(jax.jit(ss_hwhm), (q, 0.3, 1.2), **options)
    check_grads(jax.jit(jump_hwhm), (q, 0.3, 0.0), **options)
    check_grads(jax.jit(hall_ross_hwhm), (q, 1.3, 0.8), **options)


def test_the_sign_of_the_jump_length_does_not_matter():
    np.testing.assert_array_equal(ce_hwhm(Q, 0.3, -2.0), ce_hwhm(Q, 0.3, 2.0))


def test_widths_map_like_a_loop():
    loop = np.array([ce_hwhm(q, 0.3, 2.0) for q in Q])
    np.testing.assert_allclose(ce_hwhm(Q, 0.3, 2.0), loop, rtol=1e-15)
    mapped = jax.jit(jax.vmap(lambda q: ce_hwhm(q, 0.3, 2.0)))(Q)
    np.testing.assert_allclose(mapped, loop, rtol=1e-15)


def test_widths_keep_float32_under_strict_promotion():
    q = Q.astype(np.float32)
    with jax.numpy_dtype_promotion("strict"):
        singles = fickian_hwhm(q, 0.3), ce_hwhm(q, 0.3, 2.0), ss_hwhm(q, 0.3, 1.2)
        singles += (hall_ross_hwhm(q, 1.3, 0.8),)
    doubles = fickian_hwhm(Q, 0.3), ce_hwhm(Q, 0.3, 2.0), ss_hwhm(Q, 0.3, 1.2)
    doubles += (hall_ross_hwhm(Q, 1.3, 0.8),)
    for single, double in zip(singles, doubles, strict=True):
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, double, rtol=1e-5)


@pytest.mark.parametrize(
    ("width", "args", "name"),
    [
        (fickian_hwhm, (1.0, 0.0), "d"),
        (fickian_hwhm, (-1.0, 0.1), "q"),
        (fickian_hwhm, (np.nan, 0.1), "q"),
        (ce_hwhm, (1.0, -0.1, 2.0), "d"),
        (ce_hwhm, (1.0, 0.1, 0.0), "ell"),
        (ss_hwhm, (1.0, 0.0, 1.0), "d"),
        (ss_hwhm, (1.0, 0.1, 0.0), "tau_s"),
        (ss_hwhm, (1.0, 0.1, np.inf), "tau_s"),
        (jump_hwhm, (1.0, 0.1, -0.1), "tau"),
        (jump_hwhm, (1.0, 0.0, 0.1), "d"),
        (hall_ross_hwhm, (1.0, 0.0, 1.0), "tau"),
        (hall_ross_hwhm, (1.0, 1.0, 0.0), "ell"),
        (hall_ross_hwhm, (-1.0, 1.0, 1.0), "q"),
    ],
)
def test_widths_refuse_values_outside_their_domain(width, args, name):
    with pytest.raises(ValueError, match=f"^{name} must be"):
        width(*args)


def test_traced_values_are_not_checked():
    assert jax.jit(fickian_hwhm)(1.0, -0.1) < 0
