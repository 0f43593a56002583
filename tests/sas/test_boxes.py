"""Boxes: their averages, volumes, radii, and each other where they agree."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import integrate

from jaxscatter.sas import amplitudes, boxes, effective_radius, intensity

Q = np.array([0.0, 0.004, 0.03, 0.1])
BOX = boxes.Parallelepiped()
PRISM = boxes.RectangularPrism()
HOLLOW = boxes.HollowRectangularPrism()
CORE_SHELL = boxes.CoreShellParallelepiped()
EDGES = {"length_a": 35.0, "length_b": 70.0, "length_c": 105.0}
RATIOS = {"length_a": 35.0, "b2a_ratio": 2.0, "c2a_ratio": 3.0}


def parameters(model, **given):
    values = {row.name: jnp.asarray(row.value) for row in model.quantities}
    return model.namespace(values | {k: jnp.asarray(v) for k, v in given.items()})


def averages(model, **given):
    """<F> and <F²> in 1e-2 and 1e-4 of the units of F, at Q."""
    m = amplitudes(model, Q, n_quad=32, **given)
    return np.array([m.f1, m.f2])


@functools.partial(jax.jit, static_argnums=0)
def _slopes(model, values, components):
    def f(values, components):
        p = model.namespace(values)
        total = jnp.sum(jnp.square(sum(model.factors(*components, p))))
        return total + model.shell_volume(p) + sum(model.radii(p))

    return jax.grad(f, (0, 1))(values, components)


def test_average_is_that_of_the_pair_distances_of_a_box():
    """<F²> = Δ² ∫ 8 (A-x)(B-y)(C-z) sin(qr)/(qr) over the lags in the first octant."""
    q, (a, b, c) = 0.1, EDGES.values()
    nodes, weights = np.polynomial.legendre.leggauss(24)
    x, y, z = np.meshgrid(*(0.5 * e * (nodes + 1) for e in (a, b, c)))
    u, v, w = np.meshgrid(*(0.5 * e * weights for e in (a, b, c)))
    r = np.sqrt(x**2 + y**2 + z**2)
    pairs = 8 * (a - x) * (b - y) * (c - z) * np.sinc(q * r / np.pi)
    exact = 1e-4 * 9 * np.sum(u * v * w * pairs)
    assert averages(BOX, **EDGES)[1, -1] == pytest.approx(exact, rel=1e-9)


def test_order_of_the_edges_does_not_matter():
    turned = {"length_a": 105.0, "length_b": 35.0, "length_c": 70.0}
    got, want = averages(BOX, **turned), averages(BOX, **EDGES)
    np.testing.assert_allclose(got, want, rtol=1e-9)


def test_long_thin_box_scatters_as_a_rod():
    """P → (2/qL) Si(qL) - sinc²(qL/2) without a section."""
    q, length = 0.05, 1000.0
    m = amplitudes(
        BOX, np.array([q]), length_a=1e-3, length_b=1e-3, length_c=length, n_quad=120
    )
    si = integrate.quad(lambda t: np.sinc(t / np.pi), 0, q * length, limit=200)[0]
    rod = 2 / (q * length) * si - np.sinc(q * length / 2 / np.pi) ** 2
    volume = length * 1e-6
    assert float(m.f2[0]) == pytest.approx(1e-4 * 9 * volume**2 * rod, rel=1e-8)


def test_prism_is_a_box_with_edges_in_ratio():
    contrast = {"sld": 4.0, "sld_solvent": 1.0}
    np.testing.assert_allclose(
        averages(PRISM, **RATIOS, **contrast), averages(BOX, **EDGES), rtol=1e-12
    )
    p, r = parameters(BOX, **EDGES), parameters(PRISM, **RATIOS)
    np.testing.assert_allclose(PRISM.radii(r)[1:], BOX.radii(p)[1:], rtol=1e-14)
    assert float(PRISM.extent(r)) == float(BOX.extent(p)) == 52.5
    assert float(PRISM.cross_extent(r)) == float(BOX.cross_extent(p)) == 35.0


def test_walls_that_fill_the_prism_leave_no_cavity():
    """With walls of half the shortest edge the cavity has no volume."""
    full = averages(HOLLOW, thickness=17.5, **RATIOS)
    np.testing.assert_allclose(full, averages(PRISM, **RATIOS), rtol=1e-12)
    p = parameters(HOLLOW, thickness=17.5, **RATIOS)
    assert float(HOLLOW.shell_volume(p)) == pytest.approx(float(HOLLOW.volume(p)))


def test_walls_that_do_not_fit_make_no_body():
    assert bool(HOLLOW.valid(parameters(HOLLOW, thickness=17.5, **RATIOS)))
    assert not bool(HOLLOW.valid(parameters(HOLLOW, thickness=17.6, **RATIOS)))
    got = intensity(HOLLOW, Q, thickness=20.0, n_quad=20, **RATIOS)
    np.testing.assert_array_equal(got, 0.001)


def test_thin_walls_scatter_forward_by_their_surface():
    """F(0) = Δ t S and V = t S as t → 0, with S the surface of the box."""
    thin = amplitudes(HOLLOW, np.array([0.0]), thickness=1e-6, n_quad=20, **RATIOS)
    surface = 2 * (35 * 70 + 70 * 105 + 105 * 35)
    assert float(thin.shell_volume) == pytest.approx(1e-6 * surface, rel=1e-6)
    assert float(thin.f1[0]) == pytest.approx(1e-2 * 5.3 * 1e-6 * surface, rel=1e-3)


def test_slabs_without_thickness_leave_the_core():
    none = dict.fromkeys(("thick_rim_a", "thick_rim_b", "thick_rim_c"), 0.0)
    got = averages(CORE_SHELL, sld_core=4.0, sld_solvent=1.0, **EDGES, **none)
    np.testing.assert_allclose(got, averages(BOX, **EDGES), rtol=1e-12)


def test_slabs_of_the_density_of_the_core_lengthen_one_edge():
    rims = {"thick_rim_a": 5.0, "thick_rim_b": 0.0, "thick_rim_c": 0.0}
    densities = {"sld_core": 4.0, "sld_a": 4.0, "sld_solvent": 1.0}
    sizes = {**EDGES, "length_a": 25.0}
    got = averages(CORE_SHELL, **sizes, **densities, **rims)
    np.testing.assert_allclose(got, averages(BOX, **EDGES), rtol=1e-11)
    p = parameters(CORE_SHELL, **sizes, **rims)
    assert float(CORE_SHELL.volume(p)) == pytest.approx(35.0 * 70.0 * 105.0)


def test_slabs_leave_the_edges_of_the_box_unfilled():
    """F(0) sums core and slabs; the volume counts no corner."""
    p = parameters(CORE_SHELL)
    zero = jnp.zeros(())
    slabs = [2 * 10.0 * 75 * 400, 2 * 10.0 * 35 * 400, 2 * 10.0 * 35 * 75]
    core = 35.0 * 75 * 400
    excess = -5 * core - 4 * slabs[0] - 2 * slabs[1] - 4 * slabs[2]
    got = float(CORE_SHELL.factors(zero, zero, zero, p)[0])
    assert got == pytest.approx(excess, rel=1e-13)
    assert float(CORE_SHELL.volume(p)) == pytest.approx(core + sum(slabs), rel=1e-14)


def test_first_radius_of_a_box_is_of_a_cylinder_along_its_odd_edge():
    def first(a, b, c):
        p = parameters(BOX, length_a=a, length_b=b, length_c=c)
        return float(BOX.radii(p)[0])

    of = effective_radius.of_excluded_volume
    rod = float(of(np.sqrt(35.0 * 75.0 / np.pi), 400.0))
    plate = float(of(np.sqrt(390.0 * 400.0 / np.pi), 10.0))
    assert first(400.0, 35.0, 75.0) == pytest.approx(rod, rel=1e-14)
    assert first(390.0, 10.0, 400.0) == pytest.approx(plate, rel=1e-14)


@pytest.mark.parametrize(
    "model", [BOX, PRISM, HOLLOW, CORE_SHELL], ids=lambda m: m.name
)
def test_derivatives_are_finite_at_q_zero_and_for_bodies_without_size(model):
    components = (jnp.array([0.0, 1e-7, 0.02]),) * 3
    names = [row.name for row in model.quantities]
    for changes in ({}, dict.fromkeys(names, 0.0), dict.fromkeys(names, 1.0)):
        values = vars(parameters(model, **changes))
        by_value, by_q = _slopes(model, values, components)
        assert np.all(np.isfinite(list(by_value.values())))
        assert np.all(np.isfinite(by_q))
