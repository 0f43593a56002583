"""All models by name, and names composed of them: "ellipsoid@hayter_msa".

A new model is a class in one of the modules below and a line in `MODELS`.
"""

import dataclasses
import difflib
from collections.abc import Mapping
from typing import Any

from ..errors import ModelError
from . import (
    bicelles,
    boxes,
    capped_cylinders,
    chains,
    coils,
    correlations,
    cylinders,
    ellipsoids,
    fractals,
    lamellae,
    necklaces,
    onion,
    polymer_layers,
    power_laws,
    spheres,
    structure_factors,
    vesicles,
)
from .algebra import Component, Product, Total, product, total
from .declaration import AbstractSasModel

MODELS: dict[str, type[AbstractSasModel]] = {
    m.name: m
    for m in (
        spheres.Sphere,
        spheres.CoreShellSphere,
        spheres.CoreMultiShell,
        spheres.FuzzySphere,
        onion.Onion,
        vesicles.Vesicle,
        vesicles.MultilayerVesicle,
        polymer_layers.PolymerMicelle,
        polymer_layers.AdsorbedLayer,
        ellipsoids.Ellipsoid,
        ellipsoids.CoreShellEllipsoid,
        ellipsoids.TriaxialEllipsoid,
        boxes.Parallelepiped,
        boxes.RectangularPrism,
        boxes.HollowRectangularPrism,
        boxes.CoreShellParallelepiped,
        cylinders.Cylinder,
        cylinders.CoreShellCylinder,
        cylinders.HollowCylinder,
        cylinders.EllipticalCylinder,
        bicelles.CoreShellBicelle,
        bicelles.CoreShellBicelleElliptical,
        capped_cylinders.CappedCylinder,
        capped_cylinders.Barbell,
        coils.MonoGaussCoil,
        coils.PolyGaussCoil,
        coils.PolymerExclVolume,
        coils.StarPolymer,
        coils.BePolyelectrolyte,
        power_laws.Guinier,
        power_laws.Porod,
        power_laws.PowerLaw,
        power_laws.GuinierPorod,
        power_laws.UnifiedPowerRg,
        power_laws.TwoPowerLaw,
        power_laws.Line,
        correlations.BroadPeak,
        correlations.CorrelationLength,
        correlations.Lorentz,
        correlations.TwoLorentzian,
        correlations.Dab,
        correlations.TeubnerStrey,
        correlations.GelFit,
        correlations.GaussLorentzGel,
        correlations.PeakLorentz,
        correlations.GaussianPeak,
        correlations.Spinodal,
        fractals.Fractal,
        fractals.FractalCoreShell,
        fractals.MassFractal,
        fractals.SurfaceFractal,
        fractals.MassSurfaceFractal,
        chains.FlexibleCylinder,
        chains.FlexibleCylinderElliptical,
        necklaces.PearlNecklace,
        lamellae.Lamellar,
        lamellae.LamellarHg,
        lamellae.LamellarStackCaille,
        lamellae.LamellarHgStackCaille,
        lamellae.LamellarStackParacrystal,
        structure_factors.HardSphere,
        structure_factors.SquareWell,
        structure_factors.StickyHardSphere,
        structure_factors.HayterMsa,
    )
}
"""Declared models by name."""


@dataclasses.dataclass(frozen=True)
class _Name:
    """A parsed name before control parameters are chosen."""

    operator: str
    parts: tuple[Any, ...]


def load_model(model: Any, **controls: float | int) -> Component:
    """A model from its name, or a model with other control parameters.

    Args:
        model: "sphere", "ellipsoid@hayter_msa", "sphere+porod", "sphere*line", or a
            model object. `@` binds closest, then `*`, then `+`.
        controls: integers such as the number of shells, with the prefix of their part
            in a sum: `n=3`, `A_n=3`.

    Raises:
        ModelError: an unknown name, with those that are near; also a `ValueError`.
        TypeError: a control parameter the model does not have.
    """
    wanted = dict(controls)
    built = _build(_parsed(model) if isinstance(model, str) else model, wanted, "")
    if wanted:
        raise TypeError(f"{built.name!r} has no control parameter {sorted(wanted)}")
    return built


def _parsed(name: str) -> Any:
    for operator in "+*@":
        pieces = [p.strip() for p in name.split(operator)]
        if len(pieces) > 1:
            if operator == "@" and len(pieces) > 2:
                raise ModelError(f"{name!r} has more than one structure factor")
            return _Name(operator, tuple(_parsed(p) for p in pieces))
    if name not in MODELS:
        near = difflib.get_close_matches(name, MODELS, 4, 0.5)
        raise ModelError(
            f"no model {name!r}; "
            + (f"near it are {near}" if near else f"there are {sorted(MODELS)}")
        )
    return MODELS[name]


def _build(model: Any, wanted: dict[str, Any], prefix: str) -> Component:
    if isinstance(model, type) and issubclass(model, AbstractSasModel):
        return model(**_taken(model, wanted, prefix, {}))
    if isinstance(model, AbstractSasModel):
        return type(model)(**_taken(type(model), wanted, prefix, model.counts))
    if isinstance(model, Product):
        return product(
            _build(model.form, wanted, prefix),
            _build(model.interaction, wanted, prefix),
        )
    if isinstance(model, _Name) and model.operator == "@":
        return product(*(_build(p, wanted, prefix) for p in model.parts))
    if isinstance(model, (_Name, Total)):
        inner = [
            _build(p, wanted, f"{prefix}{chr(ord('A') + i)}_")
            for i, p in enumerate(model.parts)
        ]
        whole = inner[0]
        for part in inner[1:]:
            whole = total(model.operator, whole, part)
        return whole
    raise TypeError(
        f"{model!r} is no model of small-angle scattering; give a name such as "
        "'sphere@hardsphere', or a model object"
    )


def _taken(
    model: type[AbstractSasModel],
    wanted: dict[str, Any],
    prefix: str,
    counts: Mapping[str, int],
) -> dict[str, Any]:
    """Control parameters of one model, removed from what was given."""
    names = {c.name for c in model.controls}
    given = {n: wanted.pop(prefix + n) for n in names if prefix + n in wanted}
    return {**counts, **given}


def control_names(model: Any, prefix: str = "") -> set[str]:
    """Names of the control parameters of a model or of a name, with prefixes."""
    if isinstance(model, str):
        model = _parsed(model)
    if isinstance(model, type) or isinstance(model, AbstractSasModel):
        return {prefix + c.name for c in model.controls}
    if isinstance(model, Product):
        return control_names(model.form, prefix) | control_names(
            model.interaction, prefix
        )
    if isinstance(model, (_Name, Total)):
        out: set[str] = set()
        for i, part in enumerate(model.parts):
            own = "" if model.operator == "@" else f"{chr(ord('A') + i)}_"
            out |= control_names(part, prefix + own)
        return out
    return set()


def models() -> dict[str, tuple[dict[str, Any], ...]]:
    """Every model's parameter table: name, default, unit, limits, type, description."""
    out = {}
    for name, model in sorted(MODELS.items()):
        rows = [
            {
                "name": row.name,
                "default": row.value,
                "unit": row.unit,
                "lo": row.lo,
                "hi": row.hi,
                "type": row.kind,
                "doc": row.doc,
            }
            for row in model().quantities
        ]
        out[name] = tuple(rows)
    return out
