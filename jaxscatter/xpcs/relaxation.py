"""Fits of decays to age cuts, and of τ(q) to their times.

Contrast and baseline are amplitudes, solved for at every step; rates, times and
exponents belong to each group (age, angle or q) unless they are shared.

Units: times in s, rates in 1/s, q in 1/Å.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import ArrayLike

from .._types import Floats
from ..errors import DataError, ModelError, ParameterError
from ..infer import FitResult
from ..problem import Amplitude, Dataset, Likelihood, Parameter, Problem
from ..problem.model import model as made
from .decays import double_exponential, power_of_q, stretched_exponential
from .transport import chosen

CONTRAST, BASELINE, EXPONENT = (0.0, 1.0), (0.99, 5.0), (0.2, 3.0)
FASTEST = 2.0
"""Largest Γ per frame."""
RATIO = (1.0, 1e4)
STRETCHINGS = np.array([0.25, 0.35, 0.5, 0.7, 1.0, 1.4, 2.0, 2.8])
POWER = (-8.0, 8.0)


class _Decay(NamedTuple):
    """A decay: its columns, its parameters, and where to look for a start."""

    columns: Callable
    table: Callable[[float, float], list[Parameter]]
    scan: Callable[[float, float], dict[str, np.ndarray]]


def _both(m: jax.Array) -> jax.Array:
    return jnp.stack([m, jnp.ones_like(m)], axis=1)


def _stretched(theta: dict[str, Any], coords: dict[str, Any]) -> jax.Array:
    return _both(
        stretched_exponential(coords["tau"], theta["gamma"], theta["exponent"])
    )


def _single(theta: dict[str, Any], coords: dict[str, Any]) -> jax.Array:
    gamma = 1 / theta["tau_c"]
    return _both(stretched_exponential(coords["tau"], gamma, theta["exponent"]))


def _double(theta: dict[str, Any], coords: dict[str, Any]) -> jax.Array:
    names = "tau_fast", "tau_slow", "fraction", "exponent_fast", "exponent_slow"
    return _both(double_exponential(coords["tau"], *(theta[n] for n in names)))


def _slow(tau_fast: Any, ratio: Any) -> Any:
    return tau_fast * ratio


def _exponent(name: str) -> Parameter:
    return Parameter(name, 1.0, bounds=EXPONENT, local=True, doc="stretching exponent")


def _time(name: str, dt: float, longest: float) -> Parameter:
    bounds = (dt / FASTEST, 100 * longest)
    value = float(np.sqrt(dt * longest))
    return Parameter(name, value, "s", bounds, scale=value, local=True)


def _stretched_table(dt: float, longest: float) -> list[Parameter]:
    value = float(1 / np.sqrt(dt * longest))
    bounds = (0.0, FASTEST / dt)
    gamma = Parameter("gamma", value, "1/s", bounds, scale=value, local=True)
    return [gamma, _exponent("exponent")]


def _single_table(dt: float, longest: float) -> list[Parameter]:
    return [_time("tau_c", dt, longest), _exponent("exponent")]


def _double_table(dt: float, longest: float) -> list[Parameter]:
    return [
        _time("tau_fast", dt, longest),
        Parameter("ratio", 10.0, "", RATIO, scale=10.0, local=True),
        Parameter("tau_slow", 1.0, "s", tie=_slow, local=True),
        Parameter("fraction", 0.5, "", (0.0, 1.0), local=True),
        _exponent("exponent_fast"),
        _exponent("exponent_slow"),
    ]


def _times(dt: float, longest: float) -> np.ndarray:
    return np.geomspace(dt / FASTEST, 30 * longest, 40)[1:-1]


def _double_scan(dt: float, longest: float) -> dict[str, np.ndarray]:
    return {
        "tau_fast": np.geomspace(dt, longest, 10),
        "ratio": np.array([3.0, 10.0, 30.0, 100.0]),
        "fraction": np.array([0.25, 0.5, 0.75]),
    }


DECAYS = {
    "stretched": _Decay(
        _stretched,
        _stretched_table,
        lambda dt, longest: {
            "gamma": 1 / _times(dt, longest),
            "exponent": STRETCHINGS,
        },
    ),
    "single": _Decay(
        _single,
        _single_table,
        lambda dt, longest: {
            "tau_c": _times(dt, longest),
            "exponent": STRETCHINGS,
        },
    ),
    "double": _Decay(_double, _double_table, _double_scan),
}
"""By name: "stretched" in Γ, "single" in τ_c, "double" in two times."""


def decay_problem(
    data: Dataset,
    decay: str = "stretched",
    *,
    shared: Sequence[str] = (),
    bounds: Mapping[str, tuple[float, float]] | None = None,
    values: Mapping[str, float] | None = None,
    fixed: Mapping[str, float] | None = None,
    likelihood: Likelihood | None = None,
) -> Problem:
    """Problem of one decay in every group of age cuts.

    "stretched" has `gamma` (Γ in 1/s, between 0 and 2 per frame) and `exponent` (0.2 to
    3); "single" has `tau_c` = 1/Γ in s instead; "double" has `tau_fast`, `ratio` =
    tau_slow/tau_fast ≥ 1, from which `tau_slow` follows, `fraction`, `exponent_fast`
    and `exponent_slow`. The amplitudes are `contrast` (0 to 1) and `ginf` (0.99 to 5).

    Args:
        data: of `age_cuts`, or any Dataset with a coordinate `tau` in s.
        decay: "stretched", "single" or "double".
        shared: parameters with one value for all groups.
        bounds: (lo, hi) by name, of parameters and amplitudes.
        values: start values for all groups; the others come from a scan of the cost,
            for each group its own.
        fixed: values that are held, for all groups.
        likelihood: `Gaussian()` noise options, or `Poisson()` for counts.

    Raises:
        ModelError: no such decay.
        DataError: no coordinate `tau`, or a lag that is not positive.
        ParameterError: unknown names, or values outside their bounds.
    """
    chosen("decay", decay, tuple(DECAYS))
    kind = DECAYS[decay]
    lags = _lags(data)
    dt, longest = float(lags.min()), float(lags.max())
    if "dt" in data.coords:
        dt = float(data.coords["dt"])
    table = kind.table(dt, longest)
    amplitudes = {"contrast": CONTRAST, "ginf": BASELINE}
    names = [p.name for p in table if p.tie is None]
    for given in (shared, values or {}, fixed or {}):
        _known(decay, given, names)
    _known(decay, bounds or {}, [*names, *amplitudes])
    amplitudes |= {k: v for k, v in (bounds or {}).items() if k in amplitudes}
    table = [
        _changed(p, bounds or {}, values or {}, fixed or {}, shared) for p in table
    ]
    if decay == "double" and {"tau_fast", "ratio"} <= set(shared):
        table = [p.with_(local=p.name not in (*shared, "tau_slow")) for p in table]
    model = made(
        kind.columns,
        table,
        [Amplitude(n, lower=lo, upper=hi) for n, (lo, hi) in amplitudes.items()],
        name=f"{decay} decay",
    )
    out = Problem(model, data, likelihood=likelihood)
    told = {*(values or {}), *(fixed or {})}
    axes = {n: v for n, v in kind.scan(dt, longest).items() if n not in told}
    return out.with_(parameters=_scanned(out, axes)) if axes else out


def _lags(data: Dataset) -> np.ndarray:
    """Lags with a point that counts."""
    if "tau" not in data.coords:
        raise DataError("the data have no coordinate 'tau'; use js.xpcs.age_cuts")
    seen = np.asarray(data.mask) > 0
    lags = np.broadcast_to(np.asarray(data.coords["tau"]), seen.shape)[seen]
    if not np.all(lags >= 0) or not np.any(lags > 0):
        raise DataError("tau must not be negative, and some lags must be positive")
    return lags[lags > 0]


def _known(
    decay: str, given: Sequence[str] | Mapping[str, Any], names: Sequence[str]
) -> None:
    unknown = [n for n in given if n not in names]
    if unknown:
        raise ParameterError(
            f"the {decay} decay has no {unknown}; there are {list(names)}"
        )


def _changed(
    p: Parameter,
    bounds: Mapping[str, tuple[float, float]],
    values: Mapping[str, float],
    fixed: Mapping[str, float],
    shared: Sequence[str],
) -> Parameter:
    """A parameter of the table with what the user says of it."""
    if p.tie is not None:
        return p
    lo, hi = bounds.get(p.name, p.bounds)
    told = fixed.get(p.name, values.get(p.name))
    value = float(np.clip(p.value, lo, hi)) if told is None else told
    return p.with_(
        bounds=(lo, hi),
        value=value,
        fixed=p.name in fixed,
        local=p.name not in shared,
    )


def _scanned(problem: Problem, axes: Mapping[str, np.ndarray]) -> dict[str, Any]:
    """Start values: the best grid point of each group, or of all for shared ones."""
    axes = {n: _inside(problem, n, v) for n, v in axes.items()}
    mesh = np.meshgrid(*axes.values(), indexing="ij")
    points = {n: m.ravel() for n, m in zip(axes, mesh, strict=True)}
    slices = problem.parameters.slices()
    x = np.array(np.broadcast_to(problem.start(), (mesh[0].size, problem.n_parameters)))
    for n, v in points.items():
        x[:, slices[n]] = v[:, None]
    costs = np.asarray(_group_costs(problem, jnp.asarray(x)))
    costs = np.where(np.isfinite(costs), costs, np.inf)
    common = [n for n in axes if not problem.parameters[n].local]
    if common:
        total = costs.sum(axis=1)
        same = np.all(
            [points[n] == points[n][np.argmin(total)] for n in common], axis=0
        )
        costs = np.where(same[:, None], costs, np.inf)
    best = np.argmin(costs, axis=0)
    return {n: v[best[0]] if n in common else v[best] for n, v in points.items()}


def _inside(problem: Problem, name: str, values: np.ndarray) -> np.ndarray:
    """Grid values within the bounds; the start value where none is."""
    p = problem.parameters[name]
    lo, hi = float(np.min(p.lo)), float(np.max(p.hi))
    kept = values[(values > lo) & (values < hi)]
    return kept if kept.size else np.atleast_1d(np.ravel(p.value)[0])


@eqx.filter_jit
def _group_costs(problem: Problem, x: Any) -> Any:
    def one(x: Any) -> Any:
        r = problem.residuals(x).reshape(problem.data.n_groups, -1)
        return jnp.sum(jnp.square(r), axis=1)

    return jax.lax.map(one, x)


def cut_table(result: FitResult) -> dict[str, np.ndarray]:
    """What a fit of age cuts says of each group, as columns (group,).

    `age` in s, `phi` in degrees and `q` in 1/Å where the data have them, every
    parameter and amplitude by its name, and its standard error as `name_error`.

    Raises:
        ModelError: a fit of something else.
    """
    record = result.data[0]
    if "tau" not in record.get("coords", {}):
        raise ModelError("the fit is not one of age cuts: it has no coordinate 'tau'")
    groups = len(record["y"])
    out = {
        n: np.asarray(record["coords"][n])
        for n in ("age", "phi", "q")
        if tuple(record["dims"].get(n, ())) == ("group",)
    }
    rows = [
        (result.parameters["name"], result.parameters),
        (result.linear["label"], result.linear),
    ]
    for labels, table in rows:
        for name in dict.fromkeys(str(n).split("[")[0] for n in labels):
            own = [i for i, n in enumerate(labels) if str(n).split("[")[0] == name]
            for column, suffix in (("value", ""), ("stderr", "_error")):
                values = np.asarray(table[column], float)[own]
                out[name + suffix] = np.array(np.broadcast_to(values, (groups,)))
    return out


def relaxation_times(result: FitResult) -> tuple[np.ndarray, np.ndarray]:
    """(τ_c, standard error) in s of each group of a fit of age cuts.

    τ_c = 1/Γ of a "stretched" decay, with the error σ_Γ/Γ²; `tau_c` of a "single" and
    `tau_slow` of a "double" one.

    Raises:
        ModelError: a fit of something else.
    """
    table = cut_table(result)
    if "gamma" in table:
        gamma = np.where(table["gamma"] > 0, table["gamma"], np.nan)
        return 1 / gamma, table["gamma_error"] / gamma**2
    for name in ("tau_c", "tau_slow"):
        if name in table:
            return table[name], table[f"{name}_error"]
    raise ModelError("the fit has no relaxation time")


def _power(theta: dict[str, Any], coords: dict[str, Any]) -> jax.Array:
    return power_of_q(coords["q"], theta["b"])[:, None]


def power_law_problem(
    q: Floats,
    tau: Floats,
    error: ArrayLike | None = None,
    *,
    b_bounds: tuple[float, float] = POWER,
) -> Problem:
    """Problem of τ(q) = a q^b, weighted by 1/error²; `a` is an amplitude.

    Args:
        q: 1/Å, positive; at least two values.
        tau: relaxation times in s.
        error: standard errors of tau in s; without them the covariance is scaled.
        b_bounds: of the exponent b.

    Values and errors that are not finite, or errors that are not positive, are left
    out.

    Raises:
        DataError: different shapes, q that is not positive, or fewer than two times.
    """
    q, tau = np.asarray(q, dtype=float), np.asarray(tau, dtype=float)
    s = None if error is None else np.asarray(error, dtype=float)
    if q.ndim != 1 or q.shape != tau.shape or (s is not None and s.shape != q.shape):
        shapes = q.shape, tau.shape, None if s is None else s.shape
        raise DataError(f"q, tau and error have shapes {shapes}; expected one axis")
    if not np.all(np.isfinite(q) & (q > 0)):
        raise DataError("q must be positive and finite, in 1/Å")
    keep = np.isfinite(tau)
    if s is not None:
        keep &= np.isfinite(s) & (s > 0)
    if np.unique(q[keep]).size < 2:
        raise DataError("τ(q) needs times at two different q")
    q, tau = q[keep], tau[keep]
    rising = keep[keep] & (tau > 0)
    slope = -2.0
    if np.unique(q[rising]).size > 1:
        slope = float(np.polyfit(np.log(q[rising]), np.log(tau[rising]), 1)[0])
    lo, hi = b_bounds
    margin = 1e-3 * (hi - lo)
    start = float(np.clip(slope, lo + margin, hi - margin))
    data = Dataset(
        tau[None],
        None if s is None else s[keep][None],
        coords={"q": q},
        dims={"q": ("point",)},
        units={"q": "1/Å", "y": "s"},
        metadata={"x": "q", "y_label": "τ", "log_x": True, "log_y": True},
    )
    b = Parameter("b", start, "", b_bounds, scale=1.0, doc="exponent of τ(q)")
    model = made(_power, [b], [Amplitude("a", lower=0.0, unit="s Å^b")], name="τ(q)")
    return Problem(model, data)
