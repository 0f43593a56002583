"""Patterns from files: measured DM3 images, stacks, CBED images, and mistakes."""

import pathlib
from typing import Any

import h5py
import numpy as np
import pytest

from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.geometry import Frame
from jaxscatter.cbed.load import load
from jaxscatter.cbed.measured import from_pattern, from_stack
from jaxscatter.cbed.regions import ROI, Region
from jaxscatter.errors import DataError, DataWarning, FormatError, ModelError
from jaxscatter.io.dm import read_dm

DATA = pathlib.Path(__file__).parent.parent / "data" / "cbed"
FILES = {
    (0, 0, 0): DATA / "LiNbO3_+0+0+0.dm3",
    (0, 0, 6): DATA / "LiNbO3_+0+0+6.dm3",
}
CUBIC = Crystal.from_sites([4, 4, 4, 90, 90, 90], [Site("Cu", (0, 0, 0), 0.5)])
DISKS: dict[str, Any] = {
    "roi": ROI(
        [Region([(-4, -4), (-4, 4), (4, -4)], 5, 5)],
        [(0, 0, 0), (1, 0, 0)], (1, 0, 0), 5.0, (25, 15),
    ),
    "gl": 20.0, "crystal": CUBIC, "frame": Frame((0, 0, 1), (1, 0, 0)),
}  # fmt: skip
PATTERN = np.random.default_rng(1).poisson(300.0, (50, 50)).astype(float)
INDEX = np.array([(0, 0, 0), (1, 0, 0)])


def same(a, b):
    np.testing.assert_array_equal(a.y, b.y)
    np.testing.assert_array_equal(a.sigma, b.sigma)
    np.testing.assert_array_equal(a.mask, b.mask)
    for name, value in b.coords.items():
        np.testing.assert_array_equal(a.coords[name], value)


def test_measured_larbed_images_come_from_one_file_each():
    with pytest.warns(DataWarning, match="are read as 1; mask them"):
        data = load(FILES, clip=1, crop=(60, 100, 50, 110))
    assert data.y.shape == (2, 40 * 60)
    np.testing.assert_array_equal(data.coords["l"], [0, 6])
    for row, path in zip(np.asarray(data.y), FILES.values(), strict=True):
        part = np.maximum(read_dm(path).data, 1)[60:100, 50:110]
        np.testing.assert_array_equal(row.reshape(40, 60), part)
    assert "LiNbO3_+0+0+6.dm3" in data.metadata["sample"]
    turned = load(FILES, variance=dict(reversed(FILES.items())), crop=(80, 90, 60, 70))
    np.testing.assert_allclose(turned.sigma**2, turned.y, rtol=1e-12)


def test_a_stack_takes_its_reflections_from_a_file_or_an_array(tmp_path):
    stack = np.stack([PATTERN, PATTERN + 5])
    np.save(tmp_path / "dp.npy", stack)
    np.save(tmp_path / "g.npy", INDEX)
    np.save(tmp_path / "var.npy", 2 * stack)
    want = from_stack(INDEX, stack, variance=2 * stack, centre=(20, 22))
    for hkl in (tmp_path / "g.npy", INDEX, INDEX.tolist()):
        options: dict[str, Any] = {"variance": tmp_path / "var.npy", "centre": (20, 22)}
        same(load(tmp_path / "dp.npy", hkl=hkl, **options), want)
    np.save(tmp_path / "one.npy", PATTERN)
    assert load(tmp_path / "one.npy", hkl=[(0, 0, 0)]).y.shape == (1, 2500)
    with pytest.raises(DataError, match="hkl has 2 rows; expected 1"):
        load(tmp_path / "one.npy", hkl=INDEX)
    with pytest.raises(DataError, match=r"hkl is \[0.5, 0.0, 0.0\]; expected three"):
        load(tmp_path / "one.npy", hkl=[(0.5, 0, 0)])


def test_a_cbed_image_is_the_same_from_every_format(tmp_path):
    want = from_pattern(PATTERN, **DISKS, background=PATTERN / 10, mask=PATTERN > 250)
    np.save(tmp_path / "a.npy", PATTERN)
    np.savez(tmp_path / "b.npz", dp=PATTERN)
    (tmp_path / "c.img").write_bytes(bytes(8) + PATTERN.astype(">f4").tobytes())
    (tmp_path / "d.bin").write_bytes(PATTERN.astype("<f8").tobytes())
    with h5py.File(tmp_path / "e.h5", "w") as file:
        file["dp"] = PATTERN
    np.save(tmp_path / "base.npy", PATTERN / 10)
    np.save(tmp_path / "keep.npy", (PATTERN > 250).astype(int))
    beside: dict[str, Any] = {
        "background": tmp_path / "base.npy",
        "mask": tmp_path / "keep.npy",
    }
    for name in ("a.npy", "b.npz", "c.img", "d.bin", "e.h5"):
        same(load(tmp_path / name, **DISKS, **beside), want)
    blurred = load(tmp_path / "a.npy", **DISKS, mtf=([0.0, 1.0], [1.0, 1.0]))
    same(blurred, from_pattern(PATTERN, **DISKS, mtf=np.ones((50, 50))))
    with h5py.File(tmp_path / "e.h5", "a") as file:
        file["more"] = PATTERN + 1
    chosen = load(tmp_path / "e.h5", **DISKS, entry="more", variance="unknown")
    plain = from_pattern(PATTERN + 1, **DISKS, variance="unknown")
    np.testing.assert_array_equal(chosen.y, plain.y)


def test_missing_and_foreign_arguments_are_named(tmp_path):
    path = tmp_path / "a.npy"
    np.save(path, PATTERN)
    with pytest.raises(DataError, match="neither roi nor hkl is given"):
        load(path)
    with pytest.raises(DataError, match=r"roi is given without \['gl', 'frame'\]"):
        load(path, roi=DISKS["roi"], crystal=CUBIC)
    change: dict[str, Any]
    for change in ({"hkl": INDEX}, {"crop": (0, 9, 0, 9)}, {"centre": (1, 2)}):
        with pytest.raises(ModelError, match=f"{next(iter(change))} is an argument of"):
            load(path, **DISKS, **change)
    for change in ({"gl": 3.0}, {"shift": (1, 1)}, {"sampling": "cubic"}):
        with pytest.raises(ModelError, match="of a CBED image, which needs roi"):
            load(path, hkl=INDEX[:1], **change)
    with pytest.raises(ModelError, match="'center'; did you mean 'centre'"):
        load(path, hkl=INDEX[:1], center=(1, 2))
    with pytest.raises(DataError, match="one file each"):
        load({(0, 0, 0): path}, **DISKS)


def test_files_that_do_not_fit_together_are_refused(tmp_path):
    np.save(tmp_path / "a.npy", PATTERN)
    np.save(tmp_path / "b.npy", PATTERN[:-1])
    two = {(0, 0, 0): tmp_path / "a.npy", (1, 0, 0): tmp_path / "b.npy"}
    with pytest.raises(DataError, match=r"shapes \[\(49, 50\), \(50, 50\)\]"):
        load(two)
    with pytest.raises(DataError, match="empty mapping"):
        load({})
    with pytest.raises(DataError, match="hkl is given twice"):
        load(two, hkl=INDEX)
    with pytest.raises(DataError, match=r"files are of \[\(0, 0, 0\)\]; expected"):
        load(FILES, variance={(0, 0, 0): FILES[0, 0, 0]})
    (tmp_path / "c.txt").write_text("hello")
    with pytest.raises(FormatError, match="expected a pattern in DM3"):
        load(tmp_path / "c.txt", **DISKS)
