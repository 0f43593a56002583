import importlib.resources

import h5py
import numpy as np

from jaxscatter.examples import qens_benzene


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


def test_benzene_files_name_no_one_s_folder():
    example = qens_benzene()
    for path in (example.sample, example.resolution):
        assert b"/Users" not in path.read_bytes()
