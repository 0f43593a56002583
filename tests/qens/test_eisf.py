"""Elastic incoherent structure factors."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.test_util import check_grads
from scipy.special import spherical_jn

from jaxscatter.qens.confinement import gaussian_well, impermeable_sphere
from jaxscatter.qens.eisf import (
    eisf_alkyl_spheres,
    eisf_isotropic,
    eisf_n_sites,
    eisf_sphere,
    eisf_well,
    immobile,
)
from jaxscatter.qens.rotation import isotropic_rotor
from jaxscatter.qens.sites import n_sites

Q = np.array([0.0, 0.3, 0.7, 1.2, 1.9])
sphere = jax.jit(impermeable_sphere, static_argnums=3)


def test_elastic_parts_are_those_of_the_models():
    np.testing.assert_allclose(
        eisf_isotropic(Q, 2.48), isotropic_rotor(Q, 2.48, 0.1, 2)[0][0], atol=1e-15
    )
    np.testing.assert_allclose(
        eisf_n_sites(Q, 1.03, 3), n_sites(Q, 1.03, 2.0, 3)[0][0], rtol=1e-14
    )
    np.testing.assert_allclose(
        eisf_sphere(Q, 2.0), sphere(Q, 0.3, 2.0, 2)[0][0], rtol=1e-14
    )
    for ndim in (1, 2, 3):
        np.testing.assert_allclose(
            eisf_well(Q, 0.6, ndim), gaussian_well(Q, 0.1, 0.6, 4, ndim)[0][0]
        )


def test_elastic_parts_in_closed_form():
    x = 2.2 * Q[1:]
    np.testing.assert_allclose(
        eisf_isotropic(Q[1:], 2.2), spherical_jn(0, x) ** 2, rtol=1e-12
    )
    np.testing.assert_allclose(
        eisf_sphere(Q[1:], 2.2), (3 * spherical_jn(1, x) / x) ** 2, rtol=1e-12
    )
    np.testing.assert_allclose(
        eisf_n_sites(Q[1:], 1.1, 2), (1 + spherical_jn(0, x)) / 2, rtol=1e-14
    )
    np.testing.assert_allclose(eisf_well(Q, 0.4), np.exp(-(Q**2) * 0.4), rtol=1e-14)


def test_the_alkyl_chain_agrees_with_mantid():
    """The documented example of EISFDiffSphereAlkyl: A = 2, 0.12 … 1.6 Å, M = 9."""
    q = np.arange(0.3, 2.0, 0.2)
    peer = [
        1.96561499215648,
        1.90667574712235,
        1.82327109734092,
        1.72075639596568,
        1.60529662348532,
        1.48322421137169,
        1.36043655237770,
        1.24191091785048,
        1.13138963884055,
    ]
    np.testing.assert_allclose(
        2 * eisf_alkyl_spheres(q, 0.12, 1.6, 9), peer, rtol=1e-12
    )


def test_an_alkyl_chain_of_equal_radii_is_one_sphere():
    np.testing.assert_allclose(
        eisf_alkyl_spheres(Q, 1.7, 1.7, 5), eisf_sphere(Q, 1.7), rtol=1e-14
    )
    np.testing.assert_allclose(
        eisf_alkyl_spheres(Q, 0.5, 1.7, 5), eisf_alkyl_spheres(Q, 1.7, 0.5, 5)
    )


def test_scatterers_at_rest_lift_the_elastic_part():
    mobile = eisf_sphere(Q, 2.0)
    np.testing.assert_allclose(immobile(0.3, mobile), 0.3 + 0.7 * mobile, rtol=1e-14)
    np.testing.assert_array_equal(immobile(0.0, mobile), mobile)
    np.testing.assert_array_equal(immobile(1.0, mobile), 1.0)


CASES = {
    "isotropic": (eisf_isotropic, (1.3,)),
    "sites": (lambda q, r: eisf_n_sites(q, r, 3), (1.3,)),
    "sphere": (eisf_sphere, (1.3,)),
    "alkyl": (lambda q, a, b: eisf_alkyl_spheres(q, a, b, 4), (0.5, 1.5)),
    "well": (eisf_well, (0.4,)),
    "plane": (lambda q, u: eisf_well(q, u, 2), (0.4,)),
}


@pytest.mark.parametrize("name", CASES)
def test_elastic_gradients_and_maps(name):
    one, args = CASES[name]
    one = jax.jit(one)
    assert one(0.0, *args) == pytest.approx(1.0, rel=1e-14)
    for q in (0.0, 1.2):
        check_grads(one, (q, *args), order=2, modes=("fwd", "rev"), rtol=1e-4)
    loop = [one(q, *args) for q in Q]
    mapped = jax.vmap(lambda q: one(q, *args))(Q)
    np.testing.assert_allclose(mapped, loop, rtol=1e-13)
    np.testing.assert_allclose(CASES[name][0](Q, *args), loop, rtol=1e-13)


def test_elastic_parts_keep_float32_under_strict_promotion():
    for one, args in CASES.values():
        with jax.numpy_dtype_promotion("strict"):
            single = one(Q.astype(np.float32), *map(np.float32, args))
        assert single.dtype == jnp.float32
        np.testing.assert_allclose(single, one(Q, *args), rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: eisf_isotropic(1.0, 0.0), "^radius must be positive, got 0"),
        (lambda: eisf_isotropic(-1.0, 1.0), "^q must be"),
        (lambda: eisf_n_sites(1.0, 1.0, 1), "^n is 1"),
        (lambda: eisf_sphere(1.0, -2.0), "^radius must be positive, got -2"),
        (lambda: eisf_alkyl_spheres(1.0, 0.0, 1.0, 3), "^radius_min must be"),
        (lambda: eisf_alkyl_spheres(1.0, 1.0, 0.0, 3), "^radius_max must be"),
        (lambda: eisf_alkyl_spheres(1.0, 1.0, 2.0, 1.5), "^n is 1.5"),
        (lambda: eisf_well(1.0, -0.1), "^u2x must be at least 0, got -0.1"),
        (lambda: eisf_well(1.0, 0.1, 0), "^ndim is 0"),
        (lambda: immobile(1.2, 0.5), "^p must be at most 1, got 1.2"),
        (lambda: immobile(-0.1, 0.5), "^p must be at least 0, got -0.1"),
    ],
)
def test_elastic_parts_refuse_values_outside_their_domain(call, message):
    with pytest.raises(ValueError, match=message):
        call()
