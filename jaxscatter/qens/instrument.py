"""The resolution of all Q of a data set, prepared once for a fit.

`prepared` puts what is constant in a fit among the data's coordinates (kernel spectra,
tables of convolved Lorentzians) and returns the `Instrument` that knows how to use
them. Units: meV.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from .._types import Floats, Scalar, as_float
from ..errors import DataError
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
from ..problem import Dataset
from .dataset import DIMS
from .resolution import (
    GaussianResolution,
    ProfileResolution,
    Resolution,
    SeedResolution,
)


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
    made: list[Any]
    if "kernel" in coords and "energy" not in coords:
        kind, made = "seed", []
        coords["window"], coords["index"] = omega, np.arange(omega.size)
    elif "kernel" in coords:
        made = [convolution(omega, coords["energy"], k) for k in coords["kernel"]]
        if isinstance(made[0], DenseConvolution):
            kind, band_limited = "dense", made[0].band_limited
            coords["weights"] = trapezoid_weights(coords["energy"])
        else:
            kind = "uniform"
            coords["step"] = np.array(float(made[0].step))
            coords["spectrum"] = np.array([m.spectrum for m in made])
    elif "sigma" in coords:
        made = [
            GaussianResolution(as_float(omega), as_float(s)) for s in coords["sigma"]
        ]
    elif "profile" in coords:
        kind = "profile"
        made = [
            ProfileResolution(as_float(omega), as_float(p)) for p in coords["profile"]
        ]
    else:
        raise DataError(
            "the data have no resolution; give js.qens.load(..., resolution=...)"
        )
    coords["omega_max"] = np.array(float(np.max(np.abs(omega))))
    table = _table(made, omega) if tabulated and made else None
    if table is not None:
        coords["table"], coords["table_scale"] = (
            table.coefficients,
            np.array(table.scale),
        )
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
