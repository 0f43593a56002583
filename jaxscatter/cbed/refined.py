"""Structure factors that a fit refines, by symmetry orbit.

A refined reflection has one complex U for its whole orbit: its equivalents follow by
U(hR) = U(h) exp(-2πi h·t), and U(-h) = U(h)*; the same for U'. Where symmetry fixes the
phase modulo π, one signed number U along that phase is refined, else a magnitude and a
phase. Parameters are named after the reflection: "U(1,-1,-1)", "U'(1,-1,-1)",
"phase(1,-1,-1)", "phase'(1,-1,-1)", in 1/Å² and degrees.

All phases are those of F(g) = Σ f exp(+2πi g·r).
"""

from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Complex, Int

from ..errors import ModelError
from .bloch import Coefficients
from .operations import Operations, identity
from .symmetry import absent, equivalents, orbits


def names_of(hkl: Sequence[int]) -> tuple[str, str, str, str]:
    """Names of U, its phase, U' and its phase."""
    text = ",".join(str(int(i)) for i in hkl)
    return f"U({text})", f"phase({text})", f"U'({text})", f"phase'({text})"


class Refined(eqx.Module):
    """Which couplings belong to refined reflections, and how they follow from them.

    Args:
        hkl: the refined reflections.
        fixed: phase in degrees that symmetry fixes modulo 180, or None, of each.
        orbit: (m,) which reflection each coupling follows, -1 for none.
        phase: (m,) factor exp(-2πi h·t).
        conjugate: (m,) whether the complex conjugate is taken first.
    """

    hkl: tuple[tuple[int, int, int], ...] = eqx.field(static=True)
    fixed: tuple[float | None, ...] = eqx.field(static=True)
    orbit: Int[np.ndarray, " m"]
    phase: Complex[np.ndarray, " m"]
    conjugate: Any

    def names(self) -> tuple[str, ...]:
        """Names of all its parameters."""
        out = []
        for hkl, fixed in zip(self.hkl, self.fixed, strict=True):
            u, angle, w, angle_w = names_of(hkl)
            out += [u, w] if fixed is not None else [u, angle, w, angle_w]
        return tuple(out)

    def values(
        self, theta: Mapping[str, Any], absorptive: bool = False
    ) -> Complex[Array, " k"]:
        """Complex U, or U', of every refined reflection."""
        out = []
        for hkl, fixed in zip(self.hkl, self.fixed, strict=True):
            names = names_of(hkl)[2:] if absorptive else names_of(hkl)[:2]
            size = jnp.asarray(theta[names[0]])
            degrees = theta[names[1]] if fixed is None else fixed
            angle = jnp.deg2rad(jnp.asarray(degrees, size.dtype))
            out.append(size * (jnp.cos(angle) + 1j * jnp.sin(angle)))
        return jnp.stack(out)

    def replaced(self, values: Coefficients, theta: Mapping[str, Any]) -> Coefficients:
        """Coefficients with the refined reflections from θ.

        U and U' are conjugated each on its own: never their sum.
        """
        if not self.hkl:
            return values
        at = jnp.maximum(jnp.asarray(self.orbit), 0)
        follows = jnp.asarray(self.orbit) >= 0
        turned, phase = jnp.asarray(self.conjugate), jnp.asarray(self.phase)

        def spread(p, old):
            member = jnp.where(turned, jnp.conj(p[at]), p[at]) * phase
            return jnp.where(follows, member, old)

        elastic = spread(self.values(theta), values.elastic)
        if values.absorptive is None:
            return Coefficients(elastic)
        absorptive = spread(self.values(theta, True), values.absorptive)
        return Coefficients(elastic, absorptive)

    def numbers(self, u: Complex[np.ndarray, " k"]) -> list[tuple[float, float | None]]:
        """(signed number, None) or (magnitude, phase in degrees) of each U."""
        out: list[tuple[float, float | None]] = []
        for value, fixed in zip(np.asarray(u), self.fixed, strict=True):
            if fixed is None:
                out.append((float(abs(value)), float(np.degrees(np.angle(value)))))
            else:
                out.append(
                    (float((value * np.exp(-1j * np.radians(fixed))).real), None)
                )
        return out


def refined(
    differences: Int[np.ndarray, "m 3"],
    operations: Operations,
    reflections: Sequence[Sequence[int]],
    every: bool = True,
) -> Refined:
    """Which couplings follow the refined reflections.

    Args:
        differences: hkl of every coupling.
        operations: of the space group.
        reflections: hkl that are refined.
        every: whether all equivalents follow a reflection, or only its opposite.

    Raises:
        ModelError: 000, a reflection or an equivalent of it twice, one that symmetry
            extinguishes, or one that couples no two beams.
    """
    group = operations if every else identity()
    m = len(differences)
    orbit, phase = np.full(m, -1), np.ones(m, complex)
    conjugate = np.zeros(m, bool)
    fixed: list[float | None] = []
    for k, hkl in enumerate(reflections):
        text = [int(i) for i in hkl]
        if len(text) != 3 or not any(text):
            raise ModelError(
                f"reflection {text} cannot be refined; expected hkl, not 0"
            )
        if bool(absent(np.asarray([text]), operations)[0]):
            raise ModelError(f"reflection {text} is extinguished by the space group")
        same = equivalents(text, group)
        at, which = np.nonzero(np.all(differences[:, None] == same.hkl[None], axis=2))
        if not len(at):
            raise ModelError(
                f"reflection {text} couples no two of the beams; take it out of "
                "reflections or enlarge g_max or s_max"
            )
        if np.any(orbit[at] >= 0):
            other = list(reflections)[int(orbit[at].max())]
            raise ModelError(
                f"reflections {text} and {list(other)} are equivalent; refine one"
            )
        orbit[at], phase[at] = k, same.phase[which]
        conjugate[at] = same.conjugate[which]
        fixed.append(_fixed_phase(text, operations))
    return Refined(
        hkl=tuple((int(h), int(k), int(m)) for h, k, m in reflections),
        fixed=tuple(fixed),
        orbit=orbit,
        phase=phase,
        conjugate=conjugate,
    )


def _fixed_phase(hkl: Sequence[int], operations: Operations) -> float | None:
    """Phase in degrees, modulo 180, where an operation turns h into -h."""
    one = orbits(np.asarray([hkl]), operations)
    if not bool(one.fixed[0]):
        return None
    # U(h) = phase · U(representative), or its conjugate
    unit = np.conj(one.unit[0]) if bool(one.conjugate[0]) else one.unit[0]
    degrees = float(np.degrees(np.angle(unit * one.phase[0])))
    return round(degrees % 180.0, 9) % 180.0


def none(m: int) -> Refined:
    """No refined reflection among m couplings."""
    return Refined(
        hkl=(),
        fixed=(),
        orbit=np.full(m, -1),
        phase=np.ones(m, complex),
        conjugate=np.zeros(m, bool),
    )
