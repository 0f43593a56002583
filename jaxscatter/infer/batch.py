"""`fit_batch`: thousands of independent fits of one model, side by side.

Every data set has all parameters to itself. The fits are those of `fit`, the bounded
trust region with amplitudes projected out, on a block of data sets at a time (`lanes`).
Nothing raises for a single bad data set: what became of each is a code.
"""

import types
import warnings as python_warnings
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax
import numpy as np

from ..errors import FitError, FitWarning, ParameterError
from ..problem import AbstractProblem, Dataset, Poisson, Problem
from . import trust_region as tr
from .batch_result import NO_DATA, BatchResult, listed
from .finish import refuse_scaling
from .lanes import Many, problem_of, put, stacked
from .progress import Callback, Reporter
from .provenance import provenance
from .statistics import NULL, curvature, deviance_moments, tail
from .tables import floored


def fit_batch(
    model: Any,
    datasets: Dataset | Sequence | None = None,
    *,
    start: Any = None,
    guess: Callable[[Dataset], Any] | None = None,
    chain: bool = False,
    parameters: Any = None,
    likelihood: Any = None,
    explicit: Any = False,
    block: int | None = None,
    max_trials: int = 200,
    ftol: float | None = None,
    gtol: float | None = None,
    xtol: float | None = None,
    scale_covariance: bool | None = None,
    progress: bool | Callback = False,
    warn: bool = True,
) -> BatchResult:
    """Independent fits of many data sets by one model, each with its own parameters.

    Args:
        model: an `AbstractModel`, or a `Problem` whose settings are taken.
        datasets: a list of `Dataset`s of one structure (lengths may differ: they are
            padded with weight 0), or one `Dataset` each of whose groups is a fit of its
            own. None takes the groups of the Problem's data.
        start: start values of all fits: names to numbers or to (B,) arrays, an array
            (p,) or (B, p), or an earlier `BatchResult`. What is missing or not finite
            is taken from the parameter table.
        guess: start values by data set: `guess(dataset)` gives names and numbers. It is
            vmapped if it is written in jax.numpy and called for each otherwise. Points
            whose `mask` is 0 have y = 0, and padding is among them.
        chain: fit one after the other, each from the end of the last that converged:
            for a series along a temperature or a time.
        parameters: as in `Problem`.
        likelihood: as in `Problem`.
        explicit: as in `Problem`.
        block: most fits that run together; default 256 on a CPU, whose caches hold as
            many curves, and 16384 on a GPU. Fewer where a data set is large.
        max_trials: of each fit.
        ftol: as in `fit`.
        gtol: as in `fit`.
        xtol: as in `fit`.
        scale_covariance: multiply each fit's covariance by its reduced chi2; default
            only for data without errors of their own.
        progress: True prints; a callable gets `Event`s and may return False to stop.
        warn: issue `FitWarning`s too; they are in the result either way.

    An interrupt, or a callback that says so, ends with what there is: the fits that
    were still running have the code of a stopped one.

    Raises:
        DataError: data sets that do not have the same structure, by position.
        ParameterError: start values that do not fit the parameters, by name.
        FitError: `start` and `guess` together, or a block below 1.
    """
    if isinstance(model, AbstractProblem):
        model.require_likelihood("js.fit_batch")
    if start is not None and guess is not None:
        raise FitError("start and guess are two ways to say one thing; give one")
    if block is not None and block < 1:
        raise FitError(f"block is {block}; expected at least 1")
    given = _data(model, datasets)
    arguments = {
        k: v
        for k, v in {
            "parameters": parameters,
            "likelihood": likelihood,
            "explicit": explicit or None,
        }.items()
        if v is not None
    }
    data = stacked(given)
    many = Many(problem_of(model, data, **arguments), data, block)
    problem = many.template
    refuse_scaling(scale_covariance, {problem.likelihood.noise})
    examined = problem.likelihood.examined(data)
    names = lane_names(problem)
    x = starts(many, names, many.guesses(guess) if guess is not None else start)
    options = _options(problem, max_trials, ftol, gtol, xtol)
    reporter = Reporter(progress)
    run = _one_by_one if chain else _together
    try:
        state, stopped = run(many, x, options, reporter)
    finally:
        reporter.close()
    code = np.where(state.code == tr.RUNNING, tr.STOPPED, state.code)
    code = np.where(many.n_valid == 0, NO_DATA, code)
    result = _result(many, given, names, state, code, scale_covariance)
    result.provenance = provenance(
        None,
        {
            "chain": chain,
            "start": None if start is None else x,
            "guess": guess is not None,
            "max_trials": max_trials,
        },
        problem.model.name,
    )
    result.provenance["noise"] = problem.likelihood.noise
    result.warnings = tuple(
        dict.fromkeys(
            (*result.care(stopped), *_counted(result), *problem.warnings, *examined)
        )
    )
    if warn:
        for sentence in result.warnings:
            python_warnings.warn(sentence, FitWarning, stacklevel=2)
    return result


def _data(model: Any, datasets: Any) -> Any:
    if datasets is not None:
        return datasets
    if not isinstance(model, Problem):
        raise FitError("fit_batch needs datasets: a list, or one with many groups")
    return model.given


def _options(problem: Problem, max_trials: int, *given: float | None) -> tr.Options:
    usual = tr.Options(max_trials=max_trials)
    if problem.precision == "mixed":
        usual = tr.Options.single(max_trials)
    default = usual.ftol, usual.gtol, usual.xtol
    f, g, x = (d if v is None else v for v, d in zip(given, default, strict=True))
    return tr.Options(f, g, x, max_trials=max_trials, history=False)


def lane_names(problem: Problem) -> tuple[str, ...]:
    """Names of the free parameters of one lane; `name[k]` only with several groups."""
    if problem.data.n_groups > 1:
        return problem.parameters.labels
    return tuple(p.name for p in problem.parameters.free)


def starts(many: Many, names: tuple[str, ...], start: Any) -> np.ndarray:
    """Start values (B, p) from numbers by name, an array or an earlier result."""
    usual = np.asarray(many.template.start())
    x = np.repeat(usual[None], many.count, axis=0)
    if isinstance(start, BatchResult):
        start = dict(zip(start.names, start.values.T, strict=True))
        start = {n: v for n, v in start.items() if n in names}
    if isinstance(start, Mapping):
        for name, value in start.items():
            if name not in names:
                raise ParameterError(
                    f"start names {name!r}, which is not free; free are {list(names)}"
                )
            x[:, names.index(name)] = _column(name, value, many.count)
    elif start is not None:
        rows = np.asarray(start, float)
        if rows.shape not in (usual.shape, x.shape):
            raise ParameterError(
                f"start has shape {rows.shape}; expected {usual.shape} or {x.shape} "
                f"for {list(names)}"
            )
        x = np.array(np.broadcast_to(rows, x.shape))
    return np.where(np.isfinite(x), x, usual[None])


def _column(name: str, value: Any, count: int) -> np.ndarray:
    column = np.asarray(value, float)
    if column.size == count and column.ndim > 1:  # a guess that kept its group axis
        column = column.reshape(count)
    if column.shape not in ((), (count,)):
        raise ParameterError(
            f"start of {name!r} has shape {column.shape}; expected one number or "
            f"({count},), one per data set"
        )
    return column


def _together(
    many: Many, x: np.ndarray, options: tr.Options, reporter: Reporter
) -> tuple[Any, bool]:
    """All lanes in rounds; whether somebody stopped them."""
    if x.shape[1] == 0:
        return _solved(x), False
    state: Any = _repeated(many.start(np.arange(many.count), x, options), 1)
    state.code[many.n_valid == 0] = NO_DATA
    try:
        while True:
            left = np.flatnonzero(state.code == tr.RUNNING)
            if not len(left):
                return state, False
            many.advance(state, left, options)
            done = int(np.sum(state.code != tr.RUNNING))
            if not _told(reporter, done, state):
                return state, True
    except KeyboardInterrupt:
        return state, True


def _one_by_one(
    many: Many, x: np.ndarray, options: tr.Options, reporter: Reporter
) -> tuple[Any, bool]:
    """One lane after the other, each from the last that converged."""
    if x.shape[1] == 0:
        return _solved(x), False
    one = many.start(np.arange(1), x, options, size=1)
    state: Any = _repeated(one, many.count)
    state.code[:] = np.where(many.n_valid == 0, NO_DATA, tr.RUNNING)
    last = None
    try:
        for k in np.flatnonzero(many.n_valid > 0):
            at = np.array([k])
            if last is not None:
                x[k] = last
            put(state, at, many.start(at, x, options, size=1))
            while state.code[k] == tr.RUNNING:
                many.advance(state, at, options, size=1)
            last = state.x[k].copy() if state.code[k] > 0 else last
            if not _told(reporter, int(k) + 1, state):
                return state, True
    except KeyboardInterrupt:
        return state, True
    return state, False


def _solved(x: np.ndarray) -> Any:
    """State of lanes without parameters: amplitudes are solved in closed form."""
    code = np.full(len(x), tr.EXACT)
    return types.SimpleNamespace(x=x, g=x, code=code, trials=np.zeros(len(x), int))


def _told(reporter: Reporter, done: int, state: tr.State) -> bool:
    cost = np.asarray(state.cost)
    cost = cost[np.isfinite(cost)]
    typical = float(np.median(cost)) if cost.size else float("nan")
    return reporter("fits", done, len(state.code), typical)


def _repeated(state: tr.State, count: int) -> Any:
    """Copy that may be written, with every row `count` times."""
    return jax.tree.map(lambda v: np.repeat(v, count, axis=0), state)


def _result(
    many: Many,
    given: Any,
    names: tuple[str, ...],
    state: Any,
    code: np.ndarray,
    scale_covariance: bool | None,
) -> BatchResult:
    """Errors and statistics of every lane at its end point."""
    problem = many.template
    end = many.end(state.x)
    lo, hi = np.asarray(many.limits.lo), np.asarray(many.limits.hi)
    bound = ((state.x == lo) & (state.g > 0)) | ((state.x == hi) & (state.g < 0))
    n, p = many.n_valid, len(names)
    free = end["free"] > 0
    dof = n - p - free.sum(axis=1)
    chi2 = end["chi2"]
    red = np.where(dof > 0, chi2 / np.where(dof > 0, dof, 1), np.nan)
    scaled = _scaled(problem, given, many.count, scale_covariance)
    factor = np.where(scaled & (dof > 0), np.maximum(red, 1e-200), 1.0)
    cov, stderr = covariances(
        end["hessian"], np.asarray(many.limits.scale), bound, end["null"], names
    )
    response = end["response"]
    passed = np.einsum("bkp,bpq,bkq->bk", response, cov, response)
    own = np.sqrt(np.maximum(end["own"] + passed, 0.0) * factor[:, None])
    # lanes without an end point have no numbers either
    lost = np.isin(code, (NO_DATA, tr.NONFINITE_START))[:, None]
    labels = _amplitudes(problem)
    with np.errstate(invalid="ignore"):  # 0 times infinity of an exact fit
        stderr = np.where(np.isinf(stderr), np.inf, stderr * np.sqrt(factor)[:, None])
    return BatchResult(
        names=names,
        units=tuple(problem.parameters.units),
        values=np.where(lost, np.nan, state.x),
        stderr=np.where(lost, np.nan, stderr),
        cov=np.where(lost[:, :, None], np.nan, cov * factor[:, None, None]),
        scaled=scaled,
        at_bound=bound & ~lost,
        undetermined=np.isinf(stderr) & ~lost,
        amplitude_names=tuple(name for name, _ in labels),
        amplitude_units=tuple(unit for _, unit in labels),
        amplitudes=np.where(lost, np.nan, end["amplitudes"]),
        amplitude_stderr=np.where(lost | ~free, np.nan, own),
        amplitude_at_bound=~free & ~lost,
        chi2=np.where(lost[:, 0], np.nan, chi2),
        red_chi2=np.where(lost[:, 0], np.nan, red),
        dof=dof.astype(float),
        n_valid=n.astype(float),
        code=code.astype(int),
        nit=np.asarray(state.trials, int),
        known_noise=problem.likelihood.noise in ("known", "model"),
        many=many,
    )


def _counted(result: BatchResult) -> list[str]:
    """What a user must know of fits of counts, with the fits it is about."""
    many = result.many
    likelihood, data = many.template.likelihood, many.given
    if not isinstance(likelihood, Poisson):
        return []
    mu, low = floored(likelihood, data, result.predict())
    low = np.sum(low, axis=-1)
    said = []
    if low.any():
        said.append(
            f"in {np.sum(low > 0)} fits the model is below 1e-12 of the mean count, or "
            f"negative, at {low.sum()} points in all, and that floor was taken for it: "
            + listed(np.flatnonzero(low))
        )
    mean, variance = deviance_moments(mu, np.asarray(data.mask) > 0)
    taken = result.n_valid - result.dof
    with np.errstate(invalid="ignore"):  # fits without an end point
        chance = tail(result.chi2, mean - taken, variance - 2 * taken)
        poor = result.success & (result.dof > 0) & (chance < 1e-4)
    if poor.any():
        said.append(
            "the model does not describe the counts within their errors in "
            f"{poor.sum()} fits: {listed(np.flatnonzero(poor))}"
        )
    return said


def _scaled(problem: Problem, given: Any, count: int, asked: bool | None) -> np.ndarray:
    """Whose covariance is multiplied by its reduced chi2."""
    if asked is not None:
        return np.full(count, bool(asked))
    noise = problem.likelihood.noise
    if noise == "scale_marginal":
        return np.ones(count, bool)
    single = isinstance(given, Dataset)
    known = [given.sigma_given] * count if single else [d.sigma_given for d in given]
    return (noise == "known") & ~np.array(known, bool)


def _amplitudes(problem: Problem) -> list[tuple[str, str]]:
    """(label, unit) of the solved amplitudes of one lane, shared ones first."""
    shared = [(a.name, a.unit) for a in problem.linear if a.shared]
    rest = [a for a in problem.linear if not a.shared and a.held is None]
    local = [(a.name, a.unit) for a in rest]
    groups = problem.data.n_groups
    if groups == 1:
        return shared + local
    return shared + [(f"{n}[{g}]", unit) for g in range(groups) for n, unit in local]


def covariances(
    hessian: np.ndarray,
    scale: np.ndarray,
    at_bound: np.ndarray,
    unseen: np.ndarray,
    names: tuple[str, ...],
) -> tuple[np.ndarray, np.ndarray]:
    """Covariance (B, p, p) and standard errors (B, p) from undamped H (B, p, p).

    `statistics.curvature` for all lanes at once; those with a null direction go through
    it one by one. nan where H is not finite.
    """
    count, p = len(hessian), len(names)
    if p == 0:
        return np.zeros((count, 0, 0)), np.zeros((count, 0))
    finite = np.all(np.isfinite(hessian), axis=(1, 2))
    h = np.where(finite[:, None, None], hessian, np.eye(p))
    d = np.sqrt(np.maximum(np.diagonal(h, axis1=1, axis2=2), 0.0))
    size = d * scale
    unseen = (unseen | (size <= 1e-12 * size.max(axis=1, keepdims=True))) & ~at_bound
    inside = ~at_bound & ~unseen
    both = inside[:, :, None] & inside[:, None, :]
    d = np.where(inside, d, 1.0)
    outer = d[:, :, None] * d[:, None, :]
    w, v = np.linalg.eigh(np.where(both, h / outer, np.eye(p)))
    null = w[:, 0] < NULL * np.maximum(w[:, -1], 1.0)
    safe = np.where(null[:, None], 1.0, w)
    inverse = (v / safe[:, None, :]) @ np.swapaxes(v, 1, 2)
    cov = np.where(both, inverse / outer, 0.0)
    stderr = np.sqrt(np.maximum(np.diagonal(cov, axis1=1, axis2=2), 0.0))
    stderr = np.where(at_bound, np.nan, np.where(unseen, np.inf, stderr))
    for k in np.flatnonzero(null):
        one = curvature(h[k], scale, at_bound[k], unseen[k], names)
        cov[k], stderr[k] = one.cov, one.stderr
    cov[~finite], stderr[~finite] = np.nan, np.nan
    return cov, stderr
