"""Text of `summary()`: what needs care first, then numbers with errors and units."""

import math
from typing import Any

import numpy as np


def number(value: float, error: float = math.nan) -> str:
    """Value ± error with two significant digits of the error."""
    if not math.isfinite(value):
        return str(value)
    if error == math.inf:
        return f"{value:.5g} ± not determined"
    if not math.isfinite(error) or error <= 0:
        return f"{value:.6g}"
    digits = 1 - math.floor(math.log10(error))
    if -3 < math.floor(math.log10(max(abs(value), error))) < 6 and digits >= 0:
        return f"{value:.{digits}f} ± {error:.{digits}f}"
    power = math.floor(math.log10(max(abs(value), error)))
    factor = 10.0**power
    places = max(0, digits + power)
    return f"({value / factor:.{places}f} ± {error / factor:.{places}f})e{power:+d}"


def columns(rows: list[list[str]], head: list[str]) -> list[str]:
    """Left-aligned columns under a header."""
    table = [head, *rows]
    width = [max(len(r[i]) for r in table) for i in range(len(head))]
    return [
        "  ".join(c.ljust(w) for c, w in zip(r, width, strict=True)).rstrip()
        for r in table
    ]


def warned(warnings: tuple[str, ...]) -> list[str]:
    """Warnings as lines that cannot be missed."""
    return [f"! {w}" for w in warnings]


def fit_summary(result: Any) -> str:
    """Summary of a `FitResult`."""
    table = result.parameters
    title = f"{result.provenance['model']} · {result.method} fit"
    lines = [title, *warned(result.warnings)]
    failed = "" if result.success else "NOT CONVERGED: "
    lines.append(f"status   {failed}{result.message}")
    lines += _bare(result) if "bare_cost" in result.flags else _goodness(result)
    rows = []
    for i in range(len(table["name"])):
        tie = str(table["tie"][i])
        note = "" if table["free"][i] else f"tied to {tie}" if tie else "fixed"
        if table["at_bound"][i]:
            note = "AT BOUND"
        bounds = f"[{table['lo'][i]:.4g}, {table['hi'][i]:.4g}]"
        rows.append(
            [
                str(table["name"][i]),
                number(table["value"][i], table["stderr"][i]),
                str(table["unit"][i]),
                bounds if table["free"][i] else "",
                note,
            ]
        )
    lines += ["", *columns(rows, ["parameter", "value", "unit", "bounds", "note"])]
    for label, (value, error, unit) in result.derived.items():
        lines.append(f"{label} = {number(value, error)} {unit}".rstrip())
    if len(result.linear.get("label", ())):
        rows = [
            [
                str(result.linear["label"][i]),
                number(result.linear["value"][i], result.linear["stderr"][i]),
                str(result.linear["unit"][i]),
                "AT BOUND" if result.linear["at_bound"][i] else "",
            ]
            for i in range(len(result.linear["label"]))
        ]
        shown = rows if len(rows) <= 30 else rows[:30]
        lines += ["", *columns(shown, ["amplitude", "value", "unit", "note"])]
        if len(rows) > 30:
            lines.append(f"... {len(rows) - 30} more in result.linear")
    strong = result.correlations(0.8)
    if strong:
        pairs = ", ".join(f"{a}-{b} {c:+.2f}" for a, b, c in strong[:6])
        lines += ["", f"correlations above 0.8: {pairs}"]
    if len(result.optima.get("cost", ())):
        lines += ["", *_optima(result)]
    return "\n".join(lines)


def _goodness(result: Any) -> list[str]:
    """Chi2, criteria, and where the errors come from."""
    s = result.statistics
    word, errors = "chi2    ", "from the given sigma"
    if "deviance" in s:
        word, errors = "deviance", "from the counts (inverse Fisher information)"
        if s["deviance"] != s["chi2"]:
            word, errors = "chi2    ", "from the given sigma and the counts"
    errors = "scaled by sqrt(reduced chi2)" if result.scaled else errors
    return [
        f"{word} {s['chi2']:.6g} for {s['n_valid']:.0f} points, {s['dof']:.0f} "
        f"degrees of freedom, reduced {s['red_chi2']:.4g}",
        *_parts(result.groups),
        f"criteria AICc {s['aicc']:.6g}, BIC {s['bic']:.6g}; {s['nfev']:.0f} cost and "
        f"{s['njev']:.0f} Jacobian evaluations",
        f"errors   {errors}; amplitudes: {result.linear_mode}",
    ]


def _bare(result: Any) -> list[str]:
    """The cost of a fit that has no chi2."""
    s = result.statistics
    return [
        f"cost     {result.provenance['cost']} = {s['cost']:.6g} of {s['n_valid']:.0f} "
        f"points; {s['nfev']:.0f} cost and {s['njev']:.0f} gradient evaluations",
        f"errors   none; amplitudes: {result.linear_mode}",
    ]


def _parts(groups: dict[str, np.ndarray]) -> list[str]:
    """Chi2 of each part of joined problems."""
    if "part" not in groups:
        return []
    lines = []
    for name in dict.fromkeys(str(p) for p in groups["part"]):
        own = groups["part"] == name
        chi2, n = np.sum(groups["chi2"][own]), np.sum(groups["n_valid"][own])
        lines.append(f"         {name}: {chi2:.6g} for {n:.0f} points")
    return lines


def _optima(result: Any) -> list[str]:
    """Distinct optima of a multi-start, best first."""
    o = result.optima
    names = [k for k in o if k not in ("cost", "delta_chi2", "count")]
    rows = [
        [
            f"{o['delta_chi2'][i]:.4g}",
            f"{o['count'][i]:.0f}",
            *(f"{o[n][i]:.5g}" for n in names[:8]),
        ]
        for i in range(min(len(o["cost"]), 8))
    ]
    head = f"{len(o['cost'])} distinct optima found by {len(result.starts['cost'])}"
    return [
        f"{head} fits:",
        *columns(rows, ["delta chi2", "fits", *names[:8]]),
    ]


def sample_summary(result: Any) -> str:
    """Summary of a `SampleResult`."""
    d = result.diagnostics
    lines = [f"{result.provenance['model']} · {result.method} posterior"]
    lines += warned(result.warnings)
    chains, draws = next(iter(result.draws.values())).shape
    verdict = "converged" if result.converged else "NOT CONVERGED"
    lines.append(
        f"verdict  {verdict}: {chains} chains x {draws} draws; amplitudes: "
        f"{result.linear_mode}"
    )
    s = result.statistics
    shown = {
        "divergences": "divergences",
        "accept": "mean acceptance",
        "steps": "steps per draw",
        "ebfmi": "lowest E-BFMI",
        "saturated": "share at max depth",
        "log_evidence": "log evidence",
        "pareto_k": "Pareto k",
        "seconds": "seconds",
    }
    parts = [f"{text} {s[k]:.4g}" for k, text in shown.items() if k in s]
    if parts:
        lines.append("sampler  " + ", ".join(parts))
    rows = [
        [
            str(d["name"][i]),
            number(d["mean"][i], d["sd"][i]),
            f"[{d['q2.5'][i]:.5g}, {d['q97.5'][i]:.5g}]",
            str(d["unit"][i]),
            f"{d['rhat'][i]:.4f}",
            f"{d['ess_bulk'][i]:.0f}",
            f"{d['ess_tail'][i]:.0f}",
        ]
        for i in range(len(d["name"]))
    ]
    head = ["parameter", "mean ± sd", "95 % interval", "unit", "R-hat", "ESS", "tail"]
    lines += ["", *columns(rows, head)]
    for name, value in result.held.items():
        lines.append(f"{name} = {value:.6g} held, not sampled")
    if result.linear_draws:
        rows = [
            [name, number(float(np.mean(v)), float(np.std(v)))]
            for name, v in list(result.linear_draws.items())[:30]
        ]
        lines += ["", *columns(rows, ["amplitude", "mean ± sd"])]
    return "\n".join(lines)
