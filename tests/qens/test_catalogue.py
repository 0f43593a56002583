"""The registry of models, and expressions of their names."""

import numpy as np
import pytest

from jaxscatter import qens
from jaxscatter.errors import ModelError, ParameterError


def test_the_registry_knows_the_built_in_models_and_their_priors():
    assert {"translation_only", "isotropic_rotor", "anisotropic_rotor"} <= set(
        qens.available_models()
    )
    assert qens.available_models() == sorted(qens.available_models())
    top = qens.get_model("anisotropic_rotor")
    assert top.param_names == ("D_translation", "u2", "D_t", "D_s")
    assert top.prior_lo == (1e-4, 0.0, 1e-3, 1e-3)
    assert top.prior_hi == (1.0, 0.5, 2.0, 5.0)
    assert top.n_params == 4
    assert dict(top.extras)["radius"] == 2.48
    assert qens.get_model("isotropic_rotor").prior_hi == (1.0, 0.5, 5.0)


def test_unknown_names_are_key_errors_that_name_the_known():
    with pytest.raises(KeyError, match="did you mean 'isotropic_rotor'"):
        qens.get_model("isotropic_rotr")
    with pytest.raises(KeyError, match="translation_only"):
        qens.get_model("nothing like it")


@pytest.fixture
def registered():
    name = "test_lorentzian"
    table = {
        "param_names": ["width"],
        "prior_lo": [0.01],
        "prior_hi": [1.0],
        "predict": lambda omega, q, params, sigma_res: omega,
    }
    yield name, qens.register_model(name, **table, overwrite=True), table


def test_a_name_is_taken_until_overwrite_says_otherwise(registered):
    name, model, table = registered
    assert qens.get_model(name) is model
    with pytest.raises(KeyError, match="overwrite=True"):
        qens.register_model(name, **table)
    other = qens.register_model(name, **table, overwrite=True)
    assert qens.get_model(name) is other is not model


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"param_names": ["a", "b"]}, "2 names, 1 lower and 1 upper bounds"),
        ({"prior_hi": [1.0, 2.0]}, "1 names, 1 lower and 2 upper bounds"),
        ({"prior_lo": [1.0]}, r"prior of 'width' is \(1.0, 1.0\); expected lo < hi"),
        ({"prior_lo": [np.nan]}, "expected lo < hi"),
        ({"predict": None}, "needs `predict` or `components`"),
    ],
)
def test_a_model_that_does_not_fit_together_is_refused(registered, changes, text):
    _, _, table = registered
    with pytest.raises(ParameterError, match=text):
        qens.register_model("never", **{**table, **changes})
    assert "never" not in qens.available_models()


def test_every_model_has_a_table_with_units():
    for name, table in qens.models().items():
        if name.startswith("test_"):
            continue
        for p in table:
            assert p.unit or p.name in {"beta", "A0", "share_1", "sigma_rate"}, p.name
            assert p.doc, p.name
        lo, hi = table.bounds()
        assert np.all(table.pack() > lo) and np.all(table.pack() < hi)


def test_an_expression_composes_registered_models():
    model = qens.get_model("jump * debye_waller * isotropic")
    assert model.param_names == ("D_translation", "tau", "u2", "D_r")
    water = qens.get_model("jump_isotropic")
    assert water.param_names == model.param_names
    theta = {"D_translation": 0.2, "tau": 1.2, "u2": 0.05, "D_r": 0.3}
    for a, b in zip(
        model.components(1.1, theta, radius=0.98, lmax=5),
        water.components(1.1, theta, **water.extras),
        strict=True,
    ):
        np.testing.assert_array_equal(a, b)


def test_water_is_predicted_with_its_own_radius_and_order():
    """`jump_isotropic` is R = 0.98 Å, l ≤ 5, and not the settings of its pieces."""
    omega = np.linspace(-1.0, 1.0, 41)
    values = (0.2, 1.2, 0.05, 0.2)
    named = qens.get_model("jump_isotropic")
    pieces = qens.get_model("jump * debye_waller * isotropic")
    assert named.param_names == pieces.param_names
    np.testing.assert_allclose(
        named.predict(omega, 1.5, values, 0.05),
        pieces.predict(omega, 1.5, values, 0.05, radius=0.98, lmax=5),
        rtol=1e-12,
    )


def test_an_expression_is_the_same_model_every_time():
    """What is static in a problem must not compile again."""
    text = "(fickian + elastic) * debye_waller"
    assert qens.get_model(text) is qens.get_model(text)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("fickian - jump", "fickian - jump"),
        ("fickian * 2", "2"),
        ("fickian(q)", r"fickian\(q\)"),
    ],
)
def test_an_expression_holds_names_and_two_operators(text, what):
    with pytest.raises(ModelError, match=f"holds '{what}'; expected names of models"):
        qens.get_model(text)


def test_a_name_misspelt_in_an_expression_is_named():
    with pytest.raises(KeyError, match="did you mean 'fickian'"):
        qens.get_model("fikian * debye_waller")
    with pytest.raises(KeyError, match="is not known"):
        qens.get_model("fickian * ")
