"""NUTS on numpyro's functional kernel, with the problem as an argument.

Parameters are sampled in u = centre + L v (L = 1 unless whitened), the unconstrained
image of the sampling coordinates. One compiled block of 100 steps serves warm-up,
draws, progress and interruption, for any data of the same shape.

References:
    [1] M. D. Hoffman and A. Gelman, J. Mach. Learn. Res. 15, 1593 (2014).
"""

import math
import pathlib
import time
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import SamplingError
from ..problem import AbstractProblem
from . import diagnostics
from .checkpoint import Checkpoint, fingerprint
from .progress import Reporter
from .provenance import key
from .sampling import dispersed

BLOCK = 100
SLOW_GRADIENT = 0.25
# The adaptation draws towards ten times this; from numpyro's 1 it first shoots far over
# and then far under, into trees of full depth.
FIRST_STEP = 0.07


def block_size(warmup: int, draws: int) -> int:
    """Steps per compiled block: at most `BLOCK`, dividing both phases if it can.

    A block of another length is another compilation.
    """
    both = math.gcd(warmup, draws)
    best = max(n for n in range(1, BLOCK + 1) if both % n == 0)
    return best if best >= BLOCK // 5 else BLOCK


class Settings(NamedTuple):
    """What is compiled into the kernel."""

    mode: str
    warmup: int
    target_accept: float
    max_depth: int
    dense_mass: bool


class Target(eqx.Module):
    """Problem, affine map of the sampled coordinates, and their Laplace covariance.

    The covariance is where the adaptation of the mass matrix starts: from the identity,
    the first hundred draws would be made of full-depth trees.
    """

    problem: AbstractProblem
    shift: Float[Array, " p"]
    root: Float[Array, "p p"] | None
    mass: Float[Array, "p p"] | None = None

    def to_u(self, v: Float[Array, " p"]) -> Float[Array, " p"]:
        """Unconstrained coordinates of the sampled ones."""
        return v if self.root is None else self.shift + self.root @ v

    def to_x(self, v: Float[Array, " p"]) -> Float[Array, " p"]:
        """Named parameters of the sampled coordinates."""
        return self.problem.coordinates.to_x(self.to_u(v))[0]

    def potential(self, v: Float[Array, " p"], mode: str) -> Float[Array, ""]:
        """-log posterior density over v."""
        x, log_jacobian = self.problem.coordinates.to_x(self.to_u(v))
        value = -self.problem.logpost(x, mode) - log_jacobian
        return jnp.where(jnp.isnan(value), jnp.inf, value)


def _kernel(
    target: Target, settings: Settings, v: Array, rng: Array, evaluate: bool = True
) -> Any:
    """(initial state, step) of numpyro's kernel; `init` also configures `step`.

    Without `evaluate` the initial state is of no use, and costs no log density.
    """
    from numpyro.infer.hmc import hmc

    def generate(target: Target | None) -> Any:
        if target is None:
            return lambda v: 0.5 * jnp.sum(jnp.square(v))
        return lambda v: target.potential(v, settings.mode)

    mass = target.mass
    if mass is not None and not settings.dense_mass:
        mass = jnp.diagonal(mass)
    init, step = hmc(potential_fn_gen=generate, algo="NUTS")
    state = init(
        v,
        settings.warmup,
        step_size=FIRST_STEP,
        inverse_mass_matrix=mass,
        dense_mass=settings.dense_mass,
        target_accept_prob=settings.target_accept,
        max_tree_depth=settings.max_depth,
        model_args=(target if evaluate else None,),
        rng_key=rng,
    )
    return state, step


@eqx.filter_jit
def _begin(target: Target, settings: Settings, v: Array, rng: Array) -> Any:
    return jax.vmap(lambda v, k: _kernel(target, settings, v, k)[0])(v, rng)


def _steps(
    target: Target, settings: Settings, states: Any, v: Array, rng: Array, count: int
) -> tuple[Any, dict[str, Array]]:
    """`count` steps of every chain, with what is kept of each."""
    _, step = _kernel(target, settings, v, rng, evaluate=False)

    def one(states: Any, _: None) -> tuple[Any, dict[str, Array]]:
        states = jax.vmap(lambda s: step(s, model_args=(target,), model_kwargs={}))(
            states
        )
        return states, {
            "v": states.z,
            "potential_energy": states.potential_energy,
            "energy": states.energy,
            "num_steps": states.num_steps,
            "accept_prob": states.accept_prob,
            "diverging": states.diverging,
            "step_size": states.adapt_state.step_size,
        }

    return jax.lax.scan(one, states, None, length=count)


@eqx.filter_jit
def _block(
    target: Target,
    settings: Settings,
    states: Any,
    v: Array,
    rng: Array,
    count: int,
    devices: int,
) -> tuple[Any, dict[str, Array]]:
    """A block of steps, chains side by side or one per device."""
    if devices == 1:
        return _steps(target, settings, states, v, rng, count)
    mesh = jax.make_mesh(
        (devices,), ("chain",), axis_types=(jax.sharding.AxisType.Auto,)
    )
    spec = jax.sharding.PartitionSpec
    dynamic, static = eqx.partition(target, eqx.is_array)

    def run(dynamic: Any, states: Any) -> Any:
        return _steps(eqx.combine(dynamic, static), settings, states, v, rng, count)

    return jax.shard_map(
        run,
        mesh=mesh,
        in_specs=(spec(), spec("chain")),
        out_specs=(spec("chain"), spec(None, "chain")),
        check_vma=False,
    )(dynamic, states)


@eqx.filter_jit
def named(target: Target, v: Float[Array, "d p"]) -> Float[Array, "d p"]:
    """Named parameters of many sampled points, compiled."""
    return jax.vmap(target.to_x)(v)


@eqx.filter_jit
def _in_coordinates(
    problem: AbstractProblem, centre: Array, points: Array, cov: Array
) -> tuple[Array, Array, Array]:
    """Points, centre and covariance of x in the unconstrained coordinates."""
    coordinates = problem.coordinates
    at = coordinates.to_u(centre)
    jacobian = jax.jacfwd(coordinates.to_u)(coordinates.to_x(at)[0])
    return jax.vmap(coordinates.to_u)(points), at, jacobian @ cov @ jacobian.T


@eqx.filter_jit
def _gradient(problem: AbstractProblem, x: Array, mode: str) -> Any:
    return jax.value_and_grad(lambda x: problem.loglike(x, mode))(x)


def _choose(problem: AbstractProblem, x: Array, mode: str, chains: int) -> str:
    """Chain method by devices and by the time of one gradient."""
    if problem.mesh is not None:
        return "vectorized"  # the devices share the points
    if jax.local_device_count() >= chains > 1:
        return "parallel"
    if problem.n_total > 1e5:
        jax.block_until_ready(_gradient(problem, x, mode))
        begin = time.monotonic()
        jax.block_until_ready(_gradient(problem, x, mode))
        if time.monotonic() - begin > SLOW_GRADIENT:
            return "sequential"
    return "vectorized"


def run_nuts(
    problem: AbstractProblem,
    mode: str,
    centre: Float[Array, " p"],
    options: dict[str, Any],
    seed: int,
    reporter: Reporter,
) -> dict[str, Any]:
    """Draws x (chain, draw, p) and statistics; see `sample` for the options."""
    chains, warmup, draws = options["chains"], options["warmup"], options["draws"]
    if min(chains, draws) < 1 or warmup < 0:
        raise SamplingError(
            f"chains = {chains}, warmup = {warmup}, draws = {draws}: expected at least "
            "one chain and one draw"
        )
    settings = Settings(
        mode,
        warmup,
        options["target_accept"],
        options["max_depth"],
        bool(options["dense_mass"]),
    )
    points, cov = dispersed(problem, centre, chains, seed, mode)
    u, at, mass = _in_coordinates(problem, centre, points, cov)
    shift, root = jnp.zeros_like(centre), None
    if options["whiten"]:
        w, vectors = jnp.linalg.eigh(mass)
        shift = at
        root = vectors * jnp.sqrt(jnp.maximum(w, 1e-12 * jnp.max(w)))[None, :]
        u = jnp.linalg.solve(root, (u - shift[None]).T).T
        mass = jnp.eye(len(at))
    usable = bool(jnp.all(jnp.isfinite(mass)) & jnp.all(jnp.linalg.eigvalsh(mass) > 0))
    target = Target(problem, shift, root, mass if usable else None)
    keys = jax.random.split(key(seed, "nuts"), chains)
    method = options["chain_method"] or _choose(problem, centre, mode, chains)
    if method not in ("vectorized", "parallel", "sequential"):
        raise SamplingError(
            f"chain_method {method!r} is not known; expected 'vectorized', 'parallel' "
            "or 'sequential'"
        )
    if method == "parallel" and problem.mesh is not None:
        raise SamplingError(
            "the points of this problem are spread over the devices; chains on devices "
            "of their own need the problem before js.shard"
        )
    if method == "parallel" and jax.local_device_count() < chains:
        raise SamplingError(
            f"chain_method 'parallel' needs {chains} devices, there are "
            f"{jax.local_device_count()}"
        )
    groups = [slice(i, i + 1) for i in range(chains)]
    if method != "sequential":
        groups = [slice(0, chains)]
    devices = chains if method == "parallel" else 1
    parts, stopped = [], False
    run = options.get("checkpoint")
    print_of = None
    if run is not None:
        print_of = fingerprint(problem, mode, u, shift, mass, keys, settings, draws)
    for i, group in enumerate(groups):
        part, stopped = _chains(
            target,
            settings,
            u[group],
            keys[group],
            draws,
            devices,
            reporter,
            f" {i + 1}/{len(groups)}" if len(groups) > 1 else "",
            None if print_of is None else Checkpoint(_numbered(run, i), print_of),
        )
        parts.append(part)
        if stopped:
            break
    parts = [p for p in parts if len(p["v"])]
    if not parts:
        raise SamplingError("stopped during warm-up: there are no draws")
    count = min(len(p["v"]) for p in parts)
    # (draw, chain, ...) of every group side by side, as (chain, draw, ...)
    kept = {
        k: np.swapaxes(np.concatenate([p[k][:count] for p in parts], axis=1), 0, 1)
        for k in parts[0]
        if k != "mass"
    }
    v = kept.pop("v")
    x = np.asarray(named(target, jnp.asarray(v.reshape(-1, v.shape[-1]))))
    saturated = kept["num_steps"] >= 2 ** options["max_depth"] - 1
    ebfmi = diagnostics.e_bfmi(kept["energy"])
    return {
        "x": x.reshape(v.shape),
        "stats": {**kept, "e_bfmi": ebfmi},
        "statistics": {
            "divergences": float(kept["diverging"].sum()),
            "accept": float(kept["accept_prob"].mean()),
            "steps": float(kept["num_steps"].mean()),
            "saturated": float(saturated.mean()),
            "ebfmi": float(np.min(ebfmi)),
        },
        "warmup": {
            "step_size": kept["step_size"][:, -1],
            "inverse_mass_matrix": np.concatenate([p["mass"] for p in parts]),
        },
        "stopped": stopped,
    }


def _chains(
    target: Target,
    settings: Settings,
    v: Array,
    keys: Array,
    draws: int,
    devices: int,
    reporter: Reporter,
    tag: str,
    saved: Checkpoint | None = None,
) -> tuple[dict[str, np.ndarray], bool]:
    """Run some chains together; interruption keeps the draws made so far."""
    states = _begin(target, settings, v, keys)
    if not np.all(np.isfinite(np.asarray(states.potential_energy))):
        raise SamplingError(
            "the log posterior is not finite where the chains start; check the priors "
            "and give a better `start`"
        )
    total = settings.warmup + draws
    block = block_size(settings.warmup, draws)
    done, stopped = 0, False
    blocks: list[dict[str, np.ndarray]] = []
    divergences = 0
    if saved is not None and saved.exists:
        states, kept, counts = saved.load(states)
        done, divergences = counts["done"], counts["divergences"]
        blocks = [kept] if kept else []
    try:
        while done < total:
            phase = "warm-up" if done < settings.warmup else "draws"
            end = settings.warmup if done < settings.warmup else total
            count = min(block, end - done)
            states, kept = _block(
                target, settings, states, v[0], keys[0], count, devices
            )
            kept = {k: np.asarray(a) for k, a in kept.items()}
            done += count
            if phase == "draws":
                blocks.append(kept)
                divergences += int(kept["diverging"].sum())
            if saved is not None:
                saved.save(states, _joined(blocks), done=done, divergences=divergences)
            steps = float(kept["num_steps"].mean())
            note = f"{divergences} divergences, {steps:.1f} steps per draw"
            of = settings.warmup if phase == "warm-up" else draws
            at = done if phase == "warm-up" else done - settings.warmup
            if not reporter(f"NUTS {phase}{tag}", at, of, steps, note):
                stopped = True
                break
    except KeyboardInterrupt:
        stopped = True
    out = _joined(blocks) if blocks else {"v": np.zeros((0, *v.shape))}
    out["mass"] = np.asarray(states.adapt_state.inverse_mass_matrix)
    return out, stopped


def _joined(blocks: list[dict[str, np.ndarray]]) -> dict[str, np.ndarray]:
    """Blocks of draws one after another."""
    if not blocks:
        return {}
    return {k: np.concatenate([b[k] for b in blocks]) for k in blocks[0]}


def _numbered(path: Any, i: int) -> pathlib.Path:
    """File of the i-th set of chains that run one after another."""
    path = pathlib.Path(path)
    return path if i == 0 else path.with_name(f"{path.stem}.{i}{path.suffix}")
