"""Several problems as one: shared and tied parameters over separate data sets.

Every part keeps its model, data, noise and amplitudes. With x_k(x) the vector of part k
and T_k = ∂x_k/∂x, exact also where a tie is a function,

    cost = Σ cost_k,   g = Σ T_kᵀ g_k,   H = Σ T_kᵀ H_k T_k,   log L = Σ log L_k

and the prior is that of the joint table, counted once.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ModelError
from . import naming
from .amplitudes import Amplitude
from .arrange import as_arrays
from .coordinates import Coordinates
from .interface import OWN, AbstractProblem, End, Normal, refused
from .model import SamplingCoordinates
from .parameter import Parameter, ParameterSet, Theta, tie_arguments
from .problem import Problem
from .static import Note


class JointProblem(AbstractProblem):
    """Problems joined by `joint`: one x, one cost, one log density.

    `parts` are the problems as the passes take them: what the joint table varies is
    free in them, everything else is held at the joint table's values.
    """

    problems: tuple[Problem, ...]
    parameters: ParameterSet
    coordinates: Coordinates
    linear: tuple[Amplitude, ...]
    part_names: tuple[str, ...] = eqx.field(static=True)
    called: tuple[naming.Names, ...] = eqx.field(static=True)
    solved: tuple[naming.Names, ...] = eqx.field(static=True)
    note: Note = eqx.field(static=True)

    def __init__(
        self,
        problems: Sequence[Problem],
        names: naming.Naming,
        table: ParameterSet,
        shared: Any,
    ):
        self.part_names, self.called = names.parts, names.parameters
        self.solved = names.amplitudes
        varied = _varied(table)
        maps = [dict(called) for called in self.called]
        self.problems = tuple(
            p.with_(parameters=_driven(p.table, m, table, varied))
            for p, m in zip(problems, maps, strict=True)
        )
        better = tuple(
            _renamed(group, m)
            for p, m in zip(problems, maps, strict=True)
            for group in p.model.sampling_coordinates
        )
        self.coordinates = Coordinates(table, better)
        self.parameters = as_arrays(table)
        self.linear = tuple(a for p in problems for a in p.linear)
        content = {"problems": tuple(problems), "table": table, "shared": shared}
        self.note = Note(content)

    @property
    def precision(self) -> str:
        """Always double."""
        return "double"

    @property
    def mesh(self) -> None:
        """Joint problems stay on one device."""
        return None

    @property
    def parts(self) -> tuple[Problem, ...]:
        """The problems, their fixed parameters at the values of the joint table."""
        theta = self.parameters.resolve({}, self._constant)
        return tuple(
            _with_values(p, dict(called), theta)
            for p, called in zip(self.problems, self.called, strict=True)
        )

    @property
    def _constant(self) -> list[str]:
        varied = _varied(self.parameters)
        return [n for n in self.parameters.names if n not in varied]

    @property
    def amplitude_names(self) -> tuple[dict[str, str], ...]:
        """Of each part, what each amplitude is called in results."""
        return tuple(dict(names) for names in self.solved)

    @property
    def name(self) -> str:
        """Models and names of the parts."""
        pairs = zip(self.problems, self.part_names, strict=True)
        return "joint: " + " + ".join(f"{p.name} ({name})" for p, name in pairs)

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences of the parts, with their names."""
        pairs = zip(self.problems, self.part_names, strict=True)
        return tuple(f"{name}: {said}" for p, name in pairs for said in p.warnings)

    @property
    def given(self) -> tuple[Any, ...]:
        """The data of each part as they came; not inside jit."""
        return tuple(p.given for p in self.problems)

    @property
    def default_linear_mode(self) -> str:
        """The parts' own default if they agree, "own" for each its own otherwise."""
        found = {p.default_linear_mode for p in self.problems if p.linear}
        return OWN if len(found) > 1 else found.pop() if found else "profile"

    def vectors(self, x: Float[Array, " p"]) -> tuple[Array, ...]:
        """The vector of each part at x."""
        theta = self.named(x)
        out = []
        for p, called in zip(self.problems, self.called, strict=True):
            of = dict(called)
            pieces = [
                jnp.ravel(jnp.broadcast_to(theta[of[q.name]], np.shape(q.value)))
                for q in p.parameters.free
            ]
            out.append(jnp.concatenate(pieces) if pieces else jnp.zeros(0))
        return tuple(out)

    def _slopes(self, x: Float[Array, " p"]) -> tuple[Array, ...]:
        """T = ∂(vector of the part)/∂x of each part."""
        if self.n_parameters == 0:
            return tuple(jnp.zeros((p.n_parameters, 0)) for p in self.problems)
        return jax.jacfwd(self.vectors)(x)

    def part_theta(self, part: int, theta: Theta) -> Theta:
        """Parameters of a part by its own names, from all of the problem's."""
        return {own: theta[name] for own, name in self.called[part]}

    def cost(self, x: Float[Array, " p"]) -> Float[Array, ""]:
        """Sum of the parts' costs."""
        total = jnp.zeros(())
        for part, vector in zip(self.parts, self.vectors(x), strict=True):
            total = total + part.cost(vector)
        return total

    def end(self, x: Float[Array, " p"]) -> tuple[Normal, tuple[End, ...]]:
        """`normal`, and what results need of each part.

        A parameter is null where no part sees anything that it moves.
        """
        p = self.n_parameters
        h, g, cost = jnp.zeros((p, p)), jnp.zeros(p), jnp.zeros(())
        seen, ends = jnp.zeros(p, bool), []
        at = zip(self.parts, self.vectors(x), self._slopes(x), strict=True)
        for part, vector, slope in at:
            own, (end,) = part.end(vector)
            h = h + slope.T @ own.hessian @ slope
            g = g + slope.T @ own.gradient
            cost = cost + own.cost
            seen = seen | jnp.any((slope != 0) & ~own.null[:, None], axis=0)
            ends.append(End(end.solution, end.n @ slope, end.chi2))
        return Normal(h, g, cost, ~seen), tuple(ends)

    def residuals(self, x: Float[Array, " p"]) -> Float[Array, " n"]:
        """Residuals of all parts, one after another: dense, for small problems."""
        pairs = zip(self.parts, self.vectors(x), strict=True)
        return jnp.concatenate([part.residuals(vector) for part, vector in pairs])

    def predict(self, x: Float[Array, " p"]) -> tuple[Float[Array, "g n"], ...]:
        """Model curves of each part at x, with its best amplitudes."""
        pairs = zip(self.parts, self.vectors(x), strict=True)
        return tuple(part.predict(vector) for part, vector in pairs)

    def amplitudes(self, x: Float[Array, " p"]) -> tuple[Float[Array, "g k"], ...]:
        """Amplitudes of each group of each part at x."""
        pairs = zip(self.parts, self.vectors(x), strict=True)
        return tuple(part.amplitudes(vector) for part, vector in pairs)

    def loglike(self, x: Float[Array, " p"], linear: str | None = None) -> Any:
        """Sum of the parts' log L, with their amplitudes treated as `linear`.

        "own" leaves each part its default.
        """
        modes = self.modes(linear or "profile")
        total = jnp.zeros(())
        for part, vector, mode in zip(self.parts, self.vectors(x), modes, strict=True):
            total = total + part.loglike(vector, mode)
        return total

    def single(self, what: str, instead: str) -> Problem:
        """Refuse `what`: there are several parts."""
        raise refused(what, instead)

    def with_(self, **changes: Any) -> "JointProblem":
        """Copy with other parameters, as those of `joint`; or changed in every part.

        Raises:
            ModelError: what only one problem by itself can have.
        """
        allowed = {"parameters", "explicit", "chunk", "linear_mode"}
        unknown = sorted(set(changes) - allowed)
        if unknown:
            raise refused(
                f"with_({', '.join(unknown)}=...)", "change its problems and join again"
            )
        wanted = changes.pop("parameters", None)
        new = self
        if changes:
            new = self._rejoined([p.with_(**changes) for p in self._originals])
        if wanted is None:
            return new
        table = naming.changed(new.note.content["table"], wanted)
        return JointProblem(new._originals, new._naming, table, new._shared)

    @property
    def _originals(self) -> tuple[Problem, ...]:
        return self.note.content["problems"]

    @property
    def _shared(self) -> Any:
        return self.note.content["shared"]

    @property
    def _naming(self) -> naming.Naming:
        return naming.Naming(self.part_names, self.called, self.solved)

    def _rejoined(self, problems: Sequence[Problem]) -> "JointProblem":
        """The same join of other problems; parameters keep what they are."""
        names = naming.Naming.of(problems, self.part_names, self._shared)
        fresh, now = naming.table_of(problems, names), self.note.content["table"]
        gone = {n for called in self.called for _, n in called}
        kept = [p for p in now if p.name not in fresh and p.name not in gone]
        merged = [now[p.name] if p.name in now else p for p in fresh]
        table = ParameterSet([*merged, *kept])
        return JointProblem(problems, names, table, self._shared)

    def each(self, change: Callable[[Problem], Problem]) -> "JointProblem":
        """Copy whose problems are changed one by one."""
        new = [change(p) for p in self._originals]
        if all(a is b for a, b in zip(new, self._originals, strict=True)):
            return self
        return self._rejoined(new)

    def explicit_where(self, mode: str) -> tuple["JointProblem", str]:
        """Copy with explicit amplitudes in parts whose mode is "explicit"."""
        modes = self.modes(mode)
        pairs = list(zip(self._originals, modes, strict=True))
        if not any(p.linear and m == "explicit" for p, m in pairs):
            return self, mode
        new = self._rejoined(
            [
                p.with_(explicit=True) if p.linear and m == "explicit" else p
                for p, m in pairs
            ]
        )
        return new, new.default_linear_mode if new.linear else "profile"


def joint(
    *problems: AbstractProblem,
    shared: Sequence[str] | bool = (),
    ties: Mapping[str, Any] | None = None,
    names: Sequence[str] | None = None,
    parameters: Mapping[str, Any] | ParameterSet | None = None,
) -> JointProblem:
    """One problem of several, on which every verb works.

    A parameter that only one problem has keeps its name. One that several have appears
    once if it is `shared`, with value, bounds and prior of the first that has it, and
    otherwise once per problem, as `radius[0]`, `radius[1]`, or `radius[sans]`,
    `radius[usans]` with `names`. Amplitudes are called by the same rule and stay each
    problem's own; those made explicit are parameters and may be shared.

        js.joint(
            sans,
            xpcs,
            names=("sans", "xpcs"),
            ties={"D0": (lambda r, t: 0.6 * t / r, ("radius", "temperature"))},
            parameters={"temperature": js.Parameter("temperature", 298.0, "K", ...)},
        )

    Args:
        problems: two or more, each with its own data, model and noise.
        shared: names that are one parameter; True for all that several problems have.
        ties: by joint name: the joint name it equals, a function whose arguments are
            joint names, or `(function, joint names)`.
        names: what the problems are called; default their numbers.
        parameters: changes to the joint table, as of `Problem`; a `Parameter` of a new
            name is added, for ties to use.

    Raises:
        ParameterError: unknown names (the nearest is told), units or numbers of groups
            that differ, cyclic ties.
        ModelError: problems that cannot be joined.
    """
    parts = naming.part_names(problems, names)
    plain = [_checked(p, name) for p, name in zip(problems, parts, strict=True)]
    naming.check_weights(plain, parts)
    wanted = shared if isinstance(shared, bool | str) else tuple(shared)
    called = naming.Naming.of(plain, parts, wanted)
    table = naming.table_of(plain, called)
    added = parameters.values() if isinstance(parameters, Mapping) else ()
    table = table.extended(
        *(p for p in added if isinstance(p, Parameter) and p.name not in table)
    )
    table = naming.tied(table, ties or {})
    if parameters is not None:
        table = naming.changed(table, parameters)
    return JointProblem(plain, called, table, wanted)


def _checked(problem: Any, name: str) -> Problem:
    """The problem; what cannot be joined is refused by name."""
    if isinstance(problem, AbstractProblem):
        problem.require_likelihood("js.joint")
    if isinstance(problem, JointProblem):
        raise ModelError(
            f"problem {name!r} is a joint problem itself; give its problems to one "
            "js.joint"
        )
    if not isinstance(problem, Problem):
        raise ModelError(f"problem {name!r} is {problem!r}; expected a Problem")
    if problem.mesh is not None:
        raise refused("js.shard", f"join {name!r} as it was before js.shard")
    if problem.data.streamed:
        raise refused("streaming from a file", f"load the data of {name!r}")
    if problem.precision != "double":
        raise refused("precision='mixed'", f"give {name!r} precision='double'")
    if problem.likelihood.noise == "scale_marginal":
        raise refused(
            "noise='scale_marginal'",
            f"give {name!r} likelihood=Gaussian('scale'), whose scale is a parameter",
        )
    return problem


def _varied(table: ParameterSet) -> set[str]:
    """Names whose values depend on x."""
    varied = {p.name for p in table.free}
    for name in table.order:
        if any(need in varied for need in tie_arguments(table[name].tie)):
            varied.add(name)
    return varied


def _driven(
    own: ParameterSet, called: dict[str, str], table: ParameterSet, varied: set[str]
) -> ParameterSet:
    """A part's table: free what the joint one varies, and its own ties kept."""
    out = []
    for p in own:
        name = called[p.name]
        if p.tie is not None and table[name].tie == naming.renamed_tie(p.tie, called):
            out.append(p)
            continue
        plain = {"tie": None, "circular": False, "prior": None}
        wide = p.with_(**plain, fixed=False, bounds=(-np.inf, np.inf))
        out.append(wide if name in varied else wide.with_(fixed=True))
    return ParameterSet(out)


def _with_values(problem: Problem, called: dict[str, str], theta: Theta) -> Problem:
    """The problem with its fixed parameters at the values of the joint table."""
    at = [i for i, p in enumerate(problem.parameters) if p.fixed]
    if not at:
        return problem

    def values(table: ParameterSet) -> list[Any]:
        return [table.parameters[i].value for i in at]

    names = [called[problem.parameters.names[i]] for i in at]
    shapes = [np.shape(v) for v in values(problem.parameters)]
    new = [
        jnp.broadcast_to(theta[n], s).astype(float)
        for n, s in zip(names, shapes, strict=True)
    ]
    return problem._copied(parameters=eqx.tree_at(values, problem.parameters, new))


def _renamed(group: SamplingCoordinates, called: dict[str, str]) -> SamplingCoordinates:
    """Sampling coordinates of parameters under their joint names."""
    return SamplingCoordinates(
        tuple(called.get(n, n) for n in group.names),
        group.to_z.function,
        group.to_x.function,
        group.support.function,
        group.z_names,
        group.arguments,
        group.first_steps,
    )
