"""The resolution of a data set, prepared for a fit."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter import qens
from jaxscatter.errors import DataError
from jaxscatter.numerics import voigt
from jaxscatter.problem import Dataset
from jaxscatter.qens.instrument import prepared

OMEGA = np.linspace(-1.0, 1.0, 81)
STEP = OMEGA[1] - OMEGA[0]
AXIS = np.arange(-20, 21) * STEP
KERNEL = np.exp(-0.5 * (AXIS / 0.06) ** 2)
ROWS = [(OMEGA, np.ones_like(OMEGA), np.ones_like(OMEGA), 1.0)]
KINDS = {
    "gaussian": (0.06, "exact"),
    "profile": (qens.Profile(np.array([[1.0, 0.0, 0.06, 0.0]])), "exact"),
    "uniform": ((AXIS, KERNEL), "exact"),
    "dense": ((AXIS * 1.1, np.exp(-0.5 * (AXIS * 1.1 / 0.06) ** 2)), "exact"),
    "seed": (np.exp(-0.5 * (OMEGA / 0.06) ** 2), "seed"),
}


@pytest.mark.parametrize("kind", list(KINDS))
@pytest.mark.parametrize("tabulated", [False, True])
def test_every_kind_convolves_a_line_as_a_voigt_function(kind, tabulated):
    """All kernels are a Gaussian of 0.06 meV; the seed recipe loses area at edges."""
    sigma_res, mode = KINDS[kind]
    data, instrument = prepared(qens.from_bins(ROWS, sigma_res, mode=mode), tabulated)
    assert instrument.kind == kind
    assert instrument.tabulated == (tabulated and kind != "seed")
    coords = jax.tree.map(jnp.asarray, data.group(0))
    got = instrument.lorentzians(coords, jnp.ones(1), jnp.array([0.15]))
    inner = np.abs(OMEGA) < 0.5
    rtol = 2e-2 if kind == "seed" else 1e-6
    np.testing.assert_allclose(
        np.asarray(got)[inner], np.asarray(voigt(OMEGA, 0.06, 0.15))[inner], rtol=rtol
    )


def test_points_are_independent_unless_a_product_joins_them():
    for kind, joined in (("gaussian", False), ("uniform", True)):
        sigma_res, mode = KINDS[kind]
        data = qens.from_bins(ROWS, sigma_res, mode=mode)
        plain, table = (prepared(data, t)[1] for t in (False, True))
        assert plain.independent_points() is not joined
        assert table.independent_points()
        assert table.independent_points(lines_only=False) is not joined


def test_data_without_a_resolution_are_refused():
    data = Dataset(
        np.ones((1, 5)), None, None, {"omega": np.arange(5.0)}, {"omega": ("point",)}
    )
    with pytest.raises(DataError, match="no resolution"):
        prepared(data, False)


def test_resolutions_that_several_q_share_are_prepared_once():
    """One for all leaves one table; two of them come to the groups that have them."""
    rows = ROWS * 3
    data, _ = prepared(qens.from_bins(rows, 0.06), True)
    assert np.ndim(data.coords["table"]) == 2
    assert dict(data.dims)["table"] == (None, "point")
    mixed, instrument = prepared(qens.from_bins(rows, [0.06, 0.03, 0.06]), True)
    table = mixed.coords["table"]
    assert table.shape[0] == 3
    np.testing.assert_array_equal(table[0], table[2])
    for k, sigma in enumerate((0.06, 0.03, 0.06)):
        coords = jax.tree.map(jnp.asarray, mixed.group(k))
        got = instrument.lorentzians(coords, jnp.ones(1), jnp.array([0.15]))
        np.testing.assert_allclose(got, voigt(OMEGA, sigma, 0.15), rtol=1e-9)
    kernels = [KERNEL, KERNEL**2, KERNEL]
    pairs = [(AXIS, k) for k in kernels]
    uniform, instrument = prepared(qens.from_bins(rows, pairs), False)
    for k, power in enumerate((1.0, 2.0, 1.0)):
        coords = jax.tree.map(jnp.asarray, uniform.group(k))
        got = instrument.lorentzians(coords, jnp.ones(1), jnp.array([0.15]))
        exact = voigt(OMEGA, 0.06 / np.sqrt(power), 0.15)
        inner = np.abs(OMEGA) < 0.5
        np.testing.assert_allclose(got[inner], exact[inner], rtol=1e-6)
