"""Domain checks of eager calls; values that JAX is tracing pass unseen."""

import numpy as np
from jax.core import Tracer
from jaxtyping import ArrayLike

from ..errors import ParameterError


def _concrete(value: ArrayLike) -> np.ndarray | None:
    return None if isinstance(value, Tracer) else np.atleast_1d(value)


def _require(ok: np.ndarray, name: str, value: np.ndarray, expected: str) -> None:
    if not np.all(ok):
        raise ParameterError(f"{name} must be {expected}, got {value[~ok][0]}")


def finite(name: str, value: ArrayLike) -> None:
    """Refuse a value that is NaN or infinite."""
    x = _concrete(value)
    if x is not None:
        _require(np.isfinite(x), name, x, "finite")


def positive(name: str, value: ArrayLike) -> None:
    """Refuse a value that is not finite and above zero."""
    x = _concrete(value)
    if x is not None:
        _require(np.isfinite(x) & (x > 0), name, x, "positive")


def nonnegative(name: str, value: ArrayLike) -> None:
    """Refuse a value that is not finite and at least zero."""
    x = _concrete(value)
    if x is not None:
        _require(np.isfinite(x) & (x >= 0), name, x, "at least 0")


def within(name: str, value: ArrayLike, low: float, high: float) -> None:
    """Refuse a value outside [low, high]."""
    x = _concrete(value)
    if x is not None:
        _require((x >= low) & (x <= high), name, x, f"from {low:g} to {high:g}")


def nonzero(name: str, value: ArrayLike) -> None:
    """Refuse a value that is not finite or is zero."""
    x = _concrete(value)
    if x is not None:
        _require(np.isfinite(x) & (x != 0), name, x, "different from 0")
