"""One Q bin of S(Q, ω) as columns: convolved line shape(s) and background.

Normalisation of the shape column: unit area before the Debye-Waller factor and the cut
at lmax, in 1/meV; the background columns are 1 and ω/max|ω|. Units: meV, 1/Å.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Scalar
from ..numerics import (
    DenseConvolution,
    UniformConvolution,
    energy_differences,
    kernel_spectrum,
    lorentzian_moments,
)
from ..problem import AbstractModel, Amplitude, ParameterSet, SamplingCoordinates
from .catalogue import ForwardModel
from .resolution import GaussianResolution, Resolution, SeedResolution

ORDERINGS = ("oblate", "prolate", None)


def _to_z(x: Array) -> Array:
    """(D_t, D_s) -> (D_t + D_s, D_t/(D_t + D_s))."""
    total = x[0] + x[1]
    return jnp.stack([total, x[0] / total])


def _to_x(z: Array) -> Array:
    """(sum, fraction) -> (D_t, D_s)."""
    return jnp.stack([z[0] * z[1], z[0] * (1 - z[1])])


def _support(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    fraction = lo[0] / (lo[0] + hi[1]), hi[0] / (hi[0] + lo[1])
    return np.array([lo.sum(), fraction[0]]), np.array([hi.sum(), fraction[1]])


def _support_oblate(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = _support(lo, hi)
    return low, np.array([high[0], 0.5])


def _support_prolate(lo: np.ndarray, hi: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    low, high = _support(lo, hi)
    return np.array([low[0], 0.5]), high


_SUPPORTS = {None: _support, "oblate": _support_oblate, "prolate": _support_prolate}


class QensModel(AbstractModel):
    """A registered model under a resolution, with amplitudes and background.

    `resolution` is "gaussian" (coordinate sigma), "uniform" or "dense" (kernels on
    their own axis, of the data's step or not) or "seed". With `tabulated`, the
    coordinate `table` holds the convolved Lorentzians of every width (numerics.basis).
    """

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]
    forward: ForwardModel = eqx.field(static=True)
    extras: tuple[tuple[str, Any], ...] = eqx.field(static=True)
    resolution: str = eqx.field(static=True)
    band_limited: bool = eqx.field(static=True)
    tabulated: bool = eqx.field(static=True)
    amplitude: str = eqx.field(static=True)
    background: str = eqx.field(static=True)
    n_omega: int = eqx.field(static=True)
    ordering: str | None = eqx.field(static=True)

    @property
    def name(self) -> str:
        """Name of the forward model."""
        return self.forward.name

    @property
    def has_gradient(self) -> bool:
        """False for models written in NumPy."""
        return self.forward.jax

    @property
    def independent_points(self) -> bool:
        """False where neighbouring energies share one Toeplitz product."""
        return self.tabulated or self.resolution not in ("uniform", "seed")

    @property
    def sampling_coordinates(self) -> tuple[SamplingCoordinates, ...]:
        """D_t + D_s and D_t/(D_t + D_s) in place of the banana in (D_t, D_s)."""
        if not {"D_t", "D_s"} <= set(self.forward.param_names):
            return ()
        return (
            SamplingCoordinates(
                ("D_t", "D_s"),
                _to_z,
                _to_x,
                _SUPPORTS[self.ordering],
                ("D_t + D_s", "D_t/(D_t + D_s)"),
            ),
        )

    def instrument(self, coords: dict[str, Any], center: Scalar = 0.0) -> Resolution:
        """Resolution of one group on the energies of one chunk, counted from center."""
        omega = coords["omega"] - center
        if self.resolution == "gaussian":
            return GaussianResolution(omega, coords["sigma"])
        if self.resolution == "seed":
            return SeedResolution(
                coords["window"] - center,
                coords["kernel"],
                coords["step"],
                coords["index"],
            )
        energy = coords["energy"]
        if self.resolution == "dense":
            return DenseConvolution(
                omega[:, None] - energy[None, :],
                coords["kernel"],
                coords["weights"],
                self.band_limited,
            )
        n = omega.shape[0]
        # a chunk is shorter than what the stored spectrum was made for
        spectrum = coords["spectrum"]
        if n != self.n_omega:
            spectrum = kernel_spectrum(coords["kernel"], n)
        return UniformConvolution(
            energy_differences(omega, energy), spectrum, coords["step"], n
        )

    def line_shape(
        self, theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, " n"]:
        """Convolved S(Q, ω - center) of one group."""
        extras = dict(self.extras)
        if "constants" in coords:
            extras["constants"] = coords["constants"]
        q = coords["q"]
        if self.tabulated and self.forward.components is not None:
            weights, widths = self.forward.components(q, theta, **extras)
            table = coords["table"]
            scale = coords["table_scale"]
            return lorentzian_moments(weights, widths, scale, table.shape[0]) @ table
        center = theta.get("center", jnp.zeros(()))
        instrument = self.instrument(coords, center)
        if self.forward.components is not None:
            weights, widths = self.forward.components(q, theta, **extras)
            return instrument.lorentzians(weights, widths)
        params = jnp.stack([theta[n] for n in self.forward.param_names])
        omega = coords["omega"] - center
        assert self.forward.predict is not None
        if self.forward.jax:
            sigma = coords["sigma"] if self.resolution == "gaussian" else instrument
            return self.forward.predict(omega, q, params, sigma, **extras)
        return _called_back(self.forward, extras, self.resolution)(
            omega, q, params, coords
        )

    def columns(
        self, prepared: Any, theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, "n k"]:
        """Shape column(s) and background columns of one group."""
        del prepared
        shape = self.line_shape(theta, coords)
        out = [shape]
        if self.amplitude == "q_smooth":
            out.append(coords["q"] * shape)
        if self.background in ("flat", "linear"):
            out.append(jnp.ones_like(shape))
        if self.background == "linear":
            out.append(coords["omega"] / coords["omega_max"])
        return jnp.stack(out, axis=1)


def _called_back(forward: ForwardModel, extras: dict[str, Any], kind: str) -> Any:
    """A NumPy `predict` inside jit, with central differences as its derivative."""
    predict = forward.predict
    assert predict is not None
    lo, hi = np.array(forward.prior_lo), np.array(forward.prior_hi)

    def host(omega: Any, q: Any, params: Any, *rest: Any) -> np.ndarray:
        sigma = float(rest[0]) if kind == "gaussian" else tuple(map(np.asarray, rest))
        out = predict(np.asarray(omega), float(q), np.asarray(params), sigma, **extras)
        return np.asarray(out, dtype=np.asarray(omega).dtype)

    @jax.custom_jvp
    def call(omega: Array, q: Array, params: Array, rest: tuple) -> Array:
        shape = jax.ShapeDtypeStruct(omega.shape, omega.dtype)
        return jax.pure_callback(
            host, shape, omega, q, params, *rest, vmap_method="sequential"
        )

    @call.defjvp
    def _(primals, tangents):
        omega, q, params, rest = primals
        out = call(omega, q, params, rest)
        total = jnp.zeros_like(out)
        for i, p in enumerate(params):
            step = 1e-6 * (hi[i] - lo[i])
            # one-sided on a bound, beyond which the model need not exist
            high = jnp.minimum(p + step, jnp.maximum(p, hi[i]))
            low = jnp.maximum(p - step, jnp.minimum(p, lo[i]))
            up = call(omega, q, params.at[i].set(high), rest)
            down = call(omega, q, params.at[i].set(low), rest)
            total = total + tangents[2][i] * (up - down) / (high - low)
        # the only other thing that moves is ω, through the center
        step = 1e-6 * jnp.max(jnp.abs(omega))
        up = call(omega + step, q, params, rest)
        down = call(omega - step, q, params, rest)
        return out, total + tangents[0] * (up - down) / (2 * step)

    def one(omega: Array, q: Array, params: Array, coords: dict) -> Array:
        if kind == "gaussian":
            rest = (coords["sigma"],)
        elif kind == "seed":
            rest = (coords["window"], coords["kernel"])
        else:
            rest = (coords["energy"], coords["kernel"])
        return call(omega, q, params, rest)

    return one
