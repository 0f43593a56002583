"""What the spectrometer sees: lines exactly, detailed balance and phonons sampled."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.integrate import quad

from jaxscatter.qens import detailed_balance, dho
from jaxscatter.qens.broadening import spectrum
from jaxscatter.qens.resolution import resolution

OMEGA = np.linspace(-1.0, 1.0, 41)
STEP = OMEGA[1] - OMEGA[0]
AXIS = np.arange(-12, 13) * STEP
KERNEL = np.exp(-0.5 * (AXIS / 0.1) ** 2)
KINDS = {"gaussian": 0.1, "kernel": (AXIS, KERNEL)}


def lorentz(w, g):
    return g / np.pi / (w**2 + g**2)


@pytest.fixture(params=list(KINDS))
def instrument(request):
    return resolution(OMEGA, KINDS[request.param])


def exact(shape, at):
    """∫ G(t) S(ω - t) dt by quadrature; the kernel is a Gaussian of σ = 0.1 meV."""

    def f(t):
        return (
            np.exp(-0.5 * (t / 0.1) ** 2) / (0.1 * np.sqrt(2 * np.pi)) * shape(at - t)
        )

    points = [p for p in (at, 0.0) if abs(p) < 1.2]
    return quad(f, -1.2, 1.2, points=points, epsabs=1e-12, limit=400)[0]


@pytest.mark.parametrize("temperature", [5.0, 300.0])
@pytest.mark.parametrize("convention", ["bose", "exp_half"])
def test_detailed_balance_agrees_with_quadrature(instrument, temperature, convention):
    """The kernel is cut at 3σ, which is 3e-3 of its area in the wings of F."""

    def shape(w):
        factor = detailed_balance(np.atleast_1d(w), temperature, convention)
        return float(factor[0]) * lorentz(w, 0.2)

    out = spectrum(
        instrument,
        jnp.ones(1),
        jnp.array([0.2]),
        temperature=temperature,
        detailed_balance=convention,
    )
    for i in (4, 18, 20, 27):
        np.testing.assert_allclose(out[i], exact(shape, OMEGA[i]), rtol=5e-3)


def test_an_elastic_line_does_not_feel_detailed_balance(instrument):
    plain = instrument.lorentzians(jnp.ones(1), jnp.zeros(1))
    out = spectrum(instrument, jnp.ones(1), jnp.zeros(1), temperature=3.0)
    np.testing.assert_allclose(out, plain, rtol=0, atol=1e-14)


def test_a_line_narrower_than_the_step_keeps_its_place_under_detailed_balance():
    """The bound stated in the module: D/(4π k_B T) of the area."""
    instrument = resolution(OMEGA, KINDS["kernel"])
    t = 100.0
    plain = instrument.lorentzians(jnp.ones(1), jnp.array([1e-4]))
    out = spectrum(instrument, jnp.ones(1), jnp.array([1e-4]), temperature=t)
    bound = STEP / (4 * np.pi * 0.08617333262 * t)
    assert np.max(np.abs(np.asarray(out - plain))) * 0.1 * np.sqrt(2 * np.pi) < bound


def test_a_phonon_agrees_with_quadrature(instrument):
    out = spectrum(
        instrument,
        jnp.zeros(1),
        jnp.ones(1),
        continuum=lambda w: dho(w, 0.6, 0.15),
        temperature=20.0,
    )

    def shape(w):
        at = np.atleast_1d(w)
        return float((detailed_balance(at, 20.0) * dho(at, 0.6, 0.15))[0])

    for i in (10, 20, 31):
        np.testing.assert_allclose(out[i], exact(shape, OMEGA[i]), rtol=5e-3)


def test_a_shift_moves_lines_and_the_rest_alike(instrument):
    moved = resolution(OMEGA - 0.1, KINDS["gaussian"])
    whole = resolution(OMEGA, KINDS["gaussian"])
    lines = jnp.array([0.4, 0.6]), jnp.array([0.0, 0.2])
    how = {"temperature": 10.0, "continuum": lambda w: dho(w, 0.6, 0.15)}
    np.testing.assert_allclose(
        spectrum(whole, *lines, center=0.1, **how),
        spectrum(moved, *lines, **how),
        rtol=1e-12,
    )


def test_gradients_are_right_and_finite_at_zero_width(instrument):
    def f(p):
        return spectrum(
            instrument,
            jnp.array([0.4, 0.6]),
            jnp.stack([0.0 * p[0], p[0]]),
            temperature=p[1],
            continuum=lambda w: dho(w, p[2], 0.3),
        )

    at = jnp.array([0.2, 30.0, 0.7])
    check_grads(jax.jit(f), (at,), order=1, modes=("fwd", "rev"), rtol=1e-5)
    slope = jax.jacfwd(f)(jnp.array([0.0, 30.0, 0.7]))
    assert np.all(np.isfinite(slope))
