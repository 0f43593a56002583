"""The doors of QENS: `load`, `problem`, `models`, `simulate`."""

import difflib
import functools
import os
from collections.abc import Mapping, Sequence
from typing import Any

import equinox as eqx
import jax
import jax.numpy as jnp
import numpy as np

from .._types import as_float
from ..errors import DataError, ModelError, ParameterError
from ..numerics import (
    DenseConvolution,
    LorentzianTable,
    convolution,
    grid_step,
    trapezoid_weights,
)
from ..numerics import tabulate as tabulate_lorentzians
from ..problem import Amplitude, Dataset, Gaussian, Parameter, ParameterSet, Problem
from .catalogue import ForwardModel, Numbers, available_models, get_model
from .config import Config
from .forward import ORDERINGS, QensModel
from .loading import read_nxspe_with_overrides
from .reduction import (
    build_data_bins,
    build_resolution_bins,
    fit_elastic_peak,
    subtract_empty,
)
from .resolution import GaussianResolution, SeedResolution, check_mode, resolution

AMPLITUDES = ("global", "per_q", "q_smooth")
BACKGROUNDS = ("flat", "linear", "none")
INFERENCES = ("marginal", "profile", "explicit")

DIMS = {
    "omega": ("point",),
    "q": ("group",),
    "sigma": ("group",),
    "kernel": ("group", None),
    "energy": (None,),
    "weights": (None,),
    "step": (),
    "spectrum": ("group", None, None),
    "omega_max": (),
    "constants": ("group", None),
    "table": ("group", None, "point"),
    "table_scale": (),
    "window": (None,),
    "index": ("point",),
}
UNITS = {
    "omega": "meV",
    "q": "1/Å",
    "sigma": "meV",
    "kernel": "1/meV",
    "energy": "meV",
    "y": "arb. units",
}


def load(
    path: str | os.PathLike,
    resolution: str | os.PathLike | float | None = None,
    *,
    empty: str | os.PathLike | None = None,
    empty_scale: float = 1.0,
    n_q_bins: int = 12,
    energy_window: float = 1.25,
    q_min: float = 0.3,
    q_max: float = 2.5,
    q: Numbers | None = None,
    q_edges: Numbers | None = None,
    error: str = "mean",
    subtract_background: str = "none",
    energy_sign: int = 1,
    energy_unit: str = "meV",
) -> Dataset:
    """Measured S(Q, ω) in Q bins of equal occupancy, with its measured resolution.

    Sample and resolution are each shifted by their own elastic line, and each kernel
    keeps its own energy axis.

    Args:
        path: NXSPE file of the sample.
        resolution: NXSPE file of the resolution (frozen sample or vanadium), a Gaussian
            standard deviation in meV, or None for the width of the sample's own elastic
            peak, which is too wide and said so.
        empty: NXSPE file of the empty can, subtracted from the sample row by row.
        empty_scale: transmission of the sample, which multiplies the can.
        n_q_bins: number of bins.
        energy_window: half width in meV.
        q_min: lower end of the first bin in 1/Å.
        q_max: upper end of the last bin in 1/Å.
        q: Q of the rows in 1/Å, where the file's angles do not give it.
        q_edges: edges of the rows' Q bins in 1/Å, instead of q.
        error: "mean" is the standard error of the bin's mean; "rms" that of one row.
        subtract_background: constant under the kernels: "none", "min", "edges".
        energy_sign: -1 if the file counts neutron energy gain as positive.
        energy_unit: "meV" or "ueV" of the file.

    Raises:
        FileNotFoundError, FormatError: no such file, or not NXSPE.
        DataError: no good row in the window.
    """
    cfg = Config(
        q_min=q_min, q_max=q_max, energy_window=energy_window, n_q_bins=n_q_bins
    )
    how: dict[str, Any] = {
        "q": q,
        "q_edges": q_edges,
        "energy_sign": energy_sign,
        "energy_unit": energy_unit,
    }
    sample = read_nxspe_with_overrides(path, **how)
    if empty is not None:
        can = read_nxspe_with_overrides(empty, **how)
        sample = subtract_empty(sample, can, empty_scale)
    e0, sigma = fit_elastic_peak(sample)
    bins = build_data_bins(sample, cfg, error=error)
    said: tuple[str, ...] = ()
    meta = {
        "technique": "qens",
        "x": "omega",
        "group": "q",
        "sample": str(os.fspath(path)),
        "ei": float(sample["ei"]),
        "e0": e0,
        "y_label": "S(Q, ω)",
    }
    if empty is not None:
        meta |= {"empty": str(os.fspath(empty)), "empty_scale": float(empty_scale)}
    kernels: Any
    if resolution is None:
        said = (
            "no resolution was given: the width of the sample's own elastic peak "
            f"({sigma:.4g} meV) stands in for it, which is too wide",
        )
        kernels = sigma
    elif isinstance(resolution, int | float):
        kernels = float(resolution)
    else:
        frozen = read_nxspe_with_overrides(resolution, **how)
        meta["resolution_e0"], _ = fit_elastic_peak(frozen)
        meta["resolution"] = str(os.fspath(resolution))
        kernels = build_resolution_bins(frozen, cfg, [b[3] for b in bins])
    return from_bins(bins, kernels, subtract_background, {**meta, "warnings": said})


def from_bins(
    bins: Sequence[tuple],
    sigma_res: Any,
    subtract_background: str = "none",
    metadata: Mapping[str, Any] | None = None,
    mode: str = "exact",
) -> Dataset:
    """Dataset of bins (omega, spectrum, errors, q) on one energy axis.

    Args:
        bins: one per Q; points without a positive error are masked.
        sigma_res: σ in meV; one kernel for all Q, or one per Q, each on the axis of
            omega or as a pair (energies, kernel).
        subtract_background: see `resolution`.
        metadata: kept with the data.
        mode: "exact" or "seed".

    Raises:
        DataError: no bins, different axes, Q < 0, or a kernel that cannot be used.
    """
    check_mode(mode)
    if not len(bins):
        raise DataError("there are no Q bins")
    omega = np.asarray(bins[0][0], dtype=float)
    grid_step(omega, "omega")
    for k, row in enumerate(bins):
        for name, part in zip(("omega", "spec", "errs"), row[:3], strict=True):
            if np.shape(part) != omega.shape:
                raise DataError(
                    f"{name} of bin {k} has shape {np.shape(part)}; expected "
                    f"{omega.shape}, that of omega in the first bin"
                )
        if not np.allclose(row[0], omega, rtol=0, atol=1e-9):
            raise DataError(f"omega of bin {k} differs from that of the first bin")
        if not (np.isfinite(row[3]) and row[3] >= 0):
            raise DataError(f"q of bin {k} is {row[3]}; expected a number >= 0")
    spec, errs = (np.array([b[i] for b in bins], dtype=float) for i in (1, 2))
    mask = np.isfinite(spec) & np.isfinite(errs) & (errs > 0)
    coords: dict[str, Any] = {
        "omega": omega,
        "q": np.array([b[3] for b in bins], dtype=float),
    }
    coords |= _resolution_coords(omega, len(bins), sigma_res, subtract_background, mode)
    return Dataset(
        np.where(mask, spec, 0.0),
        np.where(mask, errs, 1.0),
        mask,
        coords,
        {k: DIMS[k] for k in coords},
        {k: u for k, u in UNITS.items() if k in coords or k == "y"},
        {"technique": "qens", "x": "omega", "group": "q", **(metadata or {})},
    )


def _resolution_coords(
    omega: np.ndarray, groups: int, sigma_res: Any, subtract: str, mode: str
) -> dict[str, Any]:
    """Coordinates that describe the resolution of every group."""
    per_group = _per_group(sigma_res, groups, omega.size)
    made = [resolution(omega, s, mode, subtract) for s in per_group]
    kinds = {isinstance(m, GaussianResolution) for m in made}
    if len(kinds) > 1:
        raise DataError("sigma_res mixes widths and kernels; give one kind for all Q")
    if isinstance(made[0], GaussianResolution):
        return {"sigma": np.array([float(m.sigma) for m in made])}  # type: ignore[union-attr]
    if isinstance(made[0], SeedResolution):
        return {
            "kernel": np.array([m.kernel for m in made]),  # type: ignore[union-attr]
            "step": np.array(float(made[0].step)),
        }
    energy = per_group[0][0] if isinstance(per_group[0], tuple) else omega
    energy = np.asarray(energy, dtype=float)
    from ..numerics import normalise_kernel

    kernels = []
    for k, s in enumerate(per_group):
        own, values = s if isinstance(s, tuple) else (omega, s)
        if np.shape(own) != energy.shape or not np.allclose(own, energy, atol=1e-9):
            raise DataError(f"kernel {k} has another energy axis than the first one")
        kernels.append(normalise_kernel(values, energy, subtract))  # type: ignore[arg-type]
    return {"kernel": np.array(kernels), "energy": energy}


def _per_group(sigma_res: Any, groups: int, n: int) -> list[Any]:
    """One resolution per Q from a scalar, a kernel, a pair, or a list of them."""
    if isinstance(sigma_res, tuple):
        return [sigma_res] * groups
    if not isinstance(sigma_res, list):
        sigma_res = np.asarray(sigma_res, dtype=float)
        if sigma_res.ndim == 0:
            return [sigma_res] * groups
    flat = all(not isinstance(s, tuple) and np.ndim(s) == 0 for s in sigma_res)
    # as many numbers as energies are one kernel, even if there are as many bins
    if flat and len(sigma_res) == n:
        return [np.asarray(sigma_res, dtype=float)] * groups
    if len(sigma_res) == groups:
        return list(sigma_res)
    raise DataError(
        f"sigma_res has {len(sigma_res)} entries; expected a number, one kernel of {n} "
        f"points, or one per Q bin ({groups})"
    )


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
    likelihood: Gaussian | None = None,
    chunk: int | None = None,
    **extras: Any,
) -> Problem:
    """A QENS problem: one line shape per Q bin, amplitudes and backgrounds solved for.

    Args:
        data: from `load`, `simulate` or `from_bins`.
        model: a registered name or a `ForwardModel`.
        amplitude: "global" (one for all Q; default where the model has u2, which only
            this makes visible), "per_q", or "q_smooth" (c0 + c1 Q).
        background: "flat", "linear" or "none", per Q, not convolved.
        inference: of the amplitudes in a posterior: "marginal", "profile" (intervals
            too narrow) or "explicit" (sampled, half-normal).
        center: shift of the model in meV: "fixed" at 0, "global" or "per_q".
        ordering: of a symmetric top: "oblate" (D_s > D_t), "prolate" or None for both.
            Starts and posterior draws keep to that side; a fit may leave it.
        parameters: values or fields by name, such as {"u2": {"fixed": True}}.
        likelihood: `Gaussian()` noise options.
        chunk: energies held at a time; None means all.
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
        ("background", background, BACKGROUNDS),
        ("inference", inference, INFERENCES),
        ("ordering", ordering, ORDERINGS),
        ("center", center, ("fixed", "global", "per_q")),
    ):
        if value not in known:
            raise ModelError(f"{name} is {value!r}; expected one of {list(known)}")
    for name in ("omega", "q"):
        if name not in data.coords:
            raise DataError(f"the data have no coordinate {name!r}; use js.qens.load")
    settings = _settings(forward, extras)
    tabulate = forward.components is not None and center == "fixed"
    data, kind, band_limited, tabulated = _with_resolution(data, tabulate)
    if forward.constants is not None:
        constants = functools.partial(forward.constants, **settings)
        per_q = jax.jit(jax.vmap(constants))(jnp.asarray(data.coords["q"]))
        data = data.with_coords({"constants": np.asarray(per_q)}, DIMS)
    table = list(forward.parameters())
    if center != "fixed":
        window = float(np.max(np.abs(data.coords["omega"])))
        table.append(
            Parameter(
                "center",
                0.0,
                "meV",
                (-0.1 * window, 0.1 * window),
                local=center == "per_q",
                doc="shift of the model along energy",
            )
        )
    parameter_set = ParameterSet(table)
    if ordering is not None:
        parameter_set = _ordered(parameter_set, ordering, forward.name, parameters)
    built = QensModel(
        parameters=parameter_set,
        amplitudes=_amplitudes(amplitude, background),
        forward=forward,
        extras=tuple(sorted(settings.items())),
        resolution=kind,
        band_limited=band_limited,
        tabulated=tabulated,
        amplitude=amplitude,
        background=background,
        n_omega=data.n_points,
        ordering=ordering,
    )
    out = Problem(
        built,
        data,
        parameters,
        likelihood,
        chunk=chunk,
        warnings=tuple(data.metadata.get("warnings", ())),
        linear_mode="profile" if inference == "profile" else None,
    )
    return out.with_(explicit=_half_normal(out)) if inference == "explicit" else out


def _settings(forward: ForwardModel, extras: Mapping[str, Any]) -> dict[str, Any]:
    known = dict(forward.extras or {})
    for name in extras:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise TypeError(
                f"model {forward.name!r} has no setting {name!r}; there are "
                f"{sorted(known)}{hint}"
            )
    settings = {**known, **extras}
    if "radius" in settings and not settings["radius"] > 0:
        raise ParameterError(
            f"radius is {settings['radius']} Å; expected a positive length"
        )
    if "lmax" in settings:
        lmax = settings["lmax"]
        if lmax != int(lmax) or lmax < 0:
            raise ParameterError(f"lmax is {lmax}; expected an integer >= 0")
        settings["lmax"] = int(lmax)
    return settings


def _with_resolution(data: Dataset, tabulate: bool) -> tuple[Dataset, str, bool, bool]:
    """Data with what is constant in a fit precomputed, and which kinds they are."""
    coords, dims = dict(data.coords), dict(data.dims)
    omega = np.asarray(coords["omega"])
    kind, band_limited = "gaussian", True
    made: list[Any]
    if "kernel" in coords and "energy" not in coords:
        kind, made = "seed", []
        coords["window"], coords["index"] = omega, np.arange(omega.size)
    elif "kernel" in coords:
        made = [convolution(omega, coords["energy"], k) for k in coords["kernel"]]
        if isinstance(made[0], DenseConvolution):
            kind, band_limited = "dense", made[0].band_limited
            coords["weights"] = trapezoid_weights(coords["energy"])
        else:
            kind = "uniform"
            coords["step"] = np.array(float(made[0].step))
            coords["spectrum"] = np.array([m.spectrum for m in made])
    elif "sigma" in coords:
        made = [
            GaussianResolution(as_float(omega), as_float(s)) for s in coords["sigma"]
        ]
    else:
        raise DataError(
            "the data have no resolution; give js.qens.load(..., resolution=...)"
        )
    coords["omega_max"] = np.array(float(np.max(np.abs(omega))))
    table = _table(made, omega) if tabulate and made else None
    if table is not None:
        coords["table"], coords["table_scale"] = (
            table.coefficients,
            np.array(table.scale),
        )
    dims |= {k: DIMS[k] for k in coords if k not in dims}
    new = Dataset(
        data.y,
        data.sigma if data.sigma_given else None,
        np.asarray(data.mask) > 0,
        coords,
        dims,
        dict(data.units),
        data.metadata,
    )
    return new, kind, band_limited, table is not None


@eqx.filter_jit
def _profiles(made: Any, gammas: Any) -> Any:
    """Convolved unit Lorentzians (width, group, ω) of stacked resolutions."""

    def width(gamma: Any) -> Any:
        one = jnp.ones(1)
        return jax.vmap(lambda r: r.lorentzians(one, gamma[None]))(made)

    return jax.lax.map(width, gammas)


def _table(made: list[Any], omega: np.ndarray) -> LorentzianTable | None:
    """Convolved Lorentzians of every width, for all groups; None if not accurate."""
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *made)
    return tabulate_lorentzians(
        lambda g: _profiles(stacked, g), float(omega[-1] - omega[0]) / 2
    )


def _amplitudes(amplitude: str, background: str) -> tuple[Amplitude, ...]:
    out = {
        "global": [Amplitude("amplitude", lower=0.0, shared=True)],
        "per_q": [Amplitude("amplitude", lower=0.0)],
        # c0 + c1 Q may have either sign in its slope, so neither has a bound
        "q_smooth": [Amplitude("c0", shared=True), Amplitude("c1", shared=True)],
    }[amplitude]
    if background in ("flat", "linear"):
        out.append(Amplitude("background", lower=0.0))
    if background == "linear":
        out.append(Amplitude("slope"))
    return tuple(out)


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
