"""What the verbs of `infer` ask of a problem, be it one data set or several joined.

A problem has parts, one model on one data set each, with vectors of their own. A
`Problem` is its own only part; a `JointProblem` has several, whose vectors are
functions of its own x.
"""

import abc
from collections.abc import Callable
from typing import Any

import equinox as eqx
import jax.numpy as jnp
from jaxtyping import Array, ArrayLike, Float

from ..errors import ModelError
from . import marginal
from .amplitudes import Amplitude, Solution
from .coordinates import Coordinates
from .parameter import ParameterSet, Theta

OWN = "own"
"""Linear mode in which every part treats its amplitudes by its own default."""


class Normal(eqx.Module):
    """The triple a solver sees, and which parameters the projection removed."""

    hessian: Float[Array, "p p"]
    gradient: Float[Array, " p"]
    cost: Float[Array, ""]
    null: Any


class End(eqx.Module):
    """One part at an end point.

    `n` is AᵀWJ of the free amplitudes, J over the whole problem's x, and `chi2` Σ
    (y - μ)²/v per group.
    """

    solution: Solution
    n: Float[Array, "g k p"]
    chi2: Float[Array, " g"]


class AbstractProblem(eqx.Module):
    """Parameters, and a cost and a log density over their flat vector x."""

    parameters: eqx.AbstractVar[ParameterSet]
    coordinates: eqx.AbstractVar[Coordinates]
    linear: eqx.AbstractVar[tuple[Amplitude, ...]]
    precision: eqx.AbstractVar[str]
    mesh: eqx.AbstractVar[Any]
    part_names: eqx.AbstractVar[tuple[str, ...]]
    """What the parts are called; "" where there is nothing to tell apart."""

    @property
    @abc.abstractmethod
    def parts(self) -> tuple[Any, ...]:
        """The `Problem`s it is made of."""

    @property
    @abc.abstractmethod
    def amplitude_names(self) -> tuple[dict[str, str], ...]:
        """Of each part, what each amplitude is called in results."""

    @property
    @abc.abstractmethod
    def warnings(self) -> tuple[str, ...]:
        """Sentences every result of this problem repeats."""

    @property
    @abc.abstractmethod
    def name(self) -> str:
        """Name written into results."""

    @property
    @abc.abstractmethod
    def default_linear_mode(self) -> str:
        """How sampling treats the amplitudes unless told otherwise."""

    @abc.abstractmethod
    def vectors(self, x: Float[Array, " p"]) -> tuple[Array, ...]:
        """The vector of each part at x."""

    @abc.abstractmethod
    def part_theta(self, part: int, theta: Theta) -> Theta:
        """Parameters of a part by its own names, from all of the problem's."""

    @abc.abstractmethod
    def with_(self, **changes: Any) -> Any:
        """Copy with other arguments."""

    @abc.abstractmethod
    def each(self, change: Callable[[Any], Any]) -> Any:
        """Copy whose parts are changed one by one."""

    @abc.abstractmethod
    def explicit_where(self, mode: str) -> tuple[Any, str]:
        """Copy with explicit amplitudes where `mode` asks for them, and its mode."""

    @abc.abstractmethod
    def single(self, what: str, instead: str) -> Any:
        """The problem if it has one part; refuses `what` otherwise."""

    @abc.abstractmethod
    def cost(self, x: Float[Array, " p"]) -> Float[Array, ""]:
        """½χ² at the best amplitudes, plus log terms of a variance with parameters."""

    @abc.abstractmethod
    def end(self, x: Float[Array, " p"]) -> tuple[Normal, tuple[End, ...]]:
        """`normal`, and what results need of each part."""

    @abc.abstractmethod
    def residuals(self, x: Float[Array, " p"]) -> Float[Array, " n"]:
        """sqrt(mask/v) (y - μ) of all points, flat: dense, for small problems."""

    @abc.abstractmethod
    def predict(self, x: Float[Array, " p"]) -> Any:
        """Model curves of all groups at x; of several parts, a tuple of them."""

    @abc.abstractmethod
    def loglike(self, x: Float[Array, " p"], linear: str | None = None) -> Any:
        """Log L at x with amplitudes treated as `linear` (see `marginal`)."""

    def require_likelihood(self, what: str) -> None:
        """Refuse `what` where the cost is no likelihood; here it is one."""

    def normal(self, x: Float[Array, " p"]) -> Normal:
        """(H, g, cost) with the amplitudes projected out, Kaufman's form.

        H = M - Nᵀ G⁻¹ N over free amplitudes. Where the projection leaves no more than
        rounding, H_ii <= 1e-12 M_ii, row, column and gradient become exactly 0.
        """
        return self.end(x)[0]

    def modes(self, linear: str) -> tuple[str, ...]:
        """Linear mode of each part; "profile" where nothing is solved for."""
        return tuple(
            "profile"
            if not part.linear
            else part.default_linear_mode
            if linear == OWN
            else linear
            for part in self.parts
        )

    def check_mode(self, linear: str) -> None:
        """Raise `ModelError` where amplitudes cannot be treated as asked."""
        for part, mode in zip(self.parts, self.modes(linear), strict=True):
            if part.linear:
                marginal.check_mode(mode, part.linear, part.likelihood.kind)

    def mode_text(self, linear: str) -> str:
        """How the amplitudes are treated, as results record it."""
        texts = []
        named = zip(self.parts, self.part_names, self.modes(linear), strict=True)
        for part, name, mode in named:
            if part.model.amplitudes:
                texts.append((mode if part.linear else "explicit", name))
        distinct = {text for text, _ in texts}
        if len(distinct) <= 1:
            return distinct.pop() if distinct else "none"
        return ", ".join(f"{text} ({name})" for text, name in texts)

    @property
    def n_parameters(self) -> int:
        """Number of entries of x."""
        return sum(s.stop - s.start for s in self.parameters.slices().values())

    @property
    def n_total(self) -> int:
        """Points of all groups and parts, masked ones included."""
        return sum(part.data.n_groups * part.n_points for part in self.parts)

    @property
    def n_valid(self) -> int:
        """Points that count; not inside jit."""
        return sum(part.given.n_valid for part in self.parts)

    @property
    def count(self) -> Float[Array, ""]:
        """Points that count, as a sum inside jit."""
        total = jnp.zeros(())
        for part in self.parts:
            total = total + part.data.count
        return total

    @property
    def log_terms(self) -> bool:
        """Whether `cost` holds log variances, so that it is not half a χ²."""
        noises = [part.likelihood.noise for part in self.parts]
        return any(noise in ("scale", "jitter", "model") for noise in noises)

    def start(self) -> Float[Array, " p"]:
        """Vector x of the parameters' start values."""
        return self.parameters.pack()

    def logprior(self, x: Float[Array, " p"]) -> Float[Array, ""]:
        """Log prior density at x, with respect to x."""
        return self.parameters.log_prior(x)

    def logpost(self, x: Float[Array, " p"], linear: str | None = None) -> Any:
        """Log L + log prior."""
        return self.loglike(x, linear) + self.logprior(x)

    def named(self, x: ArrayLike) -> Theta:
        """All parameters by name at x, ties applied."""
        return self.parameters.unpack(jnp.asarray(x, float))


def refused(what: str, instead: str) -> ModelError:
    """Error of a verb that takes one model on one data set."""
    return ModelError(f"{what} takes no joint problem: {instead}")
