"""An elastic line and N Lorentzians per Q."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.integrate import quad

import jaxscatter as js
from jaxscatter import qens
from jaxscatter.errors import DataError, ModelError
from jaxscatter.numerics import voigt
from jaxscatter.qens.lines import spread_widths, width_range

OMEGA = np.linspace(-1.0, 1.0, 81)
Q = np.array([0.6, 1.2])
WIDTH = np.array([0.08, 0.25])  # meV, per Q
EISF = np.array([0.6, 0.2])


@pytest.fixture(scope="module")
def data():
    """delta_lorentz with its own A0 and width at every Q, σ = 0.04 meV."""
    rng = np.random.default_rng(1)
    bins = []
    for q, g, a in zip(Q, WIDTH, EISF, strict=True):
        y = a * np.asarray(voigt(OMEGA, 0.04, 0.0)) + (1 - a) * np.asarray(
            voigt(OMEGA, 0.04, g)
        )
        y = 5 * y + 0.2 + 0.1 * OMEGA
        s = 0.02 * np.sqrt(y)
        bins.append((OMEGA, y + s * rng.standard_normal(y.size), s, q))
    return qens.from_bins(bins, 0.04)


def test_columns_are_the_resolution_the_lines_and_the_background(data):
    problem = qens.lines_problem(data, 2)
    theta = {"hwhm_1": jnp.asarray(0.1), "hwhm_2": jnp.asarray(0.4)}
    coords = jax.tree.map(jnp.asarray, problem.data.group(0))
    table = jax.jit(lambda t, c: problem.model.columns(None, t, c))(theta, coords)
    for k, g in enumerate((0.0, 0.1, 0.4)):
        np.testing.assert_allclose(
            table[:, k], voigt(OMEGA, 0.04, g), atol=1e-11 * float(table[:, 0].max())
        )
    np.testing.assert_allclose(table[:, 3], 1.0)
    np.testing.assert_allclose(table[:, 4], OMEGA)
    assert problem.model.name == "elastic + 2 Lorentzians"
    assert [a.name for a in problem.linear] == [
        "elastic",
        "line_1",
        "line_2",
        "background",
        "slope",
    ]


def test_widths_and_areas_of_every_q_are_recovered(data):
    fit = js.fit(qens.lines_problem(data, 1))
    assert fit.success
    for k in range(2):
        pull = (fit[f"hwhm_1[{k}]"] - WIDTH[k]) / fit.error(f"hwhm_1[{k}]")
        assert abs(pull) < 4
        a, b = (fit.amplitude_values[f"{n}[{k}]"] for n in ("elastic", "line_1"))
        np.testing.assert_allclose(a / (a + b), EISF[k], atol=0.03)
        np.testing.assert_allclose(a + b, 5.0, rtol=0.05)
    assert 0.7 < fit.statistics["red_chi2"] < 1.3


def test_the_options_shape_the_table(data):
    shared = qens.lines_problem(data, 2, shared=True, background="flat", elastic=False)
    assert shared.parameters.labels == ("hwhm_1", "hwhm_2")
    assert [a.name for a in shared.linear] == ["line_1", "line_2", "background"]
    moved = qens.lines_problem(data, 1, center="global", background="none")
    assert moved.parameters.labels == ("hwhm_1[0]", "hwhm_1[1]", "center")
    assert not moved.model.instrument.tabulated
    assert qens.lines_problem(data, 0).n_parameters == 0


def test_lines_at_a_temperature_are_those_of_quadrature(data):
    """F(ω) L ⊗ R of one line, and the elastic line, which does not feel F."""
    problem = qens.lines_problem(data, 1, temperature=30.0, background="quadratic")
    assert problem.linear[-1].name == "curvature" and problem.linear[-1].lower < 0
    coords = jax.tree.map(jnp.asarray, problem.data.group(0))
    theta = {"hwhm_1": jnp.asarray(0.2), "center": jnp.asarray(0.03)}
    moved = qens.lines_problem(
        data, 1, temperature=30.0, background="quadratic", center="global"
    )
    table = jax.jit(lambda t, c: moved.model.columns(None, t, c))(theta, coords)
    k_t = 0.08617333 * 30.0

    def whole(w, at):
        x = w / k_t
        factor = x / -np.expm1(-x) if x else 1.0
        kernel = np.exp(-0.5 * ((at - w) / 0.04) ** 2) / (0.04 * np.sqrt(2 * np.pi))
        return factor * 0.2 / np.pi / (w * w + 0.04) * kernel

    for k in (10, 40, 47, 75):
        at = OMEGA[k] - 0.03
        exact = quad(whole, at - 0.5, at + 0.5, args=(at,), points=[at], epsabs=1e-12)
        np.testing.assert_allclose(table[k, 1], exact[0], rtol=1e-6)
    np.testing.assert_allclose(table[:, 0], voigt(OMEGA - 0.03, 0.04, 0.0), atol=1e-11)
    np.testing.assert_allclose(table[:, 4], np.square(OMEGA))


def test_start_widths_are_spread_evenly_in_the_logarithm(data):
    low, high = width_range(data)
    np.testing.assert_allclose((low, high), (0.0025, 2.0))
    np.testing.assert_allclose(spread_widths(1.0, 16.0, 1), [4.0])
    np.testing.assert_allclose(spread_widths(1.0, 8.0, 2), [2.0, 4.0])


@pytest.mark.parametrize(
    ("options", "text"),
    [
        ({"lines": 4}, "lines is 4; expected 0 to 3"),
        ({"lines": -1}, "lines is -1"),
        ({"background": "cubic"}, "background is 'cubic'"),
        ({"center": "free"}, "center is 'free'"),
        ({"temperature": 300.0, "detailed_balance": "half"}, "'half'; expected one"),
        ({"lines": 0, "elastic": False}, "expected something to fit"),
    ],
)
def test_options_that_do_not_exist_are_refused(data, options, text):
    with pytest.raises(ModelError, match=text):
        qens.lines_problem(data, **options)


def test_data_of_another_kind_are_refused():
    with pytest.raises(DataError, match="'omega'"):
        qens.lines_problem(js.Dataset(np.ones((1, 5))))
