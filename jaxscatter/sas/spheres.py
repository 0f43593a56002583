"""Spheres and concentric shells.

With j(x) = 3(sin x - x cos x)/x³ and V(R) = 4πR³/3, a sphere of radius R and contrast Δ
has F = Δ V(R) j(qR). Units: see `declaration`.

References:
    [1] A. Guinier and G. Fournet, Small-Angle Scattering of X-Rays, Wiley (1955).
    [2] M. Stieger, J. S. Pedersen, P. Lindner and W. Richtering, Langmuir 20, 7283
        (2004), fuzzy spheres.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from ..numerics import three_j1_over_x
from .declaration import AbstractSpherical, Control, size, sld


def sphere_volume(radius: Floats) -> Any:
    """V = 4πR³/3 in Å³."""
    return 4 * math.pi / 3 * radius**3


def ball(q: Floats, radius: Floats) -> Float[Array, "..."]:
    """V(R) j(qR) in Å³: amplitude of a sphere of unit contrast."""
    return sphere_volume(radius) * three_j1_over_x(q * radius)


class Sphere(AbstractSpherical):
    """Homogeneous sphere: F = Δ V(R) j(qR)."""

    name = "sphere"
    category = "sphere"
    table = (
        sld("sld", 1.0, "of the sphere"),
        sld("sld_solvent", 6.0, "of the solvent"),
        size("radius", 50.0, "of the sphere"),
    )
    modes = ("radius",)
    reference = "Guinier & Fournet 1955"

    def amplitude(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """Δ V(R) j(qR)."""
        return (p.sld - p.sld_solvent) * ball(q, p.radius)

    def volume(self, p: Any) -> Any:
        """V(R)."""
        return sphere_volume(p.radius)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """R."""
        return (p.radius,)


class FuzzySphere(AbstractSpherical):
    """Sphere with a Gaussian interface: F = Δ V(R) j(qR) exp(-½ (q σ)²)."""

    name = "fuzzy_sphere"
    category = "sphere"
    table = (
        sld("sld", 1.0, "of the sphere"),
        sld("sld_solvent", 3.0, "of the solvent"),
        size("radius", 60.0, "R, to the middle of the interface"),
        size("fuzziness", 10.0, "σ, standard deviation of the interface"),
    )
    modes = ("radius", "radius + fuzziness")
    reference = "Stieger et al. 2004"

    def amplitude(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """Δ V(R) j(qR) exp(-½ (q σ)²)."""
        soft = jnp.exp(-0.5 * jnp.square(q * p.fuzziness))
        return (p.sld - p.sld_solvent) * ball(q, p.radius) * soft

    def volume(self, p: Any) -> Any:
        """V(R)."""
        return sphere_volume(p.radius)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """R and R+σ."""
        return p.radius, p.radius + p.fuzziness


class CoreShellSphere(AbstractSpherical):
    """Sphere with one shell, normalised by its whole volume."""

    name = "core_shell_sphere"
    category = "sphere"
    table = (
        size("radius", 60.0, "of the core"),
        size("thickness", 10.0, "of the shell"),
        sld("sld_core", 1.0),
        sld("sld_shell", 2.0),
        sld("sld_solvent", 3.0),
    )
    modes = ("outer radius", "core radius")
    reference = "Guinier & Fournet 1955"

    def amplitude(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """(ρc - ρs) V(R) j(qR) + (ρs - ρ0) V(R+t) j(q(R+t))."""
        core = (p.sld_core - p.sld_shell) * ball(q, p.radius)
        whole = (p.sld_shell - p.sld_solvent) * ball(q, p.radius + p.thickness)
        return core + whole

    def volume(self, p: Any) -> Any:
        """V(R+t)."""
        return sphere_volume(p.radius + p.thickness)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """R+t and R."""
        return p.radius + p.thickness, p.radius


class CoreMultiShell(AbstractSpherical):
    """Sphere with n shells of constant density; `CoreMultiShell(n=3)`."""

    name = "core_multi_shell"
    category = "sphere"
    table = (
        sld("sld_core", 1.0),
        size("radius", 200.0, "of the core"),
        sld("sld_solvent", 6.4),
        sld("sld", 1.7, "of a shell", per="n"),
        size("thickness", 40.0, "of a shell", per="n"),
    )
    controls = (Control("n", 1, 0, 10, "number of shells"),)
    modes = ("outer radius", "core radius")
    reference = "Guinier & Fournet 1955"

    def surfaces(self, p: Any) -> Float[Array, " n"]:
        """Radii r_0 ... r_n of the surfaces, from the core outwards."""
        steps = jnp.concatenate([jnp.zeros(1), jnp.asarray(p.thickness)])
        return p.radius + jnp.cumsum(steps)

    def amplitude(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """Σ (ρ_i - ρ_{i+1}) V(r_i) j(q r_i) over the surfaces."""
        inside = jnp.concatenate([jnp.stack([p.sld_core]), p.sld])
        outside = jnp.concatenate([p.sld, jnp.stack([p.sld_solvent])])
        each = jax.vmap(lambda step, r: step * ball(q, r))
        return jnp.sum(each(inside - outside, self.surfaces(p)), axis=0)

    def volume(self, p: Any) -> Any:
        """V of the outer surface."""
        return sphere_volume(self.surfaces(p)[-1])

    def radii(self, p: Any) -> tuple[Any, ...]:
        """r_n and r_0."""
        return self.surfaces(p)[-1], p.radius
