import pathlib

import numpy as np
import pytest

from jaxscatter.errors import DataWarning, FormatError
from jaxscatter.io import read_cansas_xml

DATA = pathlib.Path(__file__).parent.parent / "data" / "sas"
POINTS = [(0.1, 30.0, 3.0), (0.2, 20.0, 2.0), (0.3, 10.0, 1.0)]


def idata(q, i, s, more="", q_unit="1/A", i_unit="1/cm"):
    return (
        f'<Idata><Q unit="{q_unit}">{q}</Q><I unit="{i_unit}">{i}</I>'
        f'<Idev unit="{i_unit}">{s}</Idev>{more}</Idata>'
    )


def entry(body, title="a", run="1"):
    return (
        f"<SASentry><Title>{title}</Title><Run>{run}</Run>"
        f"<SASdata>{body}</SASdata></SASentry>"
    )


def table(**kwargs):
    return "".join(idata(*point, **kwargs) for point in POINTS)


@pytest.fixture
def read(tmp_path):
    """Read SASentry elements as a file."""

    def written(entries, space="urn:cansas1d:1.1", root="SASroot", head=""):
        path = tmp_path / "a.xml"
        text = f'<?xml version="1.0"?>{head}<{root} xmlns="{space}">{entries}</{root}>'
        path.write_text(text, "utf-8")
        return read_cansas_xml(path)

    return written


def test_units_of_each_column_are_converted(read):
    qdev = '<Qdev unit="1/m">5e8</Qdev>'
    (found,) = read(entry(table(more=qdev, q_unit="1/nm", i_unit="1/m")))
    np.testing.assert_array_equal(found.q, np.array([0.1, 0.2, 0.3]) / 10)
    np.testing.assert_array_equal(found.intensity, np.array([30.0, 20.0, 10.0]) / 100)
    np.testing.assert_array_equal(found.sigma, np.array([3.0, 2.0, 1.0]) / 100)
    np.testing.assert_array_equal(found.dq, [0.05] * 3)
    assert found.metadata["source_units"] == {"q": "1/nm", "intensity": "1/m"}


def test_every_data_set_of_every_entry_is_read(read):
    two = "<SASdata name='b'>" + table() + "</SASdata>"
    body = entry(table() + "</SASdata>" + two[:-10], "t1", "r1")
    found = read(body + entry(table(), "t2", "r2"), "cansas1d/1.0")
    assert [x.name for x in found] == [
        "sasentry01/sasdata01",
        "sasentry01/b",
        "sasentry02/sasdata01",
    ]
    assert [x.title for x in found] == ["t1", "t1", "t2"]
    assert [x.run for x in found] == ["r1", "r1", "r2"]


def test_a_slit_of_which_one_side_is_given_has_no_other(read):
    (found,) = read(entry(table(more='<dQl unit="1/A">0.1</dQl>')))
    assert found.q_length.tolist() == [0.1] * 3
    assert found.q_width.tolist() == [0.0] * 3
    assert found.dq is None
    (found,) = read(entry(table(more='<dQw unit="1/A">0.1</dQw>')))
    assert found.q_length.tolist() == [0.0] * 3
    both = '<dQl unit="1/A">0.1</dQl><Qdev unit="1/A">{}</Qdev>'
    (found,) = read(entry(table(more=both.format(0))))
    assert found.dq is None
    with pytest.warns(DataWarning, match="the slit is kept"):
        (found,) = read(entry(table(more=both.format(0.1))))
    assert found.dq is None


def test_what_the_example_of_the_format_says_of_itself():
    (found,) = read_cansas_xml(DATA / "cansas1d.xml")
    assert (found.title, found.run) == ("Test title", "1234")
    expected = {
        "instrument": "canSAS instrument",
        "radiation": "neutron",
        "sample": "SI600-new-long",
        "wavelength": 6.0,
        "detector_distance": 4.15,
        "thickness": 1.03 / 10,
        "transmission": 0.327,
        "format": "cansas-xml",
        "dropped_rows": 0,
        "nan_rows": 0,
    }
    assert {k: found.metadata[k] for k in expected} == expected
    assert "q_mean" not in found.metadata  # there, and empty


def test_the_distance_of_one_of_two_detectors_is_not_chosen():
    (found,) = read_cansas_xml(DATA / "ISIS_Polymer_Blend_TK49.xml")
    assert found.metadata["instrument"] == "LOQ"
    assert "detector_distance" not in found.metadata


def test_qmean_and_shadow_are_kept_aside():
    found = read_cansas_xml(DATA / "latex_smeared.xml")[0]
    assert found.metadata["q_mean"][:2].tolist() == [0.003945, 0.004328]
    assert found.metadata["shadow_factor"][:2].tolist() == [0.9956, 1.0]


def test_a_missing_unit_is_assumed_and_said(read):
    body = "".join(
        f"<Idata><Q>{q}</Q><I unit='1/cm'>{i}</I></Idata>" for q, i, _ in POINTS
    )
    with pytest.warns(DataWarning, match="Q has no unit; 1/A is assumed"):
        (found,) = read(entry(body))
    assert found.q.tolist() == [0.1, 0.2, 0.3]


def test_a_length_in_an_unknown_unit_is_left_out_and_said(read):
    sample = "<SASsample><thickness unit='furlong'>1</thickness></SASsample>"
    text = entry(table()).replace("</SASentry>", sample + "</SASentry>")
    with pytest.warns(DataWarning, match="thickness in unit 'furlong' is left out"):
        (found,) = read(text)
    assert "thickness" not in found.metadata


GOOD = idata(*POINTS[0])


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (table(q_unit="furlong"), "q in unit 'furlong'; expected 1/A"),
        (table(i_unit="furlong"), "intensity in unit 'furlong'; expected 1/cm"),
        (GOOD + idata(*POINTS[1], q_unit="1/nm"), "1/A and 1/nm"),
        (GOOD + GOOD.replace(">0.1<", ">zero<"), "Q='zero' in Idata 1"),
        (GOOD + "<Idata><Q unit='1/A'>1</Q></Idata>", "I in 1 of 2 Idata"),
        ("<Idata><Q unit='1/A'>1</Q></Idata>", "no I in Idata"),
        ("<Idata><I unit='1/A'>1</I></Idata>", "no Q in Idata"),
        ("", "no Idata"),
        (table(more="<Qdev unit='1/A'>-1</Qdev>"), "dq=-1 in row 0"),
        (table().replace('Idev unit="1/cm"', 'Idev unit="counts"'), "one kind"),
    ],
)
def test_data_that_cannot_be_used_are_refused(read, body, told):
    with pytest.raises(FormatError, match=told) as error:
        read(entry(body))
    assert "a.xml" in str(error.value)


def test_xml_of_another_kind_is_refused(read):
    with pytest.raises(FormatError, match=r"root element 'html'.* expected SASroot"):
        read("", "http://www.w3.org/1999/xhtml", "html")
    with pytest.raises(FormatError, match="namespace 'elsewhere'"):
        read(entry(table()), "elsewhere")
    with pytest.raises(FormatError, match="0 SASentry, none with SASdata"):
        read("")


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16", "latin-1"])
def test_entities_are_refused_before_they_are_expanded(tmp_path, encoding):
    """Nine levels of ten would be 10⁹ copies."""
    levels = "".join(f'<!ENTITY e{i} "{f"&e{i - 1};" * 10}">' for i in range(1, 10))
    path = tmp_path / "bomb.xml"
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?><!DOCTYPE SASroot ['
        f'<!ENTITY e0 "ha">{levels}]><SASroot>&e9;</SASroot>'
    )
    path.write_bytes(text.encode(encoding))
    with pytest.raises(FormatError, match=r"bomb\.xml: the XML declares a DTD"):
        read_cansas_xml(path)


@pytest.mark.parametrize("size", [40, 5000, 20000])
def test_a_truncated_file_is_refused(tmp_path, size):
    path = tmp_path / "cut.xml"
    path.write_bytes((DATA / "hSDS_D2O_2p0_percent.xml").read_bytes()[:size])
    with pytest.raises(FormatError, match=r"cut\.xml: not well-formed XML"):
        read_cansas_xml(path)
