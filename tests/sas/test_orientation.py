import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.sas import intensity
from jaxscatter.sas.orientation import (
    LADDER,
    bands,
    gauss,
    in_body,
    n_quad,
    polar,
    reach,
)


@pytest.mark.parametrize("extent", [12.0, 60.0, 200.0, 450.0])
@pytest.mark.parametrize("name", ["cylinder", "ellipsoid"])
def test_the_chosen_rule_is_good_to_a_millionth(name, extent):
    q = np.array([0.02, 0.11, 0.2])
    sizes = {"cylinder": {"radius": 9.0, "length": 2 * extent}}.get(
        name, {"radius_polar": extent, "radius_equatorial": 11.0}
    )
    chosen = intensity(name, q, background=0.0, **sizes)
    fine = intensity(name, q, background=0.0, n_quad=800, **sizes)
    np.testing.assert_allclose(chosen, fine, rtol=1e-6)


def test_nodes_grow_with_q_and_size_and_reach_what_they_say():
    counts = [n_quad(0.3, r) for r in (1, 100, 400, 1e3, 1e4, 1e6)]
    assert counts == sorted(counts)
    assert counts[-1] == LADDER[-1]
    for n in LADDER[:-1]:
        assert n_quad(1.0, reach(n)) == n


def test_bands_cover_q_and_each_is_fine_enough():
    q = np.geomspace(1e-3, 0.5, 300)
    rule = bands(q, 400.0)
    assert [b.start for b in rule] == [0, *(b.stop for b in rule[:-1])]
    assert rule[-1].stop == 300
    assert len(rule) > 1
    for band in rule:
        assert band.outer >= n_quad(q[band.stop - 1], 400.0)
    assert bands(q, 400.0, n=33) == (type(rule[0])(0, 300, 33, 33),)
    with pytest.raises(ValueError, match="n_quad is 0"):
        bands(q, 400.0, n=0)


def test_averages_of_one_and_of_cos_squared():
    for nodes_in in ("angle", "cosine"):
        sin, cos, w = polar(20, nodes_in)
        np.testing.assert_allclose(np.sum(w), 1.0, rtol=1e-13)
        np.testing.assert_allclose(np.sum(w * cos**2), 1 / 3, rtol=1e-13)
        np.testing.assert_allclose(sin**2 + cos**2, 1.0, rtol=1e-13)
    x, w = gauss(7)
    np.testing.assert_allclose(np.sum(w * x**12), 1 / 13, rtol=1e-13)


def test_views_and_jitter_keep_the_length_of_q():
    a, b, c = in_body(0.03, -0.07, (37.0, 52.0, 21.0), (8.0, -12.0, 5.0))
    np.testing.assert_allclose(a**2 + b**2 + c**2, 0.03**2 + 0.07**2, rtol=1e-13)


def test_an_upright_body_and_one_along_the_beam():
    """θ = 90°, φ = 0 puts the axis along x, θ = 0 along the beam."""
    a, b, c = in_body(0.05, 0.02, (90.0, 0.0, 0.0))
    np.testing.assert_allclose([a, b, c], [0.0, 0.02, 0.05], atol=1e-17)
    a, b, c = in_body(0.05, 0.02, (0.0, 0.0, 0.0))
    np.testing.assert_allclose([a, b, c], [0.05, 0.02, 0.0], atol=1e-17)


def test_small_jitter_of_theta_turns_the_axis_by_as_much():
    still = jnp.stack(in_body(0.05, 0.02, (60.0, 0.0, 0.0)))
    turned = jnp.stack(in_body(0.05, 0.02, (60.0, 0.0, 0.0), (1.0, 0.0, 0.0)))
    view = jnp.stack(in_body(0.05, 0.02, (61.0, 0.0, 0.0)))
    assert not np.allclose(turned, still)
    np.testing.assert_allclose(turned, view, rtol=1e-12)
