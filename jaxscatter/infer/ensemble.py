"""Ensemble samplers of numpyro, for models whose gradient is of no use.

Two independent ensembles stand in for chains: walkers of one ensemble know each other,
so R-hat between them says nothing.

References:
    [1] J. Goodman and J. Weare, Commun. Appl. Math. Comput. Sci. 5, 65 (2010).
    [2] M. Karamanis and F. Beutler, Stat. Comput. 31, 61 (2021).
"""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import SamplingError
from ..problem import AbstractProblem
from .nuts import Target, block_size, named
from .progress import Reporter
from .provenance import key
from .sampling import dispersed

ENSEMBLES = 2


def _kernel(target: Target, method: str, mode: str, warmup: int, u: Array) -> Any:
    from numpyro.infer import AIES, ESS

    cls = {"aies": AIES, "ess": ESS}[method]

    def potential(v: Array) -> Array:
        return target.potential(v, mode)

    # numpyro checks the weights of the moves in Python
    with jax.ensure_compile_time_eval():
        both = {AIES.DEMove(): 1.0, AIES.StretchMove(): 1.0}
        extra = {"moves": both} if method == "aies" else {}
        kernel = cls(potential_fn=potential, **extra)
    keys = jax.random.split(jax.random.key(0), u.shape[0])
    legacy = jax.vmap(jax.random.key_data)(keys)
    return kernel, kernel.init(legacy, warmup, u, (), {})


@eqx.filter_jit
def _steps(
    target: Target,
    method: str,
    mode: str,
    warmup: int,
    state: Any,
    u: Array,
    count: int,
) -> tuple[Any, Array]:
    """`count` steps of one ensemble: (state, u (step, walker, p))."""
    # a fresh kernel per trace; its `init` sets what `sample` reads
    kernel, first = _kernel(target, method, mode, warmup, u)
    if state is None:
        state = first

    def one(state: Any, _: None) -> tuple[Any, Array]:
        state = kernel.sample(state, (), {})
        return state, state.z

    return jax.lax.scan(one, state, None, length=count)


def run_ensembles(
    problem: AbstractProblem,
    method: str,
    mode: str,
    centre: Float[Array, " p"],
    options: dict[str, Any],
    seed: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """Draws x (ensemble, walker x step, p) and statistics."""
    p = problem.n_parameters
    walkers = options["walkers"] or max(2 * p, 16) + max(2 * p, 16) % 2
    if walkers < 2 * p or walkers % 2:
        raise SamplingError(
            f"walkers is {walkers}; expected an even number of at least {2 * p}"
        )
    target = Target(problem, jnp.zeros(p), None)
    warmup, draws = options["warmup"], options["draws"]
    points, _ = dispersed(problem, centre, ENSEMBLES * walkers, seed, mode)
    u = jax.vmap(problem.coordinates.to_u)(points).reshape(ENSEMBLES, walkers, p)
    keys = jax.random.split(key(seed, "nuts"), ENSEMBLES)
    chains, stopped = [], False
    total = warmup + draws
    block = block_size(warmup, draws)
    for e in range(ENSEMBLES):
        state, kept = _first(target, method, mode, warmup, u[e], keys[e]), []
        done = 0
        try:
            while done < total and not stopped:
                end = warmup if done < warmup else total
                count = min(block, end - done)
                state, path = _steps(target, method, mode, warmup, state, u[e], count)
                if done >= warmup:
                    kept.append(np.asarray(path))
                done += count
                tag = f"{method} ensemble {e + 1}/{ENSEMBLES}"
                stopped = not reporter(tag, done, total, 0.0)
        except KeyboardInterrupt:
            stopped = True
        if kept:
            chains.append(np.concatenate(kept))
        if stopped:
            break
    if not chains:
        raise SamplingError("stopped during warm-up: there are no draws")
    count = min(len(c) for c in chains)
    path = np.stack([c[:count] for c in chains])
    moved = np.mean(np.any(path[:, 1:] != path[:, :-1], axis=-1)) if count > 1 else 0.0
    # walkers one after another, so that each keeps its own time order
    flat = np.swapaxes(path, 1, 2).reshape(len(chains) * walkers * count, p)
    x = np.asarray(named(target, jnp.asarray(flat)))
    return {
        "x": x.reshape(len(chains), walkers * count, p),
        "stats": {},
        "statistics": {"accept": float(moved), "walkers": float(walkers)},
        "stopped": stopped,
    }


def _first(
    target: Target, method: str, mode: str, warmup: int, u: Array, rng: Array
) -> Any:
    """Initial state of an ensemble with its own random key."""
    _, state = _kernel(target, method, mode, warmup, u)
    data = jax.random.key_data(rng)
    return state._replace(
        rng_key=data, inner_state=state.inner_state._replace(rng_key=data + 1)
    )
