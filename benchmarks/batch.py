"""Thousands of spectra fitted at once, against scipy in a loop, measured in one run.

    python benchmarks/batch.py [--count 10000] [--scipy 100] [--record FILE]

10 000 spectra of 200 points, each a Gaussian peak on a flat background with counting
noise: 4 unknowns, the centre and the width, and the height and the background, which
`fit_batch` solves for in closed form. scipy's `least_squares` (method "trf", bounds)
fits all four, from the height and background of the spectrum's largest and smallest
point and the same centre and width, with its default finite differences and with an
analytic Jacobian; its time is that of a subset, times the number of spectra. Prints
absolute times and ratios and writes a JSON record.
"""

import argparse
import json
import os
import pathlib
import time
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from scipy.optimize import least_squares

import jaxscatter as js
from jaxscatter.infer.provenance import provenance

T = np.linspace(-5.0, 5.0, 200)


def peak_columns(theta, coords):
    """Gaussian of unit height, and a flat background."""
    z = (coords["t"] - theta["centre"]) / theta["width"]
    return jnp.stack([jnp.exp(-0.5 * jnp.square(z)), jnp.ones_like(z)], 1)


PEAK = js.model(
    peak_columns,
    [
        js.Parameter("centre", 0.0, "meV", bounds=(-4.0, 4.0)),
        js.Parameter("width", 1.0, "meV", bounds=(0.1, 5.0)),
    ],
    [js.Amplitude("height", 0.0, np.inf), js.Amplitude("background")],
    name="peak",
)


def spectra(count, seed=0):
    """(y, sigma, truth) of peaks somewhere near the middle."""
    rng = np.random.default_rng(seed)
    truth = {
        "centre": rng.uniform(-1.5, 1.5, count),
        "width": rng.uniform(0.5, 1.5, count),
        "height": rng.uniform(50.0, 100.0, count),
        "background": rng.uniform(5.0, 10.0, count),
    }
    c, w, h, b = (v[:, None] for v in truth.values())
    clean = h * np.exp(-0.5 * ((T - c) / w) ** 2) + b
    sigma = np.sqrt(clean)
    return clean + sigma * rng.normal(size=clean.shape), sigma, truth


def ours(data, explicit, repeat):
    """(result, seconds of the first call, seconds of later ones)."""

    def extremes(data):  # what scipy is given below
        low = jnp.min(data.y)
        return {"height": jnp.max(data.y) - low, "background": low}

    guess = extremes if explicit else None
    times = []
    for _ in range(repeat + 1):
        begin = time.perf_counter()
        result = js.fit_batch(PEAK, data, guess=guess, explicit=explicit, warn=False)
        times.append(time.perf_counter() - begin)
    return result, times[0], min(times[1:])


def scipy_loop(y, sigma, analytic):
    """(fitted parameters, seconds per spectrum) of a loop, after one fit unmeasured."""
    bounds = ([0.0, -4.0, 0.1, -np.inf], [np.inf, 4.0, 5.0, np.inf])

    def fit(y, sigma):
        def residuals(x):
            z = (T - x[1]) / x[2]
            return (x[0] * np.exp(-0.5 * z**2) + x[3] - y) / sigma

        def jacobian(x):
            z = (T - x[1]) / x[2]
            e = np.exp(-0.5 * z**2)
            slope = x[0] * e * z / x[2]
            return np.stack([e, slope, slope * z, np.ones_like(e)], 1) / sigma[:, None]

        start = [y.max() - y.min(), 0.0, 1.0, y.min()]
        jac: Any = jacobian if analytic else "2-point"
        return least_squares(residuals, start, jac=jac, bounds=bounds, method="trf").x

    fit(y[0], sigma[0])
    begin = time.perf_counter()
    out = [fit(a, b) for a, b in zip(y, sigma, strict=True)]
    return np.array(out), (time.perf_counter() - begin) / len(y)


def main():
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--scipy", type=int, default=100, help="spectra for scipy")
    parser.add_argument("--repeat", type=int, default=5)
    parser.add_argument("--record", default="batch.local.json", type=pathlib.Path)
    options = parser.parse_args()
    y, sigma, truth = spectra(options.count)
    data = js.Dataset(y, sigma, coords={"t": T}, dims={"t": ("point",)})
    some = slice(0, options.scipy)
    row = {"spectra": options.count, "points": T.size, "unknowns": 4}
    reference = None
    for name, analytic in (("finite_differences", False), ("analytic_jacobian", True)):
        found, each = scipy_loop(y[some], sigma[some], analytic)
        row[f"scipy_{name}_s"] = each * options.count
        reference = found
    for name, explicit in (("projected", False), ("explicit", True)):
        result, first, later = ours(data, explicit, options.repeat)
        row[f"{name}_first_call_s"] = first
        row[f"{name}_s"] = later
        row[f"{name}_converged"] = int(result.success.sum())
        row[f"{name}_median_trials"] = float(np.median(result.nit))
        for against in ("finite_differences", "analytic_jacobian"):
            row[f"ratio_{name}_to_{against}"] = row[f"scipy_{against}_s"] / later
        names = ("height", "centre", "width", "background")
        mine = np.stack([result.column(n) for n in names], 1)
        errors = np.stack([result.error(n) for n in names], 1)
        gap = np.abs(mine[some] - reference) / errors[some]
        row[f"{name}_difference_to_scipy_in_errors"] = float(np.median(gap.max(axis=1)))
        pull = (mine - np.stack([truth[n] for n in names], 1)) / errors
        row[f"{name}_share_within_one_error"] = float(np.mean(np.abs(pull) < 1))
    row["device"] = jax.devices()[0].device_kind
    row["cores"] = os.cpu_count()
    row["load_average"] = os.getloadavg()[0]
    for name, value in row.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        print(f"    {name:44s} {shown}")
    record = {"rows": {"many spectra": row}, "provenance": provenance(model="batch")}
    options.record.write_text(json.dumps(record, indent=2))
    print(f"record written to {options.record}")


if __name__ == "__main__":
    main()
