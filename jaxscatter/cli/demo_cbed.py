"""`jaxscatter demo cbed`: structure factors of silicon, and which way LiNbO3 points."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np

from .. import cbed, examples
from ..config import Fit, Sample
from ..examples import CbedProfiles, CbedStack
from ..infer import FitResult
from ..problem import Problem
from . import analysis
from .output import Folder, Watch

FACTORS = ("U(1,-1,-1)", "U'(1,-1,-1)", "U(2,-2,-2)")
START: dict[str, float] = {
    "U(1,-1,-1)": 0.0471822,
    "U'(1,-1,-1)": 0.00083178,
    "U(2,-2,-2)": -0.00096364,
    "shift_j": -3.0,
}
"""Structure factors before the published refinement; the counts lie some three pixels
from where the simulation printed beside them does."""
BOUNDS: dict[str, tuple[float, float]] = {
    "thickness": (3350.0, 3520.0),
    "U(1,-1,-1)": (0.046, 0.049),
    "U'(1,-1,-1)": (0.0, 0.002),
    "U(2,-2,-2)": (-0.003, 0.001),
}
BEAMS = {"g_max": 2.5, "s_max": 0.03}
STEPS = 28
"""Pixels along each edge of the LiNbO3 images that are simulated."""
THICKNESSES = np.arange(1120.0, 1321.0, 20.0)
SHOWN = ((0, 0, 6), (0, 0, -9), (1, 1, 3), (2, 2, -9))


def run(folder: Folder, watch: Watch, fit: Fit, sample: Sample) -> str:
    """Headlines of both analyses, whose files are then in `folder`."""
    del sample  # the errors are those of the fit
    watch.say("reading silicon: four lines through four disks of one CBED pattern")
    silicon = examples.cbed_silicon()
    problem = silicon_problem(silicon)
    best, _ = analysis.analyse(problem, fit, None, folder, watch)
    assert best is not None
    surface(problem, best, folder)
    watch.say("reading Mg:LiNbO3, 24 large-angle patterns")
    second = niobate(examples.cbed_lithium_niobate(), folder, watch)
    about = [*_about(silicon, best), "", *second]
    title = "Silicon and lithium niobate: electron diffraction from file to report"
    text = analysis.report(title, about, best, None, watch.stopped)
    (folder / "report.txt").write_text(text, "utf-8")
    return "\n".join(
        [analysis.headline(best, None), "", *published(silicon), "", *second]
    )


def silicon_crystal(example: CbedProfiles) -> cbed.Crystal:
    """Si of the example, on the origin of F d -3 m that is a centre."""
    a = example.known["a"]
    atom = cbed.Site("Si", (0.125, 0.125, 0.125), example.known["b_iso"])
    return cbed.Crystal.from_sites(
        [a, a, a, 90.0, 90.0, 90.0], [atom], space_group="F d -3 m:2"
    )


def detector(example: CbedProfiles) -> cbed.Detector:
    """The camera's noise."""
    return cbed.Detector(*example.detector)


def silicon_problem(example: CbedProfiles, **changes: Any) -> Problem:
    """U(111), U'(111) and U(222), thickness and geometry, one background per disk."""
    known = example.known
    crystal = silicon_crystal(example)
    frame = cbed.Frame(known["zone"], known["x_axis"])
    variance = detector(example).variance(np.maximum(example.counts, 1.0))
    data = cbed.from_profiles(
        example.hkl,
        example.offsets,
        example.counts,
        np.sqrt(np.asarray(variance)),
        example.used,
        metadata={
            "sample": "Si",
            "citation": example.citation,
            "regions": tuple((1, int(n)) for n in np.bincount(example.regions)),
        },
    )
    arguments: dict[str, Any] = {
        "energy": known["energy"],
        "thickness": example.reported["thickness"],
        "frame": frame,
        "gl": known["gl"],
        "kt": frame.tangential(np.array(known["kt_hkl"]), crystal.cell),
        "reflections": [(1, -1, -1), (2, -2, -2)],
        "start": START,
        "free": ["geometry", "thickness", *FACTORS],
        "bounds": BOUNDS,
        "beams": BEAMS,
    }
    return cbed.problem(data, crystal, **{**arguments, **changes})


def published(example: CbedProfiles) -> list[str]:
    """chi2 of the other program's simulations before and after its refinement."""
    metric = cbed.Chi2_multibackground(detector=detector(example))
    used = jnp.asarray(example.used)
    after, before = (
        float(metric(jnp.asarray(t), jnp.asarray(x), used))
        for t, x in zip(example.simulated, example.sampled, strict=True)
    )
    values = example.reported
    return [
        f"published  chi2 {before:.2f} before and {after:.2f} after the refinement, by "
        "another program,",
        f"           without errors: U(1,-1,-1) {values['U(1,-1,-1)']}, "
        f"U'(1,-1,-1) {values[FACTORS[1]]},",
        f"           |U(2,-2,-2)| {abs(values['U(2,-2,-2)'])} 1/Å², thickness "
        f"{values['thickness']} Å",
    ]


def surface(problem: Problem, best: FitResult, folder: Folder) -> None:
    """Rocking curves and dispersion surface of the 111 row at the refined values."""
    from .. import plot

    model: Any = problem.model
    theta = problem.named(np.asarray(best.x))
    common: dict[str, Any] = {
        "hkl": (1, -1, -1),
        "span": 12.0,
        "beams": model.beams,
        "potential": model.coefficients(theta),
        "through": None,
    }
    where = (model.crystal, model.frame, best["energy"])
    try:
        curve = cbed.rocking_curve(
            *where, best["thickness"], output=np.asarray(model.hkl), **common
        )
        plot.plot_rocking_curves(
            curve.angle, curve.intensity, folder / "rocking.png", hkl=model.hkl,
            title=f"Si, {best['thickness']:.0f} Å, about the Bragg position of 1 -1 -1",
        )  # fmt: skip
        branches = cbed.dispersion_surface(*where, **common)
        plot.plot_dispersion_surface(
            branches.angle, branches.gamma, branches.excitation,
            folder / "branches.png", title="Si: Bloch waves about 1 -1 -1",
        )  # fmt: skip
    except ImportError as error:
        from warnings import warn

        warn(f"no rocking.png, branches.png: {error}", stacklevel=2)


def niobate_crystal(known: Mapping[str, Any], sense: int = 1) -> cbed.Crystal:
    """LiNbO3 with its polar axis along c, or against it where `sense` is -1."""
    sites = [
        cbed.Site(label, tuple(sense * x for x in position), b)
        for label, position, b in known["sites"]
    ]
    return cbed.Crystal.from_sites(
        known["cell"], sites, space_group=known["space_group"]
    )


def niobate(example: CbedStack, folder: Folder, watch: Watch) -> list[str]:
    """Correlation of measured and simulated patterns, by thickness and polarity."""
    known = example.known
    with np.load(example.path) as file:
        hkl = file["hkl"]
    data = cbed.load(example.path, entry="images", hkl=hkl, variance="unknown")
    h, w = data.metadata["image"]
    step = h // STEPS
    measured = np.asarray(data.y).reshape(len(hkl), STEPS, step, STEPS, step)
    measured = measured.mean(axis=(2, 4))
    frame = cbed.Frame(known["zone"], known["x_axis"])
    chosen = cbed.beams(zero_zone(known, 1.7))
    correlation, patterns = {}, {}
    for sense, name in ((1, "+c"), (-1, "-c")):
        watch.say(f"simulating {len(hkl)} patterns with the polar axis along {name}")
        patterns[name] = cbed.simulate_larbed(
            niobate_crystal(known, sense), frame, known["energy"], THICKNESSES,
            gl=known["gl"] / step, shape=(STEPS, STEPS), disks=hkl, beams=chosen,
        )  # fmt: skip
        correlation[name] = np.array(
            [
                np.mean([cbed.zncc(*both) for both in zip(at, measured, strict=True)])
                for at in patterns[name]
            ]
        )
    where = int(np.argmax(correlation["+c"]))
    _draw_niobate(
        correlation, measured, patterns["+c"][where], hkl, THICKNESSES[where], folder
    )
    return [
        "lithium niobate (polarity.png, patterns.png)",
        f"data     {len(hkl)} large-angle patterns on {h} x {w} tilts, compared on "
        f"{STEPS} x {STEPS}",
        f"thickness {THICKNESSES[where]:.0f} Å: mean correlation "
        f"{correlation['+c'][where]:.3f}; no point of the grid from "
        f"{THICKNESSES[0]:.0f} to {THICKNESSES[-1]:.0f} Å is better",
        f"polarity of the structure along c: against c it is at most "
        f"{np.max(correlation['-c']):.3f}",
        f"source   {example.citation}",
        f"licence  {example.licence}",
    ]


def zero_zone(known: Mapping[str, Any], g_max: float) -> list[tuple[int, int, int]]:
    """Reflections (h h 3n) of R 3 c within g_max, 1/Å, shortest first."""
    a, c = known["cell"][0], known["cell"][2]

    def length(h: int, m: int) -> float:
        return float(np.hypot(2 * h / a, m / c))

    most, top = int(g_max * a / 2), int(g_max * c)
    inside = [
        (length(h, m), (h, h, m))
        for h in range(-most, most + 1)
        for m in range(-3 * (top // 3), top + 1, 3)
        if length(h, m) <= g_max
    ]
    return [g for _, g in sorted(inside)]


def _draw_niobate(correlation, measured, simulated, hkl, thickness, folder) -> None:
    from .. import plot

    rows = [i for i, g in enumerate(hkl.tolist()) if tuple(g) in SHOWN]
    scaled = []
    for i in rows:
        t, x = jnp.asarray(simulated[i]), jnp.asarray(measured[i])
        c, b = cbed.scale_background(t, x, jnp.ones_like(x))
        scaled.append(np.asarray(c * t + b))
    try:
        plot.plot_disk_comparison(
            measured[rows], np.stack(scaled), folder / "patterns.png", hkl=hkl[rows],
            title=f"LiNbO3, {thickness:.0f} Å, nothing refined but the thickness",
        )  # fmt: skip
        plot.plot_agreement(
            THICKNESSES, np.stack(list(correlation.values())), folder / "polarity.png",
            names=[f"polar axis along {name}" for name in correlation],
            title="LiNbO3: thickness and polarity, 24 patterns",
        )  # fmt: skip
    except ImportError as error:
        from warnings import warn

        warn(f"no patterns.png, polarity.png: {error}", stacklevel=2)


def _about(example: CbedProfiles, best: FitResult) -> list[str]:
    held = "U'(2,-2,-2) 0, other reflections those of independent atoms (Lobato)"
    pairs = [p for p in best.correlations(0.0) if FACTORS[2] in p[:2]]
    neighbours = [f"{r:+.2f} with {a if b == FACTORS[2] else b}" for a, b, r in pairs]
    return [
        "silicon (fit.h5, fit.png, rocking.png, branches.png). U of the equivalents",
        "follow; F_x are X-ray structure factors from U by the Mott formula.",
        "",
        f"data     {int(example.used.sum())} used of {example.used.size} points in "
        "four disks, 196.75 kV",
        f"held     {held}",
        f"U(2,-2,-2) correlates: {', '.join(neighbours[:4])},",
        f"         {', '.join(neighbours[4:])}",
        *published(example),
        f"source   {example.citation}",
        f"licence  {example.licence}",
    ]
