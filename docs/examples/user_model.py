import jax.numpy as jnp
import numpy as np

import jaxscatter as js


def columns(theta, coords):  # of one group: (points, amplitudes)
    rate = theta["D"] * coords["q"] ** 2
    decay = jnp.exp(-((rate * coords["t"]) ** theta["beta"]))
    return jnp.stack([decay, jnp.ones_like(decay)], axis=1)


D = js.Parameter("D", 0.1, "Å²/ps", bounds=(0.01, 1.0))
beta = js.Parameter("beta", 0.9, bounds=(0.3, 1.5))
scale = js.Amplitude("scale", lower=0.0)  # "offset" may have either sign
model = js.model(columns, [D, beta], amplitudes=[scale, "offset"], name="decay")

t, q = np.linspace(0.15, 30.0, 60), np.array([0.4, 0.8, 1.2])
y = 2.0 * np.exp(-((0.2 * q[:, None] ** 2 * t) ** 0.8)) + 0.5
y = y + np.random.default_rng(0).normal(scale=0.03, size=y.shape)
data = js.Dataset(y, np.full_like(y, 0.03), coords={"t": t, "q": q})

problem = js.Problem(model, data)
best = js.fit(problem)  # amplitudes solved for
chunked = js.fit(js.streamed(problem, numbers=400.0))  # the same, 22 points at a time
post = js.sample(problem, start=best, warmup=300, draws=400)  # amplitudes integrated
print(best.summary(), post.summary(), sep="\n\n")
