"""Gaussian likelihood of the data given the model, and where its variance comes from.

log L = -½ Σ (y - μ)²/v - ½ Σ log 2πv, with

    noise="known"           v = σ²
    noise="scale"           v = s²σ², s a parameter `noise_scale`
    noise="scale_marginal"  s integrated out with prior 1/s: (k-n)/2 log χ² + const
    noise="jitter"          v = σ² + j², j a parameter `jitter` in the unit of y
    noise="model"           v = variance(μ, σ, θ), as a detector with gain and readout

A robust loss puts Σ ρ(z²) in the place of Σ z², z = (y - μ)/σ, so that far points pull
less; with C the `loss_scale` and s = z²/C²,

    loss           ρ/C²
    "linear"       s
    "huber"        s up to 1, then 2 √s - 1
    "soft_l1"      2 (√(1 + s) - 1)
    "cauchy"       log(1 + s)
    "student_t"    (ν + 1) log(1 + s/ν)

References:
    [1] P. J. Huber and E. M. Ronchetti, Robust Statistics, 2nd ed., Wiley (2009).
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
LOSSES = ("linear", "huber", "soft_l1", "cauchy", "student_t")


class Gaussian(eqx.Module):
    """Gaussian noise with one of the five sources of variance.

    Args:
        noise: see the module's table.
        variance: for noise="model": function (mu, sigma, theta) -> variance, > 0.
        loss: "linear", or a robust loss of the module's second table, which needs
            noise="known".
        loss_scale: C, in standard deviations.
        nu: ν of "student_t".

    Raises:
        ModelError: unknown noise or loss, a variance given or missing where it must not
            be, a scale or ν that is not positive.
    """

    noise: str = eqx.field(static=True, default="known")
    variance: PureFunction | None = eqx.field(static=True, default=None)
    loss: str = eqx.field(static=True, default="linear")
    loss_scale: float = eqx.field(static=True, default=1.0)
    nu: float = eqx.field(static=True, default=4.0)

    def __init__(
        self,
        noise: str = "known",
        variance: Callable | None = None,
        loss: str = "linear",
        loss_scale: float = 1.0,
        nu: float = 4.0,
    ):
        if noise not in NOISES:
            raise ModelError(f"noise {noise!r} is not known; expected one of {NOISES}")
        if loss not in LOSSES:
            raise ModelError(f"loss {loss!r} is not known; expected one of {LOSSES}")
        if loss != "linear" and noise != "known":
            raise ModelError(f"loss={loss!r} needs noise='known'; noise is {noise!r}")
        for label, value in (("loss_scale", loss_scale), ("nu", nu)):
            if not (np.isfinite(value) and value > 0):
                raise ModelError(f"{label} is {value}; expected a positive number")
        self.loss, self.loss_scale, self.nu = loss, float(loss_scale), float(nu)
        if (noise == "model") != (variance is not None):
            raise ModelError("noise='model' and a `variance` function go together")
        self.noise = noise
        self.variance = None if variance is None else PureFunction(variance)

    @property
    def kind(self) -> str:
        """The noise, or the robust loss, that decides what has a closed form."""
        return f"loss={self.loss}" if self.robust else self.noise

    @property
    def robust(self) -> bool:
        """Whether far points pull less than their square."""
        return self.loss != "linear"

    def loss_of(self, z2: Float[Array, "..."]) -> Float[Array, "..."]:
        """ρ(z²) per point."""
        c2 = self.loss_scale**2
        s = z2 / c2
        if self.loss == "huber":
            far = jnp.where(s > 1, s, 1.0)
            return c2 * jnp.where(s > 1, 2 * jnp.sqrt(far) - 1, s)
        if self.loss == "soft_l1":
            return c2 * 2 * s / (1 + jnp.sqrt(1 + s))
        if self.loss == "cauchy":
            return c2 * jnp.log1p(s)
        if self.loss == "student_t":
            return c2 * (self.nu + 1) * jnp.log1p(s / self.nu)
        return z2

    def loss_weight(self, z2: Float[Array, "..."]) -> Float[Array, "..."]:
        """ρ'(z²) per point: the factor on its weight."""
        s = z2 / self.loss_scale**2
        if self.loss == "huber":
            return 1 / jnp.sqrt(jnp.where(s > 1, s, 1.0))
        if self.loss == "soft_l1":
            return 1 / jnp.sqrt(1 + s)
        if self.loss == "cauchy":
            return 1 / (1 + s)
        if self.loss == "student_t":
            return (self.nu + 1) / (self.nu + s)
        return jnp.ones((), z2.dtype)

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
