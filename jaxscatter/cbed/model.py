"""The model of one diffraction pattern: disks, or LARBED images, as groups of pixels.

    y_d(pixel) = c |ψ_d(K_t(pixel), t)|² + b     or b_d, one background per disk

Pixels stay where they were read; what moves with gl, rotation and shifts is the K_t
they belong to,

    K_t = K_t0 + (|g_x|/gl)(i x̂ - j ŷ),   (j, i) = Rᵀ (p - shift - diskshift_d)

with R of `regions`. In a CBED image disk d lies gl R (-y_d, x_d) from 000 and each has
its own K_t; in LARBED, and where samples are given by their K_t, all disks share them
and one propagation serves all. A LARBED image may be blurred by the probe (`psf`): it
is then simulated with `padding` pixels around it.

Units: thickness in Å, gl, shifts, sigma and gamma (probe) in pixels, rotation in
degrees, energy in keV, U in 1/Å², B in Å², cell in Å and degrees.
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from .._types import Scalar, as_float
from ..numerics.chebyshev_waves import Plan
from ..problem import AbstractModel, Amplitude, ParameterSet
from ..problem.parameter import Theta
from . import bloch, psf
from .beams import Beams
from .bloch import Coefficients, Settings
from .crystal import Crystal
from .display import disk_displacements, rotation_matrix
from .geometry import Frame, kt_of_offset
from .refined import Refined
from .sensitivity import channelled
from .structure_factors import e2xray

GEOMETRY = ("gl", "rotation", "shift_j", "shift_i")
CELL = ("cell_a", "cell_b", "cell_c", "cell_alpha", "cell_beta", "cell_gamma")


def site_names(crystal: Crystal) -> dict[str, tuple[str, int, int | None]]:
    """Parameters of the sites: name -> (leaf, site, axis)."""
    out: dict[str, tuple[str, int, int | None]] = {}
    for i, label in enumerate(crystal.labels):
        out[f"B({label})"] = ("b_iso", i, None)
        out[f"occupancy({label})"] = ("occupancies", i, None)
        for axis, letter in enumerate("xyz"):
            out[f"{letter}({label})"] = ("positions", i, axis)
    return out


def crystal_at(crystal: Crystal, theta: Theta) -> Crystal:
    """The crystal with whatever θ has of its cell and sites."""
    leaves: dict[str, Any] = {}
    for axis, name in enumerate(CELL):
        if name in theta:
            now = leaves.get("cell", crystal.cell)
            leaves["cell"] = now.at[axis].set(theta[name])
    for name, (leaf, site, axis) in site_names(crystal).items():
        if name in theta:
            now = leaves.get(leaf, getattr(crystal, leaf))
            at = site if axis is None else (site, axis)
            leaves[leaf] = now.at[at].set(theta[name])
    if not leaves:
        return crystal
    names = tuple(leaves)

    def where(c):
        return [getattr(c, n) for n in names]

    return eqx.tree_at(where, crystal, [leaves[n] for n in names])


def pixel_kt(
    pixels: Float[ArrayLike, "groups points 2"],
    places: Float[ArrayLike, "groups 2"] | None,
    kt0: Float[ArrayLike, "2"],
    frame: Frame,
    cell: Float[ArrayLike, "6"],
    gl: Scalar,
    rotation: Scalar,
    shift: Float[ArrayLike, "2"],
    diskshift: Float[ArrayLike, "groups 2"] | None = None,
) -> Float[Array, "groups points 2"]:
    """K_t in 1/Å of every pixel, by the equations of this module."""
    moved = as_float(pixels) - as_float(shift)[None, None, :]
    if diskshift is not None:
        moved = moved - as_float(diskshift)[:, None, :]
    if places is not None:
        moved = moved - disk_displacements(places, gl, rotation)[:, None, :]
    display = moved @ rotation_matrix(rotation)
    return kt_of_offset(display, kt0, gl, frame.x_length(cell))


class DiffractionModel(AbstractModel):
    """Intensities of some beams over the pixels of one pattern, by Bloch waves.

    Built by `problem`. The columns are normalised to an incident beam of intensity 1.
    """

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]
    crystal: Crystal
    beams: Beams
    refined_factors: Refined
    plan: Plan | None
    pixels: Float[Array, "groups points 2"]
    """(j, i) from the centre of 000, of the detector or of the scan; one group where
    all share them."""
    places: Float[Array, "groups 2"] | None
    """(x_d, y_d) in parts of |g_x| of each disk in a CBED image."""
    kt0: Float[Array, "2"]
    frame: Frame = eqx.field(static=True)
    settings: Settings = eqx.field(static=True)
    rows: tuple[int, ...] = eqx.field(static=True)
    hkl: tuple[tuple[int, int, int], ...] = eqx.field(static=True)
    image: tuple[int, int] | None = eqx.field(static=True, default=None)
    """(rows, columns) simulated where a probe blurs the images, padding included."""
    probe: str | None = eqx.field(static=True, default=None)
    padding: int = eqx.field(static=True, default=0)

    @property
    def name(self) -> str:
        """Name written into results."""
        return f"bloch_{self.settings.form}"

    @property
    def independent_points(self) -> bool:
        """Blurred images need all of their pixels."""
        return self.probe is None

    @property
    def channels(self) -> tuple[str, ...]:
        """Parameters that change the potential, the energy or the cell."""
        known = {
            "energy",
            *CELL,
            *self.refined_factors.names(),
            *site_names(self.crystal),
        }
        return tuple(n for n in self.parameters.names if n in known)

    def tangential(self, theta: Theta) -> Float[Array, "groups points 2"]:
        """K_t in 1/Å of every pixel; one group where all disks share them."""
        own = [
            d for d in map(lambda h: _diskshift(theta, h), self.hkl) if d is not None
        ]
        return pixel_kt(
            self.pixels,
            self.places,
            self.kt0,
            self.frame,
            crystal_at(self.crystal, theta).cell,
            theta["gl"],
            theta["rotation"],
            jnp.stack([theta["shift_j"], theta["shift_i"]]),
            jnp.stack(own) if own else None,
        )

    def coefficients(self, theta: Theta) -> Coefficients:
        """U and U' of all couplings, refined ones included."""
        crystal = crystal_at(self.crystal, theta)
        values = bloch.coefficients(crystal, self.beams, theta["energy"], self.settings)
        return self.refined_factors.replaced(values, theta)

    def intensities(self, theta: Theta) -> Float[Array, "groups points"]:
        """|ψ_d|² of every disk at its pixels, before the probe."""
        kt = self.tangential(theta)
        groups, n, _ = kt.shape
        names = self.channels
        channels = {name: jnp.asarray(theta[name]) for name in names}
        rest = {n: theta[n] for n in self.parameters.names if n not in channels}

        def evaluate(channels, rest, kt, t):
            here = {**rest, **channels}
            values = self.coefficients(here)
            cell = crystal_at(self.crystal, here).cell
            k = bloch.inner_wavenumber(
                self.beams, values, here["energy"], self.settings.refraction
            )
            parts = bloch.diffraction(
                cell, self.beams, self.frame, kt, k, self.settings.form
            )
            psi = bloch.waves(
                self.beams,
                values,
                parts,
                t[None],
                self.settings,
                self.plan,
                self.rows,
            )[:, 0, :]
            return jnp.square(psi.real) + jnp.square(psi.imag)

        moved = len(names) + 3  # both of K_t, and the thickness
        tile = self.settings.tilts(self.beams.n, moved)
        propagate = channelled(evaluate, tile)
        t = jnp.asarray(theta["thickness"])
        out = propagate(channels, rest, kt.reshape(groups * n, 2), t)
        if groups == 1:
            return out.T
        whole = out.reshape(groups, n, len(self.rows))
        return jnp.stack([whole[d, :, d] for d in range(groups)])

    def prepare(self, theta: Theta) -> Float[Array, "groups points"]:
        """Intensities of all disks, blurred by the probe where there is one."""
        sharp = self.intensities(theta)
        if self.probe is None or self.image is None:
            return sharp
        h, w = self.image
        factors = psf.transfer_function(
            (h, w), theta["sigma"], theta["gamma"], self.probe
        )

        def blur(image):
            seen = psf.blurred(image.reshape(h, w), factors)
            return psf.cropped(seen, self.padding).ravel()

        return jax.vmap(blur)(sharp)

    def columns(
        self, prepared: Any, theta: Theta, coords: dict[str, Any]
    ) -> Float[Array, "n k"]:
        """Intensity of one disk, and 1 where there is a background."""
        del theta
        disk = jnp.asarray(coords["disk"]).astype(int)
        point = jnp.asarray(coords["point"]).astype(int)
        column = prepared[disk][point]
        if len(self.amplitudes) == 1:
            return column[:, None]
        return jnp.stack([column, jnp.ones_like(column)], axis=1)

    def derived(self, theta: Theta) -> dict[str, tuple[Any, str]]:
        """X-ray structure factors of the refined reflections, along a fixed phase."""
        out: dict[str, tuple[Any, str]] = {}
        for i, hkl in enumerate(self.refined_factors.hkl):
            label = ",".join(str(k) for k in hkl)

            def xray(theta, i=i, hkl=hkl):
                u = self.refined_factors.values(theta)[i]
                crystal = crystal_at(self.crystal, theta)
                f = e2xray(crystal, np.array([hkl]), u[None], theta["energy"])[0]
                fixed = self.refined_factors.fixed[i]
                if fixed is None:
                    return jnp.abs(f)
                angle = np.radians(fixed)
                return (f * (np.cos(angle) - 1j * np.sin(angle))).real

            out[f"F_x({label})"] = (xray, "electrons per cell")
        return out

    def cautions(self, theta: Theta, coords: dict[str, Any]) -> tuple[str, ...]:
        """That intensities could not be calculated, or left what was planned for."""
        del coords
        out = []
        real = {k: jnp.asarray(v) for k, v in theta.items()}
        if not bool(jnp.all(jnp.isfinite(self.prepare(real)))):
            out.append(
                "intensities at this point are not finite: a parameter left the range "
                "the number of Chebyshev terms was chosen for; build the problem again "
                "from here"
            )
        return tuple(out)


def diskshift_names(hkl: tuple[int, int, int]) -> tuple[str, str]:
    """Names of a disk's own shift, down and to the right."""
    label = ",".join(str(k) for k in hkl)
    return f"diskshift_j({label})", f"diskshift_i({label})"


def _diskshift(theta: Theta, hkl: tuple[int, int, int]) -> Array | None:
    down, right = diskshift_names(hkl)
    if down not in theta:
        return None
    return jnp.stack([theta[down], theta[right]])
