"""Series of data sets as one problem, with Arrhenius laws."""

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import qens
from jaxscatter.constants import GAS_CONSTANT
from jaxscatter.errors import DataError, ParameterError

OMEGA = np.linspace(-0.8, 0.8, 81)
T = (280.0, 300.0, 325.0)
REF = 1 / np.mean(1 / np.array(T))
D_REF, E_A = 0.2, 18.0  # Å²/ps, kJ/mol


def at(temperature):
    law = np.exp(-E_A * 1e3 / GAS_CONSTANT * (1 / temperature - 1 / REF))
    data = qens.simulate(
        "translation_only",
        {"D_translation": D_REF * law, "u2": 0.1},
        q=[0.6, 1.0, 1.4],
        omega=OMEGA,
        sigma_res=0.03,
        amplitude=2.0 + temperature / 300,
        background=0.02,
        noise=0.02,
        seed=int(temperature),
    )
    return qens.problem(data, "translation_only")


@pytest.fixture(scope="module")
def series():
    return [at(t) for t in T]


def test_the_law_is_recovered_with_one_amplitude_per_temperature(series):
    joint = qens.arrhenius(series, T, "D_translation", shared=["u2"])
    assert set(joint.parameters.labels) == {
        "u2",
        "D_translation_ref",
        "E_D_translation",
    }
    fit = js.fit(joint)
    assert fit.success
    truth = {"D_translation_ref": D_REF, "E_D_translation": E_A, "u2": 0.1}
    for name, value in truth.items():
        assert abs(fit[name] - value) < 3.5 * fit.error(name), name
    assert 0.8 < fit.statistics["red_chi2"] < 1.2
    assert len([n for n in fit.amplitude_values if n.startswith("amplitude")]) == 3
    # about the middle of the series the two are nearly uncorrelated
    pair = [fit.labels.index(n) for n in ("D_translation_ref", "E_D_translation")]
    assert abs(fit.corr[pair[0], pair[1]]) < 0.5


def test_values_at_each_temperature_are_tied_to_the_law(series):
    joint = qens.arrhenius(series, T, "D_translation", reference=300.0)
    theta = joint.named(joint.start())
    for t in T:
        law = np.exp(
            -float(theta["E_D_translation"]) * 1e3 / GAS_CONSTANT * (1 / t - 1 / 300.0)
        )
        np.testing.assert_allclose(
            theta[f"D_translation[{t:g} K]"],
            theta["D_translation_ref"] * law,
            rtol=1e-12,
        )


def test_a_time_falls_with_temperature_at_positive_activation_energy():
    problems = [
        qens.problem(p.given, "jump * debye_waller") for p in (at(280.0), at(320.0))
    ]
    joint = qens.arrhenius(problems, (280.0, 320.0), ["D_translation", "tau"])
    theta = joint.named(joint.start())
    assert theta["tau[280 K]"] > theta["tau[320 K]"]
    assert theta["D_translation[280 K]"] < theta["D_translation[320 K]"]


def test_equal_temperatures_are_numbered(series):
    joint = qens.arrhenius([*series, series[0]], (*T, T[0]), "D_translation")
    assert "280 K #1" in joint.part_names and "280 K #2" in joint.part_names


def test_a_law_needs_one_free_positive_value_per_temperature(series):
    first, *rest = series
    for change, text in (
        ({"local": True}, "at 2.* is local"),
        ({"fixed": True}, "at 2.* is not free"),
        ({"value": 0.0, "bounds": (0.0, 1.0)}, "starts at 0"),
    ):
        spoilt = first.with_(parameters={"D_translation": change})
        with pytest.raises(ParameterError, match=text):
            qens.arrhenius([spoilt, *rest], T, "D_translation")


def test_what_cannot_be_used_is_refused(series):
    with pytest.raises(DataError, match="for 3 problems"):
        qens.arrhenius(series, T[:2], "D_translation")
    with pytest.raises(DataError, match="positive number of K"):
        qens.arrhenius(series, (280.0, -1.0, 300.0), "D_translation")
    with pytest.raises(DataError, match="expected a series"):
        qens.arrhenius(series, (280.0,) * 3, "D_translation")
    with pytest.raises(ParameterError, match="has no parameter 'D_r'"):
        qens.arrhenius(series, T, "D_r")
