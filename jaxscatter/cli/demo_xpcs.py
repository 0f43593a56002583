"""`jaxscatter demo xpcs`: a measured sample at rest, and a simulated shear cell."""

import math
from typing import Any

from .. import examples, xpcs
from ..config import Fit, Sample
from ..config.xpcs_job import angles, extent
from ..examples import XpcsExample
from ..infer import FitResult
from ..infer.report import number
from ..problem import Dataset
from . import analysis
from .output import Folder, Watch

TRUTH = {
    "D0": 3000.0,
    "alpha": 0.2,
    "D_offset": 0.0,
    "gamma_dot_t0": 5e-4,
    "beta": -0.1,
    "gamma_dot_t_offset": 0.0,
    "phi0": 3.0,
}
CELL: dict[str, Any] = {"q": 0.0054, "dt": 0.1, "h": 2e6}
PHI = (-30.0, 0.0, 30.0, 90.0)
NOISE = 0.02
BOUNDS = ({"name": "gamma_dot_t0", "min": 1e-6, "max": 1e-2},)


def run(folder: Folder, watch: Watch, fit: Fit, sample: Sample) -> str:
    """Headlines of both analyses, whose files are then in `folder`."""
    example = examples.xpcs_nsls2()
    watch.say("reading a two-time correlation measured at NSLS-II")
    data = xpcs.load(example.two_time, q=example.q, dt=example.dt)
    measured = at_rest(data, fit, folder, watch)
    watch.say("simulating laminar flow, writing and reading the APS-U file")
    flow = sheared(folder, seed=fit.seed)
    known = {k: TRUTH[k] for k in ("D_offset", "gamma_dot_t_offset")}
    problem = xpcs.problem(flow, h=CELL["h"], fixed=known, bounds=BOUNDS)
    best, post = analysis.analyse(problem, fit, sample, folder, watch)
    if best is not None:
        analysis.draw("result", best, folder, "cuts.png", view="cuts")
        rates = post if post is not None else best
        analysis.draw("result", rates, folder, "rates.png", view="rates")
    first = measured_lines(example, data, measured)
    about = [*first, "", *_about(flow)]
    title = "Two-time correlations: a measured sample, and a shear cell of known truth"
    text = analysis.report(title, about, best, post, watch.stopped)
    (folder / "report.txt").write_text(text, "utf-8")
    return "\n".join([analysis.headline(best, post), "", *first])


def at_rest(data: Dataset, fit: Fit, folder: Folder, watch: Watch) -> FitResult:
    """The static model on the measured matrix, fitted, saved and drawn."""
    problem = xpcs.problem(
        data,
        "static",
        fixed={"D_offset": 0.0},
        bounds=[{"name": "D0", "min": 1.0, "max": 1e5}],
    )
    watch.say("fitting static_isotropic to it")
    best = analysis.fitted(problem, fit, watch)
    best.save(folder / "measured_fit.h5")
    analysis.draw("result", best, folder, "measured_fit.png")
    analysis.draw("result", best, folder, "measured_cuts.png", view="cuts")
    return best


def sheared(folder: Folder, n_frames: int = 90, seed: int = 0) -> Dataset:
    """Simulated flow of `TRUTH`, as it is read back from the file written."""
    data = xpcs.simulate(
        "laminar_flow",
        TRUTH,
        **CELL,
        n_frames=n_frames,
        phi=PHI,
        contrast=0.3,
        noise=NOISE,
        seed=seed,
        self_correlation=1.0,
    )
    path = xpcs.save(data, folder / "simulated.h5", "aps_u")
    return xpcs.load(path, q=CELL["q"], sigma=NOISE)


def measured_lines(example: XpcsExample, data: Dataset, best: FitResult) -> list[str]:
    """What the fit of the measured matrix says, per frame."""
    per_frame = example.q**2 * example.dt * best["D0"]
    error = example.q**2 * example.dt * best.error("D0")
    contrast, offset = (
        number(v, e)
        for v, e in zip(best.linear["value"], best.linear["stderr"], strict=True)
    )
    frames = len(data.coords["t"])
    age = number(best["alpha"], best.error("alpha"))
    return [
        "measured (measured_fit.h5, measured_fit.png, measured_cuts.png)",
        f"data     NSLS-II, {frames} frames, {data.n_valid} pairs; Q and frame time "
        "are not published, so rates are per frame",
        f"decay    q² D0 = {number(per_frame, error)} per frame at an age of one",
        f"age      alpha = {age}: the rate of decay goes as age^alpha",
        f"contrast {contrast}, offset {offset}",
        f"noise    {math.sqrt(best.statistics['red_chi2']):.4f} per point, from the "
        "scatter around the fit",
        f"source   {example.citation}",
        f"licence  {example.licence}",
    ]


def _about(data: Dataset) -> list[str]:
    truth = ", ".join(f"{k} {v:g}" for k, v in TRUTH.items())
    return [
        "simulated (simulated.h5; fit.png, cuts.png, rates.png, posterior.png)",
        f"data     {extent(data)}, {angles(data)}, noise {NOISE}",
        "model    laminar_flow, convention pnas, rate power, contrast and offset per "
        "angle solved for (varpro)",
        f"truth    {truth}",
    ]
