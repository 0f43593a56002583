"""Polynomial backgrounds: their columns and the amplitudes that multiply them."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import ModelError
from jaxscatter.qens.background import background_amplitudes, background_columns

OMEGA = jnp.linspace(-0.5, 0.5, 5)


@pytest.mark.parametrize(
    ("name", "powers"),
    [("none", []), ("flat", [0]), ("linear", [0, 1]), ("quadratic", [0, 1, 2])],
)
def test_columns_are_powers_of_the_energy_over_the_largest(name, powers):
    found = background_columns(name, {"omega": OMEGA, "omega_max": jnp.asarray(0.5)})
    amplitudes = background_amplitudes(name)
    assert len(found) == len(amplitudes) == len(powers)
    for column, power in zip(found, powers, strict=True):
        np.testing.assert_allclose(column, np.linspace(-1, 1, 5) ** power)


def test_only_the_flat_part_is_bounded():
    flat, slope, curvature = background_amplitudes("quadratic")
    assert (flat.name, flat.lower) == ("background", 0.0)
    assert [a.name for a in (slope, curvature)] == ["slope", "curvature"]
    assert slope.lower == curvature.lower == -np.inf


def test_an_unknown_background_is_refused():
    with pytest.raises(ModelError, match="background is 'cubic'; expected one of"):
        background_amplitudes("cubic")
