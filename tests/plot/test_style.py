"""The look: labels, optional matplotlib, nothing left behind, figures in notebooks."""

import subprocess
import sys

import matplotlib as mpl
import numpy as np
import pytest

from jaxscatter import plot
from jaxscatter.plot import style


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (("Q", "1/Å"), "Q [1/Å]"),
        (("D", "Å²/ps", -6), "D [10⁻⁶ Å²/ps]"),
        (("n", "", 12), "n [10¹²]"),
        (("beta",), "beta"),
        (("cost", "$"), r"cost [\$]"),
    ],
)
def test_labels_carry_units_and_powers(arguments, text):
    assert style.label(*arguments) == text


@pytest.mark.parametrize(
    ("values", "power"),
    [([0.0], 0), ([0.02, -3.0], 0), ([5e-6], -6), ([-2e5, 3e5], 5), ([np.nan], 0)],
)
def test_powers_of_ten_leave_readable_numbers_alone(values, power):
    assert style.power_of_ten(np.array(values)) == power


@pytest.mark.parametrize(
    ("n", "shape"), [(1, (1, 1)), (2, (1, 2)), (5, (2, 3)), (12, (3, 4)), (17, (5, 4))]
)
def test_grids_hold_all_panels(n, shape):
    assert style.grid(n) == shape


def test_results_plot_themselves(made, tmp_path):
    fig = made.fit_result().plot(path=tmp_path / "a.png", max_groups=2)
    assert made.is_png(tmp_path / "a.png") and len(fig.axes) == 4
    fig = made.sample_result().plot(path=tmp_path / "b.png", names=["D_t", "u2"])
    assert made.is_png(tmp_path / "b.png") and len(made.visible(fig)) == 3


def test_a_figure_shows_itself_in_a_notebook_and_leaves_no_trace(made):
    before = dict(mpl.rcParams)
    fig = plot.fit(made.fit_result())
    assert fig._repr_png_()[:4] == b"\x89PNG"
    assert dict(mpl.rcParams) == before
    import matplotlib.pyplot as plt

    assert plt.get_fignums() == []


def test_importing_the_package_does_not_import_matplotlib():
    code = "import sys, jaxscatter.plot; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code]).returncode == 0


def test_without_matplotlib_the_error_names_the_extra(made, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    with pytest.raises(ImportError, match=r"pip install jaxscatter\[plot\]"):
        made.fit_result().plot()
    with pytest.raises(ImportError, match=r"pip install jaxscatter\[plot\]"):
        plot.plot_sqw_map(made.dataset())
