"""Parameters of the two XPCS models: names, aliases, bounds, priors, plausibility.

Units: D0 and D_offset in Å²/s, shear rates in 1/s, phi0 in degrees; exponents, contrast
and offset have none.

References:
    [1] H. He et al., PNAS 121 (31), e2401162121 (2024).
"""

import difflib
import math
import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from ..errors import ModelError, ParameterError
from ..problem import Parameter, ParameterSet, prior

STATIC = ("D0", "alpha", "D_offset")
FLOW = (*STATIC, "gamma_dot_t0", "beta", "gamma_dot_t_offset", "phi0")
SCALING = ("contrast", "offset")
MODELS = {"static_isotropic": STATIC, "laminar_flow": FLOW}
MODEL_ALIASES = {
    "static": "static_isotropic",
    "static_anisotropic": "static_isotropic",
    "static_mode": "static_isotropic",
}
ALIASES = {
    "gamma_dot_0": "gamma_dot_t0",
    "gamma_dot_offset": "gamma_dot_t_offset",
    "phi_0": "phi0",
}
SEVERITIES = ("info", "warning", "error")
CHANGES = ("name", "min", "max", "prior_mu", "prior_sigma", "type")
"""What an entry of `bounds` may say."""
TYPES = ("truncatednormal", "normal", "uniform")


class Range(NamedTuple):
    """Bounds, start value and truncated-normal prior of a parameter by default."""

    lo: float
    hi: float
    start: float
    mean: float
    sd: float
    unit: str
    doc: str


DEFAULTS: dict[str, Range] = {
    "contrast": Range(0.0, 1.0, 0.5, 0.5, 0.25, "", "speckle contrast of an angle"),
    "offset": Range(0.5, 1.5, 1.0, 1.0, 0.25, "", "baseline of an angle"),
    "D0": Range(100.0, 1e5, 1000.0, 1000.0, 1000.0, "Å²/s", "transport amplitude"),
    "alpha": Range(-2.0, 2.0, 0.0, 0.5, 0.5, "", "transport exponent"),
    "D_offset": Range(-1e5, 1e5, 0.0, 10.0, 200.0, "Å²/s", "constant transport"),
    "gamma_dot_t0": Range(1e-6, 0.5, 0.01, 0.01, 0.1, "1/s", "shear-rate amplitude"),
    "beta": Range(-2.0, 2.0, 0.0, 0.0, 0.5, "", "shear-rate exponent"),
    "gamma_dot_t_offset": Range(-0.1, 0.1, 0.0, 0.0, 0.02, "1/s", "constant shear"),
    "phi0": Range(-10.0, 10.0, 0.0, 0.0, 5.0, "degree", "direction of flow"),
}
"""By canonical name."""


class Violation(NamedTuple):
    """What is wrong with a value, and how badly."""

    param: str
    value: float
    severity: str
    message: str


def model_name(model: str) -> str:
    """Name of a model or of one of its aliases.

    Raises:
        ModelError: no such model.
    """
    name = MODEL_ALIASES.get(model, model)
    if name not in MODELS:
        known = [*MODELS, *MODEL_ALIASES]
        near = difflib.get_close_matches(model, known, n=1)
        hint = f"; did you mean {near[0]!r}?" if near else ""
        raise ModelError(f"model {model!r} is not known; there are {known}{hint}")
    return name


def physical_names(model: str) -> tuple[str, ...]:
    """Names of the physical parameters, in the order of every vector."""
    return MODELS[model_name(model)]


def all_names(model: str, n_angles: int) -> tuple[str, ...]:
    """contrast_0 …, offset_0 …, then the physical parameters."""
    scaling = (f"{s}_{i}" for s in SCALING for i in range(n_angles))
    return (*scaling, *physical_names(model))


def count(model: str, n_angles: int) -> int:
    """Number of parameters: 3 + 2n or 7 + 2n."""
    return len(physical_names(model)) + 2 * n_angles


def canonical(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values under the canonical names.

    Raises:
        ParameterError: the same quantity under two names.
    """
    out: dict[str, Any] = {}
    for name, value in values.items():
        known = ALIASES.get(name, name)
        if known in out:
            raise ParameterError(f"{known!r} is given twice, once as an alias")
        out[known] = value
    return out


def parameter_set(
    model: str,
    values: Mapping[str, float] | None = None,
    bounds: Iterable[Mapping[str, Any]] = (),
    active: Sequence[str] | None = None,
    fixed: Mapping[str, float] | None = None,
    priors: bool = True,
) -> ParameterSet:
    """Table of a model's physical parameters.

    Args:
        model: a model or alias.
        values: start values; the others are the defaults, drawn into changed bounds.
        bounds: changes, each a mapping with name and any of min, max, prior_mu,
            prior_sigma, type ("TruncatedNormal" or "Uniform").
        active: the parameters to vary; default all that are not fixed.
        fixed: values that are held.
        priors: truncated normals of the table; else uniform between the bounds.

    Raises:
        ParameterError: an unknown name or key, min ≥ max, a start value outside its
            bounds, a name both active and fixed, or a value that is not finite.
    """
    names = physical_names(model)
    values, fixed = canonical(values or {}), canonical(fixed or {})
    active = None if active is None else [ALIASES.get(n, n) for n in active]
    changes = {ALIASES.get(e["name"], e["name"]): e for e in map(_change, bounds)}
    for given in (
        values,
        fixed,
        active or (),
        [n for n in changes if n not in SCALING],
    ):
        for name in given:
            if name not in names:
                raise ParameterError(
                    f"{model!r} has no parameter {name!r}; there are "
                    f"{list(names)}{_nearest(name, names)}"
                )
    both = sorted(set(active or ()) & set(fixed))
    if both:
        raise ParameterError(f"{both} are both active and fixed")
    out = []
    for name in names:
        r = merged(name, changes.get(name, {}))
        held = name in fixed or (active is not None and name not in active)
        value = fixed.get(name, values.get(name, min(max(r.start, r.lo), r.hi)))
        uniform = str(changes.get(name, {}).get("type", "")).lower() == "uniform"
        out.append(
            Parameter(
                name,
                value,
                r.unit,
                (r.lo, r.hi),
                prior=prior.named("truncated_normal", r.mean, r.sd, r.lo, r.hi)
                if priors and not uniform
                else None,
                fixed=held,
                doc=r.doc,
            )
        )
    return ParameterSet(out)


def _nearest(given: Any, known: Sequence[str]) -> str:
    """A question about the known name that is most like a given one, or nothing."""
    lowered = {k.lower(): k for k in known}
    near = difflib.get_close_matches(str(given).lower(), list(lowered), n=1)
    return f"; did you mean {lowered[near[0]]!r}?" if near else ""


def _change(entry: Any) -> Mapping[str, Any]:
    """An entry of `bounds`, if it is one."""
    if not isinstance(entry, Mapping) or "name" not in entry:
        raise ParameterError(
            f"bounds hold {entry!r}; expected a list of mappings as in "
            "[{'name': 'D0', 'min': 1.0, 'max': 1e5}]"
        )
    for key in entry:
        if key not in CHANGES:
            raise ParameterError(
                f"bounds of {entry['name']!r} have {key!r}; expected some of "
                f"{list(CHANGES)}{_nearest(key, CHANGES)}"
            )
    kind = str(entry.get("type", TYPES[0]))
    if kind.lower() not in TYPES:
        raise ParameterError(
            f"type of {entry['name']!r} is {kind!r}; expected 'TruncatedNormal' or "
            f"'Uniform'"
        )
    return entry


def merged(name: str, change: Mapping[str, Any]) -> Range:
    """The default range of a parameter with a user's changes."""
    r = DEFAULTS[name]
    given = {
        "lo": change.get("min"),
        "hi": change.get("max"),
        "mean": change.get("prior_mu"),
        "sd": change.get("prior_sigma"),
    }
    numbers = {k: float(v) for k, v in given.items() if v is not None}
    for k, v in numbers.items():
        if not math.isfinite(v):
            raise ParameterError(f"{k} of {name!r} is {v}; expected a finite number")
    r = r._replace(**numbers)
    if not r.lo < r.hi:
        raise ParameterError(
            f"bounds of {name!r} are ({r.lo}, {r.hi}); expected lo < hi"
        )
    if not r.sd > 0:
        raise ParameterError(f"prior_sigma of {name!r} is {r.sd}; expected > 0")
    return r


def violations(
    values: Mapping[str, float], min_severity: str = "info"
) -> list[Violation]:
    """What is impossible ("error"), doubtful ("warning") or notable ("info").

    Errors stop a fit; the others are recorded with its result.
    """
    if min_severity not in SEVERITIES:
        raise ModelError(
            f"min_severity is {min_severity!r}; expected one of {list(SEVERITIES)}"
        )
    v = canonical(values)
    found = [
        Violation(name, float(v[name]), *verdict)
        for name, verdict in ((n, _verdict(n, v)) for n in v)
        if verdict is not None
    ]
    least = SEVERITIES.index(min_severity)
    return [f for f in found if SEVERITIES.index(f.severity) >= least]


def _verdict(name: str, v: Mapping[str, float]) -> tuple[str, str] | None:
    """The worst that can be said of one value."""
    x = float(v[name])
    if not math.isfinite(x):
        return "error", f"{name} is not finite"
    rules: dict[str, list[tuple[bool, str, str]]] = {
        "D0": [
            (x <= 0, "error", "must be positive"),
            (x > 1e7, "warning", "is larger than 1e7 Å²/s"),
        ],
        "alpha": [
            (x < -1.5 or x > 1, "warning", "lies outside [-1.5, 1]"),
            (abs(x) < 0.1, "info", "is close to 0: Brownian motion"),
        ],
        "D_offset": [
            (x < 0, "warning", "is negative"),
            (x > 0.5 * v.get("D0", math.inf) > 0, "info", "is more than half of D0"),
        ],
        "gamma_dot_t0": [
            (x < 0, "error", "must not be negative"),
            (x > 0.5, "warning", "is larger than 0.5 1/s"),
            (0 < x < 1e-6, "info", "is below 1e-6 1/s"),
        ],
        "beta": [(abs(x) > 2, "warning", "lies outside [-2, 2]")],
        "gamma_dot_t_offset": [(abs(x) > 0.1, "warning", "exceeds 0.1 1/s")],
        "phi0": [(abs(x) > 10, "info", "is more than 10 degrees")],
        "contrast": [
            (x <= 0 or x > 1, "error", "must lie in (0, 1]"),
            (x < 0.1, "warning", "is below 0.1"),
        ],
        "offset": [
            (x <= 0, "error", "must be positive"),
            (x < 0.5 or x > 1.5, "warning", "lies outside [0.5, 1.5]"),
        ],
    }
    for wrong, severity, message in rules.get(re.sub(r"_\d+$", "", name), []):
        if wrong:
            return severity, f"{name} = {x:.6g} {message}"
    return None
