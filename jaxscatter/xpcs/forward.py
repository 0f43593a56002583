"""c2 of one angle as columns: correlation shape and 1.

The two integrals are tables over the frames, made once for all angles; a point costs
two look-ups in each. Fits and posteriors take their sums tile by tile (`tiles`), except
under "homodyne_v2", whose smoothed |d| is no difference of table entries.

Units: q in 1/Å, gap in Å, times in s, angles in degrees.
"""

import math
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..problem import (
    AbstractModel,
    Amplitude,
    Arrangement,
    BlockSums,
    Dataset,
    Gaussian,
    ParameterSet,
    SamplingCoordinates,
)
from . import tiles
from .angles import mirrored
from .coordinates import at_reference_time
from .correlation import SMOOTHING, shape, shear_phase
from .parameters import physical_names
from .scaling import fourier_names, fourier_terms
from .transport import RATE_FLOOR, cumulative_rate, log_times, power_law, spelt


class XpcsModel(AbstractModel):
    """A static or sheared sample under one convention, for any number of angles."""

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]
    t: Float[Array, " n"]
    dt: Float[Array, ""]
    h: Float[Array, ""]
    flow: bool = eqx.field(static=True)
    convention: str = eqx.field(static=True)
    rate: str = eqx.field(static=True)
    floor: str = eqx.field(static=True)
    integration: str = eqx.field(static=True)
    fourier: bool = eqx.field(static=True, default=False)

    @property
    def name(self) -> str:
        """Model, convention and spelling of the rates, as results state them."""
        model = "laminar_flow" if self.flow else "static_isotropic"
        return f"{model} ({self.convention}, rate={self.rate})"

    def prepare(self, theta: dict[str, Any]) -> dict[str, Array]:
        """Cumulative integrals of J and γ̇ over the frames, in steps."""
        options = {
            "rate": self.rate,
            "floor": self.floor,
            "integration": self.integration,
        }

        def table(amplitude: str, exponent: str, offset: str, width: float) -> Array:
            rate = theta[amplitude], theta[exponent], theta[offset]
            return cumulative_rate(self.t, *rate, self.dt, width=width, **options)

        out = {"transport": table("D0", "alpha", "D_offset", 1e-3)}
        if self.flow:
            shear = "gamma_dot_t0", "beta", "gamma_dot_t_offset"
            out["strain"] = table(*shear, 1e-6)
        return out

    def columns(
        self, prepared: dict[str, Array], theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, "n 2"]:
        """Shape and baseline at the pairs (early, late) of one angle."""
        early, late, q = coords["early"], coords["late"], coords["q"]

        def between(table: Array) -> Array:
            d = self.dt * (table[late] - table[early])
            if self.convention == "homodyne_v2":
                return jnp.sqrt(jnp.square(d) + SMOOTHING * jnp.square(self.dt))
            return d

        # the difference in double precision, the rest in that of the coordinates
        exponent = (jnp.square(q) * between(prepared["transport"])).astype(q.dtype)
        phase = jnp.zeros_like(exponent)
        if self.flow:
            strain = between(prepared["strain"])
            phase = shear_phase(strain, coords["phi"], theta["phi0"], q, self.h)
            phase = phase.astype(q.dtype)
        m = shape(exponent, phase, self.convention)
        return jnp.stack([m, jnp.ones_like(m)], axis=1)

    def derived(self, theta: dict[str, Any]) -> dict[str, tuple[Any, str]]:
        """D0/2, the Stokes-Einstein diffusion coefficient of Brownian motion."""
        del theta
        if self.rate != "power":
            return {}
        return {"D_stokes_einstein": (lambda known: known["D0"] / 2, "Å²/s")}

    def cautions(
        self, theta: dict[str, Any], coords: dict[str, Any]
    ) -> tuple[str, ...]:
        """Rates on their floor, and a flow direction whose sign cannot be told."""
        said = []
        for name, unit, n in self._floored(theta):
            said.append(
                f"{name} is on its floor of {RATE_FLOOR:g} {unit} at {n} of "
                f"{self.t.size} times, where its parameters have no effect"
            )
        if self.flow and self.parameters["phi0"].free and mirrored(coords["phi"]):
            said.append(
                "the angles are their own mirror images, so the data cannot tell phi0 "
                "from -phi0"
            )
        return tuple(said)

    def _floored(self, theta: dict[str, Any]) -> list[tuple[str, str, int]]:
        """(rate, unit, times on the floor) of the rates that are cut anywhere."""
        laws = [("J(t)", "Å²/s", ("D0", "alpha", "D_offset"))]
        if self.flow:
            shear = ("gamma_dot_t0", "beta", "gamma_dot_t_offset")
            laws.append(("the shear rate", "1/s", shear))
        log_t, out = log_times(self.t, self.dt), []
        for name, unit, (amplitude, exponent, offset) in laws:
            factor, constant = spelt(self.rate, theta[amplitude], theta[offset])
            values = power_law(log_t, factor, theta[exponent], constant)
            n = int(np.sum(np.asarray(values) <= RATE_FLOOR))
            out += [(name, unit, n)] if n else []
        return out

    @property
    def own_amplitudes(self) -> bool:
        """Whether contrast and offset are Fourier series over the angles."""
        return self.fourier

    def amplitude_values(self, theta: dict[str, Any], coords: dict[str, Any]) -> Array:
        """Contrast and offset of one angle where they are parameters."""
        if not self.fourier:
            return super().amplitude_values(theta, coords)
        terms = fourier_terms(coords["phi"])
        return jnp.stack(
            [
                terms @ jnp.stack([theta[n] for n in fourier_names(a.name)])
                for a in self.amplitudes
            ]
        )

    @property
    def sampling_coordinates(self) -> tuple[SamplingCoordinates, ...]:
        """Rates at a middle time instead of their amplitudes, see `coordinates`."""
        if self.rate != "power":
            return ()
        return at_reference_time(self.parameters, float(self.dt), float(self.t[-1]))

    def lowered(self, prepared: dict[str, Array]) -> dict[str, Array]:
        """Tables stay in double precision: only their differences may be rounded."""
        return prepared

    def arrangement(self, data: Dataset) -> Arrangement | None:
        """Pairs in tiles of the triangle."""
        return tiles.tiled(data) if self.block_parameters else None

    @property
    def block_parameters(self) -> tuple[str, ...]:
        """All physical parameters, but for homodyne 2."""
        if self.convention == "homodyne_v2":
            return ()
        return physical_names("laminar_flow" if self.flow else "static_isotropic")

    def normal_block(
        self,
        prepared: dict[str, Array],
        d_prepared: dict[str, Array] | None,
        theta: dict[str, Any],
        coords: dict[str, Any],
        w: Float[Array, " n"],
        y: Float[Array, " n"],
        a: Float[Array, " k"],
        likelihood: Gaussian,
    ) -> BlockSums:
        """Sums of one tile, see `tiles`."""
        side = math.isqrt(y.size)
        rows = coords["row"].reshape(side, side)[:, 0]
        cols = coords["col"].reshape(side, side)[0]
        w, y = w.reshape(side, side), y.reshape(side, side)
        per_step = jnp.square(coords["q"]) * self.dt
        slope = 0.5 * coords["q"] * self.h * self.dt
        angle = math.pi / 180 * (theta["phi0"] - coords["phi"]) if self.flow else 0.0

        def table(values: Array) -> tiles.Tables:
            return tiles.tables(values, rows, cols, y.dtype)

        exponent = table(per_step * prepared["transport"])
        phase = None
        if self.flow:
            phase = table(slope * jnp.cos(angle) * prepared["strain"])
        shape = tiles.tile_shape(
            exponent, phase, 4 if self.convention == "homodyne_v1" else 2
        )
        r = y - a[0] * shape.m - a[1]
        z2 = w * jnp.square(r)
        chi2 = jnp.sum(likelihood.loss_of(z2))
        w = w * likelihood.loss_weight(z2)
        sums = tiles.first_sums(shape.m, w, r, chi2)
        if d_prepared is None:
            return sums
        # D0, alpha, D_offset act on E; the shear's three and phi0 on x
        d_exponent = table(per_step * d_prepared["transport"][:3])
        d_phase = None
        if self.flow:
            turned = -math.pi / 180 * jnp.sin(angle) * prepared["strain"]
            by_rate = jnp.cos(angle) * d_prepared["strain"][3:6]
            d_phase = table(slope * jnp.concatenate([by_rate, turned[None]]))
        by_m, by_one, by_r, double = tiles.second_sums(shape, d_exponent, d_phase, w, r)
        count = len(by_m)
        zero = jnp.zeros((count, 2, 2), y.dtype)
        return BlockSums(
            sums.gram,
            sums.h,
            sums.chi2,
            side=zero.at[:, 0, 0].set(by_m).at[:, 0, 1].set(by_one),
            d_h=jnp.zeros((count, 2), y.dtype).at[:, 0].set(by_r),
            quad=jnp.zeros((count, 2, count, 2), y.dtype).at[:, 0, :, 0].set(double),
        )
