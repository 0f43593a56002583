"""A small simulated measurement, a job for it, and one run of that job."""

import os
import subprocess
import sys
import types

import jax
import numpy as np
import pytest

from jaxscatter import qens
from jaxscatter.cli import main
from jaxscatter.io import nxspe

JOB = """
title: simulated diffusion
data: {path: sample.nxspe, resolution: 0.05, n_q_bins: 8, energy_window: 1.2}
model: {name: translation_only, amplitude: global}
parameters: {u2: {value: 0.05, fixed: true}}
fit: {starts: 4}
sample: {chains: 2, warmup: 100, draws: 200}
"""
TRUTH = {"D_translation": 0.2, "u2": 0.05}


def write_sample(path, **changes):
    """NXSPE file of 16 Q rows; changes replace the arrays that are written."""
    edges = np.linspace(-1.4, 1.4, 122)
    omega = 0.5 * (edges[1:] + edges[:-1])
    q = np.linspace(0.4, 1.9, 16)
    data = qens.simulate(
        "translation_only",
        TRUTH,
        q=q,
        omega=omega,
        sigma_res=0.05,
        amplitude=5.0,
        background=0.05,
        noise=0.02,
        seed=1,
    )
    arrays = {"data": np.asarray(data.y), "error": np.asarray(data.sigma)}
    return nxspe.write(path, energy_edges=edges, ei=3.6, q=q, **{**arrays, **changes})


@pytest.fixture(scope="session")
def kit():
    """The job, the truth behind the data, and their writer; tests are no package."""
    return types.SimpleNamespace(job=JOB, truth=TRUTH, write_sample=write_sample)


@pytest.fixture(scope="session")
def measured(tmp_path_factory):
    """Folder with sample.nxspe and job.yaml."""
    folder = tmp_path_factory.mktemp("measured")
    write_sample(folder / "sample.nxspe")
    (folder / "job.yaml").write_text(JOB)
    return folder


@pytest.fixture(scope="session")
def finished(measured):
    """Folder of the results of job.yaml."""
    assert main(["run", str(measured / "job.yaml")]) == 0
    return measured / "job_results"


@pytest.fixture
def cli(capfd):
    """Run a command line: (exit code, stdout, stderr)."""

    def run(*arguments):
        capfd.readouterr()
        code = main([str(a) for a in arguments])
        out, err = capfd.readouterr()
        return code, out, err

    return run


@pytest.fixture
def refused(cli):
    """Run a command line that must fail with one clear line; returns that line."""

    def run(*arguments, code=2):
        got, out, err = cli(*arguments)
        last = err.strip().splitlines()[-1]
        assert got == code, err
        assert last.startswith("jaxscatter: error: ")
        assert "Traceback" not in err
        assert out == ""
        return last

    return run


@pytest.fixture
def shell():
    """Start the program as a process of its own."""

    def start(*arguments):
        return subprocess.Popen(
            [sys.executable, "-m", "jaxscatter.cli", *map(str, arguments)],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={
                **os.environ,
                "JAX_COMPILATION_CACHE_DIR": str(jax.config.jax_compilation_cache_dir),
                "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0.3",
            },
        )

    return start
