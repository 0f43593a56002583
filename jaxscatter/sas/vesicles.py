"""Hollow spheres: one shell of material around solvent, or many.

With V(R) = 4πR³/3 and j(x) = 3(sin x - x cos x)/x³, a shell from R to R + t has the
amplitude V(R+t) j(q(R+t)) - V(R) j(qR). Both models hold the volume fraction φ:
F ∝ √φ. Units: see `declaration`.

References:
    [1] A. Guinier and G. Fournet, Small-Angle Scattering of X-Rays, Wiley (1955).
    [2] B. Cabane, in Surfactant Solutions, ed. R. Zana, Dekker (1987), multilayers.
"""

import math
from typing import Any

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

from .._types import Floats
from .declaration import AbstractSpherical, Control, number, size, sld
from .spheres import ball, sphere_volume

# φ² or less of it is lost in 1, and the slope of F² at φ = 0 is what it is without it
_FLOOR = 1e-30


def root(volfraction: Floats) -> Any:
    """√φ, whose square has the slope 1 at φ = 0 too."""
    return jnp.sqrt(volfraction + _FLOOR)


class Vesicle(AbstractSpherical):
    """Shell of thickness t around solvent: F = √φ Δ [V(R+t) j(q(R+t)) - V(R) j(qR)].

    Normalised by the volume of the shell.
    """

    name = "vesicle"
    category = "sphere"
    table = (
        sld("sld", 0.5, "of the shell"),
        sld("sld_solvent", 6.36, "of the solvent, outside and inside"),
        number("volfraction", 0.05, lo=0.0, hi=1.0, doc="of the shells"),
        size("radius", 100.0, "R, of the core"),
        size("thickness", 30.0, "t, of the shell"),
    )
    modes = ("outer radius",)
    owns_volfraction = True
    reference = "Guinier & Fournet 1955"

    def amplitude(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """√φ Δ [V(R+t) j(q(R+t)) - V(R) j(qR)]."""
        shell = ball(q, p.radius + p.thickness) - ball(q, p.radius)
        return root(p.volfraction) * (p.sld - p.sld_solvent) * shell

    def volume(self, p: Any) -> Any:
        """V(R+t)."""
        return sphere_volume(p.radius + p.thickness)

    def shell_volume(self, p: Any) -> Any:
        """V(R+t) - V(R), without the difference."""
        r, t = p.radius, p.thickness
        return 4 * math.pi / 3 * t * (3 * r * (r + t) + t**2)

    def radii(self, p: Any) -> tuple[Any, ...]:
        """R+t."""
        return (p.radius + p.thickness,)


class MultilayerVesicle(AbstractSpherical):
    """Concentric shells with solvent between them; `MultilayerVesicle(n_shells=4)`.

    Shell i of N reaches from r_i = R + i (t_s + t_w) to r_i + t_s. Normalised by the
    volume inside the outermost surface, solvent included.
    """

    name = "multilayer_vesicle"
    category = "sphere"
    table = (
        number("volfraction", 0.05, lo=0.0, hi=1.0, doc="of the vesicles"),
        size("radius", 60.0, "R, of the core of solvent"),
        size("thick_shell", 10.0, "t_s, of each shell"),
        size("thick_solvent", 10.0, "t_w, of the solvent between shells"),
        sld("sld_solvent", 6.4, "of the solvent, also inside"),
        sld("sld", 0.4, "of the shells"),
    )
    controls = (Control("n_shells", 2, 1, 100, "number N of shells"),)
    modes = ("outer radius",)
    owns_volfraction = True
    reference = "Cabane 1987"

    def outer(self, p: Any) -> Any:
        """R + N (t_s + t_w) - t_w in Å."""
        period = p.thick_shell + p.thick_solvent
        return p.radius + p.n_shells * period - p.thick_solvent

    def amplitude(self, q: Floats, p: Any) -> Float[Array, "..."]:
        """√φ Δ Σ [V(r_i+t_s) j(q(r_i+t_s)) - V(r_i) j(q r_i)]."""

        def shell(i: Array) -> Float[Array, "..."]:
            inner = p.radius + i * (p.thick_shell + p.thick_solvent)
            return ball(q, inner + p.thick_shell) - ball(q, inner)

        shells = jax.vmap(shell)(jnp.arange(p.n_shells, dtype=jnp.result_type(q)))
        delta = p.sld - p.sld_solvent
        return root(p.volfraction) * delta * jnp.sum(shells, axis=0)

    def volume(self, p: Any) -> Any:
        """V of the outermost surface."""
        return sphere_volume(self.outer(p))

    def radii(self, p: Any) -> tuple[Any, ...]:
        """The outermost surface."""
        return (self.outer(p),)
