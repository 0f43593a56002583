"""The compilation cache; points spread over devices and over processes."""

import json
import os
import socket
import subprocess
import sys

import jax
import pytest

from jaxscatter.errors import DeviceError
from jaxscatter.infer import enable_cache, initialize

NAMES = (
    "jax_compilation_cache_dir",
    "jax_persistent_cache_min_compile_time_secs",
    "jax_persistent_cache_min_entry_size_bytes",
)


@pytest.fixture
def restored():
    before = {name: getattr(jax.config, name) for name in NAMES}
    yield
    for name, value in before.items():
        jax.config.update(name, value)


def test_the_cache_goes_where_it_is_told(tmp_path, restored):
    folder = enable_cache(tmp_path / "programs")
    assert folder.is_dir() and jax.config.jax_compilation_cache_dir == str(folder)
    assert jax.config.jax_persistent_cache_min_compile_time_secs == 0.0


def test_the_default_is_the_users_cache_folder(tmp_path, restored, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert enable_cache() == tmp_path / "jaxscatter"


COMMON = """
import json, sys
import jax, jax.numpy as jnp, numpy as np, equinox as eqx
import jaxscatter as js
jax.config.update("jax_numpy_rank_promotion", "raise")

def problems():
    t = 0.1 * np.arange(50)
    phi = np.array([0.0, 40.0, 90.0])
    theta = {"D0": 1500.0, "alpha": -0.3, "D_offset": 40.0, "gamma_dot_t0": 0.02,
             "beta": 0.1, "gamma_dot_t_offset": 0.001, "phi0": 2.0}
    square = np.array(js.xpcs.c2(theta, t, phi, q=0.0054, h=2e6))
    noise = np.random.default_rng(0).normal(0, 0.01, square.shape)
    square += np.triu(noise, 1) + np.swapaxes(np.triu(noise, 1), 1, 2)
    data = js.xpcs.from_matrices(square, phi, q=0.0054, t=t, sigma=0.01)
    yield js.xpcs.problem(data, values=theta)          # by tiles
    yield js.xpcs.problem(data, values=theta, convention="homodyne_v2")  # by columns
    yield js.xpcs.problem(data, values=theta, scaling="averaged")

@eqx.filter_jit
def triple(p, x):
    n = p.normal(x)
    value, slope = jax.value_and_grad(lambda x: p.loglike(x, "gaussian"))(x)
    return n.hessian, n.gradient, n.cost, p.cost(x), value, slope

def apart(one, two):
    root = np.sqrt(np.diag(np.asarray(two[0])))
    h = np.max(np.abs(np.asarray(one[0]) - np.asarray(two[0])) / np.outer(root, root))
    size = np.sqrt(2 * float(two[2]))
    g = np.max(np.abs(np.asarray(one[1]) - np.asarray(two[1])) / root) / size
    slope = np.max(np.abs(np.asarray(one[5]) - np.asarray(two[5])) / root) / size
    values = [abs(float(one[i]) / float(two[i]) - 1) for i in (2, 3, 4)]
    return float(max(h, g, slope, *values))
"""

FOUR = (
    COMMON
    + """
assert jax.device_count() == 4
worst = []
for p in problems():
    x = p.start() * 1.02
    dense = triple(p, x)
    spread = js.shard(p)
    assert len(spread.data.y.sharding.device_set) == 4
    worst.append(apart(triple(spread, x), dense))
    worst.append(apart(triple(p.with_(chunk=500), x), dense))
    # chains in a vmap, as NUTS runs them
    chains = jnp.stack([x, x * 1.01])
    grad = eqx.filter_jit(lambda p, c: jax.vmap(jax.grad(p.loglike))(c))
    a, b = grad(spread, chains), grad(p, chains)
    worst.append(float(jnp.max(jnp.abs(a - b) / jnp.max(jnp.abs(b)))))
fits = [js.fit(q, warn=False) for q in (p, js.shard(p))]
errors = np.sqrt(np.diag(fits[0].cov))
worst.append(float(np.max(np.abs(fits[0].x - fits[1].x) / errors)))
post = js.sample(js.shard(p), start=fits[1], chains=2, warmup=20, draws=20, seed=0,
                 warn=False)
print(json.dumps({"worst": worst, "draws": list(np.shape(post["D0"]))}))
"""
)

TWO = (
    COMMON
    + """
port, index = sys.argv[1], int(sys.argv[2])
js.initialize(f"localhost:{port}", 2, index)
assert jax.process_count() == 2 and jax.device_count() == 2
worst = []
for p in problems():
    x = p.start() * 1.02
    worst.append(apart(triple(js.shard(p), x), triple(p, x)))
fit = js.fit(js.shard(p), warn=False)
known = js.fit(p, warn=False)
worst.append(float(np.max(np.abs(fit.x - known.x) / np.sqrt(np.diag(known.cov)))))
print(json.dumps({"worst": worst, "success": bool(fit.success)}))
"""
)


def started(script, devices, *arguments):
    flags = f"--xla_force_host_platform_device_count={devices}"
    flags += " --xla_backend_optimization_level=0"
    environment = {**os.environ, "XLA_FLAGS": flags, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        [sys.executable, "-c", script, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    out, error = process.communicate(timeout=300)
    assert process.returncode == 0, error[-3000:]
    return json.loads(out.splitlines()[-1])


@pytest.mark.slow
def test_four_devices_give_the_sums_of_one():
    got = ended(started(FOUR, 4))
    assert got["draws"] == [2, 20]
    assert max(got["worst"]) < 1e-9, got


@pytest.mark.slow
def test_two_processes_give_the_sums_of_one():
    with socket.socket() as probe:
        probe.bind(("localhost", 0))
        port = str(probe.getsockname()[1])
    processes = [started(TWO, 1, port, str(i)) for i in range(2)]
    try:
        results = [ended(p) for p in processes]
    finally:
        for p in processes:
            p.kill()
    for got in results:
        assert got["success"] and max(got["worst"]) < 1e-9, got


def test_what_cannot_be_shared_is_named():
    with pytest.raises(DeviceError, match="index is 2"):
        initialize("localhost:1", 2, 2)
