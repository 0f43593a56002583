"""Twenty LARBED twins with a blurred probe: pulls of unit width, and χ²/dof of one."""

import numpy as np
import pytest

import jaxscatter as js
from jaxscatter.cbed.dataset import from_images
from jaxscatter.cbed.problem import problem

DISKS = [(0, 0, 0), (1, -1, 1), (-1, 1, -1), (2, -2, 2)]
SIDE, COUNTS, SEEDS = 13, 1e5, 20


@pytest.mark.slow
def test_errors_of_a_blurred_twin_are_honest(silicon, row):
    """6 structure factors and 6 others: 240 pulls, whose mean square is 1 ± 0.09."""
    frame, beams = row
    length = float(frame.x_length(silicon.cell))
    blank = np.full((len(DISKS), SIDE, SIDE), COUNTS)
    given = {
        "energy": 200.0,
        "thickness": 600.0,
        "frame": frame,
        "gl": 10.0,
        "kt": [0.1 * length, 2.2 * length],
        "reflections": [(1, -1, 1), (2, -2, 2), (3, -3, 3)],
        "beams": beams,
        "background": "pattern",
        "psf": "fourier",
        "padding": 5,
    }
    truth = {"sigma": 0.8, "gamma": 0.1, "U(2,-2,2)": -5e-4}
    # shift_j moves across the row, where nothing changes
    factors = [f"U{dash}({n},{-n},{n})" for n in (1, 2, 3) for dash in ("", "'")]
    free = [*factors, "thickness", "gl", "rotation", "shift_i", "sigma", "gamma"]
    held = {"free": free, "start": truth}
    p = problem(from_images(DISKS, blank, variance=blank), silicon, **given, **held)
    exact = COUNTS * np.asarray(p.model.prepare(p.named(p.start()))) + 50.0
    x = np.asarray(p.start())
    pulls, fits, chi2 = [], [], []
    for seed in range(SEEDS):
        rng = np.random.default_rng(seed)
        images = rng.poisson(exact).astype(float).reshape(blank.shape)
        # the expected variance: that of the counts would bias the weights
        data = from_images(DISKS, images, variance=exact.reshape(blank.shape))
        best = js.fit(p.with_(data=data), start=x * (1 + 0.01 * (-1) ** seed))
        assert best.success, seed
        pulls.append((best.x - x) / np.sqrt(np.diag(best.cov)))
        fits.append(best)
        chi2.append(best.statistics["red_chi2"])
    pulls = np.array(pulls)
    labels = fits[0].labels
    square = np.mean(pulls**2)
    assert 0.75 < square < 1.3, dict(zip(labels, np.std(pulls, axis=0), strict=True))
    # each parameter by itself: 20 pulls, so ± 0.32 on the mean square, ± 0.22 on a mean
    each = dict(zip(labels, np.mean(pulls**2, axis=0), strict=True))
    assert all(0.2 < v < 2.4 for v in each.values()), each
    means = dict(zip(labels, np.mean(pulls, axis=0), strict=True))
    assert all(abs(v) < 0.8 for v in means.values()), means
    n = fits[0].statistics["dof"]
    assert abs(np.mean(chi2) - 1) < 4 * np.sqrt(2 / (n * SEEDS))
