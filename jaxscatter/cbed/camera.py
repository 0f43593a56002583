"""A simulated pattern as a camera records it: point spread, counts and noise.

Units: σ, γ and padding in pixels, counts and background in counts of the camera.
"""

import dataclasses
import math

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike, Float, PRNGKeyArray

from .._types import as_float
from ..errors import ModelError
from .detector import VARIANCES, Detector, simulate_counts
from .psf import HALF_WIDTH, KINDS, convolved


@dataclasses.dataclass(frozen=True)
class Camera:
    """What happens to a pattern on its way into numbers.

    Args:
        counts: of a pixel of intensity 1.
        background: counts added everywhere.
        detector: its noise; None counts every electron.
        variance: model of the detector's noise.
        psf: (σ, γ) in pixels, None for none.
        kind: of the point spread, see `psf`.
        padding: pixels calculated beyond the image for the point spread.
    """

    counts: float | int = 1.0
    background: float | int = 0.0
    detector: Detector | None = None
    variance: str = "pyextal"
    psf: tuple[float | int, float | int] | None = None
    kind: str = "radial_voigt"
    padding: int = HALF_WIDTH

    def __post_init__(self):
        for name, least in (("counts", 1e-300), ("background", 0.0)):
            value = getattr(self, name)
            if not (math.isfinite(value) and value >= least):
                raise ModelError(f"{name} is {value}; expected a number above zero")
        for name, known in (("kind", KINDS), ("variance", VARIANCES)):
            if getattr(self, name) not in known:
                raise ModelError(
                    f"{name} is {getattr(self, name)!r}; expected one of {list(known)}"
                )
        least = HALF_WIDTH if self.kind == "radial_voigt" else 0
        if self.padding < least:
            raise ModelError(
                f"padding is {self.padding}; {self.kind!r} needs {least} or more"
            )

    @property
    def margin(self) -> int:
        """Pixels needed beyond each edge of the image."""
        return 0 if self.psf is None else self.padding

    def recorded(
        self, images: Float[ArrayLike, "*n h w"], key: PRNGKeyArray | None = None
    ) -> Float[np.ndarray, "*n rows columns"]:
        """Images, `margin` pixels larger on each side, as the camera sees them.

        Args:
            images: intensities.
            key: of the noise; without one expected counts are returned.
        """
        seen = as_float(images)
        if self.psf is not None:
            flat = seen.reshape((-1, *seen.shape[-2:]))
            sigma, gamma = self.psf
            blurred = [
                convolved(one, as_float(sigma), as_float(gamma), self.kind, self.margin)
                for one in flat
            ]
            seen = jnp.stack(blurred).reshape((*seen.shape[:-2], *blurred[0].shape))
        counted = self.counts * seen + self.background
        if key is not None:
            # a blur by transforms leaves -1e-17 where there is nothing
            mean = jnp.where(counted > 0, counted, 0.0)
            counted = simulate_counts(key, mean, self.detector, self.variance)
        return np.asarray(counted)
