"""What users give, and what section 12 of the specification refuses."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import DataWarning
from jaxscatter.sas import amplitudes, intensity, intermediates
from jaxscatter.sas.arguments import nearest, read

Q = np.array([0.01, 0.05])


def test_modes_are_given_by_number_or_name():
    by_name = intensity(
        "sphere@hardsphere",
        Q,
        structure_factor_mode="P*(1+beta*(S-1))",
        radius_effective_mode="radius",
    )
    by_number = intensity(
        "sphere@hardsphere", Q, structure_factor_mode=1, radius_effective_mode=1.0
    )
    np.testing.assert_array_equal(by_name, by_number)


def test_widths_kinds_and_grids():
    _, values, settings = read(
        "cylinder",
        {"radius_pd": 0.1, "length_pd": 0.2, "length_pd_type": "schulz"},
    )
    assert values["radius_pd"] == 0.1
    assert settings.distributions["radius"].npts == 35
    assert settings.distributions["length"].npts == 80
    _, values, settings = read("cylinder", {"radius_pd": 0.0, "radius_pd_n": 9})
    assert settings.distributions == {}


def test_the_usual_spelling_is_taken_beside_sasviews():
    both = [
        intensity("two_power_law", Q, **{name: 3.0})
        for name in ("coefficent_1", "coefficient_1")
    ]
    np.testing.assert_array_equal(*both)


def test_unknown_parameters_are_named_with_the_nearest():
    with pytest.raises(TypeError, match="no parameter 'radus'; did you mean 'radius'"):
        intensity("sphere", Q, radus=3.0)
    with pytest.raises(TypeError, match="did you mean 'radius_pd'"):
        intensity("sphere", Q, radus_pd=0.1)
    assert nearest("x", ["alpha", "beta"]) == "there are ['alpha', 'beta']"


def test_parameters_without_effect_are_refused():
    with pytest.raises(TypeError, match="'sld' is no size or angle"):
        intensity("sphere", Q, sld_pd=0.1)
    with pytest.raises(TypeError, match="'theta' is an orientation"):
        intensity("cylinder", Q, theta=30.0)
    with pytest.raises(TypeError, match="no structure_factor_mode: it is no P@S"):
        intensity("sphere", Q, structure_factor_mode=1)
    with pytest.raises(TypeError, match="no <F>"):
        intensity("mono_gauss_coil@hardsphere", Q, structure_factor_mode=1)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"radius": -1.0}, r"radius is -1.0 Å; expected 0.0 to inf"),
        ({"radius": float("nan")}, "radius is nan"),
        ({"radius": "wide"}, "radius is 'wide'; expected one number"),
        ({"volfraction": 0.9}, "volfraction is 0.9; expected 0.0 to 0.74"),
        ({"scale": -1.0}, "scale is -1.0"),
        ({"radius_pd": -0.1}, "radius_pd is -0.1; expected a width >= 0"),
        ({"radius_pd": 0.1, "radius_pd_type": "normal"}, "'normal' is not known"),
        ({"radius_effective_mode": 2}, "radius_effective_mode is 2; expected one of"),
        ({"structure_factor_mode": "beta"}, "structure_factor_mode is 'beta'"),
        ({"radius_effective_mode": 0.5}, "radius_effective_mode is 0.5"),
        (
            {"radius_pd": 0.1, "radius_pd_type": "array"},
            r"expected radius_pd=\(points, weights\)",
        ),
        (
            {"radius_pd": ([1.0, 2.0], [1.0, -1.0]), "radius_pd_type": "array"},
            "finite points and weights >= 0",
        ),
    ],
)
def test_values_that_cannot_be_are_refused_by_name(given, message):
    with pytest.raises(ValueError, match=message):
        intensity("sphere@hardsphere", Q, **given)


def test_radii_to_be_weighed_need_a_mode():
    with pytest.raises(ValueError, match="structure_factor_mode=2 needs"):
        intensity(
            "sphere@hardsphere",
            Q,
            structure_factor_mode=2,
            radius_effective_mode=0,
        )


@pytest.mark.parametrize(
    ("q", "message"),
    [
        ([-0.1, 0.2], "q holds -0.1"),
        ([np.nan, 0.2], "q holds nan"),
        ([[0.1]], r"q has shape \(1, 1\)"),
        ([], r"q has shape \(0,\)"),
    ],
)
def test_values_of_q_that_cannot_be_are_refused(q, message):
    with pytest.raises(ValueError, match=message):
        intensity("sphere", q)


def test_zero_q_is_refused_only_where_it_has_no_limit():
    assert np.isfinite(intensity("sphere", [0.0, 0.1])).all()
    with pytest.raises(ValueError, match="q holds 0, where 'porod' has no finite"):
        intensity("porod", [0.0, 0.1])


def test_background_may_be_negative():
    low = intensity("sphere", Q, background=-3.0)
    np.testing.assert_allclose(low, intensity("sphere", Q, background=0.0) - 3.0)


def test_no_valid_size_leaves_the_background():
    got = intensity("barbell", Q, radius_bell=10.0, radius=20.0, background=0.7)
    np.testing.assert_allclose(got, 0.7)


def test_traced_sizes_are_said_unless_nodes_are_given():
    def curve(radius, **more):
        return intensity("cylinder", Q, radius=radius, **more)

    with pytest.warns(DataWarning, match="orientations are averaged with 76 nodes"):
        said = jax.jvp(curve, (20.0,), (1.0,))
    quiet = jax.jvp(lambda r: curve(r, n_quad=76), (20.0,), (1.0,))
    np.testing.assert_allclose(said, quiet, rtol=1e-12)


def test_too_many_points_ask_for_a_chunk():
    with pytest.raises(ValueError, match="give chunk="):
        intensity(
            "triaxial_ellipsoid",
            np.linspace(0.01, 0.5, 500),
            radius_polar_pd=0.1,
            radius_polar_pd_n=100,
            radius_equat_minor_pd=0.1,
            radius_equat_minor_pd_n=100,
            radius_equat_major_pd=0.1,
            radius_equat_major_pd_n=100,
        )


def test_amplitudes_and_intermediates_refuse_the_same():
    with pytest.raises(TypeError, match="'sphere@hardsphere' is no form factor"):
        amplitudes("sphere@hardsphere", Q)
    with pytest.raises(ValueError, match="radius_effective_mode is 3"):
        amplitudes("sphere", Q, radius_effective_mode=3)
    with pytest.raises(ValueError, match="radius_effective_mode is 'half'"):
        amplitudes("sphere", Q, radius_effective_mode="half")
    with pytest.raises(TypeError, match="did you mean"):
        intermediates("sphere", Q, radiu=jnp.float64(3.0))
