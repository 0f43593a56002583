"""QENS data: bins and files in, axes, kernels and masks checked."""

import numpy as np
import pytest

from jaxscatter import examples, qens
from jaxscatter.errors import DataError, ParameterError

OMEGA = np.linspace(-1.0, 1.0, 101)
GOOD = (OMEGA, np.ones_like(OMEGA), np.ones_like(OMEGA), 1.0)
KERNEL = np.exp(-0.5 * (OMEGA / 0.05) ** 2)


def changed(i, value):
    return tuple(value if k == i else part for k, part in enumerate(GOOD))


def spoilt(array, value, at=4):
    out = np.array(array)
    out[at] = value
    return out


@pytest.mark.parametrize(
    ("bins", "sigma_res", "error", "text"),
    [
        ([], 0.05, DataError, "no Q bins"),
        ([changed(0, spoilt(OMEGA, np.nan))], 0.05, DataError, "omega must be finite"),
        ([changed(0, spoilt(OMEGA, np.inf))], 0.05, DataError, "omega must be finite"),
        ([changed(0, OMEGA[::-1])], 0.05, DataError, "omega must be strictly incr"),
        ([(*(p[:0] for p in GOOD[:3]), 1.0)], 0.05, DataError, "omega must be"),
        ([changed(1, np.ones(7))], 0.05, DataError, r"spec of bin 0 has shape \(7,\)"),
        ([changed(2, np.ones(7))], 0.05, DataError, r"errs of bin 0 has shape \(7,\)"),
        ([GOOD, changed(0, OMEGA + 0.01)], 0.05, DataError, "omega of bin 1 differs"),
        ([changed(3, -0.2)], 0.05, DataError, "q of bin 0 is -0.2"),
        ([changed(3, np.nan)], 0.05, DataError, "q of bin 0 is nan"),
        ([changed(2, 0 * OMEGA)], 0.05, DataError, "all points are masked"),
        ([GOOD], 0.0, ParameterError, "sigma_res is 0.0"),
        ([GOOD], -1.0, ParameterError, "sigma_res is -1.0"),
        ([GOOD], spoilt(KERNEL, np.nan), DataError, "kernel must be finite"),
        ([GOOD], 0 * KERNEL, DataError, "kernel must be positive"),
        ([GOOD], KERNEL[:50], DataError, "sigma_res has 50 entries"),
        ([GOOD] * 3, [KERNEL, KERNEL], DataError, "sigma_res has 2 entries"),
        ([GOOD] * 2, [KERNEL, KERNEL[1:]], DataError, r"shape \(100,\)"),
        ([GOOD] * 2, [KERNEL, 0.05], DataError, "mixes widths and kernels"),
        (
            [GOOD] * 2,
            [(OMEGA, KERNEL), (OMEGA + 0.1, KERNEL)],
            DataError,
            "kernel 1 has another energy axis",
        ),
    ],
)
def test_bins_that_cannot_be_used_are_named(bins, sigma_res, error, text):
    with pytest.raises(error, match=text):
        qens.from_bins(bins, sigma_res)


def test_widths_and_kernels_may_be_given_per_q():
    data = qens.from_bins([GOOD] * 2, [0.05, 0.06])
    np.testing.assert_array_equal(data.coords["sigma"], [0.05, 0.06])
    for kernels in (np.stack([KERNEL, 2 * KERNEL]), [(OMEGA, KERNEL)] * 2):
        data = qens.from_bins([GOOD] * 2, kernels)
        assert data.coords["kernel"].shape == (2, OMEGA.size)
        area = data.coords["kernel"].sum(1) * (OMEGA[1] - OMEGA[0])
        np.testing.assert_allclose(area, 1.0, rtol=1e-12)


def test_load_bins_the_measured_files_with_kernels_on_their_own_axis():
    example = examples.qens_benzene()
    data = qens.load(
        example.sample,
        example.resolution,
        q_edges=example.q_edges,
        q_min=0.6,
        q_max=1.8,
    )
    assert data.y.shape[0] == 12
    assert np.max(np.abs(data.coords["omega"])) <= 1.25
    assert data.metadata["e0"] != data.metadata["resolution_e0"]
    wide = qens.load(example.sample, q_edges=example.q_edges)
    assert "too wide" in wide.metadata["warnings"][0]
    assert "too wide" in qens.problem(wide, "translation_only").warnings[0]
    with pytest.raises(FileNotFoundError):
        qens.load("no_such_file.nxspe")
