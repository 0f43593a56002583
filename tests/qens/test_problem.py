"""QENS problems: what they recover, report and refuse; simulated data."""

import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.optimize import minimize
from scipy.special import exprel, spherical_jn, voigt_profile
from scipy.stats import poisson

import jaxscatter as js
from jaxscatter import qens
from jaxscatter.constants import HBAR, KB
from jaxscatter.errors import DataError, FitWarning, ModelError, ParameterError

OMEGA = np.linspace(-1.0, 1.0, 101)
Q = np.array([0.5, 0.9, 1.3, 1.7])
TRUTH = {"D_translation": 0.2, "u2": 0.1}


@pytest.fixture(scope="module")
def moving():
    return qens.simulate(
        "translation_only",
        TRUTH,
        q=Q,
        omega=OMEGA,
        sigma_res=0.05,
        amplitude=3.0,
        background=0.2,
        noise=0.01,
        seed=1,
    )


def top_data(d_t, d_s, seed=0):
    values = {"D_translation": 0.15, "u2": 0.05, "D_t": d_t, "D_s": d_s}
    return qens.simulate(
        "anisotropic_rotor",
        values,
        q=Q,
        omega=OMEGA,
        sigma_res=0.05,
        amplitude=3.0,
        background=0.1,
        noise=0.02,
        seed=seed,
    )


@jax.jit
def normal(problem, x):
    triple = problem.normal(x)
    return triple.hessian, triple.gradient, triple.cost


def test_simulated_noise_has_the_stated_size(moving):
    """χ² of the noise about the truth is that of its points, and σ follows √signal."""
    problem = qens.problem(moving, "translation_only", amplitude="global")
    a = jnp.tile(jnp.array([[3.0, 0.2]]), (len(Q), 1))
    x = jnp.array([TRUTH["D_translation"], TRUTH["u2"]])
    truth = np.asarray(eqx.filter_jit(lambda p, x, a: p.predict(x, a))(problem, x, a))
    z = (moving.y - truth) / moving.sigma
    n = z.size
    assert abs(np.sum(z**2) - n) < 5 * np.sqrt(2 * n)
    top = truth.max()
    np.testing.assert_allclose(
        moving.sigma, 0.01 * top * np.sqrt(np.maximum(truth / top, 0.01)), rtol=1e-9
    )
    again = qens.simulate(
        "translation_only",
        TRUTH,
        q=Q,
        omega=OMEGA,
        sigma_res=0.05,
        amplitude=3.0,
        background=0.2,
        noise=0.01,
        seed=1,
    )
    np.testing.assert_array_equal(again.y, moving.y)


def test_a_fit_recovers_what_was_simulated(moving):
    best = js.fit(qens.problem(moving, "translation_only"))
    assert best.success
    for name, value in TRUTH.items():
        error = best.parameters["stderr"][list(best.parameters["name"]).index(name)]
        assert 0 < error < 0.5 * value
        assert abs(best[name] - value) < 4 * error
    assert 0.7 < best.statistics["red_chi2"] < 1.3


def test_u2_is_seen_by_a_common_amplitude_and_not_by_one_per_q(moving):
    free = qens.problem(moving, "translation_only", amplitude="per_q")
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        best = js.fit(free)
    assert any(issubclass(w.category, FitWarning) for w in caught)
    head = best.summary().splitlines()[:4]
    assert any("u2" in line and line.startswith("!") for line in head)
    u2 = list(best.parameters["name"]).index("u2")
    assert best.parameters["stderr"][u2] == np.inf
    common = js.fit(qens.problem(moving, "translation_only", amplitude="global"))
    assert np.isfinite(common.parameters["stderr"][u2])
    assert not any("u2" in w for w in common.warnings)


def test_chi2_does_not_change_when_data_and_errors_are_scaled_together(moving):
    bins = [(OMEGA, y, s, q) for y, s, q in zip(moving.y, moving.sigma, Q, strict=True)]
    scaled = [(w, 7.0 * y, 7.0 * s, q) for w, y, s, q in bins]
    x = jnp.array([0.17, 0.03])
    for amplitude in ("per_q", "global", "q_smooth"):
        one, other = (
            qens.problem(
                qens.from_bins(b, 0.05), "translation_only", amplitude=amplitude
            )
            for b in (bins, scaled)
        )
        np.testing.assert_allclose(normal(one, x)[2], normal(other, x)[2], rtol=1e-10)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["global", "per_q"])
def test_a_shift_of_the_elastic_line_is_recovered(kind):
    shifts = np.full(4, 0.011) if kind == "global" else np.array([-2, 1, 0, 3]) * 0.007
    rng = np.random.default_rng(5)
    bins = []
    for q, c in zip(Q, shifts, strict=True):
        y = 0.1 + 3 * np.asarray(
            qens.predict_sqw(
                OMEGA - c,
                q,
                d_translation=0.2,
                u2=0.1,
                rotation_model="none",
                sigma_res=0.05,
            )
        )
        s = np.full_like(y, 0.02)
        bins.append((OMEGA, y + s * rng.standard_normal(y.size), s, q))
    problem = qens.problem(
        qens.from_bins(bins, 0.05), "translation_only", center=kind, amplitude="global"
    )
    # some backgrounds of this noise end at 0, which is said
    best = js.fit(problem, warn=False)
    assert best.success
    at = [i for i, n in enumerate(best.labels) if n.startswith("center")]
    assert len(at) == (1 if kind == "global" else 4)
    errors = np.sqrt(np.diagonal(best.cov))[at]
    assert np.all(errors < 0.002)
    assert np.all(np.abs(best.x[at] - shifts[: len(at)]) < 4 * errors)


@pytest.mark.slow
def test_explicit_amplitudes_have_a_finite_posterior(moving):
    problem = qens.problem(moving, "translation_only", inference="explicit")
    names = set(problem.parameters.names)
    assert {"amplitude", "background", "D_translation"} <= names
    assert problem.n_parameters == 2 + 1 + len(Q)
    value, slope = eqx.filter_jit(
        lambda p, x: jax.value_and_grad(lambda x: p.logpost(x))(x)
    )(problem, problem.start())
    assert np.isfinite(value) and np.all(np.isfinite(slope))


def test_inference_options_decide_how_sampling_treats_amplitudes(moving):
    modes = {
        how: qens.problem(moving, "translation_only", inference=how).default_linear_mode
        for how in ("marginal", "profile")
    }
    assert modes == {"marginal": "nonnegative", "profile": "profile"}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["linear", "quadratic"])
def test_a_polynomial_background_is_recovered(moving, kind):
    x = OMEGA / np.max(np.abs(OMEGA))
    added = 0.15 * x + (0.4 * x**2 if kind == "quadratic" else 0.0)
    bins = [
        (OMEGA, y + added, s, q)
        for y, s, q in zip(moving.y, moving.sigma, Q, strict=True)
    ]
    data = qens.from_bins(bins, 0.05)
    best = js.fit(qens.problem(data, "translation_only", background=kind))
    table = best.linear
    truth = {"slope": 0.15} | ({"curvature": 0.4} if kind == "quadratic" else {})
    for name, value in truth.items():
        rows = [i for i, n in enumerate(table["label"]) if str(n).startswith(name)]
        assert len(rows) == len(Q)
        for i in rows:
            assert abs(table["value"][i] - value) < 4 * table["stderr"][i] < 0.2


def test_a_second_dataset_of_one_shape_does_not_compile_again():
    one, other = top_data(0.1, 0.4), top_data(0.1, 0.4, seed=9)
    first = qens.problem(one, "anisotropic_rotor", amplitude="global")
    x = first.start()
    normal(first, x)
    compiled = normal._cache_size()
    named = qens.from_bins(
        [(OMEGA, y, s, q) for y, s, q in zip(other.y, other.sigma, Q, strict=True)],
        0.07,
        metadata={"sample": "another title"},
    )
    for data in (other, named):
        normal(qens.problem(data, "anisotropic_rotor", amplitude="global"), x)
    assert normal._cache_size() == compiled
    normal(qens.problem(other, "anisotropic_rotor", amplitude="global", lmax=3), x)
    assert normal._cache_size() == compiled + 1


TEMPERATURE = 12.0


def balanced(q, d, u2, convention="bose", center=0.0, sigma=0.05):
    """Quadrature of F(e) exp(-Q²u2/3) L(e; ħDQ²) R(ω - e) over e = ω - c - v."""
    v = np.linspace(-8 * sigma, 8 * sigma, 4001)
    e = OMEGA[:, None] - center - v[None, :]
    x, width = e / (KB * TEMPERATURE), HBAR * d * q**2
    factor = 1 / exprel(-x) if convention == "bose" else np.exp(x / 2)
    line = factor * width / np.pi / (e**2 + width**2)
    kernel = np.exp(-0.5 * (v / sigma) ** 2) / (sigma * np.sqrt(2 * np.pi))
    return np.exp(-(q**2) * u2 / 3) * np.sum(line * kernel, axis=1) * (v[1] - v[0])


@pytest.mark.parametrize(
    ("kind", "center", "convention"),
    [
        ("gaussian", "fixed", "bose"),
        ("kernel", "global", "exp_half"),
        pytest.param("gaussian", "global", "exp_half", marks=pytest.mark.slow),
        pytest.param("kernel", "fixed", "bose", marks=pytest.mark.slow),
    ],
)
def test_curves_at_a_temperature_are_those_of_predict_sqw(kind, center, convention):
    step = OMEGA[1] - OMEGA[0]
    axis = np.arange(-25, 26) * step
    sigma_res = 0.05 if kind == "gaussian" else (axis, np.exp(-200 * axis**2))
    rows = [(OMEGA, np.ones_like(OMEGA), np.ones_like(OMEGA), q) for q in Q[:2]]
    asked = {"temperature": TEMPERATURE, "detailed_balance": convention}
    problem = qens.problem(
        qens.from_bins(rows, sigma_res), "translation_only", center=center, **asked
    )
    shift = 0.013 if center == "global" else 0.0
    x = jnp.array([0.31, 0.08, shift][: problem.n_parameters])
    a = jnp.tile(jnp.array([[3.0, 0.2]]), (2, 1))
    out = eqx.filter_jit(lambda p, x, a: p.predict(x, a))(problem, x, a)
    for row, q in zip(np.asarray(out), Q[:2], strict=True):
        same = qens.predict_sqw(
            OMEGA - shift,
            q,
            d_translation=0.31,
            u2=0.08,
            rotation_model="none",
            sigma_res=sigma_res,
            **asked,
        )
        np.testing.assert_allclose(row, 3 * np.asarray(same) + 0.2, rtol=1e-9)
        exact = balanced(q, 0.31, 0.08, convention, shift)
        np.testing.assert_allclose(row, 3 * exact + 0.2, rtol=1e-5)


@pytest.mark.slow
def test_a_fit_without_the_temperature_of_the_data_is_worse():
    rng = np.random.default_rng(11)
    bins = []
    for q in Q[1:]:
        y = 3.0 * balanced(q, 0.3, 0.1) + 0.2
        s = np.full_like(y, 0.02)
        bins.append((OMEGA, y + s * rng.standard_normal(y.size), s, q))
    data = qens.from_bins(bins, 0.05)
    right, wrong = (
        js.fit(qens.problem(data, "translation_only", temperature=t), warn=False)
        for t in (TEMPERATURE, None)
    )
    assert right.success
    assert 0 < right.error("D_translation") < 0.03
    assert abs(right["D_translation"] - 0.3) < 4 * right.error("D_translation")
    assert 0.7 < right.statistics["red_chi2"] < 1.3
    assert wrong.statistics["chi2"] > right.statistics["chi2"] + 100


COUNTED = np.linspace(-1.0, 1.0, 61)
TWO_Q = np.array([0.8, 1.5])
NOISE = np.where(COUNTED > 0, 0.2, 0.05)
EXTRA = {"scale": ("noise_scale", 2.0), "jitter": ("jitter", 0.15)}


def spectra(d, a, b):
    """a V(ω; σ, ħDQ²) exp(-Q²u2/3) + b at two Q, u2 = 0.1."""
    lines = [voigt_profile(COUNTED, 0.05, HBAR * d * q**2) for q in TWO_Q]
    falls = np.exp(-(TWO_Q**2) * 0.1 / 3)
    return a * falls[:, None] * np.array(lines) + np.asarray(b)[:, None]


def measured(word, rng):
    """Spectra whose noise is what the word says, about D = 0.13."""
    clean = spectra(0.13, 10.0, [2.0, 3.0])
    normal = rng.standard_normal(clean.shape)
    if word == "poisson":
        return rng.poisson(clean).astype(float)
    if word == "scale":
        return clean + 2.0 * NOISE * normal
    if word == "jitter":
        return clean + np.hypot(NOISE, 0.15) * normal
    y = clean + NOISE * normal
    y[:, 3::10] += 2.0  # 10 to 40 standard deviations
    return y


def cost(word, y, d, a, b, noise):
    """-log L up to a constant."""
    mu = spectra(d, a, b)
    if word == "poisson":
        return np.sum(mu - y * np.log(mu))
    z2 = ((y - mu) / NOISE) ** 2
    if word == "student_t":
        return np.sum(2.5 * np.log1p(z2 / 4))
    v = noise**2 if word == "scale" else 1 + (noise / NOISE) ** 2
    return 0.5 * np.sum(z2 / v + np.log(v))


@pytest.mark.parametrize(
    "word",
    [
        "scale",
        *(
            pytest.param(w, marks=pytest.mark.slow)
            for w in ("poisson", "student_t", "jitter")
        ),
    ],
)
def test_each_word_for_a_likelihood_fits_noise_of_its_kind(word):
    """To the largest likelihood that SciPy finds, and D to four of its errors."""
    y = measured(word, np.random.default_rng(2))
    rows = [(COUNTED, row, NOISE, q) for row, q in zip(y, TWO_Q, strict=True)]
    problem = qens.problem(
        qens.from_bins(rows, 0.05),
        "translation_only",
        likelihood=word,
        parameters={"u2": {"value": 0.1, "fixed": True}},
    )
    best = js.fit(problem, warn=False)
    assert best.success
    error = best.error("D_translation")
    assert 0 < error < 0.02
    assert abs(best["D_translation"] - 0.13) < 4 * error
    peer = minimize(
        lambda p: cost(word, y, p[0], p[1], p[2:4], p[4]),
        [0.13, 10.0, 2.0, 3.0, EXTRA.get(word, ("", 1.0))[1]],
        method="L-BFGS-B",
        bounds=[(0.01, 1.0), (1.0, 50.0), (0.1, 9.0), (0.1, 9.0), (1e-3, 9.0)],
        options={"ftol": 1e-14, "gtol": 1e-8, "maxiter": 500},
    ).x
    assert abs(best["D_translation"] - peer[0]) < 0.01 * error
    if word in EXTRA:
        name, truth = EXTRA[word]
        np.testing.assert_allclose(best[name], peer[4], rtol=1e-3)
        assert abs(best[name] - truth) < 4 * best.error(name)


def sides(result):
    """Signs of D_s - D_t of the distinct optima."""
    return np.sign(result.optima["D_s"] - result.optima["D_t"])


@pytest.mark.slow
def test_both_rotor_modes_are_reported_and_the_right_one_is_best():
    problem = qens.problem(top_data(0.05, 0.5), "anisotropic_rotor", lmax=2)
    best = js.multistart(problem, n=32, seed=0, keep=16, warn=False)
    assert best["D_s"] > 3 * best["D_t"]
    assert {-1.0, 1.0} <= set(sides(best))


def test_data_of_an_isotropic_rotor_show_both_modes():
    problem = qens.problem(top_data(0.2, 0.2), "anisotropic_rotor", lmax=2)
    best = js.multistart(problem, n=32, seed=0, keep=16, warn=False)
    assert {-1.0, 1.0} <= set(sides(best))
    assert "multimodal" in best.flags


BIN = (OMEGA, np.ones_like(OMEGA), np.ones_like(OMEGA), 1.0)


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"model": "tumbler"}, KeyError, "tumbler"),
        ({"amplitude": "each"}, ModelError, "amplitude is 'each'; expected one of"),
        ({"background": "cubic"}, ModelError, "background is 'cubic'"),
        ({"inference": "map"}, ModelError, "inference is 'map'"),
        ({"ordering": "flat"}, ModelError, "ordering is 'flat'"),
        ({"center": "yes"}, ModelError, "center is 'yes'"),
        ({"radius": 0.0}, ParameterError, "radius is 0.0 Å"),
        ({"radius": -1.0}, ParameterError, "radius is -1.0 Å"),
        ({"lmax": 2.5}, ParameterError, "lmax is 2.5"),
        ({"lmax": -1}, ParameterError, "lmax is -1"),
        ({"radios": 1.0}, TypeError, "did you mean 'radius'"),
        ({"chunk": 0}, DataError, "chunk is 0"),
        (
            {"model": "isotropic_rotor", "ordering": "oblate"},
            ModelError,
            "no D_t and D_s",
        ),
        ({"parameters": {"D_q": 1.0}}, ParameterError, "D_q"),
        ({"parameters": {"D_t": -1.0}}, ParameterError, "D_t"),
    ],
)
def test_options_that_do_not_exist_are_named(changes, error, text):
    data = qens.from_bins([BIN] * 2, 0.05)
    settings = {"model": "anisotropic_rotor", **changes}
    with pytest.raises(error, match=text):
        qens.problem(data, settings.pop("model"), **settings)


def test_data_without_energies_or_resolution_are_refused():
    with pytest.raises(DataError, match="no coordinate 'omega'"):
        qens.problem(js.Dataset(np.ones((2, 5))), "translation_only")
    bare = js.Dataset(
        np.ones((2, 5)), coords={"omega": np.arange(5.0), "q": np.ones(2)}
    )
    with pytest.raises(DataError, match="no resolution"):
        qens.problem(bare, "translation_only")


def test_simulate_names_parameters_it_does_not_have():
    with pytest.raises(ParameterError, match=r"no parameters \['D_r'\]"):
        qens.simulate(
            "translation_only", {"D_r": 1.0}, q=[1.0], omega=OMEGA, sigma_res=0.05
        )


def test_a_default_lmax_that_leaves_out_intensity_is_said():
    """At QR = 1.7 x 2 Å, Σ (2l + 1) j_l² is 79 % up to l = 2 and 99.3 % up to l = 5."""
    model = "jump * isotropic"
    data = qens.simulate(
        model, q=Q, omega=OMEGA, sigma_res=0.05, noise=0.05, radius=2.0, lmax=8
    )
    (said,) = qens.problem(data, model, radius=2.0).warnings
    order = np.arange(6)
    each = (2 * order + 1) * spherical_jn(order, 3.4) ** 2
    assert f"lmax = 2 (the default) holds {each[:3].sum():.0%}" in said
    enough = int(np.argmax(np.cumsum(each) > 0.99))
    assert said.endswith(f"lmax={enough} holds 99 %")
    assert qens.problem(data, model, radius=2.0, lmax=5).warnings == ()
    assert qens.problem(data, model, radius=0.5).warnings == ()


def test_a_well_gets_the_terms_that_its_bounds_and_q_ask_for():
    """Poisson weights of mean Q²⟨u²⟩ = 25 x 10 add to one with the terms taken."""
    wide = qens.simulate(
        "gaussian_well", q=[1.0, 5.0], omega=OMEGA, sigma_res=0.05, noise=0.05
    )
    problem = qens.problem(wide, "gaussian_well")
    terms = dict(problem.model.extras)["terms"]
    assert poisson.sf(terms - 1, 250.0) < 1e-11
    plain = qens.problem(wide, "gaussian_well", terms=120)
    assert dict(plain.model.extras)["terms"] == 120
