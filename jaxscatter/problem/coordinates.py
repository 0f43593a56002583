"""The chain u -> z -> x of samplers: unconstrained, sampling and named coordinates."""

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from . import prior as priors
from . import transform
from .model import SamplingCoordinates
from .parameter import ParameterSet


class Coordinates(eqx.Module):
    """Bijection u -> x of a problem with its log Jacobian.

    A group of `SamplingCoordinates` with a fixed, tied or local member, or with one
    that an earlier group has taken, falls back to its named parameters.
    """

    lo: Float[Array, " p"]
    hi: Float[Array, " p"]
    kinds: tuple[str, ...] = eqx.field(static=True)
    groups: tuple[SamplingCoordinates, ...]
    index: tuple[tuple[int, ...], ...] = eqx.field(static=True)

    def __init__(
        self, parameters: ParameterSet, wanted: tuple[SamplingCoordinates, ...] = ()
    ):
        lo, hi = (np.array(b) for b in parameters.bounds())
        kinds = list(parameters.kinds())
        slices = parameters.slices()
        groups, index = [], []
        for group in wanted:
            usable = all(
                n in slices
                and np.ndim(parameters[n].value) == 0
                and not priors.is_log_uniform(parameters[n].prior)
                and not any(n in other.names for other in groups)
                for n in group.names
            )
            if not usable:
                continue
            at = [slices[n].start for n in group.names]
            z_lo, z_hi = group.support(lo[at], hi[at])
            for i, low, high in zip(at, z_lo, z_hi, strict=True):
                lo[i], hi[i] = low, high
                kinds[i] = transform.kind_of(low, high)
            groups.append(group)
            index.append(tuple(at))
        self.lo, self.hi, self.kinds = jnp.asarray(lo), jnp.asarray(hi), tuple(kinds)
        self.groups, self.index = tuple(groups), tuple(index)

    def to_x(
        self, u: Float[Array, " p"]
    ) -> tuple[Float[Array, " p"], Float[Array, ""]]:
        """x(u) and log|det ∂x/∂u|."""
        z, slope = transform.to_x(u, self.lo, self.hi, self.kinds)
        total = jnp.sum(slope)
        for group, at in zip(self.groups, self.index, strict=True):
            jacobian = jax.jacfwd(group.to_x)(z[np.array(at)], *group.arguments)
            total = total + jnp.linalg.slogdet(jacobian)[1]
        return self.from_z(z), total

    def to_u(self, x: Float[Array, " p"]) -> Float[Array, " p"]:
        """Unconstrained u of x, moved inside the support first."""
        return transform.to_u(self.to_z(x), self.lo, self.hi, self.kinds)

    def to_z(self, x: Float[Array, " p"]) -> Float[Array, " p"]:
        """The sampling coordinates of x."""
        for group, at in zip(self.groups, self.index, strict=True):
            part = group.to_z(x[np.array(at)], *group.arguments)
            x = x.at[np.array(at)].set(part)
        return x

    def from_z(self, z: Float[Array, " p"]) -> Float[Array, " p"]:
        """X of sampling coordinates."""
        for group, at in zip(self.groups, self.index, strict=True):
            part = group.to_x(z[np.array(at)], *group.arguments)
            z = z.at[np.array(at)].set(part)
        return z
