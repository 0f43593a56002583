"""Two small problems and their results, shared so that each is compiled once."""

import types

import jax.numpy as jnp
import numpy as np
import numpyro.distributions as dist
import pytest

from jaxscatter.infer import fit, sample
from jaxscatter.problem import Amplitude, Dataset, Parameter, Problem, model

GROUPS, POINTS, SIGMA = 4, 40, 0.02
T = np.linspace(0.0, 5.0, POINTS)
Q = np.linspace(0.5, 1.5, GROUPS)
TRUTH = {"tau": 1.3, "d": 0.2}
WARMUP, DRAWS = 200, 400


class Traces:
    """How often the decay's function was traced; compared by identity."""

    count = 0


TRACES = Traces()


def decay_columns(theta, coords):
    TRACES.count += 1
    rate = 1 / theta["tau"] + theta["d"] * coords["q"] ** 2
    return jnp.stack([jnp.exp(-rate * coords["t"]), jnp.ones_like(coords["t"])], 1)


def decay_curves(tau=1.3, d=0.2, seed=0, sigma=SIGMA):
    rng = np.random.default_rng(seed)
    a, b = rng.uniform(1, 3, GROUPS), rng.uniform(0.2, 0.5, GROUPS)
    rate = 1 / tau + d * Q**2
    clean = a[:, None] * np.exp(-rate[:, None] * T[None]) + b[:, None]
    return clean + sigma * rng.normal(size=clean.shape)


def decay_problem(y=None, sigma=SIGMA, amplitudes=None, parameters=None, **kwargs):
    """y = a exp(-(1/τ + d q²) t) + b in four groups."""
    y = decay_curves() if y is None else y
    given = None if sigma is None else np.full_like(y, sigma)
    table = [
        Parameter("tau", 2.0, "ps", (0.1, 10.0)),
        Parameter("d", 0.1, "1/ps", (0.0, 1.0)),
    ]
    return Problem(
        model(
            decay_columns,
            table if parameters is None else parameters,
            amplitudes or [Amplitude("a"), Amplitude("b")],
            name="decay",
        ),
        Dataset(y, given, coords={"t": T, "q": Q}, metadata=kwargs.pop("title", {})),
        **kwargs,
    )


LINE_T = np.linspace(-1.0, 1.0, 24)
LINE_SIGMA = 0.3
PRIOR_MEAN, PRIOR_SD = np.array([0.0, 0.5]), np.array([2.0, 1.0])


def line_columns(theta, coords):
    return (theta["i"] + theta["s"] * (coords["t"] - 0.4))[:, None]


def line_problem(seed=3, sigma=LINE_SIGMA, **kwargs):
    """y = i + s (t - 0.4) with Gaussian priors: everything has a closed form."""
    rng = np.random.default_rng(seed)
    y = 1.0 + 2.0 * (LINE_T - 0.4) + LINE_SIGMA * rng.normal(size=LINE_T.size)
    table = [
        Parameter("i", 0.5, prior=dist.Normal(PRIOR_MEAN[0], PRIOR_SD[0])),
        Parameter("s", 1.0, prior=dist.Normal(PRIOR_MEAN[1], PRIOR_SD[1])),
    ]
    given = None if sigma is None else np.full_like(y, sigma)
    return Problem(
        model(line_columns, table, name="line"),
        Dataset(y, given, coords={"t": LINE_T}),
        **kwargs,
    )


def line_posterior(problem):
    """Mean and covariance of the line's exact posterior, and its log evidence."""
    y = np.asarray(problem.data.y)[0]
    x = np.stack([np.ones_like(LINE_T), LINE_T - 0.4], 1)
    w = 1 / LINE_SIGMA**2
    precision = w * x.T @ x + np.diag(PRIOR_SD**-2)
    cov = np.linalg.inv(precision)
    mean = cov @ (w * x.T @ y + PRIOR_MEAN / PRIOR_SD**2)
    whole = LINE_SIGMA**2 * np.eye(y.size) + (x * PRIOR_SD**2) @ x.T
    r = y - x @ PRIOR_MEAN
    sign, logdet = np.linalg.slogdet(2 * np.pi * whole)
    assert sign > 0
    return mean, cov, -0.5 * (logdet + r @ np.linalg.solve(whole, r))


@pytest.fixture(scope="session")
def cases():
    return types.SimpleNamespace(
        decay=decay_problem,
        curves=decay_curves,
        line=line_problem,
        exact=line_posterior,
        traces=TRACES,
        truth=TRUTH,
        t=T,
        q=Q,
        sigma=SIGMA,
        line_t=LINE_T,
        warmup=WARMUP,
        draws=DRAWS,
    )


@pytest.fixture(scope="session")
def decay_fit():
    return fit(decay_problem(), warn=False)


@pytest.fixture(scope="session")
def bound_fit():
    """The best d would be negative: the fit ends on its bound."""
    return fit(decay_problem(decay_curves(d=-0.05)), warn=False)


@pytest.fixture(scope="session")
def decay_draws(decay_fit):
    return sample(
        decay_problem(), start=decay_fit, warmup=WARMUP, draws=DRAWS, warn=False
    )


@pytest.fixture(scope="session")
def line_draws():
    return sample(line_problem(), warmup=WARMUP, draws=DRAWS, warn=False)
