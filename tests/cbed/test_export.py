"""Refined structure factors and fits as files for other programs."""

import dataclasses

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.cbed.dataset import from_profiles
from jaxscatter.cbed.export import save, save_hkl
from jaxscatter.cbed.problem import problem
from jaxscatter.cbed.structure_factors import xray_structure_factors
from jaxscatter.errors import ModelError
from jaxscatter.io import read_fit, read_hkl

DISKS = [(0, 0, 0), (1, -1, 1)]


@pytest.fixture(scope="module")
def best(silicon, row):
    """A fit of two disks, U(1,-1,1) and scale."""
    frame, beams = row
    offsets = np.stack([np.zeros(12), np.linspace(-4, 4, 12)], axis=1)
    known = {"energy": 200.0, "frame": frame, "gl": 8.0, "beams": beams}
    known |= {"thickness": 300.0, "reflections": [(1, -1, 1), (2, -2, 2)]}
    known |= {"free": ["U(1,-1,1)", "U(2,-2,2)"], "settings": js.cbed.Settings()}
    blank = problem(from_profiles(DISKS, offsets, np.ones((2, 12))), silicon, **known)
    exact = np.asarray(blank.model.prepare(blank.named(blank.start() * 1.01)))
    noise = np.random.default_rng(1).normal(0, 3.0, exact.shape)
    y = 1e4 * exact + 50.0 + noise
    data = from_profiles(DISKS, offsets, y, np.full(y.shape, 3.0))
    return js.fit(problem(data, silicon, **known))


def test_a_refinement_is_written_with_its_errors_and_images(best, tmp_path):
    found = read_fit(save(best, tmp_path / "fit.h5"))
    assert found.names == ("U(1,-1,1)", "U(2,-2,2)")
    assert found.units == ("1/Å²", "1/Å²")
    np.testing.assert_array_equal(found.values, best.x)
    np.testing.assert_allclose(found.std**2, np.diagonal(found.cov), rtol=1e-12)
    assert found.gof == pytest.approx(best.statistics["red_chi2"])
    assert found.scale == best.amplitude_values["scale"]
    assert found.background.shape == (2,)
    residual = (found.experiment - found.simulation) / found.sigma
    chi2 = np.sum(residual[found.mask] ** 2)
    assert chi2 == pytest.approx(best.statistics["chi2"])


def test_maps_list_each_orbit_once_with_refined_magnitudes(best, silicon, tmp_path):
    """F_c are sums over the atoms; 222 is there because it is refined."""
    table = read_hkl(save_hkl(best, tmp_path / "si.hkl", g_max=0.7))
    squares = sorted(int(g @ g) for g in table.hkl)
    # Fd-3m: 111 220 311 222 400 331, and no other within 0.7 * 5.43 = 3.8
    assert squares == [3, 8, 11, 12]
    for label, square in (("F_x(1,-1,1)", 3), ("F_x(2,-2,2)", 12)):
        value, error, _ = best.derived[label]
        at = [int(g @ g) for g in table.hkl].index(square)
        assert table.f_obs[at] == pytest.approx(abs(value), rel=1e-6)
        assert table.sigma[at] == pytest.approx(error, rel=1e-6)
    others = [i for i, g in enumerate(table.hkl) if int(g @ g) in (8, 11)]
    np.testing.assert_allclose(
        table.f_obs[others], np.abs(table.f_calc[others]), rtol=1e-6
    )
    assert not table.sigma[others].any()
    expected = np.asarray(xray_structure_factors(silicon, table.hkl))
    np.testing.assert_allclose(np.abs(table.f_calc), np.abs(expected), atol=0.3)


@pytest.mark.parametrize("write", [save, save_hkl])
def test_results_without_their_problem_are_refused(best, tmp_path, write):
    read_back = dataclasses.replace(best, problem=None)
    with pytest.raises(ModelError, match="expected a fit of a problem of js"):
        write(read_back, tmp_path / "x.h5")
