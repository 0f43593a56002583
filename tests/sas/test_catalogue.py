"""Every model against the peer's numbers, and its derivatives against differences."""

import json
import pathlib

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.sas import amplitudes, intensity, load_model, models
from jaxscatter.sas.arguments import read
from jaxscatter.sas.catalogue import MODELS, control_names
from jaxscatter.sas.declaration import AbstractForm, AbstractInteraction

DATA = pathlib.Path(__file__).parent.parent / "data" / "sas"
FORMS = [n for n, m in MODELS.items() if issubclass(m, AbstractForm)]


def stored(name):
    cases = json.loads((DATA / name).read_text())["cases"]
    return [c for c in cases if c["model"] in MODELS]


def by_model(cases):
    return {m: [c for c in cases if c["model"] == m] for m in MODELS}


MONO = by_model(stored("models.json"))
WITH_AMPLITUDES = by_model(stored("amplitudes.json"))

# relative; all others hold 1e-6 (two Gauss rules agree no better) or are closed forms
TOLERANCE = {"pearl_necklace": 1e-4}
# The peer's volume counts the axis ratio twice.
FACTOR = {"flexible_cylinder_elliptical": lambda pars: pars.get("axis_ratio", 1.5)}
# The peer's outer section is no ellipse in its averages, but is in its oriented
# patterns, which tests/sas/test_bicelles.py compares.
NOT_COMPARED = ("core_shell_bicelle_elliptical",)
DAILY = (
    "sphere",
    "core_multi_shell",
    "cylinder",
    "ellipsoid",
    "parallelepiped",
    "barbell",
    "lamellar",
    "guinier_porod",
    "fractal",
    "hardsphere",
    "hayter_msa",
)
"""Models that are checked in full by default; the others with the slow tests."""


def daily(names):
    """The names, those not in `DAILY` marked slow."""
    return [
        name if name in DAILY else pytest.param(name, marks=pytest.mark.slow)
        for name in names
    ]


def compared(name, cases):
    for case in cases:
        got = intensity(name, case["q"], **case["pars"])
        rtol, pars = TOLERANCE.get(name, 1e-6), case["pars"]
        if name in FACTOR:
            flat = pars.get("background", 0.001)
            got = (got - flat) * FACTOR[name](pars) + flat
        np.testing.assert_allclose(got, case["Iq"], rtol=rtol, err_msg=case["id"])


COMPARED = [m for m in MODELS if MONO[m] and m not in NOT_COMPARED]


@pytest.mark.parametrize("name", COMPARED)
def test_curves_at_default_values_are_those_of_the_peer(name):
    compared(name, [c for c in MONO[name] if c["id"].endswith("/default")])


@pytest.mark.parametrize("name", daily(COMPARED))
def test_all_curves_are_those_of_the_peer(name):
    """At other sizes, and with distributions of them."""
    compared(name, MONO[name])


@pytest.mark.parametrize("name", daily(m for m in MODELS if WITH_AMPLITUDES[m]))
def test_amplitudes_volumes_and_effective_radii_are_those_of_the_peer(name):
    assert list(MODELS[name]().modes) == WITH_AMPLITUDES[name][0]["mode_names"]
    for case in WITH_AMPLITUDES[name]:
        q, pars = case["q"], case["pars"]
        got = amplitudes(name, q, **pars)
        np.testing.assert_allclose(got.shell_volume, case["shell_volume"], rtol=1e-9)
        ratio = got.form_volume / got.shell_volume
        np.testing.assert_allclose(ratio, case["volume_ratio"], rtol=1e-9)
        if case["F1"] is not None and name not in NOT_COMPARED:
            largest = np.max(np.abs(case["F1"]))
            # the sign of F is a convention; its square and its products are not
            sign = np.sign(np.asarray(got.f1)[0] * case["F1"][0])
            np.testing.assert_allclose(
                sign * got.f1, case["F1"], rtol=0, atol=1e-6 * largest
            )
        if case["F2"] is not None and name not in NOT_COMPARED:
            np.testing.assert_allclose(got.f2, case["F2"], rtol=1e-6)
        wanted = case["radius_effective_by_mode"]
        np.testing.assert_allclose(got.radius, wanted[0], rtol=1e-9)
        if not any(k.endswith("_pd") for k in pars):
            _, values, _ = read(name, pars)
            model = load_model(name, **{k: pars[k] for k in control_names(name)})
            numbers = {k: jnp.asarray(float(v)) for k, v in values.items()}
            radii = model.radii(model.namespace(numbers))
            np.testing.assert_allclose(jnp.stack(radii), wanted, rtol=1e-9)


def test_every_amplitude_case_has_its_model():
    assert {c["model"] for c in stored("amplitudes.json")} <= set(MODELS)
    assert all(WITH_AMPLITUDES[n] for n in FORMS if MODELS[n].has_amplitude)


def free_values(name):
    """Defaults moved a little, so that no two sizes are equal and no kink is hit."""
    rows = [r for r in MODELS[name]().quantities if r.kind != "orientation"]
    out = {}
    for i, row in enumerate(rows):
        value = row.value * (1 + 0.013 * (i + 1)) + (0.02 if row.value == 0 else 0.0)
        out[row.name] = min(max(value, row.lo), row.hi)
    return out


HAVE_PARAMETERS = [name for name in MODELS if free_values(name)]  # Porod's law has none


@pytest.mark.parametrize("name", daily(HAVE_PARAMETERS))
def test_derivatives_equal_differences_and_are_finite_at_small_q(name):
    values = free_values(name)
    names = list(values)
    start = np.array([values[n] for n in names])
    lowest = 0.0 if getattr(MODELS[name], "zero_q", True) else 1e-6
    q = np.array([lowest, 1e-6, 0.011, 0.043, 0.17])

    @jax.jit
    def curve(x):
        given = dict(zip(names, x, strict=True))
        return intensity(name, q, n_quad=24, background=0.0, **given)

    jacobian = jax.jit(jax.jacfwd(curve))(jnp.asarray(start))
    assert np.all(np.isfinite(jacobian)), names
    reverse = jax.jit(jax.grad(lambda x: jnp.sum(curve(x)[2:])))(jnp.asarray(start))
    np.testing.assert_allclose(
        reverse,
        np.sum(jacobian[2:], axis=0),
        rtol=1e-7,
        atol=1e-9 * np.abs(reverse).max(),
    )
    for i, x in enumerate(start):
        step = 1e-5 * max(abs(x), 1e-3)
        moved = start.copy()
        moved[i] = x + step
        above = curve(jnp.asarray(moved))
        moved[i] = x - step
        slope = (above - curve(jnp.asarray(moved))) / (2 * step)
        size = np.abs(curve(jnp.asarray(start))) / max(abs(x), 1e-3)
        np.testing.assert_allclose(
            jacobian[2:, i], slope[2:], rtol=2e-5, atol=2e-6 * size[2:].max()
        )


@pytest.mark.parametrize("name", ["sphere", "cylinder", "parallelepiped", "lamellar"])
def test_vmap_over_parameters_is_a_loop(name):
    values = free_values(name)
    first = next(r.name for r in MODELS[name]().quantities if r.kind == "volume")
    q = np.array([0.004, 0.03, 0.2])

    def curve(size):
        return intensity(name, q, n_quad=20, **{**values, first: size})

    sizes = jnp.array([0.7, 1.0, 1.6]) * values[first]
    loop = np.stack([curve(s) for s in sizes])
    np.testing.assert_allclose(jax.vmap(curve)(sizes), loop, rtol=1e-12)


def test_models_lists_tables_with_units_and_limits():
    table = models()
    assert set(table) == set(MODELS)
    radius = next(r for r in table["sphere"] if r["name"] == "radius")
    assert radius == {
        "name": "radius",
        "default": 50.0,
        "unit": "Å",
        "lo": 0.0,
        "hi": np.inf,
        "type": "volume",
        "doc": "of the sphere",
    }


def test_every_declaration_is_complete():
    for name, model in MODELS.items():
        built = model()
        assert built.name == name
        assert built.category and built.reference, name
        names = [r.name for r in built.quantities]
        assert len(names) == len(set(names)), name
        assert all(r.lo <= r.value <= r.hi for r in built.quantities), name
        if isinstance(built, AbstractInteraction):
            assert names[:2] == ["radius_effective", "volfraction"]


def test_unknown_names_are_refused_with_near_ones():
    with pytest.raises(ValueError, match="no model 'sphre'; near it are"):
        load_model("sphre")
    with pytest.raises(ValueError, match="no model 'spere'"):
        load_model("spere@hardsphere")
    with pytest.raises(ValueError, match="more than one structure factor"):
        load_model("sphere@hardsphere@hardsphere")
    with pytest.raises(TypeError, match="is no model of small-angle scattering"):
        load_model(3)


def test_control_parameters_reach_their_part():
    built = load_model("core_multi_shell+sphere", A_n=3)
    assert built.parts[0].counts["n"] == 3
    assert "A_sld3" in [r.name for r in built.quantities]
    assert load_model(built, A_n=2).parts[0].counts["n"] == 2
    with pytest.raises(TypeError, match=r"no control parameter \['n'\]"):
        load_model("sphere", n=3)
    with pytest.raises(
        ValueError, match="n of core_multi_shell is 12; expected 0 to 10"
    ):
        load_model("core_multi_shell", n=12)
