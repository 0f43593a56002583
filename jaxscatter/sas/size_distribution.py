"""Free-form size distributions: volume fractions on a grid of radii.

    I(q) = Σ_k x_k <F²>_k(q)/V_k + background,   x_k > 0 volume fraction at radius r_k

ln x_k is smooth: its second differences along the grid, which is even in ln r, are
normal with standard deviation `roughness`,

    ln x_k = level + slope (k - K/2) + roughness Σ_{j<k} (k - j) z_j,   z_j ~ N(0, 1)

so that the engine sees independent parameters and any verb works: `map_fit` for the
distribution, `sample` for its band. The roughness is held, chosen by the evidence
(`by_evidence`), or a parameter with a log-normal prior.

Units: radii in Å, q in 1/Å, I in 1/cm.

References:
    [1] O. Glatter, J. Appl. Cryst. 10, 415 (1977), indirect transformation.
    [2] S. Hansen, J. Appl. Cryst. 33, 1415 (2000), hyperparameters by evidence.
"""

import dataclasses
from collections.abc import Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float
from scipy.optimize import nnls

from ..errors import DataError, FitError, ModelError
from ..infer import FitResult, SampleResult, laplace, map_fit
from ..problem import (
    AbstractModel,
    Amplitude,
    Dataset,
    Parameter,
    ParameterSet,
    Problem,
    prior,
)
from . import arguments
from .declaration import AbstractForm
from .forward import amplitudes

FLOOR = 1e-6
"""Smallest start value of a volume fraction, relative to the largest."""


class SizeDistributionModel(AbstractModel):
    """Volume fractions on a grid of radii, as ln x with normal second differences.

    The columns are the curve, with no amplitude of its own, and the background.
    """

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]
    title: str = eqx.field(static=True)

    def columns(
        self, prepared: Any, theta: dict[str, Any], coords: dict[str, Any]
    ) -> Float[Array, "n 2"]:
        """Σ x_k kernel_k and 1."""
        del prepared
        curve = coords["kernel"] @ jnp.exp(log_fractions(theta, coords["radius"].size))
        return jnp.stack([curve, jnp.ones_like(curve)], axis=1)

    @property
    def name(self) -> str:
        """Size distribution of a form."""
        return self.title

    def derived(self, theta: dict[str, Any]) -> dict[str, tuple[Any, str]]:
        """Total volume fraction."""
        del theta

        def total(known: dict[str, Any]) -> Any:
            held = {p.name: p.value for p in self.parameters}
            values = {k: jnp.asarray(v, float) for k, v in (held | known).items()}
            return jnp.sum(jnp.exp(log_fractions(values, len(held) - 1)))

        return {"volume fraction": (total, "")}


def log_fractions(theta: dict[str, Any], count: int) -> Float[Array, " k"]:
    """Ln x on the grid from level, slope, roughness and the innovations z."""
    z = jnp.stack([theta[f"z{j}"] for j in range(1, count - 1)])
    bend = theta["roughness"] * z
    steps = jnp.concatenate([jnp.zeros(1), jnp.cumsum(bend)])
    curved = jnp.concatenate([jnp.zeros(1), jnp.cumsum(steps)])
    k = jnp.arange(count) - 0.5 * (count - 1)
    return theta["level"] + theta["slope"] * k + curved - jnp.mean(curved)


def size_distribution_problem(
    data: Dataset,
    form: Any = "sphere",
    *,
    size: str = "radius",
    radii: Sequence[float] | np.ndarray | None = None,
    roughness: float = 0.3,
    sample_roughness: bool = False,
    n_quad: int | None = None,
    **parameters: Any,
) -> Problem:
    """A problem whose parameters are a size distribution.

    Args:
        data: one curve, from `load` or `from_arrays`.
        form: form factor, by name or object.
        size: which of its sizes is distributed.
        radii: grid in Å, even in its logarithm; default 60 from π/q_max to π/q_min.
        roughness: standard deviation of the second differences of ln x.
        sample_roughness: let the roughness vary, with a log-normal prior about it.
        n_quad: orientation nodes instead of those chosen.
        parameters: all others of the form, as in `intensity`.

    Raises:
        ValueError, TypeError: as `intensity`; a grid that is not even in its logarithm,
            or shorter than 4.
    """
    if "q" not in dict(data.dims):
        raise DataError("the data have no coordinate 'q'; use js.sas.load")
    q = np.asarray(data.coords["q"])
    grid = _grid(q[np.asarray(data.mask)[0] > 0], radii)
    if not float(roughness) > 0:
        raise ModelError(f"roughness is {roughness}; expected a number > 0")
    component, _, _ = arguments.read(form, {**parameters, size: grid[0]})
    if not isinstance(component, AbstractForm):
        raise ModelError(f"{component.name!r} is no form factor")
    at = np.asarray(data.coords.get("q_calc", q))
    curves = []
    for r in grid:
        m = amplitudes(component, at, n_quad=n_quad, **{**parameters, size: r})
        curves.append(np.asarray(m.f2 / m.shell_volume))
    kernel = np.stack(curves, axis=1)
    if "smear" in data.coords:
        kernel = np.asarray(data.coords["smear"]) @ kernel
    bound = data.with_coords(
        {"kernel": kernel, "radius": grid},
        {"kernel": ("point", None), "radius": (None,)},
    )
    start = _start(data, kernel, float(roughness))
    model = SizeDistributionModel(
        parameters=_table(start, float(roughness), sample_roughness),
        amplitudes=(
            Amplitude("curve", held=1.0),
            Amplitude("background", unit="1/cm"),
        ),
        title=f"size distribution of {component.name}",
    )
    return Problem(model, bound)


def _grid(q: np.ndarray, radii: Any) -> np.ndarray:
    if radii is None:
        positive = q[q > 0]
        return np.geomspace(np.pi / positive.max(), np.pi / positive.min(), 60)
    grid = np.asarray(radii, float)
    steps = np.diff(np.log(np.where(grid > 0, grid, np.nan)))
    even = grid.size > 3 and np.allclose(steps, steps[0], rtol=1e-6) and steps[0] > 0
    if grid.ndim != 1 or not even:
        raise ModelError(
            f"radii of shape {grid.shape} are no increasing grid of at least 4 sizes "
            "that is even in its logarithm; use numpy.geomspace"
        )
    return grid


def _start(data: Dataset, kernel: np.ndarray, roughness: float) -> np.ndarray:
    """Ln x by non-negative least squares with a penalty on the second differences."""
    w = np.asarray(data.mask)[0] / np.asarray(data.sigma)[0]
    y = np.asarray(data.y)[0]
    bend = np.diff(np.eye(kernel.shape[1]), 2, axis=0)
    # the penalty is on x here, relative to a typical x
    level = np.sum(w**2 * y * kernel.mean(1)) / np.sum((w * kernel.mean(1)) ** 2)
    typical = max(abs(level) / kernel.shape[1], 1e-300)
    flat = np.stack([np.ones_like(y), -np.ones_like(y)], axis=1)
    top = w[:, None] * np.concatenate([kernel, flat], axis=1)
    low = np.concatenate(
        [bend / (roughness * typical), np.zeros((len(bend), 2))], axis=1
    )
    scale = np.linalg.norm(top, axis=0)
    scale[scale == 0] = 1.0
    x, _ = nnls(
        np.concatenate([top, low]) / scale, np.concatenate([w * y, np.zeros(len(bend))])
    )
    x = (x / scale)[: kernel.shape[1]]
    return np.log(np.maximum(x, FLOOR * max(x.max(), typical)))


def _table(start: np.ndarray, roughness: float, vary: bool) -> ParameterSet:
    """Level, slope, roughness and innovations whose ln x is close to `start`."""
    count = start.size
    k = np.arange(count) - 0.5 * (count - 1)
    z = np.clip(np.diff(start, 2) / roughness, -3.0, 3.0)
    curved = np.concatenate([[0.0, 0.0], np.cumsum(np.cumsum(roughness * z))])
    slope, level = np.polyfit(k, start - curved, 1)
    normal = prior.named("normal", 0.0, 1.0)
    rows = [
        Parameter(
            "level",
            level + curved.mean(),
            prior=prior.named("normal", float(level + curved.mean()), 5.0),
            scale=1.0,
            doc="mean of ln x",
        ),
        Parameter(
            "slope",
            slope,
            prior=prior.named("normal", 0.0, 1.0),
            scale=0.1,
            doc="first step of ln x",
        ),
        Parameter(
            "roughness",
            roughness,
            bounds=(0.0, np.inf),
            fixed=not vary,
            prior=prior.named("log_normal", float(np.log(roughness)), 1.0),
            scale=roughness,
            doc="standard deviation of the second differences of ln x",
        ),
    ]
    for j, value in enumerate(z, 1):
        rows.append(Parameter(f"z{j}", value, prior=normal, scale=1.0))
    return ParameterSet(rows)


@dataclasses.dataclass(frozen=True)
class SizeDistribution:
    """Volume fractions on the grid of radii.

    Attributes:
        radius: (k,) in Å.
        fraction: (k,) volume fraction at each radius; of a posterior the median.
        low, high: (k,) 95 % band of a posterior, else None.
    """

    radius: np.ndarray
    fraction: np.ndarray
    low: np.ndarray | None = None
    high: np.ndarray | None = None

    @property
    def density(self) -> np.ndarray:
        """Volume fraction per unit of ln r."""
        return self.fraction / np.log(self.radius[1] / self.radius[0])

    @property
    def mean_radius(self) -> float:
        """Volume-weighted mean radius in Å."""
        return float(np.sum(self.fraction * self.radius) / np.sum(self.fraction))


def size_distribution(result: FitResult | SampleResult) -> SizeDistribution:
    """The distribution of a fit, or the median and 95 % band of a posterior.

    Raises:
        FitError: a result of another problem, or one without its data.
    """
    coords = result.data[0].get("coords", {}) if result.data else {}
    if "radius" not in coords or "kernel" not in coords:
        raise FitError("the result is no size distribution with its data")
    radius = np.asarray(coords["radius"])
    if isinstance(result, FitResult):
        theta = {k: jnp.asarray(v) for k, v in _values(result).items()}
        return SizeDistribution(radius, np.exp(log_fractions(theta, radius.size)))
    draws = {k: np.asarray(v).reshape(-1) for k, v in result.draws.items()}
    held = {k: np.asarray(v) for k, v in result.held.items()}
    if "roughness" not in draws | held:
        held["roughness"] = np.asarray(result._need().parameters["roughness"].value)
    count = len(next(iter(draws.values())))
    theta = {k: jnp.asarray(np.broadcast_to(v, (count,))) for k, v in held.items()}
    theta |= {k: jnp.asarray(v) for k, v in draws.items()}
    x = np.exp(jax.vmap(lambda t: log_fractions(t, radius.size))(theta))
    low, middle, high = np.quantile(x, [0.025, 0.5, 0.975], axis=0)
    return SizeDistribution(radius, middle, low, high)


def _values(result: FitResult) -> dict[str, float]:
    table = result.parameters
    return dict(zip(map(str, table["name"]), table["value"], strict=True))


def by_evidence(
    problem: Problem, roughness: Sequence[float] | np.ndarray | None = None
) -> tuple[Problem, dict[float, float]]:
    """The problem with the roughness of largest evidence, and log evidences.

    Args:
        problem: from `size_distribution_problem`.
        roughness: values to try; default seven from 0.03 to 3.
    """
    values = np.geomspace(0.03, 3.0, 7) if roughness is None else np.asarray(roughness)
    evidence, best = {}, None
    for value in values:
        here = problem.with_(
            parameters={"roughness": {"value": float(value), "fixed": True}}
        )
        found = map_fit(here, warn=False)
        post = laplace(found, draws=10, check=False, warn=False)
        evidence[float(value)] = float(post.statistics["log_evidence"])
        if best is None or evidence[float(value)] > best[0]:
            best = (
                evidence[float(value)],
                here.with_(parameters={n: v for n, v in found.values.items()}),
            )
    if best is None:
        raise ModelError("no roughness to try")
    return best[1], evidence
