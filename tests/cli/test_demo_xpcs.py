"""`jaxscatter demo xpcs`: a measured sample at rest and a simulated shear cell."""

import numpy as np
import pytest

import jaxscatter
from jaxscatter import examples, xpcs
from jaxscatter.cli import demo_xpcs
from jaxscatter.cli.output import Folder
from jaxscatter.io import read_two_time


def test_the_simulated_file_is_read_back_as_it_was_made(tmp_path):
    with Folder(tmp_path / "out") as folder:
        data = demo_xpcs.sheared(folder, n_frames=10, seed=5)
    stored = read_two_time(tmp_path / "out" / "simulated.h5", q=demo_xpcs.CELL["q"])
    assert stored.metadata["layout"] == "aps_u"
    assert np.diagonal(stored.c2, axis1=1, axis2=2).min() > 2.0  # the bright one
    clean = xpcs.simulate(
        "laminar_flow",
        demo_xpcs.TRUTH,
        **demo_xpcs.CELL,
        n_frames=10,
        phi=demo_xpcs.PHI,
        contrast=0.3,
    )
    np.testing.assert_array_equal(data.coords["phi"], demo_xpcs.PHI)
    z = (np.asarray(data.y) - clean.y) / demo_xpcs.NOISE
    assert 0.8 < z.std() < 1.2


@pytest.mark.slow
def test_demo_finds_the_truth_and_the_age_of_a_measured_sample(cli, tmp_path):
    """The mean over all ages, fitted by scipy: contrast 0.075 ± 0.009 of a stretched
    decay, baseline 1.0263 ± 0.0013.
    """
    folder = tmp_path / "demo"
    code, out, err = cli("demo", "xpcs", "-o", folder)
    assert code == 0, err
    assert "Traceback" not in err
    assert {p.name for p in folder.iterdir()} == {
        "measured_fit.h5", "measured_fit.png", "measured_cuts.png", "simulated.h5",
        "fit.h5", "fit.png", "cuts.png", "rates.png", "posterior.h5", "posterior.png",
        "trace.png", "report.txt",
    }  # fmt: skip
    fit = jaxscatter.load_result(folder / "fit.h5")
    posterior = jaxscatter.load_result(folder / "posterior.h5")
    assert fit.success
    assert posterior.converged
    for name in fit.labels:
        assert abs(fit[name] - demo_xpcs.TRUTH[name]) < 4 * fit.error(name), name
        lo, hi = posterior.interval(name, 0.9999)
        assert lo < demo_xpcs.TRUTH[name] < hi, name
    measured = jaxscatter.load_result(folder / "measured_fit.h5")
    contrast, offset = measured.linear["value"]
    assert 0.04 < contrast < 0.09
    assert abs(offset - 1.0263) < 0.004
    assert measured["alpha"] < -5 * measured.error("alpha")  # it slows down
    report = (folder / "report.txt").read_text("utf-8")
    example = examples.xpcs_nsls2()
    for said in (example.citation, "BSD 3-Clause", "truth    D0 3000", "per frame"):
        assert said in report
    assert "q² D0" in out
