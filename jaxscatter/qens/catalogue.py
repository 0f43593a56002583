"""Models of S(Q, ω) by name: the registry, and expressions of its names.

A name is a motion of `motions`, a whole model below, a model of the user's, or an
expression of names such as "jump * isotropic * debye_waller + dho".

    translation_only    fickian * debye_waller
    isotropic_rotor     fickian * debye_waller * isotropic, R = 2.48 Å, l ≤ 2 (benzene)
    anisotropic_rotor   fickian * debye_waller * anisotropic, the same
    jump_isotropic      jump * debye_waller * isotropic, R = 0.98 Å, l ≤ 5 (water)
    fickian_sphere      fickian * debye_waller * sphere
    fickian_sites       fickian * debye_waller * n_sites

Units: q in 1/Å, D in Å²/ps, rotational D in 1/ps, times in ps, lengths in Å, ⟨u²⟩ in
Å².

References:
    [1] J. Teixeira, M.-C. Bellissent-Funel, S. H. Chen and A. J. Dianoux, Phys. Rev. A
        31, 1913 (1985), water.
"""

import ast
import dataclasses
import difflib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from ..errors import ModelError
from .forward_model import ForwardModel
from .motions import MOTIONS

_PIECES = {m.name: m for m in MOTIONS}


def _whole(
    name: str, translation: str, motion: str | None, doc: str, **settings: Any
) -> ForwardModel:
    """A translation with its Debye-Waller factor, and what moves inside."""
    model = _PIECES[translation] * _PIECES["debye_waller"]
    if motion is not None:
        model = model * _PIECES[motion]
    extras = {**(model.extras or {}), **settings}
    # a new `predict` too: the old one has the settings and the needs of the pieces
    return dataclasses.replace(
        model, name=name, predict=None, extras=extras, doc=doc, needs=()
    )


_REGISTRY: dict[str, ForwardModel] = {
    **_PIECES,
    **{
        m.name: m
        for m in (
            _whole("translation_only", "fickian", None, "continuous self-diffusion"),
            _whole(
                "isotropic_rotor",
                "fickian",
                "isotropic",
                "self-diffusion and isotropic rotation on a sphere of radius R",
            ),
            _whole(
                "anisotropic_rotor",
                "fickian",
                "anisotropic",
                "self-diffusion and rotation of a symmetric top, scatterer at `angle` "
                "to its axis",
            ),
            _whole(
                "jump_isotropic",
                "jump",
                "isotropic",
                "jump diffusion and isotropic rotation, as of water",
                radius=0.98,
                lmax=5,
            ),
            _whole(
                "fickian_sphere",
                "fickian",
                "sphere",
                "self-diffusion and diffusion inside a sphere",
            ),
            _whole(
                "fickian_sites",
                "fickian",
                "n_sites",
                "self-diffusion and jumps between sites on a circle",
            ),
        )
    },
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
    """Registered model of a name, or what an expression of names makes.

    `*` composes independent motions, `+` two kinds of scatterers, brackets group:
    "(fickian + elastic) * debye_waller".

    Raises:
        KeyError: no such model; names the known ones.
        ModelError: an expression with anything but names, `*`, `+` and brackets.
    """
    if name in _REGISTRY:
        return _REGISTRY[name]
    try:
        tree = ast.parse(name.strip(), mode="eval").body
    except SyntaxError:
        tree = ast.Name(name)
    return _evaluated(tree, name)


def _evaluated(node: ast.expr, text: str) -> ForwardModel:
    if isinstance(node, ast.Name):
        if node.id not in _REGISTRY:
            near = difflib.get_close_matches(node.id, _REGISTRY, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise KeyError(
                f"model {node.id!r} is not known; there are {available_models()}{hint}"
            )
        return _REGISTRY[node.id]
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Mult | ast.Add):
        left, right = _evaluated(node.left, text), _evaluated(node.right, text)
        return left * right if isinstance(node.op, ast.Mult) else left + right
    raise ModelError(
        f"model {text!r} holds {ast.unparse(node)!r}; expected names of models, `*`, "
        "`+` and brackets"
    )


def available_models() -> list[str]:
    """Names in the registry, sorted."""
    return sorted(_REGISTRY)
