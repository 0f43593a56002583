"""A model with every kind of parameter, and problems made of it."""

import dataclasses

import jax.numpy as jnp
import numpy as np

from jaxscatter.problem import Amplitude, Dataset, Gaussian, Parameter, Problem, model

GROUPS, POINTS = 3, 11


def prepare(theta):
    return {"rate": theta["r"] * jnp.array([1.0, 2.0]), "names": 2}


def columns(prepared, theta, coords):
    t, q = coords["t"], coords["q"]
    decay = jnp.exp(-prepared["rate"][1] * t * q) + 0.1 * theta["c2"] * t
    width = (1 + theta["f"]) / (1 + (t * theta["w"]) ** 2) + 0.05 * theta["rw"] * t
    return jnp.stack([decay, width], axis=1)


def parameters():
    return [
        Parameter("r", 0.7, bounds=(0.01, 5.0)),
        Parameter("c", 0.4, bounds=(-2.0, 2.0)),
        Parameter("c2", 0.0, tie="c"),
        Parameter("w", 1.3, bounds=(0.1, 9.0), local=True),
        Parameter("f", [0.1, 0.2, 0.3], fixed=True, local=True),
        Parameter("rw", 0.0, tie=lambda r, w: r * w, local=True),
    ]


def data(seed=0, **kwargs):
    rng = np.random.default_rng(seed)
    t = np.linspace(0.1, 3.0, POINTS)
    y = np.exp(-t)[None] + 0.3 + 0.1 * rng.normal(size=(GROUPS, POINTS))
    sigma = 0.1 * (1 + rng.uniform(size=(GROUPS, POINTS)))
    mask = rng.uniform(size=(GROUPS, POINTS)) > 0.1
    coords = {"t": t, "q": np.array([0.5, 1.0, 1.5])}
    return Dataset(y, sigma, mask, coords, **kwargs)


FREE = (Amplitude("a"), Amplitude("b"))
POSITIVE = (Amplitude("a", lower=0.0), Amplitude("b", lower=0.0))
ARROW = (Amplitude("a", lower=0.0, shared=True), Amplitude("b", lower=0.0))
LAST = (Amplitude("a", lower=0.0), Amplitude("b", shared=True))
PRIOR = (Amplitude("a", prior=(0.5, 0.4)), Amplitude("b", prior=(0.2, 0.3)))
PRIOR_ARROW = (
    Amplitude("a", prior=(0.5, 0.4)),
    Amplitude("b", prior=(0.2, 0.3), shared=True),
)


def detector(mu, sigma, theta):
    """Gain and readout noise, growing with a parameter of the model."""
    return sigma**2 * (1 + jnp.exp(mu) * (0.5 + theta["r"] ** 2))


X = np.array([0.7, 0.4, 1.3, 0.9, 1.7])


def problem(amplitudes=FREE, noise="known", y=None, **kwargs):
    given = data()
    if y is not None:
        given = Dataset(y, given.sigma, given.mask > 0, given.coords)
    variance = detector if noise == "model" else None
    return Problem(
        model(columns, parameters(), amplitudes, prepare, name="test model"),
        given,
        likelihood=Gaussian(noise, variance),
        **kwargs,
    )


def design(x, data):
    """Unweighted columns (g, n, 2) by a loop over groups, nothing of the engine."""
    t = jnp.asarray(data.coords["t"])
    out = []
    for g, q in enumerate([0.5, 1.0, 1.5]):
        r, c, w, f = x[0], x[1], x[2 + g], [0.1, 0.2, 0.3][g]
        decay = jnp.exp(-2 * r * t * q) + 0.1 * c * t
        width = (1 + f) / (1 + (t * w) ** 2) + 0.05 * r * w * t
        out.append(jnp.stack([decay, width], axis=1))
    return jnp.stack(out)


def flat(amplitudes, columns):
    """Design of all points (g n, m), shared columns once; and which column is whose."""
    groups, n, _ = columns.shape
    which, out = [], []
    for j, a in enumerate(amplitudes):
        if a.shared:
            which.append(j)
            out.append(columns[:, :, j].reshape(-1))
            continue
        for g in range(groups):
            which.append(j)
            block = jnp.zeros((groups, n)).at[g].set(columns[g, :, j])
            out.append(block.reshape(-1))
    return np.array(which), jnp.stack(out, axis=1)


@dataclasses.dataclass
class Case:
    mode: str
    amplitudes: tuple
    noise: str = "known"
    more: tuple = ()
    low: bool = False

    def problem(self, **kwargs):
        y = None
        if self.low:  # data that push some amplitudes to zero, and one group below
            y = data().y * np.array([[1.0], [-1.0], [0.2]]) - 0.3
        explicit = self.mode == "explicit"
        return problem(self.amplitudes, self.noise, y, explicit=explicit, **kwargs)

    def x(self):
        return jnp.concatenate([jnp.asarray(X), jnp.asarray(self.more, float)])


EXPLICIT = (0.5, 0.6, 0.7, 0.1, 0.2, 0.3)
CASES = {
    "profile": Case("profile", FREE),
    "profile at zero": Case("profile", POSITIVE, low=True),
    "profile arrow": Case("profile", ARROW),
    "profile arrow at zero": Case("profile", ARROW, low=True),
    "profile scale": Case("profile", POSITIVE, "scale", (1.7,)),
    "profile jitter": Case("profile", ARROW, "jitter", (0.13,)),
    "profile scale_marginal": Case("profile", FREE, "scale_marginal"),
    "flat": Case("flat", FREE),
    "flat arrow": Case("flat", LAST),
    "flat scale": Case("flat", FREE, "scale", (1.7,)),
    "flat scale_marginal": Case("flat", ARROW, "scale_marginal"),
    "gaussian": Case("gaussian", PRIOR),
    "gaussian arrow scale": Case("gaussian", PRIOR_ARROW, "scale", (0.8,)),
    "nonnegative": Case("nonnegative", POSITIVE),
    "nonnegative far": Case("nonnegative", POSITIVE, low=True),
    "nonnegative arrow": Case("nonnegative", ARROW),
    "nonnegative arrow far": Case("nonnegative", ARROW, low=True),
    "nonnegative last scale": Case("nonnegative", LAST, "scale", (1.7,)),
    "explicit": Case("explicit", FREE, more=EXPLICIT),
    "explicit jitter": Case("explicit", ARROW, "jitter", (0.13, 0.5, 0.1, 0.2, 0.3)),
    "explicit model": Case("explicit", FREE, "model", EXPLICIT),
}
