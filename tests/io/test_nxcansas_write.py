import h5py
import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import DataError
from jaxscatter.io import Curve, Image, read_nxcansas, write_nxcansas

FIELDS = {
    Curve: ("q", "intensity", "sigma", "dq", "q_length", "q_width", "mask"),
    Image: ("qx", "qy", "intensity", "sigma", "dqx", "dqy", "mask"),
}
LABELS = ("title", "run", "intensity_unit")
DESCRIBED = {
    "instrument": "LOQ",
    "radiation": "neutron",
    "sample": "latex in D₂O",
    "wavelength": 6.1,
    "detector_distance": 4.15503,
    "thickness": 0.103,
    "transmission": 0.84031,
}


def numbers(seed, shape):
    """Positive numbers with all bits of the mantissa in use."""
    return np.random.default_rng(seed).lognormal(size=shape)


def curve(**more):
    q = np.sort(numbers(1, 40))
    return Curve(q, numbers(2, 40) - 1, numbers(3, 40), title="Å", run="7", **more)


def image(shape=(5, 7), **more):
    x, y = numbers(4, shape), numbers(5, shape)
    return Image(x, y, numbers(6, shape), numbers(7, shape), title="t", **more)


SLIT = {"q_length": np.full(40, 0.117), "q_width": numbers(8, 40)}
DATA = {
    "pinhole": curve(dq=numbers(9, 40), metadata=DESCRIBED),
    "slit": curve(**SLIT),
    "masked": curve(mask=numbers(10, 40) > 1, intensity_unit="counts"),
    "plain": Curve(np.sort(numbers(1, 40)), numbers(2, 40)),
    "per mass": curve(intensity_unit="cm^2/g"),
    "relative": curve(intensity_unit="a.u."),
    "image": image(mask=numbers(11, (5, 7)) > 1),
    "smeared": image(dqx=numbers(12, (5, 7)), dqy=numbers(13, (5, 7))),
    "polar": image((9,), dqx=numbers(12, 9), dqy=numbers(13, 9), dq_axes="polar"),
}


def same(found, data):
    """Bit for bit, NaN included."""
    assert type(found) is type(data)
    for name in FIELDS[type(data)]:
        one, two = getattr(found, name), getattr(data, name)
        assert (one is None) == (two is None), name
        if two is not None:
            assert (one.dtype, one.shape) == (two.dtype, two.shape), name
            assert one.tobytes() == two.tobytes(), name


@pytest.mark.parametrize("kind", DATA)
def test_what_was_written_is_read_back_bit_for_bit(tmp_path, kind):
    data = DATA[kind]
    path = write_nxcansas(tmp_path / "a.h5", data)
    (found,) = read_nxcansas(path)
    same(found, data)
    assert [getattr(found, k) for k in LABELS] == [getattr(data, k) for k in LABELS]
    assert {k: found.metadata[k] for k in data.metadata} == data.metadata
    if isinstance(data, Image):
        assert isinstance(found, Image)
        assert found.dq_axes == data.dq_axes
    assert [p.name for p in tmp_path.iterdir()] == ["a.h5"]


def test_a_fit_is_a_second_data_set(tmp_path):
    data, model = DATA["pinhole"], numbers(20, 40)
    path = write_nxcansas(tmp_path / "a.h5", data, jnp.asarray(model))
    measured, fit = read_nxcansas(path)
    same(measured, data)
    same(fit, Curve(data.q, model))
    assert fit.name == "sasentry01/fit01"
    assert measured.name == "sasentry01/sasdata01"


def test_fits_of_several_data_stay_with_them(tmp_path):
    part = Curve(DATA["slit"].q[3:9], numbers(21, 6))
    pair = [DATA["slit"], DATA["image"], DATA["plain"]]
    fits = [part, numbers(22, (5, 7)), None]
    found = read_nxcansas(write_nxcansas(tmp_path / "a.h5", pair, fits))
    by_name = {x.name: x for x in found}
    assert len(by_name) == 5
    same(by_name["sasentry01/fit01"], part)
    same(by_name["sasentry02/sasdata01"], DATA["image"])
    same(
        by_name["sasentry02/fit01"],
        Image(DATA["image"].qx, DATA["image"].qy, fits[1], mask=DATA["image"].mask),
    )
    same(by_name["sasentry03/sasdata01"], DATA["plain"])


def test_groups_and_attributes_are_those_of_the_definition(tmp_path):
    """NXcanSAS 1.1: required groups, attributes and their values."""
    path = write_nxcansas(tmp_path / "a.h5", [DATA["pinhole"], DATA["slit"]])
    with h5py.File(path) as file:
        assert file.attrs["NX_class"] == "NXroot"
        assert file.attrs["default"] == "sasentry01"
        entry = file["sasentry01"]
        assert dict(entry.attrs) == {
            "NX_class": "NXentry",
            "canSAS_class": "SASentry",
            "version": "1.1",
            "default": "sasdata01",
        }
        assert entry["definition"][()] == b"NXcanSAS"
        assert entry["title"][()].decode() == "Å"
        assert entry["run"][()] == b"7"
        data = entry["sasdata01"]
        assert data.attrs["NX_class"] == "NXdata"
        assert data.attrs["canSAS_class"] == "SASdata"
        assert data.attrs["signal"] == "I"
        assert data.attrs["I_axes"] == "Q"
        assert data.attrs["Q_indices"] == 0
        assert dict(data["Q"].attrs) == {
            "units": "1/angstrom",
            "resolutions": "Qdev",
            "resolutions_description": "Gaussian",
        }
        assert dict(data["I"].attrs) == {"units": "1/cm", "uncertainties": "Idev"}
        assert data["Idev"].attrs["units"] == "1/cm"
        assert data["Qdev"].attrs["units"] == "1/angstrom"
        slit = file["sasentry02/sasdata01/Q"]
        assert slit.attrs["resolutions"].tolist() == ["dQw", "dQl"]
        sample = entry["sassample"]
        assert (sample.attrs["NX_class"], sample["thickness"][()]) == (
            "NXsample",
            0.103,
        )


def test_an_image_names_its_axes_and_what_is_hidden(tmp_path):
    data = DATA["image"]
    with h5py.File(write_nxcansas(tmp_path / "a.h5", data)) as file:
        group = file["sasentry01/sasdata01"]
        assert group.attrs["I_axes"].tolist() == ["Qx", "Qy"]
        assert group.attrs["Q_indices"].tolist() == [0, 1]
        assert group.attrs["Mask_indices"].tolist() == [0, 1]
        np.testing.assert_array_equal(group["Mask"][()] == 0, data.mask)


@pytest.mark.parametrize(
    ("data", "fit", "told"),
    [
        ([], None, "0 data and 0 fits"),
        (DATA["plain"], numbers(1, 39), r"fit has shape \(39,\); expected \(40,\)"),
        (DATA["plain"], DATA["image"], "fit is Image; expected Curve"),
        ([DATA["plain"], DATA["slit"]], DATA["plain"], "2 data and 1 fits"),
        ([DATA["plain"], DATA["slit"]], [None], "2 data and 1 fits"),
    ],
)
def test_a_fit_that_belongs_to_nothing_is_refused(tmp_path, data, fit, told):
    with pytest.raises(DataError, match=told):
        write_nxcansas(tmp_path / "a.h5", data, fit)
    assert not list(tmp_path.iterdir())
