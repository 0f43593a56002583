import pathlib
import shutil

import h5py
import numpy as np
import pytest

from jaxscatter.errors import FormatError
from jaxscatter.io import Curve, Image, read_curves, read_sas

DATA = pathlib.Path(__file__).parent.parent / "data" / "sas"
COLUMNS = {
    "q": "x",
    "intensity": "y",
    "sigma": "dy",
    "dq": "dx",
    "q_length": "dxl",
    "q_width": "dxw",
}
# sasdata multiplies these by a factor that is not exactly 1 (see the README there)
LAST_BIT = {
    "1umSlitSmearSphere.ABS": ("intensity", "sigma"),
    "33837rear_1D_1.75_16.5_NXcanSAS_v3.h5": ("q",),
    "simpleexamplefile.h5": ("q",),
}
LATEX = DATA / "latex_smeared.xml"


@pytest.fixture(scope="module")
def golden(reference):
    return reference("sas/loader_golden.json")["entries"]


def test_every_file_is_read_as_sasdata_reads_it(golden):
    assert len(golden) == 14
    for entry in (x for x in golden if x["dim"] == 1):
        found = read_sas(DATA / entry["file"])[entry["index"]]
        assert isinstance(found, Curve)
        for name, key in COLUMNS.items():
            values, told = getattr(found, name), (entry["file"], name)
            if entry[key] is None or (name in ("sigma", "dq") and not any(entry[key])):
                assert values is None, told
            elif name in LAST_BIT.get(entry["file"], ()):
                np.testing.assert_allclose(values, entry[key], 2.3e-16, err_msg=told)
            else:
                np.testing.assert_array_equal(values, entry[key], err_msg=told)
        assert found.title == entry["title"]
        assert found.run == "".join(entry["run"])
        absolute = entry["y_unit"] == "cm^{-1}"
        assert found.intensity_unit == ("1/cm" if absolute else "counts")


def test_the_image_is_read_as_it_is_stored(golden):
    (entry,) = [x for x in golden if x["dim"] == 2]
    (found,) = read_sas(DATA / entry["file"])
    assert isinstance(found, Image)
    assert found.sigma is not None
    assert list(found.intensity.shape) == entry["shape"]
    assert [found.qx.flat[0], found.qx.flat[-1]] == entry["qx_first_last"]
    assert [found.qy.flat[0], found.qy.flat[-1]] == entry["qy_first_last"]
    assert found.intensity.sum() == entry["sum_I"]
    assert found.sigma.sum() == entry["sum_err"]
    assert found.intensity.flat[100] == entry["I_at_100"]


@pytest.mark.parametrize("name", ["33837rear_1D_1.75_16.5_NXcanSAS_v3.h5"])
def test_numbers_of_hdf5_come_through_bit_for_bit(name):
    with h5py.File(DATA / name) as file:
        stored = file["sasentry01/sasdata/Q"][()]
    assert read_curves(DATA / name)[0].q.tobytes() == stored.tobytes()


@pytest.mark.parametrize(
    ("name", "n"),
    [("cansas1d.xml", 1), ("simpleexamplefile.h5", 1), ("98929.txt", 1)],
)
def test_the_content_decides_and_not_the_name(tmp_path, name, n):
    path = tmp_path / "wrong.png"
    shutil.copyfile(DATA / name, path)
    assert len(read_sas(path)) == n


def test_hdf5_behind_a_user_block_is_found(tmp_path):
    path = tmp_path / "block.h5"
    with h5py.File(DATA / "simpleexamplefile.h5") as source:
        with h5py.File(path, "w", userblock_size=512) as file:
            source.copy("sasentry01", file)
    assert read_curves(path)[0].q.size == 100


@pytest.mark.parametrize(
    "entry", [1, "latex_usans", "sasentry02", "sasentry02/sasdata01"]
)
def test_an_entry_is_chosen_by_place_name_or_run(entry):
    (found,) = read_sas(LATEX, entry)
    assert found.title == "latex particles 0.5micron diameter in D2O slit"


def test_a_name_that_several_share_gives_all():
    assert len(read_sas(LATEX, "sasdata01")) == 2


@pytest.mark.parametrize("entry", [2, -1, "latex"])
def test_an_unknown_entry_is_refused_with_those_there_are(entry):
    told = r"no entry .*0: 'sasentry01/sasdata01'.*run 'latex_usans'"
    with pytest.raises(FormatError, match=told):
        read_sas(LATEX, entry)


def test_a_reader_of_curves_refuses_an_image():
    told = r"33837rear_2D_crop\.h5: .* image of \(12, 20\) pixels; expected I\(q\)"
    with pytest.raises(FormatError, match=told):
        read_curves(DATA / "33837rear_2D_crop.h5")


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"", "empty file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "binary"),
        (bytes(np.random.default_rng(0).integers(0, 256, 4000, np.uint8)), "binary"),
        (b"\x89HDF\r\n\x1a\n and no more", "expected a complete NXcanSAS"),
        (b"<?xml version='1.0'?><svg/>", "root element 'svg'"),
        (b"<!DOCTYPE html><html></html>", "declares a DTD"),
        (b"<html><body>404</body></html>", "expected at least 5 .*canSAS XML"),
        (b"\xef\xbb\xbf<?xml version='1.0'?><SASroot>", "not well-formed"),
    ],
)
def test_what_is_no_data_is_refused(tmp_path, content, told):
    path = tmp_path / "data.txt"
    path.write_bytes(content)
    with pytest.raises(FormatError, match=rf"data\.txt: .*{told}|data\.txt: {told}"):
        read_sas(path)


def test_a_place_without_a_file_is_told(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.xml: no such file"):
        read_sas(tmp_path / "none.xml")
    with pytest.raises(IsADirectoryError, match="is a directory"):
        read_sas(tmp_path)
