"""Gaussian likelihood of the data given the model, and where its variance comes from.

log L = -½ Σ (y - μ)²/v - ½ Σ log 2πv, with

    noise="known"           v = σ²
    noise="scale"           v = s²σ², s a parameter `noise_scale`
    noise="scale_marginal"  s integrated out with prior 1/s: (k-n)/2 log χ² + const
    noise="jitter"          v = σ² + j², j a parameter `jitter` in the unit of y
    noise="model"           v = variance(μ, σ, θ), as a detector with gain and readout
"""

from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ModelError
from .dataset import Dataset
from .parameter import Parameter, Theta
from .static import PureFunction

NOISES = ("known", "scale", "scale_marginal", "jitter", "model")


class Gaussian(eqx.Module):
    """Gaussian noise with one of the five sources of variance.

    Args:
        noise: see the module's table.
        variance: for noise="model": function (mu, sigma, theta) -> variance, > 0.

    Raises:
        ModelError: unknown noise, or a variance given or missing where it must not be.
    """

    noise: str = eqx.field(static=True, default="known")
    variance: PureFunction | None = eqx.field(static=True, default=None)

    def __init__(self, noise: str = "known", variance: Callable | None = None):
        if noise not in NOISES:
            raise ModelError(f"noise {noise!r} is not known; expected one of {NOISES}")
        if (noise == "model") != (variance is not None):
            raise ModelError("noise='model' and a `variance` function go together")
        self.noise = noise
        self.variance = None if variance is None else PureFunction(variance)

    @property
    def fixed_weights(self) -> bool:
        """Whether the weights mask/σ² do not depend on any parameter."""
        return self.noise in ("known", "scale_marginal")

    def parameters(self, data: Dataset) -> tuple[Parameter, ...]:
        """Parameters the noise adds to a problem."""
        if self.noise == "scale":
            from .prior import named

            return (
                Parameter(
                    "noise_scale",
                    1.0,
                    bounds=(1e-3, 1e3),
                    prior=named("log_uniform", 1e-3, 1e3),
                    scale=1.0,
                    doc="factor on every standard deviation",
                ),
            )
        if self.noise == "jitter":
            valid = np.asarray(data.mask) > 0
            typical = float(np.median(np.asarray(data.sigma)[valid]))
            spread = float(np.std(np.asarray(data.y)[valid]))
            return (
                Parameter(
                    "jitter",
                    typical,
                    unit=data.unit("y"),
                    bounds=(0.0, max(10 * typical, spread)),
                    scale=typical,
                    doc="standard deviation added in quadrature to every point",
                ),
            )
        return ()

    def variances(
        self, mu: Float[Array, " n"], sigma: Float[Array, " n"], theta: Theta
    ) -> Any:
        """Variance v of every point."""
        if self.noise == "scale":
            return jnp.square(theta["noise_scale"] * sigma)
        if self.noise == "jitter":
            return jnp.square(sigma) + jnp.square(theta["jitter"])
        if self.variance is not None:
            return self.variance(mu, sigma, theta)
        return jnp.square(sigma)
