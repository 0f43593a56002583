"""The instrument of all Q of a data set, prepared once for a fit.

`prepared` puts what is constant in a fit among the data's coordinates (kernel spectra,
tables of convolved Lorentzians) and returns the `Instrument` that knows how to use
them; `at_temperature` adds the temperature of detailed balance, `center_parameters` the
shift along energy. Units: meV, K.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Floats, Scalar, as_float
from ..errors import DataError, ModelError
from ..numerics import (
    DenseConvolution,
    LorentzianTable,
    UniformConvolution,
    convolution,
    energy_differences,
    kernel_spectrum,
    lorentzian_moments,
    tabulate,
    trapezoid_weights,
)
from ..numerics._checks import positive
from ..problem import Dataset, Parameter
from .broadening import Continuum, spectrum
from .dataset import DIMS
from .detailed_balance import CONVENTIONS
from .resolution import (
    GaussianResolution,
    ProfileResolution,
    Resolution,
    SeedResolution,
)

CENTERS = ("fixed", "global", "per_q")


class Instrument(eqx.Module):
    """How the coordinates of a data set describe its resolution.

    `kind` is "gaussian" (coordinate sigma), "profile" (a sum of Voigt functions),
    "uniform" or "dense" (kernels on their own axis, of the data's step or not) or
    "seed". With `tabulated`, the coordinate `table` holds the convolved Lorentzians of
    every width (numerics.basis).
    """

    kind: str = eqx.field(static=True)
    band_limited: bool = eqx.field(static=True)
    tabulated: bool = eqx.field(static=True)
    n_omega: int = eqx.field(static=True)

    def independent_points(self, lines_only: bool = True) -> bool:
        """False where neighbouring energies share one Toeplitz product."""
        if self.tabulated and lines_only:
            return True
        return self.kind not in ("uniform", "seed")

    def lorentzians(
        self,
        coords: dict[str, Any],
        weights: Floats,
        widths: Floats,
        center: Scalar = 0.0,
    ) -> Float[Array, " n"]:
        """Convolved Σ wᵢ L(ω - c; Γᵢ) of one group, from the table if there is one."""
        if self.tabulated:  # and then the center is fixed at 0
            table, scale = coords["table"], coords["table_scale"]
            return lorentzian_moments(weights, widths, scale, table.shape[0]) @ table
        return self.at(coords, center).lorentzians(weights, widths)

    def elastic(
        self, coords: dict[str, Any], center: Scalar = 0.0
    ) -> Float[Array, " n"]:
        """The resolution of one group on its energies: a convolved δ(ω - c)."""
        if self.tabulated:
            return coords["elastic"]
        return self.at(coords, center).lorentzians(jnp.ones(1), jnp.zeros(1))

    def spectrum(
        self,
        coords: dict[str, Any],
        weights: Floats,
        widths: Floats,
        center: Scalar = 0.0,
        *,
        continuum: Continuum | None = None,
        detailed_balance: str | None = None,
    ) -> Float[Array, " n"]:
        """Convolved F(ω) [Σ wᵢ L(ω - c; Γᵢ) + C(ω - c)] of one group.

        F is 1 without `detailed_balance`, else that of the coordinate `temperature`.
        """
        lines = self.lorentzians(coords, weights, widths, center)
        if continuum is None and detailed_balance is None:
            return lines
        return spectrum(
            self.at(coords, center),
            weights,
            widths,
            continuum=continuum,
            temperature=None if detailed_balance is None else coords["temperature"],
            detailed_balance=detailed_balance or "bose",
            lines=lines,
        )

    def at(self, coords: dict[str, Any], center: Scalar = 0.0) -> Resolution:
        """Resolution of one group on the energies of one chunk, counted from center."""
        omega = coords["omega"] - center
        if self.kind == "gaussian":
            return GaussianResolution(omega, coords["sigma"])
        if self.kind == "profile":
            return ProfileResolution(omega, coords["profile"])
        if self.kind == "seed":
            return SeedResolution(
                coords["window"] - center,
                coords["kernel"],
                coords["step"],
                coords["index"],
            )
        energy = coords["energy"]
        if self.kind == "dense":
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


def prepared(data: Dataset, tabulated: bool) -> tuple[Dataset, Instrument]:
    """Data with what is constant in a fit precomputed, and how to use it.

    Args:
        data: with the coordinates of a resolution, see `from_bins`.
        tabulated: whether a table of convolved Lorentzians is wanted.

    Raises:
        DataError: the data have no resolution.
    """
    coords, dims = dict(data.coords), dict(data.dims)
    omega = np.asarray(coords["omega"])
    kind, band_limited = "gaussian", True
    given = next((k for k in ("kernel", "sigma", "profile") if k in coords), None)
    if given is None:
        raise DataError(
            "the data have no resolution; give js.qens.load(..., resolution=...)"
        )
    # thousands of spectra may share a few resolutions: each is prepared once
    distinct, index = _distinct(np.asarray(coords[given]))
    made: list[Any] = []
    if given == "kernel" and "energy" not in coords:
        kind = "seed"
        coords["window"], coords["index"] = omega, np.arange(omega.size)
    elif given == "kernel":
        made = [convolution(omega, coords["energy"], k) for k in distinct]
        if isinstance(made[0], DenseConvolution):
            kind, band_limited = "dense", made[0].band_limited
            coords["weights"] = trapezoid_weights(coords["energy"])
        else:
            kind = "uniform"
            coords["step"] = np.array(float(made[0].step))
            spectra = np.array([m.spectrum for m in made])
            _put(coords, dims, "spectrum", spectra, index)
    elif given == "sigma":
        made = [GaussianResolution(as_float(omega), as_float(s)) for s in distinct]
    else:
        kind = "profile"
        made = [ProfileResolution(as_float(omega), as_float(p)) for p in distinct]
    coords["omega_max"] = np.array(float(np.max(np.abs(omega))))
    table = _table(made, omega) if tabulated and made else None
    if table is not None:
        _put(coords, dims, "table", table.coefficients, index)
        coords["table_scale"] = np.array(table.scale)
        terms = table.coefficients.shape[-2]
        sharp = lorentzian_moments(np.ones(1), np.zeros(1), table.scale, terms)
        _put(coords, dims, "elastic", np.asarray(sharp) @ table.coefficients, index)
    dims |= {k: DIMS[k] for k in coords if k not in dims}
    new = Dataset(
        data.y,
        data.sigma if data.sigma_given else None,
        np.asarray(data.mask) > 0,
        coords,
        dims,
        dict(data.units),
        data.metadata,
    )
    return new, Instrument(kind, band_limited, table is not None, omega.size)


def at_temperature(
    data: Dataset, temperature: float | int | None, detailed_balance: str
) -> tuple[Dataset, str | None]:
    """Data that know their temperature, and the convention; None leaves F = 1.

    Raises:
        ModelError: a convention that does not exist. ParameterError: no temperature.
    """
    if detailed_balance not in CONVENTIONS:
        raise ModelError(
            f"detailed_balance is {detailed_balance!r}; expected one of "
            f"{list(CONVENTIONS)}"
        )
    if temperature is None:
        return data, None
    positive("temperature", temperature)
    known = data.with_coords({"temperature": np.array(float(temperature))}, DIMS)
    return known, detailed_balance


def center_parameters(data: Dataset, center: str) -> list[Parameter]:
    """The shift of a model along energy: none, one, or one per Q.

    Raises:
        ModelError: a word that is not one of `CENTERS`.
    """
    if center not in CENTERS:
        raise ModelError(f"center is {center!r}; expected one of {list(CENTERS)}")
    if center == "fixed":
        return []
    window = 0.1 * float(np.max(np.abs(data.coords["omega"])))
    return [
        Parameter(
            "center",
            0.0,
            "meV",
            (-window, window),
            local=center == "per_q",
            doc="shift of the model along energy",
        )
    ]


def _distinct(rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The different rows in the order they come, and which of them each group has."""
    flat = rows.reshape(len(rows), -1)
    _, first, index = np.unique(flat, axis=0, return_index=True, return_inverse=True)
    order = np.argsort(first)
    return rows[first[order]], np.argsort(order)[index.ravel()]


def _put(
    coords: dict[str, Any],
    dims: dict[str, Any],
    name: str,
    values: np.ndarray,
    index: np.ndarray,
) -> None:
    """One array for all groups where they have the same, else one per group."""
    if len(values) == 1:
        coords[name], dims[name] = values[0], DIMS[name][1:]
    else:
        coords[name] = values[index]


@eqx.filter_jit
def _profiles(made: Any, gammas: Any) -> Any:
    """Convolved unit Lorentzians (width, group, ω) of stacked resolutions."""

    def width(gamma: Any) -> Any:
        one = jnp.ones(1)
        return jax.vmap(lambda r: r.lorentzians(one, gamma[None]))(made)

    return jax.lax.map(width, gammas)


def _table(made: list[Any], omega: np.ndarray) -> LorentzianTable | None:
    """Convolved Lorentzians of every width, for all groups; None if not accurate."""
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)
    return tabulate(lambda g: _profiles(stacked, g), float(omega[-1] - omega[0]) / 2)
