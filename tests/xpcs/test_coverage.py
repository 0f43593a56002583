"""Coverage of fitted intervals for Andrade creep, alpha = beta = -2/3."""

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import xpcs

TRUTH = {
    "D0": 3000.0,
    "alpha": -2 / 3,
    "D_offset": 20.0,
    "gamma_dot_t0": 0.01,
    "beta": -2 / 3,
    "gamma_dot_t_offset": 2e-4,
    "phi0": 3.0,
}
SEEDS = 20


@pytest.mark.slow
def test_95_percent_intervals_hold_the_truth():
    inside, pulls = [], []
    for seed in range(SEEDS):
        data = xpcs.simulate(
            "laminar_flow",
            TRUTH,
            q=0.0054,
            h=2e6,
            dt=0.1,
            n_frames=150,
            phi=np.array([-20.0, 10.0, 45.0, 90.0]),
            contrast=0.3,
            offset=1.0,
            noise=0.003,
            seed=seed,
        )
        fit = js.fit(xpcs.problem(data), warn=False)
        assert fit.success, (seed, fit.message)
        for name, value in TRUTH.items():
            pull = (fit[name] - value) / fit.error(name)
            pulls.append(pull)
            inside.append(abs(pull) < 1.96)
        for label, value in fit.amplitude_values.items():
            row = list(fit.linear["label"]).index(label)
            expected = 0.3 if label.startswith("contrast") else 1.0
            pull = (value - expected) / fit.linear["stderr"][row]
            pulls.append(pull)
            inside.append(abs(pull) < 1.96)
    share = np.mean(inside)
    assert 0.90 <= share <= 0.99, (share, np.std(pulls))
