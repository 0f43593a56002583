"""Results as plain data: what fits and samplers return, print, save and plot."""

import dataclasses
import math
from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import ModelError
from ..problem import AbstractProblem
from .diagnostics import describe
from .report import fit_summary, sample_summary
from .statistics import curvature

Table = dict[str, np.ndarray]


@dataclasses.dataclass
class _Bound:
    """A result that may know the problem it came from."""

    def bind(self, problem: AbstractProblem) -> Any:
        """The result with its problem attached again, as after loading a file."""
        names = tuple(str(n) for n in self.labels)  # type: ignore[attr-defined]
        if problem.parameters.labels != names:
            raise ModelError(
                f"the problem's free parameters are {list(problem.parameters.labels)}, "
                f"the result's are {list(names)}"
            )
        self.problem = problem
        return self

    def _need(self) -> AbstractProblem:
        problem = getattr(self, "problem", None)
        if problem is None:
            raise ModelError(
                "a loaded result holds no model; call result.bind(problem) first"
            )
        return problem


@dataclasses.dataclass
class FitResult(_Bound):
    """A point estimate with its covariance and everything said about it.

    `parameters` is a table over all parameters (free, fixed, tied; local ones one row
    per group) with columns name, unit, value, stderr, lo, hi, free, at_bound, tie. `x`
    and `cov` are over the free ones in the order of `labels`. `linear` is a table of
    the amplitudes: label, unit, value, stderr, at_bound. `groups` has chi2 and n_valid
    of each group, and of joined problems the `part` it belongs to. A standard error is
    nan at a bound and inf where the data do not determine the parameter.
    """

    parameters: Table
    labels: tuple[str, ...]
    x: np.ndarray
    cov: np.ndarray
    scaled: bool
    linear: Table
    linear_cov: np.ndarray
    linear_mode: str
    statistics: dict[str, float]
    code: int
    message: str
    success: bool
    method: str
    history: Table
    warnings: tuple[str, ...]
    flags: tuple[str, ...]
    data: list[dict[str, Any]]
    provenance: dict[str, Any]
    derived: dict[str, tuple[float, float, str]] = dataclasses.field(
        default_factory=dict
    )
    groups: Table = dataclasses.field(default_factory=dict)
    optima: Table = dataclasses.field(default_factory=dict)
    starts: Table = dataclasses.field(default_factory=dict)
    problem: Any = None

    kind = "fit"

    def __getitem__(self, name: str) -> float:
        return float(self.parameters["value"][self._row(name)])

    def error(self, name: str) -> float:
        """Standard error of a parameter."""
        return float(self.parameters["stderr"][self._row(name)])

    def _row(self, name: str) -> int:
        names = [str(n) for n in self.parameters["name"]]
        if name not in names:
            raise KeyError(f"no parameter {name!r}; there are {names}")
        return names.index(name)

    @property
    def amplitude_values(self) -> dict[str, float]:
        """Amplitudes by label."""
        labels, values = self.linear.get("label", ()), self.linear.get("value", ())
        return {str(n): float(v) for n, v in zip(labels, values, strict=True)}

    @property
    def values(self) -> dict[str, float]:
        """All parameter values by name."""
        pairs = zip(self.parameters["name"], self.parameters["value"], strict=True)
        return {str(n): float(v) for n, v in pairs}

    @property
    def corr(self) -> np.ndarray:
        """Correlation matrix of the free parameters; 0 where undetermined."""
        sd = np.sqrt(np.diagonal(self.cov))
        safe = np.where(sd > 0, sd, 1.0)
        return self.cov / np.outer(safe, safe)

    def correlations(self, min: float = 0.1) -> list[tuple[str, str, float]]:
        """Pairs of free parameters with |correlation| >= `min`, largest first."""
        c = self.corr
        pairs = [
            (self.labels[i], self.labels[j], float(c[i, j]))
            for i in range(len(self.labels))
            for j in range(i)
            if abs(c[i, j]) >= min
        ]
        return sorted(pairs, key=lambda t: -abs(t[2]))

    def derive(
        self, label: str, function: Callable[[dict], Any], unit: str = ""
    ) -> tuple[float, float]:
        """Value and standard error of a function of the named parameters.

        The error is gradᵀ C grad; it is also kept in `derived`.
        """
        problem = self._need()

        def of_x(x: jax.Array) -> jax.Array:
            return jnp.asarray(function(problem.named(x)), float)

        value, slope = jax.value_and_grad(of_x)(jnp.asarray(self.x))
        slope = np.asarray(slope)
        stderr = np.array([self.error(n) for n in self.labels])
        if np.any(np.isinf(stderr) & (slope != 0)):
            error = self._lost(problem, stderr, slope)
        else:
            error = math.sqrt(max(float(slope @ self.cov @ slope), 0.0))
        self.derived[label] = (float(value), error, unit)
        return float(value), error

    def _lost(
        self, problem: AbstractProblem, stderr: np.ndarray, slope: np.ndarray
    ) -> float:
        """Error of a function of undetermined parameters; it may be determined."""
        triple = problem.normal(jnp.asarray(self.x))
        curved = curvature(
            np.asarray(triple.hessian),
            np.asarray(problem.parameters.scales()),
            np.isnan(stderr),
            np.asarray(triple.null),
            self.labels,
        )
        return dataclasses.replace(curved, cov=self.cov).error(slope)

    def predict(self) -> Any:
        """Fitted curves (group, point) of the data; of joined problems a tuple."""
        return jax.tree.map(np.asarray, self._need().predict(jnp.asarray(self.x)))

    def summary(self) -> str:
        """Text table; what needs care comes first."""
        return fit_summary(self)

    def plot(self, **kwargs: Any) -> Any:
        """Matplotlib figure of data, fit and residuals."""
        from .. import plot

        return plot.result(self, **kwargs)

    def save(self, path: Any) -> Any:
        """Write to HDF5, see `load_result`."""
        from .files import save

        return save(self, path)

    def to_dict(self) -> dict[str, Any]:
        """Everything but data and problem, as plain Python values."""
        out = {}
        for field in dataclasses.fields(self):
            if field.name in ("problem", "data"):
                continue
            out[field.name] = _plain(getattr(self, field.name))
        return out


@dataclasses.dataclass
class SampleResult(_Bound):
    """A posterior sample with its diagnostics.

    `draws` holds (chain, draw) per free label in its own unit; `linear_draws` (chain,
    draw) per amplitude label, one draw each from their conditional; `diagnostics` a
    table over labels: name, unit, mean, sd, q2.5, q50, q97.5, rhat, ess_bulk, ess_tail,
    mcse. `held` are parameters not sampled because the data do not see them. `extras`
    are tables of what only some methods have, as `consensus` has its shards.
    """

    draws: Table
    units: dict[str, str]
    sample_stats: Table
    diagnostics: Table
    converged: bool
    linear_draws: Table
    linear_mode: str
    statistics: dict[str, float]
    method: str
    warnings: tuple[str, ...]
    flags: tuple[str, ...]
    held: dict[str, float]
    data: list[dict[str, Any]]
    warmup: Table
    provenance: dict[str, Any]
    derived: dict[str, str] = dataclasses.field(default_factory=dict)
    extras: dict[str, Any] = dataclasses.field(default_factory=dict)
    problem: Any = None

    kind = "sample"

    @property
    def labels(self) -> tuple[str, ...]:
        """Labels of the problem's free parameters, the held ones included."""
        return tuple(self.provenance["labels"])

    def __getitem__(self, name: str) -> np.ndarray:
        for table in (self.draws, self.linear_draws):
            if name in table:
                return table[name]
        raise KeyError(
            f"no draws of {name!r}; there are {[*self.draws, *self.linear_draws]}"
        )

    def interval(self, name: str, probability: float = 0.95) -> tuple[float, float]:
        """Equal-tailed interval of a parameter."""
        tail = 0.5 * (1 - probability)
        lo, hi = np.quantile(self[name], [tail, 1 - tail])
        return float(lo), float(hi)

    def derive(
        self, label: str, function: Callable[[dict], Any], unit: str = ""
    ) -> np.ndarray:
        """Draws (chain, draw) of a function of the named parameters, kept as `label`.

        The function is that of `FitResult.derive`, written in jax.numpy for one draw:
        it sees all parameters of the problem, and the amplitudes by label. A loaded
        result without its problem offers what it holds: each draw by its label.

        Raises:
            ModelError: the label is taken, or the function is not scalar.
        """
        taken = label in self.draws or label in self.linear_draws
        if taken and label not in self.derived:
            raise ModelError(f"draws are called {label!r} already; choose a label")
        problem = self.problem

        def one(known: dict[str, jax.Array]) -> jax.Array:
            theta: dict[str, Any] = {**self.held, **known}
            if problem is not None:
                x = jnp.stack([jnp.asarray(theta[n]) for n in self.labels])
                theta |= problem.named(x)
            return jnp.asarray(function(theta), float)

        table = {**self.draws, **self.linear_draws}
        shape = next(iter(table.values())).shape
        flat = {n: jnp.asarray(v).reshape(-1) for n, v in table.items()}
        values = np.asarray(jax.vmap(one)(flat))
        if values.ndim != 1:
            raise ModelError(
                f"{label!r} has shape {values.shape[1:]} per draw; expected one number"
            )
        values = values.reshape(shape)
        keep = self.diagnostics["name"] != label
        row = {"name": label, "unit": unit, **describe(values)}
        self.diagnostics = {
            key: np.append(column[keep], row[key])
            for key, column in self.diagnostics.items()
        }
        self.draws[label], self.units[label] = values, unit
        self.derived[label] = unit
        return values

    def summary(self) -> str:
        """Text table; what needs care comes first."""
        return sample_summary(self)

    def plot(self, **kwargs: Any) -> Any:
        """Matplotlib corner figure of the posterior."""
        from .. import plot

        return plot.result(self, **kwargs)

    def save(self, path: Any) -> Any:
        """Write to HDF5, see `load_result`."""
        from .files import save

        return save(self, path)

    def to_arviz(self) -> Any:
        """The draws as ArviZ's data object, whichever generation is installed."""
        try:
            import arviz
        except ImportError:
            raise ImportError(
                "to_arviz needs ArviZ: pip install jaxscatter[plot]"
            ) from None
        posterior = {**self.draws, **self.linear_draws}
        stats = {
            {"accept_prob": "acceptance_rate", "num_steps": "n_steps"}.get(k, k): v
            for k, v in self.sample_stats.items()
        }
        groups = {"posterior": posterior, "sample_stats": stats}
        groups = {name: table for name, table in groups.items() if table}
        from_dict: Any = arviz.from_dict
        if int(arviz.__version__.split(".")[0]) >= 1:
            return from_dict(groups)
        return from_dict(**groups)


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(v) for v in value]
    if isinstance(value, np.ndarray):
        return value.tolist()
    if isinstance(value, np.generic):
        return value.item()
    return value
