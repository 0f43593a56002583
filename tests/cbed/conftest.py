"""Small crystals and patterns the tests of refinement share."""

import numpy as np
import pytest

from jaxscatter.cbed.beams import beams
from jaxscatter.cbed.crystal import Crystal, Site
from jaxscatter.cbed.geometry import Frame

ROW = [(0, 0, 0), (1, -1, 1), (-1, 1, -1), (2, -2, 2), (-2, 2, -2)]


@pytest.fixture(scope="session")
def silicon():
    """Si with the inversion centre at the origin."""
    return Crystal.from_sites(
        [5.4307] * 3 + [90.0] * 3,
        [Site("Si", (0.125, 0.125, 0.125), 0.4668)],
        space_group="F d -3 m:2",
    )


@pytest.fixture(scope="session")
def gallium_arsenide():
    """GaAs, without an inversion centre."""
    return Crystal.from_sites(
        [5.65325] * 3 + [90.0] * 3,
        [Site("Ga", (0.0, 0.0, 0.0), 0.5854), Site("As", (0.25, 0.25, 0.25), 0.3528)],
        space_group="F -4 3 m",
    )


@pytest.fixture(scope="session")
def row():
    """Frame and beams of a systematic row 111 seen along [110]."""
    more = [(3, -3, 3), (-3, 3, -3)]
    return Frame((1, 1, 0), (1, -1, 1)), beams(np.array(ROW + more))
