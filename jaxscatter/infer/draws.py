"""From draws to a `SampleResult`: tables, amplitudes, bands and the verdict."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..problem import Problem, marginal
from ..problem import amplitudes as amp
from . import diagnostics
from .finish import amplitude_labels, data_record
from .provenance import key, provenance
from .result import SampleResult, Table

NEAR_BOUND = 1e-3


def unknown_errors(problem: Problem) -> tuple[str, ...]:
    """What must be said where the likelihood takes sigma = 1 for want of errors."""
    if problem.data.sigma_given or problem.likelihood.noise != "known":
        return ()
    return (
        "the data have no errors, so sigma = 1 was taken and the widths mean nothing: "
        "give sigma, or likelihood=Gaussian('scale_marginal')",
    )


@eqx.filter_jit
def _amplitudes(
    problem: Problem, mode: str, keys: Array, x: Float[Array, "d p"]
) -> Float[Array, "d g k"]:
    def one(args: tuple[Array, Array]) -> Array:
        k, x = args
        arr = problem.arrow(x)
        if problem.likelihood.noise == "scale_marginal":
            # the scale that the posterior integrates over: s² ~ χ²(a*)/χ²_m
            k, own = jax.random.split(k)
            chi2, m = problem.noise_scale(x, mode)
            s2 = chi2 / (2 * jax.random.gamma(own, 0.5 * m))
            arr = jax.tree.map(lambda v: v / s2, arr)
        return marginal.draw(k, mode, problem.linear, arr)

    return jax.lax.map(one, (keys, x), batch_size=min(32, x.shape[0]))


@eqx.filter_jit
def _curves(
    problem: Problem, x: Float[Array, "d p"], a: Float[Array, "d g k"]
) -> Float[Array, "d g n"]:
    return jax.lax.map(lambda t: problem.predict(*t), (x, a), batch_size=8)


def collect(
    problem: Problem,
    x: np.ndarray,
    *,
    mode: str,
    stats: Table,
    statistics: dict[str, float],
    method: str,
    seed: int,
    arguments: dict[str, Any],
    said: tuple[str, ...],
    held: dict[str, float],
    verdict: tuple[bool, list[str]] | None = None,
    labels: tuple[str, ...] | None = None,
) -> SampleResult:
    """Result from draws x (chain, draw, p): tables, amplitudes, band, verdict."""
    names, units = problem.parameters.labels, problem.parameters.units
    chains, count, _ = x.shape
    flat = jnp.asarray(x.reshape(chains * count, -1))
    table = {n: x[..., i] for i, n in enumerate(names)}
    tied = _tied(problem, flat, chains, count)
    rows = {n: diagnostics.describe(v) for n, v in {**table, **tied}.items()}
    all_units = dict(zip(names, units, strict=True))
    all_units |= {n: problem.parameters[n.split("[")[0]].unit for n in tied}
    if verdict is None:
        free = {n: rows[n] for n in names}
        verdict = diagnostics.verdict(
            {n: r["rhat"] for n, r in free.items()},
            {n: r["ess_bulk"] for n, r in free.items()},
            {n: r["ess_tail"] for n, r in free.items()},
            chains,
            int(statistics.get("divergences", 0)),
            chains * count,
            stats.get("e_bfmi", np.full(chains, np.inf)),
            statistics.get("saturated", 0.0),
        )
    flags = [] if verdict[0] else ["not_converged"]
    said = (*verdict[1], *said)
    near = _near_bounds(problem, x)
    if near:
        flags.append("at_bound")
        said = (*said, *near)
    linear: Table = {}
    a = jnp.zeros((len(flat), problem.data.n_groups, 0))
    if problem.linear:
        keys = jax.random.split(key(seed, "linear"), len(flat))
        a = _amplitudes(problem, mode, keys, flat)
        values = np.asarray(a)
        shared, local = amp.split(problem.linear)
        groups = range(problem.data.n_groups)
        order = [values[:, 0, i] for i in shared]
        order += [values[:, g, i] for g in groups for i in local]
        for (label, unit), v in zip(amplitude_labels(problem), order, strict=True):
            linear[label] = v.reshape(chains, count)
            all_units[label] = unit
        outside = amp.share_outside(problem.linear, a)
        for name, share in outside.items():
            if share > 0.01:
                said = (
                    *said,
                    f"{share:.1%} of the draws of {name} lie outside its "
                    f"bounds, which linear mode {mode!r} ignores",
                )
    pick = np.linspace(0, len(flat) - 1, min(200, len(flat))).astype(int)
    record = data_record(problem, problem.given.y)
    if problem.data.y.size * len(pick) < 2e7:
        curves = np.asarray(_curves(problem, flat[pick], a[pick]))
        low, middle, high = np.quantile(curves, [0.025, 0.5, 0.975], axis=0)
        record |= {"fit": middle, "band": np.stack([low, high])}
    else:
        middle = jnp.median(flat, axis=0)
        record["fit"] = np.asarray(problem.predict(middle))
    return SampleResult(
        draws={**table, **tied},
        units=all_units,
        sample_stats={k: v for k, v in stats.items() if k != "e_bfmi"},
        diagnostics={
            "name": np.array(list(rows)),
            "unit": np.array([all_units[n] for n in rows]),
            **{
                k: np.array([r[k] for r in rows.values()])
                for k in next(iter(rows.values()))
            },
        },
        converged=bool(verdict[0]),
        linear_draws=linear,
        linear_mode=mode if problem.linear else "none",
        statistics=statistics,
        method=method,
        warnings=(*said, *unknown_errors(problem), *problem.warnings),
        flags=tuple(flags),
        held=held,
        data=[record],
        warmup={},
        provenance={
            **provenance(seed, arguments, problem.model.name),
            "labels": list(labels or names),
        },
        problem=problem,
    )


def _tied(problem: Problem, flat: Array, chains: int, count: int) -> Table:
    """Draws of tied parameters."""
    names = [p.name for p in problem.parameters if p.tie is not None]
    if not names:
        return {}
    values = jax.vmap(lambda x: {n: problem.named(x)[n] for n in names})(flat)
    out: Table = {}
    for n in names:
        v = np.asarray(values[n])
        if v.ndim == 1:
            out[n] = v.reshape(chains, count)
        else:
            out |= {
                f"{n}[{k}]": v[:, k].reshape(chains, count) for k in range(v.shape[1])
            }
    return out


def _near_bounds(problem: Problem, x: np.ndarray) -> tuple[str, ...]:
    """Sentences on parameters whose posterior piles up at a bound."""
    lo, hi = (np.asarray(b) for b in problem.parameters.bounds())
    said = []
    for i, name in enumerate(problem.parameters.labels):
        width = hi[i] - lo[i]
        if not np.isfinite(width):
            width = float(np.std(x[..., i])) or 1.0
        for bound, side, word in ((lo[i], 1, "above"), (hi[i], -1, "below")):
            if not np.isfinite(bound):
                continue
            sd = float(np.std(x[..., i]))
            # a narrow posterior may lie close to a bound of a wide range, yet off it
            near = min(NEAR_BOUND * width, 0.1 * sd)
            share = np.mean(side * (x[..., i] - bound) < near)
            piled = np.mean(side * (x[..., i] - bound) < 0.5 * sd)
            if share > 0.01 or piled > 0.3:
                tail = np.quantile(x[..., i], 0.95 if side > 0 else 0.05)
                said.append(
                    f"{name} has its mass at its bound {bound:.6g}: read it as "
                    f"{'<' if side > 0 else '>'} {tail:.5g} at 95 %; widen the bound "
                    f"if values {'below' if word == 'above' else 'above'} it are "
                    "physical"
                )
    return tuple(said)
