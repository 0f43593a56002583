"""`predict_sqw`: convolved S(Q, ω) of a diffusing rotor, in one call.

Units: energies in meV, q in 1/Å, D in Å²/ps, rotational D in 1/ps, ⟨u²⟩ in Å².
"""

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Array, ArrayLike, Float

from ..errors import ParameterError
from ..numerics._checks import nonnegative
from .catalogue import get_model
from .forward_model import Numbers

MODELS = {
    "none": "translation_only",
    "isotropic": "isotropic_rotor",
    "anisotropic": "anisotropic_rotor",
}
"""Registered model of each `rotation_model`."""


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
    temperature: float | int | None = None,
    detailed_balance: str = "bose",
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
        temperature: in K; None leaves S symmetric in ω.
        detailed_balance: "bose" or "exp_half", see `detailed_balance`.

    Raises:
        ParameterError: unknown rotation model, wrong number of rotation parameters, or
            values outside their domain.
    """
    if rotation_model not in MODELS:
        raise ParameterError(
            f"rotation_model is {rotation_model!r}; expected one of {list(MODELS)}"
        )
    model = get_model(MODELS[rotation_model])
    needed = model.n_params - 2
    if len(rotation) != needed:
        raise ParameterError(
            f"rotation has {len(rotation)} values; {rotation_model!r} needs {needed}"
        )
    if np.ndim(q) != 0:
        raise ParameterError(f"q has shape {np.shape(q)}; expected one number")
    nonnegative("d_translation", d_translation)
    nonnegative("q", q)
    given = {
        "radius": radius,
        "lmax": lmax,
        "angle": angle,
        "renormalize": renormalize,
    }
    assert model.predict is not None
    return model.predict(
        omega,
        q,
        (d_translation, u2, *rotation),
        sigma_res,
        mode=mode,
        temperature=temperature,
        detailed_balance=detailed_balance,
        **{k: v for k, v in given.items() if k in (model.extras or {})},
    )
