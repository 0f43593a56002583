"""The example of the documentation runs, and the pages build without warnings."""

import os
import pathlib
import re
import shutil
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parent.parent
DOCS = ROOT / "docs"


@pytest.mark.slow
def test_the_users_own_model_is_fitted_streamed_and_sampled(capsys):
    source = (DOCS / "examples" / "user_model.py").read_text("utf-8")
    names = {"__name__": "user_model"}
    exec(compile(source, "user_model.py", "exec"), names)
    best, chunked, post = names["best"], names["chunked"], names["post"]
    truth = {"D": 0.2, "beta": 0.8}
    for name, value in truth.items():
        assert abs(best[name] - value) < 4 * best.error(name)
        np.testing.assert_allclose(chunked[name], best[name], rtol=1e-6)
        np.testing.assert_allclose(chunked.error(name), best.error(name), rtol=1e-6)
        draws = post[name]
        assert abs(np.mean(draws) - best[name]) < 0.3 * best.error(name)
        np.testing.assert_allclose(np.std(draws), best.error(name), rtol=0.2)
    assert chunked.problem.chunk < best.problem.data.n_points
    assert post.converged
    assert np.all(post["scale[0]"] >= 0)
    assert "decay · NUTS posterior" in capsys.readouterr().out


def test_every_public_name_is_on_the_api_page():
    import jaxscatter as js

    page = (DOCS / "api.md").read_text("utf-8")
    rooms = (
        js.infer,
        js.problem,
        js.qens,
        js.xpcs,
        js.sas,
        js.plot,
        js.numerics,
        js.examples,
    )
    for room in rooms:
        public = getattr(room, "__all__", None) or [
            n
            for n in vars(room)
            if not n.startswith("_")
            and (getattr(getattr(room, n), "__module__", "") or "").startswith(
                "jaxscatter"
            )
        ]
        missing = [n for n in public if f":: {n}" not in page]
        assert not missing, (room.__name__, missing)


@pytest.mark.slow
def test_the_scripts_of_the_migration_page_run(tmp_path):
    """As a user runs them, with the optimiser that the tests turn off."""
    page = (DOCS / "migration_qens.md").read_text("utf-8")
    page = page.split("## If you used QENSmodels")[0]
    first, second = re.findall(r"```python\n(.*?)```", page, re.S)
    environment = {k: v for k, v in os.environ.items() if k != "XLA_FLAGS"}
    for script, shown in (
        (first, "D_s/D_t"),
        (second + "print(post.converged)", "True"),
    ):
        done = subprocess.run(
            [sys.executable, "-c", script],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert shown in done.stdout


@pytest.mark.slow
@pytest.mark.filterwarnings("default")
def test_the_documentation_builds_without_warnings(tmp_path):
    pytest.importorskip("sphinx")
    pytest.importorskip("myst_nb")
    pytest.importorskip("furo")
    # a copy, so that the build leaves nothing in the source
    shutil.copytree(
        DOCS,
        tmp_path / "docs",
        ignore=shutil.ignore_patterns("_build", "notebooks", "jupyter_execute"),
    )
    shutil.copytree(ROOT / "notebooks", tmp_path / "notebooks")
    command = [sys.executable, "-m", "sphinx", "-W", "--keep-going", "-q", "-b", "html"]
    done = subprocess.run(
        [*command, str(tmp_path / "docs"), str(tmp_path / "html")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "html" / "index.html").exists()
    assert (tmp_path / "html" / "notebooks" / "qens_benzene.html").exists()
