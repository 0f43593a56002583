import jax.numpy as jnp
import numpy as np
import pytest

from jaxscatter.sas import intensity, load_model
from jaxscatter.sas.catalogue import MODELS
from jaxscatter.sas.declaration import AbstractSpherical, size, sld
from jaxscatter.sas.spheres import CoreMultiShell, Sphere, ball


def test_vector_parameters_are_written_out_and_stacked():
    model = CoreMultiShell(n=2)
    names = [r.name for r in model.quantities]
    assert names[-4:] == ["sld1", "sld2", "thickness1", "thickness2"]
    values = {n: float(i) for i, n in enumerate(names)}
    p = model.namespace(values)
    np.testing.assert_array_equal(p.sld, [values["sld1"], values["sld2"]])
    assert p.n == 2
    assert CoreMultiShell(n=0).namespace(values).thickness.shape == (0,)


def test_control_parameters_are_rounded_and_checked():
    assert CoreMultiShell(n=2.0) == CoreMultiShell(n=2)
    assert repr(CoreMultiShell(n=3)) == "CoreMultiShell(n=3)"
    assert CoreMultiShell(n=1) != CoreMultiShell(n=2)
    with pytest.raises(ValueError, match="n of core_multi_shell is 11"):
        CoreMultiShell(n=11)
    with pytest.raises(ValueError, match="no control parameter 'm'; it has"):
        CoreMultiShell(m=1)
    with pytest.raises(ValueError, match="sphere has no control parameter"):
        Sphere(n=1)


def test_a_new_model_is_a_table_and_a_formula():
    class Shell(AbstractSpherical):
        """An empty shell: the difference of two spheres."""

        name = "shell"
        category = "sphere"
        table = (sld("sld", 3.0), size("radius", 20.0), size("thickness", 4.0))
        modes = ("outer radius",)

        def amplitude(self, q, p):
            outer = ball(q, p.radius + p.thickness)
            return p.sld * (outer - ball(q, p.radius))

        def volume(self, p):
            return 4 * jnp.pi / 3 * ((p.radius + p.thickness) ** 3 - p.radius**3)

        def radii(self, p):
            return (p.radius + p.thickness,)

    q = np.array([0.01, 0.1])
    same = intensity(
        "core_shell_sphere",
        q,
        radius=20.0,
        thickness=4.0,
        sld_core=0.0,
        sld_shell=3.0,
        sld_solvent=0.0,
        background=0.0,
    )
    got = intensity(Shell(), q, background=0.0)
    np.testing.assert_allclose(got * (24.0**3 - 20.0**3), same * 24.0**3, rtol=1e-12)
    product = intensity(Shell() @ MODELS["hardsphere"](), q, volfraction=0.1)
    assert np.all(product > 0)
    assert load_model(Shell()) == Shell()
