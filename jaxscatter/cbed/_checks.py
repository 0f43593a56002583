"""What a calculation of Bloch waves refuses; values being traced pass unseen."""

import jax.numpy as jnp
import numpy as np
from jax.core import Tracer
from jaxtyping import Array, ArrayLike, Int

from ..errors import ModelError
from .beams import GRAZING, check_bethe


def check_thickness(thickness: ArrayLike) -> None:
    """Refuse thicknesses below 0 or not finite."""
    if isinstance(thickness, Tracer):
        return
    x = np.asarray(thickness)
    if not np.all(np.isfinite(x) & (x >= 0)):
        raise ModelError(f"thickness is {x.tolist()}; expected finite numbers >= 0 Å")


def check_leaving(along: Array, hkl: Int[ArrayLike, "n 3"]) -> None:
    """Refuse beams that travel along the surface or back.

    Args:
        along: (tilts, n), 1 + g_n/K_n.
        hkl: of the beams.
    """
    if isinstance(along, Tracer):
        return
    least = np.min(np.asarray(along), axis=0)
    if not np.min(least) > GRAZING:
        beam = np.asarray(hkl)[np.argmin(least)].tolist()
        raise ModelError(
            f"beam {beam} does not leave through the exit surface: 1 + g_n/K_n is "
            f"{np.min(least):.3g}; expected more than {GRAZING}"
        )


def check_hermitian(name: str, matrix: Array) -> None:
    """Refuse coefficients of a potential that is not real."""
    if isinstance(matrix, Tracer):
        return
    m = np.asarray(matrix)
    tolerance = max(1e-8, 100 * float(np.finfo(m.dtype).eps))
    if not np.max(np.abs(m - m.conj().T)) <= tolerance * np.max(np.abs(m)):
        raise ModelError(
            f"{name} coefficients are not finite, or those of -g are not the "
            "conjugates of those of g; expected U(-g) = U(g)*"
        )


def check_weak(inverse: Array, u: Array) -> None:
    """Refuse weak beams at their Bragg position on these tilts.

    Args:
        inverse: (tilts, w), 1/(2K s_w).
        u: couplings of all beams.
    """
    if isinstance(inverse, Tracer) or isinstance(u, Tracer):
        return
    closest = 1 / float(jnp.max(jnp.abs(inverse)))
    check_bethe(closest, float(jnp.max(jnp.abs(u))), warn=False)
