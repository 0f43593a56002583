"""Hand-made results and datasets for the tests of figures."""

import numpy as np

from jaxscatter.infer.result import FitResult, SampleResult

RNG = np.random.default_rng(11)


def record(groups=3, points=40, **changes):
    x = np.linspace(-1.0, 1.0, points)
    fit = np.stack([1 / (0.05 + x**2) + 0.1 * g for g in range(groups)])
    sigma = 0.05 * fit
    mask = np.ones_like(fit)
    mask[:, 5] = 0.0
    base = {
        "y": fit + sigma * RNG.normal(size=fit.shape),
        "sigma": sigma,
        "mask": mask,
        "fit": fit,
        "coords": {"q": np.linspace(0.5, 1.5, groups), "omega": x[::-1]},
        "dims": {"q": ("group",), "omega": ("point",)},
        "units": {"omega": "meV", "q": "1/Å", "y": "1/meV"},
        "metadata": {"x": "omega", "group": "q", "y_label": "S(Q, ω)"},
    }
    return base | changes


def fit_result(data=None, scaled=False, red_chi2=1.2, success=True):
    empty = {k: np.zeros(0) for k in ("value", "stderr")}
    return FitResult(
        parameters={"name": np.array(["D"]), "value": np.array([0.2])},
        labels=("D",),
        x=np.array([0.2]),
        cov=np.array([[1e-4]]),
        scaled=scaled,
        linear=empty,
        linear_cov=np.zeros((0, 0)),
        linear_mode="profile",
        statistics={"red_chi2": red_chi2},
        code=1,
        message="",
        success=success,
        method="trf",
        history={},
        warnings=(),
        flags=(),
        data=[record()] if data is None else data,
        provenance={"model": "rotor_$x$"},
    )


def sample_result(draws=None, units=None, method="nuts", stats=None):
    if draws is None:
        draws = {
            "D_t": RNG.normal(0.23, 0.01, (4, 200)),
            "D_s": RNG.lognormal(-12.0, 0.3, (4, 200)),
            "u2": RNG.normal(0.5, 0.1, (4, 200)),
        }
        units = {"D_t": "Å²/ps", "D_s": "Å²/ps", "u2": "Å²"}
    return SampleResult(
        draws=draws,
        units=units or {},
        sample_stats=stats or {},
        diagnostics={},
        converged=True,
        linear_draws={},
        linear_mode="marginal",
        statistics={},
        method=method,
        warnings=(),
        flags=(),
        held={},
        data=[record()],
        warmup={},
        provenance={"model": "rotor", "labels": list(draws)},
    )


def dataset(rows=12, points=30, temp=290.0):
    e = np.linspace(-1.5, 1.5, points)
    q = np.linspace(0.4, 2.0, rows)
    data = 1 / (np.pi * (0.05 + q[:, None] ** 2 * 0.1 + e[None, :] ** 2))
    errs = 0.05 * data
    errs[2, 3] = data[2, 3] = 0.0
    return {
        "name": f"benzene_{temp:.0f}_360_inc.nxspe",
        "sample": "benzene",
        "temp": temp,
        "ei": 3.6,
        "kind": "inc",
        "e": e,
        "data": data,
        "errs": errs,
        "good": np.arange(1, rows),
        "q": q,
    }


def visible(fig):
    return [ax for ax in fig.axes if ax.get_visible()]


def is_png(path):
    return path.read_bytes()[:8] == b"\x89PNG\r\n\x1a\n"
