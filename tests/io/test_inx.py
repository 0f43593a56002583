"""INX text: measured TOFTOF blocks, touching columns, and what is refused."""

import pathlib

import numpy as np
import pytest

from jaxscatter.errors import DataError, FormatError
from jaxscatter.io import read_inx

FOLDER = pathlib.Path(__file__).parents[1] / "data" / "qens"
TOFTOF = [FOLDER / f"{n}__tt_cr.txt" for n in ("In20_2p5_350K", "Vana_2p5_cool")]
ROWS = [(-1.0, 0.5, 0.1), (0.0, 9.0, 0.2), (1.5, 0.25, 0.3), (2.0, -0.5, 0.0)]


def text(first=(10.0, 20.0), rows=ROWS, form="{:12.5f}{:13.5e}{:12.4e}", head=None):
    """Blocks of one table each, in columns of fixed width."""
    lines = []
    for value in first:
        n = len(rows)
        lines.append(head or f"{n + 3:5d}    1    2    0    0    0    0{n:5d}")
        lines.append("ice at 200 K")
        lines.append(f"{value:7.4f}  3.270  1.2566  200.0  1.0 0")
        lines.append("     0.0000  4.0000  0.0000")
        lines += [form.format(*r) for r in rows]
    return "\n".join(lines) + "\n"


def written(tmp_path, content):
    path = tmp_path / "a.inx"
    path.write_text(content)
    return path


@pytest.mark.parametrize("path", TOFTOF)
def test_measured_blocks_equal_what_numpy_reads(path):
    """209 lines and the first make a block: 4 of header, 206 of numbers."""
    lines = path.read_text().splitlines()
    s = read_inx(path)
    assert s.data.shape == (9, 206)
    for k in range(9):
        table = np.loadtxt(lines[210 * k + 4 : 210 * (k + 1)])
        np.testing.assert_allclose(s.energy, table[:, 0], atol=1e-12)
        np.testing.assert_array_equal(s.data[k], table[:, 1])
        np.testing.assert_array_equal(s.error[k], table[:, 2])
    assert (s.format, s.ei) == ("INX", 13.088)
    assert s.title == lines[1].strip()
    stated = float(lines[2].split()[3])  # 0 is not known
    assert s.temperature == (stated or None)


def test_the_first_number_is_what_the_caller_says(tmp_path):
    path = written(tmp_path, text(first=(60.0, 180.0)))
    unknown = read_inx(path)
    assert unknown.q is None
    assert "q='q' or q='angle' says so" in unknown.q_source
    angles = read_inx(path, q="angle")
    ki = np.sqrt(3.27 / 2.072125)
    np.testing.assert_allclose(angles.q, [ki, 2 * ki], rtol=1e-12)
    assert (angles.temperature, "elastic" in angles.said[-1]) == (200.0, True)
    with pytest.raises(DataError, match=r"begin with 60, 180; expected Q from 0"):
        read_inx(path, q="q")
    own = read_inx(written(tmp_path, text(first=(0.5, 1.5))), q="q")
    np.testing.assert_array_equal(own.q, [0.5, 1.5])
    np.testing.assert_array_equal(read_inx(path, q=[0.1, 0.2]).q, [0.1, 0.2])
    np.testing.assert_array_equal(read_inx(path, q_edges=[0, 1, 3.0]).q, [0.5, 2.0])
    with pytest.raises(DataError, match="q='theta'"):
        read_inx(path, q="theta")
    with pytest.raises(DataError, match="angles up to 180"):
        read_inx(written(tmp_path, text(first=(200.0, 1.0))), q="angle")


def test_numbers_that_touch_are_cut_at_the_columns(tmp_path):
    """The second and third row fill their columns, so no blank is left."""
    rows = [
        (-1.0, 0.5, 0.1),
        (-0.5, -1.23456e-10, 0.2),
        (123456.5, 123456.0, 0.25),
        (200000.25, 1.0, 0.3),
    ]
    path = written(tmp_path, text(rows=rows, form="{:10.4f}{:13.6e}{:12.4e}"))
    assert " -0.5000-1.234560e-10  " in path.read_text()
    s = read_inx(path, q=[1.0, 2.0])
    np.testing.assert_allclose(s.energy, [r[0] for r in rows])
    for k in range(2):
        np.testing.assert_allclose(s.data[k], [r[1] for r in rows])
    unsigned = "{:10.4f}{:9.4f}{:9.4f}"
    rows = [(1.0, 2.0, 0.5), (99999.1234, 1234.5678, 1.25), (99999.5, 5.0, 6.0)]
    # 99999.1234 and 1234.5678 fill their columns without a sign between them
    s = read_inx(written(tmp_path, text(rows=rows, form=unsigned)), q=[1.0, 2.0])
    np.testing.assert_allclose(s.energy, [1.0, 99999.1234, 99999.5])
    np.testing.assert_allclose(s.data[0], [2.0, 1234.5678, 5.0])


def test_free_columns_split_before_a_sign(tmp_path):
    content = text(form="{:.3f} {:.3e} {:.2g}").replace("-1.000 5", "-1.000 +5")
    content = content.replace("2.000 -5", "2.000-5")
    s = read_inx(written(tmp_path, content), q=[1.0, 2.0])
    np.testing.assert_allclose(s.data[1], [r[1] for r in ROWS])
    np.testing.assert_array_equal(s.mask[0], [True, True, True, False])


def test_micro_electron_volts_and_the_sign(tmp_path):
    s = read_inx(
        written(tmp_path, text()), q=[1.0, 2.0], energy_unit="ueV", energy_sign=-1
    )
    np.testing.assert_allclose(s.energy, [-2e-3, -1.5e-3, 0, 1e-3])
    np.testing.assert_array_equal(s.data[0], [-0.5, 0.25, 9.0, 0.5])


GOOD = text()


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (GOOD[: len(GOOD) // 2 + 40], "the block needs"),
        (GOOD[:-40], "the block needs|expected energy, intensity"),
        (
            text(head="    9    1    2    0    0    0    0    4"),
            "9 lines for 4 energies",
        ),
        (GOOD.replace("200.0  1.0 0", ""), "expected angle or Q, incident"),
        (GOOD.replace("0.0000  4.0000", "zero 4.0000"), "expected three numbers"),
        (GOOD.replace("9.00000e+00", "***********"), "expected energy, intensity"),
        (GOOD.replace("9.00000e+00", "           "), "expected energy, intensity"),
        (GOOD + "more\n", "eight whole numbers"),
        (text((1.0,)) + text((2.0,), ROWS[:3]), "spectrum 2 has 3 energies"),
        (
            text((1.0,)) + text((2.0,), [(-1.1, 1, 1), *ROWS[1:]]),
            "energies of spectrum 2 are not",
        ),
        (text(rows=[ROWS[k] for k in (1, 0, 3, 2)]), "neither increase nor decrease"),
        (GOOD.replace("  3.270", "  3.500", 1), "incident energy 3.27 to 3.5"),
        ("\n\n", "no block"),
    ],
)
def test_another_layout_is_refused(tmp_path, content, said):
    with pytest.raises(FormatError, match=said):
        read_inx(written(tmp_path, content), q=None)
