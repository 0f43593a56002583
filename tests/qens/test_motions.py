"""Every motion and composition against QENSmodels, and what holds for all of them."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy.special import spherical_jn, voigt_profile

import jaxscatter as js
from jaxscatter import qens
from jaxscatter.constants import HBAR
from jaxscatter.qens.motions import MOTIONS

# peer's model -> (ours, {our parameter: (peer's, factor)}, {our setting: peer's})
SAME = {
    "BrownianTranslationalDiffusion": ("fickian", {"D_translation": "D"}, {}),
    "ChudleyElliottDiffusion": (
        "chudley_elliott",
        {"D_translation": "D", "jump_length": "L"},
        {},
    ),
    "JumpTranslationalDiffusion": (
        "jump",
        {"D_translation": "D", "tau": "resTime"},
        {},
    ),
    "WaterTeixeira": (
        "jump * isotropic",
        {"D_translation": "D", "tau": "resTime", "D_r": "DR"},
        {"radius": "radius"},
    ),
    "GaussianModel3D": (
        "gaussian_well",
        {"D_well": "D", "u2_well": "variance_ux"},
        {},
    ),
    "IsotropicRotationalDiffusion": ("isotropic", {"D_r": "DR"}, {"radius": "radius"}),
    "EquivalentSitesCircle": (
        "n_sites",
        {"radius_sites": "radius", "tau_site": "resTime"},
        {"sites": "Nsites"},
    ),
    "JumpSitesLogNormDist": (
        "log_normal_sites",
        {"radius_sites": "radius", "tau_site": "resTime", "sigma_rate": "sigma"},
        {"sites": "Nsites"},
    ),
    "DeltaLorentz": ("delta_lorentz", {"A0": "A0", "hwhm": "hwhm"}, {}),
    "DeltaTwoLorentz": (
        "two_lorentzian",
        {"A0": "A0", "hwhm_1": "hwhm1", "hwhm_2": "hwhm2"},
        {},
    ),
}


def ours(case, q):
    """Weights and half widths in 1/ps of a peer's case."""
    name, params, settings = SAME[case["model"]]
    model, given = qens.get_model(name), case["params"]
    theta = {k: given[v] for k, v in params.items()}
    if name == "two_lorentzian":
        theta["share_1"] = given["A1"] / (1 - given["A0"])
    if name in ("delta_lorentz", "two_lorentzian"):
        theta |= {k: HBAR * v for k, v in theta.items() if k.startswith("hwhm")}
    extras = {**model.extras, **{k: given[v] for k, v in settings.items()}}
    if "lmax" in extras:
        extras["lmax"] = 5
    weights, widths = model.components(jnp.asarray(q), theta, **extras)
    return np.asarray(weights), np.asarray(widths) / HBAR


# every line of case 17, a wide distribution, is narrow at some rate
@pytest.mark.parametrize("index", [i for i in range(20) if i != 17])
def test_spectra_agree_with_qensmodels(reference, index):
    """Left out: lines so narrow that the peer divides them by their grid area."""
    stored = reference("qens/qensmodels_sqw.json")
    case, omega = stored["cases"][index], np.array(stored["omega"])
    scale, center = (case["params"].get(k, d) for k, d in (("scale", 1), ("center", 0)))
    seen = 0
    for q, row in zip(stored["q"], case["sqw"], strict=True):
        weights, widths = ours(case, q)
        broad = (weights != 0) & (widths > 0)
        if broad.any() and widths[broad].min() < 0.05:
            continue
        seen += 1
        w, g = weights[broad], widths[broad]
        x = omega[:, None] - center
        total = scale * np.sum(w * g / np.pi / (x**2 + g**2), axis=1)
        np.testing.assert_allclose(total, row, rtol=stored["rtol"], atol=1e-12)
    assert seen


def at_start(model, q):
    theta = {p.name: jnp.asarray(p.value) for p in model.parameters()}
    return model.components(q, theta, **model.extras)


@pytest.mark.parametrize("model", MOTIONS, ids=lambda m: m.name)
def test_intensities_add_to_one_and_widths_are_not_negative(model):
    weights, widths = at_start(model, jnp.asarray(0.6))
    expected = {"dho": 0.0, "debye_waller": np.exp(-0.36 * 0.05 / 3)}
    # l <= 2 at QR = 1.5 leaves out what l = 3 would carry
    loose = {"isotropic": 1e-2, "anisotropic": 1e-2, "sphere": 1e-3}
    np.testing.assert_allclose(
        np.sum(weights), expected.get(model.name, 1.0), atol=loose.get(model.name, 1e-6)
    )
    assert np.all(np.asarray(widths) >= 0)


@pytest.mark.parametrize("model", MOTIONS, ids=lambda m: m.name)
@pytest.mark.parametrize("q", [0.0, 1.1])
def test_every_motion_has_finite_gradients_in_and_on_its_box(model, q):
    if not model.n_params:
        return
    table = model.parameters()
    lo, hi = table.bounds()
    settings = dict(model.extras)

    @jax.jit
    def f(q, p):
        theta = dict(zip(model.param_names, p, strict=True))
        weights, widths = model.components(q, theta, **settings)
        out = jnp.concatenate([weights, widths])
        if model.continuum is not None:
            out = model.continuum(jnp.linspace(-1.0, 1.0, 5), q, theta, **settings)
        return jnp.sum(jnp.sin(out))

    for p in (table.pack(), jnp.asarray(lo), jnp.asarray(hi)):
        slopes = jax.grad(f, (0, 1))(jnp.asarray(q), jnp.asarray(p))
        assert all(np.all(np.isfinite(s)) for s in slopes)


COMPOSED = [
    "jump_isotropic",
    "chudley_elliott * debye_waller",
    "fickian_sphere",
    "fickian_sites",
    "gaussian_well * debye_waller",
    "hall_ross * log_normal_sites",
    "stretched",
    "(fickian + elastic) * debye_waller",
]


@pytest.mark.slow
@pytest.mark.parametrize("text", COMPOSED)
def test_every_composition_is_fitted_and_finds_its_truth(text):
    """One per cent errors at the peak; three σ per parameter, fewer than one in 100."""
    model = qens.get_model(text)
    table = model.parameters()
    lo, hi = table.bounds()
    start = np.asarray(table.pack())
    truth = np.clip(1.15 * start, lo, lo + 0.9 * (hi - lo))
    values = dict(zip(model.param_names, truth.tolist(), strict=True))
    data = qens.simulate(
        text,
        values,
        q=np.linspace(0.4, 2.0, 9),
        omega=np.linspace(-1.5, 1.5, 121),
        sigma_res=0.03,
        amplitude=5.0,
        background=0.02,
        seed=4,
    )
    fit = js.multistart(qens.problem(data, text, amplitude="global"), n=16, seed=1)
    assert fit.success
    pulls = [(fit[n] - v) / fit.error(n) for n, v in values.items()]
    assert np.all(np.abs(pulls) < 3.5), dict(zip(values, pulls, strict=True))
    assert 0.85 < fit.statistics["red_chi2"] < 1.15


@pytest.mark.slow
def test_the_posterior_of_a_composition_holds_its_truth():
    """Water as jumps and rotations, its spectra summed here from Voigt functions."""
    d, tau, d_r, u2 = 0.2, 1.3, 0.25, 0.06
    radius, lmax, sigma = 0.98, 3, 0.04
    omega, rng = np.linspace(-1.5, 1.5, 61), np.random.default_rng(8)
    bins = []
    for q in (0.4, 0.8, 1.2, 1.6, 2.0):
        jump = HBAR * d * q**2 / (1 + d * q**2 * tau)
        y = sum(
            (2 * n + 1)
            * spherical_jn(n, q * radius) ** 2
            * voigt_profile(omega, sigma, jump + HBAR * n * (n + 1) * d_r)
            for n in range(lmax + 1)
        )
        y = 5.0 * np.exp(-(q**2) * u2 / 3) * y + 0.1
        errors = 0.02 * np.sqrt(y * y.max())
        bins.append((omega, y + errors * rng.standard_normal(y.size), errors, q))
    problem = qens.problem(
        qens.from_bins(bins, sigma),
        "jump * isotropic * debye_waller",
        radius=radius,
        lmax=lmax,
        amplitude="global",
    )
    best = js.fit(problem, warn=False)
    post = js.sample(
        problem, "nuts", best, chains=2, warmup=200, draws=200, seed=3, warn=False
    )
    for name, truth in {"D_translation": d, "tau": tau, "D_r": d_r, "u2": u2}.items():
        mean, sd = np.mean(post.draws[name]), np.std(post.draws[name])
        assert abs(mean - truth) < 4 * sd, name
        # a posterior of these data, neither stuck nor the prior
        assert 0.5 * best.error(name) < sd < 2 * best.error(name), name
    assert np.std(post.draws["D_translation"]) < 0.2 * d
    assert np.max(post.diagnostics["rhat"]) < 1.1
    assert post.statistics["divergences"] == 0
