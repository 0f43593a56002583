"""What a detector does to a count: detective quantum efficiency and variance.

    DQE(I) = 1/(A + Δ I + σ_B²/I)                        [1]
    "zuo2000"    σ² = m g I/DQE = m g (A I + Δ I² + σ_B²)
    "pyextal"    σ² = g I + m g (1/DQE - 1)

I is the measured intensity; anything below one count is read as one count, which keeps
σ_B²/I and the weights 1/σ² finite.

Units: intensities in counts of the camera, variances in their square; m, g, A and Δ
have none.

References:
    [1] J. M. Zuo, Microsc. Res. Tech. 49, 245 (2000).
"""

import equinox as eqx
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray

from .._types import Floats, as_float
from ..errors import ModelError
from ..numerics._checks import nonnegative, positive
from ..numerics._dtype import common_float

VARIANCES = ("pyextal", "zuo2000")


class Detector(eqx.Module):
    """A camera by its five numbers, in the order of `dtpar`: `Detector(*dtpar)`.

    Args:
        varB: variance σ_B² of the background.
        delta: Δ, the squared relative error of the gain image.
        A: 1 + F + 1/(m G), F the Fano noise and G the well electrons per electron.
        g: gain, counts per electron.
        m: mixing factor of neighbouring pixels.

    Raises:
        ParameterError: a number that is not finite, A, g or m not above zero, varB or
            delta below zero.
    """

    varB: Float[Array, ""] = eqx.field(converter=as_float)
    delta: Float[Array, ""] = eqx.field(converter=as_float)
    A: Float[Array, ""] = eqx.field(converter=as_float)
    g: Float[Array, ""] = eqx.field(converter=as_float)
    m: Float[Array, ""] = eqx.field(converter=as_float)

    def __check_init__(self):
        for name in ("varB", "delta"):
            nonnegative(name, getattr(self, name))
        for name in ("A", "g", "m"):
            positive(name, getattr(self, name))

    def _noise(self, counts: Floats) -> Float[Array, "..."]:
        """The inverse efficiency 1/DQE = A + Δ I + σ_B²/I, of counts ≥ 1."""
        return self.A + self.delta * counts + self.varB / counts

    @property
    def pedestal(self) -> Float[Array, ""]:
        """The counts m g σ_B² that stand for readout noise in a deconvolution."""
        return self.m * self.g * self.varB

    def dqe(self, intensity: Floats) -> Float[Array, "..."]:
        """Detective quantum efficiency 1/(A + Δ I + σ_B²/I), I < 1 read as 1."""
        return 1 / self._noise(at_least_one(intensity))

    def variance(
        self, intensity: Floats, model: str = "pyextal"
    ) -> Float[Array, "..."]:
        """Variance of a measured intensity, I < 1 read as 1.

        Args:
            intensity: measured counts.
            model: "pyextal" or "zuo2000", see the module.
        """
        if model not in VARIANCES:
            raise ModelError(f"model is {model!r}; expected one of {list(VARIANCES)}")
        counts = at_least_one(intensity)
        if model == "zuo2000":
            return (
                self.m
                * self.g
                * (self.A * counts + self.delta * jnp.square(counts) + self.varB)
            )
        return self.g * counts + self.m * self.g * (self._noise(counts) - 1)


def at_least_one(intensity: Floats) -> Float[Array, "..."]:
    """The intensity, or one count where it is less; NaN stays NaN."""
    (counts,) = common_float(intensity)
    return jnp.where(counts < 1, jnp.ones_like(counts), counts)


def simulate_counts(
    key: PRNGKeyArray,
    intensity: Floats,
    detector: Detector | None = None,
    model: str = "pyextal",
) -> Float[Array, "..."]:
    """Noisy counts of mean `intensity`: Poisson, or normal with a detector's variance.

    Args:
        key: of `jax.random`.
        intensity: expected counts, ≥ 0.
        detector: the camera; None counts every electron.
        model: of the detector's variance.
    """
    mean = as_float(intensity)
    if detector is None:
        return jax.random.poisson(key, mean).astype(mean.dtype)
    noise = jax.random.normal(key, mean.shape, mean.dtype)
    return mean + jnp.sqrt(detector.variance(mean, model)) * noise
