"""SAS figures of what a fitted I(q) is made of: P, S, beta, S_eff, and sizes.

They take a fit or a posterior sample that has its problem (`result.bind(problem)` after
loading). Of a sample they draw median and 95 % band over some of the draws.

Units: q in 1/Å, sizes in Å, I in 1/cm.
"""

import functools
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from ..errors import DataError, ModelError
from ..sas import algebra, arguments, dispersion, size_distribution
from ..sas.curve import CurveModel
from . import style
from .groups import _title
from .sas import Q, is_pattern, label_of, records, wrapped

GRID = 300
"""Points of a smooth curve."""


class _Part(NamedTuple):
    """One data set of a result: its model, and its parameters in each draw."""

    model: CurveModel
    record: Any
    middle: dict[str, Any]
    """at the fit, or at the median of the draws"""
    thetas: list[dict[str, Any]]


@functools.partial(jax.jit, static_argnames=("model",))
def _pieces(model: Any, q: Any, theta: Any, settings: Any) -> Any:
    return algebra.parts(model, q, theta, settings)


@functools.partial(jax.jit, static_argnames=("model",))
def _shape(model: Any, q: Any, theta: Any, settings: Any) -> Any:
    return algebra.shape(model, q, theta, settings)


def plot_sas_parts(
    result: Any,
    path: style.PathLike | None = None,
    *,
    part: int = 0,
    n_draws: int = 60,
) -> Any:
    """Figure of P@S: I(q) and P(q) without background, and S, S_eff and beta below.

    P(q) = scale · φ <F²>/<V> is what the particles would scatter without interactions,
    and S_eff = 1 + beta (S - 1). All are before smearing.

    Args:
        result: a fit or a sample of a P@S problem.
        path: file to write.
        part: position of the data set, in a joint result.
        n_draws: draws of a sample that are used.

    Raises:
        ModelError: a model that is no P@S, or a result without its problem.
    """
    own = _part(result, part, n_draws)
    model = own.model.component
    if not isinstance(model, algebra.Product):
        raise ModelError(f"{model.name!r} is no P@S: it has no parts to plot")
    scale, background = _linear(own)
    q, settings = _fine(own)
    every = [_pieces(model, jnp.asarray(q), theta, settings) for theta in own.thetas]
    upper = {
        "I − background": [scale * p.intensity for p in every],
        "P": [scale * p.factor * p.moments.f2 / p.moments.shell_volume for p in every],
    }
    lower = {"S": [p.structure for p in every]}
    if model.form.has_amplitude:
        effective = [1 + p.beta * (p.structure - 1) for p in every]
        lower = {"S_eff": effective, **lower, "β": [p.beta for p in every]}
    radius = np.asarray([float(p.radius) for p in every])
    with style.context():
        fig = style.figure(6.4, 6.2)
        top, below = fig.subplots(2, 1, sharex=True, height_ratios=(1.2, 1))
        if "smear" not in own.record["coords"]:
            _points(top, own.record, background)
        for ax, group in ((top, upper), (below, lower)):
            for (name, values), colour in zip(
                group.items(), (style.RED, style.BLUE, style.GREEN), strict=False
            ):
                dashes = {"P": "--", "S": "--", "β": ":"}.get(name, "-")
                named = name.replace("S_eff", "S$_{eff}$")
                _band(ax, q, np.asarray(values), colour, dashes, named)
        top.legend(loc="best")
        # above the panel: S and β leave no corner free
        below.legend(loc="lower right", bbox_to_anchor=(1.0, 1.0), ncols=3)
        said = f"R$_{{eff}}$ = {np.median(radius):.4g} Å"
        below.set_title(said, loc="left", fontsize=9.5)
        top.set(xscale="log", yscale="log")
        _from_below(top, [np.asarray(v) for v in upper.values()])
        unit = own.record["units"].get("y", "")
        top.set_ylabel(style.label("I(Q), P(Q)", unit))
        below.set_ylabel("S(Q), β(Q)" if len(lower) > 1 else "S(Q)")
        below.axhline(1, color=style.GREY, lw=0.8, zorder=0)
        below.set_ylim(bottom=0)
        below.set_xlabel(Q)
        fig.align_ylabels([top, below])
        name = label_of(own.record) if len(result.data) > 1 else ""
        title = " · ".join(t for t in (_title(result), name) if t)
        fig.suptitle(style.plain(wrapped(title)))
        return style.finish(fig, path)


def plot_sas_sizes(
    result: Any, path: style.PathLike | None = None, *, n_draws: int = 200
) -> Any:
    """Figure of the distribution of every size that has one, by number of particles.

    The area of each curve is 1; a vertical line marks the parameter itself, which is
    the median of a lognormal distribution and the mean or middle of the others. Of a
    joint result equal distributions are drawn once. A free-form distribution is drawn
    by volume, against the logarithm of the size.

    Args:
        result: a fit or a sample of a problem with polydisperse sizes, or of
            `js.sas.size_distribution_problem`.
        path: file to write.
        n_draws: draws of a sample that are used.

    Raises:
        ModelError: no size has a distribution, or a result without its problem.
    """
    if "kernel" in records(result)[0]["coords"]:
        return _free_form(result, path)
    found: dict[str, list[tuple[str, _Part, Any]]] = {}
    for k, d in enumerate(records(result)):
        own = _part(result, k, n_draws)
        rows = {r.name: r for r in own.model.component.quantities}
        for name, spread in own.model.settings.distributions.items():
            if rows[name].kind == "orientation" or spread.size < 2:
                continue
            same = found.setdefault(name, [])
            if not any(_equal(own, other, name) for _, other, _ in same):
                same.append((label_of(d), own, rows[name]))
    if not found:
        raise ModelError("no size has a distribution: give a width, as radius_pd=0.1")
    rows, columns = style.grid(len(found), most=3)
    with style.context():
        wide, high = (6.4, 4.2) if len(found) == 1 else (3.8 * columns, 3.2 * rows)
        fig = style.figure(wide, high + 0.4)
        axes = np.ravel(fig.subplots(rows, columns, squeeze=False))
        for ax, several in zip(axes, found.values(), strict=False):
            for i, (label, own, row) in enumerate(several):
                colour = style.CYCLE[i % len(style.CYCLE)]
                _size(ax, own, row, colour, label if len(several) > 1 else "")
            if len(several) > 1:
                ax.legend()
        for ax in axes[len(found) :]:
            ax.set_visible(False)
        fig.suptitle(style.plain(wrapped(_title(result))))
        return style.finish(fig, path)


def unsmeared(result: Any, part: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """(q, I) of the model before the instrument smears it, from a fit or the median.

    Raises:
        ModelError: a result without its problem.
    """
    own = _part(result, part, 1)
    scale, background = _linear(own)
    q, settings = _fine(own)
    curve = _shape(own.model.component, jnp.asarray(q), own.middle, settings)
    return q, scale * np.asarray(curve) + background


def _part(result: Any, part: int, n_draws: int) -> _Part:
    """Model and parameters of one data set of a result.

    Raises:
        DataError: no such data set, or an image.
        ModelError: a result without its problem, or of another technique.
    """
    every = records(result)
    if not 0 <= part < len(every):
        raise DataError(f"part is {part}; the result has {len(every)} data sets")
    problem = getattr(result, "problem", None)
    if problem is None:
        raise ModelError(
            "the result does not hold its model; call result.bind(problem)"
        )
    model = problem.parts[part].model
    if not isinstance(model, CurveModel):
        raise ModelError("the result is not of a problem of js.sas")
    if is_pattern(every[part]):
        raise DataError("an image has no parts to plot")

    def named(x: np.ndarray) -> dict[str, Any]:
        theta = problem.part_theta(part, problem.named(x))
        return {k: jnp.asarray(v, float) for k, v in theta.items()}

    thetas = [named(x) for x in _vectors(result, n_draws)]
    return _Part(model, every[part], named(_vectors(result, 1)[0]), thetas)


def _vectors(result: Any, n_draws: int) -> np.ndarray:
    """(draw, parameter): the fit's vector, or evenly spaced draws, or their median."""
    if result.kind != "sample":
        return np.asarray(result.x, float)[None]
    flat = {k: np.ravel(v) for k, v in result.draws.items()}
    total = len(next(iter(flat.values())))
    held = result.held
    x = np.stack(
        [flat.get(n, np.full(total, held.get(n, np.nan))) for n in result.labels], -1
    )
    if n_draws == 1:
        return np.median(x, axis=0)[None]
    return x[np.linspace(0, total - 1, min(n_draws, total)).astype(int)]


def _linear(own: _Part) -> tuple[float, float]:
    """(scale, background) of the stored fit, however they were determined.

    The fit is a straight line in the smeared curve of scale 1, so that they follow
    from the two curves.
    """
    coords = own.record["coords"]
    q = jnp.asarray(coords.get("q_calc", coords["q"]), float)
    model = own.model
    seen = np.asarray(_shape(model.component, q, own.middle, model.settings))
    if "smear" in coords:
        seen = np.asarray(coords["smear"]) @ seen
    fit = np.asarray(own.record["fit"], float)[0]
    size = np.max(np.abs(seen))
    columns = np.stack([seen / size, np.ones_like(seen)], axis=1)
    found = np.linalg.lstsq(columns, fit, rcond=None)[0]
    return float(found[0] / size), float(found[1])


def _fine(own: _Part) -> tuple[np.ndarray, algebra.Settings]:
    """Points of a smooth curve over the points that count, and settings for them."""
    coords = own.record["coords"]
    at = np.asarray(coords["q"], float)[np.asarray(own.record["mask"])[0] > 0]
    q = np.geomspace(at[at > 0].min(), at.max(), GRID)
    model = own.model
    spread = model.settings.distributions
    largest = {
        k: max(float(t[k]) for t in (own.middle, *own.thetas)) for k in own.middle
    }
    chunk = model.settings.chunk
    rules = arguments.rules_for(model.component, q, largest, spread, None, chunk or 1)
    return q, algebra.Settings(spread, model.settings.options, rules, chunk)


def _points(ax: Any, record: Any, background: float) -> None:
    seen = np.asarray(record["mask"])[0] > 0
    q = np.asarray(record["coords"]["q"], float)[seen]
    y = np.asarray(record["y"], float)[0, seen] - background
    up = y > 0
    ax.plot(q[up], y[up], "o", ms=2.2, color=style.GREY, label="data − background")


def _band(
    ax: Any, x: np.ndarray, values: np.ndarray, colour: str, dashes: str, name: str
) -> None:
    """Median and, of several draws, a 95 % band."""
    low, middle, high = np.quantile(values, [0.025, 0.5, 0.975], axis=0)
    if len(values) > 1:
        ax.fill_between(x, low, high, color=colour, alpha=0.25, lw=0)
    ax.plot(x, middle, dashes, color=colour, label=name)


def _from_below(ax: Any, groups: Sequence[np.ndarray]) -> None:
    """Lower limit of a logarithmic axis that no minimum of a form factor decides."""
    low = min(float(np.quantile(g[g > 0], 0.005)) for g in groups if np.any(g > 0))
    high = max(float(np.max(g)) for g in groups)
    ax.set_ylim(max(0.5 * low, 1e-7 * high), 2 * high)


def _equal(a: _Part, b: _Part, name: str) -> bool:
    kind = [p.model.settings.distributions[name] for p in (a, b)]
    same = [
        np.array_equal(a.thetas[0][n], b.thetas[0][n])
        for n in (name, f"{name}_pd")
        if n in a.thetas[0] and n in b.thetas[0]
    ]
    return kind[0].kind == kind[1].kind and all(same)


def _size(ax: Any, own: _Part, row: Any, colour: str, label: str) -> None:
    """The distribution of one size: a curve, or bars of one's own points."""
    spread = own.model.settings.distributions[row.name]
    unit = row.unit
    ax.set_xlabel(style.label(style.plain(row.name), unit))
    grids = []
    for theta in own.thetas:
        width = theta.get(f"{row.name}_pd", 0.0)
        x, w = dispersion.points(spread, theta[row.name], width, row.lo, row.hi)
        grids.append((np.asarray(x), np.asarray(w)))
    if spread.kind == "array":
        x, w = grids[0]
        ax.vlines(x, 0, w, color=colour, label=label or None)
        ax.set_ylabel("share of particles")
        ax.set_ylim(bottom=0)
        return
    kept = [(x[w > 0], w[w > 0]) for x, w in grids]
    low = min(x[w > 1e-4 * w.max()][0] for x, w in kept)
    high = max(x[w > 1e-4 * w.max()][-1] for x, w in kept)
    at = np.linspace(low, high, GRID)
    density = np.stack(
        [np.interp(at, x, w / (x[1] - x[0]), left=0, right=0) for x, w in kept]
    )
    _band(ax, at, density, colour, "-", label)
    centres = [float(t[row.name]) for t in own.thetas]
    ax.axvline(float(np.median(centres)), color=colour, ls=":", lw=1.2)
    ax.set_ylabel(style.label("number density", f"1/{unit}" if unit else ""))
    ax.set_ylim(bottom=0)
    widths = [float(t.get(f"{row.name}_pd", 0.0)) for t in own.thetas]
    ax.set_title(f"{spread.kind}, {style.plain(row.name)}_pd = {np.median(widths):.3g}")


def _free_form(result: Any, path: style.PathLike | None) -> Any:
    """Volume fractions on their grid of radii."""
    found = size_distribution(result)
    step = float(np.log(found.radius[1] / found.radius[0]))
    with style.context():
        fig = style.figure(6.4, 4.4)
        ax = fig.subplots()
        if found.low is not None and found.high is not None:
            edges = found.low / step, found.high / step
            ax.fill_between(
                found.radius, *edges, color=style.SKY, alpha=0.5, lw=0, label="95 %"
            )
        ax.plot(found.radius, found.density, color=style.BLUE, label="volume fraction")
        if found.low is not None:
            ax.legend()
        ax.set(xscale="log", ylabel="dφ/d ln r")
        from matplotlib.ticker import LogLocator, NullFormatter

        ax.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        ax.xaxis.set_major_formatter("{x:g}")
        ax.xaxis.set_minor_formatter(NullFormatter())
        ax.set_xlabel(style.label("radius", "Å"))
        ax.set_ylim(bottom=0)
        fig.suptitle(style.plain(wrapped(_title(result))))
        return style.finish(fig, path)
