"""An elastic line and N Lorentzians per Q, each with an intensity of its own.

    S(Q, ω) = F(ω) [a_el δ(ω) + Σᵢ aᵢ L(ω; Γᵢ)] ⊗ R + background

The intensities are amplitudes (solved, not searched), the half widths Γᵢ the only
parameters, with a shift along energy where asked for: what other programs call a
convolution fit. A line's amplitude is its area. F is 1 or that of detailed balance.

Units: widths (HWHM) and energies in meV, q in 1/Å.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import DataError, ModelError
from ..problem import (
    AbstractModel,
    Amplitude,
    Dataset,
    Likelihood,
    Parameter,
    ParameterSet,
    Problem,
)
from .background import background_amplitudes, background_columns
from .instrument import Instrument, at_temperature, center_parameters, prepared
from .problem import named_likelihood

MOST_LINES = 3


class LinesModel(AbstractModel):
    """Columns: the resolution if elastic, a convolved line per width, background."""

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]
    instrument: Instrument
    lines: int = eqx.field(static=True)
    elastic: bool = eqx.field(static=True)
    background: str = eqx.field(static=True)
    detailed_balance: str | None = eqx.field(static=True, default=None)

    @property
    def name(self) -> str:
        """What is added up."""
        lines = f"{self.lines} Lorentzian{'s' if self.lines != 1 else ''}"
        return f"{'elastic + ' if self.elastic else ''}{lines}"

    @property
    def independent_points(self) -> bool:
        """False where neighbouring energies share one Toeplitz product."""
        return self.instrument.independent_points(self.detailed_balance is None)

    def columns(
        self, prepared: Any, theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, "n k"]:
        """Convolved lines of unit area (before F) in 1/meV, and the background."""
        del prepared
        center = theta.get("center", jnp.zeros(()))
        # F(0) = 1: detailed balance leaves the elastic line alone
        out = [self.instrument.elastic(coords, center)] if self.elastic else []
        if self.lines:
            widths = [theta[f"hwhm_{i + 1}"] for i in range(self.lines)]
            at = jnp.stack([jnp.asarray(w, dtype=float) for w in widths])

            def one(weights: Array) -> Array:
                return self.instrument.spectrum(
                    coords, weights, at, center, detailed_balance=self.detailed_balance
                )

            out += list(jax.vmap(one)(jnp.eye(self.lines)))
        out += background_columns(self.background, coords)
        return jnp.stack(out, axis=1)


def lines_problem(
    data: Dataset,
    lines: int = 1,
    *,
    elastic: bool = True,
    background: str = "linear",
    center: str = "fixed",
    shared: bool = False,
    parameters: Any = None,
    likelihood: Likelihood | str | None = None,
    temperature: float | int | None = None,
    detailed_balance: str = "bose",
) -> Problem:
    """A problem of `lines` Lorentzians and an elastic line, intensities per Q.

    Parameters are `hwhm_1` … in meV, one value per Q each (`hwhm_1[k]`) unless
    `shared`; amplitudes `elastic`, `line_1` …, all non-negative, and those of the
    background.

    Args:
        data: from `load`, `simulate` or `from_bins`, with a resolution.
        lines: number of Lorentzians, 0 to 3.
        elastic: whether there is an elastic line.
        background: "none", "flat", "linear" or "quadratic", not convolved.
        center: shift of the model in meV: "fixed" at 0, "global" or "per_q".
        shared: one width of each line for all Q.
        parameters: changes to the table, as for `problem`.
        likelihood: as for `problem`.
        temperature: in K, for detailed balance; None leaves the lines symmetric. A
            line's amplitude is then its area before the factor F.
        detailed_balance: "bose" or "exp_half", as for `problem`.

    Raises:
        ModelError, DataError: options that do not exist or fit.
    """
    if lines not in range(MOST_LINES + 1):
        raise ModelError(f"lines is {lines}; expected 0 to {MOST_LINES}")
    if lines == 0 and not elastic:
        raise ModelError("lines is 0 and elastic is False; expected something to fit")
    if "omega" not in data.coords:
        raise DataError("the data have no coordinate 'omega'; use js.qens.load")
    amplitudes = [Amplitude("elastic", lower=0.0)] if elastic else []
    amplitudes += [Amplitude(f"line_{i + 1}", lower=0.0) for i in range(lines)]
    amplitudes += background_amplitudes(background)
    table = [*_table(data, lines, shared), *center_parameters(data, center)]
    data, balance = at_temperature(data, temperature, detailed_balance)
    data, instrument = prepared(data, center == "fixed")
    model = LinesModel(
        parameters=ParameterSet(table),
        amplitudes=tuple(amplitudes),
        instrument=instrument,
        lines=lines,
        elastic=elastic,
        background=background,
        detailed_balance=balance,
    )
    said = tuple(data.metadata.get("warnings", ()))
    return Problem(model, data, parameters, named_likelihood(likelihood), warnings=said)


def width_range(data: Dataset) -> tuple[float, float]:
    """Half widths that data can tell apart: a tenth of a step to two windows, meV."""
    omega = np.asarray(data.coords["omega"])
    step = float(np.min(np.diff(omega)))
    return 0.1 * step, float(omega[-1] - omega[0])


def spread_widths(low: float, high: float, count: int) -> np.ndarray:
    """`count` start widths, evenly spread in the logarithm between the two."""
    edges = np.linspace(np.log(low), np.log(high), count + 2)[1:-1]
    return np.exp(edges)


def _table(data: Dataset, lines: int, shared: bool) -> list[Parameter]:
    from ..problem import prior

    low, high = width_range(data)
    return [
        Parameter(
            f"hwhm_{i + 1}",
            float(start),
            "meV",
            (low, high),
            prior=prior.named("log_uniform", low, high),
            scale=float(start),
            local=not shared,
            doc=f"half width of line {i + 1}",
        )
        for i, start in enumerate(spread_widths(low, high, lines))
    ]
