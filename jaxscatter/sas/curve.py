"""I(q) as a model the engine fits: scale · shape(q) + background, smeared.

Scale and background are linear; each is solved for by the engine, or an ordinary
parameter, or held. Units: q in 1/Å, I in 1/cm.
"""

import dataclasses
import functools
import math
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import as_float
from ..problem import AbstractModel, Amplitude, Dataset, Parameter, ParameterSet
from . import arguments, orientation
from .algebra import Component, Product, Settings, forms, options, parts, shape
from .average import moments
from .declaration import AbstractForm
from .effective_radius import of_volume
from .forward import oriented

LINEAR = ("scale", "background")
OSCILLATING = 15.0
"""q·R below which the minima of I(q) are deep."""
COARSE = 0.6
"""Step of q times R from which smearing on that grid errs by 5 % (measured)."""


class CurveModel(AbstractModel):
    """A model of small-angle scattering bound to its settings.

    Args:
        parameters: values and widths by full name; scale and background among them
            unless solved for.
        amplitudes: made by `amplitudes_of`.
        component: the model.
        settings: distributions, options and orientation rules.
        solved: which of scale and background the engine solves for.
        pattern: whether the data are I(qx, qy) of an oriented sample.
        withheld: scale and background as parameters, where the engine solves for them.
        reach: largest half dimension in Å the rules of each form are good for.
    """

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]
    settings: Settings
    component: Component = eqx.field(static=True)
    solved: tuple[str, ...] = eqx.field(static=True)
    pattern: bool = eqx.field(static=True, default=False)
    withheld: tuple[Parameter, ...] = ()
    reach: tuple[tuple[str, float], ...] = eqx.field(static=True, default=())

    def columns(
        self, prepared: Any, theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, "n k"]:
        """Columns of shape and background, see `amplitudes_of`."""
        del prepared
        curve = self.curve(theta, coords)
        one = jnp.ones_like(curve)
        if "scale" not in self.solved:
            curve = theta["scale"] * curve
        if "background" not in self.solved:
            one = theta["background"] * one
        if not self.solved:
            return (curve + one)[:, None]
        return jnp.stack([curve, one], axis=1)

    def curve(
        self, theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, " n"]:
        """I of scale 1 and background 0 as the instrument sees it."""
        if self.pattern:
            return self._image(theta, coords)
        if "smear" not in coords:
            return shape(self.component, coords["q"], theta, self.settings)
        fine = shape(self.component, coords["q_calc"], theta, self.settings)
        return coords["smear"] @ fine

    def _image(
        self, theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, " n"]:
        if "qx_calc" not in coords:
            at = coords["qx"], coords["qy"]
            return oriented(self.component, *at, theta, self.settings)
        shape = coords["qx_calc"].shape
        at = jnp.ravel(coords["qx_calc"]), jnp.ravel(coords["qy_calc"])
        fine = oriented(self.component, *at, theta, self.settings)
        return jnp.reshape(fine, shape) @ coords["smear_weights"]

    @property
    def name(self) -> str:
        """Name and modes, as in "ellipsoid@hayter_msa, R_eff: average curvature"."""
        said = [self.component.name]
        for name, number in self.settings.options:
            _, names = options(self.component)[name]
            said.append(f"{name}: {names[number]}")
        return ", ".join(said)

    @property
    def independent_points(self) -> bool:
        """Not where orientation rules belong to ranges of q, or curves are smeared."""
        return False

    def derived(self, theta: dict[str, Any]) -> dict[str, tuple[Any, str]]:
        """Mean volume and the effective radius that was used."""
        del theta
        if not isinstance(self.component, (Product, AbstractForm)):
            return {}
        form = next(iter(forms(self.component).values()))
        if type(form).volume is AbstractForm.volume and not isinstance(
            self.component, Product
        ):
            return {}
        fixed = {p.name: p.value for p in self.parameters}

        def pieces(known: dict[str, Any]) -> Any:
            values = {k: as_float(v) for k, v in (fixed | known).items()}
            return _pieces(self.component, values, self.settings)

        out: dict[str, tuple[Any, str]] = {
            "<V>": (lambda known: pieces(known)[0], "Å³")
        }
        if isinstance(self.component, Product):
            out["R_eff"] = (lambda known: pieces(known)[1], "Å")
        return out

    def cautions(
        self, theta: dict[str, Any], coords: dict[str, Any]
    ) -> tuple[str, ...]:
        """Bodies too large for the orientation rule or for the smeared grid."""
        said = tuple(
            f"{label} has a half dimension of {extent:.4g} Å; its orientations are "
            f"sampled finely enough for {allowed:.4g} Å: give bounds that hold the "
            "sizes, or n_quad="
            for label, extent, allowed in self._too_large(theta)
        )
        if "q_calc" not in coords:
            return said
        coarse = self._too_coarse(theta, np.asarray(coords["q_calc"]))
        return said if coarse is None else (*said, coarse)

    def _too_coarse(self, theta: dict[str, Any], q: np.ndarray) -> str | None:
        """A sentence where I(q) oscillates from point to point of the smeared grid."""
        for prefix, form in forms(self.component).items():
            if type(form).volume is AbstractForm.volume:
                continue
            own = {
                r.name: jnp.asarray(theta.get(prefix + r.name, r.value), float)
                for r in form.quantities
            }
            radius = float(of_volume(form.volume(form.namespace(own))))
            near = q[:-1] * radius < OSCILLATING
            step = float(np.max(np.diff(q)[near], initial=0.0))
            if step * radius > COARSE:
                wanted = math.ceil(step * radius / COARSE) + 1
                return (
                    f"{prefix}{form.name} of {radius:.4g} Å oscillates between the "
                    f"points the smeared curve is calculated at (steps of {step:.2g} "
                    "1/Å), which is wrong by 5 % or more near its minima; load the "
                    f"data with oversample={wanted} or more"
                )
        return None

    def _too_large(self, theta: dict[str, Any]) -> list[tuple[str, float, float]]:
        """Forms beyond their rules: label, half dimension and what the rule allows."""
        out = []
        allowed = dict(self.reach)
        for prefix, form in forms(self.component).items():
            spread = self.settings.distributions
            extent, _ = arguments.extents(form, theta, spread, prefix)
            if extent > allowed.get(prefix, math.inf) * (1 + 1e-9):
                out.append((f"{prefix}{form.name}", extent, allowed[prefix]))
        return out

    def refined(
        self, theta: dict[str, Any], data: Dataset
    ) -> "tuple[CurveModel, str] | None":
        """The model with orientations sampled finely enough for the sizes at θ."""
        large = self._too_large(theta)
        if not large:
            return None
        # half as much again, so that the next step does not pass it too
        wider = {k: 1.5 * float(np.asarray(v)) for k, v in theta.items()}
        sizes = {r.name for r in self.component.quantities if r.kind == "volume"}
        values = {k: wider[k] if k in sizes else theta[k] for k in theta}
        rules, reach = sampled(self.component, data, values, self.settings)
        said = (
            f"{large[0][0]} outgrew the sizes its orientations were sampled for "
            f"({large[0][2]:.4g} Å): they were sampled finer and the run went on"
        )
        settings = dataclasses.replace(self.settings, rules=rules)
        return dataclasses.replace(self, settings=settings, reach=reach), said

    def for_posterior(self) -> "CurveModel":
        """The model with the scale as a parameter, with its prior.

        A flat prior on a scale that is integrated out would weigh shapes by the inverse
        of their brightness, and so prefer small particles.
        """
        kept = tuple(p for p in self.withheld if p.name == "scale")
        if "scale" not in self.solved or not kept:
            return self
        solved = tuple(n for n in self.solved if n != "scale")
        return dataclasses.replace(
            self,
            parameters=ParameterSet([*kept, *self.parameters]),
            amplitudes=amplitudes_of(solved),
            solved=solved,
        )


def sampled(
    component: Component,
    data: Dataset,
    values: dict[str, Any],
    settings: Settings,
    n_quad: int | None = None,
) -> tuple[Any, tuple[tuple[str, float], ...]]:
    """Orientation rules for these sizes, and the half dimension each is good for."""
    q = np.asarray(data.coords.get("q_calc", data.coords.get("q")))
    spread = settings.distributions
    rules = arguments.rules_for(component, q, values, spread, n_quad, settings.chunk)
    if n_quad is not None:
        return rules, ()
    top, reach = float(np.max(np.abs(q))), []
    for prefix, form in forms(component).items():
        wanted, _ = arguments.extents(form, values, spread, prefix)
        nodes = dict(rules)[prefix][-1].outer
        good = orientation.reach(nodes) / top if top > 0 else math.inf
        reach.append((prefix, max(wanted, good)))
    return rules, tuple(sorted(reach))


def amplitudes_of(solved: tuple[str, ...]) -> tuple[Amplitude, ...]:
    """What the two columns are: solved for, or held at 1."""
    if not solved:
        return ()
    scale = Amplitude("scale", 0.0, unit="")
    background = Amplitude("background", unit="1/cm")
    if "scale" not in solved:
        scale = Amplitude("shape", held=1.0)
    if "background" not in solved:
        background = Amplitude("constant", held=1.0)
    return (scale, background)


@functools.partial(jax.jit, static_argnames=("component",))
def _pieces(component: Component, values: dict[str, Any], settings: Settings) -> Any:
    """<V> and R_eff, which need no q."""
    rules = tuple(
        (prefix, (orientation.Band(0, 1, 1, 1),)) for prefix in forms(component)
    )
    here = Settings(settings.distributions, settings.options, rules, settings.chunk)
    q = jnp.full((1,), 1e-3)
    if isinstance(component, Product):
        p = parts(component, q, values, here)
        return p.moments.form_volume, p.radius
    m = moments(component, q, values, settings.distributions, rules[0][1])
    return m.form_volume, jnp.zeros(())
