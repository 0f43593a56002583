"""DM3 and DM4 files: measured ones bit for bit, made ones of all kinds, broken ones."""

import hashlib
import pathlib
import random
import struct

import numpy as np
import pytest

from jaxscatter.errors import FormatError
from jaxscatter.io.dm import DmImage, read_dm

DATA = pathlib.Path(__file__).parent.parent / "data" / "cbed"
CODES = {"i2": 2, "i4": 3, "u2": 4, "u4": 5, "f4": 6, "f8": 7, "i1": 9, "u1": 10,
         "i8": 11, "u8": 12}  # fmt: skip
PIXELS = {"i2": 1, "f4": 2, "c8": 3, "u1": 6, "i4": 7, "i1": 9, "u2": 10, "u4": 11,
          "f8": 12, "c16": 13, "i8": 39, "u8": 40}  # fmt: skip


class Maker:
    """Writes trees of tags: a dict is a group, a NumPy array an array, and so on."""

    def __init__(self, version=3, order="<"):
        self.version, self.order = version, order
        self.wide = ">q" if version == 4 else ">i"

    def info(self, *numbers):
        head = b"%%%%" + struct.pack(self.wide, len(numbers))
        return head + b"".join(struct.pack(self.wide, n) for n in numbers)

    def value(self, value):
        if isinstance(value, bytes):
            return value
        if isinstance(value, str):
            text = value.encode("utf-16-le" if self.order == "<" else "utf-16-be")
            return self.info(20, 4, len(value)) + text
        if isinstance(value, tuple):
            kinds = [n for v in value for n in (0, CODES[v.dtype.str[1:]])]
            raw = np.array(value, self.order + value[0].dtype.str[1:]).tobytes()
            return self.info(15, 0, len(value), *kinds) + raw
        value = np.asarray(value)
        kind = value.dtype.str[1:]
        raw = value.astype(self.order + kind).tobytes()
        if value.ndim == 0:
            return self.info(CODES[kind]) + raw
        if kind[0] == "c":
            part = CODES["f4" if kind == "c8" else "f8"]
            return self.info(20, 15, 0, 2, 0, part, 0, part, value.size) + raw
        return self.info(20, CODES[kind], value.size) + raw

    def group(self, entries):
        out = b"\1\0" + struct.pack(self.wide, len(entries))
        for name, value in entries:
            is_group = isinstance(value, list)
            body = self.group(value) if is_group else self.value(value)
            out += struct.pack(">BH", 20 if is_group else 21, len(name)) + name.encode()
            out += struct.pack(">q", len(body)) if self.version == 4 else b""
            out += body
        return out

    def file(self, entries):
        body = self.group(entries)
        order = struct.pack(">i", self.order == "<")
        head = struct.pack(">i", self.version) + struct.pack(self.wide, len(body))
        return head + order + body + bytes(8)


def image(data, **changes):
    """Entries of one image; the fastest axis is the first dimension."""
    axes = [
        [("Origin", np.float32(3 + i)), ("Scale", np.float32(0.25 * (i + 1))),
         ("Units", f"1/Å{i}")]
        for i in range(data.ndim)
    ]  # fmt: skip
    values = {
        "Calibrations": [("Dimension", [("", a) for a in axes])],
        "Data": data,
        "DataType": np.int32(PIXELS[data.dtype.str[1:]]),
        "Dimensions": [("", np.int32(n)) for n in data.shape[::-1]],
        **changes,
    }
    return [("ImageData", [(k, v) for k, v in values.items() if v is not None])]


def tree(data, **changes):
    thumbnail = image(np.zeros((2, 2), np.int32))
    return [
        ("ImageList", [("", thumbnail), ("", image(data, **changes))]),
        ("Rectangle", tuple(np.array([1, -2, 3, 4], np.int16))),
        ("Voltage", np.float64(200000.0)),
    ]


@pytest.fixture
def read(tmp_path):
    """Read bytes as a DM file."""

    def reader(raw):
        path = tmp_path / "a.dm3"
        path.write_bytes(raw)
        return read_dm(path)

    return reader


@pytest.mark.parametrize("name", ["LiNbO3_+0+0+0.dm3", "LiNbO3_+0+0+6.dm3"])
def test_measured_patterns_are_read_bit_for_bit(reference, name):
    want = reference("cbed/linbo3_dm3.json")["files"][name]
    found = read_dm(DATA / name)
    assert list(found.data.shape) == want["shape"]
    assert found.data.dtype == want["dtype"]
    raw = found.data.astype("<f4").tobytes()
    assert hashlib.sha256(raw).hexdigest() == want["sha256"]
    for place, value in want["pixels"].items():
        assert found.data[tuple(map(int, place.split(",")))] == value
    assert (found.scale, found.origin, found.units) == ((1.0, 1.0), (0, 0), ("", ""))


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("kind", [*PIXELS])
def test_every_kind_of_pixel_in_both_orders_and_versions(read, version, order, kind):
    data = np.random.default_rng(3).normal(0, 50, (3, 5))
    data = (np.abs(data) if kind[0] == "u" else data).astype(kind)
    found = read(Maker(version, order).file(tree(data)))
    assert found.data.dtype == np.dtype(kind)
    np.testing.assert_array_equal(found.data, data)
    assert found.scale == (0.5, 0.25)
    assert found.origin == (4.0, 3.0)
    assert found.units == ("1/Å1", "1/Å0")
    assert found.tags["Voltage"] == 200000.0
    assert found.tags["Rectangle"] == (1, -2, 3, 4)


def test_stack_keeps_its_order_and_calibrations(read):
    data = np.arange(24.0, dtype=np.float32).reshape(2, 3, 4)
    found = read(Maker().file(tree(data)))
    np.testing.assert_array_equal(found.data, data)
    assert found.scale == (0.75, 0.5, 0.25)
    found.data[0, 0, 0] = 5.0  # the image is a copy that may be changed


def test_axes_without_calibration_are_in_pixels(read):
    found = read(Maker().file(tree(np.ones((2, 3), np.uint8), Calibrations=None)))
    assert (found.scale, found.origin, found.units) == ((1, 1), (0, 0), ("", ""))


def test_strings_and_long_arrays_do_not_disturb(read):
    maker = Maker()
    entries = [
        ("Text", maker.info(18, 3) + b"abc"),
        ("Long", np.zeros(5000, np.uint16)),
        ("Points", maker.info(20, 15, 0, 2, 0, 3, 0, 6, 2) + bytes(16)),
        *tree(np.ones((2, 3), np.uint8)),
    ]
    found = read(maker.file(entries))
    assert found.tags["Text"] == "abc"
    assert "Long" not in found.tags
    assert found.data.shape == (2, 3)


SMALL = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"DataType": np.int32(23)}, "DataType is 23; expected one of"),
        ({"DataType": None}, "DataType is None"),
        ({"DataType": np.int32(12)}, "Data has 24 bytes; expected 48 of 3 x 2 pixels"),
        ({"Dimensions": None}, r"Dimensions is \[\]; expected positive integers"),
        ({"Dimensions": [("", np.int32(-3))]}, r"Dimensions is \[-3\]"),
        ({"Dimensions": [("", np.float32(3))]}, r"Dimensions is \[3.0\]"),
        ({"Dimensions": [("", np.int32(2**31 - 1))] * 3}, "Data has 24 bytes; expect"),
        ({"Dimensions": [("", np.int32(1))] * 9}, "Dimensions has 9"),
        ({"Data": np.int32(3)}, "ImageData/DataType"),
    ],
)
def test_images_that_cannot_be_read_say_why(read, changes, message):
    if "Data" in changes:  # then the only array left is the thumbnail's
        assert read(Maker().file(tree(SMALL, **changes))).data.shape == (2, 2)
        return
    with pytest.raises(FormatError, match=message):
        read(Maker().file(tree(SMALL, **changes)))


@pytest.mark.parametrize("version", [3, 4])
@pytest.mark.parametrize(
    ("value", "message"),
    [
        (lambda m: m.info(20, 6, 2**31 - 1), r"x needs 8589934588 bytes at \d+ of"),
        (lambda m: m.info(20, 6, -1), "x has -1 values"),
        (lambda m: m.info(18, 2**31 - 1), "x needs 2147483647 bytes"),
        (lambda m: m.info(18, -5), "x needs -5 bytes"),
        (lambda m: m.info(99) + bytes(8), r"x is of the type \[99\]"),
        (lambda m: m.info(15, 0, 2**31 - 1, 0, 3) + bytes(8), "x is of the type"),
        (lambda m: m.info(20, 20, 6, 2, 2) + bytes(16), "x is of the type"),
        (lambda m: m.info(20, 15, 0, 1, 0, 77, 1) + bytes(8), "x is of the type"),
        (lambda m: m.info(15) + bytes(8), "x is of the type"),
        (lambda m: b"%%%%" + struct.pack(m.wide, 2**31 - 1), "x is described by 21474"),
        (lambda m: b"%%%%" + struct.pack(m.wide, 0), "x is described by 0 integers"),
        (lambda m: b"%%%#" + bytes(20), "x begins with b'%%%#'; expected %%%%"),
    ],
)
def test_absurd_values_are_refused_before_anything_is_read(
    read, version, value, message
):
    maker = Maker(version)
    with pytest.raises(FormatError, match=message):
        read(maker.file([("x", value(maker)), *tree(SMALL)]))


def test_trees_that_are_no_trees_are_refused(read):
    deep = [("d", SMALL)]
    for _ in range(100):
        deep = [("d", deep)]
    with pytest.raises(FormatError, match=r"d/d/.* groups deep; expected fewer"):
        read(Maker().file(deep))
    with pytest.raises(FormatError, match=r"n{80}\.\.\. is 401 characters long"):
        read(Maker().file([("n" * 401, SMALL)]))
    with pytest.raises(FormatError, match=r"no ImageList/\*/ImageData/Data"):
        read(Maker().file([("x", SMALL)]))
    with pytest.raises(FormatError, match="root holds 2147483647 entries"):
        read(Maker().file(tree(SMALL))[:14] + b"\x7f\xff\xff\xff" + bytes(40))
    with pytest.raises(FormatError, match="0 is of kind 0; expected 20 or 21"):
        read(Maker().file(tree(SMALL))[:14] + b"\0\0\0\1" + bytes(40))


@pytest.mark.parametrize(
    ("raw", "message"),
    [
        (b"", "empty file; expected a DM3 or DM4 file"),
        (b"\0\0", "needs 4 bytes at 0 of 2"),
        (b"\0\0\0\2" + bytes(20), "expected version 3 or 4"),
        (b"\x89PNG\r\n\x1a\n" + bytes(20), "begins with b'.x89PNG'; expected version"),
        (struct.pack(">iii", 3, 8, 2) + bytes(20), "byte order is 2; expected 0 or 1"),
        (struct.pack(">iqi", 4, 8, 1), "root needs 2 bytes"),
    ],
)
def test_what_is_no_dm_file_is_refused(read, raw, message):
    with pytest.raises(FormatError, match=message):
        read(raw)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(FileNotFoundError, match="expected a DM3 or DM4 file"):
        read_dm(tmp_path / "none.dm3")
    with pytest.raises(IsADirectoryError):
        read_dm(tmp_path)


def test_a_measured_file_cut_short_anywhere_is_refused(read):
    raw = (DATA / "LiNbO3_+0+0+0.dm3").read_bytes()
    for size in np.linspace(1, len(raw) - 40, 60).astype(int):
        with pytest.raises(FormatError, match=r"expected a complete"):
            read(raw[:size])


@pytest.mark.parametrize("version", [3, 4])
def test_broken_copies_are_refused_or_read(read, version):
    """Bytes changed, cut out or put in: no other error than ours."""
    rng = random.Random(version)
    good = Maker(version, "<>"[version % 2]).file(tree(SMALL))
    outcomes = set()
    for _ in range(300):
        raw = bytearray(good)
        for _ in range(rng.randint(1, 3)):
            at = rng.randrange(len(raw))
            match rng.randrange(4):
                case 0:
                    raw[at] = rng.randrange(256)
                case 1:
                    raw[at : at + 4] = rng.choice([b"\xff" * 4, b"\x7f\xff\xff\xff"])
                case 2:
                    del raw[at : at + rng.randint(1, 30)]
                case _:
                    raw[at:at] = raw[at : at + 20]
        try:
            found = read(bytes(raw))
        except FormatError:
            outcomes.add("refused")
        else:
            assert isinstance(found, DmImage)
            outcomes.add("read")
    assert outcomes == {"refused", "read"}
