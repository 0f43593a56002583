"""Instrumental smearing: curves by pinhole and slit, patterns by a pinhole.

The model is evaluated on a finer and wider grid `q_calc` and smeared by a matrix that
depends on the data alone. The background is added afterwards.

Units: q in 1/Å; dq is one standard deviation; slit dimensions are those of q.

References:
    [1] J. G. Barker and J. S. Pedersen, J. Appl. Cryst. 28, 105 (1995).
"""

from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float
from scipy.special import erf

from ..errors import DataError

ACCURACIES = {"low": (3, 4), "medium": (5, 6), "high": (5, 12), "xhigh": (10, 20)}
"""Radii and angles at which a detector point's resolution is sampled."""
BELOW, ABOVE = 2.5, 3.0
"""Reach of a pinhole's Gaussian in standard deviations, to lower and higher q."""
_NARROWEST = 1e-8  # dq in 1/Å
_LOWEST = 0.02  # of the smallest q; calculated points closer to 0 are left out
_SLIT_STEPS = 30  # offsets across the slit's width, to either side

Numbers = ArrayLike | Sequence[float]


class Resolution(eqx.Module):
    """A smearing matrix and the points the model is needed at.

    Args:
        q_calc: (m,) in 1/Å, >= 0, ascending.
        matrix: (n, m), rows sum to 1.
        kind: "pinhole" or "slit".
    """

    q_calc: Any
    matrix: Any
    kind: str = eqx.field(static=True)

    @property
    def n_points(self) -> int:
        """Number of data points."""
        return self.matrix.shape[0]

    def smear(self, curve: Float[Array, " m"]) -> Float[Array, " n"]:
        """The curve at `q_calc` as the instrument sees it at the data's q."""
        return jnp.asarray(self.matrix) @ curve


class PlaneResolution(eqx.Module):
    """Points around each detector point that make up its resolution.

    Args:
        qx_calc: (n, k) in 1/Å.
        qy_calc: (n, k).
        weights: (k,), their sum is 1.
    """

    qx_calc: Any
    qy_calc: Any
    weights: Any

    def smear(self, pattern: Float[Array, "n k"]) -> Float[Array, " n"]:
        """The pattern at the points around as the detector sees it."""
        return jnp.asarray(pattern) @ jnp.asarray(self.weights)


def pinhole_plane(
    qx: Numbers,
    qy: Numbers,
    dqx: Numbers,
    dqy: Numbers,
    accuracy: str = "low",
    axes: str = "xy",
) -> PlaneResolution:
    """Gaussian smearing of a detector pattern, sampled to three standard deviations.

    Args:
        qx: (n,) in 1/Å.
        qy: (n,) in 1/Å.
        dqx: (n,) standard deviation in 1/Å along x, or along q with axes "polar".
        dqy: (n,) the same along y, or across q.
        accuracy: one of `ACCURACIES`.
        axes: "xy" or "polar".

    Raises:
        DataError: shapes that disagree, or an unknown accuracy.
    """
    if accuracy not in ACCURACIES or axes not in ("xy", "polar"):
        raise DataError(
            f"accuracy={accuracy!r}, axes={axes!r}; expected one of "
            f"{sorted(ACCURACIES)} and 'xy' or 'polar'"
        )
    x, y, along, across = (np.asarray(v, float) for v in (qx, qy, dqx, dqy))
    if x.ndim != 1 or len({v.shape for v in (x, y, along, across)}) > 1:
        raise DataError("qx, qy, dqx and dqy must have one shape (n,)")
    if not np.all(np.isfinite(along + across)) or np.any((along < 0) | (across < 0)):
        raise DataError("dqx and dqy must be finite and >= 0 in 1/Å")
    n_radii, n_angles = ACCURACIES[accuracy]
    step = ABOVE / n_radii
    inner = step * np.arange(n_radii)
    ring = np.exp(-0.5 * inner**2) - np.exp(-0.5 * (inner + step) ** 2)
    angle = 2 * np.pi / n_angles * np.arange(n_angles)
    u = np.outer(inner + 0.5 * step, np.cos(angle)).ravel()
    v = np.outer(inner + 0.5 * step, np.sin(angle)).ravel()
    weights = np.repeat(ring / n_angles, n_angles)
    du, dv = along[:, None] * u[None], across[:, None] * v[None]
    if axes == "polar":
        turn = np.arctan2(y, x)[:, None]
        du, dv = (
            du * np.cos(turn) - dv * np.sin(turn),
            du * np.sin(turn) + dv * np.cos(turn),
        )
    return PlaneResolution(x[:, None] + du, y[:, None] + dv, weights / weights.sum())


def _checked(q: Numbers) -> np.ndarray:
    q = np.asarray(q, float)
    if q.ndim != 1 or np.unique(q).size < 2:
        raise DataError(f"q has shape {q.shape}; smearing needs at least two values")
    if np.any(np.diff(q) < 0) or q[0] <= 0:
        raise DataError(
            "q must not descend and be positive to be smeared; sort the points first"
        )
    return q


def _edges(q: np.ndarray) -> np.ndarray:
    """Borders of the cells around q: mid points, the ends mirrored."""
    middle = 0.5 * (q[1:] + q[:-1])
    return np.concatenate([[2 * q[0] - middle[0]], middle, [2 * q[-1] - middle[-1]]])


def _extended_linearly(q: np.ndarray, lo: float, hi: float) -> np.ndarray:
    """Q with its end steps repeated until [lo, hi] is covered."""
    parts = [q]
    step = q[1] - q[0]
    count = int(np.ceil((q[0] - lo) / step)) if lo < q[0] else 0
    if count > 0:
        parts.insert(0, np.linspace(lo, q[0], count + 1)[:-1])
    step = q[-1] - q[-2]
    count = int(np.ceil((hi - q[-1]) / step)) if hi > q[-1] else 0
    if count > 0:
        parts.append(np.linspace(q[-1], hi, count + 1)[1:])
    return np.concatenate(parts)


def _finer(at: np.ndarray, oversample: int) -> np.ndarray:
    """The grid with every step divided into `oversample`."""
    if oversample < 1:
        raise DataError(f"oversample is {oversample}; expected 1 or more")
    places = np.arange((at.size - 1) * oversample + 1) / oversample
    return np.interp(places, np.arange(at.size), at)


def pinhole(q: Numbers, dq: Numbers, oversample: int = 1) -> Resolution:
    """Gaussian smearing of standard deviation `dq` at every point.

    Args:
        q: (n,) ascending, 1/Å; values may repeat.
        dq: (n,) standard deviations in 1/Å.
        oversample: points of the calculated curve per step of q; 1 is the data's own
            grid, which is too coarse where I(q) oscillates from point to point.

    Raises:
        DataError: q does not ascend, or dq is negative or not finite.
    """
    q = _checked(q)
    dq = np.broadcast_to(np.asarray(dq, float), q.shape)
    if not np.all(np.isfinite(dq)) or np.any(dq < 0):
        raise DataError("dq holds negative values or some that are not finite")
    dq = np.maximum(dq, _NARROWEST)
    lo, hi = float(np.min(q - BELOW * dq)), float(np.max(q + ABOVE * dq))
    at = _finer(_extended_linearly(np.unique(q), lo, hi), oversample)
    at = at[np.abs(at) >= _LOWEST * q[0]]
    edges = _edges(at)
    cumulative = erf((edges[None, :] - q[:, None]) / (np.sqrt(2.0) * dq[:, None]))
    weights = np.diff(cumulative, axis=1)
    outside = (at[None, :] < (q - BELOW * dq)[:, None]) | (
        at[None, :] > (q + ABOVE * dq)[:, None]
    )
    weights[outside] = 0.0
    return _made(at, weights / np.sum(weights, axis=1, keepdims=True), "pinhole")


def slit(
    q: Numbers, q_length: Numbers, q_width: Numbers = 0.0, oversample: int = 1
) -> Resolution:
    """Smearing by a slit: uniform over (0, `q_length`) along it, ± `q_width` across.

    The half of the length is integrated, as in the slit heights that instruments
    report (dQl).

    Args:
        q: (n,) ascending, 1/Å; values may repeat.
        q_length: long side in 1/Å, one number or (n,).
        q_width: half of the short side in 1/Å, one number or (n,).
        oversample: as in `pinhole`.

    Raises:
        NotImplementedError: a slit of width without length.
        DataError: q does not ascend, or negative sides.
    """
    q = _checked(q)
    length, width = (
        np.broadcast_to(np.asarray(v, float), q.shape) for v in (q_length, q_width)
    )
    if np.any(~(length >= 0)) or np.any(~(width >= 0)):
        raise DataError("q_length and q_width must be numbers >= 0 in 1/Å")
    if np.any((length == 0) & (width > 0)):
        raise NotImplementedError("a slit with a width but no length")
    lo = float(np.min(q - width))
    hi = float(np.max(np.hypot(q + width, length)))
    at = _finer(_extended_geometrically(np.unique(q), lo, hi), oversample)
    at = at[np.abs(at) >= _LOWEST * q[0] * (1 - 1e-9)]
    edges = np.maximum(_edges(at), 0.0)
    rows = []
    for centre, l, w in zip(q, length, width, strict=True):  # noqa: E741
        if l == 0:
            rows.append(_nearest(at, centre))
        elif w == 0:
            rows.append(_along(edges, centre, l))
        else:
            steps = np.arange(-_SLIT_STEPS, _SLIT_STEPS + 1) * (w / _SLIT_STEPS)
            across = [_along(edges, abs(centre + s), l) for s in steps]
            rows.append(np.mean(across, axis=0))
    return _made(at, np.asarray(rows), "slit")


def _made(at: np.ndarray, matrix: np.ndarray, kind: str) -> Resolution:
    order = np.argsort(np.abs(at), kind="stable")
    return Resolution(np.abs(at)[order], matrix[:, order], kind)


def _extended_geometrically(q: np.ndarray, lo: float, hi: float) -> np.ndarray:
    """Q continued by its mean logarithmic step until [lo, hi] is covered."""
    step = (np.log(q[-1]) - np.log(q[0])) / (q.size - 1)
    parts = [q]
    lo = lo if lo > 0 else _LOWEST * q[0]
    if lo < q[0]:
        count = int(np.ceil(np.log(q[0] / lo) / step))
        parts.insert(0, np.geomspace(lo, q[0], count + 1)[:-1])
    if hi > q[-1]:
        count = int(np.ceil(np.log(hi / q[-1]) / step))
        parts.append(np.geomspace(q[-1], hi, count + 1)[1:])
    return np.concatenate(parts)


def _along(edges: np.ndarray, q: float, length: float) -> np.ndarray:
    """Weights of the cells for u in (0, length) of √(q² + u²)."""
    inside = np.clip(edges, q, np.hypot(q, length))
    return np.diff(np.sqrt(np.maximum(inside**2 - q**2, 0.0))) / length


def _nearest(at: np.ndarray, q: float) -> np.ndarray:
    """The cell a point lies in, for a point without a slit."""
    row = np.zeros(at.size)
    row[int(np.argmin(np.abs(at - q)))] = 1.0
    return row
