"""`map_fit` and `laplace`: the posterior's mode and its Gaussian approximation."""

import math
import warnings
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import FitError, ModelError, SamplingWarning
from ..problem import AbstractProblem
from . import trust_region as tr
from .diagnostics import pareto_k
from .draws import collect
from .least_squares import make_objective, run_trust_region, start_vector
from .progress import Callback
from .provenance import key
from .providers import normal_at
from .result import FitResult, SampleResult


def integrated_mode(problem: AbstractProblem) -> str:
    """Default mode of the amplitudes' marginal likelihood.

    Raises:
        ModelError: the noise leaves no closed form.
    """
    mode = problem.default_linear_mode
    for part, own in zip(problem.parts, problem.modes(mode), strict=True):
        if own == "explicit" and part.linear:
            raise ModelError(
                f"noise={part.likelihood.noise!r} leaves no marginal likelihood of the "
                "amplitudes; fit problem.with_(explicit=True) instead"
            )
    return mode


def map_fit(
    problem: AbstractProblem,
    start: Any = None,
    *,
    linear: str = "profile",
    max_trials: int = 200,
    seed: int = 0,
    progress: bool | Callback = False,
    warn: bool = True,
) -> FitResult:
    """Maximum of the posterior density over the named parameters.

    No Jacobian of any transform enters, so the mode does not depend on one.

    Args:
        problem: its priors count; without any this is `fit`.
        start: as in `fit`.
        linear: "profile" takes the amplitudes at their best; "marginal" integrates
            them out in the problem's default mode, whose optimum differs by the slope
            of ½ log|G|.
        max_trials: as in `fit`.
        seed: for the record.
        progress: as in `fit`.
        warn: as in `fit`.
    """
    problem.require_likelihood("js.map_fit")
    if linear == "marginal":
        linear = integrated_mode(problem)
    problem.check_mode(linear)
    objective = make_objective(problem, prior=True, linear=linear)
    # With a marginal cost H is approximate, so a full Newton step says less.
    return run_trust_region(
        objective,
        start_vector(problem, start),
        tr.Options(max_trials=max_trials),
        scale_covariance=None,
        seed=seed,
        progress=progress,
        throw=True,
        warn=warn,
        arguments={"linear": linear},
        method="MAP",
    )


@eqx.filter_jit
def _log_posteriors(
    problem: AbstractProblem, mode: str, x: Float[Array, "m p"]
) -> Float[Array, " m"]:
    return jax.vmap(lambda x: problem.logpost(x, mode))(x)


@eqx.filter_jit
def _log_posteriors_u(
    problem: AbstractProblem, mode: str, u: Float[Array, "m p"]
) -> tuple[Float[Array, "m p"], Float[Array, " m"]]:
    def one(u: Array) -> tuple[Array, Array]:
        x, log_jacobian = problem.coordinates.to_x(u)
        return x, problem.logpost(x, mode) + log_jacobian

    return jax.vmap(one)(u)


def laplace(
    result: FitResult,
    draws: int = 1000,
    *,
    space: str = "x",
    check: bool = True,
    seed: int = 0,
    warn: bool = True,
) -> SampleResult:
    """Gaussian approximation of the posterior at a mode, with log evidence.

    log Z = log posterior(x*) + (p/2) log 2π + ½ log|C|, always on the amplitudes'
    marginal likelihood.

    Args:
        result: from `map_fit` or `fit`, with its problem.
        draws: number of independent draws.
        space: "x", or "u" for a Gaussian in the unconstrained coordinates.
        check: Pareto k of the importance ratios of the draws; over 0.7 warns.
        seed: of the draws.
        warn: issue `SamplingWarning`s too; they are in the result either way.

    Raises:
        FitError: parameters at a bound or undetermined: no Gaussian there.
    """
    problem = result._need()
    problem.require_likelihood("js.laplace")
    if space not in ("x", "u"):
        raise FitError(f"space is {space!r}; expected 'x' or 'u'")
    mode = integrated_mode(problem)
    stderr = np.array([result.error(n) for n in result.labels])
    if not np.all(np.isfinite(stderr)):
        bad = [
            n for n, e in zip(result.labels, stderr, strict=True) if not np.isfinite(e)
        ]
        raise FitError(
            f"{', '.join(bad)} at a bound or not determined: Laplace has no "
            "covariance there; fix them or sample"
        )
    p = len(result.labels)
    x = jnp.asarray(result.x)
    # H and the priors' curvature; never scaled, as the posterior itself is not
    h = np.asarray(normal_at(make_objective(problem, prior=True), x)[0])
    cov = np.linalg.inv(h)
    chol = np.linalg.cholesky(cov)
    z = np.asarray(jax.random.normal(key(seed, "laplace"), (draws, p)))
    said: list[str] = []
    lo, hi = (np.asarray(b) for b in problem.parameters.bounds())
    if space == "x":
        points = np.asarray(x) + z @ chol.T
        inside = np.all((points >= lo) & (points <= hi), axis=1)
        clipped = float(np.mean(~inside))
        if clipped > 0.05:
            said.append(f"{clipped:.1%} of the draws fell outside the bounds")
        points = np.clip(points, lo, hi)
        target = np.asarray(_log_posteriors(problem, mode, jnp.asarray(points)))
        top = float(_log_posteriors(problem, mode, x[None])[0])
        log_det = 2 * np.sum(np.log(np.diagonal(chol)))
    else:
        u = problem.coordinates.to_u(x)
        jacobian = np.asarray(jax.jacfwd(lambda u: problem.coordinates.to_x(u)[0])(u))
        back = np.linalg.inv(jacobian)
        cov_u = back @ cov @ back.T
        chol_u = np.linalg.cholesky(cov_u)
        drawn, target_j = _log_posteriors_u(
            problem, mode, jnp.asarray(np.asarray(u) + z @ chol_u.T)
        )
        points, target = np.asarray(drawn), np.asarray(target_j)
        top = float(_log_posteriors_u(problem, mode, u[None])[1][0])
        log_det = 2 * np.sum(np.log(np.diagonal(chol_u)))
        clipped = 0.0
    evidence = top + 0.5 * p * math.log(2 * math.pi) + 0.5 * log_det
    statistics = {"log_evidence": evidence, "clipped": clipped}
    if check:
        statistics["pareto_k"] = pareto_k(target + 0.5 * np.sum(z**2, axis=1))
        if statistics["pareto_k"] > 0.7:
            said.append(
                f"Pareto k is {statistics['pareto_k']:.2f}: the posterior is not close "
                "to a Gaussian; use `sample`"
            )
    out = collect(
        problem,
        points[None],
        mode=mode,
        stats={},
        statistics=statistics,
        method="laplace",
        seed=seed,
        arguments={"draws": draws, "space": space},
        said=tuple(said),
        held={},
        verdict=(not said, []),
    )
    if warn:
        for sentence in out.warnings:
            warnings.warn(sentence, SamplingWarning, stacklevel=2)
    return out
