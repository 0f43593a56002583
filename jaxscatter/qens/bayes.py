"""Likelihood, MAP and posterior under the names of the `qens` package.

The seed's pipeline works on bins (omega, spec, errs, q) with one amplitude and one
background per Q; these functions run it on the engine. `mode="seed"` reproduces its
convolution, `mode="exact"` (default) its intent.
"""

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import FitError
from ..infer import FitResult, diagnostics, multistart, sample
from ..infer.least_squares import start_vector
from ..problem import Problem
from .catalogue import get_model
from .config import Config
from .dataset import from_bins
from .forward_model import ForwardModel, Numbers
from .problem import problem

_log = logging.getLogger("jaxscatter")


def bins_problem(
    data_bins: Sequence[tuple],
    sigma_res: Any,
    model: str | ForwardModel = "anisotropic_rotor",
    *,
    mode: str = "exact",
    amplitude: str = "per_q",
    **extras: Any,
) -> Problem:
    """Problem of seed-style bins; the other functions of this module call it."""
    data = from_bins(data_bins, sigma_res, mode=mode)
    return problem(data, model, amplitude=amplitude, **extras)


def _model(model: str | ForwardModel) -> ForwardModel:
    return get_model(model) if isinstance(model, str) else model


@eqx.filter_jit
def _cost(target: Problem, x: Float[Array, " p"]) -> Float[Array, ""]:
    return target.cost(x)


def _at(
    target: Problem, forward: ForwardModel, p: np.ndarray
) -> tuple[Problem, dict[str, float]]:
    """The problem with `p` as the values of fixed parameters, and those of free ones.

    A fixed parameter of the problem is still one of the model's, and part of `p`.
    """
    values = dict(zip(forward.param_names, p.tolist(), strict=True))
    free = {n: v for n, v in values.items() if n in target.parameters.slices()}
    fixed = {n: v for n, v in values.items() if n not in free}
    return target.with_(parameters=fixed) if fixed else target, free


def log_likelihood(
    params: Numbers,
    data_bins: Sequence[tuple],
    sigma_res: Any,
    model: str | ForwardModel = "anisotropic_rotor",
    **extras: Any,
) -> float:
    """-½ Σ χ²_k with amplitude and background of each Q at their best, both >= 0.

    -inf outside the prior box. `extras` are those of the model, `mode` and `amplitude`.

    Raises:
        ParameterError: params of another length.
    """
    forward = _model(model)
    p = forward.checked(params)
    if not forward.in_prior(p):
        return -np.inf
    target = bins_problem(data_bins, sigma_res, forward, **extras)
    target, free = _at(target, forward, p)
    return -float(_cost(target, start_vector(target, free)))


def log_prior(params: Numbers, model: str | ForwardModel) -> float:
    """0 strictly inside the prior box, -inf outside."""
    return 0.0 if _model(model).in_prior(params) else -np.inf


def log_posterior(
    params: Numbers,
    data_bins: Sequence[tuple],
    sigma_res: Any,
    model: str | ForwardModel = "anisotropic_rotor",
    **extras: Any,
) -> float:
    """`log_likelihood` + `log_prior`."""
    prior = log_prior(params, model)
    if not np.isfinite(prior):
        return prior
    return prior + log_likelihood(params, data_bins, sigma_res, model, **extras)


class MapEstimate(tuple):
    """(params, neg_logp), with the whole `FitResult` as `.fit`.

    The fit holds covariance, the table of starts and the distinct optima.
    """

    fit: FitResult

    def __new__(cls, params: np.ndarray, neg_logp: float, fit: FitResult):
        """Pair with a fit attached."""
        self = super().__new__(cls, (params, neg_logp))
        self.fit = fit
        return self


def find_map(
    data_bins: Sequence[tuple],
    sigma_res: Any,
    model: str | ForwardModel = "anisotropic_rotor",
    cfg: Config | None = None,
    n_starts: int | None = None,
    verbose: bool = False,
    **extras: Any,
) -> MapEstimate:
    """All parameters of the model at their best and their negative log posterior.

    The prior is uniform in the box, so this is -`log_likelihood` at the optimum of a
    multi-start fit; with other priors in `parameters`, minus their log densities.

    Args:
        data_bins: bins (omega, spec, errs, q).
        sigma_res: σ, kernel or kernels.
        model: name or `ForwardModel`.
        cfg: n_map_starts and random_seed are used.
        n_starts: instead of cfg.n_map_starts.
        verbose: show progress.
        extras: of the model and of `problem`, and `mode`.

    Raises:
        FitError: every start failed (a RuntimeError).
    """
    cfg = Config() if cfg is None else cfg
    n = cfg.n_map_starts if n_starts is None else n_starts
    if n < 1:
        raise FitError(f"n_starts is {n}; expected at least 1")
    target = bins_problem(data_bins, sigma_res, model, **extras)
    best = multistart(
        target, n=n, keep=n, seed=cfg.random_seed, progress=verbose, prior=True
    )
    names = _model(model).param_names
    values = dict(zip(best.parameters["name"], best.parameters["value"], strict=True))
    x = jnp.asarray(best.x)
    penalty = sum(
        float(p.prior.log_prob(values[p.name]))
        for p in target.parameters.free
        if p.prior is not None and p.name in values
    )
    params = np.array([float(values[n]) for n in names])
    return MapEstimate(params, float(_cost(target, x)) - penalty, best)


def run_mcmc(
    data_bins: Sequence[tuple],
    sigma_res: Any,
    p_map: Numbers,
    model: str | ForwardModel = "anisotropic_rotor",
    cfg: Config | None = None,
    verbose: bool = False,
    *,
    sampler: str = "nuts",
    **extras: Any,
) -> np.ndarray:
    """Posterior draws (n_kept, n_dim) in the order of the model's parameters.

    A parameter that the data do not see (u2 under per-Q amplitudes) is not sampled: its
    column holds draws of its prior, which is its posterior, and a warning says so.

    Args:
        data_bins: bins (omega, spec, errs, q).
        sigma_res: σ, kernel or kernels.
        model: name or `ForwardModel`.
        p_map: where to start.
        cfg: n_warmup, n_keep, thin, n_walkers and random_seed are used; n_keep draws
            are kept in all, every `thin`-th of the ensemble's.
        verbose: show progress.
        sampler: "nuts" (4 chains) or "ensemble" (affine invariant, two ensembles).
        extras: of the model and of `problem`, and `mode`.
    """
    cfg = Config() if cfg is None else cfg
    forward = _model(model)
    target = bins_problem(data_bins, sigma_res, forward, **extras)
    target, start = _at(target, forward, forward.checked(p_map))
    if sampler not in ("nuts", "ensemble"):
        raise FitError(f"sampler is {sampler!r}; expected 'nuts' or 'ensemble'")
    if sampler == "nuts":
        chains = 4
        per_chain = -(-cfg.n_keep // chains)
        post = sample(
            target,
            "nuts",
            start,
            chains=chains,
            warmup=max(cfg.n_warmup, 100),
            draws=per_chain,
            seed=cfg.random_seed,
            progress=verbose,
        )
        thin = 1
    else:
        walkers = max(cfg.n_walkers, 2 * target.n_parameters)
        steps = max(1, -(-cfg.n_keep * cfg.thin // (2 * walkers)))
        post = sample(
            target,
            "aies",
            start,
            walkers=walkers,
            warmup=cfg.n_warmup,
            draws=steps,
            seed=cfg.random_seed,
            progress=verbose,
        )
        thin = cfg.thin
    rng = np.random.default_rng(cfg.random_seed)
    size = next(iter(post.draws.values())).size
    columns = []
    for name, lo, hi in zip(
        forward.param_names, forward.prior_lo, forward.prior_hi, strict=True
    ):
        if name in post.draws:
            columns.append(post.draws[name].ravel())
        elif name not in start:
            columns.append(np.full(size, float(target.parameters[name].value)))
        else:
            _log.warning("%s is not sampled: its column holds draws of its prior", name)
            columns.append(rng.uniform(lo, hi, size))
    return np.stack(columns, axis=1)[::thin][: cfg.n_keep]


def gelman_rubin(chains: Numbers) -> np.ndarray:
    """Rank-normalised split R-hat of each parameter of chains (chain, draw[, dim])."""
    x = np.asarray(chains, dtype=float)
    if x.ndim not in (2, 3):
        raise FitError(f"chains have shape {x.shape}; expected (chain, draw[, dim])")
    x = x[..., None] if x.ndim == 2 else x
    return np.array([diagnostics.r_hat(x[..., i]) for i in range(x.shape[-1])])


def summarise(arr: Numbers, label: str = "") -> tuple[float, float, float]:
    """(median, 2.5 %, 97.5 %) of draws, logged under `label`."""
    low, middle, high = (float(v) for v in np.quantile(arr, [0.025, 0.5, 0.975]))
    _log.info("%s = %.5g [%.5g, %.5g]", label, middle, low, high)
    return middle, low, high


def summarise_samples(
    samples: Numbers,
    model: str | ForwardModel = "anisotropic_rotor",
    derived: Mapping[str, Callable[..., Any]] | None = None,
) -> dict[str, tuple[float, float, float]]:
    """(median, 2.5 %, 97.5 %) of every parameter and of functions of them.

    Args:
        samples: (n, n_dim), from `run_mcmc`.
        model: whose parameters the columns are.
        derived: label -> function of the dictionary of columns.
    """
    forward = _model(model)
    x = np.atleast_2d(np.asarray(samples, dtype=float))
    if x.shape[1] != forward.n_params:
        raise FitError(
            f"samples have {x.shape[1]} columns; {forward.name!r} has "
            f"{forward.n_params} parameters"
        )
    named = dict(zip(forward.param_names, x.T, strict=True))
    named |= {k: np.asarray(f(named)) for k, f in (derived or {}).items()}
    return {k: summarise(v, k) for k, v in named.items()}
