"""Costs that are not a likelihood: any number made of model curves, data and mask.

    cost(x) = metric(μ(x), y, mask),   μ = A(x) a

with a solved for by least squares at each x, or held. Such a number can be minimised
by `fit`; nothing more follows from it, so there are no errors and no posterior.
"""

from collections.abc import Callable, Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from ..errors import ModelError
from .amplitudes import Amplitude
from .coordinates import Coordinates
from .interface import AbstractProblem, End, Normal
from .parameter import ParameterSet, Theta
from .problem import Problem
from .static import PureFunction


class BareCost(AbstractProblem):
    """A problem whose cost is a function of its curves, made by `bare_cost`.

    Of the verbs it is for `fit` alone; the others refuse it by name.
    """

    problem: Problem
    function: Any
    held: Float[Array, " k"] | None
    y: Float[Array, "g n"]
    mask: Bool[Array, "g n"]
    differentiable: bool = eqx.field(static=True)
    cost_name: str = eqx.field(static=True)

    def __init__(
        self,
        problem: Problem,
        function: Any,
        held: Any,
        differentiable: bool,
        cost_name: str,
    ):
        mask = np.asarray(problem.given.mask) > 0
        y = np.where(mask, np.asarray(problem.given.y, float), 0.0)
        self.problem, self.function, self.held = problem, function, held
        self.y, self.mask = jnp.asarray(y), jnp.asarray(mask)
        self.differentiable, self.cost_name = differentiable, cost_name

    @property
    def parameters(self) -> ParameterSet:
        """Those of the problem."""
        return self.problem.parameters

    @property
    def coordinates(self) -> Coordinates:
        """Those of the problem."""
        return self.problem.coordinates

    @property
    def linear(self) -> tuple[Amplitude, ...]:
        """Amplitudes solved for at each x: none if they are held."""
        return self.problem.linear if self.held is None else ()

    @property
    def precision(self) -> str:
        """Always double."""
        return "double"

    @property
    def mesh(self) -> None:
        """Bare costs stay on one device."""
        return None

    @property
    def part_names(self) -> tuple[str, ...]:
        """No name: there is nothing to tell apart."""
        return self.problem.part_names

    @property
    def parts(self) -> tuple[Problem, ...]:
        """The problem whose curves are compared."""
        return (self.problem,)

    @property
    def amplitude_names(self) -> tuple[dict[str, str], ...]:
        """What each amplitude is called in results."""
        return self.problem.amplitude_names

    @property
    def warnings(self) -> tuple[str, ...]:
        """Sentences every result of the problem repeats."""
        return self.problem.warnings

    @property
    def name(self) -> str:
        """Names of the cost and the model."""
        return f"{self.cost_name} of {self.problem.name}"

    @property
    def default_linear_mode(self) -> str:
        """Solved for, or held."""
        return "profile"

    def vectors(self, x: Float[Array, " p"]) -> tuple[Array, ...]:
        """The vector as it is."""
        return (x,)

    def part_theta(self, part: int, theta: Theta) -> Theta:
        """The parameters as they are."""
        del part
        return theta

    def with_(self, **changes: Any) -> "BareCost":
        """The same cost of the problem with other arguments, see `Problem.with_`."""
        problem = self.problem.with_(**changes)
        how = self.differentiable, self.cost_name
        return BareCost(problem, self.function, self.held, *how)

    def mode_text(self, linear: str) -> str:
        """How the amplitudes are treated, as results record it."""
        return self.problem.mode_text(linear) if self.held is None else "held"

    def predict(self, x: Float[Array, " p"]) -> Float[Array, "g n"]:
        """Model curves of all groups at x, with the amplitudes solved for or held."""
        if self.held is None:
            return self.problem.predict(x)
        groups = self.problem.data.n_groups
        a = jnp.broadcast_to(self.held[None], (groups, self.held.size))
        return self.problem.predict(x, a)

    def curves(self, x: Float[Array, " p"]) -> Float[Array, "g n"]:
        """What the cost sees of the model: 0, as the data are, where masked."""
        return jnp.where(self.mask, self.predict(x), 0.0)

    def cost(self, x: Float[Array, " p"]) -> Float[Array, ""]:
        """The metric at x."""
        return jnp.asarray(self.function(self.curves(x), self.y, self.mask), float)

    def require_likelihood(self, what: str) -> None:
        """Refuse `what`."""
        raise ModelError(
            f"{what} takes no bare cost, which is no likelihood; {self.name!r} is for "
            "js.fit alone"
        )

    def single(self, what: str, instead: str) -> Any:
        """Refuse `what`."""
        del instead
        self.require_likelihood(what)

    def each(self, change: Callable[[Any], Any]) -> Any:
        """Refused: no part of this cost can be had by itself."""
        del change
        self.require_likelihood("this verb")

    def explicit_where(self, mode: str) -> tuple[Any, str]:
        """Refused: there is no posterior."""
        raise self._none("explicit_where")

    def end(self, x: Float[Array, " p"]) -> tuple[Normal, tuple[End, ...]]:
        """Refused: it is no sum of squares."""
        raise self._none("end")

    def residuals(self, x: Float[Array, " p"]) -> Float[Array, " n"]:
        """Refused: it is no sum of squares."""
        raise self._none("residuals")

    def loglike(self, x: Float[Array, " p"], linear: str | None = None) -> Any:
        """Refused: there is none."""
        raise self._none("loglike")

    def _none(self, what: str) -> ModelError:
        return ModelError(f"the bare cost {self.name!r} has no `{what}`")


def bare_cost(
    problem: AbstractProblem,
    cost: Callable[[Any, Any, Any], Any],
    amplitudes: Mapping[str, float | int] | None = None,
    *,
    differentiable: bool = True,
    name: str | None = None,
) -> BareCost:
    """The curves of a problem under a cost of one's own, for `fit`.

        def mean_distance(mu, y, mask):
            return jnp.sum(jnp.abs(mu - y)) / jnp.sum(mask)

        js.fit(js.bare_cost(problem, mean_distance))

    Args:
        problem: its model, data and parameters. Its noise counts only where amplitudes
            are solved for.
        cost: `cost(mu, y, mask)` of arrays (group, point), a number that is smaller for
            better agreement. The mask is boolean, and μ and y are 0 where it is False.
        amplitudes: value of every amplitude, by name, for μ; by default those of least
            squares at each x.
        differentiable: whether JAX can follow the cost; if not it is called with NumPy
            arrays, and only methods without gradient take it.
        name: of the cost in results; default the function's.

    Raises:
        ModelError: a problem or cost that cannot be used, by name.
    """
    whole = _checked(problem)
    held = None if amplitudes is None else _held(whole, amplitudes)
    function = cost if isinstance(cost, eqx.Module) else PureFunction(cost)
    called = name or getattr(cost, "__name__", type(cost).__name__)
    called = "cost" if called == "<lambda>" else called
    new = BareCost(whole, function, held, differentiable, called)
    if differentiable:
        _check_traced(new)
    return new


def _checked(problem: Any) -> Problem:
    if not isinstance(problem, Problem):
        raise ModelError(
            f"problem is a {type(problem).__name__}; expected one Problem, of one "
            "model on one data set"
        )
    where = {
        "js.shard": problem.mesh is not None,
        "streaming from a file": problem.data.streamed,
        "precision='mixed'": problem.precision != "double",
    }
    for what, found in where.items():
        if found:
            raise ModelError(f"a bare cost holds all curves at once, so no {what}")
    noise = [p.name for p in problem.likelihood.parameters(problem.given)]
    if noise:
        raise ModelError(
            f"the noise has parameters {noise}, which a bare cost does not see; give "
            "the problem likelihood=Gaussian()"
        )
    return problem


def _held(problem: Problem, amplitudes: Mapping[str, Any]) -> Float[Array, " k"]:
    names = [a.name for a in problem.linear]
    if sorted(amplitudes) != sorted(names):
        raise ModelError(
            f"amplitudes are {sorted(amplitudes)}; expected a value for each of {names}"
        )
    held = np.array([float(amplitudes[n]) for n in names])
    if not np.all(np.isfinite(held)):
        raise ModelError(f"amplitudes are {dict(amplitudes)}; expected finite numbers")
    return jnp.asarray(held)


def _check_traced(new: BareCost) -> None:
    """Refuse a cost that JAX cannot follow or that is no number."""
    try:
        out = jax.eval_shape(lambda mu: new.function(mu, new.y, new.mask), new.y)
    except jax.errors.JAXTypeError as error:
        raise ModelError(
            f"JAX cannot follow the cost {new.cost_name!r}: write it in jax.numpy, or "
            f"say differentiable=False ({str(error).splitlines()[0]})"
        ) from error
    shape, dtype = getattr(out, "shape", None), getattr(out, "dtype", None)
    if shape != () or dtype is None or not jnp.issubdtype(dtype, jnp.floating):
        raise ModelError(
            f"the cost {new.cost_name!r} returned {type(out).__name__} of shape "
            f"{shape} and {dtype}; expected one real number"
        )
