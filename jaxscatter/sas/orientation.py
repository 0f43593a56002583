"""Orientations: Gauss rules fine enough for q·R, and views of oriented samples.

A body of largest half dimension R has an amplitude that oscillates 2qR/π times between
its axes; a rule with too few nodes is wrong without looking wrong. The number of nodes
is chosen from q·R outside jit, in bands of q, from the ladder `LADDER`.

Units: q in 1/Å, R in Å, angles in degrees.
"""

import dataclasses
import functools
import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Floats
from ..errors import ModelError

LADDER = (20, 32, 48, 76, 120, 200, 320, 500, 800, 1250, 2000, 3200, 5000)
"""Numbers of Gauss-Legendre nodes that are used."""

NODES_AT_0, NODES_PER_QR = 20, 0.68
"""Nodes wanted are their sum: 1e-6 at qR = 292 takes more than 200 (measured)."""
MOST = 5000
MOST_PLANE = 100_000  # nodes of both angles together


def n_quad(q_max: float | int, extent: float | int) -> int:
    """Nodes that average a body of half dimension `extent` (Å) to 1e-6 up to `q_max`.

    The amplitude squared holds phases up to 2qR over the interval, which Gauss rules
    resolve with half a node per unit of qR; the rest is margin. At most 5000.
    """
    wanted = (NODES_AT_0 + NODES_PER_QR * q_max * extent) * (1 - 1e-12)
    for n in LADDER:
        if n >= wanted:
            return n
    return MOST


def reach(n: int) -> float:
    """Largest q·R that `n` nodes average to 1e-6."""
    return max(0.0, (n - NODES_AT_0) / NODES_PER_QR)


@dataclasses.dataclass(frozen=True)
class Band:
    """Values q[start:stop] that share a rule, and its nodes in both angles."""

    start: int
    stop: int
    outer: int
    inner: int


Rule = tuple[Band, ...]
"""How the values of q are averaged over orientations."""


def bands(
    q: Sequence[float] | np.ndarray,
    extent: float | int,
    cross: float | int | None = None,
    n: int | None = None,
) -> Rule:
    """The rule for increasing |q|, so that every band is fine enough.

    Args:
        q: values in 1/Å, ascending.
        extent: largest half dimension in Å.
        cross: largest half dimension across the axis, for the azimuth; as `extent`
            where not given.
        n: nodes for all, instead.
    """
    q = np.abs(np.asarray(q, float))
    if q.size == 0:
        raise ModelError("there are no values of q")
    cross = extent if cross is None else cross
    if n is not None:
        if n < 1:
            raise ModelError(f"n_quad is {n}; expected a positive number of nodes")
        return (Band(0, q.size, int(n), int(n)),)
    running = np.maximum.accumulate(q)
    outer = np.array([n_quad(v, extent) for v in running])
    # Each further band costs compilation: three steps of the ladder make one.
    top = LADDER.index(int(outer[-1]))
    steps = [LADDER[i] for i in range(top, -1, -3)]
    coarse = np.array(
        [min(s for s in steps if s >= v) if v <= max(steps) else v for v in outer]
    )
    out, start = [], 0
    for level in sorted(set(coarse.tolist())):
        stop = int(np.searchsorted(coarse, level, side="right"))
        if stop - start < 12 and stop < q.size:
            continue  # too few to be worth a band of their own
        inner = n_quad(float(running[stop - 1]), cross)
        out.append(Band(start, stop, int(level), min(inner, MOST_PLANE // int(level))))
        start = stop
    return tuple(out)


@functools.cache
def gauss(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Nodes and weights of Gauss-Legendre on (0, 1), weights sum to 1."""
    x, w = np.polynomial.legendre.leggauss(n)
    return 0.5 * (x + 1), 0.5 * w


@functools.cache
def polar(n: int, nodes_in: str) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sin θ, cos θ and weights of the average over θ in (0, π/2); Σw = 1."""
    t, w = gauss(n)
    if nodes_in == "cosine":
        return np.sqrt((1 - t) * (1 + t)), t, w
    theta = 0.5 * math.pi * t
    return np.sin(theta), np.cos(theta), 0.5 * math.pi * w * np.sin(theta)


def in_body(
    qx: Floats,
    qy: Floats,
    view: tuple[Floats, Floats, Floats],
    jitter: tuple[Floats, Floats, Floats] = (0.0, 0.0, 0.0),
) -> tuple[Float[Array, "..."], Float[Array, "..."], Float[Array, "..."]]:
    """(q_a, q_b, q_c) of a detector point for a body seen under `view`.

    Args:
        qx: in the detector plane.
        qy: its other component.
        view: θ, φ, ψ of the body in degrees.
        jitter: dθ, dφ, dψ about the view in degrees, in the body's own frame
            (equirectangular: each point weighs |cos dθ|).
    """
    st, sf, sp, ct, cf, cp = _sines(view)
    x = (cf * cp * ct - sf * sp) * qx + (sf * cp * ct + cf * sp) * qy
    y = (-sf * cp - cf * sp * ct) * qx + (cf * cp - sf * sp * ct) * qy
    z = st * cf * qx + st * sf * qy
    st, sf, sp, ct, cf, cp = _sines(jitter)
    return (
        cp * ct * x + (sf * st * cp + sp * cf) * y + (sf * sp - st * cf * cp) * z,
        -sp * ct * x + (cf * cp - sf * sp * st) * y + (sf * cp + sp * st * cf) * z,
        st * x - sf * ct * y + cf * ct * z,
    )


def _sines(angles: tuple[Floats, Floats, Floats]) -> tuple[Array, ...]:
    radians = [jnp.deg2rad(jnp.asarray(a, float)) for a in angles]
    return (*(jnp.sin(a) for a in radians), *(jnp.cos(a) for a in radians))
