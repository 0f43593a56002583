"""Removal of a camera's blur from a CBED pattern: Lucy-Richardson iterations.

    x ← x · h ∗ [(I + v)/(h ∗ x + b + v)],    v = m g σ_B²

I are the counts with their background b, h the blur as its modulation transfer function
(the transform of the point spread, 1 at zero frequency), and v stands for readout noise
(`Detector.pedestal`). The start is the mean of I - b. The estimate x is free of
background. Where b = v = 0 each step keeps the total counts and raises the Poisson
likelihood [1, 2]. Convolutions are periodic.

Units: counts; frequencies in cycles per pixel.

References:
    [1] W. H. Richardson, J. Opt. Soc. Am. 62, 55 (1972).
    [2] L. B. Lucy, Astron. J. 79, 745 (1974).
"""

import functools
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax
from jaxtyping import Array, ArrayLike, Float

from .._types import Floats, Scalar, as_float
from ..errors import DataError
from .detector import Detector

ITERATIONS = 25


def radial_mtf(
    shape: tuple[int, int],
    frequency: ArrayLike | Sequence[float],
    values: ArrayLike | Sequence[float],
) -> np.ndarray:
    """A measured MTF curve on the frequencies of `fft2`, linear between its points.

    Args:
        shape: of the pattern.
        frequency: increasing, in cycles per pixel, from 0; 0.5 is Nyquist's.
        values: MTF there, 1 at frequency 0. Beyond the last point it stays constant.

    Raises:
        DataError: lengths differ, frequencies don't increase from 0, or the first
            value is not 1.
    """
    at, curve = np.asarray(frequency, dtype=float), np.asarray(values, dtype=float)
    if at.ndim != 1 or at.shape != curve.shape or at.size < 2:
        raise DataError(
            f"frequency and values have shapes {at.shape} and {curve.shape}; expected "
            "two equal lengths of at least 2"
        )
    if not (at[0] == 0 and np.all(np.diff(at) > 0) and np.all(np.isfinite(curve))):
        raise DataError("frequency must increase from 0, and values be finite")
    if abs(curve[0] - 1) > 1e-6:
        raise DataError(f"values[0] is {curve[0]}; an MTF is 1 at frequency 0")
    rows, cols = np.fft.fftfreq(shape[0]), np.fft.fftfreq(shape[1])
    return np.interp(np.hypot(rows[:, None], cols[None, :]), at, curve)


@functools.partial(jax.jit, static_argnames="iterations")
def richardson_steps(
    counts: Float[Array, "h w"],
    mtf: Float[Array, "h w"],
    background: Floats,
    pedestal: Scalar,
    iterations: int = ITERATIONS,
) -> Float[Array, "h w"]:
    """Estimate after so many steps from a flat start, of counts that are fit for it.

    Args:
        counts: with background.
        mtf: on the frequencies of `fft2`; of its real values only the even part acts.
        background: one number, or one per pixel.
        pedestal: v.
        iterations: how many.
    """
    even = (mtf + jnp.roll(mtf[::-1, ::-1], (1, 1), (0, 1))) / 2
    factors = even[:, : counts.shape[1] // 2 + 1]

    def blur(x: Array) -> Array:
        return jnp.fft.irfft2(jnp.fft.rfft2(x) * factors, counts.shape)

    def step(_: ArrayLike, x: Array) -> Array:
        model = blur(x) + background + pedestal
        seen = model > 0
        ratio = (counts + pedestal) / jnp.where(seen, model, 1.0)
        return x * blur(jnp.where(seen, ratio, 1.0))

    start = jnp.full_like(counts, jnp.mean(counts - background))
    return lax.fori_loop(0, iterations, step, start)


def lucy_richardson(
    counts: ArrayLike,
    mtf: ArrayLike,
    background: ArrayLike = 0.0,
    detector: Detector | None = None,
    iterations: int = ITERATIONS,
    clip: float | int | None = None,
) -> Float[Array, "h w"]:
    """A pattern without its camera's blur and its background.

    Args:
        counts: measured, (h, w), background included.
        mtf: on the frequencies of `fft2`, (h, w); see `radial_mtf` for a curve.
        background: counts of it, one number or one per pixel.
        detector: gives the readout noise v; None is v = 0.
        iterations: how many steps; more of them sharpen, and amplify noise.
        clip: counts below it, and those that are not finite, are read as this number.

    Raises:
        DataError: shapes differ, the MTF is not 1 at zero frequency, or, where `clip`
            does not mend it, counts are not finite, negative, or zero with neither
            background nor readout noise (such a pixel can't be divided by its model).
    """
    data, factors = np.array(counts, dtype=float), np.asarray(mtf, dtype=float)
    base = np.asarray(background, dtype=float)
    if data.ndim != 2 or factors.shape != data.shape:
        raise DataError(
            f"counts and mtf have shapes {data.shape} and {factors.shape}; expected "
            "the same two dimensions"
        )
    if not np.all(np.isfinite(factors)) or abs(factors[0, 0] - 1) > 1e-6:
        raise DataError(
            f"mtf is {factors[0, 0]} at zero frequency; expected 1, and finite values"
        )
    if base.shape not in ((), data.shape) or not np.all(base >= 0):
        raise DataError(
            f"background has shape {base.shape} and minimum {np.min(base)}; expected "
            f"one number or {data.shape}, none negative"
        )
    if iterations < 1:
        raise DataError(f"iterations is {iterations}; expected at least 1")
    pedestal = as_float(0.0) if detector is None else detector.pedestal
    if clip is not None:
        data = np.where(data >= clip, data, clip)
        data = np.where(np.isfinite(data), data, clip)
    least = base + float(pedestal) > 0
    bad = ~np.isfinite(data) | (data < 0) | ((data == 0) & ~least)
    if np.any(bad):
        at = tuple(int(i) for i in np.argwhere(bad)[0])
        raise DataError(
            f"counts is {data[at]} at {at}, one of {int(bad.sum())} such pixels; "
            "expected finite counts, positive where there is neither background nor "
            "readout noise: give clip to replace them"
        )
    if not np.mean(data - base) > 0:
        raise DataError(
            f"background is {np.mean(base)} on average, counts {np.mean(data)}; "
            "expected more counts than background"
        )
    return richardson_steps(
        as_float(data), as_float(factors), as_float(base), pedestal, iterations
    )
