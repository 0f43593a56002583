"""Backgrounds of a spectrum: polynomials in ω/max|ω|, not convolved.

    b + s x + c x²,    x = ω/max|ω|,  b ≥ 0

The coefficients are amplitudes, one of each per Q, in units of the data.
"""

from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..errors import ModelError
from ..problem import Amplitude

_TERMS = (
    Amplitude("background", lower=0.0),
    Amplitude("slope"),
    Amplitude("curvature"),
)
BACKGROUNDS = {"none": 0, "flat": 1, "linear": 2, "quadratic": 3}
"""Number of terms by name."""


def background_amplitudes(background: str) -> tuple[Amplitude, ...]:
    """Coefficients of a background.

    Raises:
        ModelError: a name that is not one of `BACKGROUNDS`.
    """
    if background not in BACKGROUNDS:
        raise ModelError(
            f"background is {background!r}; expected one of {list(BACKGROUNDS)}"
        )
    return _TERMS[: BACKGROUNDS[background]]


def background_columns(
    background: str, coords: dict[str, Any]
) -> list[Float[Array, " n"]]:
    """Powers of ω/max|ω| that the coefficients multiply."""
    x = coords["omega"] / coords["omega_max"]
    return [jnp.ones_like(x), x, jnp.square(x)][: BACKGROUNDS[background]]
