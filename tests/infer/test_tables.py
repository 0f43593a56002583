"""Tables of results, against the inverse of the Hessian over everything at once."""

import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.infer import fit
from jaxscatter.infer.tables import data_record, distinct_amplitudes
from jaxscatter.problem import Amplitude, joint


@pytest.mark.slow
def test_amplitudes_of_all_parts_have_their_joint_covariance(cases):
    """With explicit amplitudes the same numbers are ordinary parameters."""
    arrow = [Amplitude("a", shared=True), Amplitude("b")]
    both = joint(
        cases.decay(amplitudes=arrow), cases.decay(cases.curves(seed=1)), shared=True
    )
    best = fit(both, warn=False)
    labels = [name for name, _ in distinct_amplitudes(both)]
    assert labels[:3] == ["a[0]", "b[0][0]", "b[0][1]"]
    assert labels[5:7] == ["a[1][0]", "b[1][0]"] and len(labels) == 5 + 8
    assert [str(n) for n in best.linear["label"]] == labels

    t, q, n = cases.t, cases.q, len(cases.t)
    tau, d = best["tau"], best["d"]
    decay = np.exp(-(1 / tau + d * q[:, None] ** 2) * t)
    by_group = [decay * t / tau**2, -decay * t * q[:, None] ** 2]
    rows = []
    for part, at in enumerate((0, 5)):
        values = best.linear["value"][at:]
        for g in range(4):
            a = values[0] if part == 0 else values[2 * g]
            block = np.zeros((n, 15))
            block[:, 0], block[:, 1] = (a * s[g] for s in by_group)
            columns = (2, 3 + g) if part == 0 else (7 + 2 * g, 8 + 2 * g)
            block[:, columns[0]], block[:, columns[1]] = decay[g], 1.0
            rows.append(block / cases.sigma)
    j = np.concatenate(rows)
    cov = np.linalg.inv(j.T @ j)
    np.testing.assert_allclose(best.cov, cov[:2, :2], rtol=1e-8)
    np.testing.assert_allclose(best.linear_cov, cov[2:, 2:], rtol=1e-6, atol=1e-14)
    errors = np.sqrt(np.diagonal(cov)[2:])
    np.testing.assert_allclose(best.linear["stderr"], errors, rtol=1e-8)


def test_a_record_has_a_name_where_there_are_several(cases):
    problem = cases.decay()
    curve = problem.predict(jnp.array([1.3, 0.2]))
    assert "name" not in data_record(problem, curve)
    record = data_record(problem, curve, "sans")
    assert record["name"] == "sans" and record["dims"]["t"] == ("point",)
    np.testing.assert_array_equal(record["fit"], curve)
