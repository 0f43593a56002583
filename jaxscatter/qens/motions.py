"""The motions models are made of, each a `ForwardModel` of its own.

    translations     fickian, jump, chudley_elliott, hall_ross: one line of width Γ_T(Q)
    localised        isotropic, isotropic_radius, anisotropic, n_sites,
                     log_normal_sites, gaussian_well, sphere: an elastic line and broad
                     ones, intensities adding to 1
    lines            stretched, lorentzian, delta_lorentz, two_lorentzian, elastic
    others           debye_waller, a function of Q; dho, a phonon

Names of parameters differ wherever the quantities do, so that any of these may be
multiplied: the residence time of a translation is `tau`, that on a site `tau_site`.

Units: q in 1/Å, lengths in Å, D in Å²/ps, rotational D in 1/ps, times in ps, widths
(HWHM) in meV. Start values are those of room-temperature water or of benzene's rotor,
bounds a decade or two around what spectrometers resolve.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax.numpy as jnp
from jaxtyping import Array, Float

from ..numerics._checks import within
from ..numerics._dtype import common_float
from .confinement import gaussian_well, impermeable_sphere
from .forward_model import Components, ForwardModel
from .lineshapes import GAMMA_FLOOR
from .lineshapes import debye_waller as debye_waller_factor
from .phonons import dho as oscillator
from .rotation import anisotropic_rotor, isotropic_rotor
from .sites import log_normal_sites, n_sites
from .stretched import stretched_exponential
from .translation import ce_hwhm, fickian_hwhm, hall_ross_hwhm, jump_hwhm

Theta = Mapping[str, Any]

# name: (lower bound, upper bound, start, unit, what it is)
TABLE: dict[str, tuple[float, float, float, str, str]] = {
    "D_translation": (1e-4, 1.0, 0.2, "Å²/ps", "translational self-diffusion D"),
    "tau": (1e-3, 100.0, 1.2, "ps", "residence time between translational jumps"),
    "jump_length": (0.1, 10.0, 2.0, "Å", "length of a jump"),
    "jump_rms": (0.05, 5.0, 0.8, "Å", "ℓ₀ of Gaussian jumps, ⟨r²⟩ = 3ℓ₀²"),
    "u2": (0.0, 0.5, 0.05, "Å²", "mean-square displacement in exp(-Q² u2/3)"),
    "D_r": (1e-3, 5.0, 0.2, "1/ps", "isotropic rotational diffusion"),
    "radius_rotor": (0.1, 10.0, 1.0, "Å", "radius of rotation"),
    "D_t": (1e-3, 2.0, 0.1, "1/ps", "rotation of the symmetry axis (tumbling)"),
    "D_s": (1e-3, 5.0, 0.4, "1/ps", "rotation about the symmetry axis (spinning)"),
    "radius_sites": (0.1, 10.0, 1.03, "Å", "radius of the circle of sites"),
    "tau_site": (1e-3, 1e3, 2.0, "ps", "mean time on a site"),
    "sigma_rate": (0.0, 4.0, 0.5, "", "width of the distribution of ln(rate)"),
    "D_well": (1e-4, 1.0, 0.2, "Å²/ps", "diffusion inside the harmonic well"),
    "u2_well": (1e-3, 10.0, 0.5, "Å²", "⟨u_x²⟩ in the well, along one axis"),
    "D_sphere": (1e-4, 1.0, 0.2, "Å²/ps", "diffusion inside the sphere"),
    "radius_sphere": (0.2, 10.0, 2.0, "Å", "radius of the impermeable sphere"),
    "tau_relax": (1e-2, 1e3, 5.0, "ps", "τ of exp(-(t/τ)^β)"),
    "beta": (0.1, 1.0, 0.7, "", "stretching exponent β"),
    "hwhm": (1e-4, 10.0, 0.1, "meV", "half width of the line"),
    "hwhm_1": (1e-4, 10.0, 0.05, "meV", "half width of the first line"),
    "hwhm_2": (1e-4, 10.0, 0.5, "meV", "half width of the second line"),
    "A0": (0.0, 1.0, 0.3, "", "elastic fraction (EISF)"),
    "share_1": (0.0, 1.0, 0.5, "", "first line's part of what is not elastic"),
    "omega_0": (0.1, 100.0, 5.0, "meV", "energy of the undamped oscillator"),
    "damping": (0.05, 100.0, 2.0, "meV", "damping γ of the oscillator"),
}


def motion(
    name: str,
    params: str,
    components: Callable[..., Components],
    doc: str,
    *,
    extras: Mapping[str, Any] | None = None,
    **more: Any,
) -> ForwardModel:
    """A `ForwardModel` whose parameters are rows of `TABLE`, named in one string."""
    names = tuple(params.split())
    lo, hi, start, units, docs = (
        zip(*(TABLE[n] for n in names), strict=True) if names else ((),) * 5
    )
    return ForwardModel(
        name,
        names,
        lo,
        hi,
        None,
        extras,
        components=components,
        start=start,
        units=units,
        docs=dict(zip(names, docs, strict=True)),
        doc=doc,
        **more,
    )


def _line(width: Any) -> Components:
    """One line of unit weight; sampled lines are not narrower than the floor."""
    width = jnp.maximum(jnp.atleast_1d(width), GAMMA_FLOOR)
    return jnp.ones_like(width), width


def _fickian(q: Any, theta: Theta) -> Components:
    return _line(fickian_hwhm(q, theta["D_translation"]))


def _jump(q: Any, theta: Theta) -> Components:
    return _line(jump_hwhm(q, theta["D_translation"], theta["tau"]))


def _chudley_elliott(q: Any, theta: Theta) -> Components:
    return _line(ce_hwhm(q, theta["D_translation"], theta["jump_length"]))


def _hall_ross(q: Any, theta: Theta) -> Components:
    return _line(hall_ross_hwhm(q, theta["tau"], theta["jump_rms"]))


def _isotropic(
    q: Any,
    theta: Theta,
    radius: float = 2.48,
    lmax: int = 2,
    renormalize: bool = False,
    constants: Any = None,
) -> Components:
    return isotropic_rotor(q, radius, theta["D_r"], lmax, renormalize, constants)


def _isotropic_weights(q: Any, **settings: Any) -> Float[Array, " n"]:
    return _isotropic(q, {"D_r": 1.0}, **settings)[0]


def _isotropic_radius(
    q: Any, theta: Theta, lmax: int = 20, renormalize: bool = False
) -> Components:
    return isotropic_rotor(q, theta["radius_rotor"], theta["D_r"], lmax, renormalize)


def _anisotropic(
    q: Any,
    theta: Theta,
    radius: float = 2.48,
    lmax: int = 2,
    renormalize: bool = False,
    angle: float = 90.0,
    constants: Any = None,
) -> Components:
    d_t, d_s = theta["D_t"], theta["D_s"]
    return anisotropic_rotor(q, radius, d_t, d_s, lmax, angle, renormalize, constants)


def _anisotropic_weights(q: Any, **settings: Any) -> Float[Array, " n"]:
    return _anisotropic(q, {"D_t": 1.0, "D_s": 1.0}, **settings)[0]


def _n_sites(q: Any, theta: Theta, sites: int = 3) -> Components:
    return n_sites(q, theta["radius_sites"], theta["tau_site"], sites)


def _log_normal_sites(q: Any, theta: Theta, sites: int = 3) -> Components:
    return log_normal_sites(
        q, theta["radius_sites"], theta["tau_site"], theta["sigma_rate"], sites
    )


def _gaussian_well(q: Any, theta: Theta, ndim: int = 3, terms: int = 150) -> Components:
    return gaussian_well(q, theta["D_well"], theta["u2_well"], terms, ndim)


def _sphere(q: Any, theta: Theta) -> Components:
    return impermeable_sphere(q, theta["D_sphere"], theta["radius_sphere"])


def _stretched(q: Any, theta: Theta, terms: int = 80) -> Components:
    del q
    return stretched_exponential(theta["tau_relax"], theta["beta"], terms)


def _lorentzian(q: Any, theta: Theta) -> Components:
    del q
    return _line(theta["hwhm"])


def _delta_lorentz(q: Any, theta: Theta) -> Components:
    del q
    within("A0", theta["A0"], 0.0, 1.0)
    a, (hwhm,) = theta["A0"], common_float(theta["hwhm"])
    return jnp.stack([a, 1 - a]), jnp.stack([jnp.zeros_like(hwhm), hwhm])


def _two_lorentzian(q: Any, theta: Theta) -> Components:
    del q
    a0, share = theta["A0"], theta["share_1"]
    within("A0", a0, 0.0, 1.0)
    within("share_1", share, 0.0, 1.0)
    one, two = common_float(theta["hwhm_1"], theta["hwhm_2"])
    rest = 1 - a0
    weights = jnp.stack([a0, rest * share, rest * (1 - share)])
    return weights, jnp.stack([jnp.zeros_like(one), one, two])


def _elastic(q: Any, theta: Theta) -> Components:
    del q, theta
    return jnp.ones(1), jnp.zeros(1)


def _debye_waller(q: Any, theta: Theta) -> Components:
    factor = jnp.atleast_1d(debye_waller_factor(q, theta["u2"]))
    return factor, jnp.zeros_like(factor)


def _nothing(q: Any, theta: Theta) -> Components:
    del q, theta
    return jnp.zeros(1), jnp.ones(1)


def _dho(omega: Any, q: Any, theta: Theta) -> Float[Array, "..."]:
    del q
    return oscillator(omega, theta["omega_0"], theta["damping"])


_ROTOR = {"radius": 2.48, "lmax": 2, "renormalize": False}

MOTIONS = (
    motion("fickian", "D_translation", _fickian, "continuous diffusion, Γ = ħDQ²"),
    motion(
        "jump",
        "D_translation tau",
        _jump,
        "Singwi-Sjölander jumps, Γ = ħDQ²/(1 + DQ²τ)",
    ),
    motion(
        "chudley_elliott",
        "D_translation jump_length",
        _chudley_elliott,
        "jumps of one length ℓ, Γ = (ħ/τ)(1 - sin Qℓ/Qℓ), τ = ℓ²/6D",
    ),
    motion(
        "hall_ross",
        "tau jump_rms",
        _hall_ross,
        "jumps of Gaussian length, Γ = (ħ/τ)(1 - exp(-Q²ℓ₀²/2))",
    ),
    motion(
        "isotropic",
        "D_r",
        _isotropic,
        "isotropic rotation on a sphere of radius R",
        extras=_ROTOR,
        needs=("radius",),
        constants=_isotropic_weights,
    ),
    motion(
        "isotropic_radius",
        "D_r radius_rotor",
        _isotropic_radius,
        "isotropic rotation with its radius as a parameter",
        extras={"lmax": 20, "renormalize": False},
    ),
    motion(
        "anisotropic",
        "D_t D_s",
        _anisotropic,
        "rotation of a symmetric top, scatterer at `angle` to its axis",
        extras={**_ROTOR, "angle": 90.0},
        needs=("radius",),
        constants=_anisotropic_weights,
    ),
    motion(
        "n_sites",
        "radius_sites tau_site",
        _n_sites,
        "jumps between neighbouring `sites` on a circle",
        extras={"sites": 3},
    ),
    motion(
        "log_normal_sites",
        "radius_sites tau_site sigma_rate",
        _log_normal_sites,
        "jumps on a circle with a log-normal distribution of rates",
        extras={"sites": 3},
    ),
    motion(
        "gaussian_well",
        "D_well u2_well",
        _gaussian_well,
        "diffusion in a harmonic well of `ndim` directions",
        extras={"ndim": 3, "terms": 150},
    ),
    motion(
        "sphere",
        "D_sphere radius_sphere",
        _sphere,
        "diffusion inside an impermeable sphere",
    ),
    motion(
        "stretched",
        "tau_relax beta",
        _stretched,
        "stretched exponential exp(-(t/τ)^β) in time",
        extras={"terms": 80},
    ),
    motion("lorentzian", "hwhm", _lorentzian, "one line"),
    motion(
        "delta_lorentz",
        "A0 hwhm",
        _delta_lorentz,
        "an elastic line of intensity A0 and one of 1 - A0",
    ),
    motion(
        "two_lorentzian",
        "A0 share_1 hwhm_1 hwhm_2",
        _two_lorentzian,
        "an elastic line and two others, sharing 1 - A0",
    ),
    motion("elastic", "", _elastic, "an elastic line", factor=True),
    motion(
        "debye_waller", "u2", _debye_waller, "the factor exp(-Q² u2/3)", factor=True
    ),
    motion(
        "dho",
        "omega_0 damping",
        _nothing,
        "damped harmonic oscillator of unit area",
        continuum=_dho,
    ),
)
