"""DigitalMicrograph images, DM3 and DM4: pixels, calibrations and tags.

A file is a header (version 3 or 4, size, byte order of the data) and a tree of tags:
groups, whose entries have a type, a name and, in DM4, a length; and data, whose type is
a list of integers after the mark %%%%. The structure is big-endian, the data in either
order. The image is the last of ImageList; the one before is a thumbnail.

Units: pixels are left as stored; axes carry their own units. Pixel i of an axis lies at
scale · (i - origin).

References:
    [1] C. Boothroyd, "Digital Micrograph file format" (2013).
    [2] G. Jefferis, "DM3 image format" (2003).
"""

import math
import os
import pathlib
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ..errors import FormatError
from ._existing import existing_file

_TYPES = {
    2: "i2", 3: "i4", 4: "u2", 5: "u4", 6: "f4", 7: "f8", 8: "u1", 9: "i1", 10: "u1",
    11: "i8", 12: "u8",
}  # fmt: skip
_STRUCT, _STRING, _ARRAY = 15, 18, 20
_GROUP, _DATA = 20, 21
_PIXELS = {
    1: "i2", 2: "f4", 3: "c8", 6: "u1", 7: "i4", 9: "i1", 10: "u2", 11: "u4", 12: "f8",
    13: "c16", 14: "u1", 39: "i8", 40: "u8",
}  # fmt: skip
_DEEPEST = 64
_MOST_INFO = 1000
_TEXT = 4096
_LONGEST_PATH = 400
_MARK = b"%%%%"
_IMAGE = ("ImageData", "Data")


@dataclass(frozen=True, eq=False)
class DmImage:
    """An image of a DM3 or DM4 file, with the calibration of each of its axes.

    `data` is (row, column), or (..., row, column) of a stack; `scale`, `origin` and
    `units` follow its axes, and pixel i lies at scale · (i - origin). `tags` are the
    numbers and texts of the file by path, such as "ImageList/1/Name".
    """

    data: np.ndarray
    scale: tuple[float, ...]
    origin: tuple[float, ...]
    units: tuple[str, ...]
    tags: dict[str, Any]


class _Block(NamedTuple):
    """Where an array lies in the file, and what its elements are."""

    at: int
    dtype: np.dtype
    count: int


def read_dm(path: str | os.PathLike[str]) -> DmImage:
    """The image of a DM3 or DM4 file.

    Raises:
        FileNotFoundError, IsADirectoryError: nothing to read at `path`.
        FormatError: no such file, one cut short, or one whose image is in colour or
            packed.
    """
    path = existing_file(path, "a DM3 or DM4 file")
    reader = _Reader(path, path.read_bytes())
    blocks = reader.blocks
    images = [
        k.removesuffix("/".join(_IMAGE))
        for k in blocks
        if k.startswith("ImageList/") and k.split("/")[2:] == list(_IMAGE)
    ]
    if not images:
        raise FormatError(f"{path}: no ImageList/*/ImageData/Data; expected an image")
    start = f"{images[-1]}ImageData/"
    shape, data = _pixels(path, reader, start)
    axes = [f"{start}Calibrations/Dimension/{i}/" for i in range(len(shape))][::-1]
    return DmImage(
        data=data,
        scale=tuple(_calibration(reader.tags, f"{a}Scale", 1.0) for a in axes),
        origin=tuple(_calibration(reader.tags, f"{a}Origin", 0.0) for a in axes),
        units=tuple(str(reader.tags.get(f"{a}Units", "")) for a in axes),
        tags=reader.tags,
    )


def _pixels(
    path: pathlib.Path, reader: "_Reader", start: str
) -> tuple[tuple[int, ...], np.ndarray]:
    """Shape and pixels of the image whose tags begin with `start`."""
    tags, block = reader.tags, reader.blocks[f"{start}Data"]
    sizes = []
    while f"{start}Dimensions/{len(sizes)}" in tags:
        sizes.append(tags[f"{start}Dimensions/{len(sizes)}"])
    if not sizes or not all(isinstance(n, int) and n > 0 for n in sizes):
        raise FormatError(
            f"{path}: {start}Dimensions is {sizes}; expected positive integers"
        )
    if len(sizes) > 8:
        raise FormatError(f"{path}: {start}Dimensions has {len(sizes)}; expected <= 8")
    code = tags.get(f"{start}DataType")
    if code not in _PIXELS:
        raise FormatError(
            f"{path}: {start}DataType is {code}; expected one of {sorted(_PIXELS)} "
            "(real or complex, neither packed nor in colour)"
        )
    dtype = np.dtype(reader.order + _PIXELS[code])
    n, stored = math.prod(sizes), block.count * block.dtype.itemsize
    if n * dtype.itemsize != stored:
        raise FormatError(
            f"{path}: {start}Data has {stored} bytes; expected {n * dtype.itemsize} of "
            f"{' x '.join(map(str, sizes))} pixels of type {code}"
        )
    shape = tuple(sizes[::-1])
    while len(shape) > 2 and shape[0] == 1:
        shape = shape[1:]
    stored_pixels = np.frombuffer(reader.raw, dtype, n, block.at)
    # also turns the bytes into the machine's order
    return shape, stored_pixels.reshape(shape).astype(_PIXELS[code])


def _calibration(tags: dict[str, Any], name: str, default: float) -> float:
    value = tags.get(name, default)
    return float(value) if isinstance(value, (int, float)) else default


class _Reader:
    """Tags of a file, and where its arrays lie; no array is copied.

    Every step forward is checked against the size of the file, so that no number in it
    can ask for more memory or time than the file itself takes.
    """

    def __init__(self, path: pathlib.Path, raw: bytes):
        self.path, self.raw, self.at = path, raw, 0
        self.tags: dict[str, Any] = {}
        self.blocks: dict[str, _Block] = {}
        version = self._whole("header", 4)
        if version not in (3, 4):
            raise FormatError(
                f"{path}: begins with {raw[:4]!r}; expected version 3 or 4 of DM files"
            )
        self.wide = 8 if version == 4 else 4
        self._whole("header", self.wide)
        order = self._whole("header", 4)
        if order not in (0, 1):
            raise FormatError(f"{path}: byte order is {order}; expected 0 or 1")
        self.order = "<" if order else ">"
        self._group("", 0)

    def _skip(self, n: int, what: str) -> int:
        """Where the next `n` bytes begin; they lie behind afterwards."""
        start = self.at
        if n < 0 or start + n > len(self.raw):
            raise FormatError(
                f"{self.path}: {what or 'root'} needs {n} bytes at {start} of "
                f"{len(self.raw)}; expected a complete DM3 or DM4 file"
            )
        self.at = start + n
        return start

    def _whole(self, what: str, size: int, signed: bool = True) -> int:
        start = self._skip(size, what)
        return int.from_bytes(self.raw[start : self.at], "big", signed=signed)

    def _group(self, name: str, depth: int) -> None:
        """Read the entries of a group whose path is `name`."""
        if depth > _DEEPEST:
            raise FormatError(
                f"{self.path}: {name[:80]}... lies {depth} groups deep; expected fewer"
            )
        self._skip(2, name)
        count = self._whole(name, self.wide)
        # an entry takes three bytes or more
        if not 0 <= count <= (len(self.raw) - self.at) // 3:
            raise FormatError(
                f"{self.path}: {name or 'root'} holds {count} entries in "
                f"{len(self.raw) - self.at} bytes; expected a complete DM3 or DM4 file"
            )
        for i in range(count):
            kind = self._whole(name, 1, signed=False)
            size = self._whole(name, 2, signed=False)
            start = self._skip(size, name)
            label = self.raw[start : self.at].decode("latin-1")
            path = f"{name}/{label or i}" if name else (label or str(i))
            if len(path) > _LONGEST_PATH:
                raise FormatError(
                    f"{self.path}: {path[:80]}... is {len(path)} characters long; "
                    f"expected at most {_LONGEST_PATH}"
                )
            if self.wide == 8:
                self._whole(path, 8)
            if kind == _GROUP:
                self._group(path, depth + 1)
            elif kind == _DATA:
                self._data(path)
            else:
                raise FormatError(
                    f"{self.path}: {path} is of kind {kind}; expected 20 or 21"
                )

    def _data(self, name: str) -> None:
        """Read or locate a value of the type that its integers describe."""
        start = self._skip(4, name)
        if self.raw[start : self.at] != _MARK:
            raise FormatError(
                f"{self.path}: {name} begins with {self.raw[start : self.at]!r}; "
                "expected %%%%"
            )
        n = self._whole(name, self.wide)
        if not 1 <= n <= _MOST_INFO:
            raise FormatError(
                f"{self.path}: {name} is described by {n} integers; expected 1 to "
                f"{_MOST_INFO}"
            )
        info = [self._whole(name, self.wide) for _ in range(n)]
        if info[0] == _ARRAY and n >= 3:
            dtype = self._dtype(name, info[1:-1])
            self._array(name, dtype, info[-1])
        elif info[0] == _STRING and n == 2:
            start = self._skip(info[1], name)
            if info[1] <= _TEXT:
                self.tags[name] = self.raw[start : self.at].decode("latin-1")
        else:
            dtype = self._dtype(name, info)
            start = self._skip(dtype.itemsize, name)
            value = np.frombuffer(self.raw, dtype, 1, start)[0].item()
            self.tags[name] = value

    def _array(self, name: str, dtype: np.dtype, count: int) -> None:
        if count < 0:
            raise FormatError(f"{self.path}: {name} has {count} values; expected >= 0")
        start = self._skip(count * dtype.itemsize, name)
        self.blocks[name] = _Block(start, dtype, count)
        # texts are stored as arrays of two-byte characters
        if dtype.str[1:] == "u2" and count <= _TEXT:
            code = "utf-16-le" if self.order == "<" else "utf-16-be"
            text = self.raw[start : self.at].decode(code, errors="replace")
            self.tags[name] = text.rstrip("\0")

    def _dtype(self, name: str, info: list[int]) -> np.dtype:
        """Type that a list of integers describes: a number, or a structure of them."""
        if len(info) == 1 and info[0] in _TYPES:
            return np.dtype(self.order + _TYPES[info[0]])
        fields = info[4::2]
        if (
            info[0] == _STRUCT
            and len(info) == 3 + 2 * max(info[2] if len(info) > 2 else 0, 1)
            and all(f in _TYPES for f in fields)
        ):
            return np.dtype(
                [(f"f{i}", self.order + _TYPES[f]) for i, f in enumerate(fields)]
            )
        raise FormatError(
            f"{self.path}: {name} is of the type {info[:8]}; expected numbers, "
            "structures of numbers, or arrays of them"
        )
