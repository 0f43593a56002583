"""Did the sampler converge? R-hat, effective sample sizes, E-BFMI, Pareto k, verdict.

Host functions on NumPy arrays of draws (chain, draw). What cannot be told (constant
draws, NaNs, too few draws, one chain where two are needed) is nan or inf, never a
warning, and fails the verdict.

References:
    [1] A. Vehtari, A. Gelman, D. Simpson, B. Carpenter and P.-C. Bürkner, Bayesian
        Analysis 16, 667 (2021): rank-normalised R-hat, bulk and tail ESS.
    [2] C. J. Geyer, Statistical Science 7, 473 (1992): initial monotone sequence.
    [3] M. Betancourt, arXiv:1604.00695 (2016): E-BFMI.
    [4] J. Zhang and M. A. Stephens, Technometrics 51, 316 (2009); A. Vehtari,
        D. Simpson, A. Gelman, Y. Yao and J. Gabry, JMLR 25, 72 (2024): Pareto k.
"""

from collections.abc import Mapping

import numpy as np
from jaxtyping import ArrayLike, Float
from scipy import special, stats

R_HAT_LIMIT = 1.01
ESS_PER_CHAIN = 100.0
E_BFMI_LIMIT = 0.3
SATURATION_LIMIT = 0.01
PARETO_K_LIMIT = 0.7


def r_hat(draws: Float[ArrayLike, "chain draw"]) -> float:
    """Rank-normalised split R̂ = √((B/W + n - 1)/n), the larger of plain and folded.

    The folded one, of |x - median|, sees chains that differ in width only. nan for one
    chain.
    """
    x = np.asarray(draws, dtype=float)
    if not _usable(x) or x.shape[0] < 2:
        return np.nan
    halves = _split(x)
    folded = np.abs(halves - np.median(halves))
    # A draw of two values has a constant fold, which tells nothing.
    values = [_ratio(_normal_scores(halves)), _ratio(_normal_scores(folded))]
    return float(np.nanmax(values)) if not np.all(np.isnan(values)) else np.nan


def ess_bulk(draws: Float[ArrayLike, "chain draw"]) -> float:
    """Effective sample size of the rank-normalised split chains: for the centre."""
    x = np.asarray(draws, dtype=float)
    return _effective(_normal_scores(_split(x))) if _usable(x) else np.nan


def ess_tail(draws: Float[ArrayLike, "chain draw"]) -> float:
    """Smaller effective sample size of the indicators of the 5 % and 95 % quantiles."""
    x = np.asarray(draws, dtype=float)
    if not _usable(x):
        return np.nan
    below = [x <= quantile for quantile in np.quantile(x, [0.05, 0.95])]
    sizes = [_effective(_split(part.astype(float))) for part in below]
    return float(np.min(sizes))


def ess_mean(draws: Float[ArrayLike, "chain draw"]) -> float:
    """Effective sample size of the split chains as they are: for the mean."""
    x = np.asarray(draws, dtype=float)
    return _effective(_split(x)) if _usable(x) else np.nan


def mcse_mean(draws: Float[ArrayLike, "chain draw"]) -> float:
    """Monte Carlo standard error of the mean, sd/√ESS."""
    x = np.asarray(draws, dtype=float)
    if not _usable(x):
        return np.nan
    return float(np.std(x, ddof=1) / np.sqrt(ess_mean(x)))


def e_bfmi(energy: Float[ArrayLike, "chain draw"]) -> Float[np.ndarray, " chain"]:
    """Energy fraction of missing information ⟨(Eₜ - Eₜ₋₁)²⟩/var(E) of each chain."""
    e = np.asarray(energy, dtype=float)
    out = np.full(e.shape[0], np.nan)
    if e.shape[1] < 3:
        return out
    good = np.all(np.isfinite(e), axis=1) & (np.ptp(e, axis=1) > 0)
    spread = np.var(e[good], axis=1, ddof=1)
    out[good] = np.mean(np.square(np.diff(e[good], axis=1)), axis=1) / spread
    return out


def pareto_k(log_ratios: Float[ArrayLike, " draw"]) -> float:
    """Tail index k of importance ratios; over 0.7 their sums cannot be trusted.

    Generalised Pareto fit to the largest min(n/5, 3√n) ratios. inf where the tail has
    fewer than five, or a ratio is nan or infinite; a ratio of zero is allowed.
    """
    log_r = np.asarray(log_ratios, dtype=float)
    if log_r.size == 0 or np.any(np.isnan(log_r)) or np.max(log_r) in (-np.inf, np.inf):
        return np.inf
    log_r = np.sort(log_r - np.max(log_r))
    count = int(np.ceil(min(log_r.size / 5, 3 * np.sqrt(log_r.size))))
    if count >= log_r.size:
        return np.inf
    # Ratios that underflow would give a tail of zeros.
    cut = max(log_r[-count - 1], np.log(np.finfo(float).tiny))
    excess = np.exp(log_r[log_r > cut]) - np.exp(cut)
    return _pareto_shape(excess) if excess.size > 4 and excess[0] > 0 else np.inf


def describe(draws: Float[ArrayLike, "chain draw"]) -> dict[str, float]:
    """Mean, sd, quantiles and convergence of one quantity, by their names in tables."""
    x = np.asarray(draws, dtype=float)
    low, middle, high = np.quantile(x, [0.025, 0.5, 0.975])
    return {
        "mean": float(np.mean(x)),
        "sd": float(np.std(x, ddof=1)) if x.size > 1 else np.nan,
        "q2.5": float(low),
        "q50": float(middle),
        "q97.5": float(high),
        "rhat": r_hat(x),
        "ess_bulk": ess_bulk(x),
        "ess_tail": ess_tail(x),
        "mcse": mcse_mean(x),
    }


def verdict(
    r_hat: Mapping[str, float],
    ess_bulk: Mapping[str, float],
    ess_tail: Mapping[str, float],
    chains: int,
    divergences: int,
    draws: int,
    e_bfmi: ArrayLike,
    saturation: float,
) -> tuple[bool, list[str]]:
    """Whether the sample converged, and for each failure a sentence with its remedy.

    Args:
        r_hat: value of each parameter, as are `ess_bulk` and `ess_tail`.
        ess_bulk: effective sample size of the centre.
        ess_tail: effective sample size of the tails.
        chains: number of chains.
        divergences: divergent transitions in all chains together.
        draws: draws in all chains together.
        e_bfmi: value of each chain; empty for a sampler without energies.
        saturation: share of draws at the largest tree depth.
    """
    reasons = [*_mixing(r_hat, ess_bulk, ess_tail, chains)]
    if divergences > 0:
        share = divergences / max(draws, 1)
        text = f"{divergences} of {draws} transitions diverged"
        if share < 0.01:
            text += ": double the warm-up and raise the target acceptance to 0.98."
        else:
            text += (
                ": reparametrise (log for scales, marginal amplitudes), or use the "
                "ensemble sampler."
            )
        reasons.append(text)
    if not saturation < SATURATION_LIMIT:
        reasons.append(
            f"{100 * saturation:.1f} % of the draws reached the largest tree depth: "
            "use whitening or a dense mass matrix, and check for null directions."
        )
    energies = np.atleast_1d(np.asarray(e_bfmi, dtype=float))
    if energies.size and not np.all(energies > E_BFMI_LIMIT):
        reasons.append(
            f"E-BFMI is {np.min(energies):.2f} in the worst chain (wanted: over "
            f"{E_BFMI_LIMIT}): use a heavier-tailed prior or a robust likelihood."
        )
    return not reasons, reasons


def _mixing(r_hat, bulk, tail, chains):
    """Reasons from R-hat and the effective sample sizes."""
    name, value = _worst(r_hat, largest=True)
    apart = name is not None and not value < R_HAT_LIMIT
    if apart and chains < 2:
        yield "R-hat cannot be told from one chain: run at least two."
    elif apart and value > 1.1:
        yield (
            f"R-hat of {name} is {value:.2f}, the chains sit at different levels: "
            "list the optima of a multistart; use tempered SMC or nested sampling if "
            "there are several."
        )
    elif apart:
        yield (
            f"R-hat of {name} is {value:.3f} (wanted: under {R_HAT_LIMIT}): double "
            "warm-up and draws."
        )
    wanted = ESS_PER_CHAIN * chains
    for kind, sizes in (("bulk", bulk), ("tail", tail)):
        name, value = _worst(sizes, largest=False)
        if name is not None and not value >= wanted:
            yield (
                f"The {kind} effective sample size of {name} is {value:.0f} (wanted: "
                f"{wanted:.0f}): double warm-up and draws."
            )


def _worst(values, largest):
    """Name and value furthest on the bad side; a nan is worse than any number."""
    worst = max if largest else min
    bad = np.inf if largest else -np.inf
    if not values:
        return None, np.nan
    name = worst(values, key=lambda k: bad if np.isnan(values[k]) else values[k])
    return name, float(values[name])


def _usable(x):
    """True for finite draws, at least four per chain, not all equal."""
    return x.shape[1] >= 4 and bool(np.all(np.isfinite(x))) and np.ptp(x) > 0


def _split(x):
    """Halves of each chain as chains; the middle draw of an odd one is left out."""
    half = x.shape[1] // 2
    return np.concatenate([x[:, :half], x[:, -half:]])


def _normal_scores(x):
    """Normal quantiles of the ranks, Φ⁻¹((r - 3/8)/(S + 1/4))."""
    ranks = stats.rankdata(x, axis=None).reshape(x.shape)
    return special.ndtri((ranks - 0.375) / (x.size + 0.25))


def _ratio(x):
    """R-hat of chains as they are; inf where each is constant at its own level."""
    n = x.shape[1]
    between = n * np.var(np.mean(x, axis=1), ddof=1)
    within = np.mean(np.var(x, axis=1, ddof=1))
    if np.ptp(x) == 0:
        return np.nan
    if np.all(np.ptp(x, axis=1) == 0):
        return np.inf
    return float(np.sqrt((between / within + n - 1) / n))


def _effective(x):
    """Number of draws over their autocorrelation time, all chains together."""
    chains, n = x.shape
    if np.ptp(x) == 0:
        return np.nan
    centred = x - np.mean(x, axis=1, keepdims=True)
    padded = 1 << (2 * n - 1).bit_length()
    power = np.mean(np.abs(np.fft.rfft(centred, n=padded, axis=1)) ** 2, axis=0)
    covariance = np.fft.irfft(power)[:n] / n
    within = covariance[0] * n / (n - 1)
    total = covariance[0] + (np.var(np.mean(x, axis=1), ddof=1) if chains > 1 else 0.0)
    rho = 1 - (within - covariance) / total
    rho[0] = 1.0

    # Sums of neighbours are positive and decreasing for a reversible chain: the first
    # that is not is noise, and of it only a positive even term is kept.
    count = (n - 3) // 2 + 1
    even, odd = rho[0 : 2 * count : 2], rho[1 : 2 * count : 2]
    pairs = even + odd
    last = int(np.argmax(pairs <= 0)) if np.any(pairs <= 0) else count - 1
    decreasing = np.minimum.accumulate(pairs[:last])
    time = -1 + 2 * np.sum(decreasing) + max(even[last], 0.0)
    # Antithetic chains may beat independent draws, but not without limit.
    return float(x.size / max(time, 1 / np.log10(x.size)))


def _pareto_shape(excess):
    """Shape k of a generalised Pareto distribution, shrunk to 1/2 by ten draws.

    Posterior mean of b = -k/σ over a data-dependent grid, then k = ⟨log(1 - b x)⟩, with
    k > 0 for a heavy tail.
    """
    x = np.sort(excess)
    n = x.size
    grid = 30 + int(np.sqrt(n))
    steps = np.sqrt(grid / (np.arange(1, grid + 1) - 0.5))
    quartile = x[int(n / 4 + 0.5) - 1]
    if quartile < 1e-290:  # its inverse would overflow
        return np.inf
    b = 1 / x[-1] + (1 - steps) / (3 * quartile)
    k = np.mean(np.log1p(-b[:, None] * x[None, :]), axis=1)
    weights = special.softmax(n * (np.log(-b / k) - k - 1))
    shape = np.mean(np.log1p(-(weights @ b) * x))
    return float((n * shape + 5) / (n + 10))
