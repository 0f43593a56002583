"""Amplitudes as ordinary parameters."""

from collections.abc import Mapping

import numpy as np

from ..errors import ModelError
from .model import AbstractModel
from .parameter import Parameter, ParameterSet


def explicit_table(
    model: AbstractModel, given: Mapping[str, Parameter], table: ParameterSet
) -> list[Parameter]:
    """Parameters of amplitudes that are sampled or fitted like any other."""
    out = []
    for a in model.amplitudes:
        if a.name in table or a.held is not None:
            continue
        if a.name in given:
            out.append(given[a.name].with_(name=a.name, local=not a.shared))
            continue
        prior = None
        if a.prior is not None:
            from .prior import named

            prior = named("normal", *a.prior)
        value = float(np.clip(1.0, a.lower, a.upper))
        out.append(
            Parameter(
                a.name,
                value,
                unit=a.unit,
                bounds=(a.lower, a.upper),
                prior=prior,
                local=not a.shared,
            )
        )
    unknown = set(given) - {a.name for a in model.amplitudes}
    if unknown:
        raise ModelError(
            f"no amplitudes {sorted(unknown)}; there are "
            f"{[a.name for a in model.amplitudes]}"
        )
    return out
