import numpy as np
import pytest

from jaxscatter.sas import intensity, load_model
from jaxscatter.sas.hayter_penfold import hayter_msa
from jaxscatter.sas.structure_factors import HardSphere, HayterMsa

Q = np.array([0.004, 0.03, 0.12, 0.4])


@pytest.mark.parametrize(
    "name", ["hardsphere", "squarewell", "stickyhardsphere", "hayter_msa"]
)
def test_structure_factors_stand_alone_without_background(name):
    got = intensity(name, Q, scale=2.0)
    assert load_model(name).background == 0.0
    np.testing.assert_allclose(got, 2 * intensity(name, Q), rtol=1e-13)
    diluted = intensity(name, Q, volfraction=0.0)
    np.testing.assert_allclose(diluted, 1.0, rtol=1e-9)
    assert np.all(got > 0)


def test_every_parameter_reaches_its_formula():
    values = {
        "radius_effective": 30.0,
        "volfraction": 0.05,
        "charge": 11.0,
        "temperature": 300.0,
        "concentration_salt": 0.01,
        "dielectconst": 78.0,
    }
    assert [r.name for r in HayterMsa().quantities] == list(values)
    direct = hayter_msa(Q, *values.values())
    np.testing.assert_allclose(intensity("hayter_msa", Q, **values), direct, rtol=1e-13)


def test_limits_are_those_of_the_tables():
    phi = HardSphere().quantities[1]
    assert (phi.lo, phi.hi) == (0.0, 0.74)
    with pytest.raises(ValueError, match=r"welldepth is 2.0 kT; expected 0.0 to 1.5"):
        intensity("squarewell", Q, welldepth=2.0)
