"""Many data sets of one structure, fitted side by side: stacked arrays, rounds of vmap.

A lane is one data set with its own fit. What differs between lanes is stacked on the
host along a leading axis; the model, the parameter table and coordinates that all lanes
share are there once. The trust region runs a few trials on all lanes of a block at a
time. Finished lanes then leave, and what is left closes ranks, so that no lane waits
long for a slower one and blocks keep their one shape: the data are arguments of three
compiled functions, which serve any number of lanes.

`Many` does the running and knows nothing about starts, errors or what is reported.
"""

import concurrent.futures
import dataclasses
import os
from collections.abc import Callable, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array

from ..errors import DataError, DeviceError, ModelError
from ..problem import AbstractModel, Dataset, ParameterSet, Problem
from ..problem import amplitudes as amp
from ..problem.static import PureFunction
from . import trust_region as tr
from .box import Box, box
from .providers import DENSE_LIMIT, Objective, automatic, tangent_count

TRIALS = 8
"""Trials between two rounds: most fits end within, and a round more costs its calls."""
BLOCKS = {"cpu": 256, "gpu": 1 << 14, "tpu": 1 << 14}
"""Lanes that run together: on a CPU those of one core, whose data its caches hold."""
_SERIES = "y", "sigma", "mask"
_NOT_TRACEABLE = (
    jax.errors.TracerArrayConversionError,
    jax.errors.TracerIntegerConversionError,
    jax.errors.ConcretizationTypeError,
    jax.errors.NonConcreteBooleanIndexError,
)


def stacked(data: Dataset | Sequence) -> Dataset:
    """The data sets as one `Dataset` whose arrays have a leading lane axis.

    One data set gives a lane per group. Several need the same groups, coordinates and
    units; unequal lengths are padded with weight 0 to the next power of two.
    Coordinates that are the same in all lanes stay as they are, without that axis.

    Raises:
        DataError: what does not fit together, by its position.
    """
    if isinstance(data, Dataset):
        lead = {k: d[:1] == ("group",) for k, d in data.dims}
        coords = {
            k: np.asarray(v)[:, None] if lead[k] else np.asarray(v)
            for k, v in data.coords.items()
        }
        series = {k: np.asarray(getattr(data, k))[:, None] for k in _SERIES}
        return _replaced(data, series | {"coords": coords})
    sets = list(data)
    if not sets:
        raise DataError("datasets is empty; expected at least one Dataset")
    for k, d in enumerate(sets):
        if not isinstance(d, Dataset):
            raise DataError(
                f"datasets[{k}] is a {type(d).__name__}; expected a Dataset in memory"
            )
        for what in ("n_groups", "dims", "units"):
            there, first = getattr(d, what), getattr(sets[0], what)
            if there != first:
                raise DataError(
                    f"datasets[{k}] has {what} {there}, datasets[0] has {first}; all "
                    "need the same structure"
                )
    longest = max(d.n_points for d in sets)
    if any(d.n_points != longest for d in sets):
        longest = 1 << (longest - 1).bit_length()
        order = np.arange(longest)
        sets = [d.arranged(np.where(order < d.n_points, order, -1)) for d in sets]
    coords = {}
    for name in sets[0].coords:
        every = [np.asarray(d.coords[name]) for d in sets]
        shapes = [v.shape for v in every]
        for k, shape in enumerate(shapes):
            if shape != shapes[0]:
                raise DataError(
                    f"coordinate {name!r} of datasets[{k}] has shape {shape}, of "
                    f"datasets[0] {shapes[0]}"
                )
        same = all(np.array_equal(v, every[0]) for v in every)
        coords[name] = every[0] if same else np.stack(every)
    series = {k: np.stack([np.asarray(getattr(d, k)) for d in sets]) for k in _SERIES}
    return _replaced(sets[0], series | {"coords": coords})


def _replaced(data: Dataset, values: dict[str, Any]) -> Dataset:
    new = object.__new__(Dataset)
    for f in dataclasses.fields(Dataset):
        object.__setattr__(new, f.name, values.get(f.name, getattr(data, f.name)))
    return new


class Many:
    """A problem's model and parameters on every lane of stacked data.

    Args:
        make: problem of one `Dataset`.
        data: from `stacked`.
        block: most lanes that run together, default `BLOCKS`; fewer where a lane is
            large. Rounded down to a power of two.

    Raises:
        DeviceError: a problem that is spread over a mesh.
    """

    def __init__(
        self,
        make: Callable[[Dataset], Problem],
        data: Dataset,
        block: int | None = None,
    ):
        self.given, self.count = data, len(data.y)
        self._make, self._lane = make, _lane_axes(data)
        first = make(self.data(0))
        if first.mesh is not None:
            raise DeviceError(
                "a batch runs on one device; give a problem that is not sharded"
            )
        self.template = automatic(first)
        self._lanes, self._rest = self._split()
        per_lane = data.y[0].size * (tangent_count(self.template) + 1)
        per_lane *= max(1, len(self.template.model.amplitudes))
        room = max(1, int(DENSE_LIMIT / per_lane))
        block = block or BLOCKS.get(jax.default_backend(), BLOCKS["cpu"])
        wanted = min(block, 1 << (self.count - 1).bit_length(), room)
        self.block = 1 << (max(1, wanted).bit_length() - 1)
        self.limits = box(self.template)

    def data(self, lane: int) -> Dataset:
        """The data of one lane, padding included."""
        given = self.given
        series = {k: np.asarray(getattr(given, k))[lane] for k in _SERIES}
        coords = {k: v[lane] if self._lane[k] else v for k, v in given.coords.items()}
        return _replaced(given, series | {"coords": coords})

    def problem(self, lane: int) -> Problem:
        """The problem of one lane."""
        return self._make(self.data(lane))

    @property
    def n_valid(self) -> np.ndarray:
        """Points of each lane that count."""
        return np.sum(np.asarray(self.given.mask), axis=(1, 2))

    def _split(self) -> tuple[Any, Any]:
        """(what is stacked by lane, what all share), each as a problem with holes."""
        template = self.template
        if template.block is not None:  # every lane has an order of points of its own
            return self._arranged()
        target = template.data
        extra = target.n_points - self.given.y.shape[2]

        def along(name: str, v: Any, like: Any) -> np.ndarray:
            v = np.asarray(v)
            dims = ("group", "point") if name in _SERIES else dict(target.dims)[name]
            if extra and "point" in dims:  # padding to whole chunks
                width = [(0, 0)] * (v.ndim - len(dims) + dims.index("point"))
                width += [(0, extra)] + [(0, 0)] * (v.ndim - len(width) - 1)
                v = np.pad(v, width, mode="constant" if name == "mask" else "edge")
            return v.astype(like.dtype, copy=False)

        values: dict[str, Any] = {
            n: along(n, getattr(self.given, n), target.y) for n in _SERIES
        }
        values["coords"] = {
            k: along(k, v, target.coords[k]) if self._lane[k] else None
            for k, v in self.given.coords.items()
        }
        empty = jax.tree.map(lambda _: None, template)
        lanes = _with_data(empty, _replaced(target, values))
        shared = {k: None if self._lane[k] else v for k, v in target.coords.items()}
        none = dict.fromkeys(_SERIES) | {"coords": shared}
        return lanes, _with_data(template, _replaced(target, none))

    def _arranged(self) -> tuple[Any, Any]:
        """The same where the model puts the points in an order of its own."""

        def own(problem: Problem) -> Any:
            return problem.data, problem.pilot, problem.place

        parts = [own(self.problem(k)) for k in range(self.count)]
        shapes = [jax.tree.map(np.shape, part) for part in parts]
        for k, shape in enumerate(shapes):
            if shape != shapes[0]:
                raise ModelError(
                    f"{self.template.model.name!r} arranges the points of datasets[{k}]"
                    " otherwise than those of datasets[0]; fit them one by one"
                )
        several = jax.tree.map(lambda *v: np.stack([np.asarray(a) for a in v]), *parts)
        empty = jax.tree.map(lambda _: None, self.template)
        hollow = jax.tree.map(lambda _: None, own(self.template))
        return (
            eqx.tree_at(own, empty, several, is_leaf=lambda v: v is None),
            eqx.tree_at(own, self.template, hollow),
        )

    def take(self, index: np.ndarray) -> Any:
        """The stacked part of some lanes."""
        run = np.arange(index[0], index[0] + len(index))
        at = slice(index[0], index[-1] + 1) if np.array_equal(index, run) else index
        return jax.tree.map(lambda v: v[at], self._lanes)

    def start(
        self, index: np.ndarray, x: np.ndarray, options: tr.Options, size: int = 0
    ) -> tr.State:
        """States of the lanes of `index` at x (B, p), as arrays on the host."""

        def run(lanes: Any, at: np.ndarray) -> tr.State:
            return _begin(self._rest, lanes, self.limits, x[at], options)

        return self._over(index, size or self.block, run)

    def advance(
        self, state: tr.State, index: np.ndarray, options: tr.Options, size: int = 0
    ) -> None:
        """Some more trials of the lanes of `index`, written into `state` (B, ...)."""

        def run(lanes: Any, at: np.ndarray) -> tr.State:
            mine = jax.tree.map(lambda v: v[at], state)
            return _go_on(
                self._rest, lanes, self.limits, mine, options, jnp.asarray(TRIALS)
            )

        put(state, index, self._over(index, size or self.block, run))

    def end(self, x: np.ndarray) -> dict[str, np.ndarray]:
        """What results need of every lane at its end point, see `_ended`."""
        return self._over(
            np.arange(self.count),
            self.block,
            lambda lanes, at: _ended(self._rest, lanes, x[at]),
        )

    def curves(self, x: np.ndarray) -> np.ndarray:
        """Model curves (B, group, point) at x (B, p)."""
        return self._over(
            np.arange(self.count),
            self.block,
            lambda lanes, at: _predicted(self._rest, lanes, x[at]),
        )

    def guesses(self, guess: Callable[[Dataset], Any]) -> Any:
        """What `guess` says of every lane, stacked; it may be written in JAX or not."""
        own = {k: v if self._lane[k] else None for k, v in self.given.coords.items()}
        rest = {k: None if self._lane[k] else v for k, v in self.given.coords.items()}
        try:
            return _guessed(
                PureFunction(guess),
                _replaced(self.given, {"coords": own}),
                _replaced(self.given, dict.fromkeys(_SERIES) | {"coords": rest}),
            )
        except _NOT_TRACEABLE:
            every = [guess(self.data(k)) for k in range(self.count)]
            return jax.tree.map(lambda *v: np.stack([np.asarray(n) for n in v]), *every)

    def _over(
        self, index: np.ndarray, size: int, run: Callable[[Any, np.ndarray], Any]
    ) -> Any:
        """`run` on blocks of lanes of one size, joined; the last repeats its own.

        A compiled block keeps one core busy, so blocks run in threads.
        """

        def one(first: int) -> Any:
            mine = index[first : first + size]
            padded = np.concatenate([mine, np.full(size - len(mine), mine[-1])])
            out = run(self.take(padded), padded)
            return jax.tree.map(lambda v: np.asarray(v)[: len(mine)], out)

        starts = range(0, len(index), size)
        workers = min(len(starts), os.cpu_count() or 1)
        if workers == 1 or jax.default_backend() != "cpu":
            parts = [one(first) for first in starts]
        else:
            parts = [one(0)]  # compiles, which the others would all do again
            pool = concurrent.futures.ThreadPoolExecutor(workers)
            try:
                parts += pool.map(one, starts[1:])
            finally:
                pool.shutdown(cancel_futures=True)
        return jax.tree.map(lambda *v: np.concatenate(v), *parts)


def put(state: Any, index: np.ndarray, new: Any) -> None:
    """Write the rows of `new` into those of `state` that `index` names."""
    for old, value in zip(jax.tree.leaves(state), jax.tree.leaves(new), strict=True):
        old[index] = value


def _lane_axes(data: Dataset) -> dict[str, bool]:
    """Which coordinates have a lane axis in front of their own."""
    return {k: np.ndim(data.coords[k]) > len(d) for k, d in data.dims}


def _with_data(problem: Any, data: Any) -> Any:
    return eqx.tree_at(
        lambda p: p.data, problem, data, is_leaf=lambda v: isinstance(v, Dataset)
    )


def _objective(rest: Any, lane: Any) -> tuple[Objective, Array]:
    """Objective of one lane, and the points that count."""
    problem = eqx.combine(lane, rest)
    return Objective(problem, jnp.zeros(())), problem.data.count


@eqx.filter_jit
def _begin(rest: Any, lanes: Any, limits: Box, x: Any, options: tr.Options) -> tr.State:
    def one(lane: Any, x: Array) -> tr.State:
        o, n = _objective(rest, lane)
        return tr.start(
            o.normal, x, limits.lo, limits.hi, limits.scale, n, options, exact=o.exact
        )

    return jax.vmap(one)(lanes, jnp.asarray(x))


@eqx.filter_jit
def _go_on(
    rest: Any, lanes: Any, limits: Box, state: Any, options: tr.Options, trials: Any
) -> tr.State:
    def one(lane: Any, state: tr.State) -> tr.State:
        o, n = _objective(rest, lane)
        return tr.advance(
            state,
            o.normal,
            None,
            limits.lo,
            limits.hi,
            limits.scale,
            n,
            options,
            exact=o.exact,
            trials=trials,
            wrap=limits.wrap,
        )

    return jax.vmap(one)(lanes, jax.tree.map(jnp.asarray, state))


@eqx.filter_jit
def _ended(rest: Any, lanes: Any, x: Any) -> dict[str, Array]:
    """Curvature, null mask, χ² and amplitudes with what their errors are made of."""

    def one(lane: Any, x: Array) -> dict[str, Array]:
        problem = eqx.combine(lane, rest)
        triple, (end,) = problem.end(x)
        solution, n = end.solution, end.n
        c_ss, c_ll, _ = amp.covariance(problem.linear, solution)
        s, el = amp.split(problem.linear)
        n_s, n_l = jnp.sum(n[:, s], axis=0), n[:, el]
        response = amp.solve_arrow(solution.reduced, solution.schur, n_s, n_l)
        own_l = jnp.diagonal(c_ll, axis1=1, axis2=2)

        def flat(shared: Array, local: Array) -> Array:
            rows = int(np.prod(local.shape[:-1])) if shared.ndim > 1 else local.size
            return jnp.concatenate([shared, local.reshape(rows, *shared.shape[1:])])

        return {
            "hessian": triple.hessian,
            "gradient": triple.gradient,
            "null": triple.null,
            "cost": triple.cost,
            "chi2": jnp.sum(end.chi2),
            "amplitudes": flat(solution.shared, jnp.ravel(solution.local)),
            "free": flat(solution.free_shared, jnp.ravel(solution.free_local)),
            "own": flat(jnp.diagonal(c_ss), jnp.ravel(own_l)),
            "response": flat(*response),
        }

    return jax.vmap(one)(lanes, jnp.asarray(x))


@eqx.filter_jit
def _predicted(rest: Any, lanes: Any, x: Any) -> Array:
    return jax.vmap(lambda lane, x: eqx.combine(lane, rest).predict(x))(
        lanes, jnp.asarray(x)
    )


@eqx.filter_jit
def _guessed(guess: PureFunction, lanes: Dataset, rest: Dataset) -> Any:
    return jax.vmap(lambda lane: guess(eqx.combine(lane, rest)))(lanes)


def problem_of(
    model: Any, data: Dataset, **arguments: Any
) -> Callable[[Dataset], Problem]:
    """How to make the problem of one lane from the model and the stacked data.

    A parameter of the noise starts from all lanes together.
    """
    if isinstance(model, Problem):
        if arguments:
            raise ModelError(
                f"{sorted(arguments)} come with a Problem; change it by `with_`"
            )
        return lambda lane: model.with_(data=lane)
    if not isinstance(model, AbstractModel):
        raise ModelError(
            f"fit_batch takes a model or the Problem of one; got a "
            f"{type(model).__name__}"
        )
    parameters, likelihood = arguments.get("parameters"), arguments.get("likelihood")
    rows = _replaced(
        data, {k: np.concatenate(np.asarray(getattr(data, k))) for k in _SERIES}
    )
    more = likelihood.parameters(rows) if likelihood is not None else ()

    def make(lane: Dataset) -> Problem:
        if not more:
            return Problem(model, lane, **arguments)
        table: Any = parameters if _is_table(parameters) else model.parameters
        table = table.extended(*(p for p in more if p.name not in table))
        new = Problem(model, lane, **{**arguments, "parameters": table})
        if parameters is None or _is_table(parameters):
            return new
        return new.with_(parameters=parameters)

    return make


def _is_table(parameters: Any) -> bool:
    return isinstance(parameters, ParameterSet)
