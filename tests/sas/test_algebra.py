import json
import pathlib

import numpy as np
import pytest

from jaxscatter.sas import intensity, intermediates, load_model
from jaxscatter.sas.catalogue import MODELS
from jaxscatter.sas.declaration import (
    AbstractInteraction,
    AbstractSpherical,
    number,
    size,
    sld,
)
from jaxscatter.sas.spheres import Sphere
from jaxscatter.sas.structure_factors import HardSphere
from jaxscatter.sas.vesicles import Vesicle

DATA = pathlib.Path(__file__).parent.parent / "data" / "sas" / "product.json"
CASES = json.loads(DATA.read_text())["cases"]
NAMES = list(dict.fromkeys(c["model"] for c in CASES))
Q = np.array([0.0, 0.004, 0.02, 0.09, 0.25])


@pytest.mark.parametrize("name", NAMES)
def test_products_and_their_parts_are_those_of_the_peer(name):
    assert set(name.split("@")) <= set(MODELS)
    for case in (c for c in CASES if c["model"] == name):
        rtol = 2e-6 if "hayter" in name else 1e-6
        # the peer loses digits of S below q = 2e-3
        keep = np.array(case["q"]) > 2e-3
        q, pars = np.array(case["q"])[keep], dict(case["pars"])
        got = intensity(name, q, **pars)
        wanted = np.array(case["Iq"], float)[keep]
        np.testing.assert_allclose(got, wanted, rtol=rtol, err_msg=case["id"])
        pieces = intermediates(name, q, **pars)
        for key, label in (("P", "P(Q)"), ("S", "S(Q)"), ("beta", "beta(Q)")):
            if case.get(key) is not None and label in pieces:
                reference = np.array(case[key], float)[keep]
                np.testing.assert_allclose(
                    pieces[label], reference, rtol=rtol, err_msg=f"{case['id']} {key}"
                )
        for key in ("volume", "volume_ratio", "radius_effective"):
            if case.get(key) is not None:
                np.testing.assert_allclose(
                    pieces[key], case[key], rtol=1e-8, err_msg=f"{case['id']} {key}"
                )


def test_parameters_come_in_order_and_clashes_get_a_suffix():
    built = load_model("sphere@hardsphere")
    names = [r.name for r in built.quantities]
    assert names == ["sld", "sld_solvent", "radius", "radius_effective", "volfraction"]
    assert list(built.options) == ["structure_factor_mode", "radius_effective_mode"]
    shared = [r.name for r in load_model("vesicle@hardsphere").quantities]
    assert shared.count("volfraction") == 1
    assert shared[-1] == "radius_effective"

    class Warm(HardSphere.__base__):
        """A structure factor with a parameter of a form factor's name."""

        name = "warm"
        category = "structure-factor"
        table = (*HardSphere.table, number("radius", 2.0))
        reference = "none"

        def structure(self, q, p):
            return 1 + 0 * q * p.radius

    assert [r.name for r in (Sphere() @ Warm()).quantities][-1] == "radius_S"


def test_beta_is_one_for_monodisperse_spheres_and_below_it_otherwise():
    one = intermediates("sphere@hardsphere", Q[1:], structure_factor_mode=1)
    np.testing.assert_allclose(one["beta(Q)"], 1.0, rtol=1e-12)
    np.testing.assert_allclose(one["S_eff(Q)"], one["S(Q)"], rtol=1e-12)
    many = intermediates("sphere@hardsphere", Q[1:], radius_pd=0.2)
    assert np.all(many["beta(Q)"] < 1)


def test_own_structure_of_each_size_equals_one_structure_without_sizes():
    both = [
        intensity("sphere@hardsphere", Q[1:], structure_factor_mode=m) for m in (0, 2)
    ]
    np.testing.assert_allclose(*both, rtol=1e-12)


def test_own_structure_of_each_size_is_the_sum_over_sizes():
    x, w = np.array([40.0, 55.0]), np.array([0.3, 0.7])
    mixed = intensity(
        "sphere@hardsphere",
        Q[1:],
        radius_pd=(x, w),
        radius_pd_type="array",
        structure_factor_mode="local_monodisperse",
        background=0.0,
    )
    parts = [intensity("sphere@hardsphere", Q[1:], radius=r, background=0.0) for r in x]
    volumes = w * x**3
    expected = sum(v * p for v, p in zip(volumes, parts, strict=True)) / volumes.sum()
    np.testing.assert_allclose(mixed, expected, rtol=1e-12)


def test_mode_zero_takes_the_users_radius_and_may_spread_it():
    at = {"radius_effective_mode": 0, "background": 0.0}
    one = intermediates("sphere@hardsphere", Q[1:], radius_effective=70.0, **at)
    direct = intensity("hardsphere", Q[1:], radius_effective=70.0)
    np.testing.assert_allclose(one["S(Q)"], direct, rtol=1e-12)
    x, w = np.array([60.0, 80.0]), np.array([0.5, 0.5])
    spread = intermediates(
        "sphere@hardsphere",
        Q[1:],
        radius_effective_pd=(x, w),
        radius_effective_pd_type="array",
        **at,
    )
    mean = np.mean(
        [intensity("hardsphere", Q[1:], radius_effective=r) for r in x], axis=0
    )
    np.testing.assert_allclose(spread["S(Q)"], mean, rtol=1e-12)


def test_hollow_particles_repel_by_the_volume_they_enclose():
    got = intermediates("vesicle@hardsphere", Q[1:], volfraction=0.1)
    phi = 0.1 * float(got["volume_ratio"])
    assert phi > 0.15
    direct = intensity("hardsphere", Q[1:], radius_effective=130.0, volfraction=phi)
    np.testing.assert_allclose(got["S(Q)"], direct, rtol=1e-12)


def test_sums_and_products_of_models():
    a = intensity("sphere", Q, background=0.0)
    b = intensity("dab", Q, background=0.0, cor_length=30.0)
    given = {"B_cor_length": 30.0, "background": 0.0}
    both = intensity("sphere+dab", Q, A_scale=0.5, B_scale=2.0, scale=3.0, **given)
    np.testing.assert_allclose(both, 3 * (0.5 * a + 2 * b), rtol=1e-12)
    times = intensity("sphere*dab", Q, scale=3.0, **given)
    np.testing.assert_allclose(times, 3 * a * b, rtol=1e-12)


def test_objects_and_strings_name_the_same_model():
    assert Sphere() @ HardSphere() == load_model("sphere@hardsphere")
    assert Sphere() + Sphere() * Vesicle() == load_model("sphere+sphere*vesicle")
    assert hash(Sphere() @ HardSphere()) == hash(load_model("sphere@hardsphere"))
    three = Sphere() + Sphere() + Sphere()
    assert three.prefixes == ("A_", "B_", "C_")
    assert three.name == "sphere+sphere+sphere"


def test_products_that_make_no_sense_are_refused():
    with pytest.raises(TypeError, match="needs one on the left"):
        HardSphere() @ HardSphere()
    with pytest.raises(TypeError, match="needs one on the right"):
        Sphere() @ Sphere()
    with pytest.raises(TypeError, match="is no model"):
        Sphere() + 3

    class Reserved(AbstractSpherical):
        """A form whose parameter is called like one of P@S."""

        name = "reserved"
        category = "sphere"
        table = (size("radius_effective", 3.0),)
        reference = "none"

        def amplitude(self, q, p):
            return q

    with pytest.raises(
        ValueError, match="'reserved' has a parameter 'radius_effective'"
    ):
        Reserved() @ HardSphere()

    class Dense(AbstractInteraction):
        """A structure factor with a scattering length density."""

        name = "dense"
        category = "structure-factor"
        table = (*HardSphere.table, sld("sld", 1.0))
        reference = "none"

        def structure(self, q, p):
            return q

    with pytest.raises(TypeError, match=r"scattering length densities \['sld'\]"):
        Sphere() @ Dense()

    class Unordered(Dense):
        """One whose radius is not first."""

        table = HardSphere.table[::-1]

    with pytest.raises(TypeError, match="begins with"):
        Sphere() @ Unordered()


def test_sums_have_no_single_structure_factor():
    with pytest.raises(TypeError, match="ask for its parts"):
        intermediates("sphere+sphere", Q)
