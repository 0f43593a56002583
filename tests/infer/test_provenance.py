"""Seeds and the record of a run."""

import json

import jax
import jax.numpy as jnp
import numpy as np

import jaxscatter
from jaxscatter.infer.provenance import PURPOSES, key, provenance


def test_keys_differ_by_seed_and_purpose_and_repeat():
    data = [
        tuple(np.asarray(jax.random.key_data(key(seed, purpose))))
        for seed in (0, 1)
        for purpose in PURPOSES
    ]
    assert len(set(data)) == 2 * len(PURPOSES)
    again = np.asarray(jax.random.key_data(key(1, "laplace")))
    np.testing.assert_array_equal(again, data[-1])


def test_the_record_names_versions_device_and_arguments():
    record = provenance(3, {"x": jnp.arange(2.0), "n": np.int64(4), "f": len}, "decay")
    assert record["jaxscatter"] == jaxscatter.__version__
    assert record["jax"] == jax.__version__ and record["platform"] == "cpu"
    assert record["precision"] == "float64" and record["seed"] == 3
    arguments = json.loads(record["arguments"])
    assert arguments["x"] == [0.0, 1.0] and arguments["n"] == 4
    assert json.loads(json.dumps(record)) == record
    assert provenance()["seed"] == -1
