"""Whole fits against those of other programs: measured water, simulated samples.

The peers' kernels are clipped at 0 and moved to unit sum; ours are used as measured.
"""

import pathlib

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter import examples, qens
from jaxscatter.constants import HBAR

FILES = pathlib.Path(__file__).parents[1] / "data" / "qens"
NMR = 0.2025  # Å²/ps, self-diffusion of water at 293 K by pulsed-gradient NMR


def water(**options):
    """IN5, 5 Å, as the peer's fit: 14 Q from 0.6 to 1.9, ±1 meV, axes as they are."""
    file = examples.qens_water()
    return qens.load(
        file.sample,
        file.resolution,
        energy_window=1.0,
        q_min=0.55,
        q_max=1.95,
        align="none",
        **options,
    )


def teixeira(data):
    return qens.problem(
        data,
        "jump * isotropic",
        amplitude="per_q",
        center="per_q",
        radius=0.98,
        lmax=5,
    )


@pytest.mark.slow
def test_water_agrees_with_the_peers_fit_and_describes_it_better(reference):
    """The peer's shifts at the two largest Q end on their bound of 0.03 meV."""
    peer = reference("qens/water_fit.json")["fit"]
    fit = js.fit(teixeira(water()), warn=False)
    assert fit.success
    np.testing.assert_allclose(fit["D_translation"], peer["D"][0], rtol=0.03)
    np.testing.assert_allclose(fit["tau"], peer["tau"][0], rtol=0.15)
    np.testing.assert_allclose(fit["D_r"], peer["DR"][0], rtol=0.15)
    assert fit.statistics["n_valid"] == peer["ndata"]
    assert fit.statistics["chi2"] < 1.03 * peer["chisq"]
    centers = [fit[f"center[{k}]"] for k in range(12)]
    np.testing.assert_allclose(centers, peer["center"][:12], atol=2e-4)
    # what the data do not follow is said first
    assert "does not describe the data" in fit.summary().splitlines()[1]
    assert abs(fit["D_translation"] / NMR - 1) < 0.05


SIMULATED = {
    "BrownianDiff": ("fickian", {"D_translation": ("D", HBAR)}),
    "JumpDiff": (
        "jump",
        {"D_translation": ("D", HBAR), "tau": ("resTime", 1 / HBAR)},
    ),
    "IsoRot": (
        "isotropic_radius",
        {"D_r": ("DR", HBAR), "radius_rotor": ("radius", 1.0)},
    ),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", list(SIMULATED))
def test_simulated_samples_agree_with_the_peers_fits(reference, name):
    """The peer takes the axis of energies as it is: its D is ours times ħ."""
    stored = {
        f["dataset"]: f for f in reference("qens/simulated_hdf_fits.json")["fits"]
    }
    peer = stored[name]
    model, table = SIMULATED[name]
    data = qens.load(
        FILES / f"{name}_Sample.hdf",
        FILES / f"{name}_Resol.hdf",
        energy_window=9.0,
        q_min=0.0,
        q_max=9.0,
        align="none",
    )
    problem = qens.problem(data, model, amplitude="per_q", background="none")
    fit = js.fit(problem, warn=False)
    assert fit.success
    for ours, (theirs, factor) in table.items():
        value, error = peer["params"][theirs]
        assert abs(factor * fit[ours] - value) < max(error, 0.01 * value), ours
    assert fit.statistics["n_valid"] == peer["ndata"]
    assert fit.statistics["chi2"] < 1.002 * peer["chisq"]


@pytest.mark.slow
def test_two_wavelengths_share_what_moves_and_keep_their_own_intensities():
    """Measured 5 Å and a simulated 8 Å set with a resolution of 9 µeV.

    The second is drawn from the first one's best fit, so the joint fit has to stay
    there, with smaller errors.
    """
    first = teixeira(water())
    alone = js.fit(first, warn=False)
    names = ["D_translation", "tau", "D_r"]
    truth = {n: alone[n] for n in names}
    second = qens.problem(
        qens.simulate(
            "jump * isotropic",
            truth,
            q=np.arange(0.4, 1.15, 0.1),
            omega=np.linspace(-0.3, 0.3, 101),
            sigma_res=0.009,
            amplitude=5.0,
            background=0.1,
            noise=0.01,
            radius=0.98,
            lmax=5,
        ),
        "jump * isotropic",
        amplitude="per_q",
        radius=0.98,
        lmax=5,
    )
    joint = js.joint(first, second, shared=names, names=("5 Å", "8 Å"))
    both = js.fit(joint, start=truth, warn=False)
    assert both.success
    for n in names:
        assert both.error(n) < alone.error(n)
        assert abs(both[n] - truth[n]) < 4 * alone.error(n)
    assert len([n for n in both.amplitude_values if "amplitude" in n]) == 14 + 8
