"""A problem cut into several: one per group, or shards of the points for consensus.

All parts of one size compile once: they differ in their arrays only.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

import equinox as eqx
import numpy as np

from ..errors import DataError, ModelError
from ..problem import (
    AbstractProblem,
    Amplitude,
    Dataset,
    Parameter,
    ParameterSet,
    Problem,
)

SPLITS = ("random", "groups", "contiguous")


class Shard(NamedTuple):
    """Part of a problem, with the whole problem's labels of what it determines.

    `labels` go with the entries of x, `amplitudes` with the distinct amplitudes, shared
    ones first; `groups` are positions of its groups, `points` those that count.
    """

    problem: Problem
    labels: tuple[str, ...]
    amplitudes: tuple[str, ...]
    groups: tuple[int, ...]
    points: int


def split_groups(problem: AbstractProblem) -> list[Problem]:
    """One problem per group (angle, Q bin, curve), for fits group by group.

    Parameters keep their bounds, priors and ties; of a local one each problem has its
    group's value, called `name[0]` there. An amplitude shared by all groups becomes one
    amplitude per problem. Fits of them, combined again, are `combine_fits`:

        fits = [js.fit(p) for p in js.split_groups(problem)]
        joint = js.combine_fits(fits)

    Raises:
        DataError: streamed data, or a group without a point that counts.
        ModelError: a joint problem.
    """
    whole: Problem = problem.single("js.split_groups", "split its problems one by one")
    given = _in_memory(whole)
    empty = np.flatnonzero(~np.any(np.asarray(given.mask) > 0, axis=1))
    if len(empty):
        raise DataError(
            f"group {', '.join(map(str, empty))}: no point counts, so there is nothing "
            "to fit; leave it out of the data"
        )
    return [of_groups(whole, [g]) for g in range(given.n_groups)]


def of_groups(problem: Problem, index: Sequence[int]) -> Problem:
    """The problem of some of its groups, by their positions."""
    data = _in_memory(problem)
    if len(index) == data.n_groups == 1:
        return problem
    rows = np.asarray(index, int)
    axes = dict(data.dims)
    part = Dataset(
        np.asarray(data.y)[rows],
        np.asarray(data.sigma)[rows] if data.sigma_given else None,
        np.asarray(data.mask)[rows] > 0,
        {
            k: np.asarray(v)[rows] if axes[k][:1] == ("group",) else v
            for k, v in data.coords.items()
        },
        axes,
        dict(data.units),
        data.metadata,
    )
    table = ParameterSet(_of_groups(p, rows) for p in problem.parameters)
    return problem.with_(data=part, parameters=table)


def _of_groups(p: Parameter, rows: np.ndarray) -> Parameter:
    if not p.local:
        return p
    value, lo, hi, scale = (np.asarray(v)[rows] for v in (p.value, *p.bounds, p.scale))
    return p.with_(value=value, bounds=(lo, hi), scale=scale)


def deal(problem: Problem, shards: int, split: str, seed: int) -> list[Shard]:
    """Shards that together hold every point once, each with its share of the priors.

    What several shards see has its prior to the power 1/K in each, K of them; a local
    parameter or amplitude of a group that lies in one shard keeps its whole prior. The
    product of the shards' posteriors over parameters and amplitudes together is then
    the posterior of all data. Flat priors and bounds are their own powers.

    Args:
        problem: amplitudes included, as they will be sampled.
        shards: K.
        split: "random" deals the points like cards, the same number to each shard and
            the same points of all groups; "contiguous" cuts them into runs in their
            order; "groups" deals whole groups in turn.
        seed: of "random".

    Raises:
        DataError: more shards than points or groups, or a group left with too few.
        ModelError: a split the model does not allow.
    """
    given = _in_memory(problem)
    if split not in SPLITS:
        raise ModelError(f"split {split!r} is not known; expected one of {SPLITS}")
    if shards < 2:
        raise DataError(f"shards is {shards}; expected at least 2")
    if split == "groups":
        return _groups_dealt(problem, given, shards)
    if not problem.model.independent_points:
        raise ModelError(
            f"{problem.model.name!r} needs all points of a group together (its "
            "convolution goes through them); use split='groups'"
        )
    groups = range(given.n_groups)
    table = ParameterSet(_tempered(p, 1 / shards) for p in problem.parameters)
    model = _tempered_model(problem, 1 / shards, 1 / shards)
    out = []
    for i, part in enumerate(_points_dealt(given, shards, split, seed)):
        _enough(part, max(1, len(problem.linear)), i, split)
        sub = problem.with_(model=model, data=part, parameters=table)
        out.append(_labelled(sub, problem, groups))
    return out


def _in_memory(problem: Problem) -> Dataset:
    if problem.data.streamed:
        raise DataError(
            "the data are streamed from a file, whose points cannot be dealt out; load "
            "them, or sample the streamed problem as it is"
        )
    return problem.given


def _points_dealt(given: Dataset, shards: int, split: str, seed: int) -> list[Dataset]:
    """Data sets of the points that count in any group, all of one shape.

    Where the points do not divide, a shard is filled up with a point of another one,
    at weight 0: distinct points, as some models need them.
    """
    counted = np.flatnonzero(np.any(np.asarray(given.mask) > 0, axis=0))
    size = -(-len(counted) // shards)
    if len(counted) < 2 * shards:
        raise DataError(
            f"{shards} shards of {len(counted)} points; expected at least 2 points in "
            "each"
        )
    if split == "random":
        counted = np.random.default_rng(seed).permutation(counted)
        parts = [np.sort(counted[i::shards]) for i in range(shards)]
    else:
        parts = np.array_split(counted, shards)
    out = []
    for i, part in enumerate(parts):
        extra = size - len(part)
        filler = parts[(i + 1) % shards][:extra]
        data = given.arranged(np.concatenate([part, filler]))
        mask = np.array(data.mask)
        mask[:, len(part) :] = 0.0
        out.append(eqx.tree_at(lambda d: d.mask, data, mask))
    return out


def _enough(part: Dataset, least: int, number: int, split: str) -> None:
    """Refuse a shard that leaves a group with fewer points than amplitudes."""
    count = np.sum(np.asarray(part.mask) > 0, axis=1)
    few = np.flatnonzero(count < least)
    if len(few):
        raise DataError(
            f"shard {number} has {int(count[few[0]])} points of group {few[0]}, fewer "
            f"than its {least} amplitudes (split={split!r}); take fewer shards or "
            "split='groups'"
        )


def _groups_dealt(problem: Problem, given: Dataset, shards: int) -> list[Shard]:
    if shards > given.n_groups:
        raise DataError(
            f"{shards} shards of {given.n_groups} groups; expected at least one group "
            "in each"
        )
    out = []
    for i in range(shards):
        rows = list(range(i, given.n_groups, shards))
        sub = of_groups(problem, rows)
        table = ParameterSet(
            _tempered(p, 1.0 if p.local else 1 / shards) for p in sub.parameters
        )
        model = _tempered_model(problem, 1 / shards, 1.0)
        sub = sub.with_(model=model, parameters=table)
        out.append(_labelled(sub, problem, rows))
    return out


def _tempered(p: Parameter, power: float) -> Parameter:
    if p.prior is None or power == 1 or not p.free:
        return p
    from ..problem.tempered import Tempered

    return p.with_(prior=Tempered(p.prior, power))


def _tempered_model(problem: Problem, shared: float, local: float) -> Any:
    """The model with its amplitudes' Gaussian priors to a power."""

    def wider(a: Amplitude) -> Amplitude:
        power = shared if a.shared else local
        if a.prior is None or power == 1:
            return a
        mean, sd = a.prior
        prior = (mean, sd / power**0.5)
        return Amplitude(a.name, a.lower, a.upper, a.shared, prior, a.unit)

    model = problem.note.content["arguments"][0]
    wide = tuple(wider(a) for a in model.amplitudes)
    return eqx.tree_at(lambda m: m.amplitudes, model, wide)


def _labelled(sub: Problem, whole: Problem, groups: Sequence[int]) -> Shard:
    labels = []
    for p in sub.parameters.free:
        labels += [f"{p.name}[{g}]" for g in groups] if p.local else [p.name]
    amplitudes = [a.name for a in sub.linear if a.shared]
    several = whole.data.n_groups > 1
    for g in groups:
        local = [a.name for a in sub.linear if not a.shared]
        amplitudes += [f"{n}[{g}]" if several else n for n in local]
    points = int(np.sum(np.asarray(sub.given.mask) > 0))
    return Shard(sub, tuple(labels), tuple(amplitudes), tuple(groups), points)
