"""QENS problems: `problem`, `models`, `simulate`."""

import functools
from collections.abc import Mapping
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np
from scipy.special import spherical_jn

from ..errors import DataError, ModelError, ParameterError
from ..problem import (
    Amplitude,
    Dataset,
    Gaussian,
    Likelihood,
    Parameter,
    ParameterSet,
    Poisson,
    Problem,
)
from .background import background_amplitudes
from .catalogue import available_models, get_model
from .confinement import well_terms
from .dataset import DIMS, from_bins
from .forward import ORDERINGS, QensModel
from .forward_model import ForwardModel, Numbers
from .instrument import at_temperature, center_parameters, prepared

AMPLITUDES = ("global", "per_q", "q_smooth")
INFERENCES = ("marginal", "profile", "explicit")
LIKELIHOODS: dict[str, Likelihood] = {
    "gaussian": Gaussian(),
    "poisson": Poisson(),
    "student_t": Gaussian(loss="student_t"),
    "scale": Gaussian("scale"),
    "jitter": Gaussian("jitter"),
}


def problem(
    data: Dataset,
    model: str | ForwardModel = "anisotropic_rotor",
    *,
    amplitude: str | None = None,
    background: str = "flat",
    inference: str = "marginal",
    center: str = "fixed",
    ordering: str | None = None,
    parameters: Mapping[str, Any] | None = None,
    likelihood: Likelihood | str | None = None,
    chunk: int | None = None,
    temperature: float | int | None = None,
    detailed_balance: str = "bose",
    **extras: Any,
) -> Problem:
    """A QENS problem: one line shape per Q bin, amplitudes and backgrounds solved for.

    Args:
        data: from `load`, `simulate` or `from_bins`.
        model: a registered name, an expression such as
            "jump * isotropic * debye_waller", or a `ForwardModel`.
        amplitude: "global" (one for all Q; default where the model has u2, which only
            this makes visible), "per_q", or "q_smooth" (c0 + c1 Q).
        background: "flat", "linear", "quadratic" or "none", per Q, not convolved.
        inference: of the amplitudes in a posterior: "marginal", "profile" (intervals
            too narrow) or "explicit" (sampled, half-normal).
        center: shift of the model in meV: "fixed" at 0, "global" or "per_q".
        ordering: of a symmetric top: "oblate" (D_s > D_t), "prolate" or None for both.
            Starts and posterior draws keep to that side; a fit may leave it.
        parameters: values or fields by name, such as {"u2": {"fixed": True}} or
            {"hwhm": {"local": True}}, one value per Q.
        likelihood: `js.Gaussian(...)` noise options, `js.Poisson()` for counts, or a
            word: "gaussian", "poisson", "student_t" (far points pull less), "scale"
            (one free factor on all errors) or "jitter" (a free error to add).
        chunk: energies held at a time; None means all.
        temperature: in K, for detailed balance; None leaves S symmetric in ω.
        detailed_balance: "bose", x/(1 - exp(-x)), or "exp_half", exp(x/2), with
            x = ω/k_B T and ω > 0 where the neutron loses energy.
        extras: of the model: radius (Å), lmax, angle (degrees), renormalize.

    Raises:
        KeyError: unknown model. TypeError: unknown extra.
        ModelError, DataError: options that do not exist or fit.
    """
    forward = get_model(model) if isinstance(model, str) else model
    default = "global" if "u2" in forward.param_names else "per_q"
    amplitude = default if amplitude is None else amplitude
    for name, value, known in (
        ("amplitude", amplitude, AMPLITUDES),
        ("inference", inference, INFERENCES),
        ("ordering", ordering, ORDERINGS),
    ):
        if value not in known:
            raise ModelError(f"{name} is {value!r}; expected one of {list(known)}")
    for name in ("omega", "q"):
        if name not in data.coords:
            raise DataError(f"the data have no coordinate {name!r}; use js.qens.load")
    q_max = float(np.max(data.coords["q"]))
    settings = _settings(forward, extras, q_max)
    if temperature is not None and forward.components is None:
        raise ModelError(
            f"model {forward.name!r} is a `predict` function, which has to apply "
            "detailed balance itself; leave `temperature` out"
        )
    columns = _amplitudes(amplitude, background)
    parameter_set = ParameterSet(
        [*forward.parameters(), *center_parameters(data, center)]
    )
    data, balance = at_temperature(data, temperature, detailed_balance)
    tabulate = forward.components is not None and center == "fixed"
    data, instrument = prepared(data, tabulate)
    if forward.constants is not None:
        constants = functools.partial(forward.constants, **settings)
        per_q = jax.jit(jax.vmap(constants))(jnp.asarray(data.coords["q"]))
        data = data.with_coords({"constants": np.asarray(per_q)}, DIMS)
    if ordering is not None:
        parameter_set = _ordered(parameter_set, ordering, forward.name, parameters)
    built = QensModel(
        parameters=parameter_set,
        amplitudes=columns,
        forward=forward,
        extras=tuple(sorted(settings.items())),
        instrument=instrument,
        amplitude=amplitude,
        background=background,
        ordering=ordering,
        detailed_balance=balance,
    )
    out = Problem(
        built,
        data,
        parameters,
        named_likelihood(likelihood),
        chunk=chunk,
        warnings=(
            *data.metadata.get("warnings", ()),
            *_truncated(forward, settings, extras, q_max),
        ),
        linear_mode="profile" if inference == "profile" else None,
    )
    return out.with_(explicit=_half_normal(out)) if inference == "explicit" else out


def named_likelihood(likelihood: Likelihood | str | None) -> Likelihood | None:
    """A likelihood, or that of a word.

    Raises:
        ModelError: a word that is not one of `LIKELIHOODS`.
    """
    if not isinstance(likelihood, str):
        return likelihood
    if likelihood not in LIKELIHOODS:
        raise ModelError(
            f"likelihood is {likelihood!r}; expected one of {list(LIKELIHOODS)}"
        )
    return LIKELIHOODS[likelihood]


def _settings(
    forward: ForwardModel, extras: Mapping[str, Any], q_max: float
) -> dict[str, Any]:
    settings = forward.settled(extras)
    if "radius" in settings and not settings["radius"] > 0:
        raise ParameterError(
            f"radius is {settings['radius']} Å; expected a positive length"
        )
    if "lmax" in settings:
        lmax = settings["lmax"]
        if lmax != int(lmax) or lmax < 0:
            raise ParameterError(f"lmax is {lmax}; expected an integer >= 0")
        settings["lmax"] = int(lmax)
    if "u2_well" in forward.param_names and "terms" not in extras:
        reach = float(forward.parameters()["u2_well"].hi)
        settings["terms"] = max(settings["terms"], well_terms(q_max, reach))
    if forward.components is not None:
        # a setting that the physics refuses is refused here, by the kernel's own words
        theta = {p.name: jnp.asarray(p.value) for p in forward.parameters()}
        one = functools.partial(forward.components, theta=theta, **settings)
        jax.eval_shape(one, jnp.asarray(1.0))
    return settings


def _truncated(
    forward: ForwardModel, settings: Mapping[str, Any], given: Any, q_max: float
) -> tuple[str, ...]:
    """A sentence where the default lmax of a composition leaves out intensity."""
    if "lmax" in given or "lmax" not in settings or not forward.needs:
        return ()
    if settings.get("renormalize") or "radius" not in settings:
        return ()
    order = np.arange(200)
    each = (2 * order + 1) * spherical_jn(order, q_max * settings["radius"]) ** 2
    held = np.cumsum(each)
    if held[settings["lmax"]] > 0.98:
        return ()
    enough = int(np.argmax(held > 0.99))
    lmax = settings["lmax"]
    return (
        f"lmax = {lmax} (the default) holds {held[lmax]:.0%} of the rotation's "
        f"intensity at Q = {q_max:.3g} 1/Å; lmax={enough} holds 99 %",
    )


def _amplitudes(amplitude: str, background: str) -> tuple[Amplitude, ...]:
    out = {
        "global": [Amplitude("amplitude", lower=0.0, shared=True)],
        "per_q": [Amplitude("amplitude", lower=0.0)],
        # c0 + c1 Q may have either sign in its slope, so neither has a bound
        "q_smooth": [Amplitude("c0", shared=True), Amplitude("c1", shared=True)],
    }[amplitude]
    return (*out, *background_amplitudes(background))


def _half_normal(out: Problem) -> dict[str, Parameter]:
    """Explicit amplitudes: half-normal (normal if unbounded), ten times their size."""
    from ..problem import prior

    solved = np.asarray(out.amplitudes(out.start()))
    groups = out.data.n_groups
    table = {}
    for i, a in enumerate(out.linear):
        values = solved[:, i]
        size = float(np.max(np.abs(values))) or 1.0
        start = float(values[0]) if a.shared else values
        nonnegative = np.isfinite(a.lower)
        # not on the bound itself, where the logarithm has no start
        start = np.maximum(start, 1e-3 * size) if nonnegative else np.asarray(start)
        wide = 10 * size
        table[a.name] = Parameter(
            a.name,
            float(start) if a.shared else np.broadcast_to(start, (groups,)),
            bounds=(a.lower, np.inf),
            prior=prior.named("half_normal", wide)
            if nonnegative
            else prior.named("normal", 0.0, wide),
            scale=size,
            local=not a.shared,
        )
    return table


def _ordered(
    table: ParameterSet, ordering: str, name: str, given: Mapping[str, Any] | None
) -> ParameterSet:
    """Start values on the side of D_s = D_t that was asked for."""
    if not {"D_t", "D_s"} <= set(table.names):
        raise ModelError(f"ordering is for symmetric tops; {name!r} has no D_t and D_s")
    if given and {"D_t", "D_s"} & set(given):
        return table
    low, high = 0.1, 0.4
    d_t, d_s = (low, high) if ordering == "oblate" else (high, low)
    return table.with_(D_t=d_t, D_s=d_s)


@eqx.filter_jit
def _curves(problem: Problem, x: Any, a: Any) -> Any:
    return problem.predict(x, a)


def models() -> dict[str, ParameterSet]:
    """Registered models with their parameter tables."""
    return {name: get_model(name).parameters() for name in available_models()}


def simulate(
    model: str | ForwardModel = "anisotropic_rotor",
    values: Mapping[str, float] | None = None,
    *,
    q: Numbers,
    omega: Numbers,
    sigma_res: Any,
    amplitude: float = 1.0,
    background: float = 0.0,
    noise: float = 0.01,
    seed: int = 0,
    **extras: Any,
) -> Dataset:
    """Simulated S(Q, ω) with Gaussian noise.

    Args:
        model: a registered name or a `ForwardModel`.
        values: parameters by name; the others keep their start values.
        q: Q bins in 1/Å.
        omega: energies in meV.
        sigma_res: resolution, as for `from_bins`.
        amplitude: of every Q, in arbitrary units.
        background: of every Q, in arbitrary units per meV.
        noise: standard deviation at the highest point, as a fraction of it; it goes
            with the square root of the signal below (floor a tenth).
        seed: of the noise.
        extras: of the model.
    """
    forward = get_model(model) if isinstance(model, str) else model
    omega, q = np.asarray(omega, dtype=float), np.atleast_1d(np.asarray(q, dtype=float))
    zero = [(omega, np.zeros_like(omega), np.ones_like(omega), float(k)) for k in q]
    blank = from_bins(zero, sigma_res, metadata={"sample": "simulated"})
    bare = problem(blank, forward, amplitude="per_q", background="none", **extras)
    unknown = set(values or {}) - set(bare.parameters.names)
    if unknown:
        raise ParameterError(
            f"{forward.name!r} has no parameters {sorted(unknown)}; there are "
            f"{list(bare.parameters.names)}"
        )
    bare = bare.with_(parameters=dict(values or {}))
    unit = jnp.ones((len(q), 1))
    shape = np.asarray(_curves(bare, bare.start(), unit))
    truth = amplitude * shape + background
    top = float(truth.max())
    sigma = noise * top * np.sqrt(np.maximum(truth / top, 0.01))
    y = truth + sigma * np.random.default_rng(seed).standard_normal(truth.shape)
    coords = dict(blank.coords)
    return Dataset(
        y,
        sigma,
        None,
        coords,
        {k: DIMS[k] for k in coords},
        dict(blank.units),
        blank.metadata,
    )
