import importlib.resources

import h5py
import jax.numpy as jnp
import numpy as np

from jaxscatter import cbed, xpcs
from jaxscatter.examples import (
    cbed_lithium_niobate,
    cbed_silicon,
    qens_benzene,
    qens_water,
    sas_latex,
    sas_sds,
    xpcs_nsls2,
)
from jaxscatter.io import read_curves


def test_benzene_files_are_packaged_and_small():
    example = qens_benzene()
    for path in (example.sample, example.resolution):
        assert path.is_file()
        assert path.stat().st_size < 2**20
    folder = importlib.resources.files("jaxscatter.examples") / "data"
    text = (folder / "README.md").read_text("utf-8")
    for word in ("MIT", "RB2590225", "arXiv:2603.06080", example.sample.name):
        assert word in text
    assert "2603.06080" in example.citation
    assert "MIT" in example.licence


def test_benzene_q_bins_cover_the_rows():
    example = qens_benzene()
    with h5py.File(example.sample) as file:
        (entry,) = file
        assert len(file[entry]["data/data"]) == example.q_edges.size - 1
    np.testing.assert_allclose(np.diff(example.q_edges), 0.0115, rtol=1e-12)
    assert example.q_edges[0] == 0.05409


def test_files_name_no_one_s_folder():
    for example in (qens_benzene(), qens_water()):
        for path in (example.sample, example.resolution):
            content = path.read_bytes()
            assert b"/Users" not in content and b"\\Users" not in content


def test_water_files_are_packaged_with_their_licence():
    example = qens_water()
    folder = importlib.resources.files("jaxscatter.examples") / "data"
    text = (folder / "README.md").read_text("utf-8")
    for path in (example.sample, example.resolution):
        assert path.stat().st_size < 2**16
        assert path.name in text
    assert "144508" in text and "144508" in example.citation
    licence = (folder / "LICENSE_qensmodels.txt").read_text("utf-8")
    assert "Redistribution" in licence and "QENS library contributors" in licence
    assert (example.q_edges, example.empty) == (None, None)


def test_the_two_time_example_is_the_published_matrix():
    """Mean and spread of the source, and no diagonal among the points."""
    example = xpcs_nsls2()
    assert example.two_time.stat().st_size < 2**18
    data = xpcs.load(example.two_time, q=example.q, dt=example.dt)
    assert data.y.shape == (1, 350 * 349 // 2)
    assert float(np.min(data.y)) > 0.75 and float(np.max(data.y)) < 1.36
    folder = importlib.resources.files("jaxscatter.examples") / "data"
    text = (folder / "README.md").read_text("utf-8")
    for word in ("BSD 3-Clause", "b23cfad", example.two_time.name, "nominal"):
        assert word in text
    assert "Redistribution" in (folder / "LICENSE_nsls2.txt").read_text("utf-8")


def test_the_micelles_are_the_published_curve():
    """First point, run and instrument as the file of the source has them."""
    example = sas_sds()
    assert example.path.stat().st_size < 2**16
    (curve,) = read_curves(example.path, example.entries["sans"])
    assert (curve.q.size, curve.q[0], curve.intensity[0]) == (137, 0.009, -0.0278653)
    assert (curve.run, curve.metadata["instrument"]) == ("83584", "LOQ")
    assert curve.dq is None


def test_the_latex_holds_a_pinhole_and_a_slit():
    example = sas_latex()
    assert example.path.stat().st_size < 2**17
    (sans,), (usans,) = (
        read_curves(example.path, example.entries[name]) for name in ("sans", "usans")
    )
    assert sans.dq is not None and sans.q.size == 301
    assert usans.q_length is not None and usans.q.size == 82
    np.testing.assert_array_equal(usans.q_length, 0.117)


def test_the_sas_files_have_their_source_and_licence_beside_them():
    folder = importlib.resources.files("jaxscatter.examples") / "data"
    text = (folder / "README.md").read_text("utf-8")
    for example in (sas_sds(), sas_latex()):
        assert example.path.name in text
        assert "sasdata" in example.citation and "sasdata" in text
        assert "BSD 3-Clause" in example.licence
    licence = (folder / "LICENSE_sasdata.txt").read_text("utf-8")
    assert "SasView Developers" in licence and "Redistribution" in licence


def test_the_silicon_profiles_repeat_the_published_chi2():
    """Printed by the program that refined them: 3421.93 at its start, 2688.21 after."""
    example = cbed_silicon()
    assert example.path.stat().st_size < 2**16
    metric = cbed.Chi2_multibackground(cbed.Detector(*example.detector))
    used = jnp.asarray(example.used)
    found = [
        float(metric(jnp.asarray(t), jnp.asarray(x), used))
        for t, x in zip(example.simulated, example.sampled, strict=True)
    ]
    np.testing.assert_allclose(found, [2688.21, 3421.93], atol=0.006)
    assert int(example.used.sum()) == 648
    assert np.bincount(example.regions).tolist() == [101, 101, 21, 21]


def test_the_niobate_stack_is_small_and_says_where_it_is_from():
    example = cbed_lithium_niobate()
    assert example.path.stat().st_size < 2**18
    with np.load(example.path) as file:
        assert file["images"].shape == (24, 56, 56)
        assert len({tuple(g) for g in file["hkl"].tolist()}) == 24
    folder = importlib.resources.files("jaxscatter.examples") / "data"
    text = (folder / "README.md").read_text("utf-8")
    for word in ("CC0", "MPL-2.0", example.path.name, cbed_silicon().path.name):
        assert word in text
