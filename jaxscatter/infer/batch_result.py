"""Result of many independent fits: a struct of arrays, one row per fit."""

import csv
import dataclasses
import pathlib
from typing import Any

import numpy as np
from scipy import stats

from ..errors import ModelError
from ..problem import Problem
from . import trust_region as tr
from .report import columns, number, warned
from .tables import deviations

NO_DATA = -6
"""Code of a fit whose data set has no valid point."""

MESSAGES = {**tr.MESSAGES, NO_DATA: "failed: the data set has no valid point"}
"""Text of each end code of a fit in a batch; codes > 0 are successes."""


@dataclasses.dataclass(frozen=True)
class BatchFit:
    """One fit of a batch: numbers by name."""

    index: int
    values: dict[str, float]
    stderr: dict[str, float]
    units: dict[str, str]
    cov: np.ndarray
    amplitudes: dict[str, float]
    amplitude_stderr: dict[str, float]
    at_bound: tuple[str, ...]
    undetermined: tuple[str, ...]
    chi2: float
    red_chi2: float
    dof: float
    code: int
    message: str
    nit: int

    @property
    def success(self) -> bool:
        """Whether a convergence test was met."""
        return self.code > 0

    def __getitem__(self, name: str) -> float:
        known = self.values | self.amplitudes
        if name not in known:
            raise KeyError(f"no parameter {name!r}; there are {list(known)}")
        return known[name]

    def error(self, name: str) -> float:
        """Standard error of a parameter or an amplitude."""
        self[name]
        return (self.stderr | self.amplitude_stderr)[name]

    def summary(self) -> str:
        """Text table; what needs care comes first."""
        failed = "" if self.success else "NOT CONVERGED: "
        lines = [
            f"fit {self.index}: {failed}{self.message}",
            f"chi2 {self.chi2:.6g}, {self.dof:.0f} degrees of freedom, reduced "
            f"{self.red_chi2:.4g}; {self.nit} trials",
        ]
        rows = [
            [
                name,
                number(self[name], self.error(name)),
                self.units[name],
                "AT BOUND" if name in self.at_bound else "",
            ]
            for name in (*self.values, *self.amplitudes)
        ]
        lines += ["", *columns(rows, ["parameter", "value", "unit", "note"])]
        return "\n".join(lines)


@dataclasses.dataclass
class BatchResult:
    """Many fits of one model: B rows of p parameters and k solved amplitudes.

    `values`, `stderr`, `at_bound`, `undetermined` are (B, p) in the order of `names`,
    `cov` (B, p, p); `amplitudes` and what belongs to them (B, k); the rest (B,). A
    standard error is nan at a bound and inf where the data do not determine the
    parameter (`undetermined`). A fit that had nothing to start from has nan values and
    says why in its `code`, see `MESSAGES`. `scaled` tells whose covariance was
    multiplied by its reduced chi2. Of counts, `chi2` is the deviance.
    """

    names: tuple[str, ...]
    units: tuple[str, ...]
    values: np.ndarray
    stderr: np.ndarray
    cov: np.ndarray
    scaled: np.ndarray
    at_bound: np.ndarray
    undetermined: np.ndarray
    amplitude_names: tuple[str, ...]
    amplitude_units: tuple[str, ...]
    amplitudes: np.ndarray
    amplitude_stderr: np.ndarray
    amplitude_at_bound: np.ndarray
    chi2: np.ndarray
    red_chi2: np.ndarray
    dof: np.ndarray
    n_valid: np.ndarray
    code: np.ndarray
    nit: np.ndarray
    known_noise: bool = True
    warnings: tuple[str, ...] = ()
    provenance: dict[str, Any] = dataclasses.field(default_factory=dict)
    records: list[dict[str, Any]] = dataclasses.field(default_factory=list)
    many: Any = None

    kind = "batch"

    def __len__(self) -> int:
        return len(self.code)

    @property
    def success(self) -> np.ndarray:
        """Which fits met a convergence test."""
        return self.code > 0

    @property
    def failed(self) -> np.ndarray:
        """Indices of the fits that did not."""
        return np.flatnonzero(self.code <= 0)

    def __getitem__(self, index: int) -> BatchFit:
        count = len(self)
        if not -count <= index < count:
            raise IndexError(f"no fit {index}; there are {count}")
        k = int(index) % count
        known = zip(
            (*self.names, *self.amplitude_names),
            (*self.units, *self.amplitude_units),
            strict=True,
        )

        def named(names: tuple[str, ...], row: np.ndarray) -> dict[str, float]:
            return dict(zip(names, (float(v) for v in row), strict=True))

        return BatchFit(
            index=k,
            values=named(self.names, self.values[k]),
            stderr=named(self.names, self.stderr[k]),
            units=dict(known),
            cov=self.cov[k],
            amplitudes=named(self.amplitude_names, self.amplitudes[k]),
            amplitude_stderr=named(self.amplitude_names, self.amplitude_stderr[k]),
            at_bound=(
                *_where(self.names, self.at_bound[k]),
                *_where(self.amplitude_names, self.amplitude_at_bound[k]),
            ),
            undetermined=_where(self.names, self.undetermined[k]),
            chi2=float(self.chi2[k]),
            red_chi2=float(self.red_chi2[k]),
            dof=float(self.dof[k]),
            code=int(self.code[k]),
            message=MESSAGES[int(self.code[k])],
            nit=int(self.nit[k]),
        )

    def column(self, name: str) -> np.ndarray:
        """Values (B,) of a parameter or an amplitude."""
        return self._pair(name)[0]

    def error(self, name: str) -> np.ndarray:
        """Standard errors (B,) of a parameter or an amplitude."""
        return self._pair(name)[1]

    def unit(self, name: str) -> str:
        """Unit of a parameter or an amplitude."""
        self._pair(name)
        names = (*self.names, *self.amplitude_names)
        return (*self.units, *self.amplitude_units)[names.index(name)]

    def _pair(self, name: str) -> tuple[np.ndarray, np.ndarray]:
        for names, values, errors in (
            (self.names, self.values, self.stderr),
            (self.amplitude_names, self.amplitudes, self.amplitude_stderr),
        ):
            if name in names:
                at = names.index(name)
                return values[:, at], errors[:, at]
        raise KeyError(
            f"no parameter {name!r}; there are {[*self.names, *self.amplitude_names]}"
        )

    def problem(self, index: int) -> Problem:
        """Problem of one data set, starting at its fit: for `fit`, `sample`, ..."""
        fit = self[index]
        problem = self._need().problem(fit.index)
        values = [fit.values[n] for n in self.names]
        if not np.all(np.isfinite(values)):
            return problem
        named = problem.named(np.array(values))
        free = {p.name: np.asarray(named[p.name]) for p in problem.parameters.free}
        return problem.with_(parameters=free)

    def predict(self) -> np.ndarray:
        """Fitted curves (B, group, point); nan where there is no end point."""
        return self._need().curves(self.values)

    def _need(self) -> Any:
        if self.many is None:
            raise ModelError(
                "a loaded batch holds no model and no data; fit again to go on with one"
            )
        return self.many

    @property
    def data(self) -> list[dict[str, Any]]:
        """Data and fitted curves as files keep them, stacked by fit."""
        if self.many is None:
            return self.records
        given, fit = self.many.given, self.predict()
        return [
            {
                "y": np.asarray(given.y),
                "sigma": deviations(self.many.template.likelihood, given, fit),
                "mask": np.asarray(given.mask) > 0,
                "fit": fit,
                "coords": {k: np.asarray(v) for k, v in given.coords.items()},
                "dims": dict(given.dims),
                "units": dict(given.units),
            }
        ]

    def care(self, stopped: bool = False) -> list[str]:
        """What a user must know, worst first, with the indices it is about."""
        count, said = len(self), []
        if stopped:
            said.append("stopped before all fits had ended")
        for code in sorted(set(self.code[self.failed].tolist()), reverse=True):
            at = np.flatnonzero(self.code == code)
            said.append(
                f"{len(at)} of {count} fits have not converged ({MESSAGES[code]}): "
                f"{listed(at)}"
            )
        for flags, names, what in (
            (self.undetermined, self.names, "is not determined by the data"),
            (self.at_bound, self.names, "is at a bound, without a standard error,"),
            (self.amplitude_at_bound, self.amplitude_names, "is at a bound"),
        ):
            for i, name in enumerate(names):
                at = np.flatnonzero(flags[:, i])
                if len(at):
                    said.append(f"{name} {what} in {len(at)} fits: {listed(at)}")
        at = np.flatnonzero((self.dof <= 0) & (self.n_valid > 0))
        if len(at):
            said.append(f"no degrees of freedom in {len(at)} fits: {listed(at)}")
        if self.known_noise:
            tail = stats.chi2.sf(self.chi2, np.maximum(self.dof, 1))
            poor = np.flatnonzero(
                self.success & ~self.scaled & (self.dof > 0) & (tail < 1e-4)
            )
            if len(poor):
                said.append(
                    f"the model does not describe the data within their errors in "
                    f"{len(poor)} fits: {listed(poor)}"
                )
        return said

    def summary(self) -> str:
        """Text table over all fits; what needs care comes first."""
        count, good = len(self), self.success
        model = self.provenance.get("model", "")
        counts = self.provenance.get("noise") == "poisson"
        lines = [f"{model} · {count} fits".lstrip(" ·"), *warned(self.warnings)]
        lines.append(f"status   {int(good.sum())} of {count} converged")
        if good.any():
            nit, red = self.nit[good], self.red_chi2[good]
            word = "deviance" if counts else "chi2    "
            lines.append(
                f"{word} reduced: {_spread(red)}; trials {np.median(nit):.0f} in the "
                f"median, {nit.max()} at most"
            )
        given = "from the counts" if counts else "from the given sigma"
        how = [given, "scaled by sqrt(reduced chi2)"]
        kinds = sorted({how[int(s)] for s in self.scaled})
        lines.append(f"errors   {' or '.join(kinds)}")
        rows = []
        for name in (*self.names, *self.amplitude_names):
            values, errors = (v[good] for v in self._pair(name))
            known = errors[np.isfinite(errors)]
            rows.append(
                [
                    name,
                    _spread(values),
                    f"{np.median(known):.3g}" if known.size else "none",
                    self.unit(name),
                ]
            )
        head = ["parameter", "median [16 %, 84 %] of the fits", "typical error", "unit"]
        return "\n".join([*lines, "", *columns(rows, head)])

    def to_table(self) -> dict[str, np.ndarray]:
        """Columns (B,) by name: values, `name_stderr`, statistics, code."""
        table: dict[str, np.ndarray] = {"fit": np.arange(len(self))}
        for name in (*self.names, *self.amplitude_names):
            table[name], table[f"{name}_stderr"] = self._pair(name)
        for key in ("chi2", "red_chi2", "dof", "n_valid", "code", "nit", "success"):
            table[key] = getattr(self, key)
        for i, name in enumerate(self.names):
            table[f"{name}_at_bound"] = self.at_bound[:, i]
        return table

    def to_csv(self, path: Any) -> pathlib.Path:
        """Path of a text file of `to_table`, units in the header, all digits."""
        path, table = pathlib.Path(path), self.to_table()
        head = []
        for key in table:
            stem = key.removesuffix("_stderr")
            known = stem in (*self.names, *self.amplitude_names)
            unit = self.unit(stem) if known else ""
            head.append(f"{key} [{unit}]" if unit else key)
        with path.open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(head)
            for row in zip(*(v.tolist() for v in table.values()), strict=True):
                writer.writerow([int(v) if isinstance(v, bool) else v for v in row])
        return path

    def plot(self, **kwargs: Any) -> Any:
        """Matplotlib figure of the parameters along the batch."""
        from .. import plot

        return plot.batch(self, **kwargs)

    def save(self, path: Any) -> Any:
        """Write to HDF5, see `load_result`."""
        from .files import save

        return save(self, path)


def _where(names: tuple[str, ...], flags: np.ndarray) -> tuple[str, ...]:
    return tuple(n for n, flag in zip(names, flags, strict=True) if flag)


def listed(at: np.ndarray, most: int = 12) -> str:
    """Indices as text, the first of many."""
    shown = ", ".join(str(k) for k in at[:most])
    return f"{shown}, ..." if len(at) > most else shown


def _spread(values: np.ndarray) -> str:
    values = values[np.isfinite(values)]
    if not values.size:
        return "none"
    low, middle, high = np.quantile(values, [0.16, 0.5, 0.84])
    return f"{middle:.5g} [{low:.5g}, {high:.5g}]"
