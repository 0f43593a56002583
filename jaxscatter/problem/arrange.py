"""Data as the passes take them: order, padding, chunks, places on devices."""

from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import NamedSharding, PartitionSpec
from jaxtyping import Array

from . import sums
from .dataset import Dataset
from .model import AbstractModel
from .parameter import ParameterSet


def arranged(model: AbstractModel, data: Any, chunk: int | None, mesh: Any) -> tuple:
    """(data for the passes, place of each given point, block, chunk)."""
    if data.streamed:
        return data, None, data.block, data.chunk
    devices = 1 if mesh is None else mesh.size
    found = model.arrangement(data)
    if found is None:
        size = chunk if chunk is not None and chunk < data.n_points else None
        data = data.padded((size or 1) * devices)
        return data, None, None, size
    order, coords = found.order, found.coords
    extra = -(len(order) // found.block) % devices * found.block
    if extra:
        order = np.concatenate([order, np.full(extra, -1)])
        coords = {k: np.pad(v, (0, extra), mode="edge") for k, v in coords.items()}
    place = np.empty(data.n_points, dtype=np.int32)
    real = np.flatnonzero(order >= 0)
    place[order[real]] = real
    size = None
    if chunk is not None or data.n_groups * len(order) > found.most:
        blocks = len(order) // found.block // devices
        wanted = max(1, (chunk or found.most // data.n_groups) // found.block)
        size = found.block * sums.largest_divisor(blocks, wanted)
    return data.arranged(order, coords), jnp.asarray(place), found.block, size


def pilot_of(data: Any, count: int = 1000) -> Dataset:
    """A few of the points, evenly among those that count in any group."""
    if data.streamed:
        return data.pilot
    valid = np.flatnonzero(np.any(np.asarray(data.mask) > 0, axis=0))
    some = np.unique(np.linspace(0, len(valid) - 1, min(count, len(valid))).round())
    return data.arranged(valid[some.astype(int)])


def placed(data: Any, mesh: Any) -> Any:
    """Data as arrays, on a mesh with their points spread over its devices."""
    if mesh is None or data.streamed:
        return as_arrays(data)
    axis = mesh.axis_names[0]

    def put(array: Any, dims: tuple) -> Array:
        array = np.asarray(array)
        spec = PartitionSpec(*(axis if d == "point" else None for d in dims))
        # a process puts the parts of its own devices only
        return jax.make_array_from_callback(
            array.shape, NamedSharding(mesh, spec), lambda part: array[part]
        )

    both, axes = ("group", "point"), dict(data.dims)
    return eqx.tree_at(
        lambda d: (d.y, d.sigma, d.mask, d.coords),
        data,
        (
            put(data.y, both),
            put(data.sigma, both),
            put(data.mask, both),
            {k: put(v, axes[k]) for k, v in data.coords.items()},
        ),
    )


def as_arrays(tree: Any) -> Any:
    """The tree with NumPy leaves as JAX arrays, and the floats of its parameters too.

    The numbers of a prior are Python floats, which jit would take as static.
    """

    def convert(v: Any) -> Any:
        if isinstance(v, ParameterSet):
            return jax.tree.map(lambda n: jnp.asarray(n, float), v)
        return jnp.asarray(v) if isinstance(v, np.ndarray | np.generic) else v

    return jax.tree.map(convert, tree, is_leaf=lambda v: isinstance(v, ParameterSet))
