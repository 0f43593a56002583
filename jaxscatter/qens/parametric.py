"""A formula in place of a measured kernel: a sum of Gaussians, or a Voigt function.

A measured kernel carries its own noise into every fit, and its wings are cut where the
measurement ended. A formula fitted to it once,

    K(ω) = Σₖ uₖ G(ω - cₖ; σₖ)    or    V(ω - c; σ, Γ)

and a constant that is dropped, has neither, and Lorentzians are convolved with it in
closed form. Host code: a kernel is fitted once, in milliseconds.

Units: meV.
"""

import math

import numpy as np
from jaxtyping import ArrayLike
from scipy.optimize import least_squares, nnls
from scipy.special import voigt_profile

from ..errors import DataError, ModelError
from ..numerics import grid_step
from ..problem import Dataset
from .dataset import DIMS
from .resolution import Profile, padded

FORMS = ("gaussians", "voigt")
MOST = 4


def parametric_resolution(
    energy: ArrayLike,
    kernel: ArrayLike,
    errors: ArrayLike | None = None,
    *,
    form: str = "gaussians",
    terms: int | None = None,
) -> Profile:
    """The formula that fits a measured kernel, by least squares.

    `Profile.misfit` is the root mean square of what it leaves, over the peak.

    Args:
        energy: axis of the kernel, increasing.
        kernel: measured resolution, in any unit.
        errors: its standard deviations; without them all points weigh alike. Points
            whose error is not positive are left out.
        form: "gaussians" or "voigt".
        terms: number of Gaussians, 1 to 4; None takes the number of least BIC.

    Raises:
        ModelError: a form or a number of terms that does not exist.
        DataError: an axis or a kernel that cannot be used; no fit that converged.
    """
    if form not in FORMS:
        raise ModelError(f"form is {form!r}; expected one of {FORMS}")
    if terms is not None and terms not in range(1, MOST + 1):
        raise ModelError(f"terms is {terms}; expected 1 to {MOST}, or None")
    if form == "voigt" and terms not in (None, 1):
        raise ModelError(f"terms is {terms}; a Voigt function has one")
    x, y = np.asarray(energy, dtype=float), np.asarray(kernel, dtype=float)
    grid_step(x, "energy")
    if y.shape != x.shape or not np.nanmax(y, initial=-np.inf) > 0:
        raise DataError(
            f"kernel has shape {y.shape} and its maximum is "
            f"{np.nanmax(y, initial=-np.inf)}; expected {x.shape}, the shape of "
            "energy, and something above 0"
        )
    sigma = np.ones_like(y) if errors is None else np.asarray(errors, dtype=float)
    if sigma.shape != y.shape:
        raise DataError(f"errors have shape {sigma.shape}; expected {y.shape}")
    used = np.isfinite(y) & np.isfinite(sigma) & (sigma > 0)
    counts = (terms,) if terms else (1,) if form == "voigt" else range(1, MOST + 1)
    most = 3 * max(counts) + 2
    if used.sum() <= most:
        raise DataError(
            f"the kernel has {used.sum()} usable points; expected more than {most}"
        )
    best: tuple[float, Profile] | None = None
    for n in counts:
        found = _fitted(x[used], y[used], sigma[used], form, n, errors is not None)
        if found is not None and (best is None or found[0] < best[0]):
            best = found
    if best is None:
        raise DataError(
            f"no fit of {form} to the kernel converged; look at the kernel, or use it "
            "as it is"
        )
    return best[1]


def with_parametric_resolution(
    data: Dataset, form: str = "gaussians", terms: int | None = None
) -> Dataset:
    """The same data, each Q's measured kernel replaced by a formula fitted to it.

    Raises:
        DataError: data without measured kernels on an axis of their own.
    """
    if "kernel" not in data.coords or "energy" not in data.coords:
        raise DataError(
            "the data have no measured kernels with an energy axis; expected data from "
            "js.qens.load(..., resolution=FILE)"
        )
    made = [
        parametric_resolution(data.coords["energy"], k, form=form, terms=terms)
        for k in data.coords["kernel"]
    ]
    gone = ("kernel", "energy")
    coords = {k: v for k, v in data.coords.items() if k not in gone}
    coords["profile"] = padded(made)
    return Dataset(
        data.y,
        data.sigma if data.sigma_given else None,
        np.asarray(data.mask) > 0,
        coords,
        {k: DIMS[k] for k in coords},
        {k: u for k, u in dict(data.units).items() if k not in gone},
        {**data.metadata, "resolution_form": form},
    )


def _fitted(
    x: np.ndarray, y: np.ndarray, sigma: np.ndarray, form: str, terms: int, known: bool
) -> tuple[float, Profile] | None:
    """BIC and formula, from a ladder of widths about that of the peak.

    The intensities are solved for, non-negative, at every step.
    """
    top = int(np.argmax(y))
    area = float(np.trapezoid(np.maximum(y, 0), x))
    window, step = float(x[-1] - x[0]), float(np.min(np.diff(x)))
    low, high = 0.2 * step, window
    width = float(np.clip(area / (y[top] * 2.5), 2 * low, high / 2))
    ladder = np.clip(0.8 * width * 1.8 ** np.arange(terms), 1.01 * low, 0.99 * high)
    lorentz = 1 if form == "voigt" else 0
    start = np.concatenate([ladder, np.full(terms, x[top]), [0.2 * width] * lorentz])
    lo = np.concatenate([np.full(terms, low), np.full(terms, x[0]), [0.0] * lorentz])
    hi = np.concatenate([np.full(2 * terms, high), [high] * lorentz])
    hi[terms : 2 * terms] = x[-1]

    def parts(p: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        gamma = p[-1] if lorentz else 0.0
        lines = [voigt_profile(x - p[terms + k], p[k], gamma) for k in range(terms)]
        table = np.stack([*lines, np.ones_like(x)], axis=1) / sigma[:, None]
        size = np.linalg.norm(table, axis=0)
        weights, _ = nnls(table / size, y / sigma)
        return table, weights / size

    def residual(p: np.ndarray) -> np.ndarray:
        table, weights = parts(p)
        return table @ weights - y / sigma

    out = least_squares(residual, start, bounds=(lo, hi), x_scale=width, max_nfev=500)
    if out.status <= 0:
        return None
    _, weights = parts(out.x)
    gamma = float(out.x[-1]) if lorentz else 0.0
    rows = [
        (weights[k], out.x[terms + k], out.x[k], gamma)
        for k in range(terms)
        if weights[k] > 0
    ]
    if not rows:
        return None
    table = np.array(rows)
    table[:, 0] /= table[:, 0].sum()
    chi2, n, m = 2 * float(out.cost), x.size, out.x.size + terms + 1
    cost = chi2 if known else n * math.log(max(chi2, 1e-300) / n)
    misfit = float(np.sqrt(np.mean((residual(out.x) * sigma) ** 2)) / y[top])
    return cost + m * math.log(n), Profile(table, misfit)
