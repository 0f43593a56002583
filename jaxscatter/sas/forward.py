"""I(q) of a named model with keyword parameters, and the pieces it is made of.

Units: q in 1/Å, I in 1/cm; parameters as in the model's table.

References:
    [1] M. Kotlarchyk and S.-H. Chen, J. Chem. Phys. 79, 2461 (1983).
"""

import functools
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..errors import DataError, DataWarning, ModelError
from . import arguments, average, orientation
from .algebra import Component, Parts, Product, Settings, forms, parts, shape
from .declaration import AbstractAxial, AbstractForm, AbstractTriaxial
from .resolution import Resolution

Q = ArrayLike | Sequence

SAFE = 76
"""Orientation nodes where sizes are not known as numbers: good to q·R of 82."""


@functools.partial(jax.jit, static_argnames=("model",))
def _intensity(
    model: Component, q: Array, values: dict[str, Any], settings: Settings
) -> Array:
    return shape(model, q, values, settings)


@functools.partial(jax.jit, static_argnames=("model",))
def _parts(
    model: Product, q: Array, values: dict[str, Any], settings: Settings
) -> Parts:
    return parts(model, q, values, settings)


@functools.partial(jax.jit, static_argnames=("form", "mode"))
def _moments(
    form: AbstractForm,
    q: Array,
    values: dict[str, Any],
    settings: Settings,
    mode: int,
) -> average.Moments:
    rule = dict(settings.rules)[""]
    return average.moments(
        form, q, values, settings.distributions, rule, mode, settings.chunk
    )


def _numbers(values: Mapping[str, Any]) -> dict[str, Array]:
    return {k: jnp.asarray(v, float) for k, v in values.items()}


def _with_rules(
    model: Component,
    q: np.ndarray,
    values: Mapping[str, Any],
    settings: Settings,
    n_quad: int | None,
    chunk: int | None,
) -> Settings:
    """Settings with orientation rules; sizes without numbers get `SAFE` nodes."""
    if n_quad is None and arguments.traced(values, settings.distributions):
        n_quad = SAFE
        directed = (AbstractAxial, AbstractTriaxial)
        if any(isinstance(f, directed) for f in forms(model).values()):
            warnings.warn(
                f"{model.name}: parameters are traced, so orientations are averaged "
                f"with {SAFE} nodes, good to 1e-6 where q times the largest half "
                f"dimension stays below {orientation.reach(SAFE):.0f}; give n_quad= "
                "(see js.sas.n_quad) for other sizes, or to say that this will do",
                DataWarning,
                stacklevel=4,
            )
    spread = settings.distributions
    rules = arguments.rules_for(model, q, values, spread, n_quad, chunk)
    return Settings(settings.distributions, settings.options, rules, chunk)


def _say_unphysical(model: Component, curve: Array) -> None:
    """Warn where a structure factor has no solution, if the values are numbers."""
    if not arguments.traced(curve) and np.isnan(np.asarray(curve)).any():
        warnings.warn(
            f"{model.name} has no value (NaN) for these parameters: its structure "
            "factor has no physical solution there",
            DataWarning,
            stacklevel=3,
        )


def _ordered(q: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(q, kind="stable")
    back = np.empty_like(order)
    back[order] = np.arange(order.size)
    return order, back


def intensity(
    model: Any,
    q: Q,
    *,
    resolution: Resolution | None = None,
    n_quad: int | None = None,
    chunk: int | None = None,
    **parameters: Any,
) -> Float[Array, " n"]:
    """I(q) = scale · <F²>/<V> + background, or of P@S, sums and products.

    Differentiable in all parameters; q holds numbers.

    Args:
        model: "cylinder", "ellipsoid@hayter_msa", "sphere+porod", or a model object.
        q: (n,) in 1/Å, in any order.
        resolution: smearing, from `pinhole` or `slit`.
        n_quad: orientation nodes instead of those chosen from q·R.
        chunk: points of the distributions held at a time.
        parameters: by the names of the model's table; see `arguments` for the
            distributions (`radius_pd`) and the modes of P@S. Others keep their
            defaults.

    Returns:
        (n,) in 1/cm.

    Raises:
        ValueError: an unknown model, or a value outside its limits.
        TypeError: an unknown parameter.
    """
    model, values, settings = arguments.read(model, parameters)
    q = arguments.checked_q(model, q)
    if resolution is not None and resolution.n_points != q.size:
        raise DataError(
            f"the resolution is for {resolution.n_points} points, q has {q.size}"
        )
    at = q if resolution is None else resolution.q_calc
    order, back = _ordered(np.abs(at))
    settings = _with_rules(model, np.abs(at)[order], values, settings, n_quad, chunk)
    curve = _intensity(
        model, jnp.asarray(np.abs(at)[order]), _numbers(values), settings
    )
    _say_unphysical(model, curve)
    curve = values["scale"] * curve[back]
    if resolution is not None:
        curve = resolution.smear(curve)
    return curve + values["background"]


def intermediates(
    model: Any,
    q: Q,
    *,
    n_quad: int | None = None,
    chunk: int | None = None,
    **parameters: Any,
) -> dict[str, Array]:
    """What I(q) of P@S is made of.

    Returns:
        "P(Q)" = scale · φ <F²>/<V_shell> in 1/cm, "S(Q)", "beta(Q)" and "S_eff(Q)" =
        1 + beta (S-1), each (n,); "volume" = <V_shell> in Å³, "volume_ratio" =
        <V>/<V_shell> and "radius_effective" in Å. Of a form alone only those it has.

    Raises:
        TypeError: a sum or product of models: ask for its parts.
    """
    model, values, settings = arguments.read(model, parameters)
    if not isinstance(model, (Product, AbstractForm)):
        raise TypeError(f"{model.name!r} has no single P and S; ask for its parts")
    q = arguments.checked_q(model, q)
    order, back = _ordered(q)
    settings = _with_rules(model, q[order], values, settings, n_quad, chunk)
    sorted_q = jnp.asarray(q[order])
    if isinstance(model, AbstractForm):
        m = _moments(model, sorted_q, _numbers(values), settings, 0)
        return {
            "P(Q)": (values["scale"] * m.f2 / m.shell_volume)[back],
            "volume": m.shell_volume,
            "volume_ratio": m.form_volume / m.shell_volume,
        }
    p = _parts(model, sorted_q, _numbers(values), settings)
    _say_unphysical(model, p.structure)
    m = p.moments
    out = {
        "P(Q)": (values["scale"] * p.factor * m.f2 / m.shell_volume)[back],
        "S(Q)": p.structure[back],
    }
    if model.form.has_amplitude:
        out["beta(Q)"] = p.beta[back]
        out["S_eff(Q)"] = (1 + p.beta * (p.structure - 1))[back]
    return out | {
        "volume": m.shell_volume,
        "volume_ratio": m.form_volume / m.shell_volume,
        "radius_effective": p.radius,
    }


def amplitudes(
    form: Any,
    q: Q,
    *,
    radius_effective_mode: int | str = 1,
    n_quad: int | None = None,
    chunk: int | None = None,
    **parameters: Any,
) -> average.Moments:
    """<F>, <F²>, volumes and effective radius of a form factor.

    Args:
        form: a form factor's name or object.
        q: (n,) in 1/Å, ascending or not.
        radius_effective_mode: which effective radius, by number or name.
        n_quad: as in `intensity`.
        chunk: as in `intensity`.
        parameters: as in `intensity`.

    Raises:
        TypeError: not a form factor.
        ValueError: no such effective radius.
    """
    model, values, settings = arguments.read(form, parameters)
    if not isinstance(model, AbstractForm):
        raise TypeError(f"{model.name!r} is no form factor")
    mode = radius_effective_mode
    if isinstance(mode, str):
        if mode not in model.modes:
            raise ModelError(
                f"radius_effective_mode is {mode!r}; expected one of {model.modes}"
            )
        mode = model.modes.index(mode) + 1
    if not model.modes:
        mode = 0
    if not 0 <= mode <= len(model.modes):
        listed = {i + 1: n for i, n in enumerate(model.modes)}
        raise ModelError(f"radius_effective_mode is {mode}; expected one of {listed}")
    q = arguments.checked_q(model, q)
    order, back = _ordered(q)
    settings = _with_rules(model, q[order], values, settings, n_quad, chunk)
    m = _moments(model, jnp.asarray(q[order]), _numbers(values), settings, int(mode))
    return eqx.tree_at(lambda t: (t.f1, t.f2), m, (m.f1[back], m.f2[back]))


@functools.partial(jax.jit, static_argnames=("model", "nodes"))
def _pattern(
    model: Component,
    qx: Array,
    qy: Array,
    values: dict[str, Any],
    settings: Settings,
    nodes: int,
) -> Array:
    return oriented(model, qx, qy, values, settings, nodes)


def oriented(
    model: Component,
    qx: Float[Array, " n"],
    qy: Float[Array, " n"],
    values: Mapping[str, Any],
    settings: Settings,
    nodes: int = SAFE,
) -> Float[Array, " n"]:
    """I(qx, qy) in 1/cm of scale 1 and background 0, of a fixed orientation.

    Args:
        model: a form factor, or P@S with structure_factor_mode 0.
        qx: detector points in 1/Å.
        qy: their other component.
        values: parameters and widths by name.
        settings: distributions and options; its rules are not used.
        nodes: of a body's own inner integral, if it has one.

    Raises:
        NotImplementedError: beta(q) for oriented particles, and sums.
    """
    form = model.form if isinstance(model, Product) else model
    if not isinstance(form, AbstractForm):
        raise NotImplementedError(f"oriented patterns of {model.name!r}")
    spread = settings.distributions
    m = average.oriented_pattern(form, qx, qy, values, spread, nodes, settings.chunk)
    curve = m.f2 / m.shell_volume
    if not isinstance(model, Product):
        return curve
    if dict(settings.options).get("structure_factor_mode", 0):
        raise NotImplementedError(
            "structure_factor_mode other than 0 for oriented particles: <F> of other "
            "orientations has no meaning there"
        )
    q = jnp.sqrt(jnp.square(qx) + jnp.square(qy))
    sizes = {k: d for k, d in spread.items() if k not in average.ANGLES}
    one = (("", (orientation.Band(0, q.shape[0], 1, 1),)),)
    p = parts(model, q, values, Settings(sizes, settings.options, one))
    return p.factor * curve * p.structure


def pattern(
    model: Any,
    qx: Q,
    qy: Q,
    *,
    n_quad: int = SAFE,
    chunk: int | None = None,
    **parameters: Any,
) -> Float[Array, "..."]:
    """I(qx, qy) of an oriented sample in 1/cm, of the shape of `qx`.

    Args:
        model: a form factor, or P@S (structure_factor_mode 0).
        qx: detector points in 1/Å.
        qy: their other component, of equal shape.
        n_quad: nodes of a body's own inner integral, if it has one.
        chunk: points of the distributions held at a time.
        parameters: as in `intensity`, with theta, phi, psi in degrees; their `_pd` is
            the width of the jitter in degrees.

    Raises:
        NotImplementedError: beta(q) for oriented particles, and sums.
    """
    model, values, settings = arguments.read(model, parameters, two_dimensional=True)
    x, y = (np.asarray(v, float) for v in (qx, qy))
    if x.shape != y.shape or not np.all(np.isfinite(x + y)):
        raise DataError(
            f"qx and qy have shapes {x.shape} and {y.shape}; expected equal ones of "
            "finite numbers in 1/Å"
        )
    settings = Settings(settings.distributions, settings.options, (), chunk)
    flat = jnp.asarray(x.ravel()), jnp.asarray(y.ravel())
    curve = _pattern(model, *flat, _numbers(values), settings, n_quad)
    out = values["scale"] * curve + values["background"]
    return jnp.reshape(out, x.shape)
