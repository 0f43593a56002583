"""Composition of models: lines, tables, names and what is refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads

from jaxscatter import qens
from jaxscatter.errors import ModelError, ParameterError
from jaxscatter.qens import ForwardModel

OMEGA = np.linspace(-1.0, 1.0, 41)


def piece(name):
    return qens.get_model(name)


def lines(model, q, **theta):
    return [np.asarray(x) for x in model.components(q, theta, **model.extras)]


def test_in_prior_is_strict_and_draws_lie_inside():
    model = ForwardModel("m", ("a", "b"), (0.0, 1.0), (1.0, 3.0), lambda *a: 0)
    assert model.in_prior([0.5, 2.0])
    assert not model.in_prior([0.0, 2.0])
    assert not model.in_prior([0.5, 3.0])
    assert not model.in_prior([np.nan, 2.0])
    rng = np.random.default_rng(0)
    draws = np.array([model.random_in_prior(rng) for _ in range(200)])
    assert all(model.in_prior(d) for d in draws)
    np.testing.assert_allclose(draws.mean(0), [0.5, 2.0], atol=0.15)
    with pytest.raises(ParameterError, match=r"shape \(3,\); expected \(2,\)"):
        model.in_prior([0.5, 2.0, 1.0])


def test_a_product_pairs_every_line_with_every_other():
    """The intermediate functions Σ w exp(-Γt) multiply."""
    a, b = piece("isotropic"), piece("n_sites")
    both = a * b
    theta = {"D_r": 0.2, "radius_sites": 1.0, "tau_site": 3.0}
    (wa, ga), (wb, gb), (w, g) = (lines(m, 1.3, **theta) for m in (a, b, both))
    for t in (0.0, 0.7, 5.0):
        one, two = np.sum(wa * np.exp(-ga * t)), np.sum(wb * np.exp(-gb * t))
        np.testing.assert_allclose(np.sum(w * np.exp(-g * t)), one * two, rtol=1e-13)
    assert both.param_names == ("D_r", "radius_sites", "tau_site")
    assert both.extras == {**a.extras, **b.extras}


def test_products_do_not_depend_on_order_or_brackets():
    a, b, c = (piece(n) for n in ("fickian", "debye_waller", "isotropic"))
    theta = {"D_translation": 0.2, "u2": 0.1, "D_r": 0.3}
    first = lines((a * b) * c, 1.0, **theta)
    second = lines(c * (b * a), 1.0, **theta)
    np.testing.assert_allclose(first, second, rtol=1e-14)


def test_a_sum_shares_the_intensity():
    a, b = piece("fickian"), piece("elastic")
    both = a + b
    assert both.param_names == ("D_translation", "fraction")
    weights, widths = lines(both, 1.0, D_translation=0.2, fraction=0.3)
    np.testing.assert_allclose(weights, [0.3, 0.7])
    assert widths[1] == 0.0
    three = both + piece("lorentzian")
    assert three.param_names[-1] == "fraction_2"
    weights, _ = lines(
        three, 1.0, D_translation=0.2, fraction=0.3, hwhm=0.1, fraction_2=0.6
    )
    np.testing.assert_allclose(weights, [0.18, 0.42, 0.4])


def test_renaming_keeps_two_diffusion_coefficients_apart():
    slow = piece("fickian").renamed(D_translation="D_slow")
    both = piece("fickian") + slow
    assert both.param_names == ("D_translation", "D_slow", "fraction")
    _, widths = lines(both, 1.0, D_translation=0.2, D_slow=0.02, fraction=0.5)
    np.testing.assert_allclose(widths[0] / widths[1], 10.0)
    assert both.parameters()["D_slow"].unit == "Å²/ps"
    assert slow is piece("fickian").renamed(D_translation="D_slow")
    assert both.name == "fickian + fickian[D_slow]"


def test_settings_can_be_renamed_too():
    near, far = piece("isotropic"), piece("isotropic").renamed(D_r="D_far", radius="R2")
    both = near * far.renamed(lmax="lmax_2")
    assert {"radius", "R2", "lmax", "lmax_2"} <= set(both.extras)
    w, _ = both.components(
        1.0, {"D_r": 0.1, "D_far": 0.2}, **{**both.extras, "R2": 1e-9}
    )
    alone, _ = near.components(1.0, {"D_r": 0.1}, **near.extras)
    np.testing.assert_allclose(np.asarray(w).reshape(3, 3).sum(1), alone, rtol=1e-12)


def test_what_is_constant_in_a_fit_is_handed_through_a_product():
    both = piece("isotropic") * piece("anisotropic") * piece("debye_waller")
    theta = {"D_r": 0.1, "D_t": 0.2, "D_s": 0.3, "u2": 0.05}
    known = both.constants(1.1, **both.extras)
    plain = both.components(1.1, theta, **both.extras)
    given = both.components(1.1, theta, constants=known, **both.extras)
    for a, b in zip(plain, given, strict=True):
        np.testing.assert_array_equal(a, b)


def test_a_phonon_is_added_or_multiplied_by_a_factor():
    model = (piece("fickian") + piece("dho")) * piece("debye_waller")
    theta = {
        "D_translation": 0.2,
        "fraction": 0.8,
        "omega_0": 0.5,
        "damping": 0.2,
        "u2": 0.3,
    }
    shape = model.continuum(jnp.asarray(OMEGA), 1.0, theta)
    one = qens.dho(OMEGA, 0.5, 0.2)
    np.testing.assert_allclose(shape, 0.2 * np.exp(-0.1) * one, rtol=1e-12)
    with pytest.raises(ModelError, match="add it to the product instead"):
        piece("dho") * piece("fickian")


@pytest.mark.parametrize("text", ["fickian", "debye_waller", "jump * isotropic"])
def test_a_sum_of_a_model_with_itself_is_refused(text):
    model = qens.get_model(text)
    with pytest.raises(ModelError, match="added to itself"):
        _ = model + model


def test_a_product_of_a_model_with_itself_is_refused():
    with pytest.raises(ModelError, match="'fickian' is multiplied by itself"):
        qens.get_model("fickian * fickian")
    fast = piece("fickian") * piece("fickian").renamed(D_translation="D_2")
    assert fast.param_names == ("D_translation", "D_2")


def test_settings_of_the_scatterer_have_to_be_given():
    """R = 2.48 Å is benzene's: a composition must not take it for water."""
    model = qens.get_model("jump * isotropic")
    omega = np.linspace(-1, 1, 41)
    for call in (
        lambda: model.predict(omega, 1.0, (0.2, 1.0, 0.2), 0.05),
        lambda: qens.simulate(model, q=[1.0], omega=omega, sigma_res=0.05),
    ):
        with pytest.raises(ParameterError, match=r"'jump \* isotropic' needs radius="):
            call()
    with pytest.raises(TypeError, match=r"no setting 'radus'.*did you mean 'radius'"):
        model.predict(omega, 1.0, (0.2, 1.0, 0.2), 0.05, radus=1.0)
    with pytest.raises(ParameterError, match=r"shape \(2,\); expected \(3,\)"):
        model.predict(omega, 1.0, (0.2, 1.0), 0.05, radius=1.0)
    both = model.renamed(radius="R1")
    assert both.needs == ("R1",)
    assert qens.get_model("isotropic_rotor").needs == ()


def test_shares_outside_zero_to_one_are_refused():
    omega = np.linspace(-1, 1, 41)
    with pytest.raises(ParameterError, match=r"A0 must be from 0 to 1, got 1\.5"):
        qens.get_model("delta_lorentz").predict(omega, 1.0, (1.5, 0.1), 0.05)
    with pytest.raises(ParameterError, match="share_1 must be from 0 to 1"):
        qens.get_model("two_lorentzian").predict(
            omega, 1.0, (0.5, -0.2, 0.1, 0.2), 0.05
        )


def test_conflicts_are_refused_by_name():
    two = piece("isotropic"), qens.get_model("jump_isotropic")
    with pytest.raises(ParameterError, match=r"setting '\w+' = .* rename one"):
        _ = two[0] * two[1]
    clash = piece("n_sites").renamed(radius_sites="radius")
    with pytest.raises(ParameterError, match="'radius' is a parameter in one of"):
        _ = piece("isotropic") * clash
    other = piece("fickian").renamed(D_translation="u2")
    with pytest.raises(ParameterError, match=r"'u2' in 'Å²/ps' and .* 'Å²'"):
        _ = other * piece("debye_waller")
    sums = piece("fickian") + piece("elastic"), piece("lorentzian") + piece("n_sites")
    with pytest.raises(ParameterError, match="'fraction', of two different sums"):
        _ = sums[0] * sums[1]
    with pytest.raises(ParameterError, match="did you mean 'D_translation'"):
        piece("fickian").renamed(D_translatio="D")
    with pytest.raises(ParameterError, match="twice after renaming"):
        piece("jump").renamed(tau="D_translation")
    mine = ForwardModel("mine", ("a",), (0.0,), (1.0,), lambda *a: 0)
    with pytest.raises(ModelError, match="'mine' is a `predict` function"):
        _ = mine * piece("fickian")
    assert mine.renamed(a="b").param_names == ("b",)
    with pytest.raises(TypeError):
        _ = mine * 2.0


def test_a_composition_predicts_jits_vmaps_and_has_gradients():
    model = qens.get_model("jump * n_sites * debye_waller")

    @jax.jit
    def f(p):
        return model.predict(OMEGA, 1.2, p, 0.04)

    p = jnp.array([0.2, 1.2, 1.03, 2.0, 0.05])
    np.testing.assert_allclose(f(p), model.predict(OMEGA, 1.2, p, 0.04), rtol=1e-10)
    check_grads(f, (p,), order=1, modes=("fwd", "rev"), rtol=1e-6)
    many = jnp.stack([p, 1.2 * p])
    np.testing.assert_allclose(jax.vmap(f)(many)[1], f(1.2 * p), rtol=1e-10)
