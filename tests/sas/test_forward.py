import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import DataWarning
from jaxscatter.sas import amplitudes, forward, intensity, intermediates, pattern
from jaxscatter.sas.catalogue import MODELS

DATA = pathlib.Path(__file__).parent.parent / "data" / "sas" / "oriented.json"
STORED = json.loads(DATA.read_text())
MODELS_STORED = json.loads((DATA.parent / "models.json").read_text())["cases"]
QX, QY = np.array(STORED["qx"]), np.array(STORED["qy"])
Q = np.array([0.003, 0.02, 0.1, 0.3])


@pytest.mark.parametrize("case", STORED["cases"], ids=lambda c: c["id"])
def test_oriented_patterns_are_those_of_the_peer(case):
    assert case["model"] in MODELS
    got = pattern(case["model"], QX, QY, **case["pars"])
    np.testing.assert_allclose(got, case["Iqxy"], rtol=1e-8)


def test_the_mean_of_all_orientations_is_the_isotropic_curve():
    """Gauss nodes over the view of the axis, weighed by sin θ."""
    x, w = np.polynomial.legendre.leggauss(40)
    theta = np.degrees(np.arccos(0.5 * (x + 1)))
    turns = np.linspace(0, 360, 24, endpoint=False)
    total = 0.0
    for t, weight in zip(theta, w / 2, strict=True):
        for phi in turns:
            each = pattern(
                "cylinder",
                [0.06],
                [0.02],
                theta=t,
                phi=phi,
                length=80.0,
                background=0.0,
            )
            total += weight / turns.size * float(each[0])
    q = float(np.hypot(0.06, 0.02))
    isotropic = intensity("cylinder", [q], length=80.0, background=0.0)
    np.testing.assert_allclose(total, isotropic[0], rtol=1e-6)


def test_a_pattern_has_the_shape_of_its_detector_and_a_finite_centre():
    qx, qy = np.meshgrid(np.linspace(-0.1, 0.1, 5), np.linspace(-0.1, 0.1, 3))
    got = pattern("cylinder", qx, qy)
    assert got.shape == (3, 5)

    def total(theta):
        return jnp.sum(pattern("cylinder", qx, qy, theta=theta, phi=0.0))

    assert np.isfinite(jax.grad(total)(90.0))
    assert np.isfinite(got[1, 2])


def test_oriented_products_take_the_structure_factor_but_not_beta():
    qx, qy = np.array([0.02, 0.05]), np.array([0.0, 0.04])
    got = pattern("cylinder@hardsphere", qx, qy, volfraction=0.1, background=0.0)
    alone = pattern("cylinder", qx, qy, background=0.0)
    q = np.hypot(qx, qy)
    s = intermediates("cylinder@hardsphere", q, volfraction=0.1)["S(Q)"]
    np.testing.assert_allclose(got, 0.1 * alone * s, rtol=1e-12)
    with pytest.raises(NotImplementedError, match="oriented particles"):
        pattern("cylinder@hardsphere", qx, qy, structure_factor_mode=1)
    with pytest.raises(NotImplementedError, match="oriented patterns of"):
        pattern("sphere+sphere", qx, qy)
    with pytest.raises(ValueError, match="qx and qy have shapes"):
        pattern("sphere", qx, qy[:1])


def test_intensity_is_scale_times_mean_square_over_volume():
    m = amplitudes("cylinder", Q, radius_pd=0.1)
    got = intensity("cylinder", Q, radius_pd=0.1, scale=0.3, background=0.2)
    np.testing.assert_allclose(got, 0.3 * m.f2 / m.shell_volume + 0.2, rtol=1e-12)


def test_points_come_back_in_the_order_they_were_given():
    order = np.array([2, 0, 3, 1])
    both = [intensity("cylinder", v, length=900.0) for v in (Q, Q[order])]
    np.testing.assert_allclose(both[1], both[0][order], rtol=1e-12)


def test_another_curve_of_the_same_shape_compiles_nothing():
    intensity("sphere", Q, radius=40.0)
    before = forward._intensity._cache_size()
    intensity("sphere", 1.1 * Q, radius=55.0, sld=2.0, background=0.4)
    assert forward._intensity._cache_size() == before


def test_jit_of_the_caller_gives_the_same():
    def curve(radius):
        return intensity("sphere@hardsphere", Q, radius=radius)

    np.testing.assert_allclose(jax.jit(curve)(47.0), curve(47.0), rtol=1e-13)


def test_pieces_multiply_to_the_intensity():
    given = {"radius_pd": 0.2, "volfraction": 0.15}
    for mode in (0, 1):
        pieces = intermediates(
            "sphere@hardsphere", Q, structure_factor_mode=mode, **given
        )
        s = pieces["S_eff(Q)"] if mode else pieces["S(Q)"]
        got = intensity(
            "sphere@hardsphere",
            Q,
            structure_factor_mode=mode,
            background=0.0,
            **given,
        )
        np.testing.assert_allclose(got, pieces["P(Q)"] * s, rtol=1e-12)


@pytest.mark.parametrize("name", ["sphere", "cylinder", "ellipsoid", "dab", "guinier"])
def test_curves_in_float32_hold_a_ten_thousandth(name):
    """With JAXSCATTER_X64=0 everything is single; else the same test is finer."""
    case = next(c for c in MODELS_STORED if c["id"] == f"{name}/default")
    got = intensity(name, case["q"])
    rtol = 1e-4 if got.dtype == jnp.float32 else 1e-6
    largest = np.max(case["Iq"])
    np.testing.assert_allclose(got, case["Iq"], rtol=rtol, atol=rtol * 1e-3 * largest)


def test_parameters_without_a_solution_are_said():
    with pytest.warns(DataWarning, match="has no value"):
        got = intensity("stickyhardsphere", Q, volfraction=0.2, stickiness=0.05)
    assert np.isnan(got).all()
