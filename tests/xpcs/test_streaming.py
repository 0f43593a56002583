"""Matrices left in their file fit as matrices in memory do."""

import equinox as eqx
import h5py
import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs
from jaxscatter.errors import DataError, FormatError, ModelError
from jaxscatter.xpcs import streaming

PHI = np.array([0.0, 90.0])
T = 0.1 * np.arange(75)
THETA = {"D0": 1500.0, "alpha": -0.3, "D_offset": 40.0}


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    out = tmp_path_factory.mktemp("stream") / "plain.h5"
    square = np.array(
        xpcs.c2(THETA, T, PHI, q=0.0054, contrast=0.3, model="static_isotropic")
    )
    noise = np.random.default_rng(0).normal(0, 0.01, square.shape)
    square += np.triu(noise, 1) + np.swapaxes(np.triu(noise, 1), 1, 2)
    square[0, 2, 30] = square[0, 30, 2] = np.nan
    with h5py.File(out, "w") as file:
        file["c2"], file["phi"], file["t"] = square, PHI, T
        file["q"] = np.full(2, 0.0054)
    return out


def loaded(path, **options):
    with pytest.warns(match="masked"):
        return xpcs.load(path, sigma=0.01, **options)


@pytest.mark.parametrize("exclude_t0", [False, True])
def test_sums_are_those_of_memory(path, exclude_t0, monkeypatch):
    monkeypatch.setattr(streaming, "SIDE", 16)
    monkeypatch.setattr(streaming, "POINTS", 1 << 11)
    data = xpcs.stream(path, sigma=0.01, exclude_t0=exclude_t0)
    known = loaded(path, exclude_t0=exclude_t0)
    assert data.n_chunks > 2 and data.n_valid == known.n_valid
    problems = [xpcs.problem(d, "static", values=THETA) for d in (data, known)]
    x = problems[0].start() * 1.05
    run = eqx.filter_jit(lambda p: (p.normal(x), p.loglike(x, "gaussian")))
    (one, value), (two, other) = (run(p) for p in problems)
    scale = np.sqrt(np.outer(np.diag(two.hessian), np.diag(two.hessian)))
    np.testing.assert_allclose(one.hessian / scale, two.hessian / scale, atol=1e-10)
    np.testing.assert_allclose([one.cost, value], [two.cost, other], rtol=1e-11)


@pytest.mark.slow
def test_a_fit_from_the_default_start(path):
    fit = js.fit(xpcs.problem(xpcs.stream(path, sigma=0.01), "static"), warn=False)
    known = js.fit(xpcs.problem(loaded(path), "static"), warn=False)
    assert fit.success and "1 of 5550 points are masked" in fit.warnings
    np.testing.assert_allclose(fit.statistics["chi2"], known.statistics["chi2"])
    for name in THETA:
        assert abs(fit[name] - known[name]) < 1e-4 * known.error(name)


@pytest.mark.slow
def test_mixed_precision_ends_within_a_hundredth_of_an_error(path):
    data = xpcs.stream(path, sigma=0.01, single=True)
    problem = xpcs.problem(data, "static", values=THETA, precision="mixed")
    fit = js.fit(problem, warn=False)
    known = js.fit(xpcs.problem(loaded(path), "static", values=THETA), warn=False)
    for name in THETA:
        assert abs(fit[name] - known[name]) < 0.02 * known.error(name)


def test_what_cannot_be_used_is_named(path, tmp_path):
    for sigma in (0.0, [0.1], [0.1, np.nan]):
        with pytest.raises(DataError, match="sigma is"):
            xpcs.stream(path, sigma=sigma)
    (tmp_path / "a.h5").write_text("no file of that kind")
    with pytest.raises(FormatError, match="not HDF5"):
        xpcs.stream(tmp_path / "a.h5")
    data = xpcs.stream(path)
    with pytest.raises(ModelError, match="all points at once"):
        xpcs.problem(data, "static", scaling="constant")
