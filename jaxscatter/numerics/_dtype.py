"""One floating dtype for the arguments of a kernel."""

import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float


def common_float(*xs: ArrayLike) -> tuple[Float[Array, "..."], ...]:
    """The arguments as strongly typed arrays of their common floating dtype.

    Python numbers take the dtype of the arrays beside them, so float32 stays float32.
    """
    dtype = jnp.result_type(*xs)
    if not jnp.issubdtype(dtype, jnp.floating):
        dtype = jnp.result_type(float)
    return tuple(jnp.asarray(x, dtype=dtype) for x in xs)
