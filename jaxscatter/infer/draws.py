"""From draws to a `SampleResult`: tables, amplitudes, bands and the verdict."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..problem import AbstractProblem, Problem, marginal
from ..problem import amplitudes as amp
from . import diagnostics
from .provenance import key, provenance
from .result import SampleResult, Table
from .tables import data_record, distinct_amplitudes

NEAR_BOUND = 1e-3


def unknown_errors(problem: AbstractProblem) -> tuple[str, ...]:
    """What must be said where the likelihood takes sigma = 1 for want of errors."""
    bare = (
        part.likelihood.noise == "known" and not part.data.sigma_given
        for part in problem.parts
    )
    if not any(bare):
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


@eqx.filter_jit
def _vectors(problem: AbstractProblem, x: Float[Array, "d p"]) -> tuple[Array, ...]:
    return jax.vmap(problem.vectors)(x)


def collect(
    problem: AbstractProblem,
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
    all_units |= _tied_units(problem)
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
    linear: list[np.ndarray] = []
    records = []
    own = (problem.amplitude_names, problem.part_names, problem.modes(mode))
    vectors = _vectors(problem, flat) if len(problem.parts) > 1 else (flat,)
    for k, (part, part_x, called, name, part_mode) in enumerate(
        zip(problem.parts, vectors, *own, strict=True)
    ):
        a = jnp.zeros((len(flat), part.data.n_groups, 0))
        if part.linear:
            base = key(seed, "linear")
            base = jax.random.fold_in(base, k) if k else base
            keys = jax.random.split(base, len(flat))
            a = _amplitudes(part, part_mode, keys, part_x)
            linear += _distinct(part, np.asarray(a))
            said = (*said, *_outside(part, called, part_mode, a))
        records.append(_with_band(part, name, part_x, a))
    declared = distinct_amplitudes(problem)
    all_units |= {label: a.unit for label, a in declared}
    labelled = zip(declared, linear, strict=True)
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
        linear_draws={n: v.reshape(chains, count) for (n, _), v in labelled},
        linear_mode=problem.mode_text(mode) if problem.linear else "none",
        statistics=statistics,
        method=method,
        warnings=(*said, *unknown_errors(problem), *problem.warnings),
        flags=tuple(flags),
        held=held,
        data=records,
        warmup={},
        provenance={
            **provenance(seed, arguments, problem.name),
            "labels": list(labels or names),
        },
        problem=problem,
    )


def _distinct(part: Problem, a: np.ndarray) -> list[np.ndarray]:
    """Draws of each distinct amplitude, in the order of `distinct_amplitudes`."""
    shared, local = amp.split(part.linear)
    out = [a[:, 0, i] for i in shared]
    return out + [a[:, g, i] for g in range(a.shape[1]) for i in local]


def _outside(
    part: Problem, called: dict[str, str], mode: str, a: Array
) -> tuple[str, ...]:
    """Sentences on amplitudes drawn outside bounds that the mode ignores."""
    return tuple(
        f"{share:.1%} of the draws of {called[name]} lie outside its bounds, which "
        f"linear mode {mode!r} ignores"
        for name, share in amp.share_outside(part.linear, a).items()
        if share > 0.01
    )


def _with_band(part: Problem, name: str, x: Array, a: Array) -> dict[str, Any]:
    """Data of one part with the median curve and, where it fits, a 95 % band."""
    pick = np.linspace(0, len(x) - 1, min(200, len(x))).astype(int)
    if part.data.y.size * len(pick) < 2e7:
        curves = np.asarray(_curves(part, x[pick], a[pick]))
        low, middle, high = np.quantile(curves, [0.025, 0.5, 0.975], axis=0)
        return data_record(part, middle, name) | {"band": np.stack([low, high])}
    middle = jnp.median(x, axis=0)
    return data_record(part, np.asarray(part.predict(middle)), name)


def _tied_units(problem: AbstractProblem) -> dict[str, str]:
    """Unit of every label of the tied parameters."""
    out = {}
    for p in problem.parameters:
        if p.tie is not None:
            labels = [f"{p.name}[{k}]" for k in range(np.size(p.value))]
            out |= dict.fromkeys(labels if np.ndim(p.value) else [p.name], p.unit)
    return out


def _tied(problem: AbstractProblem, flat: Array, chains: int, count: int) -> Table:
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


def _near_bounds(problem: AbstractProblem, x: np.ndarray) -> tuple[str, ...]:
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
