"""One Q bin as columns: every resolution, chunk, background and user's model."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import qens
from jaxscatter.errors import ModelError
from jaxscatter.numerics import voigt

Q = np.array([0.0, 0.7, 1.4])
OMEGA = np.linspace(-1.0, 1.0, 121)
STEP = OMEGA[1] - OMEGA[0]
AXIS = np.arange(-30, 31) * STEP
KERNEL = np.maximum(0.0, np.exp(-0.5 * ((AXIS - 0.01) / 0.06) ** 2) - 1e-5)
SAME = np.maximum(0.0, np.exp(-0.5 * ((OMEGA - 0.01) / 0.06) ** 2) - 1e-5)
UNEVEN = np.sort(np.concatenate([OMEGA[:80], OMEGA[80:] + 0.3 * STEP]))
P = np.array([0.15, 0.05, 0.06, 0.5])

# resolution kind -> (omega, sigma_res, mode)
CASES = {
    "gaussian": (OMEGA, [0.05, 0.06, 0.07], "exact"),
    "uniform": (OMEGA, (AXIS, KERNEL), "exact"),
    "dense": (UNEVEN, (AXIS, KERNEL), "exact"),
    "seed": (OMEGA, SAME, "seed"),
}


def made(kind, **options):
    """A problem with noise-free data of its own model and errors of one per cent."""
    omega, sigma_res, mode = CASES[kind]
    rng = np.random.default_rng(3)
    bins = []
    for i, q in enumerate(Q):
        one = sigma_res[i] if isinstance(sigma_res, list) else sigma_res
        shape = qens.predict_sqw(
            omega,
            q,
            d_translation=0.2,
            u2=0.1,
            rotation=[0.1, 0.4],
            sigma_res=one,
            mode=mode,
        )
        y = 2.0 * np.asarray(shape) + 0.05
        y = y * (1 + 0.01 * rng.standard_normal(y.size))
        bins.append((omega, y, 0.01 * y + 1e-3, float(q)))
    data = qens.from_bins(bins, sigma_res, mode=mode)
    return qens.problem(data, "anisotropic_rotor", **options)


@jax.jit
def _normal(problem, x):
    triple = problem.normal(x)
    return triple.hessian, triple.gradient, triple.cost


@jax.jit
def curves(problem, x, a):
    return problem.predict(x, a)


@pytest.fixture(scope="module", params=list(CASES))
def both(request):
    """Each kind with `center` free: dense, and in chunks that do not divide n."""
    options = {"center": "global", "background": "linear"}
    return (
        request.param,
        made(request.param, **options),
        made(request.param, chunk=50, **options),
    )


def test_chunks_agree_with_all_points_at_once(both):
    kind, dense, chunked = both
    assert dense.model.instrument.kind == kind
    assert chunked.chunk == 50
    x = dense.start().at[:4].set(jnp.asarray(P))
    for a, b in zip(_normal(dense, x), _normal(chunked, x), strict=True):
        np.testing.assert_allclose(a, b, rtol=1e-9, atol=1e-9 * np.max(np.abs(a)))


def test_predictions_are_those_of_predict_sqw(both):
    kind, dense, chunked = both
    omega, sigma_res, mode = CASES[kind]
    x = dense.start().at[:4].set(jnp.asarray(P))
    unit = jnp.tile(jnp.array([[1.0, 0.0, 0.0]]), (len(Q), 1))
    out = curves(dense, x, unit)
    np.testing.assert_allclose(
        curves(chunked, x, unit)[:, : omega.size], out, rtol=1e-9
    )
    for i, q in enumerate(Q):
        one = sigma_res[i] if isinstance(sigma_res, list) else sigma_res
        expected = qens.predict_sqw(
            omega,
            q,
            d_translation=P[0],
            u2=P[1],
            rotation=P[2:],
            sigma_res=one,
            mode=mode,
        )
        np.testing.assert_allclose(out[i], expected, rtol=1e-9)


def test_background_columns_are_one_and_the_energy(both):
    _, dense, _ = both
    x = dense.start()
    unit = jnp.tile(jnp.array([[0.0, 0.5, 2.0]]), (len(Q), 1))
    omega = np.asarray(dense.data.coords["omega"])
    expected = 0.5 + 2.0 * omega / np.max(np.abs(omega))
    np.testing.assert_allclose(curves(dense, x, unit)[1], expected, rtol=1e-12)


@pytest.mark.parametrize(
    "p",
    [
        [0.15, 0.0, 0.06, 0.5],
        [1e-4, 0.05, 0.06, 0.5],
        [0.15, 0.05, 0.2, 0.2],
        [1e-4, 0.0, 1e-3, 1e-3],
    ],
    ids=["u2=0", "D at its bound", "D_s=D_t", "corner"],
)
def test_the_triple_is_finite_at_special_points(both, p):
    """Q = 0 is among the bins, and the kernels hold zeros."""
    _, dense, _ = both
    x = dense.start().at[:4].set(jnp.asarray(p))
    assert all(np.all(np.isfinite(v)) for v in _normal(dense, x))


def test_the_gradient_agrees_with_differences_of_the_cost(both):
    _, dense, _ = both
    x = dense.start().at[:4].set(jnp.asarray(P)).at[4].set(0.004)
    gradient = np.asarray(_normal(dense, x)[1])
    for i in range(5):
        h = 1e-4 * max(abs(float(x[i])), 0.01)
        f = [float(_normal(dense, x.at[i].add(k * h))[2]) for k in (-2, -1, 1, 2)]
        slope = (f[0] - 8 * f[1] + 8 * f[2] - f[3]) / (12 * h)
        np.testing.assert_allclose(gradient[i], slope, rtol=1e-6)


@pytest.mark.parametrize("kind", ["uniform", "dense"])
def test_center_moves_the_model_by_exactly_that(kind):
    """A kernel on an axis moved by d equals the model moved by d."""
    omega, (axis, kernel), mode = CASES[kind]
    del mode
    row = [(omega, np.ones_like(omega), np.ones_like(omega), 1.1)]
    here = qens.problem(qens.from_bins(row, (axis, kernel)), center="global")
    there = qens.problem(qens.from_bins(row, (axis + 0.0077, kernel)), center="global")
    x = here.start()
    unit = jnp.array([[1.0, 0.0]])
    np.testing.assert_allclose(
        curves(here, x.at[4].set(0.0077), unit), curves(there, x, unit), rtol=1e-9
    )


def test_q_smooth_amplitudes_are_linear_in_q():
    smooth = made("gaussian", amplitude="q_smooth")
    x = smooth.start()
    a = jnp.tile(jnp.array([[1.0, 0.5, 0.0]]), (len(Q), 1))
    alone = made("gaussian", amplitude="per_q", background="none")
    shape = curves(alone, x, jnp.ones((len(Q), 1)))
    np.testing.assert_allclose(
        curves(smooth, x, a), shape * (1 + 0.5 * Q)[:, None], rtol=1e-12
    )
    assert [m.shared for m in smooth.linear] == [True, True, False]


def test_sampling_coordinates_have_the_jacobian_of_their_sum_and_fraction():
    top = made("gaussian")
    (group,) = top.model.sampling_coordinates
    x = jnp.array([0.3, 0.9])
    z = group.to_z(x)
    np.testing.assert_allclose(z, [1.2, 0.25], rtol=1e-14)
    np.testing.assert_allclose(group.to_x(z), x, rtol=1e-14)
    jacobian = jax.jacfwd(group.to_x.function)(z)
    np.testing.assert_allclose(abs(np.linalg.det(jacobian)), z[0], rtol=1e-13)
    u = top.coordinates.to_u(jnp.asarray(P))
    back, log_slope = top.coordinates.to_x(u)
    np.testing.assert_allclose(back, P, rtol=1e-10)
    full = jax.jacfwd(lambda u: top.coordinates.to_x(u)[0])(u)
    np.testing.assert_allclose(log_slope, np.linalg.slogdet(full)[1], rtol=1e-9)


@pytest.mark.parametrize("ordering", ["oblate", "prolate", None])
def test_ordering_restricts_the_support_of_the_sampling_coordinates(ordering):
    top = made("gaussian", ordering=ordering)
    (group,) = top.model.sampling_coordinates
    lo, hi = np.array([1e-3, 1e-3]), np.array([2.0, 5.0])
    z_lo, z_hi = group.support(lo, hi)
    corners = [1e-3 / 5.001, 2.0 / 2.001]
    expected = {
        "oblate": (corners[0], 0.5),
        "prolate": (0.5, corners[1]),
        None: tuple(corners),
    }[ordering]
    np.testing.assert_allclose([z_lo[1], z_hi[1]], expected, rtol=1e-12)
    np.testing.assert_allclose([z_lo[0], z_hi[0]], [2e-3, 7.0], rtol=1e-12)
    u = 3.0 * np.random.default_rng(0).standard_normal((200, 4))
    x = np.asarray(jax.vmap(lambda u: top.coordinates.to_x(u)[0])(jnp.asarray(u)))
    side = np.sign(x[:, 3] - x[:, 2])
    allowed = {"oblate": {1.0}, "prolate": {-1.0}, None: {-1.0, 1.0}}[ordering]
    assert set(side) == allowed
    start = top.named(top.start())
    if ordering is not None:
        assert np.sign(start["D_s"] - start["D_t"]) in allowed


def lorentzian_with_center(omega, q, params, sigma_res, power=1.0):
    """A user's model in jax.numpy on top of `predict_sqw`."""
    return qens.predict_sqw(
        omega,
        q,
        d_translation=params[0] * power,
        u2=params[1],
        rotation_model="none",
        sigma_res=sigma_res,
    )


USER = qens.ForwardModel(
    "user",
    ("D", "u2"),
    (1e-3, 0.0),
    (1.0, 0.5),
    lorentzian_with_center,
    {"power": 1.0},
)


def with_model(kind, model, **options):
    omega, sigma_res, mode = CASES[kind]
    rows = [(omega, np.ones_like(omega), np.ones_like(omega), float(q)) for q in Q]
    data = qens.from_bins(rows, sigma_res, mode=mode)
    return qens.problem(data, model, amplitude="global", center="global", **options)


@pytest.mark.parametrize("kind", list(CASES))
def test_a_users_model_equals_the_built_in_one_and_follows_the_center(kind):
    x = jnp.array([0.2, 0.1, 0.02])
    unit = jnp.tile(jnp.array([[1.0, 0.0]]), (len(Q), 1))
    built_in = curves(with_model(kind, "translation_only"), x, unit)
    np.testing.assert_allclose(
        curves(with_model(kind, USER), x, unit), built_in, rtol=1e-12
    )
    twice = curves(with_model(kind, USER, power=2.0), x.at[0].set(0.1), unit)
    np.testing.assert_allclose(twice, built_in, rtol=1e-12)


def numpy_model(omega, q, params, sigma_res):
    """The same in NumPy for a Gaussian: refuses what lies outside its prior."""
    if not isinstance(omega, np.ndarray) or params[1] < 0:
        raise ValueError(f"called with {type(omega)} and u2 = {params[1]}")
    width = max(js.constants.HBAR * params[0] * q**2, 1e-5)
    line = np.asarray(voigt(omega, sigma_res, width))
    return np.exp(-(q**2) * params[1] / 3) * line


NUMPY = qens.ForwardModel(
    "numpy", ("D", "u2"), (1e-3, 0.0), (1.0, 0.5), numpy_model, jax=False
)


def test_a_numpy_model_has_the_derivatives_of_its_jax_twin():
    """At u2 = 0, its bound, the difference is one-sided: the model refuses u2 < 0."""
    ours, theirs = (with_model("gaussian", m) for m in ("translation_only", NUMPY))
    x = jnp.array([0.2, 0.0, 0.01])
    expected, out = _normal(ours, x), _normal(theirs, x)
    np.testing.assert_allclose(out[2], expected[2], rtol=1e-10)
    np.testing.assert_allclose(out[1], expected[1], rtol=1e-5)
    np.testing.assert_allclose(
        out[0], expected[0], rtol=1e-5, atol=1e-6 * np.max(np.abs(expected[0]))
    )


def test_a_numpy_model_gets_a_formula_for_the_resolution_as_a_profile():
    """What `predict_sqw` takes, so that it can pass it on."""

    def passed_on(omega, q, params, sigma_res):
        assert isinstance(sigma_res, qens.Profile)
        return qens.predict_sqw(
            omega,
            q,
            d_translation=params[0],
            u2=0.0,
            rotation_model="none",
            sigma_res=sigma_res,
        )

    model = qens.ForwardModel("on", ("D",), (1e-3,), (1.0,), passed_on, jax=False)
    profile = qens.Profile(np.array([[1.0, 0.0, 0.06, 0.0]]))
    row = [(OMEGA, np.ones_like(OMEGA), np.ones_like(OMEGA), 1.1)]
    problem = qens.problem(qens.from_bins(row, profile), model, background="none")
    out = curves(problem, jnp.array([0.2]), jnp.ones((1, 1)))
    exact = voigt(OMEGA, 0.06, js.constants.HBAR * 0.2 * 1.1**2)
    np.testing.assert_allclose(out[0], exact, rtol=1e-9)


@pytest.mark.slow
def test_a_numpy_model_is_refused_by_nuts_by_name_and_samples_in_ensembles():
    data = qens.simulate(
        "translation_only",
        {"D_translation": 0.25, "u2": 0.25},
        q=[0.8, 1.6],
        omega=np.linspace(-1, 1, 31),
        sigma_res=0.06,
        noise=0.02,
    )
    problem = qens.problem(data, NUMPY, amplitude="global")
    assert not problem.model.has_gradient
    with pytest.raises(ModelError, match="'numpy' has no gradient"):
        js.sample(problem)
    best = js.fit(problem, warn=False)
    assert best.success
    same = qens.problem(data, "translation_only", amplitude="global")
    twin = js.fit(same, warn=False)
    np.testing.assert_allclose(best.x, twin.x, rtol=1e-4)
    post = js.sample(problem, "aies", best, walkers=4, warmup=3, draws=3, warn=False)
    assert np.all(np.isfinite(post.draws["D"]))


def test_components_alone_make_a_model_with_an_elastic_line():
    """A fraction f that does not move: its weight goes to a line of no width."""

    def components(q, theta, ratio=1.0):
        f = theta["immobile"]
        width = ratio * theta["slope"] * q**2
        return jnp.stack([f, 1 - f]), jnp.stack([0.0 * width, width])

    model = qens.ForwardModel(
        "immobile",
        ("immobile", "slope"),
        (0.0, 0.01),
        (1.0, 1.0),
        None,
        {"ratio": 1.0},
        components=components,
    )
    problem = with_model("gaussian", model, ratio=2.0)
    unit = jnp.tile(jnp.array([[1.0, 0.0]]), (len(Q), 1))
    out = curves(problem, jnp.array([0.3, 0.1, 0.0]), unit)
    expected = 0.3 * voigt(OMEGA, 0.07, 0.0) + 0.7 * voigt(OMEGA, 0.07, 0.2 * 1.4**2)
    np.testing.assert_allclose(out[2], expected, rtol=1e-12)
    alone = model.predict(OMEGA, 1.4, [0.3, 0.1], 0.07, ratio=2.0)
    np.testing.assert_allclose(alone, expected, rtol=1e-12)


def test_points_without_an_error_are_masked():
    y = np.ones_like(OMEGA)
    errs = np.where(np.arange(OMEGA.size) % 10 == 0, 0.0, 1.0)
    y[3] = np.nan
    data = qens.from_bins([(OMEGA, y, errs, 1.0)], 0.05)
    assert data.n_valid == OMEGA.size - 13 - 1
    problem = qens.problem(data, "translation_only")
    assert np.isfinite(float(_normal(problem, problem.start())[2]))
