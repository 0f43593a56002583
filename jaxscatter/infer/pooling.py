"""Draws of several posteriors pooled into draws of their product (host, NumPy).

Gaussian algebra on sample moments: see `consensus` for the formulas.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Float

from ..errors import SamplingError
from .agreement import Agreement, agreement, pseudo_inverse
from .result import SampleResult
from .shards import Shard

COMBINES = ("full", "diagonal", "robust")
DRAWS_PER_QUANTITY = 20
"""Draws per parameter and amplitude below which their covariances are said to be
noisy: in-sample weights then narrow the combination by about quantities/draws."""


class Piece(NamedTuple):
    """One posterior: draws (chain, draw, quantity) and their moments by label.

    `held` are parameters it says nothing about, with the value they had.
    """

    labels: tuple[str, ...]
    draws: Float[np.ndarray, "c n d"]
    held: dict[str, float]

    @property
    def mean(self) -> Float[np.ndarray, " d"]:
        """Mean of the draws."""
        return self.draws.mean(axis=(0, 1))

    @property
    def sd(self) -> Float[np.ndarray, " d"]:
        """Standard deviation of the draws."""
        flat = self.draws.reshape(-1, len(self.labels))
        return flat.std(axis=0, ddof=1)

    @property
    def information(self) -> Float[np.ndarray, "d d"]:
        """Inverse of the draws' covariance."""
        flat = self.draws.reshape(-1, len(self.labels))
        cov = np.cov(flat.T).reshape(len(self.labels), len(self.labels))
        return pseudo_inverse(cov)[0]


class Pool(NamedTuple):
    """Draws of the product over `labels`; `held` are what no piece says anything of.

    `dropped` are positions of pieces left out, `said` what the user must know.
    """

    labels: tuple[str, ...]
    all_labels: tuple[str, ...]
    draws: Float[np.ndarray, "c n d"]
    held: dict[str, float]
    dropped: tuple[int, ...]
    agreement: Agreement
    said: tuple[str, ...]


def piece(shard: Shard, post: SampleResult) -> Piece:
    """Draws of a shard under the whole problem's labels, amplitudes included.

    A parameter its data do not see has its share of the prior as its posterior: if that
    has curvature it is the Gaussian of that curvature, else it says nothing.
    """
    own = shard.problem.parameters.labels
    names = dict(zip(own, shard.labels, strict=True))
    labels = [names[n] for n in own if n in post.draws]
    draws = [post.draws[n] for n in own if n in post.draws]
    for label, values in zip(shard.amplitudes, post.linear_draws.values(), strict=True):
        labels.append(label)
        draws.append(values)
    held: dict[str, float] = {}
    rng = np.random.default_rng(post.provenance["seed"])
    for n, value in post.held.items():
        centre, width = _prior_alone(shard, own.index(n), value)
        if np.isfinite(width):
            labels.append(names[n])
            draws.append(centre + width * rng.normal(size=draws[0].shape))
        else:
            held[names[n]] = value
    return Piece(tuple(labels), np.stack(draws, axis=-1), held)


def _prior_alone(shard: Shard, index: int, value: float) -> tuple[float, float]:
    """Mean and standard deviation of a prior taken as Gaussian about `value`."""
    table = shard.problem.parameters
    x = table.pack()

    def log_prior(v: jax.Array) -> jax.Array:
        return table.log_prior(x.at[index].set(v))

    at = jnp.asarray(value)
    slope = float(jax.grad(log_prior)(at))
    curved = -float(jax.grad(jax.grad(log_prior))(at))
    if not curved > 0:
        return value, np.inf
    return value + slope / curved, curved**-0.5


def pooled(pieces: Sequence[Piece], labels: tuple[str, ...], combine: str) -> Pool:
    """Draws of the product of posteriors, each taken as a Gaussian.

    Args:
        pieces: posteriors of the shards.
        labels: of all quantities.
        combine: one of `COMBINES`.

    Raises:
        SamplingError: draws that do not vary, or only one usable piece.
    """
    dropped, said = (), ()
    if combine == "robust":
        dropped, said = _outlying(pieces, labels)
    used = [p for i, p in enumerate(pieces) if i not in dropped]
    for i, p in enumerate(pieces):
        still = [n for n, sd in zip(p.labels, p.sd, strict=True) if not sd > 0]
        if still and i not in dropped:
            raise SamplingError(
                f"the draws of shard {i} do not vary in {', '.join(still)}; "
                "combine='robust' leaves such shards out"
            )
    known = tuple(n for n in labels if any(n in p.labels for p in used))
    held = {n: v for p in reversed(pieces) for n, v in p.held.items()}
    held = {n: v for n, v in held.items() if n not in known}
    chains = min(p.draws.shape[0] for p in used)
    count = min(p.draws.shape[1] for p in used)
    total = np.zeros((len(known), len(known)))
    pull = np.zeros((chains, count, len(known)))
    means = np.zeros((len(used), len(known)))
    sds = np.full((len(used), len(known)), np.inf)
    information = np.zeros((len(used), len(known), len(known)))
    for s, p in enumerate(used):
        at = np.array([known.index(n) for n in p.labels])
        own = p.information
        information[s][np.ix_(at, at)] = own
        if combine == "diagonal":
            own = np.diag(p.sd**-2.0)
        total[np.ix_(at, at)] += own
        pull[..., at] += p.draws[:chains, :count] @ own
        means[s, at], sds[s, at] = p.mean, p.sd
    inverse, rank = pseudo_inverse(total)
    if rank < len(known):
        raise SamplingError(
            "the shards' covariances do not determine all combinations of parameters; "
            "take more draws or fewer shards"
        )
    draws = pull @ inverse
    centre = draws.mean(axis=(0, 1))
    agrees = agreement(known, _filled(means, sds, centre), information, sds, centre)
    said = (*agrees.sentences("shard"), *said, *_noisy(used))
    return Pool(known, labels, draws, held, dropped, agrees, said)


def _filled(means: np.ndarray, sds: np.ndarray, centre: np.ndarray) -> np.ndarray:
    return np.where(np.isfinite(sds), means, centre[None])


def _noisy(pieces: Sequence[Piece]) -> tuple[str, ...]:
    quantities = max(len(p.labels) for p in pieces)
    made = min(p.draws.shape[0] * p.draws.shape[1] for p in pieces)
    if made >= DRAWS_PER_QUANTITY * quantities:
        return ()
    return (
        f"{made} draws per shard for {quantities} parameters and amplitudes: their "
        "covariances are noisy and the combination too narrow; take more draws",
    )


def _outlying(
    pieces: Sequence[Piece], labels: tuple[str, ...]
) -> tuple[tuple[int, ...], tuple[str, ...]]:
    """Pieces to leave out, and why."""
    why: dict[int, list[str]] = {}
    for i, p in enumerate(pieces):
        still = [n for n, sd in zip(p.labels, p.sd, strict=True) if not sd > 0]
        if still:
            why[i] = [f"does not vary in {', '.join(still)}"]
    for n in labels:
        rows = [
            (i, p.mean[p.labels.index(n)], p.sd[p.labels.index(n)])
            for i, p in enumerate(pieces)
            if n in p.labels and i not in why
        ]
        if len(rows) < 3:
            continue
        x = np.array([m for _, m, _ in rows])
        away = np.abs(x - np.median(x))
        limit = 3 * 1.4826 * np.median(away)
        for (i, _, sd), a in zip(rows, away, strict=True):
            # with few shards the MAD may be small by chance
            if a > limit and a > 3 * sd:
                why.setdefault(i, []).append(f"lies far off in {n}")
    if len(pieces) - len(why) < 2:
        raise SamplingError(
            "combine='robust' leaves fewer than two shards: "
            + "; ".join(f"shard {i} {', '.join(w)}" for i, w in why.items())
        )
    return tuple(sorted(why)), tuple(
        f"shard {i} is left out: it {' and '.join(why[i])}; the widths are those of "
        "the other shards' data"
        for i in sorted(why)
    )
