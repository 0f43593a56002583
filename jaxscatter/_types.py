"""Array aliases used in every public signature, and the float converter of modules."""

from typing import TypeAlias

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

Scalar: TypeAlias = Float[ArrayLike, ""]
"""A real number: Python float, NumPy scalar or 0-d array."""

Floats: TypeAlias = Float[ArrayLike, "..."]
"""Real numbers of any shape; arguments broadcast together."""


def as_float(x: ArrayLike) -> Float[Array, "..."]:
    """Float array of the default precision: never weakly typed, so never retraced."""
    return jnp.asarray(x, dtype=jnp.result_type(float))
