import pathlib

import h5py
import numpy as np
import pytest

from jaxscatter.errors import DataWarning, FormatError
from jaxscatter.io import Curve, Image, read_nxcansas

DATA = pathlib.Path(__file__).parent.parent / "data" / "sas"
Q, Y, E = (
    np.array([0.1, 0.2, 0.3]),
    np.array([3.0, 2.0, 1.0]),
    np.array([0.3, 0.2, 0.1]),
)
QX, QY = np.meshgrid([0.1, 0.2, 0.3], [0.4, 0.5])


def store(group, **columns):
    """Datasets of (values, unit, attributes)."""
    for name, (values, unit, attributes) in columns.items():
        group[name] = values
        if unit is not None:
            group[name].attrs["units"] = unit
        for key, value in attributes.items():
            group[name].attrs[key] = value


@pytest.fixture
def nexus(tmp_path):
    """Read a file of one SASdata that a function fills."""

    def read(fill):
        path = tmp_path / "a.h5"
        with h5py.File(path, "w") as file:
            entry = file.create_group("x")
            entry.attrs["canSAS_class"] = "SASentry"
            group = entry.create_group("y")
            group.attrs["canSAS_class"] = "SASdata"
            fill(group)
        return read_nxcansas(path)

    return read


@pytest.mark.parametrize(
    ("q_unit", "scale"),
    [("1/A", 1.0), ("1/angstrom", 1.0), (b"1/nm", 10.0), (np.array([b"1/m"]), 1e10)],
)
def test_units_in_any_kind_of_string_are_converted(nexus, q_unit, scale):
    def fill(group):
        store(group, Q=(Q, q_unit, {}), I=(Y, "1/m", {}))

    (found,) = nexus(fill)
    np.testing.assert_array_equal(found.q, Q / scale)
    np.testing.assert_array_equal(found.intensity, Y / 100)
    assert (found.name, found.sigma, found.mask) == ("x/y", None, None)


@pytest.mark.parametrize(
    "attributes",
    [
        {"uncertainties": "noise"},
        {"uncertainty": "noise"},
        {"uncertainties": [b"noise"]},
    ],
)
def test_errors_are_where_the_intensity_says(nexus, attributes):
    def fill(group):
        store(group, Q=(Q, "1/A", {}), I=(Y, "1/cm", attributes), noise=(E, "1/cm", {}))

    assert nexus(fill)[0].sigma.tolist() == E.tolist()


def test_errors_without_any_attribute_have_their_usual_name(nexus):
    def fill(group):
        store(group, Q=(Q, "1/A", {}), I=(Y, "1/cm", {}), Idev=(E, None, {}))

    assert nexus(fill)[0].sigma.tolist() == E.tolist()


@pytest.mark.parametrize(
    "attributes",
    [{"resolutions": "w"}, {"uncertainties": "w"}, {"resolutions": np.array([b"w"])}],
)
def test_a_pinhole_is_where_q_says(nexus, attributes):
    def fill(group):
        store(group, Q=(Q, "1/nm", attributes), I=(Y, "1/cm", {}), w=(E, "1/nm", {}))

    assert nexus(fill)[0].dq.tolist() == (E / 10).tolist()


@pytest.mark.parametrize("names", ["dQw,dQl", "dQl, dQw", ["dQw", "dQl"], ""])
def test_a_slit_is_where_q_says(nexus, names):
    def fill(group):
        attributes = {"resolutions": names, "uncertainties": "Qdev"}
        store(group, Q=(Q, "1/A", attributes), I=(Y, "1/cm", {}))
        store(group, dQw=(0 * Q, "1/A", {}), dQl=(np.array([0.117]), "1/A", {}))
        store(group, Qdev=(E, "1/A", {}))

    (found,) = nexus(fill)
    assert found.q_length.tolist() == [0.117] * 3
    assert found.q_width.tolist() == [0.0] * 3
    assert found.dq is None


def test_the_scaling_factor_multiplies_intensity_and_errors(nexus):
    def fill(group):
        more = {"scaling_factor": "f", "uncertainties": "Idev"}
        store(group, Q=(Q, "1/A", {}), I=(Y, "1/cm", more), Idev=(E, "1/cm", {}))
        store(group, f=(2.0, "none", {}))

    (found,) = nexus(fill)
    assert found.intensity.tolist() == (2 * Y).tolist()
    assert found.sigma.tolist() == (2 * E).tolist()


def test_missing_units_are_assumed_and_said(nexus):
    with pytest.warns(DataWarning, match=r"(Q|I) has no units; 1/(A|cm) is assumed"):
        (found,) = nexus(lambda group: store(group, Q=(Q, None, {}), I=(Y, None, {})))
    assert found.q.tolist() == Q.tolist()


@pytest.mark.parametrize("flat", [False, True])
def test_an_image_has_qx_and_qy(nexus, flat):
    def fill(group):
        x, y, i, hidden = QX, QY, QX + 10 * QY, QX > 0.2
        if flat:
            x, y, i, hidden = x.ravel(), y.ravel(), i.ravel(), hidden.ravel()
        store(group, Qx=(x, "1/nm", {}), Qy=(y, "1/nm", {}), I=(i, "1/cm", {}))
        group["Mask"] = hidden

    (found,) = nexus(fill)
    assert isinstance(found, Image)
    np.testing.assert_array_equal(found.qx.ravel(), QX.ravel() / 10)
    np.testing.assert_array_equal(found.qy.ravel(), QY.ravel() / 10)
    np.testing.assert_array_equal(found.mask.ravel(), QX.ravel() <= 0.2)


@pytest.mark.parametrize(
    ("axes", "turn"), [(["Qy", "Qx"], False), (["Qx", "Qy"], True)]
)
def test_axes_become_a_value_per_pixel(nexus, axes, turn):
    def fill(group):
        group.attrs["I_axes"] = axes
        i = QX + 10 * QY
        store(group, I=(i.T if turn else i, "1/cm", {}))
        store(group, Qx=(QX[0], "1/A", {}), Qy=(QY[:, 0], "1/A", {}))

    (found,) = nexus(fill)
    np.testing.assert_allclose(found.intensity, found.qx + 10 * found.qy, rtol=1e-15)


def test_the_resolution_of_an_image(nexus):
    def fill(group):
        store(group, Qx=(QX, "1/A", {"resolutions": "a"}), I=(QX, "1/cm", {}))
        store(group, Qy=(QY, "1/A", {"resolutions": "b"}))
        store(group, a=(0.1 * QX, "1/A", {}), b=(0.1 * QY, "1/A", {}))

    (found,) = nexus(fill)
    np.testing.assert_array_equal(found.dqx, 0.1 * QX)
    np.testing.assert_array_equal(found.dqy, 0.1 * QY)
    assert found.dq_axes == "xy"


def test_several_entries_and_nested_ones_are_read(tmp_path):
    path = tmp_path / "several.h5"
    with h5py.File(path, "w") as file:
        for place in ("a/s1", "a/s2", "deep/inside/s1"):
            group = file.create_group(place)
            group.attrs["canSAS_class"] = "SASdata"
            group.parent.attrs["canSAS_class"] = "SASentry"
            store(group, Q=(Q, "1/A", {}), I=(Y, "1/cm", {}))
        file["a/title"] = np.array([b"first"])
        file["a/run"] = "12"
        file["other"] = 3.0
    found = read_nxcansas(path)
    assert [x.name for x in found] == ["a/s1", "a/s2", "deep/inside/s1"]
    assert [(x.title, x.run) for x in found] == [("first", "12")] * 2 + [("", "")]


def test_what_a_file_of_mantid_says_of_itself():
    (found,) = read_nxcansas(DATA / "33837rear_1D_1.75_16.5_NXcanSAS_v3.h5")
    assert isinstance(found, Curve)
    assert (found.title, found.run) == ("MH4_5deg_16T_SLOW", "33837")
    assert found.intensity_unit == "counts"
    assert found.metadata["instrument"] == "SANS2D"
    np.testing.assert_allclose(found.metadata["detector_distance"], 4.38528081, 1e-8)


CASES = {
    "furlong": (lambda g: g["Q"].attrs.modify("units", "furlong"), "unit 'furlong'"),
    "unit of I": (lambda g: g["I"].attrs.modify("units", "m"), "unit 'm'; expected"),
    "no Q": (lambda g: g.pop("Q"), "no Q, nor Qx and Qy, among"),
    "no I": (lambda g: g.pop("I"), "no dataset 'I' among"),
    "lengths": (
        lambda g: (g.pop("I"), store(g, I=(Y[:2], "1/cm", {}))),
        r"lengths differ \(intensity \(2,\), .*q \(3,\)",
    ),
    "frames": (
        lambda g: (g.pop("I"), g.pop("Idev"), store(g, I=(QX, "1/cm", {}))),
        r"I has shape \(2, 3\)",
    ),
    "image": (
        lambda g: store(g, Qx=(QX, "1/A", {}), Qy=(QY, "1/A", {})),
        r"and I has \(3,\); expected one shape",
    ),
    "named": (
        lambda g: g["I"].attrs.modify("uncertainties", "gone"),
        "gone is named but not there",
    ),
    "text": (lambda g: (g.pop("Q"), store(g, Q=("abc", "1/A", {}))), "real numbers"),
    "three": (
        lambda g: g["Q"].attrs.modify("resolutions", ["Q", "I", "Idev"]),
        "expected one or two",
    ),
    "mask": (lambda g: g.create_dataset("Mask", data=[0, 1]), r"Mask has shape \(2,\)"),
    "negative": (
        lambda g: (
            g["Q"].attrs.modify("resolutions", "w"),
            store(g, w=(-E, "1/A", {})),
        ),
        "dq=-0.3 in row 0",
    ),
    "kinds": (lambda g: g["Idev"].attrs.modify("units", "counts"), "one kind"),
    "endless": (
        lambda g: (
            g.pop("I"),
            g.create_dataset("I", (10**12,), "f8", chunks=(1000,)),
            g["I"].attrs.modify("units", "1/cm"),
        ),
        "expected 1 to 100000000 real numbers",
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_data_that_cannot_be_used_are_refused(nexus, case):
    change, told = CASES[case]

    def fill(group):
        more = {"uncertainties": "Idev"}
        store(group, Q=(Q, "1/A", {}), I=(Y, "1/cm", more), Idev=(E, "1/cm", {}))
        change(group)

    with pytest.raises(FormatError, match=told) as error:
        nexus(fill)
    assert "a.h5: x/y" in str(error.value)


def test_files_of_another_kind_are_refused(tmp_path):
    path = tmp_path / "b.h5"
    with h5py.File(path, "w") as file:
        file["exchange/data"] = Q
    with pytest.raises(FormatError, match=r"HDF5 without SASdata, .*\['exchange'\]"):
        read_nxcansas(path)
    with h5py.File(path, "w") as file:
        file["x"] = h5py.ExternalLink(str(DATA / "simpleexamplefile.h5"), "sasentry01")
        file["y"] = h5py.SoftLink("/nowhere")
    with pytest.raises(FormatError, match="HDF5 without SASdata"):
        read_nxcansas(path)


@pytest.mark.parametrize("size", [8, 100, 3000, 20000])
def test_a_truncated_file_is_refused(tmp_path, size):
    path = tmp_path / "cut.h5"
    whole = (DATA / "33837rear_1D_1.75_16.5_NXcanSAS_v3.h5").read_bytes()
    path.write_bytes(whole[:size])
    with pytest.raises(FormatError, match=r"cut\.h5: expected a complete NXcanSAS"):
        read_nxcansas(path)
