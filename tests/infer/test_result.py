"""What results offer: derived values, dictionaries, files, ArviZ, binding."""

import json

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.errors import ModelError
from jaxscatter.infer import fit, load_result, multistart


def test_derived_values_have_propagated_errors(decay_fit):
    value, error = decay_fit.derive("rate", lambda th: 1 / th["tau"], "1/ps")
    tau, stderr = decay_fit["tau"], decay_fit.error("tau")
    assert value == pytest.approx(1 / tau)
    assert error == pytest.approx(stderr / tau**2)
    assert decay_fit.derived["rate"] == (value, error, "1/ps")
    assert "rate = " in decay_fit.summary()
    both = decay_fit.derive("sum", lambda th: th["tau"] + th["d"])[1]
    assert both == pytest.approx(np.sqrt(decay_fit.cov.sum()))


def test_derived_draws_join_the_table_without_spoiling_it(decay_draws):
    before = {k: v.dtype.kind for k, v in decay_draws.diagnostics.items()}
    rate = decay_draws.derive("rate", lambda th: 1 / th["tau"], "1/ps")
    np.testing.assert_allclose(rate, 1 / decay_draws["tau"])
    size = len(decay_draws.diagnostics["name"])
    decay_draws.derive("rate", lambda th: jnp.log(th["tau"]), "1/ps")
    after = decay_draws.diagnostics
    assert {k: v.dtype.kind for k, v in after.items()} == before
    assert len(after["name"]) == size and after["name"][-1] == "rate"
    assert after["mean"][-1] == pytest.approx(np.log(decay_draws["tau"]).mean())
    decay_draws.derive("ratio", lambda th: th["a[0]"] / th["a[1]"])
    with pytest.raises(ModelError, match="'tau'"):
        decay_draws.derive("tau", lambda th: th["d"])
    with pytest.raises(ModelError, match="one number"):
        decay_draws.derive("pair", lambda th: jnp.stack([th["d"], th["tau"]]))


def test_a_result_is_json(decay_fit, bound_fit):
    for result in (decay_fit, bound_fit):
        record = json.loads(json.dumps(result.to_dict()))
        assert record["labels"] == ["tau", "d"]
        assert record["parameters"]["value"][0] == result["tau"]


def test_intervals_and_look_ups(decay_fit, decay_draws):
    lo, hi = decay_draws.interval("tau", 0.5)
    np.testing.assert_allclose([lo, hi], np.quantile(decay_draws["tau"], [0.25, 0.75]))
    assert decay_draws["a[0]"].shape == decay_draws["tau"].shape
    for result in (decay_fit, decay_draws):
        with pytest.raises(KeyError, match="'rho'"):
            result["rho"]
    (pair,) = decay_fit.correlations(0.0)
    c = decay_fit.cov
    assert pair[2] == pytest.approx(c[0, 1] / np.sqrt(c[0, 0] * c[1, 1]))
    assert decay_fit.correlations(0.9999) == []


@pytest.mark.filterwarnings("ignore::FutureWarning")
def test_draws_become_arviz_data(decay_draws):
    az = pytest.importorskip("arviz")
    data = decay_draws.to_arviz()
    np.testing.assert_array_equal(data.posterior["tau"].values, decay_draws["tau"])
    assert "acceptance_rate" in data.sample_stats and "a[0]" in data.posterior
    peer = float(az.rhat(data)["tau"])
    row = list(decay_draws.diagnostics["name"]).index("tau")
    assert decay_draws.diagnostics["rhat"][row] == pytest.approx(peer, abs=1e-6)


def test_results_survive_a_file_bit_for_bit(cases, tmp_path, decay_fit, decay_draws):
    many = multistart(cases.decay(), n=8, warn=False)
    for i, result in enumerate([decay_fit, many, decay_draws]):
        path = tmp_path / f"{i}.h5"
        result.save(path)
        back = load_result(path)
        assert back.summary() == result.summary()
        assert back.warnings == result.warnings and back.flags == result.flags
        if result.kind == "fit":
            np.testing.assert_array_equal(back.cov, result.cov)
            np.testing.assert_array_equal(back.x, result.x)
            assert back.to_dict() == result.to_dict()
        else:
            for name, draws in result.draws.items():
                np.testing.assert_array_equal(back[name], draws)


def test_a_loaded_result_needs_its_problem(cases, tmp_path, decay_fit):
    path = tmp_path / "fit.h5"
    decay_fit.save(path)
    back = load_result(path)
    with pytest.raises(ModelError, match="bind"):
        back.predict()
    with pytest.raises(ModelError, match="tau"):
        back.bind(cases.line())
    curve = back.bind(cases.decay()).predict()
    np.testing.assert_allclose(curve, decay_fit.data[0]["fit"], rtol=1e-12)
    assert fit(cases.decay(), start=back, warn=False).success
