"""By how much the shear rates of the three conventions differ, measured by fits.

Exact c2 of one convention, at one angle along the flow, is fitted with the published
equation: γ̇, contrast and offset are free, and diffusion is as good as absent. The phase
is ½ q h γ̇ T of the rate that made the data, T being the longest lag.
"""

import numpy as np

import jaxscatter as js

Q, GAP, STEP, FRAMES = 0.0054, 2e6, 0.1, 101  # 1/Å, Å, s
PHASES = (0.1, 0.3, 1.0, 3.0, 10.0, 30.0, 100.0)
SMALL = {"homodyne_v2": np.pi / np.sqrt(2), "homodyne_v1": 1 / np.sqrt(2)}


def factor(convention, phase):
    """Rate that made the data over the rate that the published equation fits."""
    t = STEP * np.arange(FRAMES)
    rate = 2 * phase / (Q * GAP * t[-1])
    truth = {"D0": 100.0, "alpha": 0.0, "D_offset": 0.0, "gamma_dot_t0": rate}
    truth |= {"beta": 0.0, "gamma_dot_t_offset": 0.0, "phi0": 0.0}
    made = js.xpcs.simulate(
        "laminar_flow",
        truth,
        q=Q,
        dt=STEP,
        n_frames=FRAMES,
        h=GAP,
        contrast=0.3,
        convention=convention,
    )
    problem = js.xpcs.problem(
        made,
        "laminar_flow",
        h=GAP,
        active=["gamma_dot_t0"],
        values=truth | {"gamma_dot_t0": rate / SMALL[convention]},
        bounds=[{"name": "gamma_dot_t0", "min": 1e-9, "max": 10.0}],
    )
    return rate / js.fit(problem, warn=False)["gamma_dot_t0"]


if __name__ == "__main__":
    print("| phase [rad] | homodyne_v2 | homodyne_v1 |")
    print("|---|---|---|")
    for phase in PHASES:
        two, one = (factor(convention, phase) for convention in SMALL)
        print(f"| {phase:g} | {two:.3f} | {one:.3f} |")
