"""Models of S(Q, ω) by name: components, parameter tables and the registry.

A model is a sum of Lorentzians, S(Q, ω) = Σ wᵢ(Q) L(ω; Γᵢ(Q)): `components(q, theta)`
returns weights and half widths (HWHM, meV), and everything else follows. Units: q in
1/Å, D in Å²/ps, rotational D in 1/ps, ⟨u²⟩ in Å².

Built in, with l ≤ lmax (2 unless asked):

    translation_only   e^{-Q²u2/3} L(ħDQ²)
    isotropic_rotor    e^{-Q²u2/3} Σ (2l+1) j_l²(QR) L(ħDQ² + ħl(l+1)D_r)
    anisotropic_rotor  e^{-Q²u2/3} Σ w_lm(QR, θ) L(ħDQ² + ħ[l(l+1)D_t + m²(D_s - D_t)])
"""

import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..constants import HBAR
from ..errors import ParameterError
from ..numerics._checks import nonnegative
from ..problem import Parameter, ParameterSet
from .lineshapes import GAMMA_FLOOR, debye_waller
from .resolution import resolution
from .rotation import anisotropic_rotor, isotropic_rotor

Components = tuple[Float[Array, " n"], Float[Array, " n"]]
Numbers = ArrayLike | Sequence[float]


@dataclasses.dataclass(frozen=True, eq=False)
class ForwardModel:
    """A model of S(Q, ω) of one Q, convolved, without amplitude and background.

    Args:
        name: in the registry and in results.
        param_names: in the order of `params`.
        prior_lo, prior_hi: open box of the uniform prior.
        predict: `predict(omega, q, params, sigma_res, **extras) -> S`, in jax.numpy
            unless `jax=False`. `sigma_res` is what `predict_sqw` takes.
        extras: keyword defaults such as radius and lmax.
        components: `components(q, theta, **extras) -> (weights, widths)`; with it
            `predict` may be None.
        constants: `constants(q, **extras)`, what `components` needs of q alone,
            computed once per Q and handed to it as its keyword `constants`.
        start: start values; default the middle of the prior.
        units: per parameter.
        jax: False for a NumPy `predict`: derivatives by differences, no NUTS.
        doc: one line.
    """

    name: str
    param_names: tuple[str, ...]
    prior_lo: tuple[float, ...]
    prior_hi: tuple[float, ...]
    predict: Callable[..., Any] | None
    extras: Mapping[str, Any] | None = None
    components: Callable[..., Any] | None = dataclasses.field(
        default=None, kw_only=True
    )
    constants: Callable[..., Any] | None = dataclasses.field(default=None, kw_only=True)
    start: tuple[float, ...] | None = dataclasses.field(default=None, kw_only=True)
    units: tuple[str, ...] | None = dataclasses.field(default=None, kw_only=True)
    jax: bool = dataclasses.field(default=True, kw_only=True)
    doc: str = dataclasses.field(default="", kw_only=True)

    def __post_init__(self):
        for field in ("param_names", "prior_lo", "prior_hi"):
            object.__setattr__(self, field, tuple(getattr(self, field)))
        object.__setattr__(self, "extras", dict(self.extras or {}))
        sizes = {len(self.param_names), len(self.prior_lo), len(self.prior_hi)}
        if len(sizes) > 1:
            raise ParameterError(
                f"model {self.name!r} has {len(self.param_names)} names, "
                f"{len(self.prior_lo)} lower and {len(self.prior_hi)} upper bounds"
            )
        for n, lo, hi in zip(
            self.param_names, self.prior_lo, self.prior_hi, strict=True
        ):
            if not lo < hi:
                raise ParameterError(
                    f"model {self.name!r}: prior of {n!r} is ({lo}, {hi}); expected "
                    "lo < hi"
                )
        if self.predict is None:
            if self.components is None:
                raise ParameterError(
                    f"model {self.name!r} needs `predict` or `components`"
                )
            object.__setattr__(self, "predict", self._from_components)

    def _from_components(
        self, omega: Any, q: Any, params: Any, sigma_res: Any, **extras: Any
    ) -> Float[Array, " n"]:
        assert self.components is not None
        mode = extras.pop("mode", "exact")
        theta = dict(zip(self.param_names, params, strict=True))
        settings = {**(self.extras or {}), **extras}
        weights, widths = self.components(q, theta, **settings)
        return resolution(omega, sigma_res, mode).lorentzians(weights, widths)

    @property
    def n_params(self) -> int:
        """Number of parameters."""
        return len(self.param_names)

    def checked(self, params: Numbers) -> np.ndarray:
        """Parameters as an array of the right length.

        Raises:
            ParameterError: another length.
        """
        p = np.asarray(params, dtype=float)
        if p.shape != (self.n_params,):
            raise ParameterError(
                f"params of {self.name!r} have shape {p.shape}; expected "
                f"({self.n_params},) for {list(self.param_names)}"
            )
        return p

    def in_prior(self, p: Numbers) -> bool:
        """Whether every parameter lies strictly inside its prior box."""
        x = self.checked(p)
        return bool(np.all((x > self.prior_lo) & (x < self.prior_hi)))

    def random_in_prior(self, rng: np.random.Generator) -> np.ndarray:
        """One uniform draw from the prior box."""
        return rng.uniform(self.prior_lo, self.prior_hi)

    def parameters(self) -> ParameterSet:
        """Parameter table with units, bounds and start values."""
        middle = 0.5 * (np.array(self.prior_lo) + np.array(self.prior_hi))
        start = middle if self.start is None else self.start
        units = self.units or ("",) * self.n_params
        rows = zip(
            self.param_names, start, units, self.prior_lo, self.prior_hi, strict=True
        )
        return ParameterSet(
            Parameter(n, v, u, (lo, hi), doc=DOCS.get(n, ""))
            for n, v, u, lo, hi in rows
        )


DOCS = {
    "D_translation": "translational self-diffusion coefficient D*",
    "u2": "mean-square displacement in the Debye-Waller factor exp(-Q² u2/3)",
    "D_r": "isotropic rotational diffusion coefficient",
    "D_t": "rotational diffusion of the symmetry axis (tumbling)",
    "D_s": "rotational diffusion about the symmetry axis (spinning)",
}
UNITS = {
    "D_translation": "Å²/ps",
    "u2": "Å²",
    "D_r": "1/ps",
    "D_t": "1/ps",
    "D_s": "1/ps",
}


def _moved(q: Any, theta: Mapping[str, Any], weights: Any, widths: Any) -> Components:
    """A localised model under translation and Debye-Waller factor."""
    broad = jnp.maximum(HBAR * theta["D_translation"] * jnp.square(q), GAMMA_FLOOR)
    return debye_waller(q, theta["u2"]) * weights, widths + broad


def _translation_only(q: Any, theta: Mapping[str, Any]) -> Components:
    return _moved(q, theta, jnp.ones(1), jnp.zeros(1))


def _isotropic(
    q: Any,
    theta: Mapping[str, Any],
    radius: float = 2.48,
    lmax: int = 2,
    renormalize: bool = False,
    constants: Any = None,
) -> Components:
    rotor = isotropic_rotor(q, radius, theta["D_r"], lmax, renormalize, constants)
    return _moved(q, theta, *rotor)


def _anisotropic(
    q: Any,
    theta: Mapping[str, Any],
    radius: float = 2.48,
    lmax: int = 2,
    renormalize: bool = False,
    angle: float = 90.0,
    constants: Any = None,
) -> Components:
    rotor = anisotropic_rotor(
        q, radius, theta["D_t"], theta["D_s"], lmax, angle, renormalize, constants
    )
    return _moved(q, theta, *rotor)


def _isotropic_constants(q: Any, **extras: Any) -> Any:
    one = {"D_translation": 0.0, "u2": 0.0, "D_r": 1.0}
    return _isotropic(q, one, **extras)[0]


def _anisotropic_constants(q: Any, **extras: Any) -> Any:
    one = {"D_translation": 0.0, "u2": 0.0, "D_t": 1.0, "D_s": 1.0}
    return _anisotropic(q, one, **extras)[0]


_ROTOR = {"radius": 2.48, "lmax": 2, "renormalize": False}


def _built_in(
    name: str,
    names: Sequence[str],
    lo: Sequence[float],
    hi: Sequence[float],
    start: Sequence[float],
    components: Callable,
    extras: Mapping[str, Any],
    doc: str,
    constants: Callable | None = None,
) -> ForwardModel:
    return ForwardModel(
        name,
        tuple(names),
        tuple(lo),
        tuple(hi),
        None,
        extras,
        components=components,
        constants=constants,
        start=tuple(start),
        units=tuple(UNITS[n] for n in names),
        doc=doc,
    )


_REGISTRY: dict[str, ForwardModel] = {
    m.name: m
    for m in (
        _built_in(
            "translation_only",
            ["D_translation", "u2"],
            [1e-4, 0.0],
            [1.0, 0.5],
            [0.2, 0.05],
            _translation_only,
            {},
            "continuous self-diffusion",
        ),
        _built_in(
            "isotropic_rotor",
            ["D_translation", "u2", "D_r"],
            [1e-4, 0.0, 1e-3],
            [1.0, 0.5, 5.0],
            [0.2, 0.05, 0.2],
            _isotropic,
            _ROTOR,
            "self-diffusion and isotropic rotation on a sphere of radius R",
            _isotropic_constants,
        ),
        _built_in(
            "anisotropic_rotor",
            ["D_translation", "u2", "D_t", "D_s"],
            [1e-4, 0.0, 1e-3, 1e-3],
            [1.0, 0.5, 2.0, 5.0],
            [0.2, 0.05, 0.1, 0.4],
            _anisotropic,
            {**_ROTOR, "angle": 90.0},
            "self-diffusion and rotation of a symmetric top, scatterer at `angle` to "
            "its axis",
            _anisotropic_constants,
        ),
    )
}


def register_model(
    name: str,
    *,
    param_names: Sequence[str],
    prior_lo: Sequence[float],
    prior_hi: Sequence[float],
    predict: Callable[..., Any] | None = None,
    extras: Mapping[str, Any] | None = None,
    overwrite: bool = False,
    **more: Any,
) -> ForwardModel:
    """Add a model to the registry and return it; arguments as `ForwardModel`.

    Raises:
        KeyError: the name exists and `overwrite` is False.
        ParameterError: unequal lengths or bounds that are not increasing.
    """
    if name in _REGISTRY and not overwrite:
        raise KeyError(f"model {name!r} exists; give overwrite=True to replace it")
    model = ForwardModel(
        name,
        tuple(param_names),
        tuple(prior_lo),
        tuple(prior_hi),
        predict,
        extras,
        **more,
    )
    _REGISTRY[name] = model
    return model


def get_model(name: str) -> ForwardModel:
    """Registered model of a name.

    Raises:
        KeyError: no such model; names the known ones.
    """
    if name not in _REGISTRY:
        near = difflib.get_close_matches(name, _REGISTRY, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise KeyError(
            f"model {name!r} is not known; there are {available_models()}{hint}"
        )
    return _REGISTRY[name]


def available_models() -> list[str]:
    """Names in the registry, sorted."""
    return sorted(_REGISTRY)


def predict_sqw(
    omega: Numbers,
    q: ArrayLike,
    *,
    d_translation: ArrayLike,
    u2: ArrayLike,
    rotation: Sequence[ArrayLike] | np.ndarray | Array = (),
    rotation_model: str = "anisotropic",
    sigma_res: Any,
    radius: float = 2.48,
    lmax: int = 2,
    angle: float = 90.0,
    renormalize: bool = False,
    mode: str = "exact",
) -> Float[Array, " n"]:
    """Convolved S(Q, ω) in 1/meV at one Q, unscaled.

    Args:
        omega: energy transfer in meV.
        q: momentum transfer in 1/Å.
        d_translation: D in Å²/ps; ħDQ² is not less than 1e-5 meV.
        u2: mean-square displacement in Å².
        rotation: () for "none", (D_r,) or (D_t, D_s) in 1/ps.
        rotation_model: "none", "isotropic" or "anisotropic".
        sigma_res: σ in meV, a kernel on omega, or (energies, kernel).
        radius: of rotation in Å.
        lmax: largest order of the rotor; 2 is the usual truncation.
        angle: of the scatterer to the symmetry axis in degrees.
        renormalize: divide by the sum of the truncated weights.
        mode: "exact", or "seed" for the same-length FFT convolution.

    Raises:
        ParameterError: unknown rotation model, wrong number of rotation parameters, or
            values outside their domain.
    """
    sizes = {"none": 0, "isotropic": 1, "anisotropic": 2}
    if rotation_model not in sizes:
        raise ParameterError(
            f"rotation_model is {rotation_model!r}; expected one of {list(sizes)}"
        )
    if len(rotation) != sizes[rotation_model]:
        raise ParameterError(
            f"rotation has {len(rotation)} values; {rotation_model!r} needs "
            f"{sizes[rotation_model]}"
        )
    if np.ndim(q) != 0:
        raise ParameterError(f"q has shape {np.shape(q)}; expected one number")
    nonnegative("d_translation", d_translation)
    nonnegative("q", q)
    names = {"none": (), "isotropic": ("D_r",), "anisotropic": ("D_t", "D_s")}
    theta = {"D_translation": d_translation, "u2": u2}
    theta |= dict(zip(names[rotation_model], rotation, strict=True))
    if rotation_model == "none":
        weights, widths = _translation_only(q, theta)
    elif rotation_model == "isotropic":
        weights, widths = _isotropic(q, theta, radius, lmax, renormalize)
    else:
        weights, widths = _anisotropic(q, theta, radius, lmax, renormalize, angle)
    return resolution(omega, sigma_res, mode).lorentzians(weights, widths)
