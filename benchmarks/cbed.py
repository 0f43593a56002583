"""Bloch-wave benchmarks: shared-potential propagation against one matrix per tilt.

    python benchmarks/cbed.py [--quick] [--only TEXT] [--record FILE]

Rows (see docs): intensities of 64 x 64 tilts, 100 beams and 5 thicknesses up to 1000 Å,
elastic with a real and with a Hermitian potential against eigh tilt by tilt (the faster
of lax.map and vmap), absorptive against the faster of expm and eig; the simulations
a refinement needs, a Jacobian counted as one for each parameter, against Nelder-Mead on
the same problem and a simplex nested around Powell's method; and time and memory as
beams grow from 50 to 300 and tilts from 10² to 10⁵. Prints absolute times and ratios
and writes a JSON record.
"""

import argparse
import json
import os
import pathlib
import resource
import time
import warnings

import jax
import jax.numpy as jnp
import numpy as np

import jaxscatter as js
from jaxscatter.cbed import bloch
from jaxscatter.cbed.beams import beams, candidates, centred, deviations
from jaxscatter.cbed.bloch import Settings
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.dataset import from_images
from jaxscatter.cbed.geometry import Frame, tilt_grid
from jaxscatter.cbed.problem import problem
from jaxscatter.infer.provenance import provenance
from jaxscatter.numerics.unitary_waves import exponential_waves, unitary_waves

ENERGY = 200.0
SILICON = Crystal.from_sites(
    [5.4307] * 3 + [90.0] * 3,
    [Site("Si", (0.125, 0.125, 0.125), 0.4668)],
    space_group="F d -3 m:2",
)
GALLIUM_ARSENIDE = Crystal.from_sites(
    [5.65325] * 3 + [90.0] * 3,
    [Site("Ga", (0, 0, 0), 0.5854), Site("As", (0.25, 0.25, 0.25), 0.3528)],
    space_group="F -4 3 m",
)
CASES = {
    "real potential (Si [110], elastic)": (SILICON, "none"),
    "Hermitian potential (GaAs [110], elastic)": (GALLIUM_ARSENIDE, "none"),
    "absorptive (GaAs [110])": (GALLIUM_ARSENIDE, "thomas"),
}
T = jnp.linspace(200.0, 1000.0, 5)
WIDE = {"thickness": (600.0, 800.0)}
"""Ranges of the nested searches, which hold what is true; ours are the bounds."""


def best(function, repeats=3):
    """Shortest time of one call in s, after one to compile."""
    jax.block_until_ready(function())
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        jax.block_until_ready(function())
        times.append(time.perf_counter() - start)
    return min(times)


def nearest(crystal, frame, n):
    """The n beams with the smallest |s_g| at the zone axis, along whole shells."""
    hkl = candidates(crystal.cell, 3.0)
    hkl = hkl[centred(hkl, crystal)]
    s = np.abs(deviations(hkl, crystal.cell, frame, ENERGY, np.zeros((1, 2))))[0]
    return beams(hkl[np.argsort(s, kind="stable")[:n]])


def general_waves(h, t, entrance):
    """ψ(t) by the eigenvalues of a matrix that is not Hermitian."""
    values, c = jnp.linalg.eig(h)
    start = jnp.zeros(h.shape[0], complex).at[entrance].set(1.0)
    into = jnp.linalg.solve(c, start)
    return (jnp.exp(2j * jnp.pi * t[:, None] * values[None, :]) * into[None, :]) @ c.T


def image_row(crystal, absorption, side):
    """Intensities of an image, all tilts at once and one by one."""
    frame = Frame((1, 1, 0), (0, 0, 2))
    chosen = nearest(crystal, frame, 100)
    kt = tilt_grid((0.3, 0.3), (side, side))
    settings = Settings(absorption=absorption)
    values = bloch.coefficients(crystal, chosen, ENERGY, settings)
    k = bloch.inner_wavenumber(chosen, values, ENERGY, False)
    parts = bloch.diffraction(crystal.cell, chosen, frame, kt, k)
    plan = bloch.plan_waves(chosen, values, parts, 1000.0, margin=1.0)

    @jax.jit
    def shared(values, parts):
        psi = bloch.waves(chosen, values, parts, T, settings, plan)
        return jnp.abs(psi) ** 2

    u, w = bloch.matrices(chosen, values)
    u = u.real if plan.real else u
    others = {"eigh": unitary_waves}
    if w is not None:
        others = {"expm": exponential_waves, "eig": general_waves}
    few = 64 if w is not None else kt.shape[0]
    three = (parts.scale[:few], parts.diagonal[:few], parts.metric[:few])
    ours = best(lambda: shared(values, parts)) / kt.shape[0]
    theirs, difference = {}, 0.0
    for name, propagate in others.items():

        def single(p, propagate=propagate):
            scale, diagonal, metric = p
            h = bloch.hamiltonian(u, w, scale, diagonal, None)
            return jnp.abs(propagate(h, T, chosen.entrance) * metric[None, :]) ** 2

        for how, size in (("map", None), ("vmap of 64", 64)):
            run = jax.jit(lambda p, f=single, n=size: jax.lax.map(f, p, batch_size=n))
            theirs[f"{name}, {how}"] = best(lambda run=run: run(three), 2) / few
        apart = jnp.max(jnp.abs(shared(values, parts)[:few] - run(three)))
        difference = max(difference, float(apart))
    return {
        "beams": chosen.n,
        "tilts": kt.shape[0],
        "terms": plan.terms,
        "segments": plan.segments,
        "real": str(plan.real),
        "shared potential [ms per tilt]": 1e3 * ours,
        **{f"one matrix per tilt, {k} [ms]": 1e3 * v for k, v in theirs.items()},
        "ratio": min(theirs.values()) / ours,
        "largest difference of intensity": difference,
    }


def refinement_row(side):
    """Simulations to the minimum of a LARBED twin: trust region and Nelder-Mead."""
    frame = Frame((1, 1, 0), (1, -1, 1))
    length = float(frame.x_length(SILICON.cell))
    disks = [(0, 0, 0), (1, -1, 1), (-1, 1, -1), (2, -2, 2), (-2, 2, -2)]
    row = beams(np.array([(n, -n, n) for n in (0, 1, -1, 2, -2, 3, -3, 4, -4)]))
    given = {
        "crystal": SILICON,
        "energy": ENERGY,
        "thickness": 700.0,
        "frame": frame,
        "gl": 9.0,
        "kt": [0.1 * length, 2.2 * length],
        "reflections": [(1, -1, 1), (2, -2, 2), (3, -3, 3), (4, -4, 4)],
        "beams": row,
        "background": "pattern",
    }
    empty = np.full((len(disks), side, side), 1e5)
    p = problem(from_images(disks, empty, variance=empty), **given)
    names = [q.name for q in p.parameters if not q.fixed]
    exact = np.asarray(p.model.prepare(p.named(p.start())))
    y = np.random.default_rng(2).poisson(1e5 * exact + 50).astype(float)
    y = y.reshape(empty.shape)
    start = {}
    for i, (name, value) in enumerate(zip(names, np.asarray(p.start()), strict=True)):
        moved = name.startswith(("shift", "rotation"))
        start[name] = (
            float(value) + 0.4 if moved else float(value) * (1 + 0.02 * (-1) ** i)
        )
    data = from_images(disks, y, variance=np.maximum(y, 1.0))
    p = problem(data, **given, start=start)
    js.fit(p, warn=False)  # compile
    begun = time.perf_counter()
    fitted = js.fit(p, warn=False)
    elapsed = time.perf_counter() - begun
    trials = len(fitted.history["cost"]) if "cost" in fitted.history else 0
    simulations = trials * (1 + len(names))
    simplex = js.fit(p, method="nelder-mead", warn=False, max_evaluations=20000)
    tried = int(simplex.statistics["nfev"])
    nested = js.cbed.fit_legacy(p, ranges=WIDE, max_simulations=2000, warn=False)
    inside = int(nested.statistics["nfev"])
    return {
        "parameters": len(names),
        "points": p.n_valid,
        "trust region [s]": elapsed,
        "trust region, chi2/dof": fitted.statistics["red_chi2"],
        "trust region, values and Jacobians": trials,
        "trust region, simulations": simulations,
        "simplex, chi2/dof": simplex.statistics["red_chi2"],
        "simplex, simulations": tried,
        "nested searches, chi2/dof": nested.statistics["red_chi2"],
        "nested searches, simulations": inside,
        "nested searches, converged": str(nested.success),
        "ratio of simulations": tried / max(simulations, 1),
        "ratio of simulations, nested": inside / max(simulations, 1),
    }


def growth_row(quick):
    """Time per tilt, and memory, of five disks at five thicknesses."""
    frame = Frame((1, 1, 0), (0, 0, 2))
    disks = np.array([(0, 0, 0), (1, -1, 1), (-1, 1, -1), (0, 0, 4), (2, -2, 2)])
    out = {}
    tilts = {50: 1024, 100: 1024, 200: 1024, 300: 1024}
    cases = [(n, t) for n, t in tilts.items()]
    cases += [(100, t) for t in (100, 10_000, *(() if quick else (100_000,)))]
    for n, count in cases:
        chosen = nearest(SILICON, frame, n)
        side = int(np.ceil(np.sqrt(count)))
        kt = tilt_grid((0.3, 0.3), (side, side))[:count]

        def run(chosen=chosen, kt=kt):
            return js.cbed.bloch_intensities(
                SILICON, chosen, kt, T, energy=ENERGY, frame=frame, output=disks,
                settings=Settings(absorption="none"),
            )  # fmt: skip

        seconds = best(run, 1 if count > 5000 else 2)
        out[f"{n} beams, {count} tilts [ms per tilt]"] = 1e3 * seconds / count
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
        out[f"{n} beams, {count} tilts, largest memory so far [GiB]"] = peak
    return out


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="16 x 16 tilts")
    parser.add_argument("--only", default="", help="rows whose title holds this")
    parser.add_argument("--record", default="cbed.local.json", type=pathlib.Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    side = 16 if options.quick else 64
    jobs = {t: lambda c=c: image_row(*c, side) for t, c in CASES.items()}
    jobs["refinement of four structure factors"] = lambda: refinement_row(9)
    jobs["growth with beams and tilts"] = lambda: growth_row(options.quick)
    rows = {}
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
        "provenance": provenance(model="cbed benchmark"),
    }
    options.record.write_text(json.dumps(record, indent=2))
    print(f"record written to {options.record}")


if __name__ == "__main__":
    main()
