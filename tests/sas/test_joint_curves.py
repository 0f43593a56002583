"""Curves fitted together: two instruments on one latex, three contrasts of one drop."""

import json
import pathlib

import numpy as np
import pytest

import jaxscatter as js

DATA = pathlib.Path(__file__).parent.parent / "data" / "sas"
FITS = {f["id"]: f for f in json.loads((DATA / "peer_fits.json").read_text())["fits"]}


def problem_of(entry, free, start):
    file, _, number = entry["file"].partition("#")
    data = js.sas.load(
        DATA / file,
        entry=int(number) if number else None,
        q_range=(entry["qmin"] * (1 - 1e-5), entry["qmax"] * (1 + 1e-5)),
        resolution=entry["resolution"] != "none",
    )
    limits = {k: tuple(v[1:]) for k, v in start.items() if k in free}
    fixed = entry["fixed"] | {k: v[0] for k, v in start.items()}
    linear = [n for n in ("scale", "background") if n in entry["free"]]
    if "latex" in file:  # the peer's background ends on its bound
        limits |= {n: tuple(entry["free"][n][1:]) for n in linear}
        fixed |= {n: entry["free"][n][0] for n in linear}
    return js.sas.problem(
        data, entry["model"], free=[*free, *linear], bounds=limits, **fixed
    )


@pytest.mark.parametrize(
    "name",
    ["latex-joint", pytest.param("aot-simultaneous", marks=pytest.mark.slow)],
)
def test_joint_fits_end_where_the_peer_ends(name):
    stored = FITS[name]
    first = stored["datasets"][0]["free"]
    shared = [n for n in first if n not in ("scale", "background")]
    start = {n: first[n] for n in shared}
    parts = [problem_of(entry, shared, start) for entry in stored["datasets"]]
    joint = js.joint(*parts, shared=shared)
    assert joint.n_valid == stored["ndata"]
    result = js.fit(joint, warn=False)
    assert result.success
    assert result.statistics["chi2"] < 1.0005 * stored["chisq_total"]
    for label, value, error in zip(
        stored["labels"], stored["x"], stored["stderr"], strict=True
    ):
        if label in shared:
            assert abs(result[label] - value) < 0.2 * error, label
            np.testing.assert_allclose(result.error(label), error, rtol=0.05)
