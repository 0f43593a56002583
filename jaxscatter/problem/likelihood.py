"""Likelihoods of the data given the model: Gaussian noise, and counts.

Gaussian, and where its variance comes from:

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

Their log L leaves out the integral of exp(-½ρ) over z, which no parameter enters. With
C = 1 "student_t" is Student's t of ν degrees of freedom and scale σ; another C makes
them C²(ν + 1) - 1.

Counts, whose cost is half the deviance D:

    log L = Σ y log μ - μ - log Γ(y + 1)
    ½ D   = Σ μ - y + y log(y/μ),   its log term 0 where y = 0

References:
    [1] P. J. Huber and E. M. Ronchetti, Robust Statistics, 2nd ed., Wiley (2009).
    [2] P. McCullagh and J. A. Nelder, Generalized Linear Models, 2nd ed., Chapman and
        Hall (1989).
"""

from collections.abc import Callable
from typing import Any, NamedTuple

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jax.scipy.special import gammaln, xlogy
from jaxtyping import Array, Float

from ..errors import DataError, ModelError
from .dataset import Dataset
from .parameter import Parameter, Theta
from .static import PureFunction

NOISES = ("known", "scale", "scale_marginal", "jitter", "model")
LOSSES = ("linear", "huber", "soft_l1", "cauchy", "student_t")
FLOOR = 1e-12
"""Smallest mean of a count, in units of the mean count of its group."""


class Points(NamedTuple):
    """What each point adds: twice its cost, and that cost's derivatives in μ.

    `weight` is the curvature of Gauss and Newton (the Fisher information of μ) and
    `pull` minus the slope.
    """

    chi2: Float[Array, "*n"]
    weight: Float[Array, "*n"]
    pull: Float[Array, "*n"]


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

    @property
    def counts(self) -> bool:
        """Whether the data are counts."""
        return False

    def points(
        self,
        y: Float[Array, "*n"],
        mu: Float[Array, "*n"],
        variance: Float[Array, "*n"],
        mask: Float[Array, "*n"],
    ) -> Points:
        """Loss, weight and pull of points of the given variance."""
        weight, r = mask / variance, y - mu
        z2 = weight * jnp.square(r)
        weight = weight * self.loss_weight(z2)
        return Points(self.loss_of(z2), weight, weight * r)

    def log_terms(
        self,
        variance: Float[Array, "*n"],
        sigma: Float[Array, "*n"],
        mask: Float[Array, "*n"],
    ) -> Float[Array, "*n"]:
        """½ log(v/σ²) per point, which the cost holds beside its half χ²."""
        return 0.5 * mask * jnp.log(variance / jnp.square(sigma))

    def constant(self, data: Any) -> Float[Array, ""]:
        """Log L where χ² and log terms are 0: -½ Σ log 2πσ²."""
        return -data.log_sigma

    def examined(self, data: Any) -> tuple[str, ...]:
        """What results must say of these data; nothing."""
        del data
        return ()

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


class Poisson(eqx.Module):
    """Counts y ≥ 0 of mean μ: any standard deviations of the data are not used.

    A mean below `FLOOR` times the mean count of its group is taken at that floor, and
    results tell how many points were. Beyond the floor the cost goes on in a straight
    line where there are counts, so that it stays convex in μ and its slope leads back.
    """

    @property
    def noise(self) -> str:
        """The word for it."""
        return "poisson"

    @property
    def kind(self) -> str:
        """The noise: what decides what has a closed form."""
        return "poisson"

    @property
    def robust(self) -> bool:
        """Never."""
        return False

    @property
    def fixed_weights(self) -> bool:
        """Never: they are 1/μ."""
        return False

    @property
    def counts(self) -> bool:
        """Whether the data are counts."""
        return True

    def parameters(self, data: Any) -> tuple[Parameter, ...]:
        """None: the noise follows from the model."""
        del data
        return ()

    def floor(
        self, y: Float[Array, "*n"], mask: Float[Array, "*n"]
    ) -> Float[Array, "*m"]:
        """Smallest mean of the points along the last axis.

        It is of the data's mean: the model's own is the same at a fit whose scale is
        free, but would make the cost neither smooth nor convex on the way there.
        """
        total, n = jnp.sum(mask * y, axis=-1), jnp.sum(mask, axis=-1)
        return FLOOR * jnp.where(total > 0, total, 1.0) / jnp.maximum(n, 1.0)

    def points(
        self,
        y: Float[Array, " n"],
        mu: Float[Array, " n"],
        variance: Float[Array, " n"],
        mask: Float[Array, " n"],
    ) -> Points:
        """Deviance, Fisher weight 1/μ and pull y/μ - 1."""
        del variance
        floor = self.floor(y, mask)
        low, some = mu < floor, y > 0
        safe = jnp.where(low, floor, mu)
        ratio = jnp.where(some, y, 1.0) / safe
        counted = safe - y + y * jnp.log(jnp.where(some, ratio, 1.0))
        counted = counted + jnp.where(low, (1 - y / floor) * (mu - floor), 0.0)
        half = jnp.where(some, counted, jnp.maximum(mu, 0.0))
        pull = jnp.where(some, y / safe - 1, jnp.where(mu < 0, 0.0, -1.0))
        # 1/μ would stop every step at μ = 0, to that bound as well as off it
        soft = 1e3 * floor
        none = jnp.where(mu < soft, jnp.maximum(mu, 1e-6 * soft) / soft**2, 1 / safe)
        none = jnp.where(mu < 0, 0.0, none)
        weight = jnp.where(some, 1 / safe, none)
        return Points(2 * mask * half, mask * weight, mask * pull)

    def log_terms(
        self,
        variance: Float[Array, " n"],
        sigma: Float[Array, " n"],
        mask: Float[Array, " n"],
    ) -> Float[Array, " n"]:
        """None."""
        del variance, sigma
        return jnp.zeros_like(mask)

    def constant(self, data: Any) -> Float[Array, ""]:
        """Log L where the deviance is 0, as it is for μ = y."""
        y = jnp.asarray(data.y, float)
        top = xlogy(y, y) - y - gammaln(y + 1)
        return jnp.sum(jnp.asarray(data.mask) * top, dtype=float)

    def variances(
        self, mu: Float[Array, " n"], sigma: Float[Array, " n"], theta: Theta
    ) -> Float[Array, " n"]:
        """Variance μ of every point, floored: for residuals."""
        del sigma, theta
        return jnp.maximum(mu, self.floor(jnp.abs(mu), jnp.ones_like(mu)))

    def examined(self, data: Any) -> tuple[str, ...]:
        """What results must say of these data.

        Raises:
            ModelError: data that are not in memory.
            DataError: a point that counts and is no count, by its place.
        """
        if data.streamed:
            raise ModelError(
                "likelihood=Poisson() takes data in memory, not chunks read from a file"
            )
        y, valid = np.asarray(data.y), np.asarray(data.mask) > 0
        bad = np.argwhere(valid & ~((y >= 0) & np.isfinite(y)))
        if len(bad):
            at = tuple(bad[0])
            place = ", ".join(
                f"{word} {i}"
                for word, i in zip(
                    ("data set", "group", "point")[-y.ndim :], at, strict=True
                )
            )
            raise DataError(
                f"y is {y[at]} in {place}; expected counts >= 0 ({len(bad)} points are "
                "not: mask them, or subtract no background and put one in the model)"
            )
        said = []
        if np.any(valid & (y != np.round(y))):
            said.append(
                "not all counts are whole numbers: the deviance is defined, but errors "
                "hold only for counts as they were measured, not scaled or averaged"
            )
        if data.sigma_given and not valid.all() and np.all(y[valid] > 0):
            said.append(
                "points are masked and no count of 0 is left: if their sigma was 0, "
                "give the Dataset no sigma, or the rates come out too high"
            )
        return tuple(said)


Likelihood = Gaussian | Poisson
