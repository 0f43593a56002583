"""Figures of the QENS pages, written to _static by hand.

Run `python docs/_qens_motions.py` after a change of these models: nine PNG files
`_static/qens_motion_*.png`, six of localised motions and three of the theory page.
"""

import pathlib

import matplotlib

matplotlib.use("Agg")

import matplotlib.pyplot as plt
import numpy as np

import jaxscatter as js
from jaxscatter.constants import HBAR
from jaxscatter.plot import style

HERE = pathlib.Path(__file__).resolve().parent / "_static"
Q = np.linspace(0.0, 3.0, 121)
OMEGA = np.linspace(-1.5, 1.5, 301)
RESOLUTION = 0.04  # meV, standard deviation


def measured(motion) -> np.ndarray:
    """Spectrum under a Gaussian resolution."""
    weights, widths = motion
    return np.asarray(
        js.qens.resolution(OMEGA, RESOLUTION).lorentzians(weights, widths)
    )


def pair(left: str, right: str, y_right: str = "S(Q, ω) in 1/meV"):
    """Two panels: weights over Q, spectra over ω."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.9), layout="constrained")
    axes[0].set(xlabel="Q in 1/Å", ylabel=left)
    axes[1].set(xlabel=right, ylabel=y_right)
    return figure, axes


def save(figure, name: str) -> None:
    """Write one figure and close it."""
    figure.savefig(HERE / f"qens_motion_{name}.png", dpi=100)
    plt.close(figure)


def sites() -> None:
    """Elastic weights by number of sites; one rate and a distribution of rates."""
    figure, axes = pair("elastic weight, R = 1.03 Å", "ω in meV")
    for n in (2, 3, 6):
        axes[0].plot(Q, js.qens.n_sites(Q, 1.03, 2.0, n)[0][0], label=f"N = {n}")
    axes[0].plot(Q, js.qens.eisf_isotropic(Q, 1.03), "k:", label="sphere, j₀²")
    for sigma in (0.0, 1.0, 2.0):
        motion = js.qens.log_normal_sites(1.8, 1.03, 2.0, sigma, 3)
        axes[1].semilogy(OMEGA, measured(motion), label=f"σ = {sigma:g}")
    axes[1].set_title("N = 3, τ = 2 ps, Q = 1.8 1/Å", fontsize="medium")
    for axis in axes:
        axis.legend()
    save(figure, "sites")


def well() -> None:
    """Elastic weights and spectra by dimension."""
    figure, axes = pair("elastic weight, ⟨u_x²⟩ = 0.6 Å²", "ω in meV")
    for ndim in (3, 2, 1):
        axes[0].plot(Q, js.qens.eisf_well(Q, 0.6, ndim), label=f"{ndim}-d")
        motion = js.qens.gaussian_well(1.8, 0.2, 0.6, 30, ndim)
        axes[1].semilogy(OMEGA, measured(motion), label=f"{ndim}-d")
    axes[1].set_title("D = 0.2 Å²/ps, Q = 1.8 1/Å", fontsize="medium")
    for axis in axes:
        axis.legend()
    save(figure, "well")


def sphere() -> None:
    """Weights of the first components, and what 98 roots miss."""
    figure, axes = pair("weight", "QR", "1 - Σ weights")
    weights = np.asarray(js.qens.impermeable_sphere(Q, 0.3, 2.0)[0])
    for k, label in enumerate(("elastic", "l = 1", "l = 2", "l = 0", "l = 3")):
        axes[0].plot(Q, weights[k], label=label)
    axes[0].set_title("R = 2 Å", fontsize="medium")
    qr = np.linspace(0.2, 24.0, 120)
    for roots in (98, 200, 400):
        weights = js.qens.impermeable_sphere(qr, 0.3, 1.0, roots)[0]
        axes[1].semilogy(qr, 1 - np.sum(weights, axis=0), label=f"{roots} roots")
    for axis in axes:
        axis.legend()
    save(figure, "sphere")


def stretched() -> None:
    """Line shapes by exponent, and the weights behind three of them."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.9), layout="constrained")
    x = np.geomspace(1e-3, 1e3, 200)
    for beta in (1.0, 0.8, 0.5, 0.3):
        axes[0].loglog(
            x, HBAR * js.qens.stretched_exp_ft(x * HBAR, 1.0, beta), label=f"β = {beta}"
        )
    for beta in (0.8, 0.5, 0.3):
        weights, widths = map(np.asarray, js.qens.stretched_exponential(1.0, beta, 64))
        axes[1].semilogx(
            widths[:-1] / HBAR, weights[:-1], ".-", label=f"β = {beta}", lw=0.6
        )
    axes[1].set_xlim(1e-4, 1e4)
    axes[0].set(xlabel="ωτ/ħ", ylabel="ħS(ω)/τ")
    axes[1].set(xlabel="Γτ/ħ", ylabel="weight of a Lorentzian")
    for axis in axes:
        axis.legend()
    save(figure, "stretched")


def phonons() -> None:
    """An oscillator by damping, and with detailed balance by temperature."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.9), layout="constrained")
    omega = np.linspace(-8.0, 8.0, 401)
    for gamma in (0.4, 1.5, 6.0):
        axes[0].plot(omega, js.qens.dho(omega, 4.0, gamma), label=f"γ = {gamma} meV")
    for t in (300.0, 40.0, 10.0):
        factor = js.qens.detailed_balance(omega, t)
        axes[1].plot(omega, factor * js.qens.dho(omega, 4.0, 0.8), label=f"{t:g} K")
    axes[0].set(xlabel="ω in meV", ylabel="S(ω) in 1/meV")
    axes[1].set(xlabel="ω in meV, > 0 is energy loss", ylabel="F S(ω) in 1/meV")
    axes[0].set_title("ω₀ = 4 meV", fontsize="medium")
    axes[1].set_title("γ = 0.8 meV, with detailed balance", fontsize="medium")
    for axis in axes:
        axis.legend()
    save(figure, "phonons")


def eisf() -> None:
    """Elastic structure factors side by side, and with scatterers at rest."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.9), layout="constrained")
    curves = {
        "isotropic": js.qens.eisf_isotropic(Q, 1.5),
        "3 sites": js.qens.eisf_n_sites(Q, 1.5, 3),
        "sphere": js.qens.eisf_sphere(Q, 1.5),
        "alkyl, 0.3 … 1.5 Å": js.qens.eisf_alkyl_spheres(Q, 0.3, 1.5, 8),
        "well": js.qens.eisf_well(Q, 1.5**2 / 5),
    }
    for label, curve in curves.items():
        axes[0].plot(Q, curve, label=label)
    for p in (0.0, 0.2, 0.5):
        axes[1].plot(Q, js.qens.immobile(p, curves["sphere"]), label=f"p = {p}")
    axes[1].set_title("sphere", fontsize="medium")
    axes[1].set_ylim(0, 1.02)
    for axis in axes:
        axis.set(xlabel="Q in 1/Å", ylabel="EISF")
        axis.legend(fontsize="small")
    save(figure, "eisf")


def translation() -> None:
    """Half widths of one D with their limits; a narrow line with its resolution."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.9), layout="constrained")
    d, tau, x = 0.3, 4.0, Q**2
    length, rms = np.sqrt(6 * d * tau), np.sqrt(2 * d * tau)
    axes[0].plot(x, js.qens.fickian_hwhm(Q, d), label="fickian, ħDQ²")
    axes[0].plot(x, js.qens.jump_hwhm(Q, d, tau), label="jump")
    axes[0].plot(x, js.qens.ce_hwhm(Q, d, length), label="chudley_elliott")
    axes[0].plot(x, js.qens.hall_ross_hwhm(Q, tau, rms), label="hall_ross")
    axes[0].axhline(HBAR / tau, color="k", ls=":", label="ħ/τ")
    axes[0].set(xlabel="Q² in 1/Å²", ylabel="Γ (HWHM) in meV", ylim=(0, 0.33))
    axes[0].set_title("D = 0.3 Å²/ps, τ = 4 ps", fontsize="medium")
    for gamma in (0.005, 0.02, 0.1):
        seen = measured((np.ones(1), np.array([gamma])))
        axes[1].semilogy(OMEGA, seen, label=f"Γ = {gamma} meV")
    bare = js.qens.lorentz(OMEGA, 0.02)
    axes[1].semilogy(OMEGA, bare, "k:", label="0.02 meV, bare")
    axes[1].set(xlabel="ω in meV", ylabel="S(ω) in 1/meV")
    axes[1].set(xlim=(-0.6, 0.6), ylim=(4e-3, 9e2))
    axes[1].set_title("resolution σ = 0.04 meV", fontsize="medium")
    axes[0].legend(fontsize="small", ncols=2, loc="upper right")
    axes[1].legend(fontsize="small", ncols=2, loc="upper center")
    save(figure, "translation")


def rotor() -> None:
    """Weights of the orders of a rotor, and what a largest order leaves out."""
    figure, axes = plt.subplots(1, 2, figsize=(7.6, 2.9), layout="constrained")
    x = np.linspace(0.0, 8.0, 161)
    weights = np.asarray(js.qens.isotropic_rotor(x, 1.0, 0.2, 8)[0])
    for order in range(5):
        axes[0].plot(x, weights[order], label=f"l = {order}")
    for lmax in (1, 2, 5, 8):
        axes[1].plot(x, weights[: lmax + 1].sum(axis=0), label=f"lmax = {lmax}")
    axes[0].set(xlabel="QR", ylabel="weight $(2l+1)\\,j_l^2(QR)$")
    axes[1].set(xlabel="QR", ylabel="sum of weights", ylim=(0, 1.05))
    axes[1].axhline(1.0, color="k", ls=":", label="all l")
    for axis in axes:
        axis.legend(fontsize="small")
    save(figure, "rotor")


def lines() -> None:
    """An elastic line, two Lorentzians and a background, and their sum."""
    figure, axis = plt.subplots(figsize=(5.0, 2.9), layout="constrained")
    parts = {
        "elastic": measured((np.ones(1), np.zeros(1))),
        "line_1, Γ = 0.06 meV": 2.0 * measured((np.ones(1), np.array([0.06]))),
        "line_2, Γ = 0.4 meV": 2.0 * measured((np.ones(1), np.array([0.4]))),
        "background": np.full_like(OMEGA, 0.05),
    }
    axis.semilogy(OMEGA, sum(parts.values()), "k", label="sum")
    for label, curve in parts.items():
        axis.semilogy(OMEGA, curve, "--", label=label)
    axis.set(xlabel="ω in meV", ylabel="intensity, any unit", ylim=(0.02, 9e2))
    axis.set_title("resolution σ = 0.04 meV", fontsize="medium")
    axis.legend(fontsize="small", ncols=2)
    save(figure, "lines")


if __name__ == "__main__":
    with style.context():
        for draw in (sites, well, sphere, stretched, phonons, eisf):
            draw()
        for draw in (translation, rotor, lines):
            draw()
