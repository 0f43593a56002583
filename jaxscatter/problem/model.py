"""What a technique supplies: columns of A(θ) for one group, and named parameters."""

import abc
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import equinox as eqx
from jaxtyping import Array, Float

from ..errors import ModelError
from .amplitudes import Amplitude, declared
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
    """

    names: tuple[str, ...] = eqx.field(static=True)
    to_z: PureFunction = eqx.field(static=True, converter=PureFunction)
    to_x: PureFunction = eqx.field(static=True, converter=PureFunction)
    support: PureFunction = eqx.field(static=True, converter=PureFunction)
    z_names: tuple[str, ...] = eqx.field(static=True, default=())


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
