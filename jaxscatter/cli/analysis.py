"""A fit and a posterior of one problem, written as they are made, and the report."""

from collections.abc import Callable
from typing import Any, TypeAlias

from .. import infer
from ..config import Fit, Sample
from ..errors import SamplingError
from ..infer import FitResult, SampleResult
from ..infer.report import columns, number
from ..problem import JointProblem, Problem
from .output import Folder, Watch

RULE = "-" * 72
Derived = dict[str, tuple[Callable[[dict[str, Any]], Any], str]]
AnyProblem: TypeAlias = Problem | JointProblem


def analyse(
    problem: AnyProblem,
    fit: Fit | None,
    sample: Sample | None,
    folder: Folder,
    watch: Watch,
    *,
    posterior: AnyProblem | None = None,
    scale_covariance: bool | None = None,
    shards: int | None = None,
) -> tuple[FitResult | None, SampleResult | None]:
    """Results of what was asked for, each in its file before the next one begins.

    Interruption leaves the later ones out.

    Args:
        problem: what is fitted.
        fit: how, or None.
        sample: how to sample, or None.
        folder: where files go.
        watch: progress and interruption.
        posterior: what is sampled, where it is another problem.
        scale_covariance: of the fit.
        shards: of a consensus posterior; None takes all data at once.
    """
    derived = derivable(problem)
    best = post = None
    if fit is not None:
        watch.say(f"fitting {problem.name}: {_fit_text(fit)}")
        best = fitted(problem, fit, watch, scale_covariance)
        best.save(folder / "fit.h5")
        kind, options = fit_figure(best)
        draw(kind, best, folder, "fit.png", **options)
    if sample is not None and not watch.stopped:
        watch.say(f"sampling: {_sample_text(sample, shards)}")
        wanted = problem if posterior is None else posterior
        try:
            post = _sampled(wanted, sample, best, shards, watch)
        except SamplingError:
            if not watch.stopped:
                raise
            return best, None
        for name, (function, unit) in derived.items():
            post.derive(name, function, unit)
        post.save(folder / "posterior.h5")
        draw("result", post, folder, "posterior.png")
        draw("trace", post, folder, "trace.png")
        if best is None:
            kind, options = fit_figure(post)
            draw(kind, post, folder, "fit.png", **options)
    return best, post


def fit_figure(result: Any) -> tuple[str, dict[str, Any]]:
    """Function of `jaxscatter.plot` that draws data and fit, and its options."""
    from ..plot.cbed_result import is_diffraction
    from ..plot.sas import is_small_angle

    two_time = any(
        d.get("metadata", {}).get("technique") == "xpcs" for d in result.data
    )
    small_angle = bool(result.data) and all(is_small_angle(d) for d in result.data)
    diffraction = bool(result.data) and all(is_diffraction(d) for d in result.data)
    own = two_time or small_angle or diffraction
    return ("result", {"view": "fit"}) if own else ("fit", {})


def fitted(
    problem: AnyProblem, fit: Fit, watch: Watch, scale_covariance: bool | None = None
) -> FitResult:
    """The fit that was asked for, with what the field derives from it."""
    how: dict[str, Any] = {
        "seed": fit.seed,
        "progress": watch,
        "warn": False,
        "scale_covariance": scale_covariance,
    }
    if fit.method == "multistart":
        best = infer.multistart(problem, n=fit.starts, **how)
    else:
        best = infer.fit(problem, method=fit.method, **how)
    for name, (function, unit) in derivable(problem).items():
        best.derive(name, function, unit)
    return best


def _sampled(
    problem: AnyProblem,
    sample: Sample,
    best: FitResult | None,
    shards: int | None,
    watch: Watch,
) -> SampleResult:
    how: dict[str, Any] = {"progress": watch, "warn": False}
    if shards is None:
        return infer.sample(problem, start=best, **vars(sample), **how)
    consensus: Any = infer.consensus  # type: ignore[attr-defined]
    return consensus(problem, shards=shards, seed=sample.seed, start=best)


def _fit_text(fit: Fit) -> str:
    return f"{fit.starts} starts" if fit.method == "multistart" else fit.method


def _sample_text(sample: Sample, shards: int | None = None) -> str:
    if shards is not None:
        return f"consensus of {shards} shards"
    return (
        f"{sample.method.upper()}, {sample.chains} chains, {sample.warmup} warm-up and "
        f"{sample.draws} kept draws each"
    )


def derivable(problem: AnyProblem) -> Derived:
    """Functions of the parameters that the field reports beside them."""
    if {"D_t", "D_s"} <= set(problem.parameters.names):
        return {"D_s/D_t": (lambda t: t["D_s"] / t["D_t"], "")}
    if {"D0", "alpha"} <= set(problem.parameters.names):
        # of Brownian motion, whose mean square displacement grows twice as fast
        return {"D_stokes_einstein": (lambda t: 0.5 * t["D0"], "Å²/s")}
    return {}


def draw(kind: str, result: Any, folder: Folder, name: str, **options: Any) -> None:
    """Write a figure of `jaxscatter.plot`, where matplotlib is installed."""
    from .. import plot

    try:
        getattr(plot, kind)(result, path=folder / name, **options)
    except ImportError as error:
        from warnings import warn

        warn(f"no {name}: {error}", stacklevel=2)


def headline(best: FitResult | None, post: SampleResult | None) -> str:
    """Numbers in one table, then chi2, distinct optima and the sampler's verdict."""
    lines = [*_table(best, post)]
    if best is not None:
        s = best.statistics
        lines += [
            "",
            f"chi2     {s['chi2']:.1f} for {s['n_valid']:.0f} points, reduced "
            f"{s['red_chi2']:.4g}" + ", to which errors are scaled" * best.scaled,
            f"fit      {'' if best.success else 'NOT CONVERGED: '}{best.message}",
            *_optima(best),
        ]
    if post is not None:
        chains, draws = next(iter(post.draws.values())).shape
        d = post.diagnostics
        lines += [
            f"sampler  {'converged' if post.converged else 'NOT CONVERGED'}: {chains} "
            f"chains x {draws} draws, R-hat up to {max(d['rhat']):.4f}, at least "
            f"{min(d['ess_bulk']):.0f} effective draws, "
            f"{post.statistics.get('divergences', 0):.0f} divergences",
        ]
    said = {w: None for r in (best, post) if r is not None for w in r.warnings}
    return "\n".join([*(f"! {w}" for w in said), *lines])


def _table(best: FitResult | None, post: SampleResult | None) -> list[str]:
    """Parameters with errors and units, from the fit and from the posterior."""
    rows: dict[str, list[str]] = {}
    if best is not None:
        t = best.parameters
        for i, name in enumerate(str(n) for n in t["name"]):
            if t["free"][i]:
                note = " AT BOUND" if t["at_bound"][i] else ""
                text = number(t["value"][i], t["stderr"][i]) + note
                rows[name] = [name, text, "", "", str(t["unit"][i])]
        for name, (value, error, unit) in best.derived.items():
            rows[name] = [name, number(value, error), "", "", unit]
    if post is not None:
        d = post.diagnostics
        for i, name in enumerate(str(n) for n in d["name"]):
            row = rows.setdefault(name, [name, "", "", "", str(d["unit"][i])])
            row[2] = number(d["mean"][i], d["sd"][i])
            row[3] = f"[{d['q2.5'][i]:.4g}, {d['q97.5'][i]:.4g}]"
    head = ["parameter", "fit", "posterior", "95 % interval", "unit"]
    used = [i for i in range(5) if i in (0, 4) or any(r[i] for r in rows.values())]
    return columns(
        [[r[i] for i in used] for r in rows.values()], [head[i] for i in used]
    )


def _optima(best: FitResult) -> list[str]:
    """Distinct optima of a multi-start, the best first."""
    o = best.optima
    if not len(o.get("cost", ())):
        return []
    names = [n for n in best.labels if n in o][:6]
    lines = [f"optima   {len(o['cost'])} distinct:"]
    for i in range(min(len(o["cost"]), 6)):
        at = ", ".join(f"{n} {o[n][i]:.4g}" for n in names)
        lines.append(
            f"         chi2 + {o['delta_chi2'][i]:.1f} ({o['count'][i]:.0f} fits): {at}"
        )
    return lines


def report(
    title: str,
    about: list[str],
    best: FitResult | None,
    post: SampleResult | None,
    stopped: bool,
) -> str:
    """Text of report.txt: headline, what was analysed, full summaries, provenance."""
    parts = [title, "=" * len(title), ""]
    if stopped:
        parts += ["! stopped by the user: what is missing was not computed", ""]
    parts += [headline(best, post), "", *about]
    for result in (best, post):
        if result is not None:
            parts += ["", RULE, result.summary()]
    source = best if best is not None else post
    if source is not None:
        parts += ["", RULE, *_provenance(source.provenance)]
    return "\n".join(parts) + "\n"


def _provenance(record: dict[str, Any]) -> list[str]:
    packages = ("jaxscatter", "python", "jax", "jaxlib", "numpyro", "optax", "numpy")
    versions = ", ".join(f"{k} {record[k]}" for k in packages if k in record)
    return [
        f"made     {record.get('created', '?')}, seed {record.get('seed', '?')}",
        f"versions {versions}",
        f"device   {record.get('devices', '?')} x {record.get('device', '?')}, "
        f"{record.get('precision', '?')}",
    ]
