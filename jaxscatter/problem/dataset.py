"""Measured points in groups, with errors, mask and coordinates."""

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..errors import DataError, DataWarning
from .static import Note

Dims = tuple[str | None, ...]
Numbers = ArrayLike | Sequence


class Dataset(eqx.Module):
    """y of shape (group, point) with standard deviations, mask and coordinates.

    Points that are not finite or whose sigma is not positive are masked: they keep
    their place with weight 0, and a `DataWarning` tells how many.

    Args:
        y: (group, point), or (point,) for one group.
        sigma: standard deviations of the shape of y; None means not known, and
            covariances are then scaled by the reduced chi2.
        mask: True where a point counts.
        coords: arrays the model reads, by name.
        dims: axes of each coordinate as a tuple of "group", "point" or None. Guessed
            from the shape where that is unambiguous.
        units: unit of each coordinate, and of "y".
        metadata: titles, file names, ...; never decides what recompiles.

    Raises:
        DataError: shapes disagree, a coordinate is not finite, or nothing is valid.
    """

    y: Any
    sigma: Any
    mask: Any
    coords: dict[str, Any]
    dims: tuple[tuple[str, Dims], ...] = eqx.field(static=True)
    sigma_given: bool = eqx.field(static=True)
    units: tuple[tuple[str, str], ...] = eqx.field(static=True)
    note: Note = eqx.field(static=True)

    def __init__(
        self,
        y: Numbers,
        sigma: Numbers | None = None,
        mask: Numbers | None = None,
        coords: Mapping[str, Numbers] | None = None,
        dims: Mapping[str, Dims] | None = None,
        units: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
    ):
        y = np.atleast_2d(np.asarray(y, dtype=float))
        if y.ndim != 2 or y.size == 0:
            raise DataError(f"y has shape {y.shape}; expected (group, point)")
        s = np.ones_like(y) if sigma is None else np.atleast_2d(sigma).astype(float)
        if s.shape != y.shape:
            raise DataError(f"sigma has shape {s.shape}, y has {y.shape}")
        m = np.ones(y.shape, bool) if mask is None else np.atleast_2d(np.asarray(mask))
        if m.shape != y.shape:
            raise DataError(f"mask has shape {m.shape}, y has {y.shape}")
        bad = m.astype(bool) & ~(np.isfinite(y) & np.isfinite(s) & (s > 0))
        if bad.any():
            warnings.warn(
                f"{int(bad.sum())} of {int(m.sum())} points are not finite or have "
                "sigma <= 0 and are masked",
                DataWarning,
                stacklevel=2,
            )
        valid = m.astype(bool) & ~bad
        if not valid.any():
            raise DataError("all points are masked, not finite or without error")
        self.y = np.where(valid, y, 0.0)
        self.sigma = np.where(valid, s, 1.0)
        self.mask = valid.astype(float)
        self.coords = {k: np.asarray(v) for k, v in (coords or {}).items()}
        given = dict(dims or {})
        unknown = set(given) - set(self.coords)
        if unknown:
            raise DataError(f"dims name {sorted(unknown)}, which are no coordinates")
        self.dims = tuple(
            (k, _dims(k, v, given.get(k), y.shape)) for k, v in self.coords.items()
        )
        self.sigma_given = sigma is not None
        self.units = tuple((units or {}).items())
        self.note = Note(dict(metadata or {}))

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return self.y.shape[0]

    @property
    def n_points(self) -> int:
        """Points per group, masked ones included."""
        return self.y.shape[1]

    @property
    def n_valid(self) -> int:
        """Points that count; needs real numbers."""
        return int(np.sum(np.asarray(self.mask)))

    @property
    def n_valid_per_group(self) -> np.ndarray:
        """Points of each group that count; needs real numbers."""
        return np.sum(np.asarray(self.mask), axis=1)

    @property
    def count(self) -> Float[Array, ""]:
        """Points that count, as a sum inside jit."""
        return jnp.sum(jnp.asarray(self.mask), dtype=float)

    @property
    def log_sigma(self) -> Float[Array, ""]:
        """½ Σ log 2πσ² over the points that count."""
        log_var = jnp.log(2 * math.pi * jnp.square(jnp.asarray(self.sigma)))
        return 0.5 * jnp.sum(jnp.asarray(self.mask) * log_var, dtype=float)

    @property
    def streamed(self) -> bool:
        """Whether the points are read chunk by chunk; see `StreamedDataset`."""
        return False

    @property
    def metadata(self) -> dict[str, Any]:
        """What came with the data: titles, file names, sources."""
        return self.note.content

    def unit(self, name: str) -> str:
        """Unit of a coordinate or of "y"."""
        return dict(self.units).get(name, "")

    def with_coords(
        self, more: Mapping[str, ArrayLike], dims: Mapping[str, Dims]
    ) -> "Dataset":
        """Copy with further coordinates, or others in their place."""
        coords = {**self.coords, **more}
        axes = {k: dims[k] for k in more}
        return Dataset(
            self.y,
            self.sigma if self.sigma_given else None,
            np.asarray(self.mask) > 0,
            coords,
            {**dict(self.dims), **axes},
            dict(self.units),
            self.metadata,
        )

    def padded(self, multiple: int) -> "Dataset":
        """Copy whose point axis is a multiple of `multiple`, padding with weight 0."""
        extra = -self.n_points % multiple
        if not extra:
            return self
        order = np.concatenate([np.arange(self.n_points), np.full(extra, -1)])
        return self.arranged(order)

    def arranged(
        self, order: np.ndarray, coords: Mapping[str, np.ndarray] | None = None
    ) -> "Dataset":
        """Copy with the points in another order, some left out, some of weight 0 added.

        Args:
            order: position of each point among the present ones; -1 adds a point of
                weight 0, which repeats the last point's values.
            coords: coordinates along the new points, instead of those taken over.
        """
        padding = order < 0
        take = np.where(padding, self.n_points - 1, order)
        new = object.__new__(Dataset)

        def along(array: Any, dims: Dims) -> np.ndarray:
            array = np.asarray(array)
            return array.take(take, dims.index("point")) if "point" in dims else array

        given, axes = dict(coords or {}), dict(self.dims)
        values = {
            "y": np.asarray(self.y)[:, take],
            "sigma": np.asarray(self.sigma)[:, take],
            "mask": np.asarray(self.mask)[:, take] * ~padding,
            "coords": {k: along(v, axes[k]) for k, v in self.coords.items()} | given,
            "dims": (
                *((k, d) for k, d in self.dims if k not in given),
                *((k, ("point",)) for k in given),
            ),
            "sigma_given": self.sigma_given,
            "units": self.units,
            "note": self.note,
        }
        for name, value in values.items():
            object.__setattr__(new, name, value)
        return new

    def lowered(self) -> "Dataset":
        """Copy stored in single precision."""

        def low(v: Any) -> Any:
            v = np.asarray(v)
            return v.astype(np.float32) if v.dtype.kind == "f" else v

        return eqx.tree_at(
            lambda d: (d.y, d.sigma, d.mask, d.coords),
            self,
            (
                low(self.y),
                low(self.sigma),
                low(self.mask),
                {k: low(v) for k, v in self.coords.items()},
            ),
        )

    def group(self, index: int) -> dict[str, Any]:
        """Coordinates of one group, as the model's `columns` receives them."""
        axes = dict(self.dims)
        return {
            k: v[index] if axes[k][:1] == ("group",) else v
            for k, v in self.coords.items()
        }


def _dims(name: str, array: np.ndarray, given: Dims | None, shape: tuple) -> Dims:
    groups, points = shape
    size = {"group": groups, "point": points}
    if given is not None:
        given = tuple(given)
        ok = len(given) == array.ndim and all(
            d is None or (d in size and array.shape[i] == size[d])
            for i, d in enumerate(given)
        )
        if not ok or "group" in given[1:]:
            raise DataError(
                f"coordinate {name!r} has shape {array.shape}, which does not fit "
                f"dims {given} with {groups} groups of {points} points (the group "
                "axis comes first)"
            )
    elif array.ndim == 0:
        given = ()
    elif array.shape == (groups, points):
        given = ("group", "point")
    elif array.ndim == 1 and groups != points and array.shape[0] in (groups, points):
        given = ("point",) if array.shape[0] == points else ("group",)
    else:
        raise DataError(
            f"axes of coordinate {name!r} with shape {array.shape} are not clear for "
            f"{groups} groups of {points} points; give dims={{{name!r}: (...)}}"
        )
    if array.dtype.kind not in "biufc":
        raise DataError(
            f"coordinate {name!r} is of type {array.dtype}; expected numbers"
        )
    if array.dtype.kind in "fc" and not np.all(np.isfinite(array)):
        raise DataError(f"coordinate {name!r} has values that are not finite")
    return given
