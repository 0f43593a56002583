"""Simulated two-time correlations: c2 of a model with Gaussian noise.

Units: times in s, angles in degrees, q in 1/Å, the gap h in Å.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import TypeAlias

import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from ..errors import DataError, ParameterError
from ..numerics._checks import positive
from ..problem import Dataset
from .correlation import c2
from .dataset import from_matrices
from .parameters import canonical, model_name, physical_names, violations

Numbers: TypeAlias = ArrayLike | Sequence
Rule: TypeAlias = Callable[[np.ndarray], ArrayLike]


def simulate(
    model: str,
    values: Mapping[str, float],
    *,
    q: Numbers,
    dt: float | int,
    n_frames: int | float | np.integer,
    h: float | int = 2e6,
    phi: Numbers = 0.0,
    contrast: Numbers = 0.5,
    offset: Numbers = 1.0,
    noise: float | int | Rule = 0.0,
    seed: int | np.integer = 0,
    convention: str = "pnas",
    rate: str = "power",
    floor: str = "plain",
    integration: str | None = None,
    self_correlation: float | int | None = None,
) -> Dataset:
    """Data of a known truth, laid out as those of `load`.

    Groups are the pairs of one q and one angle, the angles running fastest. The noise
    is drawn for the upper triangle and mirrored, so c2 stays symmetric.

    Args:
        model: "laminar_flow", "static_isotropic" or an alias.
        values: all physical parameters of the model by name.
        q: 1/Å, one or several.
        dt: s between frames; the times are 0, dt, 2 dt, ...
        n_frames: at least two.
        h: gap of the shear cell in Å.
        phi: degrees, one or several.
        contrast: one number, one per angle, or (q, angle).
        offset: the same.
        noise: standard deviation of a point, or a function that gives it for c2
            without noise, an array (group, n, n); 0 for none, and then the data have
            no errors.
        seed: the same seed gives the same noise.
        convention: see `correlation`.
        rate: "power" or "offset", see `transport`.
        floor: "plain" or "smooth".
        integration: default by convention.
        self_correlation: height of the peak of single photons on the diagonal. The
            diagonal is then kept, as the coordinate "diagonal" (group, n), for `save`;
            it never enters χ².

    Raises:
        ModelError: a model or an option that does not exist.
        ParameterError: a parameter that is missing, unknown or impossible; q, dt or h
            not positive.
        DataError: angles, frames, noise, seed or peak that cannot be used.
    """
    name = model_name(model)
    wide_q, wide_phi = _grid(q, phi)
    n = _whole("n_frames", n_frames, 2)
    theta = _theta(name, values)
    for quantity, value in (("dt", dt), ("h", h)):
        positive(quantity, value)
    scaling = {
        key: _scaling(key, value, len(wide_q), len(wide_phi))
        for key, value in (("contrast", contrast), ("offset", offset))
    }
    t = float(dt) * np.arange(n)
    clean = np.concatenate(
        [
            np.asarray(
                c2(
                    theta,
                    t,
                    jnp.asarray(wide_phi),
                    q=jnp.asarray(one_q),
                    dt=jnp.asarray(float(dt)),
                    h=jnp.asarray(float(h)),
                    contrast=jnp.asarray(scaling["contrast"][i]),
                    offset=jnp.asarray(scaling["offset"][i]),
                    model=name,
                    convention=convention,
                    rate=rate,
                    floor=floor,
                    integration=integration,
                )
            )
            for i, one_q in enumerate(wide_q)
        ]
    )
    sigma = _sigma(noise, clean)
    noisy = clean + _symmetric_noise(sigma, seed)
    truth = {k: float(v) for k, v in theta.items()}
    data = from_matrices(
        noisy,
        np.tile(wide_phi, len(wide_q)),
        q=np.repeat(wide_q, len(wide_phi)),
        t=t,
        sigma=sigma if np.any(sigma > 0) else None,
        metadata={
            "sample": f"simulated {name}, seed {seed}",
            "truth": truth,
            "convention": convention,
            "rate": rate,
        },
    )
    if self_correlation is None:
        return data
    if not (np.isfinite(self_correlation) and self_correlation >= 0):
        raise DataError(
            f"self_correlation is {self_correlation}; expected a height >= 0"
        )
    bright = np.diagonal(noisy, axis1=1, axis2=2) + float(self_correlation)
    return data.with_coords({"diagonal": bright}, {"diagonal": ("group", None)})


def _grid(q: Numbers, phi: Numbers) -> tuple[np.ndarray, np.ndarray]:
    """One axis of q and one of angles."""
    wide_q = np.atleast_1d(np.asarray(q, dtype=float))
    wide_phi = np.atleast_1d(np.asarray(phi, dtype=float))
    if wide_q.ndim != 1 or not wide_q.size or not np.all(np.isfinite(wide_q)):
        raise ParameterError(f"q is {q}; expected finite numbers in 1/Å")
    if not np.all(wide_q > 0):
        raise ParameterError(f"q is {q}; expected positive numbers in 1/Å")
    if wide_phi.ndim != 1 or not wide_phi.size or not np.all(np.isfinite(wide_phi)):
        raise DataError(f"phi is {phi}; expected finite angles in degrees")
    return wide_q, wide_phi


def _theta(name: str, values: Mapping[str, float]) -> dict[str, float]:
    """All physical parameters by canonical name."""
    theta = canonical(values)
    names = physical_names(name)
    missing = [n for n in names if n not in theta]
    unknown = [n for n in theta if n not in names]
    if missing or unknown:
        raise ParameterError(
            f"{name} needs {list(names)}; missing {missing}, unknown {unknown}"
        )
    wrong = violations(theta, "error")
    if wrong:
        raise ParameterError("; ".join(v.message for v in wrong))
    return {n: float(theta[n]) for n in names}


def _scaling(name: str, value: Numbers, n_q: int, n_phi: int) -> np.ndarray:
    """Contrast or offset as (q, angle)."""
    given = np.asarray(value, dtype=float)
    if given.shape not in ((), (n_phi,), (n_q, n_phi)):
        raise ParameterError(
            f"{name} has shape {given.shape}; expected one number, {n_phi} of them, or "
            f"({n_q}, {n_phi})"
        )
    wide = np.array(np.broadcast_to(given, (n_q, n_phi)))
    wrong = violations({f"{name}_{i}": v for i, v in enumerate(wide.ravel())}, "error")
    if wrong:
        raise ParameterError("; ".join(v.message for v in wrong))
    return wide


def _sigma(noise: float | int | Rule, clean: np.ndarray) -> np.ndarray:
    """Standard deviation of every entry."""
    if not callable(noise):
        if not (math.isfinite(noise) and noise >= 0):
            raise DataError(f"noise is {noise}; expected a number >= 0")
        return np.full(clean.shape, float(noise))
    sigma = np.asarray(noise(clean), dtype=float)
    if sigma.shape not in ((), clean.shape):
        raise DataError(
            f"noise gave shape {sigma.shape}; expected one number or {clean.shape}"
        )
    sigma = np.array(np.broadcast_to(sigma, clean.shape))
    if not np.all(np.isfinite(sigma) & (sigma > 0)):
        raise DataError("noise gave values that are not finite and positive")
    return sigma


def _symmetric_noise(sigma: np.ndarray, seed: int | np.integer) -> np.ndarray:
    """Gaussian noise of the upper triangle and the diagonal, mirrored."""
    rng = np.random.default_rng(_whole("seed", seed, 0))
    groups, n, _ = sigma.shape
    early, late = np.triu_indices(n)
    drawn = sigma[:, early, late] * rng.standard_normal((groups, early.size))
    out = np.empty(sigma.shape)
    out[:, early, late] = drawn
    out[:, late, early] = drawn
    return out


def _whole(name: str, value: int | float | np.integer, least: int) -> int:
    if isinstance(value, bool) or not isinstance(value, int | np.integer):
        raise DataError(f"{name} is {value!r}; expected a whole number")
    if value < least:
        raise DataError(f"{name} is {value}; expected at least {least}")
    return int(value)
