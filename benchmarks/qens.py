"""QENS benchmarks against NumPy/SciPy and emcee, all measured in one run.

    python benchmarks/qens.py [--quick] [--batch] [--record FILE]

Rows (see docs): log density with gradient against the NumPy/SciPy value; effective
samples per second of the benzene posterior (lmax 2, per-Q amplitudes: D*, D_t, D_s)
against emcee on the NumPy/SciPy likelihood and against emcee on our own jitted density,
at 3 parameters and with the amplitudes explicit; 10 000 spectra of an elastic line, a
Lorentzian and a background fitted against scipy in a loop. Prints absolute times and
ratios and writes a JSON record.
"""

import argparse
import json
import pathlib
import time
import warnings

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares, nnls
from scipy.signal import fftconvolve
from scipy.special import spherical_jn, voigt_profile, wofz

import jaxscatter as js
from jaxscatter.infer.diagnostics import ess_bulk
from jaxscatter.infer.provenance import provenance
from jaxscatter.problem.density import loglike_and_gradient

HBAR = 0.6582119569


def benzene():
    """The packaged benzene bins with their kernels, as everything below uses them."""
    example = js.examples.qens_benzene()
    return js.qens.load(
        example.sample,
        example.resolution,
        empty=example.empty,
        q_edges=example.q_edges,
        q_min=0.6,
        q_max=1.8,
        n_q_bins=12,
        energy_window=1.25,
    )


class NumpyLikelihood:
    """What a careful NumPy/SciPy user writes: Lorentzians, fftconvolve, NNLS per Q."""

    def __init__(self, data):
        self.omega = np.asarray(data.coords["omega"])
        self.step = self.omega[1] - self.omega[0]
        self.q = np.asarray(data.coords["q"])
        self.kernel = np.asarray(data.coords["kernel"])
        self.y, self.sigma = np.asarray(data.y), np.asarray(data.sigma)
        self.weight = np.asarray(data.mask) / self.sigma

    def __call__(self, params):
        """Log likelihood, -inf outside the prior box."""
        d, d_t, d_s = params
        inside = 1e-4 < d < 1 and 1e-3 < d_t < 2 and 1e-3 < d_s < 5
        if not inside:
            return -np.inf
        total = 0.0
        for k, q in enumerate(self.q):
            x = q * 2.48
            j = [spherical_jn(order, x) ** 2 for order in range(3)]
            weights = [j[0], 3 * j[1], 1.25 * j[2], 3.75 * j[2]]
            widths = [0.0, d_s + d_t, 6 * d_t, 4 * d_s + 2 * d_t]
            broad = HBAR * d * q**2
            model = np.zeros_like(self.omega)
            for w, g in zip(weights, widths, strict=True):
                g = broad + HBAR * g
                model += w * g / np.pi / (self.omega**2 + g**2)
            model = fftconvolve(model, self.kernel[k], "same") * self.step
            columns = np.stack([model, np.ones_like(model)], axis=1)
            w = self.weight[k]
            _, norm = nnls(columns * w[:, None], self.y[k] * w)
            total += norm**2
        return -0.5 * total


def best_time(function, repeat):
    """Smallest wall time of `repeat` calls, in seconds, after one warm-up call."""
    function()
    times = []
    for _ in range(repeat):
        begin = time.perf_counter()
        function()
        times.append(time.perf_counter() - begin)
    return min(times)


def density_row(data, repeat):
    """Value and gradient of our log density against the NumPy value.

    Fits and samplers evaluate one point after another inside a compiled loop; called
    from Python, each evaluation also pays about 35 µs for the call.
    """
    problem = js.qens.problem(data, "anisotropic_rotor", amplitude="per_q", lmax=2)
    problem = problem.with_(parameters={"u2": {"fixed": True}})
    x = problem.start()
    dynamic, static = eqx.partition(problem, eqx.is_array)

    @jax.jit
    def run(dynamic, x):
        return loglike_and_gradient(eqx.combine(dynamic, static), x, "profile")

    # points differ, as in a fit, and stay inside the bounds
    many = x[None] * (1 + 0.01 * jnp.linspace(-1, 1, 64)[:, None])
    batch = jax.jit(jax.vmap(run, in_axes=(None, 0)))

    @jax.jit
    def loop(dynamic, many):
        return jax.lax.map(lambda x: run(dynamic, x), many)

    numpy = NumpyLikelihood(data)
    slow = best_time(lambda: numpy(np.asarray(x)), max(3, repeat // 4))
    called = best_time(lambda: jax.block_until_ready(run(dynamic, x)), repeat)
    looped = best_time(lambda: jax.block_until_ready(loop(dynamic, many)), 10) / 64
    each = best_time(lambda: jax.block_until_ready(batch(dynamic, many)), 10) / 64
    return {
        "numpy_value_s": slow,
        "value_and_gradient_in_a_compiled_loop_s": looped,
        "value_and_gradient_in_a_batch_of_64_s": each,
        "value_and_gradient_called_from_python_s": called,
        "ratio_in_a_compiled_loop": slow / looped,
        "ratio_in_a_batch": slow / each,
        "ratio_called_from_python": slow / called,
    }


def emcee_ess(log_prob, start, steps, walkers, seed, vectorize=False):
    """Smallest effective sample size per second of emcee after a quarter of burn-in."""
    import emcee

    rng = np.random.default_rng(seed)
    begin = start * (1 + 0.02 * rng.standard_normal((walkers, len(start))))
    sampler = emcee.EnsembleSampler(walkers, len(start), log_prob, vectorize=vectorize)
    sampler.random_state = np.random.RandomState(seed).get_state()
    sampler.run_mcmc(begin, steps // 4)
    sampler.reset()
    tick = time.perf_counter()
    sampler.run_mcmc(None, steps)
    seconds = time.perf_counter() - tick
    chain = sampler.get_chain()
    tau = sampler.get_autocorr_time(tol=0, quiet=True)
    ess = chain.shape[0] * walkers / np.max(tau)
    return float(ess), seconds


def nuts_ess(problem, start, draws, seed):
    """Smallest bulk effective sample size of NUTS and the time of its draws.

    The first call compiles; the second, with another seed, is timed. The warm-up is
    in neither time, as emcee's burn-in is not.
    """
    settings = {"warmup": 500, "draws": draws, "start": start, "warn": False}
    js.sample(problem, seed=seed, **settings)
    stamps = []

    def watch(event):
        if event.phase == "NUTS draws" or event.step == 500:
            stamps.append(time.perf_counter())

    post = js.sample(problem, seed=seed + 1, progress=watch, **settings)
    ess = min(ess_bulk(v) for v in post.draws.values())
    return float(ess), stamps[-1] - stamps[0], post


def posterior_rows(data, quick):
    """Effective samples per second: NUTS, emcee on NumPy, emcee on our density."""
    problem = js.qens.problem(data, "anisotropic_rotor", amplitude="per_q", lmax=2)
    problem = problem.with_(parameters={"u2": {"fixed": True}})
    best = js.multistart(problem, n=16, warn=False)
    draws = 500 if quick else 1000
    ess, seconds, post = nuts_ess(problem, best, draws, 0)
    numpy = NumpyLikelihood(data)
    start = np.array([best[n] for n in ("D_translation", "D_t", "D_s")])
    steps = 200 if quick else 1000
    slow_ess, slow_s = emcee_ess(numpy, start, steps, 32, 0)
    dynamic, static = eqx.partition(problem, eqx.is_array)
    mode = problem.default_linear_mode

    @jax.jit
    def density(dynamic, x):
        full = eqx.combine(dynamic, static)
        return jax.vmap(lambda x: full.logpost(x, mode))(x)

    def own(x):
        return np.asarray(density(dynamic, jnp.asarray(x)))

    own(np.broadcast_to(start, (16, 3)))
    own_ess, own_s = emcee_ess(own, start, 5 * steps, 32, 0, vectorize=True)
    rates = ess / seconds, slow_ess / slow_s, own_ess / own_s
    return {
        "parameters": 3,
        "nuts_ess_per_s": rates[0],
        "emcee_numpy_ess_per_s": rates[1],
        "emcee_own_density_ess_per_s": rates[2],
        "ratio_to_emcee_numpy": rates[0] / rates[1],
        "ratio_to_emcee_own_density": rates[0] / rates[2],
        "nuts_converged": post.converged,
        "nuts_ess": ess,
        "nuts_draw_s": seconds,
    }


def explicit_row(data, quick):
    """NUTS against emcee on our density with amplitudes sampled (27 parameters)."""
    problem = js.qens.problem(
        data, "anisotropic_rotor", amplitude="per_q", lmax=2, inference="explicit"
    )
    problem = problem.with_(parameters={"u2": {"fixed": True}})
    best = js.map_fit(problem, warn=False)
    draws = 300 if quick else 1000
    ess, seconds, _ = nuts_ess(problem, best, draws, 0)
    dynamic, static = eqx.partition(problem, eqx.is_array)

    @jax.jit
    def density(dynamic, x):
        full = eqx.combine(dynamic, static)
        return jax.vmap(lambda x: full.logpost(x))(x)

    def own(x):
        return np.asarray(density(dynamic, jnp.asarray(x)))

    p = problem.n_parameters
    walkers = 2 * p + 10
    own_ess, own_s = emcee_ess(
        own, np.asarray(best.x), 1000 if quick else 6000, walkers, 0, vectorize=True
    )
    return {
        "parameters": p,
        "nuts_ess_per_s": ess / seconds,
        "emcee_own_density_ess_per_s": own_ess / own_s,
        "ratio_to_emcee_own_density": (ess / seconds) / (own_ess / own_s),
    }


OMEGA = np.linspace(-1.0, 1.0, 200)  # meV
SIGMA = 0.03  # meV, of the resolution


def spectra(count, seed=0):
    """Spectra (count, 200) with their errors and the truth, resolution Gaussian."""
    rng = np.random.default_rng(seed)
    truth = {
        "hwhm_1": rng.uniform(0.05, 0.4, count),
        "elastic": rng.uniform(0.5, 2.0, count),
        "line_1": rng.uniform(1.0, 3.0, count),
        "background": rng.uniform(0.1, 0.3, count),
    }
    g, a, b, c = (v[:, None] for v in truth.values())
    elastic = np.exp(-0.5 * (OMEGA / SIGMA) ** 2) / (SIGMA * np.sqrt(2 * np.pi))
    clean = a * elastic + b * voigt_profile(OMEGA, SIGMA, g) + c
    sigma = 0.05 * np.sqrt(clean)
    return clean + sigma * rng.standard_normal(clean.shape), sigma, truth


def scipy_fits(y, sigma, analytic):
    """(parameters, seconds per spectrum) of least_squares in a loop, 4 parameters.

    The elastic line is computed once; with `analytic` the Jacobian is given, the
    width's column by the derivative of the Faddeeva function.
    """
    elastic = np.exp(-0.5 * (OMEGA / SIGMA) ** 2) / (SIGMA * np.sqrt(2 * np.pi))
    scale = SIGMA * np.sqrt(2)
    step, window = OMEGA[1] - OMEGA[0], OMEGA[-1] - OMEGA[0]
    bounds = ([0.1 * step, 0.0, 0.0, 0.0], [window, np.inf, np.inf, np.inf])

    def fit(y, sigma):
        def residuals(x):
            line = voigt_profile(OMEGA, SIGMA, x[0])
            return (x[1] * elastic + x[2] * line + x[3] - y) / sigma

        def jacobian(x):
            z = (OMEGA + 1j * x[0]) / scale
            w = wofz(z)
            slope = 1j * (2j / np.sqrt(np.pi) - 2 * z * w) / scale
            size = SIGMA * np.sqrt(2 * np.pi)
            columns = [x[2] * slope.real / size, elastic, w.real / size]
            return np.stack([*columns, np.ones_like(OMEGA)], 1) / sigma[:, None]

        top = y.max() - y.min()
        start = [np.sqrt(0.1 * step * window), 0.05 * top, 0.3 * top, max(y.min(), 0)]
        jac = jacobian if analytic else "2-point"
        return least_squares(residuals, start, jac=jac, bounds=bounds, method="trf").x

    fit(y[0], sigma[0])
    begin = time.perf_counter()
    out = [fit(a, b) for a, b in zip(y, sigma, strict=True)]
    return np.array(out), (time.perf_counter() - begin) / len(y)


def batch_row(count, some, repeat):
    """Independent spectra through `fit_batch`, and through scipy in a loop."""
    y, sigma, truth = spectra(count)
    rows = [(OMEGA, a, b, 1.0) for a, b in zip(y, sigma, strict=True)]
    data = js.qens.from_bins(rows, SIGMA)
    problem = js.qens.lines_problem(data, 1, background="flat")
    times = []
    for _ in range(repeat + 1):
        begin = time.perf_counter()
        found = js.fit_batch(problem, warn=False)
        times.append(time.perf_counter() - begin)
    ours = np.column_stack([found.values, found.amplitudes])
    errors = np.column_stack([found.stderr, found.amplitude_stderr])
    pulls = (ours - np.stack(list(truth.values()), 1)) / errors
    row = {
        "spectra": count,
        "points": OMEGA.size,
        "first_call_s": times[0],
        "fit_batch_s": min(times[1:]),
        "failed": int(np.sum(~found.success)),
        "pulls_std": float(np.std(pulls[found.success])),
    }
    for name, analytic in (("finite_differences", False), ("analytic_jacobian", True)):
        theirs, each = scipy_fits(y[:some], sigma[:some], analytic)
        row[f"scipy_{name}_s"] = each * count
        row[f"ratio_to_scipy_{name}"] = each * count / row["fit_batch_s"]
        away = np.abs(theirs - ours[:some]) / errors[:some]
        row[f"largest_difference_{name}_in_errors"] = float(np.max(away))
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--quick", action="store_true", help="fewer steps")
    parser.add_argument("--batch", action="store_true", help="the batch row only")
    parser.add_argument("--record", default="qens.local.json", type=pathlib.Path)
    options = parser.parse_args()
    warnings.simplefilter("ignore")
    count = 2000 if options.quick else 10_000
    batch = {
        f"{count} spectra x 200 points, 4 parameters": batch_row(
            count, 50 if options.quick else 200, 5
        )
    }
    data = None if options.batch else benzene()
    rows = (
        {}
        if data is None
        else {
            "log density + gradient, 12 Q x 139 ω, lmax 2": density_row(
                data, 50 if options.quick else 400
            ),
            "benzene posterior, per-Q amplitudes": posterior_rows(data, options.quick),
            "the same, amplitudes explicit": explicit_row(data, options.quick),
        }
    )
    rows |= batch
    for title, row in rows.items():
        print(title)
        for name, value in row.items():
            shown = f"{value:.4g}" if isinstance(value, float) else value
            print(f"    {name:52s} {shown}")
    record = {"rows": rows, "provenance": provenance(model="qens benchmark")}
    options.record.write_text(json.dumps(record, indent=2))
    print(f"record written to {options.record}")


if __name__ == "__main__":
    main()
