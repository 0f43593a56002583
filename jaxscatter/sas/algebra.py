"""Models made of models: P@S, A+B and A*B, and the table of what they need.

    P@S    I = scale · φ · PS/<V> + background
           PS = <F²> S                     structure_factor_mode 0
           PS = <F²> + <F>²(S - 1)         structure_factor_mode 1, beta(q) = <F>²/<F²>
           PS = <F² S(q; R_eff)>           structure_factor_mode 2, each size its own S
    A+B    I = scale (A_scale I_A + B_scale I_B) + background
    A*B    I = scale I_A I_B + background

In P@S φ is `volfraction`, unless P holds its own inside F; S is evaluated at the
enclosed volume fraction φ <V>/<V_shell> and, for radius_effective_mode > 0, at the
average effective radius of the particles. Parameters of P come first, then those of S;
a name both have gets the suffix _S.

Units: as `declaration`; I in 1/cm.

References:
    [1] M. Kotlarchyk and S.-H. Chen, J. Chem. Phys. 79, 2461 (1983), beta(q).
"""

import dataclasses
import math
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from ..errors import ModelError
from . import average, dispersion
from .declaration import (
    AbstractForm,
    AbstractInteraction,
    AbstractSasModel,
    Quantity,
)
from .dispersion import Distribution
from .orientation import Rule

STRUCTURE_MODES = ("P*S", "P*(1+beta*(S-1))", "local_monodisperse")
RESERVED = (
    "scale",
    "background",
    "radius_effective_mode",
    "structure_factor_mode",
)

Component = Any
"""A declared model, a `Product` or a `Total`."""


class Settings(eqx.Module):
    """Everything but the parameters that a composed model is evaluated with.

    Args:
        distributions: by full parameter name.
        options: structure_factor_mode and radius_effective_mode by full name.
        rules: orientation rule of each form by its prefix.
        chunk: points of distributions held at a time.
    """

    distributions: dict[str, Distribution] = dataclasses.field(default_factory=dict)
    options: tuple[tuple[str, int], ...] = eqx.field(static=True, default=())
    rules: tuple[tuple[str, Rule], ...] = eqx.field(static=True, default=())
    chunk: int | None = eqx.field(static=True, default=None)

    def option(self, name: str) -> int:
        """An option's number."""
        return dict(self.options)[name]


class Product:
    """P@S: particles with a structure factor."""

    def __init__(self, form: AbstractForm, interaction: AbstractInteraction):
        self.form, self.interaction = form, interaction
        taken = {row.name for row in form.quantities}
        self.renamed = {
            row.name: row.name if row.name not in taken else f"{row.name}_S"
            for row in interaction.quantities
            if row.name != "volfraction"
        } | {"volfraction": "volfraction"}

    @property
    def name(self) -> str:
        """P@S."""
        return f"{self.form.name}@{self.interaction.name}"

    @property
    def background(self) -> float:
        """Default background in 1/cm."""
        return self.form.background

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """P's parameters, then S's."""
        own = self.form.quantities
        taken = {row.name for row in own}
        rest = [
            dataclasses.replace(row, name=self.renamed[row.name])
            for row in self.interaction.quantities
            if not (row.name == "volfraction" and "volfraction" in taken)
        ]
        return (*own, *rest)

    @property
    def options(self) -> dict[str, tuple[int, tuple[str, ...]]]:
        """Default and names of each option; number 0 of the radius is the user's."""
        out = {}
        if self.form.has_amplitude:
            out["structure_factor_mode"] = (0, STRUCTURE_MODES)
        if self.form.modes:
            modes = ("unconstrained", *self.form.modes)
            out["radius_effective_mode"] = (1, modes)
        return out

    def __repr__(self) -> str:
        return f"{self.form!r} @ {self.interaction!r}"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Product) and (
            (self.form, self.interaction) == (other.form, other.interaction)
        )

    def __hash__(self) -> int:
        return hash((self.form, self.interaction))

    def __add__(self, other: Any) -> Any:
        return total("+", self, other)

    def __mul__(self, other: Any) -> Any:
        return total("*", self, other)


class Total:
    """A+B+... or A*B*...: independent contributions, or factors."""

    def __init__(self, operator: str, parts: Sequence[Component]):
        self.operator, self.parts = operator, tuple(parts)

    @property
    def prefixes(self) -> tuple[str, ...]:
        """A_, B_, ... of the parts."""
        return tuple(f"{chr(ord('A') + i)}_" for i in range(len(self.parts)))

    @property
    def name(self) -> str:
        """A+B or A*B."""
        return self.operator.join(part.name for part in self.parts)

    @property
    def background(self) -> float:
        """Default background in 1/cm."""
        return 0.001

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """Parameters of the parts with their prefix, each sum's part with a scale."""
        out = []
        for prefix, part in zip(self.prefixes, self.parts, strict=True):
            if self.operator == "+":
                out.append(Quantity(f"{prefix}scale", 1.0, lo=0.0))
            out += [
                dataclasses.replace(row, name=prefix + row.name)
                for row in part.quantities
            ]
        return tuple(out)

    @property
    def options(self) -> dict[str, tuple[int, tuple[str, ...]]]:
        """Options of the parts with their prefix."""
        return {
            prefix + name: option
            for prefix, part in zip(self.prefixes, self.parts, strict=True)
            for name, option in options(part).items()
        }

    def __repr__(self) -> str:
        return f" {self.operator} ".join(f"({part!r})" for part in self.parts)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Total) and (
            (self.operator, self.parts) == (other.operator, other.parts)
        )

    def __hash__(self) -> int:
        return hash((self.operator, self.parts))

    def __add__(self, other: Any) -> Any:
        return total("+", self, other)

    def __mul__(self, other: Any) -> Any:
        return total("*", self, other)


def product(form: Any, interaction: Any) -> Product:
    """P@S of a form factor and a structure factor.

    Raises:
        TypeError: not a form and a structure factor, or a structure factor whose first
            two parameters are not radius_effective and volfraction, or with an SLD.
        ValueError: a parameter under a reserved name.
    """
    if not isinstance(form, AbstractForm):
        raise TypeError(f"{form!r} is no form factor; P@S needs one on the left")
    if not isinstance(interaction, AbstractInteraction):
        raise TypeError(
            f"{interaction!r} is no structure factor; P@S needs one on the right"
        )
    first = [row.name for row in interaction.quantities][:2]
    if first != ["radius_effective", "volfraction"]:
        raise TypeError(
            f"structure factor {interaction.name!r} begins with {first}; expected "
            "radius_effective and volfraction"
        )
    dense = [row.name for row in interaction.quantities if row.kind == "sld"]
    if dense:
        raise TypeError(
            f"structure factor {interaction.name!r} has scattering length densities "
            f"{dense}; it cannot"
        )
    for model, names in (
        (form, (*RESERVED, "radius_effective")),
        (interaction, RESERVED),
    ):
        for row in model.quantities:
            if row.name in names:
                raise ModelError(
                    f"{model.name!r} has a parameter {row.name!r}, which is reserved "
                    "in P@S; rename it"
                )
    return Product(form, interaction)


def total(operator: str, first: Component, second: Component) -> Total:
    """A+B or A*B; a sum of sums is one sum."""
    parts: list[Component] = []
    for part in (first, second):
        if not isinstance(part, (AbstractSasModel, Product, Total)):
            raise TypeError(f"{part!r} is no model of small-angle scattering")
        if isinstance(part, Total) and part.operator == operator:
            parts += part.parts
        else:
            parts.append(part)
    if len(parts) > 26:
        raise ModelError(f"{len(parts)} models in one {operator!r}; at most 26")
    return Total(operator, parts)


def options(model: Component) -> dict[str, tuple[int, tuple[str, ...]]]:
    """Options of a model by full name: default number and names of the choices."""
    return {} if isinstance(model, AbstractSasModel) else model.options


def forms(model: Component, prefix: str = "") -> dict[str, AbstractForm]:
    """The form factors inside a model by prefix."""
    if isinstance(model, AbstractForm):
        return {prefix: model}
    if isinstance(model, Product):
        return {prefix: model.form}
    if isinstance(model, Total):
        out: dict[str, AbstractForm] = {}
        for own, part in zip(model.prefixes, model.parts, strict=True):
            out |= forms(part, prefix + own)
        return out
    return {}


def _below(values: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    """Entries under a prefix, without it."""
    if not prefix:
        return dict(values)
    return {k[len(prefix) :]: v for k, v in values.items() if k.startswith(prefix)}


class Parts(eqx.Module):
    """What P@S is made of, at n values of q."""

    moments: average.Moments
    structure: Float[Array, " n"]
    """S(q)"""
    radius: Float[Array, ""]
    """effective radius S was evaluated at, in Å"""
    intensity: Float[Array, " n"]
    """φ PS/<V> in 1/cm: without scale and background"""
    factor: Any
    """φ, or 1 where P holds it: P(Q) is factor · <F²>/<V_shell>"""

    @property
    def beta(self) -> Float[Array, " n"]:
        """<F>²/<F²>; 1 where <F²> is 0."""
        f2 = self.moments.f2
        dark = f2 <= 0
        return jnp.where(
            dark, 1.0, jnp.square(self.moments.f1) / jnp.where(dark, 1.0, f2)
        )


def parts(
    model: Product,
    q: Float[Array, " n"],
    values: Mapping[str, Any],
    settings: Settings,
    prefix: str = "",
) -> Parts:
    """The pieces of P@S; `values` under `prefix`."""
    own = _below(values, prefix)
    spread = _below(settings.distributions, prefix)
    named = {prefix + k: v for k, v in model.options.items()}
    mode = settings.option(f"{prefix}radius_effective_mode") if model.form.modes else 0
    how = (
        settings.option(f"{prefix}structure_factor_mode")
        if f"{prefix}structure_factor_mode" in named
        else 0
    )
    phi = own["volfraction"]

    def at(radius: Any, ratio: Any) -> Float[Array, " n"]:
        return _structure(model, own, q, radius, phi * ratio)

    rule = dict(settings.rules)[prefix]
    weigh = None
    if how == 2:
        weigh = _own_structure(model, own, spread)
    m = average.moments(model.form, q, own, spread, rule, mode, settings.chunk, weigh)
    ratio = m.form_volume / m.shell_volume
    if mode:
        radius = m.radius
        s = at(radius, ratio)
    else:
        radius = jnp.asarray(own["radius_effective"], float)
        distribution = spread.get("radius_effective")
        if distribution is None or distribution.size == 1:
            s = at(radius, ratio)
        else:
            x, w = dispersion.points(
                distribution, radius, own.get("radius_effective_pd", 0.0), 0.0
            )
            s = jnp.sum(w[:, None] * jax.vmap(lambda r: at(r, ratio))(x), axis=0)
    if how == 2:
        assert m.weighed is not None
        scattered = m.weighed
    elif how == 1:
        scattered = m.f2 + jnp.square(m.f1) * (s - 1)
    else:
        scattered = m.f2 * s
    factor = 1.0 if model.form.owns_volfraction else phi
    return Parts(m, s, radius, factor * scattered / m.shell_volume, factor)


def _structure(
    model: Product, own: Mapping[str, Any], q: Array, radius: Any, phi: Any
) -> Float[Array, " n"]:
    """S(q) at an effective radius in Å and a volume fraction."""
    rest = model.interaction.quantities[2:]
    given = {row.name: own[model.renamed[row.name]] for row in rest}
    given |= {"radius_effective": radius, "volfraction": phi}
    return model.interaction.structure(q, model.interaction.namespace(given))


def _own_structure(
    model: Product, own: Mapping[str, Any], spread: Mapping[str, Distribution]
) -> average.Weigh:
    """S(q) of each size by its own effective radius, for mode 2."""
    one = average.volume_ratio(model.form, own, spread)

    def weigh(q: Float[Array, " n"], radius: Any) -> Float[Array, " n"]:
        return _structure(model, own, q, radius, own["volfraction"] * one)

    return weigh


def shape(
    model: Component,
    q: Float[Array, " n"],
    values: Mapping[str, Any],
    settings: Settings,
    prefix: str = "",
) -> Float[Array, " n"]:
    """I(q) in 1/cm of scale 1 and background 0.

    Args:
        model: declared or composed.
        q: in 1/Å, in the order the rules of `settings` were made for.
        values: parameters and widths by full name.
        settings: distributions, options and rules.
        prefix: of this part's names inside `values`.
    """
    if isinstance(model, AbstractInteraction):
        return model.structure(q, model.namespace(_below(values, prefix)))
    if isinstance(model, AbstractForm):
        m = average.moments(
            model,
            q,
            _below(values, prefix),
            _below(settings.distributions, prefix),
            dict(settings.rules)[prefix],
            0,
            settings.chunk,
        )
        return m.f2 / m.shell_volume
    if isinstance(model, Product):
        return parts(model, q, values, settings, prefix).intensity
    each = []
    for own, part in zip(model.prefixes, model.parts, strict=True):
        here = shape(part, q, values, settings, prefix + own)
        if model.operator == "+":
            here = values[f"{prefix}{own}scale"] * here
        each.append(here)
    if model.operator == "+":
        return sum(each[1:], start=each[0])
    return math.prod(each[1:], start=each[0])
