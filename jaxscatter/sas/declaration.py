"""How a model of small-angle scattering is declared: a table, and the formula.

A model is a class with a name, a table of parameters and one formula. Which formula
depends on its symmetry:

    AbstractSpherical     amplitude(q, p)              F(q) of a body without direction
    AbstractAxial         factors(q_ab, q_c, p)        F of a body with an axis c
    AbstractTriaxial      factors(q_a, q_b, q_c, p)    F of a body with axes a, b, c
    AbstractIntensity     intensity(q, p)              <F²> where there is no F
    AbstractInteraction   structure(q, p)              S(q)

`p` holds the parameters as attributes: `p.radius`. Amplitudes F are in 1e-6/Å² · Å³,
`intensity` is in 1e-4 of their square so that divided by a volume in Å³ it is in 1/cm.
Orientation, size distributions, P@S and resolution are done elsewhere, the same way
for every model.

Units: q in 1/Å, lengths Å, scattering length densities 1e-6/Å², angles degrees.
"""

import abc
import dataclasses
import math
from collections.abc import Mapping
from types import SimpleNamespace
from typing import Any, ClassVar

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..errors import ModelError

KINDS = ("sld", "volume", "orientation", "")


@dataclasses.dataclass(frozen=True)
class Quantity:
    """One row of a model's parameter table.

    Args:
        name: as users write it.
        value: default in `unit`.
        unit: empty for pure numbers.
        lo, hi: hard limits.
        kind: "sld", "volume" (a size, may be distributed), "orientation" or "".
        doc: one line on what it is.
        per: control parameter that says how many there are: name1, name2, ...
    """

    name: str
    value: float | int
    unit: str = ""
    lo: float | int = -math.inf
    hi: float | int = math.inf
    kind: str = ""
    doc: str = ""
    per: str | None = None


@dataclasses.dataclass(frozen=True)
class Control:
    """An integer that decides the structure of a model: how many shells or layers."""

    name: str
    value: int
    lo: int
    hi: int
    doc: str = ""


def sld(
    name: str, value: float | int, doc: str = "", per: str | None = None
) -> Quantity:
    """A scattering length density in 1e-6/Å²."""
    return Quantity(name, value, "1e-6/Å²", kind="sld", doc=doc, per=per)


def size(
    name: str,
    value: float | int,
    doc: str = "",
    lo: float | int = 0.0,
    hi: float | int = math.inf,
    unit: str = "Å",
    per: str | None = None,
) -> Quantity:
    """A size that decides the volume and may be distributed."""
    return Quantity(name, value, unit, lo, hi, "volume", doc, per)


def number(
    name: str,
    value: float | int,
    unit: str = "",
    lo: float | int = -math.inf,
    hi: float | int = math.inf,
    doc: str = "",
) -> Quantity:
    """Any other parameter."""
    return Quantity(name, value, unit, lo, hi, "", doc)


def angle(name: str, value: float | int = 60.0, doc: str = "") -> Quantity:
    """An orientation in degrees; it matters for oriented patterns only."""
    return Quantity(name, value, "degrees", -360.0, 360.0, "orientation", doc)


AXIAL_ANGLES = (
    angle("theta", doc="angle of the axis to the beam"),
    angle("phi", doc="rotation of the axis about the beam"),
)
TRIAXIAL_ANGLES = (
    *AXIAL_ANGLES,
    angle("psi", doc="rotation about the axis"),
)


class AbstractSasModel(abc.ABC):
    """A declared model; instances differ only in their control parameters.

    Class attributes:
        name: SasView's.
        category: family it is listed under.
        table: its parameters.
        controls: integers given at construction, `CoreMultiShell(n=3)`.
        reference: where the formula is from.
    """

    name: ClassVar[str]
    category: ClassVar[str]
    table: ClassVar[tuple[Quantity, ...]]
    controls: ClassVar[tuple[Control, ...]] = ()
    reference: ClassVar[str] = ""
    background: ClassVar[float] = 0.001

    def __init__(self, **controls: float | int):
        known = {c.name: c for c in self.controls}
        for name in controls:
            if name not in known:
                raise ModelError(
                    f"{self.name} has no control parameter {name!r}; it has "
                    f"{sorted(known) or 'none'}"
                )
        chosen = {}
        for c in self.controls:
            given = controls.get(c.name, c.value)
            count = math.floor(float(given) + 0.5)
            if not c.lo <= count <= c.hi:
                raise ModelError(
                    f"{c.name} of {self.name} is {given}; expected {c.lo} to {c.hi}"
                )
            chosen[c.name] = count
        self.counts: Mapping[str, int] = chosen

    def __repr__(self) -> str:
        inside = ", ".join(f"{k}={v}" for k, v in self.counts.items())
        return f"{type(self).__name__}({inside})"

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and vars(self) == vars(other)

    def __hash__(self) -> int:
        return hash((type(self), *sorted(self.counts.items())))

    def __matmul__(self, other: Any) -> Any:
        from .algebra import product

        return product(self, other)

    def __add__(self, other: Any) -> Any:
        from .algebra import total

        return total("+", self, other)

    def __mul__(self, other: Any) -> Any:
        from .algebra import total

        return total("*", self, other)

    @property
    def quantities(self) -> tuple[Quantity, ...]:
        """The table with vector parameters written out: sld1, sld2, ..."""
        out = []
        for row in self.table:
            if row.per is None:
                out.append(row)
                continue
            for i in range(1, self.counts[row.per] + 1):
                out.append(dataclasses.replace(row, name=f"{row.name}{i}", per=None))
        return tuple(out)

    def namespace(self, values: Mapping[str, Any]) -> SimpleNamespace:
        """Parameters as attributes; vector parameters are stacked, counts are ints."""
        given: dict[str, Any] = dict(self.counts)
        for row in self.table:
            if row.per is None:
                if row.name in values:
                    given[row.name] = values[row.name]
                continue
            names = [f"{row.name}{i}" for i in range(1, self.counts[row.per] + 1)]
            given[row.name] = (
                jnp.stack([jnp.asarray(values[n]) for n in names])
                if names
                else jnp.zeros((0,))
            )
        return SimpleNamespace(**given)


class AbstractForm(AbstractSasModel):
    """P(q) of independent particles.

    Class attributes:
        modes: names of the effective radii, in the order of `radii`.
        has_amplitude: whether <F> exists, so that beta(q) can be formed.
        owns_volfraction: whether the formula holds `volfraction` itself.
        holds_scale: whether own parameters scale all of it, so that the overall scale
            is held in fits.
        zero_q: whether q = 0 has a finite value.
    """

    modes: ClassVar[tuple[str, ...]] = ()
    has_amplitude: ClassVar[bool] = True
    owns_volfraction: ClassVar[bool] = False
    holds_scale: ClassVar[bool] = False
    zero_q: ClassVar[bool] = True

    def volume(self, p: Any) -> Any:
        """Volume in Å³ inside the outer surface; 1 where the model has none."""
        del p
        return 1.0

    def shell_volume(self, p: Any) -> Any:
        """Volume of the material in Å³, where hollow bodies differ."""
        return self.volume(p)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """Effective radii in Å, one per name in `modes`."""
        del p
        return ()

    def valid(self, p: Any) -> Any:
        """Whether these sizes make a body; points that do not are left out."""
        del p
        return True

    def extent(self, p: Any) -> Any:
        """Largest half dimension in Å: decides how fine orientations are sampled."""
        del p
        return 0.0


class AbstractSpherical(AbstractForm):
    """A body whose amplitude does not depend on direction."""

    @abc.abstractmethod
    def amplitude(self, q: Float[Array, "..."], p: Any) -> Float[Array, "..."]:
        """F(q) in 1e-6/Å² · Å³."""


class AbstractIntensity(AbstractForm):
    """A model of which only <F²> is known, or that has no particles at all."""

    has_amplitude = False

    @abc.abstractmethod
    def intensity(self, q: Float[Array, "..."], p: Any) -> Float[Array, "..."]:
        """<F²>: I(q) = scale · intensity / volume + background in 1/cm."""


class _Factored(AbstractForm):
    """An amplitude that is a contrast times factors of different parameters.

    Where sizes in different factors are distributed, their sums separate: a cylinder
    with 35 radii and 35 lengths costs 70 bodies, not 1225.

    Class attributes:
        split: for each factor, the sizes it depends on; () means all of them.
    """

    split: ClassVar[tuple[tuple[str, ...], ...]] = ((),)

    def contrast(self, p: Any) -> Any:
        """What multiplies the factors."""
        del p
        return 1.0


class AbstractAxial(_Factored):
    """A body with an axis c, averaged over its angle to q.

    Class attributes:
        nodes_in: "angle" puts Gauss nodes in θ, for long bodies whose amplitude peaks
            where the axis is normal to q; "cosine" puts them in cos θ.
    """

    nodes_in: ClassVar[str] = "angle"

    @abc.abstractmethod
    def factors(
        self, q_ab: Float[Array, "..."], q_c: Float[Array, "..."], p: Any
    ) -> tuple[Float[Array, "..."], ...]:
        """Factors of F at q_ab normal to the axis and q_c along it."""


class AbstractTriaxial(_Factored):
    """A body with axes a, b, c, averaged over both angles."""

    def cross_extent(self, p: Any) -> Any:
        """Largest half dimension across c in Å, for the azimuth's nodes."""
        return self.extent(p)

    @abc.abstractmethod
    def factors(
        self,
        q_a: Float[Array, "..."],
        q_b: Float[Array, "..."],
        q_c: Float[Array, "..."],
        p: Any,
    ) -> tuple[Float[Array, "..."], ...]:
        """Factors of F at q along the three axes."""


class AbstractInteraction(AbstractSasModel):
    """S(q) between particles; `radius_effective` and `volfraction` come first."""

    background = 0.0

    @abc.abstractmethod
    def structure(self, q: Float[Array, "..."], p: Any) -> Float[Array, "..."]:
        """S(q); NaN where the parameters are unphysical."""
