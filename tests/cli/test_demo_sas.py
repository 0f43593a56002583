"""`jaxscatter demo sas`: measured micelles, and a latex seen by two instruments."""

import json
import pathlib

import numpy as np
import pytest

import jaxscatter
from jaxscatter import examples, io, sas
from jaxscatter.cli import demo_sas

STORED = pathlib.Path(__file__).parent.parent / "data" / "sas" / "peer_fits.json"
FITS = {f["id"]: f for f in json.loads(STORED.read_text())["fits"]}


def test_the_micelles_are_those_of_the_reference_fit():
    """Constants, start and bounds, so that both must end at the same minimum."""
    (stored,) = FITS["sds2-ellipsoid-hayter-beta"]["datasets"]
    example = examples.sas_sds()
    problem = demo_sas.micelle_problem(sas.load(example.path), example)
    assert problem.given.n_valid == stored["npts"]
    options = dict(problem.model.settings.options)
    for name, value in stored["fixed"].items():
        held = options if name in options else problem.parameters
        if name != "scale":
            found = held[name] if name in options else float(held[name].value)
            assert found == value, name
    for name, (start, low, high) in stored["free"].items():
        if name == "background":
            continue
        p = problem.parameters[name]
        assert (float(p.value), float(p.lo), float(p.hi)) == (start, low, high)
    labels = {*problem.parameters.labels} | {"background"}
    assert labels == {*stored["free"]}


@pytest.mark.slow
def test_demo_ends_where_the_peer_ends(cli, tmp_path):
    """Or lower: the stored joint fit has a background at its bound."""
    folder = tmp_path / "demo"
    code, out, err = cli("demo", "sas", "-o", folder)
    assert code == 0, err
    assert "Traceback" not in err
    assert {p.name for p in folder.iterdir()} == {
        "fit.h5", "fit.png", "parts.png", "fit_nxcansas.h5", "posterior.h5",
        "posterior.png", "trace.png", "latex_fit.h5", "latex_fit.png", "sizes.png",
        "latex_nxcansas.h5", "report.txt",
    }  # fmt: skip
    fit = jaxscatter.load_result(folder / "fit.h5")
    stored = FITS["sds2-ellipsoid-hayter-beta"]
    assert fit.success
    assert fit.statistics["chi2"] < 1.0005 * stored["chisq_total"]
    names = zip(stored["labels"], stored["x"], stored["stderr"], strict=True)
    posterior = jaxscatter.load_result(folder / "posterior.h5")
    assert posterior.converged
    for name, value, error in names:
        if name == "background":
            assert abs(fit.amplitude_values[name] - value) < 0.2 * error
            continue
        assert abs(fit[name] - value) < 0.2 * error, name
        np.testing.assert_allclose(fit.error(name), error, rtol=0.05)
        assert abs(float(np.mean(posterior[name])) - value) < error, name
        np.testing.assert_allclose(np.std(posterior[name]), error, rtol=0.25)
    latex = jaxscatter.load_result(folder / "latex_fit.h5")
    stored = FITS["latex-joint"]
    assert latex.success
    assert latex.statistics["chi2"] < 1.0005 * stored["chisq_total"]
    assert abs(latex["radius"] - 2313) < 5
    assert abs(latex["radius_pd"] - 0.050) < 0.004
    found = {c.name for c in io.read_sas(folder / "latex_nxcansas.h5")}
    assert found == {
        f"sasentry0{i}/{n}" for i in (1, 2) for n in ("sasdata01", "fit01")
    }
    report = (folder / "report.txt").read_text("utf-8")
    for said in (examples.sas_sds().citation, "BSD 3-Clause", "P*(1+beta*(S-1))"):
        assert said in report
    assert "scale[usans]" in out
