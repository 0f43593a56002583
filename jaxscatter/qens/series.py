"""Joint fits of a series: temperatures, incident energies, wavelengths.

`js.joint` makes one problem of several. Over temperatures a rate or a diffusion
coefficient follows Arrhenius' law,

    X(T) = X_ref exp[-(E_a/R)(1/T - 1/T_ref)],

written about a temperature T_ref inside the series, where X_ref and E_a are hardly
correlated (about T = ∞, as X₀, they are almost one number).

Units: temperatures in K, E_a in kJ/mol, X in its own unit.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np

from ..constants import GAS_CONSTANT
from ..errors import DataError, ParameterError
from ..problem import JointProblem, Parameter, Problem, joint


def arrhenius(
    problems: Sequence[Problem],
    temperatures: Sequence[float],
    names: Sequence[str] | str,
    *,
    shared: Sequence[str] = (),
    reference: float | None = None,
    energy: tuple[float, float] = (-50.0, 100.0),
    decreasing: Sequence[str] = ("tau", "tau_site", "tau_relax"),
    parameters: Mapping[str, Any] | None = None,
) -> JointProblem:
    """One problem of a temperature series, with Arrhenius laws for some parameters.

    Each of `names` becomes `NAME_ref`, its value at `reference`, and `E_NAME`, its
    activation energy; the values at each temperature, `NAME[T]`, are tied to them.
    Amplitudes and backgrounds stay each data set's own, and so does every other
    parameter that is not `shared`.

    Args:
        problems: one per temperature, of the same model.
        temperatures: in K.
        names: parameters that follow the law.
        shared: parameters with one value for all temperatures.
        reference: T_ref in K; default the harmonic mean of the temperatures.
        energy: bounds of the activation energies, kJ/mol.
        decreasing: parameters that fall with temperature (times), whose law has the
            opposite sign, so that E_a is positive for them too.
        parameters: changes to the joint table.

    Raises:
        DataError: temperatures that do not belong to the problems.
        ParameterError: a name that is not a free parameter of every problem.
    """
    t = np.asarray(temperatures, dtype=float)
    if t.shape != (len(problems),) or not np.all(np.isfinite(t) & (t > 0)):
        raise DataError(
            f"temperatures are {list(temperatures)} for {len(problems)} problems; "
            "expected one positive number of K each"
        )
    if len(set(t.tolist())) < 2:
        raise DataError(f"temperatures are all {t[0]} K; expected a series")
    names = (names,) if isinstance(names, str) else tuple(names)
    middle = float(reference or 1 / np.mean(1 / t))
    labels = _labels(t)
    added: dict[str, Any] = {}
    ties: dict[str, Any] = {}
    for name in names:
        for problem, label in zip(problems, labels, strict=True):
            if name not in problem.parameters.names:
                raise ParameterError(
                    f"the problem at {label} has no parameter {name!r}; there are "
                    f"{list(problem.parameters.names)}"
                )
        rows = [p.parameters[name] for p in problems]
        for row, label in zip(rows, labels, strict=True):
            if row.local or row.fixed or row.tie is not None:
                kind = "local (one per Q)" if row.local else "not free"
                raise ParameterError(
                    f"{name!r} at {label} is {kind}; a law over temperature needs one "
                    "free value per temperature"
                )
            if not float(row.value) > 0:
                raise ParameterError(
                    f"{name!r} starts at {float(row.value):g} at {label}; expected a "
                    "positive value, whose logarithm is linear in 1/T"
                )
        sign = -1.0 if name in decreasing else 1.0
        low, high = min(float(r.lo) for r in rows), max(float(r.hi) for r in rows)
        start = float(np.exp(np.mean([math.log(float(r.value)) for r in rows])))
        added[f"{name}_ref"] = Parameter(
            f"{name}_ref",
            start,
            rows[0].unit,
            (low, high),
            doc=f"{name} at {middle:.5g} K",
        )
        added[f"E_{name}"] = Parameter(
            f"E_{name}",
            float(np.clip(15.0, 0.9 * energy[0], 0.9 * energy[1])),
            "kJ/mol",
            energy,
            doc=f"activation energy of {name}",
        )
        for label, at in zip(labels, t, strict=True):
            slope = sign * 1e3 / GAS_CONSTANT * (1 / float(at) - 1 / middle)
            ties[f"{name}[{label}]"] = (_law(slope), (f"{name}_ref", f"E_{name}"))
    return joint(
        *problems,
        shared=tuple(shared),
        ties=ties,
        names=labels,
        parameters={**added, **(parameters or {})},
    )


def _law(slope: float) -> Callable[[Any, Any], Any]:
    """X_ref exp(-E k), with k = (1/T - 1/T_ref)/R."""

    def value(reference: Any, energy: Any) -> Any:
        return reference * jnp.exp(-energy * slope)

    return value


def _labels(t: np.ndarray) -> list[str]:
    """Names of the parts: their temperatures, numbered where they repeat."""
    plain = [f"{v:g} K" for v in t]
    return [
        f"{p} #{plain[: i + 1].count(p)}" if plain.count(p) > 1 else p
        for i, p in enumerate(plain)
    ]
