"""What a technique supplies: columns of A(θ) for one group, and named parameters."""

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from ..errors import ModelError
from .amplitudes import Amplitude, declared
from .dataset import Dataset
from .likelihood import Gaussian
from .parameter import Parameter, ParameterSet, Theta
from .static import PureFunction


class SamplingCoordinates(eqx.Module):
    """Bijection of a group of parameters to better-behaved ones z.

    Used by NUTS, Laplace in u and multistart; the engine adds log|det ∂x/∂z|, so priors
    stay on the named parameters.

    Args:
        names: parameters it replaces, in order.
        to_z: x (m,) -> z (m,).
        to_x: z (m,) -> x (m,).
        support: per z, (lo, hi) computed from the bounds by `support(lo, hi)`, both
            (m,) NumPy arrays, as two (m,) arrays.
        z_names: what the coordinates are called.
        arguments: numbers given to `to_z` and `to_x` behind their vector, so that
            others need no new compilation.
        first_steps: whether least squares takes its first steps in them too.
    """

    names: tuple[str, ...] = eqx.field(static=True)
    to_z: PureFunction = eqx.field(static=True, converter=PureFunction)
    to_x: PureFunction = eqx.field(static=True, converter=PureFunction)
    support: PureFunction = eqx.field(static=True, converter=PureFunction)
    z_names: tuple[str, ...] = eqx.field(static=True, default=())
    arguments: tuple[Any, ...] = ()
    first_steps: bool = eqx.field(static=True, default=False)


class BlockSums(eqx.Module):
    """Sums of a block of points of one group about reference amplitudes a.

    With r = y - A a and ∂_p A the derivative with respect to the model's
    `block_parameters`; the last three are None where no derivatives were asked for.
    """

    gram: Float[Array, "k k"]
    """AᵀWA"""
    h: Float[Array, " k"]
    """AᵀWr"""
    chi2: Float[Array, ""]
    """Σ W r², or Σ ρ(W r²)"""
    side: Float[Array, "p k k"] | None = None
    """(∂_p A)ᵀWA"""
    d_h: Float[Array, "p k"] | None = None
    """(∂_p A)ᵀWr"""
    quad: Float[Array, "p k p k"] | None = None
    """(∂_p A)ᵀW ∂_q A"""


class Arrangement(eqx.Module):
    """Order of the points that suits a model's `normal_block`.

    Args:
        order: position of each point among the given ones, -1 for a point of weight 0.
        coords: the coordinates along the points in that order, padding included.
        block: points one call of `normal_block` takes.
        most: points of all groups that are held at once where `columns` is used.
    """

    order: np.ndarray
    coords: dict[str, np.ndarray]
    block: int
    most: int = 1 << 21


class AbstractModel(eqx.Module):
    """A shape that is linear in its amplitudes: y_g = A_g(θ) a_g + noise.

    Pure: no I/O, no Python branch on a value, finite values and gradients everywhere
    in the closed box of the bounds.
    """

    parameters: eqx.AbstractVar[ParameterSet]
    amplitudes: eqx.AbstractVar[tuple[Amplitude, ...]]

    def prepare(self, theta: Theta) -> Any:
        """What depends on the shared parameters only, done once per θ."""
        del theta

    @abc.abstractmethod
    def columns(
        self, prepared: Any, theta: Theta, coords: dict[str, Any]
    ) -> Float[Array, "n k"]:
        """A of one group, or of one chunk of its points: one column per amplitude.

        Without amplitudes: (n, 1), taken with amplitude 1.
        """

    def amplitude_values(self, theta: Theta, coords: dict[str, Any]) -> Array:
        """Amplitudes (k,) of one group, where they are parameters."""
        del coords
        values = [
            theta[a.name] if a.held is None else jnp.asarray(a.held)
            for a in self.amplitudes
        ]
        return jnp.stack(values)

    @property
    def own_amplitudes(self) -> bool:
        """Whether `amplitude_values` come from parameters of the model's own table."""
        return False

    def arrangement(self, data: Dataset) -> Arrangement | None:
        """Order of the points for `normal_block`, or None to leave them as given."""
        del data

    def lowered(self, prepared: Any) -> Any:
        """What `columns` gets of `prepared` under mixed precision: float32."""

        def low(v: Any) -> Any:
            return v.astype(jnp.float32) if eqx.is_inexact_array(v) else v

        return jax.tree.map(low, prepared)

    @property
    def block_parameters(self) -> tuple[str, ...]:
        """Parameters `normal_block` takes derivatives for; none means no such block.

        The columns depend on no others.
        """
        return ()

    def normal_block(
        self,
        prepared: Any,
        d_prepared: Any,
        theta: Theta,
        coords: dict[str, Any],
        w: Float[Array, " n"],
        y: Float[Array, " n"],
        a: Float[Array, " k"],
        likelihood: Gaussian,
    ) -> BlockSums:
        """The sums of one block in a way cheaper than through `columns`.

        Args:
            prepared: from `prepare`.
            d_prepared: its derivatives, leading axis `block_parameters`, () where there
                is no `prepare`; None asks for the first three sums only.
            theta: parameters by name.
            coords: of the block, in the order of `arrangement`.
            w: weights, 0 where a point does not count.
            y: data; their dtype is the precision the model is wanted in.
            a: reference amplitudes.
            likelihood: its `loss_of` and `loss_weight` of W r² give χ² and the factor
                on the weights in all sums.
        """
        raise NotImplementedError(f"{self.name} declares no normal_block")

    def derived(self, theta: Theta) -> dict[str, tuple[Any, str]]:
        """Further quantities of a result by label: (function of θ, unit)."""
        del theta
        return {}

    def cautions(self, theta: Theta, coords: dict[str, Any]) -> tuple[str, ...]:
        """What a user must know about an end point, in sentences; real numbers only.

        `coords` are those that do not run along the points.
        """
        del theta, coords
        return ()

    def refined(self, theta: Theta, data: Any) -> "tuple[AbstractModel, str] | None":
        """A model that is accurate at θ, and a sentence on it, if this one is not.

        For models with a numerical resolution chosen outside jit: `fit` and `sample`
        go on with the finer one. Real numbers only.
        """
        del theta, data

    def for_posterior(self) -> "AbstractModel":
        """The model samplers use, which may keep amplitudes as parameters."""
        return self

    @property
    def name(self) -> str:
        """Name written into results."""
        return type(self).__name__

    @property
    def sampling_coordinates(self) -> tuple[SamplingCoordinates, ...]:
        """Better coordinates for samplers, if there are any."""
        return ()

    @property
    def independent_points(self) -> bool:
        """Whether any subset of the points may be evaluated, as minibatches do."""
        return True

    @property
    def has_gradient(self) -> bool:
        """Whether derivatives are exact, so that NUTS may use them."""
        return True


class FunctionModel(AbstractModel):
    """A user's model made of one function and a parameter table, by `model`."""

    parameters: ParameterSet
    amplitudes: tuple[Amplitude, ...]
    function: PureFunction = eqx.field(static=True)
    preparation: PureFunction | None = eqx.field(static=True)
    title: str = eqx.field(static=True)

    def prepare(self, theta: Theta) -> Any:
        """Result of the user's `prepare`."""
        return None if self.preparation is None else self.preparation(theta)

    def columns(self, prepared: Any, theta: Theta, coords: dict[str, Any]) -> Any:
        """Columns by the user's function; the engine checks what they are."""
        if self.preparation is None:
            return self.function(theta, coords)
        return self.function(prepared, theta, coords)

    @property
    def name(self) -> str:
        """Name written into results."""
        return self.title


def model(
    columns: Callable,
    parameters: Iterable[Parameter | Mapping[str, Any]],
    amplitudes: Sequence[Amplitude | str] = (),
    prepare: Callable | None = None,
    name: str = "user model",
) -> FunctionModel:
    """A model from one function and a parameter table.

    Args:
        columns: `columns(theta, coords) -> (n, k)` for one group, in jax.numpy; with
            `prepare`, `columns(prepared, theta, coords)`.
        parameters: `Parameter`s, or dictionaries of their arguments.
        amplitudes: one per column; without any, the single column is the model itself.
        prepare: `prepare(theta)`, work that does not depend on the points.
        name: written into results.

    Raises:
        ModelError: not a function, or amplitudes that cannot be solved.
    """
    if not callable(columns):
        raise ModelError(f"columns is {columns!r}; expected a function")
    table = [p if isinstance(p, Parameter) else Parameter(**p) for p in parameters]
    return FunctionModel(
        parameters=ParameterSet(table),
        amplitudes=declared(amplitudes),
        function=PureFunction(columns),
        preparation=None if prepare is None else PureFunction(prepare),
        title=name,
    )
