"""The CBED pages: names resolve, and the script of the migration page runs."""

import pathlib
import re
import warnings

import numpy as np
import pytest

import jaxscatter as js

DOCS = pathlib.Path(__file__).resolve().parent.parent / "docs"
PAGE = (DOCS / "migration_cbed.md").read_text("utf-8")
THEORY = (DOCS / "cbed_theory.md").read_text("utf-8")
DAT = """crystal silicon : dw = iso occ = 1
cell 5.4307 5.4307 5.4307 90 90 90
atom Si 0.125 0.125 0.125 0.4668
spg 227 2
hv 200
zone 1 1 0
norm 1 1 0
kt 0 0 0
xaxis 1 -1 1
conv 0.3
samp 5
hkl 5
0 0 0
1 -1 1
-1 1 -1
2 -2 2
-2 2 -2
sgmin 0.2
omeg 10
aper 0.4
abs 0
adj 1
1 -1 1 0.047 0 0.0008 0
"""


@pytest.mark.parametrize("text", [PAGE, THEORY], ids=["migration", "theory"])
def test_every_name_of_a_page_resolves(text):
    names = set(re.findall(r"\bjs\.([a-zA-Z_][\w.]*\w)", text))
    assert len(names) > 5
    for path in names:
        found = js
        for part in path.split("."):
            found = getattr(found, part)


def test_settings_named_on_the_theory_page_exist():
    for form in re.findall(r"^\| `(\w+)`", THEORY, re.M):
        assert js.cbed.Settings(form=form).form == form
    for rule in ("MeanPotential", "Proportional"):
        assert f"`{rule}(" in THEORY and hasattr(js.cbed, rule)
    assert "0.0239337" in THEORY and "47.87765" in THEORY


@pytest.mark.slow
def test_the_script_of_the_migration_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "si.dat").write_text(DAT)
    setup = js.cbed.setup_from_dat("si.dat")
    hkl = [(0, 0, 0), (1, -1, 1), (2, -2, 2)]
    arguments = {**setup.arguments(), "gl": 38.8, "thickness": 810.0}
    made = js.cbed.simulate(setup.crystal, hkl, (9, 9), counts=1e5, **arguments)
    np.save("stack.npy", np.asarray(made.y).reshape(3, 9, 9))
    np.save("index.npy", np.array(hkl))
    block = re.search(r"```python\n(.*?)```", PAGE, re.S)
    assert block is not None
    space = {}
    with warnings.catch_warnings():
        # true of a row seen on its axis: nothing changes across it
        warnings.filterwarnings("ignore", "shift_j")
        exec(block.group(1), space)
    best = space["best"]
    assert abs(best["U(1,-1,1)"] - 0.047) < 5 * best.error("U(1,-1,1)")
    assert js.io.read_fit("refined.h5").names == best.labels
    assert len(js.io.read_hkl("refined.hkl").hkl) > 10
