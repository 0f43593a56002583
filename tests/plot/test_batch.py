"""Parameters along a batch: every kind of fit is drawn as what it is."""

import numpy as np
import pytest

from jaxscatter import plot
from jaxscatter.errors import ModelError

NAN, INF = np.nan, np.inf


class Fits:
    """Just what the figure reads: five fits of one parameter and one amplitude."""

    kind = "batch"
    names, amplitude_names = ("tau",), ("height",)
    success = np.array([True, True, True, True, False])

    def __len__(self):
        return 5

    def column(self, name):
        return np.arange(5.0) + (10.0 if name == "height" else 0.0)

    def error(self, name):
        return np.array([0.1, 0.2, NAN, INF, 0.3])

    def unit(self, name):
        return "ps" if name == "tau" else ""


def test_every_parameter_has_a_panel_with_its_unit(tmp_path):
    fig = plot.result(Fits(), path=tmp_path / "fits.png")
    shown = [ax for ax in fig.axes if ax.get_visible()]
    assert [ax.get_ylabel() for ax in shown] == ["τ [ps]", "height"]
    assert (tmp_path / "fits.png").stat().st_size > 0


def test_fits_are_marked_by_what_became_of_them():
    fig = plot.batch(Fits(), names=["tau"], axis=[1, 2, 3, 4, 5], axis_label="T [K]")
    (ax,) = (a for a in fig.axes if a.get_visible())
    sure, held, lost, failed = (line.get_xdata().tolist() for line in ax.lines)
    assert (sure, held, lost, failed) == ([1, 2], [3], [4], [5])
    assert ax.get_xlabel() == "T [K]"


def test_an_axis_of_another_length_is_refused():
    with pytest.raises(ModelError, match=r"axis has shape \(2,\); expected \(5,\)"):
        plot.batch(Fits(), axis=[1.0, 2.0])
