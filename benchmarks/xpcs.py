"""XPCS benchmarks, all measured in one run.

    python benchmarks/xpcs.py [--quick] [--record FILE]

Rows (see docs): the sums of a Gauss-Newton step against the Jacobian of the whole c2
and against a plain fused χ²; a full fit of 23 angles x 1001² points with 53 parameters;
time per point and memory as the points grow to 1e8, streamed from an HDF5 file; the
gradient that NUTS needs on all points. Prints absolute times and ratios and writes a
JSON record. Rows whose memory counts run in a process of their own.
"""

import argparse
import json
import pathlib
import subprocess
import sys
import tempfile
import time

import equinox as eqx
import h5py
import jax
import jax.numpy as jnp
import numpy as np

import jaxscatter as js
from jaxscatter.infer.provenance import provenance
from jaxscatter.problem.density import loglike_and_gradient

Q, GAP, DT, SIGMA = 0.0054, 2e6, 0.1, 0.01
THETA = {
    "D0": 2000.0,
    "alpha": -0.3,
    "D_offset": 40.0,
    "gamma_dot_t0": 0.003,
    "beta": 0.1,
    "gamma_dot_t_offset": 1e-4,
    "phi0": 2.0,
}


def measured(n, angles, seed=0):
    """Simulated laminar flow with noise, as data."""
    return js.xpcs.simulate(
        "laminar_flow",
        THETA,
        q=Q,
        h=GAP,
        dt=DT,
        n_frames=n,
        phi=np.linspace(-80.0, 90.0, angles),
        contrast=0.3,
        offset=1.0,
        noise=SIGMA,
        seed=seed,
    )


def best_time(function, *arguments, repeat=7):
    """Shortest of some runs in s, after one that compiles."""
    jax.block_until_ready(function(*arguments))
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - begin)
    return min(times)


def whole_jacobian(problem, x, a):
    """JᵀWJ, JᵀWr and the cost from the Jacobian of the whole c2 at fixed amplitudes."""
    data, model = problem.given, problem.model
    t, phi = jnp.asarray(data.coords["t"]), jnp.asarray(data.coords["phi"])
    square = jnp.asarray(js.xpcs.to_matrices(data, np.asarray(data.y)))
    weight = jnp.isfinite(square) / SIGMA**2
    square = jnp.where(jnp.isfinite(square), square, 0.0)

    def curves(x):
        theta = dict(zip(problem.parameters.labels, x, strict=True))
        return js.xpcs.c2(
            theta, t, phi, q=Q, h=model.h, dt=DT, contrast=a[:, 0], offset=a[:, 1]
        )

    @jax.jit
    def triple(x):
        j, r = jax.jacfwd(curves)(x), square - curves(x)
        weighted = j * weight[..., None]
        axes = ([0, 1, 2], [0, 1, 2])
        g = -jnp.tensordot(weighted, r, axes)
        return jnp.tensordot(weighted, j, axes), g, 0.5 * jnp.sum(weight * r**2)

    @jax.jit
    def chi2(x):
        return jnp.sum(weight * (square - curves(x)) ** 2)

    return triple, chi2


def row_triple(quick):
    """7 parameters, 6 x 512²: the sums of a step, against the Jacobian and a χ²."""
    problem = js.xpcs.problem(measured(128 if quick else 512, 6), values=THETA)
    x = problem.start() * 1.01
    a = problem.amplitudes(x)
    whole, chi2 = whole_jacobian(problem, x, a)
    ours = eqx.filter_jit(lambda p, x: p.normal(x))
    plain = eqx.filter_jit(lambda p, x: p.normal(x))
    fused = eqx.filter_jit(fused_chi2)
    temporary = whole.lower(x).compile().memory_analysis().temp_size_in_bytes
    own = jax.jit(lambda x: problem.normal(x)).lower(x).compile()
    return {
        "points": int(problem.given.n_valid),
        "ours_ms": 1e3 * best_time(ours, problem, x),
        "columns_ms": 1e3 * best_time(plain, problem.without_blocks(), x),
        "jacobian_ms": 1e3 * best_time(whole, x),
        "chi2_square_ms": 1e3 * best_time(chi2, x),
        "chi2_fused_ms": 1e3 * best_time(fused, problem, x, a),
        "jacobian_mb": temporary / 1e6,
        "ours_mb": own.memory_analysis().temp_size_in_bytes / 1e6,
    }


def fused_chi2(problem, x, a):
    """χ² of the triangle at fixed amplitudes in one fused loop."""
    model, data = problem.model, problem.data
    theta = problem.named(x)
    tables = model.prepare(theta)
    early, late = data.coords["early"], data.coords["late"]
    transport = tables["transport"][late] - tables["transport"][early]
    strain = model.dt * (tables["strain"][late] - tables["strain"][early])

    def angle(y, mask, sigma, phi, q, a):
        e = q**2 * model.dt * transport
        phase = js.xpcs.shear_phase(strain, phi, theta["phi0"], q, model.h)
        safe = jnp.where(phase == 0, 1.0, phase)
        s = jnp.where(phase == 0, 1.0, jnp.sin(safe) / safe)
        r = y - a[0] * jnp.exp(-e) * s**2 - a[1]
        return jnp.sum(mask * (r / sigma) ** 2)

    c = data.coords
    return jnp.sum(jax.vmap(angle)(data.y, data.mask, data.sigma, c["phi"], c["q"], a))


def row_fit(n, angles):
    """A full fit from the default start, with everything around it."""
    begin = time.perf_counter()
    data = measured(n, angles)
    made, simulated = time.perf_counter(), peak()
    forget_peak()
    problem = js.xpcs.problem(data)
    fit = js.fit(problem, warn=False)
    first = time.perf_counter()
    again = js.fit(problem, warn=False)
    end = time.perf_counter()
    x = jnp.asarray(fit.x)
    gradient = eqx.filter_jit(loglike_and_gradient)
    pull = max(
        abs(fit[k] - v) / fit.error(k)
        for k, v in THETA.items()
        if np.isfinite(fit.error(k)) and fit.error(k) > 0
    )
    return {
        "points": int(data.n_valid),
        "parameters": len(fit.labels) + 2 * angles,
        "simulation_s": made - begin,
        "fit_s": first - made,
        "fit_again_s": end - first,
        "trials": fit.statistics["nit"],
        "success": bool(fit.success and again.success),
        "red_chi2": fit.statistics["red_chi2"],
        "largest_pull": pull,
        "gradient_s": best_time(gradient, problem, x, "gaussian", repeat=3),
        "peak_gib": peak(),
        "peak_simulation_gib": simulated,
    }


def row_stream(frames, mixed):
    """One Gauss-Newton step over a matrix that stays in its file."""
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "c2.h5"
        written(path, frames)
        forget_peak()
        begin = time.perf_counter()
        data = js.xpcs.stream(path, sigma=SIGMA, single=mixed)
        survey = time.perf_counter() - begin
        names = js.xpcs.physical_names("static_isotropic")
        problem = js.xpcs.problem(
            data,
            "static_isotropic",
            values={k: THETA[k] for k in names},
            precision="mixed" if mixed else "double",
        )
        x = problem.start()
        step = eqx.filter_jit(lambda p, x: p.normal(x))
        cost = eqx.filter_jit(lambda p, x: p.cost(x))
        return {
            "points": int(data.n_valid),
            "mixed": mixed,
            "survey_s": survey,
            "step_s": best_time(step, problem, x, repeat=2),
            "cost_s": best_time(cost, problem, x, repeat=2),
            "peak_gib": peak(),
        }


def written(path, frames):
    """A static two-time matrix in single precision, strip by strip."""
    t = DT * np.arange(frames)
    model = {k: THETA[k] for k in js.xpcs.physical_names("static_isotropic")}
    rate = tuple(model.values())
    table = np.asarray(js.xpcs.cumulative_rate(jnp.asarray(t), *rate, DT))
    rng = np.random.default_rng(0)
    with h5py.File(path, "w") as file:
        shape, side = (1, frames, frames), min(frames, 512)
        c2 = file.create_dataset("c2", shape, "f4", chunks=(1, side, side))
        file["t"], file["phi"], file["q"] = t, np.zeros(1), np.array([Q])
        for row in range(0, frames, side):
            rows = slice(row, min(row + side, frames))
            d = np.abs(table[rows, None] - table[None, :])
            strip = 1.0 + 0.3 * np.exp(-(Q**2) * DT * d)
            noise = SIGMA * rng.standard_normal(strip.shape, np.float32)
            c2[0, rows] = strip + noise


def peak():
    """Largest memory this process has held, in GiB (Linux)."""
    # getrusage would count what the parent held when it started this process
    for line in pathlib.Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) / 2**20
    return float("nan")


def forget_peak():
    """Count the largest memory anew from here (Linux)."""
    pathlib.Path("/proc/self/clear_refs").write_text("5")


def alone(name, *arguments):
    """A row in a process of its own."""
    code = (
        f"import json, sys; sys.path.insert(0, {str(pathlib.Path(__file__).parent)!r});"
        f"import xpcs; print(json.dumps(xpcs.{name}(*{arguments!r})))"
    )
    out = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False
    )
    if out.returncode:
        raise SystemExit(out.stderr[-2000:])
    return json.loads(out.stdout.splitlines()[-1])


def steps_per_draw():
    """Leapfrog steps of a small posterior in the same coordinates."""
    problem = js.xpcs.problem(measured(60, 3), values=THETA)
    fit = js.fit(problem, warn=False)
    post = js.sample(
        problem, start=fit, chains=2, warmup=300, draws=300, seed=0, warn=False
    )
    return {
        "steps": post.statistics["steps"],
        "divergences": post.statistics["divergences"],
    }


def main():
    """Run all rows, print and record them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small sizes, no claim")
    parser.add_argument("--record", type=pathlib.Path, help="write a JSON record")
    options = parser.parse_args()
    quick = options.quick
    record = {"quick": quick, "rows": {}}

    row = row_triple(quick)
    record["rows"]["triple"] = row
    print(
        f"sums of a step, {row['points']} points, 7 parameters\n"
        f"  ours {row['ours_ms']:.1f} ms; through columns {row['columns_ms']:.0f} ms\n"
        f"  Jacobian of the whole c2 {row['jacobian_ms']:.0f} ms: "
        f"{row['jacobian_ms'] / row['ours_ms']:.1f}x; "
        f"its temporaries {row['jacobian_mb']:.0f} MB, ours {row['ours_mb']:.1f} MB\n"
        f"  fused chi2 of the same points {row['chi2_fused_ms']:.1f} ms (of the whole "
        f"square {row['chi2_square_ms']:.1f} ms): ours is "
        f"{row['ours_ms'] / row['chi2_fused_ms']:.1f} of it",
        flush=True,
    )
    row = alone("row_fit", *((201, 5) if quick else (1001, 23)))
    record["rows"]["fit"] = row
    print(
        f"full fit, {row['points']} points, {row['parameters']} parameters, default "
        f"start\n  {row['fit_s']:.1f} s with compilation, {row['fit_again_s']:.1f} s "
        f"again, {row['trials']:.0f} trials, converged: {row['success']}, reduced chi2 "
        f"{row['red_chi2']:.4f}, largest pull {row['largest_pull']:.1f}\n"
        f"  peak memory {row['peak_gib']:.2f} GiB, data included (making the data: "
        f"{row['peak_simulation_gib']:.2f} GiB)",
        flush=True,
    )
    nuts = steps_per_draw()
    record["rows"]["nuts"] = nuts
    hours = nuts["steps"] * row["gradient_s"] * 4 * 2000 / 3600
    print(
        f"gradient of the log posterior on all of them {row['gradient_s']:.3f} s; at "
        f"{nuts['steps']:.1f} steps per draw (small posterior), 4 chains of 2000 steps "
        f"would take {hours:.1f} h here",
        flush=True,
    )
    record["rows"]["stream"] = []
    for frames in (450, 1000) if quick else (450, 1415, 4473, 14143):
        for mixed in (False, True):
            row = alone("row_stream", frames, mixed)
            record["rows"]["stream"].append(row)
            print(
                f"streamed, {row['points']:.3g} points, "
                f"{'mixed' if mixed else 'double'}: step {row['step_s']:.3f} s "
                f"({1e9 * row['step_s'] / row['points']:.0f} ns per point), cost "
                f"{row['cost_s']:.3f} s, peak memory {row['peak_gib']:.2f} GiB",
                flush=True,
            )
    if options.record:
        record["provenance"] = provenance(0, {}, "xpcs benchmark")
        options.record.write_text(json.dumps(record, indent=1, default=str))


if __name__ == "__main__":
    main()
