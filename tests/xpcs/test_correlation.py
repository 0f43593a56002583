"""c2 in its three conventions: peers, forty digits, limits, singular points."""

import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter.errors import ModelError, ParameterError
from jaxscatter.xpcs import c2, g1_diffusion, g1_shear, physical_names, shape

DATA = pathlib.Path(__file__).parent.parent / "data/xpcs"
FLOW = {
    "D0": 1200.0,
    "alpha": -0.3,
    "D_offset": 20.0,
    "gamma_dot_t0": 2e-3,
    "beta": 0.2,
    "gamma_dot_t_offset": 1e-4,
    "phi0": 3.0,
}
GRID = {"q": 0.0054, "h": 2e6, "dt": 0.1}
T = 0.1 * np.arange(24)
PHI = np.array([0.0, 45.0, 93.0])


@pytest.fixture(scope="module")
def cases(reference):
    return reference("xpcs/c2_homodyne_v2.json")["cases"]


@pytest.fixture(scope="module")
def stored():
    with np.load(DATA / "c2_homodyne_v2.npz") as arrays:
        return dict(arrays)


def arguments(case):
    model = "static_isotropic" if len(case["params"]) == 3 else "laminar_flow"
    k = np.arange(case["n_t"]) + case["first_frame"]
    keys = {n: case[n] for n in ("q", "h", "dt", "contrast", "offset")}
    return model, k * case["dt"], np.array(case["phi_deg"]), keys


def square(case, x, convention="pnas"):
    model, t, phi, keys = arguments(case)
    theta = dict(zip(physical_names(model), x, strict=True))
    return c2(theta, t, phi, model=model, convention=convention, **keys)


def off_diagonal(n):
    return ~np.eye(n, dtype=bool)


@pytest.mark.peer
def test_homodyne_2_is_repeated_to_rounding(cases, stored):
    for case in cases:
        got = square(case, case["params"], "homodyne_v2")
        np.testing.assert_allclose(
            got, stored[f"c{case['index']}_c2"], rtol=0, atol=4e-15
        )


@pytest.mark.peer
def test_homodyne_1_is_repeated(cases):
    """The compiled peer has a series near 0, good to 1e-6, in one of the cases."""
    with np.load(DATA / "c2_homodyne_v1_sampled.npz") as peer:
        for case in cases:
            case = case | {"contrast": 1.0, "offset": 0.0}
            i, a, b = peer[f"c{case['index']}_c1sq_at"]
            got = square(case, case["params"], "homodyne_v1")[i, a, b]
            loose = 1e-6 if case["name"] == "flow_gamma_floor" else 1e-12
            np.testing.assert_allclose(
                got, peer[f"c{case['index']}_c1sq"], rtol=0, atol=loose
            )


def test_the_published_equation_is_not_that_of_homodyne_under_flow(cases, stored):
    for case in cases:
        got = square(case, case["params"])
        apart = np.max(np.abs(got - stored[f"c{case['index']}_c2"]))
        if len(case["params"]) == 3:
            assert apart < 1e-10
        elif case["name"] not in ("flow_small_phase", "flow_gamma_floor"):
            assert apart > 1e-4


@pytest.mark.peer
def test_gradients_of_homodyne_are_repeated(cases):
    for case in cases:
        n = case["n_t"]
        a = np.arange(n)
        w = np.cos(0.37 * a)[:, None] * np.cos(0.11 * a)[None] * off_diagonal(n)

        @jax.jit
        @jax.value_and_grad
        def weighted(x, case=case, w=w):
            return jnp.sum(jnp.asarray(w)[None] * square(case, x, "homodyne_v2"))

        value, slope = weighted(jnp.asarray(case["params"]))
        # the sum cancels: what remains carries the rounding of its largest terms
        np.testing.assert_allclose(value, case["weighted_sum_offdiag"], rtol=1e-8)
        peer = np.array(case["grad_weighted_sum_offdiag"])
        term = np.abs(peer * np.where(np.array(case["params"]) == 0, 1, case["params"]))
        keep = term > 1e-7 * term.max()
        np.testing.assert_allclose(slope[keep], peer[keep], rtol=1e-8, atol=1e-9)


def test_values_and_gradients_are_those_of_forty_digits(cases, reference):
    exact = reference("xpcs/c2_pnas_mpmath.json")["cases"]
    for case, known in zip(cases, exact, strict=True):
        pairs = known["pairs"]
        i, a, b = (np.array([p[n] for p in pairs]) for n in ("phi_index", "a", "b"))

        @jax.jit
        def picked(x, case=case, i=i, a=a, b=b):
            return square(case, x)[i, a, b]

        x = jnp.asarray(case["params"])
        value, slope = picked(x), jax.jit(jax.jacfwd(picked))(x)
        tight = 1e-11 if case["name"] == "flow_many_lobes" else 1e-12
        np.testing.assert_allclose(value, [p["c2"] for p in pairs], rtol=tight)
        grad = np.array([p["grad"] for p in pairs])
        size = np.max(np.abs(grad), axis=0)
        np.testing.assert_allclose(slope, grad, rtol=1e-9, atol=1e-12 * size.max())
        assert np.all(np.abs(slope - grad) <= 1e-9 * size)


def test_constant_diffusion_is_an_exponential_of_the_lag():
    theta = {"D0": 900.0, "alpha": 0.0, "D_offset": 100.0}
    got = c2(theta, T, 0.0, q=0.01, model="static", contrast=0.3, offset=1.02)
    lag = np.abs(T[:, None] - T[None])
    np.testing.assert_allclose(got, 1.02 + 0.3 * np.exp(-1e-4 * 1000 * lag), rtol=1e-13)


def test_constant_shear_is_sinc_squared_of_the_strain():
    theta = FLOW | {"alpha": 0.0, "beta": 0.0}
    got = c2(theta, T, PHI, contrast=0.2, offset=1.0, **GRID)
    lag = np.abs(T[:, None] - T[None])
    for row, phi in zip(got, PHI, strict=True):
        x = 0.5 * 0.0054 * 2e6 * np.cos(np.radians(3.0 - phi)) * 2.1e-3 * lag
        exact = 1 + 0.2 * np.exp(-(0.0054**2) * 1220 * lag) * np.sinc(x / np.pi) ** 2
        np.testing.assert_allclose(row, exact, rtol=1e-12)


@pytest.mark.parametrize("convention", ["pnas", "homodyne_v2", "homodyne_v1"])
def test_symmetry_diagonal_and_half_turn(convention):
    got = c2(FLOW, T, PHI, convention=convention, contrast=0.2, offset=1.1, **GRID)
    np.testing.assert_array_equal(got, np.swapaxes(got, 1, 2))
    diagonal = np.diagonal(got, axis1=1, axis2=2)
    np.testing.assert_allclose(diagonal, 1.3, rtol=0, atol=1e-8)
    turned = FLOW | {"phi0": 183.0}
    other = c2(turned, T, PHI, convention=convention, contrast=0.2, offset=1.1, **GRID)
    np.testing.assert_allclose(other, got, rtol=0, atol=1e-13)


def test_across_the_flow_there_is_no_shear():
    static = c2(
        {k: FLOW[k] for k in ("D0", "alpha", "D_offset")},
        T,
        93.0,
        q=0.0054,
        model="static",
    )
    np.testing.assert_allclose(c2(FLOW, T, 93.0, **GRID), static, rtol=0, atol=1e-13)


def test_flow_without_shear_is_static():
    still = FLOW | {"gamma_dot_t0": 0.0, "gamma_dot_t_offset": 0.0}
    static = c2(
        {k: FLOW[k] for k in ("D0", "alpha", "D_offset")},
        T,
        0.0,
        q=0.0054,
        model="static",
    )
    # the rate is floored at 1e-10 1/s, whose strain has a phase of 1e-6
    np.testing.assert_allclose(c2(still, T, 0.0, **GRID), static, rtol=0, atol=1e-12)


def test_small_strains_have_the_stated_factors_between_conventions():
    x = 1e-3
    for convention, slope in (
        ("pnas", 1 / 3),
        ("homodyne_v2", 2 / (3 * np.pi**2)),
        ("homodyne_v1", 2 / 3),
    ):
        np.testing.assert_allclose(
            1 - shape(0.0, x, convention), slope * x**2, rtol=1e-5
        )


def test_the_square_of_the_fields_is_the_shape():
    e, x = np.array([0.1, 2.0]), np.array([0.5, -4.0])
    product = g1_diffusion(e) * g1_shear(x)
    np.testing.assert_allclose(product**2, shape(e, x), rtol=1e-14)


@pytest.mark.parametrize("exponents", [(-0.3, 0.2), (0.0, 0.0), (-1.0, -1.0)])
def test_derivatives_are_finite_everywhere_and_right(exponents):
    """t = 0, the diagonal, no shear at all, an angle across the flow."""
    base = FLOW | {"alpha": exponents[0], "beta": exponents[1], "gamma_dot_t0": 0.0}

    @jax.jit
    def total(x):
        theta = dict(zip(FLOW, x, strict=True))
        out = c2(theta, jnp.asarray(T[:8]), jnp.asarray(PHI), **GRID, floor="smooth")
        return jnp.sum(jnp.square(out)) / 10

    x = jnp.asarray(list(base.values()))
    assert np.all(np.isfinite(jax.jit(jax.hessian(total))(x)))
    scale = jnp.asarray([1e3, 1.0, 1e2, 1e-3, 1.0, 1e-3, 10.0])
    inside = jnp.asarray(list((base | {"gamma_dot_t0": 2e-3}).values())) / scale
    check_grads(
        jax.jit(lambda z: total(z * scale)),
        (inside,),
        order=2,
        modes=("fwd", "rev"),
        rtol=1e-3,
        atol=1e-3,
    )


def test_one_compilation_serves_all_numbers():
    count = []

    @jax.jit
    def traced(theta, t, phi, q, h, dt):
        count.append(1)
        return c2(theta, t, phi, q=q, h=h, dt=dt)

    first = traced(FLOW, T, PHI, 0.0054, 2e6, 0.1)
    traced({k: 1.1 * v for k, v in FLOW.items()}, 2 * T, PHI + 1, 0.006, 1e6, 0.2)
    assert len(count) == 1
    np.testing.assert_allclose(first, c2(FLOW, T, PHI, **GRID), rtol=1e-13)


def test_shapes_keep_float32():
    got = shape(np.float32(0.3), np.float32(0.7))
    assert got.dtype == jnp.float32
    np.testing.assert_allclose(got, shape(0.3, 0.7), rtol=1e-6)


def test_aliases_are_understood_and_mistakes_are_named():
    other = {
        {"gamma_dot_t0": "gamma_dot_0", "phi0": "phi_0"}.get(k, k): v
        for k, v in FLOW.items()
    }
    np.testing.assert_array_equal(c2(other, T, PHI, **GRID), c2(FLOW, T, PHI, **GRID))
    with pytest.raises(ParameterError, match=r"missing \['phi0'\]"):
        c2({k: v for k, v in FLOW.items() if k != "phi0"}, T, PHI, **GRID)
    with pytest.raises(ParameterError, match=r"unknown \['D1'\]"):
        c2(FLOW | {"D1": 1.0}, T, PHI, **GRID)
    with pytest.raises(ModelError, match="needs the gap h"):
        c2(FLOW, T, PHI, q=0.0054, dt=0.1)
    with pytest.raises(ModelError, match="convention is 'pnaas'"):
        c2(FLOW, T, PHI, convention="pnaas", **GRID)
    for name in ("q", "h", "dt"):
        with pytest.raises(ParameterError, match=f"{name} must be positive"):
            c2(FLOW, T, PHI, **(GRID | {name: 0.0}))
