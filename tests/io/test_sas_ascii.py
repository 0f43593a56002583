import numpy as np
import pytest

from jaxscatter.errors import DataWarning, FormatError
from jaxscatter.io import Curve, Image, read_ascii

Q = [0.01, 0.02, 0.03, 0.04, 0.05, 0.06]
NIST = "The 6 columns are | Q (1/A) | I(Q) (1/cm) | std. dev. I(Q) (1/cm) | sigmaQ |\n"


@pytest.fixture
def curve(tmp_path):
    """Read a text as a file of one curve."""

    def read(text, encoding="utf-8"):
        path = tmp_path / "table.txt"
        path.write_bytes(text.encode(encoding))
        (found,) = read_ascii(path)
        assert isinstance(found, Curve)
        return found

    return read


def rows(line, n=6):
    """`n` lines made from a template of q and a running number."""
    return "".join(line.format(q=Q[i], i=10 - i) + "\n" for i in range(n))


@pytest.mark.parametrize(
    "line",
    [
        "{q} {i} 0.5 0.001",
        "{q},{i},0.5,0.001",
        "{q}, {i} , 0.5, 0.001,",
        "  {q};{i};0.5;0.001 ",
        '"{q}"\t"{i}"\t"0.5"\t"1.0D-03"',
        "{q} {i} 5e-1 .001 7 8 9",
    ],
)
def test_columns_are_found_whatever_separates_them(curve, line):
    found = curve("a title\n\n" + rows(line) + "a footer\n")
    assert found.q.tolist() == Q
    assert found.intensity.tolist() == [10, 9, 8, 7, 6, 5]
    assert found.sigma.tolist() == [0.5] * 6
    assert found.dq.tolist() == [0.001] * 6
    assert found.metadata["header"] == ["a title"]
    assert found.metadata["source_units"] == {"q": "1/A", "intensity": "1/cm"}
    assert (found.name, found.intensity_unit) == ("table", "1/cm")


def test_numbers_in_the_header_are_no_data(curve):
    """The table begins only where five rows in a row have as many columns."""
    found = curve("run 7\n1 2 3\n4 5 6\n0 0\n" + rows("{q} {i}"))
    assert found.q.tolist() == Q
    assert found.sigma is None
    assert found.dq is None


def test_zeros_in_place_of_errors_or_resolution_mean_none(curve):
    found = curve(rows("{q} {i} 0 0.0"))
    assert found.sigma is None
    assert found.dq is None


def test_rows_that_say_nothing_are_left_out_and_counted(curve):
    found = curve("0 5 1 1\n" + rows("{q} {i} 1 0.1") + "0 0 0 0\n0 0 0 0\n")
    assert found.q.tolist() == Q
    assert found.metadata["dropped_rows"] == 3


def test_errors_that_are_not_positive_stay(curve):
    text = rows("{q} {i} 1") + "0.07 3 0\n0.08 -2 -1\n"
    found = curve(text)
    assert found.sigma[-2:].tolist() == [0.0, -1.0]
    assert found.intensity[-1] == -2.0


def test_rows_are_sorted_by_q(curve):
    found = curve("0.09 1 7\n0.07 3 5\n0.08 2 6\n0.07 9 4\n" + rows("{q} {i} 1"))
    assert found.q.tolist() == [*Q, 0.07, 0.07, 0.08, 0.09]
    assert found.sigma[-4:].tolist() == [5.0, 4.0, 6.0, 7.0]
    assert found.metadata["sorted"]


def test_rows_with_nan_are_told(curve):
    with pytest.warns(DataWarning, match="2 of 8 rows have an intensity or error"):
        found = curve(rows("{q} {i} 1 0.1") + "0.07 nan 1 nan\n0.08 1 inf 0.1\n")
    assert found.metadata["nan_rows"] == 2
    assert found.q.size == 8
    assert np.isnan(found.intensity[6])
    assert found.dq[6] == 0.0  # NaN here would spread through the smearing
    with pytest.warns(DataWarning, match="1 of 7 rows have no finite q"):
        found = curve(rows("{q} {i} 1") + "nan 3 1\n")
    assert found.q.tolist() == Q


@pytest.mark.parametrize(
    ("title", "q_scale", "i_scale", "unit"),
    [
        ("Q (1/nm)  I(Q) (1/m)", 10.0, 100.0, "1/cm"),
        ("# q [nm^-1], I [cm^-1]", 10.0, 1.0, "1/cm"),
        ("<X> (Å⁻¹) <Y> (a.u.)", 1.0, 1.0, "a.u."),
        ("q/nm^-1 I/counts", 10.0, 1.0, "counts"),
        ("q (A^(-1)); I (cm2/g)", 1.0, 1.0, "cm^2/g"),
        ("Q (mean) I (all frames)", 1.0, 1.0, "1/cm"),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_units_of_the_header_are_converted(
    curve, title, q_scale, i_scale, unit, encoding
):
    found = curve(title + "\n" + rows("{q} {i} 1 0.1"), encoding)
    assert found.q.tolist() == (np.array(Q) / q_scale).tolist()
    assert found.dq.tolist() == [0.1 / q_scale] * 6
    assert found.intensity[0] == 10 / i_scale
    assert found.sigma[0] == 1 / i_scale
    assert found.intensity_unit == unit


def test_a_header_in_an_eight_bit_code_is_read(curve):
    assert curve("q [Å⁻¹]".replace("⁻¹", "^-1") + "\n" + rows("{q} {i}"), "latin-1")


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (rows("{q} {i}", 4), "4 consecutive rows of numbers"),
        ("only words\n", "0 consecutive rows .* expected at least 5"),
        (rows("{q} 1 2 3 4 5 6 7"), "8 columns .*Data columns are Qx"),
        (rows("{q} {i} 1 -0.117"), "dq=-0.117 in row 0 .*The 6 columns"),
        (rows("{q} {i} 1 1") + "0.07 3 1 nan\n", "dq=nan in row 6"),
        ("Q (1/furlong) I\n" + rows("{q} {i}"), "unit '1/furlong'; expected 1/A"),
        ("Q (nm) I\n" + rows("{q} {i}"), "unit 'nm'; expected 1/A"),
        ("Q dQ I dI\n" + rows("{q} 0.1 {i} 1"), "order Q, I, dI, dQ"),
        ("<Y>\t<X>\n" + rows("{i}\t{q}"), "order Q, I, dI, dQ"),
        ("3 .1\n1 .2\n2 .3\n5 .4\n4 .5\n", "second column increases steadily"),
        (rows("{q};{i}").replace(".", ","), "decimal points"),
        (rows("{q}\t{i}").replace(".", ","), "decimal points"),
        (rows("0 {i}"), "none with a finite q"),
        (rows("{q} nan 1"), "no row with a finite intensity"),
        (NIST + rows("{q} {i} 1 0.1"), "4 columns from line 2; expected 6"),
        (NIST + rows("{q} {i} 1 -{q} 1 1") + "1 1 1 1 1 1\n", "sigmaQ of both signs"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused(curve, text, told):
    with pytest.raises(FormatError, match=told) as error:
        curve(text)
    assert "table.txt" in str(error.value)


@pytest.mark.parametrize("junk", [bytes(range(256)) * 8, b"\x00" * 50])
def test_bytes_that_are_no_text_are_refused(tmp_path, junk):
    path = tmp_path / "junk.dat"
    path.write_bytes(junk)
    with pytest.raises(FormatError, match=r"junk\.dat: binary.*expected text"):
        read_ascii(path)


@pytest.mark.parametrize("gap", ["", "\n\n", "sector 2\n"])
def test_a_second_table_is_not_joined_to_the_first(curve, gap):
    second = "0.5 0.5 0.5\n" * 7 if not gap else "0.5 0.5\n" * 7
    with pytest.warns(DataWarning, match="7 rows of numbers after it are not read"):
        found = curve(rows("{q} {i}") + gap + second)
    assert found.q.tolist() == Q


def test_single_blank_lines_do_not_end_a_table(curve):
    assert curve(rows("{q} {i}").replace("\n", "\r\r\n")).q.tolist() == Q


def test_nist_six_columns_of_a_pinhole(curve):
    text = (
        "MON CNT LAMBDA DET ANG DET DIST TRANS THICK AVE STEP\n"
        "1e+08 6.0 0 4.5 0.89 0.2C 1\n" + NIST + rows("{q} {i} 1 0.004 0.015 0.9")
    )
    found = curve(text)
    assert found.q.tolist() == Q
    assert found.dq.tolist() == [0.004] * 6
    assert found.q_length is None
    assert found.metadata["q_mean"].tolist() == [0.015] * 6
    assert found.metadata["shadow_factor"].tolist() == [0.9] * 6
    expected = {"wavelength": 6.0, "detector_distance": 4.5, "transmission": 0.89}
    assert {k: found.metadata[k] for k in expected} == expected
    assert found.metadata["thickness"] == 0.2


def test_nist_six_columns_of_a_slit(curve):
    found = curve("EMP LEVEL: 0.1 ; BKG LEVEL: 2\n" + rows("{q} {i} 1 -0.117 {q} 1"))
    assert found.q_length.tolist() == [0.117] * 6
    assert found.q_width.tolist() == [0.0] * 6
    assert found.dq is None


def test_units_of_the_six_columns_are_converted(curve):
    head = NIST.replace("1/A", "1/nm").replace("1/cm", "1/m")
    found = curve(head + rows("{q} {i} 1 0.04 0.15 1"))
    assert found.q.tolist() == (np.array(Q) / 10).tolist()
    assert found.dq.tolist() == [0.004] * 6
    assert found.metadata["q_mean"].tolist() == [0.015] * 6
    assert found.intensity[0] == 0.1
    assert found.sigma[0] == 0.01


HEAD = "Data columns are Qx - Qy - I(Qx,Qy)"


def image(tmp_path, text):
    path = tmp_path / "map.dat"
    path.write_text(text)
    (found,) = read_ascii(path)
    assert isinstance(found, Image)
    return found


def test_nist_two_dimensional_columns(tmp_path):
    head = HEAD + " - err(I) - Qz - SigmaQ_parall - SigmaQ_perp - fSubS\n\n"
    text = head + "ASCII data created today\n\n" + rows("{q} -{q} {i} 1 0 2 3 0.9")
    found = image(tmp_path, text)
    assert found.qx.tolist() == Q
    assert found.qy.tolist() == [-x for x in Q]
    assert found.intensity.tolist() == [10, 9, 8, 7, 6, 5]
    assert found.sigma.tolist() == [1.0] * 6
    assert (found.dqx.tolist(), found.dqy.tolist()) == ([2.0] * 6, [3.0] * 6)
    assert found.dq_axes == "polar"
    assert found.metadata["shadow_factor"].tolist() == [0.9] * 6
    assert found.mask is None


def test_nist_two_dimensional_columns_of_the_older_kind(tmp_path):
    """Without err(I) in the header the fourth column is Qz."""
    found = image(tmp_path, HEAD + "\nASCII data\n" + rows("{q} 0 {i} 0 2 3 1 0"))
    assert found.sigma is None
    assert found.dqx.tolist() == [2.0] * 6
    assert found.mask.tolist() == [True] * 6
    found = image(tmp_path, "ASCII data created\n" + rows("{q} 0 {i}"))
    assert (found.dqx, found.dq_axes) == (None, "xy")


def test_two_dimensional_columns_without_names_are_refused(tmp_path):
    with pytest.raises(FormatError, match="column order unclear, 5 columns"):
        image(tmp_path, "ASCII data created\n" + rows("{q} 0 {i} 1 0"))
    with pytest.raises(FormatError, match="Qx or Qy is not finite"):
        image(tmp_path, HEAD + "\n" + rows("nan 0 {i}"))
