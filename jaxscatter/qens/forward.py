"""One Q bin of S(Q, ω) as columns: convolved line shape(s) and background.

Normalisation of the shape column: unit area before the Debye-Waller factor and the cut
at lmax, in 1/meV; the background columns are 1, ω/max|ω| and its square. Units: meV,
1/Å.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Scalar
from ..problem import AbstractModel, Amplitude, ParameterSet, SamplingCoordinates
from .background import background_columns
from .forward_model import ForwardModel
from .instrument import Instrument
from .resolution import Profile

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

    With `detailed_balance`, the coordinate `temperature` is that of F(ω).
    """

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]
    forward: ForwardModel = eqx.field(static=True)
    extras: tuple[tuple[str, Any], ...] = eqx.field(static=True)
    instrument: Instrument
    amplitude: str = eqx.field(static=True)
    background: str = eqx.field(static=True)
    ordering: str | None = eqx.field(static=True)
    detailed_balance: str | None = eqx.field(static=True, default=None)

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
        lines_only = self.detailed_balance is None and self.forward.continuum is None
        return self.instrument.independent_points(lines_only)

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

    def line_shape(
        self, theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, " n"]:
        """Convolved S(Q, ω - center) of one group."""
        extras = dict(self.extras)
        if "constants" in coords:
            extras["constants"] = coords["constants"]
        q = coords["q"]
        center = theta.get("center", jnp.zeros(()))
        if self.forward.components is not None:
            return self._spectrum(q, theta, extras, coords, center)
        instrument = self.instrument.at(coords, center)
        params = jnp.stack([theta[n] for n in self.forward.param_names])
        omega = coords["omega"] - center
        assert self.forward.predict is not None
        if self.forward.jax:
            gaussian = self.instrument.kind == "gaussian"
            sigma = coords["sigma"] if gaussian else instrument
            return self.forward.predict(omega, q, params, sigma, **extras)
        return _called_back(self.forward, extras, self.instrument.kind)(
            omega, q, params, coords
        )

    def _spectrum(
        self,
        q: Array,
        theta: dict[str, Any],
        extras: dict[str, Any],
        coords: dict[str, Any],
        center: Scalar,
    ) -> Float[Array, " n"]:
        """A model given by its lines; from the table where there is one."""
        assert self.forward.components is not None
        weights, widths = self.forward.components(q, theta, **extras)
        extras.pop("constants", None)
        return self.instrument.spectrum(
            coords,
            weights,
            widths,
            center,
            continuum=self.forward.continuum_at(q, theta, extras),
            detailed_balance=self.detailed_balance,
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
        out += background_columns(self.background, coords)
        return jnp.stack(out, axis=1)


def _called_back(forward: ForwardModel, extras: dict[str, Any], kind: str) -> Any:
    """A NumPy `predict` inside jit, with central differences as its derivative."""
    predict = forward.predict
    assert predict is not None
    lo, hi = np.array(forward.prior_lo), np.array(forward.prior_hi)

    def host(omega: Any, q: Any, params: Any, *rest: Any) -> np.ndarray:
        if kind == "gaussian":
            sigma: Any = float(rest[0])
        elif kind == "profile":
            sigma = Profile(np.asarray(rest[0]))
        else:
            sigma = tuple(map(np.asarray, rest))
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
        elif kind == "profile":
            rest = (coords["profile"],)
        elif kind == "seed":
            rest = (coords["window"], coords["kernel"])
        else:
            rest = (coords["energy"], coords["kernel"])
        return call(omega, q, params, rest)

    return one
