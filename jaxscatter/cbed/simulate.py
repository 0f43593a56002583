"""LARBED images of a known truth, laid out as measured ones.

Units: counts; the rest as in `model`.
"""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError
from ..problem import Dataset
from .crystal import Crystal
from .dataset import from_images
from .detector import Detector, simulate_counts
from .problem import problem


def simulate(
    crystal: Crystal,
    hkl: ArrayLike | Sequence[Sequence[int]],
    shape: Sequence[int],
    *,
    counts: float | int,
    background: float | int = 0.0,
    detector: Detector | None = None,
    noise: bool = True,
    seed: int | np.integer = 0,
    **arguments: Any,
) -> Dataset:
    """Images of the beams `hkl` on one scan, with counting noise.

    The truth is kept in the metadata: "truth" (parameters by name, with "scale" and
    "background"), "noise" and "seed". Without noise the data have no errors.

    Args:
        crystal: what diffracts.
        hkl: of the images.
        shape: (rows, columns) of the scan.
        counts: of an undiffracted beam in one pixel.
        background: counts in every pixel.
        detector: whose variance the noise has; Poisson noise without one.
        noise: whether there is any.
        seed: the same seed gives the same noise.
        arguments: of `problem`: energy, thickness, frame, gl, kt, start, psf, ...

    Raises:
        DataError: counts or background that cannot be.
        ValueError: what `problem` refuses.
    """
    if not (np.isfinite(counts) and counts > 0):
        raise DataError(f"counts is {counts}; expected a number above 0")
    if isinstance(background, str) or not (np.isfinite(background) and background >= 0):
        raise DataError(f"background is {background!r}; expected 0 or more counts")
    disks = np.asarray(hkl)
    if len(shape) != 2 or min(shape) < 1:
        raise DataError(f"shape is {tuple(shape)}; expected (rows, columns)")
    h, w = (int(n) for n in shape)
    empty = np.ones((len(disks), h, w))
    p = problem(from_images(disks, empty), crystal, **{**arguments, "priors": {}})
    theta = p.named(p.start())
    exact = counts * p.model.prepare(theta).reshape(empty.shape) + background
    truth = {name: float(value) for name, value in theta.items()}
    metadata = {
        "truth": {**truth, "scale": float(counts), "background": float(background)},
        "noise": ("none" if not noise else "poisson" if detector is None else "camera"),
        "seed": int(seed),
    }
    if not noise:
        return from_images(disks, np.asarray(exact), metadata=metadata)
    key = jax.random.key(int(seed))
    if detector is None:
        seen = np.asarray(jax.random.poisson(key, exact), float)
        variance = np.maximum(seen, 1.0)
    else:
        seen = np.asarray(simulate_counts(key, exact, detector))
        variance = np.asarray(detector.variance(jnp.asarray(seen)))
    return from_images(disks, seen, variance=variance, metadata=metadata)
