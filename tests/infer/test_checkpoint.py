"""Runs that go on from a file end on the bits of runs without a break."""

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.errors import FitError, FormatError, SamplingError


class Stopper:
    """A callback that stops the run at its n-th event."""

    def __init__(self, n):
        self.n = n

    def __call__(self, event):
        self.n -= 1
        return self.n > 0


def hard():
    """A fit of more than twenty trials: Rosenbrock's valley as two residuals."""
    import jax.numpy as jnp

    from jaxscatter.problem import Dataset, Parameter, Problem, model

    def columns(theta, coords):
        a, b = theta["a"], theta["b"]
        first = jnp.where(coords["i"] < 0.5, 100.0 * (b - a**2), 1 - a)
        return first[:, None]

    table = [
        Parameter("a", -1.2, bounds=(-3.0, 3.0)),
        Parameter("b", 1.0, bounds=(-3.0, 3.0)),
    ]
    data = Dataset(np.zeros((1, 2)), np.ones((1, 2)), coords={"i": np.arange(2.0)})
    return Problem(model(columns, table), data)


def test_a_fit_goes_on_to_the_same_bits(tmp_path):
    problem, path = hard(), tmp_path / "fit.h5"
    whole = js.fit(problem, warn=False)
    assert whole.statistics["nit"] > 11
    part = js.fit(problem, warn=False, checkpoint=path, progress=Stopper(1))
    assert "stopped" in part.flags and part.statistics["nit"] == 10
    rest = js.fit(problem, warn=False, checkpoint=path)
    assert rest.x.tobytes() == whole.x.tobytes()
    assert rest.cov.tobytes() == whole.cov.tobytes()
    np.testing.assert_array_equal(rest.history["cost"], whole.history["cost"])
    again = js.fit(problem, warn=False, checkpoint=path)  # nothing is left to do
    assert again.x.tobytes() == whole.x.tobytes()


@pytest.mark.slow
def test_a_posterior_goes_on_to_the_same_draws(cases, decay_fit, tmp_path):
    problem, path = cases.decay(), tmp_path / "chains.h5"
    options = {"start": decay_fit, "chains": 2, "warmup": 60, "draws": 100, "seed": 3}
    whole = js.sample(problem, warn=False, **options)
    part = js.sample(
        problem, warn=False, checkpoint=path, progress=Stopper(5), **options
    )
    assert "stopped" in part.flags
    rest = js.sample(problem, warn=False, checkpoint=path, **options)
    for name, draws in whole.draws.items():
        assert rest.draws[name].tobytes() == draws.tobytes()


def test_a_checkpoint_of_another_run_is_refused(cases, decay_fit, tmp_path):
    path = tmp_path / "fit.h5"
    js.fit(hard(), warn=False, checkpoint=path)
    with pytest.raises(FormatError, match="other data"):
        js.fit(cases.decay(), checkpoint=path)
    with pytest.raises(FormatError, match="other data"):
        js.fit(hard(), checkpoint=path, start={"a": 0.5})
    saved = decay_fit.save(tmp_path / "result.h5")
    with pytest.raises(FormatError, match="no checkpoint"):
        js.fit(cases.decay(), checkpoint=saved)
    (tmp_path / "notes.h5").write_text("mine")
    with pytest.raises(FormatError, match="no checkpoint"):
        js.fit(cases.decay(), checkpoint=tmp_path / "notes.h5")
    with pytest.raises(FileNotFoundError, match="no such folder"):
        js.fit(cases.decay(), checkpoint=tmp_path / "no" / "fit.h5")
    with pytest.raises(FitError, match="write no checkpoints"):
        js.fit(cases.decay(), "adam", checkpoint=path)
    with pytest.raises(SamplingError, match="checkpoint goes with"):
        js.sample(cases.decay(), "aies", checkpoint=path)
