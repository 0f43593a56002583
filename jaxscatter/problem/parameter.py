"""Parameters: names, values, units, bounds, priors and ties, and their flat vector.

A `ParameterSet` packs its free entries into one vector x in declaration order and
unpacks x into a dictionary of named values with ties applied.
"""

import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..errors import ParameterError
from . import prior as priors
from . import transform
from .static import Note, PureFunction

Theta = dict[str, Any]
"""Named parameter values: scalars, or (group,) arrays of local parameters."""


class Parameter(eqx.Module):
    """One named quantity of a model. Immutable: `with_` returns a changed copy.

    Args:
        name: field's standard symbol, spelt.
        value: start value in `unit`; an array holds one value per group.
        unit: written on every output.
        bounds: (lo, hi), either may be infinite, lo < hi.
        prior: numpyro distribution over the value; default uniform between bounds.
        fixed: not varied.
        tie: name of another parameter; or a function whose arguments are parameters,
            or that function with the parameters' names, `(function, names)`.
        scale: typical size for steps and tolerances; default hi - lo, or |value|, or 1.
        circular: an angle whose bounds span its whole period.
        local: one value per group of the data, reported as `name[k]`.
        doc: one line on what it is.

    Raises:
        ParameterError: bounds not increasing, value outside them or not finite.
    """

    name: str = eqx.field(static=True)
    value: Any
    lo: Any
    hi: Any
    scale: Any
    prior: Any
    unit: str = eqx.field(static=True)
    fixed: bool = eqx.field(static=True)
    tie: str | PureFunction | None = eqx.field(static=True)
    circular: bool = eqx.field(static=True)
    local: bool = eqx.field(static=True)
    doc: Note = eqx.field(static=True)

    def __init__(
        self,
        name: str,
        value: ArrayLike | Sequence[float],
        unit: str = "",
        bounds: tuple[ArrayLike | Sequence, ArrayLike | Sequence] = (-np.inf, np.inf),
        prior: Any = None,
        fixed: bool = False,
        tie: "str | Callable | PureFunction | tuple | None" = None,
        scale: ArrayLike | None = None,
        circular: bool = False,
        local: bool = False,
        doc: str = "",
    ):
        number = np.asarray(value, dtype=float)
        lo, hi = (np.asarray(b, dtype=float) for b in bounds)
        if not name or not isinstance(name, str):
            raise ParameterError(f"a parameter's name is {name!r}; expected a word")
        if np.any(np.isnan(lo)) or np.any(np.isnan(hi)) or np.any(lo >= hi):
            hint = "; give fixed=True to hold it" if np.all(lo == hi) else ""
            raise ParameterError(
                f"bounds of {name!r} are ({lo}, {hi}); expected lo < hi{hint}"
            )
        if not np.all(np.isfinite(number)):
            raise ParameterError(f"{name!r} has value {number}; expected finite")
        if not fixed and tie is None and np.any((number < lo) | (number > hi)):
            raise ParameterError(
                f"{name!r} = {number} {unit} lies outside its bounds [{lo}, {hi}]"
            )
        if circular and not np.all(np.isfinite(hi - lo)):
            raise ParameterError(f"circular {name!r} needs bounds that span its period")
        priors.check(name, prior)
        if isinstance(tie, tuple):
            tie = _named_function(name, tie)
        elif callable(tie) and not isinstance(tie, PureFunction):
            tie = PureFunction(tie)
        if scale is None:
            scale = _default_scale(number, lo, hi)
        self.name, self.value, self.lo, self.hi = name, number, lo, hi
        self.scale = np.asarray(scale, dtype=float)
        if not np.all(self.scale > 0):
            raise ParameterError(f"scale of {name!r} is {scale}; expected > 0")
        self.prior, self.unit, self.fixed, self.tie = prior, unit, bool(fixed), tie
        self.circular, self.local, self.doc = circular, local, Note(doc)

    @property
    def free(self) -> bool:
        """Whether the fit varies it."""
        return not self.fixed and self.tie is None

    @property
    def bounds(self) -> tuple[Any, Any]:
        """(lo, hi) in `unit`."""
        return self.lo, self.hi

    def with_(self, **changes: Any) -> "Parameter":
        """Copy with some fields changed, under the argument names of the class."""
        now = {
            "name": self.name,
            "value": self.value,
            "unit": self.unit,
            "bounds": self.bounds,
            "prior": self.prior,
            "fixed": self.fixed,
            "tie": self.tie,
            "scale": self.scale,
            "circular": self.circular,
            "local": self.local,
            "doc": self.doc.content,
        }
        unknown = set(changes) - set(now)
        if unknown:
            raise TypeError(f"a Parameter has no field {sorted(unknown)}")
        own = _default_scale(self.value, self.lo, self.hi)
        if np.shape(own) == np.shape(self.scale) and np.array_equal(self.scale, own):
            now["scale"] = None
        return Parameter(**{**now, **changes})


class ParameterSet(eqx.Module):
    """Parameters in declaration order.

    Raises:
        ParameterError: duplicate names, unknown or cyclic ties.
    """

    parameters: tuple[Parameter, ...]
    order: tuple[str, ...] = eqx.field(static=True)

    def __init__(self, parameters: Iterable[Parameter]):
        self.parameters = tuple(parameters)
        names = [p.name for p in self.parameters]
        if len(set(names)) < len(names):
            twice = sorted({n for n in names if names.count(n) > 1})
            raise ParameterError(f"parameters declared twice: {twice}")
        self.order = _resolution_order(self.parameters)

    def __iter__(self) -> Iterator[Parameter]:
        return iter(self.parameters)

    def __len__(self) -> int:
        return len(self.parameters)

    def __contains__(self, name: object) -> bool:
        return any(p.name == name for p in self.parameters)

    def __getitem__(self, name: str) -> Parameter:
        for p in self.parameters:
            if p.name == name:
                return p
        raise KeyError(f"no parameter {name!r}; there are {list(self.names)}")

    @property
    def names(self) -> tuple[str, ...]:
        """All names in declaration order."""
        return tuple(p.name for p in self.parameters)

    @property
    def free(self) -> tuple[Parameter, ...]:
        """The varied ones."""
        return tuple(p for p in self.parameters if p.free)

    @property
    def labels(self) -> tuple[str, ...]:
        """One label per entry of x: `name`, or `name[k]` of a local parameter."""
        return tuple(
            label
            for p in self.free
            for label in (
                [f"{p.name}[{k}]" for k in range(len(p.value))]
                if np.ndim(p.value)
                else [p.name]
            )
        )

    @property
    def units(self) -> tuple[str, ...]:
        """Unit of each entry of x."""
        return tuple(p.unit for p in self.free for _ in range(max(1, np.size(p.value))))

    def replace(self, *changed: Parameter) -> "ParameterSet":
        """Copy in which parameters of the same names are replaced."""
        new = {p.name: p for p in changed}
        for name in new:
            self[name]
        return ParameterSet(new.get(p.name, p) for p in self.parameters)

    def extended(self, *more: Parameter) -> "ParameterSet":
        """Copy with further parameters at the end."""
        return ParameterSet((*self.parameters, *more))

    def with_(
        self, **changes: Mapping[str, Any] | ArrayLike | Sequence
    ) -> "ParameterSet":
        """Copy with fields changed by name: `with_(D={"fixed": True}, tau=1.2)`.

        A plain number sets the value.
        """
        new = []
        for name, change in changes.items():
            fields = change if isinstance(change, Mapping) else {"value": change}
            if name not in self:
                raise TypeError(f"no parameter {name!r}; there are {list(self.names)}")
            new.append(self[name].with_(**fields))
        return self.replace(*new)

    def spread(self, groups: int) -> "ParameterSet":
        """Copy whose local parameters hold one value per group."""
        new = []
        for p in self.parameters:
            if not p.local:
                if np.ndim(p.value):
                    raise ParameterError(
                        f"{p.name!r} has shape {np.shape(p.value)}; a shared parameter "
                        "is one number, give local=True for one per group"
                    )
                new.append(p)
                continue
            if np.ndim(p.value) and np.shape(p.value) != (groups,):
                raise ParameterError(
                    f"local {p.name!r} has shape {np.shape(p.value)}; expected "
                    f"({groups},), one value per group"
                )
            value, lo, hi, scale = (
                np.broadcast_to(v, (groups,)) for v in (p.value, p.lo, p.hi, p.scale)
            )
            new.append(p.with_(value=value, bounds=(lo, hi), scale=scale))
        return ParameterSet(new)

    def pack(self) -> Float[Array, " p"]:
        """Start vector x of the free entries."""
        return self._flat("value")

    def bounds(self) -> tuple[Float[Array, " p"], Float[Array, " p"]]:
        """(lo, hi) of the free entries."""
        return self._flat("lo"), self._flat("hi")

    def scales(self) -> Float[Array, " p"]:
        """Typical sizes of the free entries."""
        return self._flat("scale")

    def circular(self) -> tuple[bool, ...]:
        """Which entries of x are angles over their whole period."""
        return tuple(p.circular for p in self.free for _ in range(max(1, p.value.size)))

    def kinds(self) -> tuple[str, ...]:
        """Kind of transform of each entry of x, see `transform`; needs real numbers."""
        out = []
        for p in self.free:
            log = priors.is_log_uniform(p.prior)
            for lo, hi in zip(np.atleast_1d(p.lo), np.atleast_1d(p.hi), strict=True):
                out.append(transform.kind_of(float(lo), float(hi), log))
        return tuple(out)

    def _flat(self, field: str) -> Float[Array, " p"]:
        parts = [jnp.ravel(jnp.asarray(getattr(p, field), float)) for p in self.free]
        return jnp.concatenate(parts) if parts else jnp.zeros(0)

    def slices(self) -> dict[str, slice]:
        """Where each free parameter lies in x."""
        out, start = {}, 0
        for p in self.free:
            size = max(1, int(np.size(p.value)))
            out[p.name] = slice(start, start + size)
            start += size
        return out

    def unpack(self, x: Float[Array, " p"]) -> Theta:
        """All named values at x, ties applied."""
        values = {}
        for p in self.free:
            part = x[self.slices()[p.name]]
            values[p.name] = part if np.ndim(p.value) else part[0]
        theta = self.resolve(values)
        # a local tie to a shared parameter still has one value per group
        return {
            n: jnp.broadcast_to(v, np.shape(self[n].value))
            if self[n].tie and np.ndim(self[n].value)
            else v
            for n, v in theta.items()
        }

    def resolve(self, values: Theta, names: Iterable[str] | None = None) -> Theta:
        """Complete `values` of free parameters by the fixed and the tied ones."""
        wanted = set(self.names if names is None else names)
        theta = dict(values)
        for name in self.order:
            if name in theta or name not in wanted:
                continue
            p = self[name]
            if p.tie is None:
                theta[name] = jnp.asarray(p.value, float)
            elif isinstance(p.tie, str):
                theta[name] = theta[p.tie]
            else:
                needs = tie_arguments(p.tie)
                theta[name] = jnp.asarray(p.tie(*(theta[a] for a in needs)))
        return {n: theta[n] for n in self.names if n in theta}

    def log_prior(self, x: Float[Array, " p"]) -> Float[Array, ""]:
        """Log prior density at x with respect to x; -inf outside the bounds."""
        lo, hi = self.bounds()
        total = jnp.where(jnp.all((x >= lo) & (x <= hi)), 0.0, -jnp.inf)
        for p in self.free:
            part = x[self.slices()[p.name]]
            low, high = jnp.ravel(p.lo), jnp.ravel(p.hi)
            # not jnp.clip, whose gradient is halved on a bound
            inside = jnp.where(part < low, low, jnp.where(part > high, high, part))
            total = total + priors.log_density(p.prior, inside, low, high)
        return total

    def improper(self) -> tuple[str, ...]:
        """Names whose prior cannot be normalised; needs real numbers."""
        return tuple(
            p.name
            for p in self.free
            if p.prior is None and not np.all(np.isfinite(p.hi - p.lo))
        )


def _default_scale(value: Any, lo: Any, hi: Any) -> Any:
    """Width of the bounds if finite, else |value|, else 1."""
    width = np.where(np.isfinite(lo) & np.isfinite(hi), hi - lo, np.inf)
    typical = np.where(value != 0, np.abs(value), 1.0)
    return np.where(np.isfinite(width), width, typical)


def _named_function(name: str, tie: tuple) -> PureFunction:
    names = tie[1] if len(tie) == 2 and callable(tie[0]) else None
    if isinstance(names, str) or not all(isinstance(n, str) for n in names or (1,)):
        raise ParameterError(
            f"{name!r} is tied to {tie!r}; expected (function, names of parameters)"
        )
    return PureFunction(*tie)


def tie_arguments(tie: str | PureFunction | None) -> tuple[str, ...]:
    """Names of the parameters that a tie needs."""
    if tie is None or isinstance(tie, str):
        return () if tie is None else (tie,)
    if tie.arguments is not None:
        return tie.arguments
    return tuple(inspect.signature(tie.function).parameters)


def _resolution_order(parameters: tuple[Parameter, ...]) -> tuple[str, ...]:
    """Names so that every tie comes after what it needs."""
    by_name = {p.name: p for p in parameters}
    done: list[str] = []

    def visit(name: str, path: tuple[str, ...]) -> None:
        if name in done:
            return
        if name in path:
            cycle = " -> ".join((*path[path.index(name) :], name))
            raise ParameterError(f"ties form a cycle: {cycle}")
        p = by_name[name]
        for need in tie_arguments(p.tie):
            if need not in by_name:
                raise ParameterError(
                    f"{name!r} is tied to {need!r}, which is not a parameter; there "
                    f"are {list(by_name)}"
                )
            if by_name[need].local and not p.local:
                raise ParameterError(
                    f"shared {name!r} is tied to local {need!r}; give local=True"
                )
            visit(need, (*path, name))
        done.append(name)

    for name in by_name:
        visit(name, ())
    return tuple(done)
