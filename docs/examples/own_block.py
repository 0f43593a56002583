import jax.numpy as jnp
import numpy as np

import jaxscatter as js
from jaxscatter.problem import AbstractModel, Arrangement, BlockSums


class Relaxation(AbstractModel):
    """exp(-D q² t) and a baseline; groups differ in q."""

    parameters: js.ParameterSet
    amplitudes: tuple[js.Amplitude, ...] = (js.Amplitude("scale"), js.Amplitude("base"))

    def prepare(self, theta):
        return {"D": theta["D"]}

    def columns(self, prepared, theta, coords):
        m = jnp.exp(-prepared["D"] * coords["q"] ** 2 * coords["t"])
        return jnp.stack([m, jnp.ones_like(m)], axis=1)

    @property
    def block_parameters(self):
        return ("D",)

    def arrangement(self, data):
        n = data.n_points
        filled = np.append(np.arange(n), np.full(-n % 256, -1))
        t = np.asarray(data.coords["t"])[np.maximum(filled, 0)]
        return Arrangement(filled, {"t": t}, block=256)

    def normal_block(self, prepared, d_prepared, theta, coords, w, y, a, likelihood):
        x = coords["q"] ** 2 * coords["t"]
        m = jnp.exp(-prepared["D"] * x)
        r = y - a[0] * m - a[1]
        z2 = w * r**2
        chi2 = jnp.sum(likelihood.loss_of(z2))
        w = w * likelihood.loss_weight(z2)
        columns = jnp.stack([m, jnp.ones_like(m)], axis=1)
        weighted = w[:, None] * columns
        gram, h = columns.T @ weighted, weighted.T @ r
        if d_prepared is None:
            return BlockSums(gram, h, chi2)
        slope = -x * m * d_prepared["D"][0]  # of the first column; the other has none
        side = jnp.zeros((1, 2, 2)).at[0, 0].set(slope @ weighted)
        d_h = jnp.zeros((1, 2)).at[0, 0].set(slope @ (w * r))
        quad = jnp.zeros((1, 2, 1, 2)).at[0, 0, 0, 0].set(slope @ (w * slope))
        return BlockSums(gram, h, chi2, side, d_h, quad)


t, q = np.linspace(0.0, 30.0, 2000), np.array([0.4, 0.8, 1.2])
y = 2.0 * np.exp(-0.2 * q[:, None] ** 2 * t) + 0.5
y = y + np.random.default_rng(0).normal(scale=0.03, size=y.shape)
data = js.Dataset(y, np.full_like(y, 0.03), coords={"t": t, "q": q})
D = js.Parameter("D", 0.1, "Å²/ps", bounds=(0.01, 1.0))

model = Relaxation(js.ParameterSet([D]))
plain = js.model(
    lambda theta, coords: model.columns(theta, theta, coords), [D], model.amplitudes
)
one, two = js.Problem(model, data), js.Problem(plain, data)
x = one.start()
for part in ("hessian", "gradient", "cost"):
    mine, default = getattr(one.normal(x), part), getattr(two.normal(x), part)
    np.testing.assert_allclose(mine, default, rtol=1e-10)
best = js.fit(one)
print(best.summary())
