"""Checkpoints of long runs: an HDF5 file from which the same run goes on, bit for bit.

    /            attrs: format, version, kind "checkpoint", fingerprint
    /state/0 ... leaves of the state, random keys as their words
    /kept/NAME   what was collected so far
    /counts      whole numbers as attrs

The fingerprint covers data, parameters, settings and start: a checkpoint of another run
is refused, never silently continued or overwritten.
"""

import hashlib
import os
import pathlib
import secrets
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import h5py
import jax
import jax.numpy as jnp
import numpy as np

from ..errors import FormatError
from ..problem import AbstractProblem
from ..problem.parameter import tie_arguments
from .files import FORMAT, VERSION


class Checkpoint:
    """One run's file.

    Args:
        path: where; its folder must exist.
        fingerprint: of the run, see `fingerprint`.

    Raises:
        FileNotFoundError: no such folder.
        FormatError: the file there is no checkpoint, or of another run.
    """

    def __init__(self, path: str | os.PathLike, fingerprint: str):
        self.path, self.fingerprint = pathlib.Path(path), fingerprint
        if not self.path.parent.is_dir():
            raise FileNotFoundError(
                f"{self.path.parent}: no such folder to write {self.path.name}"
            )
        if self.exists:
            self._checked()

    @property
    def exists(self) -> bool:
        """Whether there is something to go on from."""
        return self.path.exists()

    def _checked(self) -> None:
        if not h5py.is_hdf5(self.path):
            raise FormatError(f"{self.path}: no checkpoint; choose another name")
        with h5py.File(self.path) as file:
            if file.attrs.get("kind") != "checkpoint":
                raise FormatError(f"{self.path}: no checkpoint; choose another name")
            if file.attrs["fingerprint"] != self.fingerprint:
                raise FormatError(
                    f"{self.path}: a checkpoint of other data, parameters, settings, "
                    "seed or versions; remove it or choose another name"
                )

    def save(
        self,
        state: Any,
        kept: Mapping[str, np.ndarray] | None = None,
        **counts: int,
    ) -> None:
        """Write all there is, complete or not at all; process 0 only."""
        if jax.process_index() != 0:
            return
        partial = self.path.with_name(f".{self.path.name}.{secrets.token_hex(4)}")
        try:
            with h5py.File(partial, "w") as file:
                file.attrs["format"], file.attrs["version"] = FORMAT, VERSION
                file.attrs["kind"] = "checkpoint"
                file.attrs["fingerprint"] = self.fingerprint
                for i, leaf in enumerate(jax.tree.leaves(state)):
                    file[f"state/{i}"] = _words(leaf)
                for name, values in (kept or {}).items():
                    file[f"kept/{name}"] = values
                file.create_group("counts").attrs.update(counts)
            os.replace(partial, self.path)
        finally:
            partial.unlink(missing_ok=True)

    def load(self, like: Any) -> tuple[Any, dict[str, np.ndarray], dict[str, int]]:
        """(state of the structure of `like`, what was kept, counts)."""
        with h5py.File(self.path) as file:
            leaves, tree = jax.tree.flatten(like)
            stored = [np.asarray(file[f"state/{i}"]) for i in range(len(leaves))]
            group: Any = file["kept"] if "kept" in file else {}
            kept = {k: np.asarray(v) for k, v in group.items()}
            counts = {k: int(v) for k, v in file["counts"].attrs.items()}
        state = [_restored(v, leaf) for v, leaf in zip(stored, leaves, strict=True)]
        return jax.tree.unflatten(tree, state), kept, counts


def fingerprint(problem: AbstractProblem, *more: Any) -> str:
    """Checksum of a problem's numbers and of whatever else decides a run."""
    numbers: list[Any] = []
    out = hashlib.sha256()
    for part in problem.parts:
        data: Any = part.given
        if data.streamed:
            data = (data.pilot, data.coords, data.count, data.n_chunks)
        numbers.append((data, part.parameters, part.model))
        versions = (jax.__version__, np.__version__, part.model.name)
        out.update(repr((versions, part.precision, part.likelihood)).encode())
    if len(numbers) > 1:
        numbers.append(problem.parameters)
        ties = [(p.name, tie_arguments(p.tie)) for p in problem.parameters]
        out.update(repr(ties).encode())
    for leaf in jax.tree.leaves(eqx.filter((numbers, more), eqx.is_array_like)):
        words = np.ascontiguousarray(_words(leaf))
        out.update(repr((words.shape, words.dtype.str)).encode())
        out.update(words.tobytes())
    out.update(repr([m for m in more if isinstance(m, str)]).encode())
    return out.hexdigest()


def _is_key(leaf: Any) -> bool:
    return isinstance(leaf, jax.Array) and jnp.issubdtype(
        leaf.dtype, jax.dtypes.prng_key
    )


def _words(leaf: Any) -> np.ndarray:
    return np.asarray(jax.random.key_data(leaf) if _is_key(leaf) else leaf)


def _restored(words: np.ndarray, like: Any) -> Any:
    if _is_key(like):
        return jax.random.wrap_key_data(jnp.asarray(words))
    return jnp.asarray(words)
