"""Data that stay in their file and come chunk by chunk, so that memory stays bounded.

A reader gives chunks of one shape; the passes ask for them by number from inside
compiled code. Which reader is asked is a number too, so that another file of the same
shape compiles nothing anew.
"""

import abc
import itertools
import threading
import weakref
from collections.abc import Mapping
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, NamedTuple

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from ..errors import DataError
from .dataset import Dataset, Dims
from .static import Note
from .sums import Chunk


class Piece(NamedTuple):
    """One chunk as a reader gives it: numbers of every group, coordinates of all.

    y, sigma and mask have shape (group, point); sigma is positive where mask is 1, and
    y finite everywhere. `coords` are coordinates along the points.
    """

    y: np.ndarray
    sigma: np.ndarray
    mask: np.ndarray
    coords: dict[str, np.ndarray]


class Reader(abc.ABC):
    """What supplies the chunks: `count` of them, all of one shape.

    `points` is the number of points per group in all, without those of weight 0 that
    fill chunks.
    """

    count: int
    points: int

    @abc.abstractmethod
    def read(self, index: int) -> Piece:
        """The chunk of that number."""


class _Ahead:
    """A reader that fetches the next chunk while the present one is worked on."""

    def __init__(self, reader: Reader):
        self.reader = reader
        self._pool = ThreadPoolExecutor(1)
        self._lock = threading.Lock()
        self._next: tuple[int, Future] | None = None

    def get(self, index: int) -> Piece:
        with self._lock:
            waiting = self._next
            if waiting is not None and waiting[0] == index:
                piece = waiting[1].result()
            else:
                piece = self.reader.read(index)
            after = (index + 1) % self.reader.count
            self._next = after, self._pool.submit(self.reader.read, after)
        return piece


_READERS: weakref.WeakValueDictionary[int, _Ahead] = weakref.WeakValueDictionary()
_NUMBERS = itertools.count()


class StreamedDataset(eqx.Module):
    """A `Dataset` whose points are read in chunks each time they are needed.

    Args:
        reader: gives the chunks; one pass over them is made here, to count the points
            and to keep a few.
        coords: coordinates that do not run along the points.
        dims: axes of these, see `Dataset`.
        units: unit of each coordinate, and of "y".
        metadata: titles, file names; never decides what recompiles.
        sigma_given: whether the chunks' sigma are known errors.
        block: points one call of the model's `normal_block` takes, if it has one.
        pilot: points of all kept in memory, for start values.

    Raises:
        DataError: no point counts.
    """

    key: Any
    coords: dict[str, Any]
    count: Any
    group_count: Any
    log_sigma: Any
    pilot: Dataset
    dims: tuple[tuple[str, Dims], ...] = eqx.field(static=True)
    form: Any = eqx.field(static=True)
    n_chunks: int = eqx.field(static=True)
    n_given: int = eqx.field(static=True)
    block: int | None = eqx.field(static=True)
    sigma_given: bool = eqx.field(static=True)
    units: tuple[tuple[str, str], ...] = eqx.field(static=True)
    note: Note = eqx.field(static=True)

    def __init__(
        self,
        reader: Reader,
        coords: Mapping[str, Any],
        dims: Mapping[str, Dims],
        units: Mapping[str, str] | None = None,
        metadata: Mapping[str, Any] | None = None,
        sigma_given: bool = True,
        block: int | None = None,
        pilot: int = 1000,
    ):
        ahead, number = _Ahead(reader), next(_NUMBERS)
        _READERS[number] = ahead
        self.key = np.asarray(number, np.int32)
        self.note = Note({"metadata": dict(metadata or {}), "reader": ahead})
        self.coords = {k: np.asarray(v) for k, v in coords.items()}
        self.n_chunks, self.block = reader.count, block
        self.n_given = reader.points
        self.sigma_given = sigma_given
        self.units = tuple((units or {}).items())
        first = reader.read(0)
        self.form = tuple(
            jax.ShapeDtypeStruct(v.shape, v.dtype) for v in _arrays(first)
        )
        own = [(k, tuple(dims[k])) for k in coords]
        self.dims = (*own, *((k, ("point",)) for k in first.coords))
        self.group_count, self.log_sigma, kept = _surveyed(reader, pilot)
        self.count = np.sum(self.group_count)
        if not self.count > 0:
            raise DataError("all points are masked, not finite or without error")
        self.pilot = Dataset(
            kept.y,
            kept.sigma if sigma_given else None,
            kept.mask > 0,
            {**self.coords, **kept.coords},
            dict(self.dims),
            dict(self.units),
        )

    @property
    def n_groups(self) -> int:
        """Number of groups."""
        return self.form[0].shape[0]

    @property
    def chunk(self) -> int:
        """Points per group in a chunk."""
        return self.form[0].shape[1]

    @property
    def n_points(self) -> int:
        """Points per group, those of weight 0 included."""
        return self.n_chunks * self.chunk

    @property
    def n_valid(self) -> int:
        """Points that count; needs real numbers."""
        return int(self.count)

    @property
    def n_valid_per_group(self) -> np.ndarray:
        """Points of each group that count."""
        return np.asarray(self.group_count)

    @property
    def streamed(self) -> bool:
        """True: there is no array of all points."""
        return True

    @property
    def metadata(self) -> dict[str, Any]:
        """What came with the data: titles, file names, sources."""
        return self.note.content["metadata"]

    def unit(self, name: str) -> str:
        """Unit of a coordinate or of "y"."""
        return dict(self.units).get(name, "")

    def chunk_at(self, index: Any) -> Chunk:
        """One chunk, inside or outside compiled code."""
        arrays = jax.pure_callback(_fetch, self.form, self.key, jnp.asarray(index))
        own = [k for k, d in self.dims if "point" not in d]
        along = [k for k, d in self.dims if "point" in d]
        coords = {k: jnp.asarray(self.coords[k]) for k in own}
        coords |= dict(zip(along, arrays[3:], strict=True))
        y, sigma, mask = arrays[:3]
        return Chunk(y, sigma, mask, coords)


def _fetch(key: Any, index: Any) -> tuple[np.ndarray, ...]:
    return _arrays(_READERS[int(key)].get(int(index)))


def _arrays(piece: Piece) -> tuple[np.ndarray, ...]:
    return piece.y, piece.sigma, piece.mask, *piece.coords.values()


def _surveyed(reader: Reader, pilot: int) -> tuple[np.ndarray, np.ndarray, Piece]:
    """Count of points per group, ½ Σ log 2πσ², and some points of all chunks."""
    count, log_sigma, kept = np.zeros(()), 0.0, []
    share = max(1, -(-pilot // reader.count))
    for index in range(reader.count):
        piece = reader.read(index)
        mask = np.asarray(piece.mask, float)
        count = count + mask.sum(axis=1)
        sigma = np.asarray(piece.sigma, float)
        log_sigma += 0.5 * (mask * np.log(2 * np.pi * sigma**2)).sum()
        valid = np.flatnonzero(mask.any(axis=0))
        pick = np.linspace(0, len(valid) - 1, min(share, len(valid))).round()
        at = valid[np.unique(pick).astype(int)]
        kept.append(
            Piece(
                piece.y[:, at],
                piece.sigma[:, at],
                piece.mask[:, at],
                {k: v[at] for k, v in piece.coords.items()},
            )
        )

    def joined(name: str) -> np.ndarray:
        return np.concatenate([getattr(p, name) for p in kept], axis=1)

    coords = {k: np.concatenate([p.coords[k] for p in kept]) for k in kept[0].coords}
    few = Piece(joined("y"), joined("sigma"), joined("mask"), coords)
    return np.asarray(count), np.asarray(log_sigma), few
