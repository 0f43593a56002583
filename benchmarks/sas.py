"""SAS benchmarks against sasmodels (compiled C) and bumps DREAM, all in one run.

    python benchmarks/sas.py [--quick] [--only TEXT] [--record FILE]

Rows (see docs): I(q) with the gradient of chi2 at 200 q against the value alone of
sasmodels, one set of parameters and 256 at once; compile time of each model; effective
samples per second of two posteriors against DREAM. Prints absolute times and ratios and
writes a JSON record. Without sasmodels (`pip install jaxscatter[bench]`) only our own
times are printed.
"""

import argparse
import importlib.util
import json
import os
import pathlib
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np

import jaxscatter as js
from jaxscatter.infer.diagnostics import ess_bulk
from jaxscatter.infer.provenance import provenance
from jaxscatter.sas import arguments
from jaxscatter.sas.algebra import Settings, shape

PEER = importlib.util.find_spec("sasmodels") is not None
Q = np.geomspace(0.003, 0.4, 200)
CASES = {
    "sphere@hardsphere, lognormal 80": (
        "sphere@hardsphere",
        {
            "radius": 50.0,
            "radius_pd": 0.15,
            "radius_pd_n": 80,
            "radius_pd_nsigma": 8,
            "radius_pd_type": "lognormal",
            "volfraction": 0.15,
            "structure_factor_mode": 1,
        },
        ("radius", "radius_pd", "volfraction"),
    ),
    "cylinder, radius pd 35": (
        "cylinder",
        {"radius": 20.0, "length": 400.0, "radius_pd": 0.1, "radius_pd_n": 35},
        ("radius", "length", "radius_pd"),
    ),
    "cylinder, radius x length 35 x 35": (
        "cylinder",
        {
            "radius": 20.0,
            "length": 400.0,
            "radius_pd": 0.1,
            "radius_pd_n": 35,
            "length_pd": 0.1,
            "length_pd_n": 35,
        },
        ("radius", "length", "radius_pd", "length_pd"),
    ),
    "ellipsoid@hayter_msa with beta": (
        "ellipsoid@hayter_msa",
        {
            "radius_polar": 14.0,
            "radius_equatorial": 24.0,
            "volfraction": 0.014,
            "charge": 18.0,
            "structure_factor_mode": 1,
            "sld": 0.337,
            "sld_solvent": 6.393,
            "temperature": 298.0,
            "dielectconst": 77.94,
        },
        ("radius_polar", "radius_equatorial", "charge", "volfraction"),
    ),
}


def best(function, repeats=7, least=0.2):
    """Shortest mean time of one call in s, over runs of at least `least` s."""
    function()
    start = time.perf_counter()
    function()
    count = max(1, int(least / max(time.perf_counter() - start, 1e-7)))
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        for _ in range(count):
            function()
        times.append((time.perf_counter() - start) / count)
    return min(times)


def peer_kernel(name, given):
    """I(q) of sasmodels as its users call it, in double precision."""
    from sasmodels.core import load_model
    from sasmodels.direct_model import call_kernel

    kernel = load_model(name, dtype="double", platform="dll").make_kernel([Q])
    return lambda: call_kernel(kernel, given)


def our_chi2(name, given, free):
    """chi2 of 200 points as a function of the free parameters, and its start."""
    model, values, settings = arguments.read(name, given)
    rules = arguments.rules_for(model, Q, values, settings.distributions)
    settings = Settings(settings.distributions, settings.options, rules)
    fixed = {k: jnp.asarray(v, float) for k, v in values.items()}
    q = jnp.asarray(Q)
    curve = jax.jit(lambda v: shape(model, q, v, settings))(fixed)
    y, w = 1.01 * curve, 1 / jnp.square(0.02 * curve + 1e-4)

    def chi2(x):
        here = {**fixed, **dict(zip(free, x, strict=True))}
        return jnp.sum(w * jnp.square(y - shape(model, q, here, settings)))

    return chi2, jnp.array([float(values[n]) for n in free]), curve


def model_row(name, given, free):
    """One model: our value and gradient, alone and 256 at once, against its value."""
    chi2, x, curve = our_chi2(name, given, free)
    start = time.perf_counter()
    both = jax.jit(jax.value_and_grad(chi2)).lower(x).compile()
    compiled = time.perf_counter() - start
    value = jax.jit(chi2)
    many = x[None] * (1 + 0.02 * jax.random.normal(jax.random.key(0), (256, x.size)))
    batch = jax.jit(lambda x: jax.lax.map(jax.value_and_grad(chi2), x))
    ours = best(lambda: jax.block_until_ready(both(x)))
    row = {
        "free parameters": len(free),
        "our value [ms]": 1e3 * best(lambda: value(x).block_until_ready()),
        "our value + gradient [ms]": 1e3 * ours,
        "compile of value + gradient [s]": compiled,
    }
    per_set = best(lambda: jax.block_until_ready(batch(many)), 3) / 256
    row["our value + gradient, per set of 256 [ms]"] = 1e3 * per_set
    if PEER:
        kernel = peer_kernel(name, {**given, "background": 0.0})
        difference = np.max(np.abs(np.asarray(curve) / kernel() - 1))
        peer = best(kernel)
        row |= {
            "sasmodels value [ms]": 1e3 * peer,
            "sasmodels value / our value + gradient": peer / ours,
            "the same, per set of 256": peer / per_set,
            "largest relative difference of I(q)": float(difference),
        }
    return row


def effective(draws):
    """Smallest bulk effective sample size over (chain, draw) arrays."""
    return min(ess_bulk(np.asarray(d)) for d in draws)


def sds_problem():
    """The measured SDS micelles, as the demo fits them."""
    micelles = js.examples.sas_sds()
    return js.sas.problem(
        js.sas.load(micelles.path),
        "ellipsoid@hayter_msa",
        free=[
            "charge",
            "radius_equatorial",
            "radius_polar",
            "volfraction",
            "background",
        ],
        bounds={
            "radius_polar": (5.0, 40.0),
            "radius_equatorial": (5.0, 60.0),
            "charge": (1.0, 60.0),
            "volfraction": (0.001, 0.1),
        },
        radius_polar=14.0,
        radius_equatorial=22.0,
        charge=12.0,
        volfraction=0.019,
        structure_factor_mode=1,
        **micelles.known,
    )


def sphere_problem():
    """Simulated polydisperse hard spheres."""
    truth = {"radius": 60.0, "radius_pd": 0.1, "volfraction": 0.2}
    q = np.geomspace(0.004, 0.2, 150)
    curve = np.asarray(js.sas.intensity("sphere@hardsphere", q, **truth))
    rng = np.random.default_rng(5)
    sigma = 0.02 * curve + 1e-3
    data = js.sas.from_arrays(q, curve + sigma * rng.normal(size=q.size), sigma)
    return js.sas.problem(
        data,
        "sphere@hardsphere",
        bounds={
            "radius": (30.0, 100.0),
            "radius_pd": (0.01, 0.4),
            "volfraction": (0.01, 0.5),
        },
        **{**truth, "radius": 55.0},
    )


def dream(problem, name, quick):
    """Effective samples per second of bumps DREAM on the sasmodels kernels."""
    from bumps.fitters import fit
    from bumps.names import FitProblem
    from sasmodels.bumps_model import Experiment, Model
    from sasmodels.core import load_model
    from sasmodels.data import Data1D

    given = problem.given
    keep = np.asarray(given.mask)[0] > 0
    data = Data1D(
        x=np.asarray(given.coords["q"])[keep],
        y=np.asarray(given.y)[0][keep],
        dy=np.asarray(given.sigma)[0][keep],
    )
    model = Model(load_model(name, dtype="double", platform="dll"))
    for p in problem.parameters:
        if hasattr(model, p.name):
            getattr(model, p.name).value = float(p.value)
            if p.free:
                getattr(model, p.name).range(float(p.lo), float(p.hi))
    for option, number in problem.model.settings.options:
        getattr(model, option).value = number
    model.background.range(-1.0, 1.0)
    target = FitProblem(Experiment(data=data, model=model))
    start = time.perf_counter()
    done = fit(
        target,
        method="dream",
        samples=4000 if quick else 20_000,
        burn=200 if quick else 500,
        pop=10,
        init="lhs",
        verbose=False,
    )
    elapsed = time.perf_counter() - start
    _, points, _ = done.state.chains()
    names = target.labels()
    pick = [i for i, n in enumerate(names) if n != "background"]
    draws = [points[:, :, i].T for i in pick]
    return effective(draws) / elapsed, elapsed


def posterior_row(problem, name, quick):
    """Effective samples per second of NUTS, warm-up included, against DREAM."""
    settings = {"chains": 4, "warmup": 300, "draws": 500 if quick else 2000}
    js.sample(problem, seed=9, warn=False, **{**settings, "draws": 100})  # compile
    start = time.perf_counter()
    post = js.sample(problem, seed=1, warn=False, **settings)
    elapsed = time.perf_counter() - start
    rate = effective(post.draws.values()) / elapsed
    row = {
        "converged": str(post.converged),
        "NUTS [effective samples/s]": rate,
        "NUTS [s]": elapsed,
    }
    if PEER:
        theirs, took = dream(problem, name, quick)
        row |= {
            "DREAM [effective samples/s]": theirs,
            "DREAM [s]": took,
            "NUTS / DREAM": rate / theirs,
        }
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer draws")
    parser.add_argument("--only", default="", help="rows whose title holds this")
    parser.add_argument("--record", default="sas.local.json", type=pathlib.Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    rows = {}
    jobs = {t: lambda c=c: model_row(*c) for t, c in CASES.items()}
    jobs["posterior of the SDS micelles"] = lambda: posterior_row(
        sds_problem(), "ellipsoid@hayter_msa", options.quick
    )
    jobs["posterior of polydisperse hard spheres"] = lambda: posterior_row(
        sphere_problem(), "sphere@hardsphere", options.quick
    )
    for title, job in jobs.items():
        if options.only in title:
            print(title)
            rows[title] = job()
            for label, value in rows[title].items():
                shown = f"{value:.4g}" if isinstance(value, float) else value
                print(f"    {label:52s} {shown}", flush=True)
    record = {
        "rows": rows,
        "load": os.getloadavg(),
        "provenance": provenance(model="sas benchmark"),
    }
    options.record.write_text(json.dumps(record, indent=2))
    print(f"record written to {options.record}")


if __name__ == "__main__":
    main()
