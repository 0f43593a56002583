"""`jaxscatter demo sas`: measured micelles, and a latex seen by two instruments."""

from typing import Any

from .. import examples, sas
from ..config import Fit, Sample
from ..config.sas_job import extent
from ..examples import SasExample
from ..infer import FitResult
from ..infer.report import number
from ..problem import Dataset, JointProblem, Problem, joint
from . import analysis
from .output import Folder, Watch

MICELLES = "ellipsoid@hayter_msa"
MODES: dict[str, Any] = {"structure_factor_mode": 1, "radius_effective_mode": 1}
START: dict[str, Any] = {
    "radius_polar": 14.0,
    "radius_equatorial": 22.0,
    "charge": 12.0,
    "volfraction": 0.019,
}
BOUNDS = {
    "radius_polar": (5.0, 40.0),
    "radius_equatorial": (5.0, 60.0),
    "charge": (1.0, 60.0),
    "volfraction": (0.001, 0.1),
}
LATEX_START: dict[str, Any] = {"radius": 2450.0, "radius_pd": 0.05}
LATEX_BOUNDS = {"radius": (1500.0, 4000.0), "radius_pd": (0.001, 0.3)}


def run(folder: Folder, watch: Watch, fit: Fit, sample: Sample) -> str:
    """Headlines of both analyses, whose files are then in `folder`."""
    watch.say("reading a latex measured by SANS (pinhole) and USANS (slit)")
    example = examples.sas_latex()
    curves = {n: sas.load(example.path, entry=i) for n, i in example.entries.items()}
    spheres = latex(curves, example, fit, folder, watch)
    watch.say("reading micelles of SDS")
    micelles = examples.sas_sds()
    data = sas.load(micelles.path)
    problem = micelle_problem(data, micelles)
    best, post = analysis.analyse(problem, fit, sample, folder, watch)
    if best is not None:
        sas.save(best, folder / "fit_nxcansas.h5")
        analysis.draw("result", best, folder, "parts.png", view="parts")
    second = latex_lines(example, curves, spheres)
    about = [*_about(data, micelles), "", *second]
    title = "Micelles and a latex: small-angle scattering from file to posterior"
    text = analysis.report(title, about, best, post, watch.stopped)
    (folder / "report.txt").write_text(text, "utf-8")
    return "\n".join([analysis.headline(best, post), "", *second])


def micelle_problem(data: Dataset, example: SasExample) -> Problem:
    """Charged ellipsoids with beta(Q); the volume fraction sets the scale."""
    return sas.problem(
        data,
        MICELLES,
        free=[*START, "background"],
        bounds=BOUNDS,
        **{**example.known, **MODES, **START},
    )


def latex_problem(curves: dict[str, Dataset], example: SasExample) -> JointProblem:
    """Polydisperse spheres: one size for both, scale and background of each."""
    parts = [
        sas.problem(
            data,
            "sphere",
            free=[*LATEX_START, "scale", "background"],
            bounds=LATEX_BOUNDS,
            **{**example.known, **LATEX_START},
        )
        for data in curves.values()
    ]
    return joint(*parts, shared=list(LATEX_START), names=tuple(curves))


def latex(
    curves: dict[str, Dataset],
    example: SasExample,
    fit: Fit,
    folder: Folder,
    watch: Watch,
) -> FitResult:
    """The joint fit of both curves, saved and drawn."""
    watch.say("fitting spheres to both at once")
    best = analysis.fitted(latex_problem(curves, example), fit, watch)
    best.save(folder / "latex_fit.h5")
    analysis.draw("result", best, folder, "latex_fit.png", view="fit")
    analysis.draw("result", best, folder, "sizes.png", view="sizes")
    sas.save(best, folder / "latex_nxcansas.h5")
    return best


def latex_lines(
    example: SasExample, curves: dict[str, Dataset], best: FitResult
) -> list[str]:
    """What the joint fit says, and of what."""
    values: dict[str, Any] = {n: number(best[n], best.error(n)) for n in LATEX_START}
    amplitudes = [
        f"{label} {number(value, error)}"
        for label, value, error in zip(
            best.linear["label"],
            best.linear["value"],
            best.linear["stderr"],
            strict=True,
        )
    ]
    return [
        "latex (latex_fit.h5, latex_fit.png, sizes.png, latex_nxcansas.h5)",
        *(f"data     {name}: {extent(data)}" for name, data in curves.items()),
        f"radius   {values['radius']} Å, relative width {values['radius_pd']}, one for "
        "both curves",
        f"linear   {', '.join(amplitudes[:2])}",
        f"         {', '.join(amplitudes[2:])}",
        f"chi2     {best.statistics['chi2']:.2f} for "
        f"{best.statistics['n_valid']:.0f} points",
        f"source   {example.citation}",
        f"licence  {example.licence}",
    ]


def _about(data: Dataset, example: SasExample) -> list[str]:
    known = ", ".join(f"{k} {v:g}" for k, v in example.known.items())
    return [
        "micelles (fit.h5, fit.png, parts.png, posterior.h5, posterior.png, trace.png,",
        "fit_nxcansas.h5). P is what one micelle scatters, S the order that their",
        "charge makes, and beta(Q) the part of it that unequal directions leave.",
        "",
        f"data     2 % SDS in D2O, {extent(data)}",
        f"model    {MICELLES}, P*(1+beta*(S-1)), effective radius of average curvature",
        f"held     {known}, scale 1",
        f"source   {example.citation}",
        f"licence  {example.licence}",
    ]
